/* See attestation.h. */
#include "pipeline/attestation.h"

#include <inttypes.h>

#include "base/json.h"
#include "base/timestamp.h"
#include "store/coverage.h"
#include "store/events.h"

/* Of so many sources there is a row each; of more there is one with their sum. */
#define ATTESTED_SOURCES 100

void attestation_init(struct attestation *ret, const struct store *store)
{
	*ret = (struct attestation){.store = store, .earliest_time = INT64_MAX};
}

/* SOURCE NULL: of N sources together. */
static void print_coverage(
	const char *source, size_t n, nsec_t until, uint64_t n_gaps, struct buf *out)
{
	buf_append_text(out, "{\"source\":");
	if (source)
		json_encode(slice_of(source), out);
	else
		buf_printf(out, "null,\"sources\":%zu", n);
	buf_append_text(out, ",\"until\":");
	json_encode_time(until, 3, out);
	buf_printf(out, ",\"gaps\":%" PRIu64 "}", n_gaps);
}

void attestation_add(struct attestation *attestation, const char *source)
{
	nsec_t until = coverage_until(attestation->store, source);
	uint64_t n_gaps = coverage_open_gaps(attestation->store, source);

	if (attestation->n_sources++ < ATTESTED_SOURCES) {
		buf_append_text(&attestation->rows, attestation->n_sources > 1 ? "," : "");
		print_coverage(source, 1, until, n_gaps, &attestation->rows);
	}
	if (until < attestation->earliest_time)
		attestation->earliest_time = until;
	attestation->n_gaps += n_gaps;
}

void attestation_print(struct attestation *attestation, struct buf *out)
{
	char root[DIGEST_HEX_SIZE];
	uint64_t n_events = events_root(attestation->store, root);

	if (attestation->n_sources > ATTESTED_SOURCES) {
		buf_clear(&attestation->rows);
		print_coverage(NULL, attestation->n_sources, attestation->earliest_time,
			attestation->n_gaps, &attestation->rows);
	}
	buf_printf(out, ",\"coverage\":[%s],\"events\":{\"count\":%" PRIu64 ",\"root\":\"%s\"}",
		buf_text(&attestation->rows), n_events, root);
	buf_deinit(&attestation->rows);
}
