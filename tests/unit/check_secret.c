/* Secrets, and what passes through masking: faults and log lines. */
#include "base/secret.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
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

START_TEST(masks_inside_a_json_string)
{
	secret_register(SLICE("a\"b\\c\n"));
	assert_masked("{\"t\":\"a\\\"b\\\\c\\n\"}", "{\"t\":\"***\"}");
	secret_unregister(SLICE("a\"b\\c\n"));
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
	ck_assert_int_eq(fault_set(&fault, FAULT_AUTH, "bad %s\n\x1b[31m", "hunter2"), FAULT_AUTH);
	ck_assert_str_eq(fault.text, "bad ***??[31m");
	ck_assert_int_eq(fault_set(NULL, FAULT_BODY, "x"), FAULT_BODY);
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

UNIT_MAIN("secret", masks_in_every_form, masks_inside_a_json_string, longer_first_and_counted,
	faults_are_masked_and_one_line, log_lines)
