/* See gunzip.h. */
#include "source/gunzip.h"

#include <zlib.h>

#include "base/mem.h"

#define STEP ((size_t)64 << 10)
#define GZIP_WINDOW (15 + 16) /* the largest window, gzip framing */

struct gunzip {
	struct slice rest; /* what was not taken yet */
	bool gzip;
	bool inside; /* a member was begun and did not end */
	z_stream stream;
	uint64_t n_plain;
};

static bool is_gzip(struct slice body)
{
	return body.size >= 2 && memcmp(body.data, "\x1f\x8b", 2) == 0;
}

struct gunzip *gunzip_new(struct slice body)
{
	struct gunzip *gunzip = MEM_NEW(struct gunzip);
	gunzip->rest = body;
	gunzip->gzip = is_gzip(body) && inflateInit2(&gunzip->stream, GZIP_WINDOW) == Z_OK;
	return gunzip;
}

void gunzip_free(struct gunzip *gunzip)
{
	if (!gunzip)
		return;
	if (gunzip->gzip)
		inflateEnd(&gunzip->stream);
	free(gunzip);
}

static void pass_through(struct gunzip *gunzip, struct buf *out)
{
	size_t n = gunzip->rest.size < STEP ? gunzip->rest.size : STEP;
	buf_append(out, gunzip->rest.data, n);
	gunzip->rest.data += n;
	gunzip->rest.size -= n;
}

/* Behind a member stands another one, or padding that nobody means anything by. */
static void end_member(struct gunzip *gunzip)
{
	gunzip->inside = false;
	if (is_gzip(gunzip->rest))
		inflateReset(&gunzip->stream);
	else
		gunzip->rest.size = 0;
}

static int decompress(struct gunzip *gunzip, struct buf *out, struct fault *reterr)
{
	z_stream *stream = &gunzip->stream;
	unsigned available =
		gunzip->rest.size < UINT32_MAX / 2 ? (unsigned)gunzip->rest.size : UINT32_MAX / 2;
	stream->next_in = (unsigned char *)(uintptr_t)gunzip->rest.data;
	stream->avail_in = available;
	stream->next_out = (unsigned char *)buf_reserve(out, STEP);
	stream->avail_out = STEP;
	gunzip->inside = true;
	int r = inflate(stream, Z_NO_FLUSH);
	out->size += STEP - stream->avail_out;
	gunzip->rest.data += available - stream->avail_in;
	gunzip->rest.size -= available - stream->avail_in;
	if (r == Z_STREAM_END)
		end_member(gunzip);
	else if (r != Z_OK && r != Z_BUF_ERROR)
		return fault_set(reterr, FAULT_BODY, "the document is not a complete gzip file: %s",
			stream->msg ? stream->msg : "damaged");
	else if (gunzip->rest.size == 0 && stream->avail_out > 0)
		return fault_set(
			reterr, FAULT_BODY, "the document is not a complete gzip file: cut short");
	return 0;
}

int gunzip_next(
	struct gunzip *gunzip, uint64_t limit, struct buf *out, bool *ret_end, struct fault *reterr)
{
	size_t before = out->size;
	int r = 0;
	if (gunzip->gzip)
		r = decompress(gunzip, out, reterr);
	else
		pass_through(gunzip, out);
	if (r)
		return r;
	gunzip->n_plain += out->size - before;
	if (gunzip->n_plain > limit)
		return fault_set(reterr, FAULT_LIMIT,
			"the document is larger than %llu bytes ([fetch] max_size)",
			(unsigned long long)limit);
	*ret_end = gunzip->rest.size == 0 && !gunzip->inside;
	return 0;
}
