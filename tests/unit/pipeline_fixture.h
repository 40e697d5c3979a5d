/*
 * What the tests of lib/pipeline and lib/sink share: a loop, a store, a committer and a fanout; and
 * a kind of sink that answers by script.
 *
 * A script is a text of one letter a deliver() call:
 *   d  delivered                         r  retry
 *   x  rejected, all of it               p  rejected in part: every second record
 *   n  none taken: each record rejected with the same words
 *   h  held: the test answers by itself
 *   /  likewise; the job is split after its first record
 *   s  sent: the next job comes, sink_confirmed() is the test's (or the job is held)
 * After its end every job is delivered. Answers come at the next turn of the loop.
 */
#ifndef TRAWLD_TESTS_PIPELINE_FIXTURE_H
#define TRAWLD_TESTS_PIPELINE_FIXTURE_H

#include <ev.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/timer.h"
#include "pipeline/fanout.h"
#include "pipeline/job.h"
#include "store_fixture.h"

#define RUN_UNTIL(condition)                                                                       \
	do {                                                                                       \
		while (!(condition))                                                               \
			ev_run(loop, EVRUN_ONCE);                                                  \
	} while (0)

static struct ev_loop *loop;
static struct committer *committer;
static struct fanout *fanout;
static int n_state_faults, n_state_recoveries;
static bool state_corrupt;

/* --- the scripted sink --- */

#define FAKE_JOBS 512

struct fake {
	struct sink base;
	const char *name;
	const char *script;
	nsec_t ask_ns; /* what a retry asks for */
	int n_recover_faults; /* so many recover() calls fail first */
	bool recovering; /* its outcome comes at the next turn */
	char *recovered_with; /* position; "" when there was none */
	struct sink_job *held; /* the job in hand */
	char answer; /* to it; 'h': the test's */
	ev_timer turn;
	size_t n_calls;
	size_t n_cancels;
	size_t n_reopens;
	char ids[FAKE_JOBS][33];
	struct splits splits; /* of the last job, as it came */
	size_t n_batches[FAKE_JOBS];
	struct buf delivered; /* text of what was delivered */
	bool alive;
};

static struct fake fakes[4];

static inline struct fake *fake_find(const char *name)
{
	for (size_t i = 0; i < 4; i++) {
		if (fakes[i].name && strcmp(fakes[i].name, name) == 0)
			return &fakes[i];
	}
	for (size_t i = 0; i < 4; i++) {
		if (!fakes[i].name) {
			fakes[i] = (struct fake){.name = name, .script = ""};
			return &fakes[i];
		}
	}
	ck_abort_msg("too many fakes");
	return NULL;
}

static inline void fake_note(struct fake *fake, const struct sink_job *job, bool even_only)
{
	struct job_cursor cursor = {0};
	struct sink_record record;

	while (job_next(job, &cursor, &record)) {
		if (even_only && cursor.index % 2 == 0)
			continue;
		sink_record_print(&record, job->format, &fake->delivered);
		buf_append_char(&fake->delivered, '\n');
	}
}

static inline void fake_answer(struct fake *fake, const struct sink_job *job, char answer)
{
	struct sink_answer whole = {.result = SINK_DELIVERED};

	if (answer != 'd')
		fault_set(&whole.error, FAULT_SERVER, "the receiver says %c", answer);
	if (answer == 'r') {
		whole.result = SINK_RETRY;
		whole.error.wait_ns = fake->ask_ns;
	} else if (answer == 'n') {
		whole.result = SINK_NONE_TAKEN;
	} else if (answer == 'x') {
		whole.result = SINK_REJECTED;
	} else if (answer == 'p') {
		whole.result = SINK_REJECTED;
		whole.reasons = mem_array(job->n_records, sizeof(*whole.reasons));
		whole.n_reasons = job->n_records;
		for (size_t i = 1; i < job->n_records; i += 2)
			whole.reasons[i] = mem_strdup(whole.error.text);
		fake_note(fake, job, true);
	} else {
		if (fake->base.kind->capabilities & SINK_EXACTLY_ONCE)
			whole.position = mem_printf("at %" PRId64, job_last(job));
		fake_note(fake, job, false);
	}
	sink_answer(&fake->base, &whole);
}

/* Answers the job in hand. */
static inline void fake_release(struct fake *fake, char answer)
{
	const struct sink_job *job = fake->held;

	ck_assert_ptr_nonnull(job);
	fake->held = NULL;
	fake_answer(fake, job, answer);
}

static inline void fake_send(struct fake *fake)
{
	fake_note(fake, fake->held, false);
	if (sink_sent(&fake->base))
		fake->held = NULL;
}

static inline void fake_recovered(struct fake *fake)
{
	struct fault fault = FAULT_NULL;

	fake->recovering = false;
	if (fake->n_recover_faults-- > 0) {
		fault_set(&fault, FAULT_NETWORK, "the receiver cannot be asked");
		sink_recovered(&fake->base, &fault);
	} else {
		sink_recovered(&fake->base, NULL);
	}
}

static inline void fake_on_turn(struct ev_loop *of, ev_timer *watcher, int events)
{
	struct fake *fake = watcher->data;

	(void)of;
	(void)events;
	if (fake->recovering)
		fake_recovered(fake);
	else if (fake->answer == 's')
		fake_send(fake);
	else
		fake_release(fake, fake->answer);
}

static inline struct fake *fake_of(struct sink *sink)
{
	return (struct fake *)(void *)sink;
}

static inline int fake_create(
	struct sink **ret, const struct sink_setup *setup, struct fault *reterr)
{
	struct fake *fake = fake_find(setup->name);

	(void)reterr;
	ck_assert(!fake->alive);
	fake->alive = true;
	fake->base.kind = setup->options;
	fake->base.name = mem_strdup(setup->name);
	ev_timer_init(&fake->turn, fake_on_turn, 0., 0.);
	fake->turn.data = fake;
	*ret = &fake->base;
	return 0;
}

static inline int fake_recover(struct sink *sink, const char *position, struct fault *reterr)
{
	struct fake *fake = fake_of(sink);

	if (sink->kind->capabilities & SINK_RECOVERS_LATER) {
		fake->recovering = true;
		timer_start(loop, &fake->turn, 0);
	} else if (fake->n_recover_faults-- > 0)
		return fault_set(reterr, FAULT_STORE, "the place cannot be looked at");
	free(fake->recovered_with);
	fake->recovered_with = mem_strdup(position ? position : "");
	return 0;
}

static inline void fake_deliver(struct sink *sink, struct sink_job *job)
{
	struct fake *fake = fake_of(sink);

	ck_assert_ptr_null(fake->held);
	ck_assert_uint_lt(fake->n_calls, FAKE_JOBS);
	memcpy(fake->ids[fake->n_calls], job_id(job), sizeof(job->id));
	fake->n_batches[fake->n_calls++] = job->n_batches;
	splits_copy(&fake->splits, &job->splits);
	fake->held = job;
	fake->answer = *fake->script ? *fake->script++ : 'd';
	if (fake->answer == '/') {
		splits_add(&job->splits, 1);
		ck_assert(sink_store_splits(sink, NULL));
	} else if (fake->answer != 'h')
		timer_start(loop, &fake->turn, 0);
}

static inline void fake_cancel(struct sink *sink)
{
	ev_timer_stop(loop, &fake_of(sink)->turn);
	fake_of(sink)->held = NULL;
	fake_of(sink)->n_cancels++;
}

static inline void fake_reopen(struct sink *sink)
{
	fake_of(sink)->n_reopens++;
}

static inline void fake_destroy(struct sink *sink)
{
	struct fake *fake = fake_of(sink);

	ck_assert_ptr_null(fake->held);
	ev_timer_stop(loop, &fake->turn);
	fake->recovering = false;
	fake->alive = false;
	free(sink->name);
}

#define FAKE_KIND(bits)                                                                            \
	{                                                                                          \
		.name = "fake", .capabilities = (bits), .create = fake_create,                     \
		.recover = fake_recover, .deliver = fake_deliver, .cancel = fake_cancel,           \
		.reopen = fake_reopen, .destroy = fake_destroy,                                    \
	}

static const struct sink_kind fake_plain = FAKE_KIND(0);
static const struct sink_kind fake_bodies = FAKE_KIND(SINK_WHOLE_BATCH | SINK_REOPEN);
static const struct sink_kind fake_exact = FAKE_KIND(SINK_EXACTLY_ONCE);
__attribute__((unused)) static const struct sink_kind fake_later = FAKE_KIND(SINK_RECOVERS_LATER);
static const struct sink_kind fake_stable = FAKE_KIND(SINK_STABLE_JOB);

/* --- the pipeline --- */

static inline void pipeline_state(int outcome, const struct fault *fault, void *userdata)
{
	(void)userdata;
	(void)fault;
	if (outcome != 0)
		n_state_faults++;
	else
		n_state_recoveries++;
	state_corrupt = state_corrupt || outcome == STORE_E_CORRUPT;
}

static inline void pipeline_open(void)
{
	fixture_open();
	loop = ev_loop_new(EVFLAG_AUTO);
	committer = committer_new(loop, store, pipeline_state, NULL);
	fanout = fanout_new(loop, store, committer, state);
}

/* As a crash: what is not committed is dropped. */
static inline void pipeline_close(void)
{
	fanout_free(fanout);
	committer_free(committer);
	store_close(store);
	store = NULL;
	if (loop)
		ev_loop_destroy(loop);
	fanout = NULL;
	committer = NULL;
	loop = NULL;
}

static inline void pipeline_setup(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	fixture_setup();
	pipeline_open();
}

static inline void pipeline_teardown(void)
{
	pipeline_close();
	for (size_t i = 0; i < 4; i++) {
		buf_deinit(&fakes[i].delivered);
		free(fakes[i].recovered_with);
		fakes[i] = (struct fake){0};
	}
	fixture_teardown();
}

static const struct sink_common_options common_raw = {.format = RECORD_RAW};

static inline void pipeline_sink(
	const char *name, const struct sink_kind *kind, const struct sink_common_options *common)
{
	struct sink_setup setup = {.name = name, .loop = loop, .options = kind};
	struct fault fault = FAULT_NULL;
	int r = fanout_add_sink(fanout, kind, &setup, common, &fault);

	ck_assert_msg(r == 0, "fanout_add_sink: %d %s", r, fault.text);
}

/* SINKS: comma separated. */
static inline void pipeline_route(const char *source, const char *sinks)
{
	struct str_list list = STR_LIST_NULL;

	str_list_split(&list, slice_of(sinks), ',');
	for (size_t i = 0; i < list.n_items; i++)
		fanout_route(fanout, source, list.items[i], 0);
	str_list_deinit(&list);
}

/* A sink "out" of KIND that gets everything of the source "a", first seen before all. */
static inline struct fake *pipeline_simple(const struct sink_kind *kind)
{
	pipeline_sink("out", kind, &common_raw);
	pipeline_route("a", "out");
	fanout_start(fanout);
	ck_assert(committer_flush(committer));
	return fake_find("out");
}

static inline void pipeline_page(const char *source, int number, size_t n)
{
	struct batch *batch = fixture_batch(source, number, n, 1000);

	commit_add_page(store, source, batch, "{}", fanout_committed, fanout);
	batch_unref(batch);
	committer_touch(committer);
}

/* Pages FROM to TO - 1 of N records each, committed. */
static inline void pipeline_pages(const char *source, int from, int to, size_t n)
{
	for (int i = from; i < to; i++)
		pipeline_page(source, i, n);
	ck_assert(committer_flush(committer));
}

/* What pipeline_pages(…, FROM, TO, N) leaves in a raw file; append to OUT. */
static inline void pipeline_expect(struct buf *out, int from, int to, size_t n)
{
	for (int number = from; number < to; number++) {
		for (size_t i = 0; i < n; i++)
			buf_printf(out, "{\"n\":%d,\"i\":%zu}\n", number, i);
	}
}

static inline bool fakes_answer(void)
{
	bool answer = false;

	for (size_t i = 0; i < 4; i++)
		answer = answer || ev_is_active(&fakes[i].turn);
	return answer;
}

/* Until what is collected is committed, every sink is idle or failing, and what follows from that
 * is committed, too. */
static inline void pipeline_settle(void)
{
	ck_assert(committer_flush(committer));
	RUN_UNTIL(fanout_drained(fanout, NULL));
	do {
		ev_run(loop, EVRUN_NOWAIT);
	} while (fakes_answer() || (commit_pending(store) && committer_flush(committer)));
}

static inline void ck_delivered(const struct fake *fake, int from, int to, size_t n)
{
	struct buf wanted = BUF_NULL;

	pipeline_expect(&wanted, from, to, n);
	ck_assert_str_eq(buf_text(&fake->delivered), buf_text(&wanted));
	buf_deinit(&wanted);
}

struct pipeline_find {
	const char *name;
	struct sink_status status;
	bool found;
};

static inline void pipeline_each(const struct sink_status *status, void *userdata)
{
	struct pipeline_find *find = userdata;

	if (strcmp(status->name, find->name) == 0) {
		find->status = *status;
		find->found = true;
	}
}

static inline struct sink_status pipeline_status(const char *name)
{
	struct pipeline_find find = {.name = name};

	fanout_each_sink(fanout, pipeline_each, &find);
	ck_assert_msg(find.found, "no status of %s", name);
	return find.status;
}

/* The whole file at PATH; the caller frees. */
static inline char *pipeline_read(const char *path, size_t *ret_size)
{
	struct buf text = BUF_NULL;
	int fd = open(path, O_RDONLY);
	char piece[65536];
	ssize_t n;

	ck_assert_msg(fd >= 0, "cannot open %s", path);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		buf_append(&text, piece, (size_t)n);
	close(fd);
	if (ret_size)
		*ret_size = text.size;
	return buf_take(&text);
}

/* Sends the log to a file until pipeline_log_end, which returns the text. */
static inline int pipeline_log_begin(int *ret_saved)
{
	int fd = (int)memfd_create("log", 0);

	fflush(stderr);
	*ret_saved = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	log_set_level(LOG_LEVEL_INFO);
	return fd;
}

static inline char *pipeline_log_end(int fd, int saved)
{
	char path[64];
	char *text;

	dup2(saved, STDERR_FILENO);
	close(saved);
	log_set_level(LOG_LEVEL_ERROR);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	text = pipeline_read(path, NULL);
	close(fd);
	return text;
}

static inline size_t text_count(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

/* Lines in the dead letters of the sink "out". */
static inline size_t dead_letters(void)
{
	char *path = fixture_path("dead-letters/out.ndjson");
	size_t n = 0;

	if (access(path, F_OK) == 0) {
		char *text = pipeline_read(path, NULL);

		n = text_count(text, "\n");
		free(text);
	}
	free(path);
	return n;
}

#endif
