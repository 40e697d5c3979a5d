/* The array of encodings. A new one is one file and one row in each list here. */
#include "sink/http/http_encoding.h"

#include <assert.h>
#include <strings.h>

#include "base/json_scanner.h"
#include "base/str.h"

const struct http_encoding *const http_encodings[] = {
	&http_ndjson,
	&http_json_array,
	&http_bulk,
	&http_loki,
	&http_splunk,
	&http_otlp,
};

const char *const http_encoding_names[] = {
	"ndjson",
	"json_array",
	"elasticsearch",
	"loki",
	"splunk_hec",
	"otlp",
	NULL,
};

const char *const http_otlp_formats[] = {"json", "protobuf", NULL};

const struct http_encoding *http_encoding_of(const struct http_options *options)
{
	const struct http_encoding *encoding = http_encodings[options->encoding];

	return encoding == &http_otlp && options->otlp_format == 1 ? &http_otlp_protobuf : encoding;
}

int http_answer_find(const struct http_response *response, const char *const *texts, size_t n,
	struct slice *ret, struct fault *reterr)
{
	struct pointer pointers[HTTP_ANSWER_VALUES] = {0};
	const struct pointer *wanted_pointers[HTTP_ANSWER_VALUES];
	struct json_scanner_wanted wanted = {.envelope = wanted_pointers, .n_envelope = n};
	struct json_scan scan = JSON_SCAN_NULL;
	struct json_scanner *plan;
	int r;

	assert(n <= HTTP_ANSWER_VALUES);
	for (size_t i = 0; i < n; i++) {
		pointer_parse(&pointers[i], slice_of(texts[i]));
		wanted_pointers[i] = &pointers[i];
	}
	plan = json_scanner_new(&wanted);
	r = json_scanner_run(plan, buf_slice(&response->body), &scan, reterr);
	for (size_t i = 0; i < n && r == 0; i++)
		ret[i] = scan.envelope[i];
	json_scan_deinit(&scan);
	json_scanner_free(plan);
	for (size_t i = 0; i < n; i++)
		pointer_deinit(&pointers[i]);
	return r;
}

int http_answer_check_page(const struct http_response *response, struct fault *reterr)
{
	struct slice type = http_headers_get(&response->headers, "Content-Type");

	if (response->status == 204 || type.size < 9 || strncasecmp(type.data, "text/html", 9) != 0)
		return 0;
	return fault_set(reterr, FAULT_BODY,
		"HTTP %d with a web page, which no receiver of records sends (check url)",
		response->status);
}

int http_answer_find_any(const struct http_response *response, const char *const *texts, size_t n,
	struct slice *ret, struct fault *reterr)
{
	struct slice text = str_trim(buf_slice(&response->body));
	int r = http_answer_check_page(response, reterr);

	for (size_t i = 0; i < n; i++)
		ret[i] = SLICE_NULL;
	if (r != 0 || text.size == 0 || text.data[0] != '{')
		return r;
	return http_answer_find(response, texts, n, ret, reterr);
}
