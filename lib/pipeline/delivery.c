/*
 * Delivery: a small state machine that a timer steps. A step does one thing (tells the sink its
 * place, builds a job, hands it over, writes dead letters); the answer arms the timer again, at
 * once or after the back-off. Steps never run inside a caller's call: a sink never answers inside
 * deliver(), and a commit may offer batches inside a step.
 *
 * Left to others: what a sink means by "delivered" (the kind), which sinks a source has and when
 * bodies are released (fanout.c), when acknowledgements become durable (committer.c).
 */
#include "pipeline/delivery_internal.h"

#include <assert.h>
#include <inttypes.h>

#include "base/digest.h"
#include "base/json_remove.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/timer.h"
#include "base/timestamp.h"
#include "pipeline/selection.h"
#include "store/commit.h"
#include "store/spool.h"

#define DELIVERY_PROVIDER "trawld" /* of records of trawld's own */

struct log_subject delivery_subject(const struct delivery *delivery)
{
	return (struct log_subject){"sink", delivery->sink->name, delivery->location};
}

void delivery_changed(struct delivery *delivery)
{
	delivery->setup.changed(delivery, delivery->setup.userdata);
}

/* Steps at the next turn of the loop, or after WAIT_NS. */
static void delivery_arm(struct delivery *delivery, nsec_t wait_ns)
{
	if (!delivery->paused)
		timer_start(delivery->setup.loop, &delivery->timer, wait_ns);
}

/* The last batch of the spool that is with the sink, or was. */
static int64_t delivery_taken(const struct delivery *delivery)
{
	if (delivery->job && !delivery_is_aside(delivery))
		return job_last(delivery->job);
	return delivery->n_sent > 0 ? delivery->sent[delivery->n_sent - 1].last
				    : delivery->acknowledged;
}

void delivery_schedule(struct delivery *delivery)
{
	if (delivery->started && !delivery->waiting && delivery->state != DELIVERY_SENDING)
		delivery_arm(delivery, 0);
}

void delivery_fail(struct delivery *delivery, const struct fault *fault)
{
	struct log_subject subject = delivery_subject(delivery);
	struct buf wait = BUF_NULL;
	nsec_t asked_ns = backoff_grant(delivery->backoff.max_ns, fault->wait_ns);

	delivery->wait_ns = backoff_next(&delivery->backoff);
	if (delivery->wait_ns < asked_ns)
		delivery->wait_ns = asked_ns;
	delivery->fault = *fault;
	delivery->failing_tries++;
	delivery->n_vain++;
	timestamp_print_duration(delivery->wait_ns, &wait);
	if (!delivery->failing) {
		delivery->failing = true;
		delivery->failing_since_at = clock_monotonic();
		delivery->failing_time = clock_wall();
		log_recent(&subject, &delivery->recent_told_at);
		log_warning(&subject, "%s; nothing is lost, retrying in %s and until it succeeds",
			fault->text, buf_text(&wait));
	} else {
		log_debug(&subject, "%s; retrying in %s", fault->text, buf_text(&wait));
	}
	buf_deinit(&wait);
	/* what follows can be read again when the sink is back */
	if (delivery->job)
		queue_restart(&delivery->queue, delivery_taken(delivery));
	delivery->waiting = true;
	delivery->retry_at = clock_monotonic() + delivery->wait_ns;
	delivery_arm(delivery, delivery->wait_ns);
	delivery_changed(delivery);
}

void delivery_works(struct delivery *delivery)
{
	struct log_subject subject = delivery_subject(delivery);
	struct buf since = BUF_NULL;

	backoff_reset(&delivery->backoff);
	if (!delivery->failing)
		return;
	timestamp_print_duration(clock_monotonic() - delivery->failing_since_at, &since);
	log_notice(&subject, "works again after %s and %u failed attempt%s", buf_text(&since),
		delivery->failing_tries, str_plural(delivery->failing_tries));
	buf_deinit(&since);
	delivery->failing = false;
	delivery->failing_tries = delivery->n_vain = 0;
	delivery->wait_ns = 0;
	delivery->fault = FAULT_NULL;
	delivery_changed(delivery);
}

void delivery_keep(struct delivery *delivery, const char *position)
{
	char *copy = mem_strdup(position);

	commit_add_ack(
		delivery->setup.store, delivery->sink->name, delivery->acknowledged, position);
	if (!position)
		return;
	free(delivery->position);
	delivery->position = copy;
}

void delivery_acknowledge(struct delivery *delivery, const char *position, uint64_t n_rejected)
{
	struct job_tally tally;

	if (delivery->resending) {
		delivery_resend_acknowledge(delivery, position, n_rejected);
		return;
	}
	if (delivery->replaying) {
		delivery_replay_acknowledge(delivery, position, n_rejected);
		return;
	}
	assert(delivery->n_sent == 0);
	job_tally_init(&tally, delivery->job);
	job_free(delivery->job);
	delivery->job = NULL;
	delivery->planned = false;
	delivery->state = DELIVERY_READY;
	delivery_settle(delivery, &tally, position, n_rejected);
	job_tally_deinit(&tally);
}

bool delivery_store_position(struct delivery *delivery, const char *position)
{
	/* the answer to an earlier try came after all: a server that takes longer than a flush
	 * waits would else keep the sink from its records for good */
	if (delivery->position && strcmp(delivery->position, position) == 0 &&
		!commit_pending(delivery->setup.store) &&
		!committer_failing(delivery->setup.committer) &&
		store_may_deliver(delivery->setup.store))
		return true;
	delivery_keep(delivery, position);
	return committer_flush(delivery->setup.committer);
}

void delivery_publish(
	struct delivery *delivery, const char *source, struct slice text, const char *id)
{
	nsec_t now = clock_wall();
	struct batch *batch = batch_new(source, DELIVERY_PROVIDER, now);
	struct id key = digest_id(slice_of(id));

	batch->keep_ids = false;
	batch_add(batch, text, &key, slice_of(id), now);
	commit_add_page(delivery->setup.store, source, batch, NULL, delivery->setup.published,
		delivery->setup.userdata);
	batch_unref(batch);
	committer_touch(delivery->setup.committer);
}

/* The sink keeps the job: it answers no more, and is given no other job. */
void delivery_fenced(struct delivery *delivery, const struct fault *fault)
{
	delivery->setup.fenced(delivery, fault, delivery->setup.userdata);
}

void delivery_attest(const struct delivery *delivery, const char *source, struct buf *out)
{
	delivery->setup.attest(delivery, source, out, delivery->setup.userdata);
}

void delivery_advanced(struct delivery *delivery)
{
	backoff_reset(&delivery->backoff);
	delivery->n_vain = 0;
}

/* A receiver that fails now and then must not fill the log. */
void delivery_retried(struct delivery *delivery, const struct fault *fault)
{
	struct log_subject subject = delivery_subject(delivery);
	nsec_t now_at = clock_monotonic();
	bool told = delivery->retry_logged_at != NSEC_NONE &&
		    now_at - delivery->retry_logged_at < NSEC_PER_HOUR;

	delivery->retries++;
	log_write(told ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE, &subject,
		"%s; sending that part again while the rest continues", fault->text);
	if (!told)
		delivery->retry_logged_at = now_at;
}

void delivery_progress(struct delivery *delivery)
{
	delivery_changed(delivery);
}

static int64_t delivery_wanted(const char *source, void *userdata)
{
	struct delivery *delivery = userdata;

	return delivery->setup.wanted(source, delivery, delivery->setup.userdata);
}

struct job_terms delivery_terms(const struct delivery *delivery)
{
	return (struct job_terms){
		.format = (enum record_format)delivery->setup.common->format,
		.capabilities = delivery->sink->kind->capabilities,
		.max_record = delivery->sink->max_record,
		.remove = delivery->remove,
		.requests = delivery->sink->requests,
	};
}

void delivery_build(struct delivery *delivery)
{
	struct queue *queue = &delivery->queue;
	bool kept = delivery->kept.count > 0 && delivery->kept.first == queue->items[0]->number;
	size_t n = queue_measure(
		queue, kept ? delivery->kept.last : delivery->plan_last, &delivery->sink->gather);
	const struct job_terms terms = delivery_terms(delivery);

	delivery->job = job_new(delivery->sink->name, queue->items, n, delivery->selection, &terms);
	queue_shift(queue, n);
	delivery->planned = delivery->plan_first == job_first(delivery->job) &&
			    delivery->plan_last == job_last(delivery->job);
	if (delivery->planned)
		job_resume(delivery->job, &delivery->plan);
	job_plan_deinit(&delivery->plan);
	delivery->plan_first = 0;
	delivery->plan_last = 0;
}

/* --- steps --- */

void delivery_send(struct delivery *delivery)
{
	struct log_subject subject = delivery_subject(delivery);
	struct fault fault = FAULT_NULL;

	delivery->state = DELIVERY_SEND;
	/* dead letters and acknowledgements are in order, too */
	if (delivery->n_sent > 0 && (delivery->job->n_unfit > 0 || delivery->job->n_records == 0))
		return;
	if (delivery->job->n_records == 0) {
		delivery_done(delivery, NULL);
		return;
	}
	if (delivery_is_kept(delivery)) {
		delivery_found(delivery);
		return;
	}
	if (!delivery_forget_parts(delivery, &fault) || !delivery_plan_write(delivery, &fault)) {
		delivery->retries++;
		delivery_fail(delivery, &fault);
		return;
	}
	if (!store_may_deliver(delivery->setup.store))
		return; /* this process is about to end */
	if (delivery_is_aside(delivery))
		log_debug(&subject, "job: %zu %s%s", delivery->job->n_records,
			delivery->resending ? "dead letter" : "replayed record",
			str_plural(delivery->job->n_records));
	else
		log_debug(&subject, "job: batches %" PRId64 " to %" PRId64 ", %zu record%s",
			job_first(delivery->job), job_last(delivery->job), delivery->job->n_records,
			str_plural(delivery->job->n_records));
	delivery->state = DELIVERY_HANDOVER;
	delivery->sink->kind->deliver(delivery->sink, delivery->job);
	delivery->state = DELIVERY_SENDING;
}

/* Is what waits to wait for more? Then the timer is armed. */
static bool delivery_gathers(struct delivery *delivery)
{
	const struct sink_gather *gather = &delivery->sink->gather;
	nsec_t now_at = clock_monotonic();

	if (gather->age_ns == 0 || delivery->hurried)
		return false;
	if (delivery->gather_until_at == NSEC_NONE)
		delivery->gather_until_at = now_at + gather->age_ns;
	if (now_at >= delivery->gather_until_at || delivery->plan_last > 0 ||
		queue_has_job(&delivery->queue, gather)) {
		delivery->gather_until_at = NSEC_NONE;
		return false;
	}
	delivery_arm(delivery, delivery->gather_until_at - now_at);
	return true;
}

static void delivery_take(struct delivery *delivery)
{
	struct fault fault = FAULT_NULL;
	int r;

	if (delivery_replay_is_due(delivery, false)) {
		if (delivery->n_sent == 0)
			delivery_replay_take(delivery);
		return;
	}
	if (delivery->resend.unread && !delivery_resend_reads(delivery))
		return;
	if (delivery->resend.active) {
		if (delivery->n_sent == 0)
			delivery_resend_take(delivery);
		return;
	}
	r = queue_refill(&delivery->queue, delivery->plan_last, &delivery->sink->gather, &fault);
	if (r == STORE_E_CORRUPT) {
		committer_damaged(delivery->setup.committer, &fault);
		return;
	}
	if (r) {
		delivery_fail(delivery, &fault);
		return;
	}
	if (delivery->queue.n_items == 0) {
		if (delivery->n_sent > 0)
			return;
		if (delivery_replay_is_due(delivery, true)) {
			delivery_replay_take(delivery);
			return;
		}
		delivery_works(delivery); /* the spool can be read again */
		if (delivery->sink->kind->idle)
			delivery->sink->kind->idle(delivery->sink);
		delivery_changed(delivery);
		return;
	}
	if (delivery_gathers(delivery)) {
		if (delivery->n_sent == 0 && delivery_replay_is_due(delivery, true))
			delivery_replay_take(delivery);
		return;
	}
	delivery_build(delivery);
	delivery_send(delivery);
}

static void delivery_is_recovered(struct delivery *delivery)
{
	delivery_works(delivery);
	delivery->state = DELIVERY_READY;
	delivery_schedule(delivery);
}

static void delivery_recover(struct delivery *delivery)
{
	const struct sink_kind *kind = delivery->sink->kind;
	struct fault fault = FAULT_NULL;
	int r = deadletter_mark_find(
		delivery->setup.state_directory, delivery->sink->name, &delivery->kept, &fault);

	if (!r && kind->recover)
		r = kind->recover(delivery->sink, delivery->position, &fault);
	if (r)
		delivery_fail(delivery, &fault);
	else if (kind->capabilities & SINK_RECOVERS_LATER)
		delivery->state = DELIVERY_RECOVERING;
	else
		delivery_is_recovered(delivery);
}

void delivery_recovered(struct delivery *delivery, const struct fault *fault)
{
	assert(delivery->state == DELIVERY_RECOVERING);
	if (!fault) {
		delivery_is_recovered(delivery);
		return;
	}
	delivery->state = DELIVERY_RECOVER;
	delivery_fail(delivery, fault);
}

void delivery_answer(struct delivery *delivery, struct sink_answer *answer)
{
	assert(delivery->state == DELIVERY_SENDING || delivery->n_sent > 0);
	assert(delivery->n_sent == 0 || answer->result == SINK_RETRY);
	switch (answer->result) {
	case SINK_DELIVERED:
		delivery->last_success_time = clock_wall();
		delivery->n_blamed = 0;
		delivery_works(delivery);
		delivery_done(delivery, answer->position);
		break;
	case SINK_RETRY:
		if (delivery->n_sent > 0)
			delivery_sent_lost(delivery);
		else
			delivery->state = DELIVERY_SEND;
		delivery->retries++;
		delivery_fail(delivery, &answer->error);
		break;
	case SINK_REJECTED:
		delivery_rejected(delivery, answer);
		break;
	case SINK_NONE_TAKEN:
		if (delivery->resending)
			delivery_resend_rejected(delivery, &answer->error);
		else if (delivery->replaying)
			delivery_replay_rejected(delivery, &answer->error);
		else
			delivery_none_taken(delivery, answer);
		break;
	}
	sink_answer_deinit(answer);
}

static void delivery_step(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct delivery *delivery = watcher->data;

	(void)loop;
	(void)events;
	delivery->waiting = false;
	if (delivery->held && delivery->state != DELIVERY_REJECT)
		return;
	switch (delivery->state) {
	case DELIVERY_RECOVER:
		delivery_recover(delivery);
		break;
	case DELIVERY_READY:
		delivery_take(delivery);
		break;
	case DELIVERY_SEND:
		delivery_send(delivery);
		break;
	case DELIVERY_REJECT:
		delivery_reject(delivery);
		break;
	case DELIVERY_NONE_TAKEN:
		delivery_doubt(delivery);
		break;
	case DELIVERY_RECOVERING:
	case DELIVERY_HANDOVER:
	case DELIVERY_SENDING:
		break;
	}
}

/* --- from outside --- */

int delivery_new(struct delivery **ret, const struct delivery_setup *setup, struct sink *sink,
	struct fault *reterr)
{
	struct delivery *delivery;
	struct selection *selection;
	struct json_remove *remove = NULL;
	struct replay *replay = NULL;
	int r = selection_new(&selection, &setup->common->include, &setup->common->exclude, reterr);

	if (r)
		return r;
	if (setup->common->remove.n_items > 0)
		r = json_remove_new(&remove, &setup->common->remove, reterr);
	if (!r)
		r = replays_get(setup->store, sink->name, &replay, reterr);
	if (r) {
		json_remove_free(remove);
		selection_free(selection);
		return r;
	}
	delivery = MEM_NEW(struct delivery);
	delivery->setup = *setup;
	delivery->location = mem_strdup(setup->location);
	delivery->sink = sink;
	delivery->selection = selection;
	delivery->remove = remove;
	delivery->acknowledged = setup->acknowledged;
	delivery->position = mem_strdup(setup->position);
	queue_init(&delivery->queue, setup->store, delivery_wanted, delivery, setup->acknowledged);
	delivery->backoff = BACKOFF_DEFAULT;
	if (setup->common->retry_max_ns > 0)
		delivery->backoff.max_ns = setup->common->retry_max_ns;
	if (delivery->backoff.min_ns > delivery->backoff.max_ns)
		delivery->backoff.min_ns = delivery->backoff.max_ns;
	delivery->rejected_logged_at = NSEC_NONE;
	delivery->unfit_logged_at = NSEC_NONE;
	delivery->retry_logged_at = NSEC_NONE;
	delivery->recent_told_at = NSEC_NONE;
	delivery->gather_until_at = NSEC_NONE;
	delivery->last_success_time = NSEC_NONE;
	ev_timer_init(&delivery->timer, delivery_step, 0., 0.);
	delivery->timer.data = delivery;
	sink->delivery = delivery;
	delivery_plan_read(delivery);
	(void)resend_load(&delivery->resend, setup->state_directory, sink->name, NULL);
	delivery->replay = replay;
	delivery_replay_resumes(delivery);
	*ret = delivery;
	return 0;
}

void delivery_free(struct delivery *delivery)
{
	if (!delivery)
		return;
	ev_timer_stop(delivery->setup.loop, &delivery->timer);
	if (delivery->state == DELIVERY_SENDING || delivery->n_sent > 0)
		delivery->sink->kind->cancel(delivery->sink);
	for (size_t i = 0; i < delivery->n_sent; i++)
		job_tally_deinit(&delivery->sent[i]);
	delivery->sink->kind->destroy(delivery->sink);
	queue_deinit(&delivery->queue);
	job_free(delivery->job);
	selection_free(delivery->selection);
	json_remove_free(delivery->remove);
	resend_deinit(&delivery->resend);
	replay_free(delivery->replay);
	sink_answer_deinit(&delivery->answer);
	job_plan_deinit(&delivery->plan);
	free(delivery->position);
	free(delivery->location);
	free(delivery);
}

void delivery_start(struct delivery *delivery)
{
	uint64_t n_batches;
	struct fault fault;

	queue_restart(&delivery->queue, delivery_taken(delivery));
	/* a store that cannot count cannot be read either: the first step says so */
	if (spool_count(delivery->setup.store, delivery->acknowledged, delivery_wanted, delivery,
		    &delivery->pending_records, &n_batches, &fault) != 0)
		delivery->pending_records = 0;
	delivery->started = true;
	delivery_schedule(delivery);
}

void delivery_offer(struct delivery *delivery, struct batch *batch)
{
	delivery->pending_records += batch->n_records;
	queue_offer(&delivery->queue, batch);
	if (delivery_is_in_doubt(delivery))
		delivery_retry_now(delivery);
	delivery_schedule(delivery);
}

void delivery_retry_now(struct delivery *delivery)
{
	if (!delivery->waiting)
		return;
	delivery->waiting = false;
	delivery_arm(delivery, 0);
}

void delivery_pause(struct delivery *delivery, bool paused)
{
	if (delivery->paused == paused)
		return;
	delivery->paused = paused;
	delivery->waiting = false;
	ev_timer_stop(delivery->setup.loop, &delivery->timer);
	delivery_schedule(delivery);
	delivery_changed(delivery);
}

void delivery_hold(struct delivery *delivery, bool held)
{
	delivery->held = held;
	delivery_schedule(delivery);
}

void delivery_hurry(struct delivery *delivery)
{
	if (delivery->hurried)
		return;
	delivery->hurried = true;
	delivery->sink->hurried = true;
	delivery_schedule(delivery);
}

void delivery_reopen(struct delivery *delivery)
{
	if (delivery->sink->kind->reopen)
		delivery->sink->kind->reopen(delivery->sink);
}
