/*
 * trawlctl test: sends one marked record through the sink as it is configured, with a state of its
 * own that is removed afterwards. A sink with a position of its own (files) gets none: what is in
 * an archive stays as it is. A kind that can check its receiver without a record does that.
 */
#include <errno.h>
#include <ev.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "base/user.h"
#include "ctl/ctl.h"
#include "mask.h"
#include "net/client.h"
#include "pipeline/committer.h"
#include "pipeline/fanout.h"
#include "store/commit.h"

#define SOURCE "trawld-test"
#define PATIENCE_SECONDS 60.

struct test {
	const struct setup_sink *sink;
	struct ev_loop *loop;
	struct store *store;
	struct committer *committer;
	struct http_client *client;
	struct fanout *fanout;
	struct sink_common_options common; /* the sink's, without conditions */
	struct sink_status status;
	ev_timer patience;
	ev_signal interrupted[2]; /* what was made has to go then, too */
	const char *given_up; /* why there is no result */
};

/* --- what happens, as it happens --- */

static void see_request(const struct http_message *message, void *userdata)
{
	struct buf url CLEANUP(buf_deinit) = BUF_NULL;
	(void)userdata;
	mask_url(slice_of(message->url), &url);
	printf("  %s %s\n", message->method, buf_text(&url));
	fflush(stdout);
}

static void see_answer(const struct http_response *response, void *userdata)
{
	(void)userdata;
	if (response->status > 0)
		printf("  HTTP %d, %zu bytes, %lld ms\n", response->status, response->body.size,
			(long long)(response->elapsed_ns / NSEC_PER_MSEC));
	fflush(stdout);
}

static void take_status(const struct sink_status *status, void *userdata)
{
	struct test *test = userdata;
	test->status = *status;
}

static bool is_over(const struct test *test)
{
	return test->status.failing || test->status.delivered_records > 0 ||
	       test->status.refused_records > 0;
}

static void progress(void *userdata)
{
	struct test *test = userdata;
	fanout_each_sink(test->fanout, take_status, test);
	if (is_over(test))
		ev_break(test->loop, EVBREAK_ALL);
}

static void out_of_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct test *test = timer->data;
	(void)events;
	test->given_up = "no answer within a minute";
	ev_break(loop, EVBREAK_ALL);
}

static void interrupt(struct ev_loop *loop, ev_signal *watcher, int events)
{
	struct test *test = watcher->data;
	(void)events;
	test->given_up = "interrupted";
	ev_break(loop, EVBREAK_ALL);
}

/* --- the record --- */

static struct batch *record_of(const struct setup_sink *sink)
{
	nsec_t now = clock_wall();
	struct batch *batch = batch_new(SOURCE, SOURCE, now);
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	char id[33];
	buf_append_text(&text, "{\"trawld_test\":\"");
	timestamp_print_rfc3339(now, 6, &text);
	buf_append_text(&text, "\",\"sink\":");
	json_encode(slice_of(sink->name), &text);
	buf_append_text(
		&text, ",\"message\":\"sent by trawlctl test; not a record of any source\"}");
	struct id key = digest_id(buf_slice(&text));
	digest_hex(key.bytes, sizeof(key.bytes), id);
	batch_add(batch, buf_slice(&text), &key, slice_of(id), now);
	printf("  test record %s\n", id);
	return batch;
}

static void state_failed(int outcome, const struct fault *fault, void *userdata)
{
	(void)userdata;
	if (outcome != 0)
		fprintf(stderr, "trawlctl: %s\n", fault->text);
}

static void discard_line(enum log_level level, const struct log_subject *subject, struct slice text)
{
	(void)level;
	(void)subject;
	(void)text;
}

/* --- one run --- */

static int begin(struct test *test, const char *directory, struct fault *reterr)
{
	const struct setup_sink *sink = test->sink;
	const struct http_watch watch = {see_request, see_answer, test};
	test->loop = ev_loop_new(EVFLAG_AUTO);
	int r = store_open(&test->store, directory, STORE_OWN, reterr);
	if (r)
		return r;
	test->committer = committer_new(test->loop, test->store, state_failed, test);
	test->client = http_client_new(test->loop, "trawld/" TRAWLD_VERSION);
	http_client_watch(test->client, &watch);
	test->fanout = fanout_new(test->loop, test->store, test->committer, directory);
	fanout_on_progress(test->fanout, progress, test);
	test->common = sink->common;
	test->common.include = test->common.exclude = STR_LIST_NULL;
	const struct sink_setup setup = {
		.name = sink->name,
		.location = sink->location,
		.options = sink->options,
		.loop = test->loop,
		.client = test->client,
	};
	return fanout_add_sink(test->fanout, sink->kind, &setup, &test->common, reterr);
}

static void send_record(struct test *test)
{
	struct batch *batch = record_of(test->sink);
	fanout_route(test->fanout, SOURCE, test->sink->name, 0);
	fanout_start(test->fanout);
	fanout_hurry(test->fanout);
	commit_add_page(test->store, SOURCE, batch, NULL, fanout_committed, test->fanout);
	batch_unref(batch);
	committer_flush(test->committer);
	ev_timer_init(&test->patience, out_of_patience, PATIENCE_SECONDS, 0.);
	test->patience.data = test;
	ev_timer_start(test->loop, &test->patience);
	for (size_t i = 0; i < 2; i++) {
		ev_signal_init(&test->interrupted[i], interrupt, i ? SIGTERM : SIGINT);
		test->interrupted[i].data = test;
		ev_signal_start(test->loop, &test->interrupted[i]);
	}
	ev_run(test->loop, 0);
	ev_timer_stop(test->loop, &test->patience);
	for (size_t i = 0; i < 2; i++)
		ev_signal_stop(test->loop, &test->interrupted[i]);
}

static void end(struct test *test)
{
	fanout_free(test->fanout);
	http_client_free(test->client);
	if (test->committer)
		committer_free(test->committer);
	store_close(test->store);
	ev_loop_destroy(test->loop);
}

static int failed(const struct setup_sink *sink, const char *text, enum fault_class class)
{
	fflush(stdout);
	fprintf(stderr, "trawlctl: sink %s (%s): %s\n", sink->name, sink->location, text);
	return class == FAULT_CONFIG || class == FAULT_AUTH ? EX_CONFIG : EX_TEMPFAIL;
}

static int report(const struct test *test)
{
	const struct sink_status *status = &test->status;
	if (test->given_up)
		return failed(test->sink, test->given_up, FAULT_TIMEOUT);
	if (status->failing)
		return failed(test->sink, status->fault.text, status->fault.class);
	if (status->refused_records > 0)
		return failed(test->sink,
			"the receiver works, but rejected the test record; records like it would become dead letters",
			FAULT_NONE);
	printf("ok: one test record was delivered\n  what that means: %s\n",
		test->sink->kind->promise);
	return EX_OK;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

static int send_test(const struct setup_sink *sink)
{
	const char *temporary = getenv("TMPDIR");
	char *directory CLEANUP_FREE =
		mem_printf("%s/trawlctl-XXXXXX", temporary ? temporary : "/tmp");
	struct test test = {.sink = sink};
	struct fault fault = FAULT_NULL;
	log_divert(discard_line); /* it says what follows in a daemon */
	if (!mkdtemp(directory)) {
		fprintf(stderr, "trawlctl: cannot make %s: %s\n", directory, strerror(errno));
		return EX_CANTCREAT;
	}
	int code = begin(&test, directory, &fault);
	if (code) {
		code = failed(sink, fault.text, fault.class);
	} else {
		send_record(&test);
		code = report(&test);
	}
	end(&test);
	nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return code;
}

/* --- a receiver that says what a test needs to know --- */

/* A state of its own, so that the daemon at work is not disturbed. */
static int ask_receiver(const struct setup *setup, const struct setup_sink *sink)
{
	struct str_list sources CLEANUP(str_list_deinit) = STR_LIST_NULL;
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	struct fault fault = FAULT_NULL;
	unsigned char bytes[8];
	char id[2 * sizeof(bytes) + 1];
	random_bytes(bytes, sizeof(bytes));
	digest_hex(bytes, sizeof(bytes), id);
	for (size_t i = 0; i < setup->n_sources; i++) {
		struct str_list names CLEANUP(str_list_deinit) = STR_LIST_NULL;
		setup_route(setup, setup->sources[i], &names);
		if (str_list_has(&names, sink->name))
			str_list_add(&sources, setup->sources[i]->name);
	}
	const struct sink_setup own = {
		.name = sink->name,
		.location = sink->location,
		.options = sink->options,
		.state_id = id,
	};
	int code = sink->kind->test(&own, &sources, &out, &fault);
	fputs(buf_text(&out), stdout);
	if (code)
		return failed(sink, fault.text, fault.class);
	printf("ok: no record was left there\n  what delivered means: %s\n", sink->kind->promise);
	return EX_OK;
}

/* Of a path with conversions: the directory before the first of them, or the nearest above that is
 * there. */
static int check_directory(const struct setup_sink *sink)
{
	const char *pattern = sink->kind->target ? sink->kind->target(sink->options) : NULL;
	char *path CLEANUP_FREE = mem_strdup(pattern ? pattern : ".");
	char *slash;
	path[strcspn(path, "%")] = '\0';
	do {
		slash = strrchr(path, '/');
		slash[slash == path ? 1 : 0] = '\0';
	} while (access(path, F_OK) != 0 && slash != path);
	if (access(path, W_OK | X_OK) != 0) {
		char *text CLEANUP_FREE = mem_printf("cannot write to %s as uid %u: %s", path,
			(unsigned)geteuid(), strerror(errno));
		return failed(sink, text, FAULT_CONFIG);
	}
	printf("ok: %s can be written to; no test record goes into an archive\n", path);
	return EX_OK;
}

/* What root may do says nothing about the service. */
static int test_sink(const struct setup *setup, const struct setup_sink *sink)
{
	const char *directory = setup->config->daemon.state_directory;
	char *user CLEANUP_FREE = NULL;
	struct fault fault = FAULT_NULL;
	if (user_become_owner(directory, &user, &fault))
		return failed(sink, fault.text, fault.class);
	printf("sink %s (%s), %s%s%s\n", sink->name, sink->location, sink->kind->name,
		user ? ", as " : "", user ? user : "");
	if (sink->kind->test)
		return ask_receiver(setup, sink);
	return sink->kind->capabilities & SINK_EXACTLY_ONCE ? check_directory(sink)
							    : send_test(sink);
}

int ctl_test(const struct ctl_arguments *arguments)
{
	struct setup *setup = ctl_setup(arguments);
	if (!setup)
		return EX_CONFIG;
	const struct setup_sink *sink = setup_find_sink(setup, arguments->name);
	int code = sink ? test_sink(setup, sink) : ctl_unknown_sink(arguments->name, setup->config);
	setup_free(setup);
	return code;
}
