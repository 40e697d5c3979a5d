/* See kafka_conf.h. */
#include "sink/kafka/kafka_conf.h"

#include <assert.h>

#include "base/mem.h"

/* So large that the brokers decide, and small enough for one request. */
#define KAFKA_MESSAGE_MAX "67108864"
/* Below the brokers' default for a request of several records: only one that has a single record
 * can be too large for them. */
#define KAFKA_BATCH_MAX "524288"

void kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char text[512];
	rd_kafka_conf_res_t r = rd_kafka_conf_set(conf, name, value, text, sizeof(text));

	assert(r == RD_KAFKA_CONF_OK);
	(void)r;
}

char *kafka_conf_get(const rd_kafka_conf_t *conf, const char *name)
{
	size_t size = 0;
	char *text;

	rd_kafka_conf_get(conf, name, NULL, &size);
	text = mem_alloc(size + 1);
	text[0] = '\0';
	rd_kafka_conf_get(conf, name, text, &size);
	return text;
}

static void kafka_conf_brokers(rd_kafka_conf_t *conf, const struct str_list *brokers)
{
	struct buf text = BUF_NULL;

	for (size_t i = 0; i < brokers->n_items; i++)
		buf_printf(&text, "%s%s", i > 0 ? ", " : "", brokers->items[i]);
	kafka_conf_set(conf, "bootstrap.servers", buf_text(&text));
	buf_deinit(&text);
}

static void kafka_conf_security(rd_kafka_conf_t *conf, const struct kafka_options *options)
{
	const struct {
		const char *name, *value;
	} pairs[] = {
		{"ssl.ca.location", options->ca_file},
		{"ssl.certificate.location", options->client_cert},
		{"ssl.key.location",
			options->client_key ? options->client_key : options->client_cert},
		{"ssl.key.password", options->client_key_password.text},
	};

	kafka_conf_set(conf, "security.protocol", kafka_securities[options->security]);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (pairs[i].value)
			kafka_conf_set(conf, pairs[i].name, pairs[i].value);
	if (options->security != KAFKA_SASL_SSL)
		return;
	kafka_conf_set(conf, "sasl.mechanism", kafka_mechanisms[options->mechanism]);
	kafka_conf_set(conf, "sasl.username", options->username ? options->username : "");
	kafka_conf_set(conf, "sasl.password", options->password.text ? options->password.text : "");
}

int kafka_conf_new(rd_kafka_conf_t **ret, const struct kafka_options *options, struct fault *reterr)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[512];

	kafka_conf_set(conf, "client.id", "trawld");
	kafka_conf_set(conf, "message.max.bytes", KAFKA_MESSAGE_MAX);
	kafka_conf_set(conf, "batch.size", KAFKA_BATCH_MAX);
	kafka_conf_set(conf, "log.connection.close", "false");
	kafka_conf_set(conf, "log.queue", "true");
	kafka_conf_set(conf, "compression.codec", kafka_compressions[options->compression]);
	kafka_conf_brokers(conf, &options->brokers);
	kafka_conf_security(conf, options);
	for (size_t i = 0; i < options->more.n_items; i++) {
		const struct option_pair *pair = &options->more.items[i];

		if (rd_kafka_conf_set(conf, pair->name, pair->value, text, sizeof(text)) ==
			RD_KAFKA_CONF_OK)
			continue;
		rd_kafka_conf_destroy(conf);
		return fault_set(reterr, FAULT_CONFIG, "option.%s: %s", pair->name, text);
	}
	*ret = conf;
	return 0;
}

void kafka_conf_check(const struct kafka_options *options, struct findings *findings)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[512];

	for (size_t i = 0; i < options->more.n_items; i++) {
		const struct option_pair *pair = &options->more.items[i];

		if (!kafka_option_refusal(pair->name, pair->value) &&
			rd_kafka_conf_set(conf, pair->name, pair->value, text, sizeof(text)) !=
				RD_KAFKA_CONF_OK)
			findings_add(findings, pair->file, pair->line, "option.%s: %s", pair->name,
				text);
	}
	rd_kafka_conf_destroy(conf);
}

enum fault_class kafka_error_class(rd_kafka_resp_err_t code)
{
	switch ((int)code) {
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
		return FAULT_AUTH;
	case RD_KAFKA_RESP_ERR__SSL:
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__RESOLVE:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
		return FAULT_NETWORK;
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
	case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
		return FAULT_TIMEOUT;
	case RD_KAFKA_RESP_ERR__INVALID_ARG:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
	case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
		return FAULT_CONFIG;
	default:
		return FAULT_SERVER;
	}
}
