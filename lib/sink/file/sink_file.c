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
 * strftime conversions is a new file. All that touches files is a task of the sink's thread
 * (file_worker.h): a disk that is slow or hangs delays nobody else.
 *
 * max_size can end a file in the middle of a job, between two batches. The job is then written in
 * parts, each made durable for itself, and the stored position says through which batch the files
 * hold it: a job that comes again after a crash continues after that batch. A file that ends is
 * first listed in the stored position as closed, under the name that it is to get, then renamed,
 * then (file_closer.c) compressed; a new one takes its place and is entered as any new file is.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"
#include "base/timer.h"
#include "sink/file/file_path.h"
#include "sink/file/sink_file_internal.h"
#include "sink/sinks.h"

#define SINK_FILE_LOOK_SECONDS 60. /* seconds between two looks for periods that are over */
#define SINK_FILE_STALL (10 * NSEC_PER_SEC) /* a system call that takes longer is told of */

bool sink_file_store(void *userdata)
{
	struct sink_file *file = userdata;
	struct file_targets *targets = &file->writer.position.targets;
	struct buf text = BUF_NULL;
	bool stored;

	if (file->ends)
		return false;
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

/* --- tasks --- */

static void sink_file_arm(struct sink_file *file)
{
	if (!ev_is_active(&file->turn) && !file->task)
		timer_start(file->loop, &file->turn, 0);
}

void sink_file_due(struct sink_file *file, unsigned task)
{
	file->due |= task;
	sink_file_arm(file);
}

static void sink_file_on_look(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop;
	(void)events;
	sink_file_due(watcher->data, SINK_FILE_LOOK);
}

static void sink_file_close_due(void *userdata)
{
	sink_file_due(userdata, SINK_FILE_CLOSE);
}

/* --- a job --- */

static void sink_file_finish(struct sink_file *file)
{
	bool from_spool = file->writer.given->batches[0]->number > 0;
	struct buf text = BUF_NULL;

	file_writer_end(&file->writer);
	/* dead letters that are sent again are not told apart in the position before the answer */
	if (file->seal_due && from_spool)
		sink_file_seal(file);
	file_writer_tidy(&file->writer, false);
	file_position_print(&file->writer.position, &text);
	file->answer = (struct sink_answer){.result = SINK_DELIVERED, .position = buf_take(&text)};
	file->answered = true;
}

/* One part of the job. */
static void sink_file_part(struct sink_file *file)
{
	struct file_writer *writer = &file->writer;

	if (!writer->given)
		file_writer_begin(writer, file->job);
	if (writer->first == writer->job->n_batches) {
		sink_file_finish(file); /* the files have all of it already */
	} else if (file_closer_full(&writer->closer)) {
		return; /* until a file is compressed */
	} else if (file_writer_part(writer, &file->answer.error) != 0) {
		file_writer_end(writer);
		file->answer.result = SINK_RETRY;
		file->answered = true;
	} else if (writer->first == writer->job->n_batches) {
		sink_file_finish(file);
	} else {
		file->due |= SINK_FILE_PART;
	}
}

/* A closed file is done. */
static void sink_file_progress(void *userdata)
{
	struct sink_file *file = userdata;

	if (file->job)
		file->due |= SINK_FILE_PART;
	if (!file->ends)
		sink_progress(&file->base);
}

/* --- the thread --- */

static void sink_file_run(void *userdata)
{
	struct sink_file *file = userdata;
	struct file_writer *writer = &file->writer;

	switch (file->task) {
	case SINK_FILE_RECOVER:
		file->recover_fault = FAULT_NULL;
		file_position_recover(file->stored_position, &writer->position, &writer->subject,
			&file->recover_fault);
		break;
	case SINK_FILE_REOPEN:
		file_writer_reopen(writer);
		break;
	case SINK_FILE_PART:
		sink_file_part(file);
		break;
	case SINK_FILE_CLOSE:
		file_closer_step(&writer->closer);
		break;
	case SINK_FILE_IDLE:
		file_writer_idle(writer);
		if (file->base.hurried && !ev_is_active(&file->seal_retry))
			sink_file_seal(file);
		break;
	case SINK_FILE_SEAL:
		sink_file_seal(file);
		break;
	case SINK_FILE_LOOK:
		file_writer_tidy(writer, true);
		break;
	case SINK_FILE_STAMP:
		seal_stamps_step(file->stamps);
		break;
	}
}

/* The pipeline is told last: it may free the sink's job. */
static void sink_file_tell(struct sink_file *file, unsigned task)
{
	struct sink_answer answer = file->answer;

	if (task == SINK_FILE_RECOVER) {
		sink_recovered(&file->base,
			file->recover_fault.class != FAULT_NONE ? &file->recover_fault : NULL);
	} else if (file->answered) {
		file->answered = false;
		file->answer = (struct sink_answer){0};
		file->job = NULL;
		sink_answer(&file->base, &answer);
	} else if (task != SINK_FILE_PART) {
		sink_progress(&file->base);
	}
}

/* What the task made of a job that was taken from it does not count. */
static void sink_file_forget(struct sink_file *file)
{
	file_writer_end(&file->writer);
	sink_answer_deinit(&file->answer);
	file->answer = (struct sink_answer){0};
	file->answered = false;
	job_free(file->dropped);
	file->dropped = NULL;
	file->due &= ~(unsigned)(file->job ? 0 : SINK_FILE_PART);
}

static void sink_file_done(void *userdata)
{
	struct sink_file *file = userdata;
	unsigned task = file->task;

	file->task = 0;
	ev_timer_stop(file->loop, &file->stall);
	if (file->stalled)
		sink_stalled(&file->base, NULL, 0);
	file->stalled = false;
	if (file->dropped)
		sink_file_forget(file);
	if (file->due)
		sink_file_arm(file);
	sink_file_tell(file, task);
}

static void sink_file_on_stall(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct sink_file *file = watcher->data;
	struct fault fault = FAULT_NULL;
	const char *call = NULL;
	nsec_t since_at = file_worker_waits_since(file->worker, &call);
	nsec_t left_ns =
		since_at != NSEC_NONE ? since_at + SINK_FILE_STALL - thread_now() : SINK_FILE_STALL;

	(void)events;
	if (left_ns > 0) {
		timer_start(loop, watcher, left_ns);
		return;
	}
	file->stalled = true;
	fault_set(&fault, FAULT_STORE,
		"%s of %s has not returned for %d s: its disk or file server hangs", call,
		file->pattern, (int)(SINK_FILE_STALL / NSEC_PER_SEC));
	sink_stalled(&file->base, &fault, SINK_FILE_STALL - left_ns);
}

/* Each kind has its turn. */
static unsigned sink_file_next(const struct sink_file *file)
{
	unsigned later = file->due & ~((file->last_task << 1) - 1);
	unsigned from = later ? later : file->due;

	return from & (~from + 1);
}

static void sink_file_on_turn(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct sink_file *file = watcher->data;

	(void)events;
	ev_timer_stop(loop, watcher);
	if (file->job && file->due & SINK_FILE_SEAL)
		file->seal_due = true;
	if (file->job)
		file->due &= ~(unsigned)SINK_FILE_BETWEEN;
	if (file->task || !file->due)
		return;
	file->task = file->last_task = sink_file_next(file);
	file->due &= ~file->task;
	if (file_worker_run(file->worker, sink_file_run))
		sink_file_done(file);
	else
		timer_start(loop, &file->stall, SINK_FILE_STALL);
}

static void sink_file_deliver(struct sink *sink, struct sink_job *job)
{
	struct sink_file *file = (struct sink_file *)sink;

	file->job = job;
	sink_file_due(file, SINK_FILE_PART);
}

/* --- the rest of the contract --- */

static void sink_file_init(struct sink_file *file, const struct file_options *options)
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
		.due = sink_file_close_due,
		.store = sink_file_store,
		.progress = sink_file_progress,
		.userdata = file,
	};
	file_closer_init(&writer->closer);
	writer->position.closer = &writer->closer;
}

static void sink_file_init_timers(struct sink_file *file)
{
	ev_timer_init(&file->turn, sink_file_on_turn, 0., 0.);
	file->turn.data = file;
	ev_timer_init(&file->stall, sink_file_on_stall, 0., 0.);
	file->stall.data = file;
	ev_timer_init(
		&file->look, sink_file_on_look, SINK_FILE_LOOK_SECONDS, SINK_FILE_LOOK_SECONDS);
	file->look.data = file;
}

static void sink_file_destroy(struct sink *sink);
static void sink_file_release(void *userdata);

static int sink_file_create(struct sink **ret, const struct sink_setup *setup, struct fault *reterr)
{
	const struct file_options *options = setup->options;
	struct sink_file *file;
	int r = file_path_check(options->path, reterr);

	if (r)
		return r;
	file = MEM_NEW(struct sink_file);
	file->base.kind = &sink_file;
	file->base.name = mem_strdup(setup->name);
	file->location = mem_strdup(setup->location);
	file->loop = setup->loop;
	file->pattern = file_path_place(options->path, setup->node, setup->shard);
	sink_file_init(file, options);
	sink_file_init_timers(file);
	file->worker = file_worker_new(
		&(struct file_worker_setup){file->loop, sink_file_done, sink_file_release, file});
	if (file->writer.timed && (options->compress != COMPRESSION_NONE || options->seal_ns > 0))
		ev_timer_start(file->loop, &file->look);
	*ret = &file->base;
	r = sink_file_init_seals(file, setup, reterr);
	if (r)
		sink_file_destroy(&file->base);
	return r;
}

static int sink_file_recover(struct sink *sink, const char *position, struct fault *reterr)
{
	struct sink_file *file = (struct sink_file *)sink;

	(void)reterr;
	free(file->stored_position);
	file->stored_position = mem_strdup(position);
	sink_file_due(file, SINK_FILE_RECOVER);
	return 0;
}

static void sink_file_cancel(struct sink *sink)
{
	struct sink_file *file = (struct sink_file *)sink;

	if (!file->job)
		return;
	file->due &= ~(unsigned)SINK_FILE_PART;
	if (!file->task)
		file_writer_end(&file->writer);
	else if (!file->dropped && (file->task == SINK_FILE_PART || file->writer.given))
		file->dropped = sink_take_job(sink);
	file->job = NULL;
}

static void sink_file_idle(struct sink *sink)
{
	struct sink_file *file = (struct sink_file *)sink;

	if (file->task || (sink->hurried && file->writer.position.seals.pattern) ||
		file_writer_has_tail(&file->writer))
		sink_file_due(file, SINK_FILE_IDLE);
}

static void sink_file_reopen(struct sink *sink)
{
	sink_file_due((struct sink_file *)sink, SINK_FILE_REOPEN);
}

static bool sink_file_busy(const struct sink *sink)
{
	const struct sink_file *file = (const struct sink_file *)sink;
	const struct seals *seals = &file->writer.position.seals;

	return file->due || file->task || file_closer_busy(&file->writer.closer) ||
	       (sink->hurried && seal_stamps_busy(file->stamps)) ||
	       (sink->hurried && seals_wait(seals) &&
		       (!seals->failing || ev_is_active(&file->seal_retry)));
}

static const struct fault *sink_file_undone(const struct sink *sink)
{
	const struct seals *seals = &((const struct sink_file *)sink)->writer.position.seals;

	return seals->failing && seals_wait(seals) ? &seals->fault : NULL;
}

/* Also on the thread, if it came back too late: what it shares with the loop's stays. */
static void sink_file_release(void *userdata)
{
	struct sink_file *file = userdata;

	if (file->task) {
		file->writer.filtered = NULL;
		file->dropped = NULL;
	}
	seal_stamps_free(file->stamps);
	file_writer_deinit(&file->writer);
	job_free(file->dropped);
	sink_answer_deinit(&file->answer);
	free(file->stored_position);
	free(file->seal_source);
	free(file->location);
	free(file->pattern);
	free(file->base.name);
	free(file);
}

static void sink_file_stop(struct sink_file *file)
{
	ev_timer_stop(file->loop, &file->turn);
	ev_timer_stop(file->loop, &file->stall);
	ev_timer_stop(file->loop, &file->look);
	ev_timer_stop(file->loop, &file->seal);
	ev_timer_stop(file->loop, &file->seal_retry);
	ev_timer_stop(file->loop, &file->writer.closer.timer);
	seal_stamps_stop(file->stamps);
}

static void sink_file_destroy(struct sink *sink)
{
	struct sink_file *file = (struct sink_file *)sink;

	sink_file_cancel(sink);
	sink_file_stop(file);
	file->ends = true;
	if (!file_worker_free(file->worker))
		return; /* file is the thread's now */
	sink_file_stop(file); /* a task that came to its end may have started them */
	file->task = 0;
	sink_file_release(file);
}

static const char *sink_file_target(const void *data)
{
	const struct file_options *options = data;
	return options->path;
}

const struct sink_kind sink_file = {
	.name = "file",
	.summary = "JSON lines in files, rotated and compressed if wanted",
	.promise = "exactly once, across kill -9 and power loss",
	.options = file_option_rows,
	.n_options = N_FILE_OPTION_ROWS,
	.options_size = sizeof(struct file_options),
	.capabilities = SINK_EXACTLY_ONCE | SINK_REOPEN | SINK_WHOLE_BATCH | SINK_RECOVERS_LATER,
	.check = file_options_check,
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
