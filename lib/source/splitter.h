/*
 * The page splitter: validates one JSON text (RFC 8259, strictly: what jansson accepts with
 * JSON_DECODE_ANY and duplicate keys allowed, and with U+0000 in strings) in one pass and yields
 * raw slices: the records of an array, fields inside each record, and values of the envelope around
 * it. Nothing is decoded, copied or converted. Of equal keys in one object the last one counts.
 */
#ifndef TRAWLD_SOURCE_SPLITTER_H
#define TRAWLD_SOURCE_SPLITTER_H

#include "base/fault.h"
#include "base/pointer.h"

#define SPLITTER_MAX_DEPTH 128

/* What is noted of an element takes more memory than the shortest elements' text: without a ceiling
 * a page of 64 MiB that holds `0,0,0,` would take gigabytes. */
#define SPLITTER_MAX_ELEMENTS 1048576

/* What to look for; compiled once, used for every page. */
struct splitter_plan;

struct splitter_wanted {
	const struct pointer *records; /* to the array; NULL: no array, envelope only. "" = the body
					  is the array */
	bool lines; /* the body is NDJSON, one record a line (records is ignored) */
	const struct pointer *const *envelope; /* values outside the records */
	size_t n_envelope;
	const struct pointer *const
		*fields; /* values inside each element, relative to the element */
	size_t n_fields;
};

struct splitter_plan *splitter_plan_new(
	const struct splitter_wanted *wanted); /* pointers are copied */
void splitter_plan_free(struct splitter_plan *plan);

enum split_array {
	SPLIT_ARRAY_ABSENT,
	SPLIT_ARRAY_FOUND,
	SPLIT_ARRAY_NULL, /* what some programs write for an array without elements */
	SPLIT_ARRAY_OTHER /* a value that is no array */
};

struct split_element {
	struct slice raw; /* the element's own text, without white space around it */
	bool spaced; /* white space between tokens inside: json_minify has work to do */
};

/* Reused from page to page: the arrays grow and stay. */
struct split {
	enum split_array array;
	struct split_element *elements;
	size_t n_elements;
	size_t elements_capacity;
	struct slice *fields; /* n_elements * n_fields, row by row; SLICE_NULL: absent */
	size_t fields_capacity;
	struct slice *envelope; /* n_envelope; SLICE_NULL: absent */
	size_t envelope_capacity;
	size_t n_fields; /* as in the plan */
};

#define SPLIT_NULL ((struct split){0})

/* 0, or FAULT_BODY (text says what, and at which byte), or FAULT_LIMIT (nesting over
 * SPLITTER_MAX_DEPTH, elements over SPLITTER_MAX_ELEMENTS). Slices point into TEXT. On an outcome
 * *RET holds nothing to be used. */
int splitter_run(const struct splitter_plan *plan, struct slice text, struct split *ret,
	struct fault *reterr);
void split_deinit(struct split *split);

#endif
