/* The kinds of sink that this build knows, by their `type =`. */
#ifndef TRAWLD_SINK_SINKS_H
#define TRAWLD_SINK_SINKS_H

#include "pipeline/sink.h"

extern const struct sink_kind sink_exec;
extern const struct sink_kind sink_file;
extern const struct sink_kind sink_http;
extern const struct sink_kind sink_journal;
extern const struct sink_kind sink_kafka;
extern const struct sink_kind sink_stdout;
extern const struct sink_kind sink_syslog;

extern const struct sink_kind *const sink_kinds[];
extern const size_t n_sink_kinds;

const struct sink_kind *sinks_find(const char *name); /* NULL: there is none of this name */
/* As str_hint, for a kind of this name. */
char *sinks_hint(const char *name);
/* The kind that has an option KEY, or NULL. */
const struct sink_kind *sinks_with_key(const char *key);

#endif
