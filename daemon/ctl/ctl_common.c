/* See ctl/ctl.h: how trawlctl's commands come to a configuration and to the state. */
#include "ctl/ctl.h"

#include <errno.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "pipeline/deadletter.h"
#include "store/owner.h"

static void print_faults(struct findings *findings)
{
	findings_print(findings, stderr);
	fprintf(stderr, "trawlctl: %zu error%s in the configuration\n", findings->n_items,
		str_plural(findings->n_items));
}

struct setup *ctl_setup(const struct ctl_arguments *arguments)
{
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct setup *setup = setup_load(arguments->path, &findings);
	if (!setup)
		print_faults(&findings);
	return setup;
}

static bool stands_in(const struct ini_section *section, const struct finding *finding)
{
	if (!finding->file || strcmp(section->file, finding->file) != 0)
		return false;
	for (size_t i = 0; i < section->n_entries; i++)
		if (section->entries[i].line == finding->line &&
			strcmp(section->entries[i].file, finding->file) == 0)
			return true;
	return section->line == finding->line;
}

static bool matters(const struct config *config, const struct finding *finding)
{
	for (size_t i = 0; i < config->n_sources; i++)
		if (stands_in(config->sources[i], finding))
			return false;
	for (size_t i = 0; i < config->n_sinks; i++)
		if (stands_in(config->sinks[i], finding))
			return false;
	return true;
}

struct config *ctl_config(const struct ctl_arguments *arguments)
{
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct config *config;
	config_load(&config, arguments->path, &findings);
	for (size_t i = 0; i < findings.n_items; i++)
		if (matters(config, &findings.items[i])) {
			print_faults(&findings);
			config_free(config);
			return NULL;
		}
	return config;
}

int ctl_read_time(const char *option, const char *text, nsec_t *ret)
{
	if (timestamp_parse_point(slice_of(text), clock_wall(), ret) == 0)
		return 0;
	fprintf(stderr,
		"trawlctl: %s: `%s` is not a time; expected 2026-01-31T00:00:00Z, -1h, earliest or now\n",
		option, text);
	return EX_USAGE;
}

char *ctl_user(void)
{
	const struct passwd *user = getpwuid(getuid());
	return user ? mem_strdup(user->pw_name) : mem_printf("uid %u", (unsigned)getuid());
}

bool ctl_has_state(const char *directory)
{
	char *path CLEANUP_FREE = mem_printf("%s/trawld.db", directory);
	struct stat status;
	return stat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool ctl_may_have_state(const struct config *config)
{
	return config->daemon.state == STATE_POSTGRESQL ||
	       ctl_has_state(config->daemon.state_directory);
}

int ctl_store_failed(int r, const struct fault *fault)
{
	fprintf(stderr, "trawlctl: %s%s\n", fault->text, r == STORE_E_FULL ? "; try again" : "");
	return r == STORE_E_LOCKED || r == STORE_E_FULL ? EX_TEMPFAIL : EX_CANTCREAT;
}

int ctl_cannot_write(const char *path, int error)
{
	bool passes = error == EIO || error == ENOSPC || error == EDQUOT;
	fprintf(stderr, "trawlctl: cannot write %s: %s%s\n", path, strerror(error),
		passes ? "; look at the disk and its quota, and try again" : "");
	return passes ? EX_TEMPFAIL : EX_CANTCREAT;
}

int ctl_cursor_unreadable(const char *name)
{
	fprintf(stderr,
		"trawlctl: the saved cursor of source %s cannot be read: it was written by another version, or it is damaged\n",
		name);
	return EX_CANTCREAT;
}

bool ctl_has_one_shard(const struct config *config)
{
	return config->daemon.state == STATE_POSTGRESQL && config->cluster.n_shards > 1;
}

void ctl_tell_shard(const struct config *config)
{
	if (ctl_has_one_shard(config))
		fprintf(stderr,
			"trawlctl: this is about the sources of one shard of %lld, which this host holds; ask the hosts of the others, too (`trawlctl cluster status`)\n",
			(long long)config->cluster.n_shards);
}

static void note_dead_letters(const char *name, const char *path, void *userdata)
{
	bool *any = userdata;
	(void)name;
	(void)path;
	*any = true;
}

void ctl_tell_dead_letters(const char *directory)
{
	bool any = false;
	if (deadletter_each(directory, note_dead_letters, &any))
		any = true; /* what cannot be listed may be some */
	if (any)
		printf("It does not contain the dead letters: they stay in %s/dead-letters (copy that folder, too).\n",
			directory);
}

struct ini_section *ctl_find_source(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_sources; i++)
		if (strcmp(config->sources[i]->name, name) == 0)
			return config->sources[i];
	return NULL;
}

struct ini_section *ctl_find_sink(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_sinks; i++)
		if (strcmp(config->sinks[i]->name, name) == 0)
			return config->sinks[i];
	return NULL;
}

const char *ctl_start_of(const struct config *config, const char *name)
{
	struct ini_section *section = ctl_find_source(config, name);
	struct ini_entry *start = section ? ini_section_find(section, "start") : NULL;
	return start ? start->value : "-1h";
}

int ctl_unknown_sink(const char *name, const struct config *config)
{
	const char **names CLEANUP_FREE = mem_array(config->n_sinks + 1, sizeof(char *));
	for (size_t i = 0; i < config->n_sinks; i++)
		names[i] = config->sinks[i]->name;
	char *hint CLEANUP_FREE = str_hint(name, names, config->n_sinks);
	fprintf(stderr, "trawlctl: there is no sink `%s`%s\n", name, hint);
	return EX_USAGE;
}

int ctl_open_state(
	struct store **ret, const struct config *config, enum store_mode mode, struct fault *reterr)
{
	const char *directory = config->daemon.state_directory;
	char *former CLEANUP_FREE = NULL;
	int r = owner_check(directory, config->location, &former, reterr);
	if (r)
		return r;
	return config->daemon.state == STATE_POSTGRESQL
		       ? store_open_held(ret, directory, mode, reterr)
		       : store_open(ret, directory, mode, reterr);
}

int ctl_read_state(const struct config *config,
	int (*read)(struct store *store, void *userdata, struct fault *reterr), void *userdata)
{
	struct fault fault = FAULT_NULL;
	struct store *store = NULL;
	if (!ctl_may_have_state(config))
		return 0;
	int r = ctl_open_state(&store, config, STORE_READ, &fault);
	if (!r)
		r = read(store, userdata, &fault);
	store_close(store);
	return r ? ctl_store_failed(r, &fault) : 0;
}

int ctl_own_state(struct store **ret, const struct config *config)
{
	struct fault fault = FAULT_NULL;
	const char *directory = config->daemon.state_directory;
	*ret = NULL;
	if (!ctl_may_have_state(config)) {
		fprintf(stderr, "trawlctl: there is no state in %s yet: start trawld once\n",
			directory);
		return EX_CANTCREAT;
	}
	int r = ctl_open_state(ret, config, STORE_OWN, &fault);
	return r ? ctl_store_failed(r, &fault) : 0;
}

int ctl_cannot_read(const char *path, int error)
{
	fprintf(stderr, "trawlctl: cannot read %s: %s\n", path, strerror(error));
	return error == EACCES ? EX_NOPERM : EX_TEMPFAIL;
}

int ctl_unknown_source(
	const char *name, const struct config *config, const char *const *names, size_t n_names)
{
	size_t n = 0;
	const char **all CLEANUP_FREE = mem_array(config->n_sources + n_names, sizeof(char *));
	for (size_t i = 0; i < config->n_sources; i++)
		all[n++] = config->sources[i]->name;
	for (size_t i = 0; i < n_names; i++)
		all[n++] = names[i];
	char *hint CLEANUP_FREE = str_hint(name, all, n);
	fprintf(stderr, "trawlctl: there is no source `%s`%s\n", name, hint);
	return EX_USAGE;
}

void ctl_secrets_init(struct ctl_secrets *ret, const struct config *config)
{
	struct findings ignored CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct setup_path providers;
	setup_path_init(&providers, config);
	/* what is wrong with a definition is for check and the daemon to say */
	*ret = (struct ctl_secrets){mem_array(config->n_sources, sizeof(struct definition *)), 0};
	for (size_t i = 0; i < config->n_sources; i++) {
		struct ini_entry *provider = ini_section_find(config->sources[i], "provider");
		ret->definitions[ret->n_definitions++] =
			provider ? definition_load(provider->value, &providers.path,
					   config->sources[i], &ignored)
				 : NULL;
	}
	setup_path_deinit(&providers);
}

const struct definition *ctl_secrets_definition(
	const struct ctl_secrets *secrets, const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_sources; i++)
		if (strcmp(config->sources[i]->name, name) == 0)
			return secrets->definitions[i];
	return NULL;
}

void ctl_secrets_deinit(struct ctl_secrets *secrets)
{
	for (size_t i = 0; i < secrets->n_definitions; i++)
		definition_free(secrets->definitions[i]);
	free(secrets->definitions);
}
