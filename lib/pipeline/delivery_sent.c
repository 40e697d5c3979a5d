/*
 * Jobs that are sent and not confirmed. Their bytes are not kept: what comes back is read from the
 * spool again, from the first batch that is not acknowledged. So a receiver that confirms late
 * costs no memory, and no time either, up to the bounds in sink.h.
 */
#include "pipeline/delivery_internal.h"

#include <assert.h>
#include <inttypes.h>

void job_tally_init(struct job_tally *tally, const struct sink_job *job)
{
	*tally = (struct job_tally){
		.last = job_last(job),
		.n_records = job->n_records,
		.n_unfit = job->n_unfit,
		.oldest_time = job->batches[0]->accepted_time,
	};
	for (size_t i = 0; i < job->n_batches; i++) {
		const struct batch *batch = job->batches[i];

		tally->n_all += batch->n_records;
		tally->bytes += batch->body.size;
		if (i == 0 || strcmp(batch->source, job->batches[i - 1]->source) != 0)
			str_list_add(&tally->sources, batch->source);
	}
}

void job_tally_deinit(struct job_tally *tally)
{
	str_list_deinit(&tally->sources);
}

void delivery_settle(struct delivery *delivery, const struct job_tally *tally, const char *position,
	uint64_t n_rejected)
{
	struct log_subject subject = delivery_subject(delivery);
	uint64_t n_refused = n_rejected + tally->n_unfit;

	for (size_t i = 0; i < tally->sources.n_items; i++)
		delivery->setup.acknowledged_source(
			tally->sources.items[i], delivery->setup.userdata);
	delivery->pending_records -=
		tally->n_all < delivery->pending_records ? tally->n_all : delivery->pending_records;
	delivery_count(delivery, tally->n_records - n_rejected);
	delivery->refused_records += n_refused;
	delivery->filtered_records += tally->n_all - tally->n_records - tally->n_unfit;
	delivery->acknowledged = tally->last;
	log_debug(&subject, "acknowledged up to batch %" PRId64, delivery->acknowledged);
	delivery_keep(delivery, position);
	/* after a crash such a sink finds by itself what it has, as long as that is not more than
	 * what one commit brought; dead letters would be repeated */
	if (delivery->sink->kind->capabilities & SINK_EXACTLY_ONCE && n_refused == 0 &&
		queue_is_empty(&delivery->queue))
		committer_touch_later(delivery->setup.committer);
	else
		committer_touch(delivery->setup.committer);
	delivery_changed(delivery);
	delivery_schedule(delivery);
}

bool delivery_sent(struct delivery *delivery)
{
	struct sink_job *job = delivery->job;

	assert(delivery->state == DELIVERY_SENDING);
	if (delivery_is_aside(delivery) || job->n_unfit > 0 || delivery->n_sent == SINK_SENT_JOBS ||
		delivery->sent_bytes >= SINK_SENT_BYTES)
		return false;
	job_tally_init(&delivery->sent[delivery->n_sent], job);
	delivery->sent_bytes += delivery->sent[delivery->n_sent++].bytes;
	job_free(job);
	delivery->job = NULL;
	delivery->state = DELIVERY_READY;
	delivery_schedule(delivery);
	return true;
}

void delivery_confirmed(struct delivery *delivery)
{
	struct job_tally tally = delivery->sent[0];

	assert(delivery->n_sent > 0);
	delivery->n_sent--;
	memmove(delivery->sent, delivery->sent + 1, delivery->n_sent * sizeof(tally));
	delivery->sent_bytes -= tally.bytes;
	delivery->last_success_time = clock_wall();
	delivery->n_blamed = 0;
	delivery_works(delivery);
	delivery_settle(delivery, &tally, NULL, 0);
	job_tally_deinit(&tally);
}

void delivery_sent_lost(struct delivery *delivery)
{
	for (size_t i = 0; i < delivery->n_sent; i++)
		job_tally_deinit(&delivery->sent[i]);
	delivery->n_sent = 0;
	delivery->sent_bytes = 0;
	job_free(delivery->job);
	delivery->job = NULL;
	delivery->state = DELIVERY_READY;
	queue_restart(&delivery->queue, delivery->acknowledged);
}
