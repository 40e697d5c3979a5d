/* How expected text is compared: `*` stands for any text, everything else for itself. */
#ifndef TRAWLD_TESTS_SCENARIO_PATTERN_H
#define TRAWLD_TESTS_SCENARIO_PATTERN_H

#include <stdbool.h>

bool pattern_matches(const char *pattern, const char *text);
bool pattern_is_in(const char *pattern, const char *text); /* anywhere */

#endif
