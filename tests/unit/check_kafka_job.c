/* What becomes of a job's records as messages, and the text of the position. */
#include <inttypes.h>
#include <stdio.h>

#include "check_unit.h"
#include "kafka_fixture.h"
#include "sink/kafka/kafka_position.h"

static struct kafka_job *two_batches(enum record_format format, enum kafka_key key)
{
	struct batch *batches[] = {kafka_batch("acme", 41, 0, 2), kafka_batch("b:c", 42, 2, 2)};

	return kafka_job_of(batches, 2, format, "audit.%{source}", key);
}

START_TEST(messages)
{
	static const struct {
		const char *topic, *source, *id, *value, *time;
		int64_t number;
	} expected[] = {
		{"audit.acme", "acme", "id-0", "{\"n\":0}", "2025-12-11T12:17:41.217279000Z", 41},
		{"audit.acme", "acme", "id-1", "{\"n\":1}", NULL, 41},
		{"audit.b_c", "b:c", "id-2", "{\"n\":2}", "2025-12-11T12:17:41.217279000Z", 42},
		{"audit.b_c", "b:c", "id-3", "{\"n\":3}", NULL, 42},
	};
	struct kafka_job *job = two_batches(RECORD_RAW, KAFKA_KEY_SOURCE);

	ck_assert_uint_eq(job->n_records, 4);
	ck_assert_int_eq(job->first, 41);
	ck_assert_int_eq(job->through, 42);
	ck_assert(!job->resent);
	for (size_t i = 0; i < 4; i++) {
		const struct kafka_record *record = &job->records[i];

		ck_assert_str_eq(record->topic, expected[i].topic);
		ck_assert_str_eq(record->source, expected[i].source);
		ck_assert(slice_is(record->key, expected[i].source));
		ck_assert(slice_is(record->id, expected[i].id));
		ck_assert(slice_is(record->value, expected[i].value));
		ck_assert_int_eq(record->number, expected[i].number);
		if (expected[i].time)
			ck_assert_msg(slice_is(record->time, expected[i].time), "%.*s",
				(int)record->time.size, record->time.data);
		else
			ck_assert_ptr_null(record->time.data);
	}
	kafka_job_free(job);
}
END_TEST

START_TEST(keys_and_format)
{
	struct kafka_job *job = two_batches(RECORD_ENVELOPE, KAFKA_KEY_ID);

	ck_assert(slice_is(job->records[3].key, "id-3"));
	ck_assert(slice_is(job->records[3].value,
		"{\"source\":\"b:c\",\"provider\":\"p\",\"id\":\"id-3\",\"time\":null,"
		"\"record\":{\"n\":3}}"));
	kafka_job_free(job);
	job = two_batches(RECORD_RAW, KAFKA_KEY_NONE);
	ck_assert_ptr_null(job->records[0].key.data);
	kafka_job_free(job);
}
END_TEST

/* Prints the position after JOB, and reads it into PLACE. */
static void pass_on(struct kafka_position *position, const struct kafka_job *job)
{
	struct buf text = BUF_NULL;

	kafka_position_print(position, job, "0123456789abcdef", &text);
	ck_assert_msg(kafka_position_parse(position, buf_slice(&text)), "%s", buf_text(&text));
	buf_deinit(&text);
}

/* A job is recognised by its records, and with those of them that were refused; others are not,
 * whatever their numbers. */
START_TEST(positions)
{
	struct kafka_position position = KAFKA_POSITION_NULL;
	struct batch *same = kafka_batch("acme", 7, 0, 3), *other = kafka_batch("acme", 7, 1, 3);
	struct batch *letters = kafka_batch("acme", -9, 0, 1);
	struct kafka_job *job = kafka_job_of(&same, 1, RECORD_RAW, "t", KAFKA_KEY_ID);
	struct kafka_job *again;
	struct kafka_job *foreign = kafka_job_of(&other, 1, RECORD_RAW, "t", KAFKA_KEY_ID);
	struct kafka_job *resent = kafka_job_of(&letters, 1, RECORD_RAW, "t", KAFKA_KEY_ID);

	ck_assert(!kafka_position_has(&position, job));
	job->records[1].refused = true;
	job->n_refused = 1;
	pass_on(&position, job);
	ck_assert_int_eq(position.through, 7);
	same = kafka_batch("acme", 7, 0, 3);
	again = kafka_job_of(&same, 1, RECORD_RAW, "t", KAFKA_KEY_ID);
	ck_assert(!kafka_position_has(&position, foreign));
	ck_assert(kafka_position_has(&position, again));
	ck_assert_uint_eq(again->n_refused, 1);
	ck_assert(!again->records[0].refused && again->records[1].refused);
	/* dead letters that are sent again do not make it forget */
	ck_assert(resent->resent && !kafka_position_has(&position, resent));
	pass_on(&position, resent);
	ck_assert(kafka_position_has(&position, resent) && kafka_position_has(&position, again));
	ck_assert_int_eq(position.through, 7);
	kafka_position_deinit(&position);
	kafka_job_free(job);
	kafka_job_free(again);
	kafka_job_free(foreign);
	kafka_job_free(resent);
}
END_TEST

START_TEST(not_a_position)
{
	static const char *const texts[] = {"", "{}", "[1]", "{\"through\":\"1\"}",
		"{\"through\":1,\"job\":\"0123456789012345678901234567890123\"}",
		"{\"through\":1,\"job\":\"a\",\"refused\":[-1]}"};
	struct kafka_position position = KAFKA_POSITION_NULL;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(!kafka_position_parse(&position, slice_of(texts[i])), "case %zu", i);
	ck_assert_str_eq(position.last.id, "");
}
END_TEST

UNIT_MAIN("kafka_job", messages, keys_and_format, positions, not_a_position)
