/* See syslog_writer.h. */
#include "sink/syslog/syslog_writer.h"

#define UDP_SIZE_MAX ((size_t)65507)
#define LARGE_SIZE ((size_t)64 << 10) /* max_message where none is configured */
#define STREAM_SIZE ((size_t)8192) /* that of plain streams: RFC 5424, 6.1 */
#define DATAGRAM_SIZE_MIN ((size_t)SYSLOG_HEADER_MAX + 100)
#define LARGE_LOG_PERIOD NSEC_PER_HOUR

void syslog_writer_deinit(struct syslog_writer *writer)
{
	buf_deinit(&writer->message);
}

void syslog_writer_begin(struct syslog_writer *writer, bool datagram)
{
	const struct syslog_address *address = &writer->target->address;
	bool plain = !datagram && !address->relp;
	size_t max = (size_t)writer->options->max_message;

	if (max == 0)
		max = plain ? STREAM_SIZE : LARGE_SIZE;
	writer->stream_max = plain ? max : 0;
	writer->large_size = max;
	if (address->kind == HTTP_STREAM_UDP && max > UDP_SIZE_MAX)
		max = UDP_SIZE_MAX;
	writer->datagram_max = datagram ? max : 0;
	writer->lines = plain && (writer->options->framing == SYSLOG_LINES ||
					 address->kind == HTTP_STREAM_UNIX);
	writer->target->style.plain = writer->lines;
}

static void writer_note_large(struct syslog_writer *writer, size_t size)
{
	nsec_t now_at = clock_monotonic();

	writer->n_large++;
	if (writer->large_logged_at != NSEC_NONE &&
		now_at - writer->large_logged_at < LARGE_LOG_PERIOD)
		return;
	if (writer->datagram_max > 0)
		log_warning(writer->subject,
			"%llu records did not fit a datagram of %zu bytes and were cut, with truncated=\"true\"; tcp, tls or relp carry them whole",
			(unsigned long long)writer->n_large, writer->datagram_max);
	else
		log_warning(writer->subject,
			"%llu records make messages over max_message, the last one of %zu bytes; they are sent whole, the receiver may cut them",
			(unsigned long long)writer->n_large, size);
	writer->n_large = 0;
	writer->large_logged_at = now_at;
}

/* False: the receiver is not to have it. */
static bool writer_format(struct syslog_writer *writer, const struct sink_record *record)
{
	unsigned severity = syslog_severity_of(writer->target->severity, record->view.text);
	struct buf *message = &writer->message;

	buf_clear(message);
	if (syslog_format(&writer->target->style, severity, record, clock_wall(),
		    writer->datagram_max, message)) {
		writer_note_large(writer, message->size);
	} else if (message->size > writer->large_size) {
		if (writer->stream_max > 0)
			return false;
		writer_note_large(writer, message->size);
	}
	return true;
}

bool syslog_writer_put(
	struct syslog_writer *writer, const struct sink_record *record, struct buf *out)
{
	struct slice message;

	if (!writer_format(writer, record))
		return false;
	message = buf_slice(&writer->message);
	if (writer->target->address.relp) {
		relp_send(writer->relp, message, out);
		return true;
	}
	if (writer->datagram_max == 0 && !writer->lines)
		buf_printf(out, "%zu ", message.size);
	buf_append_slice(out, message);
	if (writer->lines)
		buf_append_char(out, '\n');
	return true;
}

bool syslog_writer_shorten(struct syslog_writer *writer, size_t size)
{
	if (size / 2 < DATAGRAM_SIZE_MIN)
		return false;
	writer->datagram_max = size / 2;
	return true;
}
