/*
 * See kept.h. What has to go leaves a few rows at a time, in transactions of its own (the daemon's
 * keeper.c calls for them), from the lowest number on. Rows that wait are passed over; when they
 * are released later, the search begins there again.
 */
#include "store/kept.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store_internal.h"

#define LOOKED_AT 256 /* rows at once */
#define DROPPED_TIME (10 * NSEC_PER_MSEC) /* and the first one */

void kept_set(struct store *store, nsec_t age_ns, uint64_t limit)
{
	store->kept.age_ns = age_ns;
	store->kept.limit = limit;
}

void kept_hold(struct store *store, int64_t after)
{
	store->kept.held_after = after;
}

void kept_status(const struct store *store, struct kept_status *ret)
{
	const struct kept *kept = &store->kept;

	*ret = (struct kept_status){
		.bytes = kept->bytes,
		.n_records = kept->n_records,
		.oldest_time = kept->bytes > 0 ? kept->oldest_time : NSEC_NONE,
		.early = kept->told_at != NSEC_NONE &&
			 clock_monotonic() - kept->told_at < NSEC_PER_DAY,
	};
}

int kept_load(struct store *store, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	struct kept *kept = &store->kept;
	bool row = false;
	int r = statement_get(store, STATEMENT_KEPT_TOTALS, &statement, reterr);

	if (!r)
		r = statement_step(store, statement, &row, reterr);
	if (r || !row)
		return r;
	kept->bytes = (uint64_t)sqlite3_column_int64(statement, 0);
	kept->n_records = (uint64_t)sqlite3_column_int64(statement, 1);
	kept->from = sqlite3_column_int64(statement, 2);
	kept->oldest_time = NSEC_NONE;
	return 0;
}

/* --- release --- */

static int run_release(struct store *store, enum statement which, const struct source_mark *mark,
	struct released *sum, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_get(store, which, &statement, reterr);

	if (r)
		return r;
	sqlite3_bind_int64(statement, 1, mark->source->id);
	sqlite3_bind_int64(statement, 2, mark->release);
	if (which != STATEMENT_KEEP)
		sqlite3_bind_int64(statement, 3, mark->source->released);
	r = statement_step(store, statement, &row, reterr);
	if (!r && row && sum) {
		sum->bytes += (uint64_t)sqlite3_column_int64(statement, 0);
		sum->n_records += (uint64_t)sqlite3_column_int64(statement, 1);
	}
	return r;
}

int kept_release(struct store *store, const struct source_mark *mark, struct released *sum,
	struct fault *reterr)
{
	int r = run_release(store, STATEMENT_RELEASE_SIZE, mark, sum, reterr);

	if (r)
		return r;
	if (store->kept.age_ns > 0)
		return run_release(store, STATEMENT_KEEP, mark, NULL, reterr);
	r = run_release(store, STATEMENT_RELEASE, mark, NULL, reterr);
	return r ? r : run_release(store, STATEMENT_RELEASE_KEYS, mark, NULL, reterr);
}

void kept_settle(struct store *store)
{
	const struct uncommitted *set = &store->under_way;
	struct kept *kept = &store->kept;

	if (kept->age_ns == 0)
		return;
	for (size_t i = 0; i < set->n_sources; i++) {
		const struct store_source *source = set->sources[i].source;

		if (set->sources[i].release <= source->released)
			continue;
		if (kept->bytes > 0 && source->released + 1 >= kept->from)
			continue;
		kept->from = source->released + 1;
		kept->oldest_time = NSEC_NONE;
	}
	kept->bytes += set->released.bytes;
	kept->n_records += set->released.n_records;
}

/* --- what goes --- */

/* No later than it is by the host's clock, and as that was before somebody set it. */
static nsec_t early_now(struct kept *kept)
{
	nsec_t host_time = clock_wall();
	nsec_t steady_time = steady_read(&kept->clock, host_time, clock_monotonic());

	return steady_time < host_time ? steady_time : host_time;
}

bool kept_is_due(struct store *store)
{
	struct kept *kept = &store->kept;

	if (kept->bytes == 0)
		return false;
	return kept->age_ns == 0 || kept->bytes > kept->limit || kept->oldest_time == NSEC_NONE ||
	       kept->oldest_time < early_now(kept) - kept->age_ns;
}

uint64_t kept_room(struct store *store)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = false;

	if (statement_get(store, STATEMENT_FREE_COUNT, &statement, NULL) != 0 ||
		statement_step(store, statement, &row, NULL) != 0 || !row)
		return 0;
	return (uint64_t)sqlite3_column_int64(statement, 0) * (uint64_t)store->page_size;
}

struct row {
	int64_t number;
	uint64_t size, n_records;
	nsec_t accepted_time;
	bool kept;
};

static int list(struct store *store, struct row *rows, size_t *ret_n, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool more = true;
	int r = statement_get(store, STATEMENT_KEPT_LIST, &statement, reterr);

	*ret_n = 0;
	if (r)
		return r;
	sqlite3_bind_int64(statement, 1, store->kept.from);
	sqlite3_bind_int64(statement, 2, LOOKED_AT);
	while (!r) {
		r = statement_step(store, statement, &more, reterr);
		if (r || !more)
			break;
		rows[(*ret_n)++] = (struct row){
			.number = sqlite3_column_int64(statement, 0),
			.size = (uint64_t)sqlite3_column_int64(statement, 1),
			.n_records = (uint64_t)sqlite3_column_int64(statement, 2),
			.accepted_time = sqlite3_column_int64(statement, 3),
			.kept = sqlite3_column_int(statement, 4) != 0,
		};
	}
	return r;
}

static int drop_row(struct store *store, int64_t number, struct fault *reterr)
{
	static const enum statement both[] = {STATEMENT_KEPT_DROP, STATEMENT_KEPT_DROP_KEYS};
	int r = 0;

	for (size_t i = 0; i < 2 && !r; i++) {
		CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;

		r = statement_get(store, both[i], &statement, reterr);
		if (r)
			break;
		sqlite3_bind_int64(statement, 1, number);
		r = statement_finish(store, statement, reterr);
	}
	return r;
}

/* The store's account when the rows before AT are gone. */
struct dropping {
	struct kept after;
	size_t at;
	bool early; /* before their time */
	bool more;
};

static bool has_to_go(const struct kept *kept, const struct row *row, nsec_t now_time)
{
	if (kept->bytes > kept->limit)
		return true;
	return row->number <= kept->held_after &&
	       (kept->age_ns == 0 || row->accepted_time < now_time - kept->age_ns);
}

static int drop_rows(struct store *store, const struct row *rows, size_t n, bool forced,
	struct dropping *dropping, struct fault *reterr)
{
	struct kept *kept = &dropping->after;
	nsec_t now_time = early_now(kept), begun_at = clock_monotonic();
	int r = 0;

	for (; dropping->at < n && !r; dropping->at++) {
		const struct row *row = &rows[dropping->at];

		kept->from = row->number;
		if (!row->kept)
			continue;
		kept->oldest_time = row->accepted_time;
		if (!forced && !has_to_go(kept, row, now_time))
			return 0;
		if (clock_monotonic() - begun_at >= DROPPED_TIME) {
			dropping->more = true;
			return 0;
		}
		dropping->early |= row->accepted_time >= now_time - kept->age_ns;
		r = drop_row(store, row->number, reterr);
		kept->bytes -= row->size < kept->bytes ? row->size : kept->bytes;
		kept->n_records -=
			row->n_records < kept->n_records ? row->n_records : kept->n_records;
		kept->oldest_time = NSEC_NONE;
		kept->from = row->number + 1;
	}
	/* all that were looked at wait, or are gone */
	if (n > 0 && !r)
		kept->from = rows[n - 1].number + 1;
	dropping->more = n == LOOKED_AT;
	return r;
}

static void tell(struct store *store, bool forced)
{
	struct kept *kept = &store->kept;
	nsec_t now_at = clock_monotonic();
	bool told = kept->told_at != NSEC_NONE && now_at - kept->told_at < NSEC_PER_DAY;

	kept->told_at = now_at;
	if (told || kept->age_ns == 0)
		return;
	if (forced)
		log_warning(NULL,
			"the disk is nearly full: kept records are dropped to make room, the oldest first; records that wait for sinks are not affected (free some space, or set a lower keep_limit)");
	else
		log_notice(NULL,
			"kept records have reached keep_limit (%llu bytes): the oldest are dropped before `keep` is over; records that wait for sinks are not affected",
			(unsigned long long)kept->limit);
}

int kept_drop(struct store *store, bool forced, bool *ret_more, struct fault *reterr)
{
	CLEANUP_FREE struct row *rows = mem_array(LOOKED_AT, sizeof(*rows));
	size_t n = 0;
	int r = transaction_begin(store, reterr);

	*ret_more = false;
	if (r)
		return r;
	struct dropping dropping = {.after = store->kept};

	r = list(store, rows, &n, reterr);
	if (!r)
		r = drop_rows(store, rows, n, forced, &dropping, reterr);
	r = transaction_end(store, r, reterr);
	if (r)
		return r;
	store->kept = dropping.after;
	*ret_more = dropping.more;
	if (dropping.early)
		tell(store, forced);
	return 0;
}

/* --- reading --- */

static struct slice column_blob(sqlite3_stmt *statement, int column)
{
	const void *data = sqlite3_column_blob(statement, column);

	return (struct slice){data ? data : "", (size_t)sqlite3_column_bytes(statement, column)};
}

#define BATCH_COLUMNS                                                                              \
	"SELECT b.number, coalesce(n.name, s.name), b.provider, b.accepted_time,"                  \
	" coalesce(b.keys, k.keys), b.body, b.number > s.released FROM batches b"                  \
	" JOIN sources s ON s.id = b.source LEFT JOIN batch_keys k ON k.number = b.number"         \
	" LEFT JOIN batch_names n ON n.number = b.number"

static int read_batch(
	struct store *store, sqlite3_stmt *statement, struct batch **ret, struct fault *reterr)
{
	const char *source = (const char *)sqlite3_column_text(statement, 1);
	const char *provider = (const char *)sqlite3_column_text(statement, 2);
	struct fault fault = FAULT_NULL;
	struct batch *batch;

	if (!source || !provider)
		return statement_damaged(store, reterr, "a batch has no source");
	batch = batch_new(source, provider, sqlite3_column_int64(statement, 3));
	batch->number = sqlite3_column_int64(statement, 0);
	if (batch_decode(batch, column_blob(statement, 5), column_blob(statement, 4), &fault) ==
		0) {
		*ret = batch;
		return 0;
	}
	batch_unref(batch);
	return statement_damaged(store, reterr, fault.text);
}

int kept_each(struct store *store, const struct kept_span *span,
	int (*each)(const struct kept_batch *batch, void *userdata), void *userdata,
	struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	int64_t last = 0;
	bool row = true;
	int r = statement_prepare(store,
		BATCH_COLUMNS " WHERE b.number > ?4 AND (?1 IS NULL OR s.name = ?1)"
			      " AND b.accepted_time >= ?2 AND b.accepted_time < ?3"
			      " ORDER BY b.number LIMIT 1",
		&statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, span->source);
	sqlite3_bind_int64(statement, 2, span->from_time);
	sqlite3_bind_int64(statement, 3, span->to_time);
	while (!r) {
		struct batch *batch = NULL;
		bool waits;

		sqlite3_bind_int64(statement, 4, last);
		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			break;
		waits = sqlite3_column_int(statement, 6) != 0;
		r = read_batch(store, statement, &batch, reterr);
		/* EACH may take long (a pager): an open statement would keep the log from being
		 * emptied */
		sqlite3_reset(statement);
		if (!batch)
			break;
		last = batch->number;
		r = each(&(struct kept_batch){batch, waits}, userdata);
		batch_unref(batch);
	}
	return r;
}

int kept_get(struct store *store, int64_t number, struct batch **ret, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_prepare(store, BATCH_COLUMNS " WHERE b.number = ?1", &statement, reterr);

	*ret = NULL;
	if (r)
		return r;
	sqlite3_bind_int64(statement, 1, number);
	r = statement_step(store, statement, &row, reterr);
	return r || !row ? r : read_batch(store, statement, ret, reterr);
}

/* --- keys --- */

static bool is_one(const char *key, const struct id *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(key, &keys[i], sizeof(keys[i])) == 0)
			return true;
	return false;
}

static void find_among(sqlite3_stmt *statement, const struct id *keys, size_t n,
	void (*each)(const struct kept_place *place, void *userdata), void *userdata)
{
	struct slice there = column_blob(statement, 1);
	struct kept_place place = {
		.source = (const char *)sqlite3_column_text(statement, 2),
		.number = sqlite3_column_int64(statement, 0),
		.time = sqlite3_column_int64(statement, 3),
		.has_body = sqlite3_column_int(statement, 4) != 0,
		.waits = sqlite3_column_int(statement, 5) != 0,
		.sinks = (const char *)sqlite3_column_text(statement, 6),
	};

	for (; (place.index + 1) * sizeof(*keys) <= there.size; place.index++)
		if (is_one(there.data + place.index * sizeof(*keys), keys, n))
			each(&place, userdata);
}

/* For which sinks the batch b waits. */
#define WAITS_FOR                                                                                  \
	"CASE WHEN b.number > s.released THEN (SELECT group_concat(n.name, ', ')"                  \
	" FROM routes r JOIN sinks n ON n.id = r.sink WHERE r.source = b.source"                   \
	" AND b.number > max(n.acknowledged, coalesce(r.after, 0))) END"

int kept_find(struct store *store, const struct id *keys, size_t n,
	void (*each)(const struct kept_place *place, void *userdata), void *userdata,
	struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	bool row = true;
	int r = statement_prepare(store,
		"SELECT k.number, k.keys, s.name, coalesce(b.accepted_time, k.newest_time),"
		" b.number IS NOT NULL, b.number > s.released, " WAITS_FOR
		" FROM batch_keys k JOIN sources s ON s.id = abs(k.source)"
		" LEFT JOIN batches b ON b.number = k.number"
		" UNION ALL SELECT b.number, b.keys, s.name, b.accepted_time, 1,"
		" b.number > s.released, " WAITS_FOR
		" FROM batches b JOIN sources s ON s.id = b.source WHERE b.keys IS NOT NULL ORDER BY 1",
		&statement, reterr);

	while (!r) {
		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			break;
		find_among(statement, keys, n, each, userdata);
	}
	return r;
}
