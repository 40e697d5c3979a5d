/* The INI reader and the list of findings that it fills. */
#include "conf/ini.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "check_unit.h"

static const char *value_of(struct ini *ini, const char *kind, const char *name, const char *key)
{
	struct ini_section *section = ini_find(ini, kind, name);
	struct ini_entry *entry = section ? ini_section_find(section, key) : NULL;
	return entry ? entry->value : "(none)";
}

START_TEST(values)
{
	static const char text[] = "\xef\xbb\xbf# head\r\n"
				   "[source acme]   ; comment\r\n"
				   "a = 1 # one\r\n"
				   "b=two;kept#kept\r\n"
				   "include =\r\n"
				   "  first\r\n"
				   "; inside\r\n"
				   "\t second # cut\r\n"
				   "\r\n"
				   "[request.first]\r\n"
				   "header.X-A = x = y\r\n"
				   "form.a b = c\r\n"
				   "last = end";
	struct ini ini = INI_NULL;
	struct findings findings = FINDINGS_NULL;
	ck_assert_int_eq(ini_read_text(&ini, "f", text, sizeof(text) - 1, &findings), 0);
	ck_assert_str_eq(value_of(&ini, "source", "acme", "a"), "1");
	ck_assert_str_eq(value_of(&ini, "source", "acme", "b"), "two;kept#kept");
	ck_assert_str_eq(value_of(&ini, "source", "acme", "include"), "first\nsecond");
	ck_assert_str_eq(value_of(&ini, "request.first", NULL, "header.X-A"), "x = y");
	ck_assert_str_eq(value_of(&ini, "request.first", NULL, "last"), "end");
	ck_assert_uint_eq(ini_find(&ini, "source", "acme")->line, 2);
	ck_assert_uint_eq(ini_section_find(ini_find(&ini, "source", "acme"), "include")->line, 5);
	ck_assert_uint_eq(
		ini_section_find(ini_find(&ini, "request.first", NULL), "last")->line, 13);
	ini_deinit(&ini);
	findings_deinit(&findings);
}
END_TEST

START_TEST(sections_are_found_after_others_came_and_went)
{
	static const char text[] = "[auth]\n[source a]\nk = 1\n[auth b]\n[source b]\nk = 2\n";
	struct ini ini = INI_NULL;
	struct findings findings = FINDINGS_NULL;
	ck_assert_int_eq(ini_read_text(&ini, "f", text, sizeof(text) - 1, &findings), 0);
	ck_assert_ptr_eq(ini_add(&ini, "source", "c", "g", 7), &ini.sections[4]);
	ini_drop(&ini, "auth");
	ck_assert_uint_eq(ini.n_sections, 3);
	ck_assert_ptr_null(ini_find(&ini, "auth", NULL));
	ck_assert_ptr_null(ini_find(&ini, "auth", "b"));
	ck_assert_ptr_null(ini_find(&ini, "source", NULL));
	ck_assert_str_eq(value_of(&ini, "source", "a", "k"), "1");
	ck_assert_str_eq(value_of(&ini, "source", "b", "k"), "2");
	ck_assert_uint_eq(ini_find(&ini, "source", "c")->line, 7);
	ck_assert_ptr_eq(ini_add(&ini, "auth", NULL, "g", 8), ini_find(&ini, "auth", NULL));
	ini_deinit(&ini);
	findings_deinit(&findings);
}
END_TEST

static const struct {
	const char *text;
	unsigned cut;
} cuts[] = {
	{"[a]\nk = cut ; off\n", 2},
	{"[a]\nk = a ;b\n", 2},
	{"[a]\nk = a #fff\n", 2},
	{"[a]\nk = a;b#c\n", 0},
	{"[a]\nk = a # why\n", 0},
	{"[a]\nk = a ## why\n", 0},
	{"[a]\nk = a #\n", 0},
	{"[a]\n; why\n#why\nk = a\n", 0},
	{"[a]\nk = a\n ; why\n", 0},
	{"[a] ; why\nk = a\n", 0},
	{"[a]\ninclude =\n  a\n  b ; c\n", 4},
};

START_TEST(values_that_a_comment_may_have_cut)
{
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct ini ini = INI_NULL;
		struct findings findings = FINDINGS_NULL;
		const char *text = cuts[i].text;
		ck_assert_int_eq(ini_read_text(&ini, "f", text, strlen(text), &findings), 0);
		ck_assert_msg(ini.sections[0].entries[0].cut == cuts[i].cut, "%s", text);
		ini_deinit(&ini);
	}
}
END_TEST

START_TEST(a_large_file_belongs_in_conf_d)
{
	char path[] = "/tmp/check_ini-XXXXXX";
	struct ini ini = INI_NULL;
	struct findings findings = FINDINGS_NULL;
	int fd = mkstemp(path);
	ck_assert_int_eq(ftruncate(fd, 5 << 20), 0);
	ck_assert_int_eq(ini_read(&ini, path, &findings), -1);
	ck_assert_uint_eq(findings.n_items, 1);
	ck_assert_ptr_nonnull(strstr(findings.items[0].text, "several files in conf.d"));
	close(fd);
	unlink(path);
	ini_deinit(&ini);
	findings_deinit(&findings);
}
END_TEST

START_TEST(long_values_are_whole)
{
	struct buf text = BUF_NULL;
	struct ini ini = INI_NULL;
	struct findings findings = FINDINGS_NULL;
	buf_append_text(&text, "[a]\nk = ");
	for (size_t i = 0; i < 65000; i++)
		buf_append_char(&text, 'x');
	ck_assert_int_eq(ini_read_text(&ini, "f", text.data, text.size, &findings), 0);
	ck_assert_uint_eq(strlen(value_of(&ini, "a", NULL, "k")), 65000);
	buf_deinit(&text);
	ini_deinit(&ini);
}
END_TEST

START_TEST(faults)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *word;
	} cases[] = {
		{"[a]\n\nnonsense\n", 3, "nonsense"},
		{"k = v\n", 1, "precedes"},
		{"[a\n", 1, "[a"},
		{"[]\n", 1, "header"},
		{"[a]\nk = 1\nk = 2\n", 3, "duplicate key"},
		{"[a]\n[b]\n[a]\n", 3, "duplicate section"},
		{"[a]\n = v\n", 2, "this line is neither"},
		{"[a]\npath = /x\n  mode = 0600\n", 3,
			"`mode` is indented, so it continues `path` in line 2"},
		{"[a]\ninclude = /x\n\tmode = 0600\n", 3, "`mode` is indented"},
		{"[a]\nlabels = x=/a\n  mode = 0600\n", 3, "`mode` is indented"},
		{"[a\nk = 1\nk\n", 1, "`[a` is not a section header"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ini ini = INI_NULL;
		struct findings findings = FINDINGS_NULL;
		ck_assert_int_eq(
			ini_read_text(&ini, "f", cases[i].text, strlen(cases[i].text), &findings),
			1);
		ck_assert_msg(findings.n_items == 1 && findings.items[0].line == cases[i].line &&
				      strstr(findings.items[0].text, cases[i].word),
			"case %zu: %u: %s", i, findings.items[0].line, findings.items[0].text);
		ini_deinit(&ini);
		findings_deinit(&findings);
	}
	struct ini ini = INI_NULL;
	struct findings findings = FINDINGS_NULL;
	ck_assert_int_eq(ini_read_text(&ini, "f", "[a]\nk\0=", 7, &findings), 1);
	ck_assert_uint_eq(findings.items[0].line, 2);
	ck_assert_int_lt(ini_read(&ini, "/nonexistent/x.conf", &findings), 0);
	ck_assert_int_lt(ini_read(&ini, "/", &findings), 0);
	ck_assert_uint_eq(findings.n_items, 3);
	ini_deinit(&ini);
	findings_deinit(&findings);
}
END_TEST

/* Nothing of a line that cannot be read is shown but its first word. */
START_TEST(malformed_lines_are_not_shown)
{
	static const struct {
		const char *line, *word;
	} cases[] = {
		{"token S3CRET", "`token`"},
		{"token: S3CRET", "`token`"},
		{"token S3CRET=", "`token`"},
		{"auth.token S3CRET=", "`auth.token`"},
		{"token:S3CRET", "`token`"},
		{"[token S3CRET", "`[token`"},
		{"[source = S3CRET]", "`[source`"},
		{"  S3CRET/abcd", "this line is indented"},
		{"  token S3CRET", "`token`"},
		{"  token = S3CRET", "`token`"},
		{"\xc3\xa9S3CRET+/==", "this line is neither"},
		{"S3CRET+/==", "this line is neither"},
		{"S3CRETS3CRETS3CRETS3CRETS3CRETS3CRETS3CRET", "this line is neither"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ini ini = INI_NULL;
		struct findings findings = FINDINGS_NULL;
		struct buf text = BUF_NULL;
		buf_printf(&text, "[a]\nk = v\n%s\n", cases[i].line);
		ck_assert_int_eq(ini_read_text(&ini, "f", text.data, text.size, &findings), 1);
		ck_assert_msg(findings.n_items == 1 && findings.items[0].line == 3 &&
				      strstr(findings.items[0].text, cases[i].word) &&
				      !strstr(findings.items[0].text, "S3CRET"),
			"case %zu: %u: %s", i, findings.items[0].line, findings.items[0].text);
		buf_deinit(&text);
		ini_deinit(&ini);
		findings_deinit(&findings);
	}
}
END_TEST

START_TEST(two_files_are_one)
{
	struct ini ini = INI_NULL;
	struct findings findings = FINDINGS_NULL;
	ck_assert_int_eq(ini_read_text(&ini, "a", "[s x]\nk = 1\n", 12, &findings), 0);
	ck_assert_int_eq(ini_read_text(&ini, "b", "[s x]\nl = 2\n", 12, &findings), 0);
	ck_assert_uint_eq(ini.n_sections, 1);
	ck_assert_str_eq(ini_section_find(&ini.sections[0], "l")->file, "b");
	ck_assert_int_eq(ini_read_text(&ini, "c", "[s x]\nk = 3\n", 12, &findings), 1);
	ck_assert_ptr_nonnull(strstr(findings.items[0].text, "a:2"));
	ini_deinit(&ini);
	findings_deinit(&findings);
}
END_TEST

START_TEST(findings_are_printed_in_order)
{
	struct findings findings = FINDINGS_NULL;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	findings_add(&findings, "b", 9, "nine");
	findings_add(&findings, "a", 3, "three %d", 3);
	findings_add(&findings, "b", 2, "two");
	findings_add(&findings, NULL, 0, "none\n");
	findings_add(&findings, "a", 0, "whole");
	findings_print(&findings, out);
	fclose(out);
	ck_assert_str_eq(text, "b:2: two\nb:9: nine\na: whole\na:3: three 3\nnone?\n");
	free(text);
	findings_deinit(&findings);
}
END_TEST

UNIT_MAIN("ini", values, sections_are_found_after_others_came_and_went,
	values_that_a_comment_may_have_cut, a_large_file_belongs_in_conf_d, long_values_are_whole,
	faults, malformed_lines_are_not_shown, two_files_are_one, findings_are_printed_in_order)
