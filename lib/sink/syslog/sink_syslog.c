/*
 * Records as syslog messages: datagrams (UDP, /dev/log), TCP, TLS, and RELP over either.
 *
 * A job is finished when what was written has been taken. With RELP every message was answered. On
 * a socket of the file system the receiver has read everything. With TCP and TLS the receiver's
 * kernel has it, and has had it for QUIET_NS, so that a receiver which is stopped with unread bytes
 * in its socket is noticed as a rule (its kernel resets the connection). A receiver that lets
 * everyone in and closes again, because it does not know the client's certificate or has no server
 * behind it, does so at the start: what is sent on a new connection is held for SETTLE_NS. Further
 * jobs are sent meanwhile (sink_sent).
 *
 * A job that breaks off is sent again: with RELP from the first message without an answer, else
 * from its beginning, after those before it that are not confirmed. The connection stays open
 * between jobs; one that the receiver closes then is simply made again. Back-off is delivery.c's.
 */
#include "sink/sinks.h"

#include <ev.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/timer.h"
#include "base/timestamp.h"
#include "net/stream.h"
#include "net/transport_check.h"
#include "pipeline/job.h"
#include "sink/syslog/syslog_sent.h"
#include "sink/syslog/syslog_writer.h"

#define OUT_SIZE ((size_t)256 << 10) /* messages are gathered up to this */
#define TURN_SIZE ((size_t)1 << 20) /* bytes written before the loop has its turn */
#define TURN_DATAGRAMS 32 /* as many, then a millisecond: receivers' buffers are small */
#define TURN_RECEIVES 64
#define TURN_WAIT_NS NSEC_PER_MSEC
#define LOOK_WAIT_MIN_NS NSEC_PER_MSEC /* between two looks at the send queue */
#define LOOK_WAIT_MAX_NS (50 * NSEC_PER_MSEC)
#define SETTLE_NS NSEC_PER_SEC /* of a new connection */
#define QUIET_NS (200 * NSEC_PER_MSEC) /* that the receiver's kernel has it */

struct sink_syslog {
	struct sink base;
	const struct syslog_options *options;
	struct ev_loop *loop;
	char *location;
	struct log_subject subject;
	struct syslog_target target;
	struct syslog_writer writer;

	struct http_stream *stream; /* NULL: not connected */
	bool open;
	nsec_t open_at;
	struct relp relp;

	const struct sink_job *job; /* NULL: none, or it is sent and the next may come */
	bool job_sent; /* it is the last in SENT */
	struct syslog_sent sent;
	struct job_cursor taken; /* after the records of the job that are formatted */
	struct job_cursor last; /* before the last of them */
	size_t n_confirmed; /* records of the job that need not be sent again */
	int64_t confirmed_last; /* the job's that n_confirmed belongs to; 0: none */
	bool *large; /* records of the job that no message can carry; NULL: none */
	struct buf out; /* being sent */
	size_t out_at;
	size_t unacknowledged;
	nsec_t look_wait_ns;
	ev_timer timer; /* begins a job, and continues by itself */
	ev_timer look_timer; /* has what was sent been taken? */
	ev_timer watchdog; /* nothing has moved */
};

static void step(struct sink_syslog *syslog);

static void moved(struct sink_syslog *syslog)
{
	if (syslog->job || syslog->sent.n_items > 0)
		ev_timer_again(syslog->loop, &syslog->watchdog);
}

/* --- connection --- */

static void disconnect(struct sink_syslog *syslog)
{
	http_stream_close(syslog->stream);
	syslog->stream = NULL;
	syslog->open = false;
	buf_clear(&syslog->out);
	syslog->out_at = 0;
	syslog->sent.n_items = 0;
	relp_deinit(&syslog->relp);
}

static void on_event(void *userdata)
{
	step(userdata);
}

static void connect_receiver(struct sink_syslog *syslog)
{
	struct http_stream_setup setup = {
		.kind = syslog->target.address.kind,
		.target = syslog->target.address.target,
		.transport =
			{
				.ca_file = syslog->options->ca_file,
				.client_cert = syslog->options->client_cert,
				.client_key = syslog->options->client_key,
				.client_key_password = syslog->options->client_key_password.text,
				.connect_timeout_ns = syslog->options->timeout_ns,
			},
		.event = on_event,
		.userdata = syslog,
	};

	syslog->stream = http_stream_open(syslog->loop, &setup);
}

static void opened(struct sink_syslog *syslog)
{
	syslog->open = true;
	syslog->open_at = clock_monotonic();
	syslog->sent.n_written = 0;
	syslog_writer_begin(&syslog->writer, http_stream_is_datagram(syslog->stream));
	if (syslog->target.address.relp)
		relp_begin(&syslog->relp, &syslog->out);
}

/* --- the end of a job --- */

static void leave_job(struct sink_syslog *syslog)
{
	syslog->job = NULL;
	ev_timer_stop(syslog->loop, &syslog->timer);
	if (syslog->sent.n_items == 0) {
		ev_timer_stop(syslog->loop, &syslog->look_timer);
		ev_timer_stop(syslog->loop, &syslog->watchdog);
	}
	if (syslog->out.capacity > 8 * OUT_SIZE || syslog->writer.message.capacity > 8 * OUT_SIZE) {
		buf_deinit(&syslog->out);
		syslog_writer_deinit(&syslog->writer);
		syslog->out_at = 0;
	}
}

static void finish(struct sink_syslog *syslog)
{
	struct sink_answer answer = {.result = SINK_DELIVERED};

	if (syslog->large) {
		answer.result = SINK_REJECTED;
		fault_set(&answer.error, FAULT_REFUSED,
			"as messages they are over max_message (%zu bytes); relp carries any, and max_message may be what the receiver is set up for",
			syslog->writer.stream_max);
		answer.n_reasons = syslog->job->n_records;
		answer.reasons = mem_array(answer.n_reasons, sizeof(*answer.reasons));
		for (size_t i = 0; i < answer.n_reasons; i++)
			if (syslog->large[i])
				answer.reasons[i] = mem_strdup(answer.error.text);
	}
	leave_job(syslog);
	syslog->confirmed_last = 0;
	sink_answer(&syslog->base, &answer);
}

static void retry(struct sink_syslog *syslog, const struct fault *error)
{
	sink_answer(&syslog->base, &(struct sink_answer){.result = SINK_RETRY, .error = *error});
}

static void fail(struct sink_syslog *syslog, const struct fault *fault)
{
	struct fault copy = *fault;
	bool busy = syslog->job || syslog->sent.n_items > 0;

	disconnect(syslog);
	leave_job(syslog);
	if (busy)
		retry(syslog, &copy);
	else
		log_debug(&syslog->subject,
			"%s between two jobs; connecting again for the next one", copy.text);
}

/* Datagrams that the receiver has are not sent again, and the socket that knows whether they were
 * read is kept. */
static void on_watchdog(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct sink_syslog *syslog = timer->data;
	struct buf timeout = BUF_NULL;
	struct fault fault = FAULT_NULL;

	(void)loop;
	(void)revents;
	timestamp_print_duration(syslog->options->timeout_ns, &timeout);
	fault_set(&fault, FAULT_TIMEOUT, "%s %s for %s", syslog->target.address.target,
		syslog->target.address.relp ? "confirmed nothing" : "took nothing",
		buf_text(&timeout));
	buf_deinit(&timeout);
	if (!syslog->open || !http_stream_is_datagram(syslog->stream)) {
		fail(syslog, &fault);
		return;
	}
	syslog->n_confirmed = syslog->taken.index - (syslog->out_at < syslog->out.size);
	buf_clear(&syslog->out);
	syslog->out_at = 0;
	syslog->sent.n_items = 0;
	leave_job(syslog);
	retry(syslog, &fault);
}

/* --- messages --- */

static void set_large(struct sink_syslog *syslog, size_t index)
{
	if (!syslog->large)
		syslog->large = mem_array(syslog->job->n_records, sizeof(bool));
	syslog->large[index] = true;
}

/* The next messages into the empty OUT. False: there are none, or the window is full. */
static bool fill(struct sink_syslog *syslog)
{
	const struct sink_job *job = syslog->job;
	struct sink_record record;

	buf_clear(&syslog->out);
	syslog->out_at = 0;
	while (job && syslog->taken.index < job->n_records && syslog->out.size < OUT_SIZE) {
		if (syslog->target.address.relp && !relp_has_room(&syslog->relp))
			break;
		syslog->last = syslog->taken;
		job_next(job, &syslog->taken, &record);
		if (!syslog_writer_put(&syslog->writer, &record, &syslog->out))
			set_large(syslog, syslog->taken.index - 1);
		else if (syslog->writer.datagram_max > 0)
			break;
	}
	return syslog->out.size > 0;
}

/* The datagram in OUT is larger than the socket can send: again, shorter. False: it is short. */
static bool shorten(struct sink_syslog *syslog)
{
	struct fault fault = FAULT_NULL;

	if (!syslog_writer_shorten(&syslog->writer, syslog->out.size)) {
		fault_set(&fault, FAULT_NETWORK, "%s takes no datagram of %zu bytes",
			syslog->target.address.target, syslog->out.size);
		fail(syslog, &fault);
		return false;
	}
	syslog->taken = syslog->last;
	buf_clear(&syslog->out);
	return true;
}

/* --- moving on --- */

/* False: failed. Receivers of plain syslog say nothing; what they say is dropped. */
static bool receive(struct sink_syslog *syslog)
{
	char bytes[16384];
	struct fault fault = FAULT_NULL;

	for (int i = 0; i < TURN_RECEIVES; i++) {
		ssize_t n = http_stream_receive(syslog->stream, bytes, sizeof(bytes));
		size_t before = syslog->n_confirmed;

		if (n == 0)
			return true;
		if (n < 0) {
			fault = *http_stream_fault(syslog->stream);
			fail(syslog, &fault);
			return false;
		}
		if (!syslog->target.address.relp)
			continue;
		if (relp_receive(&syslog->relp, (struct slice){bytes, (size_t)n},
			    &syslog->n_confirmed, &fault) != 0) {
			fail(syslog, &fault);
			return false;
		}
		if (syslog->n_confirmed > before)
			moved(syslog);
	}
	timer_start(syslog->loop, &syslog->timer, 0);
	return true;
}

/* Sends until nothing is left to be sent now (true), there is no room, others must have their turn,
 * or it has failed. */
static bool transmit(struct sink_syslog *syslog)
{
	size_t n_sent = 0, n_datagrams = 0;
	struct fault fault = FAULT_NULL;

	while (syslog->out_at < syslog->out.size || fill(syslog)) {
		struct slice rest = {
			syslog->out.data + syslog->out_at, syslog->out.size - syslog->out_at};
		ssize_t n;

		if (n_sent >= TURN_SIZE || n_datagrams == TURN_DATAGRAMS) {
			timer_start(syslog->loop, &syslog->timer, n_datagrams ? TURN_WAIT_NS : 0);
			return false;
		}
		n = http_stream_send(syslog->stream, rest);
		if (n == HTTP_STREAM_E_SIZE) {
			if (!shorten(syslog))
				return false;
			continue;
		}
		if (n < 0) {
			fault = *http_stream_fault(syslog->stream);
			fail(syslog, &fault);
			return false;
		}
		if (n == 0)
			return false;
		n_sent += (size_t)n;
		n_datagrams += syslog->writer.datagram_max > 0;
		syslog->out_at += (size_t)n;
		syslog->sent.n_written += (size_t)n;
		moved(syslog);
	}
	return true;
}

static bool ends_at_kernel(const struct sink_syslog *syslog)
{
	return !syslog->target.address.relp &&
	       (syslog->target.address.kind == HTTP_STREAM_TCP ||
		       syslog->target.address.kind == HTTP_STREAM_TLS);
}

/* How far the receiver has taken what was written. With TLS it may be further: the bytes in the
 * send queue are more than those they carry. */
static uint64_t taken_up_to(struct sink_syslog *syslog)
{
	size_t left = http_stream_unacknowledged(syslog->stream);

	if (left != syslog->unacknowledged) {
		syslog->unacknowledged = left;
		syslog->look_wait_ns = LOOK_WAIT_MIN_NS;
		moved(syslog);
	}
	if (left == 0)
		return syslog->sent.n_written;
	return ends_at_kernel(syslog) && left < syslog->sent.n_written
		       ? syslog->sent.n_written - left
		       : 0;
}

/* When the first of the jobs that are sent counts as delivered; NSEC_NONE: not known. */
static nsec_t settles_at(const struct sink_syslog *syslog)
{
	nsec_t taken_at = syslog_sent_first(&syslog->sent);

	if (taken_at == NSEC_NONE || !ends_at_kernel(syslog))
		return taken_at;
	return taken_at + QUIET_NS > syslog->open_at + SETTLE_NS ? taken_at + QUIET_NS
								 : syslog->open_at + SETTLE_NS;
}

/* The job in hand is sent. May the next one come? */
static void ask_for_more(struct sink_syslog *syslog)
{
	if (!syslog->large && ends_at_kernel(syslog) && sink_sent(&syslog->base))
		leave_job(syslog);
}

static void confirm(struct sink_syslog *syslog)
{
	syslog_sent_shift(&syslog->sent);
	if (syslog->sent.n_items == 0 && syslog->job && syslog->job_sent) {
		finish(syslog);
		return;
	}
	sink_confirmed(&syslog->base);
	if (syslog->job && syslog->job_sent)
		ask_for_more(syslog);
	if (syslog->sent.n_items == 0 && !syslog->job)
		leave_job(syslog);
}

/* Confirms what has been taken for long enough; no error came meanwhile (step). */
static void look(struct sink_syslog *syslog)
{
	nsec_t now_at = clock_monotonic(), at;

	syslog_sent_taken(&syslog->sent, taken_up_to(syslog));
	while ((at = settles_at(syslog)) != NSEC_NONE && at <= now_at)
		confirm(syslog);
	if (syslog->sent.n_items == 0)
		return;
	if (at == NSEC_NONE) {
		at = now_at + syslog->look_wait_ns;
		if (syslog->look_wait_ns < LOOK_WAIT_MAX_NS)
			syslog->look_wait_ns *= 2;
	}
	timer_start(syslog->loop, &syslog->look_timer, at - now_at);
}

/* All of the job in hand is written. */
static void written(struct sink_syslog *syslog)
{
	if (syslog->target.address.relp) {
		if (syslog->n_confirmed == syslog->job->n_records)
			finish(syslog);
		return;
	}
	if (syslog->job_sent)
		return;
	syslog->job_sent = true;
	syslog_sent_add(&syslog->sent);
	ask_for_more(syslog);
}

static void step(struct sink_syslog *syslog)
{
	enum http_stream_state state = http_stream_state(syslog->stream);
	struct fault fault = FAULT_NULL;

	if (state == HTTP_STREAM_FAILED) {
		fault = *http_stream_fault(syslog->stream);
		fail(syslog, &fault);
		return;
	}
	if (state == HTTP_STREAM_CONNECTING)
		return;
	if (!syslog->open) {
		opened(syslog);
		moved(syslog);
	}
	if (receive(syslog) && transmit(syslog) && syslog->job)
		written(syslog);
	if (syslog->sent.n_items > 0)
		look(syslog);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct sink_syslog *syslog = timer->data;

	(void)loop;
	(void)revents;
	if (syslog->stream)
		step(syslog);
}

/* --- the contract --- */

static void skip_confirmed(struct sink_syslog *syslog)
{
	struct sink_record record;

	syslog->taken = (struct job_cursor){0};
	while (syslog->taken.index < syslog->n_confirmed)
		job_next(syslog->job, &syslog->taken, &record);
}

static void sink_syslog_deliver(struct sink *sink, struct sink_job *job)
{
	struct sink_syslog *syslog = (struct sink_syslog *)sink;

	if (syslog->open && syslog->sent.n_items == 0)
		(void)receive(syslog); /* closed by the receiver since the last job? */
	if (syslog->confirmed_last != job_last(job))
		syslog->n_confirmed = 0;
	syslog->confirmed_last = job_last(job);
	free(syslog->large);
	syslog->large = NULL;
	syslog->job = job;
	syslog->job_sent = false;
	skip_confirmed(syslog);
	syslog->target.style.format = job->format;
	syslog->unacknowledged = 0;
	syslog->look_wait_ns = LOOK_WAIT_MIN_NS;
	if (!syslog->stream) {
		connect_receiver(syslog);
		return;
	}
	moved(syslog);
	timer_start(syslog->loop, &syslog->timer, 0);
}

/* A message may be half sent: a stream cannot go on after it. */
static void sink_syslog_cancel(struct sink *sink)
{
	struct sink_syslog *syslog = (struct sink_syslog *)sink;

	if (syslog->job || syslog->sent.n_items > 0)
		disconnect(syslog);
	leave_job(syslog);
}

static void sink_syslog_free(struct sink_syslog *syslog)
{
	relp_deinit(&syslog->relp);
	buf_deinit(&syslog->out);
	syslog_writer_deinit(&syslog->writer);
	syslog_target_deinit(&syslog->target);
	free(syslog->large);
	free(syslog->location);
	free(syslog->base.name);
	free(syslog);
}

static void sink_syslog_destroy(struct sink *sink)
{
	struct sink_syslog *syslog = (struct sink_syslog *)sink;
	struct buf end = BUF_NULL;

	sink_syslog_cancel(sink);
	if (syslog->open && syslog->target.address.relp) {
		relp_end(&syslog->relp, &end);
		(void)http_stream_send(syslog->stream, buf_slice(&end));
		buf_deinit(&end);
	}
	disconnect(syslog);
	sink_syslog_free(syslog);
}

static void sink_syslog_check(
	const void *data, const struct ini_section *section, struct findings *findings)
{
	const struct syslog_options *options = data;
	struct syslog_target target = {0};
	struct fault fault = FAULT_NULL;
	const char *key;

	if (syslog_target_init(&target, data, &key, &fault) != 0)
		findings_add_at(findings, section, key, "%s", fault.text);
	else
		transport_check(
			&(struct http_transport){
				.ca_file = options->ca_file,
				.client_cert = options->client_cert,
				.client_key = options->client_key,
			},
			section, findings);
	syslog_target_deinit(&target);
}

static int sink_syslog_create(
	struct sink **ret, const struct sink_setup *setup, struct fault *reterr)
{
	struct sink_syslog *syslog = MEM_NEW(struct sink_syslog);
	const char *key;
	int r;

	syslog->base.kind = &sink_syslog;
	syslog->base.name = mem_strdup(setup->name);
	syslog->options = setup->options;
	syslog->loop = setup->loop;
	syslog->location = mem_strdup(setup->location);
	syslog->subject = (struct log_subject){"sink", syslog->base.name, syslog->location};
	syslog->writer = (struct syslog_writer){
		.subject = &syslog->subject,
		.options = syslog->options,
		.target = &syslog->target,
		.relp = &syslog->relp,
		.large_logged_at = NSEC_NONE,
	};
	relp_deinit(&syslog->relp);
	ev_init(&syslog->timer, on_timer);
	syslog->timer.data = syslog;
	ev_init(&syslog->look_timer, on_timer);
	syslog->look_timer.data = syslog;
	ev_init(&syslog->watchdog, on_watchdog);
	syslog->watchdog.data = syslog;
	syslog->watchdog.repeat = (double)syslog->options->timeout_ns / (double)NSEC_PER_SEC;
	r = syslog_target_init(&syslog->target, syslog->options, &key, reterr);
	if (r)
		sink_syslog_free(syslog);
	else
		*ret = &syslog->base;
	return r;
}

const struct sink_kind sink_syslog = {
	.name = "syslog",
	.summary = "syslog messages: /dev/log, UDP, TCP, TLS, RELP",
	.promise =
		"relp: acknowledged by the receiver, at least once; tcp, tls: at least once up to the receiver's kernel; udp, unix: best effort",
	.options = syslog_option_rows,
	.n_options = SYSLOG_N_OPTIONS,
	.options_size = sizeof(struct syslog_options),
	.capabilities = SINK_WHOLE_BATCH,
	.check = sink_syslog_check,
	.create = sink_syslog_create,
	.deliver = sink_syslog_deliver,
	.cancel = sink_syslog_cancel,
	.destroy = sink_syslog_destroy,
};
