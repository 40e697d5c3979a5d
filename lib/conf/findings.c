/* See findings.h. */
#include "conf/findings.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "conf/ini.h"

static bool is_at(const struct finding *finding, const char *file, unsigned line)
{
	return finding->line == line && finding->file && file && strcmp(finding->file, file) == 0;
}

static bool is_settled(const struct findings *findings, const char *file, unsigned line)
{
	for (size_t i = 0; i < findings->n_items; i++)
		if (findings->items[i].settles && is_at(&findings->items[i], file, line))
			return true;
	return false;
}

void findings_settle(struct findings *findings, const char *file, unsigned line)
{
	for (size_t i = 0; i < findings->n_items; i++)
		findings->items[i].settles |= is_at(&findings->items[i], file, line);
}

__attribute__((format(printf, 4, 0))) static void add(struct findings *findings, const char *file,
	unsigned line, const char *format, va_list args)
{
	struct buf text = BUF_NULL;
	if (is_settled(findings, file, line))
		return;
	buf_vprintf(&text, format, args);
	secret_mask_line(&text);
	findings->items = mem_grow(
		findings->items, findings->n_items, &findings->capacity, sizeof(struct finding));
	findings->items[findings->n_items++] =
		(struct finding){mem_strdup(file), line, buf_take(&text), false};
}

void findings_add(
	struct findings *findings, const char *file, unsigned line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(findings, file, line, format, args);
	va_end(args);
}

void findings_add_at(struct findings *findings, const struct ini_section *section, const char *key,
	const char *format, ...)
{
	const struct ini_entry *entry = key ? ini_section_find(section, key) : NULL;
	va_list args;
	va_start(args, format);
	add(findings, entry ? entry->file : section->file, entry ? entry->line : section->line,
		format, args);
	va_end(args);
}

void findings_drop_needs(
	struct findings *findings, const struct ini_section *section, const char *key)
{
	char *text CLEANUP_FREE = mem_printf("[%s%s%s] needs `%s`", section->kind,
		section->name ? " " : "", section->name ? section->name : "", key);
	size_t n = 0;
	for (size_t i = 0; i < findings->n_items; i++) {
		struct finding *finding = &findings->items[i];
		if (strncmp(finding->text, text, strlen(text)) != 0) {
			findings->items[n++] = *finding;
			continue;
		}
		free(finding->file);
		free(finding->text);
	}
	findings->n_items = n;
}

void findings_deinit(struct findings *findings)
{
	for (size_t i = 0; i < findings->n_items; i++) {
		free(findings->items[i].file);
		free(findings->items[i].text);
	}
	free(findings->items);
	*findings = FINDINGS_NULL;
}

/* The position at which FILE was first met. */
static size_t file_rank(const struct findings *findings, const char *file)
{
	for (size_t i = 0; i < findings->n_items; i++) {
		const char *other = findings->items[i].file;
		if (file == other || (file && other && strcmp(file, other) == 0))
			return i;
	}
	return findings->n_items;
}

static bool before(
	const struct findings *findings, const struct finding *a, const struct finding *b)
{
	size_t rank_a = file_rank(findings, a->file), rank_b = file_rank(findings, b->file);
	return rank_a != rank_b ? rank_a < rank_b : a->line < b->line;
}

/* Whose `file:line: message` is told to EACH, in order; items stay where they are, since ranks
 * depend on their places. */
static void each_in_order(const struct findings *findings,
	void (*each)(const struct buf *text, void *userdata), void *userdata)
{
	const struct finding **order = mem_array(findings->n_items, sizeof(*order));
	for (size_t i = 0; i < findings->n_items; i++) {
		size_t at = i;
		for (; at > 0 && before(findings, &findings->items[i], order[at - 1]); at--)
			order[at] = order[at - 1];
		order[at] = &findings->items[i];
	}
	for (size_t i = 0; i < findings->n_items; i++) {
		struct buf text CLEANUP(buf_deinit) = BUF_NULL;
		if (order[i]->file && order[i]->line)
			buf_printf(&text, "%s:%u: ", order[i]->file, order[i]->line);
		else if (order[i]->file)
			buf_printf(&text, "%s: ", order[i]->file);
		buf_append_text(&text, order[i]->text);
		each(&text, userdata);
	}
	free(order);
}

static void print(const struct buf *text, void *userdata)
{
	fprintf(userdata, "%s\n", buf_text(text));
}

static void write_log(const struct buf *text, void *userdata)
{
	(void)userdata;
	log_error(NULL, "%s", buf_text(text));
}

void findings_print(const struct findings *findings, FILE *out)
{
	each_in_order(findings, print, out);
}

void findings_log(const struct findings *findings)
{
	each_in_order(findings, write_log, NULL);
}
