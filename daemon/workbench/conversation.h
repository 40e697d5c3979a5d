/*
 * A recorded conversation with an API: plain text that a person can write from a vendor's page
 * (trawld-provider(5), CONVERSATIONS). First what the source says, then one exchange after the
 * other:
 *
 *	# what it shows
 *	start 2026-11-28T10:00:00Z
 *	now 2026-11-28T12:00:00Z
 *	token = x
 *
 *	> GET https://api.example.org/events?limit=2
 *	< 200
 *	< {"events":[{"id":"a","time":"2026-11-28T10:01:00Z"}],"next":null}
 *	= 1 record, end
 *	= record 2026-11-28T10:01:00Z a
 *
 * `***` in a request matches any text: a secret, a signature.
 */
#ifndef TRAWLD_DAEMON_CONVERSATION_H
#define TRAWLD_DAEMON_CONVERSATION_H

#include "base/str.h"
#include "conf/findings.h"
#include "conf/ini.h"
#include "net/message.h"

struct exchange {
	unsigned line;
	bool login; /* for a credential, or [watch]: answered whenever it comes, as often as it
			comes */
	nsec_t now_time; /* the poll that begins with it is at this time; NSEC_NONE: none does */
	char *method, *url;
	struct http_headers headers;
	struct buf body;
	int status;
	struct http_headers answer_headers;
	struct buf answer;
	/* what trawld makes of the answer */
	int64_t n_records; /* -1: not said */
	struct str_list records; /* `TIME ID` of each record, a dash for what it does not have */
	bool end, more; /* of the poll */
	nsec_t watermark_time; /* NSEC_NONE: not said */
};

struct conversation {
	char *path;
	char *title; /* the first line's comment */
	struct ini ini; /* the one section: [source NAME] */
	struct exchange *items;
	size_t n_items, capacity;
};

/* Reads PATH for a source of PROVIDER. NULL with findings. */
struct conversation *conversation_read(
	const char *path, const char *provider, struct findings *findings);
/* The same of TEXT, which PATH stands for in findings. */
struct conversation *conversation_parse(
	const char *path, struct slice text, const char *provider, struct findings *findings);
void conversation_free(struct conversation *conversation);

/* Is MESSAGE the request of EXCHANGE? The query and a form are sets of pairs, JSON is compared as
 * JSON; of the headers only those that the exchange has. */
bool conversation_matches(const struct exchange *exchange, const struct http_message *message);
/* The same but for the values: another page of the same list. */
bool conversation_resembles(const struct exchange *exchange, const struct http_message *message);
/* Appends the request as lines of a conversation. */
void conversation_print_request(const char *method, const char *url,
	const struct http_headers *headers, struct slice body, struct buf *out);
/* Appends TEXT, each line after MARK and a blank. */
void conversation_print_lines(char mark, struct slice text, struct buf *out);

#endif
