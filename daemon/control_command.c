/* See control_internal.h: what the commands do. A poll is over when the source has been up to
 * date more often than before, or has failed and will retry. */
#include "control_internal.h"

#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json_value.h"
#include "base/mem.h"
#include "base/log.h"
#include "base/str.h"
#include "cluster_status.h"
#include "errand.h"
#include "overview.h"
#include "rewind.h"
#include "status_json.h"
#include "pipeline/deadletter.h"
#include "store/coverage.h"
#include "store/events.h"
#include "store/replays.h"
#include "store/routes.h"
#include "trawld.h"

char *control_caller_name(const struct control_caller *caller)
{
	return caller->by ? mem_strdup(caller->by) : control_socket_peer(caller->client->fd);
}

json_t *control_refusal(int code, const char *text)
{
	json_t *value =
		json_pack("{s:b, s:i, s:o}", "ok", 0, "code", code, "error", json_value_text(text));
	return value ? value : json_null();
}

static const char *member(const json_t *request, const char *name)
{
	return json_string_value(json_object_get(request, name));
}

static json_t *not_written(const struct parts *parts, const char *what)
{
	char *text CLEANUP_FREE = mem_printf("%s; %s", committer_why(parts->committer), what);
	return control_refusal(EX_TEMPFAIL, text);
}

static json_t *unknown_name(const struct setup *setup, const char *name)
{
	char *hint CLEANUP_FREE = config_hint(setup->config, name);
	char *text CLEANUP_FREE =
		mem_printf("the running trawld has no source or sink `%s`%s", name, hint);
	return control_refusal(EX_USAGE, text);
}

/* NAME: of one source or sink; NULL: of all. */
static json_t *status(const struct trawld *trawld, const char *name)
{
	struct overview overview;
	overview_take(&overview, trawld);
	json_t *found = status_json(&overview, name);
	overview_deinit(&overview);
	if (!name || json_array_size(json_object_get(found, "sources")) > 0 ||
		json_array_size(json_object_get(found, "sinks")) > 0)
		return json_pack("{s:b, s:o}", "ok", 1, "status", found);
	json_decref(found);
	char *where CLEANUP_FREE = cluster_status_where(trawld, name);
	if (where)
		return control_refusal(EX_USAGE, where);
	return unknown_name(trawld_parts(trawld)->setup, name);
}

/* --- poll --- */

static json_t *poll_all(struct trawld *trawld)
{
	const struct parts *parts = trawld_parts(trawld);
	json_t *value = json_object();
	fanout_retry_now(parts->fanout);
	trawld_poll_now(trawld);
	json_object_set_new(value, "ok", json_true());
	size_t n_paused = 0;
	for (size_t i = 0; i < parts->pollers.n_items; i++)
		n_paused += parts->pollers.items[i]->paused;
	json_object_set_new(
		value, "sources", json_integer((json_int_t)(parts->pollers.n_items - n_paused)));
	return value;
}

/* Another shard may have it. */
static json_t *mark_unknown(json_t *refusal)
{
	json_object_set_new(refusal, "unknown", json_true());
	return refusal;
}

static json_t *unknown_source(const struct pollers *pollers, const char *name)
{
	const char **names CLEANUP_FREE = mem_array(pollers->n_items + 1, sizeof(char *));
	for (size_t i = 0; i < pollers->n_items; i++)
		names[i] = pollers->items[i]->source->name;
	char *hint CLEANUP_FREE = str_hint(name, names, pollers->n_items);
	char *text CLEANUP_FREE = mem_printf("the running trawld has no source `%s`%s", name, hint);
	return mark_unknown(control_refusal(EX_USAGE, text));
}

static json_t *poll_one(struct control_caller *caller, const char *name)
{
	const struct parts *parts = caller->parts;
	const struct poller *poller = pollers_find(&parts->pollers, name);
	if (!poller)
		return unknown_source(&parts->pollers, name);
	if (poller->paused)
		return control_refusal(
			EX_TEMPFAIL, poller->source->options.enabled
					     ? "the source is paused (trawlctl resume continues)"
					     : "the source is disabled (enabled = no)");
	struct runner_status runner;
	struct intake_status intake;
	runner_status(poller->runner, &runner);
	intake_status(poller->intake, &intake);
	caller->wait = (struct control_wait){
		.poller = poller,
		.n_rests = poller->n_rests + 1,
		.n_pauses = runner.n_pauses,
		.n_records = intake.n_records,
		.n_duplicates = intake.n_duplicates,
		.n_pages = runner.n_pages,
		.begun_at = clock_monotonic(),
		.under_way = runner_state_is_busy(runner.state),
	};
	runner_poll_now(poller->runner);
	return NULL;
}

static json_t *poll_ended(const struct control_wait *wait, const struct runner_status *runner)
{
	struct intake_status intake;
	json_t *value = json_object();
	nsec_t elapsed = clock_monotonic() - wait->begun_at;
	intake_status(wait->poller->intake, &intake);
	json_object_set_new(value, "ok", json_true());
	json_object_set_new(
		value, "records", json_integer((json_int_t)(intake.n_records - wait->n_records)));
	json_object_set_new(value, "duplicates",
		json_integer((json_int_t)(intake.n_duplicates - wait->n_duplicates)));
	json_object_set_new(
		value, "pages", json_integer((json_int_t)(runner->n_pages - wait->n_pages)));
	json_object_set_new(value, "seconds", json_real((double)(elapsed / NSEC_PER_MSEC) / 1000.));
	return value;
}

static json_t *with_retry(json_t *value, const struct runner_status *runner)
{
	nsec_t wait = runner->next_poll_ns > 0 ? runner->next_poll_ns : 0;
	json_object_set_new(value, "retry_in", json_real((double)(wait / NSEC_PER_MSEC) / 1000.));
	return value;
}

/* What other sources use up or were told may last for hours. */
static json_t *poll_waits(const struct poller *poller, const struct runner_status *runner)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	bool waits = runner->state == RUNNER_WAITING_BUDGET ||
		     runner->state == RUNNER_WAITING_CREDENTIAL;
	if (!waits || runner->next_poll_ns <= CONTROL_WAIT_MAX)
		return NULL;
	buf_printf(&text, "%s: it waits for ", runner_state_to_string(runner->state));
	runner_print_wait(poller->runner, &text);
	json_t *value = control_refusal(EX_TEMPFAIL, buf_text(&text));
	return with_retry(value, runner);
}

static json_t *poll_broke_off(const struct runner_status *runner)
{
	enum fault_class class = runner->fault.class;
	bool refused = class == FAULT_AUTH || class == FAULT_CONFIG || class == FAULT_ORIGIN;
	json_t *value = control_refusal(refused ? EX_CONFIG : EX_TEMPFAIL, runner->fault.text);
	return with_retry(value, runner);
}

static json_t *poll_over(struct control_caller *caller)
{
	struct control_wait *wait = &caller->wait;
	struct runner_status runner;
	runner_status(wait->poller->runner, &runner);
	if (runner.state == RUNNER_STOPPED)
		return control_refusal(EX_TEMPFAIL, "trawld is stopping");
	if (runner.state == RUNNER_PAUSED)
		return control_refusal(EX_TEMPFAIL, "the source was paused meanwhile");
	if (runner.n_pauses > wait->n_pauses)
		return poll_broke_off(&runner);
	if (wait->poller->n_rests >= wait->n_rests) {
		if (!wait->under_way)
			return poll_ended(wait, &runner);
		wait->under_way = false;
		wait->n_rests = wait->poller->n_rests + 1;
		runner_wake(wait->poller->runner);
		return NULL;
	}
	if (runner.state == RUNNER_BLOCKED && runner.next_poll_ns == 0)
		return control_refusal(EX_TEMPFAIL,
			"polling waits: the spool is full, or the state cannot be written (see the log)");
	return poll_waits(wait->poller, &runner);
}

/* --- gaps --- */

struct gaps_seen {
	nsec_t asked_time, now_time;
	json_int_t n_open;
	json_t *list;
};

static void see_gap(const struct coverage_gap *gap, void *userdata)
{
	struct gaps_seen *seen = userdata;
	bool open = gap->acknowledged_time == NSEC_NONE && gap->refilled_time == NSEC_NONE;
	if (open && gap->found_time > seen->asked_time && gap->found_time <= seen->now_time)
		return;
	seen->n_open += open;
	json_array_append_new(seen->list,
		json_pack("{s:o, s:I, s:I, s:o, s:I, s:I, s:o, s:I}", "source",
			json_value_text(gap->source), "start", (json_int_t)gap->start_time, "end",
			(json_int_t)gap->end_time, "reason", json_value_text(gap->reason), "found",
			(json_int_t)gap->found_time, "acknowledged",
			(json_int_t)gap->acknowledged_time, "acknowledged_by",
			gap->acknowledged_by ? json_value_text(gap->acknowledged_by) : json_null(),
			"refilled", (json_int_t)gap->refilled_time));
}

static json_t *acknowledge_seen(
	struct control_caller *caller, const char *source, const struct gaps_seen *seen)
{
	const struct parts *parts = caller->parts;
	char *by CLEANUP_FREE = control_caller_name(caller);
	/* one that left the configuration may still have gaps */
	if (source && seen->n_open == 0 && !pollers_find(&parts->pollers, source))
		return unknown_source(&parts->pollers, source);
	size_t n = (size_t)seen->n_open;
	if (n > 0) {
		coverage_acknowledge(parts->store, source, seen->asked_time, n, by);
		if (!committer_flush(parts->committer))
			return not_written(
				parts, "trawld notes the acknowledgement as soon as it can");
		log_notice(NULL,
			"%zu gap%s of %s%s acknowledged by %s; not requested again from now on", n,
			str_plural(n), source ? "source " : "all sources", source ? source : "",
			by);
	}
	return json_pack("{s:b, s:I, s:O}", "ok", 1, "gaps", seen->n_open, "list", seen->list);
}

/* What is found while the request waits for a holder is nothing that the person has asked about.
 * The answer lists what was acknowledged, so what waits for a commit has to be in the state. */
static json_t *acknowledge_gaps(
	struct control_caller *caller, const json_t *request, const char *source)
{
	const struct parts *parts = caller->parts;
	const json_t *asked = json_object_get(request, "asked_time");
	struct fault fault = FAULT_NULL;
	struct gaps_seen seen = {.now_time = clock_wall()};
	seen.asked_time = json_is_integer(asked) ? json_integer_value(asked) : seen.now_time;
	if (!committer_flush(parts->committer))
		return not_written(parts, "nothing was changed");
	seen.list = json_array();
	int r = coverage_each_gap(parts->store, source,
		json_is_true(json_object_get(request, "all")), see_gap, &seen, &fault);
	if (r == STORE_E_CORRUPT)
		committer_damaged(parts->committer, &fault);
	json_t *value = r ? control_refusal(EX_TEMPFAIL, fault.text)
			  : acknowledge_seen(caller, source, &seen);
	json_decref(seen.list);
	return value;
}

static json_t *refill(struct control_caller *caller, const char *source)
{
	struct poller *poller = pollers_find(&caller->parts->pollers, source);
	char *by CLEANUP_FREE = control_caller_name(caller);
	struct refill_result result;
	struct fault fault;
	if (!source)
		return control_refusal(EX_USAGE, "the request needs a source");
	if (!poller)
		return unknown_source(&caller->parts->pollers, source);
	int code = errand_refill(poller, by, &result, &fault);
	return code ? control_refusal(code, fault.text)
		    : json_pack("{s:b, s:I, s:I, s:I, s:I, s:b}", "ok", 1, "gaps",
			      (json_int_t)result.n_gaps, "expired", (json_int_t)result.n_expired,
			      "lost", (json_int_t)result.n_lost, "clock",
			      (json_int_t)result.n_clock, "failing", result.failing);
}

static json_t *pause_or_resume(struct control_caller *caller, const json_t *request, bool paused)
{
	char *by CLEANUP_FREE = control_caller_name(caller);
	struct fault fault = FAULT_NULL;
	struct pause_result result;
	const char *name = member(request, "name");
	if (!name)
		return control_refusal(EX_USAGE, "the request needs a name");
	int code = trawld_pause(caller->trawld, name, paused, by, &result, &fault);
	if (code == EX_USAGE)
		return mark_unknown(control_refusal(code, fault.text));
	return code ? control_refusal(code, fault.text)
		    : json_pack("{s:b, s:b, s:b, s:b, s:b, s:s}", "ok", 1, "source", result.source,
			      "sink", result.sink, "changed", result.changed, "disabled",
			      result.disabled, "loss", result.loss);
}

static json_t *skip(struct control_caller *caller, const char *name)
{
	const struct parts *parts = caller->parts;
	const struct poller *poller = pollers_find(&parts->pollers, name);
	struct fault fault = FAULT_NULL;
	if (!poller)
		return unknown_source(&parts->pollers, name);
	char *by CLEANUP_FREE = control_caller_name(caller);
	struct runner_status before;
	runner_status(poller->runner, &before);
	if (runner_skip(poller->runner, &fault))
		return control_refusal(EX_USAGE, fault.text);
	events_add(parts->store,
		&(struct event){
			.kind = EVENT_SKIP, .source = name, .by = by, .text = before.fault.text});
	committer_touch(parts->committer);
	log_notice(&poller->source->subject, "skipping what cannot be read, by %s", by);
	return json_pack("{s:b, s:o}", "ok", 1, "failed", json_value_text(before.fault.text));
}

/* A person is answered at once, so what is under way is not waited for: the source reads again what
 * it had requested. */
static json_t *rewind_to(struct control_caller *caller, const char *name, const json_t *request)
{
	const char *to = member(request, "to");
	const struct poller *poller = pollers_find(&caller->parts->pollers, name);
	if (!name || !to)
		return control_refusal(EX_USAGE, "the request needs a source and a time");
	if (trawld_is_stopping(caller->trawld))
		return control_refusal(EX_TEMPFAIL, "trawld is stopping");
	if (!poller)
		return unknown_source(&caller->parts->pollers, name);
	char *by CLEANUP_FREE = control_caller_name(caller);
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	struct fault fault = FAULT_NULL;
	int code = trawld_rewind(caller->trawld,
		&(struct rewind_request){
			.source = name,
			.to = to,
			.by = by,
			.dry_run = json_is_true(json_object_get(request, "dry_run")),
			.definition = poller->source->definition,
		},
		&text, &fault);
	return code ? control_refusal(code, fault.text)
		    : json_pack("{s:b, s:o}", "ok", 1, "text", json_value_text(buf_text(&text)));
}

/* --- dead letters --- */

/* Written before it is done: a crash in between must not hide it. */
static bool note_dead_letters(
	const struct parts *parts, const char *name, bool resend, const char *by)
{
	const char *directory = parts->setup->config->daemon.state_directory;
	long long size = (long long)deadletter_size(directory, name);
	char *text CLEANUP_FREE = mem_printf("a file of %lld bytes", size);
	if (size > 0)
		events_add(
			parts->store, &(struct event){.kind = resend ? EVENT_RESEND : EVENT_DISCARD,
					      .sink = name,
					      .by = by,
					      .text = text});
	return committer_flush(parts->committer);
}

static json_t *dead_letters(struct control_caller *caller, const json_t *request, bool resend)
{
	const struct parts *parts = caller->parts;
	struct fault fault = FAULT_NULL;
	const char *name = member(request, "name");
	uint64_t n = 0;
	if (!name)
		return control_refusal(EX_USAGE, "the request needs a name");
	char *by CLEANUP_FREE = control_caller_name(caller);
	if (!note_dead_letters(parts, name, resend, by))
		return not_written(parts, "nothing was changed");
	int r = resend ? fanout_resend(parts->fanout, name, &n, &fault)
		       : fanout_discard(parts->fanout, name, &n, &fault);
	if (r)
		return control_refusal(
			fault.class == FAULT_CONFIG ? EX_USAGE : EX_TEMPFAIL, fault.text);
	const struct setup_sink *sink = setup_find_sink(parts->setup, name);
	const struct log_subject subject = {"sink", name, sink ? sink->location : NULL};
	log_notice(&subject, "%llu dead letter%s %s by %s", (unsigned long long)n, str_plural(n),
		resend ? "queued to be sent again" : "discarded", by);
	return json_pack("{s:b, s:I}", "ok", 1, "records", (json_int_t)n);
}

/* --- replays --- */

static json_t *replay(struct control_caller *caller, const json_t *request)
{
	const struct parts *parts = caller->parts;
	struct fault fault = FAULT_NULL;
	const char *name = member(request, "name"), *source = member(request, "source");
	json_int_t from = 0, to = 0, after = 0, until = 0, records = 0;
	const char *text;
	if (!name || json_unpack((json_t *)request, "{s:I, s:I, s:I, s:I, s:I, s:s}", "from", &from,
			     "to", &to, "after", &after, "until", &until, "records", &records,
			     "text", &text))
		return control_refusal(EX_USAGE, "the request needs a name and a span");
	if (!source && !member(request, "copy"))
		return control_refusal(EX_USAGE, "the request needs a source, or a copy of files");
	if (trawld_is_stopping(caller->trawld))
		return control_refusal(EX_TEMPFAIL, "trawld is stopping");
	char *by CLEANUP_FREE = control_caller_name(caller);
	struct replay *new = MEM_NEW(struct replay);
	new->sink = mem_strdup(name);
	new->source = mem_strdup(source);
	new->copy = source ? NULL : mem_strdup(member(request, "copy"));
	new->from_time = from;
	new->to_time = to;
	new->until = until;
	new->n_records = (uint64_t)records;
	new->progress.after = after;
	int r = fanout_replay(parts->fanout, new, by, text, &fault);
	if (r)
		return control_refusal(
			fault.class == FAULT_CONFIG ? EX_USAGE : EX_TEMPFAIL, fault.text);
	const struct setup_sink *sink = setup_find_sink(parts->setup, name);
	const struct log_subject subject = {"sink", name, sink ? sink->location : NULL};
	log_notice(&subject, "replay: %s, by %s", text, by);
	return json_pack("{s:b}", "ok", 1);
}

static json_t *stop_replay(struct control_caller *caller, const json_t *request)
{
	struct fault fault = FAULT_NULL;
	const char *name = member(request, "name");
	if (!name)
		return control_refusal(EX_USAGE, "the request needs a name");
	char *by CLEANUP_FREE = control_caller_name(caller);
	if (fanout_replay_stop(caller->parts->fanout, name, by, &fault))
		return control_refusal(EX_USAGE, fault.text);
	return json_pack("{s:b}", "ok", 1);
}

static json_t *tail(struct control_caller *caller, const char *source)
{
	if (!caller->client)
		return control_refusal(
			EX_USAGE, "records can be followed on the control socket only");
	json_t *value = control_tail_begin(caller->client, source);
	return value ? value : unknown_source(&caller->parts->pollers, source);
}

/* A client names the configuration that it was given: `trawlctl -c` of an instance whose socket is
 * another's must not work on that one. NULL: it is ours. */
static json_t *of_another(const struct parts *parts, const json_t *request)
{
	const char *ours = parts->setup->config->location;
	const char *theirs = member(request, "configuration");
	if (!theirs || strcmp(theirs, ours) == 0)
		return NULL;
	char *text CLEANUP_FREE = mem_printf(
		"the trawld (PID %ld) at this control socket uses the configuration %s, not %s: nothing was done (`trawlctl -c %s` asks it)",
		(long)getpid(), ours, theirs, ours);
	return control_refusal(EX_CONFIG, text);
}

static json_t *carry_out(struct control_caller *caller, const json_t *request)
{
	const char *command = member(request, "command"), *source = member(request, "source");
	json_t *value = of_another(caller->parts, request);
	if (value)
		return value;
	if (!json_is_object(request) || !command)
		value = control_refusal(
			EX_USAGE, "the request is not a JSON object with a command");
	else if (strcmp(command, "status") == 0)
		value = status(caller->trawld, member(request, "name"));
	else if (strcmp(command, "poll") == 0)
		value = source ? poll_one(caller, source) : poll_all(caller->trawld);
	else if (strcmp(command, "reload") == 0)
		value = control_reload(caller, NULL);
	else if (strcmp(command, "acknowledge-gaps") == 0)
		value = acknowledge_gaps(caller, request, source);
	else if (strcmp(command, "refill") == 0)
		value = refill(caller, source);
	else if (strcmp(command, "pause") == 0 || strcmp(command, "resume") == 0)
		value = pause_or_resume(caller, request, strcmp(command, "pause") == 0);
	else if (strcmp(command, "skip") == 0 && source)
		value = skip(caller, source);
	else if (strcmp(command, "rewind") == 0)
		value = rewind_to(caller, source, request);
	else if (strcmp(command, "tail") == 0)
		value = tail(caller, source);
	else if (strcmp(command, "drop-sink") == 0)
		value = control_change(caller, ROUTES_DROP_SINK, request);
	else if (strcmp(command, "rename-sink") == 0)
		value = control_change(caller, ROUTES_RENAME_SINK, request);
	else if (strcmp(command, "rename") == 0)
		value = control_change(caller, ROUTES_RENAME_SOURCE, request);
	else if (strcmp(command, "dead-letters-resend") == 0)
		value = dead_letters(caller, request, true);
	else if (strcmp(command, "dead-letters-discard") == 0)
		value = dead_letters(caller, request, false);
	else if (strcmp(command, "replay") == 0)
		value = replay(caller, request);
	else if (strcmp(command, "replay-stop") == 0)
		value = stop_replay(caller, request);
	else
		value = control_refusal(EX_USAGE,
			"unknown command; expected status, poll, reload, rename, rename-sink, drop-sink, pause, resume, rewind, skip, refill, tail, dead-letters-resend, dead-letters-discard, replay or replay-stop");
	return value;
}

/* VALUE, unless a command has failed because the state is damaged: a retry does not help. */
static json_t *or_damage(const struct trawld *trawld, json_t *value)
{
	const struct fault *fault = trawld_damage(trawld);
	if (!value || !fault || json_is_true(json_object_get(value, "ok")))
		return value;
	char *text CLEANUP_FREE = mem_printf("%s; trawld exits", fault->text);
	json_decref(value);
	return control_refusal(EX_CANTCREAT, text);
}

json_t *control_command(struct control_caller *caller, struct slice line)
{
	json_t *request = json_loadb(line.data, line.size, JSON_REJECT_DUPLICATES, NULL);
	json_t *value = or_damage(caller->trawld, carry_out(caller, request));
	json_decref(request);
	if (!value && !control_is_waiting(&caller->wait))
		caller->wait.reload = mem_strndup(line.data, line.size);
	return value;
}

json_t *control_wait_over(struct control_caller *caller)
{
	const char *reload = caller->wait.reload;
	return reload ? control_command(caller, slice_of(reload)) : poll_over(caller);
}

void control_wait_end(struct control_wait *wait)
{
	free(wait->reload);
	*wait = (struct control_wait){0};
}
