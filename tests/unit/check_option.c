/* Option tables: every type, defaults, hints, unknown keys. */
#include "conf/option.h"

#include <string.h>

#include "check_unit.h"

struct target {
	char *string;
	struct secret secret;
	bool flag;
	int64_t count;
	uint64_t size;
	nsec_t duration;
	struct option_rate rate;
	int choice;
	struct str_list sinks, include;
	int64_t mode;
	struct option_pairs pairs;
};

static const char *const colours[] = {"red", "green", NULL};

#define ROW(member, kind, ...)                                                                     \
	{                                                                                          \
		.name = #member, .type = kind, .offset = offsetof(struct target, member),          \
		__VA_ARGS__                                                                        \
	}

static const struct option rows[] = {
	ROW(string, OPTION_STRING, .flags = OPTION_REQUIRED),
	ROW(secret, OPTION_SECRET, .flags = 0),
	ROW(flag, OPTION_BOOL, .default_text = "yes"),
	ROW(count, OPTION_COUNT, .default_text = "3", .min = 1, .max = 10),
	ROW(size, OPTION_SIZE, .default_text = "1KiB", .min = 1024, .max = 1 << 20),
	ROW(duration, OPTION_DURATION, .default_text = "1m", .min = NSEC_PER_SEC,
		.max = NSEC_PER_HOUR),
	ROW(rate, OPTION_RATE, .default_text = "off"),
	ROW(choice, OPTION_CHOICE, .default_text = "green", .choices = colours),
	ROW(sinks, OPTION_LIST, .flags = 0),
	ROW(include, OPTION_LINES, .flags = 0),
	ROW(mode, OPTION_MODE, .default_text = "0640"),
	ROW(pairs, OPTION_PAIRS, .flags = 0),
};

struct fixture {
	struct ini ini;
	struct findings findings;
	struct target target;
	struct option_table table;
};

static void parse(struct fixture *f, const char *text)
{
	*f = (struct fixture){0};
	f->table = OPTION_TABLE(rows, &f->target);
	ck_assert_int_eq(ini_read_text(&f->ini, "f", text, strlen(text), &f->findings), 0);
	options_parse(&f->table, 1, &f->ini.sections[0], &f->findings);
	options_unknown(&f->table, 1, NULL, &f->ini.sections[0], &f->findings);
}

static void tear_down(struct fixture *f)
{
	options_deinit(&f->table);
	options_deinit(&f->table);
	ini_deinit(&f->ini);
	findings_deinit(&f->findings);
}

START_TEST(defaults)
{
	struct fixture f;
	parse(&f, "[s]\nstring = x\n");
	ck_assert_uint_eq(f.findings.n_items, 0);
	ck_assert(f.target.flag && f.target.count == 3 && f.target.size == 1024);
	ck_assert(f.target.duration == NSEC_PER_MIN && f.target.rate.count == 0);
	ck_assert(f.target.choice == 1 && f.target.mode == 0640 && f.target.sinks.n_items == 0);
	tear_down(&f);
}
END_TEST

START_TEST(values)
{
	struct fixture f;
	parse(&f, "[s]\nstring = a b\nsecret = hush\nflag = no\ncount = 10\nsize = 1MiB\n"
		  "duration = 90s\nrate = 60/min\nchoice = red\nsinks = a, b,\n c\n"
		  "include = /a = x,y\n /b present\nmode = 0600\npairs.X-A = 1\npairs.b = 2\n");
	ck_assert_uint_eq(f.findings.n_items, 0);
	ck_assert_str_eq(f.target.string, "a b");
	ck_assert_str_eq(f.target.secret.text, "hush");
	ck_assert(!f.target.flag && f.target.count == 10 && f.target.size == 1 << 20);
	ck_assert(f.target.rate.count == 60 && f.target.rate.period_ns == NSEC_PER_MIN);
	ck_assert(f.target.choice == 0 && f.target.mode == 0600);
	ck_assert_uint_eq(f.target.sinks.n_items, 3);
	ck_assert_uint_eq(f.target.include.n_items, 2);
	ck_assert_str_eq(f.target.include.items[0], "/a = x,y");
	ck_assert_uint_eq(f.target.pairs.n_items, 2);
	ck_assert_str_eq(f.target.pairs.items[0].name, "X-A");
	tear_down(&f);
}
END_TEST

START_TEST(faults)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
		{"flag = maybe", "yes or no"},
		{"count = 11", "from 1 to 10"},
		{"count = x", "from 1 to 10"},
		{"size = 2MiB", "1KiB to 1MiB"},
		{"duration = 5", "try 5s, 5m"},
		{"duration = 2h", "1s to 1h"},
		{"rate = 5", "60/min"},
		{"choice = gren", "did you mean `green`"},
		{"mode = 888", "octal"},
		{"mode = 07777", "octal"},
		{"conut = 3", "did you mean `count`"},
		{"zzz = 1", "unknown key `zzz`"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		struct buf text = BUF_NULL;
		buf_printf(&text, "[s]\nstring = x\n\n%s\n", cases[i].line);
		parse(&f, buf_text(&text));
		ck_assert_msg(f.findings.n_items == 1 && f.findings.items[0].line == 4 &&
				      strstr(f.findings.items[0].text, cases[i].words),
			"case %zu: %s", i,
			f.findings.n_items ? f.findings.items[0].text : "no finding");
		buf_deinit(&text);
		tear_down(&f);
	}
	struct fixture f;
	parse(&f, "[s]\nflag = x\ncount = y\n");
	ck_assert_uint_eq(f.findings.n_items, 3);
	ck_assert_ptr_nonnull(strstr(f.findings.items[0].text, "needs `string`"));
	tear_down(&f);
}
END_TEST

UNIT_MAIN("option", defaults, values, faults)
