/*
 * Option tables: one row says all about one key. From the rows come parsing, defaults, --check,
 * hints, the comparison at reload and a test that the manual and the sample name every key.
 */
#ifndef TRAWLD_CONF_OPTION_H
#define TRAWLD_CONF_OPTION_H

#include "conf/ini.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/str.h"

enum option_type {
	OPTION_STRING, /* char * */
	OPTION_SECRET, /* struct secret */
	OPTION_BOOL, /* bool */
	OPTION_COUNT, /* int64_t, min..max */
	OPTION_SIZE, /* uint64_t bytes, min..max */
	OPTION_DURATION, /* nsec_t, min..max */
	OPTION_RATE, /* struct option_rate */
	OPTION_CHOICE, /* int: index into choices */
	OPTION_LIST, /* struct str_list: comma separated */
	OPTION_LINES, /* struct str_list: one a line (continuation lines), commas are part of the
			 item */
	OPTION_MODE, /* int64_t: octal file mode */
	OPTION_PAIRS, /* struct option_pairs: all keys `NAME.xxx` */
};

struct option_rate {
	uint32_t count; /* 0: off */
	nsec_t period_ns;
};

struct option_pair {
	char *name; /* what follows the dot, as written */
	char *value;
	const char *file;
	unsigned line;
	bool secret;
};

struct option_pairs {
	struct option_pair *items;
	size_t n_items;
	size_t capacity;
};

enum {
	OPTION_REQUIRED = 1 << 0,
	OPTION_FIXED = 1 << 1, /* cannot change at reload: needs a restart */
	OPTION_PATH = 1 << 2, /* STRING: an absolute path, whatever directory trawld starts in */
};

struct option {
	const char *name; /* key; for OPTION_PAIRS the part before the dot */
	enum option_type type;
	size_t offset; /* of the member in the target struct */
	const char *default_text; /* NULL: zero value (NULL, false, 0, empty) */
	unsigned flags;
	int64_t min, max; /* COUNT, SIZE, DURATION; both 0: no bounds but >= 0 */
	const char *const *choices; /* CHOICE: NULL-terminated */
	const char *help; /* one line */
};

/* The greatest size of what is held in memory whole: SIZE, but no more than 1 GiB on a system of 32
 * bits. */
#define OPTION_MEMORY_MAX(size)                                                                    \
	(SIZE_MAX > UINT32_MAX || (size) < INT64_C(1) << 30 ? (size) : INT64_C(1) << 30)

/* A table and the struct that its offsets point into. */
struct option_table {
	const struct option *options;
	size_t n_options;
	void *target;
};

/* Fills the targets from SECTION: defaults first, then entries. Faults go to FINDINGS (bad value
 * with what is wanted, missing required key at the section's line). Entries that were taken get
 * used = true; an unused one is reported by options_unknown. Several tables share one section
 * (common keys, then the kind's own). */
void options_parse(const struct option_table *tables, size_t n_tables, struct ini_section *section,
	struct findings *findings);

/* One finding for each entry that no one has taken, naming the nearest key of TABLES or EXTRA
 * (NULL-terminated, may be NULL). */
void options_unknown(const struct option_table *tables, size_t n_tables, const char *const *extra,
	const struct ini_section *section, struct findings *findings);

/* Appends the value of OPTION in TARGET as it would be written in a file: lists in lines of their
 * own, a secret as `***`. Nothing for OPTION_PAIRS and what is unset. */
void option_print(const struct option *option, const void *target, struct buf *out);
/* As it is read: 60/min. */
void option_print_rate(const struct option_rate *rate, struct buf *out);

/* Have two targets the same value of OPTION? Not for OPTION_PAIRS. */
bool option_equals(const struct option *option, const void *a, const void *b);
/* Exchanges the two targets' values of OPTION. */
void option_swap(const struct option *option, void *a, void *b);

/* Frees what options_parse put into the target. */
void options_deinit(const struct option_table *table);

#define OPTION_TABLE(rows, target_struct)                                                          \
	((struct option_table){(rows), sizeof(rows) / sizeof((rows)[0]), (target_struct)})

#endif
