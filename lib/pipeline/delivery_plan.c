/*
 * Plans: the bounds of a job are in the state before it is first sent, so that it is the same after
 * a restart. Of SINK_STABLE_JOB kinds they are "FIRST-LAST" or
 * "FIRST-LAST-RECORDS-BYTES-BY_SOURCE" in the place of the position; replays have a place of their
 * own for them.
 */
#include "pipeline/delivery_internal.h"

#include <inttypes.h>

#include "base/number.h"

bool delivery_plan_parse(const char *text, int64_t *numbers, size_t n)
{
	struct slice rest = slice_of(text);
	struct slice part;

	for (size_t i = 0; i < n; i++) {
		numbers[i] = 0;
		if (str_next_part(&rest, '-', &part) &&
			number_parse(part, 0, INT64_MAX, &numbers[i]) != 0)
			return false;
	}
	return numbers[0] > 0 && numbers[1] >= numbers[0];
}

void delivery_plan_read(struct delivery *delivery)
{
	int64_t plan[5];

	if (!(delivery->sink->kind->capabilities & SINK_STABLE_JOB) || !delivery->position ||
		!delivery_plan_parse(delivery->position, plan, 5) ||
		plan[1] <= delivery->acknowledged)
		return;
	delivery->plan_first = plan[0];
	delivery->plan_last = plan[1];
	delivery->plan_requests =
		(struct sink_requests){(size_t)plan[2], (size_t)plan[3], plan[4] != 0};
}

bool delivery_plan_write(struct delivery *delivery, struct fault *reterr)
{
	const struct sink_requests *requests = &delivery->job->requests;
	struct buf text = BUF_NULL;

	if (delivery->replaying)
		return delivery_replay_plan(delivery, reterr);
	if (!(delivery->sink->kind->capabilities & SINK_STABLE_JOB))
		return true;
	if (delivery->resending)
		return resend_plan(&delivery->resend, delivery->job, reterr) == 0;
	if (delivery->planned)
		return true;
	buf_printf(
		&text, "%" PRId64 "-%" PRId64, job_first(delivery->job), job_last(delivery->job));
	if (requests->n_records > 0)
		buf_printf(&text, "-%zu-%zu-%d", requests->n_records, requests->bytes,
			requests->by_source);
	delivery->planned = delivery_store_position(delivery, buf_text(&text));
	buf_deinit(&text);
	if (!delivery->planned)
		fault_set(reterr, FAULT_STORE, "the state cannot be written");
	return delivery->planned;
}
