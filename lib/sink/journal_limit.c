/* See journal_limit.h. */
#include "sink/journal_limit.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"

#define JOURNAL_LIMIT_CGROUP "/proc/self/cgroup"
#define JOURNAL_LIMIT_UNITS "/run/systemd/units"
#define JOURNAL_LIMIT_INTERVAL (30 * NSEC_PER_SEC) /* journald's default */
#define JOURNAL_LIMIT_HIGH_RATE 1000000 /* messages a second: beyond what one thread sends */

/* The first unit of a path: the slices above it are passed over, what is below it is its own. */
static struct slice limit_unit(struct slice path)
{
	struct slice part;

	while (str_next_part(&path, '/', &part)) {
		CLEANUP_FREE char *name = mem_strndup(part.data, part.size);

		if (str_ends(name, ".service") || str_ends(name, ".scope"))
			return part;
	}
	return SLICE_NULL;
}

/* systemd's own hierarchy: "0::PATH" with cgroup v2, "N:name=systemd:PATH" before. */
static struct slice limit_unit_of_process(struct slice cgroup)
{
	struct slice line, number, controller;
	struct slice found = SLICE_NULL;

	while (!found.data && str_next_part(&cgroup, '\n', &line)) {
		if (!str_next_part(&line, ':', &number) || !str_next_part(&line, ':', &controller))
			continue;
		if (controller.size == 0 || slice_is(controller, "name=systemd"))
			found = limit_unit(line);
	}
	return found;
}

/* What the link of a unit says. False: nothing is published. */
static bool limit_read(const char *units, const char *what, const char *unit, int64_t *ret)
{
	CLEANUP_FREE char *path = mem_printf("%s/log-rate-limit-%s:%s", units, what, unit);
	char text[32];
	ssize_t size = readlink(path, text, sizeof(text));

	return size > 0 && (size_t)size < sizeof(text) &&
	       number_parse((struct slice){text, (size_t)size}, 1, INT64_MAX, ret) == 0;
}

enum journal_limit journal_limit_find(struct slice cgroup, const char *units, struct buf *unit)
{
	struct slice name = limit_unit_of_process(cgroup);
	int64_t burst;
	int64_t interval_us = JOURNAL_LIMIT_INTERVAL / NSEC_PER_USEC;

	if (!name.data)
		return JOURNAL_LIMIT_UNKNOWN;
	buf_append_slice(unit, name);
	if (!limit_read(units, "burst", buf_text(unit), &burst))
		return JOURNAL_LIMIT_APPLIES;
	limit_read(units, "interval", buf_text(unit), &interval_us);
	return burst / JOURNAL_LIMIT_HIGH_RATE >= interval_us / 1000000 ? JOURNAL_LIMIT_HIGH
									: JOURNAL_LIMIT_APPLIES;
}

void journal_limit_check(const struct log_subject *subject)
{
	CLEANUP(buf_deinit) struct buf cgroup = BUF_NULL;
	CLEANUP(buf_deinit) struct buf unit = BUF_NULL;

	file_read(&cgroup, JOURNAL_LIMIT_CGROUP);
	switch (journal_limit_find(buf_slice(&cgroup), JOURNAL_LIMIT_UNITS, &unit)) {
	case JOURNAL_LIMIT_HIGH:
		break;
	case JOURNAL_LIMIT_APPLIES:
		log_warning(subject,
			"journald limits the messages of %s and drops what exceeds its limit, records too; set LogRateLimitBurst=100000000 in that unit",
			buf_text(&unit));
		break;
	case JOURNAL_LIMIT_UNKNOWN:
		log_notice(subject,
			"cannot tell which unit journald counts this process to; if it runs in one, set LogRateLimitBurst=100000000 there, or journald may drop records");
		break;
	}
}
