/* A whole trawld with a configuration of its own, in a directory that goes when the test is done.
 */
#ifndef TRAWLD_TESTS_DAEMON_FIXTURE_H
#define TRAWLD_TESTS_DAEMON_FIXTURE_H

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "check_unit.h"
#include "parts.h"
#include "trawld.h"

#define SOURCE(name, more)                                                                         \
	"[source " name "]\nprovider = custom\nrequest.url = "                                     \
	"http://127.0.0.1:9/x?${window.start}\nrecords.at = /list\nresume.window = yes\n" more
#define SINK(name) "[sink " name "]\ntype = file\npath = %D/" name ".ndjson\n"

static char daemon_directory[] = "/tmp/check_daemon_XXXXXX";
static struct trawld *trawld;
static struct buf daemon_log; /* all that was logged */

/* Without locations, which hold the directory: "source a: ...". */
static inline void daemon_note(
	enum log_level level, const struct log_subject *subject, struct slice text)
{
	const char *end = memmem(text.data, text.size, "): ", 3);
	(void)level;
	if (subject && end) {
		buf_printf(&daemon_log, "%s %s: ", subject->kind, subject->name);
		text = (struct slice){end + 3, text.size - (size_t)(end + 3 - text.data)};
	}
	buf_append_slice(&daemon_log, text);
	buf_append_char(&daemon_log, '\n');
}

static inline char *daemon_path(const char *name)
{
	return mem_printf("%s/%s", daemon_directory, name);
}

/* TEXT is the configuration but for its [daemon]; %D is the directory. */
static inline void daemon_configure(const char *text)
{
	char *path = daemon_path("trawld.conf");
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fprintf(file, "[daemon]\nstate_directory = %s/state\nlisten = off\ncontrol = %s/control\n",
		daemon_directory, daemon_directory);
	for (const char *part; (part = strstr(text, "%D")); text = part + 2)
		fprintf(file, "%.*s%s", (int)(part - text), text, daemon_directory);
	fputs(text, file);
	fclose(file);
	free(path);
}

/* With the configuration that was written last. The result of trawld_open. */
static inline int daemon_start(bool once)
{
	static char *path;
	struct findings findings = FINDINGS_NULL;
	free(path);
	path = daemon_path("trawld.conf");
	struct setup *setup = setup_load(path, &findings);
	ck_assert_msg(setup != NULL, "%s", findings.n_items ? findings.items[0].text : "");
	findings_deinit(&findings);
	return trawld_open(&trawld, &(struct trawld_options){.path = path, .once = once}, setup);
}

static inline void daemon_end(void)
{
	trawld_close(trawld);
	trawld = NULL;
}

static inline void daemon_open(const char *text)
{
	daemon_configure(text);
	ck_assert_int_eq(daemon_start(false), 0);
}

static inline void daemon_setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(daemon_directory));
	log_divert(daemon_note);
}

static inline int daemon_remove(const char *path, const struct stat *s, int type, struct FTW *ftw)
{
	(void)s;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void daemon_teardown(void)
{
	if (trawld)
		daemon_end();
	nftw(daemon_directory, daemon_remove, 16, FTW_DEPTH | FTW_PHYS);
	buf_deinit(&daemon_log);
}

static inline bool daemon_logged(const char *text)
{
	return strstr(buf_text(&daemon_log), text) != NULL;
}

/* main() of a program whose tests each have a directory of their own. */
#define DAEMON_MAIN(name, ...)                                                                     \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *const tests[] = {__VA_ARGS__};                                        \
		Suite *suite = suite_create(name);                                                 \
		TCase *tcase = tcase_create(name);                                                 \
		tcase_add_checked_fixture(tcase, daemon_setup, daemon_teardown);                   \
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)                      \
			tcase_add_test(tcase, tests[i]);                                           \
		suite_add_tcase(suite, tcase);                                                     \
		return unit_run(suite);                                                            \
	}

#endif
