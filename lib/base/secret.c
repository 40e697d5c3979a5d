/*
 * See secret.h. Each secret is kept as the patterns that its bytes make: itself, its base64 at each
 * of the three offsets that it can have inside a longer text (both alphabets), its hexadecimal
 * digits. Patterns are found by their first two bytes, so the number of secrets costs nothing where
 * none begins. A pattern matches whatever its bytes are written with (escape.h); so that an escape
 * inside another is seen, the text is searched again after its escapes were undone.
 */
#include "base/secret.h"

#include <stdint.h>
#include <string.h>

#include "base/digest.h"
#include "base/encode.h"
#include "base/escape.h"
#include "base/mem.h"
#include "base/utf8.h"

#define SIZE_MIN 4 /* shorter ones would mask ordinary words */
#define N_LAYERS 3 /* an escape inside an escape inside an escape */
#define N_BUCKETS 4096
#define N_PATTERNS 9
#define FRONT_MAX 64

struct pattern {
	struct pattern *next; /* in its bucket */
	struct entry *entry;
	char *bytes;
	size_t size;
	unsigned before, after; /* characters beside it that hold bits of the secret, too */
};

struct entry {
	struct pattern patterns[N_PATTERNS]; /* the first is the secret itself */
	size_t n_patterns;
	unsigned n_refs;
};

static struct pattern *buckets[N_BUCKETS];
static size_t n_entries;

void secret_wipe(void *data, size_t size)
{
	if (data && size)
		explicit_bzero(data, size);
}

/* --- the registry --- */

static struct pattern **bucket_of(char first, char second)
{
	return &buckets[((unsigned char)first * 61u + (unsigned char)second) % N_BUCKETS];
}

/* Takes over BUF. */
static struct pattern *add_pattern(struct entry *entry, struct buf *buf)
{
	struct slice text = buf_slice(buf);
	for (size_t i = 0; i < entry->n_patterns; i++)
		if (slice_equal(text,
			    (struct slice){entry->patterns[i].bytes, entry->patterns[i].size}))
			text.size = 0;
	if (text.size < SIZE_MIN) {
		secret_wipe(buf->data, buf->size);
		buf_deinit(buf);
		return NULL;
	}
	struct pattern *pattern = &entry->patterns[entry->n_patterns++];
	*pattern = (struct pattern){.entry = entry, .size = text.size, .bytes = buf_take(buf)};
	return pattern;
}

/* The characters that hold nothing but TEXT, when N bytes precede it. */
static void add_base64(struct entry *entry, struct slice text, size_t n, bool url)
{
	struct buf shifted = BUF_NULL, encoded = BUF_NULL, whole = BUF_NULL;
	size_t begin = (n * 8 + 5) / 6, end = (n + text.size) * 8 / 6;
	buf_append(&shifted, "\0\0", n);
	buf_append_slice(&shifted, text);
	(url ? encode_base64url : encode_base64)(buf_slice(&shifted), &encoded);
	buf_append(&whole, encoded.data + begin, end - begin);
	struct pattern *pattern = add_pattern(entry, &whole);
	if (pattern) {
		pattern->before = n > 0;
		pattern->after = (n + text.size) % 3 > 0;
	}
	secret_wipe(shifted.data, shifted.size);
	secret_wipe(encoded.data, encoded.size);
	buf_deinit(&shifted);
	buf_deinit(&encoded);
}

static void add_hex(struct entry *entry, struct slice text, bool upper)
{
	struct buf hex = BUF_NULL;
	digest_hex(text.data, text.size, buf_reserve(&hex, 2 * text.size + 1));
	hex.size = 2 * text.size;
	for (size_t i = 0; upper && i < hex.size; i++)
		if (hex.data[i] >= 'a')
			hex.data[i] = (char)(hex.data[i] - 'a' + 'A');
	add_pattern(entry, &hex);
}

static struct entry *find(struct slice text)
{
	struct pattern *pattern = *bucket_of(text.data[0], text.data[1]);
	for (; pattern; pattern = pattern->next)
		if (pattern == &pattern->entry->patterns[0] &&
			slice_equal((struct slice){pattern->bytes, pattern->size}, text))
			return pattern->entry;
	return NULL;
}

void secret_register(struct slice text)
{
	if (text.size < SIZE_MIN)
		return;
	struct entry *entry = find(text);
	if (entry) {
		entry->n_refs++;
		return;
	}
	struct buf plain = BUF_NULL;
	entry = MEM_NEW(struct entry);
	entry->n_refs = 1;
	buf_append_slice(&plain, text);
	add_pattern(entry, &plain);
	for (size_t n = 0; n < 3; n++) {
		add_base64(entry, text, n, false);
		add_base64(entry, text, n, true);
	}
	add_hex(entry, text, false);
	add_hex(entry, text, true);
	for (size_t i = 0; i < entry->n_patterns; i++) {
		struct pattern *pattern = &entry->patterns[i];
		struct pattern **bucket = bucket_of(pattern->bytes[0], pattern->bytes[1]);
		pattern->next = *bucket;
		*bucket = pattern;
	}
	n_entries++;
}

void secret_unregister(struct slice text)
{
	struct entry *entry = text.size < SIZE_MIN ? NULL : find(text);
	if (!entry || --entry->n_refs)
		return;
	for (size_t i = 0; i < entry->n_patterns; i++) {
		struct pattern *pattern = &entry->patterns[i];
		struct pattern **link = bucket_of(pattern->bytes[0], pattern->bytes[1]);
		while (*link != pattern)
			link = &(*link)->next;
		*link = pattern->next;
		secret_wipe(pattern->bytes, pattern->size);
		free(pattern->bytes);
	}
	free(entry);
	n_entries--;
}

/* --- finding them --- */

/* A text with the escapes of the one before it undone. */
struct layer {
	struct slice text;
	const uint32_t *origins; /* where each byte, and the end, comes from in the text that is
				    masked; NULL: from the same place */
};

static struct slice rest_of(const struct layer *layer, size_t at)
{
	return (struct slice){layer->text.data + at, layer->text.size - at};
}

/* Where a byte of a pattern can end: several places, since an escape can also be meant as it is
 * written. */
struct front {
	size_t at[FRONT_MAX];
	size_t n;
};

static void front_add(struct front *front, size_t at)
{
	for (size_t i = 0; i < front->n; i++)
		if (front->at[i] == at)
			return;
	if (front->n < FRONT_MAX)
		front->at[front->n++] = at;
}

/* From AT, where the text continues with the bytes of the pattern from K on: FRONTS has what comes
 * 1 to 4 bytes later. */
static void advance(const struct layer *layer, const struct pattern *pattern, size_t k, size_t at,
	struct front *fronts)
{
	struct slice rest = rest_of(layer, at);
	struct escape escape;
	if (rest.size == 0)
		return;
	if (rest.data[0] == pattern->bytes[k])
		front_add(&fronts[(k + 1) % 5], at + 1);
	if (escape_begins_with(rest.data[0]) && escape_read(rest, true, &escape) &&
		escape.n_bytes <= pattern->size - k &&
		memcmp(escape.bytes, pattern->bytes + k, escape.n_bytes) == 0)
		front_add(&fronts[(k + escape.n_bytes) % 5], at + escape.size);
}

static size_t match_escaped(const struct layer *layer, const struct pattern *pattern, size_t at)
{
	struct front fronts[5];
	size_t end = 0, ahead = 0;
	for (size_t i = 0; i < 5; i++)
		fronts[i].n = 0;
	front_add(&fronts[0], at);
	for (size_t k = 0; k < pattern->size; k++) {
		struct front *front = &fronts[k % 5];
		for (size_t i = 0; i < front->n; i++)
			advance(layer, pattern, k, front->at[i], fronts);
		front->n = 0;
		for (ahead = 1; ahead < 5 && fronts[(k + ahead) % 5].n == 0; ahead++)
			;
		if (ahead == 5)
			return 0;
	}
	struct front *last = &fronts[pattern->size % 5];
	for (size_t i = 0; i < last->n; i++)
		end = last->at[i] > end ? last->at[i] : end;
	return end;
}

/* Where PATTERN, written with or without escapes, ends if it begins at AT; else 0. */
static size_t match(const struct layer *layer, const struct pattern *pattern, size_t at)
{
	struct slice rest = rest_of(layer, at);
	for (size_t i = 0; i < pattern->size; i++) {
		if (i == rest.size)
			return 0;
		if (escape_begins_with(rest.data[i]))
			return match_escaped(layer, pattern, at);
		if (rest.data[i] != pattern->bytes[i])
			return 0;
	}
	return at + pattern->size;
}

static bool is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       strchr("+/-_", c);
}

struct span {
	size_t begin, end;
};

struct spans {
	struct span *items;
	size_t n_items;
	size_t capacity;
};

/* Back to the bytes of the text that is masked; an escape is masked whole. */
static void spans_add(struct spans *spans, const struct layer *layer, size_t begin, size_t end)
{
	struct span span = {begin, end};
	if (layer->origins) {
		span.begin = layer->origins[begin];
		while (end < layer->text.size && layer->origins[end] == layer->origins[end - 1])
			end++;
		span.end = layer->origins[end];
	}
	spans->items =
		mem_grow(spans->items, spans->n_items, &spans->capacity, sizeof(struct span));
	spans->items[spans->n_items++] = span;
}

/* All patterns that begin with these two bytes. */
static void search_at(
	const struct layer *layer, size_t at, char first, char second, struct spans *spans)
{
	const struct pattern *pattern = *bucket_of(first, second);
	for (; pattern; pattern = pattern->next) {
		if (pattern->bytes[0] != first || pattern->bytes[1] != second)
			continue;
		size_t begin = at, end = match(layer, pattern, at);
		struct escape escape = {{0}, 1, 1};
		if (!end)
			continue;
		if (pattern->before && begin > 0 && is_base64(layer->text.data[begin - 1]))
			begin--;
		if (pattern->after && end < layer->text.size &&
			(is_base64(layer->text.data[end]) ||
				(escape_read(rest_of(layer, end), false, &escape) &&
					escape.n_bytes == 1 && is_base64(escape.bytes[0]))))
			end += escape.size;
		spans_add(spans, layer, begin, end);
	}
}

/* Where the first of the two bytes, or the second, can be read in two ways. */
static void search_escaped(const struct layer *layer, size_t at, struct spans *spans)
{
	struct escape ways[2] = {{{layer->text.data[at]}, 1, 1}}, next;
	size_t n = 1 + escape_read(rest_of(layer, at), true, &ways[1]);
	for (size_t i = 0; i < n; i++) {
		struct slice rest = rest_of(layer, at + ways[i].size);
		if (ways[i].n_bytes > 1) {
			search_at(layer, at, ways[i].bytes[0], ways[i].bytes[1], spans);
			continue;
		}
		if (rest.size == 0)
			continue;
		search_at(layer, at, ways[i].bytes[0], rest.data[0], spans);
		if (escape_read(rest, true, &next) && next.bytes[0] != rest.data[0])
			search_at(layer, at, ways[i].bytes[0], next.bytes[0], spans);
	}
}

static void search(const struct layer *layer, struct spans *spans)
{
	const char *data = layer->text.data;
	for (size_t i = 0; i + 1 < layer->text.size; i++) {
		if (escape_begins_with(data[i]) || escape_begins_with(data[i + 1]))
			search_escaped(layer, i, spans);
		else if (*bucket_of(data[i], data[i + 1]))
			search_at(layer, i, data[i], data[i + 1], spans);
	}
}

/* Is there an escape at AT that is undone? PERCENT: percent-encoding counts, too. */
static bool undone(const struct layer *layer, size_t at, bool percent, struct escape *ret)
{
	char c = layer->text.data[at];
	return escape_begins_with(c) && (percent || c != '%') &&
	       escape_read(rest_of(layer, at), false, ret);
}

/* The next layer, in OUT and *RET_ORIGINS (the caller frees). False: there is no escape. */
static bool undo_escapes(
	const struct layer *layer, bool percent, struct buf *out, uint32_t **ret_origins)
{
	size_t size = layer->text.size, n = 0;
	struct escape escape;
	bool any = false;
	for (size_t i = 0; i < size && !any; i++)
		any = undone(layer, i, percent, &escape);
	if (!any)
		return false;
	uint32_t *origins = mem_array(size + 1, sizeof(uint32_t));
	for (size_t i = 0; i < size; i += escape.size) {
		if (!undone(layer, i, percent, &escape))
			escape = (struct escape){{layer->text.data[i]}, 1, 1};
		buf_append(out, escape.bytes, escape.n_bytes);
		for (size_t j = 0; j < escape.n_bytes; j++)
			origins[n++] = layer->origins ? layer->origins[i] : (uint32_t)i;
	}
	origins[n] = layer->origins ? layer->origins[size] : (uint32_t)size;
	*ret_origins = origins;
	return true;
}

static int compare_spans(const void *a, const void *b)
{
	const struct span *left = a, *right = b;
	return left->begin != right->begin ? (left->begin < right->begin ? -1 : 1)
	       : left->end < right->end    ? -1
					   : left->end > right->end;
}

/* Each run of spans that overlap becomes one `***`. */
static void replace(struct buf *buf, struct spans *spans)
{
	struct buf out = BUF_NULL;
	size_t at = 0;
	qsort(spans->items, spans->n_items, sizeof(struct span), compare_spans);
	for (size_t i = 0; i < spans->n_items;) {
		struct span span = spans->items[i++];
		while (i < spans->n_items && spans->items[i].begin < span.end) {
			if (spans->items[i].end > span.end)
				span.end = spans->items[i].end;
			i++;
		}
		buf_append(&out, buf->data + at, span.begin - at);
		buf_append_text(&out, "***");
		at = span.end;
	}
	buf_append(&out, buf->data + at, buf->size - at);
	secret_wipe(buf->data, buf->size);
	buf_clear(buf);
	buf_append_slice(buf, buf_slice(&out));
	buf_deinit(&out);
}

/* Below the first layer. */
static void search_below(struct slice text, bool percent, struct spans *spans)
{
	struct layer layer = {text, NULL};
	struct buf texts[N_LAYERS] = {BUF_NULL};
	uint32_t *origins[N_LAYERS] = {NULL};
	for (size_t i = 1; i < N_LAYERS && undo_escapes(&layer, percent, &texts[i], &origins[i]);
		i++) {
		layer = (struct layer){buf_slice(&texts[i]), origins[i]};
		search(&layer, spans);
	}
	for (size_t i = 1; i < N_LAYERS; i++) {
		secret_wipe(texts[i].data, texts[i].size);
		buf_deinit(&texts[i]);
		free(origins[i]);
	}
}

void secret_mask(struct buf *buf)
{
	struct spans spans = {0};
	struct slice text = buf_slice(buf);
	if (buf->size < SIZE_MIN || n_entries == 0)
		return;
	search(&(struct layer){text, NULL}, &spans);
	search_below(text, true, &spans);
	if (memchr(text.data, '%', text.size)) /* which may be one of the secret's own */
		search_below(text, false, &spans);
	if (spans.n_items)
		replace(buf, &spans);
	free(spans.items);
}

void secret_mask_line(struct buf *buf)
{
	secret_mask(buf);
	for (size_t i = 0, n; i < buf->size; i += n) {
		n = utf8_step(buf->data + i, buf->size - i);
		if (utf8_is_control(buf->data + i, n) && (n > 1 || (buf->data[i] & 0x80) == 0))
			memset(buf->data + i, '?', n);
	}
}

void secret_set(struct secret *secret, struct slice text)
{
	secret_deinit(secret);
	secret->text = mem_strndup(text.data, text.size);
	secret->size = text.size;
	secret_register(text);
}

void secret_deinit(struct secret *secret)
{
	if (secret->text) {
		secret_unregister((struct slice){secret->text, secret->size});
		secret_wipe(secret->text, secret->size);
		free(secret->text);
	}
	*secret = SECRET_NULL;
}
