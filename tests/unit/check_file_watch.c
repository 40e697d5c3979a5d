/* Files that are replaced while somebody relies on them. */
#include "base/file_watch.h"

#include <stdio.h>
#include <unistd.h>

#include "check_unit.h"

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

START_TEST(changes_are_seen_once)
{
	char directory[] = "/tmp/check_file_watch.XXXXXX";
	char one[64], other[64];
	struct file_watch watch = FILE_WATCH_NULL;
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(one, sizeof(one), "%s/one", directory);
	snprintf(other, sizeof(other), "%s/other", directory);
	ck_assert(!file_watch_look_at_all(&watch));
	ck_assert(!file_watch_look(&watch, one)); /* absent */
	ck_assert(!file_watch_look(&watch, one));
	put(one, "a");
	ck_assert(file_watch_look(&watch, one));
	ck_assert(!file_watch_look(&watch, one));
	put(other, "b");
	ck_assert(!file_watch_look(&watch, other));
	put(one, "longer");
	ck_assert(file_watch_look_at_all(&watch));
	ck_assert(!file_watch_look_at_all(&watch));
	ck_assert_int_eq(rename(other, one), 0); /* both */
	ck_assert(file_watch_look(&watch, one));
	ck_assert(file_watch_look(&watch, other));
	ck_assert_int_eq(unlink(one), 0);
	ck_assert(file_watch_look_at_all(&watch));
	ck_assert(!file_watch_look_at_all(&watch));
	rmdir(directory);
	file_watch_deinit(&watch);
	file_watch_deinit(&watch);
}
END_TEST

UNIT_MAIN("file_watch", changes_are_seen_once)
