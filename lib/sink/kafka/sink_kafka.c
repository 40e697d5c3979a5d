/*
 * Records to Apache Kafka: a job is one transaction, with the position of the sink in it. The
 * protocol is in kafka_producer.h, the thread that it runs on in kafka_worker.h; what a message
 * holds in kafka_job.h.
 */
#include "sink/sinks.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "sink/kafka/kafka_conf.h"
#include "sink/kafka/kafka_worker.h"

struct sink_kafka {
	struct sink base;
	char *location;
	const struct kafka_options *options;
	struct kafka_worker *worker;
	bool foreign_told;
};

static struct log_subject sink_kafka_subject(const struct sink_kafka *kafka)
{
	return (struct log_subject){"sink", kafka->base.name, kafka->location};
}

static void sink_kafka_tell_foreign(struct sink_kafka *kafka, const struct kafka_job *job)
{
	struct log_subject subject = sink_kafka_subject(kafka);

	if (kafka->foreign_told)
		return;
	kafka->foreign_told = true;
	log_notice(&subject,
		"%s has a later position than batch %" PRId64
		", of other records: the state was put back from a backup, or the sink was changed after a crash; records may be in the topic twice",
		kafka->options->place_topic, job->first);
}

/* Each refused record has a reason. */
static void sink_kafka_reject(struct sink_answer *answer, const struct kafka_job *job)
{
	answer->result = SINK_REJECTED;
	answer->n_reasons = job->n_records;
	answer->reasons = mem_array(job->n_records, sizeof(*answer->reasons));
	for (size_t i = 0; i < job->n_records; i++)
		if (job->records[i].refused)
			answer->reasons[i] = mem_strdup(KAFKA_TOO_LARGE);
	fault_set(&answer->error, FAULT_REFUSED, "%s", KAFKA_TOO_LARGE);
}

/* The answer to the job, in the words of the pipeline; the only way out of a delivery. */
static void sink_kafka_answer(
	struct sink_kafka *kafka, const struct kafka_job *job, const struct kafka_answer *from)
{
	struct sink_answer answer = {.result = SINK_DELIVERED};

	fault_set(&answer.error, from->class, "%s", from->text);
	switch (from->outcome) {
	case KAFKA_DELIVERED:
		if (job->n_refused > 0)
			sink_kafka_reject(&answer, job);
		break;
	case KAFKA_RETRY:
		answer.result = SINK_RETRY;
		break;
	case KAFKA_NONE_TAKEN:
		answer.result = SINK_NONE_TAKEN;
		break;
	case KAFKA_FENCED:
		sink_fenced(&kafka->base, &answer.error);
		return;
	}
	sink_answer(&kafka->base, &answer);
}

static void sink_kafka_on_answer(
	struct kafka_job *job, const struct kafka_answer *answer, void *userdata)
{
	struct sink_kafka *kafka = userdata;

	if (answer->foreign)
		sink_kafka_tell_foreign(kafka, job);
	sink_kafka_answer(kafka, job, answer);
	kafka_job_free(job);
}

static void sink_kafka_on_open(const struct kafka_answer *answer, void *userdata)
{
	struct sink_kafka *kafka = userdata;
	struct fault fault = FAULT_NULL;

	if (answer->outcome != KAFKA_DELIVERED)
		fault_set(&fault, answer->class, "%s", answer->text);
	sink_recovered(&kafka->base, answer->outcome != KAFKA_DELIVERED ? &fault : NULL);
}

static void sink_kafka_on_line(const char *text, void *userdata)
{
	struct log_subject subject = sink_kafka_subject(userdata);

	log_debug(&subject, "librdkafka: %s", text);
}

/* --- the kind --- */

static void sink_kafka_check(
	const void *options, const struct ini_section *section, struct findings *findings)
{
	kafka_options_check(options, section, findings);
	kafka_conf_check(options, findings);
}

static int sink_kafka_create(
	struct sink **ret, const struct sink_setup *setup, struct fault *reterr)
{
	const struct kafka_options *options = setup->options;
	struct sink_kafka *kafka = MEM_NEW(struct sink_kafka);
	const struct kafka_worker_setup worker = {
		.loop = setup->loop,
		.opened = sink_kafka_on_open,
		.answered = sink_kafka_on_answer,
		.told = sink_kafka_on_line,
		.userdata = kafka,
	};
	const struct kafka_producer_setup producer = {
		.options = options,
		.state = setup->state_id,
		.sink = setup->name,
	};
	int r;

	kafka->base.kind = &sink_kafka;
	kafka->base.name = mem_strdup(setup->name);
	kafka->base.max_record = (size_t)options->max_record;
	kafka->location = mem_strdup(setup->location);
	kafka->options = options;
	r = kafka_worker_new(&kafka->worker, &worker, &producer, reterr);
	if (r) {
		free(kafka->location);
		free(kafka->base.name);
		free(kafka);
		return r;
	}
	*ret = &kafka->base;
	return 0;
}

/* Whoever had the state before is fenced off now, and not only when there is something to send. */
static int sink_kafka_recover(struct sink *sink, const char *position, struct fault *reterr)
{
	(void)position;
	(void)reterr;
	kafka_worker_open(((struct sink_kafka *)sink)->worker);
	return 0;
}

static void sink_kafka_deliver(struct sink *sink, struct sink_job *job)
{
	struct sink_kafka *kafka = (struct sink_kafka *)sink;

	kafka_worker_send(kafka->worker,
		kafka_job_new(job, kafka->options->topic, (enum kafka_key)kafka->options->key));
}

static void sink_kafka_cancel(struct sink *sink)
{
	kafka_worker_cancel(((struct sink_kafka *)sink)->worker);
}

static void sink_kafka_destroy(struct sink *sink)
{
	struct sink_kafka *kafka = (struct sink_kafka *)sink;

	sink_kafka_cancel(sink);
	kafka_worker_free(kafka->worker);
	free(kafka->location);
	free(kafka->base.name);
	free(kafka);
}

static int sink_kafka_test(const struct sink_setup *setup, const struct str_list *sources,
	struct buf *out, struct fault *reterr)
{
	const struct kafka_options *options = setup->options;
	const struct kafka_producer_setup own = {
		.options = options,
		.state = setup->state_id,
		.sink = setup->name,
	};
	struct str_list topics CLEANUP(str_list_deinit) = STR_LIST_NULL;
	struct kafka_answer answer = {0};
	struct kafka_producer *producer;
	enum kafka_outcome outcome;
	int r = kafka_producer_new(&producer, &own, reterr);

	if (r)
		return r;
	for (size_t i = 0; i < sources->n_items; i++) {
		struct buf topic CLEANUP(buf_deinit) = BUF_NULL;

		kafka_topic_print(options->topic, sources->items[i], &topic);
		if (!str_list_has(&topics, buf_text(&topic)))
			str_list_add(&topics, buf_text(&topic));
	}
	outcome = kafka_producer_test(producer, &topics, out, &answer);
	kafka_producer_free(producer);
	if (outcome == KAFKA_DELIVERED)
		return 0;
	return fault_set(reterr, answer.class, "%s", answer.text);
}

const struct sink_kind sink_kafka = {
	KAFKA_KIND,
	.recover = sink_kafka_recover,
	.deliver = sink_kafka_deliver,
	.cancel = sink_kafka_cancel,
	.test = sink_kafka_test,
	.destroy = sink_kafka_destroy,
};
