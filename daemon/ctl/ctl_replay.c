/*
 * trawlctl replay: has the running trawld send a span of kept records to one sink once more. What
 * there is is counted in the state, beside the daemon, which only reads what it sends. The replay
 * is the daemon's: it continues if this process is killed; an interrupt stops it.
 */
#include "ctl/ctl.h"
#include "ctl/ctl_replay.h"

#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "ctl/ctl_control.h"
#include "store/replays.h"

#define LOOK (200 * NSEC_PER_MSEC)
#define SAY (10 * NSEC_PER_SEC) /* where nobody watches */
#define PATIENCE_S 30

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* --- waiting --- */

static unsigned long long count_of(const json_t *replay, const char *name)
{
	return (unsigned long long)json_integer_value(json_object_get(replay, name));
}

static void print_progress(const char *sink, const json_t *status, const json_t *replay)
{
	const char *error = json_string_value(json_object_get(status, "last_error"));
	const char *state = json_string_value(json_object_get(status, "state"));
	unsigned long long n = count_of(replay, "delivered");
	bool terminal = isatty(STDERR_FILENO) == 1;
	fprintf(stderr, "%ssink %s: %llu of %llu records replayed%s%s%s%s%s", terminal ? "\r" : "",
		sink, n, count_of(replay, "records"), error ? "; the sink fails: " : "",
		error ? error : "",
		!error && state && strcmp(state, "paused") == 0 ? "; the sink is paused" : "",
		terminal ? "\033[K" : "", terminal ? "" : "\n");
	fflush(stderr);
}

static int print_end(const char *sink, const json_t *replay)
{
	const char *state = json_string_value(json_object_get(replay, "state"));
	const char *text = json_string_value(json_object_get(replay, "text"));
	unsigned long long n = count_of(replay, "delivered"),
			   n_rejected = count_of(replay, "rejected");
	unsigned long long n_filtered = count_of(replay, "filtered");
	bool done = state && strcmp(state, "done") == 0;
	if (isatty(STDERR_FILENO) == 1)
		fputs("\r\033[K", stderr);
	printf("sink %s: replay %s: %llu record%s delivered", sink, done ? "done" : "stopped", n,
		str_plural(n));
	if (n_rejected)
		printf(", %llu rejected (see `trawlctl dead-letters list %s`)", n_rejected, sink);
	if (n_filtered)
		printf(", %llu dropped by filter", n_filtered);
	printf("%s%s\n", text && *text ? "; " : "", text ? text : "");
	return done && n_rejected == 0 && !(text && *text) ? 0 : EX_TEMPFAIL;
}

/* The status of SINK and its replay. 0, or the exit code after the reason was printed. */
static int look(const char *path, const char *sink, json_t **ret_answer, json_t **ret_status,
	json_t **ret_replay)
{
	json_t *request = json_pack("{s:s, s:s}", "command", "status", "name", sink);
	int code = ctl_control_ask(path, request, PATIENCE_S, ret_answer);
	json_t *sinks = json_object_get(json_object_get(*ret_answer, "status"), "sinks");
	*ret_status = json_array_get(sinks, 0);
	*ret_replay = json_object_get(*ret_status, "replay");
	if (code || json_is_object(*ret_replay))
		return code;
	fprintf(stderr, "trawlctl: trawld no longer has a replay to sink `%s`\n", sink);
	return EX_TEMPFAIL;
}

static int stop(const char *path, const char *sink)
{
	json_t *answer = NULL;
	json_t *request = json_pack("{s:s, s:s}", "command", "replay-stop", "name", sink);
	if (!request) {
		fputs("trawlctl: the name is not valid UTF-8\n", stderr);
		return EX_USAGE;
	}
	int code = ctl_control_ask(path, request, PATIENCE_S, &answer);
	json_decref(answer);
	return code;
}

int ctl_replay_wait(const char *path, const char *sink)
{
	const struct timespec pause = {.tv_nsec = LOOK};
	nsec_t said_at = clock_monotonic();
	for (bool stopped = false;;) {
		json_t *answer = NULL, *status, *replay;
		if (interrupted && !stopped) {
			stopped = true;
			stop(path, sink);
		}
		int code = look(path, sink, &answer, &status, &replay);
		const char *state = json_string_value(json_object_get(replay, "state"));
		bool over = code || !state || strcmp(state, "running") != 0;
		if (code)
			fprintf(stderr,
				"trawlctl: the replay continues when trawld runs (`trawlctl status %s` shows it)\n",
				sink);
		else if (over)
			code = print_end(sink, replay);
		else if (isatty(STDERR_FILENO) == 1 || clock_monotonic() - said_at >= SAY) {
			said_at = clock_monotonic();
			print_progress(sink, status, replay);
		}
		json_decref(answer);
		if (over)
			return code;
		nanosleep(&pause, NULL);
	}
}

int ctl_replay_begin(const char *path, const struct replay_request *request)
{
	const struct sigaction action = {.sa_handler = on_signal};
	json_t *answer = NULL;
	json_t *question = json_pack("{s:s, s:s, s:s*, s:s*, s:I, s:I, s:I, s:I, s:I, s:s}",
		"command", "replay", "name", request->sink, "source", request->source, "copy",
		request->copy, "from", (json_int_t)request->from_time, "to",
		(json_int_t)request->to_time, "after", (json_int_t)request->after, "until",
		(json_int_t)request->until, "records", (json_int_t)request->n_records, "text",
		request->text);
	if (!question) {
		fputs("trawlctl: the name is not valid UTF-8\n", stderr);
		return EX_USAGE;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	int code = ctl_control_ask(path, question, PATIENCE_S, &answer);
	json_decref(answer);
	if (code)
		return code;
	printf("sink %s: replay begins: %s (an interrupt stops it)\n", request->sink,
		request->text);
	fflush(stdout);
	return 0;
}

/* --- a span --- */

struct span_request {
	const char *sink, *source;
	nsec_t from_time, to_time;
	struct replay_measure measure;
};

static int measure(struct store *store, void *userdata, struct fault *reterr)
{
	struct span_request *span = userdata;
	return replays_measure(store, span->sink, span->source, span->from_time, span->to_time,
		&span->measure, reterr);
}

static void print_time(nsec_t time, struct buf *out)
{
	timestamp_print_rfc3339(time, 3, out);
}

/* What is older than the oldest that is there is not among what is sent. */
static void warn_of_the_past(const struct config *config, const struct span_request *span)
{
	struct buf oldest CLEANUP(buf_deinit) = BUF_NULL;
	if (span->measure.oldest_time == NSEC_NONE || span->measure.oldest_time <= span->from_time)
		return;
	print_time(span->measure.oldest_time, &oldest);
	fprintf(stderr,
		"trawlctl: the oldest record of source %s that is still stored was accepted at %s: earlier ones are not replayed (`trawlctl replay %s --file FILE` takes it from an archive)\n",
		span->source, buf_text(&oldest), span->sink);
	if (config->daemon.keep_ns == 0)
		ctl_tell_kept(config);
}

static int find_span(const struct config *config, struct span_request *span)
{
	int code = ctl_read_state(config, measure, span);
	if (code)
		return code;
	if (span->measure.n_batches > 0) {
		warn_of_the_past(config, span);
		return 0;
	}
	if (!ctl_find_source(config, span->source))
		return ctl_unknown_source(span->source, config, NULL, 0);
	fprintf(stderr,
		"trawlctl: no record of source %s from that time is stored that could be replayed to sink %s\n",
		span->source, span->sink);
	ctl_tell_kept(config);
	return 1;
}

static int replay_span(const struct config *config, const struct ctl_arguments *arguments)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	struct span_request span = {.sink = arguments->name, .source = arguments->source};
	const struct replay_measure *found = &span.measure;
	int code = ctl_read_span(arguments, &span.from_time, &span.to_time);
	if (code == 0)
		code = find_span(config, &span);
	if (code)
		return code;
	buf_printf(&text, "%llu record%s of source %s, accepted from ",
		(unsigned long long)found->n_records, str_plural(found->n_records), span.source);
	print_time(found->first_time, &text);
	buf_append_text(&text, " to ");
	print_time(found->last_time, &text);
	if (arguments->dry_run) {
		printf("sink %s: would be replayed: %s\n", span.sink, buf_text(&text));
		return 0;
	}
	code = ctl_replay_begin(config->daemon.control, &(struct replay_request){
								.sink = span.sink,
								.source = span.source,
								.from_time = span.from_time,
								.to_time = span.to_time,
								.after = found->first - 1,
								.until = found->last,
								.n_records = found->n_records,
								.text = buf_text(&text),
							});
	return code ? code : ctl_replay_wait(config->daemon.control, span.sink);
}

/* --- the command --- */

static int run(const struct config *config, const struct ctl_arguments *arguments)
{
	const char *path = config->daemon.control;
	if (!ctl_find_sink(config, arguments->name))
		return ctl_unknown_sink(arguments->name, config);
	if (strcmp(path, "off") == 0 && !arguments->dry_run) {
		fprintf(stderr,
			"trawlctl: [daemon] control is off in %s: without its control socket, a running trawld cannot be reached\n",
			arguments->path);
		return EX_CONFIG;
	}
	if (arguments->stop) {
		int code = stop(path, arguments->name);
		if (code == 0)
			printf("sink %s: replay stopped\n", arguments->name);
		return code;
	}
	bool span = arguments->from || arguments->to;
	if (arguments->file && !span)
		return ctl_replay_files(config, arguments);
	if (arguments->n_names == 1 && !arguments->file && arguments->source && arguments->from &&
		arguments->to)
		return replay_span(config, arguments);
	fputs("trawlctl: replay: expected --source, --from and --to, or --file, or --stop\n",
		stderr);
	return EX_USAGE;
}

int ctl_replay(const struct ctl_arguments *arguments)
{
	struct config *config = ctl_config(arguments);
	if (!config)
		return EX_CONFIG;
	int code = run(config, arguments);
	config_free(config);
	return code;
}
