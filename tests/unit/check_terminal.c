/* Texts fitted to a terminal, and what one can show. */
#include "terminal.h"

#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "check_unit.h"

static void assert_text(struct buf *out, const char *expected)
{
	ck_assert_str_eq(buf_text(out), expected);
	buf_deinit(out);
}

START_TEST(characters_are_counted)
{
	ck_assert_uint_eq(terminal_columns(""), 0);
	ck_assert_uint_eq(terminal_columns("acme"), 4);
	ck_assert_uint_eq(terminal_columns("b\xc3\xbcro"), 4);
	ck_assert_uint_eq(terminal_columns("\xe6\x97\xa5\xf0\x9f\x9a\x80"), 2);
	ck_assert_uint_eq(terminal_columns("\xff\x80"), 2);
}
END_TEST

START_TEST(cut_between_characters)
{
	struct buf out = BUF_NULL;
	ck_assert_uint_eq(terminal_append(&out, "b\xc3\xbcro", 2), 2);
	assert_text(&out, "b\xc3\xbc");
	ck_assert_uint_eq(terminal_append(&out, "b\xc3\xbcro", 0), 4);
	assert_text(&out, "b\xc3\xbcro");
	ck_assert_uint_eq(terminal_append(&out, "ab", 9), 2);
	assert_text(&out, "ab");
}
END_TEST

START_TEST(no_control_character_gets_there)
{
	struct buf out = BUF_NULL;
	terminal_append(&out, "a\033[31mb\r\n\t\x7f", 0);
	assert_text(&out, "a?[31mb????");
	terminal_append(&out, "\xc2\x9b\x31m\xff\x90|\xc2\xa0", 0); /* CSI in one character */
	assert_text(&out, "?1m??|\xc2\xa0");
	terminal_append(&out, "\xe0\x82\x9b|\xf0\x80\x82\x9b|\xc3", 0); /* in disguise */
	assert_text(&out, "???|????|?");
	/* right-to-left override, line separator, isolate, Arabic letter mark */
	terminal_append(&out, "a\xe2\x80\xae|\xe2\x80\xa8|\xe2\x81\xa6|\xd8\x9c|\xe2\x82\xac", 0);
	assert_text(&out, "a?|?|?|?|\xe2\x82\xac");
}
END_TEST

START_TEST(records_are_shown_with_escapes)
{
	struct buf out = BUF_NULL;
	terminal_append_json(&out, SLICE("{\"a\":\"\xc2\x9b\x31m\xe2\x80\xae\xc3\xa9\x7f\"}"));
	assert_text(&out, "{\"a\":\"\\u009b1m\\u202e\xc3\xa9\\u007f\"}");
	terminal_append_json(&out, SLICE("\xff"));
	assert_text(&out, "\\u00ff");
}
END_TEST

START_TEST(cells)
{
	struct buf out = BUF_NULL;
	terminal_append_cell(&out, "b\xc3\xbcro", 6, false);
	assert_text(&out, "b\xc3\xbcro  ");
	terminal_append_cell(&out, "12", 4, true);
	assert_text(&out, "  12");
	terminal_append_cell(&out, "customer", 8, false);
	assert_text(&out, "customer");
	terminal_append_cell(&out, "customers", 8, false);
	assert_text(&out, "custom..");
	terminal_append_cell(&out, "customers", 2, true);
	assert_text(&out, "cu");
}
END_TEST

START_TEST(lines)
{
	static const struct {
		const char *text;
		size_t columns, indent;
		const char *expected;
	} cases[] = {
		{"one two three", 9, 0, "one two\nthree\n"},
		{"one two three", 7, 0, "one two\nthree\n"},
		{"one two three", 6, 0, "one\ntwo\nthree\n"},
		{"one two three", 0, 0, "one two three\n"},
		{"one two three", 0, 2, "  one two three\n"},
		{"one two", 7, 4, "    one\n    two\n"},
		{"abcdefgh ij", 3, 0, "abc\ndef\ngh\nij\n"},
		{"ab cdefgh", 5, 0, "ab\ncdefg\nh\n"},
		{"a   b", 2, 0, "a\nb\n"},
		{"\xc3\xbc\xc3\xbc \xc3\xbc", 2, 0, "\xc3\xbc\xc3\xbc\n\xc3\xbc\n"},
		{"ab  ", 9, 1, " ab\n"},
		{"ab", 1, 4, "    a\n    b\n"},
		{"", 5, 0, "\n"},
	};
	struct buf out = BUF_NULL;
	terminal_append_lines(&out, cases[_i].text, cases[_i].columns, cases[_i].indent);
	assert_text(&out, cases[_i].expected);
}
END_TEST

START_TEST(what_a_terminal_can_show)
{
	struct winsize size = {.ws_row = 10, .ws_col = 40};
	int master, slave, pipes[2];
	ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, &size), 0);
	ck_assert_int_eq(pipe(pipes), 0);
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	struct terminal terminal = terminal_of(slave);
	ck_assert(terminal.moves && terminal.colours);
	ck_assert_uint_eq(terminal.columns, 40);
	ck_assert_uint_eq(terminal.rows, 10);
	setenv("NO_COLOR", "", 1);
	ck_assert(terminal_of(slave).colours);
	setenv("NO_COLOR", "1", 1);
	ck_assert(terminal_of(slave).moves && !terminal_of(slave).colours);
	setenv("TERM", "dumb", 1);
	ck_assert(!terminal_of(slave).moves && !terminal_of(slave).colours);
	ck_assert_uint_eq(terminal_of(slave).columns, 40);
	unsetenv("TERM");
	ck_assert(!terminal_of(slave).moves);
	size = (struct winsize){0};
	ck_assert_int_eq(ioctl(slave, TIOCSWINSZ, &size), 0);
	ck_assert_uint_eq(terminal_of(slave).columns, 80);
	ck_assert_uint_eq(terminal_of(slave).rows, 24);
	setenv("TERM", "xterm", 1);
	terminal = terminal_of(pipes[1]);
	ck_assert(!terminal.moves && !terminal.colours && terminal.columns == 0 &&
		  terminal.rows == 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("terminal");
	TCase *tcase = tcase_create("terminal");
	tcase_add_test(tcase, characters_are_counted);
	tcase_add_test(tcase, cut_between_characters);
	tcase_add_test(tcase, no_control_character_gets_there);
	tcase_add_test(tcase, records_are_shown_with_escapes);
	tcase_add_test(tcase, cells);
	tcase_add_loop_test(tcase, lines, 0, 13);
	tcase_add_test(tcase, what_a_terminal_can_show);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
