/* See tally.h. */
#include "tally.h"

static const double durations[TALLY_DURATIONS] = {
	0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
static const double lateness[TALLY_LATENESS] = {
	60, 300, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800};
static const double sizes[TALLY_SIZES] = {
	1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26};

void tally_init(struct tally *tally)
{
	*tally = (struct tally){.records = MINUTES_NULL};
	tally->durations =
		(struct histogram){durations, TALLY_DURATIONS, tally->duration_counts, 0};
	tally->lateness = (struct histogram){lateness, TALLY_LATENESS, tally->lateness_counts, 0};
	tally->sizes = (struct histogram){sizes, TALLY_SIZES, tally->size_counts, 0};
}

void tally_late(struct tally *tally, nsec_t late_ns)
{
	histogram_add(&tally->lateness, (double)late_ns / NSEC_PER_SEC);
}

void tally_requested(struct tally *tally, nsec_t elapsed_ns, size_t body_size)
{
	histogram_add(&tally->durations, (double)elapsed_ns / NSEC_PER_SEC);
	if (body_size > 0)
		histogram_add(&tally->sizes, (double)body_size);
}
