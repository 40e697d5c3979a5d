/*
 * Records to a program: a child that runs as long as trawld does, reads batches from its standard
 * input and answers each with one line.
 *
 *   to the child      # ID N        the batch's id and how many records follow
 *                     {...}         the records, one a line
 *                                   an empty line: that was all
 *   from the child    ok [ID]       it has them
 *                     retry TEXT    not now: the same batch again, after a pause
 *                     refuse TEXT   never: dead letters
 *
 * A batch that comes again has the same id and the same bytes, after a crash of either side, too: a
 * child that remembers the last id it has done gets each record once.
 *
 * A child that says anything out of turn is killed, since its next line could acknowledge what it
 * does not have.
 */
#include "sink/sinks.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timer.h"
#include "conf/expand.h"
#include "pipeline/job.h"

#define SINK_EXEC_TURN ((size_t)1 << 20) /* bytes written before the loop has its turn */
#define SINK_EXEC_UNREAD 1 /* bytes: one that counts records may leave the empty line */
#define SINK_EXEC_LINES 60 /* of the child's standard error in the log, a minute */

struct sink_exec_options {
	char *command;
	struct str_list credentials;
	nsec_t timeout_ns;
	uint64_t max_record;
};

struct sink_exec {
	struct sink base;
	char *location;
	struct ev_loop *loop;
	nsec_t timeout_ns;
	struct str_list command;
	struct str_list environment;
	struct child child;
	ev_timer turn; /* begins, and continues after others had their turn */
	ev_timer timer; /* the child has neither read nor answered */
	struct sink_job *job; /* NULL: none */
	struct job_text text;
	struct buf frame; /* first and last line */
	struct slice rest; /* of the piece being written */
	enum { SINK_EXEC_HEAD, SINK_EXEC_BODY, SINK_EXEC_END, SINK_EXEC_WAIT } state;
	nsec_t minute_at; /* of the log lines that are counted */
	unsigned n_lines;
};

static struct log_subject sink_exec_subject(const struct sink_exec *exec)
{
	return (struct log_subject){"sink", exec->base.name, exec->location};
}

/* --- the command line --- */

static void sink_exec_check(
	const void *data, const struct ini_section *section, struct findings *findings)
{
	const struct sink_exec_options *options = data;
	const struct ini_entry *entry = ini_section_find(section, "command");
	struct str_list words = STR_LIST_NULL;

	if (!entry || !options->command)
		return;
	for (size_t i = 0; i < options->credentials.n_items; i++)
		if (strpbrk(options->credentials.items[i], "/="))
			findings_add_at(findings, section, "credentials",
				"credentials: `%s` is not the name of a credential",
				options->credentials.items[i]);
	if (!child_split(options->command, &words))
		findings_add(findings, entry->file, entry->line, "command: a quote does not end");
	else if (words.n_items == 0 || words.items[0][0] != '/')
		findings_add(findings, entry->file, entry->line,
			"command: must begin with the absolute path of a program");
	str_list_deinit(&words);
}

/* --- the answer --- */

static void sink_exec_rest(struct sink_exec *exec)
{
	ev_timer_stop(exec->loop, &exec->turn);
	ev_timer_stop(exec->loop, &exec->timer);
	if (exec->job)
		job_text_deinit(&exec->text);
	exec->job = NULL;
}

static void sink_exec_finish(
	struct sink_exec *exec, enum sink_result result, const struct fault *error)
{
	struct sink_answer answer = {.result = result, .error = error ? *error : FAULT_NULL};

	sink_exec_rest(exec);
	sink_answer(&exec->base, &answer);
}

/* The child cannot be trusted with the next batch. */
static void sink_exec_distrust(struct sink_exec *exec, enum fault_class class, const char *text)
{
	struct log_subject subject = sink_exec_subject(exec);
	struct fault fault = FAULT_NULL;

	child_kill(&exec->child);
	fault_set(&fault, class, "%s; it was killed and is started again", text);
	if (exec->job)
		sink_exec_finish(exec, SINK_RETRY, &fault);
	else
		log_warning(&subject, "%s", fault.text);
}

/* The text after WORD when LINE begins with it; SLICE_NULL: it does not. */
static struct slice sink_exec_after(struct slice line, const char *word)
{
	size_t size = strlen(word);

	if (line.size < size || memcmp(line.data, word, size) != 0 ||
		(line.size > size && line.data[size] != ' '))
		return SLICE_NULL;
	return str_trim((struct slice){line.data + size, line.size - size});
}

static void sink_exec_on_line(struct slice line, bool cut, void *userdata)
{
	struct sink_exec *exec = userdata;
	struct slice ok, retry, refuse;
	struct fault fault = FAULT_NULL;

	(void)cut;
	line = str_trim(line);
	if (!exec->job || exec->state != SINK_EXEC_WAIT ||
		child_unread(&exec->child) > SINK_EXEC_UNREAD) {
		sink_exec_distrust(exec, FAULT_BODY, "the command said something out of turn");
		return;
	}
	ok = sink_exec_after(line, "ok");
	retry = sink_exec_after(line, "retry");
	refuse = sink_exec_after(line, "refuse");
	if (ok.data && (ok.size == 0 || slice_is(ok, job_id(exec->job)))) {
		sink_exec_finish(exec, SINK_DELIVERED, NULL);
	} else if (retry.data) {
		fault_set(&fault, FAULT_THROTTLED, "the command says: later%s%.*s",
			retry.size ? ": " : "", (int)retry.size, retry.data);
		sink_exec_finish(exec, SINK_RETRY, &fault);
	} else if (refuse.data) {
		fault_set(&fault, FAULT_REFUSED, "the command refuses them%s%.*s",
			refuse.size ? ": " : "", (int)refuse.size, refuse.data);
		sink_exec_finish(exec, SINK_REJECTED, &fault);
	} else {
		sink_exec_distrust(exec, FAULT_BODY,
			ok.data ? "the command acknowledges another batch"
				: "the command's answer is none of ok, retry and refuse");
	}
}

static void sink_exec_on_complaint(struct slice line, bool cut, void *userdata)
{
	struct sink_exec *exec = userdata;
	struct log_subject subject = sink_exec_subject(exec);
	nsec_t now_at = clock_monotonic();

	if (exec->minute_at == NSEC_NONE || now_at - exec->minute_at >= NSEC_PER_MIN) {
		if (exec->n_lines > SINK_EXEC_LINES)
			log_notice(&subject, "%u more lines of the command were left out",
				exec->n_lines - SINK_EXEC_LINES);
		exec->minute_at = now_at;
		exec->n_lines = 0;
	}
	if (exec->n_lines++ < SINK_EXEC_LINES && line.size > 0)
		log_notice(&subject, "the command: %.*s%s", (int)line.size, line.data,
			cut ? " ..." : "");
}

static void sink_exec_on_end(const char *text, void *userdata)
{
	struct sink_exec *exec = userdata;
	struct log_subject subject = sink_exec_subject(exec);
	struct fault fault = FAULT_NULL;

	if (exec->child.killed)
		return; /* its end was announced */
	if (exec->job) {
		fault_set(&fault, FAULT_SERVER, "the command %s before it answered", text);
		sink_exec_finish(exec, SINK_RETRY, &fault);
	} else {
		log_notice(
			&subject, "the command %s; it is started again for the next batch", text);
	}
}

static void sink_exec_on_timeout(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop;
	(void)events;
	sink_exec_distrust(watcher->data, FAULT_TIMEOUT,
		"the command has neither read nor answered within timeout");
}

/* --- a batch to the child --- */

/* The child has done something: it has its time anew. */
static void sink_exec_wait(struct sink_exec *exec)
{
	timer_start(exec->loop, &exec->timer, exec->timeout_ns);
}

/* The next piece to be written. False: all is. */
static bool sink_exec_next(struct sink_exec *exec)
{
	switch (exec->state) {
	case SINK_EXEC_HEAD:
		buf_clear(&exec->frame);
		buf_printf(&exec->frame, "# %s %zu\n", job_id(exec->job), exec->job->n_records);
		exec->rest = buf_slice(&exec->frame);
		exec->state = SINK_EXEC_BODY;
		return true;
	case SINK_EXEC_BODY:
		if (job_text_next(&exec->text, exec->job->n_batches, &exec->rest))
			return true;
		exec->rest = SLICE("\n");
		exec->state = SINK_EXEC_END;
		return true;
	case SINK_EXEC_END:
		exec->state = SINK_EXEC_WAIT;
		return false;
	case SINK_EXEC_WAIT:
		return false;
	}
	return false;
}

static void sink_exec_write(struct sink_exec *exec)
{
	size_t written = 0;

	while (exec->rest.size > 0 || sink_exec_next(exec)) {
		ssize_t n;

		if (written >= SINK_EXEC_TURN) {
			timer_start(exec->loop, &exec->turn, 0);
			break;
		}
		n = child_write(&exec->child, exec->rest);
		if (n >= 0) {
			written += (size_t)n;
			exec->rest.data += n;
			exec->rest.size -= (size_t)n;
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			/* it has closed its input: its end, or its silence, says the rest */
			exec->rest = SLICE_NULL;
			break;
		}
	}
	sink_exec_wait(exec);
}

static void sink_exec_on_room(void *userdata)
{
	struct sink_exec *exec = userdata;

	if (exec->job)
		sink_exec_write(exec);
}

static void sink_exec_on_turn(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct sink_exec *exec = watcher->data;
	struct fault fault = FAULT_NULL;

	(void)loop;
	(void)events;
	if (exec->child.pid == 0 &&
		child_start(&exec->child, exec->command.items, &exec->environment, &fault) != 0)
		sink_exec_finish(exec, SINK_RETRY, &fault);
	else
		sink_exec_write(exec);
}

/* --- the contract --- */

/* Where the credentials are that the program may have, under names that a shell can read. */
static void sink_exec_set_environment(
	struct sink_exec *exec, const struct sink_exec_options *options)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char *own CLEANUP_FREE = mem_printf("TRAWLD_SINK=%s", exec->base.name);

	str_list_add(&exec->environment, own);
	for (size_t i = 0; directory && i < options->credentials.n_items; i++) {
		const char *name = options->credentials.items[i];
		char *path CLEANUP_FREE = expand_credential_path(directory, name);
		char *variable CLEANUP_FREE = mem_printf("TRAWLD_CREDENTIAL_%s=%s", name, path);

		for (char *c = variable; *c != '='; c++)
			if (!isalnum((unsigned char)*c))
				*c = '_';
		str_list_add(&exec->environment, variable);
	}
}

static int sink_exec_create(struct sink **ret, const struct sink_setup *setup, struct fault *reterr)
{
	const struct sink_exec_options *options = setup->options;
	struct sink_exec *exec = MEM_NEW(struct sink_exec);

	(void)reterr;
	exec->base.kind = &sink_exec;
	exec->base.name = mem_strdup(setup->name);
	exec->location = mem_strdup(setup->location);
	exec->loop = setup->loop;
	exec->base.max_record = (size_t)options->max_record;
	exec->timeout_ns = options->timeout_ns;
	exec->minute_at = NSEC_NONE;
	child_split(options->command, &exec->command);
	sink_exec_set_environment(exec, options);
	exec->child = (struct child){
		.loop = setup->loop,
		.printed = sink_exec_on_line,
		.complained = sink_exec_on_complaint,
		.room = sink_exec_on_room,
		.ended = sink_exec_on_end,
		.userdata = exec,
	};
	child_init(&exec->child);
	ev_timer_init(&exec->turn, sink_exec_on_turn, 0., 0.);
	exec->turn.data = exec;
	ev_timer_init(&exec->timer, sink_exec_on_timeout, 0., 0.);
	exec->timer.data = exec;
	*ret = &exec->base;
	return 0;
}

static void sink_exec_deliver(struct sink *sink, struct sink_job *job)
{
	struct sink_exec *exec = (struct sink_exec *)sink;

	if (exec->child.killed)
		child_stop(&exec->child, false);
	exec->job = job;
	exec->state = SINK_EXEC_HEAD;
	exec->rest = SLICE_NULL;
	job_text_init(&exec->text, job);
	timer_start(exec->loop, &exec->turn, 0);
}

/* A batch may be half written: the child is of no use any more. */
static void sink_exec_cancel(struct sink *sink)
{
	struct sink_exec *exec = (struct sink_exec *)sink;

	if (exec->job)
		child_kill(&exec->child);
	sink_exec_rest(exec);
}

static void sink_exec_destroy(struct sink *sink)
{
	struct sink_exec *exec = (struct sink_exec *)sink;

	sink_exec_cancel(sink);
	child_stop(&exec->child, !exec->child.killed);
	str_list_deinit(&exec->command);
	buf_deinit(&exec->frame);
	str_list_deinit(&exec->environment);
	free(exec->location);
	free(exec->base.name);
	free(exec);
}

static const struct option sink_exec_rows[] = {
	{
		.name = "command",
		.type = OPTION_STRING,
		.offset = offsetof(struct sink_exec_options, command),
		.flags = OPTION_REQUIRED,
		.help = "absolute path of the program, then its arguments; no shell",
	},
	{
		.name = "credentials",
		.type = OPTION_LIST,
		.offset = offsetof(struct sink_exec_options, credentials),
		.help = "names of the systemd credentials that the program is told of",
	},
	{
		.name = "timeout",
		.type = OPTION_DURATION,
		.offset = offsetof(struct sink_exec_options, timeout_ns),
		.default_text = "60s",
		.min = NSEC_PER_MSEC,
		.max = NSEC_PER_DAY,
		.help = "how long it may neither read nor answer before it is killed",
	},
	{
		.name = "max_record",
		.type = OPTION_SIZE,
		.offset = offsetof(struct sink_exec_options, max_record),
		.max = OPTION_MEMORY_MAX(INT64_MAX),
		.help = "longer records are dead letters; default: no limit",
	},
};

const struct sink_kind sink_exec = {
	.name = "exec",
	.summary = "batches to a program of your own",
	.promise =
		"at least once, acknowledged by the program; a batch that is sent again has the same ID",
	.options = sink_exec_rows,
	.n_options = sizeof(sink_exec_rows) / sizeof(sink_exec_rows[0]),
	.options_size = sizeof(struct sink_exec_options),
	.capabilities = SINK_WHOLE_BATCH | SINK_STABLE_JOB,
	.check = sink_exec_check,
	.create = sink_exec_create,
	.deliver = sink_exec_deliver,
	.cancel = sink_exec_cancel,
	.destroy = sink_exec_destroy,
};
