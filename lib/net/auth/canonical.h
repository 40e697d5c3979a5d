/*
 * A request in the canonical form that request signatures are made of (pure). The schemes differ in
 * which headers they sign and how they write a path; those are rules. Nothing outside lib/net
 * includes this.
 */
#ifndef TRAWLD_NET_AUTH_CANONICAL_H
#define TRAWLD_NET_AUTH_CANONICAL_H

#include "net/message.h"
#include "net/query.h"

struct canonical_rules {
	bool (*is_signed)(const struct http_headers *headers, size_t index);
	void (*append_path)(struct slice path, struct buf *out);
	enum query_order query_order;
	/* Values of equal names are joined with commas, a run of white space in a value is one
	 * blank. Otherwise the first value counts, without the white space at its ends. */
	bool folds_values;
};

/* Sets Host, so that what is signed is what libcurl sends. 0 or FAULT_CONFIG (URL). */
int canonical_host(struct http_message *message, struct fault *reterr);

/* Sets what every scheme signs: Host, so that what is signed is what libcurl sends, and DATE_HEADER
 * (`20260115T093000Z`). 0, FAULT_CONFIG (URL) or FAULT_INTERNAL. */
int canonical_stamp(struct http_message *message, const char *date_header, nsec_t now_time,
	struct fault *reterr);

/* The lower-case names of the signed headers in order, each once: `content-type;host;x-sdk-date`.
 */
void canonical_names(
	const struct canonical_rules *rules, const struct http_headers *headers, struct buf *out);

/* The canonical request: method, path, query, headers called NAMES, NAMES, hash of BODY. 0, or
 * -1 for a URL that cannot be split. */
int canonical_request(const struct canonical_rules *rules, const char *method, const char *url,
	const struct http_headers *headers, struct slice names, struct slice body, struct buf *out);

#endif
