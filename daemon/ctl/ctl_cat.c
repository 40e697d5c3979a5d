/* trawlctl cat: the records of a source that wait for a sink, or are kept (`keep` in
 * trawld.conf(5)). Reads the state beside a running daemon. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "pipeline/sink.h"
#include "store/kept.h"
#include "terminal.h"

#define PIECE ((size_t)64 << 10)

struct printing {
	struct kept_span span;
	enum record_format format;
	uint64_t n_records;
	struct buf out;
};

static void flush_out(struct printing *printing)
{
	terminal_write(buf_slice(&printing->out));
	buf_clear(&printing->out);
}

static int print_batch(const struct kept_batch *from, void *userdata)
{
	struct printing *printing = userdata;
	struct batch_cursor cursor = {0};
	struct sink_record record = {.batch = from->batch};
	while (batch_next(from->batch, &cursor, &record.view)) {
		sink_record_print(&record, printing->format, &printing->out);
		buf_append_char(&printing->out, '\n');
		printing->n_records++;
		if (printing->out.size >= PIECE)
			flush_out(printing);
	}
	return ferror(stdout); /* nobody reads any more */
}

int ctl_read_span(const struct ctl_arguments *arguments, nsec_t *ret_from, nsec_t *ret_to)
{
	*ret_from = INT64_MIN;
	*ret_to = INT64_MAX;
	if (arguments->from && ctl_read_time("--from", arguments->from, ret_from))
		return EX_USAGE;
	if (arguments->to && ctl_read_time("--to", arguments->to, ret_to))
		return EX_USAGE;
	if (*ret_from < *ret_to)
		return 0;
	fputs("trawlctl: --from is not before --to\n", stderr);
	return EX_USAGE;
}

void ctl_tell_kept(const struct config *config)
{
	struct buf age CLEANUP(buf_deinit) = BUF_NULL;
	timestamp_print_duration(config->daemon.keep_ns, &age);
	if (config->daemon.keep_ns == 0)
		fputs("trawlctl: records are not kept once all sinks have them (set `keep` in [daemon])\n",
			stderr);
	else
		fprintf(stderr,
			"trawlctl: records are kept for %s, and for a shorter time above keep_limit\n",
			buf_text(&age));
}

static int read_records(struct store *store, void *userdata, struct fault *reterr)
{
	struct printing *printing = userdata;
	int r = kept_each(store, &printing->span, print_batch, printing, reterr);
	return ferror(stdout) ? 0 : r;
}

static int cat(const struct config *config, const struct ctl_arguments *arguments)
{
	struct printing printing = {.format = arguments->json ? RECORD_ENVELOPE : RECORD_RAW};
	printing.span.source = arguments->name;
	int code = ctl_read_span(arguments, &printing.span.from_time, &printing.span.to_time);
	if (code == 0)
		code = ctl_read_state(config, read_records, &printing);
	flush_out(&printing);
	buf_deinit(&printing.out);
	if (code || printing.n_records > 0)
		return code;
	fprintf(stderr, "trawlctl: no record of source %s from that time is stored\n",
		arguments->name);
	ctl_tell_kept(config);
	return 0;
}

int ctl_cat(const struct ctl_arguments *arguments)
{
	struct config *config = ctl_config(arguments);
	if (!config)
		return EX_CONFIG;
	int code = ctl_find_source(config, arguments->name)
			   ? cat(config, arguments)
			   : ctl_unknown_source(arguments->name, config, NULL, 0);
	config_free(config);
	return code;
}
