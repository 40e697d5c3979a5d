/* See config.h. */
#include "conf/config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/each.h"
#include "conf/expand.h"

#define NAME_SIZE_MAX 64

#define ROW(member, key, option_type, ...)                                                         \
	{                                                                                          \
		.name = key, .type = option_type,                                                  \
		.offset = offsetof(struct daemon_options, member), __VA_ARGS__                     \
	}

static const char *const states[] = {"sqlite", "postgresql", NULL};
static const char *const log_levels[] = {"error", "warning", "notice", "info", "debug", NULL};

const struct option daemon_option_rows[] = {
	ROW(state_directory, "state_directory", OPTION_STRING, .flags = OPTION_FIXED | OPTION_PATH,
		.help = "directory of the state; default: $STATE_DIRECTORY, or /var/lib/trawld (/var/lib/trawld/instances/NAME for an instance)"),
	ROW(state, "state", OPTION_CHOICE, .default_text = "sqlite", .choices = states,
		.flags = OPTION_FIXED,
		.help = "sqlite: a file of this host; postgresql: shared, see [cluster]"),
	ROW(listen, "listen", OPTION_STRING, .default_text = "127.0.0.1:9464",
		.help = "address of the status endpoint, unix:/path, or off"),
	ROW(listen_names, "listen_names", OPTION_LIST,
		.help = "names under which the status endpoint answers, beside localhost"),
	ROW(control, "control", OPTION_STRING, .flags = OPTION_FIXED,
		.help = "path of trawlctl's socket, or off; default: $RUNTIME_DIRECTORY/control, or /run/trawld/control (/run/trawld-NAME/control for an instance)"),
	ROW(spool_limit, "spool_limit", OPTION_SIZE, .default_text = "1GiB", .min = 4096,
		.max = INT64_MAX, .help = "bytes that may wait for sinks before polling waits"),
	ROW(keep_ns, "keep", OPTION_DURATION, .default_text = "0s", .max = 3650 * NSEC_PER_DAY,
		.help = "how long records stay in the state after all sinks have them, for trawlctl cat, find and replay"),
	ROW(keep_limit, "keep_limit", OPTION_SIZE, .default_text = "4GiB", .min = 4096,
		.max = INT64_MAX,
		.help = "bytes of kept records, beside spool_limit; above it the oldest go first"),
	ROW(dead_letter_limit, "dead_letter_limit", OPTION_SIZE, .default_text = "256MiB",
		.min = 4096, .max = INT64_MAX,
		.help = "bytes of dead letters at which a sink waits instead of adding more"),
	ROW(log_level, "log_level", OPTION_CHOICE, .default_text = "info", .choices = log_levels,
		.help = "error, warning, notice, info or debug"),
	ROW(shutdown_timeout_ns, "shutdown_timeout", OPTION_DURATION, .default_text = "20s",
		.max = NSEC_PER_HOUR, .help = "how long trawld waits for the sinks when it stops"),
	ROW(provider_directory, "provider_directory", OPTION_STRING, .flags = OPTION_PATH,
		.help = "an additional directory of provider definitions, searched first"),
};
const size_t n_daemon_option_rows = sizeof(daemon_option_rows) / sizeof(daemon_option_rows[0]);

static const char *const kinds[] = {"daemon", "cluster", "source", "sink"};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* 0 if it was listed, or does not exist; else -errno. */
static int list_folder(const char *folder, struct str_list *names)
{
	struct stat status;
	if (lstat(folder, &status) != 0 && errno == ENOENT)
		return 0;
	DIR *directory = opendir(folder);
	struct dirent *entry;
	int error = directory ? 0 : errno;
	while (directory && (errno = 0, entry = readdir(directory)))
		if (str_ends(entry->d_name, ".conf") && entry->d_name[0] != '.')
			str_list_add(names, entry->d_name);
	if (directory) {
		error = errno;
		closedir(directory);
	}
	return -error;
}

/* A folder that cannot be listed is not an empty one: its sources would not be polled any more. */
static void read_folder(struct config *config, struct findings *findings)
{
	char *folder CLEANUP_FREE = mem_printf("%s/conf.d", config->directory);
	struct str_list names CLEANUP(str_list_deinit) = STR_LIST_NULL;
	file_watch_look(&config->written, folder);
	int r = list_folder(folder, &names);
	if (r)
		findings_add(findings, folder, 0, "cannot be read: %s", strerror(-r));
	if (names.n_items)
		qsort(names.items, names.n_items, sizeof(char *), compare_names);
	for (size_t i = 0; i < names.n_items; i++) {
		char *path CLEANUP_FREE = mem_printf("%s/%s", folder, names.items[i]);
		file_watch_look(&config->written, path);
		ini_read(&config->ini, path, findings);
	}
}

bool config_is_name(const char *name)
{
	size_t size = strlen(name);
	for (size_t i = 0; i < size; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
			return false;
	return size > 0 && size <= NAME_SIZE_MAX && name[0] != '.';
}

/* There is one section of this kind, without a name. */
static bool is_single(const char *kind)
{
	return strcmp(kind, "daemon") == 0 || strcmp(kind, "cluster") == 0;
}

static void sort_section(
	struct config *config, struct ini_section *section, struct findings *findings)
{
	bool is_source = strcmp(section->kind, "source") == 0;
	if (is_source && section->name && each_is_expanded(section))
		return;
	if (is_single(section->kind)) {
		if (section->name)
			findings_add(findings, section->file, section->line,
				"[%s %s]: [%s] does not take a name", section->kind, section->name,
				section->kind);
		return;
	}
	if (!is_source && strcmp(section->kind, "sink") != 0) {
		const char *nearest = str_nearest(section->kind, kinds, 3);
		if (nearest)
			findings_add(findings, section->file, section->line,
				"unknown section [%s]: did you mean [%s%s]?", section->kind,
				nearest, is_single(nearest) ? "" : " NAME");
		else
			findings_add(findings, section->file, section->line,
				"unknown section [%s]; expected [daemon], [cluster], [source NAME] or [sink NAME]",
				section->kind);
		return;
	}
	if (!section->name || !config_is_name(section->name)) {
		findings_add(findings, section->file, section->line,
			"[%s%s%s]: expected a name such as [%s acme-prod], of at most %d letters, digits, `-`, `_` and `.`",
			section->kind, section->name ? " " : "", section->name ? section->name : "",
			section->kind, NAME_SIZE_MAX);
		return;
	}
	if (is_source)
		config->sources[config->n_sources++] = section;
	else
		config->sinks[config->n_sinks++] = section;
}

/* NAME of a PATH that ends with instances/NAME/trawld.conf, as trawld@NAME.service has it;
 * SLICE_NULL: another path. */
static struct slice instance_of(const char *path)
{
	static const char folder[] = "/instances/";
	const char *slash = strrchr(path, '/'), *name = slash;
	if (!slash || strcmp(slash, "/trawld.conf") != 0)
		return SLICE_NULL;
	while (name > path && name[-1] != '/')
		name--;
	size_t before = (size_t)(name - path);
	if (name == slash || before < sizeof(folder) - 1 ||
		memcmp(name - (sizeof(folder) - 1), folder, sizeof(folder) - 1) != 0)
		return SLICE_NULL;
	return (struct slice){name, (size_t)(slash - name)};
}

static char *from_environment(const char *name, const char *suffix, char *otherwise)
{
	const char *value = getenv(name);
	if (!value || !*value)
		return otherwise;
	free(otherwise);
	/* systemd lists several directories with colons: the first is ours */
	return mem_printf("%.*s%s", (int)strcspn(value, ":"), value, suffix);
}

static void read_daemon(struct config *config, struct findings *findings)
{
	struct ini_section none = {.kind = (char *)"daemon", .file = config->path};
	struct ini_section *section = ini_find(&config->ini, "daemon", NULL);
	struct option_table table = {daemon_option_rows, n_daemon_option_rows, &config->daemon};
	options_parse(&table, 1, section ? section : &none, findings);
	if (section)
		options_unknown(&table, 1, NULL, section, findings);
	/* in a shell, an instance must not take the state of trawld.service for its own */
	char *path CLEANUP_FREE = realpath(config->path, NULL);
	struct slice instance = instance_of(path ? path : config->path);
	int size = (int)instance.size;
	if (!config->daemon.state_directory)
		config->daemon.state_directory = from_environment("STATE_DIRECTORY", "",
			mem_printf("/var/lib/trawld%s%.*s", size ? "/instances/" : "", size,
				size ? instance.data : ""));
	if (!config->daemon.control)
		config->daemon.control = from_environment("RUNTIME_DIRECTORY", "/control",
			mem_printf("/run/trawld%s%.*s/control", size ? "-" : "", size,
				size ? instance.data : ""));
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash == path ? mem_strdup("/")
	       : slash       ? mem_strndup(path, (size_t)(slash - path))
			     : mem_strdup(".");
}

char *config_locate(const char *path)
{
	char *directory CLEANUP_FREE = folder_of(path);
	char *folder CLEANUP_FREE = realpath(directory, NULL);
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	if (!folder)
		return mem_strdup(path);
	return mem_printf("%s%s%s", folder, folder[1] ? "/" : "", name);
}

void config_load(struct config **ret, const char *path, struct findings *findings)
{
	struct config *config = MEM_NEW(struct config);
	config->path = mem_strdup(path);
	config->directory = folder_of(path);
	config->location = config_locate(path);
	file_watch_look(&config->written, path);
	if (ini_read(&config->ini, path, findings) >= 0)
		read_folder(config, findings);
	expand_ini(&config->ini, findings);
	each_expand(&config->ini, findings);
	config->sources = mem_array(config->ini.n_sections, sizeof(struct ini_section *));
	config->sinks = mem_array(config->ini.n_sections, sizeof(struct ini_section *));
	for (size_t i = 0; i < config->ini.n_sections; i++)
		sort_section(config, &config->ini.sections[i], findings);
	read_daemon(config, findings);
	config_read_cluster(config, findings);
	if (config->n_sources == 0 && findings->n_items == 0)
		findings_add(findings, path, 0,
			"there is no [source NAME] section: nothing would be polled (`trawlctl providers` lists the available providers)");
	*ret = config;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	struct option_table tables[] = {{daemon_option_rows, n_daemon_option_rows, &config->daemon},
		{cluster_option_rows, n_cluster_option_rows, &config->cluster}};
	options_deinit(&tables[0]);
	options_deinit(&tables[1]);
	ini_deinit(&config->ini);
	file_watch_deinit(&config->written);
	free(config->sources);
	free(config->sinks);
	free(config->path);
	free(config->directory);
	free(config->location);
	free(config);
}

char *config_hint(const struct config *config, const char *name)
{
	size_t n = 0;
	const char **names CLEANUP_FREE =
		mem_array(config->n_sources + config->n_sinks + 1, sizeof(char *));
	for (size_t i = 0; i < config->n_sources; i++)
		names[n++] = config->sources[i]->name;
	for (size_t i = 0; i < config->n_sinks; i++)
		names[n++] = config->sinks[i]->name;
	return str_hint(name, names, n);
}
