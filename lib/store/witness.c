/*
 * What tells a state that is older than the one last used here: the file trawld.commits beside the
 * database, which holds the number of commits. It is written after each commit, without waiting for
 * the disk, so it is never ahead of a database that kept its log. If it is ahead, a copy was put
 * back, or the database came without its log trawld.db-wal, which SQLite would not notice.
 */
#include "store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"

#define WITNESS_SIZE 20

int witness_open(struct store *store, const char *directory, struct fault *reterr)
{
	const char *slash = strrchr(store->path, '/');
	CLEANUP_FREE char *path =
		store->backend ? mem_printf("%s/%.*s.commits", directory,
					 (int)(strlen(slash + 1) - strlen(".db")), slash + 1)
			       : mem_printf("%s/trawld.commits", directory);
	char text[WITNESS_SIZE];
	ssize_t size;

	store->witness_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->witness_fd < 0)
		return 0;
	size = pread(store->witness_fd, text, sizeof(text), 0);
	if (size < 0) /* the next commit would write over what it knows */
		return store_refused(directory, path, errno, reterr);
	if (size > 0)
		number_parse(str_trim((struct slice){text, (size_t)size}), 0, INT64_MAX,
			&store->n_witnessed);
	return 0;
}

void witness_write(const struct store *store)
{
	char text[WITNESS_SIZE + 1];
	int size = snprintf(text, sizeof(text), "%19" PRId64 "\n", store->n_commits);

	if (store->witness_fd >= 0 && size == WITNESS_SIZE)
		(void)!pwrite(store->witness_fd, text, WITNESS_SIZE, 0);
}
