/* What an answer leads to, by status, body and encoding. */
#include "sink/http/http_verdict.h"

#include "check_unit.h"

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

static const struct {
	const struct http_encoding *encoding;
	int status;
	const char *type, *body;
	enum http_verdict wanted;
	nsec_t wait_ns; /* at least */
	const char *words; /* of the message, or NULL */
} rows[] = {
	{&http_ndjson, 200, "text/plain", "ok", HTTP_TAKEN, 0, NULL},
	{&http_ndjson, 400, "text/plain", "no", HTTP_HALVE, 0, "HTTP 400 Bad Request: no"},
	{&http_ndjson, 400, "application/json", "{\"code\":7}", HTTP_HALVE, 0, NULL},
	{&http_ndjson, 400, "text/html", "No required SSL certificate was sent", HTTP_LATER,
		HTTP_PATIENCE, NULL},
	{&http_ndjson, 413, "text/html", "", HTTP_HALVE, 0, NULL},
	{&http_ndjson, 422, "text/plain", "", HTTP_HALVE, 0, NULL},
	{&http_ndjson, 401, "text/plain", "", HTTP_RENEW, 0, NULL},
	{&http_ndjson, 403, "text/plain", "", HTTP_RENEW, 0, NULL},
	{&http_ndjson, 404, "text/plain", "", HTTP_LATER, HTTP_PATIENCE, "check url"},
	{&http_ndjson, 409, "text/plain", "", HTTP_LATER, 0, NULL},
	{&http_ndjson, 429, "text/plain", "", HTTP_LATER, 0, NULL},
	{&http_ndjson, 503, "text/plain", "", HTTP_LATER, 0, NULL},
	/* HEC: which code blames an event */
	{&http_splunk, 400, "", "{\"text\":\"x\",\"code\":5}", HTTP_HALVE, 0, NULL},
	{&http_splunk, 400, "", "{\"text\":\"x\",\"code\":6}", HTTP_HALVE, 0, NULL},
	{&http_splunk, 400, "", "{\"code\":12,\"invalid-event-number\":3}", HTTP_HALVE, 0, NULL},
	{&http_splunk, 400, "", "{\"text\":\"x\",\"code\":13}", HTTP_HALVE, 0, NULL},
	{&http_splunk, 400, "", "{\"text\":\"x\",\"code\":15}", HTTP_HALVE, 0, NULL},
	{&http_splunk, 400, "", "{\"text\":\"x\",\"code\":1}", HTTP_LATER, HTTP_PATIENCE, NULL},
	{&http_splunk, 400, "", "{\"text\":\"x\",\"code\":7}", HTTP_LATER, HTTP_PATIENCE,
		"set index"},
	{&http_splunk, 400, "", "{\"text\":\"x\",\"code\":10}", HTTP_LATER, HTTP_PATIENCE,
		"set ack = yes"},
	{&http_splunk, 400, "", "{\"text\":\"x\",\"code\":11}", HTTP_LATER, HTTP_PATIENCE,
		"set ack = yes"},
	{&http_splunk, 400, "", "{\"text\":\"x\",\"code\":14}", HTTP_LATER, HTTP_PATIENCE,
		"set ack = no"},
	{&http_splunk, 400, "", "{\"text\":\"x\",\"code\":99}", HTTP_LATER, HTTP_PATIENCE, NULL},
	{&http_splunk, 400, "", "{\"text\":\"x\"}", HTTP_HALVE, 0, NULL},
	{&http_splunk, 400, "", "no", HTTP_HALVE, 0, NULL},
	{&http_splunk, 413, "", "{\"code\":7}", HTTP_HALVE, 0, NULL},
	/* _bulk, refused whole */
	{&http_bulk, 400, "",
		"{\"error\":{\"type\":\"invalid_index_name_exception\",\"reason\":\"x\"}}",
		HTTP_LATER, HTTP_PATIENCE, NULL},
	{&http_bulk, 400, "",
		"{\"error\":{\"type\":\"illegal_argument_exception\",\"reason\":\"Malformed\"}}",
		HTTP_HALVE, 0, NULL},
	/* OTLP in another encoding than the request's */
	{&http_otlp, 400, "application/x-protobuf", "\n\x02no", HTTP_LATER, HTTP_PATIENCE,
		"another encoding"},
	{&http_otlp, 400, "application/json", "{\"code\":3}", HTTP_HALVE, 0, NULL},
};

START_TEST(verdicts)
{
	struct http_options options = {.url = (char *)"https://h/x"};
	struct http_parts parts = HTTP_PARTS_NULL;
	struct http_part part = {.options = &options, .parts = &parts, .receipt = -1};
	struct http_response response = {.status = rows[_i].status, .server_time = NSEC_NONE};
	struct fault fault = FAULT_NULL;
	enum http_verdict found;

	http_headers_add(&response.headers, "Content-Type", slice_of(rows[_i].type));
	buf_append_text(&response.body, rows[_i].body);
	found = http_verdict(rows[_i].encoding, &part, &response, &fault);
	ck_assert_msg(found == rows[_i].wanted, "row %d: %d, %s", _i, (int)found, fault.text);
	ck_assert_msg(fault.wait_ns >= rows[_i].wait_ns, "row %d", _i);
	ck_assert_msg(!rows[_i].words || strstr(fault.text, rows[_i].words), "row %d: %s", _i,
		fault.text);
	if (found == HTTP_LATER)
		ck_assert_int_eq(fault.status, rows[_i].status);
	http_headers_deinit(&response.headers);
	buf_deinit(&response.body);
}
END_TEST

static const char *const words[][2] = {
	{"", ""},
	{"HTTP 400 Bad Request: no", "HTTP 400 Bad Request: no"},
	{"id 550e8400-e29b-41d4-a716-446655440000, no", "id *, no"},
	{"{\"request\":\"8YZ8X-2K4PL-9M3QR\"}", "{\"request\":\"*\"}"},
	{"Ray ID: 7d9f8a7b6c5d4e3f", "Ray ID: *"},
	/* neither times nor numbers nor words */
	{"2025-12-11T12:23:17.460366Z", "2025-12-11T12:23:17.460366Z"},
	{"1765455797460366001", "1765455797460366001"},
	{"illegal_argument_exception", "illegal_argument_exception"},
};

/* Only 400, 413 and 422 say that a record may be to blame, whatever else there is in use. */
START_TEST(statuses_that_blame_records)
{
	struct http_part part = {.receipt = -1};

	for (int status = 300; status <= 499; status++) {
		bool blames = status == 400 || status == 413 || status == 422;
		bool credential = status == 401 || status == 403;
		struct http_response response = {.status = status, .server_time = NSEC_NONE};
		struct fault fault = FAULT_NULL;
		enum http_verdict found = http_verdict(&http_ndjson, &part, &response, &fault);

		ck_assert_msg(found == (blames              ? HTTP_HALVE
					       : credential ? HTTP_RENEW
							    : HTTP_LATER),
			"status %d: %d", status, (int)found);
	}
}
END_TEST

START_TEST(what_is_the_same)
{
	struct buf out = BUF_NULL;

	http_verdict_words(words[_i][0], &out);
	ck_assert_str_eq(buf_text(&out), words[_i][1]);
	buf_deinit(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_verdict");
	TCase *tcase = tcase_create("http_verdict");

	tcase_add_loop_test(tcase, verdicts, 0, N(rows));
	tcase_add_test(tcase, statuses_that_blame_records);
	tcase_add_loop_test(tcase, what_is_the_same, 0, N(words));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
