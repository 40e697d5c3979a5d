/*
 * Records as framed messages of one connection: what is too large for it, and what is said of that.
 *
 * A message that is longer than the receiver takes is cut by it in RELP, but over a plain stream
 * rsyslogd goes on reading in the middle of it: the rest of a record becomes messages of their own,
 * and above its limit of a frame the whole rest of the connection does. So what is over max_message
 * does not go into a plain stream.
 */
#ifndef TRAWLD_SINK_SYSLOG_WRITER_H
#define TRAWLD_SINK_SYSLOG_WRITER_H

#include "base/log.h"
#include "sink/syslog/relp.h"
#include "sink/syslog/syslog_options.h"

struct syslog_writer {
	const struct log_subject *subject; /* outlives the writer */
	const struct syslog_options *options;
	struct syslog_target *target;
	struct relp *relp;

	bool lines; /* a message ends with a line feed */
	size_t datagram_max; /* lowered when the socket takes no more; 0: no datagrams */
	size_t stream_max; /* of a plain stream, longer ones are refused; 0: none */
	size_t large_size; /* it is said that longer ones come */
	struct buf message;

	uint64_t n_large; /* records over max_message since that was last said */
	nsec_t large_logged_at; /* NSEC_NONE: never */
};

/* All but what is listed first is the writer's; LARGE_LOGGED_AT is NSEC_NONE. */
void syslog_writer_deinit(struct syslog_writer *writer);

/* A new connection. DATAGRAM: what it carries are datagrams. */
void syslog_writer_begin(struct syslog_writer *writer, bool datagram);

/* Appends RECORD as a message in its frame. False: the receiver is not to have it. */
bool syslog_writer_put(
	struct syslog_writer *writer, const struct sink_record *record, struct buf *out);

/* The socket does not take a datagram of SIZE. False: it will never take one. */
bool syslog_writer_shorten(struct syslog_writer *writer, size_t size);

#endif
