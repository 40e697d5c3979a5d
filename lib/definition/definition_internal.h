/* Between the files that make up the definition's reader. */
#ifndef TRAWLD_DEFINITION_DEFINITION_INTERNAL_H
#define TRAWLD_DEFINITION_DEFINITION_INTERNAL_H

#include "definition/definition.h"

struct definition_reader {
	struct definition *definition;
	struct findings *findings;
	const struct ini_section *source; /* NULL: none, and parameters need no values */
};

/* A finding at KEY of SECTION (at the section when KEY is not there, at the file or the source when
 * SECTION is NULL). */
void reader_fault(struct definition_reader *reader, const struct ini_section *section,
	const char *key, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* definition_overlay.c: inline keys of a source section into the definition's INI. */
void definition_overlay(
	struct definition *definition, struct ini_section *source, struct findings *findings);
extern const char *const
	definition_sections[]; /* NULL-terminated, longest first where one begins with another */

/* Has SECTION no `when`, or does it hold? */
bool reader_applies(struct definition_reader *reader, struct ini_section *section);
/* The section of KIND that applies: the plain one, or the first variant whose `when` holds. */
struct ini_section *reader_variant(struct definition_reader *reader, const char *kind);

/* A parameter that is declared (so far), no variable of the time of asking: for template_parse. */
enum template_kind reader_known_parameter(const char *name, void *definition);

/* definition_parameters.c */
void reader_parameters(struct definition_reader *reader, struct ini_section *source);

/* definition_request.c */
void reader_requests(struct definition_reader *reader);
void reader_auth(struct definition_reader *reader);
/* The request that SECTION describes; its keys, which SECTION may have others beside. */
void reader_request(struct definition_reader *reader, struct ini_section *section,
	struct request_definition *ret);
extern const char *const reader_request_keys[]; /* but for header.NAME and query.NAME */
bool reader_is_request_key(const char *key);

/* definition_fetch.c */
void reader_fetch(struct definition_reader *reader);

/* definition_watch.c */
void reader_watch(struct definition_reader *reader);

/* definition_check.c */
void reader_without_effect(struct definition_reader *reader);

/* definition_records.c: [records] [page] [resume] [limits] [errors] */
void reader_records(struct definition_reader *reader);
void reader_page(struct definition_reader *reader);
void reader_resume(struct definition_reader *reader);
void reader_errors(struct definition_reader *reader);
void reader_consistency(struct definition_reader *reader);

/* Parses a pointer at KEY; a fault is a finding and leaves *RET unset. TEXT NULL: unset. */
void reader_pointer(struct definition_reader *reader, const struct ini_section *section,
	const char *key, const char *text, struct pointer *ret);
/* The same with a condition, which may use parameters. False: *RET is unset, by a fault or because
 * a parameter has no value: then there is nothing to test. */
bool reader_condition(struct definition_reader *reader, const struct ini_section *section,
	const char *key, const char *text, struct condition *ret);
/* TEXT with its parameters filled in. False: a fault, or a parameter without a value. */
bool reader_parameter_text(struct definition_reader *reader, const struct ini_section *section,
	const char *key, const char *text, char **ret);
struct template *reader_template(struct definition_reader *reader,
	const struct ini_section *section, const char *key, const char *text);

/* Statuses at KEY, as numbers; the array is the caller's. */
int *reader_statuses(struct definition_reader *reader, struct ini_section *section, const char *key,
	const struct str_list *list, int64_t least, size_t *ret_n);

/* The keys time_format (FORMAT NULL: no time is read) and time_zone of SECTION. */
void reader_time_format(struct definition_reader *reader, const struct ini_section *section,
	const char *format, const char *zone_text, struct timestamp_format **ret);

/* Option tables (definition_rows.c), one a section. */
struct definition_rows {
	const char *section;
	const struct option *rows;
	size_t n_rows;
};
extern const struct definition_rows rows_records, rows_page, rows_resume, rows_fetch, rows_errors,
	rows_limits, rows_watch;

/* Parses SECTION (NULL: defaults only) with ROWS into TARGET and reports unknown keys. */
void reader_options(struct definition_reader *reader, const struct definition_rows *rows,
	struct ini_section *section, void *target, const char *const *extra);

#endif
