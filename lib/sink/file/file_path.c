/*
 * Paths of file sinks. Conversions that add a slash (%D), depend on the locale's taste (%c) or on
 * the local zone (%s) are refused: a path must mean the same on every run.
 */
#include "sink/file/file_path.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "sink/file/file_io.h"

static const char file_path_conversions[] = "aAbBCdFgGHIjmMpRSTuUVwWyYzZ";

static const char *const file_path_names[] = {"source", "provider", "node", "shard"};

/* The size of the `%{name}` that TEXT begins with, or 0. */
static size_t file_path_variable(const char *text, struct slice *ret_name)
{
	const char *end;

	if (!str_starts(text, "%{"))
		return 0;
	end = strchr(text, '}');
	if (!end)
		return 0;
	*ret_name = (struct slice){text + 2, (size_t)(end - text) - 2};
	return (size_t)(end - text) + 1;
}

static bool file_path_is_name(struct slice name)
{
	for (size_t i = 0; i < sizeof(file_path_names) / sizeof(file_path_names[0]); i++)
		if (slice_is(name, file_path_names[i]))
			return true;
	return false;
}

int file_path_check(const char *pattern, struct fault *reterr)
{
	json_t *utf8 = json_string(pattern);
	struct slice name;

	json_decref(utf8);
	if (!utf8)
		return fault_set(reterr, FAULT_CONFIG, "path: is not UTF-8");
	if (pattern[0] == '\0' || str_ends(pattern, "/"))
		return fault_set(reterr, FAULT_CONFIG, "path: names no file");
	if (strlen(pattern) >= PATH_MAX / 2)
		return fault_set(reterr, FAULT_CONFIG, "path: is too long");
	for (const char *c = pattern; *c; c++) {
		size_t size;

		if (*c != '%')
			continue;
		size = file_path_variable(c, &name);
		if (size > 0 && !file_path_is_name(name))
			return fault_set(reterr, FAULT_CONFIG,
				"path: there is no %%{%.*s}, only %%{source}, %%{provider}, %%{node} and %%{shard}",
				(int)name.size, name.data);
		if (size > 0) {
			c += size - 1;
			continue;
		}
		c++;
		if (*c == '\0' || (*c != '%' && !strchr(file_path_conversions, *c)))
			return fault_set(reterr, FAULT_CONFIG,
				"path: `%%%c` is not one of %%{source}, %%{provider}, %%{node}, %%{shard}, %%%% and the strftime conversions %s",
				*c ? *c : ' ', file_path_conversions);
	}
	return 0;
}

bool file_path_is_timed(const char *pattern)
{
	struct slice name;

	for (const char *c = pattern; *c; c++) {
		if (*c != '%')
			continue;
		if (file_path_variable(c, &name) == 0 && c[1] != '%')
			return true;
		c++;
	}
	return false;
}

bool file_path_has(const char *pattern, const char *wanted)
{
	struct slice name;

	for (const char *c = pattern; *c; c++) {
		if (*c != '%')
			continue;
		if (file_path_variable(c, &name) > 0 && slice_is(name, wanted))
			return true;
		c++;
	}
	return false;
}

/* CONVERSION is one that file_path_check has let through, which a compiler cannot know. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void file_path_append_time(char conversion, const struct tm *tm, struct buf *out)
{
	char format[] = {'%', conversion, '\0'};
	char text[64];

	buf_append(out, text, strftime(text, sizeof(text), format, tm));
}
#pragma GCC diagnostic pop

/* "." and ".." are names that the configuration allows and a path must not have. */
static void file_path_append_name(const char *name, struct buf *out)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		buf_append_char(out, '_');
	buf_append_text(out, name);
}

char *file_path_place(const char *pattern, const char *node, const char *shard)
{
	struct buf out = BUF_NULL;
	struct slice name;

	for (const char *c = pattern; *c; c++) {
		size_t size = file_path_variable(c, &name);
		const char *value = size == 0                 ? NULL
				    : slice_is(name, "node")  ? node
				    : slice_is(name, "shard") ? shard
							      : NULL;

		if (value) {
			file_path_append_name(value, &out);
			c += size - 1;
		} else {
			buf_append_char(&out, *c);
			if (*c == '%' && size == 0 && c[1] != '\0') /* %% before a brace */
				buf_append_char(&out, *++c);
		}
	}
	return buf_take(&out);
}

void file_path_expand(
	const char *pattern, const char *source, const char *provider, nsec_t time, struct buf *out)
{
	time_t seconds = (time_t)(time / NSEC_PER_SEC);
	struct slice name;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	for (const char *c = pattern; *c; c++) {
		size_t size = file_path_variable(c, &name);

		if (size > 0) {
			file_path_append_name(slice_is(name, "source") ? source : provider, out);
			c += size - 1;
		} else if (*c == '%') {
			file_path_append_time(*++c, &tm, out);
		} else {
			buf_append_char(out, *c);
		}
	}
}

void file_path_expand_names(
	const char *pattern, const char *source, const char *provider, struct buf *out)
{
	struct slice name;

	for (const char *c = pattern; *c; c++) {
		size_t size = file_path_variable(c, &name);

		if (size > 0) {
			file_path_append_name(slice_is(name, "source") ? source : provider, out);
			c += size - 1;
		} else {
			buf_append_char(out, *c);
		}
	}
}

char *file_path_directory(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return mem_strdup(".");
	return mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

int file_path_sync_directory(const char *path, struct fault *reterr)
{
	char *directory = file_path_directory(path);
	int fd = file_io_open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	int r = 0;

	if (fd < 0 || file_io_fsync(fd) < 0)
		r = fault_set(reterr, FAULT_STORE, "cannot make %s durable: %s", directory,
			strerror(errno));
	if (fd >= 0)
		file_io_close(fd);
	free(directory);
	return r;
}

static int file_path_make(const char *directory, mode_t mode, struct fault *reterr)
{
	int r = file_io_make_folder(directory, mode);

	errno = r < 0 ? -r : errno;
	if (r < 0)
		return file_io_fault("make", directory, reterr);
	if (r > 0 && file_io_chmod(directory, mode) < 0)
		return file_io_fault("set the mode of", directory, reterr);
	return 0;
}

int file_path_make_directories(const char *path, mode_t mode, struct fault *reterr)
{
	char *copy = mem_strdup(path);
	int r = 0;

	for (char *slash = strchr(copy + 1, '/'); slash && !r; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		r = file_path_make(copy, mode, reterr);
		*slash = '/';
	}
	free(copy);
	return r;
}
