/* See compressor.h. The levels are the programs' own defaults. */
#include "sink/compressor.h"

#include <limits.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

#define COMPRESSOR_PIECE ((size_t)64 << 10)
#define COMPRESSOR_GZIP_BITS (15 + 16) /* the largest window, a gzip header */

const char *const compression_names[] = {"none", "gzip", "zstd", NULL};

struct compressor {
	enum compression compression;
	z_stream gzip;
	ZSTD_CCtx *zstd;
};

const char *compression_suffix(enum compression compression)
{
	switch (compression) {
	case COMPRESSION_NONE:
		return "";
	case COMPRESSION_GZIP:
		return ".gz";
	case COMPRESSION_ZSTD:
		return ".zst";
	}
	return "";
}

int compressor_new(struct compressor **ret, enum compression compression, struct fault *reterr)
{
	struct compressor *compressor = MEM_NEW(struct compressor);
	bool ready;

	compressor->compression = compression;
	if (compression == COMPRESSION_GZIP) {
		ready = deflateInit2(&compressor->gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
				COMPRESSOR_GZIP_BITS, 8, Z_DEFAULT_STRATEGY) == Z_OK;
	} else {
		compressor->zstd = ZSTD_createCCtx();
		ready = compressor->zstd && !ZSTD_isError(ZSTD_CCtx_setParameter(
						    compressor->zstd, ZSTD_c_checksumFlag, 1));
	}
	if (!ready) {
		compressor_free(compressor);
		fault_set(reterr, FAULT_INTERNAL, "no memory to compress with");
		return -1;
	}
	*ret = compressor;
	return 0;
}

void compressor_free(struct compressor *compressor)
{
	if (!compressor)
		return;
	if (compressor->compression == COMPRESSION_GZIP)
		deflateEnd(&compressor->gzip);
	ZSTD_freeCCtx(compressor->zstd);
	free(compressor);
}

static int compressor_add_gzip(struct compressor *compressor, struct slice data, bool last,
	struct buf *out, struct fault *reterr)
{
	z_stream *gzip = &compressor->gzip;

	gzip->next_in = (z_const Bytef *)data.data;
	gzip->avail_in = (uInt)data.size;
	do {
		gzip->next_out = (Bytef *)buf_reserve(out, COMPRESSOR_PIECE);
		gzip->avail_out = (uInt)COMPRESSOR_PIECE;
		if (deflate(gzip, last ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR)
			return fault_set(reterr, FAULT_INTERNAL, "gzip cannot continue");
		out->size += COMPRESSOR_PIECE - gzip->avail_out;
	} while (gzip->avail_out == 0);
	return 0;
}

static int compressor_add_zstd(struct compressor *compressor, struct slice data, bool last,
	struct buf *out, struct fault *reterr)
{
	ZSTD_inBuffer in = {data.data, data.size, 0};
	size_t left;

	do {
		ZSTD_outBuffer piece = {buf_reserve(out, COMPRESSOR_PIECE), COMPRESSOR_PIECE, 0};

		left = ZSTD_compressStream2(
			compressor->zstd, &piece, &in, last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return fault_set(reterr, FAULT_INTERNAL, "zstd cannot continue: %s",
				ZSTD_getErrorName(left));
		out->size += piece.pos;
	} while (last ? left > 0 : in.pos < in.size);
	return 0;
}

int compressor_add(struct compressor *compressor, struct slice data, bool last, struct buf *out,
	struct fault *reterr)
{
	if (compressor->compression == COMPRESSION_GZIP)
		return compressor_add_gzip(compressor, data, last, out, reterr);
	return compressor_add_zstd(compressor, data, last, out, reterr);
}

int compressor_replace(enum compression compression, struct buf *body, struct fault *reterr)
{
	struct compressor *compressor;
	struct buf out = BUF_NULL;
	int r;

	if (compression == COMPRESSION_NONE)
		return 0;
	if (body->size > UINT_MAX)
		return fault_set(reterr, FAULT_INTERNAL,
			"%zu bytes are too many to compress at once", body->size);
	r = compressor_new(&compressor, compression, reterr);
	if (r)
		return r;
	r = compressor_add(compressor, buf_slice(body), true, &out, reterr);
	compressor_free(compressor);
	if (r) {
		buf_deinit(&out);
		return r;
	}
	buf_deinit(body);
	*body = out;
	return 0;
}
