/* A source's place for people: the same lines from `cursor` (where it stands) and `probe` (where it
 * would stand). Links and cursors are masked. */
#ifndef TRAWLD_DAEMON_CTL_PLACE_H
#define TRAWLD_DAEMON_CTL_PLACE_H

#include "base/buf.h"
#include "source/place.h"

/* Appends one line for each thing the place says, each after INDENT blanks. */
void place_describe(const struct place *place, int indent, struct buf *out);

/* Appends the place as JSON, as place_print writes it. */
void place_describe_json(const struct place *place, struct buf *out);

/* Appends TIME to the second, or to the nanosecond when it is not a whole one; NSEC_NONE: in words.
 */
void place_describe_time(nsec_t time, struct buf *out);

#endif
