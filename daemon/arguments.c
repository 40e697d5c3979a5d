/* See arguments.h. */
#include "arguments.h"

#include <getopt.h>
#include <stdio.h>

#define DEFAULT_PATH TRAWLD_SYSCONFDIR "/trawld/trawld.conf"

static const char usage_text[] =
	"usage: trawld [-c FILE] [--check] [--once] [--version] [--help]\n";

static const char help_text[] =
	"Polls the HTTP APIs where clouds publish their API and audit logs and forwards each new\n"
	"record once to the configured sinks. Runs in the foreground and logs to standard error.\n"
	"\n"
	"  -c, --config FILE  read FILE instead of " DEFAULT_PATH "\n"
	"      --check        check the entire configuration and print every error\n"
	"      --once         poll every source until it is up to date, drain the sinks, and exit\n"
	"      --version      print the version and exit\n"
	"  -h, --help         print this help and exit\n"
	"\n"
	"exit status: 0 success, 64 usage error, 70 internal error, 73 the state cannot be created\n"
	"or used, 75 not finished (run it again), 78 configuration error\n"
	"signals: TERM and INT drain and stop, HUP reloads, USR1 reopens files, USR2 polls now\n"
	"manual: trawld(8), trawld.conf(5), trawld-provider(5)\n";

enum { CODE_CHECK = 256, CODE_ONCE, CODE_VERSION, CODE_HELP };

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"check", no_argument, NULL, CODE_CHECK},
	{"once", no_argument, NULL, CODE_ONCE},
	{"version", no_argument, NULL, CODE_VERSION},
	{"help", no_argument, NULL, CODE_HELP},
	{NULL, 0, NULL, 0},
};

enum arguments_result arguments_parse(struct arguments *ret, int argc, char **argv)
{
	int code;
	*ret = (struct arguments){.path = DEFAULT_PATH};
	while ((code = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		switch (code) {
		case 'c':
			ret->path = optarg;
			break;
		case CODE_CHECK:
			ret->check = true;
			break;
		case CODE_ONCE:
			ret->once = true;
			break;
		case CODE_VERSION:
			puts("trawld " TRAWLD_VERSION);
			return ARGUMENTS_DONE;
		case 'h':
		case CODE_HELP:
			printf("%s%s", usage_text, help_text);
			return ARGUMENTS_DONE;
		default:
			fputs(usage_text, stderr);
			return ARGUMENTS_USAGE;
		}
	}
	if (optind == argc)
		return ARGUMENTS_RUN;
	fprintf(stderr, "trawld: unexpected argument `%s`\n%s", argv[optind], usage_text);
	return ARGUMENTS_USAGE;
}
