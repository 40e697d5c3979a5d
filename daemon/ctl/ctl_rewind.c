/*
 * trawlctl rewind: makes a source continue from another time. It owns the state while it works: a
 * running daemon would continue from the cursor in its memory and overwrite ours.
 */
#include "ctl/ctl.h"

#include <sysexits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "ctl/ctl_place.h"
#include "store/commit.h"
#include "store/cursor.h"

/* How far the source has read. */
static nsec_t read_until(const struct place *place)
{
	return place->watermark_time != NSEC_NONE ? place->watermark_time
	       : place->newest_time != NSEC_NONE  ? place->newest_time
						  : place->started_time;
}

static void print_done(const char *name, const struct place *before, nsec_t time)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	struct buf old CLEANUP(buf_deinit) = BUF_NULL;
	nsec_t until = read_until(before);
	place_describe_time(time, &text);
	printf("source %s: the next poll starts at %s\n", name, buf_text(&text));
	if (until != NSEC_NONE && time != NSEC_NONE && time > until) {
		place_describe_time(until, &old);
		printf("It has read up to %s; the records in between are skipped.\n",
			buf_text(&old));
	} else {
		puts("Records still in the dedupe window (see overlap in trawld.conf(5)) are not "
		     "sent again;\nolder ones are.");
	}
}

static int write_place(
	struct store *store, const char *name, const struct place *place, struct fault *reterr)
{
	char *text CLEANUP_FREE = place_print(place);
	commit_add_cursor(store, name, text);
	return commit_run(store, reterr);
}

static int rewind_in(struct store *store, const char *name, nsec_t time)
{
	struct fault fault = FAULT_NULL;
	struct place before CLEANUP(place_deinit) = PLACE_NULL;
	struct place place CLEANUP(place_deinit) = PLACE_NULL;
	char *text CLEANUP_FREE = NULL;
	int r = cursor_get(store, name, &text, &fault);
	if (r)
		return ctl_store_failed(r, &fault);
	if (text && place_parse(&before, text))
		return ctl_place_unreadable(name);
	place_rewind(&place, time);
	r = write_place(store, name, &place, &fault);
	if (r)
		return ctl_store_failed(r, &fault);
	print_done(name, &before, time);
	return 0;
}

/* Only the daemon creates a state: created here, it could belong to another user. */
static int without_state(const struct config *config, const char *name)
{
	fprintf(stderr,
		"trawlctl: there is no state in %s yet; source %s starts at start = %s (change "
		"that instead)\n",
		config->daemon.state_directory, name, ctl_start_of(config, name));
	return EX_CANTCREAT;
}

static int rewind_state(const struct config *config, const char *name, nsec_t time)
{
	struct fault fault = FAULT_NULL;
	struct store *store = NULL;
	if (!ctl_has_state(config->daemon.state_directory))
		return without_state(config, name);
	int r = ctl_open_state(&store, config, STORE_OWN, &fault);
	if (r) {
		int code = ctl_store_failed(r, &fault);
		if (r == STORE_E_LOCKED)
			fputs("trawlctl: nothing was changed; stop trawld, rewind, and start it "
			      "again\n",
				stderr);
		return code;
	}
	r = rewind_in(store, name, time);
	store_close(store);
	return r;
}

int ctl_rewind(const struct ctl_arguments *arguments)
{
	nsec_t time;
	if (timestamp_parse_point(slice_of(arguments->to), clock_wall(), &time)) {
		fprintf(stderr,
			"trawlctl: `%s` is not a time; expected 2026-01-31T00:00:00Z, -1h, "
			"earliest "
			"or now\n",
			arguments->to);
		return EX_USAGE;
	}
	if (time > clock_wall()) {
		fprintf(stderr, "trawlctl: `%s` is in the future\n", arguments->to);
		return EX_USAGE;
	}
	struct config *config = ctl_config(arguments);
	if (!config)
		return EX_CONFIG;
	int r = ctl_find_source(config, arguments->name)
			? rewind_state(config, arguments->name, time)
			: ctl_unknown_source(arguments->name, config, NULL, 0);
	config_free(config);
	return r;
}
