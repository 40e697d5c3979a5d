/*
 * Collects gaps and acknowledgements for the next commit, in their order, and reads what is
 * committed. The number of open gaps is asked for by every status and metric, so it is kept in the
 * catalog.
 */
#include "store/coverage.h"

#include <assert.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/store_internal.h"

static struct pending_note *add_note(struct store *store)
{
	struct coverage_notes *notes = &store->notes;

	assert(store->mode == STORE_OWN);
	notes->items =
		mem_grow(notes->items, notes->n_items, &notes->capacity, sizeof(notes->items[0]));
	return &notes->items[notes->n_items++];
}

void coverage_add_gap(struct store *store, const char *source, nsec_t start_time, nsec_t end_time,
	enum gap_reason reason)
{
	*add_note(store) = (struct pending_note){
		.source = mem_strdup(source),
		.start_time = start_time,
		.end_time = end_time,
		.reason = reason,
		.time = clock_wall(),
	};
	catalog_source(store, source)->n_open_gaps++; /* counted exactly by the commit */
}

void coverage_acknowledge(struct store *store, const char *source, const char *by)
{
	*add_note(store) = (struct pending_note){
		.source = mem_strdup(source),
		.by = mem_strdup(by),
		.time = clock_wall(),
	};
}

uint64_t coverage_open_gaps(const struct store *store, const char *name)
{
	const struct store_source *source = catalog_find_source(store, name);

	return source ? source->n_open_gaps : 0;
}

/* --- the transaction --- */

static int run_note(struct store *store, enum statement which, const struct pending_note *note,
	int *ret_changes, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = statement_get(store, which, &statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, note->source);
	sqlite3_bind_int64(statement, 2, note->time);
	if (note->by) {
		statement_bind_text(statement, 3, note->by);
	} else {
		sqlite3_bind_int64(statement, 3, note->start_time);
		sqlite3_bind_int64(statement, 4, note->end_time);
		statement_bind_text(statement, 5, gap_reason_to_string(note->reason));
	}
	r = statement_finish(store, statement, reterr);
	*ret_changes = sqlite3_changes(store->db);
	return r;
}

int coverage_write(struct store *store, struct fault *reterr)
{
	int changes = 0;

	for (size_t i = 0; i < store->notes.n_items; i++) {
		const struct pending_note *note = &store->notes.items[i];
		int r = run_note(store, note->by ? STATEMENT_GAP_ACKNOWLEDGE : STATEMENT_GAP_EXTEND,
			note, &changes, reterr);

		if (!r && !note->by && changes == 0)
			r = run_note(store, STATEMENT_GAP_PUT, note, &changes, reterr);
		if (r)
			return r;
	}
	return 0;
}

int coverage_count(struct store *store, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = true;
	int r = statement_get(store, STATEMENT_GAP_COUNT, &statement, reterr);

	for (size_t i = 0; i < store->catalog.source_names.n_items; i++)
		store->catalog.sources[i]->n_open_gaps = 0;
	while (!r && row) {
		const char *source;

		r = statement_step(store, statement, &row, reterr);
		source = row && !r ? (const char *)sqlite3_column_text(statement, 0) : NULL;
		if (source)
			catalog_source(store, source)->n_open_gaps =
				(uint64_t)sqlite3_column_int64(statement, 1);
	}
	return r;
}

void coverage_settle(struct store *store)
{
	bool any = store->notes.n_items > 0;

	coverage_drop(store);
	if (any)
		coverage_count(store, NULL); /* its failure shows at the next read */
}

void coverage_drop(struct store *store)
{
	struct coverage_notes *notes = &store->notes;

	for (size_t i = 0; i < notes->n_items; i++) {
		free(notes->items[i].source);
		free(notes->items[i].by);
	}
	free(notes->items);
	*notes = (struct coverage_notes){0};
}

/* --- reading --- */

static int read_gap(struct store *store, sqlite3_stmt *statement, struct coverage_gap *ret,
	struct fault *reterr)
{
	*ret = (struct coverage_gap){
		.number = sqlite3_column_int64(statement, 0),
		.source = (const char *)sqlite3_column_text(statement, 1),
		.start_time = sqlite3_column_int64(statement, 2),
		.end_time = sqlite3_column_int64(statement, 3),
		.reason = (const char *)sqlite3_column_text(statement, 4),
		.found_time = sqlite3_column_int64(statement, 5),
		.acknowledged_time = sqlite3_column_type(statement, 6) == SQLITE_NULL
					     ? NSEC_NONE
					     : sqlite3_column_int64(statement, 6),
		.acknowledged_by = (const char *)sqlite3_column_text(statement, 7),
	};
	return ret->source && ret->reason ? 0
					  : statement_damaged(store, reterr, "a gap has no source");
}

int coverage_each_gap(struct store *store, const char *source, bool acknowledged,
	coverage_gap_fn each, void *userdata, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	struct coverage_gap gap;
	bool row = true;
	int r = statement_get(store, STATEMENT_GAP_LIST, &statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, source);
	sqlite3_bind_int(statement, 2, acknowledged);
	while (!r && row) {
		r = statement_step(store, statement, &row, reterr);
		if (!r && row)
			r = read_gap(store, statement, &gap, reterr);
		if (!r && row)
			each(&gap, userdata);
	}
	return r;
}
