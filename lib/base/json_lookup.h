/*
 * The values that a few JSON Pointers name in a text: one pass of the JSON scanner over it, nothing
 * is decoded or copied.
 */
#ifndef TRAWLD_BASE_JSON_LOOKUP_H
#define TRAWLD_BASE_JSON_LOOKUP_H

#include "base/fault.h"
#include "base/pointer.h"

/* Pointers that are compiled once and used for many texts. */
struct json_lookup;

/* POINTERS are copied. */
struct json_lookup *json_lookup_new(const struct pointer *const *pointers, size_t n);
/* The same from N texts, each a valid JSON Pointer. */
struct json_lookup *json_lookup_parse(const char *const *texts, size_t n);
void json_lookup_free(struct json_lookup *lookup); /* NULL allowed */

/* *RET: a value for each pointer, as a slice of TEXT; SLICE_NULL where there is none. Valid as long
 * as TEXT and until the next call. 0, or the outcome of json_scanner_run. */
int json_lookup_run(struct json_lookup *lookup, struct slice text, const struct slice **ret,
	struct fault *reterr);

/* For one text only: N values into RET. With N = 0: is TEXT valid JSON? */
int json_lookup_once(const char *const *texts, size_t n, struct slice text, struct slice *ret,
	struct fault *reterr);

#endif
