/* Documents to rows, rows to records: log files as programs write them, in pieces of any size. */
#include "definition/rows.h"

#include "base/mem.h"

#include "base/cleanup.h"
#include "check_unit.h"

static struct rows_format format_of(const char *start, const char *columns, int rest)
{
	struct rows_format format = {
		.kind = ROWS_CSV, .delimiter = ',', .quote = '"', .rest = rest, .time = 1};
	str_list_split(&format.columns, slice_of(columns), ' ');
	format.has_start = start && regcomp(&format.start, start, REG_EXTENDED) == 0;
	timestamp_format_new(&format.time_format, "%Y-%m-%dT%H:%M:%S UTC", NULL);
	return format;
}

/* All records of DOCUMENT, a line each, when it comes in pieces of STEP bytes. */
static char *records(const struct rows_format *format, struct slice document, size_t step)
{
	struct rows rows = ROWS_NULL;
	struct buf out = BUF_NULL;
	struct slice row;
	nsec_t time;
	rows_init(&rows, format);
	for (size_t at = 0; at <= document.size; at += step) {
		size_t n = document.size - at < step ? document.size - at : step;
		buf_append(rows_room(&rows), document.data + at, n);
		while (rows_next(&rows, at + step > document.size, &row)) {
			rows_record(&rows, row, &out, &time);
			buf_append_char(&out, '\n');
		}
	}
	rows_deinit(&rows);
	return buf_take(&out);
}

START_TEST(loose_csv)
{
	static const struct {
		const char *document, *lines;
	} cases[] = {
		{"", ""},
		{"\n\n", ""},
		{"\"1\",\"t\",\"select 1\",\"u\"\n",
			"{\"n\":\"1\",\"t\":\"t\",\"sql\":\"select 1\",\"u\":\"u\"}\n"},
		/* no line feed at the end, CR LF, blanks behind commas, an unquoted column */
		{"\"1\", t, \"a\", \"u\"\r\n\"2\",t,\"b\",\"\"",
			"{\"n\":\"1\",\"t\":\"t\",\"sql\":\"a\",\"u\":\"u\"}\n"
			"{\"n\":\"2\",\"t\":\"t\",\"sql\":\"b\",\"u\":\"\"}\n"},
		/* quotes, commas and line feeds that nobody escaped */
		{"\"1\",\"t\",\"x = \"a, b\"\nand y = \",\"\",\"u\"\n\"2\",\"t\",\"\",\"u\"\n",
			"{\"n\":\"1\",\"t\":\"t\",\"sql\":\"x = \\\"a, b\\\"\\nand y = "
			"\\\",\\\"\",\"u\":\"u\"}\n"
			"{\"n\":\"2\",\"t\":\"t\",\"sql\":\"\",\"u\":\"u\"}\n"},
		/* a statement that looks like the beginning of a row, with quotes as well */
		{"\"1\",\"t\",\"select '\n\"2\",t,forged\n\"3\",\"t\",\"x\"\n'\",\"u\"\n"
		 "\"4\",\"t\",\"b\",\"u\"\n",
			"{\"n\":\"1\",\"t\":\"t\",\"sql\":\"select "
			"'\\n\\\"2\\\",t,forged\\n\\\"3\\\","
			"\\\"t\\\",\\\"x\\\"\\n'\",\"u\":\"u\"}\n"
			"{\"n\":\"4\",\"t\":\"t\",\"sql\":\"b\",\"u\":\"u\"}\n"},
		/* another layout: kept, a line each belongs to the row that begins it */
		{"^^1^^,^^2^^\n", "{\"row\":\"^^1^^,^^2^^\"}\n"},
		{"\"7\",\"t\"\n", "{\"row\":\"\\\"7\\\",\\\"t\\\"\"}\n"},
		/* ... though it has as many commas */
		{"^^1^^,^^2^^,^^3^^,^^4^^\n^^2^^,5,6,7\nmore\n",
			"{\"row\":\"^^1^^,^^2^^,^^3^^,^^4^^\"}\n{\"row\":\"^^2^^,5,6,7\\nmore\"}"
			"\n"},
		/* no row begins here */
		{"# a, b, c, d\n\"1\",t,a,u\n",
			"{\"row\":\"# a, b, c, d\"}\n"
			"{\"n\":\"1\",\"t\":\"t\",\"sql\":\"a\",\"u\":\"u\"}\n"},
		/* what is no UTF-8 */
		{"\"1\",\"t\",\"\xff\x80\",\"u\"\n",
			"{\"n\":\"1\",\"t\":\"t\",\"sql\":\"\xef\xbf\xbd\xef\xbf\xbd\",\"u\":\"u\"}"
			"\n"},
	};
	struct rows_format format =
		format_of("^(\"[0-9]+\"|\\^\\^[0-9]+\\^\\^) *,", "n t sql u", 2);
	format.has_raw = regcomp(&format.raw, "^\\^\\^", REG_EXTENDED) == 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t step = 1; step < 80; step += step < 8 ? 1 : 24) {
			char *found CLEANUP_FREE =
				records(&format, slice_of(cases[i].document), step);
			ck_assert_msg(strcmp(found, cases[i].lines) == 0, "case %zu, step %zu: %s",
				i, step, found);
		}
	rows_format_deinit(&format);
}
END_TEST

START_TEST(standard_csv)
{
	struct rows_format format = format_of(NULL, "a t c", -1);
	char *found CLEANUP_FREE =
		records(&format, SLICE("\"x \"\"y\"\", z\",t,\nplain,\"t\",\" 1 \"\nshort,1\n"), 5);
	ck_assert_str_eq(found, "{\"a\":\"x \\\"y\\\", z\",\"t\":\"t\",\"c\":\"\"}\n"
				"{\"a\":\"plain\",\"t\":\"t\",\"c\":\" 1 \"}\n"
				"{\"row\":\"short,1\"}\n");
	rows_format_deinit(&format);
}
END_TEST

/* The shapes of csv-spectrum, with their first lines as rows. */
START_TEST(spectrum)
{
	static const struct {
		const char *columns, *document, *lines;
	} cases[] = {
		{"a b c d e",
			"first,last,address,city,zip\nJohn,Doe,120 any st.,\"Anytown, WW\",08123\n",
			"{\"a\":\"first\",\"b\":\"last\",\"c\":\"address\",\"d\":\"city\",\"e\":"
			"\"zip\"}\n"
			"{\"a\":\"John\",\"b\":\"Doe\",\"c\":\"120 any st.\",\"d\":\"Anytown, "
			"WW\",\"e\":\"08123\"}\n"},
		{"a b c", "1,\"\",\"\"\n2,3,4\n",
			"{\"a\":\"1\",\"b\":\"\",\"c\":\"\"}\n{\"a\":\"2\",\"b\":\"3\",\"c\":\"4\"}"
			"\n"},
		{"a b c", "1,\"\",\"\"\r\n2,3,4\r\n",
			"{\"a\":\"1\",\"b\":\"\",\"c\":\"\"}\n{\"a\":\"2\",\"b\":\"3\",\"c\":\"4\"}"
			"\n"},
		{"a b", "1,\"ha \"\"ha\"\" ha\"\n3,4\n",
			"{\"a\":\"1\",\"b\":\"ha \\\"ha\\\" ha\"}\n{\"a\":\"3\",\"b\":\"4\"}\n"},
		{"a b", "1,\"{\"\"type\"\": \"\"Point\"\", \"\"at\"\": [102.0, 0.5]}\"\n",
			"{\"a\":\"1\",\"b\":\"{\\\"type\\\": \\\"Point\\\", \\\"at\\\": [102.0, "
			"0.5]}\"}\n"},
		{"a b", "2819312340,\"(29.9, -95.3)\"\n2819312341,\"(30.0, -95.4)\"\n",
			"{\"a\":\"2819312340\",\"b\":\"(29.9, -95.3)\"}\n"
			"{\"a\":\"2819312341\",\"b\":\"(30.0, -95.4)\"}\n"},
		{"a b c", "1,2,3\n\"Once upon \na time\",5,6\n7,8,9\n",
			"{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}\n"
			"{\"a\":\"Once upon \\na time\",\"b\":\"5\",\"c\":\"6\"}\n"
			"{\"a\":\"7\",\"b\":\"8\",\"c\":\"9\"}\n"},
		{"a b c", "1,2,3\r\n\"Once upon \r\na time\",5,6\r\n7,8,9\r\n",
			"{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}\n"
			"{\"a\":\"Once upon \\r\\na time\",\"b\":\"5\",\"c\":\"6\"}\n"
			"{\"a\":\"7\",\"b\":\"8\",\"c\":\"9\"}\n"},
		{"a b", "1,\"ha \n\"\"ha\"\" \nha\"\n3,4\n",
			"{\"a\":\"1\",\"b\":\"ha \\n\\\"ha\\\" "
			"\\nha\"}\n{\"a\":\"3\",\"b\":\"4\"}\n"},
		{"a b c", "1,2,3\n", "{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}\n"},
		{"a b c", "1,2,3\r\n", "{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}\n"},
		{"a b c", "1,2,3\n4,5,\xca\xa4\n",
			"{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}\n{\"a\":\"4\",\"b\":\"5\",\"c\":"
			"\"\xca\xa4\"}\n"},
		/* a forged row, an empty line and a doubled quote at the end of a line */
		{"a b", "1,\"x\n2,forged\n\n\"\"\ny\"\"\n\"\n3,4",
			"{\"a\":\"1\",\"b\":\"x\\n2,forged\\n\\n\\\"\\ny\\\"\\n\"}\n"
			"{\"a\":\"3\",\"b\":\"4\"}\n"},
		/* a quote within a column is a byte like others */
		{"a b", "5\" pipe,1\n2,3\n",
			"{\"a\":\"5\\\" pipe\",\"b\":\"1\"}\n{\"a\":\"2\",\"b\":\"3\"}\n"},
		/* a quote that does not end */
		{"a b", "1,\"x\n2,3\n", "{\"row\":\"1,\\\"x\\n2,3\"}\n"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rows_format format = format_of(NULL, cases[i].columns, -1);
		for (size_t step = 1; step < 80; step += step < 8 ? 1 : 24) {
			char *found CLEANUP_FREE =
				records(&format, slice_of(cases[i].document), step);
			ck_assert_msg(strcmp(found, cases[i].lines) == 0, "case %zu, step %zu: %s",
				i, step, found);
		}
		rows_format_deinit(&format);
	}
}
END_TEST

START_TEST(times)
{
	struct rows_format format = format_of(NULL, "a t", -1);
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	nsec_t time = 5;
	struct rows rows;
	rows_init(&rows, &format);
	rows_record(&rows, SLICE("x,2025-09-15T00:05:27 UTC"), &out, &time);
	ck_assert_int_eq(time, INT64_C(1757894727) * NSEC_PER_SEC);
	rows_record(&rows, SLICE("x,never"), &out, &time);
	ck_assert_int_eq(time, INT64_C(1757894727) * NSEC_PER_SEC);
	rows_format_deinit(&format);
}
END_TEST

START_TEST(json_lines)
{
	struct pointer pointer = POINTER_NULL;
	const struct pointer *wanted = &pointer;
	struct rows_format format = {.kind = ROWS_LINES};
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	nsec_t time = 0;
	pointer_parse(&pointer, SLICE("/at"));
	format.plan = json_scanner_new(
		&(struct json_scanner_wanted){.envelope = &wanted, .n_envelope = 1});
	pointer_deinit(&pointer);
	timestamp_format_new(&format.time_format, "epoch_s", NULL);
	struct rows rows;
	rows_init(&rows, &format);
	rows_record(&rows, SLICE(" {\"b\" : 1.50, \"at\" : 7}"), &out, &time);
	rows_record(&rows, SLICE("{\"b\":1"), &out, &time);
	rows_record(&rows, SLICE("[1]"), &out, &time);
	ck_assert_str_eq(
		buf_text(&out), "{\"b\":1.50,\"at\":7}{\"row\":\"{\\\"b\\\":1\"}{\"row\":\"[1]\"}");
	ck_assert_int_eq(time, 7 * NSEC_PER_SEC);
	rows_format_deinit(&format);
}
END_TEST

/* Elements come whole, with their own text, once all of the document is there; a document that is
 * something else is a fault. */
START_TEST(json_documents)
{
	static const struct {
		const char *text, *rows; /* NULL: a fault */
	} cases[] = {{"{\"list\" : [ {\"a\" : 1.50, \"b\":\"\\n\"},\n 7 ]}",
			     "{\"a\":1.50,\"b\":\"\\n\"}{\"row\":\"7\"}"},
		{"{\"list\":[]}", ""}, {"{\"list\":null}", NULL}, {"{\"lost\":[]}", NULL},
		{"{\"list\":[{}", NULL}, {"", NULL}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pointer list = POINTER_NULL;
		struct rows_format format = {.kind = ROWS_JSON};
		struct buf out CLEANUP(buf_deinit) = BUF_NULL;
		struct rows rows = ROWS_NULL;
		struct fault fault = FAULT_NULL;
		struct slice row;
		nsec_t time = 0;
		pointer_parse(&list, SLICE("/list"));
		format.plan = json_scanner_new(&(struct json_scanner_wanted){0});
		format.whole = json_scanner_new(&(struct json_scanner_wanted){.records = &list});
		pointer_deinit(&list);
		rows_init(&rows, &format);
		for (const char *at = cases[i].text; *at; at++) {
			ck_assert(!rows_next(&rows, false, &row));
			buf_append_char(rows_room(&rows), *at);
		}
		ck_assert_msg((rows_complete(&rows, &fault) == 0) == (cases[i].rows != NULL),
			"case %zu: %s", i, fault.text);
		while (cases[i].rows && rows_next(&rows, true, &row))
			rows_record(&rows, row, &out, &time);
		ck_assert_str_eq(buf_text(&out), cases[i].rows ? cases[i].rows : "");
		rows_deinit(&rows);
		rows_format_deinit(&format);
	}
}
END_TEST

/* A document without `at` is one record. */
START_TEST(whole_documents)
{
	static const struct {
		const char *text, *rows; /* NULL: a fault */
	} cases[] = {{" {\"a\" : [ ]}\n", "{\"a\":[]}"}, {"\xef\xbb\xbf{}", "{}"}, {"[]", NULL},
		{"7", NULL}, {"", NULL}, {"{\"a\":", NULL}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rows_format format = {.kind = ROWS_JSON};
		struct buf out CLEANUP(buf_deinit) = BUF_NULL;
		struct rows rows = ROWS_NULL;
		struct fault fault = FAULT_NULL;
		struct slice row;
		nsec_t time = 0;
		format.plan = json_scanner_new(&(struct json_scanner_wanted){0});
		rows_init(&rows, &format);
		buf_append_text(rows_room(&rows), cases[i].text);
		ck_assert_msg((rows_complete(&rows, &fault) == 0) == (cases[i].rows != NULL),
			"case %zu: %s", i, fault.text);
		while (cases[i].rows && rows_next(&rows, true, &row))
			rows_record(&rows, row, &out, &time);
		ck_assert_str_eq(buf_text(&out), cases[i].rows ? cases[i].rows : "");
		rows_deinit(&rows);
		rows_format_deinit(&format);
	}
}
END_TEST

START_TEST(header_names_columns)
{
	static const struct {
		const char *text, *rows;
		nsec_t time_s;
	} cases[] = {
		{"a,at\n1,7\n", "{\"a\":\"1\",\"at\":\"7\"}\n", 7},
		{"\xef\xbb\xbf\"at\",\"b \"\"x\"\"\"\r\n\"8\",\"1\n2\"\r\n",
			"{\"at\":\"8\",\"b \\\"x\\\"\":\"1\\n2\"}\n", 8},
		{"a,at\n1\n2,3,4\n", "{\"row\":\"1\"}\n{\"row\":\"2,3,4\"}\n", 0},
		{"\"a,at\n1,2\n", "", 0},
		{"", "", 0},
		{"a,at", "", 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t step = 1; step < 20; step++) {
			struct rows_format format = {.kind = ROWS_CSV,
				.delimiter = ',',
				.quote = '"',
				.rest = -1,
				.time = -1,
				.has_header = true,
				.time_name = mem_strdup("at")};
			struct buf out CLEANUP(buf_deinit) = BUF_NULL;
			struct slice text = slice_of(cases[i].text), row;
			struct rows rows = ROWS_NULL;
			nsec_t time = 0;
			timestamp_format_new(&format.time_format, "epoch_s", NULL);
			rows_init(&rows, &format);
			for (size_t at = 0; at <= text.size; at += step) {
				size_t n = text.size - at < step ? text.size - at : step;
				buf_append(rows_room(&rows), text.data + at, n);
				while (rows_next(&rows, at + step > text.size, &row)) {
					rows_record(&rows, row, &out, &time);
					buf_append_char(&out, '\n');
				}
			}
			ck_assert_msg(strcmp(buf_text(&out), cases[i].rows) == 0 &&
					      time == cases[i].time_s * NSEC_PER_SEC,
				"case %zu, step %zu: %s", i, step, buf_text(&out));
			rows_deinit(&rows);
			rows_format_deinit(&format);
		}
}
END_TEST

START_TEST(a_row_without_end_is_cut)
{
	struct rows_format format = format_of("^never$", "a t", -1);
	struct rows rows = ROWS_NULL;
	struct slice row;
	static char block[1 << 20];
	size_t n = 0, size = 0;
	memset(block, 'x', sizeof(block));
	rows_init(&rows, &format);
	for (int i = 0; i < 40; i++) {
		buf_append(rows_room(&rows), block, sizeof(block));
		while (rows_next(&rows, i == 39, &row)) {
			n++;
			size += row.size;
		}
		ck_assert_uint_le(rows.text.size, ROW_MAX + 2 * sizeof(block));
	}
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(size, 40 * sizeof(block));
	rows_deinit(&rows);
	rows_format_deinit(&format);
}
END_TEST

UNIT_MAIN("rows", loose_csv, standard_csv, spectrum, times, json_lines, json_documents,
	whole_documents, header_names_columns, a_row_without_end_is_cut)
