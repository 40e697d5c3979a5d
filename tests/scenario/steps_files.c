/* Steps about files: what the daemon reads, and what it has written. */
#include "step.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "leftovers.h"
#include "pattern.h"

#define DAEMON_KEYS "state_directory = %s/state\nlisten = off\ncontrol = %s/control\n"
#define DEFAULT_SINK "[sink out]\ntype = file\npath = %s/out.ndjson\n"

static char *path_of(const char *name)
{
	return mem_printf("%s/%s", world_directory, name);
}

static void write_file(const char *name, struct slice text, int flags)
{
	char *path CLEANUP_FREE = path_of(name);
	for (char *slash = path + strlen(world_directory) + 1; (slash = strchr(slash, '/'));
		slash++) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
	if (fd < 0 || write(fd, text.data, text.size) != (ssize_t)text.size)
		world_fail("a file to write", "%s: %s", path, strerror(errno));
	close(fd);
}

/* [daemon] gets the keys that every scenario needs; without a sink of its own there is one. */
static enum step_result config(const struct step *step)
{
	static const char section[] = "[daemon]\n";
	const char *text = step->block ? step->block : "";
	const char *own = strstr(text, section);
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	buf_append_text(&out, section);
	buf_printf(&out, DAEMON_KEYS, world_directory, world_directory);
	if (own) {
		text = own + strlen(section);
		if (own != step->block)
			world_fail("[daemon] at the beginning of the configuration", "it later");
	}
	buf_append_text(&out, text);
	if (!strstr(text, "[sink "))
		buf_printf(&out, DEFAULT_SINK, world_directory);
	write_file("trawld.conf", buf_slice(&out), O_TRUNC);
	return STEP_DONE;
}

static enum step_result definition(const struct step *step)
{
	char *name CLEANUP_FREE = mem_printf("providers/%s.conf", step->argument);
	write_file(name, slice_of(step->block ? step->block : ""), O_TRUNC);
	return STEP_DONE;
}

static enum step_result file(const struct step *step)
{
	write_file(step->argument, slice_of(step->block ? step->block : ""), O_TRUNC);
	return STEP_DONE;
}

static enum step_result append(const struct step *step)
{
	write_file(step->argument, slice_of(step->block ? step->block : ""), O_APPEND);
	return STEP_DONE;
}

static enum step_result copy(const struct step *step)
{
	size_t size = strcspn(step->argument, " ");
	char *from CLEANUP_FREE = mem_strndup(step->argument, size);
	char *path CLEANUP_FREE = path_of(from);
	struct buf bytes CLEANUP(buf_deinit) = BUF_NULL;
	if (step->argument[size] == '\0' || file_read(&bytes, path))
		world_fail("a file to copy, and where to", "`%s`", step->argument);
	write_file(step->argument + size + 1, buf_slice(&bytes), O_TRUNC);
	return STEP_DONE;
}

static enum step_result remove_file(const struct step *step)
{
	char *path CLEANUP_FREE = path_of(step->argument);
	if (unlink(path))
		world_fail("a file to remove", "%s: %s", path, strerror(errno));
	return STEP_DONE;
}

/* False: there is no such file. */
static bool read_from(const char *name, off_t offset, struct buf *out)
{
	char *path CLEANUP_FREE = path_of(name);
	struct buf whole CLEANUP(buf_deinit) = BUF_NULL;
	if (file_read(&whole, path))
		return false;
	if ((off_t)whole.size < offset)
		world_fail("what was written to stay", "%s is %zu bytes long, it was %lld", name,
			whole.size, (long long)offset);
	buf_append(out, buf_text(&whole) + offset, whole.size - (size_t)offset);
	return true;
}

static struct world_file *file_of(const char *name)
{
	size_t i = 0;
	while (i < WORLD_FILES && world->files[i].name[0] &&
		strcmp(world->files[i].name, name) != 0)
		i++;
	if (i == WORLD_FILES || strlen(name) >= sizeof(world->files[i].name))
		world_fail("fewer files and shorter names", "`%s`", name);
	memcpy(world->files[i].name, name, strlen(name) + 1);
	return &world->files[i];
}

static enum step_result expect_new(const struct step *step, const char *expected)
{
	char *name CLEANUP_FREE = mem_printf("%s.ndjson", *step->argument ? step->argument : "out");
	struct world_file *at = file_of(name);
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	read_from(name, at->offset, &text);
	if (strcmp(buf_text(&text), expected) != 0)
		world_fail(*expected ? expected : "no records", "%s",
			text.size ? buf_text(&text) : "no records");
	at->offset += (off_t)text.size;
	return STEP_DONE;
}

static enum step_result expect_records(const struct step *step)
{
	return expect_new(step, step->block ? step->block : "");
}

static enum step_result expect_no_records(const struct step *step)
{
	return expect_new(step, "");
}

static enum step_result expect_file(const struct step *step)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	const char *expected = step->block ? step->block : "";
	if (!read_from(step->argument, 0, &text))
		world_fail(expected, "no file");
	if (!pattern_matches(expected, buf_text(&text)))
		world_fail(expected, "%s", buf_text(&text));
	return STEP_DONE;
}

static enum step_result expect_no_file(const struct step *step)
{
	char *path CLEANUP_FREE = path_of(step->argument);
	if (access(path, F_OK) == 0)
		world_fail("no file", "%s", path);
	return STEP_DONE;
}

void steps_files_leftovers(void)
{
	file_of("out.ndjson");
	for (size_t i = 0; i < WORLD_FILES && world->files[i].name[0]; i++) {
		struct buf text CLEANUP(buf_deinit) = BUF_NULL;
		read_from(world->files[i].name, world->files[i].offset, &text);
		if (text.size)
			world_fail("no further records", "%s", buf_text(&text));
	}
}

const struct step_kind steps_files[] = {
	{"config", config},
	{"definition", definition},
	{"file", file},
	{"append to", append},
	{"copy", copy},
	{"remove", remove_file},
	{"expect records", expect_records},
	{"expect no records", expect_no_records},
	{"expect file", expect_file},
	{"expect no file", expect_no_file},
	{NULL, NULL},
};
