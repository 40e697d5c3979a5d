/*
 * What receivers answer to requests with three records: _bulk of Elasticsearch, Splunk's event
 * collector, OTLP and the others. The first byte chooses the encoding, the second the status. No
 * record is refused twice.
 */
#include "sink/http/http_encoding.h"

#include "fuzz.h"

#define N_RECORDS 3

static struct batch *batch;
static struct sink_record records[N_RECORDS];

static void init(void)
{
	static const struct id key = {{1}};
	struct batch_cursor cursor = {0};
	batch = batch_new("acme", "cloud", 0);
	for (size_t i = 0; i < N_RECORDS; i++)
		batch_add(batch, SLICE("{}"), &key, SLICE("id"), NSEC_NONE);
	for (size_t i = 0; i < N_RECORDS; i++) {
		records[i].batch = batch;
		assert(batch_next(batch, &cursor, &records[i].view));
	}
}

static void read_answer(const struct http_encoding *encoding, struct http_part *part,
	const struct http_response *response)
{
	struct fault fault = FAULT_NULL;
	const char *advice = NULL;
	bool confirmed = false;
	int r = encoding->read ? encoding->read(part, response, &fault) : 0;
	assert((r != 0) == (fault.text[0] != '\0'));
	assert(part->parts->n_refused <= N_RECORDS);
	if (encoding->is_own_trouble)
		encoding->is_own_trouble(response, &advice);
	part->receipt = 7;
	if (encoding->confirmed)
		encoding->confirmed(part, response, &confirmed, &fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http_encoding *const encodings[] = {
		&http_bulk, &http_splunk, &http_otlp, &http_loki, &http_otlp_protobuf};
	struct slice rest = fuzz_input(data, size);
	struct http_options options = {.url = (char *)"https://h/x", .ack = true};
	struct sink_job job = {.records = records, .n_records = N_RECORDS, .id = "j"};
	struct http_response response = {.server_time = NSEC_NONE};
	struct http_parts parts = HTTP_PARTS_NULL;
	if (!batch)
		init();
	const struct http_encoding *encoding = encodings[fuzz_byte(&rest) % 5];
	response.status = (int)fuzz_byte(&rest) * 2 + 100;
	buf_append_slice(&response.body, rest);
	http_parts_begin(&parts, &job);
	size_t places[N_RECORDS] = {0, 1, 2};
	struct http_part part = {
		.options = &options,
		.parts = &parts,
		.places = places,
		.records = records,
		.n_records = N_RECORDS,
		.format = RECORD_RAW,
		.channel = "c",
	};
	read_answer(encoding, &part, &response);
	http_parts_deinit(&parts);
	buf_deinit(&response.body);
	return 0;
}
