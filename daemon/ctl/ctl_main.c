/* trawlctl(1): the table of commands, and what happens around each of them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sysexits.h>

#include "ctl/ctl.h"

#include "base/log.h"

static const struct ctl_command commands[] = {
	{"status", "[--json] [--watch]",
		"show what the running trawld does, once or every 2 s, also as JSON",
		CTL_JSON | CTL_WATCH, ctl_status},
	{"poll", "[SOURCE]",
		"let it poll a source now and wait for the end, or begin with all of them",
		CTL_NAME, ctl_poll},
	{"reload", "", "let it go over to the changed configuration, print every fault", 0,
		ctl_reload},
	{"providers", "[NAME]", "list the provider definitions, or show what one of them takes",
		CTL_NAME, ctl_providers},
	{"check", "", "read the whole configuration, print every fault", 0, ctl_check},
	{"cursor", "[SOURCE] [--json]", "print where a source stands, or all of them, also as JSON",
		CTL_NAME | CTL_JSON, ctl_cursor},
	{"rewind", "SOURCE --to TIME",
		"let the next poll of a source begin at TIME (RFC 3339, -1h, earliest, now)",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_TO, ctl_rewind},
	{"probe", "SOURCE [--all]",
		"ask once as the source would, show what was asked and what came, change nothing",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_ALL, ctl_probe},
	{NULL, NULL, NULL, 0, NULL},
};

int ctl_check(const struct ctl_arguments *arguments)
{
	struct setup *setup = ctl_setup(arguments);
	if (!setup)
		return EX_CONFIG;
	printf("%s: fine, %zu source%s, %zu sink%s\n", setup->config->path, setup->n_sources,
		setup->n_sources == 1 ? "" : "s", setup->n_sinks, setup->n_sinks == 1 ? "" : "s");
	setup_free(setup);
	return EX_OK;
}

int main(int argc, char **argv)
{
	struct ctl_arguments arguments;
	int code;
	signal(SIGPIPE, SIG_IGN); /* a reader that has seen enough is seen at the end */
	prctl(PR_SET_DUMPABLE, 0); /* secrets are in memory */
	log_open(false);
	log_set_level(LOG_LEVEL_WARNING);
	const struct ctl_command *command =
		ctl_arguments_parse(&arguments, commands, argc, argv, &code);
	if (command)
		code = command->run(&arguments);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("trawlctl: standard output cannot be written\n", stderr);
		return code ? code : EX_TEMPFAIL;
	}
	return code;
}
