/*
 * Records into files, each exactly once across kill -9 and power loss. No byte that is in a file is
 * ever cut.
 *
 * A job is written whole, made durable (one fdatasync a file), and answered with the sizes of the
 * files; the sizes are stored in the transaction that acknowledges the job. After a crash what is
 * not acknowledged is delivered again; what each file has after its stored size is compared with it
 * and counts as written as far as it is equal (file_tail.h).
 *
 * So a job may only write after a size that is stored: a file that is new, was opened anew, or was
 * changed by someone else is entered in the stored position first. That costs one more commit, once
 * a file and period.
 *
 * A rename (logrotate without a signal) is noticed before the next job; a new period of the path's
 * strftime conversions is a new file. Writing blocks the loop for as long as the disk takes: a job
 * is bounded, and what cannot be written cannot be acknowledged anyway.
 *
 * max_size can end a file in the middle of a job, between two batches. The job is then written in
 * parts, each made durable for itself, and the stored position says through which batch the files
 * hold it: a job that comes again after a crash goes on behind that batch. A file that ends is
 * first listed in the stored position as closed, under the name that it is to get, then renamed,
 * then (file_closer.c) compressed; a new one takes its place and is entered as any new file is.
 */
#include "sink/sinks.h"

#include <ev.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/timer.h"
#include "net/url.h"
#include "sink/file/file_path.h"
#include "sink/file/file_writer.h"
#include "sink/file/seal_stamps.h"

#define SINK_FILE_SIZE_MIN (64 << 10)
#define SINK_FILE_LOOK 60. /* seconds between two looks for periods that are over */
#define SINK_FILE_SEAL_RETRIES 3 /* at the end, a second apart */

struct sink_file_options {
	char *path;
	int64_t mode;
	int64_t directory_mode;
	bool fsync;
	uint64_t max_size; /* 0: no bound */
	int64_t keep; /* 0: all */
	int compress; /* enum compression */
	nsec_t seal_ns; /* 0: no seals */
	struct secret seal_key;
	char *seal_to;
	char *timestamp_url;
};

struct sink_file {
	struct sink base;
	struct ev_loop *loop;
	char *location;
	char *pattern; /* the path, with node and shard put in */
	struct file_writer writer;
	ev_timer look; /* periods end also while nothing comes */
	ev_timer turn; /* the next part of the job */
	ev_timer seal; /* what was written since the last time is sealed */
	bool seal_due; /* it was time while a job was in hand */
	ev_timer seal_retry; /* at the end: the last seals could not be written */
	int n_seal_retries;
	char *seal_source; /* the name that seals have as records; NULL: they are not sent */
	struct seal_stamps *stamps; /* NULL: no timestamp_url */
};

static void sink_file_check_key(const struct ini_section *section, const char *key,
	const char *text, struct findings *findings)
{
	const struct ini_entry *entry = ini_section_find(section, key);

	if (entry)
		findings_add(findings, entry->file, entry->line, "%s: %s", key, text);
}

static void sink_file_check_key_text(const struct sink_file_options *options,
	const struct ini_section *section, struct findings *findings)
{
	const struct secret *text = &options->seal_key;
	struct ed25519 *key = NULL;
	char *origin = NULL;

	if (options->seal_ns > 0 && !text->text)
		sink_file_check_key(section, "seal",
			"needs seal_key, an Ed25519 private key in PEM form (`openssl genpkey -algorithm ed25519` makes one)",
			findings);
	if (options->seal_ns == 0 && text->text)
		sink_file_check_key(section, "seal_key",
			"has no effect without seal, which says how often a seal is made",
			findings);
	if (options->seal_ns == 0 && options->seal_to)
		sink_file_check_key(section, "seal_to",
			"has no effect without seal, which says how often a seal is made",
			findings);
	if (options->seal_ns == 0 && options->timestamp_url)
		sink_file_check_key(section, "timestamp_url",
			"has no effect without seal, which says how often a seal is made",
			findings);
	if (options->timestamp_url && url_origin(options->timestamp_url, &origin) != 0)
		sink_file_check_key(section, "timestamp_url",
			"expected the http:// or https:// URL of a time-stamping authority, without user and password",
			findings);
	free(origin);
	if (text->text && ed25519_private(&key, (struct slice){text->text, text->size}) != 0)
		sink_file_check_key(section, "seal_key",
			"expected an unencrypted Ed25519 private key in PEM form (`openssl genpkey -algorithm ed25519` makes one)",
			findings);
	ed25519_free(key);
}

static void sink_file_check(
	const void *data, const struct ini_section *section, struct findings *findings)
{
	const struct sink_file_options *options = data;
	const struct ini_entry *entry = ini_section_find(section, "path");
	struct fault fault;

	sink_file_check_key_text(options, section, findings);
	if (!entry || !options->path)
		return;
	if (options->path[0] != '/') {
		findings_add(findings, entry->file, entry->line,
			"path: expected an absolute path, which begins with /");
		return;
	}
	if (file_path_check(options->path, &fault) != 0) {
		findings_add(findings, entry->file, entry->line, "%s", fault.text);
		return;
	}
	if (options->keep > 0 && options->max_size == 0)
		sink_file_check_key(section, "keep",
			"counts the files that max_size has rotated, and max_size is not set",
			findings);
	if (options->compress != COMPRESSION_NONE && options->max_size == 0 &&
		!file_path_is_timed(options->path))
		sink_file_check_key(section, "compress",
			"no file is ever closed here: set max_size, or a path that changes with time",
			findings);
}

/* Makes the position as it is now durable. */
static bool sink_file_store(void *userdata)
{
	struct sink_file *file = userdata;
	struct file_targets *targets = &file->writer.position.targets;
	struct buf text = BUF_NULL;
	bool stored;

	file_position_print(&file->writer.position, &text);
	stored = sink_store_position(&file->base, buf_text(&text));
	buf_deinit(&text);
	if (!stored)
		return false;
	for (size_t i = 0; i < targets->n_items; i++)
		targets->items[i]->stored = true;
	file->writer.closer.stored = true;
	return true;
}

static void sink_file_on_look(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct sink_file *file = watcher->data;

	(void)loop;
	(void)events;
	if (!file->writer.job)
		file_writer_tidy(&file->writer, true);
}

/* --- a job --- */

static void sink_file_arm(struct sink_file *file)
{
	if (ev_is_active(&file->turn))
		return;
	timer_start(file->loop, &file->turn, 0);
}

/* --- seals --- */

static void sink_file_seal(struct sink_file *file)
{
	struct seals *seals = &file->writer.position.seals;

	file->seal_due = false;
	seals_make(seals, clock_wall());
	if (!seals->failing) {
		file->n_seal_retries = 0;
	} else if (file->base.hurried && file->n_seal_retries < SINK_FILE_SEAL_RETRIES) {
		file->n_seal_retries++;
		timer_start(file->loop, &file->seal_retry, NSEC_PER_SEC);
	}
	seal_stamps_look(file->stamps);
}

static void sink_file_on_seal(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct sink_file *file = watcher->data;

	(void)loop;
	(void)events;
	if (file->writer.job)
		file->seal_due = true;
	else
		sink_file_seal(file);
}

static void sink_file_on_seal_retry(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct sink_file *file = watcher->data;

	ev_timer_stop(loop, watcher);
	sink_file_on_seal(loop, watcher, events);
	sink_progress(&file->base);
}

/* In one transaction with the position that has the seal. */
static void sink_file_publish(const char *line, const struct seal_chain *chain, void *userdata)
{
	struct sink_file *file = userdata;
	char *id = mem_printf("%s:%lld", chain->id, (long long)chain->number);

	sink_publish(&file->base, file->seal_source, (struct slice){line, strlen(line) - 1}, id);
	free(id);
}

static void sink_file_attest(const char *source, struct buf *out, void *userdata)
{
	struct sink_file *file = userdata;

	sink_attest(&file->base, source, out);
}

/* --- the end of a job --- */

/* A closed file that is done may have armed the turn in the moment of the last part. */
static void sink_file_rest(struct sink_file *file)
{
	ev_timer_stop(file->loop, &file->turn);
	file_writer_end(&file->writer);
}

static void sink_file_answer(struct sink_file *file)
{
	bool from_spool = file->writer.given->batches[0]->number > 0;
	struct sink_answer answer = {.result = SINK_DELIVERED};
	struct buf text = BUF_NULL;

	sink_file_rest(file);
	/* dead letters that are sent again are not told apart in the position before the answer */
	if (file->seal_due && from_spool)
		sink_file_seal(file);
	file_writer_tidy(&file->writer, false);
	file_position_print(&file->writer.position, &text);
	answer.position = buf_take(&text);
	sink_answer(&file->base, &answer);
}

/* One part of the job; others have their turn before the next. */
static void sink_file_step(struct sink_file *file)
{
	struct file_writer *writer = &file->writer;
	struct sink_answer answer = {.result = SINK_RETRY};

	if (writer->first == writer->job->n_batches) {
		sink_file_answer(file); /* the files have all of it already */
		return;
	}
	if (file_closer_full(&writer->closer))
		return; /* until a file is compressed */
	if (file_writer_part(writer, &answer.error) != 0) {
		sink_file_rest(file);
		sink_answer(&file->base, &answer);
	} else if (writer->first == writer->job->n_batches) {
		sink_file_answer(file);
	} else {
		sink_file_arm(file);
	}
}

static void sink_file_on_turn(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)events;
	ev_timer_stop(loop, watcher);
	sink_file_step(watcher->data);
}

/* A closed file is done. */
static void sink_file_progress(void *userdata)
{
	struct sink_file *file = userdata;

	if (file->writer.job)
		sink_file_arm(file);
	sink_progress(&file->base);
}

static void sink_file_deliver(struct sink *sink, struct sink_job *job)
{
	struct sink_file *file = (struct sink_file *)sink;

	file_writer_begin(&file->writer, job);
	sink_file_arm(file);
}

/* --- the rest of the contract --- */

static void sink_file_init(struct sink_file *file, const struct sink_file_options *options)
{
	struct file_writer *writer = &file->writer;

	writer->subject = (struct log_subject){"sink", file->base.name, file->location};
	writer->pattern = file->pattern;
	writer->timed = file_path_is_timed(file->pattern);
	writer->by_source = file_path_has(file->pattern, "source");
	writer->modes = (struct file_modes){
		.file = (mode_t)options->mode,
		.directory = (mode_t)options->directory_mode,
		.sync = options->fsync,
	};
	writer->max_size = (int64_t)options->max_size;
	writer->closer = (struct file_closer){
		.loop = file->loop,
		.subject = writer->subject,
		.compression = (enum compression)options->compress,
		.keep = options->keep,
		.store = sink_file_store,
		.progress = sink_file_progress,
		.userdata = file,
	};
	file_closer_init(&writer->closer);
	writer->position.closer = &writer->closer;
}

static int sink_file_init_seals(
	struct sink_file *file, const struct sink_file_options *options, struct fault *reterr)
{
	struct seals *seals = &file->writer.position.seals;
	const struct secret *key = &options->seal_key;

	ev_timer_init(&file->seal, sink_file_on_seal, (double)options->seal_ns / NSEC_PER_SEC,
		(double)options->seal_ns / NSEC_PER_SEC);
	file->seal.data = file;
	ev_timer_init(&file->seal_retry, sink_file_on_seal_retry, 0., 0.);
	file->seal_retry.data = file;
	if (options->seal_ns == 0)
		return 0;
	if (!key->text || ed25519_private(&seals->key, (struct slice){key->text, key->size}) != 0)
		return fault_set(reterr, FAULT_CONFIG, "seal_key is not an Ed25519 private key");
	seals->subject = file->writer.subject;
	seals->pattern = file->pattern;
	seals->modes = file->writer.modes;
	seals->interval_ns = options->seal_ns;
	seals->store = sink_file_store;
	seals->attest = sink_file_attest;
	seals->userdata = file;
	if (options->seal_to) {
		file->seal_source = mem_printf("%s" SINK_SEALS_SUFFIX, file->base.name);
		seals->publish = sink_file_publish;
	}
	ev_timer_start(file->loop, &file->seal);
	return 0;
}

static void sink_file_init_stamps(struct sink_file *file, const struct sink_setup *setup)
{
	const struct sink_file_options *options = setup->options;

	if (!options->timestamp_url || options->seal_ns == 0 || !setup->client)
		return;
	file->stamps = seal_stamps_new(&(struct seal_stamps_setup){
		.loop = file->loop,
		.client = setup->client,
		.seals = &file->writer.position.seals,
		.url = options->timestamp_url,
		.progress = sink_file_progress,
		.userdata = file,
	});
}

static void sink_file_destroy(struct sink *sink);

static int sink_file_create(struct sink **ret, const struct sink_setup *setup, struct fault *reterr)
{
	const struct sink_file_options *options = setup->options;
	struct sink_file *file;
	int r = file_path_check(options->path, reterr);

	if (r != 0)
		return r;
	file = MEM_NEW(struct sink_file);
	file->base.kind = &sink_file;
	file->base.name = mem_strdup(setup->name);
	file->location = mem_strdup(setup->location);
	file->loop = setup->loop;
	file->pattern = file_path_place(options->path, setup->node, setup->shard);
	sink_file_init(file, options);
	ev_timer_init(&file->turn, sink_file_on_turn, 0., 0.);
	file->turn.data = file;
	ev_timer_init(&file->look, sink_file_on_look, SINK_FILE_LOOK, SINK_FILE_LOOK);
	file->look.data = file;
	if (file->writer.timed && (options->compress != COMPRESSION_NONE || options->seal_ns > 0))
		ev_timer_start(file->loop, &file->look);
	*ret = &file->base;
	r = sink_file_init_seals(file, options, reterr);
	if (r == 0)
		sink_file_init_stamps(file, setup);
	else
		sink_file_destroy(&file->base);
	return r;
}

static int sink_file_recover(struct sink *sink, const char *position, struct fault *reterr)
{
	struct sink_file *file = (struct sink_file *)sink;

	return file_position_recover(
		position, &file->writer.position, &file->writer.subject, reterr);
}

static void sink_file_cancel(struct sink *sink)
{
	sink_file_rest((struct sink_file *)sink);
}

static void sink_file_idle(struct sink *sink)
{
	struct sink_file *file = (struct sink_file *)sink;

	file_writer_idle(&file->writer);
	if (sink->hurried && !ev_is_active(&file->seal_retry))
		sink_file_seal(file);
}

static void sink_file_reopen(struct sink *sink)
{
	file_writer_reopen(&((struct sink_file *)sink)->writer);
}

static bool sink_file_busy(const struct sink *sink)
{
	const struct sink_file *file = (const struct sink_file *)sink;
	const struct seals *seals = &file->writer.position.seals;

	return file_closer_busy(&file->writer.closer) ||
	       (sink->hurried && seal_stamps_busy(file->stamps)) ||
	       (sink->hurried && seals_wait(seals) &&
		       (!seals->failing || ev_is_active(&file->seal_retry)));
}

static const struct fault *sink_file_undone(const struct sink *sink)
{
	const struct seals *seals = &((const struct sink_file *)sink)->writer.position.seals;

	return seals->failing && seals_wait(seals) ? &seals->fault : NULL;
}

static void sink_file_destroy(struct sink *sink)
{
	struct sink_file *file = (struct sink_file *)sink;

	sink_file_cancel(sink);
	ev_timer_stop(file->loop, &file->look);
	ev_timer_stop(file->loop, &file->seal);
	ev_timer_stop(file->loop, &file->seal_retry);
	seal_stamps_free(file->stamps);
	file_writer_deinit(&file->writer);
	free(file->seal_source);
	free(file->location);
	free(file->pattern);
	free(file->base.name);
	free(file);
}

#define FILE_OPTION(member) offsetof(struct sink_file_options, member)

static const struct option sink_file_rows[] = {
	{
		.name = "path",
		.type = OPTION_STRING,
		.offset = FILE_OPTION(path),
		.flags = OPTION_REQUIRED,
		.help = "the file; %{source}, %{provider}, in a cluster %{node} and %{shard}, and strftime conversions (UTC) allowed",
	},
	{
		.name = "mode",
		.type = OPTION_MODE,
		.offset = FILE_OPTION(mode),
		.default_text = "0640",
		.help = "of files that are made, whatever the umask",
	},
	{
		.name = "directory_mode",
		.type = OPTION_MODE,
		.offset = FILE_OPTION(directory_mode),
		.default_text = "0750",
		.help = "of directories that are made, whatever the umask",
	},
	{
		.name = "fsync",
		.type = OPTION_BOOL,
		.offset = FILE_OPTION(fsync),
		.default_text = "yes",
		.help = "no: exactly once across kill -9, but not across power loss",
	},
	{
		.name = "max_size",
		.type = OPTION_SIZE,
		.offset = FILE_OPTION(max_size),
		.min = SINK_FILE_SIZE_MIN,
		.max = INT64_MAX / 4,
		.help = "a file that would become longer is renamed to PATH.000001 and so on",
	},
	{
		.name = "keep",
		.type = OPTION_COUNT,
		.offset = FILE_OPTION(keep),
		.min = 1,
		.max = 1000000,
		.help = "of the files that max_size has rotated; default: all",
	},
	{
		.name = "compress",
		.type = OPTION_CHOICE,
		.offset = FILE_OPTION(compress),
		.default_text = "none",
		.choices = compression_names,
		.help = "of closed files: none, gzip or zstd",
	},
	{
		.name = "seal",
		.type = OPTION_DURATION,
		.offset = FILE_OPTION(seal_ns),
		.min = NSEC_PER_SEC,
		.max = NSEC_PER_DAY,
		.help = "how often what was written is sealed in PATH.seals; default: never",
	},
	{
		.name = "seal_key",
		.type = OPTION_SECRET,
		.offset = FILE_OPTION(seal_key),
		.help = "the Ed25519 private key, in PEM form, that seals are signed with",
	},
	{
		.name = "seal_to",
		.type = OPTION_STRING,
		.offset = FILE_OPTION(seal_to),
		.help = "another sink that gets each seal as a record",
	},
	{
		.name = "timestamp_url",
		.type = OPTION_STRING,
		.offset = FILE_OPTION(timestamp_url),
		.help = "an RFC 3161 time-stamping authority; its tokens go to PATH.tsr",
	},
};

static const char *sink_file_target(const void *data)
{
	const struct sink_file_options *options = data;
	return options->path;
}

const struct sink_kind sink_file = {
	.name = "file",
	.summary = "JSON lines in files, rotated and compressed if wanted",
	.promise = "exactly once, across kill -9 and power loss",
	.options = sink_file_rows,
	.n_options = sizeof(sink_file_rows) / sizeof(sink_file_rows[0]),
	.options_size = sizeof(struct sink_file_options),
	.capabilities = SINK_EXACTLY_ONCE | SINK_REOPEN | SINK_WHOLE_BATCH,
	.check = sink_file_check,
	.target = sink_file_target,
	.create = sink_file_create,
	.recover = sink_file_recover,
	.deliver = sink_file_deliver,
	.idle = sink_file_idle,
	.cancel = sink_file_cancel,
	.reopen = sink_file_reopen,
	.busy = sink_file_busy,
	.undone = sink_file_undone,
	.destroy = sink_file_destroy,
};
