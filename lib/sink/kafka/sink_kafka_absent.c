/* The kind of Kafka sinks in a trawld that was built without librdkafka: it knows the keys, and
 * says what is missing. */
#include "sink/sinks.h"

#include "sink/kafka/kafka_options.h"

#define MISSING                                                                                    \
	"type = kafka needs librdkafka, without which this trawld was built (install "             \
	"librdkafka-dev, and build with -Dkafka=enabled)"

static void sink_kafka_check(
	const void *options, const struct ini_section *section, struct findings *findings)
{
	kafka_options_check(options, section, findings);
	findings_add_at(findings, section, "type", MISSING);
}

static int sink_kafka_create(
	struct sink **ret, const struct sink_setup *setup, struct fault *reterr)
{
	(void)ret;
	(void)setup;
	return fault_set(reterr, FAULT_CONFIG, MISSING);
}

const struct sink_kind sink_kafka = {
	KAFKA_KIND,
};
