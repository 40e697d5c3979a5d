/*
 * The schema as numbered steps, and the judgement whether a file is ours at all. A step, once
 * released, is never changed: a change of the schema is one more step at the end. user_version
 * counts the steps done, application_id tells our file from any other SQLite database.
 */
#include "store/store_internal.h"

#include <stdio.h>

#include "base/cleanup.h"

#define APPLICATION_ID 0x7472776c /* "trwl" */

/*
 * number is never reused (AUTOINCREMENT), also when every row is gone: sinks compare with it.
 * A batch's keys are in batch_keys where they serve dedupe. They outlive its body and are deleted
 * by expiry; while the body is still there, expiry only negates their source, and they go with the
 * body. Other keys are in the batch's own row. body comes last, so that the other columns are read
 * without its overflow pages; the index answers counts and sums alone.
 */
static const char step_1[] =
	"CREATE TABLE sources("
	" id INTEGER PRIMARY KEY,"
	" name TEXT NOT NULL UNIQUE,"
	" cursor TEXT,"
	" updated_time INTEGER NOT NULL);"
	"CREATE TABLE batches("
	" number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" source INTEGER NOT NULL,"
	" provider TEXT NOT NULL,"
	" accepted_time INTEGER NOT NULL,"
	" n_records INTEGER NOT NULL,"
	" size INTEGER NOT NULL,"
	" keys BLOB,"
	" body BLOB NOT NULL);"
	"CREATE INDEX batches_by_source ON batches(source, number, size, n_records);"
	"CREATE TABLE batch_keys("
	" number INTEGER PRIMARY KEY,"
	" source INTEGER NOT NULL,"
	" newest_time INTEGER NOT NULL,"
	" n_keys INTEGER NOT NULL,"
	" keys BLOB NOT NULL);"
	"CREATE INDEX batch_keys_by_time ON batch_keys(source, newest_time, n_keys);"
	"CREATE TABLE sinks("
	" name TEXT PRIMARY KEY,"
	" acknowledged INTEGER NOT NULL,"
	" position TEXT) WITHOUT ROWID;";

/*
 * Which batches wait for which sink is a fact of the state, not of the configuration of the day: a
 * route gives a sink every batch of a source above the number in after. Where an older trawld left
 * batches that some sink did not have, it is not known for which: after is NULL there until a
 * configuration is adopted (routes.c). Sinks have a row ID for it; kind, start and the times of a
 * pause are what the last configuration or command said, NULL: not known, or not paused.
 */
static const char step_2[] =
	"CREATE TABLE sinks_2("
	" id INTEGER PRIMARY KEY,"
	" name TEXT NOT NULL UNIQUE,"
	" acknowledged INTEGER NOT NULL,"
	" position TEXT,"
	" kind TEXT,"
	" paused_time INTEGER);"
	"INSERT INTO sinks_2(name, acknowledged, position)"
	" SELECT name, acknowledged, position FROM sinks;"
	"DROP TABLE sinks;"
	"ALTER TABLE sinks_2 RENAME TO sinks;"
	"ALTER TABLE sources ADD COLUMN start TEXT;"
	"ALTER TABLE sources ADD COLUMN paused_time INTEGER;"
	"CREATE TABLE routes("
	" source INTEGER NOT NULL,"
	" sink INTEGER NOT NULL,"
	" after INTEGER,"
	" PRIMARY KEY(source, sink)) WITHOUT ROWID;"
	"INSERT INTO routes(source, sink) SELECT b.source, k.id FROM sinks k JOIN"
	" (SELECT source, max(number) AS last FROM batches GROUP BY source) b"
	" ON b.last > k.acknowledged;";

/*
 * Gaps (coverage.h). state is 'gap' in every row so far; a source is named by text, since its row
 * in sources may go.
 */
static const char step_3[] =
	"CREATE TABLE coverage("
	" number INTEGER PRIMARY KEY,"
	" source TEXT NOT NULL,"
	" start_time INTEGER NOT NULL,"
	" end_time INTEGER NOT NULL,"
	" state TEXT NOT NULL,"
	" reason TEXT NOT NULL,"
	" found_time INTEGER NOT NULL,"
	" acknowledged_time INTEGER,"
	" acknowledged_by TEXT);"
	"CREATE INDEX coverage_by_source ON coverage(source, start_time);"
	"CREATE INDEX coverage_open ON coverage(source) WHERE acknowledged_time IS NULL;";

/* How often something was committed: see witness.c. */
static const char step_4[] = "CREATE TABLE commits(number INTEGER NOT NULL);"
			     "INSERT INTO commits VALUES(0);";

/* What was read is in coverage, too: state is then 'full' or 'chain', and found_time the last time
 * it was said. */
static const char step_5[] = "DROP INDEX coverage_open;"
			     "CREATE INDEX coverage_open ON coverage(source)"
			     " WHERE acknowledged_time IS NULL AND state = 'gap';";

/* The cursor before the last rewind. */
static const char step_6[] = "ALTER TABLE sources ADD COLUMN previous TEXT;";

/* What tells this state from others where several write to one receiver; a copy has the same. */
static const char step_7[] = "CREATE TABLE identity(id TEXT NOT NULL);"
			     "INSERT INTO identity VALUES(lower(hex(randomblob(8))));";

/* What was done to the state: see events.h. */
static const char step_8[] = "CREATE TABLE events("
			     " number INTEGER PRIMARY KEY,"
			     " time INTEGER NOT NULL,"
			     " kind TEXT NOT NULL,"
			     " text TEXT,"
			     " line TEXT NOT NULL);";

/* When a gap was read after all. */
static const char step_9[] =
	"ALTER TABLE coverage ADD COLUMN refilled_time INTEGER;"
	"DROP INDEX coverage_open;"
	"CREATE INDEX coverage_open ON coverage(source)"
	" WHERE acknowledged_time IS NULL AND refilled_time IS NULL AND state = 'gap';";

/* For reconciliations: see reconcile.h. */
static const char step_10[] = "ALTER TABLE batch_keys ADD COLUMN times BLOB;"
			      "CREATE TABLE reconciled("
			      " source TEXT NOT NULL,"
			      " delay INTEGER NOT NULL,"
			      " until_time INTEGER NOT NULL,"
			      " shape TEXT NOT NULL,"
			      " PRIMARY KEY(source, delay)) WITHOUT ROWID;";

/* Up to which batch every sink has what is in the source's batches: bodies up to there are kept,
 * see kept.h, and do not wait. */
static const char step_11[] = "ALTER TABLE sources ADD COLUMN released INTEGER NOT NULL DEFAULT 0;";

/* A position belongs to a host where it is worth something on that one only: see
 * spool_sink_of_host; '' stands for all of them. Each table has a primary key: mirror.c. */
static const char step_12[] =
	"CREATE TABLE sink_positions("
	" sink INTEGER NOT NULL,"
	" node TEXT NOT NULL,"
	" position TEXT NOT NULL,"
	" PRIMARY KEY(sink, node)) WITHOUT ROWID;"
	"INSERT INTO sink_positions(sink, node, position) SELECT id, '', position FROM sinks"
	" WHERE position IS NOT NULL;"
	"ALTER TABLE sinks DROP COLUMN position;"
	"CREATE TABLE commits_12(id INTEGER PRIMARY KEY, number INTEGER NOT NULL);"
	"INSERT INTO commits_12(id, number) SELECT 1, number FROM commits;"
	"DROP TABLE commits;"
	"ALTER TABLE commits_12 RENAME TO commits;"
	"CREATE TABLE identity_12(id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;"
	"INSERT INTO identity_12(id) SELECT id FROM identity;"
	"DROP TABLE identity;"
	"ALTER TABLE identity_12 RENAME TO identity;";

/* See replays.h. */
static const char step_13[] = "CREATE TABLE replays("
			      " sink TEXT PRIMARY KEY,"
			      " number INTEGER NOT NULL,"
			      " source TEXT,"
			      " from_time INTEGER NOT NULL,"
			      " to_time INTEGER NOT NULL,"
			      " until INTEGER NOT NULL,"
			      " n_records INTEGER NOT NULL,"
			      " state TEXT NOT NULL,"
			      " after INTEGER NOT NULL,"
			      " plan TEXT NOT NULL,"
			      " n_delivered INTEGER NOT NULL,"
			      " n_rejected INTEGER NOT NULL,"
			      " n_filtered INTEGER NOT NULL,"
			      " text TEXT NOT NULL) WITHOUT ROWID;";

/* See moved.h. */
static const char step_14[] = "CREATE TABLE moved(id INTEGER PRIMARY KEY, moved_to TEXT NOT NULL);";

/* How late records came that the reconciliation has found, see reconcile.h. NULL is 0: rows of
 * PostgreSQL that were there before have no value. */
static const char step_15[] = "ALTER TABLE reconciled ADD COLUMN late INTEGER;";

/* Under which name the records of a batch were accepted, where their source has another one since.
 * What was sent of them and not acknowledged is sent again as it was. */
static const char step_16[] =
	"CREATE TABLE batch_names(number INTEGER PRIMARY KEY, name TEXT NOT NULL);";

/* No table changes: plans of jobs (delivery_plan.c) now name the sink and the compression, which
 * earlier versions cannot read. They would send what is in hand under other keys. */
static const char step_17[] = "";

static const char *const steps[] = {
	step_1,
	step_2,
	step_3,
	step_4,
	step_5,
	step_6,
	step_7,
	step_8,
	step_9,
	step_10,
	step_11,
	step_12,
	step_13,
	step_14,
	step_15,
	step_16,
	step_17,
};

const struct schema schema_current = {
	.steps = steps,
	.n_steps = (int)(sizeof(steps) / sizeof(steps[0])),
};

int store_schema_version(void)
{
	return schema_current.n_steps;
}

int schema_judge(struct store *store, const struct schema *schema, enum schema_state *ret_state,
	int *ret_version, struct fault *reterr)
{
	int64_t application = 0, version = 0, n_objects = 0;
	int r;

	r = statement_number(store, "PRAGMA application_id", &application, reterr);
	if (!r)
		r = statement_number(store, "PRAGMA user_version", &version, reterr);
	if (!r)
		r = statement_number(
			store, "SELECT count(*) FROM sqlite_schema", &n_objects, reterr);
	if (r)
		return r;
	if (application == 0 && version == 0 && n_objects == 0) {
		*ret_state = SCHEMA_FRESH;
		*ret_version = 0;
		return 0;
	}
	if (application != APPLICATION_ID) {
		fault_set(reterr, FAULT_STORE,
			"%s is a database of another program: move it away, or set another state_directory",
			store->path);
		return STORE_E_CORRUPT;
	}
	if (version > schema->n_steps) {
		fault_set(reterr, FAULT_STORE,
			"%s was written by a newer trawld (schema %lld, this one knows up to %d): install that version again",
			store->path, (long long)version, schema->n_steps);
		return STORE_E_UNUSABLE;
	}
	if (version < 1)
		return statement_damaged(store, reterr, "the schema has no version");
	*ret_state = SCHEMA_OURS;
	*ret_version = (int)version;
	return 0;
}

/* The steps inside the open transaction. */
static int carry_out(
	struct store *store, const struct schema *schema, int version, struct fault *reterr)
{
	char sql[96];
	int r = 0;

	for (int i = version; i < schema->n_steps && !r; i++)
		r = statement_exec(store, schema->steps[i], reterr);
	if (r)
		return r;
	snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		APPLICATION_ID, schema->n_steps);
	return statement_exec(store, sql, reterr);
}

int schema_migrate(
	struct store *store, const struct schema *schema, int version, struct fault *reterr)
{
	int r;

	if (version == schema->n_steps)
		return 0;
	r = statement_exec(store, "BEGIN IMMEDIATE", reterr);
	if (r)
		return r;
	r = carry_out(store, schema, version, reterr);
	if (!r)
		r = statement_exec(store, "COMMIT", reterr);
	if (r && !sqlite3_get_autocommit(store->db))
		statement_exec(store, "ROLLBACK", NULL);
	return r;
}
