/*
 * trawlctl events: what was done to this trawld, and by whom. Reads the state beside a running
 * daemon. With --json the lines are those that the seals speak of, byte for byte.
 */
#include "ctl/ctl.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/timestamp.h"
#include "store/events.h"

struct event_listing {
	nsec_t since_time; /* NSEC_NONE: all */
	bool json;
	struct buf out;
};

static const char *member(const json_t *event, const char *name)
{
	return json_string_value(json_object_get(event, name));
}

/* `2026-01-31T10:00:00.000Z  rewind source acme by root: to 2026-01-30T00:00:00Z` */
static void append_text(const char *line, struct buf *out)
{
	json_t *event = json_loads(line, 0, NULL);
	const char *const names[] = {"source", "sink", "by"};
	const char *time = member(event, "time"), *kind = member(event, "kind");
	const char *text = member(event, "text");
	buf_printf(out, "%s  %s", time ? time : "?", kind ? kind : "?");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (member(event, names[i]))
			buf_printf(out, " %s %s", names[i], member(event, names[i]));
	buf_printf(out, "%s%s\n", text ? ": " : "", text ? text : "");
	json_decref(event);
}

static void add(const char *line, void *userdata)
{
	struct event_listing *listing = userdata;
	if (listing->json)
		buf_printf(&listing->out, "%s\n", line);
	else
		append_text(line, &listing->out);
}

static int list(struct store *store, void *userdata, struct fault *reterr)
{
	const struct event_listing *listing = userdata;
	return events_each(store, listing->since_time, add, userdata, reterr);
}

int ctl_events(const struct ctl_arguments *arguments)
{
	struct event_listing listing = {.json = arguments->json, .since_time = NSEC_NONE};
	if (arguments->since && ctl_read_time("--since", arguments->since, &listing.since_time))
		return EX_USAGE;
	struct config *config = ctl_config(arguments);
	if (!config)
		return EX_CONFIG;
	int code = ctl_read_state(config, list, &listing);
	if (code == 0)
		fputs(buf_text(&listing.out), stdout);
	if (code == 0 && listing.out.size == 0 && !arguments->json)
		puts("no events");
	buf_deinit(&listing.out);
	config_free(config);
	return code;
}
