/* Routes: what a batch was accepted for stays so, whatever the configuration becomes. */
#include "store/routes.h"

#include "store/coverage.h"
#include "store/pause.h"
#include "store/store_internal.h"
#include "store_fixture.h"

#define ROWS(array) (int)(sizeof(array) / sizeof((array)[0]))

static struct buf told; /* what the report was told, one line each */
static struct buf told_routes;
static struct fault fault;

static void on_stranded(const struct routes_stranded *stranded, void *userdata)
{
	(void)userdata;
	buf_printf(&told, "stranded %s %s %d %d %s\n", stranded->sink,
		stranded->configured ? "there" : "gone", (int)stranded->n_records,
		(int)stranded->n_sources, stranded->source);
}

static void on_news(enum routes_news news, const char *name, const char *before, const char *now,
	uint64_t n, void *userdata)
{
	static const char *const words[] = {"new", "listed", "kind", "gone", "start"};

	(void)userdata;
	buf_printf(&told, "%s %s %s %s %d\n", words[news], name, before ? before : "-",
		now ? now : "-", (int)n);
}

static void on_route(const char *source, const char *sink, int64_t after, void *userdata)
{
	(void)userdata;
	buf_printf(&told_routes, "%s>%s@%d ", source, sink, (int)after);
}

static const struct routes_report report = {on_stranded, on_news, on_route, NULL};

/* A configuration: "SOURCE:SINK,SINK SOURCE: ..." (":" alone lists none: all), and the sinks as
 * "NAME=KIND NAME=KIND". START is every source's. */
struct layout {
	struct str_list names, lists[8], sink_names, kinds;
	struct routes_source sources[8];
	struct routes_sink sinks[8];
	struct routes_configuration configuration;
};

static void layout_init(
	struct layout *layout, const char *sources, const char *sinks, const char *start)
{
	struct slice rest = slice_of(sources), part, name;
	size_t n = 0;

	*layout = (struct layout){0};
	while (rest.size > 0 && str_next_part(&rest, ' ', &part)) {
		CLEANUP_FREE char *text = NULL;

		str_next_part(&part, ':', &name);
		text = mem_strndup(name.data, name.size);
		str_list_add(&layout->names, text);
		str_list_split(&layout->lists[n], part, ',');
		n++;
	}
	for (size_t i = 0; i < n; i++)
		layout->sources[i] =
			(struct routes_source){layout->names.items[i], start, &layout->lists[i]};
	layout->configuration.n_sources = n;
	rest = slice_of(sinks);
	while (rest.size > 0 && str_next_part(&rest, ' ', &part)) {
		str_next_part(&part, '=', &name);
		CLEANUP_FREE char *text = mem_strndup(name.data, name.size);
		CLEANUP_FREE char *kind = mem_strndup(part.data, part.size);

		str_list_add(&layout->sink_names, text);
		str_list_add(&layout->kinds, kind);
	}
	n = layout->sink_names.n_items;
	for (size_t i = 0; i < n; i++)
		layout->sinks[i] =
			(struct routes_sink){layout->sink_names.items[i], layout->kinds.items[i]};
	layout->configuration.n_sinks = n;
	layout->configuration.sources = layout->sources;
	layout->configuration.sinks = layout->sinks;
}

static void layout_deinit(struct layout *layout)
{
	for (size_t i = 0; i < 8; i++)
		str_list_deinit(&layout->lists[i]);
	str_list_deinit(&layout->names);
	str_list_deinit(&layout->sink_names);
	str_list_deinit(&layout->kinds);
}

static int adopt_with(
	struct routes_change *change, const char *sources, const char *sinks, const char *start)
{
	struct layout layout;
	int r;

	layout_init(&layout, sources, sinks, start);
	buf_clear(&told);
	buf_clear(&told_routes);
	fault = FAULT_NULL;
	r = routes_adopt(store, &layout.configuration, change, &report, &fault);
	layout_deinit(&layout);
	return r;
}

static int adopt(const char *sources, const char *sinks, const char *start)
{
	return adopt_with(NULL, sources, sinks, start);
}

static void assert_routes(int row, const char *expected)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	struct buf text = BUF_NULL;

	ck_assert_int_eq(sqlite3_prepare_v2(store->db,
				 "SELECT group_concat(s.name || '>' || k.name || '@' ||"
				 " coalesce(after, 0) || ' ', '') FROM routes JOIN sources s"
				 " ON s.id = source JOIN sinks k ON k.id = sink",
				 -1, &statement, NULL),
		SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
	buf_printf(&text, "%s", (const char *)sqlite3_column_text(statement, 0));
	ck_assert_msg(strcmp(buf_text(&text), expected) == 0, "row %d: %s", row, buf_text(&text));
	if (told_routes.size > 0) /* as it was told */
		ck_assert_str_eq(buf_text(&told_routes), expected);
	buf_deinit(&text);
}

static void setup(void)
{
	fixture_open_setup();
	told = BUF_NULL;
	told_routes = BUF_NULL;
}

static void teardown(void)
{
	buf_deinit(&told);
	buf_deinit(&told_routes);
	fixture_teardown();
}

/* Batches 1 (3 records of s), 2 (4 of t), 3 (2 of s); "a" has the first, "b" none. */
static void fill(void)
{
	ck_assert_msg(adopt("s: t:a,b", "a=file b=http", "-1h") == 0, "%s", fault.text);
	fixture_add("s", 1, 3, 0, "\"c\"");
	fixture_add("t", 2, 4, 0, "\"c\"");
	fixture_add("s", 3, 2, 0, "\"c\"");
	fixture_run();
	commit_add_ack(store, "a", 1, "here");
	fixture_run();
}

#define FILLED "s>a@0 s>b@0 t>a@0 t>b@0 "

static const struct {
	const char *sources, *sinks, *start;
	bool stranded;
	const char *told;
	const char *routes;
} changes[] = {
	{"s: t:", "a=file b=http", "-1h", false, "", FILLED},
	{"s: t:", "a=file", "-1h", true, "stranded b gone 9 2 s\n", FILLED},
	{"s: t:", "a=file c=http", "-1h", true, "stranded b gone 9 2 s\n", FILLED},
	{"s: t:a", "a=file b=http", "-1h", true, "stranded b there 4 1 t\n", FILLED},
	{"s:a t:b", "a=file b=http", "-1h", true,
		"stranded a there 4 1 t\nstranded b there 5 1 s\n", FILLED},
	{"s: t:", "", "-1h", true, "stranded a gone 6 2 s\nstranded b gone 9 2 s\n", FILLED},
	/* a source that is gone: its records still have their sinks, and keep them */
	{"s:", "a=file b=http", "-1h", false, "gone t - - 0\n", FILLED},
	{"", "a=file b=http", "-1h", false, "gone s - - 0\ngone t - - 0\n", FILLED},
	{"", "a=file", "-1h", true, "stranded b gone 9 2 s\n", FILLED},
	{"s2: t:", "a=file b=http", "-1h", false, "gone s - - 0\n", FILLED "s2>a@3 s2>b@3 "},
	/* what is new begins now */
	{"s: t:a,b", "a=file b=http c=http", "-1h", false, "new c - - 0\n",
		"s>a@0 s>b@0 s>c@3 t>a@0 t>b@0 "},
	{"s: t:", "a=file b=stdout", "-1h", false, "kind b http stdout 9\n", FILLED},
	{"s: t:", "a=http b=http", "-1h", false, "kind a file http 6\n", FILLED},
	{"s: t:", "a=file b=http", "earliest", false,
		"start s -1h earliest 0\nstart t -1h earliest 0\n", FILLED},
};

static void assert_told(int row, const char *expected)
{
	ck_assert_msg(strcmp(buf_text(&told), expected) == 0, "row %d: %s", row, buf_text(&told));
}

START_TEST(a_configuration_strands_nothing)
{
	int r;

	fill();
	r = adopt(changes[_i].sources, changes[_i].sinks, changes[_i].start);
	ck_assert_msg(r == (changes[_i].stranded ? STORE_E_STRANDED : 0), "row %d: %d %s", _i, r,
		fault.text);
	assert_told(_i, changes[_i].told);
	assert_routes(_i, changes[_i].routes);
	/* what was news is none the second time, but for what is gone */
	r = adopt(changes[_i].sources, changes[_i].sinks, changes[_i].start);
	if (changes[_i].stranded || strncmp(changes[_i].told, "gone", 4) == 0)
		assert_told(_i, changes[_i].told);
	else
		assert_told(_i, "");
	assert_routes(_i, changes[_i].routes);
	/* nor does any of it end with the process */
	fixture_reopen();
	assert_routes(_i, changes[_i].routes);
}
END_TEST

/* What does not wait may go. */
START_TEST(what_is_delivered_strands_nobody)
{
	static const struct {
		const char *sources, *sinks, *routes;
	} rows[] = {
		{"s: t:", "a=file", "s>a@0 t>a@0 "},
		{"s: t:a", "a=file b=http", "s>a@0 s>b@0 t>a@0 "},
		{"s:", "b=http", "s>b@0 t>b@0 "},
		{"s: t:", "c=http", "s>c@3 t>c@3 "},
	};
	bool known;
	int64_t number;
	char *position = NULL;

	for (int row = 0; row < ROWS(rows); row++) {
		fixture_teardown();
		fixture_open_setup();
		fill();
		commit_add_ack(store, "a", 3, NULL);
		commit_add_ack(store, "b", 3, NULL);
		fixture_run();
		ck_assert_msg(adopt(rows[row].sources, rows[row].sinks, "-1h") == 0, "row %d: %s",
			row, fault.text);
		assert_routes(row, rows[row].routes);
	}
	/* one that was taken out is new when it comes back */
	ck_assert_int_eq(adopt("s: t:", "a=file c=http", "-1h"), 0);
	assert_told(9, "new a - - 0\n");
	ck_assert_int_eq(spool_sink_get(store, "a", &number, &position, &known, &fault), 0);
	ck_assert(known && number == 3 && !position);
}
END_TEST

/* Listed again, or later than others: the sink gets what comes from now on. */
START_TEST(a_route_begins_now)
{
	ck_assert_int_eq(adopt("s:a t:b", "a=file b=http", "-1h"), 0);
	fixture_add("s", 1, 3, 0, "\"c\"");
	fixture_run();
	ck_assert_int_eq(adopt("s: t:b", "a=file b=http", "-1h"), 0);
	assert_told(0, "listed b s - 0\n");
	assert_routes(0, "s>a@0 s>b@1 t>b@0 ");
	ck_assert_int_eq(adopt("s:a t:b", "a=file b=http", "-1h"), 0);
	assert_routes(0, "s>a@0 t>b@0 ");
}
END_TEST

START_TEST(a_new_kind_has_no_position)
{
	char *position = NULL;
	int64_t number;

	fill();
	ck_assert_int_eq(adopt("s: t:", "a=file b=http", "-1h"), 0);
	ck_assert_int_eq(spool_sink_get(store, "a", &number, &position, NULL, &fault), 0);
	ck_assert_str_eq(position, "here");
	free(position);
	ck_assert_int_eq(adopt("s: t:", "a=exec b=http", "-1h"), 0);
	ck_assert_int_eq(spool_sink_get(store, "a", &number, &position, NULL, &fault), 0);
	ck_assert_ptr_null(position);
	ck_assert_int_eq(number, 1);
}
END_TEST

/* Reading beside the daemon says the same and changes nothing. */
START_TEST(comparing_changes_nothing)
{
	struct layout layout;

	fill();
	store_close(store);
	store = NULL;
	ck_assert_int_eq(store_open(&store, state, STORE_READ, &fault), 0);
	for (int row = 0; row < ROWS(changes); row++) {
		layout_init(&layout, changes[row].sources, changes[row].sinks, changes[row].start);
		buf_clear(&told);
		ck_assert_int_eq(routes_compare(store, &layout.configuration, &report, &fault),
			changes[row].stranded ? STORE_E_STRANDED : 0);
		assert_told(row, changes[row].stranded ? changes[row].told : "");
		assert_routes(row, FILLED);
		layout_deinit(&layout);
	}
}
END_TEST

/* --- the state of an older trawld: it says which batches some sink lacked, not which sink --- */

static const char back_to_1[] =
	"DROP TABLE batch_names; DROP TABLE moved; DROP TABLE replays; DROP TABLE identity; "
	"DROP TABLE commits; DROP TABLE coverage; DROP TABLE events; DROP TABLE reconciled; "
	"ALTER TABLE batch_keys DROP COLUMN times; DROP TABLE routes; CREATE TABLE "
	"sinks_1(name TEXT PRIMARY KEY, acknowledged INTEGER NOT NULL, position TEXT) WITHOUT "
	"ROWID; INSERT INTO sinks_1 SELECT name, acknowledged, (SELECT position FROM "
	"sink_positions WHERE sink = id) FROM sinks; DROP TABLE sink_positions; DROP TABLE "
	"sinks; ALTER TABLE sinks_1 RENAME TO sinks; ALTER TABLE sources DROP COLUMN released; "
	"ALTER TABLE sources DROP COLUMN previous; ALTER TABLE sources DROP COLUMN start; "
	"ALTER TABLE sources DROP COLUMN paused_time; PRAGMA user_version = 1";

static const struct {
	const char *sources, *sinks;
	bool stranded;
	const char *told;
	const char *routes;
} upgrades[] = {
	{"s: t:a,b", "a=file b=http", false, "", FILLED},
	/* what a source lists is believed: the sink may never have been meant */
	{"s:b t:a", "a=file b=http", false, "", "s>b@0 t>a@0 "},
	{"s: t:", "a=file", true, "stranded b gone 9 2 s\n", "s>a@0 s>b@0 t>a@0 t>b@0 "},
	{"s:", "a=file b=http", false, "gone t - - 0\n", FILLED},
	{"s: t:", "a=exec b=http", false, "", FILLED},
};

START_TEST(an_older_state_strands_nothing)
{
	char *position = NULL;
	int64_t number;

	fill();
	ck_assert_int_eq(statement_exec(store, back_to_1, &fault), 0);
	fixture_reopen();
	ck_assert_msg(adopt(upgrades[_i].sources, upgrades[_i].sinks, "now") ==
			      (upgrades[_i].stranded ? STORE_E_STRANDED : 0),
		"row %d: %s", _i, fault.text);
	assert_told(_i, upgrades[_i].told);
	assert_routes(_i, upgrades[_i].routes);
	ck_assert_int_eq(spool_sink_get(store, "a", &number, &position, NULL, &fault), 0);
	ck_assert_int_eq(number, 1);
	ck_assert_str_eq(position, "here");
	free(position);
}
END_TEST

/* --- commands --- */

static const struct {
	enum routes_command command;
	const char *name, *to;
	const char *sources, *sinks; /* of the configuration */
	int outcome;
	const char *words; /* of an outcome */
	unsigned n_records;
	const char *routes; /* after it was adopted */
} commands[] = {
	{ROUTES_DROP_SINK, "b", NULL, "s: t:", "a=file", 0, "", 9, "s>a@0 t>a@0 "},
	{ROUTES_DROP_SINK, "b", NULL, "s: t:a", "a=file b=http", 0, "", 4, "s>a@0 s>b@0 t>a@0 "},
	{ROUTES_DROP_SINK, "a", NULL, "s: t:", "b=http", 0, "", 6, "s>b@0 t>b@0 "},
	{ROUTES_DROP_SINK, "b", NULL, "s: t:", "a=file b=http", STORE_E_REFUSED,
		"nothing is dropped", 0, FILLED},
	{ROUTES_DROP_SINK, "bb", NULL, "s: t:", "a=file", STORE_E_UNKNOWN, "no sink `bb`", 0, ""},
	{ROUTES_RENAME_SINK, "b", "c", "s: t:", "a=file c=http", 0, "", 9,
		"s>a@0 s>c@0 t>a@0 t>c@0 "},
	{ROUTES_RENAME_SINK, "a", "c", "s: t:", "b=http c=exec", 0, "", 6,
		"s>c@0 s>b@0 t>c@0 t>b@0 "},
	{ROUTES_RENAME_SINK, "b", "a", "s: t:", "a=file", STORE_E_REFUSED, "a sink `a` already", 0,
		""},
	{ROUTES_RENAME_SINK, "b", "c", "s: t:", "a=file b=http", STORE_E_REFUSED, "[sink b]", 0,
		FILLED},
	{ROUTES_RENAME_SINK, "b", "c", "s: t:", "a=file b=http c=http", STORE_E_REFUSED,
		"still has [sink b]", 0, "s>a@0 s>b@0 s>c@3 t>a@0 t>b@0 t>c@3 "},
	{ROUTES_RENAME_SINK, "x", "c", "s: t:", "a=file b=http", STORE_E_UNKNOWN, "no sink `x`", 0,
		FILLED},
	{ROUTES_RENAME_SOURCE, "s", "u", "u: t:", "a=file b=http", 0, "", 5,
		"u>a@0 u>b@0 t>a@0 t>b@0 "},
	{ROUTES_RENAME_SOURCE, "s", "u", "s: u:", "a=file b=http", STORE_E_REFUSED,
		"still has [source s]", 0, "s>a@0 s>b@0 t>a@0 t>b@0 u>a@3 u>b@3 "},
	{ROUTES_RENAME_SOURCE, "s", "u", "t:", "a=file b=http", STORE_E_REFUSED,
		"does not have [source u] yet", 0, FILLED},
	{ROUTES_RENAME_SOURCE, "q", "u", "u: t:", "a=file b=http", STORE_E_UNKNOWN, "no source `q`",
		0, "s>a@0 s>b@0 t>a@0 t>b@0 u>a@3 u>b@3 "},
};

/* A command by itself, then the configuration that it was for; or both at once. */
START_TEST(a_command_does_what_it_says)
{
	for (int together = 0; together < 2; together++) {
		struct routes_change change = {
			.command = commands[_i].command,
			.name = commands[_i].name,
			.to = commands[_i].to,
		};
		struct layout layout;
		int r;

		fixture_teardown();
		fixture_open_setup();
		fill();
		layout_init(&layout, commands[_i].sources, commands[_i].sinks, "-1h");
		fault = FAULT_NULL;
		r = together ? adopt_with(&change, commands[_i].sources, commands[_i].sinks, "-1h")
			     : routes_change(store, &layout.configuration, &change, &fault);
		layout_deinit(&layout);
		ck_assert_msg(r == commands[_i].outcome, "row %d: %d %s", _i, r, fault.text);
		ck_assert_msg(r == 0 || strstr(fault.text, commands[_i].words), "row %d: %s", _i,
			fault.text);
		if (r)
			assert_routes(_i, FILLED);
		else
			ck_assert_msg(change.n_records == commands[_i].n_records, "row %d: %d", _i,
				(int)change.n_records);
		if (!*commands[_i].routes)
			continue;
		ck_assert_msg(adopt(commands[_i].sources, commands[_i].sinks, "-1h") == 0,
			"row %d: %s", _i, fault.text);
		assert_routes(_i, commands[_i].routes);
	}
}
END_TEST

START_TEST(a_renamed_sink_keeps_its_position)
{
	struct routes_change change = {.command = ROUTES_RENAME_SINK, .name = "a", .to = "archive"};
	char *position = NULL;
	int64_t number;

	fill();
	ck_assert_int_eq(adopt_with(&change, "s: t:", "archive=file b=http", "-1h"), 0);
	ck_assert_int_eq(spool_sink_get(store, "archive", &number, &position, NULL, &fault), 0);
	ck_assert_int_eq(number, 1);
	ck_assert_str_eq(position, "here");
	free(position);
	assert_told(0, "");
}
END_TEST

/* The batches of SOURCE, those of another name with it. */
static void assert_batches(const char *source, const char *expected)
{
	struct buf text = BUF_NULL;
	struct batch *batch;
	int64_t after = 0;

	while ((batch = fixture_next(after, source))) {
		after = batch->number;
		buf_printf(&text, "%d", (int)after);
		if (strcmp(batch->source, source) != 0)
			buf_printf(&text, "=%s", batch->source);
		buf_append_char(&text, ' ');
		batch_unref(batch);
	}
	ck_assert_str_eq(buf_text(&text), expected);
	buf_deinit(&text);
}

/* The new name has read records itself before anybody saw the notice. */
START_TEST(a_renamed_source_goes_on)
{
	struct routes_change change = {.command = ROUTES_RENAME_SOURCE, .name = "s", .to = "u"};
	char *cursor;

	fill();
	if (_i > 0) {
		ck_assert_int_eq(adopt("t: u:", "a=file b=http", "-1h"), 0);
		assert_told(0, "gone s - - 0\n");
	}
	if (_i > 1) {
		fixture_add("u", 4, 1, 0, "\"later\"");
		fixture_run();
	}
	coverage_add_gap(store, "s", 5, 7, GAP_RETENTION);
	fixture_run();
	ck_assert_msg(adopt_with(&change, "t: u:", "a=file b=http", "-1h") == 0, "%s", fault.text);
	assert_told(0, "");
	ck_assert(change.merged == (_i > 1));
	for (int i = 0; i < 2; i++) {
		assert_routes(i, _i ? "t>a@0 t>b@0 u>a@0 u>b@0 " : "u>a@0 u>b@0 t>a@0 t>b@0 ");
		cursor = fixture_cursor("u");
		ck_assert_str_eq(cursor, "\"c\"");
		free(cursor);
		cursor = fixture_cursor("s");
		ck_assert_ptr_null(cursor);
		assert_batches("u", _i > 1 ? "1=s 3=s 4 " : "1=s 3=s ");
		assert_batches("t", "2 ");
		ck_assert_uint_eq(coverage_open_gaps(store, "u"), 1);
		ck_assert_uint_eq(coverage_open_gaps(store, "s"), 0);
		fixture_reopen();
	}
	/* and is written to */
	fixture_add("u", 5, 1, 0, "\"further\"");
	commit_add_release(store, "u", 3);
	fixture_run();
	assert_batches("u", _i > 1 ? "4 5 " : "4 ");
	/* each batch keeps its first name */
	change = (struct routes_change){.command = ROUTES_RENAME_SOURCE, .name = "u", .to = "s"};
	ck_assert_int_eq(adopt_with(&change, "t: s:", "a=file b=http", "-1h"), 0);
	change = (struct routes_change){.command = ROUTES_RENAME_SOURCE, .name = "s", .to = "v"};
	ck_assert_int_eq(adopt_with(&change, "t: v:", "a=file b=http", "-1h"), 0);
	fixture_reopen();
	assert_batches("v", _i > 1 ? "4=u 5=u " : "4=u ");
	commit_add_release(store, "v", 5);
	fixture_run();
	ck_assert_int_eq(adopt("t: v:", "a=file b=http", "-1h"), 0);
	const char *none = "CREATE TEMP TABLE none(n CHECK(n = 0));"
			   "INSERT INTO none SELECT count(*) FROM batch_names";
	ck_assert_int_eq(statement_exec(store, none, &fault), 0);
}
END_TEST

START_TEST(sources_with_other_sinks_stay_apart)
{
	struct routes_change change = {.command = ROUTES_RENAME_SOURCE, .name = "s", .to = "u"};

	fill();
	ck_assert_int_eq(adopt("t: u:a", "a=file b=http", "-1h"), 0);
	fixture_add("u", 4, 1, 0, "\"later\"");
	fixture_run();
	ck_assert_int_eq(adopt_with(&change, "t: u:a", "a=file b=http", "-1h"), STORE_E_REFUSED);
	ck_assert_msg(strstr(fault.text, "not for the same sinks"), "%s", fault.text);
	assert_routes(0, FILLED "u>a@3 ");
	/* b has what waited for it: now they can */
	commit_add_ack(store, "b", 3, NULL);
	fixture_run();
	ck_assert_msg(adopt_with(&change, "t: u:a", "a=file b=http", "-1h") == 0, "%s", fault.text);
	assert_routes(0, "t>a@0 t>b@0 u>a@0 ");
}
END_TEST

/* --- pauses --- */

static void on_pause(enum pause_kind kind, const char *name, nsec_t since_time, void *userdata)
{
	ck_assert_int_gt(since_time, 0);
	buf_printf(userdata, "%s %s ", kind == PAUSE_SOURCE ? "source" : "sink", name);
}

static void assert_paused(const char *expected)
{
	struct buf text = BUF_NULL;

	ck_assert_int_eq(pause_each(store, on_pause, &text, &fault), 0);
	ck_assert_str_eq(buf_text(&text), expected);
	buf_deinit(&text);
}

START_TEST(a_pause_lasts)
{
	struct routes_change change = {.command = ROUTES_RENAME_SOURCE, .name = "s", .to = "u"};

	fill();
	assert_paused("");
	ck_assert_int_eq(pause_set(store, PAUSE_SOURCE, "s", true, "alice", &fault), 0);
	ck_assert_int_eq(pause_set(store, PAUSE_SINK, "b", true, "alice", &fault), 0);
	ck_assert_int_eq(pause_set(store, PAUSE_SINK, "s", true, "alice", &fault), STORE_E_UNKNOWN);
	assert_paused("source s sink b ");
	fixture_reopen();
	ck_assert_int_eq(adopt("t:", "a=file b=http", "-1h"), 0);
	commit_add_ack(store, "b", 2, NULL);
	fixture_add("s", 4, 1, 0, "\"c\"");
	fixture_run();
	assert_paused("source s sink b ");
	ck_assert_int_eq(adopt_with(&change, "u: t:", "a=file b=http", "-1h"), 0);
	assert_paused("source u sink b ");
	ck_assert_int_eq(pause_set(store, PAUSE_SOURCE, "u", false, "alice", &fault), 0);
	ck_assert_int_eq(pause_set(store, PAUSE_SOURCE, "u", false, "alice", &fault), 0);
	assert_paused("sink b ");
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *routes = tcase_create("routes");

	tcase_add_checked_fixture(routes, setup, teardown);
	tcase_add_loop_test(routes, a_configuration_strands_nothing, 0, ROWS(changes));
	tcase_add_test(routes, what_is_delivered_strands_nobody);
	tcase_add_test(routes, a_route_begins_now);
	tcase_add_test(routes, a_new_kind_has_no_position);
	tcase_add_test(routes, comparing_changes_nothing);
	tcase_add_loop_test(routes, an_older_state_strands_nothing, 0, ROWS(upgrades));
	tcase_add_loop_test(routes, a_command_does_what_it_says, 0, ROWS(commands));
	tcase_add_test(routes, a_renamed_sink_keeps_its_position);
	tcase_add_loop_test(routes, a_renamed_source_goes_on, 0, 3);
	tcase_add_test(routes, sources_with_other_sinks_stay_apart);
	tcase_add_test(routes, a_pause_lasts);
	suite_add_tcase(suite, routes);
}

int main(void)
{
	return fixture_main("routes", add_cases);
}
