/* See rows.h. */
#include "definition/rows.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"

#define LOOKED_MAX (2 * ROW_MAX) /* then a row goes on, however it looks */

void rows_format_deinit(struct rows_format *format)
{
	if (format->has_start)
		regfree(&format->start);
	if (format->has_raw)
		regfree(&format->raw);
	str_list_deinit(&format->columns);
	free(format->time_name);
	json_scanner_free(format->plan);
	json_scanner_free(format->whole);
	timestamp_format_free(format->time_format);
	*format = (struct rows_format){0};
}

void rows_init(struct rows *rows, const struct rows_format *format)
{
	*rows = (struct rows){.format = format, .time = format->time};
}

void rows_deinit(struct rows *rows)
{
	buf_deinit(&rows->text);
	json_scan_deinit(&rows->elements);
	str_list_deinit(&rows->header);
	*rows = ROWS_NULL;
}

struct buf *rows_room(struct rows *rows)
{
	if (rows->at > 0) {
		memmove(rows->text.data, rows->text.data + rows->at, rows->text.size - rows->at);
		rows->text.size -= rows->at;
		rows->scanned -= rows->at;
		rows->at = 0;
	}
	return &rows->text;
}

static bool matches(const regex_t *regex, struct slice text)
{
	regmatch_t match = {.rm_so = 0, .rm_eo = (regoff_t)text.size};
	return regexec(regex, text.data, 1, &match, REG_STARTEND) == 0 && match.rm_so == 0;
}

/* Does a row begin with LINE? */
static bool begins_row(const struct rows_format *format, struct slice line)
{
	return !format->has_start || matches(&format->start, line);
}

static struct slice without_line_end(struct slice row)
{
	while (row.size && (row.data[row.size - 1] == '\n' || row.data[row.size - 1] == '\r'))
		row.size--;
	return row;
}

/* Cuts the row off that ends at END. */
static struct slice take(struct rows *rows, size_t end)
{
	struct slice row = {rows->text.data + rows->at, end - rows->at};
	rows->at = rows->scanned = end;
	rows->n_looked = 0;
	return without_line_end(row);
}

static size_t skip_blanks(struct slice text, size_t at)
{
	while (at < text.size && text.data[at] == ' ')
		at++;
	return at;
}

/* The delimiter behind AT, blanks allowed, or the end. False: something else stands there. */
static bool at_delimiter(const struct rows_format *format, struct slice text, size_t at)
{
	at = skip_blanks(text, at);
	return at == text.size || text.data[at] == format->delimiter;
}

/* Takes the first column off *REST. DOUBLED: quotes inside are written twice. *RET_MORE: a
 * delimiter followed. False: its quote does not end. */
static bool take_left(const struct rows_format *format, bool doubled, struct slice *rest,
	struct slice *ret, bool *ret_more)
{
	struct slice text = *rest;
	size_t at = skip_blanks(text, 0), end;
	if (at < text.size && text.data[at] == format->quote) {
		for (end = ++at; end < text.size; end++) {
			if (text.data[end] != format->quote)
				continue;
			bool twice = doubled && end + 1 < text.size &&
				     text.data[end + 1] == format->quote;
			if (twice)
				end++;
			else if (at_delimiter(format, text, end + 1))
				break;
		}
		if (end >= text.size)
			return false;
		*ret = (struct slice){text.data + at, end - at};
		end = skip_blanks(text, end + 1);
	} else {
		for (end = at; end < text.size && text.data[end] != format->delimiter; end++)
			;
		*ret = str_trim((struct slice){text.data + at, end - at});
	}
	*ret_more = end < text.size;
	end += *ret_more;
	*rest = (struct slice){text.data + end, text.size - end};
	return true;
}

/* Takes the last column off *REST, from the right. */
static bool take_right(const struct rows_format *format, struct slice *rest, struct slice *ret)
{
	struct slice text = str_trim(*rest);
	bool quoted = text.size >= 2 && text.data[text.size - 1] == format->quote;
	size_t end = quoted ? text.size - 1 : text.size;
	for (size_t at = end; at-- > 0;) {
		if (text.data[at] != format->delimiter)
			continue;
		size_t begin = skip_blanks(text, at + 1);
		if (quoted && (begin >= end || text.data[begin] != format->quote))
			continue;
		begin += quoted;
		*ret = (struct slice){text.data + begin, begin < end ? end - begin : 0};
		*rest = (struct slice){text.data, at};
		return true;
	}
	return false;
}

static struct slice unquoted(const struct rows_format *format, struct slice text)
{
	text = str_trim(text);
	if (text.size >= 2 && text.data[0] == format->quote &&
		text.data[text.size - 1] == format->quote)
		return (struct slice){text.data + 1, text.size - 2};
	return text;
}

/* ROW's N columns; false: it has other ones. */
static bool split_columns(const struct rows_format *format, size_t n, struct slice row,
	struct slice values[ROW_COLUMNS_MAX])
{
	size_t left = format->rest < 0 ? n : (size_t)format->rest;
	bool more = true;
	for (size_t i = 0; i < left; i++)
		if (!more || !take_left(format, format->rest < 0, &row, &values[i], &more))
			return false;
	if (format->rest < 0)
		return !more;
	if (!more)
		return false;
	for (size_t i = n; i-- > left + 1;)
		if (!take_right(format, &row, &values[i]))
			return false;
	values[left] = unquoted(format, row);
	return true;
}

/* Reads LINE, which belongs to the row, with its line feed; what follows is within quotes or not.
 */
static enum rows_quote read_quotes(
	const struct rows_format *format, enum rows_quote quote, struct slice line)
{
	for (size_t i = 0; i < line.size; i++) {
		char c = line.data[i];
		bool blank = c == ' ' || c == '\r' || c == '\n';
		switch (quote) {
		case ROWS_AT_COLUMN:
			if (c == format->quote)
				quote = ROWS_QUOTED;
			else if (!blank && c != format->delimiter)
				quote = ROWS_PLAIN;
			break;
		case ROWS_PLAIN:
			if (c == format->delimiter || c == '\n')
				quote = ROWS_AT_COLUMN;
			break;
		case ROWS_QUOTED:
			if (c == format->quote)
				quote = ROWS_QUOTE_ENDED;
			break;
		case ROWS_QUOTE_ENDED:
			if (c == format->delimiter || c == '\n')
				quote = ROWS_AT_COLUMN;
			else if (!blank && c == format->quote && line.data[i - 1] != c)
				quote = ROWS_QUOTE_ENDED;
			else if (!blank)
				quote = ROWS_QUOTED; /* doubled, or not the end */
			break;
		}
	}
	return quote;
}

/* Can the row that has come so far end here? */
static bool may_end(struct rows *rows)
{
	const struct rows_format *format = rows->format;
	struct slice row = {rows->text.data + rows->at, rows->scanned - rows->at};
	struct slice values[ROW_COLUMNS_MAX];
	if (format->kind != ROWS_CSV)
		return true;
	if (format->rest < 0)
		return rows->quote != ROWS_QUOTED;
	if (!begins_row(format, row) || (format->has_raw && matches(&format->raw, row)))
		return true;
	rows->n_looked += row.size;
	if (rows->n_looked > LOOKED_MAX ||
		!split_columns(format, format->columns.n_items, without_line_end(row), values))
		return false;
	/* a quote that opens the column and does not close it: the columns behind are text of it */
	const struct slice *rest = &values[format->rest];
	return rest->size == 0 || rest->data[0] != format->quote || rest->data[-1] == format->quote;
}

/* The end of the row at rows->at: where the next one begins. False: not seen yet. */
static bool find_end(struct rows *rows, bool ends, size_t *ret)
{
	const struct buf *text = &rows->text;
	while (rows->scanned < text->size) {
		const char *from = text->data + rows->scanned;
		size_t left = text->size - rows->scanned;
		const char *feed = memchr(from, '\n', left);
		if (!feed && !ends)
			break;
		struct slice line = {from, feed ? (size_t)(feed - from) : left};
		if (rows->scanned > rows->at && begins_row(rows->format, line) && may_end(rows)) {
			*ret = rows->scanned;
			return true;
		}
		size_t size = feed ? line.size + 1 : left;
		if (rows->format->kind == ROWS_CSV && rows->format->rest < 0)
			rows->quote =
				read_quotes(rows->format, rows->quote, (struct slice){from, size});
		rows->scanned += size;
		if (rows->scanned - rows->at > ROW_MAX) {
			*ret = rows->scanned;
			return true;
		}
	}
	*ret = text->size;
	return (ends && rows->at < text->size) || text->size - rows->at > ROW_MAX;
}

int rows_complete(struct rows *rows, struct fault *reterr)
{
	const struct rows_format *format = rows->format;
	struct slice text = str_trim(json_skip_bom(buf_slice(&rows->text)));
	if (format->kind != ROWS_JSON)
		return 0;
	int r = json_scanner_run(
		format->whole ? format->whole : format->plan, text, &rows->elements, reterr);
	if (!r && !format->whole && text.data[0] != '{')
		r = fault_set(reterr, FAULT_BODY,
			"the document is not a JSON object ([fetch] at is not set)");
	else if (!r && format->whole && rows->elements.array != JSON_SCAN_ARRAY_FOUND)
		r = fault_set(
			reterr, FAULT_BODY, "the document has no array where [fetch] at leads");
	return r;
}

/* A column's text; quotes in it are written twice. */
static struct slice plain_value(
	const struct rows_format *format, struct slice value, struct buf *scratch)
{
	char twice[2] = {format->quote, format->quote};
	if (format->rest >= 0 || !memmem(value.data, value.size, twice, 2))
		return value;
	for (size_t i = 0; i < value.size; i++) {
		buf_append_char(scratch, value.data[i]);
		i += i + 1 < value.size && value.data[i] == format->quote &&
		     value.data[i + 1] == format->quote;
	}
	return buf_slice(scratch);
}

/* Takes the names of the columns from the first row. One that has none, or too many, leaves the
 * rows without columns: they are kept as they are. */
static void read_header(struct rows *rows, struct slice row)
{
	const struct rows_format *format = rows->format;
	bool more = true;
	row = json_skip_bom(row);
	while (more) {
		struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
		struct slice name;
		if (rows->header.n_items == ROW_COLUMNS_MAX ||
			!take_left(format, true, &row, &name, &more)) {
			str_list_deinit(&rows->header);
			break;
		}
		name = plain_value(format, name, &scratch);
		char *text CLEANUP_FREE = mem_strndup(name.data, name.size);
		if (format->time_name && strcmp(text, format->time_name) == 0)
			rows->time = (int)rows->header.n_items;
		str_list_add(&rows->header, text);
	}
	rows->has_header = true;
}

bool rows_next(struct rows *rows, bool ends, struct slice *ret)
{
	const struct rows_format *format = rows->format;
	size_t end;
	if (format->kind == ROWS_JSON) {
		if (!ends || rows->n_taken == (format->whole ? rows->elements.n_elements : 1))
			return false;
		*ret = format->whole ? rows->elements.elements[rows->n_taken].raw
				     : str_trim(json_skip_bom(buf_slice(&rows->text)));
		rows->n_taken++;
		return true;
	}
	while (find_end(rows, ends, &end)) {
		*ret = take(rows, end);
		if (ret->size && format->has_header && !rows->has_header)
			read_header(rows, *ret);
		else if (ret->size)
			return true;
	}
	return false;
}

/* TEXT is the time of a row, which is written as VALUE. */
static void read_time(const struct rows_format *format, struct slice text, struct slice value,
	nsec_t *ret_time, struct slice *ret_bad)
{
	nsec_t time;
	if (timestamp_parse(format->time_format, text, &time) == 0)
		*ret_time = time;
	else if (str_trim(text).size)
		*ret_bad = value;
}

static bool print_columns(const struct rows *rows, struct slice row, struct buf *out,
	nsec_t *ret_time, struct slice *ret_bad)
{
	const struct rows_format *format = rows->format;
	const struct str_list *columns = format->has_header ? &rows->header : &format->columns;
	struct slice values[ROW_COLUMNS_MAX];
	if (columns->n_items == 0 || !split_columns(format, columns->n_items, row, values))
		return false;
	for (size_t i = 0; i < columns->n_items; i++) {
		struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
		buf_append_char(out, i ? ',' : '{');
		json_encode(slice_of(columns->items[i]), out);
		buf_append_char(out, ':');
		json_encode(plain_value(format, values[i], &scratch), out);
	}
	buf_append_char(out, '}');
	if (rows->time >= 0 && format->time_format)
		read_time(format, values[rows->time], values[rows->time], ret_time, ret_bad);
	return true;
}

/* A line that is a JSON object stays as it is. */
static bool print_json(const struct rows_format *format, struct slice row, struct buf *out,
	nsec_t *ret_time, struct slice *ret_bad)
{
	struct json_scan scan CLEANUP(json_scan_deinit) = JSON_SCAN_NULL;
	struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
	struct fault fault;
	row = str_trim(row);
	if (row.size == 0 || row.data[0] != '{' ||
		json_scanner_run(format->plan, row, &scan, &fault))
		return false;
	if (format->time_format && scan.envelope[0].data &&
		json_kind_of(scan.envelope[0]) != JSON_KIND_NULL)
		read_time(format, json_content(scan.envelope[0], &scratch), scan.envelope[0],
			ret_time, ret_bad);
	json_minify(row, out);
	return true;
}

struct slice rows_record(
	const struct rows *rows, struct slice row, struct buf *out, nsec_t *ret_time)
{
	const struct rows_format *format = rows->format;
	struct slice bad = SLICE_NULL;
	bool raw = !begins_row(format, row) || (format->has_raw && matches(&format->raw, row));
	if (!raw && (format->kind == ROWS_CSV ? print_columns(rows, row, out, ret_time, &bad)
					      : print_json(format, row, out, ret_time, &bad)))
		return bad;
	buf_append_text(out, "{\"row\":");
	json_encode(row, out);
	buf_append_char(out, '}');
	return SLICE_NULL;
}
