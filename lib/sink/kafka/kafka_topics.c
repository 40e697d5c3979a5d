/* What trawld asks the brokers about topics, and the making of place_topic. */
#include "sink/kafka/kafka_producer_internal.h"

#include "base/mem.h"

#define KAFKA_TURN_MS 1000

/* One partition, of which the last message of each key is kept. Small segments: what is compacted
 * is read fast at the start. */
static const char *const place_settings[] = {"cleanup.policy", "compact", "segment.bytes",
	"16777216", "min.cleanable.dirty.ratio", "0.1", NULL};

/* The brokers' answer to REQUEST, which SEND sends. NULL: there is none in time. */
static rd_kafka_event_t *kafka_admin(rd_kafka_t *rk, rd_kafka_admin_op_t operation,
	void (*send)(rd_kafka_t *, void *, const rd_kafka_AdminOptions_t *, rd_kafka_queue_t *),
	void *request)
{
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, operation);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_event_t *event;

	rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_ASK_MS, NULL, 0);
	send(rk, request, options, queue);
	event = rd_kafka_queue_poll(queue, 2 * KAFKA_ASK_MS);
	rd_kafka_queue_destroy(queue);
	rd_kafka_AdminOptions_destroy(options);
	return event;
}

static void kafka_send_create(rd_kafka_t *rk, void *request, const rd_kafka_AdminOptions_t *options,
	rd_kafka_queue_t *queue)
{
	rd_kafka_NewTopic_t *topic = request;

	rd_kafka_CreateTopics(rk, &topic, 1, options, queue);
}

static void kafka_send_describe(rd_kafka_t *rk, void *request,
	const rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *queue)
{
	rd_kafka_ConfigResource_t *resource = request;

	rd_kafka_DescribeConfigs(rk, &resource, 1, options, queue);
}

static rd_kafka_resp_err_t kafka_topic_create(rd_kafka_t *rk, const char *name)
{
	char text[256];
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, 1, -1, text, sizeof(text));
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
	const rd_kafka_CreateTopics_result_t *result;
	const rd_kafka_topic_result_t **topics;
	rd_kafka_event_t *event;
	size_t n = 0;

	if (!topic)
		return RD_KAFKA_RESP_ERR__INVALID_ARG;
	for (const char *const *pair = place_settings; *pair; pair += 2)
		rd_kafka_NewTopic_set_config(topic, pair[0], pair[1]);
	event = kafka_admin(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS, kafka_send_create, topic);
	rd_kafka_NewTopic_destroy(topic);
	if (!event)
		return code;
	code = rd_kafka_event_error(event);
	result = rd_kafka_event_CreateTopics_result(event);
	topics = result ? rd_kafka_CreateTopics_result_topics(result, &n) : NULL;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && n > 0)
		code = rd_kafka_topic_result_error(topics[0]);
	rd_kafka_event_destroy(event);
	return code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS ? RD_KAFKA_RESP_ERR_NO_ERROR : code;
}

char *kafka_topic_setting(rd_kafka_t *rk, const char *topic, const char *name)
{
	rd_kafka_ConfigResource_t *resource =
		rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
	rd_kafka_event_t *event =
		kafka_admin(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, kafka_send_describe, resource);
	const rd_kafka_DescribeConfigs_result_t *result =
		event ? rd_kafka_event_DescribeConfigs_result(event) : NULL;
	const rd_kafka_ConfigResource_t **resources = NULL;
	const rd_kafka_ConfigEntry_t **entries = NULL;
	size_t n_resources = 0, n_entries = 0;
	char *value = NULL;

	if (result)
		resources = rd_kafka_DescribeConfigs_result_resources(result, &n_resources);
	if (n_resources > 0)
		entries = rd_kafka_ConfigResource_configs(resources[0], &n_entries);
	for (size_t i = 0; i < n_entries && !value; i++)
		if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
			value = mem_strdup(rd_kafka_ConfigEntry_value(entries[i]));
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy(resource);
	return value;
}

/* As rd_kafka_metadata, but that ends as soon as no broker is reached. */
static rd_kafka_resp_err_t kafka_metadata(struct kafka_producer *producer, rd_kafka_t *rk,
	rd_kafka_topic_t *topic, const struct rd_kafka_metadata **ret)
{
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;

	producer->all_down = false;
	for (int waited = 0; waited < KAFKA_ASK_MS && !producer->all_down;
		waited += KAFKA_TURN_MS) {
		code = rd_kafka_metadata(rk, 0, topic, ret, KAFKA_TURN_MS);
		rd_kafka_poll(rk, 0);
		if (code != RD_KAFKA_RESP_ERR__TIMED_OUT && code != RD_KAFKA_RESP_ERR__TRANSPORT)
			break;
	}
	return code;
}

rd_kafka_resp_err_t kafka_topic_ask(
	struct kafka_producer *producer, rd_kafka_t *rk, const char *topic, int *ret_replicas)
{
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t code;

	if (!rkt)
		return rd_kafka_last_error();
	code = kafka_metadata(producer, rk, rkt, &metadata);
	rd_kafka_topic_destroy(rkt);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return code;
	*ret_replicas = 0;
	code = metadata->topic_cnt > 0 ? metadata->topics[0].err
				       : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topics[0].partition_cnt > 0)
		*ret_replicas = metadata->topics[0].partitions[0].replica_cnt;
	rd_kafka_metadata_destroy(metadata);
	return code;
}

static bool kafka_is_unknown(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
	       code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
}

enum kafka_outcome kafka_position_prepare(
	struct kafka_producer *producer, rd_kafka_t *reader, struct kafka_answer *ret)
{
	const char *topic = producer->place_topic;
	char what[320];
	int replicas;
	rd_kafka_resp_err_t code = kafka_topic_ask(producer, reader, topic, &replicas);

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return KAFKA_DELIVERED;
	snprintf(what, sizeof(what), "topic %s", topic);
	if (!kafka_is_unknown(code))
		return kafka_fail_code(producer, ret,
			kafka_error_class(code) == FAULT_NETWORK ||
					kafka_error_class(code) == FAULT_TIMEOUT
				? "the brokers do not answer"
				: what,
			code, rd_kafka_err2str(code));
	code = kafka_topic_create(reader, topic);
	producer->topic_made = code == RD_KAFKA_RESP_ERR_NO_ERROR;
	if (producer->topic_made)
		return KAFKA_DELIVERED;
	return kafka_fail(ret, kafka_error_class(code),
		"the topic %s does not exist, and cannot be made: %s (make it with cleanup.policy=compact and one partition, or permit it)",
		topic, rd_kafka_err2str(code));
}
