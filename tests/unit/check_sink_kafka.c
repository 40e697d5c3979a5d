/*
 * The helper thread and the producer against librdkafka's own brokers: what is sent, what is not
 * sent again, records that are too large, and ends while something is under way. Those brokers
 * neither fence nor keep what is committed apart; script/test-cluster has real ones.
 */
#include <ev.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>

#include "base/mem.h"
#include "check_unit.h"
#include "kafka_fixture.h"
#include "sink/kafka/kafka_worker.h"

#define PRODUCE 0 /* key of a request, as the protocol numbers it */
#define INIT_PRODUCER_ID 22 /* likewise */
#define LEADER 1 /* of the topic of the records */
#define STATE "0123456789abcdef"

static struct ev_loop *loop;
static rd_kafka_t *host; /* of the brokers */
static rd_kafka_mock_cluster_t *cluster;
static struct kafka_options options;
static struct kafka_worker *worker;

static int n_opened;
static struct kafka_answer opened; /* the last outcome of kafka_worker_open */
static int n_answers;
static struct kafka_answer last;
static size_t refused[8], n_refused;

static void on_open(const struct kafka_answer *answer, void *userdata)
{
	(void)userdata;
	n_opened++;
	opened = *answer;
}

static void on_answer(struct kafka_job *job, const struct kafka_answer *answer, void *userdata)
{
	(void)userdata;
	n_answers++;
	last = *answer;
	n_refused = 0;
	for (size_t i = 0; i < job->n_records; i++)
		if (job->records[i].refused)
			refused[n_refused++] = i;
	kafka_job_free(job);
}

static void on_line(const char *text, void *userdata)
{
	(void)text;
	(void)userdata;
}

static void begin(void)
{
	char text[256];

	loop = ev_loop_new(EVFLAG_AUTO);
	host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof(text));
	cluster = rd_kafka_mock_cluster_new(host, 3);
	rd_kafka_mock_topic_create(cluster, "trawld.places", 1, 1);
	rd_kafka_mock_topic_create(cluster, "t", 1, 1);
	rd_kafka_mock_partition_set_leader(cluster, "t", 0, LEADER);
	rd_kafka_mock_partition_set_leader(cluster, "trawld.places", 0, LEADER + 1);
	str_list_add(&options.brokers, rd_kafka_mock_cluster_bootstraps(cluster));
	options.topic = mem_strdup("t");
	options.place_topic = mem_strdup("trawld.places");
	options.transactional = true;
}

static void open_worker(void)
{
	const struct kafka_worker_setup setup = {loop, on_open, on_answer, on_line, NULL};
	const struct kafka_producer_setup producer = {&options, STATE, "bus", NULL, NULL};
	struct fault fault = FAULT_NULL;

	ck_assert_msg(kafka_worker_new(&worker, &setup, &producer, &fault) == 0, "%s", fault.text);
	kafka_worker_open(worker);
	for (int before = n_opened; n_opened == before;)
		ev_run(loop, EVRUN_ONCE);
}

static void end(void)
{
	kafka_worker_free(worker);
	str_list_deinit(&options.brokers);
	free(options.topic);
	free(options.place_topic);
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(host);
	ev_loop_destroy(loop);
}

static struct kafka_job *job(int64_t number, unsigned first, unsigned n)
{
	struct batch *batch = kafka_batch("acme", number, first, n);

	return kafka_job_of(&batch, 1, RECORD_RAW, "t", KAFKA_KEY_SOURCE);
}

static void deliver(struct kafka_job *sent)
{
	int before = n_answers;

	kafka_worker_send(worker, sent);
	while (n_answers == before)
		ev_run(loop, EVRUN_ONCE);
}

/* How many messages are in TOPIC. */
static int64_t count(const char *topic)
{
	int64_t low, high;

	ck_assert_int_eq(rd_kafka_query_watermark_offsets(host, topic, 0, &low, &high, 10000), 0);
	return high - low;
}

/* The host of the brokers has to know where they are. */
static void connect_host(void)
{
	rd_kafka_brokers_add(host, rd_kafka_mock_cluster_bootstraps(cluster));
}

START_TEST(once)
{
	begin();
	connect_host();
	open_worker();
	deliver(job(1, 0, 3));
	ck_assert_msg(last.outcome == KAFKA_DELIVERED, "%s", last.text);
	ck_assert_int_eq(count("t"), 3);
	ck_assert_int_eq(count("trawld.places"), 1);
	/* the acknowledgement was lost: by this process, and by the one before */
	deliver(job(1, 0, 3));
	ck_assert_int_eq(last.outcome, KAFKA_DELIVERED);
	kafka_worker_free(worker);
	open_worker();
	deliver(job(1, 0, 3));
	ck_assert_int_eq(last.outcome, KAFKA_DELIVERED);
	ck_assert(!last.foreign);
	ck_assert_int_eq(count("t"), 3);
	/* other records of the same number are new, and that is told */
	deliver(job(1, 1, 3));
	ck_assert_int_eq(last.outcome, KAFKA_DELIVERED);
	ck_assert(last.foreign);
	ck_assert_int_eq(count("t"), 6);
	end();
}
END_TEST

/* What cannot be read may say that the job is committed: nothing is sent. */
START_TEST(position_unreadable)
{
	const char *key = STATE "/0/bus", *text = "{\"through\":";
	rd_kafka_topic_t *topic;

	begin();
	connect_host();
	topic = rd_kafka_topic_new(host, "trawld.places", NULL);
	ck_assert_int_eq(rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)text,
				 strlen(text), key, strlen(key), NULL),
		0);
	ck_assert_int_eq(rd_kafka_flush(host, 10000), 0);
	rd_kafka_topic_destroy(topic);
	open_worker();
	ck_assert_int_eq(opened.outcome, KAFKA_RETRY);
	deliver(job(1, 0, 3));
	ck_assert_int_eq(last.outcome, KAFKA_RETRY);
	ck_assert_msg(strstr(last.text, "the position at offset 0 of the topic trawld.places"),
		"%s", last.text);
	ck_assert_int_eq(count("t"), 0);
	end();
}
END_TEST

/* A request with three records is too large, and then the second record alone. Without
 * transactions, since these brokers show what was aborted. */
START_TEST(too_large)
{
	begin();
	options.transactional = false;
	connect_host();
	open_worker();
	deliver(job(1, 0, 1));
	ck_assert_int_eq(last.outcome, KAFKA_DELIVERED);
	rd_kafka_mock_broker_push_request_error_rtts(cluster, LEADER, PRODUCE, 3,
		RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 0, RD_KAFKA_RESP_ERR_NO_ERROR, 0,
		RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 0);
	deliver(job(2, 1, 3));
	ck_assert_msg(last.outcome == KAFKA_DELIVERED, "%s", last.text);
	ck_assert_uint_eq(n_refused, 1);
	ck_assert_uint_eq(refused[0], 1);
	end();
}
END_TEST

START_TEST(without_transactions)
{
	begin();
	connect_host();
	options.transactional = false;
	open_worker();
	deliver(job(1, 0, 3));
	ck_assert_msg(last.outcome == KAFKA_DELIVERED, "%s", last.text);
	ck_assert_int_eq(count("t"), 3);
	end();
}
END_TEST

/* The brokers refuse a producer after it was given records: librdkafka drops them from its queue.
 */
START_TEST(dropped)
{
	int n_failed = 0;

	begin();
	connect_host();
	options.transactional = false;
	for (int broker = 1; broker <= 3; broker++)
		rd_kafka_mock_broker_push_request_error_rtts(cluster, broker, INIT_PRODUCER_ID, 1,
			RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, 1000);
	open_worker();
	for (deliver(job(1, 0, 3)); last.outcome == KAFKA_RETRY; deliver(job(1, 0, 3))) {
		n_failed++;
		ck_assert_msg(strstr(last.text, "Cluster authorization failed"), "%s", last.text);
	}
	ck_assert_msg(last.outcome == KAFKA_DELIVERED, "%s", last.text);
	ck_assert_int_gt(n_failed, 0);
	ck_assert_int_eq(count("t"), 3);
	end();
}
END_TEST

/* A job that is cancelled gets no answer, and the next one waits for it. */
START_TEST(cancelled)
{
	begin();
	connect_host();
	open_worker();
	kafka_worker_send(worker, job(1, 0, 3));
	kafka_worker_cancel(worker);
	deliver(job(2, 3, 1));
	ck_assert_int_eq(last.outcome, KAFKA_DELIVERED);
	ck_assert_int_eq(n_answers, 1);
	ck_assert_int_ge(count("t"), 1);
	end();
}
END_TEST

/* Nobody is there: a clear answer. Then the end, while the next job waits for brokers. */
START_TEST(no_brokers)
{
	begin();
	str_list_deinit(&options.brokers);
	str_list_add(&options.brokers, "127.0.0.1:1");
	open_worker();
	ck_assert_int_eq(opened.outcome, KAFKA_RETRY);
	ck_assert_msg(strstr(opened.text, "Connection refused"), "%s", opened.text);
	ck_assert_int_eq(opened.class, FAULT_NETWORK);
	deliver(job(1, 0, 1));
	ck_assert_int_eq(last.outcome, KAFKA_RETRY);
	ck_assert_msg(strstr(last.text, "Connection refused"), "%s", last.text);
	ck_assert_int_eq(last.class, FAULT_NETWORK);
	kafka_worker_send(worker, job(1, 0, 1));
	end();
	worker = NULL;
}
END_TEST

UNIT_MAIN("sink_kafka", once, position_unreadable, too_large, without_transactions, dropped,
	cancelled, no_brokers)
