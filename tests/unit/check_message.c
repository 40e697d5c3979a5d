/* lib/net/message.c: headers by name, replacing, removing, what is wiped. */
#include "check_unit.h"

#include "base/mem.h"

#include "net/message.h"

START_TEST(names_are_compared_without_case)
{
	struct http_headers headers = {0};

	http_headers_add(&headers, "Content-Type", SLICE("application/json"));
	http_headers_add(&headers, "X-Two", SLICE("first"));
	http_headers_add(&headers, "x-two", SLICE("second"));
	http_headers_add(&headers, "X-Empty", SLICE(""));
	ck_assert(slice_is(http_headers_get(&headers, "content-TYPE"), "application/json"));
	ck_assert(slice_is(http_headers_get(&headers, "X-TWO"), "first"));
	ck_assert(slice_is(http_headers_get(&headers, "x-empty"), ""));
	ck_assert_ptr_null(http_headers_get(&headers, "Content").data);
	http_headers_deinit(&headers);
	ck_assert_uint_eq(headers.n_items, 0);
	http_headers_deinit(&headers);
}
END_TEST

START_TEST(set_replaces_every_one)
{
	struct http_headers headers = {0};

	http_headers_add(&headers, "A", SLICE("1"));
	http_headers_add(&headers, "B", SLICE("2"));
	http_headers_add(&headers, "a", SLICE("3"));
	http_headers_set(&headers, "A", SLICE("4"));
	ck_assert_uint_eq(headers.n_items, 2);
	ck_assert(slice_is(http_headers_get(&headers, "a"), "4"));
	ck_assert(slice_is(http_headers_get(&headers, "b"), "2"));
	http_headers_set(&headers, "A", http_headers_get(&headers, "A")); /* its own value */
	ck_assert(slice_is(http_headers_get(&headers, "a"), "4"));
	http_headers_set(&headers, "C", SLICE("5"));
	ck_assert_uint_eq(headers.n_items, 3);
	http_headers_remove(&headers, "b");
	http_headers_remove(&headers, "none");
	ck_assert_uint_eq(headers.n_items, 2);
	ck_assert_ptr_null(http_headers_get(&headers, "B").data);
	http_headers_deinit(&headers);
}
END_TEST

START_TEST(many_headers)
{
	struct http_headers headers = {0};

	for (int i = 0; i < 1000; i++) {
		char *name = mem_printf("X-%d", i);

		http_headers_add(&headers, name, slice_of(name + 2));
		free(name);
	}
	ck_assert(slice_is(http_headers_get(&headers, "x-999"), "999"));
	http_headers_deinit(&headers);
}
END_TEST

START_TEST(a_nul_is_not_cut_off_silently)
{
	struct http_headers headers = {0};

	http_headers_add(&headers, "X", (struct slice){"good\0evil", 9});
	ck_assert(slice_is(http_headers_get(&headers, "X"), "\n"));
	http_headers_add(&headers, "Y", SLICE_NULL);
	ck_assert(slice_is(http_headers_get(&headers, "Y"), ""));
	http_headers_deinit(&headers);
}
END_TEST

START_TEST(a_message_ends_twice)
{
	struct http_message message = HTTP_MESSAGE_NULL;

	message.method = mem_strdup("POST");
	message.url = mem_strdup("https://example.com/");
	message.has_body = true;
	buf_append_text(&message.body, "{}");
	http_headers_add(&message.headers, "A", SLICE("b"));
	http_message_deinit(&message);
	ck_assert_ptr_null(message.url);
	ck_assert_ptr_null(message.body.data);
	ck_assert(!message.has_body);
	http_message_deinit(&message);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("message");
	TCase *cases = tcase_create("message");
	SRunner *runner;
	int n_failed;

	tcase_add_test(cases, names_are_compared_without_case);
	tcase_add_test(cases, set_replaces_every_one);
	tcase_add_test(cases, many_headers);
	tcase_add_test(cases, a_nul_is_not_cut_off_silently);
	tcase_add_test(cases, a_message_ends_twice);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed > 0;
}
