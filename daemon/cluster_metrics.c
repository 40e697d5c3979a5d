/* See cluster_metrics.h. */
#include "cluster_metrics.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "cluster.h"
#include "config_event.h"
#include "parts.h"
#include "trawld.h"

#define FINGERPRINT_DIGITS 12 /* as a number: 48 bits, which a double holds */

static double config_number(const struct setup *setup)
{
	char hex[DIGEST_HEX_SIZE];
	config_event_fingerprint(setup, hex);
	hex[FINGERPRINT_DIGITS] = '\0';
	return (double)strtoull(hex, NULL, 16);
}

static void print_one(struct exposition *exposition, const struct parts *parts, const char *name,
	enum exposition_type type, const char *help, double value)
{
	const char *labels[] = {"cluster", parts->setup->config->cluster.name, NULL};
	exposition_family(exposition, name, type, help);
	exposition_sample(exposition, labels, value);
}

void cluster_metrics_print(struct exposition *exposition, const struct trawld *trawld)
{
	const struct parts *parts = trawld_parts(trawld);
	struct cluster_status status;
	if (!cluster_status(trawld, &status))
		return;
	bool held = status.held && parts->store;
	print_one(exposition, parts, "trawld_shard_held", EXPOSITION_GAUGE,
		"1 if this process holds a shard of the cluster, 0 if it waits for one.", held);
	print_one(exposition, parts, "trawld_cluster_shards", EXPOSITION_GAUGE,
		"Shards of the cluster, as configured.",
		(double)parts->setup->config->cluster.n_shards);
	print_one(exposition, parts, "trawld_cluster_config", EXPOSITION_GAUGE,
		"A number that is the same in processes whose sources and sinks are configured alike.",
		config_number(parts->setup));
	print_one(exposition, parts, "trawld_lease_seconds", EXPOSITION_GAUGE,
		"For how long this process may deliver records if it cannot renew its lease.",
		held ? status.lease_seconds : (double)NAN);
	print_one(exposition, parts, "trawld_takeovers", EXPOSITION_COUNTER,
		"How often the shard was taken, by any process.",
		held ? (double)status.epoch : (double)NAN);
	print_one(exposition, parts, "trawld_commits_in_doubt", EXPOSITION_COUNTER,
		"Commits whose answer was lost, so that trawld asked the database whether it has them.",
		held ? (double)status.n_in_doubt : (double)NAN);
	print_one(exposition, parts, "trawld_commits", EXPOSITION_COUNTER,
		"Commits that the database has answered.",
		held ? (double)status.n_commits : (double)NAN);
	print_one(exposition, parts, "trawld_commit_seconds", EXPOSITION_COUNTER,
		"How long they took, from the first byte to the answer.",
		held ? status.commit_seconds : (double)NAN);
	print_one(exposition, parts, "trawld_synchronous_standbys", EXPOSITION_GAUGE,
		"Synchronous standbys of the database, unless require_synchronous is no.",
		held && status.n_standbys >= 0 ? (double)status.n_standbys : (double)NAN);
	print_one(exposition, parts, "trawld_history_lost", EXPOSITION_COUNTER,
		"Commits that this node had seen, and that the database no longer had at the start.",
		held ? (double)store_lost_commits(parts->store) : (double)NAN);
}

char *cluster_metrics_summary(const struct trawld *trawld)
{
	char hex[DIGEST_HEX_SIZE];
	const struct parts *parts = trawld_parts(trawld);
	json_int_t n_failing = 0;
	for (size_t i = 0; i < parts->pollers.n_items; i++) {
		struct runner_status status;
		runner_status(parts->pollers.items[i]->runner, &status);
		n_failing += status.failing;
	}
	config_event_fingerprint(parts->setup, hex);
	json_t *summary = json_pack("{s:s, s:I, s:I}", "config", hex, "sources",
		(json_int_t)parts->pollers.n_items, "failing", n_failing);
	char *text = json_dumps(summary, JSON_COMPACT);
	json_decref(summary);
	return text;
}
