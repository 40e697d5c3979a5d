/*
 * Who holds a shard. The database's clock decides when a lease is over, which is only a matter of
 * when somebody else may work: that no two processes commit is decided by holder and version in
 * each commit (pipeline.c).
 */
#include "store/postgresql/internal.h"

#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"

/* Of the lease, after it was renewed: time enough to be silent before anybody else speaks. */
#define SILENT_AFTER(lease_ns) ((lease_ns) / 10 * 7)

char *lease_session_name(const struct postgresql *postgresql)
{
	return mem_printf("trawld:%s:%s", postgresql->cluster, postgresql->shard_text);
}

/* A commit that reached the server by half holds its rows for hours, if its sender is gone without
 * a word; and a session that still works must not commit what the next holder has not seen. */
void lease_print_end(const struct postgresql *postgresql, struct buf *sql)
{
	buf_printf(sql,
		"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
		" WHERE application_name = 'trawld:%s:%s' AND pid <> pg_backend_pid();",
		postgresql->cluster, postgresql->shard_text);
}

static void print_lease(const struct postgresql *postgresql, struct buf *sql)
{
	buf_printf(sql, "clock_timestamp() + interval '%lld milliseconds'",
		(long long)(postgresql->lease_ns / NSEC_PER_MSEC));
}

void lease_print_renew(const struct postgresql *postgresql, const char *more, struct buf *sql)
{
	buf_printf(sql, "UPDATE %s.shards SET %sexpires = ", postgresql->schema, more);
	print_lease(postgresql, sql);
	buf_printf(sql, " WHERE cluster = '%s' AND shard = %s AND holder = '%s'",
		postgresql->cluster, postgresql->shard_text, postgresql->holder);
}

void lease_renewed(struct postgresql *postgresql, nsec_t sent_boot)
{
	nsec_t until_boot = sent_boot + SILENT_AFTER(postgresql->lease_ns);

	if (until_boot > postgresql->until_boot)
		postgresql->until_boot = until_boot;
}

nsec_t lease_until_boot(const struct postgresql *postgresql)
{
	nsec_t sent_boot = away_sent_boot(postgresql);
	nsec_t until_boot = sent_boot ? sent_boot + SILENT_AFTER(postgresql->lease_ns) : 0;

	return until_boot > postgresql->until_boot ? until_boot : postgresql->until_boot;
}

void lease_release(struct postgresql *postgresql)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;

	if (PQpipelineStatus(postgresql->connection) != PQ_PIPELINE_OFF &&
		!PQexitPipelineMode(postgresql->connection))
		return;
	buf_printf(&sql,
		"UPDATE %s.shards SET expires = '-infinity' WHERE cluster = '%s' AND shard = %s"
		" AND holder = '%s'; NOTIFY \"trawld_%s\", '%s'",
		postgresql->schema, postgresql->cluster, postgresql->shard_text, postgresql->holder,
		postgresql->cluster, postgresql->shard_text);
	PQclear(connection_query(postgresql->connection, buf_text(&sql), 0, NULL, NULL, NULL));
}

/* --- taking one --- */

static void print_node(const struct postgresql *postgresql, struct buf *sql)
{
	const char *said = postgresql->said;
	char *literal = said ? PQescapeLiteral(postgresql->connection, said, strlen(said)) : NULL;

	buf_printf(sql,
		"INSERT INTO %s.nodes(cluster, node, process, seen, version, status)"
		" VALUES('%s', '%s', '%s', clock_timestamp(), '" TRAWLD_VERSION "', %s)"
		" ON CONFLICT(cluster, node, process) DO UPDATE SET seen = excluded.seen,"
		" version = excluded.version, status = excluded.status;",
		postgresql->schema, postgresql->cluster, postgresql->node, postgresql->process,
		literal ? literal : "NULL");
	PQfreemem(literal);
}

/* *RET: -1: all are held. */
static int look(struct postgresql *postgresql, int64_t *ret, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	CLEANUP(result_clear) PGresult *result = NULL;

	print_node(postgresql, &sql);
	buf_printf(&sql,
		"SELECT shard FROM %s.shards WHERE cluster = '%s' AND shard < %lld"
		" AND expires < clock_timestamp() AND (%lld < 0 OR shard = %lld)"
		" ORDER BY expires, shard LIMIT 1",
		postgresql->schema, postgresql->cluster, (long long)postgresql->n_shards,
		(long long)postgresql->wanted_shard, (long long)postgresql->wanted_shard);
	result = connection_query(postgresql->connection, buf_text(&sql), 0, NULL, NULL, reterr);
	if (!result)
		return STORE_E_FULL;
	*ret = PQntuples(result) > 0 ? result_number(result, 0, 0) : -1;
	return 0;
}

/* A commit that only one server has is lost with it. */
static int check_synchronous(struct postgresql *postgresql, struct fault *reterr)
{
	CLEANUP(result_clear) PGresult *result = NULL;

	if (!postgresql->require_synchronous)
		return 0;
	result = connection_query(postgresql->connection,
		"SELECT current_setting('synchronous_standby_names') <> '',"
		" pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), (SELECT count(*)"
		" FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))",
		0, NULL, NULL, reterr);
	if (!result)
		return STORE_E_FULL;
	if (strcmp(PQgetvalue(result, 0, 0), "t") != 0)
		fault_set(reterr, FAULT_STORE,
			"the database has no synchronous standby (synchronous_standby_names is empty), so a failover could lose commits: set one up, or write `require_synchronous = no` in [cluster]");
	else if (strcmp(PQgetvalue(result, 0, 1), "t") != 0)
		fault_set(reterr, FAULT_STORE,
			"the database user cannot see whether there is a synchronous standby: grant it pg_monitor, or set `require_synchronous = no` in [cluster]");
	else if (result_number(result, 0, 2) == 0)
		fault_set(reterr, FAULT_STORE,
			"no synchronous standby of the database is connected, so a failover could lose commits: check it, or set `require_synchronous = no` in [cluster]");
	else
		return 0;
	return STORE_E_FULL;
}

static int is_true(
	struct postgresql *postgresql, const struct buf *sql, bool *ret, struct fault *reterr)
{
	CLEANUP(result_clear)
	PGresult *result =
		connection_query(postgresql->connection, buf_text(sql), 0, NULL, NULL, reterr);

	*ret = result && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
	return result ? 0 : STORE_E_FULL;
}

/* Two that see the same free shard take turns, or the second one would end the session of the
 * first, which has it by then. So the second statement must see what the first of the two has
 * committed. *RET: this one may take it. The transaction stays open. */
static int begin_taking(struct postgresql *postgresql, bool *ret, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf lock = BUF_NULL;
	CLEANUP(buf_deinit) struct buf look = BUF_NULL;
	int r;

	buf_printf(&lock,
		"BEGIN ISOLATION LEVEL READ COMMITTED;"
		" SELECT pg_try_advisory_xact_lock(hashtext('trawld:%s'), %s)",
		postgresql->cluster, postgresql->shard_text);
	buf_printf(&look,
		"SELECT EXISTS(SELECT FROM %s.shards WHERE cluster = '%s' AND shard = %s"
		" AND expires < clock_timestamp())",
		postgresql->schema, postgresql->cluster, postgresql->shard_text);
	r = is_true(postgresql, &lock, ret, reterr);
	return r || !*ret ? r : is_true(postgresql, &look, ret, reterr);
}

static int end_sessions(struct postgresql *postgresql, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	CLEANUP(result_clear) PGresult *result = NULL;

	lease_print_end(postgresql, &sql);
	result = connection_query(postgresql->connection, buf_text(&sql), 0, NULL, NULL, reterr);
	return result ? 0 : STORE_E_FULL;
}

static int end_taking(struct postgresql *postgresql, const char *how, struct fault *reterr)
{
	CLEANUP(result_clear)
	PGresult *result = connection_query(postgresql->connection, how, 0, NULL, NULL, reterr);

	return result ? 0 : STORE_E_FULL;
}

/* false: somebody else was faster, or an outcome in *RET_R. */
static bool take(struct postgresql *postgresql, int *ret_r, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	CLEANUP(result_clear) PGresult *result = NULL;
	nsec_t sent_boot = boot_clock();

	random_uuid(postgresql->holder);
	buf_printf(&sql,
		"UPDATE %s.shards SET holder = '%s', node = '%s', process = '%s',"
		" epoch = epoch + 1, acquired = clock_timestamp(), expires = ",
		postgresql->schema, postgresql->holder, postgresql->node, postgresql->process);
	print_lease(postgresql, &sql);
	buf_printf(&sql,
		" WHERE cluster = '%s' AND shard = %s AND expires < clock_timestamp()"
		" RETURNING epoch, version, last_number, format",
		postgresql->cluster, postgresql->shard_text);
	result = connection_query(postgresql->connection, buf_text(&sql), 0, NULL, NULL, reterr);
	*ret_r = result ? 0 : STORE_E_FULL;
	if (!result || PQntuples(result) == 0)
		return false;
	postgresql->epoch = result_number(result, 0, 0);
	postgresql->version = result_number(result, 0, 1);
	postgresql->last_number = result_number(result, 0, 2);
	postgresql->backend.format = (int)result_number(result, 0, 3);
	lease_renewed(postgresql, sent_boot);
	postgresql->renew_at = clock_monotonic() + postgresql->lease_ns / 3;
	return true;
}

static int name_session(struct postgresql *postgresql, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	CLEANUP(result_clear) PGresult *result = NULL;
	CLEANUP_FREE char *name = lease_session_name(postgresql);

	buf_printf(&sql, "UNLISTEN *; SET application_name = '%s'; LISTEN ", name);
	requests_print_channel(postgresql, &sql);
	result = connection_query(postgresql->connection, buf_text(&sql), 0, NULL, NULL, reterr);
	return result ? 0 : STORE_E_FULL;
}

/* Sets held, if nobody else was faster. */
static int take_free(struct postgresql *postgresql, struct fault *reterr)
{
	bool free, taken;
	int r = begin_taking(postgresql, &free, reterr);

	if (!r && free)
		r = end_sessions(postgresql, reterr);
	taken = !r && free && take(postgresql, &r, reterr);
	if (!r)
		r = end_taking(postgresql, taken ? "COMMIT" : "ROLLBACK", reterr);
	postgresql->held = !r && taken;
	return r;
}

int postgresql_acquire(struct postgresql *postgresql, struct store_backend **ret,
	int64_t *ret_shard, struct fault *reterr)
{
	PGconn *beside;
	int64_t shard;
	int r = look(postgresql, &shard, reterr);

	*ret = NULL;
	if (r || shard < 0)
		return r;
	r = check_synchronous(postgresql, reterr);
	if (r)
		return r;
	postgresql->shard = shard;
	snprintf(postgresql->shard_text, sizeof(postgresql->shard_text), "%lld", (long long)shard);
	beside = away_connect(postgresql, reterr);
	if (!beside)
		return STORE_E_FULL;
	r = take_free(postgresql, reterr);
	if (r || !postgresql->held) {
		PQfinish(beside);
		return r;
	}
	away_begin(postgresql, beside);
	r = name_session(postgresql, reterr);
	if (r)
		return r;
	if (postgresql->backend.format == 0) /* nothing is kept yet */
		postgresql->backend.format = store_schema_version();
	postgresql->renew_at = clock_monotonic(); /* what is around it is to be known soon */
	hold_begin(postgresql);
	*ret = &postgresql->backend;
	*ret_shard = shard;
	return 0;
}

int postgresql_each_elsewhere(struct postgresql *postgresql,
	void (*each)(const char *source, int64_t shard, void *userdata), void *userdata,
	struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	CLEANUP(result_clear) PGresult *result = NULL;
	CLEANUP_FREE char *name = mem_printf("trawld:%s:elsewhere", postgresql->cluster);
	PGconn *connection = connection_open(postgresql, name, reterr);

	if (!connection)
		return STORE_E_FULL;
	buf_printf(&sql,
		"SELECT convert_from(name, 'UTF8'), shard FROM %s.sources WHERE cluster = '%s'"
		" AND shard <> %s AND shard < %lld AND cursor IS NOT NULL",
		postgresql->schema, postgresql->cluster, postgresql->shard_text,
		(long long)postgresql->n_shards);
	result = connection_query(connection, buf_text(&sql), 0, NULL, NULL, reterr);
	for (int i = 0; result && i < PQntuples(result); i++)
		each(PQgetvalue(result, i, 0), result_number(result, i, 1), userdata);
	PQfinish(connection);
	return result ? 0 : STORE_E_FULL;
}

/* --- life --- */

static int listen(struct postgresql *postgresql, struct fault *reterr)
{
	CLEANUP_FREE char *sql = mem_printf("LISTEN \"trawld_%s\"", postgresql->cluster);
	CLEANUP(result_clear)
	PGresult *result = connection_query(postgresql->connection, sql, 0, NULL, NULL, reterr);

	return result ? 0 : STORE_E_FULL;
}

int postgresql_open(
	struct postgresql **ret, const struct cluster_options *options, struct fault *reterr)
{
	struct postgresql *postgresql = MEM_NEW(struct postgresql);
	CLEANUP_FREE char *name = mem_printf("trawld:%s", options->name);
	int r;

	postgresql->cluster = mem_strdup(options->name);
	postgresql->connect = mem_strdup(options->connect);
	postgresql->password = mem_strdup(options->password.text);
	postgresql->schema = mem_strdup(options->schema);
	postgresql->node = mem_strdup(options->node);
	postgresql->n_shards = options->n_shards;
	postgresql->wanted_shard = options->shard;
	postgresql->lease_ns = options->lease_ns;
	postgresql->require_synchronous = options->require_synchronous;
	postgresql->renew_at = postgresql->retry_at = NSEC_NONE;
	postgresql->n_standbys = -1;
	snprintf(postgresql->process, sizeof(postgresql->process), "%ld", (long)getpid());
	postgresql->connection = connection_open(postgresql, name, reterr);
	r = postgresql->connection ? tables_make(postgresql, reterr) : STORE_E_FULL;
	if (!r)
		r = listen(postgresql, reterr);
	if (!r)
		*ret = postgresql;
	else
		postgresql_close(postgresql);
	return r;
}

/* What is under way, and an answer that a person waits for. */
static void finish_renewal(struct postgresql *postgresql)
{
	nsec_t until_at = clock_monotonic() + NSEC_PER_SEC, now_at;

	while (postgresql->held && !postgresql->change &&
		(postgresql->phase == PHASE_PIPELINE ||
			(postgresql->phase == PHASE_READY && postgresql->request_answer)) &&
		(now_at = clock_monotonic()) < until_at)
		backend_poll(&postgresql->backend, until_at - now_at);
}

void postgresql_close(struct postgresql *postgresql)
{
	if (!postgresql)
		return;
	postgresql_away_end(postgresql);
	finish_renewal(postgresql);
	if (postgresql->held && postgresql->phase == PHASE_READY && !postgresql->change &&
		postgresql->connection)
		lease_release(postgresql);
	connection_close(postgresql);
	side_close(postgresql);
	around_deinit(postgresql);
	requests_drop(postgresql);
	free(postgresql->prepared);
	free(postgresql->cluster);
	free(postgresql->connect);
	if (postgresql->password)
		explicit_bzero(postgresql->password, strlen(postgresql->password));
	free(postgresql->password);
	free(postgresql->schema);
	free(postgresql->node);
	free(postgresql->said);
	free(postgresql);
}

int postgresql_fd(const struct postgresql *postgresql)
{
	return PQsocket(postgresql->connection);
}

void postgresql_heard(struct postgresql *postgresql)
{
	PGnotify *notify;

	PQconsumeInput(postgresql->connection);
	while ((notify = PQnotifies(postgresql->connection)))
		PQfreemem(notify);
}
