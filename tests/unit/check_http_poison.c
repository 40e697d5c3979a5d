/* When a request that fails is halved to find the record to blame. */
#include "sink/http/http_poison.h"

#include "check_unit.h"

static enum http_poison failed(struct http_suspicion *suspicion)
{
	struct fault fault = FAULT_NULL;

	fault_set(&fault, FAULT_SERVER, "HTTP 503 Service Unavailable");
	fault.status = 503;
	return http_poison_failed(suspicion, &fault, 40);
}

START_TEST(three_failures_in_the_same_words)
{
	struct http_suspicion suspicion = HTTP_SUSPICION_NULL;

	ck_assert_int_eq(failed(&suspicion), HTTP_POISON_NONE);
	ck_assert_int_eq(failed(&suspicion), HTTP_POISON_NONE);
	ck_assert_int_eq(failed(&suspicion), HTTP_POISON_SEARCH);
	ck_assert_int_eq(failed(&suspicion), HTTP_POISON_SEARCH);
}
END_TEST

/* It may have been taken, and its halves are other requests. */
START_TEST(a_lost_answer_restarts_the_count)
{
	struct http_suspicion suspicion = HTTP_SUSPICION_NULL;

	failed(&suspicion);
	failed(&suspicion);
	http_poison_unanswered(&suspicion);
	ck_assert_int_eq(failed(&suspicion), HTTP_POISON_NONE);
	ck_assert_int_eq(failed(&suspicion), HTTP_POISON_NONE);
	ck_assert_int_eq(failed(&suspicion), HTTP_POISON_SEARCH);
	http_poison_unanswered(&suspicion);
	ck_assert_int_eq(failed(&suspicion), HTTP_POISON_NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_poison");
	TCase *tcase = tcase_create("http_poison");

	tcase_add_test(tcase, three_failures_in_the_same_words);
	tcase_add_test(tcase, a_lost_answer_restarts_the_count);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
