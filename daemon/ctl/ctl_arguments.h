/* The command line of trawlctl(1). Apart from ctl_main.c because getopt.h and conf/option.h both
 * have a struct option. */
#ifndef TRAWLD_DAEMON_CTL_ARGUMENTS_H
#define TRAWLD_DAEMON_CTL_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#define CTL_SETS_MAX 64

struct ctl_arguments {
	const char *path; /* of the configuration */
	bool path_given;
	const char *name; /* the operand; NULL: none */
	const char *new_name; /* the second one */
	const char *third;
	const char *from;
	const char *file;
	bool stop;
	bool force;
	const char *to;
	const char *source;
	const char *format;
	const char *seal_key;
	const char *limit;
	const char *sort;
	const char *since;
	const char *key;
	const char *anchor;
	const char *tsa_ca;
	const char *events;
	const char *line;
	char *const *names; /* with CTL_NAMES: all operands */
	int n_names;
	bool json;
	bool all;
	bool watch;
	bool acknowledge;
	bool failing;
	bool check;
	bool example;
	bool defaults;
	bool dry_run;
	/* setup: */
	const char *provider;
	const char *archive;
	bool no_probe;
	const char *sets[CTL_SETS_MAX]; /* KEY=VALUE */
	size_t n_sets;
	bool adding; /* a probe is a part of setup, which does change something */
	bool raw;
	const char *headers; /* definition new */
};

/* What a command takes; anything else is a usage fault. */
enum {
	CTL_NAME = 1 << 0, /* an operand may stand */
	CTL_NAME_REQUIRED = 1 << 1,
	CTL_TO = 1 << 2, /* --to, required */
	CTL_JSON = 1 << 3,
	CTL_ALL = 1 << 4,
	CTL_WATCH = 1 << 5,
	CTL_ACKNOWLEDGE = 1 << 6,
	CTL_NEW_NAME = 1 << 7, /* a second operand, required */
	CTL_FAILING = 1 << 8,
	CTL_CHECK = 1 << 9,
	CTL_EXAMPLE = 1 << 10,
	CTL_LIMIT = 1 << 11,
	CTL_SETUP = 1 << 12, /* --provider, --set, --archive, --no-probe */
	CTL_RAW = 1 << 13, /* --raw, --headers */
	CTL_MORE_NAMES = 1 << 14, /* up to two further operands */
	CTL_NAMES = 1 << 15, /* with CTL_NAME_REQUIRED: any number of operands */
	CTL_SEALS = 1 << 16, /* --key, --anchor, --events, --tsa-ca */
	CTL_LINE = 1 << 17, /* --line, required */
	CTL_DEFAULTS = 1 << 18,
	CTL_SINCE = 1 << 19,
	CTL_DRY_RUN = 1 << 20,
	CTL_SORT = 1 << 21,
	CTL_SPAN = 1 << 22, /* --from, --to */
	CTL_REPORT =
		1
		<< 23, /* --from, --to, --source, --format, --key, --seal-key, --anchor, --tsa-ca */
	CTL_REPLAY = 1 << 24, /* --source, --file, --force, --key, --stop */
};

struct ctl_command {
	const char *name;
	const char *usage; /* what follows the name */
	const char *help;
	unsigned takes;
	int (*run)(const struct ctl_arguments *arguments); /* an exit code */
};

/* The command that is to be run, or NULL with *RET_CODE: 0 when --help or --version was printed, 64
 * when what is wrong was printed. COMMANDS ends with a row without name. */
const struct ctl_command *ctl_arguments_parse(struct ctl_arguments *ret,
	const struct ctl_command *commands, int argc, char **argv, int *ret_code);

#endif
