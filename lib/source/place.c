/* The text form of a place. Unknown members are ignored, so that an older trawld can read what a
 * newer one of the same version wrote. */
#include "source/place.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/timestamp.h"

#include <jansson.h>

#define PLACE_VERSION 1

void place_deinit(struct place *place)
{
	free(place->resume);
	free(place->page);
	free(place->document);
	free(place->page_shape);
	*place = PLACE_NULL;
}

void place_copy(struct place *to, const struct place *from)
{
	char *resume = mem_strdup(from->resume), *page = mem_strdup(from->page);
	char *document = mem_strdup(from->document), *shape = mem_strdup(from->page_shape);
	place_deinit(to);
	*to = *from;
	to->resume = resume;
	to->page = page;
	to->document = document;
	to->page_shape = shape;
}

void place_set(char **field, struct slice text)
{
	char *copy = text.data ? mem_strndup(text.data, text.size) : NULL;
	free(*field);
	*field = copy;
}

void place_close_chain(struct place *place)
{
	place_set(&place->page, SLICE_NULL);
	place->offset = place->number = -1;
	place->start_time = place->end_time = place->until_time = NSEC_NONE;
}

void place_rewind(struct place *place, nsec_t time)
{
	place_close_chain(place);
	place_set(&place->resume, SLICE_NULL);
	place_set(&place->document, SLICE_NULL);
	place->exact = false;
	place->started_time = time;
	place->swept_from_time = NSEC_NONE;
	place->watermark_time = NSEC_NONE;
	place->newest_time = NSEC_NONE;
	place->polled_time = NSEC_NONE;
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

char *place_print(const struct place *place)
{
	struct buf out = BUF_NULL;
	buf_printf(&out, "{\"version\":%d", PLACE_VERSION);
	print_text(&out, "resume", place->resume);
	print_text(&out, "page", place->page);
	if (place->offset >= 0)
		buf_printf(&out, ",\"offset\":%lld", (long long)place->offset);
	if (place->number >= 0)
		buf_printf(&out, ",\"number\":%lld", (long long)place->number);
	buf_printf(&out, ",\"exact\":%s", place->exact ? "true" : "false");
	print_time(&out, "started", place->started_time);
	print_time(&out, "start", place->start_time);
	print_time(&out, "end", place->end_time);
	print_time(&out, "until", place->until_time);
	if (place->end_time != NSEC_NONE) {
		print_time(&out, "clock", place->clock_time);
		print_time(&out, "known", place->known_time);
	}
	print_time(&out, "swept_from", place->swept_from_time);
	print_time(&out, "watermark", place->watermark_time);
	print_time(&out, "newest", place->newest_time);
	print_time(&out, "polled", place->polled_time);
	print_text(&out, "document", place->document);
	if (place->document)
		buf_printf(&out, ",\"rows\":%lld", (long long)place->rows);
	if (place->page_size >= 0)
		buf_printf(&out, ",\"page_size\":%lld", (long long)place->page_size);
	if (place->page_cut >= 0)
		buf_printf(&out, ",\"page_cut\":%lld", (long long)place->page_cut);
	if (place->page_size >= 0 || place->page_cut >= 0)
		print_text(&out, "page_shape", place->page_shape);
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
		       : PLACE_E_SYNTAX;
}

static int64_t parse_count(json_t *root, const char *name)
{
	json_t *value = json_object_get(root, name);
	return json_is_integer(value) ? json_integer_value(value) : -1;
}

int place_parse(struct place *ret, const char *text)
{
	struct place place = PLACE_NULL;
	json_t *root = json_loads(text, 0, NULL);
	bool good = json_integer_value(json_object_get(root, "version")) == PLACE_VERSION &&
		    parse_time(root, "started", &place.started_time) == 0 &&
		    parse_time(root, "start", &place.start_time) == 0 &&
		    parse_time(root, "end", &place.end_time) == 0 &&
		    parse_time(root, "until", &place.until_time) == 0 &&
		    parse_time(root, "clock", &place.clock_time) == 0 &&
		    parse_time(root, "known", &place.known_time) == 0 &&
		    parse_time(root, "swept_from", &place.swept_from_time) == 0 &&
		    parse_time(root, "watermark", &place.watermark_time) == 0 &&
		    parse_time(root, "newest", &place.newest_time) == 0 &&
		    parse_time(root, "polled", &place.polled_time) == 0;
	place.offset = parse_count(root, "offset");
	place.number = parse_count(root, "number");
	place.exact = json_is_true(json_object_get(root, "exact"));
	place_set(&place.resume, slice_of(json_string_value(json_object_get(root, "resume"))));
	place_set(&place.page, slice_of(json_string_value(json_object_get(root, "page"))));
	place_set(&place.document, slice_of(json_string_value(json_object_get(root, "document"))));
	place.rows = place.document ? parse_count(root, "rows") : 0;
	place.page_size = parse_count(root, "page_size");
	place.page_cut = parse_count(root, "page_cut");
	place_set(&place.page_shape,
		slice_of(json_string_value(json_object_get(root, "page_shape"))));
	json_decref(root);
	if (!good) {
		place_deinit(&place);
		return PLACE_E_SYNTAX;
	}
	*ret = place;
	return 0;
}
