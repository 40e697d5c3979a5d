/* See decoding.h. */
#include "net/decoding.h"

#include <stdint.h>
#include <strings.h>

#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

#define STEP ((size_t)16 << 10)
#define ANY_WINDOW (15 + 32) /* the largest window; gzip or zlib, as the data says */
#define GZIP_FIRST '\x1f'

struct decoding {
	ZSTD_DStream *zstd; /* NULL: zlib */
	z_stream zlib;
	bool inside; /* a member or frame was begun and did not end */
	bool padded; /* after the last member comes what nobody means anything by */
	bool begun;
};

struct decoding *decoding_new(struct slice name)
{
	static const char *const zlib_names[] = {"gzip", "x-gzip", "deflate"};
	char *text = mem_strndup(name.data, name.size);
	struct decoding *decoding = MEM_NEW(struct decoding);
	bool good = false;

	if (strcasecmp(text, "zstd") == 0) {
		decoding->zstd = ZSTD_createDStream();
		good = decoding->zstd != NULL;
	}
	for (size_t i = 0; i < sizeof(zlib_names) / sizeof(zlib_names[0]); i++)
		if (strcasecmp(text, zlib_names[i]) == 0)
			good = inflateInit2(&decoding->zlib, ANY_WINDOW) == Z_OK;
	free(text);
	if (good)
		return decoding;
	decoding_free(decoding);
	return NULL;
}

void decoding_free(struct decoding *decoding)
{
	if (!decoding)
		return;
	if (decoding->zstd)
		ZSTD_freeDStream(decoding->zstd);
	else
		inflateEnd(&decoding->zlib);
	free(decoding);
}

static int add_zstd(struct decoding *decoding, struct slice piece, struct buf *out)
{
	ZSTD_inBuffer in = {piece.data, piece.size, 0};
	char step[STEP];
	ZSTD_outBuffer decoded;

	do {
		decoded = (ZSTD_outBuffer){step, sizeof(step), 0};
		size_t r = ZSTD_decompressStream(decoding->zstd, &decoded, &in);

		if (ZSTD_isError(r))
			return DECODING_E_DAMAGED;
		decoding->inside = r;
		if (buf_append(out, step, decoded.pos) != 0)
			return DECODING_E_FULL;
	} while (in.pos < in.size || decoded.pos == decoded.size);
	return 0;
}

/* A member may begin at the front of STREAM. False: the rest is padding. */
static bool begin_member(struct decoding *decoding, const z_stream *stream)
{
	bool another = !decoding->begun || *stream->next_in == GZIP_FIRST;

	if (another && decoding->begun)
		inflateReset(&decoding->zlib);
	decoding->padded = !another;
	decoding->begun = true;
	return decoding->inside = another;
}

static int add_zlib(struct decoding *decoding, struct slice piece, struct buf *out)
{
	z_stream *stream = &decoding->zlib;
	unsigned char step[STEP];

	stream->next_in = (unsigned char *)(uintptr_t)piece.data;
	stream->avail_in = (unsigned)piece.size; /* of one read, which is far smaller */
	stream->avail_out = 0;
	while (!decoding->padded && (stream->avail_in > 0 || stream->avail_out == 0)) {
		if (!decoding->inside && (stream->avail_in == 0 || !begin_member(decoding, stream)))
			break;
		stream->next_out = step;
		stream->avail_out = sizeof(step);
		int r = inflate(stream, Z_NO_FLUSH);

		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return DECODING_E_DAMAGED;
		if (buf_append(out, step, sizeof(step) - stream->avail_out) != 0)
			return DECODING_E_FULL;
		decoding->inside = r != Z_STREAM_END;
	}
	return 0;
}

int decoding_add(struct decoding *decoding, struct slice piece, struct buf *out)
{
	return decoding->zstd ? add_zstd(decoding, piece, out) : add_zlib(decoding, piece, out);
}

bool decoding_is_whole(const struct decoding *decoding)
{
	return !decoding->inside;
}
