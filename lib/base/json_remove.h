/*
 * Cuts values out of a JSON text by their JSON Pointers; every other byte stays as it is. Of equal
 * keys in one object all are cut. An element that is cut out of an array moves those after it; the
 * indices of the pointers are those of the array as it was.
 */
#ifndef TRAWLD_BASE_JSON_REMOVE_H
#define TRAWLD_BASE_JSON_REMOVE_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/str.h"

#define JSON_REMOVE_MAX 64 /* pointers */

struct json_remove;

/* 0, or FAULT_CONFIG: one is not a JSON Pointer, or means the whole value, or there are more than
 * JSON_REMOVE_MAX. */
int json_remove_new(
	struct json_remove **ret, const struct str_list *pointers, struct fault *reterr);
void json_remove_free(struct json_remove *remove); /* NULL allowed */

/* VALUE is valid JSON, not deeper than JSON_SCANNER_MAX_DEPTH. When something was cut, appends what
 * is left of it to OUT and says which pointers met a value: bit I is the I-th. Else 0, and OUT is
 * as it was. */
uint64_t json_remove_run(const struct json_remove *remove, struct slice value, struct buf *out);
/* Appends the pointers of REMOVED as an array of JSON strings. */
void json_remove_print(const struct json_remove *remove, uint64_t removed, struct buf *out);
/* No json_remove_print appends more than this. */
size_t json_remove_print_max(const struct json_remove *remove);

#endif
