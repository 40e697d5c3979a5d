/* See countdown.h. */
#include "countdown.h"

#include <ev.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "parts.h"
#include "store/spool.h"

#define INTERVAL 5. /* seconds */
#define PATIENCE NSEC_PER_MIN /* a source that fails for less is not told of */
#define SAMPLES 61 /* one a minute */
#define SAMPLE_LEAST (10 * NSEC_PER_SEC) /* a rate over less is none */
#define SPOOL_SOON (6 * NSEC_PER_HOUR) /* told, once it is known for this long: */
#define SPOOL_SURE (10 * NSEC_PER_MIN)

struct sample {
	nsec_t taken_at;
	uint64_t bytes;
};

struct countdown {
	const struct parts *parts;
	ev_timer timer;
	struct sample samples[SAMPLES]; /* a ring */
	size_t first, n_samples;
	bool spool_told;
};

/* --- records that nobody reads --- */

static bool is_read(const struct runner_status *status)
{
	switch (status->state) {
	case RUNNER_ACCESS_DENIED:
	case RUNNER_BACKING_OFF:
	case RUNNER_BLOCKED:
	case RUNNER_PAUSED:
	case RUNNER_WAITING_CREDENTIAL:
		return false;
	case RUNNER_WAITING:
	case RUNNER_UP_TO_DATE:
	case RUNNER_WAITING_BUDGET:
	case RUNNER_REQUESTING:
	case RUNNER_FETCHING:
	case RUNNER_COLLECTING:
	case RUNNER_STOPPED:
		break;
	}
	return !status->failing;
}

static void print_span(nsec_t span_ns, struct buf *out)
{
	nsec_t unit = span_ns >= NSEC_PER_DAY    ? NSEC_PER_HOUR
		      : span_ns >= NSEC_PER_HOUR ? NSEC_PER_MIN
						 : NSEC_PER_SEC;
	timestamp_print_duration(span_ns - span_ns % unit, out);
}

void countdown_print_loss(const struct runner_status *status, nsec_t now_time, struct buf *out)
{
	nsec_t deadline = status->deadline_time;
	if (deadline == NSEC_NONE || is_read(status))
		return;
	if (deadline > now_time) {
		buf_append_text(out, "if nothing is read until ");
		timestamp_print_rfc3339(deadline, 0, out);
		buf_append_text(out, " (");
		print_span(deadline - now_time, out);
		buf_append_text(out, "), records are lost for good");
		return;
	}
	buf_append_text(out, "nothing was read until ");
	timestamp_print_rfc3339(deadline, 0, out);
	buf_append_text(out, ": records are lost for good, and more until it is read again");
}

/* How urgent it is: 0 not at all, then whenever half, a quarter, a tenth, and nothing is left. */
static unsigned level_of(
	const struct poller *poller, const struct runner_status *status, nsec_t now)
{
	static const nsec_t parts[] = {2, 4, 10};
	nsec_t retention = poller->source->definition->resume.retention_ns;
	nsec_t since = status->failing ? status->failing_time : status->state_time;
	if (status->deadline_time == NSEC_NONE || is_read(status))
		return 0;
	nsec_t left = status->deadline_time - now;
	unsigned level = now - since >= PATIENCE;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (left < retention / parts[i])
			level = (unsigned)i + 2;
	return left <= 0 ? 5 : level;
}

static void look_at_source(struct poller *poller, nsec_t now)
{
	struct runner_status status;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	runner_status(poller->runner, &status);
	unsigned level = level_of(poller, &status, now);
	bool more = level > poller->loss_told;
	poller->loss_told = level;
	if (!more)
		return;
	countdown_print_loss(&status, now, &text);
	log_warning(&poller->source->subject, "%s: %s", runner_state_to_string(status.state),
		buf_text(&text));
}

/* --- the spool --- */

static void take_sample(struct countdown *countdown)
{
	nsec_t now_at = clock_monotonic();
	size_t last = (countdown->first + countdown->n_samples + SAMPLES - 1) % SAMPLES;
	if (countdown->n_samples > 0 && now_at - countdown->samples[last].taken_at < NSEC_PER_MIN)
		return;
	if (countdown->n_samples == SAMPLES)
		countdown->first = (countdown->first + 1) % SAMPLES;
	else
		countdown->n_samples++;
	last = (countdown->first + countdown->n_samples - 1) % SAMPLES;
	countdown->samples[last] = (struct sample){now_at, spool_bytes(countdown->parts->store)};
}

/* How long the rate has been looked at. */
static nsec_t spool_span(const struct countdown *countdown)
{
	return countdown->n_samples == 0
		       ? 0
		       : clock_monotonic() - countdown->samples[countdown->first].taken_at;
}

nsec_t countdown_spool(const struct countdown *countdown)
{
	if (!countdown || spool_span(countdown) < SAMPLE_LEAST)
		return NSEC_NONE;
	uint64_t limit = countdown->parts->setup->config->daemon.spool_limit;
	uint64_t bytes = spool_bytes(countdown->parts->store);
	uint64_t before = countdown->samples[countdown->first].bytes;
	if (bytes >= limit || bytes <= before)
		return NSEC_NONE;
	double left =
		(double)spool_span(countdown) * (double)(limit - bytes) / (double)(bytes - before);
	return left < (double)(INT64_MAX / 2) ? (nsec_t)left : NSEC_NONE;
}

void countdown_print_spool(const struct countdown *countdown, struct buf *out)
{
	nsec_t left = countdown_spool(countdown);
	if (left == NSEC_NONE)
		return;
	buf_append_text(out, "the spool is full in about ");
	print_span(left, out);
}

static void find_culprit(const struct sink_status *status, void *userdata)
{
	const char **name = userdata;
	if ((status->failing || status->paused) && status->pending_records > 0 && !*name)
		*name = status->name;
}

/* Once, when a sink that takes nothing fills it. */
static void look_at_spool(struct countdown *countdown)
{
	const struct parts *parts = countdown->parts;
	nsec_t left = countdown_spool(countdown);
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	const char *culprit = NULL;
	bool sure = spool_span(countdown) >= SPOOL_SURE ||
		    spool_bytes(parts->store) >= parts->setup->config->daemon.spool_limit / 4;
	if (left == NSEC_NONE || left > 2 * SPOOL_SOON)
		countdown->spool_told = false;
	if (left == NSEC_NONE || left > SPOOL_SOON || !sure || countdown->spool_told)
		return;
	fanout_each_sink(parts->fanout, find_culprit, &culprit);
	if (!culprit)
		return;
	countdown->spool_told = true;
	countdown_print_spool(countdown, &text);
	log_warning(NULL,
		"%s at the present rate, since sink %s takes no records; polling waits then (if the disk has room, raise spool_limit and reload)",
		buf_text(&text), culprit);
}

/* --- life --- */

static void look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct countdown *countdown = timer->data;
	const struct parts *parts = countdown->parts;
	nsec_t now = clock_wall();
	(void)loop;
	(void)events;
	for (size_t i = 0; i < parts->pollers.n_items; i++)
		look_at_source(parts->pollers.items[i], now);
	look_at_spool(countdown);
	take_sample(countdown);
}

struct countdown *countdown_new(const struct parts *parts)
{
	struct countdown *countdown = MEM_NEW(struct countdown);
	countdown->parts = parts;
	take_sample(countdown);
	ev_timer_init(&countdown->timer, look, INTERVAL, INTERVAL);
	countdown->timer.data = countdown;
	ev_timer_start(parts->loop, &countdown->timer);
	return countdown;
}

void countdown_free(struct countdown *countdown)
{
	if (!countdown)
		return;
	ev_timer_stop(countdown->parts->loop, &countdown->timer);
	free(countdown);
}
