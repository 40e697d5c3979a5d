/* The growing buffer and its ceiling. */
#include "base/buf.h"

#include "check_unit.h"

START_TEST(appends_and_stays_terminated)
{
	struct buf buf = BUF_NULL;
	ck_assert_str_eq(buf_text(&buf), "");
	for (int i = 0; i < 500; i++) {
		ck_assert_int_eq(buf_printf(&buf, "%d,", i), 0);
		ck_assert_uint_eq(strlen(buf.data), buf.size);
	}
	ck_assert_int_eq(strncmp(buf.data, "0,1,2,", 6), 0);
	ck_assert_str_eq(buf.data + buf.size - 8, "498,499,");
	buf_clear(&buf);
	ck_assert_str_eq(buf_text(&buf), "");
	buf_append_char(&buf, 'x');
	buf_append_slice(&buf, SLICE("yz"));
	char *text = buf_take(&buf);
	ck_assert_str_eq(text, "xyz");
	ck_assert_ptr_null(buf.data);
	free(text);
	text = buf_take(&buf);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

START_TEST(ceiling_refuses_and_changes_nothing)
{
	struct buf buf = BUF_LIMITED(10);
	ck_assert_int_eq(buf_append_text(&buf, "12345678"), 0);
	ck_assert_int_eq(buf_append_text(&buf, "abc"), BUF_E_LIMIT);
	ck_assert_int_eq(buf_printf(&buf, "%s", "abc"), BUF_E_LIMIT);
	ck_assert_str_eq(buf.data, "12345678");
	ck_assert_int_eq(buf_printf(&buf, "%s", ""), 0);
	ck_assert_str_eq(buf.data, "12345678");
	ck_assert_int_eq(buf_append_text(&buf, "ab"), 0);
	ck_assert_ptr_null(buf_reserve(&buf, 1));
	ck_assert_ptr_null(buf_reserve(&buf, SIZE_MAX));
	ck_assert_uint_le(buf.capacity, 11);
	buf_deinit(&buf);
	ck_assert_uint_eq(buf.limit, 10);
	buf_deinit(&buf);
}
END_TEST

START_TEST(reserved_room_is_there)
{
	struct buf buf = BUF_NULL;
	char *room = buf_reserve(&buf, 3000);
	memset(room, 'r', 3000);
	buf.size += 3000;
	buf_append_char(&buf, '!');
	ck_assert_uint_eq(buf.size, 3001);
	ck_assert_int_eq(buf.data[3000], '!');
	buf_deinit(&buf);
}
END_TEST

START_TEST(trimming_gives_back_what_is_not_used)
{
	struct buf buf = BUF_NULL;
	buf_reserve(&buf, 3000);
	buf_append_text(&buf, "abc");
	buf_trim(&buf);
	ck_assert_uint_eq(buf.capacity, 4);
	ck_assert_str_eq(buf.data, "abc");
	buf_append_text(&buf, "def");
	ck_assert_str_eq(buf.data, "abcdef");
	buf_clear(&buf);
	buf_trim(&buf);
	ck_assert_ptr_null(buf.data);
	ck_assert_uint_eq(buf.capacity, 0);
}
END_TEST

UNIT_MAIN("buf", appends_and_stays_terminated, ceiling_refuses_and_changes_nothing,
	reserved_room_is_there, trimming_gives_back_what_is_not_used)
