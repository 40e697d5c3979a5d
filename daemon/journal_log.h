/* The daemon's own log as entries of the journal, with fields to search by. */
#ifndef TRAWLD_DAEMON_JOURNAL_LOG_H
#define TRAWLD_DAEMON_JOURNAL_LOG_H

/* Where standard error is a stream of the journal ($JOURNAL_STREAM names it): log lines go there as
 * entries with PRIORITY, and SOURCE or SINK. Elsewhere nothing changes. */
void journal_log_open(void);

#endif
