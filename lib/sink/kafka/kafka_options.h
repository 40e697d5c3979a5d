/* The keys of `type = kafka` and what follows from them alone, without librdkafka. */
#ifndef TRAWLD_SINK_KAFKA_OPTIONS_H
#define TRAWLD_SINK_KAFKA_OPTIONS_H

#include "conf/option.h"

/* What `struct sink_kind sink_kafka` has with and without librdkafka. */
#define KAFKA_KIND                                                                                 \
	.name = "kafka", .summary = "messages to Apache Kafka",                                    \
	.promise = "exactly once for readers with isolation.level=read_committed; with "           \
		   "transactional = no at least once",                                             \
	.options = kafka_option_rows, .n_options = N_KAFKA_OPTION_ROWS,                            \
	.options_size = sizeof(struct kafka_options),                                              \
	.capabilities = SINK_STABLE_JOB | SINK_RECOVERS_LATER, .check = sink_kafka_check,          \
	.create = sink_kafka_create

enum kafka_key { KAFKA_KEY_SOURCE, KAFKA_KEY_ID, KAFKA_KEY_NONE };
enum kafka_security { KAFKA_PLAINTEXT, KAFKA_SSL, KAFKA_SASL_SSL };

struct kafka_options {
	struct str_list brokers;
	char *topic;
	int key; /* enum kafka_key */
	bool transactional;
	char *place_topic;
	int security; /* enum kafka_security */
	int mechanism; /* index into kafka_mechanisms */
	char *username;
	struct secret password;
	char *ca_file;
	char *client_cert;
	char *client_key;
	struct secret client_key_password;
	int compression; /* index into kafka_compressions */
	uint64_t max_record; /* 0: no limit */
	struct option_pairs more; /* option.KEY: librdkafka's own */
};

extern const char *const kafka_keys[];
extern const char *const kafka_securities[];
extern const char *const kafka_mechanisms[];
extern const char *const kafka_compressions[];
#define N_KAFKA_OPTION_ROWS 16
extern const struct option kafka_option_rows[N_KAFKA_OPTION_ROWS];

/* As sink_kind's check; what librdkafka thinks of option.KEY is not looked at. */
void kafka_options_check(
	const void *data, const struct ini_section *section, struct findings *findings);

/* Why librdkafka's key NAME cannot be set to VALUE here, or NULL. */
const char *kafka_option_refusal(const char *name, const char *value);

/* Appends the topic of the records of SOURCE. */
void kafka_topic_print(const char *pattern, const char *source, struct buf *out);

#endif
