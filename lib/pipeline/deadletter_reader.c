/* See deadletter.h: a line of a file of dead letters. Those of older versions lack some members. */
#include "pipeline/deadletter.h"

#include "base/digest.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/json_lookup.h"
#include "base/mem.h"
#include "base/timestamp.h"

enum member {
	MEMBER_TIME,
	MEMBER_SOURCE,
	MEMBER_PROVIDER,
	MEMBER_ID,
	MEMBER_KEY,
	MEMBER_RECORD_TIME,
	MEMBER_REASON,
	MEMBER_JOB,
	MEMBER_RECORD,
	MEMBER_BYTES, /* of a record that is not UTF-8 */
	N_MEMBERS
};

static const char *const member_pointers[N_MEMBERS] = {
	[MEMBER_TIME] = "/time",
	[MEMBER_SOURCE] = "/source",
	[MEMBER_PROVIDER] = "/provider",
	[MEMBER_ID] = "/id",
	[MEMBER_KEY] = "/key",
	[MEMBER_RECORD_TIME] = "/record_time",
	[MEMBER_REASON] = "/reason",
	[MEMBER_JOB] = "/job",
	[MEMBER_RECORD] = "/record",
	[MEMBER_BYTES] = "/record_base64",
};

struct deadletter_reader {
	struct json_lookup *lookup;
	const struct slice *values; /* of the line */
	struct buf texts[N_MEMBERS];
	struct buf bytes;
};

struct deadletter_reader *deadletter_reader_new(void)
{
	struct deadletter_reader *reader = MEM_NEW(struct deadletter_reader);

	reader->lookup = json_lookup_parse(member_pointers, N_MEMBERS);
	return reader;
}

void deadletter_reader_free(struct deadletter_reader **reader)
{
	if (!*reader)
		return;
	json_lookup_free((*reader)->lookup);
	for (size_t i = 0; i < N_MEMBERS; i++)
		buf_deinit(&(*reader)->texts[i]);
	buf_deinit(&(*reader)->bytes);
	free(*reader);
	*reader = NULL;
}

/* The text of a string; SLICE_NULL for anything else. */
static struct slice member_text(struct deadletter_reader *reader, enum member member)
{
	struct slice value = reader->values[member];

	if (!value.data || json_kind_of(value) != JSON_KIND_STRING)
		return SLICE_NULL;
	return json_content(value, &reader->texts[member]);
}

static struct slice text_or_empty(struct slice text)
{
	return text.data ? text : SLICE("");
}

static nsec_t member_time(struct deadletter_reader *reader, enum member member)
{
	nsec_t time = NSEC_NONE;

	if (timestamp_parse_rfc3339(member_text(reader, member), &time) != 0)
		return NSEC_NONE;
	return time;
}

bool deadletter_read(struct deadletter_reader *reader, struct slice line, struct deadletter *ret)
{
	struct slice key, id, bytes;

	*ret = (struct deadletter){0};
	if (json_lookup_run(reader->lookup, line, &reader->values, NULL) != 0 ||
		!reader->values[MEMBER_RECORD].data)
		return false;
	ret->record = reader->values[MEMBER_RECORD];
	bytes = member_text(reader, MEMBER_BYTES);
	if (bytes.data) {
		buf_clear(&reader->bytes);
		if (decode_base64(bytes, &reader->bytes) != 0)
			return false;
		ret->record = buf_slice(&reader->bytes);
	}
	ret->source = member_text(reader, MEMBER_SOURCE);
	ret->time = member_time(reader, MEMBER_TIME);
	if (!ret->source.data || ret->time == NSEC_NONE)
		return false;
	ret->provider = text_or_empty(member_text(reader, MEMBER_PROVIDER));
	ret->reason = text_or_empty(member_text(reader, MEMBER_REASON));
	ret->job = text_or_empty(member_text(reader, MEMBER_JOB));
	ret->record_time = member_time(reader, MEMBER_RECORD_TIME);
	key = member_text(reader, MEMBER_KEY);
	id = member_text(reader, MEMBER_ID);
	if (!digest_parse_hex(text_or_empty(key), ret->key.bytes, sizeof(ret->key.bytes)))
		ret->key = digest_id(line); /* nothing else has it */
	ret->id = id.size > 0 && !slice_equal(id, key) ? id : SLICE_NULL;
	return true;
}
