/* See replays.h. */
#include "store/replays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/events.h"
#include "store/kept.h"
#include "store/store_internal.h"

/* Of the 62 bits below zero: the replay, and what is in it. */
#define NUMBER_BITS 36
#define REPLAY_MASK ((INT64_C(1) << (62 - NUMBER_BITS)) - 1)

static const char *const state_names[] = {
	[REPLAY_RUNNING] = "running",
	[REPLAY_DONE] = "done",
	[REPLAY_STOPPED] = "stopped",
};

const char *replay_state_to_string(enum replay_state state)
{
	return state_names[state];
}

int64_t replay_batch_number(const struct replay *replay, int64_t at)
{
	return -(INT64_C(1) << 62) + ((replay->number & REPLAY_MASK) << NUMBER_BITS) +
	       (at & ((INT64_C(1) << NUMBER_BITS) - 1));
}

void replay_free(struct replay *replay)
{
	if (!replay)
		return;
	free(replay->sink);
	free(replay->source);
	free(replay->copy);
	buf_deinit(&replay->progress.plan);
	free(replay);
}

void replay_progress_free(struct replay_progress *progress)
{
	if (!progress)
		return;
	buf_deinit(&progress->plan);
	free(progress);
}

/* --- measuring --- */

/* ?1 source, ?2 and ?3 times, ?4 sink. */
static const char measure_sql[] =
	"SELECT coalesce(min(b.number), 0), coalesce(max(b.number), 0), count(*),"
	" coalesce(sum(b.n_records), 0), min(b.accepted_time), max(b.accepted_time)"
	" FROM batches b WHERE b.source = (SELECT id FROM sources WHERE name = ?1)"
	" AND b.accepted_time >= ?2 AND b.accepted_time < ?3"
	" AND b.number <= coalesce((SELECT max(k.acknowledged, coalesce(r.after, 0))"
	" FROM routes r JOIN sinks k ON k.id = r.sink"
	" WHERE r.source = b.source AND k.name = ?4), b.number)";

static int measure_oldest(
	struct store *store, const char *source, nsec_t *ret, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_prepare(store,
		"SELECT accepted_time FROM batches WHERE number = (SELECT min(number)"
		" FROM batches WHERE source = (SELECT id FROM sources WHERE name = ?1))",
		&statement, reterr);

	*ret = NSEC_NONE;
	if (r)
		return r;
	statement_bind_text(statement, 1, source);
	r = statement_step(store, statement, &row, reterr);
	if (!r && row)
		*ret = sqlite3_column_int64(statement, 0);
	return r;
}

int replays_measure(struct store *store, const char *sink, const char *source, nsec_t from_time,
	nsec_t to_time, struct replay_measure *ret, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_prepare(store, measure_sql, &statement, reterr);

	*ret = (struct replay_measure){0};
	if (r)
		return r;
	statement_bind_text(statement, 1, source);
	sqlite3_bind_int64(statement, 2, from_time);
	sqlite3_bind_int64(statement, 3, to_time);
	statement_bind_text(statement, 4, sink);
	r = statement_step(store, statement, &row, reterr);
	if (!r && row)
		*ret = (struct replay_measure){
			.first = sqlite3_column_int64(statement, 0),
			.last = sqlite3_column_int64(statement, 1),
			.n_batches = (uint64_t)sqlite3_column_int64(statement, 2),
			.n_records = (uint64_t)sqlite3_column_int64(statement, 3),
			.first_time = sqlite3_column_int64(statement, 4),
			.last_time = sqlite3_column_int64(statement, 5),
		};
	return r ? r : measure_oldest(store, source, &ret->oldest_time, reterr);
}

/* --- the row --- */

static int put(struct store *store, const struct replay *replay, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	int r = statement_prepare(store,
		"INSERT OR REPLACE INTO replays(sink, number, source, from_time, to_time, until,"
		" n_records, state, after, plan, n_delivered, n_rejected, n_filtered, text)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, 'running', ?8, '', 0, 0, 0, '')",
		&statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, replay->sink);
	sqlite3_bind_int64(statement, 2, replay->number);
	statement_bind_text(statement, 3, replay->source);
	sqlite3_bind_int64(statement, 4, replay->from_time);
	sqlite3_bind_int64(statement, 5, replay->to_time);
	sqlite3_bind_int64(statement, 6, replay->until);
	sqlite3_bind_int64(statement, 7, (int64_t)replay->n_records);
	sqlite3_bind_int64(statement, 8, replay->progress.after);
	return statement_finish(store, statement, reterr);
}

int64_t replays_next_number(const struct store *store)
{
	/* one event more with each: no two replays have the same, whatever their sinks are called
	 */
	return (int64_t)(store->events_tree.n_leaves + store->collected.n_events) + 1;
}

int replays_has_copy(struct store *store, int64_t number, bool *ret)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	struct fault fault;
	int r = statement_prepare(store,
		"SELECT 1 FROM replays WHERE number = ?1 AND source IS NULL AND state = 'running'",
		&statement, &fault);

	if (r)
		return r;
	sqlite3_bind_int64(statement, 1, number);
	return statement_step(store, statement, ret, &fault);
}

int replays_begin(struct store *store, struct replay *replay, const char *by, const char *text,
	struct fault *reterr)
{
	size_t first = store->collected.n_events;
	int r = transaction_begin(store, reterr);

	if (r)
		return r;
	replay->number = replays_next_number(store);
	events_add(store, &(struct event){.kind = EVENT_REPLAY,
				  .source = replay->source,
				  .sink = replay->sink,
				  .by = by,
				  .text = text});
	r = put(store, replay, reterr);
	return events_commit(store, first, r, reterr);
}

static void read_text(sqlite3_stmt *statement, int column, char *ret, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	snprintf(ret, size, "%s", text ? text : "");
}

static struct replay *read_replay(sqlite3_stmt *statement, const char *sink)
{
	struct replay *replay = MEM_NEW(struct replay);
	struct replay_progress *progress = &replay->progress;
	char state[16];

	replay->sink = mem_strdup(sink);
	replay->number = sqlite3_column_int64(statement, 0);
	replay->source = mem_strdup((const char *)sqlite3_column_text(statement, 1));
	replay->from_time = sqlite3_column_int64(statement, 2);
	replay->to_time = sqlite3_column_int64(statement, 3);
	replay->until = sqlite3_column_int64(statement, 4);
	replay->n_records = (uint64_t)sqlite3_column_int64(statement, 5);
	read_text(statement, 6, state, sizeof(state));
	progress->state = strcmp(state, state_names[REPLAY_RUNNING]) == 0 ? REPLAY_RUNNING
			  : strcmp(state, state_names[REPLAY_DONE]) == 0  ? REPLAY_DONE
									  : REPLAY_STOPPED;
	progress->after = sqlite3_column_int64(statement, 7);
	buf_append_text(&progress->plan, (const char *)sqlite3_column_text(statement, 8));
	progress->n_delivered = (uint64_t)sqlite3_column_int64(statement, 9);
	progress->n_rejected = (uint64_t)sqlite3_column_int64(statement, 10);
	progress->n_filtered = (uint64_t)sqlite3_column_int64(statement, 11);
	read_text(statement, 12, progress->text, sizeof(progress->text));
	return replay;
}

int replays_get(struct store *store, const char *sink, struct replay **ret, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_get(store, STATEMENT_REPLAY_GET, &statement, reterr);

	*ret = NULL;
	if (r)
		return r;
	statement_bind_text(statement, 1, sink);
	r = statement_step(store, statement, &row, reterr);
	if (!r && row)
		*ret = read_replay(statement, sink);
	return r;
}

/* --- progress --- */

void commit_add_replay(
	struct store *store, const char *name, const struct replay_progress *progress)
{
	struct sink_mark *mark = uncommitted_sink(store, catalog_sink(store, name));

	replay_progress_free(mark->replay);
	mark->replay = MEM_NEW(struct replay_progress);
	*mark->replay = *progress;
	mark->replay->plan = BUF_NULL;
	buf_append_slice(&mark->replay->plan, buf_slice(&progress->plan));
}

int replays_write(struct store *store, const struct sink_mark *mark, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	const struct replay_progress *progress = mark->replay;
	int r = statement_get(store, STATEMENT_REPLAY_PUT, &statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, mark->sink->name);
	statement_bind_text(statement, 2, state_names[progress->state]);
	sqlite3_bind_int64(statement, 3, progress->after);
	statement_bind_text(statement, 4, buf_text(&progress->plan));
	sqlite3_bind_int64(statement, 5, (int64_t)progress->n_delivered);
	sqlite3_bind_int64(statement, 6, (int64_t)progress->n_rejected);
	sqlite3_bind_int64(statement, 7, (int64_t)progress->n_filtered);
	statement_bind_text(statement, 8, progress->text);
	return statement_finish(store, statement, reterr);
}

int replays_next(struct store *store, const struct replay *replay, int64_t after,
	struct batch **ret, int64_t *ret_number, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_get(store, STATEMENT_REPLAY_NEXT, &statement, reterr);

	*ret = NULL;
	if (r)
		return r;
	statement_bind_text(statement, 1, replay->sink);
	sqlite3_bind_int64(statement, 2, after);
	r = statement_step(store, statement, &row, reterr);
	if (r || !row)
		return r;
	*ret_number = sqlite3_column_int64(statement, 0);
	statement_release(&statement);
	r = kept_get(store, *ret_number, ret, reterr);
	if (r || !*ret)
		return r;
	(*ret)->number = replay_batch_number(replay, *ret_number);
	(*ret)->replayed = true;
	return 0;
}
