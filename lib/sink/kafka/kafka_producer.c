/* See kafka_producer.h. */
#include "sink/kafka/kafka_producer_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

#define KAFKA_WAIT_MS 100 /* for room in librdkafka's queue */
#define KAFKA_FLUSH_MS 60000
#define KAFKA_ABORT_MS 5000
#define KAFKA_SERVE_EACH 256 /* records, between two looks at reports */

/* An outcome of one try that is not told: the job is sent again at once. */
#define KAFKA_AGAIN ((enum kafka_outcome) - 1)

/* --- failures --- */

enum kafka_outcome kafka_fail(
	struct kafka_answer *ret, enum fault_class class, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret->text, sizeof(ret->text), format, args);
	va_end(args);
	ret->class = class;
	ret->outcome = KAFKA_RETRY;
	return KAFKA_RETRY;
}

/* The brokers themselves say more than a call that waited for them. */
enum kafka_outcome kafka_fail_code(const struct kafka_producer *producer, struct kafka_answer *ret,
	const char *what, rd_kafka_resp_err_t code, const char *text)
{
	enum fault_class class = kafka_error_class(code);
	bool waited = class == FAULT_NETWORK || class == FAULT_TIMEOUT;

	if (!waited || !*producer->recent)
		return kafka_fail(ret, class, "%s: %s", what, text);
	return kafka_fail(ret, kafka_error_class(producer->recent_code), "%s: %s (%s)", what, text,
		producer->recent);
}

enum kafka_outcome kafka_fail_error(const struct kafka_producer *producer, struct kafka_answer *ret,
	const char *what, rd_kafka_error_t *error)
{
	kafka_fail_code(
		producer, ret, what, rd_kafka_error_code(error), rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
	return KAFKA_RETRY;
}

/* --- what librdkafka reports --- */

static void kafka_on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct kafka_producer *producer = opaque;

	(void)rk;
	producer->all_down |= code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && *producer->recent)
		return; /* why they are was said before */
	snprintf(producer->recent, sizeof(producer->recent), "%s", reason);
	producer->recent_code = (rd_kafka_resp_err_t)code;
}

static void kafka_on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	const struct kafka_producer *producer = rd_kafka_opaque(rk);

	(void)level;
	(void)facility;
	if (producer->told)
		producer->told(text, producer->userdata);
}

/* What is dropped with a transaction, or after a fatal error, says nothing of the reason. */
static bool kafka_is_consequence(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

static void kafka_on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct kafka_producer *producer = opaque;
	intptr_t index = (intptr_t)message->_private - 1;

	(void)rk;
	producer->n_stored += message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || kafka_is_consequence(message->err))
		return;
	if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE && index >= 0 && producer->job) {
		struct kafka_record *record = &producer->job->records[index];

		producer->job->n_refused += record->suspect && !record->refused;
		record->refused = record->suspect;
		record->suspect = true;
		producer->too_large = true;
		return;
	}
	if (producer->failed != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	producer->failed = message->err;
	snprintf(producer->failed_topic, sizeof(producer->failed_topic), "%s",
		message->rkt ? rd_kafka_topic_name(message->rkt) : "");
}

/* --- opening --- */

rd_kafka_t *kafka_handle_new(struct kafka_producer *producer, rd_kafka_type_t type,
	const char *const *pairs, struct kafka_answer *ret)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_dup(producer->conf);
	char text[512];
	rd_kafka_t *rk;

	for (; *pairs; pairs += 2)
		kafka_conf_set(conf, pairs[0], pairs[1]);
	rd_kafka_conf_set_opaque(conf, producer);
	rd_kafka_conf_set_log_cb(conf, kafka_on_log);
	rd_kafka_conf_set_error_cb(conf, kafka_on_error);
	if (type == RD_KAFKA_PRODUCER)
		rd_kafka_conf_set_dr_msg_cb(conf, kafka_on_report);
	rk = rd_kafka_new(type, conf, text, sizeof(text));
	if (!rk) {
		rd_kafka_conf_destroy(conf);
		kafka_fail(ret, FAULT_CONFIG, "the producer cannot be made: %s", text);
		return NULL;
	}
	rd_kafka_set_log_queue(rk, NULL); /* told by rd_kafka_poll, on this thread */
	return rk;
}

static void kafka_close(struct kafka_producer *producer)
{
	if (!producer->rk)
		return;
	rd_kafka_purge(producer->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_destroy(producer->rk);
	producer->rk = NULL;
}

static enum kafka_outcome kafka_init(struct kafka_producer *producer, struct kafka_answer *ret)
{
	rd_kafka_error_t *error = rd_kafka_init_transactions(producer->rk, -1);

	rd_kafka_poll(producer->rk, 0);
	if (!error)
		return KAFKA_DELIVERED;
	return kafka_fail_error(producer, ret, "a transaction cannot be begun", error);
}

static enum kafka_outcome kafka_open_transactional(
	struct kafka_producer *producer, struct kafka_answer *ret)
{
	/* the end of place_topic is asked for with the producer: with transactions of others
	 * that are not over, since what follows them cannot be read before */
	const char *const pairs[] = {
		"transactional.id", producer->id, "isolation.level", "read_uncommitted", NULL};
	const char *const reader_pairs[] = {"isolation.level", "read_committed",
		"enable.partition.eof", "true", "enable.auto.commit", "false", NULL};
	rd_kafka_t *reader = kafka_handle_new(producer, RD_KAFKA_CONSUMER, reader_pairs, ret);
	enum kafka_outcome outcome;

	if (!reader)
		return KAFKA_RETRY;
	outcome = kafka_position_prepare(producer, reader, ret);
	if (outcome == KAFKA_DELIVERED) {
		producer->rk = kafka_handle_new(producer, RD_KAFKA_PRODUCER, pairs, ret);
		outcome = producer->rk ? kafka_init(producer, ret) : KAFKA_RETRY;
	}
	if (outcome == KAFKA_DELIVERED)
		outcome = kafka_position_read(producer, reader, ret);
	rd_kafka_destroy(reader);
	return outcome;
}

static enum kafka_outcome kafka_open_idempotent(
	struct kafka_producer *producer, struct kafka_answer *ret)
{
	const char *const pairs[] = {"enable.idempotence", "true", NULL};

	producer->rk = kafka_handle_new(producer, RD_KAFKA_PRODUCER, pairs, ret);
	return producer->rk ? KAFKA_DELIVERED : KAFKA_RETRY;
}

enum kafka_outcome kafka_producer_open(struct kafka_producer *producer, struct kafka_answer *ret)
{
	enum kafka_outcome outcome;

	if (producer->rk)
		return KAFKA_DELIVERED;
	*producer->recent = '\0';
	kafka_position_deinit(&producer->position);
	outcome = producer->place_topic ? kafka_open_transactional(producer, ret)
					: kafka_open_idempotent(producer, ret);
	if (outcome != KAFKA_DELIVERED)
		kafka_close(producer);
	return outcome;
}

/* --- messages --- */

static rd_kafka_headers_t *kafka_headers(const struct kafka_record *record)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
	char number[24];
	int size = snprintf(number, sizeof(number), "%" PRId64, record->number);

	rd_kafka_header_add(headers, "trawld.source", -1, record->source, -1);
	rd_kafka_header_add(headers, "trawld.id", -1, record->id.data, (ssize_t)record->id.size);
	if (record->time.data)
		rd_kafka_header_add(
			headers, "trawld.time", -1, record->time.data, (ssize_t)record->time.size);
	rd_kafka_header_add(headers, "trawld.number", -1, number, size);
	return headers;
}

/* Hands librdkafka a message of PARTS, and waits for room in its queue. */
static rd_kafka_resp_err_t kafka_send(
	struct kafka_producer *producer, const rd_kafka_vu_t *parts, size_t n_parts)
{
	rd_kafka_resp_err_t code;

	do {
		rd_kafka_error_t *error = rd_kafka_produceva(producer->rk, parts, n_parts);

		code = rd_kafka_error_code(error);
		rd_kafka_error_destroy(error);
		if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
			rd_kafka_poll(producer->rk, KAFKA_WAIT_MS);
	} while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
	producer->n_sent += code == RD_KAFKA_RESP_ERR_NO_ERROR;
	return code;
}

rd_kafka_resp_err_t kafka_produce(
	struct kafka_producer *producer, const struct kafka_record *record, intptr_t index)
{
	rd_kafka_headers_t *headers = kafka_headers(record);
	const rd_kafka_vu_t parts[] = {
		{.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = record->topic},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
		{.vtype = RD_KAFKA_VTYPE_KEY,
			.u.mem = {(void *)(uintptr_t)record->key.data, record->key.size}},
		{.vtype = RD_KAFKA_VTYPE_VALUE,
			.u.mem = {(void *)(uintptr_t)record->value.data, record->value.size}},
		{.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
		{.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(index + 1)},
	};
	rd_kafka_resp_err_t code = kafka_send(producer, parts, sizeof(parts) / sizeof(parts[0]));

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_headers_destroy(headers);
	return code;
}

rd_kafka_resp_err_t kafka_produce_position(struct kafka_producer *producer)
{
	struct buf text = BUF_NULL;
	rd_kafka_resp_err_t code;

	kafka_position_print(&producer->position, producer->job, producer->state, &text);
	const rd_kafka_vu_t parts[] = {
		{.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = producer->place_topic},
		{.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = 0},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
		{.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {producer->key, strlen(producer->key)}},
		{.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {text.data, text.size}},
	};
	code = kafka_send(producer, parts, sizeof(parts) / sizeof(parts[0]));
	buf_deinit(&text);
	return code;
}

/* The reason of a fatal error is kept apart from what fails because of it. */
static void kafka_failed(
	struct kafka_producer *producer, rd_kafka_resp_err_t code, const char *topic)
{
	char text[8];
	rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(producer->rk, text, sizeof(text));

	producer->broken = true;
	if (producer->failed != RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR__STATE)
		return;
	producer->failed = fatal != RD_KAFKA_RESP_ERR_NO_ERROR ? fatal : code;
	snprintf(producer->failed_topic, sizeof(producer->failed_topic), "%s", topic);
}

static bool kafka_has_failed(const struct kafka_producer *producer)
{
	return producer->failed != RD_KAFKA_RESP_ERR_NO_ERROR || producer->too_large ||
	       producer->broken;
}

/* Only a call has said that the transaction takes no more messages, and not why. */
static bool kafka_is_unexplained(const struct kafka_producer *producer)
{
	return producer->broken && !producer->too_large &&
	       producer->failed == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/*
 * Waits for the reports of all that was produced, or the first bad one: a commit would wait for the
 * others, which do not come before the transaction is aborted. What counts is what the brokers have
 * stored, one by one: an empty queue proves nothing.
 */
static void kafka_flush(struct kafka_producer *producer)
{
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;

	for (int waited = 0; waited < KAFKA_FLUSH_MS && code != RD_KAFKA_RESP_ERR_NO_ERROR &&
			     !kafka_has_failed(producer);
		waited += KAFKA_WAIT_MS)
		code = rd_kafka_flush(producer->rk, KAFKA_WAIT_MS);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && producer->n_stored != producer->n_sent)
		code = RD_KAFKA_RESP_ERR__PURGE_QUEUE;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR && !kafka_has_failed(producer))
		kafka_failed(producer, code, "of the sink");
}

/* Sends one record. A suspect is sent alone, so that what the brokers say of the request is about
 * it. */
static void kafka_send_record(struct kafka_producer *producer, size_t index)
{
	struct kafka_record *record = &producer->job->records[index];
	rd_kafka_resp_err_t code;

	if (record->suspect)
		kafka_flush(producer);
	code = kafka_produce(producer, record, (intptr_t)index);
	if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
		record->refused = true; /* for librdkafka; nothing of it was sent */
		producer->job->n_refused++;
	} else if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		kafka_failed(producer, code, record->topic);
	} else if (record->suspect) {
		kafka_flush(producer);
	}
	if (index % KAFKA_SERVE_EACH == 0)
		rd_kafka_poll(producer->rk, 0);
}

static void kafka_send_records(struct kafka_producer *producer)
{
	struct kafka_job *job = producer->job;

	for (size_t i = 0; i < job->n_records && !kafka_has_failed(producer); i++)
		if (!job->records[i].refused)
			kafka_send_record(producer, i);
}

/* --- one try --- */

static bool kafka_is_fenced(const struct kafka_producer *producer, rd_kafka_resp_err_t code)
{
	char text[8];
	rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(producer->rk, text, sizeof(text));

	return code == RD_KAFKA_RESP_ERR__FENCED || fatal == RD_KAFKA_RESP_ERR__FENCED ||
	       fatal == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
	       fatal == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

static enum kafka_outcome kafka_fenced(struct kafka_producer *producer, struct kafka_answer *ret)
{
	kafka_fail(ret, FAULT_SERVER,
		"the brokers have fenced off transactional.id %s: another trawld with the same state has taken over, or a transaction took too long",
		producer->id);
	kafka_close(producer);
	ret->outcome = KAFKA_FENCED;
	return KAFKA_FENCED;
}

/* Was it only the size of records? Then the next try knows more of them. */
static bool kafka_may_go_on(const struct kafka_producer *producer)
{
	return producer->too_large && producer->failed == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Why the transaction is not committed, in *RET. ERROR may be NULL: a report said so. */
static void kafka_explain(
	struct kafka_producer *producer, struct kafka_answer *ret, const rd_kafka_error_t *error)
{
	char what[320];

	if (producer->failed == RD_KAFKA_RESP_ERR_NO_ERROR) {
		kafka_fail_code(producer, ret, "the records were not committed",
			error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR__FAIL,
			error ? rd_kafka_error_string(error) : "a record was rejected");
		return;
	}
	snprintf(what, sizeof(what), "topic %s", producer->failed_topic);
	kafka_fail_code(producer, ret, what, producer->failed, rd_kafka_err2str(producer->failed));
}

/*
 * The transaction has failed; takes over ERROR, which may be NULL. It is aborted, so that readers
 * do not wait for its end. That may take for ever after a request was rejected while others were
 * under way: then, and when the error is another one, the producer is closed, and the next one ends
 * the transaction.
 */
static enum kafka_outcome kafka_abort(
	struct kafka_producer *producer, struct kafka_answer *ret, rd_kafka_error_t *error)
{
	bool may_abort = !error || rd_kafka_error_txn_requires_abort(error);
	bool fenced = kafka_is_fenced(producer, error ? rd_kafka_error_code(error) : 0);
	rd_kafka_error_t *end = NULL;

	if (may_abort && !fenced && !producer->too_large) {
		end = rd_kafka_abort_transaction(producer->rk, KAFKA_ABORT_MS);
		fenced = kafka_is_fenced(producer, end ? rd_kafka_error_code(end) : 0);
	}
	kafka_explain(producer, ret, error ? error : end);
	may_abort = may_abort && !end && !producer->too_large;
	if (error)
		rd_kafka_error_destroy(error);
	if (end)
		rd_kafka_error_destroy(end);
	if (fenced)
		return kafka_fenced(producer, ret);
	if (!may_abort)
		kafka_close(producer);
	return kafka_may_go_on(producer) ? KAFKA_AGAIN : KAFKA_RETRY;
}

/* Nothing can be committed any more: the attempt says why. */
rd_kafka_error_t *kafka_reason(const struct kafka_producer *producer)
{
	return rd_kafka_commit_transaction(producer->rk, -1);
}

static enum kafka_outcome kafka_try_transaction(
	struct kafka_producer *producer, struct kafka_answer *ret)
{
	rd_kafka_error_t *error = rd_kafka_begin_transaction(producer->rk);
	rd_kafka_resp_err_t code;

	if (error)
		return kafka_abort(producer, ret, error);
	kafka_send_records(producer);
	if (!kafka_has_failed(producer)) {
		code = kafka_produce_position(producer);
		if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
			kafka_failed(producer, code, producer->place_topic);
	}
	if (!kafka_has_failed(producer))
		kafka_flush(producer);
	if (kafka_is_unexplained(producer))
		return kafka_abort(producer, ret, kafka_reason(producer));
	if (kafka_has_failed(producer))
		return kafka_abort(producer, ret, NULL);
	error = rd_kafka_commit_transaction(producer->rk, -1);
	if (error)
		return kafka_abort(producer, ret, error);
	kafka_position_set(&producer->position, producer->job);
	return KAFKA_DELIVERED;
}

static enum kafka_outcome kafka_try_plain(struct kafka_producer *producer, struct kafka_answer *ret)
{
	kafka_send_records(producer);
	if (!kafka_has_failed(producer))
		kafka_flush(producer);
	if (!kafka_has_failed(producer))
		return KAFKA_DELIVERED;
	kafka_explain(producer, ret, NULL);
	kafka_close(producer); /* reports on this try may still come */
	return kafka_may_go_on(producer) ? KAFKA_AGAIN : KAFKA_RETRY;
}

/* --- from outside --- */

/* All of many records are too large for the brokers: that is not the records' fault. */
static bool kafka_blames_brokers(const struct kafka_job *job)
{
	return job->n_refused == job->n_records && job->n_records >= SINK_BLAME_LEAST;
}

static enum kafka_outcome kafka_none_taken(struct kafka_answer *ret)
{
	kafka_fail(ret, FAULT_REFUSED, "%s", KAFKA_TOO_LARGE);
	ret->outcome = KAFKA_NONE_TAKEN;
	return KAFKA_NONE_TAKEN;
}

/* One try, of all of JOB but the refused records. */
static enum kafka_outcome kafka_try(
	struct kafka_producer *producer, struct kafka_job *job, struct kafka_answer *ret)
{
	enum kafka_outcome outcome = kafka_producer_open(producer, ret);

	if (outcome != KAFKA_DELIVERED || kafka_position_has(&producer->position, job))
		return outcome;
	ret->foreign = !job->resent && producer->position.through >= job->first;
	if (kafka_blames_brokers(job))
		return kafka_none_taken(ret);
	producer->job = job;
	producer->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
	producer->too_large = false;
	producer->broken = false;
	producer->n_sent = 0;
	producer->n_stored = 0;
	outcome = producer->place_topic ? kafka_try_transaction(producer, ret)
					: kafka_try_plain(producer, ret);
	producer->job = NULL;
	return outcome;
}

void kafka_producer_send(
	struct kafka_producer *producer, struct kafka_job *job, struct kafka_answer *ret)
{
	enum kafka_outcome outcome;

	do
		outcome = kafka_try(producer, job, ret);
	while (outcome == KAFKA_AGAIN);
	ret->outcome = outcome;
	if (outcome == KAFKA_DELIVERED)
		*producer->recent = '\0';
}

void kafka_producer_serve(struct kafka_producer *producer)
{
	if (producer->rk)
		rd_kafka_poll(producer->rk, 0);
}

int kafka_producer_new(
	struct kafka_producer **ret, const struct kafka_producer_setup *setup, struct fault *reterr)
{
	const struct kafka_options *options = setup->options;
	struct kafka_producer *producer;
	rd_kafka_conf_t *conf;
	int r = kafka_conf_new(&conf, options, reterr);

	if (r)
		return r;
	producer = MEM_NEW(struct kafka_producer);
	producer->conf = conf;
	producer->told = setup->told;
	producer->userdata = setup->userdata;
	producer->state = mem_strdup(setup->state);
	producer->id = mem_printf("trawld-%s-0-%s", setup->state, setup->sink);
	producer->key = mem_printf("%s/0/%s", setup->state, setup->sink);
	producer->place_topic = options->transactional ? mem_strdup(options->place_topic) : NULL;
	producer->brokers = kafka_conf_get(conf, "bootstrap.servers");
	*ret = producer;
	return 0;
}

void kafka_producer_free(struct kafka_producer *producer)
{
	if (!producer)
		return;
	kafka_close(producer);
	rd_kafka_conf_destroy(producer->conf);
	kafka_position_deinit(&producer->position);
	free(producer->brokers);
	free(producer->state);
	free(producer->key);
	free(producer->place_topic);
	free(producer->id);
	free(producer);
}
