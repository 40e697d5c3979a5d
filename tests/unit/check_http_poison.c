/* When a request that fails is halved to find the record to blame. */
#include "sink/http/http_poison.h"

#include "check_unit.h"

static enum http_poison failed(struct http_suspicion *suspicion, size_t n, bool doubted)
{
	struct fault fault = FAULT_NULL;

	fault_set(&fault, FAULT_SERVER, "HTTP 503 Service Unavailable");
	fault.status = 503;
	return http_poison_failed(suspicion, &fault, n, doubted);
}

START_TEST(three_failures_in_the_same_words)
{
	struct http_suspicion suspicion = HTTP_SUSPICION_NULL;

	ck_assert_int_eq(failed(&suspicion, 40, false), HTTP_POISON_NONE);
	ck_assert_int_eq(failed(&suspicion, 40, false), HTTP_POISON_NONE);
	ck_assert_int_eq(failed(&suspicion, 40, false), HTTP_POISON_SEARCH);
	ck_assert_int_eq(failed(&suspicion, 20, false), HTTP_POISON_SEARCH);
	http_poison_forget(&suspicion);
	ck_assert_int_eq(failed(&suspicion, 20, false), HTTP_POISON_NONE);
}
END_TEST

/* It may have been taken, and its halves are other requests. */
START_TEST(twelve_where_an_answer_was_lost)
{
	struct http_suspicion suspicion = HTTP_SUSPICION_NULL;

	for (unsigned i = 1; i < HTTP_POISON_TRIES_MORE; i++)
		ck_assert_int_eq(failed(&suspicion, 40, true), HTTP_POISON_NONE);
	ck_assert_int_eq(failed(&suspicion, 40, true), HTTP_POISON_SEARCH);
	/* the whole, and down to one record, each time */
	for (unsigned i = 1; i < HTTP_POISON_TRIES_MORE; i++) {
		ck_assert_int_eq(failed(&suspicion, 1, true), HTTP_POISON_NONE);
		ck_assert_int_eq(failed(&suspicion, 40, true), HTTP_POISON_SEARCH);
		ck_assert_int_eq(failed(&suspicion, 20, true), HTTP_POISON_SEARCH);
	}
	ck_assert_int_eq(failed(&suspicion, 1, true), HTTP_POISON_FOUND);
}
END_TEST

/* A receiver that asks for a pause speaks of itself. */
START_TEST(a_pause_restarts_the_count)
{
	struct http_suspicion suspicion = HTTP_SUSPICION_NULL;
	struct fault pause = FAULT_NULL;

	fault_set(&pause, FAULT_SERVER, "HTTP 503 Service Unavailable");
	pause.status = 503;
	pause.wait_ns = NSEC_PER_SEC;
	for (unsigned i = 1; i < HTTP_POISON_TRIES_MORE; i++)
		failed(&suspicion, 40, true);
	ck_assert_int_eq(http_poison_failed(&suspicion, &pause, 40, true), HTTP_POISON_NONE);
	ck_assert_int_eq(failed(&suspicion, 40, true), HTTP_POISON_NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_poison");
	TCase *tcase = tcase_create("http_poison");

	tcase_add_test(tcase, three_failures_in_the_same_words);
	tcase_add_test(tcase, twelve_where_an_answer_was_lost);
	tcase_add_test(tcase, a_pause_restarts_the_count);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
