/* See daemon_life.h. */
#include "daemon_life.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "world.h"

#define ARGUMENTS_MAX 8

static struct str_list extra;

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
	for (size_t i = 0; i < extra.n_items && argc < ARGUMENTS_MAX - 1; i++)
		argv[argc++] = extra.items[i];
	random_set_source(largest);
	setenv("JOURNAL_STREAM", "0:0", 1); /* each line begins with its level */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("STATE_DIRECTORY");
	return trawld_main(argc, argv);
}
