/* See poller.h: the callbacks that join a runner to the store and to back-pressure. */
#include "poller.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "errand.h"
#include "pipeline/fanout.h"
#include "reconciler.h"
#include "store/coverage.h"
#include "store/cursors.h"

/* What is older cannot be requested again, whatever clock is wrong. */
static nsec_t oldest_time(const struct poller *poller)
{
	struct runner_status runner;
	nsec_t now_time = clock_wall();
	runner_status(poller->runner, &runner);
	if (runner.skew_ns < 0)
		now_time += runner.skew_ns;
	if (runner.newest_time != NSEC_NONE && runner.newest_time < now_time)
		now_time = runner.newest_time;
	return errand_oldest_time(poller->source->definition, now_time);
}

/* Open gaps, and what is not reconciled, may be requested again: keys are kept from where the first
 * begins, or what can still be requested does. */
static nsec_t kept_time(const struct poller *poller)
{
	const struct definition *definition = poller->source->definition;
	nsec_t time = reconciler_time(poller->reconciler);
	bool gaps = poller->gap_time != NSEC_NONE && definition->resume.window &&
		    coverage_open_gaps(poller->store, poller->source->name) > 0;
	if (gaps) {
		nsec_t oldest = oldest_time(poller);
		nsec_t gap = poller->gap_time > oldest ? poller->gap_time : oldest;
		time = time == NSEC_NONE || gap < time ? gap : time;
	}
	return time == NSEC_NONE ? NSEC_NONE : errand_keys_time(definition, time);
}

void poller_look_at_gaps(struct poller *poller)
{
	struct fault fault;
	/* where it fails, too many keys stay rather than too few */
	coverage_oldest_gap(poller->store, poller->source->name, &poller->gap_time, &fault);
}

static void accept_records(const struct record_batch *batch, void *userdata)
{
	struct poller *poller = userdata;
	struct intake_status before, after;
	intake_status(poller->intake, &before);
	intake_keep_keys(poller->intake, kept_time(poller));
	intake_accept(batch, poller->intake);
	intake_status(poller->intake, &after);
	uint64_t n_new = after.n_records - before.n_records;
	minutes_add(&poller->tally.records, clock_monotonic(), n_new);
	log_debug(&poller->source->subject,
		"batch: %zu record%s, %" PRIu64 " new, %" PRIu64
		" duplicate%s, %zu excluded, cursor %s",
		batch->records.n_items, str_plural(batch->records.n_items), n_new,
		after.n_duplicates - before.n_duplicates,
		str_plural(after.n_duplicates - before.n_duplicates), batch->n_excluded,
		batch->cursor ? "moved" : "kept");
}

static bool known(const struct record *record, void *userdata)
{
	struct poller *poller = userdata;
	return intake_known(record, poller->intake);
}

static int set_apart(const struct bad_elements *bad, void *userdata, struct fault *reterr)
{
	struct poller *poller = userdata;
	return quarantine_take(poller->quarantine, bad, reterr);
}

static enum runner_leave may_poll(bool needs_window, void *userdata)
{
	struct poller *poller = userdata;
	struct fault fault;
	if (!poller->callbacks->may_poll(poller->userdata))
		return RUNNER_LEAVE_LATER;
	int r = needs_window ? intake_ready(poller->intake, runner_horizon(poller->runner), &fault)
			     : 0;
	poller->loading = r == STORE_E_WAIT;
	if (poller->loading)
		return RUNNER_LEAVE_SOON;
	if (r == STORE_E_CORRUPT)
		committer_damaged(poller->committer, &fault);
	else if (r && !poller->unreadable)
		poller->callbacks->unreadable(&fault, poller->userdata);
	if (!r && poller->unreadable)
		log_notice(
			&poller->source->subject, "its state can be read again; polling resumes");
	poller->unreadable = r;
	return r ? RUNNER_LEAVE_LATER : RUNNER_LEAVE;
}

/* The dedupe window was read, or cannot be. */
static void loaded(void *userdata)
{
	struct poller *poller = userdata;
	if (poller->loading)
		runner_wake(poller->runner);
	poller->loading = false;
	errand_wake(poller->errand);
}

/* Once per source and process; --once ends with a line of its own. */
static void tell_first(const struct poller *poller)
{
	struct buf until CLEANUP(buf_deinit) = BUF_NULL;
	struct runner_status runner;
	struct intake_status intake;
	if (poller->caught_up_time != NSEC_NONE || poller->once)
		return;
	runner_status(poller->runner, &runner);
	intake_status(poller->intake, &intake);
	if (runner.newest_time != NSEC_NONE) {
		buf_append_text(&until, ", up to ");
		timestamp_print_rfc3339(
			runner.newest_time - runner.newest_time % NSEC_PER_SEC, 0, &until);
	}
	log_info(&poller->source->subject, "up to date for the first time: %" PRIu64 " record%s%s",
		intake.n_records, str_plural(intake.n_records), buf_text(&until));
}

static void rested(const struct fault *fault, void *userdata)
{
	struct poller *poller = userdata;
	if (!fault)
		tell_first(poller);
	poller->rested = true;
	poller->n_rests++;
	if (fault) {
		free(poller->given_up);
		poller->given_up = mem_dup(fault, sizeof(*fault));
	} else {
		poller->caught_up_time = clock_wall();
	}
	poller->callbacks->rested(poller->userdata);
	errand_wake(poller->errand);
	reconciler_look(poller->reconciler);
}

static void gap(nsec_t start_time, nsec_t end_time, enum gap_reason reason, void *userdata)
{
	struct poller *poller = userdata;
	struct buf from CLEANUP(buf_deinit) = BUF_NULL, to CLEANUP(buf_deinit) = BUF_NULL;
	timestamp_print_rfc3339(start_time, 3, &from);
	timestamp_print_rfc3339(end_time, 3, &to);
	poller->n_gaps++;
	if (poller->gap_time == NSEC_NONE || start_time < poller->gap_time)
		poller->gap_time = start_time;
	poller->gap_ns[reason] += end_time - start_time;
	coverage_add_gap(poller->store, poller->source->name, start_time, end_time, reason);
	committer_touch(poller->committer);
	log_error(&poller->source->subject,
		"gap: records from %s to %s may be missing (%s); polling continues after them, and the gap is shown until it is acknowledged (trawlctl gaps --acknowledge)",
		buf_text(&from), buf_text(&to), gap_reason_to_string(reason));
}

static void covered(nsec_t start_time, nsec_t end_time, bool chain, void *userdata)
{
	struct poller *poller = userdata;
	coverage_add(poller->store, poller->source->name, start_time, end_time, chain);
	committer_touch(poller->committer);
}

static void retracted(nsec_t start_time, void *userdata)
{
	struct poller *poller = userdata;
	coverage_retract(poller->store, poller->source->name, start_time);
	committer_touch(poller->committer);
}

static void requested(nsec_t elapsed_ns, size_t body_size, void *userdata)
{
	struct poller *poller = userdata;
	tally_requested(&poller->tally, elapsed_ns, body_size);
}

static void failed(const struct fault *fault, void *userdata)
{
	struct poller *poller = userdata;
	poller->tally.faults[fault->class]++;
}

static const struct runner_callbacks callbacks = {
	.accept = accept_records,
	.known = known,
	.set_apart = set_apart,
	.may_poll = may_poll,
	.rested = rested,
	.requested = requested,
	.failed = failed,
	.gap = gap,
	.covered = covered,
	.retracted = retracted,
};

/* The source begins: is what it is to begin with still there? */
static void tell_start(const struct source *source)
{
	nsec_t retention_ns = source->definition->resume.retention_ns;
	nsec_t start_time, oldest_time = clock_wall() - retention_ns;
	struct buf oldest CLEANUP(buf_deinit) = BUF_NULL, keeps CLEANUP(buf_deinit) = BUF_NULL;
	if (retention_ns == 0 ||
		timestamp_parse_point(slice_of(source->options.start), clock_wall(), &start_time) !=
			0 ||
		start_time == NSEC_NONE || start_time >= oldest_time)
		return;
	timestamp_print_duration(retention_ns, &keeps);
	timestamp_print_rfc3339(oldest_time, 0, &oldest);
	log_notice(&source->subject,
		"start = %s reaches back further than the API keeps records (retention = %s): what it still has is read, from %s on",
		source->options.start, buf_text(&keeps), buf_text(&oldest));
}

int poller_new(struct poller **ret, const struct poller_setup *setup, struct fault *reterr)
{
	const struct source *source = setup->source;
	char *cursor CLEANUP_FREE = NULL;
	int r = cursors_get(setup->store, source->name, &cursor, reterr);
	if (r)
		return r;
	struct poller *poller = MEM_NEW(struct poller);
	poller->loop = setup->loop;
	poller->client = setup->client;
	poller->store = setup->store;
	poller->committer = setup->committer;
	poller->callbacks = setup->callbacks;
	poller->userdata = setup->userdata;
	poller->once = setup->once;
	poller->source = source;
	poller->caught_up_time = NSEC_NONE;
	poller->paused = setup->paused || !source->options.enabled;
	poller->rested = poller->paused;
	poller->gap_time = NSEC_NONE;
	poller_look_at_gaps(poller);
	tally_init(&poller->tally);
	poller->intake = intake_new(&(struct intake_setup){
		.store = setup->store,
		.committer = setup->committer,
		.source = source->name,
		.subject = &source->subject,
		.provider = source->definition->name,
		.committed = fanout_committed,
		.userdata = setup->fanout,
	});
	intake_on_loaded(poller->intake, loaded, poller);
	poller->reconciler = reconciler_new(poller);
	poller->quarantine = quarantine_new(setup->state_directory, &source->subject);
	r = runner_new(&poller->runner,
		&(struct runner_setup){
			.loop = setup->loop,
			.client = setup->client,
			.source = source,
			.cursor = cursor,
			.paused = poller->paused,
			.give_up = setup->once,
			.first_delay_ns = setup->first_delay_ns,
			.overlap_ns = reconciler_overlap(poller->reconciler),
			.callbacks = &callbacks,
			.userdata = poller,
		},
		reterr);
	if (r) {
		poller_free(poller);
		return r;
	}
	if (!cursor)
		tell_start(source);
	if (poller->paused && source->options.enabled)
		log_notice(
			&source->subject, "paused; `trawlctl resume %s` continues", source->name);
	*ret = poller;
	return 0;
}

int poller_set_paused(struct poller *poller, bool paused, struct fault *reterr)
{
	int r = 0;
	if (paused)
		runner_pause(poller->runner);
	else
		r = runner_resume(poller->runner, reterr);
	if (r)
		return r;
	poller->paused = paused;
	poller->rested |= paused;
	return 0;
}

void poller_stop(struct poller *poller)
{
	errand_free(poller->errand);
	runner_stop(poller->runner);
}

void poller_free(struct poller *poller)
{
	if (!poller)
		return;
	errand_free(poller->errand);
	runner_free(poller->runner);
	reconciler_free(poller->reconciler);
	intake_free(poller->intake);
	quarantine_free(poller->quarantine);
	free(poller->given_up);
	free(poller);
}
