/* See ctl/verify_set.h. */
#include "ctl/verify_set.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"

#define ROTATION_DIGITS 6

const char *verify_set_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

char *verify_set_base(const char *path, bool *ret_rotated)
{
	size_t size = strlen(path), digits = 0;
	if (str_ends(path, ".gz"))
		size -= 3;
	else if (str_ends(path, ".zst"))
		size -= 4;
	while (digits < size && path[size - digits - 1] >= '0' && path[size - digits - 1] <= '9')
		digits++;
	if (digits >= ROTATION_DIGITS && digits < size && path[size - digits - 1] == '.')
		size -= digits + 1;
	*ret_rotated = path[size] != '\0';
	return mem_strndup(path, size);
}

char *verify_set_original(const char *path)
{
	size_t cut = str_ends(path, ".gz") ? 3 : str_ends(path, ".zst") ? 4 : 0;
	char *original = mem_strndup(path, strlen(path) - cut);
	bool rotated;
	free(verify_set_base(original, &rotated));
	if (cut > 0 && rotated)
		return original;
	free(original);
	return NULL;
}

static void add_new(struct str_list *list, const char *text)
{
	if (!str_list_has(list, text))
		str_list_add(list, text);
}

/* `PATH.seals`, and what a rotation by somebody else makes of it. */
static bool is_seals(const char *path)
{
	const char *name = verify_set_name(path);
	const char *found = strstr(name, ".seals");
	return found && (found[6] == '\0' || found[6] == '.' || found[6] == '-');
}

static void add_if_rotated(struct verify_set *set, const char *path, const char *name)
{
	bool rotated;
	char *found CLEANUP_FREE =
		mem_printf("%.*s%s", (int)(verify_set_name(path) - path), path, name);
	char *base CLEANUP_FREE = verify_set_base(found, &rotated);
	/* one that is packed and has no number is left to add_file() */
	if (rotated && strcmp(base, path) == 0 && isdigit((unsigned char)found[strlen(path) + 1]))
		add_new(&set->files, found);
}

/* The files that PATH became by rotation. A folder that cannot be listed is not one without them.
 */
static int add_rotated(struct verify_set *set, const char *path)
{
	char *folder CLEANUP_FREE =
		verify_set_name(path) == path
			? mem_strdup(".")
			: mem_strndup(path, (size_t)(verify_set_name(path) - path));
	DIR *stream = opendir(folder);
	struct dirent *entry;
	int error = stream ? 0 : errno;
	while (stream && (errno = 0, entry = readdir(stream)))
		add_if_rotated(set, path, entry->d_name);
	if (stream) {
		error = errno;
		closedir(stream);
	}
	if (error == 0 || error == ENOENT || error == ENOTDIR)
		return 0;
	set->unread = mem_strdup(folder);
	return -error;
}

static void add_path(struct verify_set *set, const char *base)
{
	char *seals CLEANUP_FREE = mem_printf("%s.seals", base);
	if (access(seals, F_OK) == 0)
		add_new(&set->seals, seals);
}

static int add_file(struct verify_set *set, const char *path)
{
	static const char *const ends[] = {".gz", ".zst"};
	bool rotated, there = access(path, F_OK) == 0;
	char *base CLEANUP_FREE = verify_set_base(path, &rotated);
	int r = 0;
	add_path(set, base);
	if (there)
		add_new(&set->files, path);
	if (rotated && there)
		return 0;
	if (!rotated) {
		add_new(&set->bases, verify_set_name(path));
		r = add_rotated(set, path);
	}
	for (size_t i = 0; !rotated && i < sizeof(ends) / sizeof(ends[0]); i++) {
		char *packed CLEANUP_FREE = mem_printf("%s%s", path, ends[i]);
		if (access(packed, F_OK) != 0)
			continue;
		/* its period is over */
		add_new(&set->files, packed);
		there = true;
	}
	if (!there)
		str_list_add(&set->gone, path);
	return r;
}

/* Rotated files by path and number, each path's own file after them. */
static int compare_files(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	bool x_rotated, y_rotated;
	char *x_base CLEANUP_FREE = verify_set_base(x, &x_rotated);
	char *y_base CLEANUP_FREE = verify_set_base(y, &y_rotated);
	int order = strcmp(x_base, y_base);
	if (order == 0)
		order = y_rotated - x_rotated;
	return order ? order : strcmp(x, y);
}

/* A file that could not be removed after it was compressed holds the same records once more. */
static void set_twins_apart(struct verify_set *set)
{
	struct str_list files = STR_LIST_NULL;
	for (size_t i = 0; i < set->files.n_items; i++) {
		char *original CLEANUP_FREE = verify_set_original(set->files.items[i]);
		bool twin = original && str_list_has(&set->files, original);
		str_list_add(twin ? &set->twins : &files, set->files.items[i]);
	}
	str_list_deinit(&set->files);
	set->files = files;
}

int verify_set_find(struct verify_set *ret, char *const *names, int n_names)
{
	int r = 0;
	*ret = (struct verify_set){0};
	for (int i = 0; i < n_names; i++)
		if (is_seals(names[i]))
			add_new(&ret->seals, names[i]);
	ret->seals_named = ret->seals.n_items > 0;
	for (int i = 0; i < n_names && !r; i++)
		if (!is_seals(names[i]))
			r = add_file(ret, names[i]);
	if (ret->files.n_items > 0)
		qsort(ret->files.items, ret->files.n_items, sizeof(char *), compare_files);
	set_twins_apart(ret);
	return r;
}

void verify_set_deinit(struct verify_set *set)
{
	str_list_deinit(&set->files);
	str_list_deinit(&set->seals);
	str_list_deinit(&set->bases);
	str_list_deinit(&set->gone);
	str_list_deinit(&set->twins);
	free(set->unread);
}
