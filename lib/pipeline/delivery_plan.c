/*
 * Plans: the bounds of a job are in the state before it is first sent, so that it is the same after
 * a restart. Of SINK_STABLE_JOB kinds they are "FIRST-LAST" or
 * "FIRST-LAST-RECORDS-BYTES-BY_SOURCE" in the place of the position, and after that each place
 * where a request is split; replays and dead letters have a place of their own for them.
 */
#include "pipeline/delivery_internal.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/number.h"

bool delivery_plan_parse(const char *text, int64_t *numbers, size_t n, struct splits *ret_splits)
{
	struct slice rest = slice_of(text);
	struct slice part;

	*ret_splits = SPLITS_NULL;
	for (size_t i = 0; i < n; i++) {
		numbers[i] = 0;
		if (str_next_part(&rest, '-', &part) &&
			number_parse(part, 0, INT64_MAX, &numbers[i]) != 0)
			return false;
	}
	return splits_read(rest, '-', ret_splits);
}

void delivery_plan_print_requests(const struct delivery *delivery, struct buf *out)
{
	const struct sink_requests *requests = &delivery->job->requests;

	if (requests->n_records == 0)
		return;
	buf_printf(out, "-%zu-%zu-%d", requests->n_records, requests->bytes, requests->by_source);
	splits_print(&delivery->job->splits, '-', out);
}

void delivery_plan_read(struct delivery *delivery)
{
	CLEANUP(splits_deinit) struct splits splits = SPLITS_NULL;
	int64_t plan[5];

	if (!(delivery->sink->kind->capabilities & SINK_STABLE_JOB) || !delivery->position ||
		!delivery_plan_parse(delivery->position, plan, 5, &splits) || plan[0] <= 0 ||
		plan[1] < plan[0] || plan[1] <= delivery->acknowledged)
		return;
	delivery->plan_first = plan[0];
	delivery->plan_last = plan[1];
	delivery->plan_requests =
		(struct sink_requests){(size_t)plan[2], (size_t)plan[3], plan[4] != 0};
	splits_copy(&delivery->plan_splits, &splits);
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
	delivery_plan_print_requests(delivery, &text);
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
