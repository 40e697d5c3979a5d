/*
 * Records into the systemd journal, one entry each, by its native protocol: a datagram of fields,
 * or, when that is too long for a datagram, a sealed memfd with the same content.
 *
 * sd_journal_sendv() speaks it too, but reports success when no journald is there, and its socket
 * blocks while journald does not read: the one would lose records, the other stop the daemon.
 *
 * "Delivered" means: in the queue of journald's socket. What was taken is not sent again when the
 * same job comes again after a pause; after a restart of trawld it is.
 */
#include "sink/sinks.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/timer.h"
#include "base/timestamp.h"
#include "pipeline/job.h"
#include "sink/journal_limit.h"

#define SINK_JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SINK_JOURNAL_TURN ((size_t)1 << 20) /* bytes sent before the loop has its turn */
#define SINK_JOURNAL_BUFFER (8 << 20) /* asked of the kernel; it may give less */

static const char *const sink_journal_severities[] = {
	"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", NULL};

struct sink_journal_options {
	char *socket;
	int severity;
};

struct sink_journal {
	struct sink base;
	const struct sink_journal_options *options;
	struct ev_loop *loop;
	int fd; /* connected; -1: not */
	ev_io io; /* waits for room */
	ev_timer turn; /* begins, and continues after others had their turn */
	const struct sink_job *job; /* NULL: none */
	struct job_cursor cursor;
	struct buf entry; /* the next to be sent; empty: none. Below journald's bounds (768 MiB a
			     field), since a batch is */
	int64_t sent_last; /* the last number of the job that N_SENT belongs to */
	size_t n_sent; /* records of it that journald has */
};

static void sink_journal_stop(struct sink_journal *journal)
{
	ev_io_stop(journal->loop, &journal->io);
	ev_timer_stop(journal->loop, &journal->turn);
	journal->job = NULL;
}

static void sink_journal_disconnect(struct sink_journal *journal)
{
	ev_io_stop(journal->loop, &journal->io);
	if (journal->fd >= 0)
		close(journal->fd);
	journal->fd = -1;
}

static void sink_journal_fail(struct sink_journal *journal, const char *what, int error)
{
	struct sink_answer answer = {.result = SINK_RETRY};
	const char *socket = journal->options->socket;

	sink_journal_stop(journal);
	sink_journal_disconnect(journal);
	if (error == ENOENT || error == ECONNREFUSED)
		fault_set(&answer.error, FAULT_NETWORK, "no journald listens at %s", socket);
	else
		fault_set(&answer.error, FAULT_NETWORK, "cannot %s %s: %s", what, socket,
			strerror(error));
	sink_answer(&journal->base, &answer);
}

/* 0 or an errno. */
static int sink_journal_connect(struct sink_journal *journal)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int size = SINK_JOURNAL_BUFFER;

	if (journal->fd >= 0)
		return 0;
	journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (journal->fd < 0)
		return errno;
	setsockopt(journal->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	memcpy(address.sun_path, journal->options->socket, strlen(journal->options->socket) + 1);
	if (connect(journal->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return errno;
	ev_io_set(&journal->io, journal->fd, EV_WRITE);
	return 0;
}

/* --- one entry --- */

/* KEY, line feed, size (64 bits, little endian), value, line feed: for values of any content. */
static void sink_journal_field(struct buf *entry, const char *key, struct slice value)
{
	unsigned char size[8];

	for (size_t i = 0; i < sizeof(size); i++)
		size[i] = (unsigned char)((uint64_t)value.size >> 8 * i);
	buf_append_text(entry, key);
	buf_append_char(entry, '\n');
	buf_append(entry, size, sizeof(size));
	buf_append_slice(entry, value);
	buf_append_char(entry, '\n');
}

static void sink_journal_print(
	const struct sink_journal *journal, const struct sink_record *record, struct buf *entry)
{
	struct buf text = BUF_NULL;
	char scratch[33];

	buf_clear(entry);
	buf_printf(entry, "PRIORITY=%d\nSYSLOG_IDENTIFIER=trawld\n", journal->options->severity);
	sink_journal_field(entry, "SOURCE", slice_of(record->batch->source));
	sink_journal_field(entry, "PROVIDER", slice_of(record->batch->provider));
	sink_journal_field(entry, "RECORD_ID", batch_id_text(&record->view, scratch));
	if (record->view.time != NSEC_NONE) {
		timestamp_print_rfc3339(record->view.time, 9, &text);
		sink_journal_field(entry, "RECORD_TIME", buf_slice(&text));
		buf_clear(&text);
	}
	if (journal->job->format == RECORD_RAW) {
		sink_journal_field(entry, "MESSAGE", record->view.text);
	} else {
		sink_record_print(record, journal->job->format, &text);
		sink_journal_field(entry, "MESSAGE", buf_slice(&text));
	}
	buf_deinit(&text);
}

/* A sealed memfd that holds TEXT, or -1 with errno. */
static int sink_journal_seal(struct slice text)
{
	int fd = memfd_create("trawld-record", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error;

	if (fd < 0)
		return -1;
	while (text.size > 0) {
		ssize_t n = write(fd, text.data, text.size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		text.data += n;
		text.size -= (size_t)n;
	}
	if (text.size == 0 &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) ==
			0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* 0 or an errno. */
static int sink_journal_send_fd(const struct sink_journal *journal, struct slice text)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd = sink_journal_seal(text);
	int error = 0;

	if (fd < 0)
		return errno;
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	if (sendmsg(journal->fd, &message, MSG_NOSIGNAL) < 0)
		error = errno;
	close(fd);
	return error;
}

/* 0 or an errno; EAGAIN: no room now. */
static int sink_journal_send(const struct sink_journal *journal)
{
	struct slice text = buf_slice(&journal->entry);

	if (send(journal->fd, text.data, text.size, MSG_NOSIGNAL) >= 0)
		return 0;
	if (errno != EMSGSIZE && errno != ENOBUFS)
		return errno;
	return sink_journal_send_fd(journal, text);
}

/* --- a job --- */

/* Prints the next record into the entry. False: all are sent. */
static bool sink_journal_next(struct sink_journal *journal)
{
	struct sink_record record;

	if (journal->entry.size > 0)
		return true;
	if (!job_next(journal->job, &journal->cursor, &record))
		return false;
	sink_journal_print(journal, &record, &journal->entry);
	return true;
}

/* Sends until the job is done, no more fits, or others must have their turn. */
static void sink_journal_run(struct sink_journal *journal)
{
	size_t sent = 0;

	while (sink_journal_next(journal)) {
		int error;

		if (sent >= SINK_JOURNAL_TURN) {
			timer_start(journal->loop, &journal->turn, 0);
			return;
		}
		error = sink_journal_send(journal);
		if (error == 0) {
			sent += journal->entry.size;
			journal->n_sent++;
			buf_clear(&journal->entry);
		} else if (error == EAGAIN) {
			ev_io_start(journal->loop, &journal->io);
			return;
		} else if (error != EINTR) {
			sink_journal_fail(journal, "send to", error);
			return;
		}
	}
	sink_journal_stop(journal);
	sink_answer(&journal->base, &(struct sink_answer){.result = SINK_DELIVERED});
}

static void sink_journal_on_room(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)events;
	ev_io_stop(loop, watcher);
	sink_journal_run(watcher->data);
}

static void sink_journal_on_turn(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct sink_journal *journal = watcher->data;
	int error = sink_journal_connect(journal);

	(void)loop;
	(void)events;
	if (error != 0)
		sink_journal_fail(journal, "reach", error);
	else
		sink_journal_run(journal);
}

static void sink_journal_deliver(struct sink *sink, struct sink_job *job)
{
	struct sink_journal *journal = (struct sink_journal *)sink;
	struct sink_record record;

	if (journal->sent_last != job_last(job))
		journal->n_sent = 0;
	journal->sent_last = job_last(job);
	journal->job = job;
	buf_clear(&journal->entry);
	journal->cursor = (struct job_cursor){0};
	for (size_t i = 0; i < journal->n_sent; i++)
		job_next(job, &journal->cursor, &record);
	timer_start(journal->loop, &journal->turn, 0);
}

static void sink_journal_cancel(struct sink *sink)
{
	sink_journal_stop((struct sink_journal *)sink);
}

static void sink_journal_destroy(struct sink *sink)
{
	struct sink_journal *journal = (struct sink_journal *)sink;

	sink_journal_stop(journal);
	sink_journal_disconnect(journal);
	buf_deinit(&journal->entry);
	free(journal->base.name);
	free(journal);
}

static void sink_journal_check(
	const void *data, const struct ini_section *section, struct findings *findings)
{
	const struct sink_journal_options *options = data;
	const struct ini_entry *entry = ini_section_find(section, "socket");
	struct sockaddr_un address;

	if (entry && options->socket &&
		(options->socket[0] != '/' || strlen(options->socket) >= sizeof(address.sun_path)))
		findings_add_at(findings, section, "socket",
			"socket: must be an absolute path of at most %zu bytes",
			sizeof(address.sun_path) - 1);
}

static int sink_journal_create(
	struct sink **ret, const struct sink_setup *setup, struct fault *reterr)
{
	struct sink_journal *journal = MEM_NEW(struct sink_journal);
	struct log_subject subject = {"sink", setup->name, setup->location};

	(void)reterr;
	journal_limit_check(&subject);
	journal->base.kind = &sink_journal;
	journal->base.name = mem_strdup(setup->name);
	journal->options = setup->options;
	journal->loop = setup->loop;
	journal->fd = -1;
	ev_io_init(&journal->io, sink_journal_on_room, -1, EV_WRITE);
	journal->io.data = journal;
	ev_timer_init(&journal->turn, sink_journal_on_turn, 0., 0.);
	journal->turn.data = journal;
	*ret = &journal->base;
	return 0;
}

static const struct option sink_journal_rows[] = {
	{
		.name = "severity",
		.type = OPTION_CHOICE,
		.offset = offsetof(struct sink_journal_options, severity),
		.default_text = "info",
		.choices = sink_journal_severities,
		.help = "of all entries (PRIORITY)",
	},
	{
		.name = "socket",
		.type = OPTION_STRING,
		.offset = offsetof(struct sink_journal_options, socket),
		.default_text = SINK_JOURNAL_SOCKET,
		.help = "journald's native socket; another for a journal namespace",
	},
};

const struct sink_kind sink_journal = {
	.name = "journal",
	.summary = "entries of the systemd journal",
	.promise = "at least once up to the queue of journald's socket",
	.options = sink_journal_rows,
	.n_options = sizeof(sink_journal_rows) / sizeof(sink_journal_rows[0]),
	.options_size = sizeof(struct sink_journal_options),
	.capabilities = SINK_WHOLE_BATCH,
	.check = sink_journal_check,
	.create = sink_journal_create,
	.deliver = sink_journal_deliver,
	.cancel = sink_journal_cancel,
	.destroy = sink_journal_destroy,
};
