/* Between template.c and json_template.c. */
#ifndef TRAWLD_DEFINITION_TEMPLATE_INTERNAL_H
#define TRAWLD_DEFINITION_TEMPLATE_INTERNAL_H

#include "definition/template.h"

/* The text as a JSON value: exactly one variable with a JSON value gives that value, everything
 * else a string. */
int template_render_json(const struct template *template, template_lookup_fn lookup, void *userdata,
	struct buf *out);

#endif
