/* The array of sink kinds. A new kind is one file and one row here. */
#include "sink/sinks.h"

const struct sink_kind *const sink_kinds[] = {
	&sink_exec,
	&sink_file,
	&sink_http,
	&sink_journal,
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

char *sinks_hint(const char *name)
{
	const char *names[sizeof(sink_kinds) / sizeof(sink_kinds[0])];

	for (size_t i = 0; i < n_sink_kinds; i++)
		names[i] = sink_kinds[i]->name;
	return str_hint(name, names, n_sink_kinds);
}
