/* The keys of Kafka sinks: what is refused, and with which words. */
#include "sink/kafka/kafka_options.h"

#include <stdio.h>

#include "check_unit.h"
#include "sink/sinks.h"

#define GOOD "[sink bus]\ntype = kafka\nbrokers = k1:9093, k2\ntopic = audit.%{source}\n"

/* Appends the faults of TEXT, a line each. */
static void check(const char *text, struct buf *out)
{
	struct findings findings = FINDINGS_NULL;
	struct kafka_options options = {0};
	struct option_table table = {sink_kafka.options, sink_kafka.n_options, &options};
	struct ini ini = {0};

	ck_assert_int_eq(ini_read_text(&ini, "f", text, strlen(text), &findings), 0);
	options_parse(&table, 1, &ini.sections[0], &findings);
	kafka_options_check(&options, &ini.sections[0], &findings);
	for (size_t i = 0; i < findings.n_items; i++)
		buf_printf(out, "%s\n", findings.items[i].text);
	options_deinit(&table);
	ini_deinit(&ini);
	findings_deinit(&findings);
}

static const struct {
	const char *more, *fault; /* NULL: none */
} cases[] = {
	{"", NULL},
	{"security = plaintext\n", NULL},
	{"option.linger.ms = 20\noption.partitioner = murmur2\n", NULL},
	{"security = sasl_ssl\nusername = u\npassword = secret\nmechanism = SCRAM-SHA-512\n", NULL},
	{"security = sasl_ssl\nusername = u\n", "security = sasl_ssl needs password"},
	{"security = sasl_ssl\npassword = secret\n", "security = sasl_ssl needs username"},
	{"username = u\n", "username needs security = sasl_ssl"},
	{"security = plaintext\nca_file = /etc/passwd\n", "ca_file needs security = ssl"},
	{"ca_file = /nonexistent\n", "ca_file: /nonexistent: No such file"},
	{"ca_file = /etc/passwd\n", "ca_file: /etc/passwd does not contain a certificate"},
	{"client_cert = /nonexistent\n", "client_cert: /nonexistent: No such file"},
	{"option.ssl.crl.location = /etc/passwd\n", NULL},
	{"option.ssl.crl.location = /nonexistent\n",
		"option.ssl.crl.location: /nonexistent: No such file"},
	{"security = sasl_plaintext\n", "security"},
	{"key = random\n", "key"},
	{"place_topic = audit places\n", "`audit places` is not the name of a topic"},
	{"place_topic = audit.%{source}\n", "is not the name of a topic"},
	{"place_topic = p\ntransactional = no\n", "place_topic needs transactional = yes"},
	{"option.acks = 1\n", "option.acks cannot be set: trawld always waits"},
	{"option.enable.idempotence = false\n", "option.enable.idempotence cannot be set"},
	{"option.transactional.id = x\n", "option.transactional.id cannot be set"},
	{"option.retries = 0\n", "option.retries cannot be set"},
	{"option.sasl.password = x\n", "see the keys `mechanism`, `username` and `password`"},
	{"option.enable.ssl.certificate.verification = false\n", "always verified"},
	{"option.ssl.endpoint.identification.algorithm = none\n", "always verified"},
	{"option.partitioner = random\n", "would change their order"},
	{"option.test.mock.num.brokers = 3\n", "keeps no records"},
	{"option.max.in.flight = 6\n", "could change the order"},
	{"max_record = 1GiB\n", NULL},
	/* more than memory has is not cut to its last bits */
	{"max_record = 4GiB\n", SIZE_MAX > UINT32_MAX ? NULL : "max_record"},
};

START_TEST(faults)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = BUF_NULL, found = BUF_NULL;

		buf_printf(&text, "%s%s", GOOD, cases[i].more);
		check(buf_text(&text), &found);
		if (cases[i].fault)
			ck_assert_msg(strstr(buf_text(&found), cases[i].fault), "case %zu: %s", i,
				buf_text(&found));
		else
			ck_assert_msg(found.size == 0, "case %zu: %s", i, buf_text(&found));
		buf_deinit(&text);
		buf_deinit(&found);
	}
}
END_TEST

START_TEST(brokers_and_topics)
{
	static const char *const bad[] = {"brokers = http://k:1\ntopic = t\n",
		"brokers = k:0\ntopic = t\n", "brokers = :9092\ntopic = t\n",
		"brokers = k\ntopic = a/b\n", "brokers = k\ntopic = ..\n", "brokers = k\n",
		"brokers = k\ntopic = %{provider}\n", "brokers = k\ntopic = t\nplace_topic = t\n"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf text = BUF_NULL, found = BUF_NULL;

		buf_printf(&text, "[sink bus]\ntype = kafka\n%s", bad[i]);
		check(buf_text(&text), &found);
		ck_assert_msg(found.size > 0, "case %zu", i);
		buf_deinit(&text);
		buf_deinit(&found);
	}
}
END_TEST

START_TEST(topics)
{
	struct buf out = BUF_NULL;

	kafka_topic_print("audit.%{source}-%{source}", "acme:prod", &out);
	ck_assert_str_eq(buf_text(&out), "audit.acme_prod-acme_prod");
	buf_clear(&out);
	kafka_topic_print("audit", "acme", &out);
	ck_assert_str_eq(buf_text(&out), "audit");
	buf_deinit(&out);
}
END_TEST

UNIT_MAIN("kafka_options", faults, brokers_and_topics, topics)
