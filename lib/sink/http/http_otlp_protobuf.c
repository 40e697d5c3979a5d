/*
 * OpenTelemetry logs (OTLP/HTTP) as protocol buffers: what http_otlp.c writes as JSON, in the form
 * that every receiver has to read. The numbers are those of opentelemetry/proto/logs/v1/logs.proto
 * and collector/logs/v1/logs_service.proto.
 */
#include "sink/http/http_otlp.h"

#include "base/cleanup.h"

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* --- writing --- */

static void put_varint(uint64_t value, struct buf *out)
{
	for (; value >= 0x80; value >>= 7)
		buf_append_char(out, (char)(value | 0x80));
	buf_append_char(out, (char)value);
}

static void put_bytes(unsigned field, struct slice value, struct buf *out)
{
	put_varint((uint64_t)field << 3 | WIRE_BYTES, out);
	put_varint(value.size, out);
	buf_append_slice(out, value);
}

static void put_fixed64(unsigned field, uint64_t value, struct buf *out)
{
	put_varint((uint64_t)field << 3 | WIRE_FIXED64, out);
	for (int i = 0; i < 64; i += 8)
		buf_append_char(out, (char)(value >> i));
}

/* FIELD: an AnyValue that is a string. */
static void put_string_value(unsigned field, struct slice text, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf value = BUF_NULL;

	put_bytes(1, text, &value);
	put_bytes(field, buf_slice(&value), out);
}

/* FIELD: a KeyValue. */
static void put_attribute(unsigned field, const char *name, struct slice text, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf pair = BUF_NULL;

	put_bytes(1, slice_of(name), &pair);
	put_string_value(2, text, &pair);
	put_bytes(field, buf_slice(&pair), out);
}

/* A LogRecord. A time before 1970 cannot be said and is left out. */
static void put_record(const struct sink_record *record, enum record_format format, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	char scratch[33];

	if (record->view.time != NSEC_NONE && record->view.time >= 0)
		put_fixed64(1, (uint64_t)record->view.time, out);
	sink_record_print(record, format, &text);
	put_string_value(5, buf_slice(&text), out);
	put_attribute(6, "trawld.source", slice_of(record->batch->source), out);
	put_attribute(6, "trawld.provider", slice_of(record->batch->provider), out);
	put_attribute(6, "trawld.record_id", batch_id_text(&record->view, scratch), out);
	put_fixed64(11, (uint64_t)record->batch->accepted_time, out);
}

/* ResourceLogs of one resource and one scope. */
static void protobuf_write(const struct http_part *part, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf resource = BUF_NULL;
	CLEANUP(buf_deinit) struct buf scope = BUF_NULL;
	CLEANUP(buf_deinit) struct buf logs = BUF_NULL;
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;

	put_attribute(1, "service.name", SLICE("trawld"), &resource);
	put_bytes(1, SLICE("trawld"), &scope);
	put_bytes(1, buf_slice(&scope), &logs);
	for (size_t i = 0; i < part->n_records; i++) {
		buf_clear(&record);
		put_record(&part->records[i], part->format, &record);
		put_bytes(2, buf_slice(&record), &logs);
	}
	buf_clear(&scope); /* from here: ResourceLogs up to the text of `logs` */
	put_bytes(1, buf_slice(&resource), &scope);
	put_varint(2 << 3 | WIRE_BYTES, &scope);
	put_varint(logs.size, &scope);
	put_varint(1 << 3 | WIRE_BYTES, out);
	put_varint(scope.size + logs.size, out);
	buf_append_slice(out, buf_slice(&scope));
	buf_append_slice(out, buf_slice(&logs));
}

/* --- the answer --- */

static void skip(struct slice *rest, size_t size)
{
	rest->data += size;
	rest->size -= size;
}

static bool take_varint(struct slice *rest, uint64_t *ret)
{
	uint64_t value = 0;

	for (size_t i = 0; i < rest->size && i < 10; i++) {
		value |= (uint64_t)(rest->data[i] & 0x7f) << (7 * i);
		if (!(rest->data[i] & 0x80)) {
			skip(rest, i + 1);
			*ret = value;
			return true;
		}
	}
	return false;
}

struct field {
	uint64_t number, value; /* of a varint */
	enum wire wire;
	struct slice bytes;
};

/* The next field of a message, or false: it ends, or it is not one. */
static bool take_field(struct slice *rest, struct field *ret)
{
	uint64_t key, size = 0;

	if (!take_varint(rest, &key))
		return false;
	*ret = (struct field){.number = key >> 3, .wire = (enum wire)(key & 7)};
	switch (ret->wire) {
	case WIRE_VARINT:
		return take_varint(rest, &ret->value);
	case WIRE_FIXED64:
		size = 8;
		break;
	case WIRE_FIXED32:
		size = 4;
		break;
	case WIRE_BYTES:
		if (!take_varint(rest, &size))
			return false;
		break;
	default:
		return false;
	}
	if (size > rest->size)
		return false;
	ret->bytes = (struct slice){rest->data, (size_t)size};
	skip(rest, (size_t)size);
	return true;
}

/* ExportLogsPartialSuccess. */
static void read_partial(struct http_part *part, struct slice rest)
{
	struct slice words = SLICE_NULL;
	struct field field;
	int64_t n = 0;

	while (take_field(&rest, &field)) {
		if (field.number == 1 && field.wire == WIRE_VARINT)
			n = field.value <= INT64_MAX ? (int64_t)field.value : -1;
		else if (field.number == 2 && field.wire == WIRE_BYTES)
			words = field.bytes;
	}
	if (n != 0)
		http_otlp_refuse(part, n, words);
}

/* No message begins as JSON does: that would be a group, which protocol buffers no longer have. */
static int protobuf_read(
	struct http_part *part, const struct http_response *response, struct fault *reterr)
{
	struct slice rest = buf_slice(&response->body);
	struct field field, last = {0};
	int r;

	if (rest.size > 0 && rest.data[0] == '{')
		return http_otlp_read(part, response, reterr);
	r = http_answer_check_page(response, reterr);
	if (r)
		return r;
	while (take_field(&rest, &field)) {
		if (field.number == 1 && field.wire == WIRE_BYTES)
			last = field;
	}
	if (last.number == 1)
		read_partial(part, last.bytes);
	return 0;
}

const struct http_encoding http_otlp_protobuf = {
	.name = "otlp",
	.content_type = "application/x-protobuf",
	.write = protobuf_write,
	.read = protobuf_read,
};
