/* The shell around a poll, against a port where nobody listens: retries, giving up, waking,
 * back-pressure. What needs a server is in tests/system. */
#include "source/runner.h"

#include <arpa/inet.h>
#include <ev.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "source_fixture.h"

struct seen {
	struct ev_loop *loop;
	unsigned n_rested, n_accepted, n_asked;
	struct fault fault;
	bool may_poll;
	char cursor[512];
};

static void accept_records(const struct record_batch *batch, void *userdata)
{
	struct seen *seen = userdata;
	seen->n_accepted++;
	snprintf(seen->cursor, sizeof(seen->cursor), "%s", batch->cursor);
}

static bool known(const struct record *record, void *userdata)
{
	(void)record;
	(void)userdata;
	return false;
}

static enum runner_leave may_poll(bool needs_window, void *userdata)
{
	struct seen *seen = userdata;
	ck_assert(!needs_window);
	seen->n_asked++;
	if (!seen->may_poll)
		ev_break(seen->loop, EVBREAK_ALL);
	return seen->may_poll ? RUNNER_LEAVE : RUNNER_LEAVE_LATER;
}

static void rested(const struct fault *fault, void *userdata)
{
	struct seen *seen = userdata;
	seen->n_rested++;
	if (fault)
		seen->fault = *fault;
	ev_break(seen->loop, EVBREAK_ALL);
}

static void gap(nsec_t start_time, nsec_t end_time, enum gap_reason reason, void *userdata)
{
	(void)start_time;
	(void)end_time;
	(void)reason;
	(void)userdata;
	ck_abort_msg("no gap was expected");
}

static const struct runner_callbacks callbacks = {.accept = accept_records,
	.known = known,
	.may_poll = may_poll,
	.rested = rested,
	.gap = gap};

/* A port that is taken but does not listen: connecting is refused for as long as FD is open. */
static int closed_port(int *ret_fd)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	*ret_fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(*ret_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(getsockname(*ret_fd, (struct sockaddr *)&address, &size), 0);
	return ntohs(address.sin_port);
}

struct fixture {
	struct source_fixture source;
	struct seen seen;
	struct http_client *client;
	struct runner *runner;
	int fd;
};

static void set_up(struct fixture *f, bool allowed, const char *cursor)
{
	struct buf keys = BUF_NULL;
	struct fault fault;
	*f = (struct fixture){.seen = {.loop = ev_loop_new(EVFLAG_AUTO), .may_poll = allowed}};
	buf_printf(&keys,
		"request.url = https://h/x\nrequest.query.s = ${window.start}\nrecords.at = /l\n"
		"resume.url = /m\nretry_max = 1ms\nstart = earliest\nendpoint = "
		"http://127.0.0.1:%d\n",
		closed_port(&f->fd));
	source_fixture_good(&f->source, buf_text(&keys));
	buf_deinit(&keys);
	f->client = http_client_new(f->seen.loop, "check");
	struct runner_setup setup = {.loop = f->seen.loop,
		.client = f->client,
		.source = f->source.source,
		.cursor = cursor,
		.give_up = true,
		.callbacks = &callbacks,
		.userdata = &f->seen};
	ck_assert_int_eq(runner_new(&f->runner, &setup, &fault), 0);
}

static void tear_down(struct fixture *f)
{
	runner_free(f->runner);
	http_client_free(f->client);
	ev_loop_destroy(f->seen.loop);
	close(f->fd);
	source_fixture_deinit(&f->source);
}

START_TEST(gives_up_after_some_attempts)
{
	struct fixture f;
	struct runner_status status;
	set_up(&f, true, NULL);
	/* the first start is kept before anything is asked */
	ck_assert_uint_eq(f.seen.n_accepted, 1);
	ck_assert_ptr_nonnull(strstr(f.seen.cursor, "{\"version\":1,\"exact\":true,\"ids\":\"\","));
	ev_run(f.seen.loop, 0);
	ck_assert_uint_eq(f.seen.n_rested, 1);
	ck_assert_int_eq(f.seen.fault.class, FAULT_NETWORK);
	ck_assert_uint_eq(f.seen.n_asked, 4);
	runner_status(f.runner, &status);
	ck_assert(status.state == RUNNER_STOPPED && status.failing && status.n_faults == 4);
	ck_assert_str_eq(runner_state_to_string(status.state), "stopped");
	runner_wake(f.runner);
	ck_assert_uint_eq(f.seen.n_accepted, 1);
	tear_down(&f);
}
END_TEST

START_TEST(waits_under_pressure)
{
	struct fixture f;
	struct runner_status status;
	set_up(&f, false, "{\"version\":1,\"exact\":true}");
	ck_assert_uint_eq(f.seen.n_accepted, 0);
	ev_run(f.seen.loop, 0);
	runner_status(f.runner, &status);
	ck_assert(status.state == RUNNER_BLOCKED && status.n_requests == 0);
	f.seen.may_poll = true;
	runner_wake(f.runner);
	ev_run(f.seen.loop, 0);
	ck_assert_int_eq(f.seen.fault.class, FAULT_NETWORK);
	tear_down(&f);
}
END_TEST

START_TEST(pressure_ends_without_a_wake)
{
	struct fixture f;
	set_up(&f, false, "{\"version\":1,\"exact\":true}");
	ev_run(f.seen.loop, 0);
	ck_assert_uint_eq(f.seen.n_asked, 1);
	f.seen.may_poll = true;
	ev_run(f.seen.loop, 0);
	ck_assert_uint_gt(f.seen.n_asked, 1);
	ck_assert_int_eq(f.seen.fault.class, FAULT_NETWORK);
	tear_down(&f);
}
END_TEST

START_TEST(foreign_state_is_refused)
{
	struct fixture f;
	struct fault fault = FAULT_NULL;
	struct runner *runner;
	set_up(&f, true, NULL);
	struct runner_setup setup = {.loop = f.seen.loop,
		.client = f.client,
		.source = f.source.source,
		.cursor = "nonsense",
		.callbacks = &callbacks,
		.userdata = &f.seen};
	ck_assert_int_eq(unit_class(runner_new(&runner, &setup, &fault), &fault), FAULT_STORE);
	tear_down(&f);
}
END_TEST

UNIT_MAIN("runner", gives_up_after_some_attempts, waits_under_pressure,
	pressure_ends_without_a_wake, foreign_state_is_refused)
