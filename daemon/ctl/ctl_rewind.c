/*
 * trawlctl rewind: makes a source continue from another time. It owns the state while it works: a
 * running daemon would continue from the cursor in its memory and overwrite ours.
 */
#include "ctl/ctl.h"

#include <sysexits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "ctl/ctl_cursor_text.h"
#include "definition/definition.h"
#include "source/span.h"
#include "store/commit.h"
#include "store/cursors.h"
#include "store/events.h"

#define DEDUPE_MARGIN NSEC_PER_HOUR /* see overlap in trawld-provider(5) */

/* How far the source has read. */
static nsec_t read_until(const struct cursor *cursor)
{
	return cursor->watermark_time != NSEC_NONE ? cursor->watermark_time
	       : cursor->newest_time != NSEC_NONE  ? cursor->newest_time
						   : cursor->started_time;
}

struct rewind {
	const char *name;
	nsec_t time; /* where the next poll starts */
	bool previous; /* in place of a time: the cursor before the last rewind */
	bool dry_run;
	const struct definition *definition; /* NULL: it cannot be read */
	nsec_t horizon; /* older dedupe keys are dropped; NSEC_NONE: none */
	int64_t n_known; /* records that were read since then and count as duplicates */
	struct cursor before, after;
};

static void rewind_deinit(struct rewind *rewind)
{
	cursor_deinit(&rewind->before);
	cursor_deinit(&rewind->after);
}

static void print_start(const struct rewind *rewind, struct buf *out)
{
	const char *name = rewind->name;
	if (rewind->previous) {
		buf_printf(out, "source %s: the cursor before the last rewind %s:\n", name,
			rewind->dry_run ? "would be restored" : "is restored");
		cursor_describe(&rewind->after, 2, out);
		return;
	}
	buf_printf(out, "source %s: the next poll %s at ", name,
		rewind->dry_run ? "would start" : "starts");
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

static void print_done(const struct rewind *rewind)
{
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	print_start(rewind, &out);
	if (!rewind->previous)
		print_span(rewind, &out);
	if (rewind->dry_run) {
		buf_append_text(&out, "Nothing was changed.\n");
	} else {
		buf_append_text(&out, "The old cursor was:\n");
		cursor_describe(&rewind->before, 2, &out);
		buf_printf(&out, "`trawlctl rewind %s --to previous` restores it.\n", rewind->name);
	}
	fputs(buf_text(&out), stdout);
}

static void note_event(struct store *store, const struct rewind *rewind)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	char *by CLEANUP_FREE = ctl_user();
	if (rewind->previous) {
		buf_append_text(&text, "to the cursor before the last rewind");
	} else {
		buf_append_text(&text, "to ");
		cursor_describe_time(rewind->time, &text);
	}
	events_add(store, &(struct event){.kind = EVENT_REWIND,
				  .source = rewind->name,
				  .by = by,
				  .text = buf_text(&text)});
}

static int write_cursor(struct store *store, const struct rewind *rewind, struct fault *reterr)
{
	char *text CLEANUP_FREE = cursor_print(&rewind->after);
	int r = cursors_keep(store, rewind->name, reterr);
	if (r)
		return r;
	if (rewind->horizon != NSEC_NONE)
		/* older ones tell what a refill or a reconciliation finds again */
		commit_add_expiry_from(store, rewind->name, rewind->time, rewind->horizon);
	commit_add_cursor(store, rewind->name, text);
	note_event(store, rewind);
	return commit_run(store, reterr);
}

/* Where the source is to continue. 0, or an exit code after the reason was printed. */
static int find_cursor(struct store *store, struct rewind *rewind)
{
	struct fault fault = FAULT_NULL;
	char *text CLEANUP_FREE = NULL;
	if (!rewind->previous) {
		cursor_rewind(&rewind->after, rewind->time);
		return 0;
	}
	int r = cursors_previous(store, rewind->name, &text, &fault);
	if (r)
		return ctl_store_failed(r, &fault);
	if (!text) {
		fprintf(stderr,
			"trawlctl: source %s has no previous cursor: it was not rewound yet\n",
			rewind->name);
		return EX_USAGE;
	}
	return cursor_parse(&rewind->after, text) ? ctl_cursor_unreadable(rewind->name) : 0;
}

/* Keys may still be there that the daemon would have dropped with the next records. */
static nsec_t dedupe_horizon(const struct rewind *rewind)
{
	const struct cursor *before = &rewind->before;
	nsec_t base = before->newest_time;
	if (before->watermark_time != NSEC_NONE && before->watermark_time < base)
		base = before->watermark_time;
	if (!rewind->definition || rewind->definition->resume.newest || base == NSEC_NONE)
		return NSEC_NONE;
	return span_floor(
		       base - rewind->definition->resume.overlap_ns, rewind->definition->step_ns) -
	       DEDUPE_MARGIN;
}

static int rewind_in(struct store *store, struct rewind *rewind)
{
	struct fault fault = FAULT_NULL;
	char *text CLEANUP_FREE = NULL;
	int r = cursors_get(store, rewind->name, &text, &fault);
	if (r)
		return ctl_store_failed(r, &fault);
	if (text && cursor_parse(&rewind->before, text))
		return ctl_cursor_unreadable(rewind->name);
	int code = find_cursor(store, rewind);
	if (code)
		return code;
	rewind->horizon = dedupe_horizon(rewind);
	nsec_t since = rewind->horizon > rewind->time ? rewind->horizon : rewind->time;
	r = cursors_count_keys(store, rewind->name, since, &rewind->n_known, &fault);
	if (r == 0 && !rewind->dry_run)
		r = write_cursor(store, rewind, &fault);
	if (r)
		return ctl_store_failed(r, &fault);
	print_done(rewind);
	return 0;
}

/* Only the daemon creates a state: created here, it could belong to another user. */
static int without_state(const struct config *config, const char *name)
{
	fprintf(stderr,
		"trawlctl: there is no state in %s yet; source %s starts at start = %s (change that instead)\n",
		config->daemon.state_directory, name, ctl_start_of(config, name));
	return EX_CANTCREAT;
}

static int rewind_state(const struct config *config, struct rewind *rewind)
{
	struct fault fault = FAULT_NULL;
	struct store *store = NULL;
	if (!ctl_has_state(config->daemon.state_directory))
		return without_state(config, rewind->name);
	int r = ctl_open_state(&store, config, rewind->dry_run ? STORE_READ : STORE_OWN, &fault);
	if (r) {
		int code = ctl_store_failed(r, &fault);
		if (r == STORE_E_LOCKED)
			fputs("trawlctl: nothing was changed; stop trawld, rewind, and start it again\n",
				stderr);
		return code;
	}
	r = rewind_in(store, rewind);
	store_close(store);
	return r;
}

/* 0, or the exit code after what is wrong was printed. */
static int read_time(const char *to, struct rewind *ret)
{
	ret->previous = strcmp(to, "previous") == 0;
	if (ret->previous)
		return 0;
	if (timestamp_parse_point(slice_of(to), clock_wall(), &ret->time)) {
		fprintf(stderr,
			"trawlctl: `%s` is not a time; expected 2026-01-31T00:00:00Z, -1h, earliest, now or previous\n",
			to);
		return EX_USAGE;
	}
	if (ret->time > clock_wall()) {
		fprintf(stderr, "trawlctl: `%s` is in the future\n", to);
		return EX_USAGE;
	}
	return 0;
}

int ctl_rewind(const struct ctl_arguments *arguments)
{
	struct rewind rewind CLEANUP(rewind_deinit) = {.name = arguments->name,
		.time = NSEC_NONE,
		.dry_run = arguments->dry_run,
		.before = CURSOR_NULL,
		.after = CURSOR_NULL};
	struct ctl_secrets secrets;
	int r = read_time(arguments->to, &rewind);
	if (r)
		return r;
	struct config *config = ctl_config(arguments);
	if (!config)
		return EX_CONFIG;
	ctl_secrets_init(&secrets, config);
	rewind.definition = ctl_secrets_definition(&secrets, config, arguments->name);
	r = ctl_find_source(config, arguments->name)
		    ? rewind_state(config, &rewind)
		    : ctl_unknown_source(arguments->name, config, NULL, 0);
	ctl_secrets_deinit(&secrets);
	config_free(config);
	return r;
}
