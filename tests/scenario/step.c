/* See step.h. */
#include "step.h"

#include <string.h>

#include "base/number.h"
#include "base/slice.h"

static const struct step_kind *const tables[] = {
	steps_daemon, steps_files, steps_peer, steps_log, steps_status, steps_store, steps_time};

const struct step_kind *step_find(const char *line, const char **ret_argument)
{
	const struct step_kind *best = NULL;
	size_t best_size = 0;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct step_kind *kind = tables[i]; kind->words; kind++) {
			size_t size = strlen(kind->words);
			if (size <= best_size || strncmp(line, kind->words, size) != 0 ||
				(line[size] != '\0' && line[size] != ' '))
				continue;
			best = kind;
			best_size = size;
		}
	*ret_argument = line + best_size + (line[best_size] == ' ');
	return best;
}

bool step_waits(nsec_t duration_ns)
{
	if (world->deadline_at == NSEC_NONE)
		world->deadline_at = clock_monotonic() + duration_ns;
	return clock_monotonic() < world->deadline_at;
}

nsec_t step_duration(const char *text)
{
	nsec_t duration = 0;
	if (number_parse_duration(slice_of(text), 0, 3650 * NSEC_PER_DAY, &duration) != 0)
		world_fail("a duration such as 90s", "`%s`", text);
	return duration;
}
