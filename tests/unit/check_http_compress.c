/* What is compressed comes out again, and is the same each time. */
#include "sink/http_compress.h"

#include <check.h>
#include <zlib.h>
#include <zstd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "check_unit.h"

/* By the library's own reader. */
static size_t undo(
	enum http_compression compression, const struct buf *body, char *out, size_t size)
{
	z_stream stream = {0};

	if (compression == HTTP_COMPRESSION_NONE) {
		memcpy(out, buf_text(body), body->size);
		return body->size;
	}
	if (compression == HTTP_COMPRESSION_ZSTD)
		return ZSTD_decompress(out, size, body->data, body->size);
	ck_assert_int_eq(inflateInit2(&stream, 15 + 16), Z_OK);
	stream.next_in = (Bytef *)body->data;
	stream.avail_in = (uInt)body->size;
	stream.next_out = (Bytef *)out;
	stream.avail_out = (uInt)size;
	ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
	ck_assert_uint_eq(stream.avail_in, 0);
	inflateEnd(&stream);
	return stream.total_out;
}

static const size_t sizes[] = {0, 1, 100, 65536, 3000000};

START_TEST(there_and_back)
{
	enum http_compression compression = _i / 10;
	bool mixed = _i % 2;
	size_t size = sizes[_i % 10 / 2];
	char *text = mem_alloc(size + 1);
	char *back = mem_alloc(size + 1);
	struct buf first = BUF_NULL;
	struct buf second = BUF_NULL;

	/* one that shrinks, one that does not */
	for (size_t i = 0; i < size; i += DIGEST_SIZE) {
		uint8_t noise[DIGEST_SIZE];
		size_t n = size - i < DIGEST_SIZE ? size - i : DIGEST_SIZE;

		digest_sha256((struct slice){(const char *)&i, sizeof(i)}, noise);
		memcpy(text + i,
			mixed ? (const char *)noise : "{\"action\":\"server_create\",\"x\":1}", n);
	}
	buf_append(&first, text, size);
	buf_append(&second, text, size);
	ck_assert_int_eq(http_compress(compression, &first, NULL), 0);
	ck_assert_int_eq(http_compress(compression, &second, NULL), 0);
	ck_assert_uint_eq(first.size, second.size);
	ck_assert(memcmp(buf_text(&first), buf_text(&second), first.size) == 0);
	if (compression != HTTP_COMPRESSION_NONE && !mixed && size > 1000)
		ck_assert_uint_lt(first.size, size / 50);
	ck_assert_uint_eq(undo(compression, &first, back, size + 1), size);
	ck_assert(memcmp(back, text, size) == 0);
	buf_deinit(&first);
	buf_deinit(&second);
	free(back);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_compress");
	TCase *tcase = tcase_create("http_compress");

	tcase_add_loop_test(tcase, there_and_back, 0, 30);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
