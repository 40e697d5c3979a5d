/*
 * The severity of a record: `severity_from = /pointer`, `severity_map = glob=severity, ...`, first
 * match counts. A value that nothing matches but that is a severity's name itself stands for it;
 * what is left has the sink's own `severity`.
 */
#ifndef TRAWLD_SINK_SYSLOG_SEVERITY_H
#define TRAWLD_SINK_SYSLOG_SEVERITY_H

#include "base/fault.h"
#include "base/str.h"

struct syslog_severity;

/* FROM NULL: FALLBACK for every record. 0, or FAULT_CONFIG with the key at fault in *RET_KEY. */
int syslog_severity_new(struct syslog_severity **ret, const char *from, const struct str_list *map,
	unsigned fallback, const char **ret_key, struct fault *reterr);
void syslog_severity_free(struct syslog_severity *severity); /* NULL allowed */

unsigned syslog_severity_of(struct syslog_severity *severity, struct slice record);

#endif
