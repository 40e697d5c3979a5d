/*
 * A Kafka broker for tests: librdkafka's own. Prints its address, then for each line of standard
 * input, the name of a topic, the messages of that topic, one a line, and an empty line. It neither
 * fences nor keeps what is committed apart.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 20000

static void die(const char *what)
{
	fprintf(stderr, "kafka_broker: %s\n", what);
	exit(1);
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *brokers)
{
	char text[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *kafka;

	if (brokers)
		rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof(text));
	if (type == RD_KAFKA_CONSUMER)
		rd_kafka_conf_set(conf, "group.id", "test", text, sizeof(text));
	kafka = rd_kafka_new(type, conf, text, sizeof(text));
	if (!kafka)
		die(text);
	return kafka;
}

static void print_topic(const char *brokers, const char *topic)
{
	rd_kafka_t *reader = client(RD_KAFKA_CONSUMER, brokers);
	rd_kafka_topic_partition_list_t *from = rd_kafka_topic_partition_list_new(1);
	int64_t low = 0, high = 0;

	if (rd_kafka_query_watermark_offsets(reader, topic, 0, &low, &high, WAIT_MS))
		die("no watermarks");
	rd_kafka_topic_partition_list_add(from, topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_assign(reader, from);
	while (low < high) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, WAIT_MS);

		if (!message || message->err)
			die("no message");
		printf("%.*s\n", (int)message->len, (const char *)message->payload);
		low++;
		rd_kafka_message_destroy(message);
	}
	printf("\n");
	fflush(stdout);
	rd_kafka_topic_partition_list_destroy(from);
	rd_kafka_consumer_close(reader);
	rd_kafka_destroy(reader);
}

int main(void)
{
	rd_kafka_t *host = client(RD_KAFKA_PRODUCER, NULL);
	rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(host, 1);
	char line[128];

	if (!cluster)
		die("no cluster");
	rd_kafka_mock_topic_create(cluster, "audit", 1, 1);
	rd_kafka_mock_topic_create(cluster, "trawld.places", 1, 1);
	printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		print_topic(rd_kafka_mock_cluster_bootstraps(cluster), line);
	}
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(host);
	return 0;
}
