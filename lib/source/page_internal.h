/* Between the files that read a response: what a value in it says. */
#ifndef TRAWLD_SOURCE_PAGE_INTERNAL_H
#define TRAWLD_SOURCE_PAGE_INTERNAL_H

#include "source/page.h"

#include "base/cleanup.h"
#include "base/json.h"

static inline bool condition_holds(const struct condition *condition, struct slice value)
{
	struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
	if (!value.data)
		return condition_test(condition, SLICE_NULL);
	return condition_test(condition, json_content(value, &scratch));
}

/* An absent value, null and "" all mean: no further page. */
static inline bool is_nothing(struct slice value)
{
	return !value.data || json_kind_of(value) == JSON_KIND_NULL || slice_is(value, "\"\"");
}

#endif
