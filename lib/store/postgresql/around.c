/* What a holder learns with each renewal of what is around it: the other shards, and whether the
 * database has a synchronous standby. It is for people; nothing depends on it. */
#include "store/postgresql/internal.h"

#include "base/cleanup.h"
#include "base/mem.h"

static void drop_shards(struct postgresql *postgresql)
{
	for (size_t i = 0; i < postgresql->n_around; i++)
		free(postgresql->around[i].node);
	free(postgresql->around);
	postgresql->around = NULL;
	postgresql->n_around = 0;
}

bool around_send(struct postgresql *postgresql)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;

	buf_printf(&sql,
		"SELECT s.shard AS around, s.node, (s.holder IS NOT NULL AND s.expires > now.at)::int,"
		" floor(extract(epoch FROM CASE WHEN s.expires > now.at THEN s.acquired"
		" WHEN s.expires > '-infinity' THEN s.expires END))::bigint,"
		" CASE WHEN pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') THEN (SELECT"
		" count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')) ELSE -1 END"
		" FROM %s.shards s, clock_timestamp() AS now(at) WHERE s.cluster = '%s' ORDER BY s.shard",
		postgresql->schema, postgresql->cluster);
	return PQsendQueryParams(
		postgresql->connection, buf_text(&sql), 0, NULL, NULL, NULL, NULL, 0);
}

bool around_take_result(struct postgresql *postgresql, const PGresult *result)
{
	if (PQnfields(result) == 0 || strcmp(PQfname(result, 0), "around") != 0)
		return false;
	drop_shards(postgresql);
	postgresql->n_around = (size_t)PQntuples(result);
	postgresql->around = mem_array(postgresql->n_around + 1, sizeof(*postgresql->around));
	for (int i = 0; i < PQntuples(result); i++) {
		postgresql->around[i] = (struct postgresql_shard){
			.shard = result_number(result, i, 0),
			.node = PQgetisnull(result, i, 1) ? NULL
							  : mem_strdup(PQgetvalue(result, i, 1)),
			.held = result_number(result, i, 2) != 0,
			.since_time = PQgetisnull(result, i, 3)
					      ? NSEC_NONE
					      : result_number(result, i, 3) * NSEC_PER_SEC,
		};
		postgresql->n_standbys = result_number(result, i, 4);
	}
	return true;
}

void around_deinit(struct postgresql *postgresql)
{
	drop_shards(postgresql);
}

const struct postgresql_shard *postgresql_shards(const struct postgresql *postgresql, size_t *ret_n)
{
	*ret_n = postgresql->n_around;
	return postgresql->around;
}
