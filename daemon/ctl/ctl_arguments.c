/* See ctl/ctl_arguments.h. Options may stand anywhere; the first operand is the command. */
#include "ctl/ctl_arguments.h"

#include <ctype.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

#define DEFAULT_PATH TRAWLD_SYSCONFDIR "/trawld/trawld.conf"
#define N_COMMANDS_MAX 64

#define CODE_OWN 256 /* of the first row of own_options */
#define HELP_COLUMNS 79

/* The options that some commands take. A row without a member of text is a member that is true. */
static const struct own_option {
	const char *name;
	unsigned takes;
	size_t flag, text; /* offsets in struct ctl_arguments; 0: not this one. Both 0: it is
			      added to the sets */
	unsigned required; /* of those */
} own_options[] = {
	{"file", CTL_REPLAY, 0, offsetof(struct ctl_arguments, file), 0},
	{"force", CTL_REPLAY, offsetof(struct ctl_arguments, force), 0, 0},
	{"stop", CTL_REPLAY, offsetof(struct ctl_arguments, stop), 0, 0},
	{"to", CTL_TO | CTL_SPAN | CTL_REPORT, 0, offsetof(struct ctl_arguments, to), CTL_TO},
	{"from", CTL_SPAN | CTL_REPORT, 0, offsetof(struct ctl_arguments, from), 0},
	{"source", CTL_REPORT | CTL_REPLAY, 0, offsetof(struct ctl_arguments, source), 0},
	{"format", CTL_REPORT, 0, offsetof(struct ctl_arguments, format), 0},
	{"seal-key", CTL_REPORT, 0, offsetof(struct ctl_arguments, seal_key), 0},
	{"json", CTL_JSON, offsetof(struct ctl_arguments, json), 0, 0},
	{"all", CTL_ALL, offsetof(struct ctl_arguments, all), 0, 0},
	{"watch", CTL_WATCH, offsetof(struct ctl_arguments, watch), 0, 0},
	{"acknowledge", CTL_ACKNOWLEDGE, offsetof(struct ctl_arguments, acknowledge), 0, 0},
	{"failing", CTL_FAILING, offsetof(struct ctl_arguments, failing), 0, 0},
	{"limit", CTL_LIMIT, 0, offsetof(struct ctl_arguments, limit), 0},
	{"sort", CTL_SORT, 0, offsetof(struct ctl_arguments, sort), 0},
	{"since", CTL_SINCE, 0, offsetof(struct ctl_arguments, since), 0},
	{"key", CTL_SEALS | CTL_REPORT | CTL_REPLAY, 0, offsetof(struct ctl_arguments, key), 0},
	{"anchor", CTL_SEALS | CTL_REPORT, 0, offsetof(struct ctl_arguments, anchor), 0},
	{"tsa-ca", CTL_SEALS | CTL_REPORT, 0, offsetof(struct ctl_arguments, tsa_ca), 0},
	{"events", CTL_SEALS, 0, offsetof(struct ctl_arguments, events), 0},
	{"line", CTL_LINE, 0, offsetof(struct ctl_arguments, line), CTL_LINE},
	{"check", CTL_CHECK, offsetof(struct ctl_arguments, check), 0, 0},
	{"provider", CTL_SETUP, 0, offsetof(struct ctl_arguments, provider), 0},
	{"archive", CTL_SETUP, 0, offsetof(struct ctl_arguments, archive), 0},
	{"no-probe", CTL_SETUP, offsetof(struct ctl_arguments, no_probe), 0, 0},
	{"set", CTL_SETUP, 0, 0, 0},
	{"headers", CTL_RAW, 0, offsetof(struct ctl_arguments, headers), 0},
	{"raw", CTL_RAW, offsetof(struct ctl_arguments, raw), 0, 0},
	{"defaults", CTL_DEFAULTS, offsetof(struct ctl_arguments, defaults), 0, 0},
	{"dry-run", CTL_DRY_RUN, offsetof(struct ctl_arguments, dry_run), 0, 0},
	{"example", CTL_EXAMPLE, offsetof(struct ctl_arguments, example), 0, 0},
};

#define N_OWN_OPTIONS (sizeof(own_options) / sizeof(own_options[0]))

static const struct option general_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
};

#define N_GENERAL_OPTIONS (sizeof(general_options) / sizeof(general_options[0]))

/* TEXT in lines that fit on a terminal, after what is in the first one already; an option and its
 * value, as in [--to TIME], stay together. */
static void print_wrapped(const char *text, size_t column, size_t indent)
{
	while (*text) {
		size_t size = strcspn(text, " ");
		if (*text == '[')
			size = strcspn(text, "]") + 1 + strcspn(text + strcspn(text, "]") + 1, " ");
		if (column > indent && column + 1 + size > HELP_COLUMNS) {
			printf("\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			putchar(' ');
			column++;
		}
		printf("%.*s", (int)size, text);
		column += size;
		text += size + (text[size] == ' ');
	}
	putchar('\n');
}

/* Each form in a line of its own. */
static void print_usage(FILE *out, const struct ctl_command *command)
{
	const char *form = command->usage, *head = "usage:";
	while (form) {
		const char *end = strstr(form, " | ");
		int size = end ? (int)(end - form) : (int)strlen(form);
		fprintf(out, "%s trawlctl [-c FILE] %s%s%.*s\n", head, command->name,
			size ? " " : "", size, form);
		form = end ? end + strlen(" | ") : NULL;
		head = "      ";
	}
}

static void print_command(const struct ctl_command *command)
{
	print_usage(stdout, command);
	putchar('\n');
	print_wrapped(command->help, 0, 0);
	puts("\nmanual: trawlctl(1)");
}

static void print_help(const struct ctl_command *commands)
{
	puts("usage: trawlctl [-c FILE] COMMAND [...]\n"
	     "       trawlctl help [COMMAND]\n"
	     "       trawlctl --version | --help\n"
	     "\n"
	     "Queries and controls a running trawld, and examines its configuration and state.\n");
	for (const struct ctl_command *command = commands; command->name; command++) {
		size_t size = (size_t)printf("  %s", command->name);
		print_wrapped(command->usage, size, 4);
		printf("%*s", 6, "");
		print_wrapped(command->help, 6, 6);
	}
	puts("\n"
	     "  -c, --config FILE  read FILE instead of " DEFAULT_PATH "\n"
	     "      --version      print the version and exit\n"
	     "  -h, --help         print this help and exit\n"
	     "\n"
	     "exit status: 0 success, 64 usage error, 70 internal error, 73 the state cannot be used,\n"
	     "75 failed, try again, 77 permission denied, 78 configuration error\n"
	     "manual: trawlctl(1), trawld(8), trawld.conf(5), trawld-provider(5)");
}

static int usage(const struct ctl_command *command)
{
	if (command)
		print_usage(stderr, command);
	else
		fputs("usage: trawlctl [-c FILE] COMMAND [...]; `trawlctl help` lists the commands\n",
			stderr);
	return EX_USAGE;
}

static const struct ctl_command *find(const struct ctl_command *commands, const char *name)
{
	for (const struct ctl_command *command = commands; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

static const struct ctl_command *find_or_hint(const struct ctl_command *commands, const char *name)
{
	const struct ctl_command *command = find(commands, name);
	const char *names[N_COMMANDS_MAX];
	size_t n = 0;
	if (command)
		return command;
	for (command = commands; command->name; command++)
		names[n++] = command->name;
	char *hint CLEANUP_FREE = str_hint(name, names, n);
	fprintf(stderr, "trawlctl: there is no command `%s`%s\n", name, hint);
	return NULL;
}

/* What the usage calls the operand INDEX (0 or 1): of several forms, the first words of all, which
 * are what a person has to choose from. */
static char *operand_name(const struct ctl_command *command, int index)
{
	const char *form = command->usage;
	struct slice rest = slice_of(form), part = SLICE_NULL;
	struct buf name = BUF_NULL;
	for (int i = 0; i <= index; i++)
		str_next_part(&rest, ' ', &part);
	buf_append_slice(&name, part);
	while (index == 0 && islower((unsigned char)*form) && (form = strstr(form, " | "))) {
		form += strlen(" | ");
		buf_printf(&name, "|%.*s", (int)strcspn(form, " "), form);
	}
	return buf_take(&name);
}

static int fail(const struct ctl_command *command, const char *wrong, const char *what)
{
	fprintf(stderr, "trawlctl: %s: %s `%s`\n", command->name, wrong, what);
	return usage(command);
}

static bool *flag_of(struct ctl_arguments *arguments, const struct own_option *option)
{
	return (bool *)((char *)arguments + option->flag);
}

static const char **text_of(struct ctl_arguments *arguments, const struct own_option *option)
{
	return (const char **)(void *)((char *)arguments + option->text);
}

static int check(const struct ctl_command *command, struct ctl_arguments *arguments,
	char **operands, int n_operands)
{
	unsigned takes = command->takes;
	int n_needed = takes & CTL_NEW_NAME ? 2 : takes & CTL_NAME_REQUIRED ? 1 : 0;
	int n_allowed = takes & CTL_MORE_NAMES ? 3 : n_needed ? n_needed : takes & CTL_NAME ? 1 : 0;
	if (n_operands > n_allowed && !(takes & CTL_NAMES))
		return fail(command, "unexpected argument", operands[n_allowed]);
	if (n_operands < n_needed) {
		char *missing CLEANUP_FREE = operand_name(command, n_operands);
		return fail(command, "missing argument", missing);
	}
	for (size_t i = 0; i < N_OWN_OPTIONS; i++) {
		const struct own_option *option = &own_options[i];
		bool given = option->text   ? *text_of(arguments, option) != NULL
			     : option->flag ? *flag_of(arguments, option)
					    : arguments->n_sets > 0;
		bool allowed = takes & option->takes;
		char *name CLEANUP_FREE = mem_printf("--%s", option->name);
		if (given && !allowed)
			return fail(command, "unexpected option", name);
		if (!given && takes & option->required)
			return fail(command, "missing option", name);
	}
	return 0;
}

/* The rows of both tables, as getopt_long wants them. */
static void list_options(struct option ret[N_OWN_OPTIONS + N_GENERAL_OPTIONS + 1])
{
	memset(ret, 0, (N_OWN_OPTIONS + N_GENERAL_OPTIONS + 1) * sizeof(*ret));
	memcpy(ret, general_options, sizeof(general_options));
	for (size_t i = 0; i < N_OWN_OPTIONS; i++)
		ret[N_GENERAL_OPTIONS + i] = (struct option){
			.name = own_options[i].name,
			.has_arg = own_options[i].flag ? no_argument : required_argument,
			.val = CODE_OWN + (int)i,
		};
}

static bool take_option(struct ctl_arguments *ret, const struct own_option *option)
{
	if (option->text) {
		*text_of(ret, option) = optarg;
	} else if (option->flag) {
		*flag_of(ret, option) = true;
	} else if (ret->n_sets == CTL_SETS_MAX) {
		fprintf(stderr, "trawlctl: more than %d times --%s\n", CTL_SETS_MAX, option->name);
		return false;
	} else {
		ret->sets[ret->n_sets++] = optarg;
	}
	return true;
}

/* The first word that is a command, or NULL. */
static const struct ctl_command *find_given(
	const struct ctl_command *commands, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const struct ctl_command *command = find(commands, argv[i]);
		if (command)
			return command;
		if (strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0)
			i++;
	}
	return NULL;
}

/* The nearest of the options that COMMAND takes, or of all. */
static char *hint_option(const struct ctl_command *command, const char *name)
{
	const char *names[N_OWN_OPTIONS + N_GENERAL_OPTIONS];
	size_t n = 0;
	for (size_t i = 0; i < N_GENERAL_OPTIONS; i++)
		names[n++] = general_options[i].name;
	for (size_t i = 0; i < N_OWN_OPTIONS; i++)
		if (!command || command->takes & own_options[i].takes)
			names[n++] = own_options[i].name;
	const char *nearest = str_nearest(name, names, n);
	return nearest ? mem_printf(": did you mean `--%s`?", nearest) : mem_strdup("");
}

/* What getopt_long did not accept. A value is not shown. */
static int refuse_option(const struct ctl_command *command, int code, char **argv)
{
	const char *given = argv[optind - 1];
	int size = (int)strcspn(given, "=");
	bool is_long = str_starts(given, "--");
	const char *name = command ? command->name : "";
	const char *colon = command ? ": " : "";
	if (code == ':') {
		fprintf(stderr, "trawlctl: %s%soption `%.*s` needs a value\n", name, colon, size,
			given);
	} else if (optopt && is_long) {
		fprintf(stderr, "trawlctl: %s%soption `%.*s` takes no value\n", name, colon, size,
			given);
	} else if (optopt) {
		fprintf(stderr, "trawlctl: %s%sthere is no option `-%c`\n", name, colon, optopt);
	} else {
		char *written CLEANUP_FREE = mem_printf("%.*s", size, given);
		char *hint CLEANUP_FREE = hint_option(command, written + strlen("--"));
		fprintf(stderr, "trawlctl: %s%sthere is no option `%s`%s\n", name, colon, written,
			hint);
	}
	return usage(command);
}

/* False: *RET_CODE says how to end. */
static bool read_options(struct ctl_arguments *ret, const struct ctl_command *commands, int argc,
	char **argv, int *ret_code)
{
	struct option options[N_OWN_OPTIONS + N_GENERAL_OPTIONS + 1];
	const struct ctl_command *command = find_given(commands, argc, argv);
	int code;
	list_options(options);
	opterr = 0;
	*ret_code = EX_OK;
	while ((code = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		switch (code) {
		case 'c':
			ret->path = optarg;
			ret->path_given = true;
			break;
		case 'V':
			puts("trawlctl " TRAWLD_VERSION);
			return false;
		case 'h':
			if (command)
				print_command(command);
			else
				print_help(commands);
			return false;
		case '?':
		case ':':
			*ret_code = refuse_option(command, code, argv);
			return false;
		default:
			if (!take_option(ret, &own_options[code - CODE_OWN])) {
				*ret_code = EX_USAGE;
				return false;
			}
		}
	}
	return true;
}

/* `trawlctl help [COMMAND]`; NAME may be NULL. */
static int help(const struct ctl_command *commands, const char *name)
{
	const struct ctl_command *command = name ? find_or_hint(commands, name) : NULL;
	if (name && !command)
		return usage(NULL);
	if (command)
		print_command(command);
	else
		print_help(commands);
	return EX_OK;
}

const struct ctl_command *ctl_arguments_parse(struct ctl_arguments *ret,
	const struct ctl_command *commands, int argc, char **argv, int *ret_code)
{
	*ret = (struct ctl_arguments){.path = DEFAULT_PATH};
	if (!read_options(ret, commands, argc, argv, ret_code))
		return NULL;
	if (optind == argc || strcmp(argv[optind], "help") == 0) {
		*ret_code = help(commands, optind + 1 < argc ? argv[optind + 1] : NULL);
		return NULL;
	}
	const struct ctl_command *command = find_or_hint(commands, argv[optind]);
	if (!command) {
		*ret_code = usage(NULL);
		return NULL;
	}
	ret->name = optind + 1 < argc ? argv[optind + 1] : NULL;
	ret->names = argv + optind + 1;
	ret->n_names = argc - optind - 1;
	ret->new_name = optind + 2 < argc ? argv[optind + 2] : NULL;
	ret->third = optind + 3 < argc ? argv[optind + 3] : NULL;
	*ret_code = check(command, ret, argv + optind + 1, argc - optind - 1);
	return *ret_code ? NULL : command;
}
