/* The JSON scanner: what it takes, what it refuses, what it finds. The fuzz target compares it
 * with jansson at length. */
#include "base/json_scanner.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "check_unit.h"

static const char page[] =
	"{\"next\":null,\"poll_more\":\"x\",\"results\":[{\"id\":1,\"t\":{\"s\":\"\\u00e9\"}},"
	" {\"id\" : 2}]}";

struct fixture {
	struct pointer records, envelope[2], fields[2];
	struct json_scanner *plan;
	struct json_scan scan;
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
	fixture->plan = json_scanner_new(&(struct json_scanner_wanted){
		records ? &fixture->records : NULL, !records, envelope, 2, fields, 2});
}

static void tear_down(struct fixture *fixture)
{
	for (size_t i = 0; i < 2; i++) {
		pointer_deinit(&fixture->envelope[i]);
		pointer_deinit(&fixture->fields[i]);
	}
	pointer_deinit(&fixture->records);
	json_scanner_free(fixture->plan);
	json_scan_deinit(&fixture->scan);
}

static int run(struct fixture *fixture, const char *text)
{
	int r = json_scanner_run(fixture->plan, slice_of(text), &fixture->scan, &fixture->fault);
	return (int)unit_class(r, &fixture->fault);
}

START_TEST(finds_records_and_fields)
{
	struct fixture f;
	set_up(&f, "/results");
	ck_assert_int_eq(run(&f, page), 0);
	ck_assert_int_eq(f.scan.array, JSON_SCAN_ARRAY_FOUND);
	ck_assert_uint_eq(f.scan.n_elements, 2);
	ck_assert(slice_is(f.scan.elements[0].raw, "{\"id\":1,\"t\":{\"s\":\"\\u00e9\"}}"));
	ck_assert(!f.scan.elements[0].spaced);
	ck_assert(slice_is(f.scan.elements[1].raw, "{\"id\" : 2}"));
	ck_assert(f.scan.elements[1].spaced);
	ck_assert(slice_is(f.scan.fields[0], "1") && slice_is(f.scan.fields[1], "\"\\u00e9\""));
	ck_assert(slice_is(f.scan.fields[2], "2") && !f.scan.fields[3].data);
	ck_assert(slice_is(f.scan.envelope[0], "null") && !f.scan.envelope[1].data);
	tear_down(&f);
}
END_TEST

START_TEST(cut_at_every_byte)
{
	struct fixture f;
	set_up(&f, "/results");
	for (size_t size = 0; size < sizeof(page) - 1; size++) {
		char *text = mem_strndup(page, size);
		ck_assert_msg(unit_class(json_scanner_run(f.plan, (struct slice){text, size},
						 &f.scan, &f.fault),
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
		enum json_scan_array array;
		size_t n;
	} cases[] = {
		{"/results", "{}", JSON_SCAN_ARRAY_ABSENT, 0},
		{"/results", "{\"results\":{}}", JSON_SCAN_ARRAY_OTHER, 0},
		{"/results", "{\"results\":null}", JSON_SCAN_ARRAY_NULL, 0},
		{"/results", "{\"results\":[]}", JSON_SCAN_ARRAY_FOUND, 0},
		{"/results", "{\"results\":[],\"results\":[2,3]}", JSON_SCAN_ARRAY_FOUND, 2},
		{"/results", "{\"results\":[],\"results\":7}", JSON_SCAN_ARRAY_OTHER, 0},
		{"/results", "[{\"results\":[1]}]", JSON_SCAN_ARRAY_ABSENT, 0},
		{"/a/b", "{\"a\":{\"b\":[]},\"a\":{}}", JSON_SCAN_ARRAY_ABSENT, 0},
		{"/a/1", "{\"a\":[0,[5,6]]}", JSON_SCAN_ARRAY_FOUND, 2},
		{"", "[1,[2],{}]", JSON_SCAN_ARRAY_FOUND, 3},
		{"", "{}", JSON_SCAN_ARRAY_OTHER, 0},
		{NULL, "{\"id\":1}\n\n {\"id\":2} \r\n3", JSON_SCAN_ARRAY_FOUND, 3},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		set_up(&f, cases[i].records);
		ck_assert_msg(run(&f, cases[i].text) == 0, "case %zu: %s", i, f.fault.text);
		ck_assert_msg(f.scan.array == cases[i].array && f.scan.n_elements == cases[i].n,
			"case %zu: %d, %zu", i, f.scan.array, f.scan.n_elements);
		tear_down(&f);
	}
}
END_TEST

START_TEST(takes)
{
	static const char *const texts[] = {"0", "-0", "1e400", "-1E-400", "20481.835938",
		"12345678901234567890", "\"\\u00e9\\/\"", "\"\xf0\x9f\x9a\x80\"", "\"\\ud800\"",
		"\"\\u0000\"", "[[[[]]]]", " {\"a\":1,\"a\":2}\n", "true", "\"\x7f\"",
		"\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"",
		"\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"", "\"\\uABCD\\uabcd\"",
		"\"0123456789abcdef0123456789\xc3\xa9\\n0123456789abcdef\"",
		/* what is not UTF-8 is carried as it is */
		"\"\xff\"", "\"\xc3\"", "\"\xc0\xaf\"", "\"\x80\"", "\"\xe2\x82\"",
		("\"\xe2\x82"
		 "A\""),
		"\"\xed\xa0\x80\"", "\"\xf5\x80\x80\x80\"", "{\"\xe9\":\"\xe9\"}"};
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
		"01", "1.", ".5", "1e", "+1", "- 1", "tru", "nul", "\"", "\"\\x\"", "\"\\ug234\"",
		"\"\\u1g34\"", "\"\\u12g4\"", "\"\\u123g\"", "\"\\u123G\"", "\"\\U1234\"",
		"\"\\u123\"", "\"\n\"", "\"\x01\"", "\"\xef\xbf", "\xff", "{\xc3:1}", "1 2", "{} x",
		"<html>", "[1 2]", "{\"a\":1 \"b\":2}", "'a'", "\xef\xbb\xbf{}", "NaN", "[1}",
		"{\"a\":1]"};
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
	ck_assert_int_eq(run(&f, text + 100000 - JSON_SCANNER_MAX_DEPTH - 1), FAULT_LIMIT);
	text[100000 + JSON_SCANNER_MAX_DEPTH] = '\0';
	ck_assert_int_eq(run(&f, text + 100000 - JSON_SCANNER_MAX_DEPTH), 0);
	free(text);
	tear_down(&f);
}
END_TEST

/* Every token as it was written, out of a page as a pretty-printer writes it. */
START_TEST(fidelity)
{
	static const char *const tokens[] = {"20481.835938", "1e400", "-0.0E-00",
		"12345678901234567890", "9223372036854775808", "\"\\u00e9\\/\"",
		"\"\xf0\x9f\x9a\x80\"", "\"\\ud800\"", "\"\\u0000\"", "{ \"a\" : 1,\t\"a\" : 2 }",
		"[ ]", "null"};
	struct fixture f;
	set_up(&f, "/results");
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		char *text = mem_printf("{\r\n  \"results\" : [\n\t{ \"id\" : %s }\n\t,\n %s\n ]"
					"\n}\n",
			tokens[i], tokens[i]);
		char *raw = mem_printf("{ \"id\" : %s }", tokens[i]);
		ck_assert_msg(run(&f, text) == 0, "case %zu: %s", i, f.fault.text);
		ck_assert_uint_eq(f.scan.n_elements, 2);
		ck_assert_msg(slice_is(f.scan.elements[0].raw, raw) && f.scan.elements[0].spaced,
			"case %zu: record", i);
		ck_assert_msg(slice_is(f.scan.fields[0], tokens[i]), "case %zu: field", i);
		ck_assert_msg(slice_is(f.scan.elements[1].raw, tokens[i]), "case %zu: second", i);
		free(raw);
		free(text);
	}
	tear_down(&f);
}
END_TEST

/* Whatever follows them: of equal keys the last one counts, and they would be gone without a word.
 */
START_TEST(records_are_not_replaced)
{
	static const char *const texts[] = {
		"{\"results\":[1],\"results\":[2,3]}",
		"{\"results\":[1],\"results\":[]}",
		"{\"results\":[1],\"results\":7}",
		"{\"results\":[1],\"re\\u0073ults\":null}",
	};
	struct fixture f;
	set_up(&f, "/results");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ck_assert_msg(run(&f, texts[i]) == FAULT_BODY, "case %zu", i);
		ck_assert_ptr_nonnull(strstr(f.fault.text, "comes twice"));
	}
	tear_down(&f);
	set_up(&f, "/a/b");
	ck_assert_int_ne(run(&f, "{\"a\":{\"b\":[1]},\"a\":{}}"), 0);
	tear_down(&f);
}
END_TEST

/* Of equal keys the last one counts, also where it takes a value away. */
START_TEST(duplicate_keys)
{
	static const struct {
		const char *record, *id, *s; /* at /id and at /t/s */
	} cases[] = {
		{"{\"id\":1,\"id\":2}", "2", NULL},
		{"{\"id\":1,\"\\u0069d\":3}", "3", NULL},
		{"{\"id\":{\"id\":9}}", "{\"id\":9}", NULL},
		{"{\"t\":{\"s\":1},\"t\":{\"s\":2}}", NULL, "2"},
		{"{\"t\":{\"s\":1},\"t\":{}}", NULL, NULL},
		{"{\"t\":{\"s\":1},\"t\":null,\"id\":4}", "4", NULL},
		{"{\"t\":{\"s\":1,\"s\":[2]},\"T\":{\"s\":3}}", NULL, "[2]"},
		{"{\"id\\u0000\":1,\"i\":2,\"idx\":3}", NULL, NULL},
	};
	struct fixture f;
	set_up(&f, "/results");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = mem_printf(
			"{\"results\":[],\"next\":1,\"results\":[%s],\"next\":2}", cases[i].record);
		ck_assert_msg(run(&f, text) == 0, "case %zu: %s", i, f.fault.text);
		ck_assert_uint_eq(f.scan.n_elements, 1);
		ck_assert(slice_is(f.scan.envelope[0], "2"));
		for (size_t j = 0; j < 2; j++) {
			const char *expected = j ? cases[i].s : cases[i].id;
			struct slice found = f.scan.fields[j];
			ck_assert_msg(expected ? slice_is(found, expected) : !found.data,
				"case %zu: field %zu is %.*s", i, j, (int)found.size, found.data);
		}
		free(text);
	}
	tear_down(&f);
}
END_TEST

START_TEST(lines)
{
	static const struct {
		const char *text;
		int outcome;
	} cases[] = {{"", 0}, {"\n\n", 0}, {"{}\n", 0}, {"{}\r\n{}\r\n", 0}, {" {} \n\t[1]", 0},
		{"{}{}", FAULT_BODY}, {"{}\n{", FAULT_BODY}, {"{\n}", FAULT_BODY},
		{"[1,\n2]", FAULT_BODY}, {"\"a\nb\"", FAULT_BODY}, {"1\n2 3\n4", FAULT_BODY}};
	struct fixture f;
	set_up(&f, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(run(&f, cases[i].text) == cases[i].outcome, "case %zu", i);
	ck_assert_int_eq(run(&f, "{\"id\":1}\n{\"t\":{\"s\":2}}"), 0);
	ck_assert(slice_is(f.scan.fields[0], "1") && !f.scan.fields[1].data);
	ck_assert(!f.scan.fields[2].data && slice_is(f.scan.fields[3], "2"));
	tear_down(&f);
}
END_TEST

/* White space beside a record is not white space inside it. */
START_TEST(spaced_records)
{
	static const struct {
		const char *text;
		bool spaced[3];
	} cases[] = {
		{"{\"results\":[{\"a\": 1},{\"a\":1},[1, 2]]}", {true, false, true}},
		{"{\"results\" : [ {} ,\n[]\t, \" \" ] }", {false, false, false}},
		{"{\"results\":[{ },[\n],1]}", {true, true, false}},
	};
	struct fixture f;
	set_up(&f, "/results");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(run(&f, cases[i].text) == 0, "case %zu: %s", i, f.fault.text);
		ck_assert_uint_eq(f.scan.n_elements, 3);
		for (size_t j = 0; j < 3; j++)
			ck_assert_msg(f.scan.elements[j].spaced == cases[i].spaced[j],
				"case %zu: record %zu", i, j);
	}
	tear_down(&f);
}
END_TEST

START_TEST(several_arrays)
{
	static const struct {
		const char *records, *text, *found; /* found: IDs of the elements; NULL: refused */
		enum json_scan_array array;
	} cases[] = {
		{"/a,/b/c", "{\"a\":[{\"id\":1}],\"b\":{\"c\":[{\"id\":2},{\"id\":3}]}}", "123",
			JSON_SCAN_ARRAY_FOUND},
		{"/a,/b/c", "{\"b\":{\"c\":[]},\"a\":[{\"id\":1}]}", "1", JSON_SCAN_ARRAY_FOUND},
		{"/a,/b/c", "{\"a\":[{\"id\":1}],\"b\":{}}", "1", JSON_SCAN_ARRAY_ABSENT},
		{"/a,/b", "{\"a\":[{\"id\":1}],\"b\":null}", "1", JSON_SCAN_ARRAY_NULL},
		{"/a,/b", "{\"a\":[{\"id\":1}],\"b\":7}", "1", JSON_SCAN_ARRAY_OTHER},
		{"/a,/b", "{\"a\":[{\"id\":1}],\"b\":[],\"a\":[{\"id\":2}]}", NULL, 0},
		{"/r/*/v", "{\"r\":[{\"v\":[{\"id\":1}]},{\"w\":0,\"v\":[{\"id\":2}]}]}", "12",
			JSON_SCAN_ARRAY_FOUND},
		{"/r/*/v", "{\"r\":{\"x\":{\"v\":[{\"id\":1}]},\"y\":{\"v\":[]}}}", "1",
			JSON_SCAN_ARRAY_FOUND},
		{"/r/*/v", "{\"r\":[]}", "", JSON_SCAN_ARRAY_FOUND},
		{"/r/*/v", "{\"r\":[{\"v\":[{\"id\":1}]},{\"w\":0}]}", "1", JSON_SCAN_ARRAY_ABSENT},
		{"/r/*/v", "{\"r\":7}", "", JSON_SCAN_ARRAY_ABSENT},
		{"/r/*/*/v", "{\"r\":[[{\"v\":[{\"id\":1}]}],[]]}", "1", JSON_SCAN_ARRAY_FOUND},
		{"/r/*", "{\"r\":{\"x\":{\"id\":1},\"y\":{\"id\":2}}}", "12",
			JSON_SCAN_ARRAY_FOUND},
		{"/r/*", "{\"r\":[{\"id\":1}]}", "1", JSON_SCAN_ARRAY_FOUND},
		{"/r/*", "{\"r\":{}}", "", JSON_SCAN_ARRAY_FOUND},
		{"/*/v,/b", "{\"a\":{\"v\":[{\"id\":1}]},\"b\":[{\"id\":2}]}", "12",
			JSON_SCAN_ARRAY_FOUND},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pointer records[2], id;
		const struct pointer *fields = &id;
		struct slice list = slice_of(cases[i].records), part;
		size_t n = 0;
		while (str_next_part(&list, ',', &part))
			ck_assert_int_eq(pointer_parse(&records[n++], part), 0);
		pointer_parse(&id, SLICE("/id"));
		struct json_scanner *plan = json_scanner_new(&(struct json_scanner_wanted){
			.records = records, .n_records = n, .fields = &fields, .n_fields = 1});
		struct json_scan scan = JSON_SCAN_NULL;
		struct fault fault;
		struct buf ids = BUF_NULL;
		int r = json_scanner_run(plan, slice_of(cases[i].text), &scan, &fault);
		ck_assert_msg(unit_class(r, &fault) == (cases[i].found ? FAULT_NONE : FAULT_BODY),
			"case %zu: %d", i, r);
		for (size_t j = 0; j < scan.n_elements; j++)
			buf_append_slice(&ids, scan.fields[j]);
		if (cases[i].found)
			ck_assert_msg(strcmp(buf_text(&ids), cases[i].found) == 0 &&
					      scan.array == cases[i].array,
				"case %zu: %s, %d", i, buf_text(&ids), (int)scan.array);
		buf_deinit(&ids);
		json_scan_deinit(&scan);
		json_scanner_free(plan);
		pointer_deinit(&id);
		for (size_t j = 0; j < n; j++)
			pointer_deinit(&records[j]);
	}
}
END_TEST

START_TEST(names_the_byte)
{
	struct fixture f;
	set_up(&f, "/results");
	ck_assert_int_eq(run(&f, "{\"a\":1,}"), FAULT_BODY);
	ck_assert_str_eq(f.fault.text, "not JSON: a member without a name, at byte 7");
	/* a NUL is a byte like others, and what was found before a fault is not left standing */
	ck_assert_int_eq(
		unit_class(json_scanner_run(f.plan, (struct slice){"[1]\0", 4}, &f.scan, &f.fault),
			&f.fault),
		FAULT_BODY);
	ck_assert_int_eq(
		unit_class(json_scanner_run(f.plan, (struct slice){"\"\0\"", 3}, &f.scan, &f.fault),
			&f.fault),
		FAULT_BODY);
	ck_assert_int_eq(
		unit_class(json_scanner_run(f.plan, SLICE_NULL, &f.scan, &f.fault), &f.fault),
		FAULT_BODY);
	ck_assert_int_eq(run(&f, "{}"), 0);
	ck_assert(f.scan.array == JSON_SCAN_ARRAY_ABSENT && f.scan.n_elements == 0);
	tear_down(&f);
}
END_TEST

/* As many elements as are taken, and one more. */
START_TEST(too_many_elements)
{
	struct pointer root = POINTER_NULL;
	pointer_parse(&root, SLICE(""));
	struct json_scanner *plan =
		json_scanner_new(&(struct json_scanner_wanted){&root, false, NULL, 0, NULL, 0});
	struct json_scan scan = JSON_SCAN_NULL;
	struct fault fault = FAULT_NULL;
	size_t size = 2 * (JSON_SCANNER_MAX_ELEMENTS + 1) + 1;
	char *text = mem_alloc(size);
	memset(text, '0', size);
	for (size_t i = 0; i < size; i += 2)
		text[i] = ',';
	text[0] = '[';
	text[size - 1] = ']';
	ck_assert_int_eq(
		unit_class(
			json_scanner_run(plan, (struct slice){text, size}, &scan, &fault), &fault),
		FAULT_LIMIT);
	ck_assert_msg(strstr(fault.text, "records") != NULL, "%s", fault.text);
	text[size - 3] = ']';
	ck_assert_int_eq(json_scanner_run(plan, (struct slice){text, size - 2}, &scan, &fault), 0);
	ck_assert_uint_eq(scan.n_elements, JSON_SCANNER_MAX_ELEMENTS);
	free(text);
	json_scan_deinit(&scan);
	json_scanner_free(plan);
	pointer_deinit(&root);
}
END_TEST

UNIT_MAIN("JSON scanner", finds_records_and_fields, cut_at_every_byte, arrays_elsewhere, takes,
	refuses, nesting, fidelity, duplicate_keys, records_are_not_replaced, lines, spaced_records,
	names_the_byte, too_many_elements, several_arrays)
