/* Whole files. */
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "check_unit.h"

START_TEST(reads_up_to_the_ceiling)
{
	char path[] = "/tmp/check_file.XXXXXX";
	int fd = mkstemp(path);
	struct buf exact = BUF_LIMITED(70000), small = BUF_LIMITED(69999), all = BUF_NULL;
	char text[1000];
	ck_assert_int_ge(fd, 0);
	memset(text, 't', sizeof(text));
	for (int i = 0; i < 70; i++)
		ck_assert_int_eq(write(fd, text, sizeof(text)), sizeof(text));
	close(fd);
	ck_assert_int_eq(file_read(&all, path), 0);
	ck_assert_uint_eq(all.size, 70000);
	ck_assert_int_eq(file_read(&exact, path), 0);
	ck_assert_uint_eq(exact.size, 70000);
	ck_assert_int_eq(exact.data[70000], 0);
	ck_assert_int_eq(file_read(&small, path), -EFBIG);
	remove(path);
	ck_assert_int_eq(file_read(&all, path), -ENOENT);
	ck_assert_int_eq(file_read(&all, "/"), -EISDIR);
	buf_deinit(&all);
	buf_deinit(&exact);
	buf_deinit(&small);
}
END_TEST

UNIT_MAIN("file", reads_up_to_the_ceiling)
