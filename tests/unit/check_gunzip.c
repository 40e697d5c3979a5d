/* Plain, gzip, several members, damage, cuts, bombs. */
#include "source/gunzip.h"

#include <zlib.h>

#include "base/cleanup.h"
#include "check_unit.h"

static void add_member(struct buf *out, const char *data, size_t size)
{
	z_stream stream = {0};
	ck_assert_int_eq(
		deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t bound = deflateBound(&stream, size);
	stream.next_in = (unsigned char *)(uintptr_t)data;
	stream.avail_in = (unsigned)size;
	stream.next_out = (unsigned char *)buf_reserve(out, bound);
	stream.avail_out = (unsigned)bound;
	ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
	out->size += bound - stream.avail_out;
	deflateEnd(&stream);
}

static int decode(struct slice body, uint64_t limit, struct buf *out, struct fault *fault)
{
	struct gunzip *gunzip = gunzip_new(body);
	bool ends = false;
	int r = 0;
	while (!ends && !r) {
		size_t before = out->size;
		r = gunzip_next(gunzip, limit, out, &ends, fault);
		ck_assert_uint_le(out->size - before, 64 << 10);
	}
	gunzip_free(gunzip);
	return r;
}

START_TEST(members)
{
	struct buf body CLEANUP(buf_deinit) = BUF_NULL, out CLEANUP(buf_deinit) = BUF_NULL;
	struct fault fault;
	static char large[300000];
	memset(large, 'a', sizeof(large));
	add_member(&body, "one\n", 4);
	add_member(&body, "", 0);
	add_member(&body, large, sizeof(large));
	ck_assert_int_eq(decode(buf_slice(&body), 1 << 20, &out, &fault), 0);
	ck_assert_uint_eq(out.size, 4 + sizeof(large));
	ck_assert_mem_eq(out.data, "one\naaa", 7);
	buf_clear(&out);
	ck_assert_int_eq(
		unit_class(decode(buf_slice(&body), 1000, &out, &fault), &fault), FAULT_LIMIT);
	for (size_t size = 2; size < body.size; size += 11) {
		buf_clear(&out);
		int r = decode((struct slice){body.data, size}, 1 << 20, &out, &fault);
		ck_assert_msg(unit_class(r, &fault) == FAULT_BODY || (r == 0 && out.size == 4),
			"cut at %zu", size);
	}
}
END_TEST

START_TEST(plain_and_damaged)
{
	struct buf body CLEANUP(buf_deinit) = BUF_NULL, out CLEANUP(buf_deinit) = BUF_NULL;
	struct fault fault;
	ck_assert_int_eq(decode(SLICE("plain"), 100, &out, &fault), 0);
	ck_assert_str_eq(buf_text(&out), "plain");
	buf_clear(&out);
	ck_assert_int_eq(decode(SLICE(""), 100, &out, &fault), 0);
	ck_assert_uint_eq(out.size, 0);
	add_member(&body, "some text that is compressed", 28);
	body.data[body.size - 6] ^= 1; /* in the checksum */
	ck_assert_int_eq(
		unit_class(decode(buf_slice(&body), 100, &out, &fault), &fault), FAULT_BODY);
}
END_TEST

UNIT_MAIN("gunzip", members, plain_and_damaged)
