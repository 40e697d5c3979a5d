/* trawlctl tail: records as the running trawld accepts them. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/number.h"
#include "ctl/ctl.h"
#include "ctl/ctl_control.h"
#include "terminal.h"

struct tail {
	bool json;
	int64_t left; /* records; -1: no limit */
};

static const char *text_of(const json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));
	return text ? text : "-";
}

/* "TIME  SOURCE  RECORD"; the record's own text is what follows "record": in LINE, whose envelope
 * it ends. */
static void print_text(struct slice line, const json_t *envelope)
{
	static const char member[] = ",\"record\":";
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	char *copy CLEANUP_FREE = mem_strndup(line.data, line.size);
	const char *record = strstr(copy, member);
	terminal_append(&out, text_of(envelope, "time"), 0);
	buf_append_text(&out, "  ");
	terminal_append(&out, text_of(envelope, "source"), 0);
	buf_append_text(&out, "  ");
	if (record) {
		copy[line.size - 1] = '\0';
		terminal_append(&out, record + sizeof(member) - 1, 0);
	}
	puts(buf_text(&out));
}

static bool print_record(struct slice line, void *userdata)
{
	struct tail *tail = userdata;
	json_t *envelope = json_loadb(line.data, line.size, 0, NULL);
	const json_t *left_out = json_object_get(envelope, "left_out");
	json_int_t n = json_integer_value(left_out);
	if (left_out)
		fprintf(stderr, "trawlctl: %lld record%s left out: this end is too slow\n",
			(long long)n, n == 1 ? " was" : "s were");
	else if (tail->json)
		terminal_write(line);
	else
		print_text(line, envelope);
	if (!left_out && tail->left > 0)
		tail->left--;
	json_decref(envelope);
	return fflush(stdout) == 0 && tail->left != 0;
}

int ctl_tail(const struct ctl_arguments *arguments)
{
	struct tail tail = {.json = arguments->json, .left = -1};
	const char *limit = arguments->limit;
	if (limit && number_parse(slice_of(limit), 1, INT64_MAX, &tail.left) != 0) {
		fprintf(stderr, "trawlctl: tail: `%s` is not a number of records\n", limit);
		return EX_USAGE;
	}
	char *path CLEANUP_FREE = ctl_control_path(arguments);
	if (!path)
		return EX_CONFIG;
	json_t *request = json_pack("{s:s, s:s*}", "command", "tail", "source", arguments->name);
	return ctl_control_follow(path, request, print_record, &tail);
}
