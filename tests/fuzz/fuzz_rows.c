/*
 * Documents of rows, in pieces: each row becomes one JSON object on one line. The first byte says
 * which format, the second the size of the pieces.
 */
#include "definition/rows.h"

#include <jansson.h>

#include "fuzz.h"

enum { LOOSE, STANDARD, LINES, N_FORMATS };

static struct rows_format formats[N_FORMATS];

static void init(void)
{
	static const struct pointer *envelope[1];
	static struct pointer time;
	assert(pointer_parse(&time, SLICE("/t")) == 0);
	envelope[0] = &time;
	for (int i = 0; i < N_FORMATS; i++) {
		formats[i] = (struct rows_format){.kind = i == LINES ? ROWS_LINES : ROWS_CSV,
			.delimiter = ',',
			.quote = '"',
			.rest = i == LOOSE ? 1 : -1,
			.time = i == LOOSE ? 2 : -1};
		str_list_split(&formats[i].columns, SLICE("n,text,at"), ',');
		assert(timestamp_format_new(&formats[i].time_format, "epoch_s", NULL) == 0);
	}
	formats[LOOSE].has_start = true;
	assert(regcomp(&formats[LOOSE].start, "^\"?[0-9]+", REG_EXTENDED | REG_NOSUB) == 0);
	formats[LINES].plan = json_scanner_new(
		&(struct json_scanner_wanted){.envelope = envelope, .n_envelope = 1});
}

static void check_row(const struct rows *rows, struct slice row)
{
	struct buf out = BUF_NULL;
	nsec_t time = NSEC_NONE;
	rows_record(rows, row, &out, &time);
	assert(out.size > 1 && out.data[0] == '{' && !memchr(out.data, '\n', out.size));
	json_t *value = json_loadb(out.data, out.size, JSON_ALLOW_NUL, NULL);
	assert(value || rows->format->kind == ROWS_LINES); /* lines keep what jansson refuses */
	json_decref(value);
	buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = fuzz_input(data, size), row;
	if (!formats[STANDARD].columns.n_items)
		init();
	const struct rows_format *format = &formats[fuzz_byte(&rest) % N_FORMATS];
	size_t piece = fuzz_byte(&rest) + 1u, total = 0;
	struct rows rows = ROWS_NULL;
	rows_init(&rows, format);
	for (struct slice left = rest; left.size || total == 0;) {
		size_t n = left.size < piece ? left.size : piece;
		buf_append(rows_room(&rows), left.data, n);
		left.data += n;
		left.size -= n;
		for (; rows_next(&rows, left.size == 0, &row); total += row.size)
			check_row(&rows, row);
		if (left.size == 0)
			break;
	}
	assert(total <= rest.size);
	rows_deinit(&rows);
	return 0;
}
