/* Tables of trawlctl: columns as wide as they need be, fitted to a terminal. */
#ifndef TRAWLD_DAEMON_CTL_TABLE_H
#define TRAWLD_DAEMON_CTL_TABLE_H

#include "base/buf.h"
#include "terminal.h"

#define TABLE_COLUMNS_MAX 10

/* One line of a table: the last cell stands below it where the terminal is too narrow for it. */
struct table_line {
	char *cells[TABLE_COLUMNS_MAX];
	const char *colour; /* of the second cell; NULL: none */
};

struct table {
	struct table_line *lines; /* the first is the heading */
	size_t n_lines, capacity;
	size_t n_columns;
	bool right[TABLE_COLUMNS_MAX];
};

void table_deinit(struct table *table);
/* CELLS, one for each column, are taken over. */
void table_add(struct table *table, const char *colour, char *const *cells);
/* At most LIMIT lines; when that is not all of them, the last says how many things are not there.
 */
void table_print(
	const struct table *table, const struct terminal *terminal, size_t limit, struct buf *out);
size_t table_count_lines(const struct buf *text);

#endif
