/* Whole files. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
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

static size_t count_files(const char *folder)
{
	size_t n = 0;
	DIR *stream = opendir(folder);
	ck_assert_ptr_nonnull(stream);
	while (readdir(stream))
		n++;
	closedir(stream);
	return n - 2;
}

START_TEST(makes_a_folder)
{
	char folder[] = "/tmp/check_file.XXXXXX";
	struct buf path = BUF_NULL;
	ck_assert_ptr_nonnull(mkdtemp(folder));
	buf_printf(&path, "%s/new", folder);
	ck_assert_int_eq(file_make_folder(buf_text(&path), 0700), 1);
	ck_assert_int_eq(file_make_folder(buf_text(&path), 0700), 0);
	buf_printf(&path, "/below/it");
	ck_assert_int_eq(file_make_folder(buf_text(&path), 0700), -ENOENT);
	ck_assert_int_eq(file_make_folder("/", 0700), 0);
	ck_assert_int_eq(file_make_folder("/dev/null/x", 0700), -ENOTDIR);
	buf_clear(&path);
	buf_printf(&path, "%s/new", folder);
	ck_assert_int_eq(remove(buf_text(&path)), 0);
	ck_assert_int_eq(remove(folder), 0);
	buf_deinit(&path);
}
END_TEST

START_TEST(makes_a_file_or_none)
{
	char folder[] = "/tmp/check_file.XXXXXX";
	struct buf path = BUF_NULL, part = BUF_NULL, text = BUF_NULL;
	ck_assert_ptr_nonnull(mkdtemp(folder));
	buf_printf(&path, "%s/new", folder);
	buf_printf(&part, "%s.part", buf_text(&path));
	ck_assert_int_eq(file_make(buf_text(&part), SLICE("somebody's"), 0600), 0);
	ck_assert_int_eq(file_make(buf_text(&path), SLICE("text"), 0600), 0);
	ck_assert_int_eq(file_make(buf_text(&path), SLICE("other"), 0600), -EEXIST);
	ck_assert_int_eq(file_read(&text, buf_text(&path)), 0);
	ck_assert_str_eq(buf_text(&text), "text");
	buf_clear(&text);
	ck_assert_int_eq(file_read(&text, buf_text(&part)), 0);
	ck_assert_str_eq(buf_text(&text), "somebody's");
	ck_assert_uint_eq(count_files(folder), 2);
	remove(buf_text(&path));
	remove(buf_text(&part));
	ck_assert_int_eq(rmdir(folder), 0);
	ck_assert_int_eq(file_make(buf_text(&path), SLICE("text"), 0600), -ENOENT);
	buf_deinit(&path);
	buf_deinit(&part);
	buf_deinit(&text);
}
END_TEST

/* How a process ends that NUMBER reaches while it makes FOLDER/new. */
static int end_with(const char *folder, int number, void (*before)(int))
{
	struct buf path CLEANUP(buf_deinit) = BUF_NULL;
	int status = -1;
	buf_printf(&path, "%s/new", folder);
	pid_t pid = fork();
	if (pid == 0) {
		struct file_part part;
		signal(number, before);
		if (file_part_begin(&part, buf_text(&path), 0600) || count_files(folder) != 1)
			_exit(2);
		raise(number);
		if (file_part_end(&part, buf_text(&path), 0))
			_exit(3);
		_exit(signal(number, SIG_DFL) == before ? 0 : 4);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(leaves_nothing_after_a_signal)
{
	static const int numbers[] = {SIGHUP, SIGINT, SIGTERM};
	char folder[] = "/tmp/check_file.XXXXXX";
	struct buf path CLEANUP(buf_deinit) = BUF_NULL;
	ck_assert_ptr_nonnull(mkdtemp(folder));
	buf_printf(&path, "%s/new", folder);
	for (size_t i = 0; i < 3; i++) {
		int status = end_with(folder, numbers[i], SIG_DFL);
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == numbers[i], "%d", status);
		ck_assert_uint_eq(count_files(folder), 0);
		ck_assert_int_eq(end_with(folder, numbers[i], SIG_IGN), 0);
		ck_assert_int_eq(remove(buf_text(&path)), 0);
	}
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* An empty state directory may be mounted in an image that knows no sync. */
START_TEST(syncs_what_can_be_synced)
{
	ck_assert_int_eq(file_sync_folder("/proc/self/status"), 0);
	ck_assert_int_eq(file_sync_folder("/proc/self/none/status"), -ENOENT);
}
END_TEST

UNIT_MAIN("file", reads_up_to_the_ceiling, syncs_what_can_be_synced, makes_a_folder,
	makes_a_file_or_none, leaves_nothing_after_a_signal)
