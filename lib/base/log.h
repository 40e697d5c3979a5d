/*
 * The daemon's own log: one line an event on standard error, with `<N>` priority prefixes under
 * journald. A line says what happened, to which source or sink, and what follows. Control
 * characters are escaped and registered secrets masked, so no input can forge or leak.
 */
#ifndef TRAWLD_BASE_LOG_H
#define TRAWLD_BASE_LOG_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/slice.h"

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
}; /* as syslog's */

/* What a line is about: kind "source", "sink" or NULL for the daemon; location is "trawld.conf:14"
 * or NULL. */
struct log_subject {
	const char *kind;
	const char *name;
	const char *location;
};

void log_open(bool journal_prefixes);
/* Takes each line in place of standard error: TEXT is what would be written, subject and all,
 * without level and newline. NULL: standard error again. */
void log_divert(
	void (*write)(enum log_level level, const struct log_subject *subject, struct slice text));
void log_set_level(enum log_level level);
/* For something that is drawn on the same terminal: BEFORE takes it away, AFTER a line draws it
 * anew. NULL, NULL: nothing is. Neither may log. */
void log_set_drawing(void (*before)(void *userdata), void (*after)(void *userdata), void *userdata);
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const struct log_subject *subject, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* SUBJECT begins to fail: writes what was told of it lately at a level that is not written, among
 * the last 200 lines of all subjects, at info, unless that was done less than an hour ago. *TOLD_AT
 * is the owner's, at first NSEC_NONE. */
void log_recent(const struct log_subject *subject, nsec_t *told_at);
/* Calls EACH for the last N_MAX lines of SUBJECT among the last 200 of all subjects, of all levels,
 * oldest first; TEXT is masked and escaped, without the subject. */
void log_each_recent(const struct log_subject *subject, size_t n_max,
	void (*each)(nsec_t time, struct slice text, void *userdata), void *userdata);

#define log_error(subject, ...) log_write(LOG_LEVEL_ERROR, (subject), __VA_ARGS__)
#define log_warning(subject, ...) log_write(LOG_LEVEL_WARNING, (subject), __VA_ARGS__)
#define log_notice(subject, ...) log_write(LOG_LEVEL_NOTICE, (subject), __VA_ARGS__)
#define log_info(subject, ...) log_write(LOG_LEVEL_INFO, (subject), __VA_ARGS__)
#define log_debug(subject, ...) log_write(LOG_LEVEL_DEBUG, (subject), __VA_ARGS__)

#endif
