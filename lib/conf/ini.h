/*
 * INI as trawld reads it: `[kind name]` sections, `key = value`; a line that starts with white
 * space continues the value (joined by one line feed) of a key that takes several lines, and is a
 * finding after any other key; `#` and `;` start a comment at a line's start or after white space.
 * CRLF, a BOM and a missing last newline are accepted; NUL bytes, over-long lines (1 MiB) and lines
 * that are none of these are findings. Of such a line only the first word is shown: the rest may
 * be a secret. What follows a header that cannot be read is skipped. Debian's libinih cuts lines at
 * 200 bytes and knows no `#` after a value, so a token or a body template would be cut silently:
 * hence our own reader.
 */
#ifndef TRAWLD_CONF_INI_H
#define TRAWLD_CONF_INI_H

#include "base/file_watch.h"
#include "base/names.h"
#include "conf/findings.h"

#include <stdbool.h>

struct ini_entry {
	char *key; /* as written, trimmed */
	char *value; /* comment and outer white space gone; "" when empty */
	char *written; /* VALUE before ${...} was replaced in it; NULL: it has none */
	const char *file; /* lives as long as the struct ini */
	unsigned line; /* where the key stands */
	unsigned cut; /* the line in which a comment ended the value that may be part of it; or 0 */
	bool secret; /* value came (in part) from ${file:} or ${credential:} */
	bool used; /* some reader has taken it */
};

struct ini_section {
	char *kind; /* "source" of [source acme]; "request.first" of [request.first] */
	char *name; /* "acme", or NULL */
	char *each_name; /* that of the section with the `each.KEY` that this one was made from, or
			    NULL */
	const char *file;
	unsigned line;
	struct ini_entry *entries;
	size_t n_entries;
	size_t capacity;
};

struct ini {
	struct ini_section *sections;
	size_t n_sections;
	size_t capacity;
	struct names titles; /* "kind name"; the handle is the section's index */
	char **files;
	size_t n_files;
	struct file_watch
		expanded; /* the files of ${file:} and ${credential:}, as they were read */
};

#define INI_NULL ((struct ini){0})

/* Appends the sections of the file at PATH. The same section twice in one file is one section; in
 * two files (conf.d) it is one, too: keys add up, a key given twice is a finding that names the
 * first place. Unreadable: a finding and -1; 1: it was read with findings. */
int ini_read(struct ini *ini, const char *path, struct findings *findings);
/* The same from text; NAME stands for the file in findings (tests, fuzzing, built-in definitions).
 */
int ini_read_text(struct ini *ini, const char *name, const char *text, size_t size,
	struct findings *findings);
void ini_deinit(struct ini *ini);
void ini_section_deinit(struct ini_section *section);

/* Whether the value of KEY may be continued in indented lines: all keys with lists, and bodies. */
bool ini_takes_lines(const char *key);

/* Borrowed, or NULL. NAME may be NULL. It takes no longer with more sections. */
struct ini_section *ini_find(struct ini *ini, const char *kind, const char *name);
/* Appends an empty section, which was not there; FILE is borrowed. Sections found before move. */
struct ini_section *ini_add(
	struct ini *ini, const char *kind, const char *name, const char *file, unsigned line);
/* Removes the sections of KIND; others move. */
void ini_drop(struct ini *ini, const char *kind);
struct ini_entry *ini_section_find(const struct ini_section *section, const char *key);

#endif
