/*
 * A growing byte buffer with a ceiling. The content is always NUL-terminated (the NUL is not
 * counted). Reaching the ceiling is an outcome (BUF_E_LIMIT), never a crash; the refused append
 * changes nothing.
 */
#ifndef TRAWLD_BASE_BUF_H
#define TRAWLD_BASE_BUF_H

#include "base/slice.h"

#include <stdarg.h>

enum {
	BUF_E_LIMIT = 1, /* the append would pass the ceiling */
};

struct buf {
	char *data; /* NULL while nothing was ever appended */
	size_t size; /* bytes in use */
	size_t capacity;
	size_t limit; /* ceiling for size; 0 = none (our own text only) */
};

#define BUF_NULL ((struct buf){0})
#define BUF_LIMITED(ceiling) ((struct buf){.limit = (ceiling)})

void buf_deinit(struct buf *buf); /* frees, leaves BUF_NULL (limit kept) */
void buf_clear(struct buf *buf); /* size = 0, memory kept */
char *buf_take(struct buf *buf); /* the text, caller frees; never NULL; buf is empty then */
int buf_append(struct buf *buf, const void *data, size_t size);
int buf_append_slice(struct buf *buf, struct slice slice);
int buf_append_text(struct buf *buf, const char *text);
int buf_append_char(struct buf *buf, char c);
int buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *buf, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* Makes room for SIZE more bytes and returns where they go, or NULL at the ceiling. The caller
 * writes there and then adds to buf->size. */
char *buf_reserve(struct buf *buf, size_t size);

/* Gives back what is reserved and not used. */
void buf_trim(struct buf *buf);

static inline struct slice buf_slice(const struct buf *buf)
{
	return (struct slice){buf->data ? buf->data : "", buf->size};
}

static inline const char *buf_text(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

#endif
