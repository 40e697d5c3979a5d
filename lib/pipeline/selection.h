/*
 * Which records a sink is to have: the conditions of its `include` and `exclude` keys, compiled
 * once. A record is wanted when it fulfils one of the includes (or there are none) and none of the
 * excludes.
 */
#ifndef TRAWLD_PIPELINE_SELECTION_H
#define TRAWLD_PIPELINE_SELECTION_H

#include "base/fault.h"
#include "base/slice.h"

struct str_list;
struct selection;

/* 0, or FAULT_CONFIG naming the condition that is none. */
int selection_new(struct selection **ret, const struct str_list *include,
	const struct str_list *exclude, struct fault *reterr);
void selection_free(struct selection *selection); /* NULL allowed */

/* There are no conditions: every record is wanted. */
bool selection_is_all(const struct selection *selection);

/* RECORD is the text of one JSON value. A text that cannot be read is wanted: what a condition
 * cannot judge is not lost. */
bool selection_wants(struct selection *selection, struct slice record);

#endif
