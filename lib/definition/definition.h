/*
 * A provider definition: an API described as data (trawld-provider(5)). It is read from an INI
 * file, overlaid with the keys that a source section sets inline, and checked as a whole; every
 * fault is a finding with file and line.
 *
 * A definition belongs to one source: variants (`[auth NAME]` with `when =`) are chosen by the
 * source's parameters. Templates are parsed; values come at request time (source.h).
 */
#ifndef TRAWLD_DEFINITION_DEFINITION_H
#define TRAWLD_DEFINITION_DEFINITION_H

#include "conf/option.h"
#include "definition/rows.h"
#include "definition/template.h"

#include "base/condition.h"
#include "base/timestamp.h"

/* One row of [parameters]: `NAME = required [secret] | optional [secret] | default VALUE`, each
 * also with `choice WORD[=VALUE], WORD[=VALUE] ...` before `default`: the source gives one of the
 * words, requests get its value (the word itself when it has none). `optional with
 * OTHER`: required where OTHER, declared before it, is set. */
struct parameter {
	char *name;
	bool required;
	bool secret;
	char *default_text; /* NULL: none */
	struct str_list choices; /* WORD or WORD=VALUE; none: anything goes */
	char *with; /* NULL: none */
	char *value; /* what the source gives, or the default; NULL: unset */
	const char *file; /* where the value stands */
	unsigned line;
};

struct named_template {
	char *name;
	struct template *template;
};

/* [request], [login]: what is sent. */
struct request_definition {
	char *method;
	struct template *url;
	struct named_template *query;
	size_t n_query;
	struct named_template *headers;
	size_t n_headers;
	struct named_template *form; /* the fields of a body with body_type = form */
	size_t n_form;
	struct json_template *json; /* body, when it is JSON */
	struct template *text; /* body with body_type = text */
};

/* [auth] and, for type login, its [login]. Whether the type exists and takes these settings is
 * known where credentials are made (source_auth_check). */
struct auth_definition {
	char *type;
	const struct ini_section *section; /* NULL: there is no [auth] */
	struct named_template *settings;
	size_t n_settings;
	struct request_definition login; /* method NULL: none */
	char *login_token, *login_expires;
	struct auth_definition *caller; /* proves who logs in; NULL: the request itself does */
};

/* Where a cursor or link is taken from. */
enum cursor_kind {
	CURSOR_NONE,
	CURSOR_POINTER, /* in the envelope */
	CURSOR_HEADER, /* header:NAME */
	CURSOR_LINK, /* header:link, rel="next" */
	CURSOR_LAST, /* last:/pointer, in the last element of the page */
};

struct cursor_definition {
	enum cursor_kind kind;
	struct pointer pointer;
	struct pointer *more; /* a cursor of several members: the others; it is their array */
	size_t n_more;
	char *text; /* the pointers as they are written */
	char *header;
	const struct str_list *none; /* values that are no cursor; NULL: only null and "" */
	bool is_url; /* the value is the next request's address, else it is ${page.cursor} */
	bool path_only; /* of which only path and query are taken */
	size_t ties; /* CURSOR_LAST: a page of this many elements may be cut amid equal values, so
			the value before them is taken; 0: no two are equal */
};

enum record_order { ORDER_ASCENDING, ORDER_UNORDERED };
enum bad_element_rule { BAD_ELEMENT_REJECT, BAD_ELEMENT_QUARANTINE };

/* Ends of a chain of pages; a page that fulfils one of them is the last. */
enum {
	END_ABSENT = 1 << 0,
	END_EMPTY = 1 << 1,
	END_SHORT = 1 << 2,
	END_SAME = 1 << 3,
};

enum link_part { LINK_WHOLE, LINK_PATH };

/* [resume] and [page] as numbers and flags, filled by option tables. */
struct page_options {
	char *cursor, *url;
	int link; /* enum link_part */
	bool ties;
	bool repeats; /* a page begins with elements of the one before */
	bool offset, number;
	int64_t first; /* of offset and number */
	int64_t size;
	struct str_list end;
	int64_t cap;
	int64_t overlap; /* elements asked again on the next page (offset) */
	char *total, *pages, *more;
	struct str_list none;
	int64_t max_pages;
};

struct resume_options {
	bool window;
	char *url, *cursor;
	char *sweep; /* `2d every 6h` */
	nsec_t overlap_ns, lag_ns, span_max_ns, retention_ns, step_ns, align_ns;
	bool newest, overlap_pieces;
};

struct records_options {
	char *at, *item, *time, *time_format, *time_zone;
	struct str_list id;
	bool scalars; /* an element may be something else than an object */
	int order;
	struct str_list include, exclude;
	char *missing; /* `empty`: no array is an empty page */
	char *expect; /* ... but only if this condition holds */
	struct str_list empty; /* statuses whose empty body is an empty page */
	int bad_element; /* enum bad_element_rule */
};

/* [fetch]: what a page lists are documents, their rows are the records. */
struct fetch_options {
	char *from; /* what the request needs of the listed record, or the document's address */
	char *link; /* where the request's answer has the address */
	struct str_list origins; /* that documents may come from: templates, with globs */
	struct str_list gone; /* statuses that mean: there is no such document any more */
	int format;
	bool auth; /* documents are requested with the credential */
	char *at; /* json: the array of records in a document */
	char *start, *raw, *delimiter, *quote, *rest, *time, *time_format, *time_zone;
	struct str_list columns, id;
	uint64_t max_size;
};

/* What a budget of requests belongs to. */
enum limits_shared { SHARED_CREDENTIAL, SHARED_ORIGIN };

struct limits_options {
	struct option_rate rate;
	int shared;
	nsec_t interval_ns; /* of a source that sets none; 0: the general default */
};

struct errors_options {
	char *message;
	struct str_list incomplete; /* conditions */
	struct str_list retry; /* conditions */
	struct str_list expired; /* conditions */
	struct str_list lost;
	struct str_list auth; /* further statuses that mean 401 */
	nsec_t auth_pause_ns;
};

/* [watch]: what polls cannot show. */
struct watch_options {
	char *warn; /* a condition on the response */
	char *text; /* what is said while it holds */
	nsec_t every_ns;
};

struct definition {
	char *name; /* "cloud-x", or "custom" */
	char *title;
	char *file; /* NULL for custom */
	char *source_file; /* of the source's section, whose keys are laid over it and give values
			      to parameters; its own copy, since it outlives the configuration */
	struct ini ini; /* all text, overlaid; findings point into it */
	struct parameter *parameters;
	size_t n_parameters;

	struct auth_definition auth;

	struct request_definition first; /* [request] + [request.first]: without a cursor */
	struct request_definition next; /* [request] + [request.next]: with one */
	bool first_has_start; /* first sends ${window.start} */
	struct request_definition resume_request; /* [request] + [request.resume]: with the cursor
						     of an earlier poll; method NULL: as first */

	struct records_options records;
	struct pointer *records_at; /* the arrays of records, one after the other */
	size_t n_records_at;
	bool records_lines;
	struct pointer records_item;
	bool records_item_text; /* what is there is a text, and that the record's JSON */
	struct pointer *records_id;
	size_t n_records_id;
	struct pointer *records_time;
	size_t n_records_time;
	struct timestamp_format *time_format;
	struct condition *conditions; /* include first, then exclude */
	size_t n_include, n_conditions;
	struct condition expect;
	int *records_empty;
	size_t n_records_empty;

	struct page_options page;
	struct cursor_definition page_cursor;
	struct pointer page_total, page_pages;
	struct condition page_more;
	unsigned page_end; /* END_* */
	struct condition *page_end_tests;
	size_t n_page_end_tests;

	struct resume_options resume;
	struct cursor_definition resume_cursor;
	nsec_t step_ns; /* what windows are rounded to */
	bool overlap_auto; /* the source says `overlap = auto`: resume.overlap_ns is the least */
	nsec_t sweep_ns, sweep_every_ns; /* the overlap of one poll in each such time; 0: none */

	struct limits_options limits;

	bool fetches; /* [fetch] is there, and its `when` holds */
	struct fetch_options fetch;
	struct pointer fetch_from, fetch_link;
	struct pointer *fetch_id; /* in a row, as a record */
	size_t n_fetch_id;
	struct request_definition link_request; /* method NULL: fetch_from is the address; without
						   fetch_link its response is the document */
	struct str_list fetch_origins; /* globs */
	int *fetch_gone;
	size_t n_fetch_gone;
	struct rows_format rows;

	bool watches; /* [watch] is there, and its `when` holds */
	struct watch_options watch;
	struct request_definition watch_request;
	struct condition watch_warn;

	struct errors_options errors;
	struct pointer errors_message;
	struct condition *errors_incomplete;
	size_t n_errors_incomplete;
	struct condition *errors_retry;
	size_t n_errors_retry;
	struct condition *errors_expired;
	size_t n_errors_expired;
	int *errors_lost;
	size_t n_errors_lost;
	int *errors_auth;
	size_t n_errors_auth;
};

/* Where definition files are looked for, in this order. */
struct definition_path {
	const char *const *directories;
	size_t n_directories;
};

/* Loads NAME for the source section SOURCE: reads the file, overlays inline keys (marks them used),
 * takes the parameters' values (marks them used), parses and checks all of it. Never NULL: with
 * findings it must not be used, but its parameters are known. SOURCE NULL: without a source
 * (trawlctl providers): required parameters may be missing. */
struct definition *definition_load(const char *name, const struct definition_path *path,
	struct ini_section *source, struct findings *findings);
void definition_free(struct definition *definition);

/* Names of all definitions found along PATH, sorted, each once. */
void definition_names(const struct definition_path *path, struct str_list *names);

/* The value of parameter NAME, or NULL. */
const char *definition_parameter(const struct definition *definition, const char *name);

/* Does any text of the definition, or a `when`, use VARIABLE? */
bool definition_uses(const struct definition *definition, const char *variable);

/* Is STATUS one of the N that a key such as `lost` lists? */
bool definition_lists_status(const int *statuses, size_t n, int status);

/* What `${NAME}` is while a request is written: a parameter or a runtime variable. TEMPLATE_ABSENT:
 * unknown. USERDATA: the definition. */
enum template_kind definition_known_variable(const char *name, void *definition);

/* What `${NAME}` is in [auth]: a parameter, or a variable that the credential itself fills in when
 * the proof is made, such as the assertion of type jwt. USERDATA: the definition. */
enum template_kind definition_known_in_auth(const char *name, void *definition);
bool definition_is_auth_variable(const struct definition *definition, const char *name);

/* Lookup of parameters only, for texts that are fixed once the source is known (auth settings,
 * zones). USERDATA: the definition. */
struct template_value definition_value(const char *name, void *definition);

#endif
