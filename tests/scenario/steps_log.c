/* Steps about the daemon's log. A line counts for one step; a warning or error that no step expects
 * ends the scenario. */
#include "step.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon_life.h"
#include "leftovers.h"
#include "pattern.h"

#define ANY_LEVEL 0

struct line {
	int level;
	const char *text;
};

/* Takes the next line off *REST, which is changed. */
static bool next_line(char **rest, struct line *ret)
{
	char *line = *rest, *end = strchr(line, '\n');
	if (!end)
		return false;
	*end = '\0';
	*rest = end + 1;
	*ret = (struct line){ANY_LEVEL, line};
	if (line[0] == '<' && line[1] && line[2] == '>')
		*ret = (struct line){line[1] - '0', line + 3};
	return true;
}

static void read_log(struct buf *out)
{
	file_read(out, daemon_life_log()); /* there may be none yet */
	buf_append_text(out, "");
}

/* The first line that no step had and that has TEXT in it; marks it. */
static bool find(const char *text, int level)
{
	struct buf log CLEANUP(buf_deinit) = BUF_NULL;
	struct line line;
	read_log(&log);
	char *rest = log.data;
	for (size_t i = 0; rest && next_line(&rest, &line); i++) {
		if (i == WORLD_LOG_LINES)
			world_fail("a shorter log", "more than %d lines", WORLD_LOG_LINES);
		if (world->log_read[i] || (level != ANY_LEVEL && level != line.level) ||
			!pattern_is_in(text, line.text))
			continue;
		world->log_read[i] = true;
		return true;
	}
	return false;
}

static enum step_result expect(const struct step *step, int level)
{
	if (!find(step->argument, level))
		world_fail(step->argument, "no such line in the log");
	return STEP_DONE;
}

static enum step_result expect_log(const struct step *step)
{
	return expect(step, ANY_LEVEL);
}

static enum step_result expect_error(const struct step *step)
{
	return expect(step, LOG_LEVEL_ERROR);
}

static enum step_result expect_warning(const struct step *step)
{
	return expect(step, LOG_LEVEL_WARNING);
}

static enum step_result expect_notice(const struct step *step)
{
	return expect(step, LOG_LEVEL_NOTICE);
}

static enum step_result expect_info(const struct step *step)
{
	return expect(step, LOG_LEVEL_INFO);
}

static enum step_result expect_no_log(const struct step *step)
{
	if (find(step->argument, ANY_LEVEL))
		world_fail("no such line in the log", "%s", step->argument);
	return STEP_DONE;
}

void steps_log_leftovers(void)
{
	struct buf log CLEANUP(buf_deinit) = BUF_NULL;
	struct line line;
	read_log(&log);
	char *rest = log.data;
	for (size_t i = 0; rest && next_line(&rest, &line); i++)
		if (!world->log_read[i] && line.level <= LOG_LEVEL_WARNING)
			world_fail("no further warning or error", "%s", line.text);
}

const struct step_kind steps_log[] = {
	{"expect log", expect_log},
	{"expect error", expect_error},
	{"expect warning", expect_warning},
	{"expect notice", expect_notice},
	{"expect info", expect_info},
	{"expect no log", expect_no_log},
	{NULL, NULL},
};
