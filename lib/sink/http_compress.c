/* See http_compress.h. Levels are the libraries' own choice (gzip 6, zstd 3): JSON of audit logs
 * shrinks to a tenth with them. */
#include "sink/http_compress.h"

#include <zlib.h>
#include <zstd.h>

#define GZIP_WINDOW (15 + 16) /* 16: a gzip header, without name and time */
#define GZIP_MEMORY 8

const char *const http_compression_names[] = {"none", "gzip", "zstd", NULL};

static bool compress_gzip(struct slice in, struct buf *out)
{
	z_stream stream = {0};
	size_t bound;
	int r;

	if (in.size > UINT_MAX / 2 || deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
					      GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	bound = deflateBound(&stream, in.size);
	stream.next_in = (Bytef *)in.data;
	stream.avail_in = (uInt)in.size;
	stream.next_out = (Bytef *)buf_reserve(out, bound);
	stream.avail_out = (uInt)bound;
	r = deflate(&stream, Z_FINISH);
	out->size += stream.total_out;
	deflateEnd(&stream);
	return r == Z_STREAM_END;
}

static bool compress_zstd(struct slice in, struct buf *out)
{
	size_t bound = ZSTD_compressBound(in.size);
	size_t size = ZSTD_compress(
		buf_reserve(out, bound), bound, in.data, in.size, ZSTD_CLEVEL_DEFAULT);

	if (ZSTD_isError(size))
		return false;
	out->size += size;
	return true;
}

int http_compress(enum http_compression compression, struct buf *body, struct fault *reterr)
{
	struct buf out = BUF_NULL;
	bool done = true;

	if (compression == HTTP_COMPRESSION_NONE)
		return 0;
	if (compression == HTTP_COMPRESSION_GZIP)
		done = compress_gzip(buf_slice(body), &out);
	else
		done = compress_zstd(buf_slice(body), &out);
	if (!done) {
		buf_deinit(&out);
		return fault_set(reterr, FAULT_INTERNAL, "cannot compress %zu bytes as %s",
			body->size, http_compression_names[compression]);
	}
	buf_deinit(body);
	*body = out;
	return 0;
}
