/* [cluster]: what processes share that have their state in one PostgreSQL database. Whether
 * `connect` can be used is checked where libpq is. */
#include "conf/config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/number.h"

#define CLUSTER_NAME_MAX 40 /* with a shard, it is the name of a session in the server */
#define SCHEMA_MAX 63

#define ROW(member, key, option_type, ...)                                                         \
	{                                                                                          \
		.name = key, .type = option_type,                                                  \
		.offset = offsetof(struct cluster_options, member), __VA_ARGS__                    \
	}

const struct option cluster_option_rows[] = {
	ROW(name, "name", OPTION_STRING, .flags = OPTION_REQUIRED | OPTION_FIXED,
		.help = "of the cluster: several may share one database"),
	ROW(connect, "connect", OPTION_STRING, .flags = OPTION_REQUIRED | OPTION_FIXED,
		.help = "the database, as libpq takes it: host=pg1,pg2 dbname=trawld user=trawld"),
	ROW(password, "password", OPTION_SECRET, .flags = OPTION_FIXED,
		.help = "of the database user"),
	ROW(schema, "schema", OPTION_STRING, .default_text = "trawld", .flags = OPTION_FIXED,
		.help = "the schema of the tables"),
	ROW(node, "node", OPTION_STRING, .flags = OPTION_FIXED,
		.help = "the name of this host in the cluster; default: its host name"),
	ROW(n_shards, "shards", OPTION_COUNT, .default_text = "1", .min = 1,
		.max = CLUSTER_SHARDS_MAX, .flags = OPTION_FIXED,
		.help = "into how many parts the sources are divided, each polled by one process"),
	ROW(shard_text, "shard", OPTION_STRING, .default_text = "any", .flags = OPTION_FIXED,
		.help = "the only shard that this process takes, or any"),
	ROW(lease_ns, "lease", OPTION_DURATION, .default_text = "10s", .min = 3 * NSEC_PER_SEC,
		.max = 5 * 60 * NSEC_PER_SEC, .flags = OPTION_FIXED,
		.help = "how long a shard stays with a process that does not answer"),
	ROW(require_synchronous, "require_synchronous", OPTION_BOOL, .default_text = "yes",
		.flags = OPTION_FIXED,
		.help = "no: start also while the database has no synchronous standby"),
};
const size_t n_cluster_option_rows = sizeof(cluster_option_rows) / sizeof(cluster_option_rows[0]);

int64_t config_shard(const char *text)
{
	int64_t shard;
	return text && number_parse(slice_of(text), 0, CLUSTER_SHARDS_MAX - 1, &shard) == 0
		       ? shard
		       : CLUSTER_SHARD_ANY;
}

static void check_name(
	const struct ini_section *section, const char *name, struct findings *findings)
{
	if (name && (!config_is_name(name) || strlen(name) > CLUSTER_NAME_MAX))
		findings_add_at(findings, section, "name",
			"name = %s: expected at most %d letters, digits, `-`, `_` and `.`", name,
			CLUSTER_NAME_MAX);
}

static void check_schema(
	const struct ini_section *section, const char *schema, struct findings *findings)
{
	size_t size = schema ? strlen(schema) : 0;
	if (size > 0 && size <= SCHEMA_MAX && !strchr("0123456789", schema[0]) &&
		strspn(schema, "abcdefghijklmnopqrstuvwxyz0123456789_") == size &&
		strncmp(schema, "pg_", 3) != 0)
		return;
	findings_add_at(findings, section, "schema",
		"schema = %s: expected a name of at most %d lower-case letters, digits and `_`, that does not begin with a digit or pg_",
		schema ? schema : "", SCHEMA_MAX);
}

static void check_node(const struct ini_section *section, struct cluster_options *cluster,
	struct findings *findings)
{
	char host[256] = "";
	bool given = cluster->node != NULL;
	if (!given && gethostname(host, sizeof(host) - 1) == 0)
		cluster->node = mem_strdup(host);
	if (cluster->node && config_is_name(cluster->node))
		return;
	if (given)
		findings_add_at(findings, section, "node",
			"node = %s: expected at most 64 letters, digits, `-`, `_` and `.`",
			cluster->node);
	else
		findings_add_at(findings, section, NULL,
			"the name of this host, `%s`, cannot be that of a node; set `node` to at most 64 letters, digits, `-`, `_` and `.`",
			host);
}

static void read_shard(const struct ini_section *section, struct cluster_options *cluster,
	struct findings *findings)
{
	const char *text = cluster->shard_text ? cluster->shard_text : "";
	cluster->shard = config_shard(text);
	if (strcmp(text, "any") == 0 || (cluster->shard >= 0 && cluster->shard < cluster->n_shards))
		return;
	if (cluster->n_shards == 1)
		findings_add_at(findings, section, "shard",
			"shard = %s: expected any or 0, since shards = 1", text);
	else
		findings_add_at(findings, section, "shard",
			"shard = %s: expected any, or a number from 0 to %lld, since shards = %lld",
			text, (long long)cluster->n_shards - 1, (long long)cluster->n_shards);
}

void config_read_cluster(struct config *config, struct findings *findings)
{
	struct ini_section *daemon = ini_find(&config->ini, "daemon", NULL);
	struct ini_section *section = ini_find(&config->ini, "cluster", NULL);
	struct cluster_options *cluster = &config->cluster;
	struct option_table table = {cluster_option_rows, n_cluster_option_rows, cluster};
	bool wanted = config->daemon.state == STATE_POSTGRESQL;
	if (wanted && !section)
		findings_add_at(findings, daemon, "state",
			"state = postgresql needs a [cluster] section with `name` and `connect`");
	if (!section)
		return;
	if (!wanted)
		findings_add(findings, section->file, section->line,
			"[cluster] has no effect without `state = postgresql` in [daemon]");
	options_parse(&table, 1, section, findings);
	options_unknown(&table, 1, NULL, section, findings);
	check_name(section, cluster->name, findings);
	check_schema(section, cluster->schema, findings);
	check_node(section, cluster, findings);
	if (cluster->n_shards > 0)
		read_shard(section, cluster, findings);
}
