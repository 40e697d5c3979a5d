/* Records that a receiver will never take: they become dead letters before the job is acknowledged.
 */
#include "pipeline/delivery_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "pipeline/deadletter.h"

static void delivery_refuse_log(struct delivery *delivery, uint64_t n)
{
	struct log_subject subject = delivery_subject(delivery);
	nsec_t now_at = clock_monotonic();

	/* a receiver that refuses everything must not fill the log; the counter tells the rest */
	if (delivery->refusal_logged_at != NSEC_NONE &&
		now_at - delivery->refusal_logged_at < NSEC_PER_MIN)
		return;
	delivery->refusal_logged_at = now_at;
	log_warning(&subject,
		"%" PRIu64 " records are refused for good: %s; they are kept in "
		"%s/dead-letters/%s.ndjson",
		n, delivery->refusal.text, delivery->setup.state_directory, delivery->sink->name);
}

void delivery_refuse(struct delivery *delivery)
{
	struct fault fault = FAULT_NULL;
	char *position = delivery->refused_position;
	uint64_t n = delivery->job->n_records;

	if (deadletter_write(delivery->setup.state_directory, delivery->sink->name, delivery->job,
		    delivery->refused, delivery->reasons, delivery->refusal.text, &fault) != 0) {
		delivery_fail(delivery, &fault);
		return;
	}
	for (size_t i = 0; i < delivery->job->n_records; i++)
		n -= delivery->reasons ? !delivery->reasons[i]
				       : delivery->refused && !delivery->refused[i];
	delivery_refuse_log(delivery, n);
	if (n < delivery->job->n_records)
		delivery->last_success_time = clock_wall();
	delivery_works(delivery);
	free(delivery->refused);
	delivery->refused = NULL;
	delivery->reasons = NULL;
	delivery->refused_position = NULL;
	delivery_acknowledge(delivery, position, n);
	free(position);
}
