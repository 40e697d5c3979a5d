/* What is compressed is the same each time, and Debian's own programs get it back. */
#include "sink/compressor.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "check_unit.h"

static const size_t sizes[] = {0, 1, 100, 65536, 3000000};
#define N_SIZES 5

/* One text that shrinks, one that does not. */
static void text_of(size_t size, bool mixed, struct buf *out)
{
	while (out->size < size) {
		size_t n = size - out->size < DIGEST_SIZE ? size - out->size : DIGEST_SIZE;
		uint8_t noise[DIGEST_SIZE];

		digest_sha256((struct slice){(const char *)&out->size, sizeof(size)}, noise);
		buf_append(out,
			mixed ? (const char *)noise : "{\"action\":\"server_create\",\"x\":1}", n);
	}
}

/* By the program that people have, from a file. */
static void undo(enum compression compression, const struct buf *body, struct buf *out)
{
	static const char *const programs[] = {"cat", "gzip -dcq", "zstd -dcq"};
	char name[] = "/tmp/trawld-check-XXXXXX";
	int fd = mkstemp(name);
	char piece[4096];
	FILE *pipe;
	char *command = mem_printf("%s <%s", programs[compression], name);
	size_t n;

	ck_assert_int_eq(write(fd, buf_text(body), body->size), (ssize_t)body->size);
	close(fd);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	while ((n = fread(piece, 1, sizeof(piece), pipe)) > 0)
		buf_append(out, piece, n);
	ck_assert_int_eq(pclose(pipe), 0);
	unlink(name);
	free(command);
}

START_TEST(there_and_back)
{
	enum compression compression = (enum compression)_i / (2 * N_SIZES);
	bool mixed = _i % 2;
	size_t size = sizes[_i / 2 % N_SIZES];
	struct buf text = BUF_NULL;
	struct buf first = BUF_NULL;
	struct buf second = BUF_NULL;
	struct buf back = BUF_NULL;

	text_of(size, mixed, &text);
	buf_append_slice(&first, buf_slice(&text));
	buf_append_slice(&second, buf_slice(&text));
	ck_assert_int_eq(compressor_replace(compression, &first, NULL), 0);
	ck_assert_int_eq(compressor_replace(compression, &second, NULL), 0);
	ck_assert_uint_eq(first.size, second.size);
	ck_assert(memcmp(buf_text(&first), buf_text(&second), first.size) == 0);
	if (compression != COMPRESSION_NONE && !mixed && size > 1000)
		ck_assert_uint_lt(first.size, size / 50);
	undo(compression, &first, &back);
	ck_assert_uint_eq(back.size, size);
	ck_assert(size == 0 || memcmp(back.data, text.data, size) == 0);
	buf_deinit(&text);
	buf_deinit(&first);
	buf_deinit(&second);
	buf_deinit(&back);
}
END_TEST

/* As a file is compressed: a piece at a time, the end by itself. */
START_TEST(in_pieces)
{
	enum compression compression = _i == 0 ? COMPRESSION_GZIP : COMPRESSION_ZSTD;
	struct compressor *compressor;
	struct buf text = BUF_NULL;
	struct buf out = BUF_NULL;
	struct buf back = BUF_NULL;

	text_of(1000003, true, &text);
	ck_assert_int_eq(compressor_new(&compressor, compression, NULL), 0);
	for (size_t i = 0; i < text.size; i += 131072) {
		size_t n = text.size - i < 131072 ? text.size - i : 131072;
		struct slice piece = {text.data + i, n};

		ck_assert_int_eq(compressor_add(compressor, piece, false, &out, NULL), 0);
	}
	ck_assert_int_eq(compressor_add(compressor, SLICE_NULL, true, &out, NULL), 0);
	compressor_free(compressor);
	undo(compression, &out, &back);
	ck_assert_uint_eq(back.size, text.size);
	ck_assert(memcmp(back.data, text.data, text.size) == 0);
	buf_deinit(&text);
	buf_deinit(&out);
	buf_deinit(&back);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("compressor");
	TCase *tcase = tcase_create("compressor");

	tcase_add_loop_test(tcase, there_and_back, 0, 3 * 2 * N_SIZES);
	tcase_add_loop_test(tcase, in_pieces, 0, 2);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
