/* Prints what the option tables say, a line a key with tabs between: table, key, type, required,
 * default, least, most, choices. Then the promise of each kind of sink, and the keys of each kind
 * of credential, those that are optional in brackets. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf/config.h"
#include "net/auth/auth.h"
#include "pipeline/fanout.h"
#include "sink/sinks.h"
#include "source/source.h"

static const char *const types[] = {
	[OPTION_STRING] = "string",
	[OPTION_SECRET] = "secret",
	[OPTION_BOOL] = "bool",
	[OPTION_COUNT] = "count",
	[OPTION_SIZE] = "size",
	[OPTION_DURATION] = "duration",
	[OPTION_RATE] = "rate",
	[OPTION_CHOICE] = "choice",
	[OPTION_LIST] = "list",
	[OPTION_LINES] = "lines",
	[OPTION_MODE] = "mode",
	[OPTION_PAIRS] = "pairs",
};

static void list(const char *table, const struct option *options, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct option *option = &options[i];

		printf("option\t%s\t%s\t%s\t%s\t%s\t%" PRId64 "\t%" PRId64 "\t", table,
			option->name, types[option->type],
			option->flags & OPTION_REQUIRED ? "required" : "",
			option->default_text ? option->default_text : "", option->min, option->max);
		for (size_t k = 0; option->choices && option->choices[k]; k++)
			printf("%s%s", k > 0 ? "," : "", option->choices[k]);
		printf("\n");
	}
}

static bool holds(const char *const *names, const char *name)
{
	for (size_t i = 0; names[i]; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static void list_auth(const struct auth_kind_info *info)
{
	printf("auth\t%s\t", info->type);
	for (size_t i = 0; info->keys[i]; i++) {
		const char *key = info->keys[i];
		bool begins = key[strlen(key) - 1] == '.'; /* what follows is free */

		printf(holds(info->required, key) ? "%s%s " : "[%s%s] ", key, begins ? "NAME" : "");
	}
	printf("\n");
}

int main(void)
{
	const char *const *names = auth_kind_names();

	list("daemon", daemon_option_rows, n_daemon_option_rows);
	list("cluster", cluster_option_rows, n_cluster_option_rows);
	list("source", source_option_rows, n_source_option_rows);
	list("sink", sink_common_option_rows, n_sink_common_option_rows);
	for (size_t i = 0; i < n_sink_kinds; i++) {
		list(sink_kinds[i]->name, sink_kinds[i]->options, sink_kinds[i]->n_options);
		printf("promise\t%s\t%s\n", sink_kinds[i]->name, sink_kinds[i]->promise);
	}
	for (size_t i = 0; names[i]; i++)
		list_auth(auth_kind_find(names[i]));
	return 0;
}
