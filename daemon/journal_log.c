/* See journal_log.h. */
#include "journal_log.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"

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

static struct iovec field(const struct buf *text)
{
	return (struct iovec){text->data, text->size};
}

static void write_entry(enum log_level level, const struct log_subject *subject, struct slice text)
{
	struct buf message CLEANUP(buf_deinit) = BUF_NULL;
	struct buf priority CLEANUP(buf_deinit) = BUF_NULL;
	struct buf name CLEANUP(buf_deinit) = BUF_NULL;
	struct buf place CLEANUP(buf_deinit) = BUF_NULL;
	struct iovec fields[5] = {{(char *)"SYSLOG_IDENTIFIER=trawld", 24}};
	int n = 1;
	buf_append_text(&message, "MESSAGE=");
	buf_append_slice(&message, text);
	fields[n++] = field(&message);
	buf_printf(&priority, "PRIORITY=%d", (int)level);
	fields[n++] = field(&priority);
	if (subject && subject->kind) {
		bool source = strcmp(subject->kind, "source") == 0;
		buf_printf(&name, "%s=%s", source ? "SOURCE" : "SINK", subject->name);
		fields[n++] = field(&name);
	}
	if (subject && subject->place) {
		buf_printf(&place, "PLACE=%s", subject->place);
		fields[n++] = field(&place);
	}
	sd_journal_sendv(fields, n);
}

void journal_log_open(void)
{
	if (stderr_is_journal())
		log_divert(write_entry);
}
