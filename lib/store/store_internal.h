/*
 * What the files of lib/store share and nobody else sees: the open database, what is collected for
 * the next commit, the prepared statements, and the one translation of SQLite's codes into
 * outcomes.
 */
#ifndef TRAWLD_STORE_INTERNAL_H
#define TRAWLD_STORE_INTERNAL_H

#include <sqlite3.h>
#include <sys/types.h>

#include "store/backend.h"
#include "store/batch.h"
#include "store/commit.h"
#include "store/coverage.h"
#include "store/database.h"
#include "store/pool.h"

#include "base/merkle.h"
#include "base/names.h"
#include "base/steady.h"

#define STORE_PAGE_SIZE 2048 /* of a new file; keep the text in database.c the same */

/* Steps of the schema: the i-th (from 0) leads from user_version i to i + 1. */
struct schema {
	const char *const *steps;
	int n_steps; /* the version that this schema is */
};
extern const struct schema schema_current;

/* What a database file is, before anything is written to it. */
enum schema_state {
	SCHEMA_FRESH, /* nothing in it yet */
	SCHEMA_OURS, /* of this version or an older one */
};

/* Prepared on first use, kept until store_close. */
enum statement {
	STATEMENT_READ,
	STATEMENT_WRITE,
	STATEMENT_COMMIT,
	STATEMENT_COMMITS,
	STATEMENT_COMMITS_ADD,
	STATEMENT_ROLLBACK,
	STATEMENT_SOURCE_PUT,
	STATEMENT_BATCH_PUT,
	STATEMENT_KEYS_PUT,
	STATEMENT_SINK_ACK,
	STATEMENT_SINK_ENTER,
	STATEMENT_SINK_POSITION,
	STATEMENT_RELEASE_SIZE,
	STATEMENT_RELEASE,
	STATEMENT_RELEASE_KEYS,
	STATEMENT_KEEP,
	STATEMENT_EXPIRE_LATER,
	STATEMENT_EXPIRE,
	STATEMENT_KEPT_DROP,
	STATEMENT_KEPT_DROP_KEYS,
	STATEMENT_KEPT_LIST,
	STATEMENT_KEPT_TOTALS,
	STATEMENT_CURSOR_GET,
	STATEMENT_CURSOR_LIST,
	STATEMENT_SOURCE_LIST,
	STATEMENT_BATCH_FIND,
	STATEMENT_BATCH_GET,
	STATEMENT_BATCH_COUNT,
	STATEMENT_BATCH_BYTES,
	STATEMENT_BATCH_LAST,
	STATEMENT_SINK_GET,
	STATEMENT_COVER_BOUNDS,
	STATEMENT_COVER_CUT,
	STATEMENT_COVER_DROP,
	STATEMENT_COVER_EXTEND,
	STATEMENT_COVER_EXTEND_BACK,
	STATEMENT_COVER_LIST,
	STATEMENT_COVER_PUT,
	STATEMENT_COVER_REMOVE,
	STATEMENT_COVER_UNTIL,
	STATEMENT_EVENT_LAST,
	STATEMENT_EVENT_LIST,
	STATEMENT_EVENT_PUT,
	STATEMENT_GAP_ACKNOWLEDGE,
	STATEMENT_GAP_COUNT,
	STATEMENT_GAP_CUT,
	STATEMENT_GAP_EXTEND,
	STATEMENT_GAP_LIST,
	STATEMENT_GAP_OLDEST,
	STATEMENT_GAP_PUT,
	STATEMENT_GAP_REFILL,
	STATEMENT_KEYS_COUNT,
	STATEMENT_KEYS_GUESS,
	STATEMENT_KEYS_LIST,
	STATEMENT_PAGE_COUNT,
	STATEMENT_FREE_COUNT,
	STATEMENT_REPLAY_GET,
	STATEMENT_REPLAY_NEXT,
	STATEMENT_REPLAY_PUT,
	STATEMENT_RECONCILED_FIND,
	STATEMENT_SHRINK,
	N_STATEMENTS
};

/* A source that has state, or will have it with the next commit. */
struct store_source {
	const char *name;
	int64_t id; /* of its row; 0: not committed yet */
	int64_t last; /* the number of its newest batch; 0: none waits or has come since open */
	int64_t released; /* none waits up to this number; what is there is kept */
	struct store_source *newer, *older; /* by LAST; not linked while that is 0 */
	uint64_t n_open_gaps;
	nsec_t covered_time; /* the end of what was read; NSEC_NONE: nothing */
	size_t mark; /* among what is collected, counted from 1; 0: none */
};

struct store_sink {
	const char *name;
	size_t mark; /* likewise */
	bool of_host; /* its position is worth something on this host only */
};

/* Both by name. Entries keep their address until store_close. */
struct catalog {
	struct names source_names;
	struct store_source **sources; /* by handle */
	size_t sources_capacity;
	struct store_source *newest; /* begins the list of those with a batch */
	struct names sink_names;
	struct store_sink **sinks; /* by handle */
	size_t sinks_capacity;
};

/* A page that waits for its commit. */
struct pending_page {
	struct store_source *source;
	struct batch *batch; /* a reference, or NULL */
	struct buf encoded; /* of batch */
	char *cursor; /* NULL: stays */
	commit_done_fn done;
	void *userdata;
	int64_t source_id; /* as found or inserted by the running transaction */
	int64_t number; /* as inserted by the running transaction */
};

/* What is to change of a source. */
struct source_mark {
	struct store_source *source;
	int64_t release; /* its bodies up to this number go; 0: none */
	nsec_t expiry; /* its keys before this time go; NSEC_NONE: none */
	nsec_t expiry_from; /* only those from here on; NSEC_NONE: all */
};

struct replay_progress;

/* What is to change of a sink; written in this order. */
struct sink_mark {
	struct store_sink *sink;
	bool entered; /* at ENTRY, unless it is in the table */
	bool acknowledged;
	int64_t entry;
	int64_t number; /* acknowledged */
	char *position; /* that belongs to it; NULL: unchanged */
	struct replay_progress *replay; /* NULL: unchanged */
};

enum note_kind {
	NOTE_GAP,
	NOTE_ACKNOWLEDGEMENT, /* of the open gaps of SOURCE (NULL: of all), BY a person who asked at
				  END_TIME */
	NOTE_COVERED, /* START_TIME to END_TIME was read */
	NOTE_RETRACTION, /* what is after START_TIME was not read after all */
	NOTE_REFILL, /* START_TIME to END_TIME was read again: no gap is open there */
};

struct pending_note {
	enum note_kind kind;
	char *source;
	char *by;
	nsec_t start_time, end_time;
	enum gap_reason reason;
	bool chain; /* covered on the word of the API's cursor */
	nsec_t time; /* of the note */
};

struct pending_event {
	const char *kind;
	char *source, *sink, *by, *text; /* or NULL */
	nsec_t time;
	char *line; /* as the running transaction has written it */
};

/* What a transaction releases. */
struct released {
	uint64_t bytes, n_records;
};

/* What belongs into one transaction. */
struct uncommitted {
	struct pending_page *pages;
	size_t n_pages, pages_capacity;
	size_t pages_encoded; /* bytes of encoded bodies among them */
	size_t pages_memory; /* bytes of memory that they hold */
	struct pending_note *notes;
	size_t n_notes, notes_capacity;
	struct pending_event *events;
	size_t n_events, events_capacity;
	struct source_mark *sources; /* each source once */
	size_t n_sources, sources_capacity;
	struct sink_mark *sinks; /* each sink once */
	size_t n_sinks, sinks_capacity;
	struct released released; /* by the running transaction */
};

/* How far what is under way has come. */
enum under_way {
	UNDER_WAY_OPEN, /* it is to be written, perhaps again */
	UNDER_WAY_SENT, /* the backend has not answered */
	UNDER_WAY_SETTLED, /* committed; whoever waits for it has not been told */
};

/* Released bodies that are kept: kept.c. */
struct kept {
	nsec_t age_ns; /* of keep; 0: none are */
	uint64_t limit;
	uint64_t bytes, n_records; /* that are there */
	int64_t from; /* none has a lower number */
	int64_t held_after; /* of a higher number none goes because of its age */
	nsec_t oldest_time; /* when the first of them was accepted; NSEC_NONE: to be looked up */
	nsec_t told_at; /* that some went before their time; NSEC_NONE: never */
	struct steady clock; /* a host's that is set ahead makes nothing go at once */
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statements[N_STATEMENTS];
	enum store_mode mode;
	char *path; /* of trawld.db */
	int lock_fd; /* -1: STORE_READ */
	int witness_fd; /* -1: none */
	int64_t page_size; /* of the file, which an earlier version may have made */
	int64_t n_commits; /* that the file has */
	int64_t n_witnessed; /* that the witness knew at the start */
	int64_t n_lost; /* that it had, and has no more */
	char id[STORE_ID_SIZE]; /* "" with STORE_READ */
	dev_t device; /* of trawld.db as it was opened */
	ino_t inode;

	bool is_new; /* until a configuration is adopted */
	int64_t last_number; /* committed */
	uint64_t committed_bytes; /* encoded bodies that wait in the file */
	struct kept kept;

	struct uncommitted collected; /* for the next transaction */
	struct uncommitted under_way; /* in this one */
	enum under_way progress; /* of it */
	struct store_backend *backend; /* NULL: this file alone is the state */
	struct mirror *mirror; /* with a backend */
	struct backend_change *change; /* sent, not answered; NULL: none */
	bool lost; /* the hold on the state: nothing is written any more */
	struct fault lost_fault;
	char *node; /* whose positions are used; "" without a backend */
	struct merkle events_tree; /* of the lines that are committed */
	struct catalog catalog;
	struct buf scratch; /* for encoding */
	struct batch_pool pool;
	unsigned n_loading; /* windows that are being read: see window.c */
};

/* --- database.c --- */

/* store_open with another schema: the seam for tests of migration. */
int database_open(struct store **ret, const char *directory, enum store_mode mode,
	const struct schema *schema, struct fault *reterr);

/* In two steps: the file is not opened yet; it is, or STORE is closed. */
struct store *database_new(enum store_mode mode, const char *directory, const char *file);
int database_open_new(struct store **ret, struct store *store, const char *directory,
	const struct schema *schema, struct fault *reterr);

/* STORE_E_CORRUPT when trawld.db is no longer the file that was opened. */
int database_check_place(const struct store *store, struct fault *reterr);

/* --- copy.c --- */

/* Of this process, or what one before has left. */
void copy_remove(const struct store *store);
/* With the lock: copies that earlier processes have left in DIRECTORY, of any shard. */
void copy_remove_left(const char *directory);
/* Makes the tables, and puts in what the backend keeps. */
int copy_fill(struct store *store, const struct schema *schema, struct fault *reterr);
/* What the backend does not have yet, or in another form. */
int copy_send(struct store *store, const struct schema *schema, struct fault *reterr);

/* --- schema.c --- */

/* Judges the file by application_id, user_version and content; writes nothing. A foreign database
 * is STORE_E_CORRUPT, a newer one STORE_E_UNUSABLE. */
int schema_judge(struct store *store, const struct schema *schema, enum schema_state *ret_state,
	int *ret_version, struct fault *reterr);

/* Carries out the steps from VERSION on, all in one transaction. */
int schema_migrate(
	struct store *store, const struct schema *schema, int version, struct fault *reterr);

/* --- statement.c --- */

/* Fills *RETERR for the SQLite code CODE and answers STORE_E_FULL (may pass) or STORE_E_CORRUPT. */
int statement_fault(const struct store *store, int code, struct fault *reterr);

/* The words for "this file is damaged", WHY being what was found. Answers STORE_E_CORRUPT. */
int statement_damaged(const struct store *store, struct fault *reterr, const char *why);
/* R, of opening the file: where SQLite calls a page damaged that it could not read, STORE_E_FULL.
 */
int statement_judge(const struct store *store, int r, struct fault *reterr);

/* Runs SQL text (several statements allowed). 0 or STORE_E_*. */
int statement_exec(struct store *store, const char *sql, struct fault *reterr);

/* Prepares SQL for one use; CLEANUP(statement_finalize) gives it back. 0 or STORE_E_*. */
int statement_prepare(
	struct store *store, const char *sql, sqlite3_stmt **ret, struct fault *reterr);

/* Prepares SQL, reads the first column of its first row. 0 or STORE_E_*. */
int statement_number(struct store *store, const char *sql, int64_t *ret, struct fault *reterr);

/* The prepared statement WHICH, ready for bindings; give it back with CLEANUP_STATEMENT, so that no
 * cursor stays open. 0 or STORE_E_*. */
int statement_get(
	struct store *store, enum statement which, sqlite3_stmt **ret, struct fault *reterr);
void statement_release(sqlite3_stmt **statement);
void statement_finalize(sqlite3_stmt **statement); /* for those that are not kept */
#define CLEANUP_STATEMENT CLEANUP(statement_release)

/* One step: *RET_ROW says whether there is a row. 0 or STORE_E_*. */
int statement_step(
	struct store *store, sqlite3_stmt *statement, bool *ret_row, struct fault *reterr);

/* Steps to the end, rows are ignored. 0 or STORE_E_*. */
int statement_finish(struct store *store, sqlite3_stmt *statement, struct fault *reterr);

/* Gets and finishes a statement without parameters. 0 or STORE_E_*. */
int statement_run(struct store *store, enum statement which, struct fault *reterr);

/* Prepares all: a schema that lacks something is found at open. */
int statement_check(struct store *store, struct fault *reterr);

/* Binds a text of at most INT_MAX bytes that stays valid until the statement is released. */
void statement_bind_text(sqlite3_stmt *statement, int index, const char *text);

void statement_deinit(struct store *store);

/* --- witness.c --- */

/* Opens the witness in DIRECTORY: store->n_witnessed is how many commits it knows. Without a
 * witness (or space for one) nothing is known. 0, or STORE_E_*: it cannot be read. */
int witness_open(struct store *store, const char *directory, struct fault *reterr);
/* As committed. */
void witness_write(const struct store *store);

/* --- coverage.c --- */

/* Writes what is under way, inside the open transaction. */
int coverage_write(struct store *store, struct fault *reterr);
/* That is committed. */
void coverage_settle(struct store *store);
void note_deinit(struct pending_note *note);
/* Counts the open gaps of every source. */
int coverage_count(struct store *store, struct fault *reterr);
/* Reads up to when each source was read. */
int coverage_load(struct store *store, struct fault *reterr);

/* --- events.c --- */

/* Of SET, the events from index FIRST on: writes them inside the open transaction; they are
 * committed; they are not to happen. */
int events_write(struct store *store, struct uncommitted *set, size_t first, struct fault *reterr);
void events_settle(struct store *store, struct uncommitted *set, size_t first);
void events_drop(struct uncommitted *set, size_t first);
/* The end of a transaction that has its own events, those from FIRST on of what is collected. R:
 * how it went so far; if 0, they are written and it is committed, else or on a failure of that it
 * is rolled back and they are dropped. 0 or STORE_E_*. */
int events_commit(struct store *store, size_t first, int r, struct fault *reterr);
/* Reads the lines that are committed. */
int events_load(struct store *store, struct fault *reterr);

/* --- kept.c --- */

/* Counts what is kept. */
int kept_load(struct store *store, struct fault *reterr);
/* Inside the open transaction: what MARK says is released. */
int kept_release(struct store *store, const struct source_mark *mark, struct released *sum,
	struct fault *reterr);
/* What is under way is committed; before the numbers of the sources say so. */
void kept_settle(struct store *store);

/* --- replays.c --- */

/* Inside the open transaction: the replay of the sink of MARK is as far as is collected. */
int replays_write(struct store *store, const struct sink_mark *mark, struct fault *reterr);

/* --- catalog.c --- */

/* Reads the sources that have a row. */
int catalog_load(struct store *store, struct fault *reterr);
struct store_source *catalog_find_source(const struct store *store, const char *name); /* or NULL */
struct store_source *catalog_source(struct store *store, const char *name); /* added if need be */
struct store_sink *catalog_sink(struct store *store, const char *name); /* added if need be */
/* The source NAME has lost its row to TO, which has the row ID, and LAST is its newest batch that
 * waits (0: none does); up to RELEASED nothing does. */
void catalog_renamed(struct store *store, const char *name, const char *to, int64_t id,
	int64_t last, int64_t released);
/* NUMBER, the highest so far, is committed and belongs to SOURCE. */
void catalog_touch(struct store *store, struct store_source *source, int64_t number);
void catalog_deinit(struct store *store);

/* --- routes.c, change.c --- */

/* The records of a route r of the sink k that wait, as a scalar in SQL. */
#define ROUTES_WAITING                                                                             \
	"(SELECT coalesce(sum(b.n_records), 0) FROM batches b WHERE b.source = r.source"           \
	" AND b.number > max(k.acknowledged, coalesce(r.after, 0)))"

/* After sinks were deleted. */
#define SINK_POSITIONS_FORGET "DELETE FROM sink_positions WHERE sink NOT IN (SELECT id FROM sinks)"

struct routes_change;
/* Inside a transaction, with the configuration in the temporary tables wanted_*. */
int change_carry_out(struct store *store, struct routes_change *change, struct fault *reterr);

/* --- transaction.c --- */

/* Every change of the state is between these two. _end commits it (R 0: so far all went well) or
 * undoes it; with a backend it waits for the answer, and gives the hold on the state up rather than
 * leave a change in doubt. _begin has nothing under way behind it: it waits for that, shortly.
 * 0 or STORE_E_*. */
int transaction_begin(struct store *store, struct fault *reterr);
int transaction_end(struct store *store, int r, struct fault *reterr);
/* As _end without waiting: STORE_E_WAIT, and transaction_answer says later what became of it (0;
 * STORE_E_WAIT; STORE_E_FULL: nothing has changed; STORE_E_LOST), waiting up to PATIENCE_NS. */
int transaction_send(struct store *store, int r, struct fault *reterr);
int transaction_answer(struct store *store, nsec_t patience_ns, struct fault *reterr);
/* Sends all rows that the copy has, and waits. */
int transaction_send_all(struct store *store, struct fault *reterr);

/* --- mirror.c --- */

struct mirror *mirror_new(struct store *store, struct fault *reterr); /* NULL: *RETERR */
void mirror_free(struct mirror *mirror); /* NULL allowed */
/* Inside a transaction: what it changes from now on; _take fetches it (*RET stays NULL:
 * nothing has changed), _stop ends it. */
int mirror_begin(struct store *store, struct fault *reterr);
void mirror_stop(struct store *store);
int mirror_take(struct store *store, struct backend_change **ret, struct fault *reterr);
/* All rows there are. */
struct backend_change *mirror_all(struct store *store, int64_t last_number);
/* Carries out CHANGE, which was undone, again. */
int mirror_apply(struct store *store, const struct backend_change *change, struct fault *reterr);
void backend_change_free(struct backend_change *change); /* NULL allowed */

/* --- uncommitted.c --- */

bool uncommitted_is_empty(const struct uncommitted *set);
void uncommitted_deinit(struct uncommitted *set);
/* What is collected for it, which may be changed; added if need be. */
struct source_mark *uncommitted_source(struct store *store, struct store_source *source);
struct sink_mark *uncommitted_sink(struct store *store, struct store_sink *sink);
/* The sink enters the table at *RET_NUMBER when what is collected or under way is committed. */
bool uncommitted_entry(
	const struct store *store, const struct store_sink *sink, int64_t *ret_number);
/* What is collected is under way. */
void uncommitted_take(struct store *store);

/* --- commit.c --- */

/* SINK enters the table at NUMBER, unless it is there. */
void commit_add_sink_entry(struct store *store, const char *sink, int64_t number);
/* What is under way is answered, within PATIENCE_NS; who waits for it is told by the next
 * commit_run. 0, also if it is to be written again; STORE_E_WAIT or STORE_E_LOST. */
int commit_await(struct store *store, nsec_t patience_ns, struct fault *reterr);
/* Drops everything that is not committed; DONE is not called. */
void commit_drop(struct store *store);

#endif
