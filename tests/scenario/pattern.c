/* See pattern.h. */
#include "pattern.h"

#include <stddef.h>

/* Only the last `*` is ever tried again, which is enough for a match of the whole. */
static bool match(const char *pattern, const char *text, bool open_end)
{
	const char *star = NULL, *star_text = NULL;
	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			star_text = text;
		} else if (*pattern == '\0' && (*text == '\0' || open_end)) {
			return true;
		} else if (*text && *pattern == *text) {
			pattern++;
			text++;
		} else if (star && *star_text) {
			pattern = star;
			text = ++star_text;
		} else {
			return false;
		}
	}
}

bool pattern_matches(const char *pattern, const char *text)
{
	return match(pattern, text, false);
}

bool pattern_is_in(const char *pattern, const char *text)
{
	do
		if (match(pattern, text, true))
			return true;
	while (*text++);
	return false;
}
