/* See log.h. Each line is built whole and written by one write(2) where it fits into a pipe, so
 * lines of several processes on one stream do not mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/line_writer.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/utf8.h"

static bool prefixes;
static void (*divert)(enum log_level level, const struct log_subject *subject, struct slice text);
static enum log_level threshold = LOG_LEVEL_INFO;
static struct line_writer standard_error = {.fd = STDERR_FILENO};

static struct {
	void (*before)(void *userdata), (*after)(void *userdata);
	void *userdata;
} drawing;

static const char *const level_names[] = {"error", "warning", "notice", "info", "debug"};

void log_open(bool journal_prefixes)
{
	prefixes = journal_prefixes;
}

void log_divert(
	void (*write)(enum log_level level, const struct log_subject *subject, struct slice text))
{
	divert = write;
}

void log_set_level(enum log_level level)
{
	threshold = level;
}

void log_set_drawing(void (*before)(void *userdata), void (*after)(void *userdata), void *userdata)
{
	drawing.before = before;
	drawing.after = after;
	drawing.userdata = userdata;
}

bool log_enabled(enum log_level level)
{
	return level <= threshold;
}

static void append_escaped(struct buf *line, struct slice text)
{
	for (size_t i = 0, n; i < text.size; i += n) {
		const char *at = text.data + i;
		n = utf8_step(at, text.size - i);
		if (*at == '\n')
			buf_append_text(line, "\\n");
		else if (!utf8_is_control(at, n))
			buf_append(line, at, n);
		else
			buf_printf(line, n == 1 ? "\\x%02x" : "\\u%04x", utf8_decode(at, n));
	}
}

/* TEXT is escaped and masked here, so it may be what a peer sent. */
static void emit(enum log_level level, const struct log_subject *subject, struct buf *text)
{
	struct buf line CLEANUP(buf_deinit) = BUF_NULL;
	secret_mask(text);
	if (divert)
		; /* the level goes beside the text */
	else if (prefixes)
		buf_printf(&line, "<%d>", (int)level);
	else
		buf_printf(&line, "%s: ", level_names[level - LOG_LEVEL_ERROR]);
	if (subject && subject->kind) {
		buf_printf(&line, "%s %s", subject->kind, subject->name);
		if (subject->location)
			buf_printf(&line, " (%s)", subject->location);
		buf_append_text(&line, ": ");
	}
	append_escaped(&line, buf_slice(text));
	if (divert) {
		divert(level, subject, buf_slice(&line));
		return;
	}
	buf_append_char(&line, '\n');
	if (drawing.before)
		drawing.before(drawing.userdata);
	line_writer_put(&standard_error, prefixes ? "<4>" : "warning: ", buf_slice(&line));
	if (drawing.after)
		drawing.after(drawing.userdata);
}

/* --- recent lines --- */

#define N_RECENT 200
#define RECENT_INTERVAL NSEC_PER_HOUR

/* Whole texts: one that was cut could hold the first half of a secret, which no mask would find. */
static struct recent {
	char *subject; /* "kind name"; NULL: nothing is here */
	char *text;
	nsec_t at, time;
	bool written; /* to the log */
} recent[N_RECENT];
static size_t next_recent;

static void recent_add(const struct log_subject *subject, const struct buf *text, bool written)
{
	struct recent *line = &recent[next_recent];
	next_recent = (next_recent + 1) % N_RECENT;
	free(line->subject);
	free(line->text);
	*line = (struct recent){
		mem_printf("%s %s", subject->kind, subject->name),
		mem_strdup(buf_text(text)),
		clock_monotonic(),
		clock_wall(),
		written,
	};
}

/* The line of SUBJECT at or after *INDEX (0 is the oldest), or NULL; *INDEX is then after it. */
static struct recent *recent_find(const struct log_subject *subject, size_t *index)
{
	size_t kind_size = strlen(subject->kind);
	while (*index < N_RECENT) {
		struct recent *line = &recent[(next_recent + (*index)++) % N_RECENT];
		if (line->subject && strncmp(line->subject, subject->kind, kind_size) == 0 &&
			line->subject[kind_size] == ' ' &&
			strcmp(line->subject + kind_size + 1, subject->name) == 0)
			return line;
	}
	return NULL;
}

void log_recent(const struct log_subject *subject, nsec_t *told_at)
{
	struct recent *line;
	size_t index = 0;
	nsec_t now_at = clock_monotonic();
	if (threshold < LOG_LEVEL_WARNING || /* the failure itself was not written */
		(*told_at != NSEC_NONE && now_at - *told_at < RECENT_INTERVAL))
		return;
	*told_at = now_at;
	while ((line = recent_find(subject, &index))) {
		struct buf text CLEANUP(buf_deinit) = BUF_NULL;
		if (line->written)
			continue;
		line->written = true;
		buf_printf(&text, "before (%.3f s): %s",
			(double)(now_at - line->at) / (double)NSEC_PER_SEC, line->text);
		emit(LOG_LEVEL_INFO, subject, &text);
	}
}

void log_each_recent(const struct log_subject *subject, size_t n_max,
	void (*each)(nsec_t time, struct slice text, void *userdata), void *userdata)
{
	struct recent *line;
	size_t n = 0, skip, index = 0;
	while (recent_find(subject, &index))
		n++;
	skip = n > n_max ? n - n_max : 0;
	index = 0;
	while ((line = recent_find(subject, &index))) {
		struct buf text CLEANUP(buf_deinit) = BUF_NULL;
		struct buf escaped CLEANUP(buf_deinit) = BUF_NULL;
		if (skip > 0) {
			skip--;
			continue;
		}
		buf_append_text(&text, line->text);
		secret_mask(&text);
		append_escaped(&escaped, buf_slice(&text));
		each(line->time, buf_slice(&escaped), userdata);
	}
}

void log_write(enum log_level level, const struct log_subject *subject, const char *format, ...)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	bool kept = subject && subject->kind;
	va_list args;
	if (!log_enabled(level) && !kept)
		return;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	if (kept)
		recent_add(subject, &text, log_enabled(level));
	if (log_enabled(level))
		emit(level, subject, &text);
}
