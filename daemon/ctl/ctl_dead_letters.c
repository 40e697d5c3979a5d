/* trawlctl dead-letters: the records that the receiver of a sink rejected. A running trawld sends
 * them again or deletes them; without one they are sent after its next start. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "base/user.h"
#include "ctl/ctl_ask.h"
#include "pipeline/deadletter.h"
#include "pipeline/resend.h"
#include "store/commit.h"
#include "store/events.h"
#include "terminal.h"

/* In a cluster each node has dead letters of its own. */
static bool is_shared(const struct config *config)
{
	return config->daemon.state == STATE_POSTGRESQL;
}

/* --- list --- */

static void print_slice(struct slice text)
{
	/* as in JSON: nothing in it can move the cursor of a terminal */
	struct buf out CLEANUP(buf_deinit) = BUF_NULL, shown CLEANUP(buf_deinit) = BUF_NULL;
	json_encode(text, &out);
	terminal_append_json(&shown, (struct slice){out.data + 1, out.size - 2});
	fputs(buf_text(&shown), stdout);
}

static void print_letter(const struct deadletter *letter)
{
	struct buf time CLEANUP(buf_deinit) = BUF_NULL;
	char hex[33];
	timestamp_print_rfc3339(letter->time, 3, &time);
	digest_hex(letter->key.bytes, sizeof(letter->key.bytes), hex);
	printf("%s  source ", buf_text(&time));
	print_slice(letter->source);
	printf("  record ");
	print_slice(letter->id.data ? letter->id : slice_of(hex));
	printf("\n    ");
	print_slice(letter->reason);
	printf("\n    ");
	terminal_write(letter->record);
}

/* What is sent again and acknowledged is no longer one of them. */
static int acknowledged(const char *directory, const char *name, off_t *ret)
{
	struct resend resend CLEANUP(resend_deinit) = RESEND_NULL;
	struct fault fault = FAULT_NULL;
	if (resend_peek(&resend, directory, name, &fault) != 0) {
		fprintf(stderr, "trawlctl: %s\n", fault.text);
		return EX_TEMPFAIL;
	}
	*ret = resend.active ? (off_t)resend.offset : 0;
	return 0;
}

/* 0, or an errno: what was printed is not all. */
static int print_letters(FILE *file, bool json, unsigned long long *ret_n)
{
	struct deadletter_reader *reader CLEANUP(deadletter_reader_free) = deadletter_reader_new();
	char *line CLEANUP_FREE = NULL;
	size_t capacity = 0;
	ssize_t size;
	errno = 0;
	while ((size = getline(&line, &capacity, file)) > 0) {
		struct slice text = str_trim((struct slice){line, (size_t)size});
		struct deadletter letter;
		if (text.size == 0)
			continue;
		++*ret_n;
		if (json)
			terminal_write(text);
		else if (deadletter_read(reader, text, &letter))
			print_letter(&letter);
		else
			puts("(a line that is not a dead letter)");
	}
	return ferror(file) ? (errno ? errno : EIO) : 0;
}

static int list(const struct config *config, const char *name, bool json)
{
	const char *directory = config->daemon.state_directory;
	char *path CLEANUP_FREE = mem_printf("%s/dead-letters/%s.ndjson", directory, name);
	FILE *file = fopen(path, "re");
	int error = errno;
	unsigned long long n = 0;
	off_t offset = 0;
	if (!file && error != ENOENT)
		return ctl_cannot_read(path, error);
	if (file) {
		int code = acknowledged(directory, name, &offset);
		fseeko(file, offset, SEEK_SET);
		error = code ? 0 : print_letters(file, json, &n);
		fclose(file);
		if (code || error)
			return code ? code : ctl_cannot_read(path, error);
	}
	if (!json)
		printf("sink %s: %llu dead letter%s%s\n", name, n, str_plural(n),
			is_shared(config) ? " on this node" : "");
	return 0;
}

/* --- resend, discard --- */

static void print_done(const struct config *config, const char *name, bool resend,
	unsigned long long n, bool running)
{
	if (n == 0)
		printf("sink %s: no dead letters%s\n", name,
			is_shared(config) ? " on nodes that hold a shard" : "");
	else if (resend)
		printf("sink %s: %llu dead letter%s %s sent again%s\n", name, n, str_plural(n),
			n == 1 ? "is" : "are", running ? "" : " after the next start");
	else
		printf("sink %s: %llu dead letter%s discarded\n", name, n, str_plural(n));
}

/* No trawld that was asked has dead letters: then that of this node holds no shard. */
static void tell_left(const struct config *config, const char *name)
{
	const char *directory = config->daemon.state_directory;
	if (deadletter_size(directory, name) > 0)
		fprintf(stderr,
			"trawlctl: the dead letters of this node stay in %s/dead-letters/%s.ndjson, since its trawld holds no shard: run this again when it does\n",
			directory, name);
}

static int ask(const struct config *config, const char *name, bool resend)
{
	json_t *answer = NULL;
	json_t *request = json_pack("{s:s, s:s}", "command",
		resend ? "dead-letters-resend" : "dead-letters-discard", "name", name);
	int code = ctl_ask(config, NULL, request, &answer);
	if (code == 0) {
		unsigned long long n =
			(unsigned long long)json_integer_value(json_object_get(answer, "records"));
		print_done(config, name, resend, n, true);
		if (n == 0 && is_shared(config))
			tell_left(config, name);
	}
	json_decref(answer);
	return code;
}

/* No trawld is there to write it to its log. */
static void audit(const char *name, bool resend, unsigned long long n, const char *who)
{
	openlog("trawlctl", LOG_PID, LOG_DAEMON);
	syslog(LOG_NOTICE, "sink %s: %llu dead letter%s %s by %s", name, n, str_plural(n),
		resend ? "queued to be sent again" : "discarded", who);
	closelog();
}

/* In the state, before it is done: a crash in between must not hide it. */
static int note_event(
	struct store *store, const char *directory, const char *name, bool resend, const char *who)
{
	struct fault fault = FAULT_NULL;
	long long size = (long long)deadletter_size(directory, name);
	char *text CLEANUP_FREE = mem_printf("a file of %lld bytes", size);
	if (size <= 0)
		return 0;
	events_add(store, &(struct event){.kind = resend ? EVENT_RESEND : EVENT_DISCARD,
				  .sink = name,
				  .by = who,
				  .text = text});
	int r = commit_run(store, &fault);
	return r ? ctl_store_failed(r, &fault) : 0;
}

static int change(const struct config *config, const char *name, bool resend)
{
	struct fault fault = FAULT_NULL;
	struct store *store;
	const char *directory = config->daemon.state_directory;
	char *who CLEANUP_FREE = ctl_user();
	uint64_t n = 0;
	int code = ctl_own_state(&store, config);
	if (code)
		return code;
	code = note_event(store, directory, name, resend, who);
	if (code) {
		store_close(store);
		return code;
	}
	/* what root writes here could not be read by the daemon */
	int r = user_become_owner(directory, NULL, &fault);
	if (!r)
		r = resend ? resend_request(directory, name, &n, &fault)
			   : deadletter_discard(directory, name, &n, &fault);
	store_close(store);
	if (r) {
		fprintf(stderr, "trawlctl: %s\n", fault.text);
		return EX_TEMPFAIL;
	}
	if (n > 0)
		audit(name, resend, n, who);
	print_done(config, name, resend, n, false);
	return 0;
}

static int run(const struct config *config, const char *verb, const char *name, bool json)
{
	bool resend = strcmp(verb, "resend") == 0;
	if (strchr(name, '/') ||
		(!ctl_find_sink(config, name) &&
			(resend || deadletter_size(config->daemon.state_directory, name) == 0)))
		return ctl_unknown_sink(name, config);
	if (strcmp(verb, "list") == 0)
		return list(config, name, json);
	if (json || (!resend && strcmp(verb, "discard") != 0)) {
		fprintf(stderr,
			"trawlctl: dead-letters: %s`%s`; expected list, resend or discard\n",
			json ? "--json is for list, not for " : "unknown word ", verb);
		return EX_USAGE;
	}
	return ctl_can_ask(config) ? ask(config, name, resend) : change(config, name, resend);
}

int ctl_dead_letters(const struct ctl_arguments *arguments)
{
	struct config *config = ctl_config(arguments);
	if (!config)
		return EX_CONFIG;
	int code = run(config, arguments->name, arguments->new_name, arguments->json);
	config_free(config);
	return code;
}
