/*
 * A configuration meets the state. What it would take from a sink is told to a person and refused
 * (store/routes.h); what it changes is told once it has taken effect.
 */
#include "base/cleanup.h"
#include "base/mem.h"
#include "cluster.h"
#include "config_event.h"
#include "pipeline/deadletter.h"
#include "roster.h"
#include "store/events.h"
#include "trawld_internal.h"

struct notice {
	struct log_subject subject;
	char *text;
};

/* Names are the store's, and are copied: what is told is used after its transaction only. */
struct adopted_route {
	char *source, *sink;
	int64_t after;
};

struct adoption {
	const struct setup *setup;
	struct fanout *fanout;
	struct findings *findings;
	bool state_is_new;
	struct notice *notices;
	size_t n_notices;
	size_t notices_capacity;
	struct adopted_route *routes;
	size_t n_routes;
	size_t routes_capacity;
	struct buf gone; /* sources that are not configured */
	size_t n_gone;
};

#define GONE_NAMED 5 /* more are counted only */

/* --- what is refused --- */

struct works {
	const char *sink;
	bool works;
};

static void look_at_sink(const struct sink_status *status, void *userdata)
{
	struct works *works = userdata;

	if (strcmp(status->name, works->sink) == 0 && !status->failing)
		works->works = true;
}

static void on_stranded(const struct routes_stranded *stranded, void *userdata)
{
	struct adoption *adoption = userdata;
	struct works works = {.sink = stranded->sink};

	fanout_each_sink(adoption->fanout, look_at_sink, &works);
	roster_explain(adoption->setup->config, stranded, works.works, adoption->findings);
}

/* --- what is told --- */

/* Takes TEXT over. */
static void add_notice(struct adoption *adoption, const struct log_subject *subject, char *text)
{
	adoption->notices = mem_grow(adoption->notices, adoption->n_notices,
		&adoption->notices_capacity, sizeof(*adoption->notices));
	adoption->notices[adoption->n_notices++] = (struct notice){*subject, text};
}

static void note_sink(struct adoption *adoption, const char *name, char *text)
{
	const struct setup_sink *sink = setup_find_sink(adoption->setup, name);

	add_notice(adoption, &(struct log_subject){"sink", sink->name, sink->location}, text);
}

static void note_gone(struct adoption *adoption, const char *name)
{
	if (adoption->n_gone++ < GONE_NAMED)
		buf_printf(&adoption->gone, "%s%s", adoption->gone.size > 0 ? ", " : "", name);
}

static void on_news(enum routes_news news, const char *name, const char *before, const char *now,
	uint64_t n, void *userdata)
{
	struct adoption *adoption = userdata;

	switch (news) {
	case ROUTES_SINK_NEW:
		if (adoption->state_is_new)
			break;
		note_sink(adoption, name,
			mem_strdup("new: gets the records that are accepted from now on"));
		break;
	case ROUTES_SINK_LISTED:
		note_sink(adoption, name,
			mem_printf("gets the records of source %s that are accepted from now on",
				before));
		break;
	case ROUTES_SINK_KIND:
		note_sink(adoption, name,
			mem_printf(
				"type is now %s, not %s: the old type's position is discarded, %llu unsent record%s go%s to the new one",
				now, before, (unsigned long long)n, str_plural(n),
				n == 1 ? "es" : ""));
		break;
	case ROUTES_SOURCE_GONE:
		/* else it is of another shard, whose holder tells what is to be done */
		if (!setup_find_source(adoption->setup, name))
			note_gone(adoption, name);
		break;
	case ROUTES_SOURCE_START:
		add_notice(adoption, &setup_find_source(adoption->setup, name)->subject,
			mem_printf(
				"start = %s (was %s) has no effect, since the source has a cursor; `trawlctl rewind %s --to TIME` reads again from a time",
				now, before, name));
		break;
	}
}

static void tell(struct adoption *adoption)
{
	size_t n = adoption->n_gone, more = n > GONE_NAMED ? n - GONE_NAMED : 0;

	if (adoption->state_is_new)
		log_notice(NULL,
			"no state was found in %s: it was created, and every source begins at its `start`",
			adoption->setup->config->daemon.state_directory);
	for (size_t i = 0; i < adoption->n_notices; i++)
		log_notice(&adoption->notices[i].subject, "%s", adoption->notices[i].text);
	if (n == 0)
		return;
	if (more > 0)
		buf_printf(&adoption->gone, " and %zu more", more);
	log_notice(NULL,
		"%zu source%s %s a cursor and %s not configured: %s; what was read is still delivered (if one has a new name, `trawlctl rename OLD NEW` continues it)",
		n, str_plural(n), n == 1 ? "has" : "have", n == 1 ? "is" : "are",
		buf_text(&adoption->gone));
}

static void on_route(const char *source, const char *sink, int64_t after, void *userdata)
{
	struct adoption *adoption = userdata;

	adoption->routes = mem_grow(adoption->routes, adoption->n_routes,
		&adoption->routes_capacity, sizeof(*adoption->routes));
	adoption->routes[adoption->n_routes++] =
		(struct adopted_route){mem_strdup(source), mem_strdup(sink), after};
}

static void route(struct adoption *adoption, struct fanout *fanout)
{
	fanout_clear_routes(fanout);
	for (size_t i = 0; i < adoption->n_routes; i++)
		fanout_route(fanout, adoption->routes[i].source, adoption->routes[i].sink,
			adoption->routes[i].after);
}

static void adoption_deinit(struct adoption *adoption)
{
	for (size_t i = 0; i < adoption->n_notices; i++)
		free(adoption->notices[i].text);
	for (size_t i = 0; i < adoption->n_routes; i++) {
		free(adoption->routes[i].source);
		free(adoption->routes[i].sink);
	}
	free(adoption->notices);
	free(adoption->routes);
	buf_deinit(&adoption->gone);
}

/* --- adopting --- */

static void rename_dead_letters(const struct routes_change *change, const char *directory)
{
	const struct log_subject subject = {"sink", change->to, NULL};
	int r = deadletter_rename(directory, change->name, change->to);

	if (r)
		log_warning(&subject,
			"cannot rename %s/dead-letters/%s.ndjson: %s; the dead letters stay there",
			directory, change->name, strerror(-r));
}

static void tell_change(const struct routes_change *change, const char *directory)
{
	const struct log_subject sink = {"sink", change->to ? change->to : change->name, NULL};
	const struct log_subject source = {"source", change->to, NULL};
	unsigned long long n = change->n_records;

	switch (change->command) {
	case ROUTES_DROP_SINK:
		log_notice(&sink, "%llu unsent record%s dropped by trawlctl drop-sink", n,
			str_plural(n));
		break;
	case ROUTES_RENAME_SINK:
		log_notice(&sink, "continues sink %s; %llu record%s wait%s for it", change->name, n,
			str_plural(n), n == 1 ? "s" : "");
		rename_dead_letters(change, directory);
		break;
	case ROUTES_RENAME_SOURCE:
		log_notice(&source, "continues source %s at its cursor", change->name);
		break;
	}
}

/* For the next commit: what it changes in the state may be nothing. */
static void note_configuration(struct trawld *trawld, const char *text, const char *by)
{
	if (!text)
		return;
	events_add(trawld->parts.store,
		&(struct event){.kind = EVENT_CONFIGURATION, .by = by, .text = text});
	committer_touch(trawld->parts.committer);
}

struct own_sources {
	const struct trawld *trawld;
	const struct setup *setup;
};

static bool is_own(const char *name, void *userdata)
{
	const struct own_sources *own = userdata;
	const struct source *source = setup_find_source(own->setup, name);

	return !source || cluster_polls(own->trawld, own->setup, source);
}

/* The state of a shard knows its own sources only. */
static int check_rename(
	const struct own_sources *own, const struct routes_change *change, struct fault *reterr)
{
	const struct source *to;

	if (!own->trawld->shard || !change || change->command != ROUTES_RENAME_SOURCE)
		return 0;
	to = setup_find_source(own->setup, change->to);
	if (!to || (cluster_polls(own->trawld, own->setup, to) &&
			   !setup_find_source(own->setup, change->name)))
		return 0;
	if (setup_find_source(own->setup, change->name))
		fault_set(reterr, FAULT_CONFIG,
			"the configuration still has [source %s]: give the section its new name there first",
			change->name);
	else
		fault_set(reterr, FAULT_CONFIG,
			"the configuration gives [source %s] to another shard than %s, where `%s` has its state: set `shard = %s` in it first",
			change->to, own->trawld->shard, change->name, own->trawld->shard);
	return STORE_E_REFUSED;
}

int trawld_adopt(struct trawld *trawld, const struct setup *setup, struct routes_change *change,
	const char *by, struct findings *findings, struct fault *reterr)
{
	struct roster roster CLEANUP(roster_deinit) = {0};
	struct adoption adoption = {
		.setup = setup,
		.fanout = trawld->parts.fanout,
		.findings = findings,
		.state_is_new = store_is_new(trawld->parts.store),
	};
	struct routes_report report = {on_stranded, on_news, on_route, &adoption};
	struct own_sources own = {trawld, setup};
	char *text CLEANUP_FREE = NULL;
	int r = check_rename(&own, change, reterr);

	if (!r && change && change->command == ROUTES_RENAME_SINK)
		r = deadletter_check_name(
			setup->config->daemon.state_directory, change->to, reterr);
	if (!r)
		r = config_event_compare(trawld->parts.store, setup, &text, reterr);
	if (r)
		return r;
	roster_init(&roster, setup->config, is_own, &own);
	r = routes_adopt(trawld->parts.store, &roster.configuration, change, &report, reterr);
	if (!r) {
		note_configuration(trawld, text, by);
		route(&adoption, trawld->parts.fanout);
		if (change)
			tell_change(change, setup->config->daemon.state_directory);
		tell(&adoption);
	}
	adoption_deinit(&adoption);
	return r;
}
