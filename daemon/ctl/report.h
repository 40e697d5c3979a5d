/*
 * What trawlctl report says of a span of time. All of it is collected in one JSON object, the
 * model, which is the report in the form json; the other forms are printed from it. Only what is
 * known is in it: what is not is null, and is listed as not proven.
 */
#ifndef TRAWLD_DAEMON_CTL_REPORT_H
#define TRAWLD_DAEMON_CTL_REPORT_H

#include <jansson.h>

#include "base/buf.h"
#include "ctl/ctl.h"
#include "store/timeline.h"

struct report {
	nsec_t from_time, to_time; /* up to before TO_TIME */
	nsec_t now_time;
	const char *source; /* NULL: all */
	const struct config *config;
	struct ctl_secrets secrets; /* and the definitions of the sources */
	struct timelines timelines;
	json_t *model;
	json_t *unproven; /* of the model */
};

/* --- report_state.c: from the state. 0, or an exit code after the reason was printed. --- */
int report_state(struct report *report);

/* --- report_running.c: from the running trawld, if there is one. --- */
void report_running(struct report *report);

/* --- report_files.c: from dead letters, and archives with their seals. As report_state. --- */
int report_dead_letters(struct report *report);
int report_archives(struct report *report, const struct ctl_arguments *arguments);

/* --- report_unproven.c: adds what the rest of the model leaves open. --- */
void report_unproven(struct report *report, bool is_signed);

/* --- report_print.c: the model as text of a form, `html` or `md`. --- */
void report_print(const struct report *report, const char *form, struct buf *out);

/* --- report_signature.c --- */

/* Appends to TEXT, of that form, the signature by the private key in the file at PATH. 0, or an
 * exit code after the reason was printed. */
int report_sign(struct buf *text, const char *form, const char *path);
/* Is the report in the file at PATH as it was signed by a key in the file at KEYS? Prints the
 * answer; 0: yes, 1: no, or another exit code after the reason was printed. */
int report_check(const char *path, const char *keys);

/* --- shared --- */

/* Adds sink NAME to the model, which owns what is returned; what is read later is null until then.
 * SECTION is its configuration, or NULL if it is no longer configured. */
json_t *report_add_sink(struct report *report, const char *name, const struct ini_section *section);
/* Is SOURCE reported on? */
bool report_wants(const struct report *report, const char *source);

#endif
