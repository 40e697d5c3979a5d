/*
 * One whole configuration, immutable once loaded: the main file, then conf.d/\*.conf beside it in
 * byte order of the names. This layer checks syntax, sections, [daemon]; what a source or a sink
 * section means is checked by those layers.
 */
#ifndef TRAWLD_CONF_CONFIG_H
#define TRAWLD_CONF_CONFIG_H

#include "conf/cluster_options.h"
#include "conf/option.h"

#include "base/log.h"

enum daemon_state {
	STATE_SQLITE, /* a file in the state directory */
	STATE_POSTGRESQL, /* shared by several hosts: see struct cluster_options */
};

struct daemon_options {
	int state; /* enum daemon_state */
	char *state_directory; /* default: $STATE_DIRECTORY (first of a colon list), else
				  /var/lib/trawld */
	char *listen; /* 127.0.0.1:9464 default; "unix:/path"; "off" */
	struct str_list listen_names; /* beside localhost and addresses */
	char *control; /* path of the control socket; default $RUNTIME_DIRECTORY/control or
			  /run/trawld/control; "off" */
	uint64_t spool_limit; /* bytes; default 1GiB */
	nsec_t keep_ns; /* how long released records stay; 0: not */
	uint64_t keep_limit; /* bytes of them; default 4GiB */
	uint64_t dead_letter_limit; /* bytes, of one sink; default 256MiB */
	int log_level; /* choice: index into error warning notice info debug */
	nsec_t shutdown_timeout_ns; /* default 20s */
	char *provider_directory; /* extra directory searched before /etc/trawld/providers and
				     /usr/share/trawld/providers; NULL: none */
};

extern const struct option daemon_option_rows[];
extern const size_t n_daemon_option_rows;

extern const struct option cluster_option_rows[];
extern const size_t n_cluster_option_rows;

/* Of a `shard =`: its number, or CLUSTER_SHARD_ANY. */
int64_t config_shard(const char *text);

struct config {
	char *path; /* the main file */
	char *directory; /* its folder: conf.d/ and providers/ are looked for there */
	char *location; /* config_locate(path) */
	struct ini ini; /* all sections, values expanded */
	struct file_watch written; /* the files with the sections, and their folders */
	struct daemon_options daemon;
	struct cluster_options cluster;
	struct ini_section **sources; /* sections [source NAME], in order of appearance */
	size_t n_sources;
	struct ini_section **sinks;
	size_t n_sinks;
};

/* Never NULL in *RET; look at FINDINGS: with any, the configuration must not be used (but may be
 * freed). Checked here: unknown sections with the nearest known one, names (letters, digits, `-`,
 * `_`, `.`; 1 to 64 bytes), a section without or with an unwanted name, an empty configuration (no
 * source), two sections of one name in one file. */
void config_load(struct config **ret, const char *path, struct findings *findings);
void config_free(struct config *config);

/* Can NAME be that of a source or sink? */
bool config_is_name(const char *name);

/* config_cluster.c: fills config->cluster, with findings for what is wrong with it. */
void config_read_cluster(struct config *config, struct findings *findings);

/* PATH of a main file as an absolute path, by which a state and a running trawld know whose they
 * are. Links are followed in the folder only: the file may be a link to what is valid now, as in a
 * mounted Kubernetes ConfigMap. */
char *config_locate(const char *path);

/* As str_hint says it: the source or sink whose name is nearest to NAME. The caller frees it. */
char *config_hint(const struct config *config, const char *name);

#endif
