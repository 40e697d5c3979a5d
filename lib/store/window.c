/*
 * The dedupe window in memory: one idset, in which a provider's ID occurs once and an equal digest
 * as often as such a record was accepted (occurrence.h).
 *
 * There is no removal of single keys: keys that expiry has passed stay until they are the larger
 * part of the set, then it is built anew from the rows.
 */
#include "store/window.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/cursors.h"
#include "store/occurrence.h"
#include "store/spool.h"
#include "store/store_internal.h"

#define REBUILD_SIZE_MIN 1024 /* a smaller set is never built anew */
#define N_BELIEVED (INT64_C(1) << 26)

struct window {
	struct store *store;
	char *source;
	struct idset set;
	bool loaded;
};

struct window *window_new(struct store *store, const char *source)
{
	struct window *window = MEM_NEW(struct window);

	window->store = store;
	window->source = mem_strdup(source);
	window->set = IDSET_NULL;
	return window;
}

void window_free(struct window *window)
{
	if (!window)
		return;
	idset_deinit(&window->set);
	free(window->source);
	free(window);
}

static int add_row(
	struct store *store, sqlite3_stmt *statement, struct idset *set, struct fault *reterr)
{
	const char *keys = sqlite3_column_blob(statement, 0);
	size_t size = (size_t)sqlite3_column_bytes(statement, 0);
	struct id key;

	if (size % sizeof(key) != 0)
		return statement_damaged(store, reterr, "keys of a batch are cut");
	for (size_t at = 0; at < size; at += sizeof(key)) {
		memcpy(&key, keys + at, sizeof(key));
		occurrence_add(set, &key);
	}
	return 0;
}

/* The rows from TIME on into the empty SET. */
static int read_rows(
	const struct window *window, nsec_t time, struct idset *set, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = false;
	int64_t n_keys = 0;
	int r = cursors_count_keys(window->store, window->source, time, &n_keys, reterr);

	if (!r)
		r = statement_get(window->store, STATEMENT_KEYS_LIST, &statement, reterr);
	if (r)
		return r;
	if (n_keys > 0 && n_keys < N_BELIEVED) /* a damaged state may say anything */
		idset_reserve(set, (size_t)n_keys);
	statement_bind_text(statement, 1, window->source);
	sqlite3_bind_int64(statement, 2, time);
	while (!r) {
		r = statement_step(window->store, statement, &row, reterr);
		if (r || !row)
			break;
		r = add_row(window->store, statement, set, reterr);
	}
	return r;
}

/* Is PAGE collected for commit, and will its keys be rows of this window? */
static bool is_pending(const struct window *window, const struct pending_page *page)
{
	return page->batch && page->batch->keep_ids &&
	       strcmp(page->source->name, window->source) == 0;
}

/* Calls EACH for the batches whose keys are not rows yet. */
static void each_pending(const struct window *window,
	void (*each)(const struct batch *batch, void *userdata), void *userdata)
{
	const struct uncommitted *sets[] = {&window->store->under_way, &window->store->collected};

	for (size_t i = 0; i < 2; i++) {
		if (i == 0 && window->store->progress == UNDER_WAY_SETTLED)
			continue;
		for (size_t k = 0; k < sets[i]->n_pages; k++)
			if (is_pending(window, &sets[i]->pages[k]))
				each(sets[i]->pages[k].batch, userdata);
	}
}

static void count_pending(const struct batch *batch, void *userdata)
{
	size_t *n = userdata;

	*n += batch->n_records;
}

static void add_pending(const struct batch *batch, void *userdata)
{
	for (size_t i = 0; i < batch->n_records; i++)
		occurrence_add(userdata, &batch->ids[i]);
}

int window_load(struct window *window, nsec_t time, struct fault *reterr)
{
	struct idset set = IDSET_NULL;
	int r;

	if (window->loaded)
		return 0;
	bool began = spool_read_begin(window->store);
	r = read_rows(window, time, &set, reterr);
	spool_read_end(window->store, began);
	if (r) {
		idset_deinit(&set);
		return r;
	}
	each_pending(window, add_pending, &set);
	window->set = set;
	window->loaded = true;
	return 0;
}

bool window_is_loaded(const struct window *window)
{
	return window->loaded;
}

bool window_has(const struct window *window, const struct id *key)
{
	return idset_has(&window->set, key);
}

unsigned window_count(const struct window *window, const struct id *digest)
{
	return occurrence_count(&window->set, digest);
}

void window_add(struct window *window, const struct id *key)
{
	if (window->loaded)
		occurrence_add(&window->set, key);
}

int window_expire(struct window *window, nsec_t time, struct fault *reterr)
{
	struct idset set = IDSET_NULL;
	int64_t n_live = 0;
	size_t n_pending = 0;
	int r;

	if (window_size(window) < REBUILD_SIZE_MIN)
		return 0;
	r = cursors_count_keys(window->store, window->source, time, &n_live, reterr);
	if (r)
		return r;
	each_pending(window, count_pending, &n_pending);
	if (window_size(window) / 2 <= (size_t)n_live + n_pending)
		return 0;
	r = read_rows(window, time, &set, reterr);
	if (r) {
		idset_deinit(&set);
		return r;
	}
	each_pending(window, add_pending, &set);
	idset_deinit(&window->set);
	window->set = set;
	return 0;
}

size_t window_size(const struct window *window)
{
	return window->set.n_ids;
}
