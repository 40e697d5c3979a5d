/*
 * Plans: the bounds of a job are in the state before it is first sent, so that it is the same after
 * a restart. Of SINK_STABLE_JOB kinds they are
 * "FIRST-LAST-RECORDS-BYTES-HOW" in the place of the position, then each place where a
 * request is split, then the sink's name; replays and dead letters have a place of their own for
 * them.
 */
#include "pipeline/delivery_internal.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/number.h"

bool delivery_plan_parse(const char *text, int64_t *bounds, size_t n, struct job_plan *ret)
{
	struct slice rest = slice_of(text);
	struct slice part;

	*ret = JOB_PLAN_NULL;
	for (size_t i = 0; i < n; i++) {
		bounds[i] = 0;
		if (str_next_part(&rest, '-', &part) &&
			number_parse(part, 0, INT64_MAX, &bounds[i]) != 0)
			return false;
	}
	return job_plan_read(rest, '-', ret);
}

void delivery_plan_print(const struct delivery *delivery, struct buf *out)
{
	CLEANUP(job_plan_deinit) struct job_plan plan = JOB_PLAN_NULL;

	job_plan_take(&plan, delivery->job);
	job_plan_print(&plan, '-', out);
}

void delivery_plan_read(struct delivery *delivery)
{
	CLEANUP(job_plan_deinit) struct job_plan plan = JOB_PLAN_NULL;
	int64_t bounds[2];

	if (!(delivery->sink->kind->capabilities & SINK_STABLE_JOB) || !delivery->position ||
		!delivery_plan_parse(delivery->position, bounds, 2, &plan) || bounds[0] <= 0 ||
		bounds[1] < bounds[0] || bounds[1] <= delivery->acknowledged)
		return;
	delivery->plan_first = bounds[0];
	delivery->plan_last = bounds[1];
	delivery->plan = plan;
	plan = JOB_PLAN_NULL;
}

bool delivery_plan_write(struct delivery *delivery, struct fault *reterr)
{
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
	delivery_plan_print(delivery, &text);
	delivery->planned = delivery_store_position(delivery, buf_text(&text));
	buf_deinit(&text);
	if (!delivery->planned)
		fault_set(reterr, FAULT_STORE, "the state cannot be written");
	return delivery->planned;
}

bool delivery_store_splits(struct delivery *delivery, struct fault *reterr)
{
	delivery->planned = false;
	if (!delivery_plan_write(delivery, reterr))
		return false;
	if (store_may_deliver(delivery->setup.store))
		return true;
	fault_set(reterr, FAULT_STORE, "this process may deliver nothing more");
	return false;
}
