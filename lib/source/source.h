/*
 * One configured source: its options, its definition with the parameters' values, everything
 * compiled. Immutable after source_new; the moving parts are in runner.h.
 */
#ifndef TRAWLD_SOURCE_SOURCE_H
#define TRAWLD_SOURCE_SOURCE_H

#include "base/idset.h"
#include "base/log.h"
#include "net/message.h"
#include "definition/definition.h"
#include "source/cursor.h"
#include "base/json_scanner.h"

#define SOURCE_RECONCILE_MAX 4

struct source_options {
	char *provider;
	nsec_t interval_ns;
	char *start; /* -1h, now, earliest, RFC 3339 */
	struct str_list sinks; /* empty: all */
	char *shard; /* config_shard: which process of a cluster polls it */
	bool enabled; /* false: it is not polled */
	struct str_list reconcile; /* after these delays windows are requested again */
	nsec_t timeout_ns;
	nsec_t retry_max_ns; /* longest back-off */
	uint64_t max_page; /* ceiling of one answer, decoded */
	char *ca_file, *client_cert, *client_key, *proxy;
	struct secret client_key_password;
	char *endpoint; /* replaces the definition's scheme, host and port */
	bool insecure_http;
	struct str_list allow_origins;
};

extern const struct option source_option_rows[];
extern const size_t n_source_option_rows;

struct source_login {
	const struct source *source;
	const struct auth_definition *auth;
};

struct source {
	char *name;
	char *location; /* "trawld.conf:14" */
	struct log_subject subject;
	struct source_options options;
	struct definition *definition;
	struct http_transport transport;
	struct id fingerprint; /* digest of all that the section and the definition say: equal means
				  nothing to reload */
	struct id secrets; /* digest of the section's secret values */
	char *place; /* digest of endpoint and parameters, in hex */
	char *page_shape; /* digest of what is requested and how pages are read, in hex: what was
			     learned of the API's pages counts for equal ones */
	char *origin; /* where the token may go */
	nsec_t reconcile_ns[SOURCE_RECONCILE_MAX]; /* ascending */
	size_t n_reconcile;
	struct source_login login, caller_login; /* auth NULL: none */
	struct str_list masked; /* what source_secrets_take found */
	struct str_list origins; /* the same and allow_origins, as url_origin writes them */

	/* one plan for answers with status 200, one for error bodies */
	struct json_scanner *plan;
	struct json_scanner *error_plan; /* NULL: nothing is looked for */
	struct json_scanner *fetch_plan; /* of a listed record: fetch.from; NULL: no [fetch] */
	struct json_scanner *row_plan; /* of a row of a document: fetch.id; NULL: there is none */
	struct json_scanner *link_plan; /* of the answer with a link: fetch.link */
	struct json_scanner *watch_plan; /* of the response to [watch]: what warn tests */
	/* columns of the plans; -1: not needed */
	struct json_scanner *item_plan; /* of a record that is a text; NULL: there is none such */
	int column_item, column_id, column_time, column_conditions, column_last_page,
		column_last_resume;
	int envelope_page, envelope_resume, envelope_total, envelope_pages, envelope_more,
		envelope_incomplete, envelope_expect, envelope_ends;
	int error_message, error_retry, error_expired;
};

/* From a checked section; NULL with findings. PATH: where definitions are. */
struct source *source_new(
	struct ini_section *section, const struct definition_path *path, struct findings *findings);
void source_free(struct source *source);

/* Values for one request. */
struct request_values {
	const struct source *source;
	nsec_t start_time, end_time; /* NSEC_NONE: no value */
	nsec_t now_time;
	const char *page; /* cursor as JSON text, NULL: none */
	const char *resume;
	int64_t offset, number; /* < 0: none */
	int64_t size; /* elements to request; 0: as the definition says */
	const char *fetch_from; /* [fetch]; NULL: none */
};

/* Writes the request for VALUES. LINK: an absolute address that was given by the API and passed
 * source_may_request; NULL: the definition's url. 0 or FAULT_CONFIG (a parameter's value does not
 * fit).
 */
int source_request(const struct source *source, const struct request_values *values,
	const char *link, struct http_message *ret, struct fault *reterr);
/* [fetch]: the request for a link to the document that FROM tells. As source_request. */
int source_link_request(const struct source *source, const char *from, struct http_message *ret,
	struct fault *reterr);
/* The same for the request of [watch]. */
int source_watch_request(
	const struct source *source, struct http_message *ret, struct fault *reterr);
/* REQUEST as it is at any moment: every time, offset, number and cursor in it is 0. */
void source_constant_request(const struct source *source, const struct request_definition *request,
	struct http_message *ret);
/* The request that fetches a token; matches auth_setup.login_render. LOGIN: a struct source_login.
 */
void source_login_request(struct http_message *ret, void *login);

/* Is URL inside the origins that this source may send its credential to? FAULT_ORIGIN with a text
 * if not. */
int source_may_request(const struct source *source, const char *url, struct fault *reterr);

#endif
