/* RELP without a network: frames to the byte, answers in any order and any pieces, bad receivers.
 */
#include "sink/syslog/relp.h"

#include "check_unit.h"

#include <stdio.h>

static struct relp relp;
static struct buf out;
static size_t confirmed;
static struct fault fault;

static void begin(void)
{
	buf_deinit(&out);
	confirmed = 0;
	relp_begin(&relp, &out);
}

static int answer(const char *text)
{
	return relp_receive(&relp, slice_of(text), &confirmed, &fault);
}

static void begin_open(void)
{
	begin();
	ck_assert_int_eq(
		answer("1 rsp 53 200 OK\nrelp_version=0\nrelp_software=x\ncommands=syslog\n"
		       ""),
		0);
}

static void send(const char *text)
{
	buf_clear(&out);
	relp_send(&relp, slice_of(text), &out);
}

START_TEST(frames)
{
	begin();
	ck_assert_int_eq(strncmp(buf_text(&out), "1 open ", 7), 0);
	ck_assert_ptr_nonnull(strstr(buf_text(&out), " relp_version=0\nrelp_software=trawld,"));
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "\ncommands=syslog\n"));
	ck_assert(!relp_has_room(&relp));
	ck_assert_int_eq(answer("1 rsp 6 200 OK\n"), 0);
	ck_assert_uint_eq(confirmed, 0);
	ck_assert(relp_has_room(&relp));
	send("hello");
	ck_assert_str_eq(buf_text(&out), "2 syslog 5 hello\n");
	send("");
	ck_assert_str_eq(buf_text(&out), "3 syslog 0\n");
	buf_clear(&out);
	relp_end(&relp, &out);
	ck_assert_str_eq(buf_text(&out), "4 close 0\n");
	relp_deinit(&relp);
}
END_TEST

START_TEST(the_window)
{
	char text[64];

	begin_open();
	for (int i = 0; i < RELP_WINDOW; i++) {
		ck_assert(relp_has_room(&relp));
		send("x");
	}
	ck_assert(!relp_has_room(&relp));
	/* only what is confirmed without a gap counts */
	ck_assert_int_eq(answer("3 rsp 6 200 OK\n5 rsp 3 200\n"), 0);
	ck_assert_uint_eq(confirmed, 0);
	ck_assert(!relp_has_room(&relp));
	ck_assert_int_eq(answer("2 rsp 6 200 OK\n"), 0);
	ck_assert_uint_eq(confirmed, 2);
	ck_assert_int_eq(answer("4 rsp 6 200 OK\n"), 0);
	ck_assert_uint_eq(confirmed, 4);
	ck_assert(relp_has_room(&relp));
	for (int i = 6; i < 10000; i++) {
		if (relp_has_room(&relp))
			send("x");
		snprintf(text, sizeof(text), "%d rsp 6 200 OK\n", i);
		ck_assert_int_eq(answer(text), 0);
		ck_assert_uint_eq(confirmed, (size_t)i - 1);
	}
	relp_deinit(&relp);
}
END_TEST

START_TEST(numbers_begin_again)
{
	begin_open();
	relp.oldest = RELP_TXNR_MAX - 1;
	send("a");
	ck_assert_str_eq(buf_text(&out), "999999998 syslog 1 a\n");
	send("b");
	send("c");
	ck_assert_str_eq(buf_text(&out), "1 syslog 1 c\n");
	ck_assert_int_eq(answer("1 rsp 3 200\n999999998 rsp 3 200\n999999999 rsp 3 200\n"), 0);
	ck_assert_uint_eq(confirmed, 3);
	relp_deinit(&relp);
}
END_TEST

START_TEST(in_pieces)
{
	static const char text[] = "2 rsp 6 200 OK\n3 rsp 9 200 a\nb c\n4 rsp 3 200\n";

	for (size_t size = 1; size < sizeof(text); size++) {
		begin_open();
		send("a");
		send("b");
		send("c");
		for (size_t at = 0; at < sizeof(text) - 1; at += size) {
			size_t n = sizeof(text) - 1 - at < size ? sizeof(text) - 1 - at : size;

			ck_assert_int_eq(relp_receive(&relp, (struct slice){text + at, n},
						 &confirmed, &fault),
				0);
		}
		ck_assert_uint_eq(confirmed, 3);
		relp_deinit(&relp);
	}
}
END_TEST

static const char *const bad[] = {
	"2 rsp 9 500 error\n",
	"2 rsp 2 20\n",
	"2 rsp 0\n",
	"9 rsp 6 200 OK\n", /* never sent */
	"0 rsp 6 200 OK\n",
	"1 rsp 6 200 OK\n", /* answered before */
	"3 rsp 6 200 OK\n3 rsp 6 200 OK\n",
	"2 syslog 3 200\n",
	"0 serverclose 0\n",
	"2 rsp 6 200 OKAY\n", /* longer than it says */
	"HTTP/1.1 400 Bad Request\n",
	" \n\n\n",
	"2 rsp -1 200 OK\n",
	"2 rsp 999999999 200 OK\n",
	"2 rsp 131073 200 OK\n",
	"99999999999999999999999999999999999999999999999999999999999999999999",
};

START_TEST(bad_receivers)
{
	begin_open();
	send("a");
	send("b");
	ck_assert_msg(answer(bad[_i]) != 0, "%s", bad[_i]);
	ck_assert_uint_eq(confirmed, 0);
	ck_assert_uint_gt(strlen(fault.text), 10);
	relp_deinit(&relp);
}
END_TEST

START_TEST(refused_openings)
{
	begin();
	ck_assert_int_ne(answer("1 rsp 19 500 no syslog today\n"), 0);
	relp_deinit(&relp);
	begin();
	ck_assert_int_ne(answer("1 rsp 24 200 OK\ncommands=starttls\n"), 0);
	relp_deinit(&relp);
}
END_TEST

/* What a receiver can make us keep has an end. */
START_TEST(endless_answers)
{
	char piece[16384];
	size_t n = 0;

	memset(piece, 'x', sizeof(piece));
	begin_open();
	send("a");
	ck_assert_int_eq(answer("2 rsp 131072 "), 0);
	while (relp_receive(&relp, (struct slice){piece, sizeof(piece)}, &confirmed, &fault) == 0)
		ck_assert_uint_lt(n++, 100);
	relp_deinit(&relp);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("relp");
	TCase *tcase = tcase_create("relp");

	tcase_add_test(tcase, frames);
	tcase_add_test(tcase, the_window);
	tcase_add_test(tcase, numbers_begin_again);
	tcase_add_test(tcase, in_pieces);
	tcase_add_loop_test(tcase, bad_receivers, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tcase, refused_openings);
	tcase_add_test(tcase, endless_answers);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
