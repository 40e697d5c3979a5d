/* trawlctl cluster: who holds which shard of a state in PostgreSQL, and another number of shards.
 */
#include "ctl/ctl.h"

#include <jansson.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "ctl/ctl_table.h"
#include "store/postgresql/cluster_view.h"

#define FINGERPRINT 8 /* letters of one that are shown */

static int failed(int r, const struct fault *fault)
{
	fprintf(stderr, "trawlctl: %s\n", fault->text);
	return r == STORE_E_REFUSED || r == STORE_E_FULL ? EX_TEMPFAIL
	       : r == STORE_E_UNKNOWN                    ? EX_CONFIG
							 : EX_CANTCREAT;
}

/* --- status --- */

static char *duration(nsec_t duration_ns)
{
	struct buf out = BUF_NULL;
	if (duration_ns == NSEC_NONE)
		return mem_strdup("-");
	timestamp_print_duration(duration_ns, &out);
	return buf_take(&out);
}

/* A member of what the holder last said of itself, or "-". */
static char *said(const struct cluster_shard *shard, const char *name)
{
	json_t *status = shard->held && shard->status ? json_loads(shard->status, 0, NULL) : NULL;
	const json_t *value = json_object_get(status, name);
	char *text = json_is_integer(value)
			     ? mem_printf("%lld", (long long)json_integer_value(value))
			     : mem_strdup("-");
	json_decref(status);
	return text;
}

static void print_header(const struct cluster_view *view, const char *name, struct buf *out)
{
	buf_printf(out, "cluster %s: %lld shard%s, PostgreSQL %s at %s, ", name,
		(long long)view->n_shards, str_plural((uint64_t)view->n_shards),
		view->server_version, view->server);
	if (view->standbys)
		buf_printf(out, "synchronous standby %s\n", view->standbys);
	else
		buf_append_text(out, view->sees_standbys
					     ? "no synchronous standby\n"
					     : "standbys are not visible (GRANT pg_monitor)\n");
}

static void print_shards(const struct cluster_view *view, struct buf *out)
{
	static const char *const heading[] = {
		"SHARD", "HOLDER", "SINCE", "LEASE", "SOURCES", "FAILING", "WAITING"};
	struct table table CLEANUP(table_deinit) = {
		.n_columns = 7, .right = {true, false, true, true, true, true, true}};
	struct terminal terminal = {0};
	char *cells[TABLE_COLUMNS_MAX];
	for (size_t i = 0; i < 7; i++)
		cells[i] = mem_strdup(heading[i]);
	table_add(&table, NULL, cells);
	for (size_t i = 0; i < view->n_rows; i++) {
		const struct cluster_shard *shard = &view->shards[i];
		size_t n = 0;
		cells[n++] = mem_printf("%lld", (long long)shard->shard);
		cells[n++] = mem_strdup(shard->held ? shard->node : "nobody");
		cells[n++] = duration(shard->held_ns);
		cells[n++] = duration(shard->held ? shard->lease_ns : NSEC_NONE);
		cells[n++] = mem_printf("%lld", (long long)shard->n_sources);
		cells[n++] = said(shard, "failing");
		cells[n++] = mem_printf("%lld", (long long)shard->n_waiting);
		table_add(&table, NULL, cells);
	}
	table_print(&table, &terminal, SIZE_MAX, out);
}

/* The configuration that most processes have, since the others are to be told. */
static const char *usual_config(const struct cluster_view *view)
{
	const char *usual = NULL;
	size_t most = 0;
	for (size_t i = 0; i < view->n_nodes; i++) {
		size_t n = 0;
		for (size_t j = 0; view->nodes[i].config && j < view->n_nodes; j++)
			n += view->nodes[j].config &&
			     strcmp(view->nodes[i].config, view->nodes[j].config) == 0;
		if (n > most) {
			most = n;
			usual = view->nodes[i].config;
		}
	}
	return usual;
}

static void print_nodes(const struct cluster_view *view, struct buf *out)
{
	const char *usual = usual_config(view);
	for (size_t i = 0; i < view->n_nodes; i++) {
		const struct cluster_node *node = &view->nodes[i];
		char *seen CLEANUP_FREE = duration(node->seen_ns);
		buf_printf(out, "node %s (process %s, trawld %s): ", node->node, node->process,
			node->version ? node->version : "?");
		if (node->shard >= 0)
			buf_printf(out, "holds shard %lld", (long long)node->shard);
		else
			buf_printf(out, "standby, seen %s ago", seen);
		if (usual && node->config && strcmp(usual, node->config) != 0)
			buf_printf(out, "; OTHER CONFIGURATION: %.*s instead of %.*s", FINGERPRINT,
				node->config, FINGERPRINT, usual);
		buf_append_char(out, '\n');
	}
}

static json_t *number_or_null(nsec_t duration_ns)
{
	return duration_ns == NSEC_NONE ? json_null() : json_integer(duration_ns / NSEC_PER_SEC);
}

static json_t *shard_json(const struct cluster_shard *shard)
{
	json_t *status = shard->status ? json_loads(shard->status, 0, NULL) : NULL;
	return json_pack("{s:I, s:s?, s:b, s:o, s:o, s:I, s:I, s:I, s:o}", "shard",
		(json_int_t)shard->shard, "node", shard->node, "held", shard->held, "since_seconds",
		number_or_null(shard->held_ns), "lease_seconds",
		number_or_null(shard->held ? shard->lease_ns : NSEC_NONE), "epoch",
		(json_int_t)shard->epoch, "sources", (json_int_t)shard->n_sources, "waiting",
		(json_int_t)shard->n_waiting, "status", status ? status : json_null());
}

static void print_json(const struct cluster_view *view, const char *name)
{
	json_t *shards = json_array(), *nodes = json_array();
	for (size_t i = 0; i < view->n_rows; i++)
		json_array_append_new(shards, shard_json(&view->shards[i]));
	for (size_t i = 0; i < view->n_nodes; i++) {
		const struct cluster_node *node = &view->nodes[i];
		json_array_append_new(nodes,
			json_pack("{s:s, s:s, s:s?, s:s?, s:o, s:o}", "node", node->node, "process",
				node->process, "version", node->version, "config", node->config,
				"seen_seconds", number_or_null(node->seen_ns), "shard",
				node->shard < 0 ? json_null() : json_integer(node->shard)));
	}
	json_t *all = json_pack("{s:s, s:I, s:s, s:s, s:s?, s:o, s:o}", "cluster", name, "shards",
		(json_int_t)view->n_shards, "postgresql", view->server_version, "server",
		view->server, "synchronous_standbys", view->standbys, "holders", shards, "nodes",
		nodes);
	char *text CLEANUP_FREE = json_dumps(all, JSON_COMPACT | JSON_ENSURE_ASCII);
	puts(text ? text : "{}");
	json_decref(all);
}

static int show(const struct ctl_arguments *arguments, const struct cluster_options *cluster)
{
	struct cluster_view view;
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	struct fault fault = FAULT_NULL;
	int r = cluster_look(&view, cluster, &fault);
	if (r)
		return failed(r, &fault);
	if (arguments->json) {
		print_json(&view, cluster->name);
	} else {
		print_header(&view, cluster->name, &out);
		print_shards(&view, &out);
		print_nodes(&view, &out);
		fputs(buf_text(&out), stdout);
	}
	cluster_view_deinit(&view);
	return EX_OK;
}

/* --- reshard --- */

static int check_pins(const struct setup *setup, int64_t n_shards)
{
	for (size_t i = 0; i < setup->n_sources; i++) {
		const struct source *source = setup->sources[i];
		if (config_shard(source->options.shard) < n_shards)
			continue;
		fprintf(stderr,
			"trawlctl: source %s (%s) has `shard = %s`, which %lld shard%s do%s not have; change that first\n",
			source->name, source->location, source->options.shard, (long long)n_shards,
			str_plural((uint64_t)n_shards), n_shards == 1 ? "es" : "");
		return EX_CONFIG;
	}
	return 0;
}

void ctl_cluster_plan(const struct setup *setup, struct cluster_plan *ret)
{
	*ret = (struct cluster_plan){
		.names = mem_array(setup->n_sources + 1, sizeof(char *)),
		.shards = mem_array(setup->n_sources + 1, sizeof(int64_t)),
		.n_names = setup->n_sources,
		.n_shards = setup->config->cluster.n_shards,
	};
	for (size_t i = 0; i < setup->n_sources; i++) {
		ret->names[i] = setup->sources[i]->name;
		ret->shards[i] =
			setup_shard_of(setup, setup->sources[i], setup->config->cluster.n_shards);
	}
}

void ctl_cluster_plan_deinit(struct cluster_plan *plan)
{
	free(plan->names);
	free(plan->shards);
}

static int reshard(struct setup *setup, int64_t n_shards)
{
	struct cluster_options *cluster = &setup->config->cluster;
	int64_t configured = cluster->n_shards;
	struct cluster_plan plan;
	struct cluster_result result = {0};
	struct fault fault = FAULT_NULL;
	cluster->n_shards = n_shards;
	ctl_cluster_plan(setup, &plan);
	int r = cluster_reshard(&result, cluster, &plan, &fault);
	ctl_cluster_plan_deinit(&plan);
	if (r) {
		int code = failed(r, &fault);
		fputs("trawlctl: nothing was changed\n", stderr);
		return code;
	}
	printf("cluster %s: %lld shard%s (before: %lld); %lld of %lld sources with a state changed their shard\n",
		cluster->name, (long long)n_shards, str_plural((uint64_t)n_shards),
		(long long)result.n_shards_before, (long long)result.n_moved,
		(long long)result.n_sources);
	if (configured != n_shards)
		printf("Set `shards = %lld` in [cluster] on every node, then start trawld.\n",
			(long long)n_shards);
	return EX_OK;
}

static int reshard_to(struct setup *setup, const char *text)
{
	int64_t n_shards;
	if (!text || number_parse(slice_of(text), 1, CLUSTER_SHARDS_MAX, &n_shards) != 0) {
		fprintf(stderr,
			"trawlctl: cluster reshard: expected a number of shards from 1 to %d\n",
			CLUSTER_SHARDS_MAX);
		return EX_USAGE;
	}
	int code = check_pins(setup, n_shards);
	return code ? code : reshard(setup, n_shards);
}

/* --- both --- */

bool ctl_cluster_configured(const struct setup *setup)
{
	if (setup->config->daemon.state == STATE_POSTGRESQL)
		return true;
	fputs("trawlctl: there is no cluster: the configuration has no `state = postgresql` with [cluster]\n",
		stderr);
	return false;
}

static int run(const struct ctl_arguments *arguments, struct setup *setup)
{
	if (!ctl_cluster_configured(setup))
		return EX_CONFIG;
	return strcmp(arguments->name, "status") == 0 ? show(arguments, &setup->config->cluster)
						      : reshard_to(setup, arguments->new_name);
}

int ctl_cluster_status(const struct ctl_arguments *arguments)
{
	struct setup *setup = ctl_setup(arguments);
	if (!setup)
		return EX_CONFIG;
	int code = show(arguments, &setup->config->cluster);
	setup_free(setup);
	return code;
}

int ctl_cluster(const struct ctl_arguments *arguments)
{
	bool status = strcmp(arguments->name, "status") == 0;
	if (!status && strcmp(arguments->name, "reshard") != 0) {
		fprintf(stderr, "trawlctl: there is no `cluster %s`; expected status or reshard\n",
			arguments->name);
		return EX_USAGE;
	}
	if (arguments->third || (status && arguments->new_name) || (!status && arguments->json)) {
		fputs("usage: trawlctl [-c FILE] cluster status [--json] | reshard N\n", stderr);
		return EX_USAGE;
	}
	struct setup *setup = ctl_setup(arguments);
	if (!setup)
		return EX_CONFIG;
	int code = run(arguments, setup);
	setup_free(setup);
	return code;
}
