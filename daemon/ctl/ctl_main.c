/* trawlctl(1): the table of commands, and what happens around each of them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sysexits.h>

#include "ctl/ctl.h"
#include "ctl/ctl_control.h"

#include "base/log.h"
#include "base/str.h"
#include "remarks.h"

static const struct ctl_command commands[] = {
	{"status", "[SOURCE|SINK] [--json] [--watch] [--failing] [--check]",
		"show the state of the running trawld, once or every 2 seconds; of one source or sink everything; with --check one line for monitoring (exit status 0, 1 or 2)",
		CTL_NAME | CTL_JSON | CTL_WATCH | CTL_FAILING | CTL_CHECK, ctl_status},
	{"top", "[--sort failing|name|late|rate|hour|errors]",
		"show the sources of the running trawld live; keys change the order, q ends",
		CTL_SORT, ctl_top},
	{"poll", "[SOURCE]",
		"make a source poll now and wait for the result, or all sources poll and all sinks retry",
		CTL_NAME, ctl_poll},
	{"reload", "", "make the running trawld load the changed configuration", 0, ctl_reload},
	{"setup", "[NAME] [--provider PROVIDER] [--set KEY=VALUE]... [--archive FILE] [--no-probe]",
		"add a source: ask for its provider and parameters, try it, and write it to conf.d",
		CTL_NAME | CTL_SETUP, ctl_new_source},
	{"providers", "[NAME [--example]]",
		"list the installed provider definitions, describe one, or print a source for it",
		CTL_NAME | CTL_EXAMPLE, ctl_providers},
	{"check", "", "check the entire configuration and print every error", 0, ctl_check},
	{"config", "[--defaults]",
		"print the configuration as trawld reads it, and where each value is set; with --defaults also the values of all other keys",
		CTL_DEFAULTS, ctl_show_config},
	{"cursor", "[SOURCE] [--json]", "print the stored cursor of a source, or of all sources",
		CTL_NAME | CTL_JSON, ctl_cursor},
	{"rewind", "SOURCE --to TIME|previous [--dry-run]",
		"make the next poll of a source start at TIME (RFC 3339, -1h, earliest, now), or where it was before the last rewind; --dry-run only says what would happen",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_TO | CTL_DRY_RUN, ctl_rewind},
	{"gaps", "[SOURCE] [--acknowledge] [--all] [--json]",
		"list spans of time whose records may be missing; --acknowledge notes that a person has seen them",
		CTL_NAME | CTL_ACKNOWLEDGE | CTL_ALL | CTL_JSON, ctl_gaps},
	{"coverage", "[SOURCE] [--since TIME] [--json]",
		"show for which times the records were read, and for which not (exit status 1 if there is a gap)",
		CTL_NAME | CTL_SINCE | CTL_JSON, ctl_coverage},
	{"refill", "SOURCE",
		"request the open gaps of a source again, as far as its API still keeps the records",
		CTL_NAME | CTL_NAME_REQUIRED, ctl_refill},
	{"events", "[--since TIME] [--json]",
		"list starts, stops, changes of the configuration and what people did, with who did it",
		CTL_SINCE | CTL_JSON, ctl_events},
	{"pause", "SOURCE|SINK",
		"stop polling a source or delivering to a sink until it is resumed; nothing is lost",
		CTL_NAME | CTL_NAME_REQUIRED, ctl_pause},
	{"resume", "SOURCE|SINK", "continue what was paused", CTL_NAME | CTL_NAME_REQUIRED,
		ctl_resume},
	{"skip", "SOURCE",
		"get past a page, window or document that cannot be read: the shortest part that fails becomes a gap",
		CTL_NAME | CTL_NAME_REQUIRED, ctl_skip},
	{"rename", "SOURCE NEW",
		"let the source NEW continue at the cursor of SOURCE, which is no longer configured",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_NEW_NAME, ctl_rename},
	{"rename-sink", "SINK NEW",
		"give what waits for SINK, which is no longer configured, to the sink NEW",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_NEW_NAME, ctl_rename_sink},
	{"drop-sink", "SINK",
		"drop the records that wait for SINK and that the configuration no longer sends to it",
		CTL_NAME | CTL_NAME_REQUIRED, ctl_drop_sink},
	{"dead-letters", "list|resend|discard SINK [--json]",
		"show the records that the receiver of a sink rejected, send them again, or delete them",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_NEW_NAME | CTL_JSON, ctl_dead_letters},
	{"definition",
		"new URL [--headers FILE] | lint [NAME|FILE] | record SOURCE FILE [--raw] | test [NAME]",
		"propose a provider definition from a response; look for what is probably not intended; record a conversation; play the recorded ones, also with failures",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_MORE_NAMES | CTL_RAW, ctl_definition},
	{"cluster", "status [--json] | reshard N",
		"show which process holds which shard of the cluster; divide its sources among N shards while no trawld runs",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_MORE_NAMES | CTL_JSON, ctl_cluster},
	{"state", "move --to postgresql|sqlite",
		"move the state from the SQLite file into the database of the cluster, or back, while no trawld runs",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_TO, ctl_state},
	{"backup", "FILE", "copy the state to a new file, whether trawld runs or not",
		CTL_NAME | CTL_NAME_REQUIRED, ctl_backup},
	{"probe", "SOURCE [--all] [--limit N] [--json]",
		"make the next request of a source once and show the result, changing nothing",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_ALL | CTL_LIMIT | CTL_JSON, ctl_probe},
	{"tail", "[SOURCE] [--json] [--limit N]",
		"print records as the running trawld accepts them", CTL_NAME | CTL_JSON | CTL_LIMIT,
		ctl_tail},
	{"cat", "SOURCE [--from TIME] [--to TIME] [--json]",
		"print the records of a source that wait for a sink or are kept (see keep in trawld.conf(5)), by the time at which trawld accepted them",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_SPAN | CTL_JSON, ctl_cat},
	{"replay",
		"SINK --source SOURCE --from TIME --to TIME [--dry-run] | SINK --file FILE... [--source SOURCE] [--key FILE] [--force] [--dry-run] | SINK --stop",
		"send records that are kept (see keep in trawld.conf(5)), or those of files, to a sink once more; nothing else gets them, and no cursor moves",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_NAMES | CTL_SPAN | CTL_REPLAY | CTL_DRY_RUN,
		ctl_replay},
	{"find", "ID [--json]",
		"show where the record with this ID is: waiting, kept, delivered, or a dead letter (exit status 1: nowhere)",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_JSON, ctl_find},
	{"test", "SINK",
		"send one marked test record through a sink and show what happens; an archive gets none",
		CTL_NAME | CTL_NAME_REQUIRED, ctl_test},
	{"verify", "FILE... [--key FILE] [--anchor FILE] [--events FILE] [--tsa-ca FILE] [--json]",
		"compare files that a sink wrote with their seals and say what that proves (exit status 0 good, 1 changed, 2 good, but a proof is missing)",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_NAMES | CTL_SEALS | CTL_JSON, ctl_verify},
	{"prove", "FILE --line N",
		"print the proof that one line of a file is among the records of a seal",
		CTL_NAME | CTL_NAME_REQUIRED | CTL_LINE, ctl_prove},
	{"report",
		"--from TIME --to TIME --format json|md|html [--source SOURCE] [--key FILE] [--seal-key FILE] [--anchor FILE] [--tsa-ca FILE] [FILE...] | --check REPORT",
		"print a report for an auditor: what was read in a span of time, what was not and why, what people did, and what is not proven; for each FILE, an archive, what its seals prove; --key signs it, and is the public key for --check of a signed report",
		CTL_NAME | CTL_NAMES | CTL_REPORT | CTL_CHECK, ctl_report},
	{NULL, NULL, NULL, 0, NULL},
};

int ctl_check(const struct ctl_arguments *arguments)
{
	struct setup *setup = ctl_setup(arguments);
	if (!setup)
		return EX_CONFIG;
	log_set_level(LOG_LEVEL_NOTICE);
	remarks_log(setup);
	printf("%s: fine, %zu source%s, %zu sink%s\n", setup->config->path, setup->n_sources,
		str_plural(setup->n_sources), setup->n_sinks, str_plural(setup->n_sinks));
	setup_free(setup);
	return EX_OK;
}

int main(int argc, char **argv)
{
	struct ctl_arguments arguments;
	int code;
	signal(SIGPIPE, SIG_IGN); /* a reader that goes away is noticed at the end */
	prctl(PR_SET_DUMPABLE, 0); /* secrets are in memory */
	log_open(false);
	log_set_level(LOG_LEVEL_WARNING);
	const struct ctl_command *command =
		ctl_arguments_parse(&arguments, commands, argc, argv, &code);
	if (command) {
		ctl_control_from(arguments.path);
		code = command->run(&arguments);
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("trawlctl: cannot write to standard output\n", stderr);
		return code ? code : EX_TEMPFAIL;
	}
	return code;
}
