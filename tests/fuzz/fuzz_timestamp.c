/*
 * Times as APIs write them. The first line is a format, the rest a text in it; the same text is
 * read as RFC 3339, as an HTTP date and as a configured point. What was read as RFC 3339 is printed
 * and read again to the same instant.
 */
#include "base/timestamp.h"

#include "fuzz.h"

static void by_format(struct slice spec, struct slice text)
{
	struct timestamp_format *format;
	struct buf out = BUF_NULL;
	char *copy = fuzz_text(spec);
	nsec_t time, again;
	if (timestamp_format_new(&format, copy, "Europe/Zurich") == 0) {
		timestamp_print(format, 1774746000 * NSEC_PER_SEC + 123456789, &out);
		if (timestamp_parse(format, text, &time) == 0)
			timestamp_print(format, time, &out);
		if (timestamp_format_is_number(format) &&
			timestamp_parse(format, text, &time) == 0) {
			buf_clear(&out);
			timestamp_print(format, time, &out);
			assert(timestamp_parse(format, buf_slice(&out), &again) == 0);
		}
		timestamp_format_free(format);
	}
	free(copy);
	buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_input(data, size), spec = fuzz_line(&text);
	struct buf out = BUF_NULL;
	nsec_t time, again;
	by_format(spec, text);
	if (timestamp_parse_rfc3339(text, &time) == 0) {
		timestamp_print_rfc3339(time, 9, &out);
		assert(timestamp_parse_rfc3339(buf_slice(&out), &again) == 0 && again == time);
	}
	buf_deinit(&out);
	if (timestamp_parse_http(text, &time) == 0)
		assert(time % NSEC_PER_SEC == 0);
	timestamp_parse_point(text, 1774746000 * NSEC_PER_SEC, &time);
	return 0;
}
