/* See rewind.h. */
#include "rewind.h"

#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "cursor_text.h"
#include "source/cursor.h"
#include "source/span.h"
#include "store/cursors.h"

#define DEDUPE_MARGIN NSEC_PER_HOUR /* see overlap in trawld-provider(5) */

struct rewind {
	const struct rewind_request *request;
	bool *damaged; /* the state */
	nsec_t time; /* where the next poll starts */
	bool previous; /* in place of a time */
	nsec_t horizon; /* older dedupe keys are dropped; NSEC_NONE: none */
	int64_t n_known; /* records that were read since then and count as duplicates */
	struct cursor before, after;
};

static void rewind_deinit(struct rewind *rewind)
{
	cursor_deinit(&rewind->before);
	cursor_deinit(&rewind->after);
}

/* --- what is said --- */

/* How far the source has read. */
static nsec_t read_until(const struct cursor *cursor)
{
	return cursor->watermark_time != NSEC_NONE ? cursor->watermark_time
	       : cursor->newest_time != NSEC_NONE  ? cursor->newest_time
						   : cursor->started_time;
}

static void print_start(const struct rewind *rewind, struct buf *out)
{
	const char *name = rewind->request->source;
	bool dry_run = rewind->request->dry_run;
	if (rewind->previous) {
		buf_printf(out, "source %s: the cursor before the last rewind %s:\n", name,
			dry_run ? "would be restored" : "is restored");
		cursor_describe(&rewind->after, 2, out);
		return;
	}
	buf_printf(
		out, "source %s: the next poll %s at ", name, dry_run ? "would start" : "starts");
	cursor_describe_time(rewind->time, out);
	buf_append_char(out, '\n');
}

static void print_span(const struct rewind *rewind, struct buf *out)
{
	nsec_t until = read_until(&rewind->before), time = rewind->time;
	if (until != NSEC_NONE && time != NSEC_NONE && time > until) {
		buf_append_text(out, "It has read up to ");
		cursor_describe_time(until, out);
		buf_append_text(out, "; the records in between are skipped.\n");
		return;
	}
	buf_printf(out,
		"%lld record%s read since then %s in the dedupe window: duplicates, not sent again.\nAll other records since then are sent again.\n",
		(long long)rewind->n_known, str_plural((size_t)rewind->n_known),
		rewind->n_known == 1 ? "is" : "are");
}

static void print_done(const struct rewind *rewind, struct buf *out)
{
	print_start(rewind, out);
	if (!rewind->previous)
		print_span(rewind, out);
	if (rewind->request->dry_run) {
		buf_append_text(out, "Nothing was changed.\n");
	} else {
		buf_append_text(out, "The old cursor was:\n");
		cursor_describe(&rewind->before, 2, out);
		buf_printf(out, "`trawlctl rewind %s --to previous` restores it.\n",
			rewind->request->source);
	}
}

/* --- what is done --- */

static int write_cursor(struct store *store, const struct rewind *rewind, struct fault *reterr)
{
	char *cursor CLEANUP_FREE = cursor_print(&rewind->after);
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	if (rewind->previous) {
		buf_append_text(&text, "to the cursor before the last rewind");
	} else {
		buf_append_text(&text, "to ");
		cursor_describe_time(rewind->time, &text);
	}
	return cursors_rewind(store,
		&(struct cursors_rewind){
			.source = rewind->request->source,
			.cursor = cursor,
			/* older ones tell what a refill or a reconciliation finds again */
			.from_time = rewind->time,
			.horizon_time = rewind->horizon,
			.by = rewind->request->by,
			.text = buf_text(&text),
		},
		reterr);
}

static int store_failed(const struct rewind *rewind, int r)
{
	*rewind->damaged = r == STORE_E_CORRUPT;
	return r == STORE_E_FULL ? EX_TEMPFAIL : EX_CANTCREAT;
}

static int unreadable(const char *name, struct fault *reterr)
{
	fault_set(reterr, FAULT_STORE,
		"the saved cursor of source %s cannot be read: it was written by another version, or it is damaged",
		name);
	return EX_CANTCREAT;
}

/* Where the source is to continue. 0, or an exit code. */
static int find_cursor(struct store *store, struct rewind *rewind, struct fault *reterr)
{
	const char *name = rewind->request->source;
	char *text CLEANUP_FREE = NULL;
	if (!rewind->previous) {
		cursor_rewind(&rewind->after, rewind->time);
		return 0;
	}
	int r = cursors_previous(store, name, &text, reterr);
	if (r)
		return store_failed(rewind, r);
	if (!text) {
		fault_set(reterr, FAULT_CONFIG,
			"source %s has no previous cursor: it was not rewound yet", name);
		return EX_USAGE;
	}
	return cursor_parse(&rewind->after, text) ? unreadable(name, reterr) : 0;
}

/* Keys may still be there that the daemon would have dropped with the next records. */
static nsec_t dedupe_horizon(const struct rewind *rewind)
{
	const struct cursor *before = &rewind->before;
	const struct definition *definition = rewind->request->definition;
	nsec_t base = before->newest_time;
	if (before->watermark_time != NSEC_NONE && before->watermark_time < base)
		base = before->watermark_time;
	if (!definition || definition->resume.newest || base == NSEC_NONE)
		return NSEC_NONE;
	return span_floor(base - definition->resume.overlap_ns, definition->step_ns) -
	       DEDUPE_MARGIN;
}

static int read_time(const char *to, struct rewind *ret, struct fault *reterr)
{
	ret->previous = strcmp(to, "previous") == 0;
	if (ret->previous)
		return 0;
	if (timestamp_parse_point(slice_of(to), clock_wall(), &ret->time)) {
		fault_set(reterr, FAULT_CONFIG,
			"`%s` is not a time; expected 2026-01-31T00:00:00Z, -1h, earliest, now or previous",
			to);
		return EX_USAGE;
	}
	if (ret->time > clock_wall()) {
		fault_set(reterr, FAULT_CONFIG, "`%s` is in the future", to);
		return EX_USAGE;
	}
	return 0;
}

int rewind_check(const char *to, struct fault *reterr)
{
	struct rewind rewind = {.time = NSEC_NONE};
	return read_time(to, &rewind, reterr);
}

int rewind_source(struct store *store, const struct rewind_request *request, struct buf *out,
	bool *ret_damaged, struct fault *reterr)
{
	struct rewind rewind CLEANUP(rewind_deinit) = {
		.request = request,
		.damaged = ret_damaged,
		.time = NSEC_NONE,
		.before = CURSOR_NULL,
		.after = CURSOR_NULL,
	};
	char *text CLEANUP_FREE = NULL;
	int code = read_time(request->to, &rewind, reterr);
	*ret_damaged = false;
	if (code)
		return code;
	int r = cursors_get(store, request->source, &text, reterr);
	if (r)
		return store_failed(&rewind, r);
	if (text && cursor_parse(&rewind.before, text))
		return unreadable(request->source, reterr);
	code = find_cursor(store, &rewind, reterr);
	if (code)
		return code;
	rewind.horizon = dedupe_horizon(&rewind);
	nsec_t since = rewind.horizon > rewind.time ? rewind.horizon : rewind.time;
	r = cursors_count_keys(store, request->source, since, &rewind.n_known, reterr);
	if (!r && !request->dry_run)
		r = write_cursor(store, &rewind, reterr);
	if (r)
		return store_failed(&rewind, r);
	print_done(&rewind, out);
	return 0;
}
