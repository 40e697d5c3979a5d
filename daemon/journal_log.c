/* See journal_log.h. journald's native protocol by hand, since sd_journal_sendv(3) waits as long as
 * journald does not read. */
#include "journal_log.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/line_writer.h"
#include "base/log.h"

#define MESSAGE_MAX ((size_t)64 << 10) /* a datagram has a limit */

static int socket_fd = -1;
static unsigned long n_lost; /* lines, since the last one that was taken */

static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat status;
	char own[64];
	if (!stream || fstat(STDERR_FILENO, &status) < 0)
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	return strcmp(stream, own) == 0;
}

/* Connected, so that poll(2) tells when journald has room. False: there is no journald now. */
static bool reconnect(void)
{
	static const struct sockaddr_un address = {
		.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
	if (socket_fd < 0)
		socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return socket_fd >= 0 &&
	       connect(socket_fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
}

static int try_to_send(const struct buf *entry)
{
	return send(socket_fd, entry->data, entry->size, MSG_NOSIGNAL) < 0 ? errno : 0;
}

/* journald may be restarted, and it may be slow: neither is waited for longer than a moment. */
static bool send_entry(const struct buf *entry)
{
	struct pollfd room = {.events = POLLOUT};
	int error = socket_fd < 0 ? ENOTCONN : try_to_send(entry);
	if (error != 0 && error != EAGAIN && reconnect())
		error = try_to_send(entry);
	room.fd = socket_fd;
	if (error == EAGAIN && poll(&room, 1, n_lost ? 0 : LINE_WRITER_PATIENCE_MS) > 0)
		error = try_to_send(entry);
	return error == 0;
}

/* The values have no line breaks, see log.c. */
static bool write_fields(enum log_level level, const struct log_subject *subject, struct slice text)
{
	struct buf entry CLEANUP(buf_deinit) = BUF_NULL;
	buf_printf(&entry, "SYSLOG_IDENTIFIER=trawld\nPRIORITY=%d\n", (int)level);
	if (subject && subject->kind)
		buf_printf(&entry, "%s=%s\n",
			strcmp(subject->kind, "source") == 0 ? "SOURCE" : "SINK", subject->name);
	if (subject && subject->location)
		buf_printf(&entry, "PLACE=%s\n", subject->location);
	buf_append_text(&entry, "MESSAGE=");
	buf_append(&entry, text.data, text.size < MESSAGE_MAX ? text.size : MESSAGE_MAX);
	buf_append_char(&entry, '\n');
	return send_entry(&entry);
}

static void write_entry(enum log_level level, const struct log_subject *subject, struct slice text)
{
	char note[128];
	if (n_lost > 0) {
		int size = snprintf(note, sizeof(note),
			"%lu log line%s lost: journald did not read the log in time", n_lost,
			n_lost == 1 ? " was" : "s were");
		if (write_fields(LOG_LEVEL_WARNING, NULL, (struct slice){note, (size_t)size}))
			n_lost = 0;
	}
	n_lost += n_lost > 0 || !write_fields(level, subject, text);
}

void journal_log_open(void)
{
	if (stderr_is_journal())
		log_divert(write_entry);
}
