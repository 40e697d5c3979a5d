/* The page splitter: what it takes, what it refuses, what it finds. The fuzz target compares it
 * with jansson at length. */
#include "source/splitter.h"

#include "base/mem.h"
#include "check_unit.h"

static const char page[] =
	"{\"next\":null,\"poll_more\":\"x\",\"results\":[{\"id\":1,\"t\":{\"s\":\"\\u00e9\"}},"
	" {\"id\" : 2}]}";

struct fixture {
	struct pointer records, envelope[2], fields[2];
	struct splitter_plan *plan;
	struct split split;
	struct fault fault;
};

static void set_up(struct fixture *fixture, const char *records)
{
	static const char *const texts[] = {"/next", "/meta/total"}, *const names[] = {
									     "/id", "/t/s"};
	const struct pointer *envelope[2], *fields[2];
	*fixture = (struct fixture){0};
	for (size_t i = 0; i < 2; i++) {
		pointer_parse(&fixture->envelope[i], slice_of(texts[i]));
		pointer_parse(&fixture->fields[i], slice_of(names[i]));
		envelope[i] = &fixture->envelope[i];
		fields[i] = &fixture->fields[i];
	}
	if (records)
		pointer_parse(&fixture->records, slice_of(records));
	fixture->plan = splitter_plan_new(&(struct splitter_wanted){
		records ? &fixture->records : NULL, !records, envelope, 2, fields, 2});
}

static void tear_down(struct fixture *fixture)
{
	for (size_t i = 0; i < 2; i++) {
		pointer_deinit(&fixture->envelope[i]);
		pointer_deinit(&fixture->fields[i]);
	}
	pointer_deinit(&fixture->records);
	splitter_plan_free(fixture->plan);
	split_deinit(&fixture->split);
}

static int run(struct fixture *fixture, const char *text)
{
	return splitter_run(fixture->plan, slice_of(text), &fixture->split, &fixture->fault);
}

START_TEST(finds_records_and_fields)
{
	struct fixture f;
	set_up(&f, "/results");
	ck_assert_int_eq(run(&f, page), 0);
	ck_assert_int_eq(f.split.array, SPLIT_ARRAY_FOUND);
	ck_assert_uint_eq(f.split.n_elements, 2);
	ck_assert(slice_is(f.split.elements[0].raw, "{\"id\":1,\"t\":{\"s\":\"\\u00e9\"}}"));
	ck_assert(!f.split.elements[0].spaced);
	ck_assert(slice_is(f.split.elements[1].raw, "{\"id\" : 2}"));
	ck_assert(f.split.elements[1].spaced);
	ck_assert(slice_is(f.split.fields[0], "1") && slice_is(f.split.fields[1], "\"\\u00e9\""));
	ck_assert(slice_is(f.split.fields[2], "2") && !f.split.fields[3].data);
	ck_assert(slice_is(f.split.envelope[0], "null") && !f.split.envelope[1].data);
	tear_down(&f);
}
END_TEST

START_TEST(cut_at_every_byte)
{
	struct fixture f;
	set_up(&f, "/results");
	for (size_t size = 0; size < sizeof(page) - 1; size++) {
		char *text = mem_strndup(page, size);
		ck_assert_msg(splitter_run(f.plan, (struct slice){text, size}, &f.split,
				      &f.fault) == FAULT_BODY,
			"taken after %zu bytes", size);
		free(text);
	}
	tear_down(&f);
}
END_TEST

START_TEST(arrays_elsewhere)
{
	static const struct {
		const char *records, *text;
		enum split_array array;
		size_t n;
	} cases[] = {
		{"/results", "{}", SPLIT_ARRAY_ABSENT, 0},
		{"/results", "{\"results\":{}}", SPLIT_ARRAY_OTHER, 0},
		{"/results", "{\"results\":null}", SPLIT_ARRAY_OTHER, 0},
		{"/results", "{\"results\":[]}", SPLIT_ARRAY_FOUND, 0},
		{"/results", "{\"results\":[1],\"results\":[2,3]}", SPLIT_ARRAY_FOUND, 2},
		{"/results", "{\"results\":[1],\"results\":7}", SPLIT_ARRAY_OTHER, 0},
		{"/results", "[{\"results\":[1]}]", SPLIT_ARRAY_ABSENT, 0},
		{"/a/b", "{\"a\":{\"b\":[1]},\"a\":{}}", SPLIT_ARRAY_ABSENT, 0},
		{"/a/1", "{\"a\":[0,[5,6]]}", SPLIT_ARRAY_FOUND, 2},
		{"", "[1,[2],{}]", SPLIT_ARRAY_FOUND, 3},
		{"", "{}", SPLIT_ARRAY_OTHER, 0},
		{NULL, "{\"id\":1}\n\n {\"id\":2} \r\n3", SPLIT_ARRAY_FOUND, 3},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		set_up(&f, cases[i].records);
		ck_assert_msg(run(&f, cases[i].text) == 0, "case %zu: %s", i, f.fault.text);
		ck_assert_msg(f.split.array == cases[i].array && f.split.n_elements == cases[i].n,
			"case %zu: %d, %zu", i, f.split.array, f.split.n_elements);
		tear_down(&f);
	}
}
END_TEST

START_TEST(takes)
{
	static const char *const texts[] = {"0", "-0", "1e400", "-1E-400", "20481.835938",
		"12345678901234567890", "\"\\u00e9\\/\"", "\"\xf0\x9f\x9a\x80\"", "\"\\ud800\"",
		"\"\\u0000\"", "[[[[]]]]", " {\"a\":1,\"a\":2}\n", "true", "\"\x7f\"",
		"\"0123456789abcdef0123456789\xc3\xa9\\n0123456789abcdef\""};
	struct fixture f;
	set_up(&f, "/results");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(
			run(&f, texts[i]) == 0, "case %zu: %s: %s", i, texts[i], f.fault.text);
	tear_down(&f);
}
END_TEST

START_TEST(refuses)
{
	static const char *const texts[] = {"", " ", "{", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}",
		"01", "1.", ".5", "1e", "+1", "- 1", "tru", "nul", "\"", "\"\\x\"", "\"\\u12g4\"",
		"\"\\u123\"", "\"\n\"", "\"\x01\"", "\"\xff\"", "\"\xc3\"", "\"\xc0\xaf\"",
		"\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "1 2", "{} x", "<html>", "[1 2]",
		"{\"a\":1 \"b\":2}", "'a'", "\xef\xbb\xbf{}", "NaN", "[1}", "{\"a\":1]"};
	struct fixture f;
	set_up(&f, "/results");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(run(&f, texts[i]) == FAULT_BODY, "case %zu: %s", i, texts[i]);
	tear_down(&f);
}
END_TEST

START_TEST(nesting)
{
	struct fixture f;
	char *text = mem_alloc(200001);
	set_up(&f, "/results");
	memset(text, '[', 100000);
	memset(text + 100000, ']', 100000);
	ck_assert_int_eq(run(&f, text), FAULT_LIMIT);
	ck_assert_int_eq(run(&f, text + 100000 - SPLITTER_MAX_DEPTH - 1), FAULT_LIMIT);
	text[100000 + SPLITTER_MAX_DEPTH] = '\0';
	ck_assert_int_eq(run(&f, text + 100000 - SPLITTER_MAX_DEPTH), 0);
	free(text);
	tear_down(&f);
}
END_TEST

UNIT_MAIN("splitter", finds_records_and_fields, cut_at_every_byte, arrays_elsewhere, takes, refuses,
	nesting)
