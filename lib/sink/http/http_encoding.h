/*
 * How records stand in a request and what the answer says of them: one row a protocol. Writing is a
 * pure function of records and options (no clock, no random numbers), since a retry must be the
 * same to the byte.
 */
#ifndef TRAWLD_SINK_HTTP_ENCODING_H
#define TRAWLD_SINK_HTTP_ENCODING_H

#include "net/message.h"
#include "pipeline/sink.h"
#include "sink/http/http_options.h"
#include "sink/http/http_parts.h"

/* The shortest pause before another try where only a person can help. */
#define HTTP_PATIENCE NSEC_PER_MIN

/* The records of one request. */
struct http_part {
	const struct http_options *options;
	struct http_parts *parts; /* takes the refusals */
	size_t *places; /* in PARTS */
	const struct sink_record *records; /* while it is written */
	size_t n_records;
	enum record_format format;
	const char *channel; /* a GUID of this process and sink */
	int64_t receipt; /* what read leaves to be asked for; -1: none */
};

struct http_encoding {
	const char *name; /* `encoding =` */
	const char *content_type;
	void (*write)(const struct http_part *part, struct buf *out);
	/* Further faults of the options, the address being one. May be NULL. */
	void (*check)(const struct http_options *options, const struct ini_section *section,
		struct findings *findings);
	/* What an answer of 200 to 299 says. 0: every record is decided, those that are refused
	 * through http_parts_refuse. -1: the part is to be sent again, but for what is
	 * refused or was taken (http_parts_take). NULL: any such answer means that all is taken. */
	int (*read)(
		struct http_part *part, const struct http_response *response, struct fault *reterr);
	/* Does an answer of 400 or 422 speak of the receiver itself (its index, its token), so that
	 * no record is to blame? ADVICE: what a person can do, appended to the message, or NULL.
	 * NULL: no such answer is known. */
	bool (*is_own_trouble)(const struct http_response *response, const char **ret_advice);
	/* Further headers. May be NULL. */
	void (*prepare)(const struct http_part *part, struct http_message *message);
	/* Both NULL where an answer says all. Else: the question what became of the receipts of N
	 * parts (into MESSAGE, which has the options' headers), and whether its answer says of one:
	 * delivered. */
	void (*ask)(const struct http_part *const *parts, size_t n, struct http_message *message);
	int (*confirmed)(const struct http_part *part, const struct http_response *response,
		bool *ret, struct fault *reterr);
};

/* In the order of http_encoding_names. */
extern const struct http_encoding *const http_encodings[];
extern const char *const http_encoding_names[]; /* NULL-terminated, for the option's row */
extern const char *const http_otlp_formats[]; /* likewise */

extern const struct http_encoding http_ndjson;
extern const struct http_encoding http_json_array;
extern const struct http_encoding http_bulk;
extern const struct http_encoding http_loki;
extern const struct http_encoding http_splunk;
extern const struct http_encoding http_otlp;
extern const struct http_encoding http_otlp_protobuf; /* otlp_format = protobuf */

/* The encoding that OPTIONS name. */
const struct http_encoding *http_encoding_of(const struct http_options *options);

/* The values at N pointers of an answer of 2xx, in RET, where a receiver need not say more: what is
 * not a JSON object has no values. But a page for people is a fault, since it comes from another
 * server. */
int http_answer_find_any(const struct http_response *response, const char *const *texts, size_t n,
	struct slice *ret, struct fault *reterr);
int http_answer_check_page(const struct http_response *response, struct fault *reterr);

#endif
