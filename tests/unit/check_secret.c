/* Secrets, and what passes through masking: faults and log lines. */
#include "base/secret.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "check_unit.h"

static char *masked(const char *text)
{
	struct buf buf = BUF_NULL;
	buf_append_text(&buf, text);
	secret_mask(&buf);
	return buf_take(&buf);
}

static void assert_masked(const char *text, const char *expected)
{
	char *found = masked(text);
	ck_assert_str_eq(found, expected);
	free(found);
}

START_TEST(masks_in_every_form)
{
	struct secret secret = SECRET_NULL;
	secret_set(&secret, SLICE("to/ken+42"));
	assert_masked("a to/ken+42 b to/ken+42", "a *** b ***");
	assert_masked("?t=to%2Fken%2B42&x", "?t=***&x");
	assert_masked("Basic dG8va2VuKzQy", "Basic ***");
	assert_masked("to/ken+4", "to/ken+4");
	secret_deinit(&secret);
	ck_assert_ptr_null(secret.text);
	assert_masked("to/ken+42", "to/ken+42");
	secret_deinit(&secret);
}
END_TEST

/* What receivers and APIs make of a token that they echo. */
START_TEST(masks_every_spelling)
{
	static const char *const spellings[] = {
		"ab/cd+ef/gh<ij>kl&mn=op",
		"ab\\/cd+ef\\/gh<ij>kl&mn=op",
		"ab%2fcd%2bef%2fgh%3cij%3ekl%26mn%3dop",
		"ab%2Fcd%2Bef%2Fgh%3Cij%3Ekl%26mn%3Dop",
		"ab/cd+ef/gh\\u003cij\\u003ekl\\u0026mn=op",
		"ab\\u002Fcd\\u002bef\\x2fgh\\x3Cij>kl&mn=op",
		"ab/cd+ef/gh&lt;ij&gt;kl&amp;mn=op",
		"ab&#47;cd&#x2b;ef&sol;gh&#x3C;ij&#062;kl&amp;mn&equals;op",
		"YWIvY2QrZWYvZ2g8aWo+a2wmbW49b3A=",
		"eGFiL2NkK2VmL2doPGlqPmtsJm1uPW9w",
		"eHlhYi9jZCtlZi9naDxpaj5rbCZtbj1vcA==",
		"YWIvY2QrZWYvZ2g8aWo-a2wmbW49b3A",
		"YWIvY2QrZWYvZ2g8aWo%2Ba2wmbW49b3A%3D",
		"61622f63642b65662f67683c696a3e6b6c266d6e3d6f70",
		"61622F63642B65662F67683C696A3E6B6C266D6E3D6F70",
		"ab\\\\\\/cd+ef\\\\\\/gh\\\\u003cij\\\\u003ekl\\\\u0026mn=op",
		"ab%5C%2Fcd%2Bef%5C%2Fgh%5Cu003Cij%5Cu003Ekl%5Cu0026mn%3Dop",
		"ab%252fcd%252Bef%252Fgh%253Cij%253Ekl%2526mn%253Dop",
		"ab/cd+ef/gh&amp;lt;ij&amp;gt;kl&amp;amp;mn=op",
	};
	secret_register(SLICE("ab/cd+ef/gh<ij>kl&mn=op"));
	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		char *text CLEANUP_FREE = mem_printf("{\"a\":\"%s\"}", spellings[i]);
		char *found CLEANUP_FREE = masked(text);
		ck_assert_msg(strncmp(found, "{\"a\":\"", 6) == 0 && strstr(found, "***") &&
				      strlen(found) <= 18 &&
				      strcmp(found + strlen(found) - 2, "\"}") == 0,
			"case %zu: %s became %s", i, text, found);
	}
	secret_unregister(SLICE("ab/cd+ef/gh<ij>kl&mn=op"));
}
END_TEST

START_TEST(an_escape_can_be_meant_as_written)
{
	static const char awkward[] = "%2f\\\\u0041&lt;+ \"\xc3\xa9";
	secret_register(slice_of(awkward));
	assert_masked("<%2f\\\\u0041&lt;+ \"\xc3\xa9>", "<***>");
	assert_masked("<%2f\\\\\\\\u0041&lt;+ \\\"\\u00e9>", "<***>");
	assert_masked("<%252f%5C%5Cu0041%26lt%3B%2B+%22%C3%A9>", "<***>");
	assert_masked("<%2f\\\\u0041&amp;lt;+ &quot;&#233;>", "<***>");
	assert_masked("<%2f\\\\u0041&lt;+ \">", "<%2f\\\\u0041&lt;+ \">");
	secret_unregister(slice_of(awkward));
}
END_TEST

/* Masking a line costs about the same with a thousand secrets as with one. */
START_TEST(a_thousand_secrets)
{
	struct buf line = BUF_NULL, copy = BUF_NULL;
	nsec_t took_ns[2] = {0};
	for (int i = 0; i < 20; i++)
		buf_printf(&line, "source acme-%d (trawld.conf:%d): HTTP 500: {\"id\":\"%x\"}\n", i,
			i, i * 7919);
	for (int n = 0; n < 2; n++) {
		for (int i = 0; n && i < 1000; i++) {
			char *text CLEANUP_FREE = mem_printf("S%dcret/%x+%d", i, i * 65537, i);
			secret_register(slice_of(text));
		}
		secret_register(SLICE("first-of-all"));
		nsec_t began_at = clock_monotonic();
		for (int i = 0; i < 200; i++) {
			buf_clear(&copy);
			buf_append_slice(&copy, buf_slice(&line));
			secret_mask(&copy);
		}
		took_ns[n] = clock_monotonic() - began_at;
	}
	printf("%zu bytes: %.1f us with 1 secret, %.1f us with 1,001\n", line.size,
		(double)took_ns[0] / 200e3, (double)took_ns[1] / 200e3);
	assert_masked("S999cret/3e703e7+999", "***");
	buf_deinit(&line);
	buf_deinit(&copy);
}
END_TEST

START_TEST(masks_inside_a_json_string)
{
	secret_register(SLICE("a\"b\\c\n"));
	assert_masked("{\"t\":\"a\\\"b\\\\c\\n\"}", "{\"t\":\"***\"}");
	secret_unregister(SLICE("a\"b\\c\n"));
}
END_TEST

/* `%Fe` is meant as it is written, and what stands beside it is escaped twice. */
START_TEST(masks_a_percent_sign_inside_escapes)
{
	secret_register(SLICE("fr%FeB;N8\\<5aB"));
	assert_masked("{\"t\":\"fr%FeB;N8\\\\\\\\<5aB\"}", "{\"t\":\"***\"}");
	assert_masked("fr%25FeB%3BN8%5C%3C5aB", "***");
	secret_unregister(SLICE("fr%FeB;N8\\<5aB"));
}
END_TEST

START_TEST(longer_first_and_counted)
{
	secret_register(SLICE("secret"));
	secret_register(SLICE("secret-and-more"));
	secret_register(SLICE("secret"));
	secret_register(SLICE("abc"));
	assert_masked("secret-and-more secret abc", "*** *** abc");
	secret_unregister(SLICE("secret"));
	assert_masked("secret", "***");
	secret_unregister(SLICE("secret"));
	assert_masked("secret", "secret");
	secret_unregister(SLICE("secret-and-more"));
}
END_TEST

START_TEST(faults_are_masked_and_one_line)
{
	struct fault fault = FAULT_NULL;
	secret_register(SLICE("hunter2"));
	ck_assert_int_eq(fault_set(&fault, FAULT_AUTH, "bad %s\n\x1b[31m", "hunter2"), -1);
	ck_assert_str_eq(fault.text, "bad ***??[31m");
	ck_assert_int_eq(fault_set(NULL, FAULT_BODY, "x"), -1);
	char longer[2000];
	memset(longer, 'x', sizeof(longer));
	memcpy(longer + sizeof(fault.text) - 2, "\xc3\xa9", 2);
	longer[sizeof(longer) - 1] = '\0';
	fault_set(&fault, FAULT_BODY, "%s", longer);
	ck_assert_uint_eq(strlen(fault.text), sizeof(fault.text) - 2);
	for (int class = FAULT_NONE; class <= FAULT_INTERNAL; class ++)
		ck_assert_ptr_nonnull(fault_class_to_string((enum fault_class) class));
	secret_unregister(SLICE("hunter2"));
}
END_TEST

/* What log_write put on standard error. */
static void read_log(char *text, size_t size, int *pipe_ends)
{
	close(pipe_ends[1]);
	ssize_t n = read(pipe_ends[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(pipe_ends[0]);
}

START_TEST(log_lines)
{
	struct log_subject subject = {"source", "acme", "trawld.conf:14"};
	int pipe_ends[2], saved = dup(STDERR_FILENO);
	char text[500];
	ck_assert_int_eq(pipe(pipe_ends), 0);
	dup2(pipe_ends[1], STDERR_FILENO);
	secret_register(SLICE("hunter2"));
	log_warning(&subject, "forged\n<0>line \x07 hunter2");
	log_debug(NULL, "not shown");
	log_open(true);
	log_error(NULL, "priority");
	log_open(false);
	dup2(saved, STDERR_FILENO);
	read_log(text, sizeof(text), pipe_ends);
	ck_assert_str_eq(text,
		"warning: source acme (trawld.conf:14): forged\\n<0>line \\x07 ***\n<3>priority\n");
	secret_unregister(SLICE("hunter2"));
}
END_TEST

UNIT_MAIN("secret", masks_in_every_form, masks_every_spelling, an_escape_can_be_meant_as_written,
	a_thousand_secrets, masks_inside_a_json_string, masks_a_percent_sign_inside_escapes,
	longer_first_and_counted, faults_are_masked_and_one_line, log_lines)
