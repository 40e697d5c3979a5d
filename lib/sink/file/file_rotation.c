/* See file_rotation.h. */
#include "sink/file/file_rotation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"
#include "sink/file/file_io.h"
#include "sink/file/file_path.h"

#define FILE_ROTATION_DIGITS 6

static const char *const file_rotation_ends[] = {"", ".gz", ".zst"};

struct file_numbers {
	int64_t *items;
	size_t n_items;
	size_t capacity;
};

/* The number in NAME, `BASE.000042` with one of the ends, or 0: not one of ours. */
static int64_t file_rotation_number(const char *name, const char *base)
{
	const char *digits;
	size_t n_digits;
	int64_t number;

	if (!str_starts(name, base) || name[strlen(base)] != '.')
		return 0;
	digits = name + strlen(base) + 1;
	n_digits = strspn(digits, "0123456789");
	if (n_digits < FILE_ROTATION_DIGITS ||
		number_parse((struct slice){digits, n_digits}, 1, INT64_MAX - 1, &number) != 0)
		return 0;
	for (size_t i = 0; i < sizeof(file_rotation_ends) / sizeof(file_rotation_ends[0]); i++) {
		if (strcmp(digits + n_digits, file_rotation_ends[i]) == 0)
			return number;
	}
	return 0;
}

bool file_rotation_is_name(const char *name, const char *base)
{
	return file_rotation_number(name, base) > 0;
}

static int file_rotation_list(
	const char *path, struct file_numbers *ret_numbers, struct fault *reterr)
{
	char *where CLEANUP_FREE = file_path_directory(path);
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	DIR *directory = file_io_opendir(where);
	struct dirent *entry;
	int r;

	if (!directory)
		return file_io_fault("read", where, reterr);
	while ((r = file_io_readdir(directory, &entry)) > 0) {
		int64_t number = file_rotation_number(entry->d_name, base);

		if (number == 0)
			continue;
		ret_numbers->items = mem_grow(ret_numbers->items, ret_numbers->n_items,
			&ret_numbers->capacity, sizeof(*ret_numbers->items));
		ret_numbers->items[ret_numbers->n_items++] = number;
	}
	if (r < 0)
		r = file_io_fault("read", where, reterr);
	closedir(directory);
	return r;
}

static char *file_rotation_print(const char *path, int64_t number)
{
	return mem_printf("%s.%0*" PRId64, path, FILE_ROTATION_DIGITS, number);
}

int file_rotation_name(char **ret, const char *path, struct fault *reterr)
{
	struct file_numbers numbers = {0};
	int64_t last = 0;
	int r = file_rotation_list(path, &numbers, reterr);

	for (size_t i = 0; i < numbers.n_items; i++) {
		if (numbers.items[i] > last)
			last = numbers.items[i];
	}
	free(numbers.items);
	if (!r)
		*ret = file_rotation_print(path, last + 1);
	return r;
}

int file_rotation_move(const char *from, const char *to, struct fault *reterr)
{
	struct stat status;
	int r = file_io_renameat2(from, to, RENAME_NOREPLACE);

	/* a file system that knows no such rename (NFS) */
	if (r < 0 && (errno == EINVAL || errno == ENOSYS)) {
		if (file_io_lstat(to, &status) == 0)
			return FILE_ROTATION_E_TAKEN;
		r = file_io_rename(from, to);
	}
	if (r < 0 && errno == EEXIST)
		return FILE_ROTATION_E_TAKEN;
	if (r < 0)
		return fault_set(reterr, FAULT_STORE, "cannot rename %s to %s: %s", from, to,
			strerror(errno));
	return file_path_sync_directory(from, reterr);
}

static int file_rotation_order(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x < *y) - (*x > *y); /* newest first */
}

static int file_rotation_remove(const char *plain, struct fault *reterr)
{
	for (size_t i = 0; i < sizeof(file_rotation_ends) / sizeof(file_rotation_ends[0]); i++) {
		char *name CLEANUP_FREE = mem_printf("%s%s", plain, file_rotation_ends[i]);

		if (file_io_unlink(name) < 0 && errno != ENOENT)
			return file_io_fault("remove", name, reterr);
	}
	return 0;
}

int file_rotation_prune(const char *path, int64_t keep,
	bool (*spared)(const char *name, void *userdata), void *userdata, struct fault *reterr)
{
	struct file_numbers numbers = {0};
	int r = file_rotation_list(path, &numbers, reterr);
	int64_t rank = 0;

	if (numbers.n_items > 0)
		qsort(numbers.items, numbers.n_items, sizeof(*numbers.items), file_rotation_order);
	for (size_t i = 0; i < numbers.n_items && !r; i++) {
		char *name;

		if (i > 0 && numbers.items[i] == numbers.items[i - 1])
			continue;
		if (++rank <= keep)
			continue;
		name = file_rotation_print(path, numbers.items[i]);
		if (!spared(name, userdata))
			r = file_rotation_remove(name, reterr);
		free(name);
	}
	free(numbers.items);
	return r;
}
