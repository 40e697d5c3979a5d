/* The keys of `type = http` and what follows from them alone. */
#ifndef TRAWLD_SINK_HTTP_OPTIONS_H
#define TRAWLD_SINK_HTTP_OPTIONS_H

#include "conf/option.h"

#include "net/auth/auth.h"
#include "sink/compressor.h"

#define HTTP_IN_FLIGHT_MAX 32

/* What becomes of a record that a receiver fails at (http_poison.h). */
enum http_poison_policy { HTTP_POISON_WAIT, HTTP_POISON_DEAD_LETTER };

struct http_options {
	char *url;
	int method; /* index into http_methods */
	int encoding; /* index into http_encodings */
	int otlp_format; /* index into http_otlp_formats */
	struct option_pairs headers;
	struct option_pairs auth;
	struct option_pairs login;
	int compression; /* enum compression */
	int64_t batch_records;
	uint64_t batch_bytes; /* record text */
	uint64_t max_record; /* likewise; 0: no limit */
	int poison; /* enum http_poison_policy */
	nsec_t batch_age_ns;
	int64_t in_flight; /* requests, at most HTTP_IN_FLIGHT_MAX */
	nsec_t timeout_ns;
	char *ca_file;
	char *client_cert;
	char *client_key;
	struct secret client_key_password;
	char *proxy;
	bool insecure_http;
	struct str_list labels; /* loki */
	char *host; /* splunk_hec, down to ack_timeout */
	char *source;
	char *sourcetype;
	char *index;
	bool ack;
	nsec_t ack_timeout_ns;
};

extern const char *const http_methods[];
#define N_HTTP_OPTION_ROWS 28
extern const struct option http_option_rows[N_HTTP_OPTION_ROWS];

/* As sink_kind's check. */
void http_options_check(
	const void *data, const struct ini_section *section, struct findings *findings);

/* Where FAULT is status 401: adds what the secrets of the sink look like, never their text. */
void http_options_hint(const struct http_options *options, struct fault *fault);
/* The auth.* keys as an auth kind; CLIENT may be NULL where nothing is sent. 0 or FAULT_CONFIG. */
int http_options_auth(const struct http_options *options, struct http_client *client,
	struct auth **ret, struct fault *reterr);

/* Why NAME: VALUE cannot be a header of the user's, or NULL. */
const char *http_header_fault(const char *name, const char *value);

/* What every request has: method, address and headers. */
void http_options_message(const struct http_options *options, struct http_message *message);

/* The compression as `coding` of struct sink_requests, and back: a job keeps the one that it was
 * first sent with. Where CODING says none, it is that of OPTIONS. */
unsigned http_options_coding(const struct http_options *options);
enum compression http_options_compression(const struct http_options *options, unsigned coding);

/* Borrows from OPTIONS. */
struct http_transport http_options_transport(const struct http_options *options);

#endif
