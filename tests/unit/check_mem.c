/* Memory that does not fail for the caller. */
#include "base/mem.h"

#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

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
	tcase_add_exit_test(tcase, overflow_ends_the_process, EX_SOFTWARE);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
