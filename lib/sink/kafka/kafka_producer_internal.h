/* What the parts of the producer share. */
#ifndef TRAWLD_SINK_KAFKA_INTERNAL_H
#define TRAWLD_SINK_KAFKA_INTERNAL_H

#include "sink/kafka/kafka_conf.h"
#include "sink/kafka/kafka_position.h"
#include "sink/kafka/kafka_producer.h"

#define KAFKA_ASK_MS 10000 /* for one question to the brokers */

struct kafka_producer {
	rd_kafka_conf_t *conf; /* of brokers and security */
	char *brokers; /* for messages */
	char *state; /* its ID */
	char *key; /* of the position */
	char *place_topic; /* NULL: not transactional */
	char *id; /* transactional.id */
	void (*told)(const char *text, void *userdata);
	void *userdata;

	rd_kafka_t *rk; /* NULL: closed */
	struct kafka_position position;
	char recent[256]; /* what librdkafka said last of the brokers */
	rd_kafka_resp_err_t recent_code;
	bool topic_made; /* place_topic did not exist, and was made */
	bool all_down; /* librdkafka has tried every broker */
	/* of the transaction: */
	struct kafka_job *job;
	size_t n_sent; /* messages that librdkafka has taken */
	size_t n_stored; /* of these, that the brokers have, as the reports say */
	rd_kafka_resp_err_t failed; /* the first report of a record, but for its size */
	char failed_topic[256];
	bool too_large; /* a report says that a request is */
	bool broken; /* it takes no more messages; why may be in `failed`, or kafka_reason() */
};

/* Fills *RET and returns KAFKA_RETRY. */
enum kafka_outcome kafka_fail(struct kafka_answer *ret, enum fault_class class, const char *format,
	...) __attribute__((format(printf, 3, 4)));
/* Likewise: WHAT, and the TEXT of CODE. */
enum kafka_outcome kafka_fail_code(const struct kafka_producer *producer, struct kafka_answer *ret,
	const char *what, rd_kafka_resp_err_t code, const char *text);
/* Likewise, from what librdkafka says; frees ERROR. */
enum kafka_outcome kafka_fail_error(const struct kafka_producer *producer, struct kafka_answer *ret,
	const char *what, rd_kafka_error_t *error);

/* A handle of TYPE with the settings PAIRS (name, value, …, NULL). NULL: *RET says why not. */
rd_kafka_t *kafka_handle_new(struct kafka_producer *producer, rd_kafka_type_t type,
	const char *const *pairs, struct kafka_answer *ret);

/* place_topic is there, or is made. */
enum kafka_outcome kafka_position_prepare(
	struct kafka_producer *producer, rd_kafka_t *reader, struct kafka_answer *ret);
/* Reads the position of the sink, after init_transactions. */
enum kafka_outcome kafka_position_read(
	struct kafka_producer *producer, rd_kafka_t *reader, struct kafka_answer *ret);

/* The value of NAME in the settings of TOPIC, which the caller frees. NULL: the brokers do not
 * tell. */
char *kafka_topic_setting(rd_kafka_t *rk, const char *topic, const char *name);
/* 0: the topic is there, with *RET_REPLICAS of its first partition. */
rd_kafka_resp_err_t kafka_topic_ask(
	struct kafka_producer *producer, rd_kafka_t *rk, const char *topic, int *ret_replicas);

/* Why the open transaction takes no messages any more, which the caller frees. */
rd_kafka_error_t *kafka_reason(const struct kafka_producer *producer);
/* A message of the open transaction; INDEX of its record, or -1. */
rd_kafka_resp_err_t kafka_produce(
	struct kafka_producer *producer, const struct kafka_record *record, intptr_t index);
rd_kafka_resp_err_t kafka_produce_position(struct kafka_producer *producer);

#endif
