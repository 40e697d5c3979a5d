/*
 * Splunk's HTTP Event Collector: event objects one after the other, the record inside unchanged.
 * With `ack = yes` the answer is a receipt only: what it stands for is delivered once the indexer
 * says so, which is asked for until then.
 */
#include "sink/http/http_encoding.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/json_lookup.h"
#include "base/mem.h"
#include "base/number.h"
#include "net/outcome.h"
#include "net/url.h"

static void splunk_check(const struct http_options *options, const struct ini_section *section,
	struct findings *findings)
{
	const struct ini_entry *entry = ini_section_find(section, "ack_timeout");

	if (entry && !options->ack)
		findings_add(findings, entry->file, entry->line, "ack_timeout needs ack = yes");
}

/* Seconds with milliseconds; the fraction counts upwards from the second before, also before 1970.
 */
static void splunk_time(nsec_t time, struct buf *out)
{
	int64_t ms = time / NSEC_PER_MSEC - (time % NSEC_PER_MSEC < 0);
	int64_t size = ms < 0 ? -ms : ms;

	buf_printf(out, "%s%" PRId64 ".%03" PRId64, ms < 0 ? "-" : "", size / 1000, size % 1000);
}

static void splunk_member(const char *name, const char *value, struct buf *out)
{
	if (!value || !*value)
		return;
	buf_printf(out, ",\"%s\":", name);
	json_encode(slice_of(value), out);
}

static void splunk_write(const struct http_part *part, struct buf *out)
{
	const struct http_options *options = part->options;

	for (size_t i = 0; i < part->n_records; i++) {
		const struct sink_record *record = &part->records[i];
		nsec_t time = record->view.time;

		buf_append_text(out, "{\"time\":");
		splunk_time(time == NSEC_NONE ? record->batch->accepted_time : time, out);
		splunk_member("host", options->host, out);
		splunk_member(
			"source", options->source ? options->source : record->batch->source, out);
		splunk_member("sourcetype", options->sourcetype, out);
		splunk_member("index", options->index, out);
		buf_append_text(out, ",\"event\":");
		sink_record_print(record, part->format, out);
		buf_append_char(out, '}');
	}
}

static void splunk_prepare(const struct http_part *part, struct http_message *message)
{
	if (part->options->ack)
		http_headers_set(
			&message->headers, "X-Splunk-Request-Channel", slice_of(part->channel));
}

/* The codes of status 400 that speak of an event; the others do of the token, the index, the
 * channel or the queues. */
static bool splunk_blames_event(int64_t code)
{
	switch (code) {
	case 5: /* no data */
	case 6: /* invalid data format */
	case 12: /* event field is required */
	case 13: /* event field cannot be blank */
	case 15: /* error in handling indexed fields */
		return true;
	default:
		return false;
	}
}

static bool splunk_is_own_trouble(const struct http_response *response, const char **ret_advice)
{
	static const char *const texts[] = {"/code"};
	struct slice value;
	int64_t code;

	if (json_lookup_once(texts, 1, buf_slice(&response->body), &value, NULL) != 0 ||
		!value.data || number_parse(value, 0, INT64_MAX, &code) != 0 ||
		splunk_blames_event(code))
		return false;
	if (code == 10 || code == 11)
		*ret_advice = "set ack = yes, or switch off indexer acknowledgement for the token";
	else if (code == 14)
		*ret_advice = "set ack = no, or switch on indexer acknowledgement for the token";
	else if (code == 7)
		*ret_advice = "allow the index for the token, or set index";
	return true;
}

/* A HEC says code 0. What only speaks like one may say nothing at all. */
static int splunk_read(
	struct http_part *part, const struct http_response *response, struct fault *reterr)
{
	static const char *const texts[] = {"/code", "/ackId"};
	CLEANUP(buf_deinit) struct buf scratch = BUF_NULL;
	CLEANUP(buf_deinit) struct buf shown = BUF_NULL;
	struct slice values[2];
	struct slice code;
	int r = http_answer_find_any(response, texts, 2, values, reterr);

	if (r)
		return r;
	code = values[0].data ? json_content(values[0], &scratch) : SLICE_NULL;
	if (code.data && !slice_is(code, "0") && !slice_is(code, "null")) {
		http_excerpt(code, 20, &shown);
		return fault_set(reterr, FAULT_BODY, "HTTP %d with the code %s", response->status,
			buf_text(&shown));
	}
	if (!part->options->ack)
		return 0;
	if (!values[1].data || number_parse(values[1], 0, INT64_MAX, &part->receipt) != 0) {
		fault_set(reterr, FAULT_CONFIG,
			"the response has no ackId: switch on indexer acknowledgement for the token, or set ack = no");
		reterr->wait_ns = HTTP_PATIENCE;
		return -1;
	}
	return 0;
}

/* .../services/collector[/event] becomes .../services/collector/ack?channel=... */
static void splunk_ask(const struct http_part *const *asked, size_t n, struct http_message *message)
{
	const struct http_part *part = asked[0]; /* the channel is one for all */
	struct buf url = BUF_NULL;
	struct url_parts parts;
	size_t size = 0;

	if (url_split(part->options->url, &parts) == 0)
		size = (size_t)(parts.path.data - part->options->url) + parts.path.size;
	buf_append(&url, part->options->url, size);
	if (str_ends(buf_text(&url), "/event"))
		url.size -= strlen("/event");
	else if (str_ends(buf_text(&url), "/"))
		url.size--;
	buf_append_text(&url, "/ack?channel=");
	buf_append_text(&url, part->channel);
	free(message->url);
	message->url = buf_take(&url);
	free(message->method);
	message->method = mem_strdup("POST");
	for (size_t i = 0; i < n; i++)
		buf_printf(&message->body, "%s%" PRId64, i == 0 ? "{\"acks\":[" : ",",
			asked[i]->receipt);
	buf_append_text(&message->body, "]}");
	splunk_prepare(part, message);
}

static int splunk_confirmed(const struct http_part *part, const struct http_response *response,
	bool *ret, struct fault *reterr)
{
	char *text = mem_printf("/acks/%" PRId64, part->receipt);
	const char *const texts[] = {text};
	struct slice value;
	int r = json_lookup_once(texts, 1, buf_slice(&response->body), &value, reterr);

	free(text);
	*ret = !r && slice_is(value, "true");
	return r;
}

const struct http_encoding http_splunk = {
	.name = "splunk_hec",
	.content_type = "application/json",
	.check = splunk_check,
	.is_own_trouble = splunk_is_own_trouble,
	.prepare = splunk_prepare,
	.write = splunk_write,
	.read = splunk_read,
	.ask = splunk_ask,
	.confirmed = splunk_confirmed,
};
