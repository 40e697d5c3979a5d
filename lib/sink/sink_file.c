/*
 * Records into files, each exactly once across kill -9 and power loss.
 *
 * A job is written whole, made durable (one fdatasync a file), and answered with the sizes of the
 * files; the sizes are stored in the transaction that acknowledges the job. After a crash each file
 * is cut back to its stored size and what is not acknowledged is delivered again.
 *
 * So a job may only write behind a size that is stored: a file that is new, was opened anew, or was
 * changed by someone else is entered in the stored position first. That costs one more commit, once
 * a file and period.
 *
 * A rename (logrotate without a signal) is noticed before the next job; a new period of the path's
 * strftime conversions is a new file. Writing blocks the loop for as long as the disk takes: a job
 * is bounded, and what cannot be written cannot be acknowledged anyway.
 */
#include "sink/sinks.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "pipeline/job.h"
#include "sink/file_path.h"
#include "sink/file_position.h"

/* Files kept open beside those of the job in hand; each costs a descriptor and a line of the
 * position. */
#define SINK_FILE_MAX_OPEN 64

struct sink_file_options {
	char *path;
	int64_t mode;
	int64_t directory_mode;
	bool fsync;
};

struct sink_file {
	struct sink base;
	const struct sink_file_options *options;
	struct file_modes modes;
	char *place;
	bool timed; /* the path changes with time */
	struct file_targets targets;
	struct file_target *aims[JOB_MAX_BATCHES]; /* where each batch of the job goes */
};

static struct log_subject sink_file_subject(const struct sink_file *file)
{
	return (struct log_subject){"sink", file->base.name, file->place};
}

static void sink_file_check(
	const void *data, const struct ini_section *section, struct findings *findings)
{
	const struct sink_file_options *options = data;
	const struct ini_entry *entry = ini_section_find(section, "path");
	struct fault fault;

	if (entry && options->path && file_path_check(options->path, &fault) != 0)
		findings_add(findings, entry->file, entry->line, "%s", fault.text);
}

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
	file->options = options;
	file->modes = (struct file_modes){
		.file = (mode_t)options->mode,
		.directory = (mode_t)options->directory_mode,
		.sync = options->fsync,
	};
	file->place = mem_strdup(setup->place);
	file->timed = file_path_is_timed(options->path);
	*ret = &file->base;
	return 0;
}

static int sink_file_recover(struct sink *sink, const char *position, struct fault *reterr)
{
	struct sink_file *file = (struct sink_file *)sink;
	struct log_subject subject = sink_file_subject(file);

	return file_position_recover(position, &file->targets, &subject, reterr);
}

/* --- aiming: which file each batch goes to --- */

static void sink_file_drop(struct sink_file *file, const struct file_target *target)
{
	for (size_t i = 0; i < file->targets.n_items; i++) {
		if (file->targets.items[i] == target) {
			file_targets_remove(&file->targets, i);
			return;
		}
	}
}

/* The open file at PATH, ready to be written. */
static int sink_file_target(
	struct sink_file *file, const char *path, struct file_target **ret, struct fault *reterr)
{
	struct log_subject subject = sink_file_subject(file);
	struct file_target *target = file_targets_find(&file->targets, path);
	int r = 0;

	if (target && target->touched) {
		*ret = target;
		return 0;
	}
	if (target)
		r = file_target_check(target, &subject, reterr);
	if (target && r == FILE_TARGET_E_MOVED) {
		log_info(&subject, "%s was moved away; going on in a new file", path);
		sink_file_drop(file, target);
		target = NULL;
		r = 0;
	}
	if (r == 0 && !target) {
		r = file_target_open(&target, path, &file->modes, &subject, reterr);
		if (r == 0)
			file_targets_add(&file->targets, target);
	}
	if (r != 0)
		return r;
	target->touched = true;
	*ret = target;
	return 0;
}

static int sink_file_aim_batch(struct sink_file *file, const struct batch *batch, nsec_t time,
	struct file_target **ret, struct fault *reterr)
{
	struct buf path = BUF_NULL;
	struct file_target *target;
	int r;

	file_path_expand(file->options->path, batch->source, batch->provider, time, &path);
	r = sink_file_target(file, buf_text(&path), &target, reterr);
	buf_deinit(&path);
	if (r != 0)
		return r;
	if (!target->source || strcmp(target->source, batch->source) != 0) {
		free(target->source);
		free(target->provider);
		target->source = mem_strdup(batch->source);
		target->provider = mem_strdup(batch->provider);
	}
	*ret = target;
	return 0;
}

static int sink_file_aim(
	struct sink_file *file, const struct sink_job *job, nsec_t time, struct fault *reterr)
{
	size_t record = 0;

	for (size_t i = 0; i < file->targets.n_items; i++)
		file->targets.items[i]->touched = false;
	for (size_t i = 0; i < job->n_batches; i++) {
		const struct batch *batch = job->batches[i];
		bool empty = batch->n_records == 0;
		int r;

		if (job->records) {
			empty = record == job->n_records || job->records[record].batch != batch;
			while (record < job->n_records && job->records[record].batch == batch)
				record++;
		}
		file->aims[i] = NULL;
		if (empty)
			continue;
		r = sink_file_aim_batch(file, batch, time, &file->aims[i], reterr);
		if (r != 0)
			return r;
	}
	return 0;
}

/* The stored position must know the size of every file that is about to grow. */
static int sink_file_enter(struct sink_file *file, struct fault *reterr)
{
	struct buf position = BUF_NULL;
	bool known = true;

	for (size_t i = 0; i < file->targets.n_items; i++)
		known = known &&
			(file->targets.items[i]->stored || !file->targets.items[i]->touched);
	if (known)
		return 0;
	file_position_print(&file->targets, &position);
	known = sink_store_position(&file->base, buf_text(&position));
	buf_deinit(&position);
	if (!known)
		return fault_set(reterr, FAULT_STORE, "the state cannot be written");
	for (size_t i = 0; i < file->targets.n_items; i++)
		file->targets.items[i]->stored = true;
	return 0;
}

/* --- writing --- */

/* The whole bodies of batches FIRST to END, without a copy. */
static int sink_file_write_bodies(struct file_target *target, const struct sink_job *job,
	size_t first, size_t end, struct fault *reterr)
{
	struct iovec iov[JOB_MAX_BATCHES];
	size_t n = 0;

	for (size_t i = first; i < end; i++) {
		struct slice body = buf_slice(&job->batches[i]->body);

		if (body.size > 0)
			iov[n++] = (struct iovec){(void *)body.data, body.size};
	}
	return file_target_append(target, iov, n, reterr);
}

static int sink_file_write_text(
	struct file_target *target, struct job_text *text, size_t end, struct fault *reterr)
{
	struct slice piece;
	int r = 0;

	while (r == 0 && job_text_next(text, end, &piece)) {
		struct iovec iov = {(void *)piece.data, piece.size};

		r = file_target_append(target, &iov, 1, reterr);
	}
	return r;
}

static int sink_file_write(struct sink_file *file, const struct sink_job *job, struct fault *reterr)
{
	bool bodies = job->whole && job->format == RECORD_RAW;
	struct job_text text;
	size_t end;
	int r = 0;

	job_text_init(&text, job);
	for (size_t first = 0; first < job->n_batches && r == 0; first = end) {
		struct file_target *target = file->aims[first];

		/* a run of batches that go to one file; those without records go anywhere */
		for (end = first + 1; end < job->n_batches; end++) {
			if (file->aims[end] && target && file->aims[end] != target)
				break;
			if (!target)
				target = file->aims[end];
		}
		if (!target)
			break;
		if (bodies)
			r = sink_file_write_bodies(target, job, first, end, reterr);
		else
			r = sink_file_write_text(target, &text, end, reterr);
	}
	job_text_deinit(&text);
	return r;
}

static int sink_file_sync(struct sink_file *file, struct fault *reterr)
{
	struct log_subject subject = sink_file_subject(file);
	int r = 0;

	for (size_t i = 0; i < file->targets.n_items && r == 0; i++) {
		if (file->targets.items[i]->touched)
			r = file_target_sync(
				file->targets.items[i], &file->modes, &subject, reterr);
	}
	return r;
}

/* --- after a job --- */

static bool sink_file_is_past(
	const struct sink_file *file, const struct file_target *target, nsec_t time)
{
	struct buf path = BUF_NULL;
	bool past;

	if (!file->timed || !target->source)
		return false;
	file_path_expand(file->options->path, target->source, target->provider, time, &path);
	past = strcmp(buf_text(&path), target->path) != 0;
	buf_deinit(&path);
	return past;
}

/* Closes files of past periods, and any that the job did not touch when too many are open. What is
 * in them is acknowledged, so the position need not name them. */
static void sink_file_tidy(struct sink_file *file, nsec_t time)
{
	size_t i = 0;

	while (i < file->targets.n_items) {
		const struct file_target *target = file->targets.items[i];

		if (!target->touched && (file->targets.n_items > SINK_FILE_MAX_OPEN ||
						sink_file_is_past(file, target, time)))
			file_targets_remove(&file->targets, i);
		else
			i++;
	}
}

static void sink_file_deliver(struct sink *sink, struct sink_job *job)
{
	struct sink_file *file = (struct sink_file *)sink;
	nsec_t time = clock_wall();
	struct buf position = BUF_NULL;
	struct fault fault = FAULT_NULL;
	int r = sink_file_aim(file, job, time, &fault);

	if (r == 0)
		r = sink_file_enter(file, &fault);
	if (r == 0)
		r = sink_file_write(file, job, &fault);
	if (r == 0)
		r = sink_file_sync(file, &fault);
	if (r != 0) {
		for (size_t i = 0; i < file->targets.n_items; i++)
			file_target_undo(file->targets.items[i]);
		sink_finish(sink, SINK_RETRY, NULL, &fault);
		return;
	}
	for (size_t i = 0; i < file->targets.n_items; i++)
		file_target_accept(file->targets.items[i]);
	sink_file_tidy(file, time);
	file_position_print(&file->targets, &position);
	sink_finish(sink, SINK_DELIVERED, buf_text(&position), NULL);
	buf_deinit(&position);
}

/* Jobs are answered inside deliver: there is never one to forget. */
static void sink_file_cancel(struct sink *sink)
{
	(void)sink;
}

/* A file that still has to be cut is closed once that is done. */
static void sink_file_reopen(struct sink *sink)
{
	struct sink_file *file = (struct sink_file *)sink;
	size_t i = 0;

	while (i < file->targets.n_items) {
		if (file->targets.items[i]->torn)
			i++;
		else
			file_targets_remove(&file->targets, i);
	}
}

static void sink_file_destroy(struct sink *sink)
{
	struct sink_file *file = (struct sink_file *)sink;

	file_targets_clear(&file->targets);
	free(file->place);
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
		.help = "the file; %{source}, %{provider} and strftime conversions (UTC) allowed",
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
};

const struct sink_kind sink_file = {
	.name = "file",
	.summary = "JSON lines in files",
	.promise = "exactly once, across kill -9 and power loss",
	.options = sink_file_rows,
	.n_options = sizeof(sink_file_rows) / sizeof(sink_file_rows[0]),
	.options_size = sizeof(struct sink_file_options),
	.capabilities = SINK_EXACTLY_ONCE | SINK_REOPEN | SINK_WHOLE_BATCH,
	.check = sink_file_check,
	.create = sink_file_create,
	.recover = sink_file_recover,
	.deliver = sink_file_deliver,
	.cancel = sink_file_cancel,
	.reopen = sink_file_reopen,
	.destroy = sink_file_destroy,
};
