/* See kafka_options.h. */
#include "sink/kafka/kafka_options.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/number.h"
#include "net/transport_check.h"

#define KAFKA_TOPIC_MAX 249 /* bytes; the brokers' limit */
#define KAFKA_SOURCE "%{source}"

const char *const kafka_keys[] = {"source", "id", "none", NULL};
const char *const kafka_securities[] = {"plaintext", "ssl", "sasl_ssl", NULL};
const char *const kafka_mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", NULL};
const char *const kafka_compressions[] = {"none", "gzip", "snappy", "lz4", "zstd", NULL};

/* --- librdkafka's own keys --- */

/* A name that ends with a dot stands for all keys that begin with it. */
static const struct {
	const char *name;
	const char *why;
} refusals[] = {
	{"acks", "trawld always waits for all in-sync replicas"},
	{"request.required.acks", "trawld always waits for all in-sync replicas"},
	{"enable.idempotence", "without it, records can be repeated or change their order"},
	{"enable.gapless.guarantee", "trawld retries what fails itself"},
	{"transactional.id", "trawld sets it: it fences off another trawld with the same state"},
	{"max.in.flight", "more requests could change the order of records"},
	{"max.in.flight.requests.per.connection",
		"more requests could change the order of records"},
	{"message.send.max.retries", "the producer retries until the transaction ends"},
	{"retries", "the producer retries until the transaction ends"},
	{"message.max.bytes", "the key `max_record` of the sink limits records"},
	{"delivery.report.only.error", "trawld needs the report on each record"},
	{"isolation.level", "trawld reads only what was committed"},
	{"log.queue", "librdkafka's threads are not to use trawld's log"},
	{"enabled_events", "trawld needs the reports of the producer"},
	{"plugin.library.paths", "trawld loads no plugins"},
	{"bootstrap.servers", "the key `brokers` of the sink lists them"},
	{"metadata.broker.list", "the key `brokers` of the sink lists them"},
	{"security.protocol", "it is the key `security` of the sink"},
	{"sasl.", "see the keys `mechanism`, `username` and `password` of the sink"},
	{"ssl.ca.", "it is the key `ca_file` of the sink"},
	{"ssl.certificate.", "it is the key `client_cert` of the sink"},
	{"ssl.key.", "see the keys `client_key` and `client_key_password` of the sink"},
	{"ssl.keystore.", "see the keys `client_cert` and `client_key` of the sink"},
	{"ssl.engine.", "trawld loads no plugins"},
	{"compression.codec", "it is the key `compression` of the sink"},
	{"compression.type", "it is the key `compression` of the sink"},
	{"enable.ssl.certificate.verification", "the certificates of brokers are always verified"},
	{"ssl.endpoint.identification.algorithm",
		"the certificates of brokers are always verified"},
	{"test.mock.", "a broker that is not real keeps no records"},
};

const char *kafka_option_refusal(const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const char *refused = refusals[i].name;

		if (strcmp(name, refused) == 0 ||
			(str_ends(refused, ".") && str_starts(name, refused)))
			return refusals[i].why;
	}
	if (strcmp(name, "partitioner") == 0 && strcmp(value, "random") == 0)
		return "records with the same key would change their order";
	return NULL;
}

/* --- topics --- */

static bool is_topic_char(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '_' || c == '-';
}

void kafka_topic_print(const char *pattern, const char *source, struct buf *out)
{
	const char *at;

	while ((at = strstr(pattern, KAFKA_SOURCE))) {
		buf_append(out, pattern, (size_t)(at - pattern));
		for (const char *c = source; *c; c++)
			buf_append_char(out, is_topic_char(*c) ? *c : '_');
		pattern = at + strlen(KAFKA_SOURCE);
	}
	buf_append_text(out, pattern);
}

static void check_topic(const char *key, const char *pattern, bool expands,
	const struct ini_section *section, struct findings *findings)
{
	struct buf topic = BUF_NULL;
	bool fine;

	if (!pattern)
		return;
	if (expands)
		kafka_topic_print(pattern, "", &topic);
	else
		buf_append_text(&topic, pattern);
	fine = topic.size <= KAFKA_TOPIC_MAX && strcmp(pattern, ".") != 0 &&
	       strcmp(pattern, "..") != 0;
	for (size_t i = 0; i < topic.size; i++)
		fine = fine && is_topic_char(topic.data[i]);
	if (!fine)
		findings_add_at(findings, section, key,
			"%s: `%s` is not the name of a topic (expected up to %d letters, digits, `.`, `_` and `-`%s)",
			key, pattern, KAFKA_TOPIC_MAX,
			expands ? ", and " KAFKA_SOURCE " for the name of the source" : "");
	buf_deinit(&topic);
}

/* --- the section --- */

static bool is_broker(const char *text)
{
	struct slice port;
	const char *colon = strrchr(text, ':');
	int64_t number;

	if (strstr(text, "://") || strpbrk(text, " \t/") || colon == text)
		return false;
	if (!colon || strchr(colon, ']'))
		return true;
	port = slice_of(colon + 1);
	return number_parse(port, 1, 65535, &number) == 0;
}

static void check_brokers(const struct kafka_options *options, const struct ini_section *section,
	struct findings *findings)
{
	for (size_t i = 0; i < options->brokers.n_items; i++) {
		const char *broker = options->brokers.items[i];
		if (strchr(broker, '@')) /* not quoted */
			findings_add_at(findings, section, "brokers",
				"brokers: expected HOST:PORT, without user and password (see username, password)");
		else if (!is_broker(broker))
			findings_add_at(findings, section, "brokers",
				"brokers: expected HOST:PORT instead of `%s`", broker);
	}
}

/* Keys that the chosen security would leave unread. */
static void check_unread(const struct kafka_options *options, const struct ini_section *section,
	struct findings *findings)
{
	static const struct {
		const char *key;
		int least; /* enum kafka_security */
	} keys[] = {
		{"ca_file", KAFKA_SSL},
		{"client_cert", KAFKA_SSL},
		{"client_key", KAFKA_SSL},
		{"client_key_password", KAFKA_SSL},
		{"mechanism", KAFKA_SASL_SSL},
		{"username", KAFKA_SASL_SSL},
		{"password", KAFKA_SASL_SSL},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (options->security < keys[i].least && ini_section_find(section, keys[i].key))
			findings_add_at(findings, section, keys[i].key, "%s needs security = %s",
				keys[i].key, kafka_securities[keys[i].least]);
	if (options->security != KAFKA_SASL_SSL)
		return;
	if (!options->username)
		findings_add_at(
			findings, section, "security", "security = sasl_ssl needs username");
	if (options->password.size == 0)
		findings_add_at(
			findings, section, "security", "security = sasl_ssl needs password");
}

static void check_more(const struct kafka_options *options, struct findings *findings)
{
	for (size_t i = 0; i < options->more.n_items; i++) {
		const struct option_pair *pair = &options->more.items[i];
		const char *why = kafka_option_refusal(pair->name, pair->value);

		if (why)
			findings_add(findings, pair->file, pair->line,
				"option.%s cannot be set: %s", pair->name, why);
		else if (str_ends(pair->name, ".location") && access(pair->value, R_OK) != 0)
			findings_add(findings, pair->file, pair->line, "option.%s: %s: %s",
				pair->name, pair->value, strerror(errno));
	}
}

void kafka_options_check(
	const void *data, const struct ini_section *section, struct findings *findings)
{
	const struct kafka_options *options = data;
	const struct http_transport transport = {
		.ca_file = options->ca_file,
		.client_cert = options->client_cert,
		.client_key = options->client_key,
		.client_key_password = options->client_key_password.text,
	};

	check_brokers(options, section, findings);
	check_topic("topic", options->topic, true, section, findings);
	check_topic("place_topic", options->place_topic, false, section, findings);
	if (options->topic && options->place_topic &&
		strcmp(options->topic, options->place_topic) == 0)
		findings_add_at(findings, section, "place_topic",
			"place_topic: expected another topic than that of the records");
	if (!options->transactional && ini_section_find(section, "place_topic"))
		findings_add_at(
			findings, section, "place_topic", "place_topic needs transactional = yes");
	check_unread(options, section, findings);
	check_more(options, findings);
	transport_check(&transport, section, findings);
}

#define KAFKA_OPTION(member) offsetof(struct kafka_options, member)

const struct option kafka_option_rows[] = {
	{
		.name = "brokers",
		.type = OPTION_LIST,
		.offset = KAFKA_OPTION(brokers),
		.flags = OPTION_REQUIRED,
		.help = "HOST:PORT of some brokers of the cluster, comma-separated",
	},
	{
		.name = "topic",
		.type = OPTION_STRING,
		.offset = KAFKA_OPTION(topic),
		.flags = OPTION_REQUIRED,
		.help = "where records go; %{source} is the name of their source",
	},
	{
		.name = "key",
		.type = OPTION_CHOICE,
		.offset = KAFKA_OPTION(key),
		.default_text = "source",
		.choices = kafka_keys,
		.help = "the key of each message: source, id or none",
	},
	{
		.name = "transactional",
		.type = OPTION_BOOL,
		.offset = KAFKA_OPTION(transactional),
		.default_text = "yes",
		.help = "no: records may be there twice after a crash",
	},
	{
		.name = "place_topic",
		.type = OPTION_STRING,
		.offset = KAFKA_OPTION(place_topic),
		.default_text = "trawld.places",
		.help = "a compacted topic that keeps the positions of sinks",
	},
	{
		.name = "security",
		.type = OPTION_CHOICE,
		.offset = KAFKA_OPTION(security),
		.default_text = "ssl",
		.choices = kafka_securities,
		.help = "plaintext, ssl, or sasl_ssl for a user and password",
	},
	{
		.name = "mechanism",
		.type = OPTION_CHOICE,
		.offset = KAFKA_OPTION(mechanism),
		.default_text = "PLAIN",
		.choices = kafka_mechanisms,
		.help = "of sasl_ssl: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
	},
	{
		.name = "username",
		.type = OPTION_STRING,
		.offset = KAFKA_OPTION(username),
		.help = "of sasl_ssl",
	},
	{
		.name = "password",
		.type = OPTION_SECRET,
		.offset = KAFKA_OPTION(password),
		.help = "of sasl_ssl",
	},
	{
		.name = "ca_file",
		.type = OPTION_STRING,
		.offset = KAFKA_OPTION(ca_file),
		.flags = OPTION_PATH,
		.help = "certificates to trust instead of the system's, PEM",
	},
	{
		.name = "client_cert",
		.type = OPTION_STRING,
		.offset = KAFKA_OPTION(client_cert),
		.flags = OPTION_PATH,
		.help = "a client certificate, PEM",
	},
	{
		.name = "client_key",
		.type = OPTION_STRING,
		.offset = KAFKA_OPTION(client_key),
		.flags = OPTION_PATH,
		.help = "its private key, PEM",
	},
	{
		.name = "client_key_password",
		.type = OPTION_SECRET,
		.offset = KAFKA_OPTION(client_key_password),
		.help = "of a private key that is encrypted",
	},
	{
		.name = "compression",
		.type = OPTION_CHOICE,
		.offset = KAFKA_OPTION(compression),
		.default_text = "none",
		.choices = kafka_compressions,
		.help = "of messages: none, gzip, snappy, lz4 or zstd",
	},
	{
		.name = "max_record",
		.type = OPTION_SIZE,
		.offset = KAFKA_OPTION(max_record),
		.max = OPTION_MEMORY_MAX(INT64_MAX),
		.help = "longer records are dead letters; default: no limit",
	},
	{
		.name = "option",
		.type = OPTION_PAIRS,
		.offset = KAFKA_OPTION(more),
		.help = "option.KEY: a setting of librdkafka",
	},
};
_Static_assert(sizeof(kafka_option_rows) / sizeof(kafka_option_rows[0]) == N_KAFKA_OPTION_ROWS,
	"N_KAFKA_OPTION_ROWS");
