/* Between the files that make up a poll: what the definition says of its chains. */
#ifndef TRAWLD_SOURCE_POLL_INTERNAL_H
#define TRAWLD_SOURCE_POLL_INTERNAL_H

#include "source/poll.h"

static inline const struct definition *definition_of(const struct poll *poll)
{
	return poll->source->definition;
}

/* Pages are requested by a count, not by a cursor. */
static inline bool counts_pages(const struct definition *definition)
{
	return definition->page.offset || definition->page.number;
}

/* Polls continue from a cursor of the API, not by time. */
static inline bool follows_places(const struct definition *definition)
{
	return !definition->resume.window && !definition->resume.newest;
}

/* The cursor that the last request was made with; NULL: none. */
static inline const char *asked_cursor(const struct poll *poll)
{
	return poll->ask.page ? poll->ask.page : poll->ask.resume;
}

#endif
