/*
 * Dead letters that a person lets the sink have again (resend.h). They go before what waits, job by
 * job as everything else, and without the sink's `include` and `exclude`: the person has chosen.
 * Nothing of them is in the spool: acknowledging them moves no number, and a
 * position (of a file) that the sink reports belongs to the number that is acknowledged already.
 *
 * A receiver that still takes none of them ends it: they stay where they are, and what waits is
 * delivered.
 */
#include "pipeline/delivery_internal.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "pipeline/deadletter.h"

static void resend_over(struct delivery *delivery)
{
	struct log_subject subject = delivery_subject(delivery);
	uint64_t n = delivery->resent_records, n_rejected = delivery->resent_rejected;

	log_notice(&subject,
		"dead letters sent again: %" PRIu64 " delivered, %" PRIu64 " rejected again", n,
		n_rejected);
	delivery->resent_records = 0;
	delivery->resent_rejected = 0;
}

void delivery_resend_acknowledge(
	struct delivery *delivery, const char *position, uint64_t n_rejected)
{
	struct fault fault = FAULT_NULL;
	uint64_t n_taken = delivery->job ? delivery->job->n_records - n_rejected : 0;

	delivery->resent_records += n_taken;
	delivery_count(delivery, n_taken);
	n_rejected += delivery->job ? delivery->job->n_unfit : 0;
	delivery->resent_rejected += n_rejected;
	delivery->refused_records += n_rejected;
	int r = resend_done(&delivery->resend, &fault);
	if (!delivery->resend.active)
		resend_over(delivery);
	if (position)
		delivery_keep(delivery, position);
	committer_touch(delivery->setup.committer);
	job_free(delivery->job);
	delivery->job = NULL;
	delivery->resending = false;
	delivery->state = DELIVERY_READY;
	delivery_changed(delivery);
	if (r) /* nothing follows before this is noted: after a restart it would be sent again */
		delivery_fail(delivery, &fault);
	else
		delivery_schedule(delivery);
}

/* False: what is acknowledged still cannot be noted. */
static bool resend_notes(struct delivery *delivery)
{
	struct fault fault = FAULT_NULL;

	if (resend_note(&delivery->resend, &fault) != 0) {
		delivery_fail(delivery, &fault);
		return false;
	}
	delivery_works(delivery);
	if (!delivery->resend.active)
		resend_over(delivery);
	return true;
}

bool delivery_resend_reads(struct delivery *delivery)
{
	struct fault fault = FAULT_NULL;

	if (resend_load(&delivery->resend, delivery->setup.state_directory, delivery->sink->name,
		    &fault) == 0)
		return true;
	delivery_fail(delivery, &fault);
	return false;
}

void delivery_resend_take(struct delivery *delivery)
{
	const struct job_terms terms = delivery_terms(delivery);
	struct fault fault = FAULT_NULL;

	if (delivery->resend.behind && !resend_notes(delivery))
		return;
	if (!delivery->resend.active) {
		delivery_schedule(delivery);
		return;
	}
	if (resend_job(&delivery->resend, delivery->sink->name, &terms, &delivery->job, &fault) !=
		0) {
		delivery_fail(delivery, &fault);
		return;
	}
	if (!delivery->job) {
		delivery_resend_acknowledge(delivery, NULL, 0);
		return;
	}
	delivery->resending = true;
	delivery_send(delivery);
}

/* The job in hand is forgotten: its dead letters are where they were. */
static void resend_forget(struct delivery *delivery)
{
	if (delivery->resending) {
		job_free(delivery->job);
		delivery->job = NULL;
		delivery->resending = false;
		delivery->state = DELIVERY_READY;
	}
	delivery->resent_records = 0;
	delivery->resent_rejected = 0;
}

void delivery_resend_rejected(struct delivery *delivery, const struct fault *reason)
{
	struct log_subject subject = delivery_subject(delivery);
	struct fault fault = FAULT_NULL;

	delivery_works(delivery);
	log_warning(&subject,
		"the receiver still rejects the dead letters: %s; they stay in %s (`trawlctl dead-letters resend %s` once the receiver takes them)",
		reason->text, delivery->resend.letters, delivery->sink->name);
	if (resend_stop(&delivery->resend, &fault) != 0)
		log_warning(&subject, "%s", fault.text);
	resend_forget(delivery);
	delivery_changed(delivery);
	delivery_schedule(delivery);
}

int delivery_resend(struct delivery *delivery, uint64_t *ret_n, struct fault *reterr)
{
	const struct sink *sink = delivery->sink;
	const char *directory = delivery->setup.state_directory;
	struct resend *resend = &delivery->resend;
	int r;

	r = resend_request(directory, sink->name, ret_n, reterr);
	if (r || *ret_n == 0)
		return r;
	if (resend->active) { /* as it is, but to the end of what is there now */
		CLEANUP(resend_deinit) struct resend now = RESEND_NULL;

		r = resend_load(&now, directory, sink->name, reterr);
		if (!r)
			resend->end = now.end;
	} else {
		r = resend_load(resend, directory, sink->name, reterr);
	}
	if (r)
		return r;
	delivery_retry_now(delivery);
	delivery_schedule(delivery);
	delivery_changed(delivery);
	return 0;
}

int delivery_discard(struct delivery *delivery, uint64_t *ret_n, struct fault *reterr)
{
	const char *directory = delivery->setup.state_directory;
	int r;

	if (delivery->resending && delivery->state == DELIVERY_SENDING)
		delivery->sink->kind->cancel(delivery->sink);
	if (delivery->resending)
		sink_answer_deinit(&delivery->answer);
	resend_forget(delivery);
	r = deadletter_discard(directory, delivery->sink->name, ret_n, reterr);
	(void)resend_load(&delivery->resend, directory, delivery->sink->name, NULL);
	delivery_retry_now(delivery);
	delivery_schedule(delivery);
	delivery_changed(delivery);
	return r;
}
