/*
 * What a person has paused (trawlctl pause, resume). The state keeps it, so that it outlives the
 * process; the lists here are what the state says, looked at whenever a source or sink is made.
 */
#include "trawld_internal.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "countdown.h"
#include "store/pause.h"

static void note(enum pause_kind kind, const char *name, nsec_t since_time, void *userdata)
{
	struct trawld_pauses *pauses = userdata;
	(void)since_time;
	str_list_add(kind == PAUSE_SOURCE ? &pauses->sources : &pauses->sinks, name);
}

int trawld_load_pauses(struct trawld *trawld, struct fault *reterr)
{
	struct trawld_pauses pauses = {STR_LIST_NULL, STR_LIST_NULL};
	int r = pause_each(trawld->parts.store, note, &pauses, reterr);
	if (r) {
		trawld_pauses_deinit(&pauses);
		return r;
	}
	trawld_pauses_deinit(&trawld->pauses);
	trawld->pauses = pauses;
	return 0;
}

void trawld_pauses_deinit(struct trawld_pauses *pauses)
{
	str_list_deinit(&pauses->sources);
	str_list_deinit(&pauses->sinks);
}

static void print_loss(const struct poller *poller, struct pause_result *ret)
{
	struct runner_status status;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	runner_status(poller->runner, &status);
	if (status.state == RUNNER_PAUSED)
		countdown_print_loss(&status, clock_wall(), &text);
	snprintf(ret->loss, sizeof(ret->loss), "%s", buf_text(&text));
}

/* What is so already is not written and not told again. *CHANGED is unchanged then. */
static int keep(struct trawld *trawld, enum pause_kind kind, const char *name, bool paused,
	const char *by, bool *changed, struct fault *reterr)
{
	const struct str_list *names =
		kind == PAUSE_SOURCE ? &trawld->pauses.sources : &trawld->pauses.sinks;
	if (str_list_has(names, name) == paused)
		return 0;
	*changed = true;
	int r = pause_set(trawld->parts.store, kind, name, paused, by, reterr);
	if (!r)
		r = trawld_load_pauses(trawld, reterr);
	if (r == STORE_E_CORRUPT)
		committer_damaged(trawld->parts.committer, reterr);
	return r;
}

static int pause_source(struct trawld *trawld, struct poller *poller, bool paused, const char *by,
	struct pause_result *ret, struct fault *reterr)
{
	const struct source *source = poller->source;
	if (keep(trawld, PAUSE_SOURCE, source->name, paused, by, &ret->changed, reterr))
		return EX_TEMPFAIL;
	if (source->options.enabled && poller_set_paused(poller, paused, reterr))
		return EX_CONFIG;
	print_loss(poller, ret);
	if (ret->changed)
		log_notice(&source->subject, "%s by trawlctl%s%s", paused ? "paused" : "resumed",
			*ret->loss ? "; " : "", ret->loss);
	return 0;
}

static int pause_sink(struct trawld *trawld, const struct setup_sink *sink, bool paused,
	const char *by, struct pause_result *ret, struct fault *reterr)
{
	const struct log_subject subject = {"sink", sink->name, sink->location};
	bool changed = false;
	if (keep(trawld, PAUSE_SINK, sink->name, paused, by, &changed, reterr))
		return EX_TEMPFAIL;
	if (changed)
		log_notice(&subject, "%s by trawlctl", paused ? "paused" : "resumed");
	ret->changed |= changed;
	fanout_pause_sink(trawld->parts.fanout, sink->name, paused);
	return 0;
}

int trawld_pause(struct trawld *trawld, const char *name, bool paused, const char *by,
	struct pause_result *ret, struct fault *reterr)
{
	struct poller *poller = pollers_find(&trawld->parts.pollers, name);
	const struct setup_sink *sink = setup_find_sink(trawld->parts.setup, name);
	int code = 0;
	*ret = (struct pause_result){
		.source = poller != NULL,
		.sink = sink != NULL,
		.disabled = poller && !poller->source->options.enabled,
	};
	if (!poller && !sink) {
		char *hint CLEANUP_FREE = config_hint(trawld->parts.setup->config, name);
		fault_set(reterr, FAULT_CONFIG, "the running trawld has no source or sink `%s`%s",
			name, hint);
		return EX_USAGE;
	}
	if (poller)
		code = pause_source(trawld, poller, paused, by, ret, reterr);
	if (code == 0 && sink)
		code = pause_sink(trawld, sink, paused, by, ret, reterr);
	trawld_progress(trawld);
	return code;
}
