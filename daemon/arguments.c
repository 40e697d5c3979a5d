/* See arguments.h. */
#include "arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

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

/* What getopt_long did not accept. */
static void refuse(int code, char **argv)
{
	const char *names[sizeof(long_options) / sizeof(long_options[0])];
	const char *given = argv[optind - 1];
	size_t n = 0;
	for (; long_options[n].name; n++)
		names[n] = long_options[n].name;
	char *written CLEANUP_FREE = mem_printf("%.*s", (int)strcspn(given, "="), given);
	bool is_long = str_starts(written, "--");
	const char *nearest = is_long ? str_nearest(written + strlen("--"), names, n) : NULL;
	if (code == ':')
		fprintf(stderr, "trawld: option `%s` needs a value\n", written);
	else if (optopt && is_long)
		fprintf(stderr, "trawld: option `%s` takes no value\n", written);
	else if (optopt)
		fprintf(stderr, "trawld: there is no option `-%c`\n", optopt);
	else
		fprintf(stderr, "trawld: there is no option `%s`%s%s%s\n", written,
			nearest ? ": did you mean `--" : "", nearest ? nearest : "",
			nearest ? "`?" : "");
}

enum arguments_result arguments_parse(struct arguments *ret, int argc, char **argv)
{
	int code;
	*ret = (struct arguments){.path = DEFAULT_PATH};
	opterr = 0;
	while ((code = getopt_long(argc, argv, ":c:h", long_options, NULL)) != -1) {
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
			refuse(code, argv);
			fputs(usage_text, stderr);
			return ARGUMENTS_USAGE;
		}
	}
	if (optind == argc)
		return ARGUMENTS_RUN;
	fprintf(stderr, "trawld: unexpected argument `%s`\n%s", argv[optind], usage_text);
	return ARGUMENTS_USAGE;
}
