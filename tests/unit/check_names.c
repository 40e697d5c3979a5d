/* The set of names with handles. */
#include "base/names.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "check_unit.h"

START_TEST(handles_count_from_zero)
{
	struct names names = NAMES_NULL;
	size_t handle = 99;
	ck_assert(!names_find(&names, "s0", &handle));
	for (size_t round = 0; round < 2; round++)
		for (size_t i = 0; i < 5000; i++) {
			char *name CLEANUP_FREE = mem_printf("s%zu", i);
			ck_assert_uint_eq(names_add(&names, name), i);
		}
	ck_assert_uint_eq(names.n_items, 5000);
	ck_assert(names.n_items <= names.n_slots / 4 * 3);
	for (size_t i = 0; i < 6000; i++) {
		char *name CLEANUP_FREE = mem_printf("s%zu", i);
		ck_assert(names_find(&names, name, &handle) == (i < 5000));
		if (i >= 5000)
			continue;
		ck_assert_uint_eq(handle, i);
		ck_assert_str_eq(names.items[i], name);
	}
	ck_assert(!names_find(&names, "", &handle));
	ck_assert_uint_eq(names_add(&names, ""), 5000);
	ck_assert(names_find(&names, "", &handle));
	names_deinit(&names);
	names_deinit(&names);
	ck_assert(!names_find(&names, "s0", &handle));
}
END_TEST

UNIT_MAIN("names", handles_count_from_zero)
