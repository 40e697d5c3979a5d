/* Large blocks that are used again. */
#include "base/spare.h"

#include <pthread.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "check_unit.h"

#define MIB ((size_t)1 << 20)
#define N_BLOCKS 6 /* of 1 MiB; four are kept */

/* Gets blocks of SIZE bytes until N are there, and counts those that were used before: two bytes
 * side by side differ there, and nowhere else, whatever MALLOC_PERTURB_ fills blocks with. */
static unsigned get_used(size_t size, unsigned n)
{
	char *blocks[N_BLOCKS];
	size_t got;
	unsigned n_used = 0;
	for (unsigned i = 0; i < n; i++) {
		blocks[i] = spare_get(size, &got);
		ck_assert_uint_ge(got, size);
		n_used += blocks[i][size - 1] != blocks[i][size - 2];
	}
	for (unsigned i = 0; i < n; i++)
		free(blocks[i]);
	return n_used;
}

/* Frees N blocks of SIZE bytes that were used. */
static void put_used(size_t size, unsigned n)
{
	char *blocks[N_BLOCKS];
	size_t got[N_BLOCKS];
	for (unsigned i = 0; i < n; i++) {
		blocks[i] = spare_get(size, &got[i]);
		for (size_t at = 0; at < got[i]; at++)
			blocks[i][at] = (char)('x' + at % 2);
	}
	for (unsigned i = 0; i < n; i++)
		spare_put(blocks[i], got[i]);
}

START_TEST(a_few_are_used_again)
{
	mem_keep_small();
	put_used(MIB, 1);
	ck_assert_uint_eq(get_used(MIB, 2), SPARE_KEEPS ? 1 : 0);
	put_used(MIB, N_BLOCKS);
	ck_assert_uint_eq(get_used(MIB, N_BLOCKS), SPARE_KEEPS ? 4 : 0);
	put_used(5 * MIB, 1);
	ck_assert_uint_eq(get_used(5 * MIB, 1), 0);
}
END_TEST

START_TEST(one_that_is_much_larger_waits)
{
	mem_keep_small();
	put_used(2 * MIB, 1);
	ck_assert_uint_eq(get_used(MIB / 2, 1), 0);
	ck_assert_uint_eq(get_used(MIB + MIB / 2, 1), SPARE_KEEPS ? 1 : 0);
}
END_TEST

START_TEST(a_text_moves_into_one)
{
	struct buf buf = BUF_NULL;
	mem_keep_small();
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 100000; i++)
			buf_append_text(&buf, "0123456789");
		ck_assert_uint_eq(buf.size, 1000000);
		unsigned n_wrong = 0;
		for (unsigned i = 0; i < buf.size; i++)
			n_wrong += buf.data[i] != (char)('0' + i % 10);
		ck_assert_uint_eq(n_wrong, 0);
		ck_assert_int_eq(buf.data[buf.size], '\0');
		buf_trim(&buf);
		ck_assert_uint_lt(buf.capacity, 1300000);
		buf_deinit(&buf);
	}
}
END_TEST

struct user {
	char letter;
	unsigned n_wrong;
};

static void *use(void *userdata)
{
	struct user *user = userdata;
	for (unsigned i = 0; i < 20000; i++) {
		size_t size;
		char *block = spare_get(SPARE_SIZE_MIN, &size);
		memset(block, user->letter, 64);
		for (unsigned j = 0; j < 64; j++)
			user->n_wrong += block[j] != user->letter;
		spare_put(block, size);
	}
	return NULL;
}

START_TEST(threads_do_not_share_one)
{
	struct user a = {'a', 0}, b = {'b', 0};
	pthread_t other;
	ck_assert_int_eq(pthread_create(&other, NULL, use, &a), 0);
	use(&b);
	ck_assert_int_eq(pthread_join(other, NULL), 0);
	ck_assert_uint_eq(a.n_wrong + b.n_wrong, 0);
}
END_TEST

UNIT_MAIN("spare", a_few_are_used_again, one_that_is_much_larger_waits, a_text_moves_into_one,
	threads_do_not_share_one)
