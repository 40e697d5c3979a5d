/* See setup.h. The one place where all layers' configuration meets, since only here all kinds are
 * known. */
#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "listen_address.h"
#include "net/auth/auth.h"
#include "net/transport_check.h"
#include "sink/sinks.h"

#define STANDARD_PROVIDERS TRAWLD_SYSCONFDIR "/trawld/providers"

struct sink_type {
	char *type;
};

static const struct option sink_type_rows[] = {
	{.name = "type",
		.type = OPTION_STRING,
		.offset = offsetof(struct sink_type, type),
		.flags = OPTION_REQUIRED,
		.help = "kind of sink"},
};

/* The definitions of the source tree that this program was built in, while it is run from its build
 * directory there; NULL: it is installed. */
static char *find_source_tree(void)
{
	char program[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
	for (int i = 0; i < 2 && size > 0; i++) { /* BUILD/daemon/trawld */
		program[size] = '\0';
		char *slash = strrchr(program, '/');
		size = slash ? slash - program : 0;
	}
	if (size <= 0)
		return NULL;
	program[size] = '\0';
	char *built CLEANUP_FREE = mem_printf("%s/meson-private", program);
	char *directory = mem_printf("%s/../conf/providers", program);
	if (access(built, F_OK) == 0 && access(directory, F_OK) == 0)
		return directory;
	free(directory);
	return NULL;
}

void setup_path_init(struct setup_path *ret, const struct config *config)
{
	size_t n = 0;
	ret->own = mem_printf("%s/providers", config->directory);
	if (config->daemon.provider_directory)
		ret->directories[n++] = config->daemon.provider_directory;
	ret->directories[n++] = ret->own;
	ret->source_tree = find_source_tree();
	if (ret->source_tree)
		ret->directories[n++] = ret->source_tree;
	if (strcmp(ret->own, STANDARD_PROVIDERS) != 0)
		ret->directories[n++] = STANDARD_PROVIDERS;
	ret->directories[n++] = TRAWLD_DATADIR "/providers";
	ret->path = (struct definition_path){ret->directories, n};
}

void setup_path_deinit(struct setup_path *path)
{
	free(path->own);
	free(path->source_tree);
}

static void sink_free(struct setup_sink *sink)
{
	if (!sink)
		return;
	struct option_table tables[] = {
		{sink_common_option_rows, n_sink_common_option_rows, &sink->common},
		{sink->kind ? sink->kind->options : NULL, sink->kind ? sink->kind->n_options : 0,
			sink->options}};
	options_deinit(&tables[0]);
	if (sink->options)
		options_deinit(&tables[1]);
	free(sink->options);
	free(sink->name);
	free(sink->location);
	free(sink);
}

static const struct sink_kind *find_kind(struct ini_section *section, struct findings *findings)
{
	struct ini_entry *type = ini_section_find(section, "type");
	const struct sink_kind *kind = type ? sinks_find(type->value) : NULL;
	if (kind)
		return kind;
	char *hint CLEANUP_FREE = type ? sinks_hint(type->value) : NULL;
	if (type)
		findings_add_at(
			findings, section, "type", "unknown sink type `%s`%s", type->value, hint);
	else
		findings_add_at(findings, section, NULL, "[sink %s] needs `type`", section->name);
	return NULL;
}

static void take_fingerprint(struct setup_sink *sink, const struct ini_section *section)
{
	struct buf text = BUF_NULL;
	for (size_t i = 0; i < section->n_entries; i++)
		buf_printf(&text, "%s=%s\n", section->entries[i].key, section->entries[i].value);
	sink->fingerprint = digest_id(buf_slice(&text));
	secret_wipe(text.data, text.size);
	buf_deinit(&text);
}

/* Keys of another kind of sink, and of [auth] without its prefix: what was meant is known. */
static void report_foreign_keys(
	const struct sink_kind *kind, struct ini_section *section, struct findings *findings)
{
	for (size_t i = 0; i < section->n_entries; i++) {
		struct ini_entry *entry = &section->entries[i];
		const struct sink_kind *owner = entry->used ? NULL : sinks_with_key(entry->key);
		const char *auth = entry->used || strcmp(kind->name, "http") != 0
					   ? NULL
					   : auth_kind_with_key(entry->key);
		if (owner)
			findings_add(findings, entry->file, entry->line,
				"`%s` is a key of sinks with type = %s; [sink %s] has type = %s",
				entry->key, owner->name, section->name, kind->name);
		else if (auth)
			findings_add(findings, entry->file, entry->line,
				"unknown key `%s` in [sink %s]: write `auth.%s`, and `auth.type` (such as %s)",
				entry->key, section->name, entry->key, auth);
		entry->used |= owner || auth;
	}
}

static struct setup_sink *load_sink(struct ini_section *section, struct findings *findings)
{
	const struct sink_kind *kind = find_kind(section, findings);
	if (!kind)
		return NULL;
	struct setup_sink *sink = MEM_NEW(struct setup_sink);
	struct sink_type type = {NULL};
	sink->name = mem_strdup(section->name);
	const char *base = strrchr(section->file, '/');
	sink->location = mem_printf("%s:%u", base ? base + 1 : section->file, section->line);
	sink->kind = kind;
	sink->options = mem_alloc(kind->options_size);
	struct option_table tables[] = {OPTION_TABLE(sink_type_rows, &type),
		{sink_common_option_rows, n_sink_common_option_rows, &sink->common},
		{kind->options, kind->n_options, sink->options}};
	size_t n_before = findings->n_items;
	options_parse(tables, 3, section, findings);
	report_foreign_keys(kind, section, findings);
	options_unknown(tables, 3, NULL, section, findings);
	options_deinit(&tables[0]);
	sink_common_check(&sink->common, section, findings);
	if (kind->check && findings->n_items == n_before)
		kind->check(sink->options, section, findings);
	take_fingerprint(sink, section);
	return sink;
}

static void check_routes(const struct setup *setup, struct findings *findings)
{
	const struct config *config = setup->config;
	const char **names = mem_array(config->n_sinks + 1, sizeof(char *));
	for (size_t i = 0; i < config->n_sinks; i++)
		names[i] = config->sinks[i]->name;
	for (size_t i = 0; i < config->n_sources; i++) {
		struct ini_entry *entry = ini_section_find(config->sources[i], "sinks");
		struct slice rest = slice_of(entry ? entry->value : NULL), part;
		if (entry && rest.size == 0)
			findings_add(findings, entry->file, entry->line,
				"sinks: expected the name of a sink; without this key, all sinks receive the records");
		while (entry && str_next_part(&rest, ',', &part)) {
			char *name CLEANUP_FREE = mem_strndup(part.data, part.size);
			bool known = false;
			for (size_t j = 0; j < config->n_sinks; j++)
				known |= strcmp(names[j], name) == 0;
			if (known || !*name)
				continue;
			char *hint CLEANUP_FREE = str_hint(name, names, config->n_sinks);
			findings_add(findings, entry->file, entry->line,
				"sinks: there is no [sink %s]%s", name, hint);
		}
	}
	if (config->n_sinks == 0 && config->n_sources)
		findings_add(findings, config->path, 0,
			"there is no [sink NAME] section: records would not be delivered");
	free(names);
}

/* The seals of a file sink go to another sink, as records of a source that has a name of its own.
 */
static void check_seals(const struct setup *setup, struct findings *findings)
{
	struct config *config = setup->config;
	const char **names = mem_array(config->n_sinks + 1, sizeof(char *));
	for (size_t i = 0; i < config->n_sinks; i++)
		names[i] = config->sinks[i]->name;
	for (size_t i = 0; i < config->n_sinks; i++) {
		const struct ini_entry *entry = ini_section_find(config->sinks[i], "seal_to");
		if (!entry)
			continue;
		char *source CLEANUP_FREE = mem_printf("%s" SINK_SEALS_SUFFIX, names[i]);
		char *hint CLEANUP_FREE = str_hint(entry->value, names, config->n_sinks);
		if (strcmp(entry->value, names[i]) == 0)
			findings_add(findings, entry->file, entry->line,
				"seal_to: expected another sink, best one on another host: seals in the same place prove less");
		else if (!ini_find(&config->ini, "sink", entry->value))
			findings_add(findings, entry->file, entry->line,
				"seal_to: there is no [sink %s]%s", entry->value, hint);
		if (ini_find(&config->ini, "source", source))
			findings_add(findings, entry->file, entry->line,
				"seal_to: the seals of [sink %s] are records of the source %s, and there is a [source %s]; give that another name",
				names[i], source, source);
	}
	free(names);
}

/* Two sinks that write to one target would take each other's records for damage. */
static void check_targets(const struct setup *setup, struct findings *findings)
{
	for (size_t i = 0; i < setup->n_sinks; i++) {
		const struct setup_sink *sink = setup->sinks[i];
		const char *target = sink->kind->target ? sink->kind->target(sink->options) : NULL;
		for (size_t j = 0; target && j < i; j++) {
			const struct setup_sink *other = setup->sinks[j];
			if (other->kind != sink->kind ||
				strcmp(sink->kind->target(other->options), target) != 0)
				continue;
			const struct ini_section *section =
				ini_find(&setup->config->ini, "sink", sink->name);
			findings_add(findings, section->file, section->line,
				"[sink %s] and [sink %s] both write to %s; give each its own path",
				other->name, sink->name, target);
		}
	}
}

static void check_listen(struct config *config, struct findings *findings)
{
	struct listen_address address;
	struct fault fault;
	struct ini_section *section = ini_find(&config->ini, "daemon", NULL);
	struct ini_entry *entry = section ? ini_section_find(section, "listen") : NULL;
	if (entry && listen_address_parse(&address, entry->value, &fault) != 0)
		findings_add(findings, entry->file, entry->line, "%s", fault.text);
}

static void check_control(struct config *config, struct findings *findings)
{
	const char *path = config->daemon.control;
	struct ini_section *section = ini_find(&config->ini, "daemon", NULL);
	struct sockaddr_un address;
	if (section && ini_section_find(section, "control") && strcmp(path, "off") != 0 &&
		(path[0] != '/' || strlen(path) >= sizeof(address.sun_path)))
		findings_add_at(findings, section, "control",
			"control: `%s` is not an absolute path of less than %zu bytes, or off",
			path, sizeof(address.sun_path));
}

/* Without its definitions, those that are installed would be used in their place. */
static void check_providers(struct config *config, struct findings *findings)
{
	const char *folder = config->daemon.provider_directory;
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int error = folder && fd < 0 ? errno : 0;
	if (error)
		findings_add_at(findings, ini_find(&config->ini, "daemon", NULL),
			"provider_directory", "provider_directory: %s: %s", folder,
			strerror(error));
	if (fd >= 0)
		close(fd);
}

struct setup *setup_load(const char *path, struct findings *findings)
{
	struct setup *setup = MEM_NEW(struct setup);
	struct setup_path providers;
	config_load(&setup->config, path, findings);
	struct config *config = setup->config;
	setup_path_init(&providers, config);
	setup->sources = mem_array(config->n_sources, sizeof(struct source *));
	for (size_t i = 0; i < config->n_sources; i++) {
		struct source *source = source_new(config->sources[i], &providers.path, findings);
		if (!source)
			continue;
		transport_check(&source->transport, config->sources[i], findings);
		setup->sources[setup->n_sources++] = source;
		names_add(&setup->source_names, source->name);
	}
	setup->sinks = mem_array(config->n_sinks, sizeof(struct setup_sink *));
	for (size_t i = 0; i < config->n_sinks; i++) {
		struct setup_sink *sink = load_sink(config->sinks[i], findings);
		if (!sink)
			continue;
		setup->sinks[setup->n_sinks++] = sink;
		names_add(&setup->sink_names, sink->name);
	}
	check_routes(setup, findings);
	check_seals(setup, findings);
	check_targets(setup, findings);
	check_listen(config, findings);
	check_control(config, findings);
	check_providers(config, findings);
	setup_check_cluster(setup, findings);
	setup_path_deinit(&providers);
	if (findings->n_items == 0)
		return setup;
	setup_free(setup);
	return NULL;
}

void setup_free(struct setup *setup)
{
	if (!setup)
		return;
	for (size_t i = 0; i < setup->n_sources; i++)
		source_free(setup->sources[i]);
	for (size_t i = 0; i < setup->n_sinks; i++)
		sink_free(setup->sinks[i]);
	free(setup->sources);
	free(setup->sinks);
	names_deinit(&setup->source_names);
	names_deinit(&setup->sink_names);
	config_free(setup->config);
	free(setup);
}

struct source *setup_find_source(const struct setup *setup, const char *name)
{
	size_t at;
	return names_find(&setup->source_names, name, &at) ? setup->sources[at] : NULL;
}

struct setup_sink *setup_find_sink(const struct setup *setup, const char *name)
{
	size_t at;
	return names_find(&setup->sink_names, name, &at) ? setup->sinks[at] : NULL;
}

bool setup_has_sink(const struct setup *setup, const struct setup_sink *sink)
{
	const struct setup_sink *own = setup_find_sink(setup, sink->name);
	return own && memcmp(&own->fingerprint, &sink->fingerprint, sizeof(sink->fingerprint)) == 0;
}

void setup_route(const struct setup *setup, const struct source *source, struct str_list *ret_names)
{
	const struct str_list *own = &source->options.sinks;
	for (size_t i = 0; i < own->n_items; i++)
		str_list_add(ret_names, own->items[i]);
	for (size_t i = 0; own->n_items == 0 && i < setup->n_sinks; i++)
		str_list_add(ret_names, setup->sinks[i]->name);
}
