/* See buf.h. Growth is by doubling, but never past what the ceiling can need. */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/spare.h"

#define CAPACITY_MIN 64
#define SLACK 4 /* a part of a large block that is not worth giving back */
#define PRINTED_SIZE 127 /* most texts that are printed are not longer */

void buf_deinit(struct buf *buf)
{
	if (buf->capacity < SPARE_SIZE_MIN)
		free(buf->data);
	else
		spare_put(buf->data, buf->capacity);
	*buf = (struct buf){.limit = buf->limit};
}

void buf_clear(struct buf *buf)
{
	buf->size = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

char *buf_take(struct buf *buf)
{
	char *text = buf->data ? buf->data : mem_alloc(1);
	*buf = (struct buf){.limit = buf->limit};
	return text;
}

/* Moves the text into a block of CAPACITY or more. */
static void move(struct buf *buf, size_t capacity)
{
	char *data = spare_get(capacity, &capacity);
	if (buf->data)
		memcpy(data, buf->data, buf->size);
	spare_put(buf->data, buf->capacity);
	buf->data = data;
	buf->capacity = capacity;
}

static void resize(struct buf *buf, size_t capacity)
{
	buf->data = mem_resize(buf->data, capacity);
	buf->capacity = capacity;
}

char *buf_reserve(struct buf *buf, size_t size)
{
	if (size > SIZE_MAX / 2 - buf->size - 1 ||
		(buf->limit && (size > buf->limit || buf->size > buf->limit - size)))
		return NULL;
	size_t needed = buf->size + size + 1;
	if (needed > buf->capacity) {
		size_t capacity = buf->capacity ? 2 * buf->capacity : CAPACITY_MIN;
		if (capacity < needed)
			capacity = needed;
		if (buf->limit && capacity > buf->limit + 1)
			capacity = buf->limit + 1;
		if (capacity >= SPARE_SIZE_MIN && buf->capacity < SPARE_SIZE_MIN)
			move(buf, capacity);
		else
			resize(buf, capacity);
		buf->data[buf->size] = '\0';
	}
	return buf->data + buf->size;
}

void buf_trim(struct buf *buf)
{
	size_t wanted = spare_size(buf->size + 1);
	if (buf->size == 0)
		buf_deinit(buf);
	else if (buf->capacity > wanted + (wanted < SPARE_SIZE_MIN ? 0 : wanted / SLACK))
		resize(buf, wanted);
}

int buf_append(struct buf *buf, const void *data, size_t size)
{
	char *to = buf_reserve(buf, size);
	if (!to)
		return BUF_E_LIMIT;
	if (size)
		memcpy(to, data, size);
	buf->size += size;
	buf->data[buf->size] = '\0';
	return 0;
}

int buf_append_slice(struct buf *buf, struct slice slice)
{
	return buf_append(buf, slice.data, slice.size);
}

int buf_append_text(struct buf *buf, const char *text)
{
	return buf_append(buf, text, strlen(text));
}

int buf_append_char(struct buf *buf, char c)
{
	return buf_append(buf, &c, 1);
}

int buf_vprintf(struct buf *buf, const char *format, va_list args)
{
	if (!buf->data) /* else the first text would be formatted twice */
		buf_reserve(buf, PRINTED_SIZE);
	size_t room = buf->capacity - buf->size;
	va_list again;
	va_copy(again, args);
	int size = vsnprintf(room ? buf->data + buf->size : NULL, room, format, args);
	if (size >= 0 && (size_t)size >= room) {
		char *to = buf_reserve(buf, (size_t)size);
		size = to ? vsnprintf(to, (size_t)size + 1, format, again) : -1;
	}
	va_end(again);
	if (size < 0) {
		if (room)
			/* data is set: NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
			buf->data[buf->size] = '\0';
		return BUF_E_LIMIT;
	}
	buf->size += (size_t)size;
	return 0;
}

int buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int r = buf_vprintf(buf, format, args);
	va_end(args);
	return r;
}
