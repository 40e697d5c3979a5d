/*
 * Strict conversions of configuration and protocol text. The whole text must be the value: no
 * leading or trailing white space, no sign where none is allowed, no overflow. Written only on
 * success.
 */
#ifndef TRAWLD_BASE_NUMBER_H
#define TRAWLD_BASE_NUMBER_H

#include "base/slice.h"
#include "base/clock.h"

#include <stdint.h>

enum {
	NUMBER_E_SYNTAX = 1, /* not a value of this kind */
	NUMBER_E_RANGE, /* well formed, outside MIN..MAX */
};

int number_parse(struct slice text, int64_t min, int64_t max, int64_t *ret);

/* `4096`, `64KiB`, `1MiB`, `2GiB`, `1TiB`, `1G` (powers of 1024), also `10kB`, `5MB`, `1GB` (powers
 * of 1000); in any case; a blank may precede the unit. */
int number_parse_size(struct slice text, uint64_t min, uint64_t max, uint64_t *ret);

/* `90s`, `15m`, `2h`, `1d`, `500ms`, `1w`, sums such as `1h30m`; a bare `0` is allowed, other bare
 * numbers are not. */
int number_parse_duration(struct slice text, nsec_t min, nsec_t max, nsec_t *ret);

/* yes no on off true false 1 0 */
int number_parse_bool(struct slice text, bool *ret);

/* `60/min`, `5/s`, `100/h`, `off`: how many in which time; off gives count 0. */
int number_parse_rate(struct slice text, uint32_t *ret_count, nsec_t *ret_period_ns);

#endif
