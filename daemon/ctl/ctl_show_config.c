/*
 * trawlctl config: the configuration as trawld reads it, in the form of a file: main file and
 * conf.d together, each key with where it is set, with --defaults also those that are not, as
 * comments: what is printed can be read again.
 */
#include "ctl/ctl.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/secret_name.h"
#include "mask.h"

#define COLUMN 48 /* of what says where a value is from */

/* Neither registered secrets nor the password in an address (of a proxy). */
static void append_shown(struct slice text, struct buf *out)
{
	char *copy CLEANUP_FREE = mem_printf("%.*s", (int)text.size, text.data);
	char *host = strstr(copy, "://");
	char *at = host ? strchr(host + 3, '@') : NULL;
	char *colon = host ? strchr(host + 3, ':') : NULL;
	if (!at || !colon || colon > at || strcspn(host + 3, "/") < (size_t)(at - host - 3)) {
		mask_url(text, out);
		return;
	}
	*colon = '\0';
	char *shown CLEANUP_FREE = mem_printf("%s:***%s", copy, at);
	mask_url(slice_of(shown), out);
}

/* Is there a `NAME=` of a secret in a text such as `connect` or `command`? Of a URL alone, only the
 * secrets in it are hidden, which is not asked here. */
static bool has_secret_in_it(const char *value)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	if (strstr(value, "://") && !strpbrk(value, " \t\n"))
		return false;
	for (const char *at = strchr(value, '='); at; at = strchr(at + 1, '=')) {
		const char *start = at;
		while (start > value && strchr(letters, start[-1]))
			start--;
		if (secret_is_named_by((struct slice){start, (size_t)(at - start)}))
			return true;
	}
	return false;
}

static void print_value(const char *key, const char *value, bool secret, const char *origin)
{
	struct buf line CLEANUP(buf_deinit) = BUF_NULL;
	struct slice rest = slice_of(value), part;
	bool first = true;
	buf_printf(&line, "%s =", key);
	while (!secret && str_next_part(&rest, '\n', &part)) {
		buf_append_text(&line, first ? " " : "\n    ");
		append_shown(part, &line);
		if (first)
			buf_printf(&line, "%*s  # %s",
				line.size < COLUMN ? (int)(COLUMN - line.size) : 0, "", origin);
		first = false;
	}
	if (first)
		buf_printf(&line, "%s%*s  # %s", secret ? " ***" : "",
			line.size + 4 < COLUMN ? (int)(COLUMN - line.size - (secret ? 4 : 0)) : 0,
			"", origin);
	puts(buf_text(&line));
}

static void print_default(const char *key, const char *value, const char *origin)
{
	char *comment CLEANUP_FREE = mem_printf("#%s", key);
	print_value(comment, value, false, origin);
}

static const struct option *find_option(
	const struct option_table *tables, size_t n_tables, const char *key)
{
	for (size_t i = 0; i < n_tables; i++)
		for (size_t k = 0; k < tables[i].n_options; k++)
			if (strcmp(tables[i].options[k].name, key) == 0)
				return &tables[i].options[k];
	return NULL;
}

static const struct parameter *find_parameter(const struct definition *definition, const char *key)
{
	for (size_t i = 0; definition && i < definition->n_parameters; i++)
		if (strcmp(definition->parameters[i].name, key) == 0)
			return &definition->parameters[i];
	return NULL;
}

/* SECTION may be NULL: nothing is set. */
static void print_set(const struct ini_section *section, const struct option_table *tables,
	size_t n_tables, const struct definition *definition)
{
	for (size_t i = 0; section && i < section->n_entries; i++) {
		const struct ini_entry *entry = &section->entries[i];
		const struct option *option = find_option(tables, n_tables, entry->key);
		const struct parameter *parameter = find_parameter(definition, entry->key);
		const char *slash = strrchr(entry->file, '/');
		char *origin CLEANUP_FREE =
			mem_printf("%s:%u", slash ? slash + 1 : entry->file, entry->line);
		bool secret = entry->secret || (option && option->type == OPTION_SECRET) ||
			      (parameter && parameter->secret) ||
			      (option && has_secret_in_it(entry->value)) ||
			      (!option && !parameter && !str_ends(entry->key, ".type") &&
				      secret_is_named_by(slice_of(entry->key)));
		print_value(entry->key, entry->value, secret, origin);
	}
}

static void print_defaults(const struct ini_section *section, const struct option_table *tables,
	size_t n_tables, const struct definition *definition)
{
	for (size_t i = 0; i < n_tables; i++)
		for (size_t k = 0; k < tables[i].n_options; k++) {
			const struct option *option = &tables[i].options[k];
			struct buf value CLEANUP(buf_deinit) = BUF_NULL;
			if (option->type == OPTION_PAIRS ||
				(section && ini_section_find(section, option->name)))
				continue;
			option_print(option, tables[i].target, &value);
			print_default(option->name, buf_text(&value), "default");
		}
	for (size_t i = 0; definition && i < definition->n_parameters; i++) {
		const struct parameter *parameter = &definition->parameters[i];
		char *origin CLEANUP_FREE = mem_printf("default of %s", definition->name);
		if (!section || !ini_section_find(section, parameter->name))
			print_default(
				parameter->name, parameter->value ? parameter->value : "", origin);
	}
}

static void print_section(const struct ctl_arguments *arguments, const struct ini_section *section,
	const struct option_table *tables, size_t n_tables, const struct definition *definition)
{
	print_set(section, tables, n_tables, definition);
	if (arguments->defaults)
		print_defaults(section, tables, n_tables, definition);
}

static void print_daemon(const struct ctl_arguments *arguments, struct setup *setup)
{
	struct option_table table = {
		daemon_option_rows, n_daemon_option_rows, &setup->config->daemon};
	const struct ini_section *section = ini_find(&setup->config->ini, "daemon", NULL);
	if (!section && !arguments->defaults)
		return;
	puts("[daemon]");
	print_section(arguments, section, &table, 1, NULL);
	putchar('\n');
}

static void print_cluster(const struct ctl_arguments *arguments, struct setup *setup)
{
	struct option_table table = {
		cluster_option_rows, n_cluster_option_rows, &setup->config->cluster};
	const struct ini_section *section = ini_find(&setup->config->ini, "cluster", NULL);
	if (!section)
		return;
	puts("[cluster]");
	print_section(arguments, section, &table, 1, NULL);
	putchar('\n');
}

static void print_source(
	const struct ctl_arguments *arguments, struct setup *setup, struct source *source)
{
	struct option_table table = {source_option_rows, n_source_option_rows, &source->options};
	printf("[source %s]\n", source->name);
	print_section(arguments, ini_find(&setup->config->ini, "source", source->name), &table, 1,
		source->definition);
}

static void print_sink(
	const struct ctl_arguments *arguments, struct setup *setup, struct setup_sink *sink)
{
	struct option_table tables[] = {
		{sink->kind->options, sink->kind->n_options, sink->options},
		{sink_common_option_rows, n_sink_common_option_rows, &sink->common},
	};
	printf("\n[sink %s]\n", sink->name);
	print_section(
		arguments, ini_find(&setup->config->ini, "sink", sink->name), tables, 2, NULL);
}

int ctl_show_config(const struct ctl_arguments *arguments)
{
	struct setup *setup = ctl_setup(arguments);
	if (!setup)
		return EX_CONFIG;
	print_daemon(arguments, setup);
	print_cluster(arguments, setup);
	for (size_t i = 0; i < setup->n_sources; i++) {
		if (i > 0)
			putchar('\n');
		print_source(arguments, setup, setup->sources[i]);
	}
	for (size_t i = 0; i < setup->n_sinks; i++)
		print_sink(arguments, setup, setup->sinks[i]);
	setup_free(setup);
	return EX_OK;
}
