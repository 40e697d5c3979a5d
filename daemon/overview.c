/* See overview.h. */
#include "overview.h"
#include "trawld_internal.h"

#include "base/mem.h"
#include "countdown.h"
#include "pipeline/deadletter.h"
#include "store/coverage.h"

static void add_sink(const struct sink_status *status, void *userdata)
{
	struct overview *overview = userdata;
	overview->sinks = mem_grow(overview->sinks, overview->n_sinks, &overview->sinks_capacity,
		sizeof(*overview->sinks));
	struct sink_status *sink = &overview->sinks[overview->n_sinks++];
	*sink = *status;
	sink->dead_letter_bytes =
		deadletter_size(overview->parts->setup->config->daemon.state_directory, sink->name);
}

/* A source that polls as it should is up to date also while it does; else what was not read begins
 * where reading has ended. */
static nsec_t behind_of(const struct overview_source *of, nsec_t now_time)
{
	const struct poller *poller = of->poller;
	nsec_t caught_up = poller->caught_up_time, read = of->covered_time;
	nsec_t patience = 2 * poller->source->options.interval_ns + NSEC_PER_MIN;
	if (caught_up != NSEC_NONE && !of->runner.failing && now_time - caught_up < patience)
		return 0;
	if (of->runner.newest_time != NSEC_NONE && of->runner.newest_time > read)
		read = of->runner.newest_time;
	if (read == NSEC_NONE)
		read = caught_up;
	return read == NSEC_NONE ? NSEC_NONE : now_time > read ? now_time - read : 0;
}

void overview_take_source(
	struct overview_source *ret, const struct overview *overview, const struct poller *poller)
{
	nsec_t now_time = overview->now_time;
	ret->poller = poller;
	runner_status(poller->runner, &ret->runner);
	intake_status(poller->intake, &ret->intake);
	ret->n_open_gaps = coverage_open_gaps(overview->parts->store, poller->source->name);
	ret->covered_time = coverage_until(overview->parts->store, poller->source->name);
	ret->lag_ns = ret->runner.newest_time == NSEC_NONE ? NSEC_NONE
							   : now_time - ret->runner.newest_time;
	ret->behind_ns = behind_of(ret, now_time);
}

void overview_take_sinks(struct overview *overview)
{
	fanout_each_sink(overview->parts->fanout, add_sink, overview);
}

void overview_begin(struct overview *ret, const struct trawld *trawld)
{
	*ret = (struct overview){
		.trawld = trawld,
		.parts = &trawld->parts,
		.now_time = clock_wall(),
		.start_time = trawld->start_time,
		.spool_full_ns = countdown_spool(trawld->countdown),
		.stopping = trawld->stopping,
		.reload_failed = trawld->reload_failed || trawld->missing.size > 0,
		.missing = buf_slice(&trawld->missing),
		.n_reloads = trawld->n_reloads,
		.state_fault = &trawld->state_fault,
	};
}

void overview_take(struct overview *ret, const struct trawld *trawld)
{
	const struct pollers *pollers = &trawld->parts.pollers;
	overview_begin(ret, trawld);
	ret->n_sources = pollers->n_items;
	ret->sources = mem_array(ret->n_sources, sizeof(*ret->sources));
	for (size_t i = 0; i < ret->n_sources; i++)
		overview_take_source(&ret->sources[i], ret, pollers->items[i]);
	overview_take_sinks(ret);
}

void overview_deinit(struct overview *overview)
{
	free(overview->sources);
	free(overview->sinks);
	*overview = (struct overview){0};
}

void overview_each_former(const struct overview *overview, coverage_open_fn each, void *userdata)
{
	coverage_each_open(
		overview->parts->store, &overview->parts->setup->source_names, each, userdata);
}

void overview_print_reasons(const struct overview *overview, struct buf *out)
{
	if (committer_failing(overview->parts->committer))
		buf_printf(out, "the state cannot be written: %s\n", overview->state_fault->text);
	if (overview->stopping)
		buf_append_text(out, "trawld is stopping\n");
	buf_append(out, overview->missing.data, overview->missing.size);
	for (size_t i = 0; i < overview->n_sources; i++) {
		const struct overview_source *source = &overview->sources[i];
		if (source->poller->unreadable)
			buf_printf(out, "source %s: the state cannot be read: %s\n",
				source->poller->source->name, overview->state_fault->text);
		if (source->runner.last_success_time != NSEC_NONE || source->poller->paused)
			continue;
		buf_printf(out, "source %s has not succeeded yet%s%s\n",
			source->poller->source->name, source->runner.failing ? ": " : "",
			source->runner.failing ? source->runner.fault.text : "");
	}
}
