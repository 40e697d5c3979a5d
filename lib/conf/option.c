/* See option.h. One function a type, found by the type's number; each answers what it wanted
 * instead when the text is not right. */
#include "conf/option.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"
#include "base/timestamp.h"

/* NULL: taken. Else what is wanted (caller frees). */
typedef char *(*parse_fn)(const struct option *option, const char *text, void *member);

static bool bounded(const struct option *option)
{
	return option->min || option->max;
}

static char *parse_string(const struct option *option, const char *text, void *member)
{
	if (option->flags & OPTION_PATH && *text && *text != '/')
		return mem_strdup("an absolute path, which begins with /");
	*(char **)member = *text ? mem_strdup(text) : NULL;
	return NULL;
}

static char *parse_secret(const struct option *option, const char *text, void *member)
{
	(void)option;
	secret_set(member, slice_of(text));
	return NULL;
}

static char *parse_bool(const struct option *option, const char *text, void *member)
{
	(void)option;
	return number_parse_bool(slice_of(text), member) ? mem_strdup("yes or no") : NULL;
}

static char *parse_count(const struct option *option, const char *text, void *member)
{
	int64_t min = option->min, max = bounded(option) ? option->max : INT64_MAX;
	if (number_parse(slice_of(text), min, max, member) == 0)
		return NULL;
	return bounded(option)
		       ? mem_printf("a number from %lld to %lld", (long long)min, (long long)max)
		       : mem_strdup("a number");
}

static void print_size(uint64_t size, struct buf *out)
{
	static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;
	while (size && size % 1024 == 0 && unit < 4) {
		size /= 1024;
		unit++;
	}
	buf_printf(out, "%llu%s", (unsigned long long)size, units[unit]);
}

static char *parse_size(const struct option *option, const char *text, void *member)
{
	uint64_t max = bounded(option) ? (uint64_t)option->max : UINT64_MAX;
	if (number_parse_size(slice_of(text), (uint64_t)option->min, max, member) == 0)
		return NULL;
	if (!bounded(option))
		return mem_strdup("a size (try 4096, 64KiB, 10MiB, 1GiB)");
	struct buf out = BUF_NULL;
	buf_append_text(&out, "a size from ");
	print_size((uint64_t)option->min, &out);
	buf_append_text(&out, max >= INT64_MAX ? " up" : " to ");
	if (max < INT64_MAX)
		print_size(max, &out);
	buf_append_text(&out, " (try 64KiB, 10MiB, 1GiB)");
	return buf_take(&out);
}

static char *parse_duration(const struct option *option, const char *text, void *member)
{
	nsec_t max = bounded(option) ? option->max : INT64_MAX, value;
	if (number_parse_duration(slice_of(text), option->min, max, &value) == 0) {
		*(nsec_t *)member = value;
		return NULL;
	}
	size_t n_digits = strspn(text, "0123456789");
	if (text[0] != '0' && n_digits > 0 && n_digits < 10 && !text[n_digits])
		return mem_printf("a duration with a unit (try %ss, %sm)", text, text);
	if (!bounded(option) || number_parse_duration(slice_of(text), 0, INT64_MAX, &value) != 0)
		return mem_strdup("a duration (try 90s, 15m, 2h, 1d)");
	struct buf out = BUF_NULL;
	buf_append_text(&out, "a duration from ");
	timestamp_print_duration(option->min, &out);
	buf_append_text(&out, " to ");
	timestamp_print_duration(max, &out);
	return buf_take(&out);
}

static char *parse_rate(const struct option *option, const char *text, void *member)
{
	struct option_rate *rate = member;
	(void)option;
	return number_parse_rate(slice_of(text), &rate->count, &rate->period_ns)
		       ? mem_strdup("a rate (try 60/min, 5/s, 1000/h, off)")
		       : NULL;
}

static char *parse_choice(const struct option *option, const char *text, void *member)
{
	size_t n = 0;
	for (; option->choices[n]; n++)
		if (strcmp(option->choices[n], text) == 0) {
			*(int *)member = (int)n;
			return NULL;
		}
	struct buf out = BUF_NULL;
	const char *nearest = str_nearest(text, option->choices, n);
	buf_append_text(&out, "one of ");
	for (size_t i = 0; i < n; i++)
		buf_printf(&out, "%s%s", i ? ", " : "", option->choices[i]);
	if (nearest)
		buf_printf(&out, " (did you mean `%s`?)", nearest);
	return buf_take(&out);
}

static char *parse_list(const struct option *option, const char *text, void *member)
{
	(void)option;
	/* a list may be written over several lines */
	char *flat CLEANUP_FREE = mem_strdup(text);
	for (char *p = flat; *p; p++)
		if (*p == '\n')
			*p = ',';
	str_list_split(member, slice_of(flat), ',');
	/* commas alone: taken for an empty list, it would mean the default */
	return *text && ((struct str_list *)member)->n_items == 0
		       ? mem_strdup("a list of values, separated by commas")
		       : NULL;
}

static char *parse_lines(const struct option *option, const char *text, void *member)
{
	(void)option;
	str_list_split(member, slice_of(text), '\n');
	return NULL;
}

static char *parse_mode(const struct option *option, const char *text, void *member)
{
	(void)option;
	int64_t mode = 0;
	size_t n = strlen(text);
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '7' || n > 4)
			return mem_strdup("an octal file mode (try 0640)");
		mode = mode * 8 + (text[i] - '0');
	}
	if (n == 0 || mode > 0777)
		return mem_strdup("an octal file mode (try 0640)");
	*(int64_t *)member = mode;
	return NULL;
}

static const parse_fn parsers[] = {
	[OPTION_STRING] = parse_string,
	[OPTION_SECRET] = parse_secret,
	[OPTION_BOOL] = parse_bool,
	[OPTION_COUNT] = parse_count,
	[OPTION_SIZE] = parse_size,
	[OPTION_DURATION] = parse_duration,
	[OPTION_RATE] = parse_rate,
	[OPTION_CHOICE] = parse_choice,
	[OPTION_LIST] = parse_list,
	[OPTION_LINES] = parse_lines,
	[OPTION_MODE] = parse_mode,
};

void option_print_rate(const struct option_rate *rate, struct buf *out)
{
	struct buf period CLEANUP(buf_deinit) = BUF_NULL;
	if (rate->count == 0) {
		buf_append_text(out, "off");
		return;
	}
	timestamp_print_duration(rate->period_ns, &period);
	/* 60/min and not 60/1m: as it is read */
	const char *unit = rate->period_ns == NSEC_PER_SEC        ? "s"
			   : rate->period_ns == 60 * NSEC_PER_SEC ? "min"
			   : rate->period_ns == NSEC_PER_HOUR     ? "h"
			   : rate->period_ns == NSEC_PER_DAY      ? "d"
								  : buf_text(&period);
	buf_printf(out, "%u/%s", rate->count, unit);
}

static void print_lines(const struct str_list *list, struct buf *out)
{
	for (size_t i = 0; i < list->n_items; i++)
		buf_printf(out, "%s%s", i ? "\n" : "", list->items[i]);
}

void option_print(const struct option *option, const void *target, struct buf *out)
{
	const void *member = (const char *)target + option->offset;
	switch (option->type) {
	case OPTION_STRING:
		if (*(char *const *)member)
			buf_append_text(out, *(char *const *)member);
		break;
	case OPTION_SECRET:
		if (((const struct secret *)member)->text)
			buf_append_text(out, "***");
		break;
	case OPTION_BOOL:
		buf_append_text(out, *(const bool *)member ? "yes" : "no");
		break;
	case OPTION_COUNT:
		buf_printf(out, "%lld", (long long)*(const int64_t *)member);
		break;
	case OPTION_SIZE:
		print_size(*(const uint64_t *)member, out);
		break;
	case OPTION_DURATION:
		timestamp_print_duration(*(const nsec_t *)member, out);
		break;
	case OPTION_RATE:
		option_print_rate(member, out);
		break;
	case OPTION_CHOICE:
		buf_append_text(out, option->choices[*(const int *)member]);
		break;
	case OPTION_LIST:
	case OPTION_LINES:
		print_lines(member, out);
		break;
	case OPTION_MODE:
		buf_printf(out, "%04o", (unsigned)*(const int64_t *)member);
		break;
	case OPTION_PAIRS:
		break;
	}
}

bool option_equals(const struct option *option, const void *a, const void *b)
{
	struct buf first CLEANUP(buf_deinit) = BUF_NULL, second CLEANUP(buf_deinit) = BUF_NULL;
	if (option->type == OPTION_SECRET) {
		const struct secret *x = (const void *)((const char *)a + option->offset);
		const struct secret *y = (const void *)((const char *)b + option->offset);
		return slice_equal(
			(struct slice){x->text, x->size}, (struct slice){y->text, y->size});
	}
	option_print(option, a, &first);
	option_print(option, b, &second);
	return slice_equal(buf_slice(&first), buf_slice(&second));
}

static const size_t sizes[] = {
	[OPTION_STRING] = sizeof(char *),
	[OPTION_SECRET] = sizeof(struct secret),
	[OPTION_BOOL] = sizeof(bool),
	[OPTION_COUNT] = sizeof(int64_t),
	[OPTION_SIZE] = sizeof(uint64_t),
	[OPTION_DURATION] = sizeof(nsec_t),
	[OPTION_RATE] = sizeof(struct option_rate),
	[OPTION_CHOICE] = sizeof(int),
	[OPTION_LIST] = sizeof(struct str_list),
	[OPTION_LINES] = sizeof(struct str_list),
	[OPTION_MODE] = sizeof(int64_t),
	[OPTION_PAIRS] = sizeof(struct option_pairs),
};

void option_swap(const struct option *option, void *a, void *b)
{
	char *x = (char *)a + option->offset, *y = (char *)b + option->offset;
	for (size_t i = 0; i < sizes[option->type]; i++) {
		char c = x[i];
		x[i] = y[i];
		y[i] = c;
	}
}

/* What follows `NAME.` in KEY, or NULL. */
static const char *pair_name(const struct option *option, const char *key)
{
	size_t size = strlen(option->name);
	return option->type == OPTION_PAIRS && str_starts(key, option->name) && key[size] == '.' &&
			       key[size + 1]
		       ? key + size + 1
		       : NULL;
}

static void take_pairs(const struct option *option, struct ini_section *section, void *member)
{
	struct option_pairs *pairs = member;
	for (size_t i = 0; i < section->n_entries; i++) {
		struct ini_entry *entry = &section->entries[i];
		const char *name = pair_name(option, entry->key);
		if (!name)
			continue;
		pairs->items = mem_grow(
			pairs->items, pairs->n_items, &pairs->capacity, sizeof(struct option_pair));
		pairs->items[pairs->n_items++] = (struct option_pair){mem_strdup(name),
			mem_strdup(entry->value), entry->file, entry->line, entry->secret};
		entry->used = true;
	}
}

static void parse_option(const struct option *option, struct ini_section *section, char *target,
	struct findings *findings)
{
	void *member = target + option->offset;
	assert((option->type != OPTION_LIST && option->type != OPTION_LINES) ||
		ini_takes_lines(option->name));
	if (option->type == OPTION_PAIRS) {
		take_pairs(option, section, member);
		return;
	}
	struct ini_entry *entry = ini_section_find(section, option->name);
	if (entry)
		entry->used = true;
	const char *text = entry ? entry->value : option->default_text;
	if (option->flags & OPTION_REQUIRED && (!text || !*text)) {
		findings_add_at(findings, section, option->name, "[%s%s%s] needs `%s`",
			section->kind, section->name ? " " : "", section->name ? section->name : "",
			option->name);
		return;
	}
	if (!text)
		return;
	char *wanted CLEANUP_FREE = parsers[option->type](option, text, member);
	if (!wanted)
		return;
	findings_add_at(findings, section, option->name, "%s = %s: not %s", option->name,
		entry && entry->secret ? "***" : text, wanted);
}

void options_parse(const struct option_table *tables, size_t n_tables, struct ini_section *section,
	struct findings *findings)
{
	for (size_t i = 0; i < n_tables; i++)
		for (size_t j = 0; j < tables[i].n_options; j++)
			parse_option(&tables[i].options[j], section, tables[i].target, findings);
}

static bool is_known(const struct option_table *tables, size_t n_tables, const char *key)
{
	for (size_t i = 0; i < n_tables; i++)
		for (size_t j = 0; j < tables[i].n_options; j++) {
			const struct option *option = &tables[i].options[j];
			if (pair_name(option, key) ||
				(option->type != OPTION_PAIRS && strcmp(option->name, key) == 0))
				return true;
		}
	return false;
}

static bool is_pairs(const struct option_table *tables, size_t n_tables, const char *name)
{
	for (size_t i = 0; i < n_tables; i++)
		for (size_t j = 0; j < tables[i].n_options; j++)
			if (strcmp(tables[i].options[j].name, name) == 0)
				return tables[i].options[j].type == OPTION_PAIRS;
	return false;
}

void options_unknown(const struct option_table *tables, size_t n_tables, const char *const *extra,
	const struct ini_section *section, struct findings *findings)
{
	size_t n = 0, n_extra = 0, n_options = 0;
	while (extra && extra[n_extra])
		n_extra++;
	for (size_t i = 0; i < n_tables; i++)
		n_options += tables[i].n_options;
	const char **names = mem_array(n_options + n_extra, sizeof(char *));
	for (size_t i = 0; i < n_tables; i++)
		for (size_t j = 0; j < tables[i].n_options; j++)
			names[n++] = tables[i].options[j].name;
	for (size_t i = 0; i < n_extra; i++)
		names[n++] = extra[i];
	for (size_t i = 0; i < section->n_entries; i++) {
		const struct ini_entry *entry = &section->entries[i];
		if (entry->used || is_known(tables, n_tables, entry->key))
			continue;
		const char *nearest = str_nearest(entry->key, names, n);
		char *hint CLEANUP_FREE =
			nearest ? mem_printf(": did you mean `%s%s`?", nearest,
					  is_pairs(tables, n_tables, nearest) ? ".NAME" : "")
				: mem_strdup("");
		if (nearest) /* that it is missing is no error of its own */
			findings_drop_needs(findings, section, nearest);
		findings_add(findings, entry->file, entry->line, "unknown key `%s` in [%s%s%s]%s",
			entry->key, section->kind, section->name ? " " : "",
			section->name ? section->name : "", hint);
	}
	free(names);
}

static void pairs_deinit(struct option_pairs *pairs)
{
	for (size_t i = 0; i < pairs->n_items; i++) {
		secret_wipe(pairs->items[i].value, strlen(pairs->items[i].value));
		free(pairs->items[i].name);
		free(pairs->items[i].value);
	}
	free(pairs->items);
	*pairs = (struct option_pairs){0};
}

void options_deinit(const struct option_table *table)
{
	for (size_t i = 0; i < table->n_options; i++) {
		void *member = (char *)table->target + table->options[i].offset;
		switch (table->options[i].type) {
		case OPTION_STRING:
			free(*(char **)member);
			*(char **)member = NULL;
			break;
		case OPTION_SECRET:
			secret_deinit(member);
			break;
		case OPTION_LIST:
		case OPTION_LINES:
			str_list_deinit(member);
			break;
		case OPTION_PAIRS:
			pairs_deinit(member);
			break;
		case OPTION_BOOL:
		case OPTION_COUNT:
		case OPTION_SIZE:
		case OPTION_DURATION:
		case OPTION_RATE:
		case OPTION_CHOICE:
		case OPTION_MODE:
			break;
		}
	}
}
