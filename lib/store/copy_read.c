/*
 * Beside a process that holds a shard: its working copy is read as trawld.db is elsewhere. What
 * would change the state is left to the process that holds it. A copy beside which no process holds
 * the lock was left by a crash, and is out of date.
 */
#include "store/store_internal.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/lockfile.h"

/* The name of the copy in DIRECTORY; NULL: there is none. */
static char *find_copy(const char *directory)
{
	DIR *stream = lockfile_look(directory, NULL) ? opendir(directory) : NULL;
	char *found = NULL;
	struct dirent *entry;

	while (stream && !found && (entry = readdir(stream))) {
		const char *end = strrchr(entry->d_name, '.');

		if (strncmp(entry->d_name, "shard-", 6) == 0 && end && strcmp(end, ".db") == 0)
			found = mem_strdup(entry->d_name);
	}
	if (stream)
		closedir(stream);
	return found;
}

bool store_is_held(const char *directory)
{
	CLEANUP_FREE char *name = find_copy(directory);

	return name != NULL;
}

int store_open_held(
	struct store **ret, const char *directory, enum store_mode mode, struct fault *reterr)
{
	CLEANUP_FREE char *name = find_copy(directory);

	if (mode == STORE_OWN && lockfile_look(directory, reterr))
		return STORE_E_LOCKED;
	if (!name || mode == STORE_OWN) {
		fault_set(reterr, FAULT_STORE,
			"the state is in PostgreSQL, and no trawld on this host holds a shard with the state directory %s: run this where one does (`trawlctl cluster status` names the host)",
			directory);
		return STORE_E_UNUSABLE;
	}
	return database_open_new(
		ret, database_new(mode, directory, name), directory, &schema_current, reterr);
}
