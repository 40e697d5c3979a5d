/* See cursor_text.h. A cursor does not say how its source is paged; what it contains tells
 * enough. */
#include "cursor_text.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "mask.h"

#define WIDTH 15

void cursor_describe_time(nsec_t time, struct buf *out)
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
	cursor_describe_time(time, out);
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

static void span_line(const struct cursor *cursor, int indent, struct buf *out)
{
	if (cursor->start_time == NSEC_NONE)
		return;
	begin_line(cursor->end_time == NSEC_NONE ? "requesting from" : "open window", indent, out);
	cursor_describe_time(cursor->start_time, out);
	if (cursor->end_time != NSEC_NONE) {
		buf_append_text(out, " to ");
		cursor_describe_time(cursor->end_time, out);
	}
	if (cursor->until_time != NSEC_NONE && cursor->until_time > cursor->end_time) {
		buf_append_text(out, ", then up to ");
		cursor_describe_time(cursor->until_time, out);
	}
	buf_append_char(out, '\n');
}

void cursor_describe(const struct cursor *cursor, int indent, struct buf *out)
{
	bool begins = !cursor->resume && !cursor->page && cursor->start_time == NSEC_NONE &&
		      cursor->watermark_time == NSEC_NONE;
	text_line("next request", cursor->resume, indent, out);
	text_line("next page", cursor->page, indent, out);
	count_line("next offset", cursor->offset, indent, out);
	count_line("next page no.", cursor->number, indent, out);
	span_line(cursor, indent, out);
	time_line("read up to", cursor->watermark_time, indent, out);
	time_line("newest record", cursor->newest_time, indent, out);
	begin_line(begins ? "starts from" : "started from", indent, out);
	cursor_describe_time(cursor->started_time, out);
	buf_append_char(out, '\n');
}

static void mask_copy(char **field)
{
	struct buf masked CLEANUP(buf_deinit) = BUF_NULL;
	if (!*field)
		return;
	mask_field(*field, &masked);
	cursor_set(field, buf_slice(&masked));
}

void cursor_describe_json(const struct cursor *cursor, struct buf *out)
{
	struct cursor copy CLEANUP(cursor_deinit) = CURSOR_NULL;
	cursor_copy(&copy, cursor);
	mask_copy(&copy.resume);
	mask_copy(&copy.page);
	char *text CLEANUP_FREE = cursor_print(&copy);
	buf_append_text(out, text);
}
