/* See cluster_view.h: who holds which shard. */
#include "store/postgresql/cluster_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/postgresql/pg_session.h"

static nsec_t seconds(const struct pg_rowset *rows, size_t row, int column)
{
	return pg_rowset_text(rows, row, column)
		       ? pg_rowset_number(rows, row, column) * NSEC_PER_SEC
		       : NSEC_NONE;
}

/* A standby that a commit waits for is seen by those who may (pg_monitor) only. */
static int look_at_server(
	struct pg_session *session, struct cluster_view *ret, struct fault *reterr)
{
	struct pg_rowset *rows CLEANUP(pg_rowset_drop) = NULL;
	int r = pg_session_run(session,
		"SELECT split_part(current_setting('server_version'), ' ', 1),"
		" coalesce(host(inet_server_addr()) || ':' || inet_server_port(), 'a socket'),"
		" (SELECT string_agg(application_name, ', ' ORDER BY application_name)"
		" FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')),"
		" (pg_has_role('pg_read_all_stats', 'USAGE') OR"
		" pg_has_role('pg_monitor', 'USAGE'))::int",
		NULL, 0, &rows, reterr);
	if (r)
		return r;
	ret->server_version = mem_strdup(pg_rowset_text(rows, 0, 0));
	ret->server = mem_strdup(pg_rowset_text(rows, 0, 1));
	ret->standbys = mem_strdup(pg_rowset_text(rows, 0, 2));
	ret->sees_standbys = pg_rowset_number(rows, 0, 3) != 0;
	return 0;
}

static int look_at_shards(struct pg_session *session, const char *cluster, struct cluster_view *ret,
	struct fault *reterr)
{
	struct pg_rowset *rows CLEANUP(pg_rowset_drop) = NULL;
	int r = pg_session_run(session,
		"SELECT s.shard, s.node, (s.holder IS NOT NULL AND s.expires > now.at)::int,"
		" floor(extract(epoch FROM CASE WHEN s.holder IS NOT NULL AND s.expires > now.at"
		" THEN now.at - s.acquired WHEN s.expires > '-infinity' THEN now.at - s.expires END))::bigint,"
		" floor(extract(epoch FROM CASE WHEN s.expires > now.at THEN s.expires - now.at END))::bigint,"
		" s.epoch, (SELECT count(*) FROM sources x WHERE x.cluster = s.cluster AND x.shard = s.shard),"
		" (SELECT coalesce(sum(x.n_records), 0) FROM batches x JOIN sources o ON"
		" o.cluster = x.cluster AND o.shard = x.shard AND o.id = x.source WHERE"
		" x.cluster = s.cluster AND x.shard = s.shard AND x.number > o.released), (SELECT n.status::text FROM nodes n WHERE"
		" n.cluster = s.cluster AND n.node = s.node AND n.process = s.process)"
		" FROM shards s, clock_timestamp() AS now(at) WHERE s.cluster = $1 ORDER BY s.shard",
		&cluster, 1, &rows, reterr);
	ret->n_rows = r ? 0 : pg_rowset_n(rows);
	ret->shards = mem_array(ret->n_rows + 1, sizeof(*ret->shards));
	for (size_t i = 0; i < ret->n_rows; i++)
		ret->shards[i] = (struct cluster_shard){
			.shard = pg_rowset_number(rows, i, 0),
			.node = mem_strdup(pg_rowset_text(rows, i, 1)),
			.held = pg_rowset_number(rows, i, 2) != 0,
			.held_ns = seconds(rows, i, 3),
			.lease_ns = seconds(rows, i, 4),
			.epoch = pg_rowset_number(rows, i, 5),
			.n_sources = pg_rowset_number(rows, i, 6),
			.n_waiting = pg_rowset_number(rows, i, 7),
			.status = mem_strdup(pg_rowset_text(rows, i, 8)),
		};
	return r;
}

/* Those that were seen within the last hour. */
static int look_at_nodes(struct pg_session *session, const char *cluster, struct cluster_view *ret,
	struct fault *reterr)
{
	struct pg_rowset *rows CLEANUP(pg_rowset_drop) = NULL;
	int r = pg_session_run(session,
		"SELECT n.node, n.process, n.version, n.status->>'config',"
		" floor(extract(epoch FROM now.at - n.seen))::bigint, coalesce((SELECT min(s.shard)"
		" FROM shards s WHERE s.cluster = n.cluster AND s.node = n.node"
		" AND s.process = n.process AND s.holder IS NOT NULL AND s.expires > now.at), -1)"
		" FROM nodes n, clock_timestamp() AS now(at) WHERE n.cluster = $1"
		" AND n.seen > now.at - interval '1 hour' ORDER BY n.node, n.process",
		&cluster, 1, &rows, reterr);
	ret->n_nodes = r ? 0 : pg_rowset_n(rows);
	ret->nodes = mem_array(ret->n_nodes + 1, sizeof(*ret->nodes));
	for (size_t i = 0; i < ret->n_nodes; i++)
		ret->nodes[i] = (struct cluster_node){
			.node = mem_strdup(pg_rowset_text(rows, i, 0)),
			.process = mem_strdup(pg_rowset_text(rows, i, 1)),
			.version = mem_strdup(pg_rowset_text(rows, i, 2)),
			.config = mem_strdup(pg_rowset_text(rows, i, 3)),
			.seen_ns = seconds(rows, i, 4),
			.shard = pg_rowset_number(rows, i, 5),
		};
	return r;
}

static int look(struct pg_session *session, const char *cluster, struct cluster_view *ret,
	struct fault *reterr)
{
	struct pg_rowset *rows CLEANUP(pg_rowset_drop) = NULL;
	int r = pg_session_run(
		session, "SELECT shards FROM clusters WHERE name = $1", &cluster, 1, &rows, reterr);
	if (!r && pg_rowset_n(rows) == 0) {
		fault_set(reterr, FAULT_CONFIG,
			"the database has no cluster %s yet; a trawld with `state = postgresql` makes it when it starts",
			cluster);
		return STORE_E_UNKNOWN;
	}
	if (r)
		return r;
	ret->n_shards = pg_rowset_number(rows, 0, 0);
	r = look_at_server(session, ret, reterr);
	if (!r)
		r = look_at_shards(session, cluster, ret, reterr);
	return r ? r : look_at_nodes(session, cluster, ret, reterr);
}

int cluster_look(
	struct cluster_view *ret, const struct cluster_options *options, struct fault *reterr)
{
	struct pg_session *session = NULL;
	*ret = (struct cluster_view){0};
	int r = pg_session_open(&session, options, "trawlctl", reterr);
	if (r)
		return r;
	r = look(session, options->name, ret, reterr);
	pg_session_close(session);
	if (r)
		cluster_view_deinit(ret);
	return r;
}

void cluster_view_deinit(struct cluster_view *view)
{
	for (size_t i = 0; i < view->n_rows; i++) {
		free(view->shards[i].node);
		free(view->shards[i].status);
	}
	for (size_t i = 0; i < view->n_nodes; i++) {
		free(view->nodes[i].node);
		free(view->nodes[i].process);
		free(view->nodes[i].version);
		free(view->nodes[i].config);
	}
	free(view->shards);
	free(view->nodes);
	free(view->server_version);
	free(view->server);
	free(view->standbys);
	*view = (struct cluster_view){0};
}
