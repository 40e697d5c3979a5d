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

static void delivery_refuse_log(struct delivery *delivery, uint64_t n)
{
	struct log_subject subject = delivery_subject(delivery);
	const char *directory = delivery->setup.state_directory, *name = delivery->sink->name;
	const struct sink_job *job = delivery->job;
	size_t n_unfit = job->n_unfit;
	CLEANUP(buf_deinit) struct buf reason = BUF_NULL;

	if (n > 0 && delivery_may_log(&delivery->refusal_logged_at))
		log_warning(&subject,
			"%" PRIu64 " record%s %s rejected for good: %s; kept in "
			"%s/dead-letters/%s.ndjson (see `trawlctl dead-letters`)",
			n, str_plural(n), n == 1 ? "is" : "are", delivery->refusal.text, directory,
			name);
	if (n_unfit == 0 || !delivery_may_log(&delivery->unfit_logged_at))
		return;
	job_unfit_reason(job, &job->unfit[0], &reason);
	log_warning(&subject,
		"%zu record%s not sent; of the first: %s; kept in %s/dead-letters/%s.ndjson (a "
		"file sink with `format = raw` takes every record)",
		n_unfit, n_unfit == 1 ? " is" : "s are", buf_text(&reason), directory, name);
}

void delivery_done(struct delivery *delivery, const char *position)
{
	const struct sink_job *job = delivery->job;

	if (job->n_unfit == 0) {
		delivery_acknowledge(delivery, position, 0);
		return;
	}
	delivery->state = DELIVERY_REFUSE;
	delivery->refused = mem_array(job->n_records, sizeof(*delivery->refused));
	delivery->refused_position = mem_strdup(position);
	delivery->reasons = NULL;
	delivery_schedule(delivery);
}

/* How many of the job's records are dead letters. */
static uint64_t count_refused(const struct delivery *delivery)
{
	uint64_t n = delivery->job->n_records;

	for (size_t i = 0; i < delivery->job->n_records; i++)
		n -= delivery->reasons ? !delivery->reasons[i]
				       : delivery->refused && !delivery->refused[i];
	return n;
}

/* The file is bounded: before it would grow beyond all measure, the sink waits. Not while dead
 * letters are sent again, which makes it smaller: the job in hand is in their way. */
static int refuse_within_limit(struct delivery *delivery, struct fault *reterr)
{
	uint64_t limit = delivery->setup.dead_letter_limit ? *delivery->setup.dead_letter_limit : 0;
	const struct sink_job *job = delivery->job;
	CLEANUP(buf_deinit) struct buf reason = BUF_NULL;

	if (limit == 0 || delivery->resend.active ||
		deadletter_size(delivery->setup.state_directory, delivery->sink->name) < limit)
		return 0;
	if (count_refused(delivery) > 0)
		buf_append_text(&reason, delivery->refusal.text);
	else
		job_unfit_reason(job, &job->unfit[0], &reason);
	return fault_set(reterr, FAULT_LIMIT,
		"the dead letters have reached dead_letter_limit (%" PRIu64
		" bytes), and more are rejected: %s; the sink waits until `trawlctl "
		"dead-letters resend %s` or `discard %s` makes room, or the limit is raised",
		limit, buf_text(&reason), delivery->sink->name, delivery->sink->name);
}

static void refuse_warn(const struct delivery *delivery, uint64_t size_before)
{
	uint64_t limit = delivery->setup.dead_letter_limit ? *delivery->setup.dead_letter_limit : 0;
	uint64_t size = deadletter_size(delivery->setup.state_directory, delivery->sink->name);
	uint64_t threshold = limit - limit / 5;
	struct log_subject subject = delivery_subject(delivery);

	if (limit == 0 || size_before >= threshold || size < threshold)
		return;
	log_warning(&subject,
		"the dead letters take %" PRIu64 " of %" PRIu64
		" bytes (dead_letter_limit); at the limit the sink waits (`trawlctl dead-letters "
		"list %s` shows them, `resend` or `discard` makes room)",
		size, limit, delivery->sink->name);
}

static int refuse_write(struct delivery *delivery, struct fault *reterr)
{
	const char *directory = delivery->setup.state_directory;
	uint64_t size = deadletter_size(directory, delivery->sink->name);
	int r = refuse_within_limit(delivery, reterr);

	if (r == 0)
		r = deadletter_write(directory, delivery->sink->name, delivery->job,
			delivery->refused, delivery->reasons, delivery->refusal.text, reterr);
	if (r == 0)
		refuse_warn(delivery, size);
	return r;
}

void delivery_refusal_reset(struct delivery *delivery)
{
	free(delivery->refused);
	free(delivery->refused_position);
	delivery->refused = NULL;
	delivery->reasons = NULL;
	delivery->refused_position = NULL;
}

void delivery_refuse(struct delivery *delivery)
{
	struct fault fault = FAULT_NULL;
	char *position = delivery->refused_position;
	uint64_t n = count_refused(delivery);

	if (refuse_write(delivery, &fault) != 0) {
		delivery_fail(delivery, &fault);
		return;
	}
	delivery_refuse_log(delivery, n);
	if (n < delivery->job->n_records) {
		delivery->last_success_time = clock_wall();
		delivery->n_blamed = 0;
	}
	delivery_works(delivery);
	delivery->refused_position = NULL;
	delivery_refusal_reset(delivery);
	delivery_acknowledge(delivery, position, n);
	free(position);
}

/* --- none is taken --- */

void delivery_none_taken(struct delivery *delivery, const struct fault *fault)
{
	if (strcmp(delivery->refusal.text, fault->text) != 0)
		delivery->n_blamed = 0;
	delivery->refusal = *fault;
	delivery->rejected_waited = false;
	delivery->state = DELIVERY_REJECTED;
	delivery->retries++;
	delivery_schedule(delivery);
}

bool delivery_is_in_doubt(const struct delivery *delivery)
{
	return delivery->state == DELIVERY_REJECTED && delivery->job->n_records < SINK_BLAME_LEAST;
}

static bool rejected_more_waits(const struct delivery *delivery)
{
	return delivery->queue.n_items > 0 || delivery->queue.behind;
}

/* Builds the job anew with as much as a job can hold. 0, or an outcome of the spool. */
static int rejected_widen(struct delivery *delivery, bool *ret_wider, struct fault *reterr)
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
	if (r == 0) {
		delivery_build(delivery);
		*ret_wider = delivery->job->n_batches > job->n_batches;
		delivery->planned = planned && !*ret_wider;
		if (delivery->planned)
			delivery->job->requests = job->requests;
		job_free(job);
	} else {
		queue_restart(&delivery->queue, job_last(job));
	}
	sink->gather = gather;
	return r;
}

static void rejected_wait(struct delivery *delivery)
{
	struct fault fault = delivery->refusal;

	fault_set(&fault, delivery->refusal.class,
		"the receiver refuses every record with the same words, so no record is blamed: %s",
		delivery->refusal.text);
	fault.status = delivery->refusal.status;
	fault.wait_ns = delivery->refusal.wait_ns;
	delivery->rejected_waited = true;
	delivery_fail(delivery, &fault);
}

void delivery_rejected(struct delivery *delivery)
{
	struct fault fault = FAULT_NULL;
	bool wider = false;

	if (delivery_is_in_doubt(delivery) && rejected_more_waits(delivery)) {
		int r = rejected_widen(delivery, &wider, &fault);

		if (r == STORE_E_CORRUPT) {
			committer_damaged(delivery->setup.committer, &fault);
			return;
		}
		if (r != 0) {
			delivery_fail(delivery, &fault);
			return;
		}
	}
	if (wider || delivery->rejected_waited) {
		delivery_send(delivery);
	} else if (delivery_is_in_doubt(delivery) && rejected_more_waits(delivery) &&
		   delivery->n_blamed + delivery->job->n_records < SINK_BLAME_LEAST) {
		/* few of many are selected: what follows decides */
		delivery->n_blamed += delivery->job->n_records;
		delivery->state = DELIVERY_REFUSE;
		delivery_schedule(delivery);
	} else {
		rejected_wait(delivery);
	}
}
