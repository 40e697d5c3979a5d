/* trawld(8): what happens from the first line to the exit code, in order. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "arguments.h"
#include "journal_log.h"
#include "remarks.h"
#include "signals.h"
#include "setup.h"
#include "trawld.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/mem_libraries.h"
#include "base/str.h"
#include "base/user.h"

#define DESCRIPTORS 65536

/* NULL: the configuration has errors, and all of them were printed. */
static struct setup *load(const struct arguments *arguments)
{
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct setup *setup = setup_load(arguments->path, &findings);
	if (!setup) {
		findings_print(&findings, stderr);
		fprintf(stderr, "trawld: %zu error%s in the configuration\n", findings.n_items,
			str_plural(findings.n_items));
	}
	return setup;
}

static int check(struct setup *setup)
{
	printf("%s: fine, %zu source%s, %zu sink%s\n", setup->config->path, setup->n_sources,
		str_plural(setup->n_sources), setup->n_sinks, str_plural(setup->n_sinks));
	setup_free(setup);
	return EX_OK;
}

/* Whatever is opened later gets a number above theirs: no log line can end up in a file of records,
 * and no record in another file. Using what was closed stays an error (O_PATH). */
static void fill_standard_descriptors(void)
{
	int fd;
	do
		fd = open("/", O_PATH);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* Connections to many hosts, files and clients need more than the 1024 that are usual. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS)
		return;
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Root's own files in the state and in archives would be in the way of the service. */
static bool become_owner(const char *directory)
{
	struct fault fault = FAULT_NULL;
	char *name CLEANUP_FREE = NULL;
	int r = user_become_owner(directory, &name, &fault);
	if (r)
		log_error(NULL, "%s", fault.text);
	else if (name)
		log_notice(NULL, "started by root; continuing as %s, who owns %s", name, directory);
	return !r;
}

int main(int argc, char **argv)
{
	struct arguments arguments;
	struct trawld *trawld;
	signals_block();
	fill_standard_descriptors();
	raise_descriptor_limit();
	mem_keep_small();
	mem_libraries();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a full quota is an error of write(2), not a reason to die */
	prctl(PR_SET_DUMPABLE,
		0); /* no core file, no ptrace by the same user: secrets are in memory */
	switch (arguments_parse(&arguments, argc, argv)) {
	case ARGUMENTS_DONE:
		return EX_OK;
	case ARGUMENTS_USAGE:
		return EX_USAGE;
	case ARGUMENTS_RUN:
		break;
	}
	if (arguments.check)
		signals_unblock();
	log_open(getenv("JOURNAL_STREAM") != NULL);
	journal_log_open();
	struct setup *setup = load(&arguments);
	if (!setup)
		return EX_CONFIG;
	remarks_log(setup);
	if (arguments.check)
		return check(setup);
	log_set_level(LOG_LEVEL_ERROR + (enum log_level)setup->config->daemon.log_level);
	if (!become_owner(setup->config->daemon.state_directory)) {
		setup_free(setup);
		return EX_CANTCREAT;
	}
	struct trawld_options options = {arguments.path, arguments.once};
	int code = trawld_open(&trawld, &options, setup);
	if (code == 0)
		code = trawld_run(trawld);
	trawld_close(trawld);
	return code;
}
