/* From the options of a sink to librdkafka's settings. */
#ifndef TRAWLD_SINK_KAFKA_CONF_H
#define TRAWLD_SINK_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>

#include "base/fault.h"
#include "sink/kafka/kafka_options.h"

/* What producer and reader share: brokers, security, option.KEY. 0, or FAULT_CONFIG. */
int kafka_conf_new(
	rd_kafka_conf_t **ret, const struct kafka_options *options, struct fault *reterr);

/* Sets what only trawld sets: a value that librdkafka does not know is an error of ours. */
void kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value);

/* The value of NAME, which the caller frees. */
char *kafka_conf_get(const rd_kafka_conf_t *conf, const char *name);

/* Findings at each option.KEY that librdkafka does not know. */
void kafka_conf_check(const struct kafka_options *options, struct findings *findings);

/* What follows from an error code. */
enum fault_class kafka_error_class(rd_kafka_resp_err_t code);

#endif
