/*
 * See file_writer.h. The order of a part: aim (compare tails, open what is needed, rotate what is
 * full), enter (what grows must be known to the stored position), write, make durable, accept; or
 * count none of it.
 */
#include "sink/file/file_writer.h"

#include "base/mem.h"
#include "sink/file/file_job.h"
#include "sink/file/file_path.h"
#include "sink/file/file_rotation.h"
#include "sink/file/file_tail.h"

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
		log_info(&writer->subject, "%s was moved away; continuing in a new file", path);
		file_writer_drop(writer, target);
		target = NULL;
		r = 0;
	}
	if (!r && !target) {
		r = file_closer_claim(&writer->closer, path, reterr);
		if (!r)
			r = file_target_open(
				&target, path, &writer->modes, &writer->subject, reterr);
		if (!r)
			file_targets_add(&writer->position.targets, target);
	}
	if (!r)
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

	if (r)
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

enum {
	FILE_WRITER_E_PART = 1, /* the part ends before this batch */
};

static void file_writer_touch(
	struct file_target *target, const struct batch *batch, int64_t planned)
{
	target->touched = true;
	target->planned += planned;
	if (target->source && strcmp(target->source, batch->source) == 0)
		return;
	free(target->source);
	free(target->provider);
	target->source = mem_strdup(batch->source);
	target->provider = mem_strdup(batch->provider);
}

/* Aims SIZE bytes of BATCH at the file at PATH. 0, FILE_WRITER_E_PART or FAULT_STORE. */
static int file_writer_aim_path(struct file_writer *writer, const char *path,
	const struct batch *batch, int64_t size, struct file_target **ret, struct fault *reterr)
{
	struct file_target *target = NULL;
	int r = file_writer_target(writer, path, &target, reterr);

	if (!r && file_writer_is_full(writer, target, size)) {
		if (target->planned > 0)
			return FILE_WRITER_E_PART;
		r = file_writer_rotate(writer, target, reterr);
		if (!r)
			r = file_writer_target(writer, path, &target, reterr);
	}
	if (r)
		return r;
	file_writer_touch(target, batch, size);
	*ret = target;
	return 0;
}

/* Did records go to TARGET, when it was written, that go to PATH now? */
static bool file_writer_is_of(const struct file_writer *writer, const struct file_target *target,
	const char *path, nsec_t time)
{
	struct buf current = BUF_NULL;
	bool same;

	if (strcmp(target->path, path) == 0 || !target->source)
		return target->moved || strcmp(target->path, path) == 0;
	file_path_expand(writer->pattern, target->source, target->provider, time, &current);
	same = strcmp(buf_text(&current), path) == 0;
	buf_deinit(&current);
	return same;
}

/* Keeps the tail of target INDEX. FILE_WRITER_E_PART: the job is to be looked at again without the
 * records of the tail. */
static int file_writer_keep(struct file_writer *writer, size_t index, struct fault *reterr)
{
	struct file_target *target = writer->position.targets.items[index];
	int64_t from = target->size, end = from + target->tail;
	bool recognised = target->tail <= FILE_KEPT_MAX &&
			  (writer->by_source || writer->given->format == RECORD_ENVELOPE);
	int r = file_tail_keep(target, recognised, &writer->subject, reterr);

	if (r)
		return r;
	if (recognised)
		file_kept_add(&writer->position.kept, target, from, end, clock_wall());
	if (target->moved)
		file_targets_remove(&writer->position.targets, index);
	writer->stale = writer->stale || recognised;
	return recognised ? FILE_WRITER_E_PART : 0;
}

/* The file whose tail the text of batch INDEX continues, NULL in *RET: none. Tails that it does not
 * continue are kept. 0, FILE_WRITER_E_PART or FAULT_STORE. */
static int file_writer_find_tail(struct file_writer *writer, size_t index, size_t record,
	const char *path, nsec_t time, struct file_target **ret, struct file_tail_match *ret_match,
	struct fault *reterr)
{
	struct file_targets *targets = &writer->position.targets;
	size_t i = 0;

	*ret = NULL;
	while (i < targets->n_items) {
		struct file_target *target = targets->items[i];
		int r;

		if (target->matched == target->tail ||
			!file_writer_is_of(writer, target, path, time)) {
			i++;
			continue;
		}
		r = file_tail_match(
			target, writer->job, index, record, writer->modes.sync, ret_match, reterr);
		if (!r && ret_match->counted > 0) {
			*ret = target;
			return 0;
		}
		if (!r && target->matched > 0)
			return FILE_WRITER_E_PART;
		if (!r)
			r = file_writer_keep(writer, i, reterr);
		if (r)
			return r;
	}
	return 0;
}

/* SIZE is what the batch adds, about. 0, FILE_WRITER_E_PART or FAULT_STORE. */
static int file_writer_aim_batch(struct file_writer *writer, size_t index, int64_t size,
	nsec_t time, struct file_aim *aim, struct fault *reterr)
{
	const struct batch *batch = writer->job->batches[index];
	struct file_tail_match match = {0};
	struct file_target *tail = NULL;
	struct buf path = BUF_NULL;
	bool is_at_path;
	int r;

	file_path_expand(writer->pattern, batch->source, batch->provider, time, &path);
	r = file_writer_find_tail(
		writer, index, aim->record, buf_text(&path), time, &tail, &match, reterr);
	if (!r && tail) {
		is_at_path = !tail->moved && strcmp(tail->path, buf_text(&path)) == 0;
		aim->counted = match.counted;
		aim->tail_end = is_at_path ? match.size : match.line_end;
		size = match.size - aim->tail_end;
	}
	if (!r && size > 0)
		r = file_writer_aim_path(
			writer, buf_text(&path), batch, size, &aim->target, reterr);
	buf_deinit(&path);
	if (r || !tail)
		return r;
	aim->tail = tail;
	tail->matched += match.counted;
	file_writer_touch(tail, batch, aim->tail_end);
	return 0;
}

/* Looks again at files with a tail: how long it is, and whether somebody has moved them since. */
static int file_writer_look(struct file_writer *writer, struct fault *reterr)
{
	struct file_targets *targets = &writer->position.targets;
	size_t i = 0;

	while (i < targets->n_items) {
		struct file_target *target = targets->items[i];
		int r = 0;

		if (file_target_is_open_ended(target))
			r = file_target_check(target, &writer->subject, reterr);
		if (r == FILE_TARGET_E_MOVED && !target->moved) {
			target->moved = true;
			continue;
		}
		if (r == FILE_TARGET_E_MOVED) {
			log_notice(&writer->subject,
				"%s was removed; what was not acknowledged in it is delivered again",
				target->path);
			file_targets_remove(targets, i);
			continue;
		}
		if (r)
			return r;
		i++;
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
	int r = file_writer_look(writer, reterr);

	for (i = 0; i < targets->n_items; i++) {
		targets->items[i]->touched = false;
		targets->items[i]->planned = 0;
	}
	for (i = writer->first; !r && i < job->n_batches; i++) {
		size_t next = record;
		int64_t size = file_job_measure(job, i, &next);

		writer->aims[i] = (struct file_aim){.record = record};
		if (size > 0)
			r = file_writer_aim_batch(writer, i, size, time, &writer->aims[i], reterr);
		if (r == FILE_WRITER_E_PART)
			break;
		record = next;
	}
	if (r && r != FILE_WRITER_E_PART)
		return r;
	*ret_end = i;
	*ret_record = record;
	return 0;
}

/* The stored position must know the size of every file that is about to grow, and its seal takes
 * what it grows by. */
static int file_writer_enter(struct file_writer *writer, struct fault *reterr)
{
	struct file_targets *targets = &writer->position.targets;
	bool known = true;
	int r = 0;

	for (size_t i = 0; i < targets->n_items && !r; i++) {
		known = known && (targets->items[i]->stored || !targets->items[i]->touched);
		if (targets->items[i]->touched)
			r = seals_enter(&writer->position.seals, targets->items[i], reterr);
	}
	if (r)
		return r;
	if (!known && !writer->closer.store(writer->closer.userdata))
		return fault_set(reterr, FAULT_STORE, "the state cannot be written");
	return 0;
}

/* --- writing --- */

/* A batch whose beginning a tail has. */
static int file_writer_write_rest(struct file_writer *writer, size_t index, struct fault *reterr)
{
	const struct file_aim *aim = &writer->aims[index];
	int r;

	file_job_feed(writer->job, index, aim->record, aim->counted, aim->tail);
	r = file_job_write_part(
		writer->job, index, aim->record, aim->counted, aim->tail_end, aim->tail, reterr);

	if (!r && aim->target)
		r = file_job_write_part(writer->job, index, aim->record, aim->tail_end, INT64_MAX,
			aim->target, reterr);
	return r;
}

/* A run of batches from FIRST on that go to one file; those without records go anywhere. */
static int file_writer_write_run(struct file_writer *writer, size_t first, size_t last,
	size_t *ret_end, struct fault *reterr)
{
	const struct file_aim *aims = writer->aims;
	struct file_target *target = aims[first].target;
	size_t end;

	for (end = first + 1; end < last && !aims[end].tail; end++) {
		if (aims[end].target && target && aims[end].target != target)
			break;
		if (!target)
			target = aims[end].target;
	}
	*ret_end = end;
	if (!target)
		return 0;
	return file_job_write(writer->job, first, end, aims[first].record, target, reterr);
}

static int file_writer_write(struct file_writer *writer, size_t last, struct fault *reterr)
{
	size_t end;
	int r = 0;

	for (size_t first = writer->first; first < last && !r; first = end) {
		end = first + 1;
		if (writer->aims[first].tail)
			r = file_writer_write_rest(writer, first, reterr);
		else
			r = file_writer_write_run(writer, first, last, &end, reterr);
	}
	return r;
}

static int file_writer_sync(struct file_writer *writer, struct fault *reterr)
{
	struct file_targets *targets = &writer->position.targets;
	int r = 0;

	for (size_t i = 0; i < targets->n_items && !r; i++) {
		if (targets->items[i]->touched)
			r = file_target_sync(
				targets->items[i], &writer->modes, &writer->subject, reterr);
	}
	return r;
}

/* Chooses what is to be written of the job that was given. */
static void file_writer_filter(struct file_writer *writer)
{
	file_kept_job_free(writer->filtered);
	writer->filtered = file_kept_filter(&writer->position.kept, writer->given,
		writer->by_source, clock_wall(), &writer->subject);
	writer->job = writer->filtered ? writer->filtered : writer->given;
	writer->record = 0;
	for (size_t i = 0; i < writer->first; i++)
		file_job_measure(writer->job, i, &writer->record);
	writer->stale = false;
}

int file_writer_part(struct file_writer *writer, struct fault *reterr)
{
	struct file_targets *targets = &writer->position.targets;
	size_t end, record;
	int r;

	if (writer->stale)
		file_writer_filter(writer);
	end = writer->first;
	record = writer->record;
	r = file_writer_aim(writer, clock_wall(), &end, &record, reterr);
	if (!r && end == writer->first)
		return 0;
	if (!r)
		r = file_writer_enter(writer, reterr);
	if (!r)
		r = file_writer_write(writer, end, reterr);
	if (!r)
		r = file_writer_sync(writer, reterr);
	for (size_t i = 0; i < targets->n_items; i++) {
		if (!r)
			file_target_accept(targets->items[i]);
		else
			file_target_undo(targets->items[i]);
	}
	if (r)
		return r;
	for (size_t i = 0; i < targets->n_items; i++)
		file_tail_settle(targets->items[i], &writer->subject);
	writer->first = end;
	writer->record = record;
	if (writer->job->batches[end - 1]->number > 0)
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

/* Is TARGET only kept for its tail, which counts now? */
static bool file_writer_is_done(const struct file_target *target)
{
	return target->moved && !file_target_is_open_ended(target);
}

void file_writer_tidy(struct file_writer *writer, bool quiet)
{
	struct file_targets *targets = &writer->position.targets;
	nsec_t time = clock_wall();
	size_t i = 0;

	while (i < targets->n_items) {
		const struct file_target *target = targets->items[i];

		if (file_writer_is_done(target))
			file_targets_remove(targets, i);
		else if ((quiet || !target->touched) && !file_target_is_open_ended(target) &&
			 (targets->n_items > FILE_WRITER_MAX_OPEN ||
				 file_writer_is_past(writer, target->path, target->source,
					 target->provider, time)))
			file_writer_close(writer, i);
		else
			i++;
	}
	file_closer_wake(&writer->closer, file_writer_closed_is_past, writer);
}

bool file_writer_has_tail(const struct file_writer *writer)
{
	const struct file_targets *targets = &writer->position.targets;
	bool has = false;

	for (size_t i = 0; i < targets->n_items; i++)
		has = has || (targets->items[i]->tail > 0 &&
				     targets->items[i]->told != FILE_TAIL_REPORTED);
	return has;
}

void file_writer_idle(struct file_writer *writer)
{
	for (size_t i = 0; i < writer->position.targets.n_items; i++)
		file_tail_report(writer->position.targets.items[i], &writer->subject);
}

void file_writer_reopen(struct file_writer *writer)
{
	size_t i = 0;

	while (i < writer->position.targets.n_items) {
		if (file_target_is_open_ended(writer->position.targets.items[i]))
			i++;
		else
			file_writer_close(writer, i);
	}
}

void file_writer_begin(struct file_writer *writer, const struct sink_job *job)
{
	writer->given = job;
	writer->first = 0;
	while (writer->first < job->n_batches &&
		job->batches[writer->first]->number > 0 && /* else: not from the spool */
		job->batches[writer->first]->number <= writer->position.through)
		writer->first++;
	file_writer_filter(writer);
}

void file_writer_end(struct file_writer *writer)
{
	file_kept_job_free(writer->filtered);
	writer->filtered = NULL;
	writer->given = NULL;
	writer->job = NULL;
}

void file_writer_deinit(struct file_writer *writer)
{
	file_writer_end(writer);
	file_position_clear(&writer->position);
	seals_deinit(&writer->position.seals);
	file_closer_deinit(&writer->closer);
}
