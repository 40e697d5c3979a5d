/* The command line of trawld(8). Apart from main.c because getopt.h and conf/option.h both have a
 * struct option. */
#ifndef TRAWLD_DAEMON_ARGUMENTS_H
#define TRAWLD_DAEMON_ARGUMENTS_H

#include <stdbool.h>

struct arguments {
	const char *path;
	bool check;
	bool once;
};

enum arguments_result {
	ARGUMENTS_RUN,
	ARGUMENTS_DONE, /* --help or --version was printed */
	ARGUMENTS_USAGE, /* what is wrong was printed */
};

enum arguments_result arguments_parse(struct arguments *ret, int argc, char **argv);

#endif
