/*
 * Local time to UTC by the system's tz database (TZif, RFC 8536, with the rule at its end), for
 * APIs that write times without a zone.
 */
#ifndef TRAWLD_BASE_TIMEZONE_H
#define TRAWLD_BASE_TIMEZONE_H

#include "base/clock.h"
#include "base/slice.h"

struct timezone_rules;

enum {
	TIMEZONE_E_UNKNOWN = 1, /* no such zone in the system's database */
};

/* NAME: an IANA name (`Europe/Zurich`) or `+hh:mm`, `-hhmm`, `+hh`, `UTC`, `Z`. */
int timezone_open(struct timezone_rules **ret, const char *name);
/* The rules in a TZif file's bytes. TIMEZONE_E_UNKNOWN: they are not one. */
int timezone_parse(struct timezone_rules **ret, struct slice file);
void timezone_close(struct timezone_rules *rules);

/* What has to be subtracted from LOCAL_S (seconds as if it were UTC) to get UTC. A local time that
 * occurs twice is taken as the earlier one, one that is skipped is taken with the offset before the
 * change. */
int64_t timezone_offset(const struct timezone_rules *rules, int64_t local_s);
/* The offset in force at UTC_S. */
int64_t timezone_offset_at(const struct timezone_rules *rules, int64_t utc_s);

#endif
