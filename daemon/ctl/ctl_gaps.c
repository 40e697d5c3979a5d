/*
 * trawlctl gaps: lists the gaps that the state knows, and notes that a person has seen them. Lists
 * beside a running daemon; acknowledges through it, or in the state itself while none runs.
 */
#include "ctl/ctl.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "ctl/ctl_ask.h"
#include "store/commit.h"
#include "store/coverage.h"

struct gap_listing {
	const char *source; /* NULL: all */
	bool all; /* also those that are acknowledged */
	bool json;
	nsec_t asked_time;
	bool unlisted; /* a holder that ended has acknowledged them */
	bool known; /* the state has a gap of SOURCE, if only an old one */
	size_t n_open;
	struct buf out;
};

static void append_time(struct gap_listing *listing, const char *name, nsec_t time)
{
	if (name)
		buf_printf(&listing->out, ",\"%s\":\"", name);
	timestamp_print_rfc3339(time, 3, &listing->out);
	if (name)
		buf_append_char(&listing->out, '"');
}

static void add_json(struct gap_listing *listing, const struct coverage_gap *gap)
{
	struct buf *out = &listing->out;
	buf_append_text(out, "{\"source\":");
	json_encode(slice_of(gap->source), out);
	append_time(listing, "start", gap->start_time);
	append_time(listing, "end", gap->end_time);
	buf_append_text(out, ",\"reason\":");
	json_encode(slice_of(gap->reason), out);
	append_time(listing, "found", gap->found_time);
	if (gap->acknowledged_time != NSEC_NONE) {
		append_time(listing, "acknowledged", gap->acknowledged_time);
		buf_append_text(out, ",\"acknowledged_by\":");
		json_encode(slice_of(gap->acknowledged_by ? gap->acknowledged_by : ""), out);
	}
	if (gap->refilled_time != NSEC_NONE)
		append_time(listing, "refilled", gap->refilled_time);
	buf_append_text(out, "}\n");
}

static void add_text(struct gap_listing *listing, const struct coverage_gap *gap)
{
	struct buf *out = &listing->out;
	buf_printf(out, "source %s: ", gap->source);
	append_time(listing, NULL, gap->start_time);
	buf_append_text(out, " to ");
	append_time(listing, NULL, gap->end_time);
	buf_printf(out, ", %s, found ", gap->reason);
	append_time(listing, NULL, gap->found_time);
	if (gap->acknowledged_time != NSEC_NONE) {
		buf_append_text(out, ", acknowledged ");
		append_time(listing, NULL, gap->acknowledged_time);
		buf_printf(out, " by %s", gap->acknowledged_by ? gap->acknowledged_by : "?");
	}
	if (gap->refilled_time != NSEC_NONE) {
		buf_append_text(out, ", refilled ");
		append_time(listing, NULL, gap->refilled_time);
	}
	buf_append_char(out, '\n');
}

static void add(const struct coverage_gap *gap, void *userdata)
{
	struct gap_listing *listing = userdata;
	listing->n_open += gap->acknowledged_time == NSEC_NONE && gap->refilled_time == NSEC_NONE;
	if (listing->json)
		add_json(listing, gap);
	else
		add_text(listing, gap);
}

static void note(const struct coverage_gap *gap, void *userdata)
{
	struct gap_listing *listing = userdata;
	(void)gap;
	listing->known = true;
}

static int list(struct store *store, void *userdata, struct fault *reterr)
{
	const struct gap_listing *listing = userdata;
	int r = listing->source
			? coverage_each_gap(store, listing->source, true, note, userdata, reterr)
			: 0;
	return r ? r
		 : coverage_each_gap(store, listing->source, listing->all, add, userdata, reterr);
}

static nsec_t time_of(const json_t *gap, const char *name)
{
	return json_integer_value(json_object_get(gap, name));
}

static void add_answered(struct gap_listing *listing, const json_t *gap)
{
	const char *source = json_string_value(json_object_get(gap, "source"));
	const char *reason = json_string_value(json_object_get(gap, "reason"));
	add(
		&(struct coverage_gap){
			.source = source ? source : "",
			.start_time = time_of(gap, "start"),
			.end_time = time_of(gap, "end"),
			.reason = reason ? reason : "",
			.found_time = time_of(gap, "found"),
			.acknowledged_time = time_of(gap, "acknowledged"),
			.acknowledged_by =
				json_string_value(json_object_get(gap, "acknowledged_by")),
			.refilled_time = time_of(gap, "refilled"),
		},
		listing);
}

/* The daemon has the state: it notes who asks. What it answers is what it has acknowledged, and
 * what is listed: in a cluster, this host may know none of the gaps. */
static int acknowledge_by_daemon(const struct ctl_arguments *arguments, struct gap_listing *listing)
{
	json_t *answer = NULL, *gap;
	size_t i;
	int code = ctl_ask_running(arguments,
		json_pack("{s:s, s:s*, s:I, s:b}", "command", "acknowledge-gaps", "source",
			arguments->name, "asked_time", (json_int_t)listing->asked_time, "all",
			listing->all),
		&answer);
	const char *text = json_string_value(json_object_get(answer, "text"));
	buf_clear(&listing->out);
	listing->n_open = 0;
	json_array_foreach(json_object_get(answer, "list"), i, gap) add_answered(listing, gap);
	listing->unlisted = text != NULL;
	if (code == 0 && text)
		fputs(text, stderr);
	json_decref(answer);
	return code;
}

static int acknowledge(const struct config *config, const struct ctl_arguments *arguments,
	struct gap_listing *listing)
{
	struct fault fault = FAULT_NULL;
	struct store *store = NULL;
	char *by CLEANUP_FREE = ctl_user();
	int r = ctl_open_state(&store, config, STORE_OWN, &fault);
	if (r == STORE_E_LOCKED)
		return acknowledge_by_daemon(arguments, listing);
	if (!r) {
		coverage_acknowledge(
			store, arguments->name, listing->asked_time, listing->n_open, by);
		r = commit_run(store, &fault);
	}
	store_close(store);
	return r ? ctl_store_failed(r, &fault) : 0;
}

static int list_and_acknowledge(const struct config *config, const struct ctl_arguments *arguments,
	struct gap_listing *listing)
{
	if (arguments->acknowledge && config->daemon.state == STATE_POSTGRESQL)
		return acknowledge_by_daemon(arguments, listing);
	int code = ctl_read_state(config, list, listing);
	if (code == 0 && listing->source && !listing->known &&
		!ctl_find_source(config, listing->source))
		return ctl_unknown_source(listing->source, config, NULL, 0);
	return code == 0 && arguments->acknowledge && listing->n_open > 0
		       ? acknowledge(config, arguments, listing)
		       : code;
}

int ctl_gaps(const struct ctl_arguments *arguments)
{
	struct config *config = ctl_config(arguments);
	struct gap_listing listing = {
		.source = arguments->name,
		.all = arguments->all,
		.json = arguments->json,
		.asked_time = clock_wall(),
	};
	if (!config)
		return EX_CONFIG;
	int code = list_and_acknowledge(config, arguments, &listing);
	fputs(buf_text(&listing.out), stdout);
	if (listing.unlisted && listing.n_open == 0)
		; /* it has said what is known */
	else if (code == 0 && !arguments->json && arguments->acknowledge)
		printf("%zu gap%s acknowledged\n", listing.n_open, str_plural(listing.n_open));
	else if (code == 0 && !arguments->json && listing.out.size == 0)
		puts("no open gaps");
	if (code == 0 && !arguments->acknowledge)
		ctl_tell_shard(config);
	buf_deinit(&listing.out);
	config_free(config);
	return code;
}
