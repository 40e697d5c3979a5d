/* Templates of text, of URLs and of JSON bodies. */
#include "definition/template.h"

#include "check_unit.h"

/* 2025-09-14T22:25:43.123456789Z */
#define TIME INT64_C(1757888743123456789)

static enum template_kind known(const char *name, void *userdata)
{
	(void)userdata;
	static const struct {
		const char *name;
		enum template_kind kind;
	} names[] = {{"text", TEMPLATE_TEXT}, {"host", TEMPLATE_TEXT}, {"none", TEMPLATE_TEXT},
		{"list", TEMPLATE_TEXT}, {"evil", TEMPLATE_TEXT}, {"cursor", TEMPLATE_JSON},
		{"link", TEMPLATE_JSON}, {"quoted", TEMPLATE_JSON}, {"size", TEMPLATE_JSON},
		{"gone", TEMPLATE_JSON}, {"start", TEMPLATE_TIME}, {"no.time", TEMPLATE_TIME}};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].kind;
	return TEMPLATE_ABSENT;
}

static struct template_value lookup(const char *name, void *userdata)
{
	(void)userdata;
	static const struct {
		const char *name, *text;
		enum template_kind kind;
	} values[] = {{"text", "a b/c", TEMPLATE_TEXT}, {"host", "https://h:8", TEMPLATE_TEXT},
		{"list", "4, 5 ,6", TEMPLATE_TEXT}, {"evil", "\"}${text}", TEMPLATE_TEXT},
		{"cursor", "[1e400,\"x\"]", TEMPLATE_JSON}, {"link", "\"t\\u00e9\"", TEMPLATE_JSON},
		{"quoted", "\"[1.50,\\\"a\\\"]\"", TEMPLATE_JSON}, {"size", "1000", TEMPLATE_JSON}};
	if (strcmp(name, "start") == 0)
		return (struct template_value){TEMPLATE_TIME, SLICE_NULL, TIME};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (strcmp(values[i].name, name) == 0)
			return (struct template_value){values[i].kind, slice_of(values[i].text), 0};
	return (struct template_value){TEMPLATE_ABSENT, SLICE_NULL, 0};
}

START_TEST(texts)
{
	static const struct {
		const char *text, *plain, *url; /* NULL: absent */
	} cases[] = {
		{"plain", "plain", "plain"},
		{"", "", ""},
		{"x${text}y", "xa b/cy", "xa%20b%2Fcy"},
		{"${host}/p?q=${text}", "https://h:8/p?q=a b/c", "https://h:8/p?q=a%20b%2Fc"},
		{"$${text}", "${text}", "${text}"},
		{"a${none}b", NULL, NULL},
		{"${none|text}", "a b/c", "a b/c"},
		{"${gone|start:epoch_s}", "1757888743", "1757888743"},
		{"t=${start}", "t=2025-09-14T22:25:43.123456Z",
			"t=2025-09-14T22%3A25%3A43.123456Z"},
		{"t=${start:epoch_ms}", "t=1757888743123", "t=1757888743123"},
		{"t=${start-1ms:epoch_ms}", "t=1757888743122", "t=1757888743122"},
		{"t=${start + 1h:epoch_s}", "t=1757892343", "t=1757892343"},
		{"t=${start:%Y-%m-%dT%H:%M:%S%z}", "t=2025-09-14T22:25:43+0000",
			"t=2025-09-14T22%3A25%3A43%2B0000"},
		{"${cursor:join}", "1e400,x", "1e400,x"},
		{"o=${cursor:join}", "o=1e400,x", "o=1e400%2Cx"},
		{"${link:join}", "t\xc3\xa9", "t\xc3\xa9"},
		{"${size:join}", "1000", "1000"},
		{"$1$$${size}$${size}$$$${size}", "$1$1000${size}$${size}",
			"$1$1000${size}$${size}"},
		{"${cursor:/1}", "x", "x"},
		{"n=${gone|cursor:/0}", "n=1e400", "n=1e400"},
		{"${link}", "t\xc3\xa9", "t\xc3\xa9"},
		{"c=${link}", "c=t\xc3\xa9", "c=t%C3%A9"},
		{"${evil}", "\"}${text}", "\"}${text}"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct template *template = NULL;
		char *error = NULL;
		ck_assert_msg(template_parse(&template, cases[i].text, known, NULL, &error) == 0,
			"case %zu: %s", i, error);
		for (int url = 0; url < 2; url++) {
			struct buf out = BUF_NULL;
			const char *expected = url ? cases[i].url : cases[i].plain;
			int r = url ? template_render_url(template, lookup, NULL, &out)
				    : template_render(template, lookup, NULL, &out);
			ck_assert_msg(
				r == (expected ? 0 : TEMPLATE_E_ABSENT), "case %zu: %d", i, r);
			if (expected)
				ck_assert_msg(strcmp(buf_text(&out), expected) == 0, "case %zu: %s",
					i, buf_text(&out));
			buf_deinit(&out);
		}
		template_free(template);
	}
}
END_TEST

START_TEST(faults)
{
	static const struct {
		const char *text, *word;
	} cases[] = {{"${nobody}", "unknown variable ${nobody}"}, {"${text", "without"},
		{"${}", "unknown"}, {"${start:hour}", "time format"}, {"${text:epoch_s}", "list"},
		{"${start-5x}", "unknown"}, {"${text-1ms}", "unknown"},
		{"${text|nobody}", "nobody"}, {"${cursor:/~2}", "not a format"},
		{"${text:/1}", "not a format"}, {"${start:/1}", "time format"},
		{"${cursor:list}", "a pointer to a part"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct template *template = NULL;
		char *error = NULL;
		ck_assert_msg(template_parse(&template, cases[i].text, known, NULL, &error) ==
				      TEMPLATE_E_SYNTAX,
			"case %zu", i);
		ck_assert_msg(strstr(error, cases[i].word) != NULL, "case %zu: %s", i, error);
		free(error);
	}
}
END_TEST

START_TEST(bodies)
{
	static const struct {
		const char *text, *body;
	} cases[] = {
		{"{\"n\": \"${size}\", \"s\": \"n${size}\"}", "{\"n\":1000,\"s\":\"n1000\"}"},
		{"{\"after\": \"${cursor}\"}", "{\"after\":[1e400,\"x\"]}"},
		{"{\"i\": \"${cursor:/0}\", \"s\": \"${cursor:/1}\"}", "{\"i\":1e400,\"s\":\"x\"}"},
		{"{\"after\": \"${quoted:json}\"}", "{\"after\":[1.50,\"a\"]}"},
		{"{\"after\": \"${cursor:json}\"}", "{\"after\":[1e400,\"x\"]}"},
		{"{\"a\": \"${gone}\", \"b\": 1}", "{\"b\":1}"},
		{"{\"a\": {\"b\": \"${gone}\"}, \"c\": [\"${none}\", 2]}", "{\"c\":[2]}"},
		{"{\"f\": [{\"q\": {\"x\": \"${none}\"}}, {\"y\": 1}]}", "{\"f\":[{\"y\":1}]}"},
		{"{\"keep\": {}, \"too\": []}", "{\"keep\":{},\"too\":[]}"},
		{"{\"a\": \"${gone}\"}", "{}"},
		{"{\"v\": \"${evil}\"}", "{\"v\":\"\\\"}${text}\"}"},
		{"{\"l\": \"${list:list}\", \"n\": \"${list:numbers}\"}",
			"{\"l\":[\"4\",\"5\",\"6\"],\"n\":[4,5,6]}"},
		{"{\"t\": \"${start:epoch_ms}\", \"u\": \"${start}\"}",
			"{\"t\":1757888743123,\"u\":\"2025-09-14T22:25:43.123456Z\"}"},
		{"{\"t\": true, \"z\": null, \"r\": 1.5}", "{\"t\":true,\"z\":null,\"r\":1.5}"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json_template *template = NULL;
		struct buf out = BUF_NULL;
		char *error = NULL;
		ck_assert_msg(
			json_template_parse(&template, cases[i].text, known, NULL, &error) == 0,
			"case %zu: %s", i, error);
		ck_assert_int_eq(json_template_render(template, lookup, NULL, &out), 0);
		ck_assert_msg(strcmp(buf_text(&out), cases[i].body) == 0, "case %zu: %s", i,
			buf_text(&out));
		buf_deinit(&out);
		json_template_free(template);
	}
}
END_TEST

START_TEST(bad_bodies_and_values)
{
	static const char *const bad[] = {"", "{", "{\"a\": ${size}}", "{\"a\":1,\"a\":2}",
		"{\"a\": \"${nobody}\"}", "\"${size}\""};
	struct json_template *template = NULL;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *error = NULL;
		ck_assert_msg(json_template_parse(&template, bad[i], known, NULL, &error) ==
				      TEMPLATE_E_SYNTAX,
			"case %zu", i);
		free(error);
	}
	static const char *const unfit[] = {"{\"a\":\"${text:numbers}\"}", "[\"${text:json}\"]",
		"[\"${evil:json}\"]", "[\"${list:json}\"]", "[\"${cursor:/2}\"]",
		"[\"${size:/0}\"]"};
	for (size_t i = 0; i < sizeof(unfit) / sizeof(unfit[0]); i++) {
		char *error = NULL;
		struct buf out = BUF_NULL;
		ck_assert_int_eq(json_template_parse(&template, unfit[i], known, NULL, &error), 0);
		ck_assert_msg(
			json_template_render(template, lookup, NULL, &out) == TEMPLATE_E_VALUE,
			"case %zu", i);
		json_template_free(template);
		buf_deinit(&out);
	}
}
END_TEST

START_TEST(steps_and_uses)
{
	struct template *template = NULL;
	char *error = NULL;
	ck_assert_int_eq(template_parse(&template, "${start:epoch_s}", known, NULL, &error), 0);
	ck_assert_int_eq(template_time_step(template), NSEC_PER_SEC);
	ck_assert(template_uses(template, "start") && !template_uses(template, "text"));
	template_free(template);
	ck_assert_int_eq(template_parse(&template, "${start:%T.%f}", known, NULL, &error), 0);
	ck_assert_int_eq(template_time_step(template), NSEC_PER_MSEC);
	template_free(template);
	ck_assert_int_eq(template_parse(&template, "${text}", known, NULL, &error), 0);
	ck_assert_int_eq(template_time_step(template), 0);
	template_free(template);
}
END_TEST

UNIT_MAIN("template", texts, faults, bodies, bad_bodies_and_values, steps_and_uses)
