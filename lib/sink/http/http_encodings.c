/*
 * The array of encodings: a new one is one file and one row in each list here. And those without a
 * protocol: records one a line, or as one JSON array.
 */
#include "sink/http/http_encoding.h"

#include <strings.h>

#include "base/json_lookup.h"
#include "base/str.h"

static void ndjson_write(const struct http_part *part, struct buf *out)
{
	for (size_t i = 0; i < part->n_records; i++) {
		sink_record_print(&part->records[i], part->format, out);
		buf_append_char(out, '\n');
	}
}

static void json_array_write(const struct http_part *part, struct buf *out)
{
	for (size_t i = 0; i < part->n_records; i++) {
		buf_append_char(out, i == 0 ? '[' : ',');
		sink_record_print(&part->records[i], part->format, out);
	}
	buf_append_char(out, ']');
}

const struct http_encoding http_ndjson = {
	.name = "ndjson",
	.content_type = "application/x-ndjson",
	.write = ndjson_write,
};

const struct http_encoding http_json_array = {
	.name = "json_array",
	.content_type = "application/json",
	.write = json_array_write,
};

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
	if (r || text.size == 0 || text.data[0] != '{')
		return r;
	return json_lookup_once(texts, n, text, ret, reterr);
}
