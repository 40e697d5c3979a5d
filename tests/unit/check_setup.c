/* A whole configuration made ready: what is found wrong, which sinks a source has, and what of it
 * the state sees. */
#include "setup.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "check_unit.h"
#include "conf/findings.h"
#include "config_event.h"
#include "remarks.h"
#include "roster.h"

#define SOURCE(name, more)                                                                         \
	"[source " name "]\nprovider = custom\nrequest.url = "                                     \
	"https://api.example/x\nrecords.at = /list\nresume.newest = yes\n" more
#define SINK(name, more) "[sink " name "]\ntype = file\npath = /nowhere/" name "\n" more

static char directory[] = "/tmp/check_setup_XXXXXX";
static char *path;
static struct findings findings;
static struct buf logged;

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	path = mem_printf("%s/trawld.conf", directory);
}

static void tear_down(void)
{
	unlink(path);
	rmdir(directory);
	free(path);
	findings_deinit(&findings);
	buf_deinit(&logged);
}

static struct setup *load(const char *text)
{
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fprintf(file, "[daemon]\nstate_directory = %s/state\n%s", directory, text);
	fclose(file);
	return setup_load(path, &findings);
}

static struct setup *load_good(const char *text)
{
	struct setup *setup = load(text);
	ck_assert_msg(setup != NULL, "%s", findings.n_items ? findings.items[0].text : "");
	return setup;
}

START_TEST(finds_all)
{
	ck_assert_ptr_null(load(SOURCE("a", "sinks = out, uot\ninterval = soon\n")
			SOURCE("b", "nonsense = 1\n") "[sink out]\ntype = fiel\n"));
	struct buf all = BUF_NULL;
	for (size_t i = 0; i < findings.n_items; i++)
		buf_printf(&all, "%s\n", findings.items[i].text);
	ck_assert_ptr_nonnull(strstr(buf_text(&all), "[sink uot]"));
	ck_assert_ptr_nonnull(strstr(buf_text(&all), "interval = soon"));
	ck_assert_ptr_nonnull(strstr(buf_text(&all), "`nonsense`"));
	ck_assert_ptr_nonnull(strstr(buf_text(&all), "`fiel`"));
	buf_deinit(&all);
}
END_TEST

static void assert_route(const struct setup *setup, const char *source, const char *expected)
{
	struct str_list names = STR_LIST_NULL;
	struct buf text = BUF_NULL;
	setup_route(setup, setup_find_source(setup, source), &names);
	for (size_t i = 0; i < names.n_items; i++)
		buf_printf(&text, "%s%s", i ? " " : "", names.items[i]);
	ck_assert_str_eq(buf_text(&text), expected);
	str_list_deinit(&names);
	buf_deinit(&text);
}

START_TEST(routes)
{
	struct setup *setup = load_good(
		SOURCE("a", "") SOURCE("b", "sinks = two\n") SINK("one", "") SINK("two", ""));
	assert_route(setup, "a", "one two");
	assert_route(setup, "b", "two");
	ck_assert_ptr_null(setup_find_source(setup, "one"));
	ck_assert_ptr_null(setup_find_sink(setup, "a"));
	ck_assert_str_eq(setup_find_sink(setup, "two")->kind->name, "file");
	setup_free(setup);
}
END_TEST

START_TEST(as_roster)
{
	struct roster roster;
	struct setup *setup = load_good(SOURCE("a", "start = now\n") SOURCE("b", "sinks = two\n")
			SINK("one", "") SINK("two", ""));
	roster_init(&roster, setup->config, NULL, NULL);
	const struct routes_configuration *configuration = &roster.configuration;
	ck_assert_uint_eq(configuration->n_sources, 2);
	ck_assert_str_eq(configuration->sources[0].start, "now");
	ck_assert_uint_eq(configuration->sources[0].sinks->n_items, 0);
	ck_assert_str_eq(configuration->sources[1].start, "-1h");
	ck_assert_str_eq(configuration->sources[1].sinks->items[0], "two");
	ck_assert_uint_eq(configuration->n_sinks, 2);
	ck_assert_str_eq(configuration->sinks[1].name, "two");
	roster_deinit(&roster);
	setup_free(setup);
}
END_TEST

/* What a person can do is said for each cause. */
START_TEST(explains)
{
	static const struct {
		bool configured, works;
		uint64_t n_sources;
		const char *text;
	} cases[] = {
		{false, false, 1, "[sink old] is not configured. Bring it back"},
		{false, true, 1, "Wait until it has them, bring it back"},
		{true, false, 1, "`sinks` of source b does not list it. List it again"},
		{true, true, 3,
			"`sinks` of source b and 2 others does not list it. Wait until the sink has them, list it again"},
	};
	struct setup *setup = load_good(SOURCE("b", "sinks = two\n") SINK("two", ""));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct routes_stranded stranded = {.sink = "old",
			.source = "b",
			.configured = cases[i].configured,
			.n_sources = cases[i].n_sources,
			.n_records = 1};
		roster_explain(setup->config, &stranded, cases[i].works, &findings);
		const char *text = findings.items[i].text;
		ck_assert_msg(strstr(text, cases[i].text), "%s", text);
		ck_assert_ptr_nonnull(strstr(text, "1 record waits for it"));
	}
	setup_free(setup);
}
END_TEST

/* The fingerprint of the configuration knows every key, and no secret. */
START_TEST(fingerprints)
{
	static const char *const texts[] = {
		SOURCE("a", "") SINK("one", ""),
		SOURCE("a", "") "# a comment\n" SINK("one", ""),
		SOURCE("a", "interval = 2m\n") SINK("one", ""),
		SOURCE("a", "") SINK("one", "format = envelope\n"),
		SOURCE("a", "auth.type = bearer\nauth.token = abcdefgh\n") SINK("one", ""),
		SOURCE("a", "auth.type = bearer\nauth.token = ijklmnop\n") SINK("one", ""),
		SOURCE("a", "auth.type = bearer\nauth.token = ijklmnop\n") SINK("two", ""),
		SOURCE("a", "auth.type = header\nauth.name = X\nauth.value = abcdefgh\n")
			SINK("two", ""),
		SOURCE("a", "auth.type = header\nauth.name = X\nauth.value = ijklmnop\n")
			SINK("two", ""),
		SOURCE("a", "auth.type = header\nauth.name = Y\nauth.value = ijklmnop\n")
			SINK("two", ""),
		SOURCE("a", "request.header.X-Api-Key = abcdefgh\n") SINK("two", ""),
		SOURCE("a", "request.header.X-Api-Key = ijklmnop\n") SINK("two", ""),
		SOURCE("a", "request.header.X-Team = ijklmnop\n") SINK("two", ""),
	};
	static const bool as_before[] = {false, true, false, false, false, true, false, false, true,
		false, false, true, false};
	char before[DIGEST_HEX_SIZE] = "", now[DIGEST_HEX_SIZE];
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct setup *setup = load_good(texts[i]);
		config_event_fingerprint(setup, now);
		ck_assert_msg((strcmp(before, now) == 0) == as_before[i], "%zu", i);
		memcpy(before, now, sizeof(before));
		setup_free(setup);
	}
}
END_TEST

static void note(enum log_level level, const struct log_subject *subject, struct slice text)
{
	(void)level;
	(void)subject;
	buf_append_slice(&logged, text);
	buf_append_char(&logged, '\n');
}

START_TEST(remarks)
{
	struct setup *setup =
		load_good(SOURCE("a", "sinks = one\n") SINK("one", "") SINK("two", ""));
	log_divert(note);
	chmod(directory, 0755);
	chmod(path, 0644);
	remarks_log(setup);
	ck_assert_ptr_null(strstr(buf_text(&logged), "every user"));
	ck_assert_ptr_nonnull(strstr(buf_text(&logged), "sink two"));
	ck_assert_ptr_null(strstr(buf_text(&logged), "sink one"));
	chmod(path, 0646);
	remarks_log(setup);
	ck_assert_ptr_nonnull(strstr(buf_text(&logged), "every user of this host can change"));
	buf_clear(&logged);
	chmod(directory, 0750);
	remarks_log(setup);
	ck_assert_ptr_null(strstr(buf_text(&logged), "every user"));
	setup_free(setup);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("setup");
	TCase *tcase = tcase_create("setup");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, finds_all);
	tcase_add_test(tcase, routes);
	tcase_add_test(tcase, as_roster);
	tcase_add_test(tcase, explains);
	tcase_add_test(tcase, fingerprints);
	tcase_add_test(tcase, remarks);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
