/* Cursors: kept by name, changed by commits only, found again. */
#include "store/cursors.h"

#include "store_fixture.h"

START_TEST(no_state_is_null)
{
	ck_assert_ptr_null(fixture_cursor("nobody"));
	fixture_add("s", 1, 1, 5, NULL); /* a source with records but without a cursor */
	fixture_run();
	ck_assert_ptr_null(fixture_cursor("s"));
}
END_TEST

static const char *const texts[] = {
	"{}",
	"",
	"{\"url\":\"https://api.example.net/v1/audit?x=\\u00e9&y=%20\"}",
	"12345678901234567890",
	"\xf0\x9f\x90\x9f 'quoted' -- ; DROP TABLE sources",
};

START_TEST(text_comes_back_as_it_was)
{
	CLEANUP_FREE char *cursor = NULL;

	commit_add_cursor(store, "s", texts[_i]);
	fixture_run();
	fixture_reopen();
	cursor = fixture_cursor("s");
	ck_assert_msg(cursor && strcmp(cursor, texts[_i]) == 0, "row %d: %s", _i, cursor);
}
END_TEST

START_TEST(a_commit_moves_it_and_nothing_else)
{
	CLEANUP_FREE char *first = NULL, *second = NULL, *third = NULL;

	commit_add_page(store, "s", NULL, "\"one\"", NULL, NULL);
	ck_assert_ptr_null(fixture_cursor("s"));
	fixture_run();
	first = fixture_cursor("s");
	ck_assert_str_eq(first, "\"one\"");
	fixture_add("s", 1, 1, 5, "\"two\"");
	fixture_add("s", 2, 1, 5, "\"three\"");
	fixture_add("s", 3, 1, 5, NULL); /* stays */
	fixture_run();
	second = fixture_cursor("s");
	ck_assert_str_eq(second, "\"three\"");
	commit_add_cursor(store, "s", "\"lost\"");
	fixture_reopen(); /* uncommitted */
	third = fixture_cursor("s");
	ck_assert_str_eq(third, "\"three\"");
}
END_TEST

static nsec_t fixed_wall(void)
{
	return 12345;
}

static void note(const char *source, const char *cursor, nsec_t updated_time, void *userdata)
{
	buf_printf(userdata, "%s=%s@%lld ", source, cursor, (long long)updated_time);
}

START_TEST(list_has_every_source_with_state)
{
	struct buf seen = BUF_NULL;

	clock_set_source(NULL, fixed_wall);
	commit_add_cursor(store, "b", "2");
	commit_add_cursor(store, "a", "1");
	fixture_add("c", 1, 1, 5, NULL);
	fixture_run();
	fixture_reopen();
	ck_assert_int_eq(cursors_list(store, note, &seen, NULL), 0);
	ck_assert_str_eq(buf_text(&seen), "a=1@12345 b=2@12345 ");
	buf_deinit(&seen);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *cursors = tcase_create("cursor");

	tcase_add_checked_fixture(cursors, fixture_open_setup, fixture_teardown);
	tcase_add_test(cursors, no_state_is_null);
	tcase_add_loop_test(
		cursors, text_comes_back_as_it_was, 0, (int)(sizeof(texts) / sizeof(texts[0])));
	tcase_add_test(cursors, a_commit_moves_it_and_nothing_else);
	tcase_add_test(cursors, list_has_every_source_with_state);
	suite_add_tcase(suite, cursors);
}

int main(void)
{
	return fixture_main("cursor", add_cases);
}
