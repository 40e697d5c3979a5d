/* See json_lookup.h. */
#include "base/json_lookup.h"

#include <assert.h>
#include <stdlib.h>

#include "base/json_scanner.h"
#include "base/mem.h"

struct json_lookup {
	struct json_scanner *plan;
	struct json_scan scan;
};

struct json_lookup *json_lookup_new(const struct pointer *const *pointers, size_t n)
{
	struct json_lookup *lookup = MEM_NEW(struct json_lookup);

	lookup->plan = json_scanner_new(
		&(struct json_scanner_wanted){.envelope = pointers, .n_envelope = n});
	return lookup;
}

struct json_lookup *json_lookup_parse(const char *const *texts, size_t n)
{
	struct pointer *pointers = mem_array(n, sizeof(*pointers));
	const struct pointer **list = mem_array(n, sizeof(*list));
	struct json_lookup *lookup;

	for (size_t i = 0; i < n; i++) {
		int r = pointer_parse(&pointers[i], slice_of(texts[i]));

		assert(!r);
		(void)r;
		list[i] = &pointers[i];
	}
	lookup = json_lookup_new(list, n);
	for (size_t i = 0; i < n; i++)
		pointer_deinit(&pointers[i]);
	free(pointers);
	free(list);
	return lookup;
}

void json_lookup_free(struct json_lookup *lookup)
{
	if (!lookup)
		return;
	json_scanner_free(lookup->plan);
	json_scan_deinit(&lookup->scan);
	free(lookup);
}

int json_lookup_run(struct json_lookup *lookup, struct slice text, const struct slice **ret,
	struct fault *reterr)
{
	int r = json_scanner_run(lookup->plan, text, &lookup->scan, reterr);

	if (!r)
		*ret = lookup->scan.envelope;
	return r;
}

int json_lookup_once(const char *const *texts, size_t n, struct slice text, struct slice *ret,
	struct fault *reterr)
{
	struct json_lookup *lookup = json_lookup_parse(texts, n);
	const struct slice *values;
	int r = json_lookup_run(lookup, text, &values, reterr);

	for (size_t i = 0; i < n && !r; i++)
		ret[i] = values[i];
	json_lookup_free(lookup);
	return r;
}
