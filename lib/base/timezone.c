/*
 * See timezone.h. Only the 64-bit block of a TZif file is read, and the rule behind it: that one
 * says how the offset goes on after the last listed change, which in files made with `zic -b slim`
 * lies decades back.
 */
#include "base/timezone.h"

#include <endian.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/posix_tz.h"
#include "base/timestamp_internal.h"

#define ZONEINFO "/usr/share/zoneinfo/"
#define HEADER_SIZE 44
#define FILE_MAX (1 << 20)

struct transition {
	int64_t at; /* UTC seconds */
	int64_t offset;
};

struct timezone_rules {
	struct transition *transitions; /* the first stands for all time before */
	size_t n_transitions;
	bool has_rule; /* for the time from the last transition on */
	struct posix_tz rule;
};

static uint32_t get_u32(const char *from)
{
	uint32_t value;
	memcpy(&value, from, sizeof(value));
	return be32toh(value);
}

static int64_t get_i64(const char *from)
{
	uint64_t value;
	memcpy(&value, from, sizeof(value));
	return (int64_t)be64toh(value);
}

struct counts {
	uint32_t isut, isstd, leap, time, type, chars;
};

static bool read_header(struct slice file, size_t at, struct counts *ret)
{
	if (file.size < at + HEADER_SIZE || memcmp(file.data + at, "TZif", 4) != 0)
		return false;
	const char *counts = file.data + at + 20;
	*ret = (struct counts){get_u32(counts), get_u32(counts + 4), get_u32(counts + 8),
		get_u32(counts + 12), get_u32(counts + 16), get_u32(counts + 20)};
	return ret->time < FILE_MAX && ret->type < 256 && ret->type > 0 && ret->chars < FILE_MAX &&
	       ret->leap < FILE_MAX && ret->isstd < FILE_MAX && ret->isut < FILE_MAX;
}

/* The rule stands between two line feeds. Empty: the last offset stays. False: it cannot be read.
 */
static bool read_rule(struct timezone_rules *rules, struct slice text)
{
	const char *end = text.size > 1 ? memchr(text.data + 1, '\n', text.size - 1) : NULL;
	if (!end || text.data[0] != '\n')
		return false;
	struct slice rule = {text.data + 1, (size_t)(end - text.data) - 1};
	rules->has_rule = rule.size != 0;
	return !rules->has_rule || posix_tz_parse(&rules->rule, rule) == 0;
}

/* Skips the 32-bit block, reads the 64-bit one. */
int timezone_parse(struct timezone_rules **ret, struct slice file)
{
	struct counts counts;
	if (!read_header(file, 0, &counts) || file.data[4] < '2')
		return TIMEZONE_E_UNKNOWN;
	size_t at = HEADER_SIZE + counts.time * 5u + counts.type * 6u + counts.chars +
		    counts.leap * 8u + counts.isstd + counts.isut;
	if (!read_header(file, at, &counts))
		return TIMEZONE_E_UNKNOWN;
	at += HEADER_SIZE;
	const char *times = file.data + at, *indexes = times + counts.time * 8u;
	const char *types = indexes + counts.time;
	size_t size = counts.time * 9u + counts.type * 6u + counts.chars + counts.leap * 12u +
		      counts.isstd + counts.isut;
	if (file.size < at + size)
		return TIMEZONE_E_UNKNOWN;
	struct timezone_rules *rules = MEM_NEW(struct timezone_rules);
	rules->transitions = mem_array(counts.time + 1u, sizeof(struct transition));
	rules->transitions[rules->n_transitions++] =
		(struct transition){INT64_MIN, (int32_t)get_u32(types)};
	for (uint32_t i = 0; i < counts.time; i++) {
		unsigned type = (unsigned char)indexes[i];
		if (type < counts.type)
			rules->transitions[rules->n_transitions++] = (struct transition){
				get_i64(times + i * 8u), (int32_t)get_u32(types + type * 6u)};
	}
	if (!read_rule(rules, (struct slice){file.data + at + size, file.size - at - size})) {
		timezone_close(rules);
		return TIMEZONE_E_UNKNOWN;
	}
	*ret = rules;
	return 0;
}

static struct timezone_rules *fixed(int64_t offset)
{
	struct timezone_rules *rules = MEM_NEW(struct timezone_rules);
	rules->transitions = MEM_NEW(struct transition);
	rules->transitions[0] = (struct transition){INT64_MIN, offset};
	rules->n_transitions = 1;
	return rules;
}

static bool parse_fixed(const char *name, int64_t *ret_offset)
{
	struct slice text = slice_of(name);
	return take_offset(&text, ret_offset) && text.size == 0;
}

int timezone_open(struct timezone_rules **ret, const char *name)
{
	int64_t offset = 0;
	if (parse_fixed(name, &offset) || strcmp(name, "UTC") == 0) {
		*ret = fixed(offset);
		return 0;
	}
	if (!*name || name[0] == '/' || strstr(name, ".."))
		return TIMEZONE_E_UNKNOWN;
	char *path CLEANUP_FREE = mem_printf(ZONEINFO "%s", name);
	struct buf file CLEANUP(buf_deinit) = BUF_LIMITED(FILE_MAX);
	if (file_read(&file, path))
		return TIMEZONE_E_UNKNOWN;
	return timezone_parse(ret, buf_slice(&file));
}

void timezone_close(struct timezone_rules *rules)
{
	if (!rules)
		return;
	free(rules->transitions);
	free(rules);
}

int64_t timezone_offset_at(const struct timezone_rules *rules, int64_t utc_s)
{
	size_t low = 0, high = rules->n_transitions;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (rules->transitions[middle].at <= utc_s)
			low = middle;
		else
			high = middle;
	}
	if (rules->has_rule && low + 1 == rules->n_transitions)
		return posix_tz_offset_at(&rules->rule, utc_s);
	return rules->transitions[low].offset;
}

int64_t timezone_offset(const struct timezone_rules *rules, int64_t local_s)
{
	/* the two offsets that can be in force around this local time, the earlier one first */
	int64_t before = timezone_offset_at(rules, local_s - 26 * 3600);
	int64_t after = timezone_offset_at(rules, local_s + 26 * 3600);
	if (timezone_offset_at(rules, local_s - before) == before)
		return before;
	if (timezone_offset_at(rules, local_s - after) == after)
		return after;
	return before;
}
