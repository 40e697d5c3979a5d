/* Memory that does not fail for the caller. */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "check_unit.h"

START_TEST(alloc_is_zeroed)
{
	char *memory = mem_alloc(100);
	for (size_t i = 0; i < 100; i++)
		ck_assert_int_eq(memory[i], 0);
	free(memory);
	memory = mem_alloc(0);
	ck_assert_ptr_nonnull(memory);
	free(memory);
}
END_TEST

START_TEST(copies)
{
	char *text = mem_strndup("abcdef", 3);
	ck_assert_str_eq(text, "abc");
	free(text);
	ck_assert_ptr_null(mem_strdup(NULL));
	text = mem_printf("%d-%s", 7, "x");
	ck_assert_str_eq(text, "7-x");
	free(text);
}
END_TEST

START_TEST(grow_keeps_content)
{
	size_t capacity = 0;
	int *array = NULL;
	for (int i = 0; i < 1000; i++) {
		array = mem_grow(array, (size_t)i, &capacity, sizeof(int));
		ck_assert_uint_gt(capacity, (size_t)i);
		array[i] = i;
	}
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(array[i], i);
	free(array);
}
END_TEST

static long resident_pages(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%*d %ld", &pages), 1);
	fclose(file);
	return pages;
}

/* Every other block is freed: what is between the others goes back, and they keep what they hold.
 */
START_TEST(holes_are_given_back)
{
	static char *blocks[256];
	size_t size = 64 << 10;
	mem_keep_small();
	for (int i = 0; i < 256; i++) {
		blocks[i] = mem_alloc(size);
		memset(blocks[i], i, size);
	}
	long before = resident_pages();
	for (int i = 0; i < 256; i += 2)
		free(blocks[i]);
	mem_give_back();
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	ck_assert_int_lt(resident_pages(), before - 100 * (long)size / sysconf(_SC_PAGESIZE));
#else
	(void)before;
#endif
	for (int i = 1; i < 256; i += 2) {
		ck_assert_int_eq(blocks[i][size - 1], (char)i);
		free(blocks[i]);
	}
}
END_TEST

START_TEST(overflow_ends_the_process)
{
	mem_array(SIZE_MAX / 2, 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mem");
	TCase *tcase = tcase_create("mem");
	tcase_add_test(tcase, alloc_is_zeroed);
	tcase_add_test(tcase, copies);
	tcase_add_test(tcase, grow_keeps_content);
	tcase_add_test(tcase, holes_are_given_back);
	tcase_add_exit_test(tcase, overflow_ends_the_process, EX_SOFTWARE);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
