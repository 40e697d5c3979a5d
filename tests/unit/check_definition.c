/* Provider definitions: every fault at its own line, overlay by a source, variants, parameters. */
#include "definition/definition.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "source_fixture.h"

#define GOOD                                                                                       \
	"[provider]\ntitle = T\n"                                                                  \
	"[parameters]\ntoken = required secret\nregion = default r1\nmore = optional\n"            \
	"[auth]\ntype = bearer\ntoken = ${token}\n"                                                \
	"[request]\nurl = https://${region}.example.net/x\nquery.from = ${window.start}\n"         \
	"[records]\nat = /list\nid = /id\n"                                                        \
	"[page]\nurl = /next\n"                                                                    \
	"[resume]\nwindow = yes\n"

static char directory[] = "/tmp/check_definition.XXXXXX";

struct fixture {
	struct ini ini;
	struct findings findings;
	struct definition *definition;
};

static void load(struct fixture *f, const char *text, const char *source)
{
	char *path CLEANUP_FREE = mem_printf("%s/api.conf", directory);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	const char *directories[] = {"/nonexistent", directory};
	struct definition_path where = {directories, 2};
	*f = (struct fixture){0};
	ck_assert_int_eq(ini_read_text(&f->ini, "c", source, strlen(source), &f->findings), 0);
	f->definition = definition_load("api", &where, &f->ini.sections[0], &f->findings);
	remove(path);
}

static void tear_down(struct fixture *f)
{
	definition_free(f->definition);
	findings_deinit(&f->findings);
	ini_deinit(&f->ini);
}

START_TEST(good)
{
	struct fixture f;
	load(&f, GOOD, "[source a]\ntoken = tttt\noverlap = 3m\nrecords.id = /a, /b\n");
	ck_assert_msg(f.findings.n_items == 0, "%s", f.findings.items[0].text);
	ck_assert_str_eq(f.definition->title, "T");
	ck_assert_str_eq(definition_parameter(f.definition, "region"), "r1");
	ck_assert_ptr_null(definition_parameter(f.definition, "more"));
	ck_assert_int_eq(f.definition->resume.overlap_ns, 3 * NSEC_PER_MIN);
	ck_assert_uint_eq(f.definition->n_records_id, 2);
	ck_assert_uint_eq(f.definition->page_end, END_ABSENT);
	ck_assert_int_eq(f.definition->step_ns, NSEC_PER_MSEC);
	ck_assert_uint_eq(f.definition->n_errors_lost, 4);
	ck_assert(ini_section_find(&f.ini.sections[0], "token")->used);
	tear_down(&f);
}
END_TEST

START_TEST(defaults_of_parameters)
{
	static const char text[] =
		"[parameters]\nregion = optional\nhost = default "
		"https://iam.${region}.example.net\n"
		"port = default 5\n[request]\nurl = ${host|port}/x\n[records]\nat = \"\"\n"
		"[resume]\nurl = header:link\n";
	static const struct {
		const char *source, *host;
	} cases[] = {{"[source a]\nregion = r/1\n", "https://iam.r/1.example.net"},
		{"[source a]\nregion = r1\nhost = h\n", "h"}, {"[source a]\nlag = 1s\n", NULL}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		load(&f, text, cases[i].source);
		ck_assert_msg(f.findings.n_items == 0, "%s", f.findings.items[0].text);
		const char *host = definition_parameter(f.definition, "host");
		ck_assert_msg(cases[i].host ? host && strcmp(host, cases[i].host) == 0 : !host,
			"case %zu: %s", i, host);
		tear_down(&f);
	}
}
END_TEST

struct bad {
	const char *good, *bad; /* GOOD has this instead of that */
	unsigned line;
	const char *words;
};

static void check_bad(const struct bad *bad)
{
	struct fixture f;
	struct buf text = BUF_NULL;
	const char *at = strstr(GOOD, bad->good);
	ck_assert_msg(at != NULL, "%s", bad->good);
	buf_printf(&text, "%.*s%s%s", (int)(at - GOOD), GOOD, bad->bad, at + strlen(bad->good));
	load(&f, buf_text(&text), "[source a]\ntoken = tttt\n");
	bool found = false;
	for (size_t j = 0; j < f.findings.n_items; j++)
		found |= f.findings.items[j].line == bad->line &&
			 strstr(f.findings.items[j].text, bad->words) &&
			 strstr(f.findings.items[j].file, "api.conf");
	ck_assert_msg(found, "%s: %u: %s", bad->bad,
		f.findings.n_items ? f.findings.items[0].line : 0,
		f.findings.n_items ? f.findings.items[0].text : "no finding");
	buf_deinit(&text);
	tear_down(&f);
}

START_TEST(faults_of_parameters)
{
	static const struct bad cases[] = {
		{"token = required secret", "token = required default x", 4, "cannot both"},
		{"token = required secret", "token = secret", 4, "expected required"},
		{"token = required secret", "token = requird", 4, "not one of"},
		{"more = optional", "more = optional choice", 6, "at least one word"},
		{"more = optional", "more = choice a, b", 6, "expected required"},
		{"more = optional", "more = choice a, b c", 6, "`c` is not one of"},
		{"more = optional", "more = choice a=x, b default x", 6, "not one of its choices"},
		{"more = optional", "more = optional with mor", 6, "declared before it"},
		{"more = optional", "more = optional with more", 6, "declared before it"},
		{"more = optional", "more = optional with", 6, "declared before it"},
		{"region = default r1", "region = default ${region}", 5, "declared before it"},
		{"region = default r1", "region = default ${now}", 5, "unknown variable ${now}"},
		{"region = default r1", "region = default ${token", 5, "without `}`"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_bad(&cases[i]);
}
END_TEST

START_TEST(faults)
{
	static const struct bad cases[] = {
		{"token = ${token}", "token = ${tokn}", 9, "unknown variable ${tokn}"},
		{"at = /list", "at = list", 14, "not a JSON Pointer"},
		{"id = /id", "id = id", 15, "not a JSON Pointer"},
		{"id = /id", "idd = /id", 15, "did you mean `id`"},
		{"id = /id", "time_format = epochs", 15, "no such format"},
		{"id = /id", "exclude = nonsense", 15, "not a condition"},
		{"id = /id", "order = random", 15, "ascending, unordered"},
		{"url = /next", "url = /next\ncursor = /c", 16, "2 ways to request"},
		{"url = /next", "cursor = /c", 17, "does not send ${page.cursor}"},
		{"url = /next", "url = /next\nties = yes", 18, "requires cursor = last:"},
		{"url = /next\n", "cursor = last:/s\nties = yes\n", 18, "`end = short`"},
		{"url = /next\n", "cursor = last:/s, /t\nties = yes\n", 18, "of one member"},
		{"url = /next", "url = /next, /other", 17, "has one pointer"},
		{"url = /next", "cursor = /next, other", 17, "not a JSON Pointer"},
		{"id = /id\n[page]\nurl = /next\n",
			"[page]\ncursor = last:/s\nsize = 9\nend = short\nties = yes\n", 19,
			"requires `id`"},
		{"url = /next", "offset = yes\nsize = 5", 17, "does not use ${page.offset}"},
		{"url = /next", "url = /next\nend = short", 18, "requires `size`"},
		{"url = /next", "url = /next\nsize = 5", 18, "does not send ${page.size}"},
		{"query.from = ${window.start}\n[records]\nat = /list\nid = /id\n[page]\nurl = "
		 "/next",
			"query.from = ${window.start}\nquery.n = ${page.number}\n[records]\nat = "
			"/list\nid = /id\n[page]\nnumber = yes\nsize = 5",
			19, "does not send ${page.size}"},
		{"query.from = ${window.start}\n[records]\nat = /list\nid = /id\n[page]\nurl = "
		 "/next",
			"query.from = ${window.start}\nquery.n = ${page.cursor}\n[records]\nat = "
			"/list\nid = /id\n[page]\ncursor = /next\nend = short\nsize = 5",
			20, "does not send ${page.size}"},
		{"query.from = ${window.start}\n[records]\nat = /list\nid = /id\n[page]\nurl = "
		 "/next",
			"query.from = ${window.start}\nquery.o = ${page.offset}\n[records]\n"
			"at = /list\n[page]\noffset = yes\nsize = 5",
			18, "does not send ${page.size}"},
		{"url = /next", "url = /next\nend = shrt", 18, "not a condition"},
		{"window = yes", "window = yes\nurl = /more", 18, "two ways to resume"},
		{"window = yes", "overlap = 5m", 18, "must say where"},
		{"window = yes", "window = yes\n[errors]\nlost = 99", 21, "not an HTTP status"},
		{"window = yes", "newest = yes\noverlap_pieces = yes", 20, "requires window"},
		{"window = yes", "newest = yes\nalign = 1d", 20, "requires window"},
		{"window = yes", "window = yes\nalign = 1d\noverlap_pieces = yes", 20,
			"cannot be used with overlap_pieces"},
		{"window = yes", "window = yes\nstep = 1h\nalign = 90m", 21, "multiple of `step`"},
		{"query.from = ${window.start}", "body = {\"a\": }", 12, "not JSON"},
		{"query.from = ${window.start}", "quer.from = 1", 12, "unknown key `quer.from`"},
		{"query.from = ${window.start}", "query.from = 1", 19,
			"does not use ${window.start}"},
		{"query.from = ${window.start}", "query.from = ${window.start}\nbody_type = xml",
			13, "expected json, text or form"},
		{"query.from = ${window.start}", "query.from = ${window.start}\nform.a = 1", 13,
			"form.a requires body_type = form"},
		{"query.from = ${window.start}",
			"form.from = ${window.start}\nbody_type = form\nbody = x", 14, "no `body`"},
		{"url = https://${region}.example.net/x", "method = GET", 10, "needs `url`"},
		{"[page]", "[pages]", 16, "did you mean `page`"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_bad(&cases[i]);
}
END_TEST

START_TEST(faults_of_watches)
{
	static const struct bad cases[] = {
		{"[page]", "[watch]\nurl = https://h/w\ntext = off\n[page]", 16, "needs `warn`"},
		{"[page]", "[watch]\nurl = https://h/w\nwarn = /a = 1\n[page]", 16, "needs `text`"},
		{"[page]", "[watch]\nwarn = /a = 1\ntext = off\n[page]", 16, "needs `url`"},
		{"[page]", "[watch]\nurl = https://h/w\nwarn = nonsense\ntext = off\n[page]", 18,
			"not a condition"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_bad(&cases[i]);
}
END_TEST

START_TEST(faults_of_headers_and_methods)
{
	static const struct bad cases[] = {
		{"query.from = ${window.start}", "query.from = ${window.start}\nheader.X Y = 1", 13,
			"neither a [section]"},
		{"query.from = ${window.start}", "query.from = ${window.start}\nheader. = 1", 13,
			"a header's name is"},
		{"query.from = ${window.start}", "query.from = ${window.start}\nheader.X: = 1", 13,
			"a header's name is"},
		{"query.from = ${window.start}",
			"query.from = ${window.start}\nheader.X\xc3\xa9 = 1", 13,
			"a header's name is"},
		{"query.from = ${window.start}",
			"query.from = ${window.start}\nheader.Content-length = 1", 13,
			"sends this header itself"},
		{"query.from = ${window.start}",
			"query.from = ${window.start}\nheader.transfer-encoding = chunked", 13,
			"sends this header itself"},
		{"query.from = ${window.start}", "query.from = ${window.start}\nmethod =", 13,
			"expected GET or POST"},
		{"query.from = ${window.start}", "query.from = ${window.start}\nmethod = get", 13,
			"expected GET or POST"},
		{"query.from = ${window.start}", "query.from = ${window.start}\nmethod = GE T", 13,
			"expected GET or POST"},
		{"query.from = ${window.start}",
			"query.from = ${window.start}\nheader.Accept = a\nheader.accept = b", 14,
			"are the same header"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_bad(&cases[i]);
}
END_TEST

START_TEST(without_effect)
{
	static const struct bad cases[] = {
		{"[request]", "[request a]\nurl = https://h/a\n[request]", 12, "is never used"},
		{"[auth]", "[auth a]\ntype = none\n[auth]", 9, "is never used"},
		{"id = /id", "id = /${region}", 15, "a variable has no effect"},
		{"id = /id", "time_format = ${region}", 15, "a variable has no effect"},
		{"url = /next", "url = header:${region}", 17, "a variable has no effect"},
		{"[request]", "[request]\nmethod = ${region}", 11, "a variable has no effect"},
		{"query.from = ${window.start}",
			"query.from = ${window.start}\nbody = {\"a\": "
			"{\"${region}\": 1}}",
			13, "part of a member's name"},
		{"query.from = ${window.start}",
			"query.from = ${window.start}\nquery.a = "
			"${page.cursor|region:list}",
			13, "JSON already"},
		{"id = /id", "exclude = /a in ${region:list}", 15, "are for requests"},
		{"window = yes", "window = yes\nretention = 1m", 20, "exceed lag"},
		{"window = yes", "window = yes\nlag = 1h\nretention = 61m", 21, "exceed lag"},
		{"url = /next\n[resume]\nwindow = yes", "total = /n\n[resume]\nnewest = yes", 17,
			"total has no effect"},
		{"url = /next", "url = /next\npages = /n", 18, "requires number"},
		{"url = /next", "more = /n = 1", 17, "requires a way to request"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_bad(&cases[i]);
}
END_TEST

START_TEST(faults_of_the_source)
{
	static const struct {
		const char *source;
		unsigned line;
		const char *words;
	} cases[] = {
		{"[source a]\nregion = x\n", 1, "needs `token`"},
		{"[source a]\ntoken =\n", 2, "`token` is empty"},
		{"[source a]\ntoken = tttt\noverlap = 5\n", 3, "try 5s, 5m"},
		{"[source a]\ntoken = tttt\nrecords.id = x\n", 3, "not a JSON Pointer"},
		{"[source a]\ntoken = tttt\npage.sizes = 5\n", 3, "did you mean `size`"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		load(&f, GOOD, cases[i].source);
		ck_assert_msg(f.findings.n_items == 1 &&
				      f.findings.items[0].line == cases[i].line &&
				      strstr(f.findings.items[0].text, cases[i].words),
			"case %zu: %u: %s", i, f.findings.n_items ? f.findings.items[0].line : 0,
			f.findings.n_items ? f.findings.items[0].text : "no finding");
		tear_down(&f);
	}
}
END_TEST

START_TEST(choices)
{
	static const struct {
		const char *row, *given, *value;
		const char *words; /* of the finding; NULL: none */
	} cases[] = {
		{"optional choice a=alpha, b=beta,c", "more = b\n", "beta", NULL},
		{"optional choice a=alpha ,b=beta, c", "more = c\n", "c", NULL},
		{"optional choice a=x=y, ab=z", "more = a\n", "x=y", NULL},
		{"choice a=x, ab=z optional", "more = ab\n", "z", NULL},
		{"required choice a, b secret", "more = a\n", "a", NULL},
		{"choice a=alpha, b default a", "", "alpha", NULL},
		{"optional choice a=alpha", "", NULL, NULL},
		/* any other word of the default, not of the source */
		{"choice a=alpha, *=beta default ${token}", "", "beta", NULL},
		{"choice tttt=alpha, *=beta default ${token}", "", "alpha", NULL},
		{"choice a=alpha, *=beta default x", "more = c\n", NULL,
			"more = c: expected one of a"},
		{"optional choice a=alpha", "more =\n", NULL, NULL},
		{"optional choice a=alpha, beta", "more = alpha\n", NULL,
			"more = alpha: expected one of a, beta"},
		{"required choice aa=x, b=y", "more = a\n", NULL,
			"more = a: expected one of aa, b"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		const char *at = strstr(GOOD, "more = optional");
		char *text CLEANUP_FREE = mem_printf("%.*smore = %s%s", (int)(at - GOOD), GOOD,
			cases[i].row, at + strlen("more = optional"));
		char *source CLEANUP_FREE =
			mem_printf("[source a]\ntoken = tttt\n%s", cases[i].given);
		load(&f, text, source);
		const char *value = definition_parameter(f.definition, "more");
		ck_assert_msg(f.findings.n_items == (cases[i].words ? 1 : 0) &&
				      (!cases[i].words || (strcmp(f.findings.items[0].text,
								   cases[i].words) == 0 &&
								  f.findings.items[0].line == 3)),
			"case %zu: %s", i,
			f.findings.n_items ? f.findings.items[0].text : "no finding");
		ck_assert_msg(cases[i].value ? value && strcmp(value, cases[i].value) == 0 : !value,
			"case %zu: %s", i, value ? value : "no value");
		tear_down(&f);
	}
}
END_TEST

/* A key that is set inline counts in whichever variant applies. */
START_TEST(inline_keys_of_variants)
{
	static const char text[] = "[parameters]\nold = optional\n"
				   "[request old]\nwhen = old\nurl = https://h/v1\nmethod = POST\n"
				   "[request]\nurl = https://h/v2\n"
				   "[records]\nat = \"\"\n[resume]\nurl = header:link\n";
	static const struct {
		const char *source, *method;
	} cases[] = {{"[source a]\n", "GET"}, {"[source a]\nold = yes\n", "POST"},
		{"[source a]\nrequest.method = PUT\n", "PUT"},
		{"[source a]\nold = yes\nrequest.method = PUT\n", "PUT"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		load(&f, text, cases[i].source);
		ck_assert_msg(f.findings.n_items == 0, "case %zu: %s", i, f.findings.items[0].text);
		ck_assert_str_eq(f.definition->first.method, cases[i].method);
		tear_down(&f);
	}
}
END_TEST

START_TEST(variants)
{
	static const char text[] =
		"[parameters]\nuser = optional\npassword = optional secret with user\n"
		"token = optional secret\n"
		"[auth basic]\nwhen = user\ntype = basic\nuser = ${user}\npassword = ${password}\n"
		"[auth token]\nwhen = token\ntype = bearer\ntoken = ${token}\n"
		"[request]\nurl = https://h/x\n[records]\nat = \"\"\n[resume]\nurl = header:link\n";
	static const struct {
		const char *source, *type;
	} cases[] = {{"[source a]\nuser = u\npassword = pppp\n", "basic"},
		{"[source a]\nuser = u\n", NULL}, {"[source a]\ntoken = tttt\n", "bearer"},
		{"[source a]\nauth.type = none\n", "none"}, {"[source a]\nlag = 1s\n", NULL}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		load(&f, text, cases[i].source);
		ck_assert_msg((f.findings.n_items == 0) == (cases[i].type != NULL), "case %zu: %s",
			i, f.findings.n_items ? f.findings.items[0].text : "no finding");
		if (cases[i].type)
			ck_assert_str_eq(f.definition->auth.type, cases[i].type);
		tear_down(&f);
	}
}
END_TEST

/* Who logs in may be proved by another [auth]. */
START_TEST(callers)
{
	static const char text[] =
		"[parameters]\nrole = optional\nkey = optional\nuser = optional\n"
		"[auth role]\nwhen = role\ntype = login\n[auth user]\ntype = login\n"
		"[auth key]\nwhen = key\ntype = basic\nuser = ${key}\n"
		"[login role]\nauth = key, user\nurl = https://h/role\ntoken = /t\n"
		"[login]\nurl = https://h/user\ntoken = /t\n%s"
		"[request]\nurl = https://h/x\n[records]\nat = \"\"\n[resume]\nurl = header:link\n";
	static const struct {
		const char *source, *more, *type, *caller, *words;
	} cases[] = {{"role = r\nkey = k\n", "", "login", "basic", NULL},
		{"role = r\n", "", "login", "login", NULL}, {"user = u\n", "", "login", NULL, NULL},
		{"role = r\n", "auth = key\n", "login", "login", "chained once"},
		{"user = u\n", "auth = kee\n", "login", NULL, "no section [auth kee]"},
		{"user = u\n", "auth = key\n", "login", NULL, "none of these sections applies"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		char *definition CLEANUP_FREE = mem_printf(text, cases[i].more);
		char *source CLEANUP_FREE = mem_printf("[source a]\n%s", cases[i].source);
		load(&f, definition, source);
		ck_assert_msg((f.findings.n_items == 0) == (cases[i].words == NULL), "case %zu: %s",
			i, f.findings.n_items ? f.findings.items[0].text : "no finding");
		const struct auth_definition *auth = &f.definition->auth;
		ck_assert_str_eq(auth->type, cases[i].type);
		ck_assert_msg((auth->caller != NULL) == (cases[i].caller != NULL), "case %zu", i);
		if (cases[i].caller)
			ck_assert_str_eq(auth->caller->type, cases[i].caller);
		if (cases[i].words)
			ck_assert_ptr_nonnull(strstr(f.findings.items[0].text, cases[i].words));
		tear_down(&f);
	}
}
END_TEST

START_TEST(conditions)
{
	static const char text[] =
		"[parameters]\nskip = default Read, List*\nonly = optional\n"
		"[auth]\ntype = none\n[request]\nurl = https://h/x\n"
		"[records]\nat = \"\"\ninclude = /kind = ${only}\nexclude = /name in ${skip}\n"
		"[resume]\nurl = header:link\n";
	static const struct {
		const char *source;
		size_t n_include, n;
		bool reads, lists;
	} cases[] = {{"[source a]\n", 0, 1, true, true},
		{"[source a]\nonly = x\nskip = Read\n", 1, 2, true, false},
		{"[source a]\nskip = none\n", 0, 1, false, false}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		load(&f, text, cases[i].source);
		ck_assert_uint_eq(f.findings.n_items, 0);
		ck_assert_uint_eq(f.definition->n_include, cases[i].n_include);
		ck_assert_uint_eq(f.definition->n_conditions, cases[i].n);
		const struct condition *skip = &f.definition->conditions[cases[i].n - 1];
		ck_assert(condition_test(skip, SLICE("Read")) == cases[i].reads);
		ck_assert(condition_test(skip, SLICE("ListVms")) == cases[i].lists);
		tear_down(&f);
	}
	/* a line without one of its parts would hold for more */
	static const struct {
		const char *source;
		size_t n;
		bool joined;
	} lines[] = {{"records.exclude = /a in x and /b = ${only} and /c present\n", 0, false},
		{"only = z\nrecords.exclude = /a in x and /b = ${only} and /c present\n", 3, true},
		{"only = z\nrecords.include = /a = x and y\nrecords.exclude =\n", 1, false}};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct fixture f;
		char *source CLEANUP_FREE = mem_printf("[source a]\n%s", lines[i].source);
		load(&f, text, source);
		ck_assert_uint_eq(f.findings.n_items, 0);
		size_t n = f.definition->n_conditions - (i == 1 ? f.definition->n_include : 0);
		ck_assert_msg(n == lines[i].n, "case %zu: %zu", i, n);
		if (n)
			ck_assert(f.definition->conditions[f.definition->n_conditions - n].joined ==
				  lines[i].joined);
		tear_down(&f);
	}
	struct fixture f;
	load(&f, text, "[source a]\nrecords.exclude = /at = ${window.start}\n");
	ck_assert_uint_eq(f.findings.n_items, 1);
	ck_assert_ptr_nonnull(strstr(f.findings.items[0].text, "unknown variable"));
	tear_down(&f);
}
END_TEST

START_TEST(unknown_provider)
{
	struct findings findings = FINDINGS_NULL;
	struct definition_path where = {NULL, 0};
	definition_free(definition_load("nothing", &where, NULL, &findings));
	ck_assert_uint_eq(findings.n_items, 1);
	ck_assert_ptr_nonnull(strstr(findings.items[0].text, "unknown provider `nothing`"));
	findings_deinit(&findings);
}
END_TEST

/* They are compared with an origin that always has its port. */
START_TEST(origins_of_documents)
{
	static const char text[] =
		"[request]\nurl = https://api.example/x\nquery.from = ${window.start}\n"
		"[records]\nat = \"\"\n[resume]\nwindow = yes\n[fetch]\nfrom = /id\ncolumns = a\n"
		"origins = ";
	static const struct {
		const char *origin, *glob; /* NULL: a finding */
	} cases[] = {{"https://*.objects.example", "https://*.objects.example:443"},
		{"HTTPS://Eu.Objects.Example:8443", "https://eu.objects.example:8443"},
		{"http://[::1]", "http://[::1]:80"}, {"https://[::1]:1", "https://[::1]:1"},
		{"*.objects.example", NULL}, {"https://a.example/", NULL},
		{"https://u@a.example", NULL}, {"https://", NULL}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		char *whole CLEANUP_FREE = mem_printf("%s%s\n", text, cases[i].origin);
		load(&f, whole, "[source a]\nlag = 1s\n");
		ck_assert_msg(f.findings.n_items == (cases[i].glob ? 0 : 1), "case %zu", i);
		if (cases[i].glob)
			ck_assert_str_eq(f.definition->fetch_origins.items[0], cases[i].glob);
		tear_down(&f);
	}
}
END_TEST

START_TEST(formats_of_documents)
{
	static const char text[] =
		"[request]\nurl = https://api.example/x\nquery.from = ${window.start}\n"
		"[records]\nat = \"\"\n[resume]\nwindow = yes\n[fetch]\nfrom = /id\n";
	static const struct {
		const char *keys, *words; /* NULL: none */
	} cases[] = {{"format = json\nat = \"\"\nauth = yes", NULL},
		{"format = json\nat = /list\norigins = https://b.example", NULL},
		{"format = json", NULL}, {"columns = header\ntime = at", NULL},
		{"columns = header\nrest = a", "rest cannot be used with columns = header"},
		{"format = csv", "1 to 256 names, or `header`"},
		{"format = json\nurl = https://api.example/d/${fetch.from}", NULL},
		{"format = json\nlink = /link", "link requires `url`"},
		{"format = json\nat = list", "not a JSON Pointer"},
		{"format = lines\nat = /list", "at requires format = json"},
		{"columns = a\nauth = yes\norigins = https://b.example",
			"origins cannot be used with auth = yes"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		char *whole CLEANUP_FREE = mem_printf("%s%s\n", text, cases[i].keys);
		load(&f, whole, "[source a]\nlag = 1s\n");
		ck_assert_msg(f.findings.n_items == (cases[i].words ? 1 : 0) &&
				      (!cases[i].words ||
					      strstr(f.findings.items[0].text, cases[i].words)),
			"case %zu: %s", i, f.findings.n_items ? f.findings.items[0].text : "none");
		tear_down(&f);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {good, defaults_of_parameters, faults_of_parameters, faults,
		faults_of_headers_and_methods, faults_of_watches, without_effect,
		faults_of_the_source, choices, inline_keys_of_variants, variants, callers,
		conditions, unknown_provider, origins_of_documents, formats_of_documents};
	Suite *suite = suite_create("definition");
	TCase *tcase = tcase_create("definition");
	if (!mkdtemp(directory))
		return EXIT_FAILURE;
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	int code = unit_run(suite);
	rmdir(directory);
	return code;
}
