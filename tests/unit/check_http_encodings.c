/* What each encoding sends, to the byte, and what it reads in answers. */
#include "sink/http/http_encoding.h"

#include "http_encoding_fixture.h"

static void ck_written(const struct http_encoding *encoding, const char *wanted)
{
	struct buf out = BUF_NULL;

	for (int again = 0; again < 2; again++) {
		buf_clear(&out);
		encoding->write(&part, &out);
		ck_assert_str_eq(buf_text(&out), wanted);
	}
	buf_deinit(&out);
}

/* Reads ANSWER of STATUS and Content-Type TYPE; the fault's class, its text in FAULT. */
static int read_typed(const struct http_encoding *encoding, int status, const char *type,
	const char *answer, struct fault *fault)
{
	struct http_response response = {.status = status, .server_time = NSEC_NONE};
	enum fault_class class;

	*fault = FAULT_NULL;
	http_headers_add(&response.headers, "Content-Type", slice_of(type));
	buf_append_text(&response.body, answer);
	class = unit_class(encoding->read(&part, &response, fault), fault);
	ck_assert_int_eq(class, fault->class);
	http_headers_deinit(&response.headers);
	buf_deinit(&response.body);
	return (int)class;
}

static int read_answer(
	const struct http_encoding *encoding, int status, const char *answer, struct fault *fault)
{
	return read_typed(encoding, status, "application/json", answer, fault);
}

static void ck_refused(size_t index, const char *reason)
{
	ck_assert_ptr_nonnull(parts.reasons);
	ck_assert_ptr_nonnull(parts.reasons[index]);
	ck_assert_str_eq(parts.reasons[index], reason);
}

START_TEST(names_and_rows)
{
	size_t n = 0;

	for (; http_encoding_names[n]; n++)
		ck_assert_str_eq(http_encodings[n]->name, http_encoding_names[n]);
	ck_assert_uint_eq(n, 6);
}
END_TEST

/* --- without a protocol --- */

#define ENVELOPE                                                                                   \
	"{\"source\":\"acme\",\"provider\":\"cloud\",\"id\":\"id-\\\"1\\\"\","                     \
	"\"time\":\"2025-12-11T12:23:17.460366001Z\",\"record\":" FIRST "}"

START_TEST(ndjson)
{
	ck_written(&http_ndjson, FIRST "\n" SECOND "\n" THIRD "\n");
	part.n_records = 1;
	part.format = RECORD_ENVELOPE;
	ck_written(&http_ndjson, ENVELOPE "\n");
	ck_assert_str_eq(http_ndjson.content_type, "application/x-ndjson");
}
END_TEST

START_TEST(json_array)
{
	ck_written(&http_json_array, "[" FIRST "," SECOND "," THIRD "]");
	part.n_records = 1;
	ck_written(&http_json_array, "[" FIRST "]");
	part.format = RECORD_ENVELOPE;
	ck_written(&http_json_array, "[" ENVELOPE "]");
	ck_assert_str_eq(http_json_array.content_type, "application/json");
}
END_TEST

/* --- Elasticsearch --- */

START_TEST(bulk)
{
	ck_written(&http_bulk,
		"{\"create\":{\"_id\":\"acme:id-\\\"1\\\"\"}}\n" FIRST "\n"
		"{\"create\":{\"_id\":\"acme:abcd0000000000000000000000000000-7-1\"}}\n" SECOND "\n"
		"{\"create\":{\"_id\":\"acme:abcd0000000000000000000000000000\"}}\n" THIRD "\n");
	part.n_records = 1;
	part.format = RECORD_ENVELOPE;
	ck_written(&http_bulk, "{\"create\":{\"_id\":\"acme:id-\\\"1\\\"\"}}\n" ENVELOPE "\n");
}
END_TEST

START_TEST(bulk_long_ids)
{
	char text[600];
	struct id key;
	char *wanted;

	memset(text, 'x', sizeof(text));
	part.n_records = 1;
	records[0].view.id = (struct slice){text, 507}; /* with "acme:" 512 */
	key = digest_id(records[0].view.id);
	records[0].view.key = &key;
	wanted = mem_printf("{\"create\":{\"_id\":\"acme:%.507s\"}}\n" FIRST "\n", text);
	ck_written(&http_bulk, wanted);
	free(wanted);
	records[0].view.id.size = 508;
	key = digest_id(records[0].view.id);
	ck_written(&http_bulk,
		"{\"create\":{\"_id\":\"acme:2b9b035039329cdf9d74003fa4d808b1\"}}\n" FIRST "\n");
}
END_TEST

#define ITEM(status) "{\"create\":{\"_index\":\"i\",\"_id\":\"x\",\"status\":" #status "}}"
#define ITEM_TEXT "{\"create\":{\"status\":\"201\"}}"
#define ITEM_BAD(status, type)                                                                     \
	"{\"create\":{\"status\":" #status ",\"error\":{\"type\":\"" type                          \
	"\",\"reason\":\"no \\\"way\\\"\"}}}"

#define ITEM_CAUSED                                                                                \
	"{\"create\":{\"status\":400,\"error\":{\"type\":\"mapper_parsing_exception\","            \
	"\"reason\":\"failed to parse field [a]\",\"caused_by\":{\"type\":\"wrapped\","            \
	"\"reason\":\"so\",\"caused_by\":{\"type\":\"number_format_exception\","                   \
	"\"reason\":\"For input string: \\\"abc\\\"\"}}}}}"
#define ITEM_PIPELINE                                                                              \
	"{\"create\":{\"status\":400,\"error\":{\"type\":\"illegal_argument_exception\","          \
	"\"reason\":\"pipeline with id [a] does not exist\"}}}"

static const struct {
	const char *answer;
	int outcome;
	const char *text; /* of the fault, or of the refusals, one a record: '-' none */
	size_t n_taken, n_refused; /* with a fault: what is not sent again */
} bulk_rows[] = {
	{"{\"errors\":false,\"items\":[" ITEM(201) "," ITEM(200) "," ITEM(201) "]}", 0, "---"},
	{"{\"errors\":true,\"items\":[" ITEM(201) "," ITEM_BAD(409, "vc") "," ITEM(201) "]}", 0,
		"---"},
	{"{\"errors\":false}", 0, "---"},
	{" {\"errors\" : true, \"items\" : [ " ITEM_BAD(400, "mapper") ", " ITEM(
		 201) " , " ITEM_BAD(400, "doc") " ] } ",
		0, "x-x"},
	{"{\"errors\":true,\"items\":[" ITEM_BAD(400, "m") "," ITEM_BAD(429, "busy") "," ITEM(
		 201) "]}",
		FAULT_THROTTLED, "item status 429: busy: no \"way\"", 1, 1},
	{"{\"errors\":true,\"items\":[" ITEM(201) "," ITEM(201) "," ITEM_BAD(503, "away") "]}",
		FAULT_SERVER, "item status 503: away: no \"way\"", 2, 0},
	{"{\"errors\":true,\"items\":[" ITEM(201) "," ITEM(201) "," ITEM_BAD(403, "full") "]}",
		FAULT_AUTH, "item status 403: full: no \"way\"", 2, 0},
	{"{\"errors\":true,\"items\":[" ITEM(201) "," ITEM(201) "," ITEM_BAD(404, "none") "]}",
		FAULT_CONFIG, "item status 404: none: no \"way\"", 2, 0},
	/* what is said of the index blames no record */
	{"{\"errors\":true,\"items\":[" ITEM_BAD(400, "m") "," ITEM_BAD(
		 400, "index_closed_exception") "," ITEM(201) "]}",
		FAULT_CONFIG, "item status 400: index_closed_exception: no \"way\"", 1, 1},
	{"{\"errors\":true,\"items\":[" ITEM_PIPELINE "," ITEM_PIPELINE "," ITEM_PIPELINE "]}",
		FAULT_CONFIG,
		"item status 400: illegal_argument_exception: pipeline with id [a] does not exist"},
	{"{\"errors\":true,\"items\":[" ITEM_BAD(400, "illegal_argument_exception") "," ITEM(
		 201) "," ITEM(201) "]}",
		0, "x--"},
	{"{\"errors\":false,\"items\":[" ITEM(201) "," ITEM(201) "]}", FAULT_BODY,
		"the answer does not say what became of each of 3 records"},
	{"{\"errors\":false,\"items\":[" ITEM(201) "," ITEM(201) "," ITEM(201) "," ITEM(201) "]}",
		FAULT_BODY, "the answer does not say what became of each of 3 records"},
	{"{\"errors\":false,\"items\":[" ITEM(201) ",{}," ITEM(201) "]}", FAULT_BODY,
		"the answer has no status for record 2 of 3"},
	{"{\"errors\":false,\"items\":[" ITEM(201) "," ITEM_TEXT "," ITEM(201) "]}", FAULT_BODY,
		"the answer has no status for record 2 of 3"},
	{"{\"errors\":true}", FAULT_BODY,
		"the answer does not say what became of each of 3 records"},
	{"{}", FAULT_BODY, "the answer does not say what became of each of 3 records"},
};

START_TEST(bulk_answers)
{
	struct fault fault;
	int r = read_answer(&http_bulk, 200, bulk_rows[_i].answer, &fault);

	ck_assert_int_eq(r, bulk_rows[_i].outcome);
	if (r != 0) {
		ck_assert_str_eq(fault.text, bulk_rows[_i].text);
		ck_assert_uint_eq(parts.n_taken, bulk_rows[_i].n_taken);
		ck_assert_uint_eq(parts.n_refused, bulk_rows[_i].n_refused);
		ck_assert_int_eq(
			fault.wait_ns, r == FAULT_AUTH || r == FAULT_CONFIG ? HTTP_PATIENCE : 0);
		return;
	}
	for (size_t i = 0; i < 3; i++)
		ck_assert((parts.reasons && parts.reasons[i]) == (bulk_rows[_i].text[i] == 'x'));
	if (parts.n_refused > 1)
		ck_refused(0, "item status 400: mapper: no \"way\"");
}
END_TEST

START_TEST(bulk_causes)
{
	struct fault fault;

	part.n_records = 1;
	ck_assert_int_eq(read_answer(&http_bulk, 200,
				 "{\"errors\":true,\"items\":[" ITEM_CAUSED "]}", &fault),
		0);
	ck_refused(0,
		"item status 400: mapper_parsing_exception: failed to parse field [a]; caused by "
		"wrapped: so; caused by number_format_exception: For input string: \"abc\"");
}
END_TEST

START_TEST(bulk_no_json)
{
	struct fault fault;

	ck_assert_int_eq(read_answer(&http_bulk, 200, "<html>", &fault), FAULT_BODY);
	ck_assert_int_eq(read_answer(&http_bulk, 200, "", &fault), FAULT_BODY);
}
END_TEST

/* --- Loki --- */

/* FIRST, SECOND and THIRD as JSON strings */
#define FIRST_LINE                                                                                 \
	"\"{\\\"a\\\":1e400,\\\"a\\\":20481.835938,\\\"s\\\":\\\"\\\\ud800 "                       \
	"\\\\\\\"x\\\\\\\\\\\",\\\"u\\\":\\\"\xc3\xa9\\\"}\""
#define SECOND_LINE "\"{}\""
#define THIRD_LINE "\"{\\\"n\\\":18446744073709551616,\\\"z\\\":\\\"\\\\u0000\\\\u007f/\\\"}\""
#define STREAM "{\"stream\":{\"source\":\"acme\",\"provider\":\"cloud\""

START_TEST(loki)
{
	/* a record without a time of its own has that of its acceptance */
	ck_written(&http_loki,
		"{\"streams\":[" STREAM "},\"values\":[[\"1765455797460366001\"," FIRST_LINE
		"],[\"1765455797460366006\"," SECOND_LINE "],[\"1765455797460366002\"," THIRD_LINE
		"]]}]}");
	part.n_records = 1;
	part.records++;
	part.format = RECORD_ENVELOPE;
	ck_written(&http_loki,
		"{\"streams\":[" STREAM
		"},\"values\":[[\"1765455797460366006\",\"{\\\"source\\\":\\\"acme\\\","
		"\\\"provider\\\":\\\"cloud\\\",\\\"id\\\":"
		"\\\"abcd0000000000000000000000000000\\\",\\\"time\\\":null,\\\"record\\\":{}}\"]]}"
		"]}");
}
END_TEST

START_TEST(loki_labels)
{
	str_list_add(&options.labels, "n=/n");
	str_list_add(&options.labels, "job = a\"b");
	str_list_add(&options.labels, "u=/u");
	/* two records share their labels, and stand in their order though others are between */
	records[1] = records[2];
	records[2] = records[0];
	ck_written(&http_loki,
		"{\"streams\":[" STREAM ",\"job\":\"a\\\"b\",\"u\":\"\xc3\xa9\"},\"values\":"
		"[[\"1765455797460366001\"," FIRST_LINE "],[\"1765455797460366001\"," FIRST_LINE
		"]]}," STREAM ",\"n\":\"18446744073709551616\",\"job\":\"a\\\"b\"},\"values\":"
		"[[\"1765455797460366002\"," THIRD_LINE "]]}]}");
	str_list_deinit(&options.labels);
}
END_TEST

START_TEST(loki_answers)
{
	struct http_response response = {.status = 204};
	struct fault fault;

	ck_assert_int_eq(http_loki.read(&part, &response, &fault), 0);
	response.status = 200;
	ck_assert_int_eq(http_loki.read(&part, &response, &fault), 0);
	http_headers_add(&response.headers, "content-type", SLICE("text/html; charset=utf-8"));
	ck_assert_int_eq(unit_class(http_loki.read(&part, &response, &fault), &fault), FAULT_BODY);
	http_headers_deinit(&response.headers);
}
END_TEST

/* --- Splunk --- */

START_TEST(splunk)
{
	options.sourcetype = (char *)"_json";
	ck_written(&http_splunk,
		"{\"time\":1765455797.460,\"source\":\"acme\",\"sourcetype\":\"_json\","
		"\"event\":" FIRST "}{\"time\":1765455797.460,\"source\":\"acme\",\"sourcetype\":"
		"\"_json\",\"event\":" SECOND
		"}{\"time\":1765455797.460,\"source\":\"acme\",\"sourcetype\":\"_json\","
		"\"event\":" THIRD "}");
	options.host = (char *)"h\"";
	options.source = (char *)"s";
	options.sourcetype = (char *)"";
	options.index = (char *)"i";
	part.n_records = 1;
	part.format = RECORD_ENVELOPE;
	ck_written(&http_splunk, "{\"time\":1765455797.460,\"host\":\"h\\\"\",\"source\":\"s\","
				 "\"index\":\"i\",\"event\":" ENVELOPE "}");
}
END_TEST

static const struct {
	nsec_t time;
	const char *text;
} splunk_times[] = {
	{0, "{\"time\":0.000,"},
	{999999, "{\"time\":0.000,"},
	{1999999, "{\"time\":0.001,"},
	{TIME, "{\"time\":1765455797.460,"},
	{-1, "{\"time\":-0.001,"},
	{-1500000000, "{\"time\":-1.500,"},
};

START_TEST(splunk_time_text)
{
	struct buf out = BUF_NULL;

	part.n_records = 1;
	records[0].view.time = splunk_times[_i].time;
	http_splunk.write(&part, &out);
	ck_assert_msg(str_starts(buf_text(&out), splunk_times[_i].text), "%s", buf_text(&out));
	buf_deinit(&out);
}
END_TEST

static const struct {
	bool ack;
	const char *type, *answer;
	int outcome;
	int64_t receipt;
} splunk_rows[] = {
	{false, "application/json", "{\"text\":\"Success\",\"code\":0}", 0, -1},
	{false, "application/json", "{\"code\":\"0\"}", 0, -1},
	{false, "application/json", "{\"code\":0,\"ackId\":3}", 0, -1}, /* nobody asked for one */
	{false, "application/json", "{\"text\":\"Busy\",\"code\":9}", FAULT_BODY, -1},
	{false, "application/json", "{\"text\":\"Busy\",\"code\":\"9\"}", FAULT_BODY, -1},
	{false, "application/json", "{\"text\":\"?\",\"code\":true}", FAULT_BODY, -1},
	/* what only speaks like a HEC says less, and has the records all the same */
	{false, "application/json", "{}", 0, -1},
	{false, "application/json", "{\"text\":\"Success\"}", 0, -1},
	{false, "application/json", "{\"code\":null}", 0, -1},
	{false, "text/plain", "ok", 0, -1},
	{false, "", "", 0, -1},
	{false, "application/json", "{\"text\":\"Succ", FAULT_BODY, -1},
	/* but for a page for people, which is another server's */
	{false, "text/html; charset=utf-8", "<html>", FAULT_BODY, -1},
	{true, "application/json", "{\"code\":0,\"ackId\":3}", 0, 3},
	{true, "application/json", "{\"ackId\":3}", 0, 3},
	{true, "application/json", "{\"code\":0}", FAULT_CONFIG, -1},
	{true, "application/json", "{\"code\":0,\"ackId\":\"x\"}", FAULT_CONFIG, -1},
	{true, "text/plain", "ok", FAULT_CONFIG, -1},
};

START_TEST(splunk_answers)
{
	struct fault fault;

	options.ack = splunk_rows[_i].ack;
	part.receipt = -1;
	ck_assert_int_eq(
		read_typed(&http_splunk, 200, splunk_rows[_i].type, splunk_rows[_i].answer, &fault),
		splunk_rows[_i].outcome);
	ck_assert_int_eq(part.receipt, splunk_rows[_i].receipt);
	if (fault.class == FAULT_CONFIG)
		ck_assert_int_eq(fault.wait_ns, HTTP_PATIENCE);
}
END_TEST

static const struct {
	const char *url, *wanted;
} splunk_urls[] = {
	{"https://h:8088/services/collector/event",
		"https://h:8088/services/collector/ack?channel=C"},
	{"https://h/services/collector", "https://h/services/collector/ack?channel=C"},
	{"https://h/services/collector/", "https://h/services/collector/ack?channel=C"},
	{"https://h/p/services/collector/event?a=b",
		"https://h/p/services/collector/ack?channel=C"},
};

START_TEST(splunk_receipts)
{
	struct http_message message = HTTP_MESSAGE_NULL;
	struct http_response response = {.status = 200};
	struct fault fault = FAULT_NULL;
	struct http_part later = part;
	const struct http_part *asked[] = {&part, &later};
	bool confirmed = true;

	options.ack = true;
	options.url = (char *)splunk_urls[_i].url;
	part.channel = "C";
	part.receipt = 12;
	later.receipt = 7;
	http_splunk.ask(asked, 1, &message);
	ck_assert_str_eq(message.url, splunk_urls[_i].wanted);
	ck_assert_str_eq(buf_text(&message.body), "{\"acks\":[12]}");
	ck_assert_str_eq(message.method, "POST");
	buf_clear(&message.body);
	http_splunk.ask(asked, 2, &message);
	ck_assert_str_eq(message.url, splunk_urls[_i].wanted);
	ck_assert_str_eq(buf_text(&message.body), "{\"acks\":[12,7]}");
	ck_assert(slice_is(http_headers_get(&message.headers, "X-Splunk-Request-Channel"), "C"));
	buf_append_text(&response.body, "{\"acks\":{\"1\":true,\"12\":false}}");
	ck_assert_int_eq(http_splunk.confirmed(&part, &response, &confirmed, &fault), 0);
	ck_assert(!confirmed);
	buf_clear(&response.body);
	buf_append_text(&response.body, "{\"acks\":{\"1\":false,\"12\":true}}");
	ck_assert_int_eq(http_splunk.confirmed(&part, &response, &confirmed, &fault), 0);
	ck_assert(confirmed);
	buf_append_text(&response.body, "?");
	ck_assert_int_eq(
		unit_class(http_splunk.confirmed(&part, &response, &confirmed, &fault), &fault),
		FAULT_BODY);
	ck_assert(!confirmed);
	buf_deinit(&response.body);
	http_message_deinit(&message);
}
END_TEST

/* --- OpenTelemetry --- */

#define OTLP_HEAD                                                                                  \
	"{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"   \
	"{\"stringValue\":\"trawld\"}}]},\"scopeLogs\":[{\"scope\":{\"name\":\"trawld\"},"         \
	"\"logRecords\":["
#define OTLP_ID                                                                                    \
	"},\"attributes\":[{\"key\":\"trawld.source\",\"value\":{\"stringValue\":\"acme\"}},"      \
	"{\"key\":\"trawld.provider\",\"value\":{\"stringValue\":\"cloud\"}},"                     \
	"{\"key\":\"trawld.record_id\",\"value\":{\"stringValue\":\""
#define OTLP_TAIL "\"}}]}"
#define OTLP_SEEN "\"observedTimeUnixNano\":\"1765455797460366006\",\"body\":{\"stringValue\":"

static const char otlp_wanted[] =
	OTLP_HEAD "{\"timeUnixNano\":\"1765455797460366001\"," OTLP_SEEN FIRST_LINE OTLP_ID
		  "id-\\\"1\\\"" OTLP_TAIL ",{" OTLP_SEEN SECOND_LINE OTLP_ID
		  "abcd0000000000000000000000000000" OTLP_TAIL
		  ",{\"timeUnixNano\":\"1765455797460366002\"," OTLP_SEEN THIRD_LINE OTLP_ID
		  "3" OTLP_TAIL "]}]}]}";

START_TEST(otlp)
{
	ck_written(&http_otlp, otlp_wanted);
}
END_TEST

/* Whatever a receiver calls what it says: only a page for people is not its own. */
static const struct {
	const char *type, *answer;
	int outcome;
} otlp_typed_rows[] = {
	{"", "", 0},
	{"application/json", "", 0},
	{"application/x-protobuf", "", 0},
	{"application/x-protobuf", "\x0a\x02\x08\x00", 0},
	{"text/plain; charset=utf-8", "OK", 0},
	{"application/octet-stream", "\xff\xfe", 0},
	{"text/html", "", FAULT_BODY},
	{"Text/HTML; charset=utf-8", "<html>welcome", FAULT_BODY},
};

START_TEST(otlp_typed_answers)
{
	struct fault fault;

	ck_assert_int_eq(read_typed(&http_otlp, 200, otlp_typed_rows[_i].type,
				 otlp_typed_rows[_i].answer, &fault),
		otlp_typed_rows[_i].outcome);
	ck_assert_uint_eq(parts.n_refused, 0);
	if (fault.class != FAULT_NONE)
		ck_assert_msg(strstr(fault.text, "check url"), "%s", fault.text);
}
END_TEST

static const struct {
	const char *answer;
	int outcome;
	size_t n_refused;
	const char *reason;
} otlp_rows[] = {
	{"", 0, 0, NULL},
	{"{}", 0, 0, NULL},
	{"{\"partialSuccess\":{}}", 0, 0, NULL},
	{"{\"partialSuccess\":{\"rejectedLogRecords\":\"0\",\"errorMessage\":\"slow\"}}", 0, 0,
		NULL},
	{"{\"partialSuccess\":{\"rejectedLogRecords\":\"2\",\"errorMessage\":\"no \\\"way\\\"\"}}",
		0, 3,
		"the receiver rejected 2 of the 3 records of a request and did not say which; all "
		"are kept here: no \"way\""},
	{"{\"partialSuccess\":{\"rejectedLogRecords\":3}}", 0, 3,
		"the receiver rejected every record of the request"},
	{"{\"partialSuccess\":{\"rejectedLogRecords\":\"some\"}}", 0, 3,
		"the receiver rejected records of a request and did not say how many; all 3 are "
		"kept here"},
	{"{\"partial_success\":{\"rejected_log_records\":\"3\",\"error_message\":\"no\"}}", 0, 3,
		"the receiver rejected every record of the request: no"},
	/* any other answer of 2xx says that all is taken */
	{"{\"partialSuccess\":null}", 0, 0, NULL},
	{"[]", 0, 0, NULL},
	{"ok", 0, 0, NULL},
	{"\n\x04rest", 0, 0, NULL},
	/* half a JSON object says nothing */
	{"{\"partialSuccess\":{\"rejectedLogRecords\":2", FAULT_BODY, 0, NULL},
};

START_TEST(otlp_answers)
{
	struct fault fault;

	ck_assert_int_eq(
		read_answer(&http_otlp, 200, otlp_rows[_i].answer, &fault), otlp_rows[_i].outcome);
	ck_assert_uint_eq(parts.n_refused, otlp_rows[_i].n_refused);
	for (size_t i = 0; i < otlp_rows[_i].n_refused; i++)
		ck_refused(i, otlp_rows[_i].reason);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, names_and_rows);
	tcase_add_test(tcase, ndjson);
	tcase_add_test(tcase, json_array);
	tcase_add_test(tcase, bulk);
	tcase_add_test(tcase, bulk_long_ids);
	tcase_add_loop_test(tcase, bulk_answers, 0, sizeof(bulk_rows) / sizeof(bulk_rows[0]));
	tcase_add_test(tcase, bulk_causes);
	tcase_add_test(tcase, bulk_no_json);
	tcase_add_test(tcase, loki);
	tcase_add_test(tcase, loki_labels);
	tcase_add_test(tcase, loki_answers);
	tcase_add_test(tcase, splunk);
	tcase_add_loop_test(tcase, splunk_time_text, 0, N(splunk_times));
	tcase_add_loop_test(tcase, splunk_answers, 0, N(splunk_rows));
	tcase_add_loop_test(tcase, splunk_receipts, 0, N(splunk_urls));
	tcase_add_test(tcase, otlp);
	tcase_add_loop_test(tcase, otlp_typed_answers, 0, N(otlp_typed_rows));
	tcase_add_loop_test(tcase, otlp_answers, 0, N(otlp_rows));
}

int main(void)
{
	Suite *suite = suite_create("http_encodings");
	TCase *tcase = tcase_create("http_encodings");

	tcase_add_checked_fixture(tcase, setup, teardown);
	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
