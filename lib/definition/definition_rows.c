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

static const char *const bad_element_choices[] = {"reject", "quarantine", NULL};

static const struct option records[] = {
	ROW(records_options, at, "at", OPTION_STRING,
		.help = "JSON Pointers to the arrays of records; \"\" = the body is the array; * = every element or member; lines = one record per line"),
	ROW(records_options, item, "item", OPTION_STRING,
		.help = "pointer to the record inside each element; json:/pointer = to a text that is the record"),
	ROW(records_options, id, "id", OPTION_LIST,
		.help = "pointers of the record's ID inside the element; none: a digest of its text"),
	ROW(records_options, scalars, "scalars", OPTION_BOOL,
		.help = "an element may be no object ([fetch])"),
	ROW(records_options, time, "time", OPTION_STRING,
		.help = "pointers to the record's time; the first that can be read counts"),
	ROW(records_options, time_format, "time_format", OPTION_STRING, .default_text = "rfc3339",
		.help = "rfc3339, epoch_s, epoch_ms, epoch_us, epoch_ns or a strptime pattern; several with |"),
	ROW(records_options, time_zone, "time_zone", OPTION_STRING,
		.help = "time zone of patterns without %z: an IANA name or +hh:mm"),
	ROW(records_options, order, "order", OPTION_CHOICE, .default_text = "ascending",
		.choices = order_choices,
		.help = "ascending: as the API returns them; unordered: a window is collected and sorted"),
	ROW(records_options, include, "include", OPTION_LINES,
		.help = "conditions, one per line; a record must meet one of them"),
	ROW(records_options, exclude, "exclude", OPTION_LINES,
		.help = "conditions, one per line; a record that meets one is dropped and counted"),
	ROW(records_options, missing, "missing", OPTION_STRING,
		.help = "empty: a response without the array, or with null in its place, is an empty page"),
	ROW(records_options, expect, "expect", OPTION_STRING,
		.help = "a condition that such a response must meet"),
	ROW(records_options, empty, "empty", OPTION_LIST,
		.help = "statuses, such as 204, whose response without a body is an empty page"),
	ROW(records_options, bad_element, "bad_element", OPTION_CHOICE, .default_text = "reject",
		.choices = bad_element_choices,
		.help = "what an element that is not a record does. reject: the page is rejected; quarantine: the element is kept in a file, the others are records"),
};

static const char *const link_choices[] = {"whole", "path", NULL};

static const struct option page[] = {
	ROW(page_options, cursor, "cursor", OPTION_STRING,
		.help = "where the response contains the cursor of the next page: a pointer, header:NAME, last:/pointer"),
	ROW(page_options, url, "url", OPTION_STRING,
		.help = "where the response contains the URL of the next page: a pointer, header:NAME, header:link"),
	ROW(page_options, link, "link", OPTION_CHOICE, .default_text = "whole",
		.choices = link_choices,
		.help = "path: only path and query of a URL of the API are used"),
	ROW(page_options, repeats, "repeats", OPTION_BOOL,
		.help = "a page may begin with the last elements of the page before"),
	ROW(page_options, ties, "ties", OPTION_BOOL,
		.help = "cursor = last:/pointer is not unique: the last group of equal values on a full page is requested again"),
	ROW(page_options, offset, "offset", OPTION_BOOL,
		.help = "pages are requested with ${page.offset}, which counts elements"),
	ROW(page_options, number, "number", OPTION_BOOL,
		.help = "pages are requested with ${page.number}"),
	ROW(page_options, first, "first", OPTION_COUNT, .default_text = "-1", .min = -1,
		.max = 1000000, .help = "the first offset (default 0) or page number (default 1)"),
	ROW(page_options, size, "size", OPTION_COUNT, .default_text = "0", .max = 1000000,
		.help = "${page.size}: number of elements to request"),
	ROW(page_options, end, "end", OPTION_LIST,
		.help = "absent, empty, short, same or conditions: any of them ends the chain"),
	ROW(page_options, more, "more", OPTION_STRING,
		.help = "a condition that holds where another page exists"),
	ROW(page_options, none, "none", OPTION_LIST,
		.help = "values that are no cursor, besides null and \"\""),
	ROW(page_options, cap, "cap", OPTION_COUNT, .default_text = "0", .max = INT32_MAX,
		.help = "a window with this many elements is split in half and requested again"),
	ROW(page_options, overlap, "overlap", OPTION_COUNT, .default_text = "0", .max = 10000,
		.help = "elements of the previous page that are requested again (offset)"),
	ROW(page_options, total, "total", OPTION_STRING,
		.help = "pointer to the number of elements in the window"),
	ROW(page_options, pages, "pages", OPTION_STRING,
		.help = "pointer to the number of pages in the window (number)"),
	ROW(page_options, max_pages, "max_pages", OPTION_COUNT, .default_text = "100000", .min = 1,
		.max = INT32_MAX, .help = "a longer chain is treated as a loop"),
};

static const struct option resume[] = {
	ROW(resume_options, window, "window", OPTION_BOOL,
		.help = "each poll requests a time window, ${window.start} to ${window.end}"),
	ROW(resume_options, url, "url", OPTION_STRING,
		.help = "where the last page contains the URL from which the next poll continues"),
	ROW(resume_options, cursor, "cursor", OPTION_STRING,
		.help = "where the last page contains the cursor from which the next poll continues"),
	ROW(resume_options, overlap_ns, "overlap", OPTION_DURATION, .default_text = "15m",
		.max = 366 * NSEC_PER_DAY,
		.help = "how far each poll reaches back, also when a lost cursor is replaced by a time"),
	ROW(resume_options, sweep, "sweep", OPTION_STRING,
		.help = "a longer overlap of some polls: 2d every 6h"),
	ROW(resume_options, lag_ns, "lag", OPTION_DURATION, .default_text = "0",
		.max = 7 * NSEC_PER_DAY, .help = "how long before the current time a window ends"),
	ROW(resume_options, span_max_ns, "span_max", OPTION_DURATION, .default_text = "30d",
		.min = NSEC_PER_SEC, .max = 3660 * NSEC_PER_DAY,
		.help = "a longer window is requested in slices, oldest first"),
	ROW(resume_options, overlap_pieces, "overlap_pieces", OPTION_BOOL,
		.help = "the slices of a long window overlap by `overlap` as well"),
	ROW(resume_options, retention_ns, "retention", OPTION_DURATION, .default_text = "0",
		.max = 36600 * NSEC_PER_DAY,
		.help = "how long the API keeps records; an older cursor is a gap"),
	ROW(resume_options, step_ns, "step", OPTION_DURATION, .default_text = "0",
		.max = NSEC_PER_DAY, .help = "windows are rounded outward to a multiple of this"),
	ROW(resume_options, align_ns, "align", OPTION_DURATION, .default_text = "0",
		.max = 366 * NSEC_PER_DAY, .help = "slices do not cross a multiple of this"),
	ROW(resume_options, newest, "newest", OPTION_BOOL,
		.help = "for an API without times: pages are read from the newest until one is not new and reaches back further than the overlap"),
};

static const char *const format_choices[] = {"csv", "lines", "json", NULL};

static const struct option fetch[] = {
	ROW(fetch_options, from, "from", OPTION_STRING,
		.help = "pointer into the listed record: ${fetch.from}; without url, the URL of the document"),
	ROW(fetch_options, link, "link", OPTION_STRING,
		.help = "pointer to the URL of the document in the response to url"),
	ROW(fetch_options, origins, "origins", OPTION_LIST,
		.help = "origins of documents, https://host; * matches any text"),
	ROW(fetch_options, gone, "gone", OPTION_LIST, .default_text = "404, 410",
		.help = "statuses that mean that a document no longer exists; reported as a gap"),
	ROW(fetch_options, format, "format", OPTION_CHOICE, .default_text = "csv",
		.choices = format_choices,
		.help = "csv: a row consists of columns; lines: each line is a JSON record; json: the document is one JSON text"),
	ROW(fetch_options, at, "at", OPTION_STRING,
		.help = "json: pointer to the array of records in the document; without it, the document is the record"),
	ROW(fetch_options, auth, "auth", OPTION_BOOL,
		.help = "yes: documents are requested with the credential"),
	ROW(fetch_options, start, "start", OPTION_STRING,
		.help = "regular expression (POSIX extended) of the start of a row; other lines belong to the row before them"),
	ROW(fetch_options, raw, "raw", OPTION_STRING,
		.help = "regular expression of the start of rows with another layout; they are kept as one text"),
	ROW(fetch_options, delimiter, "delimiter", OPTION_STRING, .default_text = ",",
		.help = "between columns; one byte"),
	ROW(fetch_options, quote, "quote", OPTION_STRING, .default_text = "\"",
		.help = "around a column; one byte"),
	ROW(fetch_options, columns, "columns", OPTION_LIST,
		.help = "csv: names of the columns, members of the record; header = the first row has them"),
	ROW(fetch_options, rest, "rest", OPTION_STRING,
		.help = "csv: the column that can contain unescaped quotes and delimiters"),
	ROW(fetch_options, id, "id", OPTION_LIST,
		.help = "csv: columns, else pointers of a row's ID; none: its number in the document"),
	ROW(fetch_options, time, "time", OPTION_STRING,
		.help = "csv: the column with the record's time; lines: a pointer"),
	ROW(fetch_options, time_format, "time_format", OPTION_STRING, .default_text = "rfc3339",
		.help = "as in [records]"),
	ROW(fetch_options, time_zone, "time_zone", OPTION_STRING, .help = "as in [records]"),
	ROW(fetch_options, max_size, "max_size", OPTION_SIZE, .default_text = "1GiB", .min = 1024,
		.max = OPTION_MEMORY_MAX(INT64_C(64) << 30),
		.help = "maximum size of a document after decompression"),
};

static const char *const shared_choices[] = {"credential", "origin", NULL};

static const struct option limits[] = {
	ROW(limits_options, rate, "rate", OPTION_RATE, .default_text = "off",
		.help = "requests of all sources that share the budget: 60/min, 5/s, 200/h (spread over the hour), off"),
	ROW(limits_options, shared, "shared", OPTION_CHOICE, .default_text = "credential",
		.choices = shared_choices,
		.help = "which sources share the budget: those with one credential, or all of an origin"),
	ROW(limits_options, interval_ns, "interval", OPTION_DURATION, .default_text = "0",
		.max = 30 * NSEC_PER_DAY, .help = "interval of a source that does not set it"),
};

static const struct option errors[] = {
	ROW(errors_options, message, "message", OPTION_STRING,
		.help = "pointer to the API's message in an error response"),
	ROW(errors_options, incomplete, "incomplete", OPTION_LINES,
		.help = "conditions, one per line; a response with status 200 that meets one is incomplete"),
	ROW(errors_options, retry, "retry", OPTION_LINES,
		.help = "conditions, one per line; an error that meets one is temporary"),
	ROW(errors_options, expired, "expired", OPTION_LINES,
		.help = "conditions, one per line; an error that meets one means that the credential has expired"),
	ROW(errors_options, lost, "lost", OPTION_LIST, .default_text = "400, 404, 410, 416",
		.help = "statuses that mean that a cursor or URL is no longer valid"),
	ROW(errors_options, auth, "auth", OPTION_LIST,
		.help = "statuses other than 401 that a fresh token may resolve"),
	ROW(errors_options, auth_pause_ns, "auth_pause", OPTION_DURATION, .default_text = "5m",
		.min = NSEC_PER_SEC, .max = NSEC_PER_DAY,
		.help = "minimum delay after a 401 or 403 that a fresh token did not resolve"),
};

static const struct option watch[] = {
	ROW(watch_options, warn, "warn", OPTION_STRING,
		.help = "a condition on the response; while it holds, there is a warning"),
	ROW(watch_options, text, "text", OPTION_STRING, .help = "the text of the warning"),
	ROW(watch_options, every_ns, "every", OPTION_DURATION, .default_text = "1h",
		.min = NSEC_PER_SEC, .max = 30 * NSEC_PER_DAY,
		.help = "how often the request is made"),
};

ROWS(rows_records, "records", records);
ROWS(rows_page, "page", page);
ROWS(rows_resume, "resume", resume);
ROWS(rows_fetch, "fetch", fetch);
ROWS(rows_limits, "limits", limits);
ROWS(rows_errors, "errors", errors);
ROWS(rows_watch, "watch", watch);
