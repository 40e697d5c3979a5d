/*
 * Where the requests of a job are split further than its bounds say, because a receiver did not
 * take them whole. A place is where a record stands in the order in which a kind sends them. The
 * splits are part of the plan of the job: its requests are the same after a restart.
 */
#ifndef TRAWLD_PIPELINE_SPLITS_H
#define TRAWLD_PIPELINE_SPLITS_H

#include "base/buf.h"
#include "base/str.h"

struct splits {
	size_t *places; /* ascending; a request ends before each */
	size_t n;
};

#define SPLITS_NULL ((struct splits){0})

void splits_deinit(struct splits *splits);
void splits_add(struct splits *splits, size_t place);
/* Forgets those between FIRST and END, both excluded. True: there were some. */
bool splits_forget(struct splits *splits, size_t first, size_t end);
/* The first one behind PLACE, or END if there is none before that. */
size_t splits_next(const struct splits *splits, size_t place, size_t end);
bool splits_are_equal(const struct splits *a, const struct splits *b);
/* SPLITS becomes the same as FROM. */
void splits_copy(struct splits *splits, const struct splits *from);

/* Appends each with SEPARATOR before it; and reads that. False: it is something else. */
void splits_print(const struct splits *splits, char separator, struct buf *out);
bool splits_read(struct slice text, char separator, struct splits *ret);

#endif
