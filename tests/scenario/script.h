/*
 * The text of a scenario as a list of steps. A step is one line that begins in the first column;
 * the lines indented by a tab below it are its block. The language is described in README.
 */
#ifndef TRAWLD_TESTS_SCENARIO_SCRIPT_H
#define TRAWLD_TESTS_SCENARIO_SCRIPT_H

#include <stddef.h>

struct step_kind;

struct step {
	const char *file; /* base name, as messages show it */
	unsigned line;
	const struct step_kind *kind;
	char *argument; /* of the line, after the words of the kind; never NULL */
	char *block; /* without the tabs, each line with its line feed; NULL: there is none */
};

struct script {
	struct step *steps;
	size_t n_steps;
	size_t capacity;
};

/* Reads PATH and what it includes; `@DIR@` becomes DIRECTORY. A line that is not a step ends the
 * process with FILE:LINE. */
void script_read(struct script *ret, const char *path, const char *directory);

#endif
