/*
 * Whether journald's rate limit can drop messages of this process: journald answers nothing, so
 * what it drops counts as delivered.
 *
 * journald limits by unit. It uses its own default unless the unit's LogRateLimitBurst= and
 * LogRateLimitIntervalSec= are set, which systemd publishes as symbolic links in
 * /run/systemd/units. (An interval of 0 is never published: systemd issue 22034.)
 */
#ifndef TRAWLD_SINK_JOURNAL_LIMIT_H
#define TRAWLD_SINK_JOURNAL_LIMIT_H

#include "base/buf.h"
#include "base/log.h"

enum journal_limit {
	JOURNAL_LIMIT_HIGH, /* more messages are allowed than trawld can send */
	JOURNAL_LIMIT_APPLIES,
	JOURNAL_LIMIT_UNKNOWN, /* the unit cannot be told, as in a container */
};

/* CGROUP is the text of /proc/self/cgroup, UNITS the directory with the links. Appends the name of
 * the unit to UNIT where it is known. */
enum journal_limit journal_limit_find(struct slice cgroup, const char *units, struct buf *unit);

/* Warns in the name of SUBJECT, unless the limit is known to be high enough. */
void journal_limit_check(const struct log_subject *subject);

#endif
