/* See file_watch.h. */
#include "base/file_watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

struct file_identity {
	dev_t device;
	ino_t number;
	off_t size;
	struct timespec modified, changed;
};

static struct file_identity identify(const char *path)
{
	struct file_identity identity;
	struct stat status;

	memset(&identity, 0, sizeof(identity)); /* they are compared as bytes */
	if (stat(path, &status) != 0)
		return identity;
	identity.device = status.st_dev;
	identity.number = status.st_ino;
	identity.size = status.st_size;
	identity.modified = status.st_mtim;
	identity.changed = status.st_ctim;
	return identity;
}

bool file_watch_look(struct file_watch *watch, const char *path)
{
	struct file_identity now = identify(path);
	size_t n = watch->paths.n_items, at = names_add(&watch->paths, path);
	bool changed;

	if (at == n)
		watch->identities = mem_resize(watch->identities, (n + 1) * sizeof(now));
	changed = at < n && memcmp(&watch->identities[at], &now, sizeof(now)) != 0;
	watch->identities[at] = now;
	return changed;
}

bool file_watch_look_at_all(struct file_watch *watch)
{
	bool changed = false;

	for (size_t i = 0; i < watch->paths.n_items; i++)
		changed |= file_watch_look(watch, watch->paths.items[i]);
	return changed;
}

void file_watch_deinit(struct file_watch *watch)
{
	names_deinit(&watch->paths);
	free(watch->identities);
	*watch = FILE_WATCH_NULL;
}
