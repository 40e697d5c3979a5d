/* See daemon_life.h. */
#include "daemon_life.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "world.h"

#define ARGUMENTS_MAX 8

static struct str_list extra;
static bool begun; /* standard error is the log */

void daemon_life_arguments(const char *text)
{
	str_list_split(&extra, (struct slice){text, strlen(text)}, ' ');
}

const char *daemon_life_log(void)
{
	static char *path;
	if (!path)
		path = mem_printf("%s/log", world_directory);
	return path;
}

const char *daemon_life_configuration(void)
{
	static char *path;
	if (!path)
		path = mem_printf("%s/trawld.conf", world_directory);
	return path;
}

int daemon_life_open_log(void)
{
	return open(daemon_life_log(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* The folder may be gone, if somebody cleans up meanwhile (then trawld ends with 73). */
void daemon_life_print_log(void)
{
	static char text[4096];
	struct stat status;
	int log = begun ? open("/proc/self/fd/2", O_RDONLY | O_CLOEXEC) : -1;
	if (log < 0 || fstat(log, &status) != 0)
		return;
	off_t from = status.st_size - (off_t)sizeof(text);
	ssize_t size = pread(log, text, sizeof(text), from > 0 ? from : 0);
	printf("the end of its log%s:\n%.*s\n", status.st_nlink ? "" : ", which was removed",
		(int)(size > 0 ? size : 0), text);
	close(log);
}

/* Jitter at its longest, so that a wait can be told beforehand. */
static uint64_t largest(uint64_t bound)
{
	return bound - 1;
}

int daemon_life_run(void)
{
	char *argv[ARGUMENTS_MAX] = {
		mem_strdup("trawld"), mem_strdup("-c"), mem_strdup(daemon_life_configuration())};
	int argc = 3;
	int log = daemon_life_open_log();
	if (log < 0 || dup2(log, STDERR_FILENO) < 0)
		world_fail("a log", "%s", daemon_life_log());
	begun = true;
	for (size_t i = 0; i < extra.n_items && argc < ARGUMENTS_MAX - 1; i++)
		argv[argc++] = extra.items[i];
	random_set_source(largest);
	setenv("JOURNAL_STREAM", "0:0", 1); /* each line begins with its level */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("STATE_DIRECTORY");
	return trawld_main(argc, argv);
}
