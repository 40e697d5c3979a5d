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
	size_t n_unfit = delivery->job->n_unfit;

	if (n > 0 && delivery_may_log(&delivery->refusal_logged_at))
		log_warning(&subject,
			"%" PRIu64 " records are refused for good: %s; they are kept in "
			"%s/dead-letters/%s.ndjson",
			n, delivery->refusal.text, directory, name);
	if (n_unfit > 0 && delivery_may_log(&delivery->unfit_logged_at))
		log_warning(&subject,
			"%zu record%s not valid UTF-8, which this sink cannot carry; kept in "
			"%s/dead-letters/%s.ndjson (a sink with `format = raw` that is not of type "
			"http gets the bytes as they are)",
			n_unfit, n_unfit == 1 ? " is" : "s are", directory, name);
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

void delivery_refuse(struct delivery *delivery)
{
	struct fault fault = FAULT_NULL;
	char *position = delivery->refused_position;
	uint64_t n = count_refused(delivery);

	if (deadletter_write(delivery->setup.state_directory, delivery->sink->name, delivery->job,
		    delivery->refused, delivery->reasons, delivery->refusal.text, &fault) != 0) {
		delivery_fail(delivery, &fault);
		return;
	}
	delivery_refuse_log(delivery, n);
	if (n < delivery->job->n_records) {
		delivery->last_success_time = clock_wall();
		delivery->n_blamed = 0;
	}
	delivery_works(delivery);
	free(delivery->refused);
	delivery->refused = NULL;
	delivery->reasons = NULL;
	delivery->refused_position = NULL;
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
