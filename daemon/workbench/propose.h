/*
 * A definition proposed from one response: which array holds the records, which of their members
 * could be ID and time, how the next page could be requested. What was seen decides; what was only
 * guessed from a name is marked with a comment, and so is what else would be possible.
 */
#ifndef TRAWLD_DAEMON_PROPOSE_H
#define TRAWLD_DAEMON_PROPOSE_H

#include "net/message.h"

/* Appends the text of a definition for what GET URL was answered with, sent with HEADERS. False:
 * the body holds no array of objects, or is not JSON. */
bool propose_definition(const char *url, const struct http_headers *headers,
	const struct http_response *response, struct buf *out);

#endif
