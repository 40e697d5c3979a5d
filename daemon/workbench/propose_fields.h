/* What a response shows of its records and pages; between propose.c and propose_fields.c. */
#ifndef TRAWLD_DAEMON_PROPOSE_FIELDS_H
#define TRAWLD_DAEMON_PROPOSE_FIELDS_H

#include <jansson.h>

#include "base/str.h"
#include "base/clock.h"

/* The arrays of objects in ROOT as pointers, the longest first. */
void fields_find_arrays(json_t *root, struct str_list *ret_pointers);

enum fields_time { FIELDS_TIME_NONE, FIELDS_TIME_RFC3339, FIELDS_TIME_S, FIELDS_TIME_MS };

struct fields {
	struct str_list
		ids; /* pointers of members that differ in all elements, the likeliest first */
	struct str_list times;
	enum fields_time time_kind; /* of the first of TIMES */
	bool descending; /* so are the times */
};
void fields_of(json_t *array, struct fields *ret);
void fields_deinit(struct fields *fields);

/* What TEXT is as a time. */
enum fields_time fields_time_of(struct slice text);

struct page_fields {
	char *url, *cursor, *more, *total; /* pointers; NULL: not seen */
};
/* The members of ROOT outside arrays. */
void fields_find_page(json_t *root, struct page_fields *ret);
void fields_page_deinit(struct page_fields *fields);

#endif
