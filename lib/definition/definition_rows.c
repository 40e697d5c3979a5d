/* The option tables of a provider definition: every key of trawld-provider(5) but the free-form
 * ones of [parameters], [request], [auth], [login]. */
#include "definition/definition_internal.h"

#define ROW(struct_type, member, key, option_type, ...)                                            \
	{                                                                                          \
		.name = key, .type = option_type, .offset = offsetof(struct struct_type, member),  \
		__VA_ARGS__                                                                        \
	}
#define ROWS(name, section_name, table)                                                            \
	const struct definition_rows name = {                                                      \
		section_name, table, sizeof(table) / sizeof((table)[0])}

static const char *const order_choices[] = {"ascending", "unordered", NULL};

static const struct option records[] = {
	ROW(records_options, at, "at", OPTION_STRING,
		.help = "JSON Pointer to the array of records; \"\" = the body is the array; lines "
			"= NDJSON"),
	ROW(records_options, item, "item", OPTION_STRING,
		.help = "where the record proper sits inside each element"),
	ROW(records_options, id, "id", OPTION_LIST,
		.help = "pointers of the record's ID inside the element; none: the digest of its "
			"text"),
	ROW(records_options, time, "time", OPTION_STRING, .help = "pointer to the record's time"),
	ROW(records_options, time_format, "time_format", OPTION_STRING, .default_text = "rfc3339",
		.help = "rfc3339, epoch_s, epoch_ms, epoch_us, epoch_ns or a strptime pattern"),
	ROW(records_options, time_zone, "time_zone", OPTION_STRING,
		.help = "zone of times that name none: an IANA name or +hh:mm"),
	ROW(records_options, order, "order", OPTION_CHOICE, .default_text = "ascending",
		.choices = order_choices,
		.help = "ascending: as the API gives them; unordered: a window is gathered and "
			"sorted"),
	ROW(records_options, include, "include", OPTION_LINES,
		.help = "conditions, one a line; a record must fulfil one of them"),
	ROW(records_options, exclude, "exclude", OPTION_LINES,
		.help = "conditions, one a line; a record that fulfils one is dropped and counted"),
	ROW(records_options, missing, "missing", OPTION_STRING,
		.help = "empty: an answer without the array, or with null there, is an empty "
			"page"),
	ROW(records_options, expect, "expect", OPTION_STRING,
		.help = "a condition that such an answer must fulfil"),
};

static const struct option page[] = {
	ROW(page_options, cursor, "cursor", OPTION_STRING,
		.help = "where the next page's cursor stands: a pointer, header:NAME, "
			"last:/pointer"),
	ROW(page_options, url, "url", OPTION_STRING,
		.help = "where the next page's address stands: a pointer, header:NAME, "
			"header:link"),
	ROW(page_options, ties, "ties", OPTION_BOOL,
		.help = "cursor = last:/pointer is not unique: a full page's last group of equal "
			"ones "
			"is asked again"),
	ROW(page_options, offset, "offset", OPTION_BOOL,
		.help = "pages are asked by ${page.offset}, counted in elements"),
	ROW(page_options, number, "number", OPTION_BOOL,
		.help = "pages are asked by ${page.number}"),
	ROW(page_options, first, "first", OPTION_COUNT, .default_text = "-1", .min = -1,
		.max = 1000000, .help = "the first offset (default 0) or page number (default 1)"),
	ROW(page_options, size, "size", OPTION_COUNT, .default_text = "0", .max = 1000000,
		.help = "${page.size}: elements asked for"),
	ROW(page_options, end, "end", OPTION_LIST,
		.help = "absent, empty, short, same or conditions: the first that holds ends the "
			"chain"),
	ROW(page_options, cap, "cap", OPTION_COUNT, .default_text = "0", .max = INT32_MAX,
		.help = "a window that has this many elements is halved and asked again"),
	ROW(page_options, overlap, "overlap", OPTION_COUNT, .default_text = "0", .max = 10000,
		.help = "elements of the page before that are asked again (offset)"),
	ROW(page_options, total, "total", OPTION_STRING,
		.help = "pointer to the number of elements in the window"),
	ROW(page_options, max_pages, "max_pages", OPTION_COUNT, .default_text = "100000", .min = 1,
		.max = INT32_MAX, .help = "a longer chain is a loop"),
};

static const struct option resume[] = {
	ROW(resume_options, window, "window", OPTION_BOOL,
		.help = "each poll asks a closed span of time, ${window.start} to ${window.end}"),
	ROW(resume_options, url, "url", OPTION_STRING,
		.help = "where the address stands that goes on after this page"),
	ROW(resume_options, cursor, "cursor", OPTION_STRING,
		.help = "where the cursor stands that goes on after this page"),
	ROW(resume_options, overlap_ns, "overlap", OPTION_DURATION, .default_text = "15m",
		.max = 366 * NSEC_PER_DAY,
		.help = "asked again at each poll, and when a lost cursor is replaced by a time"),
	ROW(resume_options, lag_ns, "lag", OPTION_DURATION, .default_text = "0",
		.max = 7 * NSEC_PER_DAY, .help = "the window closes this long before now"),
	ROW(resume_options, span_max_ns, "span_max", OPTION_DURATION, .default_text = "30d",
		.min = NSEC_PER_SEC, .max = 3660 * NSEC_PER_DAY,
		.help = "a longer window is asked in pieces, oldest first"),
	ROW(resume_options, overlap_pieces, "overlap_pieces", OPTION_BOOL,
		.help = "the pieces of a long window overlap by `overlap`, too"),
	ROW(resume_options, retention_ns, "retention", OPTION_DURATION, .default_text = "0",
		.max = 36600 * NSEC_PER_DAY,
		.help = "how long the API keeps records; an older place is a gap"),
	ROW(resume_options, step_ns, "step", OPTION_DURATION, .default_text = "0",
		.max = NSEC_PER_DAY, .help = "windows are rounded outward to this"),
	ROW(resume_options, newest, "newest", OPTION_BOOL,
		.help = "no lower bound at the server: pages are walked from the newest until one "
			"is "
			"known and reaches behind the overlap"),
};

static const char *const format_choices[] = {"csv", "lines", NULL};

static const struct option fetch[] = {
	ROW(fetch_options, from, "from", OPTION_STRING,
		.help = "pointer into the listed record: ${fetch.from}; without url the document's "
			"address"),
	ROW(fetch_options, link, "link", OPTION_STRING,
		.help = "pointer to the document's address in the answer to url"),
	ROW(fetch_options, origins, "origins", OPTION_LIST,
		.help = "https://host that documents may come from, * allowed"),
	ROW(fetch_options, gone, "gone", OPTION_LIST, .default_text = "404, 410",
		.help = "statuses of a document that is no longer there: reported as a gap"),
	ROW(fetch_options, format, "format", OPTION_CHOICE, .default_text = "csv",
		.choices = format_choices,
		.help = "csv: a row is columns; lines: a line is a JSON record"),
	ROW(fetch_options, start, "start", OPTION_STRING,
		.help = "regular expression (POSIX extended) of a row's beginning; other lines "
			"belong to the row before"),
	ROW(fetch_options, raw, "raw", OPTION_STRING,
		.help = "regular expression of the beginning of rows that are of another layout: "
			"kept as they are"),
	ROW(fetch_options, delimiter, "delimiter", OPTION_STRING, .default_text = ",",
		.help = "between columns; one byte"),
	ROW(fetch_options, quote, "quote", OPTION_STRING, .default_text = "\"",
		.help = "around a column; one byte"),
	ROW(fetch_options, columns, "columns", OPTION_LIST,
		.help = "csv: names of the columns, members of the record"),
	ROW(fetch_options, rest, "rest", OPTION_STRING,
		.help = "csv: the column that may hold quotes and delimiters as they are"),
	ROW(fetch_options, time, "time", OPTION_STRING,
		.help = "csv: the column with the record's time; lines: a pointer"),
	ROW(fetch_options, time_format, "time_format", OPTION_STRING, .default_text = "rfc3339",
		.help = "as in [records]"),
	ROW(fetch_options, time_zone, "time_zone", OPTION_STRING, .help = "as in [records]"),
	ROW(fetch_options, max_size, "max_size", OPTION_SIZE, .default_text = "1GiB", .min = 1024,
		.max = INT64_C(64) << 30, .help = "ceiling of a document, decompressed"),
};

static const char *const shared_choices[] = {"credential", "origin", NULL};

static const struct option limits[] = {
	ROW(limits_options, rate, "rate", OPTION_RATE, .default_text = "off",
		.help = "requests of all sources that share the budget: 60/min, 5/s, off"),
	ROW(limits_options, shared, "shared", OPTION_CHOICE, .default_text = "credential",
		.choices = shared_choices,
		.help = "which sources share the budget: those with one credential, or all of an "
			"origin"),
};

static const struct option errors[] = {
	ROW(errors_options, message, "message", OPTION_STRING,
		.help = "pointer to the API's own words in an error body"),
	ROW(errors_options, incomplete, "incomplete", OPTION_LINES,
		.help = "conditions, one a line; an answer with status 200 that fulfils one is not "
			"whole"),
	ROW(errors_options, retry, "retry", OPTION_LINES,
		.help = "conditions, one a line; an error that fulfils one will pass"),
	ROW(errors_options, lost, "lost", OPTION_LIST, .default_text = "400, 404, 410",
		.help = "statuses that mean: this cursor or link is gone"),
	ROW(errors_options, auth, "auth", OPTION_LIST,
		.help = "statuses beside 401 that a fresh token may cure"),
	ROW(errors_options, auth_pause_ns, "auth_pause", OPTION_DURATION, .default_text = "5m",
		.min = NSEC_PER_SEC, .max = NSEC_PER_DAY,
		.help = "shortest pause after a 401 that a fresh token did not cure"),
};

ROWS(rows_records, "records", records);
ROWS(rows_page, "page", page);
ROWS(rows_resume, "resume", resume);
ROWS(rows_fetch, "fetch", fetch);
ROWS(rows_limits, "limits", limits);
ROWS(rows_errors, "errors", errors);
