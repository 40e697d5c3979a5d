/*
 * Reading the position of a sink: the last message with its key in place_topic, of what was
 * committed. The reader sees nothing after a transaction that is not over; another sink may have
 * left one, and the position that is looked for may come after it. So the end that has to be
 * reached is the one with all transactions, and the brokers end those in time.
 */
#include "sink/kafka/kafka_producer_internal.h"

#include <inttypes.h>

#include "base/clock.h"

#define KAFKA_READ_MAX (5 * NSEC_PER_MIN) /* far longer than brokers leave a transaction open */
#define KAFKA_TURN_MS 500

/* False: the message is a position of this sink, but cannot be read. To pass over it would send
 * again what it says is committed. */
static bool kafka_position_take(struct kafka_producer *producer, const rd_kafka_message_t *message)
{
	const struct slice key = {message->key, message->key_len};

	return !slice_is(key, producer->key) || !message->payload ||
	       kafka_position_parse(
		       &producer->position, (struct slice){message->payload, message->len});
}

static enum kafka_outcome kafka_position_unreadable(
	const struct kafka_producer *producer, int64_t offset, struct kafka_answer *ret)
{
	return kafka_fail(ret, FAULT_BODY,
		"the position at offset %" PRId64
		" of the topic %s cannot be read (was it written by a newer trawld, or by something else?)",
		offset, producer->place_topic);
}

/* Reads up to END. */
static enum kafka_outcome kafka_position_follow(struct kafka_producer *producer,
	rd_kafka_topic_t *topic, int64_t end, struct kafka_answer *ret)
{
	nsec_t until_at = clock_monotonic() + KAFKA_READ_MAX;
	int64_t next = 0;

	while (next < end) {
		rd_kafka_message_t *message = rd_kafka_consume(topic, 0, KAFKA_TURN_MS);
		rd_kafka_resp_err_t code = message ? message->err : RD_KAFKA_RESP_ERR__TIMED_OUT;
		bool readable = true;

		if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
			next = message->offset + 1;
			readable = kafka_position_take(producer, message);
		} else if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
			next = message->offset;
		}
		if (message)
			rd_kafka_message_destroy(message);
		if (!readable)
			return kafka_position_unreadable(producer, next - 1, ret);
		if (kafka_error_class(code) == FAULT_AUTH ||
			(next < end && clock_monotonic() >= until_at))
			return kafka_fail(ret, kafka_error_class(code),
				"the topic %s cannot be read to its end (offset %" PRId64
				" of %" PRId64 "): %s",
				producer->place_topic, next, end,
				code == RD_KAFKA_RESP_ERR__PARTITION_EOF
					? "a transaction of another producer is not over"
					: rd_kafka_err2str(code));
	}
	return KAFKA_DELIVERED;
}

enum kafka_outcome kafka_position_read(
	struct kafka_producer *producer, rd_kafka_t *reader, struct kafka_answer *ret)
{
	enum kafka_outcome outcome;
	int64_t begin, end;
	rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
		producer->rk, producer->place_topic, 0, &begin, &end, KAFKA_ASK_MS);
	rd_kafka_topic_t *topic;

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_fail(ret, kafka_error_class(code), "the topic %s cannot be read: %s",
			producer->place_topic, rd_kafka_err2str(code));
	if (begin == end)
		return KAFKA_DELIVERED;
	topic = rd_kafka_topic_new(reader, producer->place_topic, NULL);
	if (topic && rd_kafka_consume_start(topic, 0, begin) == 0) {
		outcome = kafka_position_follow(producer, topic, end, ret);
		rd_kafka_consume_stop(topic, 0);
	} else {
		outcome = kafka_fail(ret, FAULT_INTERNAL, "the topic %s cannot be read: %s",
			producer->place_topic, rd_kafka_err2str(rd_kafka_last_error()));
	}
	if (topic)
		rd_kafka_topic_destroy(topic);
	return outcome;
}
