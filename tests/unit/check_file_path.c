/* Paths of file sinks, and the list of kinds. */
#include "sink/file/file_path.h"

#include <errno.h>

#include "sink/file/file_io.h"
#include "sink/sinks.h"
#include "store_fixture.h"

START_TEST(patterns)
{
	static const struct {
		const char *pattern, *path; /* NULL: refused */
		bool timed;
	} rows[] = {
		{"/v/%{source}.ndjson", "/v/acme.ndjson", false},
		{"/v/%{provider}/%{source}-%Y%m%d.ndjson", "/v/osc/acme-20250301.ndjson", true},
		{"/v/%F/%H.%M", "/v/2025-03-01/23.59", true},
		{"/v/100%%", "/v/100%", false},
		{"/v/100%%Y", "/v/100%Y", false},
		{"plain", "plain", false},
		{"/v/%{sink}", NULL, false},
		{"/v/%{source", NULL, false},
		{"/v/%", NULL, false},
		{"/v/%D", NULL, false}, /* would add slashes */
		{"/v/%s", NULL, false}, /* in the local zone */
		{"/v/%c", NULL, false},
		{"/v/%-d", NULL, false},
		{"/v/", NULL, false},
		{"", NULL, false},
		{"/v/\xff", NULL, false},
	};
	const nsec_t time = INT64_C(1740873599) * NSEC_PER_SEC + 999999999;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fault fault = FAULT_NULL;
		struct buf path = BUF_NULL;
		int r = file_path_check(rows[i].pattern, &fault);

		ck_assert_msg(unit_class(r, &fault) == (rows[i].path ? FAULT_NONE : FAULT_CONFIG),
			"row %zu: %s", i, fault.text);
		if (r != 0)
			continue;
		file_path_expand(rows[i].pattern, "acme", "osc", time, &path);
		ck_assert_msg(
			strcmp(buf_text(&path), rows[i].path) == 0, "row %zu: %s", i, path.data);
		ck_assert_msg(
			file_path_is_timed(rows[i].pattern) == rows[i].timed, "row %zu: timed", i);
		buf_deinit(&path);
	}
}
END_TEST

START_TEST(places)
{
	static const struct {
		const char *pattern, *node, *shard, *path;
	} rows[] = {
		{"/v/%{node}/%{shard}.ndjson", "log-a", "3", "/v/log-a/3.ndjson"},
		{"/v/%{source}/%F-%{shard}%{provider}", "log-a", "3",
			"/v/%{source}/%F-3%{provider}"},
		{"/v/%{node}/%{shard}", "log-a", NULL, "/v/log-a/%{shard}"},
		{"/v/%{node}/x", "..", "0", "/v/_../x"},
		{"/v/%%{node}%%", "log-a", "0", "/v/%%{node}%%"},
		{"/v/x", NULL, NULL, "/v/x"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *path = file_path_place(rows[i].pattern, rows[i].node, rows[i].shard);

		ck_assert_msg(file_path_check(rows[i].pattern, NULL) == 0, "row %zu: pattern", i);
		ck_assert_msg(strcmp(path, rows[i].path) == 0, "row %zu: %s", i, path);
		free(path);
	}
	ck_assert(file_path_has("/v/%{node}", "node"));
	ck_assert(!file_path_has("/v/%{node}", "shard"));
	ck_assert(!file_path_has("/v/%%{node}", "node"));
}
END_TEST

START_TEST(a_name_never_leaves_its_directory)
{
	struct buf path = BUF_NULL;

	file_path_expand("/v/%{source}/x", "..", ".", 0, &path);
	file_path_expand("|%{provider}|%{source}", "..a", ".", 0, &path);
	ck_assert_str_eq(buf_text(&path), "/v/_../x|_.|..a");
	buf_deinit(&path);
}
END_TEST

START_TEST(kinds_are_found)
{
	ck_assert_ptr_eq(sinks_find("file"), &sink_file);
	ck_assert_ptr_eq(sinks_find("stdout"), &sink_stdout);
	ck_assert_ptr_null(sinks_find("files"));
	char *hint = sinks_hint("flie");
	ck_assert_str_eq(hint, ": did you mean `file`?");
	free(hint);
	for (size_t i = 0; i < n_sink_kinds; i++) {
		const struct sink_kind *kind = sink_kinds[i];
		/* of Kafka, a build without librdkafka has what refuses to make one */
		bool absent = kind == sinks_find("kafka") && !kind->deliver;

		ck_assert_msg(kind->name && kind->summary && kind->promise && kind->create,
			"kind %zu", i);
		ck_assert_msg(
			absent || (kind->deliver && kind->cancel && kind->destroy), "kind %zu", i);
	}
}
END_TEST

START_TEST(a_service_is_told_what_its_unit_needs)
{
	struct fault fault = FAULT_NULL;

	unsetenv("INVOCATION_ID");
	errno = EROFS;
	ck_assert_int_eq(file_io_fault("make", "/srv/a", &fault), -1);
	ck_assert_str_eq(fault.text, "cannot make /srv/a: Read-only file system");
	setenv("INVOCATION_ID", "1", 1);
	errno = EROFS;
	file_io_fault("make", "/srv/a", &fault);
	ck_assert_str_eq(fault.text,
		"cannot make /srv/a: Read-only file system; a service of systemd may write there if its unit says so with ReadWritePaths=");
	errno = EACCES;
	file_io_fault("open", "/srv/a", &fault);
	ck_assert_str_eq(fault.text, "cannot open /srv/a: Permission denied");
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("file_path");

	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, NULL, NULL);
	tcase_add_test(tcase, patterns);
	tcase_add_test(tcase, places);
	tcase_add_test(tcase, a_name_never_leaves_its_directory);
	tcase_add_test(tcase, kinds_are_found);
	tcase_add_test(tcase, a_service_is_told_what_its_unit_needs);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("file_path", add_tests);
}
