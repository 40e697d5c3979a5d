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

START_TEST(makes_a_file_or_none)
{
	char folder[] = "/tmp/check_file.XXXXXX";
	struct buf path = BUF_NULL, part = BUF_NULL, text = BUF_NULL;
	ck_assert_ptr_nonnull(mkdtemp(folder));
	buf_printf(&path, "%s/new", folder);
	buf_printf(&part, "%s.part", buf_text(&path));
	ck_assert_int_eq(file_make(buf_text(&part), SLICE("of one that was interrupted"), 0600), 0);
	ck_assert_int_eq(file_make(buf_text(&path), SLICE("text"), 0600), 0);
	ck_assert_int_eq(file_make(buf_text(&path), SLICE("other"), 0600), -EEXIST);
	ck_assert_int_eq(file_read(&text, buf_text(&path)), 0);
	ck_assert_str_eq(buf_text(&text), "text");
	ck_assert_int_ne(access(buf_text(&part), F_OK), 0);
	remove(buf_text(&path));
	ck_assert_int_eq(rmdir(folder), 0);
	ck_assert_int_eq(file_make(buf_text(&path), SLICE("text"), 0600), -ENOENT);
	buf_deinit(&path);
	buf_deinit(&part);
	buf_deinit(&text);
}
END_TEST

UNIT_MAIN("file", reads_up_to_the_ceiling, makes_a_file_or_none)
