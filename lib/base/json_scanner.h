/*
 * The JSON scanner: validates one JSON text (RFC 8259, strictly: what jansson accepts with
 * JSON_DECODE_ANY and duplicate keys allowed, and with U+0000 and any bytes from 0x80 on in
 * strings) in one pass and yields
 * raw slices: the records of an array, fields inside each record, and values of the envelope around
 * it. Nothing is decoded, copied or converted. Of equal keys in one object the last one counts, but
 * records that a later one would replace are an error.
 */
#ifndef TRAWLD_BASE_JSON_SCANNER_H
#define TRAWLD_BASE_JSON_SCANNER_H

#include "base/fault.h"
#include "base/pointer.h"

#define JSON_SCANNER_MAX_DEPTH 128

/* What is noted of an element takes more memory than the shortest elements' text: without a ceiling
 * a page of 64 MiB that holds `0,0,0,` would take gigabytes. */
#define JSON_SCANNER_MAX_ELEMENTS 1048576

#define JSON_SCANNER_MAX_ARRAYS 16 /* of records, in one plan */

/* What to look for; compiled once, used for every page. */
struct json_scanner;

struct json_scanner_wanted {
	const struct pointer *records; /* to the array; NULL: no array, envelope only. "" = the body
					  is the array. In it `*` is every element or member
					  that no other pointer names; at the end, the members of
					  an object are records, too */
	bool lines; /* the body is NDJSON, one record a line (records is ignored) */
	const struct pointer *const *envelope; /* values outside the records */
	size_t n_envelope;
	const struct pointer *const
		*fields; /* values inside each element, relative to the element */
	size_t n_fields;
	size_t n_records; /* pointers at `records`: the arrays are read as one; 0: one. None may
			     lead into another */
};

struct json_scanner *json_scanner_new(
	const struct json_scanner_wanted *wanted); /* pointers are copied */
void json_scanner_free(struct json_scanner *plan);

/* Of several arrays, all must be there. */
enum json_scan_array {
	JSON_SCAN_ARRAY_ABSENT,
	JSON_SCAN_ARRAY_FOUND,
	JSON_SCAN_ARRAY_NULL, /* what some programs write for an array without elements */
	JSON_SCAN_ARRAY_OTHER /* a value that is no array */
};

struct json_scan_element {
	struct slice raw; /* the element's own text, without white space around it */
	bool spaced; /* white space between tokens inside: json_minify has work to do */
};

/* Reused from page to page: the arrays grow and stay. */
struct json_scan {
	enum json_scan_array array;
	struct json_scan_element *elements;
	size_t n_elements;
	size_t elements_capacity;
	struct slice *fields; /* n_elements * n_fields, row by row; SLICE_NULL: absent */
	size_t fields_capacity;
	struct slice *envelope; /* n_envelope; SLICE_NULL: absent */
	size_t envelope_capacity;
	size_t n_fields; /* as in the plan */
};

#define JSON_SCAN_NULL ((struct json_scan){0})

/* 0, or FAULT_BODY (text says what, and at which byte), or FAULT_LIMIT (nesting over
 * JSON_SCANNER_MAX_DEPTH, elements over JSON_SCANNER_MAX_ELEMENTS). Slices point into TEXT. On an
 * outcome *RET holds nothing to be used. */
int json_scanner_run(const struct json_scanner *plan, struct slice text, struct json_scan *ret,
	struct fault *reterr);
void json_scan_deinit(struct json_scan *scan);

#endif
