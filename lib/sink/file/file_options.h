/* The keys of `type = file`. */
#ifndef TRAWLD_SINK_FILE_OPTIONS_H
#define TRAWLD_SINK_FILE_OPTIONS_H

#include "conf/option.h"

struct file_options {
	char *path;
	int64_t mode;
	int64_t directory_mode;
	bool fsync;
	uint64_t max_size; /* 0: no bound */
	int64_t keep; /* 0: all */
	int compress; /* enum compression */
	nsec_t seal_ns; /* 0: no seals */
	struct secret seal_key;
	char *seal_to;
	char *timestamp_url;
};

#define N_FILE_OPTION_ROWS 11
extern const struct option file_option_rows[N_FILE_OPTION_ROWS];

/* What only all keys together show; `check` of the kind. */
void file_options_check(
	const void *data, const struct ini_section *section, struct findings *findings);

#endif
