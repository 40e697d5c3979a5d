/*
 * `trawlctl test` of a Kafka sink: are the brokers reached, the topics there, writing permitted,
 * and enough replicas configured? A record goes to each topic in a transaction that is aborted, so
 * that readers of committed records see nothing of it.
 */
#include "sink/kafka/kafka_producer_internal.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/number.h"

#define KAFKA_CHECK_MS 20000
#define REPLICAS_SAFE 2

static void kafka_check_replicas(rd_kafka_t *rk, const char *topic, int replicas, struct buf *out)
{
	char *setting CLEANUP_FREE = kafka_topic_setting(rk, topic, "min.insync.replicas");
	int64_t least = 0;

	buf_printf(out, "  topic %s: replicas %d", topic, replicas);
	if (!setting || number_parse(slice_of(setting), 1, INT32_MAX, &least) != 0) {
		buf_append_text(out,
			", min.insync.replicas unknown (describing the topic's configuration is not permitted)\n");
		return;
	}
	buf_printf(out, ", min.insync.replicas %s\n", setting);
	if (least < REPLICAS_SAFE || replicas <= least)
		buf_printf(out,
			"  warning: topic %s: %s; expected min.insync.replicas 2 or more, and more replicas than that\n",
			topic,
			least < REPLICAS_SAFE
				? "records that one broker has acknowledged are lost with its disk"
				: "records wait while one broker is away");
}

static enum kafka_outcome kafka_check_topic(struct kafka_producer *producer, rd_kafka_t *rk,
	const char *topic, struct buf *out, struct kafka_answer *ret)
{
	int replicas = 0;
	rd_kafka_resp_err_t code = kafka_topic_ask(producer, rk, topic, &replicas);
	char what[320];

	snprintf(what, sizeof(what), "topic %s", topic);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_fail_code(producer, ret, what, code, rd_kafka_err2str(code));
	kafka_check_replicas(rk, topic, replicas, out);
	return KAFKA_DELIVERED;
}

static enum kafka_outcome kafka_check_topics(struct kafka_producer *producer,
	const struct str_list *topics, struct buf *out, struct kafka_answer *ret)
{
	const char *const pairs[] = {NULL};
	/* a consumer: it makes no topic by asking */
	rd_kafka_t *rk = kafka_handle_new(producer, RD_KAFKA_CONSUMER, pairs, ret);
	enum kafka_outcome outcome = rk ? KAFKA_DELIVERED : KAFKA_RETRY;

	for (size_t i = 0; outcome == KAFKA_DELIVERED && i < topics->n_items; i++)
		outcome = kafka_check_topic(producer, rk, topics->items[i], out, ret);
	if (outcome == KAFKA_DELIVERED && producer->place_topic)
		outcome = kafka_check_topic(producer, rk, producer->place_topic, out, ret);
	if (rk)
		rd_kafka_destroy(rk);
	return outcome;
}

/* Sends RECORD (NULL: a position) and waits for the report on it. A missing permission is not in
 * that report: but then the transaction takes no message any more. */
static rd_kafka_resp_err_t kafka_check_record(
	struct kafka_producer *producer, const struct kafka_record *record)
{
	rd_kafka_resp_err_t code =
		record ? kafka_produce(producer, record, -1) : kafka_produce_position(producer);

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = rd_kafka_flush(producer->rk, KAFKA_CHECK_MS);
	if (producer->failed != RD_KAFKA_RESP_ERR_NO_ERROR)
		return producer->failed;
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? kafka_produce_position(producer) : code;
}

/* CODE is what came of writing to TOPIC in the open transaction, which is aborted. */
static enum kafka_outcome kafka_check_over(struct kafka_producer *producer, const char *topic,
	rd_kafka_resp_err_t code, struct kafka_answer *ret)
{
	enum kafka_outcome outcome = KAFKA_DELIVERED;
	rd_kafka_error_t *error;
	char what[320];

	snprintf(what, sizeof(what), "writing to topic %s", topic);
	if (code == RD_KAFKA_RESP_ERR__STATE)
		outcome = kafka_fail_error(producer, ret, what, kafka_reason(producer));
	else if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		outcome = kafka_fail_code(producer, ret, what, code, rd_kafka_err2str(code));
	error = rd_kafka_abort_transaction(producer->rk, -1);
	if (error && outcome == KAFKA_DELIVERED)
		return kafka_fail_error(producer, ret, "a transaction cannot be aborted", error);
	if (error)
		rd_kafka_error_destroy(error);
	return outcome;
}

static enum kafka_outcome kafka_check_write(
	struct kafka_producer *producer, const struct str_list *topics, struct kafka_answer *ret)
{
	struct kafka_record record = {
		.topic = producer->place_topic,
		.source = "trawld-test",
		.id = SLICE("trawld-test"),
		.value = SLICE("{\"message\":\"sent by trawlctl test, and aborted\"}"),
	};
	struct kafka_job job = {.id = "test"};
	rd_kafka_error_t *error = rd_kafka_begin_transaction(producer->rk);
	rd_kafka_resp_err_t code;

	if (error)
		return kafka_fail_error(producer, ret, "a transaction cannot be begun", error);
	producer->job = &job;
	code = kafka_check_record(producer, NULL);
	for (size_t i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < topics->n_items; i++) {
		record.topic = topics->items[i];
		code = kafka_check_record(producer, &record);
	}
	producer->job = NULL;
	return kafka_check_over(producer, record.topic, code, ret);
}

enum kafka_outcome kafka_producer_test(struct kafka_producer *producer,
	const struct str_list *topics, struct buf *out, struct kafka_answer *ret)
{
	enum kafka_outcome outcome = kafka_producer_open(producer, ret);

	if (outcome != KAFKA_DELIVERED)
		return outcome;
	buf_printf(out, "  brokers %s: connected\n", producer->brokers);
	if (producer->topic_made)
		buf_printf(
			out, "  topic %s: did not exist and was created\n", producer->place_topic);
	outcome = kafka_check_topics(producer, topics, out, ret);
	if (outcome != KAFKA_DELIVERED)
		return outcome;
	if (!producer->place_topic) {
		buf_append_text(out, "  nothing was written, since transactional = no\n");
		return outcome;
	}
	outcome = kafka_check_write(producer, topics, ret);
	if (outcome == KAFKA_DELIVERED)
		buf_printf(out,
			"  writing is permitted: a record to %s was sent in a transaction, which was aborted\n",
			topics->n_items == 1 ? topics->items[0] : "each topic");
	return outcome;
}
