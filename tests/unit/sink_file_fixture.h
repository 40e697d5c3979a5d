/*
 * What the tests of the file sink share: a sink "out" on real files in a directory of its own, fed
 * by the sources "a" and "b", and a clock to turn.
 */
#ifndef TRAWLD_TESTS_SINK_FILE_FIXTURE_H
#define TRAWLD_TESTS_SINK_FILE_FIXTURE_H

#include <signal.h>

#include "pipeline_fixture.h"
#include "sink/sinks.h"

/* As sink_file.c reads them: parsed from text, so that the rows are tested, too. */
static union {
	char bytes[256];
	void *align;
} options;
static struct option_table options_table;
static char *directory; /* where the files go */

static nsec_t now_time;

static inline nsec_t fake_wall(void)
{
	return now_time;
}

static inline void options_set(const char *path, const char *more)
{
	struct findings findings = FINDINGS_NULL;
	struct ini ini = INI_NULL;
	char *text = mem_printf("[sink out]\npath = %s/%s\n%s", directory, path, more);
	struct ini_section *section;

	options_deinit(&options_table);
	memset(&options, 0, sizeof(options));
	ck_assert_uint_le(sink_file.options_size, sizeof(options));
	ck_assert_int_eq(ini_read_text(&ini, "t.conf", text, strlen(text), &findings), 0);
	section = ini_find(&ini, "sink", "out");
	options_parse(&options_table, 1, section, &findings);
	sink_file.check(&options, section, &findings);
	ck_assert_msg(findings.n_items == 0, "%s", findings.n_items ? findings.items[0].text : "");
	findings_deinit(&findings);
	ini_deinit(&ini);
	free(text);
}

static inline void setup(void)
{
	options_table = (struct option_table){sink_file.options, sink_file.n_options, &options};
	pipeline_setup();
	directory = fixture_path("out");
	signal(SIGXFSZ, SIG_IGN);
}

static inline void teardown(void)
{
	clock_set_source(NULL, NULL);
	pipeline_teardown();
	options_deinit(&options_table);
	free(directory);
}

static inline void start_with(const struct sink_common_options *common)
{
	struct sink_setup sink_setup = {.name = "out", .loop = loop, .options = &options};
	struct fault fault = FAULT_NULL;

	ck_assert_msg(fanout_add_sink(fanout, &sink_file, &sink_setup, common, &fault) == 0, "%s",
		fault.text);
	pipeline_route("a", "out");
	pipeline_route("b", "out");
	fanout_start(fanout);
	ck_assert(committer_flush(committer));
}

static inline void start(void)
{
	start_with(&common_raw);
}

static inline void restart(void)
{
	pipeline_close();
	pipeline_open();
	start();
}

static inline void deliver(const char *source, int from, int to, size_t n)
{
	pipeline_pages(source, from, to, n);
	pipeline_settle();
}

static inline char *path_of(const char *name)
{
	return mem_printf("%s/%s", directory, name);
}

static inline void write_text(const char *name, const char *mode, const char *text)
{
	char *path = path_of(name);
	FILE *file;

	mkdir(directory, 0700);
	file = fopen(path, mode);
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	free(path);
}

static inline off_t size_of(const char *name)
{
	char *path = path_of(name);
	struct stat status;

	ck_assert_int_eq(stat(path, &status), 0);
	free(path);
	return status.st_size;
}

static inline char *text_of(const char *name)
{
	char *path = path_of(name);
	char *text = pipeline_read(path, NULL);

	free(path);
	return text;
}

static inline void ck_file_text(const char *name, const char *wanted)
{
	char *text = text_of(name);

	ck_assert_msg(strcmp(text, wanted) == 0, "%s holds\n%s, not\n%s", name, text, wanted);
	free(text);
}

/* NAME holds PREFIX and then the records of pages FROM to TO - 1. */
static inline void ck_file(const char *name, const char *prefix, int from, int to, size_t n)
{
	struct buf wanted = BUF_NULL;

	buf_append_text(&wanted, prefix);
	pipeline_expect(&wanted, from, to, n);
	ck_file_text(name, buf_text(&wanted));
	buf_deinit(&wanted);
}

static inline void rename_file(const char *from, const char *to)
{
	char *a = path_of(from), *b = path_of(to);

	ck_assert_int_eq(rename(a, b), 0);
	free(a);
	free(b);
}

static inline void truncate_file(const char *name, off_t size)
{
	char *path = path_of(name);

	ck_assert_int_eq(truncate(path, size), 0);
	free(path);
}

static inline bool file_exists(const char *name)
{
	char *path = path_of(name);
	bool exists = access(path, F_OK) == 0;

	free(path);
	return exists;
}

#endif
