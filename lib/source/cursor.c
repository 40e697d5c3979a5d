/* The text form of a cursor. Unknown members are ignored, so that an older trawld can read what a
 * newer one of the same version wrote. */
#include "source/cursor.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/timestamp.h"

#include <jansson.h>

#define CURSOR_VERSION 1

void cursor_deinit(struct cursor *cursor)
{
	free(cursor->resume);
	free(cursor->page);
	free(cursor->document);
	free(cursor->page_shape);
	free(cursor->ids);
	free(cursor->place);
	*cursor = CURSOR_NULL;
}

void cursor_copy(struct cursor *to, const struct cursor *from)
{
	char *resume = mem_strdup(from->resume), *page = mem_strdup(from->page);
	char *document = mem_strdup(from->document), *shape = mem_strdup(from->page_shape);
	char *ids = mem_strdup(from->ids), *place = mem_strdup(from->place);
	cursor_deinit(to);
	*to = *from;
	to->resume = resume;
	to->page = page;
	to->document = document;
	to->page_shape = shape;
	to->ids = ids;
	to->place = place;
}

void cursor_set(char **field, struct slice text)
{
	char *copy = text.data ? mem_strndup(text.data, text.size) : NULL;
	free(*field);
	*field = copy;
}

void cursor_close_chain(struct cursor *cursor)
{
	cursor_set(&cursor->page, SLICE_NULL);
	cursor->offset = cursor->number = -1;
	cursor->start_time = cursor->end_time = cursor->until_time = NSEC_NONE;
	cursor->since_time = NSEC_NONE;
}

void cursor_rewind(struct cursor *cursor, nsec_t time)
{
	cursor_close_chain(cursor);
	cursor_set(&cursor->resume, SLICE_NULL);
	cursor_set(&cursor->document, SLICE_NULL);
	cursor->exact = false;
	cursor->started_time = time;
	cursor->keys_from_time = NSEC_NONE;
	cursor->watermark_time = NSEC_NONE;
	cursor->newest_time = NSEC_NONE;
	cursor->polled_time = NSEC_NONE;
}

static void print_time(struct buf *out, const char *name, nsec_t time)
{
	if (time == NSEC_NONE)
		return;
	buf_printf(out, ",\"%s\":\"", name);
	timestamp_print_rfc3339(time, 9, out);
	buf_append_char(out, '"');
}

static void print_text(struct buf *out, const char *name, const char *text)
{
	if (!text)
		return;
	buf_printf(out, ",\"%s\":", name);
	json_encode(slice_of(text), out);
}

char *cursor_print(const struct cursor *cursor)
{
	struct buf out = BUF_NULL;
	buf_printf(&out, "{\"version\":%d", CURSOR_VERSION);
	print_text(&out, "resume", cursor->resume);
	print_text(&out, "page", cursor->page);
	if (cursor->offset >= 0)
		buf_printf(&out, ",\"offset\":%lld", (long long)cursor->offset);
	if (cursor->number >= 0)
		buf_printf(&out, ",\"number\":%lld", (long long)cursor->number);
	buf_printf(&out, ",\"exact\":%s", cursor->exact ? "true" : "false");
	print_time(&out, "started", cursor->started_time);
	print_time(&out, "start", cursor->start_time);
	print_time(&out, "end", cursor->end_time);
	print_time(&out, "until", cursor->until_time);
	if (cursor->end_time != NSEC_NONE) {
		print_time(&out, "clock", cursor->clock_time);
		print_time(&out, "known", cursor->known_time);
	}
	print_time(&out, "since", cursor->since_time);
	print_time(&out, "keys_from", cursor->keys_from_time);
	print_time(&out, "watermark", cursor->watermark_time);
	print_time(&out, "newest", cursor->newest_time);
	print_time(&out, "polled", cursor->polled_time);
	print_text(&out, "document", cursor->document);
	if (cursor->document)
		buf_printf(&out, ",\"rows\":%lld", (long long)cursor->rows);
	if (cursor->page_size >= 0)
		buf_printf(&out, ",\"page_size\":%lld", (long long)cursor->page_size);
	if (cursor->page_cut >= 0)
		buf_printf(&out, ",\"page_cut\":%lld", (long long)cursor->page_cut);
	if (cursor->page_size >= 0 || cursor->page_cut >= 0 || cursor->page ||
		cursor->offset >= 0 || cursor->number >= 0)
		print_text(&out, "page_shape", cursor->page_shape);
	print_text(&out, "ids", cursor->ids);
	print_text(&out, "place", cursor->place);
	buf_append_char(&out, '}');
	return buf_take(&out);
}

static int parse_time(json_t *root, const char *name, nsec_t *ret)
{
	json_t *value = json_object_get(root, name);
	*ret = NSEC_NONE;
	if (!value)
		return 0;
	return json_is_string(value)
		       ? timestamp_parse_rfc3339(slice_of(json_string_value(value)), ret)
		       : CURSOR_E_SYNTAX;
}

static int64_t parse_count(json_t *root, const char *name)
{
	json_t *value = json_object_get(root, name);
	return json_is_integer(value) ? json_integer_value(value) : -1;
}

int cursor_parse(struct cursor *ret, const char *text)
{
	struct cursor cursor = CURSOR_NULL;
	json_t *root = json_loads(text, 0, NULL);
	bool good = json_integer_value(json_object_get(root, "version")) == CURSOR_VERSION &&
		    parse_time(root, "started", &cursor.started_time) == 0 &&
		    parse_time(root, "start", &cursor.start_time) == 0 &&
		    parse_time(root, "end", &cursor.end_time) == 0 &&
		    parse_time(root, "until", &cursor.until_time) == 0 &&
		    parse_time(root, "clock", &cursor.clock_time) == 0 &&
		    parse_time(root, "known", &cursor.known_time) == 0 &&
		    parse_time(root, "since", &cursor.since_time) == 0 &&
		    parse_time(root, "keys_from", &cursor.keys_from_time) == 0 &&
		    parse_time(root, "watermark", &cursor.watermark_time) == 0 &&
		    parse_time(root, "newest", &cursor.newest_time) == 0 &&
		    parse_time(root, "polled", &cursor.polled_time) == 0;
	cursor.offset = parse_count(root, "offset");
	cursor.number = parse_count(root, "number");
	cursor.exact = json_is_true(json_object_get(root, "exact"));
	cursor_set(&cursor.resume, slice_of(json_string_value(json_object_get(root, "resume"))));
	cursor_set(&cursor.page, slice_of(json_string_value(json_object_get(root, "page"))));
	cursor_set(
		&cursor.document, slice_of(json_string_value(json_object_get(root, "document"))));
	cursor.rows = cursor.document ? parse_count(root, "rows") : 0;
	cursor.page_size = parse_count(root, "page_size");
	cursor.page_cut = parse_count(root, "page_cut");
	cursor_set(&cursor.page_shape,
		slice_of(json_string_value(json_object_get(root, "page_shape"))));
	cursor_set(&cursor.ids, slice_of(json_string_value(json_object_get(root, "ids"))));
	cursor_set(&cursor.place, slice_of(json_string_value(json_object_get(root, "place"))));
	json_decref(root);
	if (!good) {
		cursor_deinit(&cursor);
		return CURSOR_E_SYNTAX;
	}
	*ret = cursor;
	return 0;
}
