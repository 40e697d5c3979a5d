/* See ctl/report_form.h. The page has no script, loads nothing, and follows the reader's theme. */
#include "ctl/report_form.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "store/timeline.h"

static const char style[] =
	":root { --ink: #1b1f23; --dim: #57606a; --ground: #f3f5f7; --card: #fff; --line: #d9dee3;"
	" --edge: #868f98; --bad: #b3261e; --read: #3f7fc8; }\n"
	"@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --dim: #9ca6b0;"
	" --ground: #111417; --card: #1a1e22; --line: #30363c; --edge: #78828c; --bad: #ff9086;"
	" --read: #5b9be0; } }\n"
	"@media print { :root { --ground: #fff; } * { print-color-adjust: exact; } }\n"
	"html { color-scheme: light dark; -webkit-text-size-adjust: 100%; }\n"
	"body { margin: 0 auto; padding: 1rem; max-width: 70rem; background: var(--ground);"
	" color: var(--ink); font: 15px/1.45 system-ui, sans-serif; overflow-wrap: break-word; }\n"
	"h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .6rem; }\n"
	"h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }\n"
	"h3 { font-size: 1.05rem; margin: 1.4rem 0 .3rem; }\n"
	"p, ul { margin: .4rem 0; } ul { padding-left: 1.2rem; } li { margin: .25rem 0; }\n"
	"dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .1rem 1rem;"
	" margin: .4rem 0; }\n"
	"dt { color: var(--dim); } dd { margin: 0; font-variant-numeric: tabular-nums; }\n"
	"table { width: 100%; border-collapse: collapse; background: var(--card);"
	" border: 1px solid var(--line); margin: .5rem 0; }\n"
	"th, td { padding: .3rem .6rem; text-align: left; vertical-align: top;"
	" font-variant-numeric: tabular-nums; }\n"
	"td span, th span { white-space: nowrap; }\n"
	"thead th { color: var(--dim); font-weight: normal; font-size: .9rem; }\n"
	"h1, h2, h3, p, li, dd, td:last-child { overflow-wrap: anywhere; }\n"
	"tbody th { font-weight: 600; } tbody tr { border-top: 1px solid var(--line); }\n"
	".strip { position: relative; height: 1.6rem; margin: .4rem 0 0; overflow: hidden;"
	" background: var(--card); border: 1px solid var(--line); border-radius: 3px; }\n"
	".strip i { position: absolute; top: 0; height: 100%; }\n"
	".strip i.read { top: 30%; height: 40%; } i.read { background: var(--read); }\n"
	"i.gap { min-width: 4px; background: var(--bad); }"
	" i.seen { min-width: 4px; background: var(--edge); }\n"
	".axis { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem;"
	" color: var(--dim); font-size: .9rem; }\n"
	".legend { justify-content: flex-start; }"
	" .legend i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; }"
	" .legend i.read { height: .35em; margin-bottom: .2em; }\n"
	"@media (max-width: 62rem) { body { padding: .7rem; } dl { display: block; }"
	" dt, dd { display: inline; } dd::after { content: \"\\a\"; white-space: pre; }\n"
	"thead { position: absolute; width: 1px; height: 1px; overflow: hidden;"
	" clip-path: inset(50%); }\n"
	"tbody, tbody tr { display: block; } tbody tr { padding: .35rem .6rem; }\n"
	"tbody th, td { display: block; padding: .05rem 0; }\n"
	"td[data-label]::before { content: attr(data-label) \" \"; color: var(--dim); } }\n";

/* For text, and for values between double quotes. Control characters become blanks. */
static void append(struct buf *out, const char *text)
{
	for (; *text; text++) {
		const char *entity = *text == '<'   ? "&lt;"
				     : *text == '>' ? "&gt;"
				     : *text == '&' ? "&amp;"
				     : *text == '"' ? "&quot;"
						    : NULL;
		if (entity)
			buf_append_text(out, entity);
		else
			buf_append_char(out, (unsigned char)*text < ' ' ? ' ' : *text);
	}
}

static void element(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, "<%s>", name);
	append(out, text);
	buf_printf(out, "</%s>\n", name);
}

static void begin(struct buf *out, const char *title)
{
	buf_append_text(out,
		"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
	element(out, "title", title);
	buf_printf(out, "<style>\n%s</style>\n</head>\n<body>\n<main>\n", style);
	element(out, "h1", title);
}

static void heading(struct buf *out, int level, const char *text)
{
	element(out, level == 2 ? "h2" : "h3", text);
}

static void paragraph(struct buf *out, const char *text)
{
	element(out, "p", text);
}

static void list_begin(struct buf *out)
{
	buf_append_text(out, "<ul>\n");
}

static void item(struct buf *out, const char *text)
{
	element(out, "li", text);
}

static void list_end(struct buf *out)
{
	buf_append_text(out, "</ul>\n");
}

static void facts_begin(struct buf *out)
{
	buf_append_text(out, "<dl>\n");
}

static void fact(struct buf *out, const char *term, const char *text)
{
	element(out, "dt", term);
	element(out, "dd", text);
}

static void facts_end(struct buf *out)
{
	buf_append_text(out, "</dl>\n");
}

/* The heads are the labels of the cells where a phone shows one cell a line. */
static const char *const *labels;

static void table_begin(struct buf *out, const char *const *heads, size_t n)
{
	labels = heads;
	buf_append_text(out, "<table>\n<thead><tr>\n");
	for (size_t i = 0; i < n; i++) {
		buf_append_text(out, "<th scope=\"col\">");
		append(out, heads[i]);
		buf_append_text(out, "</th>\n");
	}
	buf_append_text(out, "</tr></thead>\n<tbody>\n");
}

/* A time breaks before its T, if it must, and not at a hyphen. */
static void append_cell(struct buf *out, const char *text)
{
	static const size_t date = sizeof("2026-01-31") - 1;
	nsec_t time;
	if (timestamp_parse_rfc3339(slice_of(text), &time) != 0) {
		append(out, text);
		return;
	}
	buf_printf(out, "<span>%.*s</span><wbr><span>%s</span>", (int)date, text, text + date);
}

static void row(struct buf *out, const char *const *cells, size_t n)
{
	buf_append_text(out, "<tr>\n");
	for (size_t i = 0; i < n; i++) {
		buf_append_text(out, i == 0 ? "<th scope=\"row\">" : "<td data-label=\"");
		if (i > 0) {
			append(out, labels[i]);
			buf_append_text(out, "\">");
		}
		append_cell(out, cells[i]);
		buf_append_text(out, i == 0 ? "</th>\n" : "</td>\n");
	}
	buf_append_text(out, "</tr>\n");
}

static void table_end(struct buf *out)
{
	buf_append_text(out, "</tbody>\n</table>\n");
}

/* --- the strip --- */

static void print_time(nsec_t time, struct buf *out)
{
	timestamp_print_rfc3339(time, 0, out);
}

static void add_part(struct buf *out, const struct stretch *part, nsec_t from, nsec_t to)
{
	double whole = (double)(to - from);
	double left = (double)(part->start_time - from) * 100. / whole;
	double width = (double)(part->end_time - part->start_time) * 100. / whole;
	bool gap = stretch_is_gap(part);
	bool seen = gap && (part->acknowledged_time != NSEC_NONE || part->found_time == NSEC_NONE);
	buf_printf(out, "<i class=\"%s\" style=\"left: %s%.4f%%%s; width: %.4f%%\" title=\"",
		seen  ? "seen"
		: gap ? "gap"
		      : "read",
		gap ? "min(" : "", left, gap ? ", 100% - 4px)" : "", width);
	print_time(part->start_time, out);
	buf_append_text(out, " to ");
	print_time(part->end_time, out);
	buf_append_text(out, ": ");
	append(out, gap ? part->reason : "read");
	buf_append_text(out, "\"></i>\n");
}

static void add_parts(
	struct buf *out, const struct timeline *timeline, nsec_t from, nsec_t to, bool gaps)
{
	for (size_t i = 0; i < timeline->all.n_items; i++) {
		struct stretch part = timeline->all.items[i];
		if (stretch_is_gap(&part) == gaps && stretch_crop(&part, from, to))
			add_part(out, &part, from, to);
	}
}

static void strip(
	struct buf *out, const struct timeline *timeline, nsec_t from, nsec_t to, const char *words)
{
	element(out, "p", words);
	if (!timeline)
		return;
	buf_append_text(out, "<div class=\"strip\" role=\"img\" aria-label=\"Coverage: ");
	append(out, words);
	buf_append_text(out, "\">\n");
	add_parts(out, timeline, from, to, false);
	add_parts(out, timeline, from, to, true);
	buf_append_text(out, "</div>\n<div class=\"axis\"><span>");
	print_time(from, out);
	buf_append_text(out, "</span><span>");
	print_time(to, out);
	buf_append_text(out,
		"</span></div>\n<div class=\"axis legend\"><span><i class=\"read\"></i>read</span>"
		"<span><i class=\"gap\"></i>gap</span>"
		"<span><i class=\"seen\"></i>gap, acknowledged or not requested</span>"
		"<span>blank: nothing is known</span></div>\n");
}

static void end(struct buf *out)
{
	buf_append_text(out, "</main>\n</body>\n</html>\n");
}

const struct report_form report_html = {
	.name = "html",
	.begin = begin,
	.heading = heading,
	.paragraph = paragraph,
	.list_begin = list_begin,
	.item = item,
	.list_end = list_end,
	.facts_begin = facts_begin,
	.fact = fact,
	.facts_end = facts_end,
	.table_begin = table_begin,
	.row = row,
	.table_end = table_end,
	.strip = strip,
	.end = end,
};
