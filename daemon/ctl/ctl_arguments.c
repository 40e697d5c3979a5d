/* See ctl/ctl_arguments.h. Options may stand anywhere; the first operand is the command. */
#include "ctl/ctl_arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/str.h"

#define DEFAULT_PATH "/etc/trawld/trawld.conf"
#define N_COMMANDS_MAX 64

enum { CODE_TO = 256, CODE_ACKNOWLEDGE, CODE_JSON, CODE_ALL, CODE_WATCH, CODE_VERSION, CODE_HELP };

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"to", required_argument, NULL, CODE_TO},
	{"acknowledge", no_argument, NULL, CODE_ACKNOWLEDGE},
	{"json", no_argument, NULL, CODE_JSON},
	{"all", no_argument, NULL, CODE_ALL},
	{"watch", no_argument, NULL, CODE_WATCH},
	{"version", no_argument, NULL, CODE_VERSION},
	{"help", no_argument, NULL, CODE_HELP},
	{NULL, 0, NULL, 0},
};

static void print_help(const struct ctl_command *commands)
{
	puts("usage: trawlctl [-c FILE] COMMAND [...]\n"
	     "       trawlctl --version | --help\n"
	     "\n"
	     "Queries and controls a running trawld, and examines its configuration and state.\n");
	for (const struct ctl_command *command = commands; command->name; command++) {
		printf("  %s%s%s\n", command->name, *command->usage ? " " : "", command->usage);
		printf("      %s\n", command->help);
	}
	puts("\n"
	     "  -c, --config FILE  read FILE instead of " DEFAULT_PATH "\n"
	     "      --version      print the version and exit\n"
	     "  -h, --help         print this help and exit\n"
	     "\n"
	     "exit status: 0 success, 64 usage error, 70 internal error, 73 the state cannot be "
	     "used,\n"
	     "75 failed, try again, 77 permission denied, 78 configuration error\n"
	     "manual: trawlctl(1), trawld(8), trawld.conf(5), trawld-provider(5)");
}

static int usage(const struct ctl_command *command)
{
	if (command)
		fprintf(stderr, "usage: trawlctl [-c FILE] %s %s\n", command->name, command->usage);
	else
		fputs("usage: trawlctl [-c FILE] COMMAND [...], see trawlctl --help\n", stderr);
	return EX_USAGE;
}

static const struct ctl_command *find(const struct ctl_command *commands, const char *name)
{
	const char *names[N_COMMANDS_MAX];
	size_t n = 0;
	for (const struct ctl_command *command = commands; command->name; command++) {
		if (strcmp(command->name, name) == 0)
			return command;
		names[n++] = command->name;
	}
	char *hint CLEANUP_FREE = str_hint(name, names, n);
	fprintf(stderr, "trawlctl: there is no command `%s`%s\n", name, hint);
	return NULL;
}

/* What the usage calls the operand INDEX (0 or 1). */
static void find_operand_name(const struct ctl_command *command, int index, char ret[32])
{
	struct slice rest = slice_of(command->usage), part = SLICE_NULL;
	for (int i = 0; i <= index; i++)
		str_next_part(&rest, ' ', &part);
	snprintf(ret, 32, "%.*s", (int)part.size, part.data);
}

static int check(const struct ctl_command *command, const struct ctl_arguments *arguments,
	char **operands, int n_operands)
{
	char missing[32];
	const char *wrong = NULL, *what = "";
	unsigned takes = command->takes;
	int n_needed = takes & CTL_NEW_NAME ? 2 : takes & CTL_NAME_REQUIRED ? 1 : 0;
	int n_allowed = n_needed ? n_needed : takes & CTL_NAME ? 1 : 0;
	if (n_operands > n_allowed) {
		wrong = "unexpected argument ";
		what = operands[n_allowed];
	} else if (n_operands < n_needed) {
		wrong = "missing argument ";
		find_operand_name(command, n_operands, missing);
		what = missing;
	} else if (!arguments->to && takes & CTL_TO) {
		wrong = "missing option ";
		what = "--to";
	} else if (arguments->to && !(takes & CTL_TO)) {
		what = "--to";
	} else if (arguments->json && !(takes & CTL_JSON)) {
		what = "--json";
	} else if (arguments->all && !(takes & CTL_ALL)) {
		what = "--all";
	} else if (arguments->watch && !(takes & CTL_WATCH)) {
		what = "--watch";
	} else if (arguments->acknowledge && !(takes & CTL_ACKNOWLEDGE)) {
		what = "--acknowledge";
	} else {
		return 0;
	}
	fprintf(stderr, "trawlctl: %s: %s`%s`\n", command->name,
		wrong ? wrong : "unexpected option ", what);
	return usage(command);
}

/* False: *RET_CODE says how to end. */
static bool read_options(struct ctl_arguments *ret, const struct ctl_command *commands, int argc,
	char **argv, int *ret_code)
{
	int code;
	while ((code = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		switch (code) {
		case 'c':
			ret->path = optarg;
			ret->path_given = true;
			break;
		case CODE_TO:
			ret->to = optarg;
			break;
		case CODE_ACKNOWLEDGE:
			ret->acknowledge = true;
			break;
		case CODE_JSON:
			ret->json = true;
			break;
		case CODE_ALL:
			ret->all = true;
			break;
		case CODE_WATCH:
			ret->watch = true;
			break;
		case CODE_VERSION:
			puts("trawlctl " TRAWLD_VERSION);
			*ret_code = EX_OK;
			return false;
		case 'h':
		case CODE_HELP:
			print_help(commands);
			*ret_code = EX_OK;
			return false;
		default:
			*ret_code = usage(NULL);
			return false;
		}
	}
	return true;
}

const struct ctl_command *ctl_arguments_parse(struct ctl_arguments *ret,
	const struct ctl_command *commands, int argc, char **argv, int *ret_code)
{
	*ret = (struct ctl_arguments){.path = DEFAULT_PATH};
	if (!read_options(ret, commands, argc, argv, ret_code))
		return NULL;
	if (optind == argc) {
		*ret_code = usage(NULL);
		return NULL;
	}
	const struct ctl_command *command = find(commands, argv[optind]);
	if (!command) {
		*ret_code = usage(NULL);
		return NULL;
	}
	ret->name = optind + 1 < argc ? argv[optind + 1] : NULL;
	ret->new_name = optind + 2 < argc ? argv[optind + 2] : NULL;
	*ret_code = check(command, ret, argv + optind + 1, argc - optind - 1);
	return *ret_code ? NULL : command;
}
