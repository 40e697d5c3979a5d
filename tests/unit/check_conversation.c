/* Which request of a conversation is meant: `***` stands for any text. */
#include "workbench/conversation.h"

#include "base/mem.h"
#include "check_unit.h"

static const struct {
	const char *pattern, *text;
	bool same;
} cases[] = {
	{"a", "a", true},
	{"a", "b", false},
	{"***", "", true},
	{"***", "abc", true},
	{"a***", "abc", true},
	{"a***", "bc", false},
	{"***c", "abc", true},
	{"***c", "ab", false},
	{"a***a", "a", false}, /* the text has both ends */
	{"a***b***c", "a-b-c", true},
	{"a***b***c", "a-c-b", false},
	{"a***b***b", "ab", false},
	{"***b***", "abc", true},
	{"***ab***ab***", "ab-b-a-ab", true},
	{"***ab***ab***", "ab-b-a-b", false},
};

static bool match(const char *pattern, const char *text)
{
	struct exchange exchange = {.method = (char *)"GET", .url = (char *)pattern};
	struct http_message message = {.url = (char *)text};

	return conversation_matches(&exchange, &message);
}

START_TEST(any_text)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(match(cases[i].pattern, cases[i].text) == cases[i].same, "%s of %s",
			cases[i].pattern, cases[i].text);
}
END_TEST

/* The time does not double with each of them. */
START_TEST(many)
{
	struct buf pattern = BUF_NULL, text = BUF_NULL;

	for (size_t i = 0; i < 200; i++) {
		buf_append_text(&pattern, "***a");
		buf_append_text(&text, "aaa");
	}
	buf_append_text(&pattern, "***b");
	ck_assert(!match(buf_text(&pattern), buf_text(&text)));
	buf_append_text(&text, "b");
	ck_assert(match(buf_text(&pattern), buf_text(&text)));
	buf_deinit(&pattern);
	buf_deinit(&text);
}
END_TEST

UNIT_MAIN("conversation", any_text, many)
