/* base/log.c: levels, and the debug lines that are kept until their subject fails. */
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "check_unit.h"

static struct buf written;
static const struct log_subject acme = {"source", "acme", "trawld.conf:7"};
static const struct log_subject siem = {"sink", "siem", NULL};

static void take(enum log_level level, const struct log_subject *subject, struct slice text)
{
	(void)subject;
	buf_printf(&written, "%d %.*s\n", (int)level, (int)text.size, text.data);
}

static const char *taken(void)
{
	static char copy[65536];

	snprintf(copy, sizeof(copy), "%s", buf_text(&written));
	buf_clear(&written);
	return copy;
}

START_TEST(levels)
{
	log_divert(take);
	log_debug(&acme, "unseen");
	log_info(&acme, "%d records", 3);
	log_warning(NULL, "line\nbreak");
	ck_assert_str_eq(taken(), "6 source acme (trawld.conf:7): 3 records\n4 line\\nbreak\n");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug(&siem, "seen");
	ck_assert_str_eq(taken(), "7 sink siem: seen\n");
}
END_TEST

START_TEST(recent_lines_of_the_one_that_fails)
{
	nsec_t told_at = NSEC_NONE;
	const char *text;

	log_divert(take);
	log_debug(&acme, "GET https://h/?key=%s: HTTP 200", "HUSHHUSH");
	log_debug(&siem, "job");
	log_debug(NULL, "committed");
	log_debug(&acme, "resting");
	ck_assert_str_eq(taken(), "");
	secret_register(SLICE("HUSHHUSH"));
	log_recent(&acme, &told_at);
	text = taken();
	ck_assert_ptr_nonnull(strstr(text, "6 source acme (trawld.conf:7): before ("));
	ck_assert_ptr_nonnull(strstr(text, "GET https://h/?key=***: HTTP 200\n"));
	ck_assert_ptr_nonnull(strstr(text, "): resting\n"));
	ck_assert_ptr_null(strstr(text, "job"));
	/* once an hour */
	log_debug(&acme, "asking");
	log_recent(&acme, &told_at);
	ck_assert_str_eq(taken(), "");
}
END_TEST

START_TEST(the_oldest_go)
{
	nsec_t told_at = NSEC_NONE;
	const char *text;

	log_divert(take);
	for (int i = 0; i < 250; i++)
		log_debug(&acme, "line %d", i);
	log_recent(&acme, &told_at);
	text = taken();
	ck_assert_ptr_null(strstr(text, "line 49\n"));
	ck_assert_ptr_nonnull(strstr(text, "line 50\n"));
	ck_assert_ptr_nonnull(strstr(text, "line 249\n"));
}
END_TEST

UNIT_MAIN("log", levels, recent_lines_of_the_one_that_fails, the_oldest_go)
