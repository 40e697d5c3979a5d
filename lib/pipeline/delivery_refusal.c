/*
 * Records that a receiver will never take: they become dead letters before the job is acknowledged.
 *
 * Not where the receiver takes nothing at all and says the same of every record: a closed index or
 * a token without a channel is no record's fault. SINK_BLAME_LEAST records are enough to tell. Of
 * fewer the rest of what waits is tried with them, in one larger job: none of them was taken, so
 * that no record can come twice by it. If nothing else waits the sink waits, too.
 */
#include "pipeline/delivery_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "pipeline/deadletter.h"
#include "store/commit.h"
#include "store/spool.h"

/* A receiver that refuses everything must not fill the log; the counter tells the rest. */
static bool delivery_may_log(nsec_t *logged_at)
{
	nsec_t now_at = clock_monotonic();

	if (*logged_at != NSEC_NONE && now_at - *logged_at < NSEC_PER_MIN)
		return false;
	*logged_at = now_at;
	return true;
}

static void reject_log(struct delivery *delivery, uint64_t n)
{
	struct log_subject subject = delivery_subject(delivery);
	const char *directory = delivery->setup.state_directory, *name = delivery->sink->name;
	const struct sink_job *job = delivery->job;
	size_t n_unfit = job->n_unfit;
	CLEANUP(buf_deinit) struct buf reason = BUF_NULL;

	if (n > 0 && delivery_may_log(&delivery->rejected_logged_at))
		log_warning(&subject,
			"%" PRIu64
			" record%s %s rejected for good: %s; kept in %s/dead-letters/%s.ndjson (see `trawlctl dead-letters`)",
			n, str_plural(n), n == 1 ? "is" : "are", delivery->answer.error.text,
			directory, name);
	if (n_unfit == 0 || !delivery_may_log(&delivery->unfit_logged_at))
		return;
	job_unfit_reason(job, &job->unfit[0], &reason);
	log_warning(&subject,
		"%zu record%s not sent; of the first: %s; kept in %s/dead-letters/%s.ndjson (a file sink with `format = raw` takes every record)",
		n_unfit, n_unfit == 1 ? " is" : "s are", buf_text(&reason), directory, name);
}

void delivery_done(struct delivery *delivery, const char *position)
{
	const struct sink_job *job = delivery->job;

	if (job->n_unfit == 0) {
		delivery_acknowledge(delivery, position, 0);
		return;
	}
	delivery->state = DELIVERY_REJECT;
	delivery->answer.result = SINK_DELIVERED;
	delivery->answer.position = mem_strdup(position);
	delivery_schedule(delivery);
}

/* The file is bounded: before it would grow beyond all measure, the sink waits. Not while dead
 * letters are sent again, which makes it smaller: the job in hand is in their way. */
static int reject_within_limit(struct delivery *delivery, struct fault *reterr)
{
	uint64_t limit = delivery->setup.dead_letter_limit ? *delivery->setup.dead_letter_limit : 0;
	const struct sink_job *job = delivery->job;
	CLEANUP(buf_deinit) struct buf reason = BUF_NULL;

	if (limit == 0 || delivery->resend.active ||
		deadletter_size(delivery->setup.state_directory, delivery->sink->name) < limit)
		return 0;
	if (deadletter_count_rejected(delivery->job, &delivery->answer) > 0)
		buf_append_text(&reason, delivery->answer.error.text);
	else
		job_unfit_reason(job, &job->unfit[0], &reason);
	return fault_set(reterr, FAULT_LIMIT,
		"the dead letters have reached dead_letter_limit (%" PRIu64
		" bytes), and more are rejected: %s; the sink waits until `trawlctl dead-letters resend %s` or `discard %s` makes room, or the limit is raised",
		limit, buf_text(&reason), delivery->sink->name, delivery->sink->name);
}

static void reject_warn(const struct delivery *delivery, uint64_t size_before)
{
	uint64_t limit = delivery->setup.dead_letter_limit ? *delivery->setup.dead_letter_limit : 0;
	uint64_t size = deadletter_size(delivery->setup.state_directory, delivery->sink->name);
	uint64_t threshold = limit - limit / 5;
	struct log_subject subject = delivery_subject(delivery);

	if (limit == 0 || size_before >= threshold || size < threshold)
		return;
	log_warning(&subject,
		"the dead letters take %" PRIu64 " of %" PRIu64
		" bytes (dead_letter_limit); at the limit the sink waits (`trawlctl dead-letters list %s` shows them, `resend` or `discard` makes room)",
		size, limit, delivery->sink->name);
}

static int reject_write(struct delivery *delivery, struct fault *reterr)
{
	const char *directory = delivery->setup.state_directory;
	uint64_t size = deadletter_size(directory, delivery->sink->name);
	int r = reject_within_limit(delivery, reterr);

	/* the file tells of one job only whether its dead letters are complete */
	if (!r && commit_pending(delivery->setup.store) &&
		!committer_flush(delivery->setup.committer))
		r = fault_set(reterr, FAULT_STORE, "the state cannot be written");
	if (!r)
		r = deadletter_write(
			directory, delivery->sink->name, delivery->job, &delivery->answer, reterr);
	if (!r)
		reject_warn(delivery, size);
	return r;
}

/* ANSWER is left empty. */
static void keep_answer(struct delivery *delivery, struct sink_answer *answer)
{
	sink_answer_deinit(&delivery->answer);
	delivery->answer = *answer;
	*answer = (struct sink_answer){0};
}

void delivery_rejected(struct delivery *delivery, struct sink_answer *answer)
{
	keep_answer(delivery, answer);
	delivery->state = DELIVERY_REJECT;
	delivery_schedule(delivery);
}

void delivery_reject(struct delivery *delivery)
{
	struct fault fault = FAULT_NULL;
	CLEANUP_FREE char *position = NULL;
	uint64_t n = deadletter_count_rejected(delivery->job, &delivery->answer);

	if (reject_write(delivery, &fault) != 0) {
		delivery_fail(delivery, &fault);
		return;
	}
	reject_log(delivery, n);
	if (n < delivery->job->n_records) {
		delivery->last_success_time = clock_wall();
		delivery->n_blamed = 0;
	}
	delivery_works(delivery);
	position = delivery->answer.position;
	delivery->answer.position = NULL;
	sink_answer_deinit(&delivery->answer);
	delivery_acknowledge(delivery, position, n);
}

/* --- dead letters from before a crash --- */

bool delivery_is_kept(const struct delivery *delivery)
{
	struct deadletter_mark mark = deadletter_mark_of(delivery->job, 1);

	return delivery->n_sent == 0 && delivery->kept.nth == delivery->kept.count &&
	       deadletter_mark_is_same(&delivery->kept, &mark) &&
	       !(delivery->sink->kind->capabilities & SINK_EXACTLY_ONCE);
}

bool delivery_forget_parts(struct delivery *delivery, struct fault *reterr)
{
	struct deadletter_mark mark = deadletter_mark_of(delivery->job, 1);

	if (delivery->kept.nth == delivery->kept.count ||
		!deadletter_mark_is_same(&delivery->kept, &mark))
		return true;
	if (deadletter_mark_forget(
		    delivery->setup.state_directory, delivery->sink->name, &mark, reterr))
		return false;
	delivery->kept = DEADLETTER_MARK_NULL;
	return true;
}

void delivery_found(struct delivery *delivery)
{
	struct log_subject subject = delivery_subject(delivery);
	const struct sink_job *job = delivery->job;
	uint64_t n = delivery->kept.count;

	log_notice(&subject,
		"%" PRIu64
		" record%s had become dead letters when trawld ended; their job is not sent again",
		n, str_plural(n));
	n -= job->n_unfit < n ? job->n_unfit : n;
	delivery_acknowledge(delivery, NULL, n < job->n_records ? n : job->n_records);
}

/* --- none is taken --- */

void delivery_none_taken(struct delivery *delivery, struct sink_answer *answer)
{
	if (strcmp(delivery->answer.error.text, answer->error.text) != 0)
		delivery->n_blamed = 0;
	keep_answer(delivery, answer);
	delivery->none_taken_waited = false;
	delivery->state = DELIVERY_NONE_TAKEN;
	delivery->retries++;
	delivery_schedule(delivery);
}

bool delivery_is_in_doubt(const struct delivery *delivery)
{
	return delivery->state == DELIVERY_NONE_TAKEN &&
	       delivery->job->n_records < SINK_BLAME_LEAST;
}

static bool doubt_more_waits(const struct delivery *delivery)
{
	return delivery->queue.n_items > 0 || delivery->queue.behind;
}

/* Makes the job as large as a job can be. If that adds nothing, it stays as it is. 0, or an outcome
 * of the spool. */
static int doubt_widen(struct delivery *delivery, bool *ret_wider, struct fault *reterr)
{
	struct sink *sink = delivery->sink;
	struct sink_gather gather = sink->gather;
	struct sink_job *job = delivery->job;
	bool planned = delivery->planned;
	int r;

	sink->gather.n_records = 0;
	sink->gather.bytes = 0;
	queue_restart(&delivery->queue, delivery->acknowledged);
	r = queue_refill(&delivery->queue, 0, &sink->gather, reterr);
	if (!r)
		delivery_build(delivery);
	*ret_wider = delivery->job->n_batches > job->n_batches;
	if (*ret_wider) {
		job_free(job);
	} else { /* it knows how its requests are split */
		if (delivery->job != job)
			job_free(delivery->job);
		delivery->job = job;
		delivery->planned = planned;
		queue_restart(&delivery->queue, job_last(job));
		if (!r) /* else something seems to wait behind it */
			r = queue_refill(&delivery->queue, 0, &sink->gather, reterr);
	}
	sink->gather = gather;
	return r;
}

static void doubt_wait(struct delivery *delivery)
{
	const struct fault *error = &delivery->answer.error;
	struct fault fault = *error;

	fault_set(&fault, error->class,
		"the receiver refuses every record with the same words, so no record is blamed: %s",
		error->text);
	fault.status = error->status;
	fault.wait_ns = error->wait_ns;
	delivery->none_taken_waited = true;
	delivery_fail(delivery, &fault);
}

void delivery_doubt(struct delivery *delivery)
{
	struct fault fault = FAULT_NULL;
	bool wider = false;

	if (delivery_is_in_doubt(delivery) && doubt_more_waits(delivery)) {
		int r = doubt_widen(delivery, &wider, &fault);

		if (r == STORE_E_CORRUPT) {
			committer_damaged(delivery->setup.committer, &fault);
			return;
		}
		if (r) {
			delivery_fail(delivery, &fault);
			return;
		}
	}
	if (wider || delivery->none_taken_waited) {
		delivery_send(delivery);
	} else if (delivery_is_in_doubt(delivery) && doubt_more_waits(delivery) &&
		   delivery->n_blamed + delivery->job->n_records < SINK_BLAME_LEAST) {
		/* few of many are selected: what follows decides */
		delivery->n_blamed += delivery->job->n_records;
		delivery->state = DELIVERY_REJECT;
		delivery_schedule(delivery);
	} else {
		doubt_wait(delivery);
	}
}
