/*
 * OpenTelemetry logs (OTLP/HTTP) in the JSON form of its protocol buffers: the record's text is the
 * body of a log record.
 *
 * A receiver may take a request in part, and then says how many records it rejected but not which;
 * the protocol forbids to send such a request again. So all of it is kept as refused: what was
 * delivered is there twice, nothing is lost.
 */
#include "sink/http/http_otlp.h"

#include <inttypes.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/number.h"
#include "net/outcome.h"

static void otlp_attribute(const char *name, struct slice value, struct buf *out)
{
	buf_printf(out, "{\"key\":\"%s\",\"value\":{\"stringValue\":", name);
	json_encode(value, out);
	buf_append_text(out, "}}");
}

static void otlp_record(
	const struct sink_record *record, enum record_format format, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	char scratch[33];

	buf_append_char(out, '{');
	if (record->view.time != NSEC_NONE)
		buf_printf(out, "\"timeUnixNano\":\"%" PRId64 "\",", record->view.time);
	buf_printf(out, "\"observedTimeUnixNano\":\"%" PRId64 "\",\"body\":{\"stringValue\":",
		record->batch->accepted_time);
	sink_record_print(record, format, &text);
	json_encode(buf_slice(&text), out);
	buf_append_text(out, "},\"attributes\":[");
	otlp_attribute("trawld.source", slice_of(record->batch->source), out);
	buf_append_char(out, ',');
	otlp_attribute("trawld.provider", slice_of(record->batch->provider), out);
	buf_append_char(out, ',');
	otlp_attribute("trawld.record_id", batch_id_text(&record->view, scratch), out);
	buf_append_text(out, "]}");
}

static void otlp_write(const struct http_part *part, struct buf *out)
{
	buf_append_text(out, "{\"resourceLogs\":[{\"resource\":{\"attributes\":[");
	otlp_attribute("service.name", SLICE("trawld"), out);
	buf_append_text(out, "]},\"scopeLogs\":[{\"scope\":{\"name\":\"trawld\"},\"logRecords\":[");
	for (size_t i = 0; i < part->n_records; i++) {
		if (i > 0)
			buf_append_char(out, ',');
		otlp_record(&part->records[i], part->format, out);
	}
	buf_append_text(out, "]}]}]}");
}

/* --- the answer --- */

void http_otlp_refuse(struct http_part *part, int64_t n, struct slice words)
{
	CLEANUP(buf_deinit) struct buf reason = BUF_NULL;
	size_t n_all = part->n_records;

	if (n < 0)
		buf_printf(&reason,
			"the receiver rejected records of a request and did not say how many; all %zu are kept here",
			n_all);
	else if ((size_t)n < n_all)
		buf_printf(&reason,
			"the receiver rejected %" PRId64
			" of the %zu records of a request and did not say which; all are kept here",
			n, n_all);
	else
		buf_append_text(&reason, "the receiver rejected every record of the request");
	if (words.size > 0) {
		buf_append_text(&reason, ": ");
		http_excerpt(words, 200, &reason);
	}
	if (n < 0 || (size_t)n < n_all)
		part->parts->accepted = true;
	for (size_t i = 0; i < n_all; i++)
		http_parts_refuse(part->parts, part->places[i], buf_text(&reason), NULL);
}

/* A receiver answers in the encoding of the request: one that does not has not read it. */
static bool otlp_is_own_trouble(const struct http_response *response, const char **ret_advice)
{
	struct slice type = http_headers_get(&response->headers, "Content-Type");

	if (type.size < 22 || strncasecmp(type.data, "application/x-protobuf", 22) != 0)
		return false;
	*ret_advice = "the receiver expects another encoding: set otlp_format = protobuf";
	return true;
}

/* A 64-bit integer is a string in this form of JSON; a number is allowed. Some receivers write the
 * names as the protocol buffers have them. */
int http_otlp_read(
	struct http_part *part, const struct http_response *response, struct fault *reterr)
{
	static const char *const texts[] = {"/partialSuccess/rejectedLogRecords",
		"/partialSuccess/errorMessage", "/partial_success/rejected_log_records",
		"/partial_success/error_message"};
	CLEANUP(buf_deinit) struct buf scratch = BUF_NULL;
	struct slice all[4], words, *values = all;
	int64_t n;
	int r = http_answer_find_any(response, texts, 4, all, reterr);

	if (!r && !all[0].data)
		values += 2;
	if (r || !values[0].data || json_kind_of(values[0]) == JSON_KIND_NULL)
		return r;
	if (number_parse(json_content(values[0], &scratch), 0, INT64_MAX, &n) != 0)
		n = -1;
	words = values[1].data ? json_content(values[1], &scratch) : SLICE_NULL;
	if (n != 0)
		http_otlp_refuse(part, n, words);
	return 0;
}

const struct http_encoding http_otlp = {
	.name = "otlp",
	.content_type = "application/json",
	.write = otlp_write,
	.read = http_otlp_read,
	.is_own_trouble = otlp_is_own_trouble,
};
