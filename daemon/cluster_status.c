/* See cluster_status.h. */
#include "cluster_status.h"

#include "base/json_value.h"
#include "base/mem.h"
#include "cluster.h"
#include "parts.h"
#include "store/postgresql/postgresql.h"
#include "trawld.h"

static json_t *shard_json(const struct postgresql_shard *shard)
{
	return json_pack("{s:I, s:o, s:o}", "shard", (json_int_t)shard->shard, "node",
		shard->held ? json_string(shard->node) : json_null(), "since",
		json_value_time(shard->since_time));
}

json_t *cluster_status_json(const struct trawld *trawld)
{
	const struct postgresql *database = cluster_database(trawld);
	const struct cluster_options *options = &trawld_parts(trawld)->setup->config->cluster;
	struct postgresql_status status;
	json_t *all, *holders = json_array();
	size_t n;
	if (!database) {
		json_decref(holders);
		return json_null();
	}
	postgresql_status(database, &status);
	const struct postgresql_shard *shards = postgresql_shards(database, &n);
	nsec_t since_time = NSEC_NONE;
	for (size_t i = 0; i < n; i++) {
		if (shards[i].shard == status.shard)
			since_time = shards[i].since_time;
		json_array_append_new(holders, shard_json(&shards[i]));
	}
	all = json_pack("{s:s, s:s, s:I, s:I, s:o, s:f, s:f, s:o, s:o}", "name", options->name,
		"node", options->node, "shard", (json_int_t)status.shard, "shards",
		(json_int_t)options->n_shards, "since", json_value_time(since_time),
		"lease_seconds", (double)status.lease_left_ns / (double)NSEC_PER_SEC,
		"latency_seconds", (double)status.latency_ns / (double)NSEC_PER_SEC,
		"synchronous_standbys",
		status.n_standbys < 0 ? json_null() : json_integer(status.n_standbys), "holders",
		holders);
	return all ? all : json_null();
}

char *cluster_status_where(const struct trawld *trawld, const char *name)
{
	const struct postgresql *database = cluster_database(trawld);
	const struct setup *setup = trawld_parts(trawld)->setup;
	const struct source *source = name ? setup_find_source(setup, name) : NULL;
	if (!database || !source || cluster_polls(trawld, setup, source))
		return NULL;
	long long shard = (long long)setup_shard_of(setup, source, setup->config->cluster.n_shards);
	size_t n;
	const struct postgresql_shard *shards = postgresql_shards(database, &n);
	for (size_t i = 0; i < n; i++)
		if (shards[i].shard == shard && shards[i].held)
			return mem_printf("source %s is in shard %lld, which node %s holds", name,
				shard, shards[i].node);
	return mem_printf(
		"source %s is in shard %lld, which no process holds (trawlctl cluster status)",
		name, shard);
}
