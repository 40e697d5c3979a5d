/*
 * A whole configuration made ready: sources with their definitions, sinks with their checked
 * options. Building one changes nothing outside; start, --check and reload all begin here.
 */
#ifndef TRAWLD_DAEMON_SETUP_H
#define TRAWLD_DAEMON_SETUP_H

#include "base/names.h"
#include "conf/config.h"
#include "pipeline/fanout.h"
#include "source/source.h"

struct setup_sink {
	char *name;
	char *location;
	const struct sink_kind *kind;
	struct sink_common_options common;
	void *options; /* the kind's */
	struct id fingerprint;
};

struct setup {
	struct config *config;
	struct source **sources;
	size_t n_sources;
	struct names source_names; /* the handle is the index */
	struct setup_sink **sinks;
	size_t n_sinks;
	struct names sink_names;
};

/* NULL with at least one finding when something is wrong. */
struct setup *setup_load(const char *path, struct findings *findings);
void setup_free(struct setup *setup);

struct source *setup_find_source(const struct setup *setup, const char *name);
struct setup_sink *setup_find_sink(const struct setup *setup, const char *name);
/* Has SETUP a sink that is the same as SINK in each key? */
bool setup_has_sink(const struct setup *setup, const struct setup_sink *sink);

/* The sinks that SOURCE goes to: its own list, or all. */
void setup_route(
	const struct setup *setup, const struct source *source, struct str_list *ret_names);

/* setup_cluster.c: what is wrong with a state in PostgreSQL, or with keys that need one. */
void setup_check_cluster(const struct setup *setup, struct findings *findings);
/* The shard of N_SHARDS that polls SOURCE, in a cluster: its `shard =`, or by its credential as it
 * is written in the configuration, so that its limits and what is known of it are in one process.
 */
int64_t setup_shard_of(const struct setup *setup, const struct source *source, int64_t n_shards);

/* Where provider definitions are looked for; the strings live as long as CONFIG. */
struct setup_path {
	char *own, *source_tree;
	const char *directories[5];
	struct definition_path path;
};
void setup_path_init(struct setup_path *ret, const struct config *config);
void setup_path_deinit(struct setup_path *path);

#endif
