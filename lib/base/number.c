/* See number.h. Every function checks the whole text first and every product for overflow. */
#include "base/number.h"

#include <strings.h>

#include "base/str.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes leading decimal digits off TEXT. */
static int take_digits(struct slice *text, uint64_t *ret)
{
	uint64_t value = 0;
	if (text->size == 0 || !is_digit(text->data[0]))
		return NUMBER_E_SYNTAX;
	while (text->size && is_digit(text->data[0])) {
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
			__builtin_add_overflow(value, (uint64_t)(text->data[0] - '0'), &value))
			return NUMBER_E_RANGE;
		text->data++;
		text->size--;
	}
	*ret = value;
	return 0;
}

int number_parse(struct slice text, int64_t min, int64_t max, int64_t *ret)
{
	uint64_t value;
	bool negative = text.size && text.data[0] == '-';
	if (negative) {
		text.data++;
		text.size--;
	}
	int r = take_digits(&text, &value);
	if (!r && text.size)
		return NUMBER_E_SYNTAX;
	if (r)
		return r;
	if (value > (uint64_t)INT64_MAX + negative)
		return NUMBER_E_RANGE;
	int64_t number = negative ? (int64_t)(0 - value) : (int64_t)value;
	if (number < min || number > max)
		return NUMBER_E_RANGE;
	*ret = number;
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static bool find_unit(const struct unit *units, size_t n, struct slice name, uint64_t *ret)
{
	for (size_t i = 0; i < n; i++)
		if (slice_is(name, units[i].name)) {
			*ret = units[i].factor;
			return true;
		}
	return false;
}

int number_parse_size(struct slice text, uint64_t min, uint64_t max, uint64_t *ret)
{
	static const struct unit units[] = {{"", 1}, {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20},
		{"GiB", 1 << 30}, {"TiB", UINT64_C(1) << 40}, {"kB", 1000}, {"MB", 1000000},
		{"GB", 1000000000}, {"TB", UINT64_C(1000000000000)}, {"K", 1 << 10}, {"M", 1 << 20},
		{"G", 1 << 30}, {"T", UINT64_C(1) << 40}};
	uint64_t value, factor = 1;
	int r = take_digits(&text, &value);
	if (r)
		return r;
	text = str_trim(text);
	bool found = false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && !found; i++)
		if (strlen(units[i].name) == text.size &&
			strncasecmp(units[i].name, text.data, text.size) == 0) {
			factor = units[i].factor;
			found = true;
		}
	if (!found)
		return NUMBER_E_SYNTAX;
	if (__builtin_mul_overflow(value, factor, &value) || value < min || value > max)
		return NUMBER_E_RANGE;
	*ret = value;
	return 0;
}

/* Takes `90s` off TEXT. */
static int take_duration(struct slice *text, uint64_t *ret)
{
	static const struct unit units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000},
		{"s", NSEC_PER_SEC}, {"m", NSEC_PER_MIN}, {"min", NSEC_PER_MIN},
		{"h", NSEC_PER_HOUR}, {"d", NSEC_PER_DAY}, {"w", 7 * NSEC_PER_DAY}};
	uint64_t value, factor;
	int r = take_digits(text, &value);
	if (r)
		return r;
	*text = str_trim(*text);
	struct slice name = {text->data, 0};
	while (name.size < text->size && !is_digit(text->data[name.size]) &&
		text->data[name.size] != ' ')
		name.size++;
	if (!find_unit(units, sizeof(units) / sizeof(units[0]), name, &factor))
		return NUMBER_E_SYNTAX;
	*text = str_trim((struct slice){text->data + name.size, text->size - name.size});
	return __builtin_mul_overflow(value, factor, ret) ? NUMBER_E_RANGE : 0;
}

int number_parse_duration(struct slice text, nsec_t min, nsec_t max, nsec_t *ret)
{
	uint64_t sum = 0, part;
	if (text.size == 0)
		return NUMBER_E_SYNTAX;
	if (slice_is(text, "0"))
		text.size = 0;
	while (text.size) {
		int r = take_duration(&text, &part);
		if (r)
			return r;
		if (__builtin_add_overflow(sum, part, &sum))
			return NUMBER_E_RANGE;
	}
	if (sum > INT64_MAX || (nsec_t)sum < min || (nsec_t)sum > max)
		return NUMBER_E_RANGE;
	*ret = (nsec_t)sum;
	return 0;
}

int number_parse_bool(struct slice text, bool *ret)
{
	static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_is(text, words[i])) {
			*ret = i % 2 == 1;
			return 0;
		}
	return NUMBER_E_SYNTAX;
}

int number_parse_rate(struct slice text, uint32_t *ret_count, nsec_t *ret_period_ns)
{
	static const struct unit units[] = {{"s", NSEC_PER_SEC}, {"sec", NSEC_PER_SEC},
		{"m", NSEC_PER_MIN}, {"min", NSEC_PER_MIN}, {"h", NSEC_PER_HOUR},
		{"hour", NSEC_PER_HOUR}, {"d", NSEC_PER_DAY}, {"day", NSEC_PER_DAY}};
	uint64_t count, period;
	if (slice_is(text, "off")) {
		*ret_count = 0;
		*ret_period_ns = 0;
		return 0;
	}
	int r = take_digits(&text, &count);
	if (r)
		return r;
	if (text.size == 0 || text.data[0] != '/' ||
		!find_unit(units, sizeof(units) / sizeof(units[0]),
			(struct slice){text.data + 1, text.size - 1}, &period))
		return NUMBER_E_SYNTAX;
	if (count == 0 || count > UINT32_MAX)
		return NUMBER_E_RANGE;
	*ret_count = (uint32_t)count;
	*ret_period_ns = (nsec_t)period;
	return 0;
}
