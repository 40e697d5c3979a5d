/*
 * See denied.h. The command depends on who owns the directory: another user than root has it for a
 * service, so the service's user should run; root, or this process's user, got files into it that
 * are not the user's, by a copy that was put back or a command of root, so the owner is set.
 */
#include "base/denied.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#define COMMAND_MAX 300 /* bytes of a command line that is repeated */

static char *user_name(uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	return user ? mem_strdup(user->pw_name) : mem_printf("%u", (unsigned)uid);
}

/* --- words of a shell --- */

static void append_word(struct buf *out, const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_";

	if (*word && word[strspn(word, plain)] == '\0') {
		buf_append_text(out, word);
		return;
	}
	buf_append_char(out, '\'');
	for (; *word; word++)
		if (*word == '\'')
			buf_append_text(out, "'\\''");
		else
			buf_append_char(out, *word);
	buf_append_char(out, '\'');
}

/* The command line of this process, or only its name where it is long or cannot be read. */
static void append_own_command(struct buf *out)
{
	struct buf words CLEANUP(buf_deinit) = BUF_NULL, line CLEANUP(buf_deinit) = BUF_NULL;
	int r = file_read(&words, "/proc/self/cmdline");

	buf_append_char(&words, '\0');
	for (size_t at = 0; !r && at < words.size - 1; at += strlen(words.data + at) + 1) {
		if (at > 0)
			buf_append_char(&line, ' ');
		append_word(&line, words.data + at);
	}
	if (line.size == 0 || line.size > COMMAND_MAX)
		append_word(out, program_invocation_short_name);
	else
		buf_append_slice(out, buf_slice(&line));
}

/* --- what is in the way --- */

static bool may_enter(const char *directory)
{
	return faccessat(AT_FDCWD, directory, X_OK, AT_EACCESS) == 0 || errno != EACCES;
}

/* The first folder on the way to PATH that cannot be entered; else PATH, or where it does not exist
 * the folder it would be made in. */
static char *find_obstacle(const char *path)
{
	CLEANUP_FREE char *part = mem_strdup(path);
	CLEANUP_FREE char *last = mem_strdup("/");
	struct stat status;

	for (char *slash = part; (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		if (!may_enter(part))
			return mem_strdup(part);
		if (stat(part, &status) == 0) {
			free(last);
			last = mem_strdup(part);
		}
		*slash = '/';
	}
	return mem_strdup(stat(path, &status) == 0 ? path : last);
}

/* A command of a person: what belongs to root is root's, and is not given away for it. */
static bool is_for_root(uid_t owner)
{
	return owner == 0 && geteuid() != 0 &&
	       strcmp(program_invocation_short_name, "trawlctl") == 0;
}

/* What root (or, where it says so, this user) has to run. */
static void append_cure(const char *obstacle, const struct stat *owner, const char *directory,
	const char *user, struct buf *out)
{
	bool above = strncmp(directory, obstacle, strlen(obstacle)) == 0 &&
		     strlen(directory) > strlen(obstacle);
	struct stat status;
	bool exists = stat(directory, &status) == 0;

	if (above && !may_enter(obstacle)) {
		buf_append_text(out, "chmod a+x ");
		append_word(out, obstacle);
	} else if (!exists) {
		buf_printf(out, "install -d -m 0700 -o %s ", user);
		append_word(out, directory);
	} else if (is_for_root(status.st_uid)) {
		append_own_command(out);
	} else if (status.st_uid != geteuid() && status.st_uid != 0) {
		CLEANUP_FREE char *name = user_name(status.st_uid);

		buf_printf(out, "runuser -u %s -- ", name);
		append_own_command(out);
	} else {
		if (owner->st_uid == geteuid() && status.st_uid == geteuid())
			buf_append_text(out, "chmod -R u+rwX ");
		else
			buf_printf(out, "chown -R %s ", user);
		append_word(out, directory);
	}
}

void denied_explain(const char *path, const char *directory, int error, struct buf *out)
{
	CLEANUP_FREE char *obstacle = find_obstacle(path);
	CLEANUP_FREE char *user = user_name(geteuid());
	CLEANUP_FREE char *owner = NULL;
	struct stat status;

	if ((error != EACCES && error != EPERM) || stat(obstacle, &status) != 0)
		return;
	owner = user_name(status.st_uid);
	buf_printf(out, ": %s belongs to %s (mode %04o), and %s runs as %s; as root, run `",
		obstacle, owner, (unsigned)status.st_mode & 07777, program_invocation_short_name,
		user);
	append_cure(obstacle, &status, directory, user, out);
	buf_append_char(out, '`');
}
