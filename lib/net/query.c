/* See query.h. The pairs are few (a request's own parameters), so they are sorted as an array. */
#include "net/query.h"

#include "base/encode.h"
#include "base/mem.h"
#include "base/str.h"

#include "net/url.h"

struct pair {
	struct buf name;
	struct buf value;
	bool has_value;
};

static void decode_part(struct slice text, enum query_order order, struct buf *out)
{
	struct buf plain = BUF_NULL;

	decode_percent(text, true, &plain);
	if (order != QUERY_ORDER_DECODED)
		encode_percent(buf_slice(&plain), out);
	else
		buf_append_slice(out, buf_slice(&plain));
	buf_deinit(&plain);
}

static int compare_bytes(const struct buf *a, const struct buf *b)
{
	size_t size = a->size < b->size ? a->size : b->size;
	int order = size > 0 ? memcmp(a->data, b->data, size) : 0;

	return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *one = a;
	const struct pair *other = b;
	int order = compare_bytes(&one->name, &other->name);

	return order != 0 ? order : compare_bytes(&one->value, &other->value);
}

static void append_part(struct buf *out, const struct buf *part, enum query_order order)
{
	if (order != QUERY_ORDER_DECODED)
		buf_append_slice(out, buf_slice(part));
	else
		encode_percent(buf_slice(part), out);
}

void query_canonical(struct slice query, enum query_order order, struct buf *out)
{
	struct pair *pairs = NULL;
	size_t n_pairs = 0;
	size_t capacity = 0;
	struct slice rest = query;
	struct slice part;

	while (rest.data && str_next_part(&rest, '&', &part)) {
		const char *equals = memchr(part.data, '=', part.size);
		size_t name_size = equals ? (size_t)(equals - part.data) : part.size;
		struct pair *pair;

		if (part.size == 0)
			continue;
		pairs = mem_grow(pairs, n_pairs, &capacity, sizeof(*pairs));
		pair = &pairs[n_pairs++];
		*pair = (struct pair){BUF_NULL, BUF_NULL, equals};
		decode_part((struct slice){part.data, name_size}, order, &pair->name);
		if (equals)
			decode_part((struct slice){equals + 1, part.size - name_size - 1}, order,
				&pair->value);
	}
	if (n_pairs > 1 && order != QUERY_ORDER_AS_IS)
		qsort(pairs, n_pairs, sizeof(*pairs), compare_pairs);
	for (size_t i = 0; i < n_pairs; i++) {
		if (i > 0)
			buf_append_char(out, '&');
		append_part(out, &pairs[i].name, order);
		if (pairs[i].has_value || order != QUERY_ORDER_AS_IS)
			buf_append_char(out, '=');
		append_part(out, &pairs[i].value, order);
		buf_deinit(&pairs[i].name);
		buf_deinit(&pairs[i].value);
	}
	free(pairs);
}
