/* The array of sink kinds. A new kind is one file and one row here. */
#include "sink/sinks.h"
#include "base/mem.h"
#include "base/buf.h"
#include "sink/http/http_encoding.h"

const struct sink_kind *const sink_kinds[] = {
	&sink_exec,
	&sink_file,
	&sink_http,
	&sink_journal,
	&sink_kafka,
	&sink_stdout,
	&sink_syslog,
};
const size_t n_sink_kinds = sizeof(sink_kinds) / sizeof(sink_kinds[0]);

const struct sink_kind *sinks_find(const char *name)
{
	for (size_t i = 0; i < n_sink_kinds; i++) {
		if (strcmp(sink_kinds[i]->name, name) == 0)
			return sink_kinds[i];
	}
	return NULL;
}

const struct sink_kind *sinks_with_key(const char *key)
{
	for (size_t i = 0; i < n_sink_kinds; i++) {
		for (size_t k = 0; k < sink_kinds[i]->n_options; k++) {
			if (strcmp(sink_kinds[i]->options[k].name, key) == 0)
				return sink_kinds[i];
		}
	}
	return NULL;
}

char *sinks_hint(const char *name)
{
	const char *names[sizeof(sink_kinds) / sizeof(sink_kinds[0])];

	for (size_t i = 0; i < n_sink_kinds; i++)
		names[i] = sink_kinds[i]->name;
	for (size_t i = 0; http_encoding_names[i]; i++) {
		size_t n = strlen(name);
		if (strncmp(http_encoding_names[i], name, n) == 0 &&
			(!http_encoding_names[i][n] || http_encoding_names[i][n] == '_'))
			return mem_printf(
				": write type = http and encoding = %s", http_encoding_names[i]);
	}
	return str_hint_or_all(name, names, n_sink_kinds);
}
