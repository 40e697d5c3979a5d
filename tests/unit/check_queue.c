/* What waits for a sink: how much of it is in memory, alone and beside other queues. */
#include "pipeline/queue.h"

#include "store/spool.h"
#include "store_fixture.h"

#define BATCH_BYTES ((size_t)400 << 10)

static const struct sink_gather no_bounds;

/* The batches FROM to TO - 1 of SOURCE, each of four records, about BATCH_BYTES. */
static void add_large(const char *source, int from, int to, struct queue *queue)
{
	char *text = mem_alloc(BATCH_BYTES / 4);

	memset(text, 'x', BATCH_BYTES / 4);
	for (int i = from; i < to; i++) {
		struct batch *batch = batch_new(source, "cloudscale", 1000);

		for (int k = 0; k < 4; k++) {
			struct id key = fixture_key(i, (size_t)k);

			memcpy(text, &key, sizeof(key));
			batch_add(batch, (struct slice){text, BATCH_BYTES / 4 - 1}, &key,
				SLICE_NULL, NSEC_NONE);
		}
		batch_trim(batch);
		commit_add_page(store, source, batch, "{}", NULL, NULL);
		fixture_run();
		if (queue)
			queue_offer(queue, batch);
		batch_unref(batch);
	}
	free(text);
}

static void refill(struct queue *queue, int64_t until, const struct sink_gather *gather)
{
	struct fault fault = FAULT_NULL;
	int r = queue_refill(queue, until, gather, &fault);

	ck_assert_msg(r == 0, "queue_refill: %d %s", r, fault.text);
}

START_TEST(alone_it_reads_a_job)
{
	struct queue queue;

	add_large("a", 0, 50, NULL);
	queue_init(&queue, store, fixture_any, NULL, 0);
	refill(&queue, 0, &no_bounds);
	ck_assert_uint_ge(queue.bytes, JOB_MAX_BYTES);
	ck_assert_uint_lt(queue.bytes, JOB_MAX_BYTES + BATCH_BYTES);
	ck_assert_uint_eq(queue_measure(&queue, 0, &no_bounds), queue.n_items - 1);
	ck_assert_uint_eq(queue_measure(&queue, 3, &no_bounds), 3); /* a plan */
	queue_deinit(&queue);
	ck_assert_uint_eq(spool_memory(store), 0);
}
END_TEST

START_TEST(it_reads_what_the_sink_asks_for)
{
	static const struct sink_gather gather = {.bytes = 2 << 20};
	struct queue queue;

	add_large("a", 0, 20, NULL);
	queue_init(&queue, store, fixture_any, NULL, 0);
	refill(&queue, 0, &gather);
	ck_assert_uint_ge(queue.bytes, gather.bytes);
	ck_assert_uint_lt(queue.bytes, gather.bytes + BATCH_BYTES);
	queue_deinit(&queue);
}
END_TEST

START_TEST(offers_are_kept_up_to_a_bound)
{
	struct queue queue;

	queue_init(&queue, store, fixture_any, NULL, 0);
	refill(&queue, 0, &no_bounds);
	ck_assert(queue_is_empty(&queue));
	add_large("a", 0, 40, &queue);
	ck_assert(queue.behind);
	ck_assert_uint_ge(queue.bytes, QUEUE_MEMORY_BYTES);
	ck_assert_uint_lt(queue.bytes, QUEUE_MEMORY_BYTES + BATCH_BYTES);
	queue_deinit(&queue);
}
END_TEST

START_TEST(queues_hold_a_batch_once)
{
	struct queue one, two;
	size_t memory;

	add_large("a", 0, 50, NULL);
	queue_init(&one, store, fixture_any, NULL, 0);
	queue_init(&two, store, fixture_any, NULL, 0);
	refill(&one, 0, &no_bounds);
	memory = spool_memory(store);
	ck_assert_uint_gt(memory, one.bytes);
	refill(&two, 0, &no_bounds);
	ck_assert_uint_eq(spool_memory(store), memory);
	ck_assert_ptr_eq(one.items[0], two.items[0]);
	queue_deinit(&one);
	ck_assert_uint_eq(spool_memory(store), memory);
	queue_deinit(&two);
	ck_assert_uint_eq(spool_memory(store), 0);
}
END_TEST

START_TEST(together_they_have_one_bound)
{
	enum { N = 6 };
	static const char *const sources[N] = {"a", "b", "c", "d", "e", "f"};
	struct queue queues[N];

	for (int i = 0; i < N; i++)
		add_large(sources[i], 0, 30, NULL);
	for (int i = 0; i < N; i++) {
		queue_init(&queues[i], store, fixture_any, (void *)(uintptr_t)sources[i], 0);
		refill(&queues[i], 0, &no_bounds);
		ck_assert_uint_ge(queues[i].bytes, QUEUE_LEAST_BYTES);
	}
	ck_assert_uint_le(
		spool_memory(store), QUEUES_MEMORY_BYTES + N * (QUEUE_LEAST_BYTES + BATCH_BYTES));
	/* what is offered now finds room in no queue that has its least */
	for (int i = 2; i < N; i++) {
		size_t n = queues[i].n_items;

		add_large(sources[i], 30, 35, &queues[i]);
		ck_assert_uint_eq(queues[i].n_items, n);
	}
	/* a planned job comes whole */
	refill(&queues[N - 1], queues[N - 1].taken + 10, &no_bounds);
	ck_assert_uint_gt(queues[N - 1].bytes, 3 * QUEUE_LEAST_BYTES);
	for (int i = 0; i < N; i++)
		queue_deinit(&queues[i]);
	ck_assert_uint_eq(spool_memory(store), 0);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("queue");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, fixture_open_setup, fixture_teardown);
	tcase_add_test(tcase, alone_it_reads_a_job);
	tcase_add_test(tcase, it_reads_what_the_sink_asks_for);
	tcase_add_test(tcase, offers_are_kept_up_to_a_bound);
	tcase_add_test(tcase, queues_hold_a_batch_once);
	tcase_add_test(tcase, together_they_have_one_bound);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("queue", add_tests);
}
