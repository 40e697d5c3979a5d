/* See ctl/report_form.h. */
#include "ctl/report_form.h"

#include <string.h>

/* Markup characters get a backslash; what would end a line or a cell, or move a terminal's cursor,
 * becomes a blank. */
static void append(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f) {
			buf_append_char(out, ' ');
			continue;
		}
		if (strchr("\\`*_{}[]<>#|~&", *text))
			buf_append_char(out, '\\');
		buf_append_char(out, *text);
	}
}

static void line(struct buf *out, const char *before, const char *text)
{
	buf_append_text(out, before);
	append(out, text);
	buf_append_char(out, '\n');
}

static void begin(struct buf *out, const char *title)
{
	line(out, "# ", title);
}

static void heading(struct buf *out, int level, const char *text)
{
	buf_append_char(out, '\n');
	line(out, level == 2 ? "## " : "### ", text);
}

static void paragraph(struct buf *out, const char *text)
{
	buf_append_char(out, '\n');
	line(out, "", text);
}

static void list_begin(struct buf *out)
{
	buf_append_char(out, '\n');
}

static void item(struct buf *out, const char *text)
{
	line(out, "- ", text);
}

static void list_end(struct buf *out)
{
	(void)out;
}

static void fact(struct buf *out, const char *term, const char *text)
{
	buf_append_text(out, "- ");
	append(out, term);
	buf_append_text(out, ": ");
	append(out, text);
	buf_append_char(out, '\n');
}

static void row(struct buf *out, const char *const *cells, size_t n)
{
	buf_append_char(out, '|');
	for (size_t i = 0; i < n; i++) {
		buf_append_char(out, ' ');
		append(out, cells[i]);
		buf_append_text(out, " |");
	}
	buf_append_char(out, '\n');
}

static void table_begin(struct buf *out, const char *const *heads, size_t n)
{
	buf_append_char(out, '\n');
	row(out, heads, n);
	buf_append_char(out, '|');
	for (size_t i = 0; i < n; i++)
		buf_append_text(out, " --- |");
	buf_append_char(out, '\n');
}

static void strip(
	struct buf *out, const struct timeline *timeline, nsec_t from, nsec_t to, const char *words)
{
	(void)timeline;
	(void)from;
	(void)to;
	paragraph(out, words);
}

static void end(struct buf *out)
{
	(void)out;
}

const struct report_form report_markdown = {
	.name = "md",
	.begin = begin,
	.heading = heading,
	.paragraph = paragraph,
	.list_begin = list_begin,
	.item = item,
	.list_end = list_end,
	.facts_begin = list_begin,
	.fact = fact,
	.facts_end = list_end,
	.table_begin = table_begin,
	.row = row,
	.table_end = list_end,
	.strip = strip,
	.end = end,
};
