/*
 * A replay: what the sink gets once more because a person asked for it (store/replays.h). Its jobs
 * come after what waits, with the sink's own selection, and move neither the acknowledgement nor
 * anything of other sinks. How far it is becomes durable with the position of the job.
 *
 * Each job's end is made durable before it is first sent, and after a restart that job comes first:
 * it is the same again, byte for byte, with nothing before it. So a file sink recognises what a
 * crash has left of it, and others get at most this job twice, under the same ID.
 *
 * A receiver that takes no record of a job ends the replay: what waits must not stand behind it.
 */
#include "pipeline/delivery_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/commit.h"
#include "store/events.h"
#include "store/replay_copy.h"

static bool replay_runs(const struct delivery *delivery)
{
	return delivery->replay && delivery->replay->progress.state == REPLAY_RUNNING;
}

static void replay_store(struct delivery *delivery)
{
	commit_add_replay(delivery->setup.store, delivery->sink->name, &delivery->replay->progress);
	committer_touch(delivery->setup.committer);
}

void delivery_replay_resumes(const struct delivery *delivery)
{
	struct log_subject subject = delivery_subject(delivery);

	if (replay_runs(delivery))
		log_notice(&subject, "continues its replay: %" PRIu64 " of %" PRIu64 " records",
			delivery->replay->progress.n_delivered, delivery->replay->n_records);
}

bool delivery_replay_is_due(const struct delivery *delivery, bool idle)
{
	if (!replay_runs(delivery))
		return false;
	return idle ? !delivery->hurried : delivery->replay->progress.plan.size > 0;
}

/* --- a job --- */

struct replay_job {
	struct batch *items[JOB_MAX_BATCHES];
	size_t n_items;
	size_t bytes, n_records;
	int64_t end; /* after the last of them */
};

static size_t bound(size_t wanted, size_t ceiling)
{
	return wanted > 0 && wanted < ceiling ? wanted : ceiling;
}

static void replay_job_deinit(struct replay_job *job)
{
	for (size_t i = 0; i < job->n_items; i++)
		batch_unref(job->items[i]);
}

/* Is BATCH, which ends at END, one more of JOB? PLANNED: where that ends; 0: not known. */
static bool replay_fits(const struct delivery *delivery, const struct replay_job *job,
	const struct batch *batch, int64_t end, int64_t planned)
{
	const struct sink_gather *gather = &delivery->sink->gather;

	/* what was planned may be kept no more: then the first of what follows begins a job */
	if (planned > 0 && (end <= planned || job->n_items > 0))
		return end <= planned;
	return job->n_items == 0 ||
	       (job->bytes + batch->body.size <= bound(gather->bytes, JOB_MAX_BYTES) &&
		       job->n_records + batch->n_records <= bound(gather->n_records, SIZE_MAX));
}

/* The batch after AT, if there is one. 0 or STORE_E_*. */
static int replay_next(const struct delivery *delivery, int64_t at, struct batch **ret,
	int64_t *ret_end, struct fault *reterr)
{
	const struct replay *replay = delivery->replay;
	int r;

	if (replay->source)
		return replays_next(delivery->setup.store, replay, at, ret, ret_end, reterr);
	if (at >= replay->until)
		return 0;
	r = replay_copy_read(delivery->setup.state_directory, replay->number, replay->until, at,
		ret, ret_end, reterr);
	if (r)
		return r;
	(*ret)->number = replay_batch_number(replay, at);
	(*ret)->replayed = true;
	return 0;
}

/* As replay_next. */
static int replay_read(const struct delivery *delivery, int64_t planned, struct replay_job *job,
	struct fault *reterr)
{
	int r = 0;

	job->end = delivery->replay->progress.after;
	while (job->n_items < JOB_MAX_BATCHES) {
		struct batch *batch = NULL;
		int64_t end = 0;

		r = replay_next(delivery, job->end, &batch, &end, reterr);
		if (r || !batch)
			break;
		if (!replay_fits(delivery, job, batch, end, planned)) {
			batch_unref(batch);
			break;
		}
		job->items[job->n_items++] = batch;
		job->bytes += batch->body.size;
		job->n_records += batch->n_records;
		job->end = end;
	}
	return r;
}

/* --- the end --- */

static void replay_over(struct delivery *delivery, enum replay_state state, const char *by)
{
	struct log_subject subject = delivery_subject(delivery);
	struct replay *replay = delivery->replay;
	struct replay_progress *progress = &replay->progress;
	uint64_t n = progress->n_delivered,
		 n_seen = n + progress->n_rejected + progress->n_filtered;
	struct buf text = BUF_NULL;

	progress->state = state;
	buf_clear(&progress->plan);
	buf_printf(&text, "replay %s: %" PRIu64 " record%s delivered",
		state == REPLAY_DONE ? "done" : "stopped", n, str_plural(n));
	if (progress->n_rejected > 0)
		buf_printf(&text, ", %" PRIu64 " rejected (dead letters)", progress->n_rejected);
	if (progress->n_filtered > 0)
		buf_printf(&text, ", %" PRIu64 " dropped by filter", progress->n_filtered);
	if (state == REPLAY_DONE && n_seen < replay->n_records) {
		snprintf(progress->text, sizeof(progress->text),
			"%" PRIu64 " of %" PRIu64
			" records were no longer kept when their turn came (keep_limit)",
			replay->n_records - n_seen, replay->n_records);
	}
	if (*progress->text)
		buf_printf(&text, "; %s", progress->text);
	log_write(*progress->text ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, &subject, "%s",
		buf_text(&text));
	events_add(delivery->setup.store, &(struct event){.kind = EVENT_REPLAY,
						  .source = replay->source,
						  .sink = delivery->sink->name,
						  .by = by,
						  .text = buf_text(&text)});
	buf_deinit(&text);
	replay_store(delivery);
	/* what is not committed happens again, and needs the copy; else the next start removes it
	 */
	if (!replay->source && committer_flush(delivery->setup.committer))
		replay_copy_remove(delivery->setup.state_directory, replay->number);
	delivery_changed(delivery);
}

/* --- steps --- */

/* It may pass; if not, the replay must not keep what waits from the sink for ever. */
static void replay_unreadable(struct delivery *delivery, const struct fault *fault)
{
	struct fault told = *fault;

	if (!delivery->replay->source)
		fault_set(&told, fault->class,
			"%s (`trawlctl replay %s --stop` gives the replay up)", fault->text,
			delivery->sink->name);
	delivery_fail(delivery, &told);
}

/* The copy is damaged or gone: that does not pass by itself. */
static void replay_damaged(struct delivery *delivery, const struct fault *fault)
{
	snprintf(delivery->replay->progress.text, sizeof(delivery->replay->progress.text),
		"%.200s; replay the files again", fault->text);
	replay_over(delivery, REPLAY_STOPPED, NULL);
	delivery_schedule(delivery);
}

void delivery_replay_take(struct delivery *delivery)
{
	const struct job_terms terms = delivery_terms(delivery);
	struct replay_job *job = MEM_NEW(struct replay_job);
	struct fault fault = FAULT_NULL;
	CLEANUP(job_plan_deinit) struct job_plan plan = JOB_PLAN_NULL;
	int64_t planned = 0;
	int r;

	if (delivery->replay->progress.plan.size > 0)
		delivery_plan_parse(buf_text(&delivery->replay->progress.plan), &planned, 1, &plan);
	r = replay_read(delivery, planned, job, &fault);
	if (!r && job->n_items > 0) {
		delivery->job = job_new(delivery->sink->name, job->items, job->n_items,
			delivery->selection, &terms);
		if (planned == job->end)
			job_resume(delivery->job, &plan);
		delivery->replay_end = job->end;
		delivery->replaying = true;
		job->n_items = 0;
	}
	replay_job_deinit(job);
	free(job);
	if (r == STORE_E_CORRUPT && !delivery->replay->source) {
		replay_damaged(delivery, &fault);
	} else if (r == STORE_E_CORRUPT) {
		committer_damaged(delivery->setup.committer, &fault);
	} else if (r) {
		replay_unreadable(delivery, &fault);
	} else if (!delivery->replaying) {
		replay_over(delivery, REPLAY_DONE, NULL);
		delivery_schedule(delivery);
	} else {
		delivery_send(delivery);
	}
}

bool delivery_replay_plan(struct delivery *delivery, struct fault *reterr)
{
	struct replay_progress *progress = &delivery->replay->progress;
	CLEANUP(buf_deinit) struct buf before = progress->plan;
	bool same;

	progress->plan = BUF_NULL;
	buf_printf(&progress->plan, "%" PRId64, delivery->replay_end);
	delivery_plan_print(delivery, &progress->plan);
	same = strcmp(buf_text(&before), buf_text(&progress->plan)) == 0;
	/* an equal plan may be of an attempt whose commit failed */
	if (same && !commit_pending(delivery->setup.store) &&
		!committer_failing(delivery->setup.committer))
		return true;
	commit_add_replay(delivery->setup.store, delivery->sink->name, progress);
	if (committer_flush(delivery->setup.committer))
		return true;
	fault_set(reterr, FAULT_STORE, "the state cannot be written");
	return false;
}

static void replay_forget_job(struct delivery *delivery)
{
	job_free(delivery->job);
	delivery->job = NULL;
	delivery->replaying = false;
	delivery->state = DELIVERY_READY;
}

void delivery_replay_acknowledge(
	struct delivery *delivery, const char *position, uint64_t n_rejected)
{
	struct replay_progress *progress = &delivery->replay->progress;
	const struct sink_job *job = delivery->job;
	uint64_t n_all = 0, n_taken = job->n_records - n_rejected;

	for (size_t i = 0; i < job->n_batches; i++)
		n_all += job->batches[i]->n_records;
	delivery_count(delivery, n_taken);
	delivery->refused_records += n_rejected + job->n_unfit;
	progress->n_delivered += n_taken;
	progress->n_rejected += n_rejected + job->n_unfit;
	progress->n_filtered += n_all - job->n_records - job->n_unfit;
	progress->after = delivery->replay_end;
	buf_clear(&progress->plan);
	if (position)
		delivery_keep(delivery, position);
	replay_forget_job(delivery);
	replay_store(delivery);
	delivery_changed(delivery);
	delivery_schedule(delivery);
}

void delivery_replay_rejected(struct delivery *delivery, const struct fault *reason)
{
	struct replay_progress *progress = &delivery->replay->progress;

	delivery_works(delivery);
	snprintf(progress->text, sizeof(progress->text),
		"the receiver rejects every record of a job: %.160s", reason->text);
	replay_forget_job(delivery);
	replay_over(delivery, REPLAY_STOPPED, NULL);
	delivery_schedule(delivery);
}

/* --- from outside --- */

int delivery_replay(struct delivery *delivery, struct replay *replay, const char *by,
	const char *text, struct fault *reterr)
{
	int64_t number;
	int r;

	if (replay_runs(delivery)) {
		replay_free(replay);
		return fault_set(reterr, FAULT_CONFIG,
			"a replay to sink `%s` is running (`trawlctl replay %s --stop` ends it)",
			delivery->sink->name, delivery->sink->name);
	}
	/* what is collected of the last one must not be written to the new one's row */
	r = committer_flush(delivery->setup.committer)
		    ? 0
		    : fault_set(reterr, FAULT_STORE, "%s; nothing was changed",
			      committer_why(delivery->setup.committer));
	number = replays_next_number(delivery->setup.store);
	if (!r && replay->copy)
		r = replay_copy_take(delivery->setup.state_directory, number, replay->copy, reterr);
	if (!r) {
		r = replays_begin(delivery->setup.store, replay, by, text, reterr);
		if (r && r != STORE_E_LOST && replay->copy) /* else it may have begun */
			replay_copy_remove(delivery->setup.state_directory, number);
	}
	if (r == STORE_E_CORRUPT)
		committer_damaged(delivery->setup.committer, reterr);
	if (r) {
		replay_free(replay);
		return -1;
	}
	replay_free(delivery->replay);
	delivery->replay = replay;
	delivery_changed(delivery);
	delivery_retry_now(delivery);
	delivery_schedule(delivery);
	return 0;
}

int delivery_replay_stop(struct delivery *delivery, const char *by, struct fault *reterr)
{
	if (!replay_runs(delivery))
		return fault_set(reterr, FAULT_CONFIG, "no replay to sink `%s` is running",
			delivery->sink->name);
	if (delivery->replaying) {
		if (delivery->state == DELIVERY_SENDING)
			delivery->sink->kind->cancel(delivery->sink);
		sink_answer_deinit(&delivery->answer);
		replay_forget_job(delivery);
	}
	snprintf(delivery->replay->progress.text, sizeof(delivery->replay->progress.text),
		"stopped by %.200s", by);
	replay_over(delivery, REPLAY_STOPPED, by);
	delivery_retry_now(delivery);
	delivery_schedule(delivery);
	return 0;
}

const struct replay *delivery_replay_status(const struct delivery *delivery)
{
	return delivery->replay;
}
