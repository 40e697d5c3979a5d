/* See report.h: dead letters, and what seals prove of the archives that were named. */
#include "ctl/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/json_value.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/verification.h"
#include "pipeline/deadletter.h"

#define REASONS_MAX 20 /* that are told apart */
#define REASON_SIZE 200

/* --- dead letters --- */

/* One letter more with this REASON; those of the 21st reason on are together. */
static void count_reason(json_t *reasons, struct slice text)
{
	char *copy CLEANUP_FREE =
		mem_strndup(text.data, text.size < REASON_SIZE ? text.size : REASON_SIZE);
	json_t *reason = json_value_text(copy);
	const char *key = json_string_value(reason);
	if (!json_object_get(reasons, key) && json_object_size(reasons) >= REASONS_MAX)
		key = "other reasons";
	json_int_t n = json_integer_value(json_object_get(reasons, key));
	json_object_set_new(reasons, key, json_integer(n + 1));
	json_decref(reason);
}

/* NULL: they cannot all be read (errno). */
static json_t *count_letters(const struct report *report, FILE *file)
{
	struct deadletter_reader *reader CLEANUP(deadletter_reader_free) = deadletter_reader_new();
	json_t *reasons = json_object();
	char *line CLEANUP_FREE = NULL;
	size_t capacity = 0;
	ssize_t size;
	json_int_t n = 0;
	errno = 0;
	while ((size = getline(&line, &capacity, file)) > 0) {
		struct slice text = str_trim((struct slice){line, (size_t)size});
		struct deadletter letter;
		char *source CLEANUP_FREE = NULL;
		if (text.size == 0)
			continue;
		if (!deadletter_read(reader, text, &letter)) { /* it may be of any time */
			n++;
			count_reason(reasons, SLICE("(a line that is not a dead letter)"));
			continue;
		}
		source = mem_strndup(letter.source.data, letter.source.size);
		if (letter.time < report->from_time || letter.time >= report->to_time ||
			!report_wants(report, source))
			continue;
		n++;
		count_reason(reasons, letter.reason);
	}
	if (ferror(file)) {
		json_decref(reasons);
		return NULL;
	}
	return json_pack("{s:I, s:o}", "records", n, "reasons", reasons);
}

/* Of the sink NAME, or of a source as DEADLETTER_SOURCE names it. */
static int read_letters(struct report *report, json_t *one, const char *key, const char *name)
{
	char *path CLEANUP_FREE = mem_printf(
		"%s/dead-letters/%s.ndjson", report->config->daemon.state_directory, name);
	FILE *file = fopen(path, "re");
	bool none = !file && (errno == ENOENT || errno == ENOTDIR);
	json_t *letters = none   ? json_pack("{s:i, s:{}}", "records", 0, "reasons")
			  : file ? count_letters(report, file)
				 : NULL;
	int error = letters ? 0 : errno ? errno : EIO;
	if (file)
		fclose(file);
	if (error)
		return ctl_cannot_read(path, error);
	json_object_set_new(one, key, letters);
	return 0;
}

struct left {
	struct report *report;
	int code;
};

static void read_left(const char *name, const char *path, void *userdata)
{
	struct left *left = userdata;
	(void)path;
	if (left->code || str_starts(name, DEADLETTER_SOURCE_PREFIX) ||
		ctl_find_sink(left->report->config, name))
		return;
	json_t *one = report_add_sink(left->report, name, NULL);
	left->code = read_letters(left->report, one, "dead_letters", name);
}

/* What sinks that are no longer configured have left. */
static int read_all_left(struct report *report)
{
	const char *directory = report->config->daemon.state_directory;
	struct left left = {.report = report};
	int r = deadletter_each(directory, read_left, &left);
	if (!r || left.code)
		return left.code;
	char *folder CLEANUP_FREE = mem_printf("%s/dead-letters", directory);
	return ctl_cannot_read(folder, -r);
}

int report_dead_letters(struct report *report)
{
	json_t *one;
	size_t i;
	int code = 0;
	json_array_foreach(json_object_get(report->model, "sinks"), i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name"));
		code = code ? code : read_letters(report, one, "dead_letters", name);
	}
	json_array_foreach(json_object_get(report->model, "sources"), i, one)
	{
		char *name CLEANUP_FREE = mem_printf(
			DEADLETTER_SOURCE, json_string_value(json_object_get(one, "name")));
		code = code ? code : read_letters(report, one, "quarantined", name);
	}
	return code ? code : read_all_left(report);
}

/* --- archives --- */

int report_archives(struct report *report, const struct ctl_arguments *arguments)
{
	struct verification_request request = {
		.names = arguments->names,
		.n_names = arguments->n_names,
		.key = arguments->seal_key,
		.anchor = arguments->anchor,
		.tsa_ca = arguments->tsa_ca,
	};
	struct verification verification CLEANUP(verification_deinit) = {0};
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	if (request.n_names == 0)
		return 0;
	int code = verification_run(&verification, &request, NULL);
	if (code)
		return code;
	verification_print_json(&verification, &text);
	if (json_object_set_new(
		    report->model, "archives", json_loadb(text.data, text.size, 0, NULL)) == 0)
		return 0;
	fputs("trawlctl: report: the result of the archives cannot be shown as JSON\n", stderr);
	return EX_SOFTWARE;
}
