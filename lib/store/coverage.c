/*
 * Collects gaps and acknowledgements for the next commit, in their order, and reads what is
 * committed. The number of open gaps is asked for by every status and metric, so it is kept in the
 * catalog.
 */
#include "store/coverage.h"

#include <assert.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/events.h"
#include "store/store_internal.h"

static struct pending_note *add_note(struct store *store)
{
	struct uncommitted *set = &store->collected;

	assert(store->mode == STORE_OWN);
	set->notes =
		mem_grow(set->notes, set->n_notes, &set->notes_capacity, sizeof(set->notes[0]));
	return &set->notes[set->n_notes++];
}

void coverage_add_gap(struct store *store, const char *source, nsec_t start_time, nsec_t end_time,
	enum gap_reason reason)
{
	*add_note(store) = (struct pending_note){
		.kind = NOTE_GAP,
		.source = mem_strdup(source),
		.start_time = start_time,
		.end_time = end_time,
		.reason = reason,
		.time = clock_wall(),
	};
	catalog_source(store, source)->n_open_gaps++; /* counted exactly by the commit */
}

void coverage_acknowledge(
	struct store *store, const char *source, nsec_t asked_time, size_t n, const char *by)
{
	char *text CLEANUP_FREE = mem_printf(
		"%zu gap%s acknowledged; not requested again from now on", n, str_plural(n));
	*add_note(store) = (struct pending_note){
		.kind = NOTE_ACKNOWLEDGEMENT,
		.end_time = asked_time,
		.source = mem_strdup(source),
		.by = mem_strdup(by),
		.time = clock_wall(),
	};
	events_add(store,
		&(struct event){
			.kind = EVENT_ACKNOWLEDGE, .source = source, .by = by, .text = text});
}

void coverage_add(
	struct store *store, const char *source, nsec_t start_time, nsec_t end_time, bool chain)
{
	if (start_time < end_time)
		*add_note(store) = (struct pending_note){
			.kind = NOTE_COVERED,
			.source = mem_strdup(source),
			.start_time = start_time,
			.end_time = end_time,
			.chain = chain,
			.time = clock_wall(),
		};
}

void coverage_refill(struct store *store, const char *source, nsec_t start_time, nsec_t end_time)
{
	*add_note(store) = (struct pending_note){
		.kind = NOTE_REFILL,
		.source = mem_strdup(source),
		.start_time = start_time,
		.end_time = end_time,
		.time = clock_wall(),
	};
	coverage_add(store, source, start_time, end_time, false);
}

void coverage_retract(struct store *store, const char *source, nsec_t time)
{
	*add_note(store) = (struct pending_note){
		.kind = NOTE_RETRACTION,
		.source = mem_strdup(source),
		.start_time = time,
		.time = clock_wall(),
	};
}

nsec_t coverage_until(const struct store *store, const char *name)
{
	const struct store_source *source = catalog_find_source(store, name);

	return source ? source->covered_time : NSEC_NONE;
}

uint64_t coverage_open_gaps(const struct store *store, const char *name)
{
	const struct store_source *source = catalog_find_source(store, name);

	return source ? source->n_open_gaps : 0;
}

void coverage_each_open(
	const struct store *store, const struct names *names, coverage_open_fn each, void *userdata)
{
	const struct names *known = &store->catalog.source_names;

	for (size_t i = 0; i < known->n_items; i++) {
		uint64_t n = coverage_open_gaps(store, known->items[i]);
		size_t handle;

		if (n > 0 && !names_find(names, known->items[i], &handle))
			each(known->items[i], n, userdata);
	}
}

/* --- the transaction --- */

static void bind_note(sqlite3_stmt *statement, const struct pending_note *note)
{
	statement_bind_text(statement, 1, note->source);
	sqlite3_bind_int64(statement, 2, note->time);
	switch (note->kind) {
	case NOTE_GAP:
		sqlite3_bind_int64(statement, 3, note->start_time);
		sqlite3_bind_int64(statement, 4, note->end_time);
		statement_bind_text(statement, 5, gap_reason_to_string(note->reason));
		break;
	case NOTE_ACKNOWLEDGEMENT:
		statement_bind_text(statement, 3, note->by);
		sqlite3_bind_int64(statement, 4, note->end_time);
		break;
	case NOTE_COVERED:
		sqlite3_bind_int64(statement, 3, note->start_time);
		sqlite3_bind_int64(statement, 4, note->end_time);
		statement_bind_text(statement, 5, note->chain ? "chain" : "full");
		break;
	case NOTE_RETRACTION:
		sqlite3_bind_int64(statement, 3, note->start_time);
		break;
	case NOTE_REFILL:
		sqlite3_bind_int64(statement, 3, note->start_time);
		sqlite3_bind_int64(statement, 4, note->end_time);
		break;
	}
}

static int run_note(struct store *store, enum statement which, const struct pending_note *note,
	int *ret_changes, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = statement_get(store, which, &statement, reterr);

	if (r)
		return r;
	bind_note(statement, note);
	r = statement_finish(store, statement, reterr);
	*ret_changes = sqlite3_changes(store->db);
	return r;
}

/* The rows that NOTE touches become one. */
static int join(struct store *store, const struct pending_note *note, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	struct pending_note all = *note;
	bool row = false;
	int changes, r = statement_get(store, STATEMENT_COVER_BOUNDS, &statement, reterr);

	if (r)
		return r;
	bind_note(statement, note);
	r = statement_step(store, statement, &row, reterr);
	if (r || !row)
		return r;
	all.start_time = sqlite3_column_int64(statement, 0);
	all.end_time = sqlite3_column_int64(statement, 1);
	r = run_note(store, STATEMENT_COVER_REMOVE, note, &changes, reterr);
	return r ? r : run_note(store, STATEMENT_COVER_PUT, &all, &changes, reterr);
}

static int write_covered(struct store *store, const struct pending_note *note, struct fault *reterr)
{
	int n_rows = 0, changes, r = run_note(store, STATEMENT_COVER_EXTEND, note, &n_rows, reterr);

	if (!r && n_rows == 0)
		return run_note(store, STATEMENT_COVER_PUT, note, &changes, reterr);
	if (!r)
		r = run_note(store, STATEMENT_COVER_EXTEND_BACK, note, &changes, reterr);
	return !r && n_rows > 1 ? join(store, note, reterr) : r;
}

static int write_note(struct store *store, const struct pending_note *note, struct fault *reterr)
{
	int changes = 0, r = 0;

	switch (note->kind) {
	case NOTE_GAP:
		r = run_note(store, STATEMENT_GAP_EXTEND, note, &changes, reterr);
		if (!r && changes == 0)
			r = run_note(store, STATEMENT_GAP_PUT, note, &changes, reterr);
		break;
	case NOTE_ACKNOWLEDGEMENT:
		r = run_note(store, STATEMENT_GAP_ACKNOWLEDGE, note, &changes, reterr);
		break;
	case NOTE_COVERED:
		r = write_covered(store, note, reterr);
		break;
	case NOTE_RETRACTION:
		r = run_note(store, STATEMENT_COVER_CUT, note, &changes, reterr);
		if (!r)
			r = run_note(store, STATEMENT_COVER_DROP, note, &changes, reterr);
		break;
	case NOTE_REFILL:
		r = run_note(store, STATEMENT_GAP_CUT, note, &changes, reterr);
		if (!r)
			r = run_note(store, STATEMENT_GAP_REFILL, note, &changes, reterr);
		break;
	}
	return r;
}

int coverage_write(struct store *store, struct fault *reterr)
{
	int r = 0;

	for (size_t i = 0; i < store->under_way.n_notes && !r; i++)
		r = write_note(store, &store->under_way.notes[i], reterr);
	return r;
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

int coverage_load(struct store *store, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = true;
	int r = statement_get(store, STATEMENT_COVER_UNTIL, &statement, reterr);

	while (!r && row) {
		const char *source;

		r = statement_step(store, statement, &row, reterr);
		source = row && !r ? (const char *)sqlite3_column_text(statement, 0) : NULL;
		if (source)
			catalog_source(store, source)->covered_time =
				sqlite3_column_int64(statement, 1);
	}
	return r;
}

/* NOTE is committed. Returns whether open gaps must be counted. */
static bool settle_note(struct store *store, const struct pending_note *note)
{
	nsec_t *covered;

	if (note->kind == NOTE_COVERED || note->kind == NOTE_RETRACTION) {
		covered = &catalog_source(store, note->source)->covered_time;
		if (note->kind == NOTE_COVERED && note->end_time > *covered)
			*covered = note->end_time;
		if (note->kind == NOTE_RETRACTION && *covered > note->start_time)
			*covered = note->start_time;
	}
	return note->kind == NOTE_GAP || note->kind == NOTE_ACKNOWLEDGEMENT ||
	       note->kind == NOTE_REFILL;
}

void coverage_settle(struct store *store)
{
	bool any = false;

	for (size_t i = 0; i < store->under_way.n_notes; i++)
		any = settle_note(store, &store->under_way.notes[i]) || any;
	if (any)
		coverage_count(store, NULL); /* its failure shows at the next read */
}

void note_deinit(struct pending_note *note)
{
	free(note->source);
	free(note->by);
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
		.refilled_time = sqlite3_column_type(statement, 8) == SQLITE_NULL
					 ? NSEC_NONE
					 : sqlite3_column_int64(statement, 8),
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

int coverage_oldest_gap(
	struct store *store, const char *source, nsec_t *ret_time, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row;
	int r;

	if (coverage_open_gaps(store, source) == 0) {
		*ret_time = NSEC_NONE;
		return 0;
	}
	r = statement_get(store, STATEMENT_GAP_OLDEST, &statement, reterr);
	if (r)
		return r;
	statement_bind_text(statement, 1, source);
	r = statement_step(store, statement, &row, reterr);
	if (!r)
		*ret_time = row && sqlite3_column_type(statement, 0) == SQLITE_INTEGER
				    ? sqlite3_column_int64(statement, 0)
				    : NSEC_NONE;
	return r;
}

int coverage_each_span(struct store *store, const char *source, coverage_span_fn each,
	void *userdata, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = true;
	int r = statement_get(store, STATEMENT_COVER_LIST, &statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, source);
	while (!r && row) {
		const char *state;
		struct coverage_span span;

		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			break;
		span.source = (const char *)sqlite3_column_text(statement, 0);
		span.start_time = sqlite3_column_int64(statement, 1);
		span.end_time = sqlite3_column_int64(statement, 2);
		state = (const char *)sqlite3_column_text(statement, 3);
		if (!span.source || !state)
			return statement_damaged(store, reterr, "coverage has no source");
		span.chain = strcmp(state, "chain") == 0;
		each(&span, userdata);
	}
	return r;
}
