/* The commands of trawlctl(1), each in a file of its own, and what they share. */
#ifndef TRAWLD_DAEMON_CTL_H
#define TRAWLD_DAEMON_CTL_H

#include "ctl/ctl_arguments.h"
#include "setup.h"

#include "base/fault.h"
#include "store/database.h"

int ctl_providers(const struct ctl_arguments *arguments);
int ctl_show_config(const struct ctl_arguments *arguments);
int ctl_cat(const struct ctl_arguments *arguments);
int ctl_check(const struct ctl_arguments *arguments);
int ctl_cursor(const struct ctl_arguments *arguments);
int ctl_find(const struct ctl_arguments *arguments);
int ctl_gaps(const struct ctl_arguments *arguments);
int ctl_replay(const struct ctl_arguments *arguments);
int ctl_rewind(const struct ctl_arguments *arguments);
int ctl_pause(const struct ctl_arguments *arguments);
int ctl_resume(const struct ctl_arguments *arguments);
int ctl_rename(const struct ctl_arguments *arguments);
int ctl_rename_sink(const struct ctl_arguments *arguments);
int ctl_drop_sink(const struct ctl_arguments *arguments);
int ctl_dead_letters(const struct ctl_arguments *arguments);
int ctl_definition(const struct ctl_arguments *arguments);
int ctl_cluster(const struct ctl_arguments *arguments);
int ctl_state(const struct ctl_arguments *arguments);
int ctl_backup(const struct ctl_arguments *arguments);
int ctl_new_source(const struct ctl_arguments *arguments);
int ctl_probe(const struct ctl_arguments *arguments);
int ctl_coverage(const struct ctl_arguments *arguments);
int ctl_events(const struct ctl_arguments *arguments);
int ctl_refill(const struct ctl_arguments *arguments);
int ctl_tail(const struct ctl_arguments *arguments);
int ctl_verify(const struct ctl_arguments *arguments);
int ctl_prove(const struct ctl_arguments *arguments);
int ctl_report(const struct ctl_arguments *arguments);
int ctl_skip(const struct ctl_arguments *arguments);
int ctl_test(const struct ctl_arguments *arguments);
int ctl_top(const struct ctl_arguments *arguments);
int ctl_status(const struct ctl_arguments *arguments);
int ctl_poll(const struct ctl_arguments *arguments);
int ctl_reload(const struct ctl_arguments *arguments);

/* --- ctl_cat.c --- */

/* The times of --from and --to, which need not be given. 0, or EX_USAGE after what is wrong was
 * printed. */
int ctl_read_span(const struct ctl_arguments *arguments, nsec_t *ret_from, nsec_t *ret_to);

/* Says how long records are kept: what was not found may have been there. */
void ctl_tell_kept(const struct config *config);

/* --- ctl_common.c --- */

/* All of the configuration, as the daemon takes it; NULL: its faults were printed. */
struct setup *ctl_setup(const struct ctl_arguments *arguments);

/* The part of the configuration that says where the state is and which sources there are. Faults
 * inside [source] and [sink] sections do not matter to that (a credential may be for the daemon
 * alone). NULL: faults that matter were printed. */
struct config *ctl_config(const struct ctl_arguments *arguments);

/* Is there a state at all? What is there but cannot be read is for store_open to say. */
bool ctl_has_state(const char *directory); /* a file of SQLite */
/* There is one, or it is in PostgreSQL: ctl_open_state says whether it can be had here. */
bool ctl_may_have_state(const struct config *config);

/* Prints FAULT; the exit code for the store's outcome R. */
int ctl_store_failed(int r, const struct fault *fault);

/* Prints that PATH cannot be written because of ERROR, an errno; the exit code. */
int ctl_cannot_write(const char *path, int error);

/* Prints that NAME's cursor in the state is none; the exit code. */
int ctl_cursor_unreadable(const char *name);

/* Does the state of this host have the sources of one shard only, and others have more? */
bool ctl_has_one_shard(const struct config *config);
/* Then says so on standard error: what was printed is not all. */
void ctl_tell_shard(const struct config *config);

/* Names the folder of dead letters in the state DIRECTORY, if there are any: they are not in the
 * state, and what copies or moves that leaves them. */
void ctl_tell_dead_letters(const char *directory);

/* The section [source NAME], or NULL. */
struct ini_section *ctl_find_source(const struct config *config, const char *name);
struct ini_section *ctl_find_sink(const struct config *config, const char *name);

/* Where source NAME begins without a state, as it is configured. */
const char *ctl_start_of(const struct config *config, const char *name);

/* Prints that the file at PATH cannot be read, for the reason ERROR (an errno); the exit code. */
int ctl_cannot_read(const char *path, int error);

/* Prints that there is no source NAME, with the nearest of the configured ones and NAMES; the exit
 * code. */
int ctl_unknown_source(
	const char *name, const struct config *config, const char *const *names, size_t n_names);

/* The same of a sink. */
int ctl_unknown_sink(const char *name, const struct config *config);

/* store_open, unless the state belongs to another configuration (store/owner.h). */
int ctl_open_state(struct store **ret, const struct config *config, enum store_mode mode,
	struct fault *reterr);

/* Reads the state, beside a running trawld or not; nothing is read where there is none yet. 0, or
 * the exit code after the reason was printed. */
int ctl_read_state(const struct config *config,
	int (*read)(struct store *store, void *userdata, struct fault *reterr), void *userdata);

/* Opens the state that is there, to change it while no trawld runs. 0, or the exit code after the
 * reason was printed. */
int ctl_own_state(struct store **ret, const struct config *config);

/* TEXT, the value of OPTION, is a time or a span before now. 0, or EX_USAGE after what is wrong was
 * printed. */
int ctl_read_time(const char *option, const char *text, nsec_t *ret);

/* The name of the user who runs this, or `uid N`; the caller frees it. */
char *ctl_user(void);

/* --- ctl_cluster.c --- */

/* Prints who holds which shard. The exit code. */
int ctl_cluster_status(const struct ctl_arguments *arguments);

/* Is there a cluster in the configuration? What is missing was printed. */
bool ctl_cluster_configured(const struct setup *setup);
/* The shard of each source. */
struct cluster_plan;
void ctl_cluster_plan(const struct setup *setup, struct cluster_plan *ret);
void ctl_cluster_plan_deinit(struct cluster_plan *plan);

/* --- ctl_common.c --- */

/* The secret parameters of all sources, known to the masking from init to deinit: ctl_config knows
 * sections, not which of their keys are secret. */
struct ctl_secrets {
	struct definition **definitions;
	size_t n_definitions;
};
void ctl_secrets_init(struct ctl_secrets *ret, const struct config *config);
/* The definition of source NAME; NULL: there is none, or it has errors. */
const struct definition *ctl_secrets_definition(
	const struct ctl_secrets *secrets, const struct config *config, const char *name);
void ctl_secrets_deinit(struct ctl_secrets *secrets);

#endif
