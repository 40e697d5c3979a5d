/*
 * SIGHUP: the new configuration is built whole first; any finding keeps the old one whole. Then:
 * removals, changed and new ones, routes. Unchanged sources and sinks keep running with their
 * state; their objects move over to the new setup.
 */
#include "trawld_internal.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster.h"
#include "keeper.h"
#include "notify.h"
#include "reload_wait.h"
#include "remarks.h"
#include "store/commit.h"
#include "store/cursors.h"
#include "web.h"

/* Keeps the objects that running parts point to: they change places, so that the old setup frees
 * the new twins. */
static void keep_unchanged(struct setup *old, struct setup *new)
{
	for (size_t i = 0, j; i < new->n_sources; i++) {
		struct source *twin = new->sources[i];
		if (!names_find(&old->source_names, twin->name, &j) ||
			memcmp(&twin->fingerprint, &old->sources[j]->fingerprint,
				sizeof(twin->fingerprint)) != 0)
			continue;
		new->sources[i] = old->sources[j];
		old->sources[j] = twin;
	}
	for (size_t i = 0, j; i < new->n_sinks; i++) {
		struct setup_sink *twin = new->sinks[i];
		if (!setup_has_sink(old, twin) || !names_find(&old->sink_names, twin->name, &j))
			continue;
		new->sinks[i] = old->sinks[j];
		old->sinks[j] = twin;
	}
}

static void remove_pollers(struct trawld *trawld, const struct setup *new)
{
	const struct pollers *pollers = &trawld->parts.pollers;
	for (size_t i = 0; i < pollers->n_items;) {
		struct poller *poller = pollers->items[i];
		if (setup_find_source(new, poller->source->name) == poller->source) {
			i++;
			continue;
		}
		log_info(&poller->source->subject, "%s",
			setup_find_source(new, poller->source->name)
				? "changed: restarting from its saved cursor"
				: "removed: its cursor is kept");
		trawld_remove_poller(trawld, poller);
	}
}

static void remove_sinks(struct trawld *trawld, const struct setup *old, const struct setup *new)
{
	for (size_t i = 0; i < old->n_sinks; i++) {
		const struct setup_sink *before = old->sinks[i];
		const struct log_subject subject = {"sink", before->name, before->location};
		if (setup_has_sink(new, before))
			continue;
		if (fanout_sink_is_under_way(trawld->parts.fanout, before->name) &&
			!(before->kind->capabilities & SINK_EXACTLY_ONCE))
			log_notice(&subject,
				"the reload did not wait any longer for its answer: what was on its way may arrive twice");
		fanout_remove_sink(trawld->parts.fanout, before->name);
	}
}

/* SUBJECT could not be made: R, because of FAULT. It is told once, also to FINDINGS, and retried;
 * but a damaged state is the end. */
static void miss(struct trawld *trawld, const struct log_subject *subject, const char *meanwhile,
	int r, const struct fault *fault, struct findings *findings)
{
	if (r == STORE_E_CORRUPT) {
		if (findings)
			findings_add(findings, NULL, 0, "%s", fault->text);
		committer_damaged(trawld->parts.committer, fault);
		return;
	}
	buf_printf(&trawld->missing, "%s %s: %s\n", subject->kind, subject->name, fault->text);
	if (findings)
		findings_add(findings, NULL, 0, "%s %s (%s): %s; %s, retrying every 5 s",
			subject->kind, subject->name, subject->location, fault->text, meanwhile);
	log_write(findings ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG, subject,
		"%s; %s, retrying every 5 s", fault->text, meanwhile);
}

/* Sinks that are new, were taken out because they changed, or could not be made before. */
static void add_sinks(struct trawld *trawld, struct findings *findings)
{
	struct fault fault = FAULT_NULL;
	for (size_t i = 0; i < trawld->parts.setup->n_sinks; i++) {
		const struct setup_sink *sink = trawld->parts.setup->sinks[i];
		const struct log_subject subject = {"sink", sink->name, sink->location};
		if (fanout_has_sink(trawld->parts.fanout, sink->name))
			continue;
		int r = trawld_add_sink(trawld, sink, &fault);
		if (r)
			miss(trawld, &subject, "it receives nothing, its records are kept", r,
				&fault, findings);
		else if (!findings)
			log_notice(&subject, "it is there again; delivery resumes");
	}
}

enum looked { LOOKED_NOT, LOOKED, LOOKED_IN_VAIN };

/* A source that begins anew here may have been read by another shard since this process began.
 * 0 or STORE_E_*. */
static int look_elsewhere(struct trawld *trawld, const struct source *source, enum looked *looked,
	struct fault *reterr)
{
	char *cursor CLEANUP_FREE = NULL;
	if (!trawld->cluster)
		return 0;
	int r = cursors_get(trawld->parts.store, source->name, &cursor, reterr);
	if (r || cursor || *looked == LOOKED)
		return r;
	if (*looked == LOOKED_IN_VAIN) {
		fault_set(reterr, FAULT_STORE,
			"the database could not be asked whether another shard has read it");
		return STORE_E_FULL;
	}
	r = cluster_look_elsewhere(trawld, reterr);
	*looked = r ? LOOKED_IN_VAIN : LOOKED;
	return r;
}

static void add_pollers(struct trawld *trawld, struct findings *findings)
{
	enum looked looked = LOOKED_NOT;
	const struct setup *setup = trawld->parts.setup;
	struct fault fault = FAULT_NULL;
	bool *polled CLEANUP_FREE = mem_array(setup->n_sources + 1, sizeof(bool));
	for (size_t i = 0, at; i < trawld->parts.pollers.n_items; i++)
		if (names_find(&setup->source_names, trawld->parts.pollers.items[i]->source->name,
			    &at))
			polled[at] = true;
	for (size_t i = 0; i < setup->n_sources; i++) {
		const struct source *source = setup->sources[i];
		if (polled[i] || !cluster_polls(trawld, setup, source))
			continue;
		int r = look_elsewhere(trawld, source, &looked, &fault);
		if (!r)
			r = cluster_is_elsewhere(trawld, source, &fault)
				    ? -1
				    : trawld_add_poller(trawld, source, &fault);
		if (r)
			miss(trawld, &source->subject, "it is not polled", r, &fault, findings);
		else if (!findings)
			log_notice(&source->subject, "it is there again; polling resumes");
	}
}

/* FINDINGS NULL: what was told before is retried. */
static void add_all(struct trawld *trawld, struct findings *findings)
{
	buf_clear(&trawld->missing);
	add_sinks(trawld, findings);
	fanout_start(trawld->parts.fanout);
	add_pollers(trawld, findings);
}

void trawld_add_missing(struct trawld *trawld)
{
	cluster_away(trawld);
	add_all(trawld, NULL);
	cluster_back(trawld);
}

/* Options of ROWS that need a restart (OPTION_FIXED) keep their old value, with a warning. */
static void keep_fixed(
	const struct option *rows, size_t n, void *old, void *new, struct findings *findings)
{
	for (size_t i = 0; i < n; i++) {
		if (!(rows[i].flags & OPTION_FIXED) || option_equals(&rows[i], old, new))
			continue;
		findings_add(findings, NULL, 0,
			"%s cannot be changed while trawld runs; the old value stays in use until a restart",
			rows[i].name);
		log_warning(NULL, "%s", findings->items[findings->n_items - 1].text);
		option_swap(&rows[i], old, new);
	}
}

/* The last moment at which nothing has changed. */
static int adopt(struct trawld *trawld, const struct setup *new, struct routes_change *change,
	const char *by, struct findings *findings, struct fault *reterr)
{
	struct fault fault = FAULT_NULL;
	int r = trawld_adopt(trawld, new, change, by, findings, &fault);
	if (!r && trawld_load_pauses(trawld, &fault)) /* a name that was changed keeps its pause */
		log_warning(NULL, "%s", fault.text);
	if (r && r != STORE_E_UNKNOWN) /* a name that somebody misspelt is told to them */
		findings_log(findings);
	switch (r) {
	case 0:
		return 0;
	case STORE_E_STRANDED:
		fault_set(reterr, FAULT_CONFIG,
			"records that wait would lose their sink; the old configuration stays in use");
		return EX_CONFIG;
	case STORE_E_UNKNOWN:
	case STORE_E_REFUSED:
		fault_set(reterr, FAULT_CONFIG, "%s", fault.text);
		return r == STORE_E_UNKNOWN ? EX_USAGE : EX_CONFIG;
	case STORE_E_CORRUPT:
		committer_damaged(trawld->parts.committer, &fault);
		*reterr = fault;
		return EX_CANTCREAT;
	default:
		fault_set(reterr, FAULT_STORE,
			"%s: the old configuration stays in use, and the new one is read as soon as the state can be written",
			fault.text);
		return EX_TEMPFAIL;
	}
}

static struct setup *load(struct trawld *trawld, struct findings *findings, struct fault *reterr)
{
	struct setup *new = setup_load(trawld->options.path, findings);
	if (new)
		return new;
	findings_log(findings);
	fault_set(reterr, FAULT_CONFIG,
		"the new configuration has %zu error%s; the old one stays in use",
		findings->n_items, str_plural(findings->n_items));
	return NULL;
}

static void use(struct trawld *trawld, struct setup *new, struct findings *findings)
{
	struct setup *old = trawld->parts.setup;
	size_t n_before;
	trawld->n_reloads++;
	keep_fixed(daemon_option_rows, n_daemon_option_rows, &old->config->daemon,
		&new->config->daemon, findings);
	keep_fixed(cluster_option_rows, n_cluster_option_rows, &old->config->cluster,
		&new->config->cluster, findings);
	keep_unchanged(old, new);
	remove_pollers(trawld, new);
	remove_sinks(trawld, old, new);
	trawld->parts.setup = new;
	remarks_log(new);
	log_set_level(LOG_LEVEL_ERROR + (enum log_level) new->config->daemon.log_level);
	keeper_configure(trawld->parts.store, &new->config->daemon);
	fanout_set_dead_letter_limit(trawld->parts.fanout, new->config->daemon.dead_letter_limit);
	n_before = findings->n_items;
	add_all(trawld, findings);
	trawld->n_missing = findings->n_items - n_before;
	web_change(&trawld->web, trawld, &old->config->daemon.listen, findings);
	setup_free(old);
	log_info(NULL, "reloaded: %zu source%s, %zu sink%s", new->n_sources,
		str_plural(new->n_sources), new->n_sinks, str_plural(new->n_sinks));
}

static int reload(struct trawld *trawld, struct routes_change *change, const char *by,
	struct findings *findings, struct fault *reterr)
{
	struct setup *new = load(trawld, findings, reterr);
	if (!new)
		return EX_CONFIG;
	/* a source that is restarted reads its cursor from the state, so it must be there */
	if (!committer_flush(trawld->parts.committer)) {
		fault_set(reterr, FAULT_STORE,
			"the state cannot be written: the old configuration stays in use, and the new one is read as soon as it can be written");
		setup_free(new);
		return EX_TEMPFAIL;
	}
	int code = adopt(trawld, new, change, by, findings, reterr);
	if (code)
		setup_free(new);
	else
		use(trawld, new, findings);
	return code;
}

int trawld_reload(struct trawld *trawld, struct routes_change *change, const char *by,
	struct findings *findings, struct fault *reterr)
{
	notify_reloading();
	cluster_away(trawld);
	int code = reload(trawld, change, by, findings, reterr);
	cluster_back(trawld);
	/* what is tried again and again is told once; a misspelt name is told to who wrote it */
	bool again = trawld->reload_due && strcmp(reterr->text, trawld->reload_fault.text) == 0;
	if (code)
		log_write(again || code == EX_USAGE ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, NULL, "%s",
			reterr->text);
	if (code == 0 || !change) { /* a command that does not fit is not a failed reload */
		trawld->reload_failed = code != 0 || findings->n_items > trawld->n_missing;
		trawld->reload_due = code == EX_TEMPFAIL;
		trawld->reload_fault = code ? *reterr : FAULT_NULL;
	}
	reload_wait_end(trawld->reload_wait);
	notify_ready(&trawld->parts);
	return code;
}

bool trawld_may_reload(struct trawld *trawld, bool again)
{
	return reload_wait_is_over(trawld->reload_wait, again);
}

void trawld_read_now(struct trawld *trawld)
{
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct fault fault;
	trawld_reload(trawld, NULL, NULL, &findings, &fault);
}

void trawld_read_again(struct trawld *trawld)
{
	if (trawld_may_reload(trawld, false))
		trawld_read_now(trawld);
	else
		reload_wait_ask(trawld->reload_wait);
}
