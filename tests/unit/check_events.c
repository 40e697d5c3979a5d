/* Events (store/events.h): each is in the transaction of what it speaks of, numbered without holes,
 * and the root speaks of those that are committed. */
#include "store_fixture.h"

#include "store/events.h"
#include "store/pause.h"
#include "store/routes.h"

static char listed[4096];

static void append(const char *line, void *userdata)
{
	size_t size = strlen(listed);
	const char *from = strstr(line, "\"kind\"");

	(void)userdata;
	snprintf(listed + size, sizeof(listed) - size, "%.*s%s\n", (int)strcspn(line, ","), line,
		from);
}

static const char *list(void)
{
	struct fault fault = FAULT_NULL;

	listed[0] = '\0';
	ck_assert_int_eq(events_each(store, INT64_MIN, append, NULL, &fault), 0);
	return listed;
}

static uint64_t count(void)
{
	char root[DIGEST_HEX_SIZE];

	return events_root(store, root);
}

static void add(enum event_kind kind, const char *text)
{
	events_add(store, &(struct event){.kind = kind, .text = text});
}

START_TEST(an_event_is_committed_with_the_rest)
{
	char before[DIGEST_HEX_SIZE], after[DIGEST_HEX_SIZE];

	ck_assert_uint_eq(events_root(store, before), 0);
	add(EVENT_START, "one");
	ck_assert(commit_pending(store));
	ck_assert_uint_eq(count(), 0);
	ck_assert_str_eq(list(), "");
	fixture_run();
	ck_assert_str_eq(list(), "{\"event\":1\"kind\":\"start\",\"text\":\"one\"}\n");
	ck_assert(!commit_pending(store));
	ck_assert_uint_eq(events_root(store, after), 1);
	ck_assert_str_ne(before, after);
	add(EVENT_STOP, NULL);
	fixture_reopen(); /* was never committed */
	ck_assert_uint_eq(events_root(store, before), 1);
	ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(what_fails_is_not_noted)
{
	const struct routes_configuration none = {0};
	struct routes_change change = {.command = ROUTES_DROP_SINK, .name = "nobody", .by = "bob"};
	struct fault fault = FAULT_NULL;

	add(EVENT_REWIND, "waits");
	ck_assert_int_eq(
		pause_set(store, PAUSE_SINK, "nobody", true, "bob", &fault), STORE_E_UNKNOWN);
	ck_assert_str_eq(list(), "");
	fixture_run();
	ck_assert_int_eq(routes_change(store, &none, &change, &fault), STORE_E_UNKNOWN);
	ck_assert_str_eq(list(), "{\"event\":1\"kind\":\"rewind\",\"text\":\"waits\"}\n");
	ck_assert(!commit_pending(store));
	ck_assert_uint_eq(count(), 1);
}
END_TEST

/* A pause is durable before what waits for the next commit. */
START_TEST(each_has_its_own_transaction)
{
	struct fault fault = FAULT_NULL;

	commit_add_cursor(store, "s", "{}");
	fixture_run();
	add(EVENT_REWIND, "waits");
	ck_assert_int_eq(pause_set(store, PAUSE_SOURCE, "s", true, "bob", &fault), 0);
	ck_assert_str_eq(
		list(), "{\"event\":1\"kind\":\"pause\",\"source\":\"s\",\"by\":\"bob\"}\n");
	fixture_run();
	ck_assert_str_eq(list(), "{\"event\":1\"kind\":\"pause\",\"source\":\"s\",\"by\":\"bob\"}\n"
				 "{\"event\":2\"kind\":\"rewind\",\"text\":\"waits\"}\n");
	ck_assert_uint_eq(count(), 2);
}
END_TEST

START_TEST(the_last_of_a_kind)
{
	struct fault fault = FAULT_NULL;
	char *text = NULL;
	bool broke_off = true;

	ck_assert_int_eq(events_last(store, EVENT_CONFIGURATION, &text, &fault), 0);
	ck_assert_ptr_null(text);
	ck_assert_int_eq(events_broke_off(store, &broke_off, &fault), 0);
	ck_assert(!broke_off);
	add(EVENT_CONFIGURATION, "a");
	add(EVENT_START, NULL);
	add(EVENT_CONFIGURATION, "b");
	fixture_run();
	ck_assert_int_eq(events_last(store, EVENT_CONFIGURATION, &text, &fault), 0);
	ck_assert_str_eq(text, "b");
	free(text);
	ck_assert_int_eq(events_broke_off(store, &broke_off, &fault), 0);
	ck_assert(broke_off);
	add(EVENT_STOP, NULL);
	fixture_run();
	ck_assert_int_eq(events_broke_off(store, &broke_off, &fault), 0);
	ck_assert(!broke_off);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *cases = tcase_create("events");

	tcase_add_checked_fixture(cases, fixture_open_setup, fixture_teardown);
	tcase_add_test(cases, an_event_is_committed_with_the_rest);
	tcase_add_test(cases, what_fails_is_not_noted);
	tcase_add_test(cases, each_has_its_own_transaction);
	tcase_add_test(cases, the_last_of_a_kind);
	suite_add_tcase(suite, cases);
}

int main(void)
{
	return fixture_main("events", add_cases);
}
