/*
 * See file_writer.h. The order of a part: aim (open what is needed, rotate what is full), enter
 * (what grows must be known to the stored position), write, make durable, accept; or undo all.
 */
#include "sink/file/file_writer.h"

#include "base/mem.h"
#include "sink/file/file_job.h"
#include "sink/file/file_path.h"
#include "sink/file/file_rotation.h"

/* Files kept open beside those of the job in hand; each costs a descriptor and a line of the
 * position. */
#define FILE_WRITER_MAX_OPEN 64

/* --- aiming: which file each batch goes to --- */

static void file_writer_drop(struct file_writer *writer, const struct file_target *target)
{
	struct file_targets *targets = &writer->position.targets;

	for (size_t i = 0; i < targets->n_items; i++) {
		if (targets->items[i] == target) {
			file_targets_remove(targets, i);
			return;
		}
	}
}

/* The open file at PATH, ready to be written. */
static int file_writer_target(struct file_writer *writer, const char *path,
	struct file_target **ret, struct fault *reterr)
{
	struct file_target *target = file_targets_find(&writer->position.targets, path);
	int r = 0;

	if (target && target->touched) {
		*ret = target;
		return 0;
	}
	if (target)
		r = file_target_check(target, &writer->subject, reterr);
	if (target && r == FILE_TARGET_E_MOVED) {
		log_info(&writer->subject, "%s was moved away; going on in a new file", path);
		file_writer_drop(writer, target);
		target = NULL;
		r = 0;
	}
	if (r == 0 && !target) {
		r = file_closer_claim(&writer->closer, path, reterr);
		if (r == 0)
			r = file_target_open(
				&target, path, &writer->modes, &writer->subject, reterr);
		if (r == 0)
			file_targets_add(&writer->position.targets, target);
	}
	if (r == 0)
		*ret = target;
	return r;
}

/* Ends TARGET, which is full and does not hold anything that is not acknowledged or stored with the
 * next position. It is renamed before its path is opened anew. */
static int file_writer_rotate(
	struct file_writer *writer, struct file_target *target, struct fault *reterr)
{
	struct file_closed *closed;
	char *name;
	int r = file_rotation_name(&name, target->path, reterr);

	if (r != 0)
		return r;
	log_debug(&writer->subject, "%s is full and becomes %s", target->path, name);
	closed = file_closed_new(target);
	closed->to = name;
	file_closer_add(&writer->closer, closed);
	file_writer_drop(writer, target);
	return 0;
}

static bool file_writer_is_full(
	const struct file_writer *writer, const struct file_target *target, int64_t more)
{
	int64_t size = target->size + target->planned;

	return writer->max_size > 0 && size > 0 && size + more > writer->max_size;
}

/* *RET NULL: BATCH cannot be part of what is written now. */
static int file_writer_aim_batch(struct file_writer *writer, const struct batch *batch,
	int64_t size, nsec_t time, struct file_target **ret, struct fault *reterr)
{
	struct buf path = BUF_NULL;
	struct file_target *target = NULL;
	int r;

	file_path_expand(writer->pattern, batch->source, batch->provider, time, &path);
	r = file_writer_target(writer, buf_text(&path), &target, reterr);
	if (r == 0 && file_writer_is_full(writer, target, size)) {
		if (target->planned == 0) {
			r = file_writer_rotate(writer, target, reterr);
			if (r == 0)
				r = file_writer_target(writer, buf_text(&path), &target, reterr);
		} else {
			target = NULL;
		}
	}
	buf_deinit(&path);
	if (r != 0)
		return r;
	*ret = target;
	if (!target)
		return 0;
	target->touched = true;
	target->planned += size;
	if (!target->source || strcmp(target->source, batch->source) != 0) {
		free(target->source);
		free(target->provider);
		target->source = mem_strdup(batch->source);
		target->provider = mem_strdup(batch->provider);
	}
	return 0;
}

/* Aims the batches from writer->first on, up to the first that needs a rotation of a file that
 * others before it are aimed at. */
static int file_writer_aim(struct file_writer *writer, nsec_t time, size_t *ret_end,
	size_t *ret_record, struct fault *reterr)
{
	const struct sink_job *job = writer->job;
	struct file_targets *targets = &writer->position.targets;
	size_t record = writer->record;
	size_t i;

	for (i = 0; i < targets->n_items; i++) {
		targets->items[i]->touched = false;
		targets->items[i]->planned = 0;
	}
	for (i = writer->first; i < job->n_batches; i++) {
		size_t next = record;
		int64_t size = file_job_measure(job, i, &next);
		int r;

		writer->aims[i] = NULL;
		if (size == 0)
			continue;
		r = file_writer_aim_batch(
			writer, job->batches[i], size, time, &writer->aims[i], reterr);
		if (r != 0)
			return r;
		if (!writer->aims[i])
			break;
		record = next;
	}
	*ret_end = i;
	*ret_record = record;
	return 0;
}

/* The stored position must know the size of every file that is about to grow. */
static int file_writer_enter(struct file_writer *writer, struct fault *reterr)
{
	struct file_targets *targets = &writer->position.targets;
	bool known = true;

	for (size_t i = 0; i < targets->n_items; i++)
		known = known && (targets->items[i]->stored || !targets->items[i]->touched);
	if (!known && !writer->closer.store(writer->closer.userdata))
		return fault_set(reterr, FAULT_STORE, "the state cannot be written");
	return 0;
}

/* --- writing --- */

static int file_writer_write(struct file_writer *writer, size_t last, struct fault *reterr)
{
	const struct sink_job *job = writer->job;
	struct job_text text;
	size_t end;
	int r = 0;

	job_text_init(&text, job);
	text.batch = writer->first;
	text.record = writer->record;
	for (size_t first = writer->first; first < last && r == 0; first = end) {
		struct file_target *target = writer->aims[first];

		/* a run of batches that go to one file; those without records go anywhere */
		for (end = first + 1; end < last; end++) {
			if (writer->aims[end] && target && writer->aims[end] != target)
				break;
			if (!target)
				target = writer->aims[end];
		}
		if (!target)
			break;
		r = file_job_write(job, &text, first, end, target, reterr);
	}
	job_text_deinit(&text);
	return r;
}

static int file_writer_sync(struct file_writer *writer, struct fault *reterr)
{
	struct file_targets *targets = &writer->position.targets;
	int r = 0;

	for (size_t i = 0; i < targets->n_items && r == 0; i++) {
		if (targets->items[i]->touched)
			r = file_target_sync(
				targets->items[i], &writer->modes, &writer->subject, reterr);
	}
	return r;
}

int file_writer_part(struct file_writer *writer, struct fault *reterr)
{
	struct file_targets *targets = &writer->position.targets;
	size_t end = writer->first, record = writer->record;
	int r = file_writer_aim(writer, clock_wall(), &end, &record, reterr);

	if (r == 0)
		r = file_writer_enter(writer, reterr);
	if (r == 0)
		r = file_writer_write(writer, end, reterr);
	if (r == 0)
		r = file_writer_sync(writer, reterr);
	for (size_t i = 0; i < targets->n_items; i++) {
		if (r == 0)
			file_target_accept(targets->items[i]);
		else
			file_target_undo(targets->items[i]);
	}
	if (r != 0)
		return r;
	writer->first = end;
	writer->record = record;
	writer->position.through = writer->job->batches[end - 1]->number;
	return 0;
}

/* --- after a job --- */

static bool file_writer_is_past(const struct file_writer *writer, const char *path,
	const char *source, const char *provider, nsec_t time)
{
	struct buf current = BUF_NULL;
	bool past;

	if (!writer->timed || !source)
		return false;
	file_path_expand(writer->pattern, source, provider, time, &current);
	past = strcmp(buf_text(&current), path) != 0;
	buf_deinit(&current);
	return past;
}

static bool file_writer_closed_is_past(const struct file_closed *closed, void *userdata)
{
	return file_writer_is_past(
		userdata, closed->path, closed->source, closed->provider, clock_wall());
}

/* Closes a file in which all is acknowledged, so that the position need not name it; only if it is
 * to be compressed at the end of its period it is still listed. */
static void file_writer_close(struct file_writer *writer, size_t index)
{
	struct file_target *target = writer->position.targets.items[index];

	if (writer->timed && writer->closer.compression != COMPRESSION_NONE && target->source) {
		struct file_closed *closed = file_closed_new(target);

		closed->source = mem_strdup(target->source);
		closed->provider = mem_strdup(target->provider);
		file_closer_add(&writer->closer, closed);
	}
	file_targets_remove(&writer->position.targets, index);
}

void file_writer_tidy(struct file_writer *writer, bool quiet)
{
	struct file_targets *targets = &writer->position.targets;
	nsec_t time = clock_wall();
	size_t i = 0;

	while (i < targets->n_items) {
		const struct file_target *target = targets->items[i];

		if ((quiet || !target->touched) && !target->torn &&
			(targets->n_items > FILE_WRITER_MAX_OPEN ||
				file_writer_is_past(writer, target->path, target->source,
					target->provider, time)))
			file_writer_close(writer, i);
		else
			i++;
	}
	file_closer_wake(&writer->closer, file_writer_closed_is_past, writer);
}

void file_writer_reopen(struct file_writer *writer)
{
	size_t i = 0;

	while (i < writer->position.targets.n_items) {
		if (writer->position.targets.items[i]->torn)
			i++;
		else
			file_writer_close(writer, i);
	}
}

void file_writer_begin(struct file_writer *writer, const struct sink_job *job)
{
	writer->job = job;
	writer->record = 0;
	for (writer->first = 0; writer->first < job->n_batches; writer->first++) {
		if (job->batches[writer->first]->number > writer->position.through)
			break;
		file_job_measure(job, writer->first, &writer->record);
	}
}

void file_writer_deinit(struct file_writer *writer)
{
	file_closer_deinit(&writer->closer);
	file_targets_clear(&writer->position.targets);
}
