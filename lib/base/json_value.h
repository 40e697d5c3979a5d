/* What trawld has, as values of jansson: new references. */
#ifndef TRAWLD_BASE_JSON_VALUE_H
#define TRAWLD_BASE_JSON_VALUE_H

#include <jansson.h>

#include "base/clock.h"

/* TEXT as a string; what is not UTF-8 in it (errors quote their peers) becomes U+FFFD. NULL: null.
 */
json_t *json_value_text(const char *text);
/* RFC 3339 in UTC with milliseconds, or null for NSEC_NONE. */
json_t *json_value_time(nsec_t time);
/* To the millisecond, so that it is printed short. */
json_t *json_value_seconds(nsec_t span_ns);

#endif
