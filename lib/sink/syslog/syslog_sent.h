/* The jobs that are written to a connection and not confirmed, in order. */
#ifndef TRAWLD_SINK_SYSLOG_SENT_H
#define TRAWLD_SINK_SYSLOG_SENT_H

#include "base/clock.h"
#include "pipeline/sink.h"

struct syslog_sent {
	struct {
		uint64_t end; /* after its last byte on the connection */
		nsec_t taken_at; /* when the receiver had that; NSEC_NONE: not yet */
	} items[SINK_SENT_JOBS + 1]; /* the last may be with the sink still */
	size_t n_items;
	uint64_t n_written; /* bytes on the connection, before those of TLS */
};

/* A job ends with what is written. */
void syslog_sent_add(struct syslog_sent *sent);
/* The receiver has the bytes before END. */
void syslog_sent_taken(struct syslog_sent *sent, uint64_t end);
/* When it took the last byte of the first job; NSEC_NONE: not yet, or there is no job. */
nsec_t syslog_sent_first(const struct syslog_sent *sent);
/* Forgets the first job. */
void syslog_sent_shift(struct syslog_sent *sent);

#endif
