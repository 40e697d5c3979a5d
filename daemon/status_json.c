/* See status_json.h. */
#include "status_json.h"

#include "base/cleanup.h"
#include "base/json_value.h"
#include "cluster_status.h"
#include "countdown.h"
#include "store/kept.h"
#include "store/replays.h"
#include "store/spool.h"
#include "overview.h"
#include "status_detail.h"

static json_t *count_json(uint64_t count)
{
	return json_integer(count > INT64_MAX ? INT64_MAX : (json_int_t)count);
}

static json_t *fault_json(bool failing, const struct fault *fault)
{
	return failing ? json_value_text(fault->text) : json_null();
}

/* A clock that is behind the newest record's makes no lag. */
static json_t *lag_json(nsec_t lag_ns)
{
	return lag_ns == NSEC_NONE ? json_null() : json_value_seconds(lag_ns > 0 ? lag_ns : 0);
}

static json_t *rate_json(const struct minutes *from)
{
	uint64_t counts[MINUTES];
	json_t *rate = json_array();
	minutes_read(from, clock_monotonic(), counts);
	for (size_t i = 0; i < MINUTES; i++)
		json_array_append_new(rate, count_json(counts[i]));
	return rate;
}

static json_t *reasons_json(const struct overview *overview)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	overview_print_reasons(overview, &text);
	return text.size > 0 ? json_value_text(buf_text(&text)) : json_null();
}

static void set_failing(json_t *object, bool failing, nsec_t since_time, unsigned n_attempts)
{
	json_object_set_new(
		object, "failing_since", json_value_time(failing ? since_time : NSEC_NONE));
	json_object_set_new(object, "attempts", json_integer(failing ? n_attempts : 0));
}

static json_t *loss_json(const struct runner_status *status, nsec_t now_time)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	countdown_print_loss(status, now_time, &text);
	return text.size > 0 ? json_string(buf_text(&text)) : json_null();
}

static json_t *wait_json(const struct runner *runner)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	runner_print_wait(runner, &text);
	return text.size > 0 ? json_string(buf_text(&text)) : json_null();
}

static uint64_t late_count(const struct tally *tally)
{
	uint64_t n = 0;
	for (size_t i = 0; i <= TALLY_LATENESS; i++)
		n += tally->lateness_counts[i];
	return n;
}

static json_t *source_json(const struct overview_source *from, nsec_t now_time)
{
	const struct poller *poller = from->poller;
	struct runner_status status = from->runner;
	struct intake_status intake = from->intake;
	json_t *source = json_object();
	bool waits = status.state != RUNNER_STOPPED && status.next_poll_ns > 0;
	json_object_set_new(source, "name", json_value_text(poller->source->name));
	json_object_set_new(source, "provider", json_value_text(poller->source->options.provider));
	json_object_set_new(source, "state", json_string(runner_state_to_string(status.state)));
	json_object_set_new(source, "state_since", json_value_time(status.state_time));
	json_object_set_new(source, "waits_for", wait_json(poller->runner));
	json_object_set_new(source, "last_success", json_value_time(status.last_success_time));
	json_object_set_new(source, "newest_record", json_value_time(status.newest_time));
	json_object_set_new(source, "lag_seconds", lag_json(from->lag_ns));
	json_object_set_new(source, "behind_seconds", lag_json(from->behind_ns));
	json_object_set_new(source, "records", count_json(intake.n_records));
	json_object_set_new(source, "duplicates", count_json(intake.n_duplicates));
	json_object_set_new(source, "reused_ids", count_json(intake.n_reused));
	json_object_set_new(source, "excluded", count_json(status.n_excluded));
	json_object_set_new(
		source, "quarantined", count_json(quarantine_count(poller->quarantine)));
	json_object_set_new(source, "untimed", count_json(status.n_untimed));
	json_object_set_new(source, "late", count_json(late_count(&poller->tally)));
	json_object_set_new(source, "vanished", count_json(poller->tally.n_vanished));
	json_object_set_new(source, "clock_skew", json_value_seconds(status.skew_ns));
	json_object_set_new(source, "gaps", count_json(from->n_open_gaps));
	json_object_set_new(source, "covered_until", json_value_time(from->covered_time));
	json_object_set_new(source, "loss_deadline", json_value_time(status.deadline_time));
	json_object_set_new(source, "loss_in",
		status.deadline_time == NSEC_NONE
			? json_null()
			: json_value_seconds(status.deadline_time - now_time));
	json_object_set_new(source, "loss_warning", loss_json(&status, now_time));
	json_object_set_new(source, "requests", count_json(status.n_requests));
	json_object_set_new(source, "errors", count_json(status.n_faults));
	json_object_set_new(source, "next_poll_in",
		waits ? json_value_seconds(status.next_poll_ns) : json_null());
	json_object_set_new(source, "position", json_value_time(status.position_time));
	json_object_set_new(source, "target", json_value_time(status.target_time));
	json_object_set_new(
		source, "total", status.total >= 0 ? json_integer(status.total) : json_null());
	json_object_set_new(source, "collected_pages", count_json(status.n_gathered_pages));
	json_object_set_new(source, "collected_records", count_json(status.n_gathered));
	json_object_set_new(source, "last_error", fault_json(status.failing, &status.fault));
	json_object_set_new(source, "error_class",
		status.failing ? json_string(fault_class_to_string(status.fault.class))
			       : json_null());
	set_failing(source, status.failing, status.failing_time, status.n_attempts);
	json_object_set_new(source, "location", json_value_text(poller->source->location));
	json_object_set_new(source, "rate", rate_json(&poller->tally.records));
	return source;
}

static json_t *replay_json(const struct replay *replay)
{
	if (!replay)
		return json_null();
	const struct replay_progress *progress = &replay->progress;
	json_t *value = json_object();
	json_object_set_new(value, "number", json_integer(replay->number));
	json_object_set_new(value, "state", json_string(replay_state_to_string(progress->state)));
	json_object_set_new(value, "source", json_value_text(replay->source));
	json_object_set_new(value, "records", count_json(replay->n_records));
	json_object_set_new(value, "delivered", count_json(progress->n_delivered));
	json_object_set_new(value, "rejected", count_json(progress->n_rejected));
	json_object_set_new(value, "filtered", count_json(progress->n_filtered));
	json_object_set_new(value, "text", json_value_text(progress->text));
	return value;
}

static json_t *sink_json(const struct sink_status *status, nsec_t now_time)
{
	json_t *sink = json_object();
	bool replays = status->replay && status->replay->progress.state == REPLAY_RUNNING;
	const char *state = status->paused                       ? "paused"
			    : status->failing                    ? "failing"
			    : status->pending_records || replays ? "delivering"
								 : "idle";
	json_object_set_new(sink, "name", json_value_text(status->name));
	json_object_set_new(sink, "type", json_value_text(status->kind));
	json_object_set_new(sink, "state", json_string(state));
	json_object_set_new(sink, "last_success", json_value_time(status->last_success_time));
	json_object_set_new(sink, "acknowledged", json_integer(status->acknowledged));
	json_object_set_new(sink, "pending_records", count_json(status->pending_records));
	json_object_set_new(sink, "oldest_pending_age",
		status->oldest_time == NSEC_NONE
			? json_null()
			: json_value_seconds(now_time - status->oldest_time));
	json_object_set_new(sink, "retries", count_json(status->retries));
	json_object_set_new(sink, "delivered", count_json(status->delivered_records));
	json_object_set_new(sink, "filtered", count_json(status->filtered_records));
	json_object_set_new(sink, "refused", count_json(status->refused_records));
	json_object_set_new(sink, "dead_letter_bytes", count_json(status->dead_letter_bytes));
	json_object_set_new(sink, "poison", json_boolean(status->poison));
	json_object_set_new(sink, "last_error", fault_json(status->failing, &status->fault));
	json_object_set_new(sink, "error_class",
		status->failing ? json_string(fault_class_to_string(status->fault.class))
				: json_null());
	set_failing(sink, status->failing, status->failing_time, status->n_attempts);
	json_object_set_new(sink, "next_try_in",
		status->failing ? json_value_seconds(status->next_try_ns) : json_null());
	json_object_set_new(sink, "location", json_value_text(status->location));
	json_object_set_new(sink, "replay", replay_json(status->replay));
	json_object_set_new(sink, "rate", rate_json(status->delivered));
	return sink;
}

static json_t *spool_json(const struct overview *overview)
{
	nsec_t full_ns = overview->spool_full_ns;
	json_t *spool = json_object();
	json_object_set_new(spool, "bytes", count_json(spool_bytes(overview->parts->store)));
	json_object_set_new(
		spool, "full_in", full_ns == NSEC_NONE ? json_null() : json_value_seconds(full_ns));
	json_object_set_new(
		spool, "limit", count_json(overview->parts->setup->config->daemon.spool_limit));
	return spool;
}

static json_t *kept_json(const struct parts *parts)
{
	const struct daemon_options *options = &parts->setup->config->daemon;
	json_t *kept = json_object();
	struct kept_status status;
	kept_status(parts->store, &status);
	json_object_set_new(kept, "bytes", count_json(status.bytes));
	json_object_set_new(kept, "records", count_json(status.n_records));
	json_object_set_new(kept, "oldest", json_value_time(status.oldest_time));
	json_object_set_new(kept, "keep_seconds", json_value_seconds(options->keep_ns));
	json_object_set_new(kept, "limit", count_json(options->keep_limit));
	json_object_set_new(kept, "limited", json_boolean(status.early));
	return kept;
}

static bool is_wanted(const char *name, const char *wanted)
{
	return !wanted || strcmp(name, wanted) == 0;
}

static json_t *sources_json(const struct overview *overview, const char *name)
{
	json_t *sources = json_array();
	for (size_t i = 0; i < overview->n_sources; i++) {
		const struct overview_source *from = &overview->sources[i];
		if (!is_wanted(from->poller->source->name, name))
			continue;
		json_t *source = source_json(from, overview->now_time);
		if (name)
			json_object_set_new(source, "detail", status_detail_source(overview, from));
		json_array_append_new(sources, source);
	}
	return sources;
}

static json_t *sinks_json(const struct overview *overview, const char *name)
{
	json_t *sinks = json_array();
	for (size_t i = 0; i < overview->n_sinks; i++) {
		const struct sink_status *from = &overview->sinks[i];
		if (!is_wanted(from->name, name))
			continue;
		json_t *sink = sink_json(from, overview->now_time);
		if (name)
			json_object_set_new(sink, "detail", status_detail_sink(overview, name));
		json_array_append_new(sinks, sink);
	}
	return sinks;
}

static void add_former(const char *source, uint64_t n, void *userdata)
{
	json_array_append_new(userdata,
		json_pack("{s:o, s:o}", "name", json_value_text(source), "gaps", count_json(n)));
}

static json_t *former_json(const struct overview *overview)
{
	json_t *sources = json_array();
	overview_each_former(overview, add_former, sources);
	return sources;
}

json_t *status_json(const struct overview *overview, const char *name)
{
	json_t *status = json_object();
	json_object_set_new(status, "version", json_string(TRAWLD_VERSION));
	json_object_set_new(status, "since", json_value_time(overview->start_time));
	json_object_set_new(status, "not_ready", reasons_json(overview));
	json_object_set_new(status, "sources", sources_json(overview, name));
	json_object_set_new(status, "former_sources", former_json(overview));
	json_object_set_new(status, "sinks", sinks_json(overview, name));
	json_object_set_new(status, "spool", spool_json(overview));
	json_object_set_new(status, "kept", kept_json(overview->parts));
	json_object_set_new(status, "cluster", cluster_status_json(overview->trawld));
	return status;
}
