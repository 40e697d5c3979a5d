/* See file_closer.h. */
#include "sink/file/file_closer.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/timer.h"
#include "sink/file/file_rotation.h"

#define FILE_CLOSER_PAUSE NSEC_PER_MIN /* after a failure */
#define FILE_CLOSER_NAMES 5 /* tried when others take them */

static void file_closer_abort(struct file_closer *closer)
{
	file_compress_free(closer->work);
	closer->work = NULL;
	closer->work_of = NULL;
}

static size_t file_closer_find(const struct file_closer *closer, const struct file_closed *closed)
{
	size_t i = 0;

	while (i < closer->n_items && closer->items[i] != closed)
		i++;
	return i;
}

/* In order: the oldest is compressed first. */
static void file_closer_drop(struct file_closer *closer, struct file_closed *closed)
{
	size_t i = file_closer_find(closer, closed);

	if (closer->work_of == closed)
		file_closer_abort(closer);
	file_closed_free(closed);
	closer->n_items--;
	memmove(closer->items + i, closer->items + i + 1,
		(closer->n_items - i) * sizeof(*closer->items));
}

/* The first item that has something to do. */
static struct file_closed *file_closer_next(const struct file_closer *closer)
{
	for (size_t i = 0; i < closer->n_items; i++) {
		if (!closer->items[i]->source)
			return closer->items[i];
	}
	return NULL;
}

static size_t file_closer_count(const struct file_closer *closer, bool resting)
{
	size_t n = 0;

	for (size_t i = 0; i < closer->n_items; i++)
		n += (closer->items[i]->source != NULL) == resting;
	return n;
}

/* --- the last name --- */

static bool file_closer_spares(const char *name, void *userdata)
{
	const struct file_closer *closer = userdata;

	for (size_t i = 0; i < closer->n_items; i++) {
		if (strcmp(closer->items[i]->path, name) == 0)
			return true;
	}
	return false;
}

static void file_closer_prune(struct file_closer *closer, const char *base)
{
	struct fault fault;

	if (closer->keep > 0 &&
		file_rotation_prune(base, closer->keep, file_closer_spares, closer, &fault) != 0)
		log_warning(&closer->subject,
			"%s; older files than keep allows stay until the next rotation",
			fault.text);
}

static void file_closer_gone(struct file_closer *closer, struct file_closed *closed)
{
	log_notice(&closer->subject,
		"%s was moved or changed by someone else before it could be renamed to %s; it stays as it is",
		closed->path, closed->to);
	file_closer_drop(closer, closed);
}

/* Once the position says so, CLOSED is renamed. *RET_GONE: it was not there any more and is dropped
 * from the list. */
static int file_closer_settle(struct file_closer *closer, struct file_closed *closed,
	bool *ret_gone, struct fault *reterr)
{
	int r = FILE_CLOSED_E_TAKEN;

	*ret_gone = false;
	if (!closed->to && closer->compression == COMPRESSION_NONE)
		return 0;
	for (int i = 0; r == FILE_CLOSED_E_TAKEN && i < FILE_CLOSER_NAMES; i++) {
		if (!closer->stored && !closer->store(closer->userdata))
			return fault_set(reterr, FAULT_STORE, "the state cannot be written");
		if (!closed->to)
			return 0;
		r = file_closed_settle(closed, reterr);
		if (r == FILE_CLOSED_E_TAKEN) {
			char *name;

			if (file_rotation_name(&name, closed->path, reterr) != 0)
				return -1;
			free(closed->to);
			closed->to = name;
			closer->stored = false;
		}
	}
	if (r == FILE_CLOSED_E_TAKEN)
		return fault_set(reterr, FAULT_STORE,
			"every name that %s is to get is taken by someone else", closed->path);
	if (r == FILE_CLOSED_E_GONE) {
		file_closer_gone(closer, closed);
		*ret_gone = true;
		return 0;
	}
	if (!r)
		file_closer_prune(closer, closed->base);
	return r;
}

/* --- work --- */

/* Continues with the file in hand, or begins with CLOSED. 0: it is done. */
static int file_closer_work(
	struct file_closer *closer, struct file_closed *closed, struct fault *reterr)
{
	bool gone = false;
	int r = 0;

	if (closer->work)
		return file_compress_step(closer->work, reterr);
	r = file_closer_settle(closer, closed, &gone, reterr);
	if (r || gone)
		return r ? r : FILE_COMPRESS_E_MORE;
	if (closer->compression == COMPRESSION_NONE)
		return 0;
	r = file_compress_begin(
		&closer->work, closed->path, closed->inode, closer->compression, reterr);
	if (r == FILE_COMPRESS_E_GONE) {
		log_notice(&closer->subject,
			"%s was moved or removed by someone else before it could be compressed",
			closed->path);
		return 0;
	}
	if (r)
		return r;
	closer->work_of = closed;
	return FILE_COMPRESS_E_MORE;
}

static void file_closer_fail(struct file_closer *closer, const struct fault *fault)
{
	file_closer_abort(closer);
	if (!closer->failing)
		log_warning(&closer->subject,
			"%s; the closed file stays as it is; retrying every minute", fault->text);
	closer->failing = true;
	timer_start(closer->loop, &closer->timer, FILE_CLOSER_PAUSE);
	closer->progress(closer->userdata);
}

static void file_closer_done(struct file_closer *closer, struct file_closed *closed)
{
	char *base CLEANUP_FREE = mem_strdup(closed->base);

	file_closer_drop(closer, closed);
	if (base)
		file_closer_prune(closer, base); /* it was spared while it was worked on */
	if (file_closer_next(closer))
		timer_start(closer->loop, &closer->timer, 0);
	closer->progress(closer->userdata);
}

void file_closer_step(struct file_closer *closer)
{
	struct file_closed *closed = file_closer_next(closer);
	struct fault fault = FAULT_NULL;
	int r;

	if (!closed)
		return;
	r = file_closer_work(closer, closer->work_of ? closer->work_of : closed, &fault);
	if (r == FILE_COMPRESS_E_MORE) {
		timer_start(closer->loop, &closer->timer, 0);
		return;
	}
	if (r) {
		file_closer_fail(closer, &fault);
		return;
	}
	if (closer->failing)
		log_notice(&closer->subject, "closed files are taken care of again");
	closer->failing = false;
	file_closer_done(closer, closer->work_of ? closer->work_of : closed);
}

/* --- from outside --- */

static void file_closer_on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct file_closer *closer = watcher->data;

	(void)loop;
	(void)events;
	closer->due(closer->userdata);
}

void file_closer_init(struct file_closer *closer)
{
	ev_timer_init(&closer->timer, file_closer_on_timer, 0., 0.);
	closer->timer.data = closer;
}

void file_closer_clear(struct file_closer *closer)
{
	ev_timer_stop(closer->loop, &closer->timer);
	file_closer_abort(closer);
	while (closer->n_items > 0)
		file_closed_free(closer->items[--closer->n_items]);
	closer->stored = false;
	closer->failing = false;
}

void file_closer_deinit(struct file_closer *closer)
{
	file_closer_clear(closer);
	free(closer->items);
	closer->items = NULL;
	closer->capacity = 0;
}

/* What is above the bounds is left alone: plain, but there. Returns false then. */
static bool file_closer_has_room(struct file_closer *closer, bool resting)
{
	if (resting)
		return file_closer_count(closer, true) < FILE_CLOSER_MAX_RESTING;
	return !closer->failing || file_closer_count(closer, false) < FILE_CLOSER_MAX;
}

void file_closer_add(struct file_closer *closer, struct file_closed *closed)
{
	/* a rotation is always taken: what follows is written at its path */
	if (!closed->to && !file_closer_has_room(closer, closed->source != NULL)) {
		log_notice(&closer->subject,
			"too many closed files wait: %s will not be compressed", closed->path);
		file_closed_free(closed);
		return;
	}
	closer->items =
		mem_grow(closer->items, closer->n_items, &closer->capacity, sizeof(*closer->items));
	closer->items[closer->n_items++] = closed;
	closer->stored = false;
	if (!closed->source && !ev_is_active(&closer->timer))
		timer_start(closer->loop, &closer->timer, 0);
}

int file_closer_claim(struct file_closer *closer, const char *path, struct fault *reterr)
{
	for (size_t i = 0; i < closer->n_items; i++) {
		struct file_closed *closed = closer->items[i];
		bool gone;

		if (strcmp(closed->path, path) != 0)
			continue;
		if (closed->to)
			return file_closer_settle(closer, closed, &gone, reterr);
		file_closer_drop(closer, closed);
		return 0;
	}
	return 0;
}

void file_closer_wake(struct file_closer *closer,
	bool (*past)(const struct file_closed *closed, void *userdata), void *userdata)
{
	for (size_t i = 0; i < closer->n_items; i++) {
		struct file_closed *closed = closer->items[i];
		struct fault fault;

		if (!closed->source || !past(closed, userdata))
			continue;
		/* an earlier file of this name (the clock was set back) is not written over */
		if (file_compress_exists(closed->path) &&
			file_rotation_name(&closed->to, closed->path, &fault) != 0)
			continue; /* the directory cannot be read now: another time */
		free(closed->source);
		free(closed->provider);
		closed->source = NULL;
		closed->provider = NULL;
		closer->stored = false;
		if (!ev_is_active(&closer->timer))
			timer_start(closer->loop, &closer->timer, 0);
	}
}

bool file_closer_busy(const struct file_closer *closer)
{
	return !closer->failing && file_closer_next(closer) != NULL;
}

bool file_closer_full(const struct file_closer *closer)
{
	return !closer->failing && file_closer_count(closer, false) >= FILE_CLOSER_MAX;
}

void file_closer_print(const struct file_closer *closer, struct buf *out)
{
	buf_append_char(out, '[');
	for (size_t i = 0; i < closer->n_items; i++) {
		if (i > 0)
			buf_append_char(out, ',');
		file_closed_print(closer->items[i], out);
	}
	buf_append_char(out, ']');
}

/* Finishes what a crash has interrupted: the name. Compressing begins anew. */
static int file_closer_recover_one(
	struct file_closer *closer, struct file_closed *closed, struct fault *reterr)
{
	bool here = false;
	int r = file_closed_settle(closed, reterr);

	if (r == FILE_CLOSED_E_TAKEN) {
		/* the worker chooses another name */
		r = 0;
		here = true;
	} else if (!r) {
		r = file_closed_is_at(closed, closed->path, &here, reterr);
		if (!r && here && !closed->source)
			file_compress_clear(closed->path);
	} else if (r == FILE_CLOSED_E_GONE) {
		r = 0;
	}
	if (!r && here)
		file_closer_add(closer, closed);
	else
		file_closed_free(closed);
	return r;
}

int file_closer_recover(struct file_closer *closer, json_t *closed, struct fault *reterr)
{
	json_t *item;
	size_t index;
	int r = 0;

	file_closer_clear(closer);
	if (closed && !json_is_array(closed))
		return fault_set(reterr, FAULT_STORE, "the stored position is not readable");
	json_array_foreach(closed, index, item)
	{
		struct file_closed *one;

		r = file_closed_parse(&one, item, reterr);
		if (!r)
			r = file_closer_recover_one(closer, one, reterr);
		if (r) {
			file_closer_clear(closer);
			return r;
		}
	}
	return 0;
}
