/* See remarks.h. */
#include "remarks.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "pipeline/deadletter.h"
#include "secret_entry.h"

/* May every user do with the file or directory (TYPE) what BIT (S_IROTH, S_IWOTH) says? The folders
 * count, too. */
static bool is_open(const char *path, mode_t type, mode_t bit)
{
	char *real CLEANUP_FREE = realpath(path, NULL);
	struct stat status;
	if (!real || stat(real, &status) != 0 || (status.st_mode & S_IFMT) != type ||
		!(status.st_mode & bit))
		return false;
	for (char *slash = strrchr(real, '/'); slash && slash != real; slash = strrchr(real, '/')) {
		*slash = '\0';
		if (stat(real, &status) != 0 || !(status.st_mode & S_IXOTH))
			return false;
	}
	return true;
}

static void remark_secret(const char *path)
{
	if (is_open(path, S_IFREG, S_IROTH))
		log_warning(NULL,
			"every user of this host can read the secret in %s (`chmod o-rwx %s`)",
			path, path);
}

/* What was cut is not shown: it may be a part of a secret. */
static void remark_cut(const struct ini_entry *entry)
{
	const char *slash = strrchr(entry->file, '/');
	if (entry->cut)
		log_warning(NULL,
			"%s:%u: a `;` or `#` after white space begins a comment, so what follows it is not part of `%s` (to keep it, put the value into a file and write `%s = ${file:/PATH}`; for a comment, write `# `)",
			slash ? slash + 1 : entry->file, entry->cut, entry->key, entry->key);
}

static void remark_keys(const struct ini_section *section)
{
	for (size_t i = 0; i < section->n_entries; i++)
		remark_cut(&section->entries[i]);
	for (size_t i = 0; i < section->n_entries; i++)
		if (strcmp(section->entries[i].key, "client_key") == 0)
			remark_secret(section->entries[i].value);
}

/* The first secret that is written in FILE itself, in sections of INI, or NULL. */
static const struct ini_entry *secret_in(
	const struct setup *setup, const struct ini *ini, const char *file)
{
	for (size_t i = 0; i < ini->n_sections; i++)
		for (size_t k = 0; k < ini->sections[i].n_entries; k++) {
			const struct ini_entry *entry = &ini->sections[i].entries[k];
			enum secret_entry secret = secret_entry(setup, &ini->sections[i], entry);
			if (strcmp(entry->file, file) == 0 &&
				(secret == SECRET_ENTRY_WRITTEN || secret == SECRET_ENTRY_PART))
				return entry;
		}
	return NULL;
}

static void remark_written(const struct setup *setup, const struct ini *ini)
{
	for (size_t i = 0; i < ini->n_files; i++) {
		const struct ini_entry *entry = is_open(ini->files[i], S_IFREG, S_IROTH)
							? secret_in(setup, ini, ini->files[i])
							: NULL;
		if (entry)
			log_warning(NULL,
				"every user of this host can read `%s` in line %u of %s (`chmod o-r %s`, or keep it in /etc/trawld/secrets/NAME and write `%s = ${credential:NAME}`)",
				entry->key, entry->line, entry->file, entry->file, entry->key);
	}
}

static void remark_definitions(const struct setup *setup)
{
	struct names seen = NAMES_NULL;
	for (size_t i = 0; i < setup->n_sources; i++) {
		const struct definition *definition = setup->sources[i]->definition;
		size_t n = seen.n_items;
		if (names_add(&seen, definition->name) == n)
			remark_written(setup, &definition->ini);
	}
	names_deinit(&seen);
}

/* They look as if they worked: most programs use them. */
static void remark_environment(const struct ini *ini)
{
	static const char *const names[] = {
		"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", NULL};
	for (size_t i = 0; i < ini->n_sections; i++)
		if (ini_section_find(&ini->sections[i], "proxy"))
			return;
	for (const char *const *name = names; *name; name++) {
		const char *value = getenv(*name);
		if (value && *value) {
			log_notice(NULL,
				"`%s` of the environment is not used (to use a proxy, set `proxy` in the source or sink)",
				*name);
			return;
		}
	}
}

static void remark_files(const struct config *config)
{
	const struct ini *ini = &config->ini;
	for (size_t i = 0; i < ini->expanded.paths.n_items; i++)
		remark_secret(ini->expanded.paths.items[i]);
	for (size_t i = 0; i < ini->n_sections; i++)
		remark_keys(&ini->sections[i]);
	for (size_t i = 0; i < ini->n_files; i++)
		if (is_open(ini->files[i], S_IFREG, S_IWOTH))
			log_warning(NULL,
				"every user of this host can change %s, and so decide where trawld sends credentials and records (`chmod o-w %s`)",
				ini->files[i], ini->files[i]);
	const char *state = config->daemon.state_directory;
	if (is_open(state, S_IFDIR, S_IWOTH))
		log_warning(NULL,
			"every user of this host can change the state in %s (`chmod 0700 %s`)",
			state, state);
}

/* A source that lists no sinks uses all. */
static bool uses(const struct ini_section *source, const char *sink)
{
	struct ini_entry *entry =
		ini_section_find((struct ini_section *)(uintptr_t)source, "sinks");
	struct slice rest = slice_of(entry ? entry->value : NULL), part;
	while (entry && str_next_part(&rest, ',', &part))
		if (slice_equal(part, slice_of(sink)))
			return true;
	return !entry;
}

static bool gets_seals_of(const struct ini_section *other, const char *sink)
{
	const struct ini_entry *entry = ini_section_find(other, "seal_to");
	return entry && strcmp(entry->value, sink) == 0;
}

static void remark_sink(const struct config *config, const struct setup_sink *sink)
{
	const struct log_subject subject = {"sink", sink->name, sink->location};
	for (size_t i = 0; i < config->n_sources; i++)
		if (uses(config->sources[i], sink->name))
			return;
	for (size_t i = 0; i < config->n_sinks; i++)
		if (gets_seals_of(config->sinks[i], sink->name))
			return;
	log_notice(&subject, "no source lists it in its `sinks`: it receives nothing");
}

static void remark_letters_of(const char *name, const char *path, void *userdata)
{
	(void)userdata;
	if (str_starts(name, DEADLETTER_SOURCE_PREFIX))
		log_notice(NULL,
			"%s holds what an API sent instead of records (read it, then remove it)",
			path);
	else
		log_notice(NULL,
			"%s holds records that were rejected (`trawlctl dead-letters list %s` shows them, then resend or discard them)",
			path, name);
}

/* What was said when they were rejected may be long ago. */
static void remark_letters(const char *state_directory)
{
	int r = deadletter_each(state_directory, remark_letters_of, NULL);
	if (r && r != -EACCES)
		log_notice(NULL, "cannot read %s/dead-letters: %s", state_directory, strerror(-r));
}

void remarks_log(const struct setup *setup)
{
	const struct config *config = setup->config;
	remark_files(config);
	remark_environment(&config->ini);
	remark_written(setup, &config->ini);
	remark_definitions(setup);
	for (size_t i = 0; i < setup->n_sinks; i++)
		remark_sink(setup->config, setup->sinks[i]);
	remark_letters(config->daemon.state_directory);
}
