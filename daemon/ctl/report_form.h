/*
 * The forms of a report for people: HTML that needs nothing else, no script and no other file, and
 * Markdown. Each is a row of functions that append what they are given to OUT; texts are escaped
 * here, so a name or a message cannot be read as markup.
 */
#ifndef TRAWLD_DAEMON_CTL_REPORT_FORM_H
#define TRAWLD_DAEMON_CTL_REPORT_FORM_H

#include "base/buf.h"
#include "base/clock.h"

struct timeline;

struct report_form {
	const char *name;
	void (*begin)(struct buf *out, const char *title);
	void (*heading)(struct buf *out, int level, const char *text); /* level 2 or 3 */
	void (*paragraph)(struct buf *out, const char *text);
	void (*list_begin)(struct buf *out);
	void (*item)(struct buf *out, const char *text);
	void (*list_end)(struct buf *out);
	void (*facts_begin)(struct buf *out);
	void (*fact)(struct buf *out, const char *term, const char *text);
	void (*facts_end)(struct buf *out);
	/* N cells; the first names the row */
	void (*table_begin)(struct buf *out, const char *const *heads, size_t n);
	void (*row)(struct buf *out, const char *const *cells, size_t n);
	void (*table_end)(struct buf *out);
	/* The time from FROM to TO as a picture; WORDS say the same */
	void (*strip)(struct buf *out, const struct timeline *timeline, nsec_t from, nsec_t to,
		const char *words);
	void (*end)(struct buf *out);
};

extern const struct report_form report_html, report_markdown;

#endif
