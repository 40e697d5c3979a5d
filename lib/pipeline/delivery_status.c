/* What a delivery says of itself. */
#include "pipeline/delivery_internal.h"

#include "base/timestamp.h"

#define RETRY_ATTEMPTS 3 /* --once: retries of a failure that may pass */
#define RETRY_WAIT (30 * NSEC_PER_SEC) /* --once: a longer wait is the next run's */

const char *delivery_name(const struct delivery *delivery)
{
	return delivery->sink->name;
}

int64_t delivery_acknowledged(const struct delivery *delivery)
{
	return delivery->acknowledged;
}

const char *delivery_position(const struct delivery *delivery)
{
	return delivery->position;
}

bool delivery_is_idle(const struct delivery *delivery)
{
	const struct sink_kind *kind = delivery->sink->kind;

	return delivery->started && delivery->state == DELIVERY_READY && !delivery->waiting &&
	       delivery->n_sent == 0 && !delivery->resend.active && !delivery->resend.unread &&
	       queue_is_empty(&delivery->queue) && !(kind->busy && kind->busy(delivery->sink));
}

bool delivery_is_paused(const struct delivery *delivery)
{
	return delivery->paused && delivery->state != DELIVERY_SENDING && delivery->n_sent == 0;
}

bool delivery_is_under_way(const struct delivery *delivery)
{
	return delivery->state == DELIVERY_SENDING || delivery->n_sent > 0 ||
	       (delivery->state == DELIVERY_REJECT && !delivery->waiting && !delivery->paused);
}

bool delivery_has_pending(const struct delivery *delivery)
{
	return delivery->pending_records > 0;
}

bool delivery_is_failing(const struct delivery *delivery)
{
	return delivery->failing;
}

const struct fault *delivery_undone(const struct delivery *delivery)
{
	const struct sink_kind *kind = delivery->sink->kind;

	return kind->undone ? kind->undone(delivery->sink) : NULL;
}

bool delivery_is_retrying(const struct delivery *delivery)
{
	return delivery->failing && fault_may_pass(delivery->fault.class) &&
	       delivery->wait_ns <= RETRY_WAIT && delivery->n_vain <= RETRY_ATTEMPTS;
}

static nsec_t delivery_oldest(const struct delivery *delivery)
{
	if (delivery->n_sent > 0)
		return delivery->sent[0].oldest_time;
	if (delivery->job && !delivery->replaying)
		return delivery->job->batches[0]->accepted_time;
	if (delivery->queue.n_items > 0)
		return delivery->queue.items[0]->accepted_time;
	return NSEC_NONE;
}

/* How long until a failing sink is tried again; 0: it is being tried. */
static nsec_t delivery_next_try(const struct delivery *delivery)
{
	nsec_t left = delivery->waiting ? delivery->retry_at - clock_monotonic() : 0;

	return left > 0 ? left : 0;
}

/* As delivery_fail, but the sink has the job still, and nothing is to be tried again. */
void delivery_stalled(struct delivery *delivery, const struct fault *fault, nsec_t since_ns)
{
	struct log_subject subject = delivery_subject(delivery);
	struct buf since = BUF_NULL;

	if (fault) {
		delivery->stalled = *fault;
		delivery->stalled_time = clock_wall() - since_ns;
		log_warning(&subject,
			"%s; its records wait in the spool until it responds; nothing is lost, and everything else continues",
			fault->text);
	} else {
		timestamp_print_duration(clock_wall() - delivery->stalled_time, &since);
		log_notice(&subject, "works again after %s: the call that hung has returned",
			buf_text(&since));
		buf_deinit(&since);
		delivery->stalled = FAULT_NULL;
	}
	delivery_changed(delivery);
}

struct sink_job *delivery_take_job(struct delivery *delivery)
{
	struct sink_job *job = delivery->job;

	delivery->job = NULL;
	return job;
}

void delivery_count(struct delivery *delivery, uint64_t n)
{
	delivery->delivered_records += n;
	minutes_add(&delivery->delivered, clock_monotonic(), n);
}

void delivery_status(const struct delivery *delivery, struct sink_status *ret)
{
	bool stalled = delivery->stalled.class != FAULT_NONE;

	*ret = (struct sink_status){
		.name = delivery->sink->name,
		.kind = delivery->sink->kind->name,
		.location = delivery->location,
		.acknowledged = delivery->acknowledged,
		.pending_records = delivery->pending_records,
		.oldest_time = delivery_oldest(delivery),
		.delivered_records = delivery->delivered_records,
		.delivered = &delivery->delivered,
		.filtered_records = delivery->filtered_records,
		.refused_records = delivery->refused_records,
		.retries = delivery->retries,
		.paused = delivery->paused,
		.failing = delivery->failing || stalled,
		.poison = delivery->failing && delivery->sink->poison,
		.failing_time = stalled ? delivery->stalled_time : delivery->failing_time,
		.n_attempts = stalled ? 1 : delivery->failing_tries,
		.fault = stalled ? delivery->stalled : delivery->fault,
		.undone = delivery_undone(delivery),
		.wait_ns = delivery->wait_ns,
		.next_try_ns = delivery_next_try(delivery),
		.last_success_time = delivery->last_success_time,
		.replay = delivery->replay,
	};
}
