/*
 * The rows of a document, and each row as a JSON record. Documents are what programs write as log
 * files: comma separated columns that may hold line breaks and quotes that nobody escaped, or one
 * JSON text a line.
 *
 * A row begins where `start` (a POSIX extended regular expression) matches at the beginning of a
 * line, or at every line without it; the lines between belong to the row before them. A line break
 * within quotes begins no row, since whoever wrote the column could make up rows: quotes are read
 * as RFC 4180 says, or, with `rest`, a row goes on until it has all its columns. A row that is not
 * what the format says, or that `raw` matches at its beginning, becomes {"row":"its text"}: nothing
 * of a document is left out.
 *
 * A document that is one JSON text is read as a whole (rows_complete); its rows are the elements of
 * an array, or it is the only row.
 */
#ifndef TRAWLD_DEFINITION_ROWS_H
#define TRAWLD_DEFINITION_ROWS_H

#include <regex.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "base/json_scanner.h"

/* A longer row is cut into several. */
#define ROW_MAX ((size_t)16 << 20)

#define ROW_COLUMNS_MAX 256

enum rows_kind { ROWS_CSV, ROWS_LINES, ROWS_JSON };

struct rows_format {
	enum rows_kind kind;
	bool has_start, has_raw;
	regex_t start, raw;
	char delimiter, quote;
	struct str_list columns; /* csv: names of the members */
	bool has_header; /* the first row has them */
	char *time_name; /* of the column that holds the time, with has_header; NULL: none */
	int rest; /* the column that takes what the others leave, with any quotes and delimiters in
		     it; -1: none, quotes are doubled as RFC 4180 says */
	int time; /* csv: the column that holds the time; -1: none */
	struct json_scanner *plan; /* lines, json: its one envelope value, if any, is the time */
	struct json_scanner *whole; /* json: finds the array; NULL: the document is the record */
	struct timestamp_format *time_format;
};

void rows_format_deinit(struct rows_format *format);

struct rows {
	const struct rows_format *format;
	struct buf text; /* of the document, from the row on that is not complete */
	size_t at; /* where the next row begins in it */
	size_t scanned; /* to here no row begins */
	enum rows_quote { ROWS_AT_COLUMN, ROWS_PLAIN, ROWS_QUOTED, ROWS_QUOTE_ENDED } quote;
	size_t n_looked; /* bytes of the row that were looked through for all its columns */
	struct str_list header; /* names of the columns, from the first row */
	bool has_header; /* it was read */
	int time; /* of them, that of the time; -1: none */
	struct json_scan elements; /* json: filled by rows_complete */
	size_t n_taken;
};

#define ROWS_NULL ((struct rows){0})

void rows_init(struct rows *rows, const struct rows_format *format);
void rows_deinit(struct rows *rows);

/* Where more of the document is to be appended; slices of rows are void then. */
struct buf *rows_room(struct rows *rows);

/* The document is there whole. 0, or FAULT_BODY, FAULT_LIMIT: it is not what the format says (json
 * only). To be called once, before rows_next with ENDS. */
int rows_complete(struct rows *rows, struct fault *reterr);

/* The next row without its line end and after the header; it lives until rows_room. ENDS: nothing
 * more will be appended. False: it is not complete yet, or there is none. Empty lines between rows
 * are no rows. */
bool rows_next(struct rows *rows, bool ends, struct slice *ret);

/* Appends ROW to OUT as one JSON object without white space; *RET_TIME is its time, or stays.
 * Answers the time in ROW that cannot be read, or SLICE_NULL. */
struct slice rows_record(
	const struct rows *rows, struct slice row, struct buf *out, nsec_t *ret_time);

#endif
