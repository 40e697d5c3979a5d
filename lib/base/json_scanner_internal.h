/* A scanner's plan: the pointers that are looked for, as a tree. */
#ifndef TRAWLD_BASE_JSON_SCANNER_INTERNAL_H
#define TRAWLD_BASE_JSON_SCANNER_INTERNAL_H

#include "base/json_scanner.h"

struct trie {
	char *name;
	size_t size;
	int64_t index; /* the name as an array index, or -1 */
	struct trie *children;
	size_t n_children;
	size_t *slots; /* columns that this place fills */
	size_t n_slots;
	bool any; /* every member or element that has no child of its own here */
	bool below_any;
	bool records; /* this is the array of records, or one of them */
	bool members; /* it may be an object, whose members are the records */
	unsigned number; /* of the array, of which the first is 0 */
	size_t n_records; /* arrays of records here and below */
};

struct json_scanner {
	struct trie envelope;
	struct trie element;
	size_t n_envelope;
	size_t n_fields;
	bool lines;
	bool several; /* arrays of records, or as many as the text has */
};

#endif
