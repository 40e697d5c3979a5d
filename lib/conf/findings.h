/*
 * Configuration faults, all of one run: each with its file and line, reported together so that a
 * person mends the file once. Nothing of a configuration with a finding is used.
 */
#ifndef TRAWLD_CONF_FINDINGS_H
#define TRAWLD_CONF_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct ini_section;

struct finding {
	char *file; /* NULL: about no file in particular */
	unsigned line; /* 0: about the file as a whole */
	char *text;
	bool settles; /* nothing else about its line is reported */
};

struct findings {
	struct finding *items;
	size_t n_items;
	size_t capacity;
};

#define FINDINGS_NULL ((struct findings){0})

void findings_add(struct findings *findings, const char *file, unsigned line, const char *format,
	...) __attribute__((format(printf, 4, 5)));
/* At the line of KEY in SECTION, or, where it is not set or NULL, at the section's. */
void findings_add_at(struct findings *findings, const struct ini_section *section, const char *key,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* What was found so far at LINE makes anything else about that line pointless. */
void findings_settle(struct findings *findings, const char *file, unsigned line);
/* Takes back what says that SECTION needs KEY. */
void findings_drop_needs(
	struct findings *findings, const struct ini_section *section, const char *key);
void findings_deinit(struct findings *findings);
/* `file:line: message`, one a line, in order of file (as first met) and line; secrets masked. */
void findings_print(const struct findings *findings, FILE *out);
/* The same to the log, each an error. */
void findings_log(const struct findings *findings);

#endif
