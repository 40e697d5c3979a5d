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
#include "mask.h"
#include "secret_entry.h"

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

/* Of an address alone, only the secrets in it are hidden. */
static bool is_hidden(enum secret_entry secret, const char *value)
{
	bool is_address = strstr(value, "://") && !strpbrk(value, " \t\n");
	return secret != SECRET_ENTRY_NO && !(secret == SECRET_ENTRY_PART && is_address);
}

/* SECTION may be NULL: nothing is set. */
static void print_set(const struct setup *setup, const struct ini_section *section)
{
	for (size_t i = 0; section && i < section->n_entries; i++) {
		const struct ini_entry *entry = &section->entries[i];
		const char *slash = strrchr(entry->file, '/');
		char *origin CLEANUP_FREE =
			mem_printf("%s:%u", slash ? slash + 1 : entry->file, entry->line);
		bool hidden = is_hidden(secret_entry(setup, section, entry), entry->value);
		print_value(entry->key, entry->value, hidden, origin);
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

static void print_section(const struct ctl_arguments *arguments, const struct setup *setup,
	const struct ini_section *section, const struct option_table *tables, size_t n_tables,
	const struct definition *definition)
{
	print_set(setup, section);
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
	print_section(arguments, setup, section, &table, 1, NULL);
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
	print_section(arguments, setup, section, &table, 1, NULL);
	putchar('\n');
}

static void print_source(
	const struct ctl_arguments *arguments, struct setup *setup, struct source *source)
{
	struct option_table table = {source_option_rows, n_source_option_rows, &source->options};
	printf("[source %s]\n", source->name);
	print_section(arguments, setup, ini_find(&setup->config->ini, "source", source->name),
		&table, 1, source->definition);
}

static void print_sink(
	const struct ctl_arguments *arguments, struct setup *setup, struct setup_sink *sink)
{
	struct option_table tables[] = {
		{sink->kind->options, sink->kind->n_options, sink->options},
		{sink_common_option_rows, n_sink_common_option_rows, &sink->common},
	};
	printf("\n[sink %s]\n", sink->name);
	print_section(arguments, setup, ini_find(&setup->config->ini, "sink", sink->name), tables,
		2, NULL);
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
