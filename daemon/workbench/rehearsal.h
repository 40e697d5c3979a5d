/*
 * A definition's conversations, each played as it was recorded and then with every variation that
 * applies (player.h).
 */
#ifndef TRAWLD_DAEMON_REHEARSAL_H
#define TRAWLD_DAEMON_REHEARSAL_H

#include "definition/definition.h"

struct rehearsal {
	size_t n_conversations;
	size_t n_derived; /* plays with a variation */
	size_t n_failed;
};

/* The files of DEFINITION's conversations, sorted: NAME.conf has them in the folder NAME beside it.
 * 0, or -errno: there may be more. */
int rehearsal_files(const struct definition *definition, struct str_list *ret_paths);

/* Plays the conversation in the file at PATH; what fails is printed. */
void rehearsal_run(const struct definition *definition, const struct definition_path *path,
	const char *file, struct rehearsal *counts);

#endif
