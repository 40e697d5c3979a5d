/* Readers of the spool against a list of what was committed. */
#include "store/reader.h"

#include "store_fixture.h"

#define N_SOURCES 12
#define N_READERS 6
#define LATE 600

static char source_of[4000]; /* by number: 'a' + source; 0: released, or none */
static int64_t n_committed;
static unsigned state_of_chance;

static unsigned chance(unsigned n)
{
	state_of_chance = state_of_chance * 1103515245u + 12345u;
	return (state_of_chance >> 16) % n;
}

/* SOURCES are letters; one after a '+' counts from LATE on. */
static int64_t among(const char *source, void *userdata)
{
	const char *sources = userdata, *at = strchr(sources, source[0]);

	if (!at)
		return SPOOL_NONE;
	return at > sources && at[-1] == '+' ? LATE : SPOOL_ALL;
}

static bool is_among(int64_t number, const char *sources)
{
	char name[] = {source_of[number], '\0'};

	return name[0] && number > among(name, (void *)(uintptr_t)sources);
}

static void commit_some(void)
{
	for (unsigned n = chance(20); n > 0; n--) {
		/* the later letters have few, the last ones none */
		unsigned i = chance(1 + chance(N_SOURCES - 2));
		char name[] = {(char)('a' + i), '\0'};

		source_of[++n_committed] = name[0];
		fixture_add(name, (int)n_committed, 1, 5, NULL);
	}
	fixture_run();
}

/* What a reader of SOURCES that is after AFTER gets next; 0: nothing. */
static int64_t expected(const char *sources, int64_t after)
{
	for (int64_t number = after + 1; number <= n_committed; number++) {
		if (is_among(number, sources))
			return number;
	}
	return 0;
}

static void read_some(struct spool_reader *reader, const char *sources, int64_t *after)
{
	for (unsigned n = chance(25); n > 0; n--) {
		struct fault fault = FAULT_NULL;
		struct batch *batch = NULL;
		int64_t number = expected(sources, *after);
		int r = spool_reader_next(reader, &batch, &fault);

		ck_assert_msg(r == 0, "%s", fault.text);
		ck_assert_msg((batch ? batch->number : 0) == number,
			"%s after %lld: %lld, not %lld", sources, (long long)*after,
			batch ? (long long)batch->number : 0LL, (long long)number);
		if (!batch)
			return;
		ck_assert_int_eq(batch->source[0], source_of[number]);
		ck_assert(fixture_is(batch, (int)number, 1));
		batch_unref(batch);
		*after = number;
	}
}

/* Releases what every reader of one source has read. */
static void release_some(const char *const *sources, const int64_t *after)
{
	char name[] = {(char)('a' + chance(N_SOURCES)), '\0'};
	int64_t least = n_committed;

	for (size_t i = 0; i < N_READERS; i++) {
		if (strchr(sources[i], name[0]) && after[i] < least)
			least = after[i];
	}
	for (int64_t number = 1; number <= least; number++) {
		if (source_of[number] == name[0])
			source_of[number] = 0;
	}
	commit_add_release(store, name, least);
	fixture_run();
}

START_TEST(they_give_every_batch_in_order)
{
	static const char *const sources[N_READERS] = {
		"abcdefghijkl", "a", "hgf", "ackl", "l", "b+ad+c"};
	struct spool_reader readers[N_READERS];
	int64_t after[N_READERS] = {0};

	state_of_chance = (unsigned)_i;
	memset(source_of, 0, sizeof(source_of));
	n_committed = 0;
	for (size_t i = 0; i < N_READERS; i++)
		spool_reader_init(&readers[i], store, among, (void *)(uintptr_t)sources[i], 0);
	for (int step = 0; step < 300; step++) {
		size_t i = chance(N_READERS);

		commit_some();
		read_some(&readers[i], sources[i], &after[i]);
		if (chance(8) == 0)
			release_some(sources, after);
		if (chance(10) == 0) { /* as far as all of what is wanted before is released */
			spool_reader_seek(&readers[i], after[i]);
		} else if (chance(30) == 0) {
			after[i] = n_committed;
			spool_reader_seek(&readers[i], after[i]);
		}
	}
	for (size_t i = 0; i < N_READERS; i++) {
		while (expected(sources[i], after[i]))
			read_some(&readers[i], sources[i], &after[i]);
		spool_reader_deinit(&readers[i]);
	}
}
END_TEST

START_TEST(they_find_what_was_there_at_open)
{
	struct spool_reader reader;
	int64_t after = 0;

	state_of_chance = 7;
	memset(source_of, 0, sizeof(source_of));
	n_committed = 0;
	for (int i = 0; i < 20; i++)
		commit_some();
	fixture_reopen();
	commit_some();
	spool_reader_init(&reader, store, among, (void *)(uintptr_t) "bde+ag", 0);
	while (expected("bde+ag", after))
		read_some(&reader, "bde+ag", &after);
	spool_reader_deinit(&reader);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *readers = tcase_create("reader");

	tcase_set_timeout(readers, 60);
	tcase_add_checked_fixture(readers, fixture_open_setup, fixture_teardown);
	tcase_add_loop_test(readers, they_give_every_batch_in_order, 0, 4);
	tcase_add_test(readers, they_find_what_was_there_at_open);
	suite_add_tcase(suite, readers);
}

int main(void)
{
	return fixture_main("reader", add_cases);
}
