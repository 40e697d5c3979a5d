/* See metrics.h. A family is a row; the rows are in the manual. */
#include "metrics.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "cluster_metrics.h"
#include "overview.h"
#include "store/kept.h"
#include "store/spool.h"

/* Sources whose samples of a family are printed at once: less than a millisecond's work. */
#define PIECE 200

struct source_row {
	const char *name;
	enum exposition_type type;
	const char *help;
	double (*value)(const struct overview_source *source);
	/* instead of one sample of VALUE: any number of them */
	void (*print)(struct exposition *exposition, const struct poller *poller, double value);
};

struct sink_row {
	const char *name;
	enum exposition_type type;
	const char *help;
	double (*value)(const struct sink_status *sink);
};

static double seconds(nsec_t time)
{
	return time == NSEC_NONE ? (double)NAN : (double)time / NSEC_PER_SEC;
}

static double records(const struct overview_source *source)
{
	return (double)source->intake.n_records;
}

static double duplicates(const struct overview_source *source)
{
	return (double)source->intake.n_duplicates;
}

static double excluded(const struct overview_source *source)
{
	return (double)source->runner.n_excluded;
}

static double untimed(const struct overview_source *source)
{
	return (double)source->runner.n_untimed;
}

static double quarantined(const struct overview_source *source)
{
	return (double)quarantine_count(source->poller->quarantine);
}

static double requests(const struct overview_source *source)
{
	return (double)source->runner.n_requests;
}

static double gaps(const struct overview_source *source)
{
	return (double)source->poller->n_gaps;
}

static double open_gaps(const struct overview_source *source)
{
	return (double)source->n_open_gaps;
}

static double covered_until(const struct overview_source *source)
{
	return seconds(source->covered_time);
}

static double loss_deadline(const struct overview_source *source)
{
	return seconds(source->runner.deadline_time);
}

static double retention(const struct overview_source *source)
{
	nsec_t retention_ns = source->poller->source->definition->resume.retention_ns;
	return seconds(retention_ns > 0 ? retention_ns : NSEC_NONE);
}

static double lag(const struct overview_source *source)
{
	return seconds(source->lag_ns);
}

static double last_success(const struct overview_source *source)
{
	return seconds(source->runner.last_success_time);
}

static double source_up(const struct overview_source *source)
{
	return source->runner.last_success_time != NSEC_NONE && !source->runner.failing;
}

static double source_paused(const struct overview_source *source)
{
	return source->poller->paused;
}

static double clock_skew(const struct overview_source *source)
{
	return seconds(source->runner.skew_ns);
}

static const char *name_of(const struct poller *poller)
{
	return poller->source->name;
}

static void print_faults(struct exposition *exposition, const struct poller *poller, double value)
{
	(void)value;
	for (int class = 0; class < TALLY_CLASSES; class ++) {
		const char *labels[] = {"source", name_of(poller), "reason",
			fault_class_to_string((enum fault_class) class), NULL};
		uint64_t n = poller->tally.faults[class];
		if (n > 0)
			exposition_sample(exposition, labels, (double)n);
	}
}

static void print_gaps(struct exposition *exposition, const struct poller *poller, double value)
{
	(void)value;
	for (int reason = 0; reason < GAP_N_REASONS; reason++) {
		const char *labels[] = {"source", name_of(poller), "reason",
			gap_reason_to_string((enum gap_reason)reason), NULL};
		exposition_sample(exposition, labels, seconds(poller->gap_ns[reason]));
	}
}

/* The class of the present fault, which stays while it is tried again: what alerts tell faults
 * apart by. */
static double present_fault(const struct overview_source *source)
{
	return source->runner.failing ? (double)source->runner.fault.class : (double)NAN;
}

static void print_present_fault(
	struct exposition *exposition, const struct poller *poller, double value)
{
	if (isnan(value))
		return;
	const char *labels[] = {"source", name_of(poller), "reason",
		fault_class_to_string((enum fault_class)value), NULL};
	exposition_sample(exposition, labels, 1);
}

static void print_durations(
	struct exposition *exposition, const struct poller *poller, double value)
{
	(void)value;
	exposition_histogram(exposition, (const char *[]){"source", name_of(poller), NULL},
		&poller->tally.durations);
}

static void print_lateness(struct exposition *exposition, const struct poller *poller, double value)
{
	(void)value;
	if (poller->source->n_reconcile > 0)
		exposition_histogram(exposition, (const char *[]){"source", name_of(poller), NULL},
			&poller->tally.lateness);
}

static double reused_ids(const struct overview_source *source)
{
	return (double)source->intake.n_reused;
}

static double vanished(const struct overview_source *source)
{
	return (double)source->poller->tally.n_vanished;
}

static void print_sizes(struct exposition *exposition, const struct poller *poller, double value)
{
	(void)value;
	exposition_histogram(exposition, (const char *[]){"source", name_of(poller), NULL},
		&poller->tally.sizes);
}

static const struct source_row source_rows[] = {
	{"trawld_records", EXPOSITION_COUNTER, "New records accepted.", records, NULL},
	{"trawld_duplicates", EXPOSITION_COUNTER, "Duplicate records dropped.", duplicates, NULL},
	{"trawld_reused_ids", EXPOSITION_COUNTER,
		"Duplicates that differ from the record accepted under their ID, as far as it shows.",
		reused_ids, NULL},
	{"trawld_excluded", EXPOSITION_COUNTER,
		"Records dropped by the definition's include and exclude.", excluded, NULL},
	{"trawld_quarantined", EXPOSITION_COUNTER,
		"Elements of responses that cannot be records, kept as dead letters of the source.",
		quarantined, NULL},
	{"trawld_untimed_records", EXPOSITION_COUNTER,
		"Records read without a time, or with a time that cannot be read.", untimed, NULL},
	{"trawld_requests", EXPOSITION_COUNTER, "Requests sent for pages and documents.", requests,
		NULL},
	{"trawld_gaps", EXPOSITION_COUNTER, "Gaps found: periods whose records may be missing.",
		gaps, NULL},
	{"trawld_open_gaps", EXPOSITION_GAUGE, "Gaps that nobody has acknowledged.", open_gaps,
		NULL},
	{"trawld_gap_seconds", EXPOSITION_COUNTER, "Length of the gaps found, by reason.", NULL,
		print_gaps},
	{"trawld_covered_until_timestamp_seconds", EXPOSITION_GAUGE,
		"Records up to this time were read, but for gaps.", covered_until, NULL},
	{"trawld_loss_deadline_timestamp_seconds", EXPOSITION_GAUGE,
		"If nothing is read until then, the API no longer keeps unread records.",
		loss_deadline, NULL},
	{"trawld_retention_seconds", EXPOSITION_GAUGE, "How long the API keeps records.", retention,
		NULL},
	{"trawld_lag_seconds", EXPOSITION_GAUGE, "Current time minus the newest record's time.",
		lag, NULL},
	{"trawld_last_success_timestamp_seconds", EXPOSITION_GAUGE,
		"Time of the last page that was read without an error.", last_success, NULL},
	{"trawld_source_up", EXPOSITION_GAUGE, "1 if the last attempt succeeded.", source_up, NULL},
	{"trawld_source_paused", EXPOSITION_GAUGE,
		"1 if the source is paused or disabled by a person.", source_paused, NULL},
	{"trawld_clock_skew_seconds", EXPOSITION_GAUGE,
		"Server's clock minus this host's clock; 0 up to two seconds.", clock_skew, NULL},
	{"trawld_poll_errors", EXPOSITION_COUNTER, "Failed requests, by class of error.", NULL,
		print_faults},
	{"trawld_source_fault", EXPOSITION_GAUGE,
		"1 while attempts fail, by class of the last error.", present_fault,
		print_present_fault},
	{"trawld_request_duration_seconds", EXPOSITION_HISTOGRAM, "Duration of requests.", NULL,
		print_durations},
	{"trawld_vanished_records", EXPOSITION_COUNTER,
		"Accepted records that the API no longer returned.", vanished, NULL},
	{"trawld_late_records_seconds", EXPOSITION_HISTOGRAM,
		"Time between a record's own time and the reconciliation that found it.", NULL,
		print_lateness},
	{"trawld_page_bytes", EXPOSITION_HISTOGRAM, "Size of responses after decompression.", NULL,
		print_sizes},
};

#define N_SOURCE_ROWS (sizeof(source_rows) / sizeof(source_rows[0]))

static double pending(const struct sink_status *sink)
{
	return (double)sink->pending_records;
}

/* Not known while what waits was not read back into memory. */
static double oldest_pending(const struct sink_status *sink)
{
	if (sink->pending_records == 0)
		return 0;
	return sink->oldest_time == NSEC_NONE ? (double)NAN
					      : seconds(clock_wall() - sink->oldest_time);
}

static double delivered(const struct sink_status *sink)
{
	return (double)sink->delivered_records;
}

static double filtered(const struct sink_status *sink)
{
	return (double)sink->filtered_records;
}

static double dead_letters(const struct sink_status *sink)
{
	return (double)sink->refused_records;
}

static double dead_letter_bytes(const struct sink_status *sink)
{
	return (double)sink->dead_letter_bytes;
}

static double retries(const struct sink_status *sink)
{
	return (double)sink->retries;
}

static double sink_success(const struct sink_status *sink)
{
	return seconds(sink->last_success_time);
}

static double sink_up(const struct sink_status *sink)
{
	return !sink->failing;
}

static double sink_poison(const struct sink_status *sink)
{
	return sink->poison;
}

static double sink_paused(const struct sink_status *sink)
{
	return sink->paused;
}

static const struct sink_row sink_rows[] = {
	{"trawld_sink_pending_records", EXPOSITION_GAUGE, "Records that wait for the sink.",
		pending},
	{"trawld_sink_oldest_pending_seconds", EXPOSITION_GAUGE,
		"Age of the oldest waiting record.", oldest_pending},
	{"trawld_sink_delivered_records", EXPOSITION_COUNTER, "Records acknowledged by the sink.",
		delivered},
	{"trawld_sink_filtered_records", EXPOSITION_COUNTER,
		"Records dropped by include and exclude of the sink.", filtered},
	{"trawld_sink_dead_letters", EXPOSITION_COUNTER,
		"Records rejected by the receiver and kept in the dead-letter file.", dead_letters},
	{"trawld_sink_dead_letter_bytes", EXPOSITION_GAUGE,
		"Size of the dead-letter file, whenever its records were rejected.",
		dead_letter_bytes},
	{"trawld_sink_retries", EXPOSITION_COUNTER, "Jobs that had to be sent again.", retries},
	{"trawld_sink_up", EXPOSITION_GAUGE, "1 if the last delivery succeeded.", sink_up},
	{"trawld_sink_poison", EXPOSITION_GAUGE,
		"1 if the sink waits for one record at which the receiver fails.", sink_poison},
	{"trawld_sink_paused", EXPOSITION_GAUGE, "1 if the sink is paused by a person.",
		sink_paused},
	{"trawld_sink_last_success_timestamp_seconds", EXPOSITION_GAUGE,
		"Time of the last acknowledgement.", sink_success},
};

static void print_sinks(struct exposition *exposition, struct overview *overview)
{
	overview_take_sinks(overview);
	for (size_t row = 0; row < sizeof(sink_rows) / sizeof(sink_rows[0]); row++) {
		exposition_family(
			exposition, sink_rows[row].name, sink_rows[row].type, sink_rows[row].help);
		for (size_t i = 0; i < overview->n_sinks; i++) {
			const char *labels[] = {"sink", overview->sinks[i].name, NULL};
			exposition_sample(
				exposition, labels, sink_rows[row].value(&overview->sinks[i]));
		}
	}
}

static void print_one(struct exposition *exposition, const char *name, enum exposition_type type,
	const char *help, double value)
{
	exposition_family(exposition, name, type, help);
	exposition_sample(exposition, NULL, value);
}

static double resident_bytes(void)
{
	long pages = -1;
	FILE *file = fopen("/proc/self/statm", "re");
	if (!file)
		return (double)NAN;
	if (fscanf(file, "%*d %ld", &pages) != 1) /* NOLINT(cert-err34-c): the kernel writes it */
		pages = -1;
	fclose(file);
	return pages < 0 ? (double)NAN : (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double open_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int n = -3; /* itself, `.` and `..` */
	if (!directory)
		return (double)NAN;
	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

static double cpu_seconds(void)
{
	struct rusage usage;
	if (getrusage(RUSAGE_SELF, &usage) != 0)
		return (double)NAN;
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_kept(struct exposition *exposition, const struct parts *parts)
{
	struct kept_status status;
	kept_status(parts->store, &status);
	print_one(exposition, "trawld_kept_bytes", EXPOSITION_GAUGE,
		"Bytes in the state that all sinks have and that are kept.", (double)status.bytes);
	print_one(exposition, "trawld_kept_records", EXPOSITION_GAUGE,
		"Records in the state that all sinks have and that are kept.",
		(double)status.n_records);
	print_one(exposition, "trawld_kept_limit_bytes", EXPOSITION_GAUGE,
		"Bytes of kept records above which the oldest are deleted early.",
		(double)parts->setup->config->daemon.keep_limit);
}

static void add_former(const char *source, uint64_t n, void *userdata)
{
	(void)source;
	*(double *)userdata += (double)n;
}

static void print_process(struct exposition *exposition, const struct overview *overview)
{
	const struct parts *parts = overview->parts;
	double n_former = 0;
	overview_each_former(overview, add_former, &n_former);
	print_one(exposition, "trawld_former_source_open_gaps", EXPOSITION_GAUGE,
		"Gaps of sources that are no longer configured, that nobody has acknowledged.",
		n_former);
	print_one(exposition, "trawld_spool_bytes", EXPOSITION_GAUGE,
		"Bytes in the state that wait for sinks.", (double)spool_bytes(parts->store));
	print_one(exposition, "trawld_spool_limit_bytes", EXPOSITION_GAUGE,
		"Number of waiting bytes at which polling waits.",
		(double)parts->setup->config->daemon.spool_limit);
	print_kept(exposition, parts);
	print_one(exposition, "trawld_state_up", EXPOSITION_GAUGE,
		"1 if the last write to the state succeeded.",
		!committer_failing(parts->committer));
	print_one(exposition, "trawld_config_last_reload_successful", EXPOSITION_GAUGE,
		"1 if all of the last configuration is in use.", !overview->reload_failed);
	print_one(exposition, "process_resident_memory_bytes", EXPOSITION_GAUGE,
		"Resident memory size.", resident_bytes());
	print_one(exposition, "process_cpu_seconds", EXPOSITION_COUNTER, "User and system time.",
		cpu_seconds());
	print_one(exposition, "process_open_fds", EXPOSITION_GAUGE, "Open file descriptors.",
		open_fds());
	print_one(exposition, "process_start_time_seconds", EXPOSITION_GAUGE,
		"Start time of the process.", seconds(overview->start_time));
	exposition_family(
		exposition, "trawld_build_info", EXPOSITION_GAUGE, "Version of trawld; always 1.");
	exposition_sample(exposition, (const char *[]){"version", TRAWLD_VERSION, NULL}, 1);
}

void metrics_begin(struct metrics *metrics, const struct trawld *trawld, bool openmetrics)
{
	struct overview overview;
	overview_begin(&overview, trawld);
	size_t n = overview.parts->pollers.n_items;
	*metrics = (struct metrics){.trawld = trawld,
		.n_reloads = overview.n_reloads,
		.n_sources = n,
		.values = mem_array(n * N_SOURCE_ROWS, sizeof(double)),
		.exposition = {.openmetrics = openmetrics}};
}

void metrics_end(struct metrics *metrics)
{
	free(metrics->values);
	metrics->values = NULL;
}

bool metrics_are_many(const struct metrics *metrics)
{
	return metrics->row == 0;
}

bool metrics_stale(const struct metrics *metrics)
{
	struct overview overview;
	overview_begin(&overview, metrics->trawld);
	return metrics->n_reloads != overview.n_reloads ||
	       metrics->n_sources != overview.parts->pollers.n_items;
}

/* What is known of a source is put together once, with the first family: that takes longer than to
 * print it. */
static void take_values(
	const struct overview *overview, const struct poller *poller, double *values)
{
	struct overview_source source;
	overview_take_source(&source, overview, poller);
	for (size_t row = 0; row < N_SOURCE_ROWS; row++)
		values[row] = source_rows[row].value ? source_rows[row].value(&source) : 0;
}

bool metrics_next(struct metrics *metrics, struct buf *out)
{
	struct exposition *exposition = &metrics->exposition;
	struct overview overview CLEANUP(overview_deinit);
	overview_begin(&overview, metrics->trawld);
	const struct pollers *pollers = &overview.parts->pollers;
	exposition->out = out;
	if (metrics->row == N_SOURCE_ROWS) {
		print_sinks(exposition, &overview);
		print_process(exposition, &overview);
		cluster_metrics_print(exposition, metrics->trawld);
		exposition_end(exposition);
		return false;
	}
	const struct source_row *row = &source_rows[metrics->row];
	if (metrics->source == 0)
		exposition_family(exposition, row->name, row->type, row->help);
	for (size_t n = 0; n < PIECE && metrics->source < pollers->n_items; n++) {
		const struct poller *poller = pollers->items[metrics->source];
		double *values = metrics->values + N_SOURCE_ROWS * metrics->source++;
		if (metrics->row == 0)
			take_values(&overview, poller, values);
		if (row->print)
			row->print(exposition, poller, values[metrics->row]);
		else
			exposition_sample(exposition,
				(const char *[]){"source", name_of(poller), NULL},
				values[metrics->row]);
	}
	if (metrics->source == pollers->n_items) {
		metrics->row++;
		metrics->source = 0;
	}
	return true;
}
