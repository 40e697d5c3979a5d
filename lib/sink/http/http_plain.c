/* The encodings without a protocol: records one a line, or as one JSON array. */
#include "sink/http/http_encoding.h"

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
