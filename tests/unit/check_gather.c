/* Windows gathered and sorted, and the budgets that requests share. */
#include "source/gather.h"

#include "source_fixture.h"

#define KEYS                                                                                       \
	"request.url = https://h/x?${window.start}\nrecords.at = \"\"\nrecords.id = /i\n"          \
	"records.time = /t\nrecords.time_format = epoch_s\nresume.window = yes\n"

START_TEST(sorted_by_time_then_id)
{
	static const char *const bodies[] = {"[{\"i\":\"z\",\"t\":5},{\"i\":\"b\",\"t\":3}]",
		"[{\"i\":\"a\",\"t\":3},{\"i\":\"q\",\"t\":1}]"};
	struct source_fixture f;
	struct gather gather;
	struct fault fault;
	source_fixture_good(&f, KEYS);
	gather_init(&gather, 100);
	for (size_t i = 0; i < 2; i++) {
		struct page page;
		ck_assert_int_eq(
			source_fixture_page(&f, &page, bodies[i], "https://h/x", &fault), 0);
		ck_assert(gather_fits(&gather, page.body.size));
		gather_add(&gather, &page);
		ck_assert_ptr_null(page.records);
	}
	ck_assert(!gather_fits(&gather, 100));
	struct records records = gather_sorted(&gather);
	static const char *const order[] = {"q", "a", "b", "z"};
	ck_assert_uint_eq(records.n_items, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert(slice_is(records.items[i].id_text, order[i]));
	free(records.items);
	gather_clear(&gather);
	ck_assert(gather_fits(&gather, 1000));
	records = gather_sorted(&gather);
	ck_assert_uint_eq(records.n_items, 0);
	free(records.items);
	source_fixture_deinit(&f);
}
END_TEST

UNIT_MAIN("gather", sorted_by_time_then_id)
