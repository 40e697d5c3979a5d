/* See ctl/ctl_place.h. A cursor does not say how its source is paged; what it contains tells
 * enough. */
#include "ctl/ctl_place.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "ctl/ctl_mask.h"

#define WIDTH 15

void place_describe_time(nsec_t time, struct buf *out)
{
	if (time == NSEC_NONE)
		buf_append_text(out, "the earliest record of the API");
	else
		timestamp_print_rfc3339(time, time % NSEC_PER_SEC ? 9 : 0, out);
}

static void begin_line(const char *name, int indent, struct buf *out)
{
	buf_printf(out, "%*s%-*s  ", indent, "", WIDTH, name);
}

static void time_line(const char *name, nsec_t time, int indent, struct buf *out)
{
	if (time == NSEC_NONE)
		return;
	begin_line(name, indent, out);
	place_describe_time(time, out);
	buf_append_char(out, '\n');
}

static bool is_link(const char *text)
{
	return str_starts(text, "http://") || str_starts(text, "https://");
}

/* A cursor may be a JSON object with whatever the API needs to find its way back. */
static void mask_field(const char *text, struct buf *out)
{
	if (is_link(text))
		mask_url(slice_of(text), out);
	else
		mask_body(slice_of(text), out);
}

static void text_line(const char *name, const char *text, int indent, struct buf *out)
{
	if (!text)
		return;
	begin_line(name, indent, out);
	buf_append_text(out, is_link(text) ? "the API's link " : "the API's cursor ");
	mask_field(text, out);
	buf_append_char(out, '\n');
}

static void count_line(const char *name, int64_t count, int indent, struct buf *out)
{
	if (count < 0)
		return;
	begin_line(name, indent, out);
	buf_printf(out, "%lld\n", (long long)count);
}

static void span_line(const struct place *place, int indent, struct buf *out)
{
	if (place->start_time == NSEC_NONE)
		return;
	begin_line(place->end_time == NSEC_NONE ? "requesting from" : "open window", indent, out);
	place_describe_time(place->start_time, out);
	if (place->end_time != NSEC_NONE) {
		buf_append_text(out, " to ");
		place_describe_time(place->end_time, out);
	}
	if (place->until_time != NSEC_NONE && place->until_time > place->end_time) {
		buf_append_text(out, ", then up to ");
		place_describe_time(place->until_time, out);
	}
	buf_append_char(out, '\n');
}

void place_describe(const struct place *place, int indent, struct buf *out)
{
	bool begins = !place->resume && !place->page && place->start_time == NSEC_NONE &&
		      place->watermark_time == NSEC_NONE;
	text_line("next request", place->resume, indent, out);
	text_line("next page", place->page, indent, out);
	count_line("next offset", place->offset, indent, out);
	count_line("next page no.", place->number, indent, out);
	span_line(place, indent, out);
	time_line("read up to", place->watermark_time, indent, out);
	time_line("newest record", place->newest_time, indent, out);
	begin_line(begins ? "starts from" : "started from", indent, out);
	place_describe_time(place->started_time, out);
	buf_append_char(out, '\n');
}

static void mask_copy(char **field)
{
	struct buf masked CLEANUP(buf_deinit) = BUF_NULL;
	if (!*field)
		return;
	mask_field(*field, &masked);
	place_set(field, buf_slice(&masked));
}

void place_describe_json(const struct place *place, struct buf *out)
{
	struct place copy CLEANUP(place_deinit) = PLACE_NULL;
	place_copy(&copy, place);
	mask_copy(&copy.resume);
	mask_copy(&copy.page);
	char *text CLEANUP_FREE = place_print(&copy);
	buf_append_text(out, text);
}
