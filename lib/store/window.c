/*
 * The dedupe window in memory: one idset, in which a provider's ID occurs once and an equal digest
 * as often as such a record was accepted (occurrence.h). It holds exactly the keys of the rows from
 * one time on, and of what is to become such rows.
 *
 * A pass over rows, to read or to remove their keys, is done in slices. Meanwhile others may
 * come: those have higher numbers than the pass looks at, and window_add takes care of them.
 */
#include "store/window.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/occurrence.h"
#include "store/spool.h"
#include "store/store_internal.h"

#define SLICE_KEYS 10000 /* some ms, also where each key is the first of a page of memory */
#define ROW_KEYS 50 /* a row costs as much as these, besides its keys */
#define N_BELIEVED (INT64_C(1) << 26)
#define AHEAD 16 /* keys whose slots are on their way from memory */

enum window_state {
	WINDOW_UNREAD,
	WINDOW_LOADING,
	WINDOW_LOADED,
	WINDOW_EXPIRING,
};

/* Rows up to UNTIL_TIME and LAST_NUMBER, in the order of the index; the last one done. */
struct pass {
	nsec_t time;
	int64_t n_keys;
	int64_t number;
	nsec_t until_time;
	int64_t last_number;
};

struct window {
	struct store *store;
	char *source;
	struct idset set;
	enum window_state state;
	nsec_t from_time; /* the set has the keys from here on */
	nsec_t newest_time; /* of the rows that were read */
	nsec_t passed_time; /* expiring: it still has some from here on */
	struct pass pass;
};

/* Rows have numbers as they are committed. */
static struct pass pass_begin(const struct window *window, nsec_t from_time, nsec_t until_time)
{
	return (struct pass){
		.time = from_time,
		.n_keys = -1,
		.until_time = until_time,
		.last_number = window->store->last_number,
	};
}

static void set_state(struct window *window, enum window_state state)
{
	unsigned *n_loading = &window->store->n_loading;

	*n_loading += state == WINDOW_LOADING;
	*n_loading -= window->state == WINDOW_LOADING;
	window->state = state;
}

struct window *window_new(struct store *store, const char *source)
{
	struct window *window = MEM_NEW(struct window);

	window->store = store;
	window->source = mem_strdup(source);
	window->set = IDSET_NULL;
	window->newest_time = NSEC_NONE;
	return window;
}

void window_free(struct window *window)
{
	if (!window)
		return;
	set_state(window, WINDOW_UNREAD);
	idset_deinit(&window->set);
	free(window->source);
	free(window);
}

static void change_keys(struct window *window, const struct id *keys, size_t n)
{
	for (size_t i = 0; i < n + AHEAD; i++) {
		if (i < n)
			idset_prefetch(&window->set, &keys[i]);
		if (i < AHEAD)
			continue;
		if (window->state == WINDOW_EXPIRING)
			occurrence_remove(&window->set, &keys[i - AHEAD]);
		else
			occurrence_add(&window->set, &keys[i - AHEAD]);
	}
}

/* The keys of the row that STATEMENT is at. */
static int pass_row(
	struct window *window, sqlite3_stmt *statement, size_t *ret_size, struct fault *reterr)
{
	const void *keys = sqlite3_column_blob(statement, 3);
	size_t size = (size_t)sqlite3_column_bytes(statement, 3);

	if (size % sizeof(struct id) != 0)
		return statement_damaged(window->store, reterr, "keys of a batch are cut");
	change_keys(window, keys, size / sizeof(struct id));
	window->pass.time = sqlite3_column_int64(statement, 0);
	window->pass.n_keys = sqlite3_column_int64(statement, 1);
	window->pass.number = sqlite3_column_int64(statement, 2);
	if (window->pass.time > window->newest_time)
		window->newest_time = window->pass.time;
	*ret_size = size / sizeof(struct id) + ROW_KEYS;
	return 0;
}

/* A slice of the pass. 0: it was the last one. */
static int pass_slice(struct window *window, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	unsigned n_loading = window->store->n_loading;
	size_t budget = SLICE_KEYS / (n_loading ? n_loading : 1), size = 0;
	bool row = false;
	int r = statement_get(window->store, STATEMENT_KEYS_LIST, &statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, window->source);
	sqlite3_bind_int64(statement, 2, window->pass.time);
	sqlite3_bind_int64(statement, 3, window->pass.n_keys);
	sqlite3_bind_int64(statement, 4, window->pass.number);
	sqlite3_bind_int64(statement, 5, window->pass.until_time);
	sqlite3_bind_int64(statement, 6, window->pass.last_number);
	for (;;) {
		r = statement_step(window->store, statement, &row, reterr);
		if (r || !row)
			return r;
		if (budget < size)
			return STORE_E_WAIT;
		budget -= size;
		r = pass_row(window, statement, &size, reterr);
		if (r)
			return r;
	}
}

static nsec_t row_time(const struct batch *batch)
{
	return batch->newest_time == NSEC_NONE ? batch->accepted_time : batch->newest_time;
}

/* The keys of the batches that are not rows yet, with a time in [FROM, UNTIL]. */
static void change_pending(struct window *window, nsec_t from_time, nsec_t until_time)
{
	const struct uncommitted *sets[] = {&window->store->under_way, &window->store->collected};

	for (size_t i = 0; i < 2; i++) {
		if (i == 0 && window->store->progress == UNDER_WAY_SETTLED)
			continue;
		for (size_t k = 0; k < sets[i]->n_pages; k++) {
			const struct pending_page *page = &sets[i]->pages[k];
			const struct batch *batch = page->batch;

			if (batch && batch->keep_ids && row_time(batch) >= from_time &&
				row_time(batch) <= until_time &&
				strcmp(page->source->name, window->source) == 0)
				change_keys(window, batch->ids, batch->n_records);
		}
	}
}

/* Makes room for the rows from TIME on. */
static int reserve(struct window *window, nsec_t time, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_get(window->store, STATEMENT_KEYS_GUESS, &statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, window->source);
	sqlite3_bind_int64(statement, 2, time);
	r = statement_step(window->store, statement, &row, reterr);
	int64_t n_keys = row ? sqlite3_column_int64(statement, 0) : 0;
	if (!r && n_keys > 0 && n_keys < N_BELIEVED) /* a damaged state may say anything */
		idset_reserve(&window->set, (size_t)n_keys);
	return r;
}

/* All from TIME on, or what is missing from there to where the set begins. */
static int begin_load(struct window *window, nsec_t time, struct fault *reterr)
{
	nsec_t until_time = window->state == WINDOW_LOADED ? window->from_time - 1 : INT64_MAX;
	int r = reserve(window, time, reterr);

	if (r)
		return r;
	set_state(window, WINDOW_LOADING);
	window->from_time = time;
	window->pass = pass_begin(window, time, until_time);
	change_pending(window, time, until_time);
	return 0;
}

int window_load(struct window *window, nsec_t time, struct fault *reterr)
{
	int r = 0;

	if (window_reaches(window, time))
		return 0;
	bool began = spool_read_begin(window->store);
	if (window->state != WINDOW_LOADING)
		r = begin_load(window, time, reterr);
	if (!r)
		r = pass_slice(window, reterr);
	spool_read_end(window->store, began);
	if (!r) {
		set_state(window, WINDOW_LOADED);
	} else if (r != STORE_E_WAIT) {
		idset_clear(&window->set);
		set_state(window, WINDOW_UNREAD);
	}
	return r;
}

/* While it expires, that comes first. */
bool window_reaches(const struct window *window, nsec_t time)
{
	return window->state == WINDOW_EXPIRING ||
	       (window->state == WINDOW_LOADED && (time == NSEC_NONE || time >= window->from_time));
}

bool window_has(const struct window *window, const struct id *key)
{
	return idset_has(&window->set, key);
}

unsigned window_count(const struct window *window, const struct id *digest)
{
	return occurrence_count(&window->set, digest);
}

bool window_meet(struct window *window, const struct id *digest)
{
	return occurrence_mark(&window->set, digest);
}

void window_forget_met(struct window *window)
{
	idset_unmark_all(&window->set);
}

void window_add(struct window *window, const struct id *key, nsec_t time)
{
	if (window->state != WINDOW_UNREAD && time >= window->from_time)
		occurrence_add(&window->set, key);
}

int window_expire(struct window *window, nsec_t time, nsec_t *ret_time, struct fault *reterr)
{
	int r;

	*ret_time = time;
	if (window->state == WINDOW_UNREAD)
		return 0;
	*ret_time = window->state == WINDOW_EXPIRING ? window->passed_time : window->from_time;
	if (window->state == WINDOW_LOADING)
		return STORE_E_WAIT;
	if (window->state == WINDOW_LOADED) {
		if (time <= window->from_time)
			return 0;
		set_state(window, WINDOW_EXPIRING);
		window->pass = pass_begin(window, window->from_time, time - 1);
		window->passed_time = window->from_time;
		window->from_time = time;
		change_pending(window, window->passed_time, time - 1);
	}
	r = pass_slice(window, reterr);
	if (r)
		return r;
	set_state(window, WINDOW_LOADED);
	*ret_time = window->from_time;
	return time > window->from_time ? STORE_E_WAIT : 0;
}

nsec_t window_newest(const struct window *window)
{
	return window->newest_time;
}

size_t window_size(const struct window *window)
{
	return window->set.n_ids;
}
