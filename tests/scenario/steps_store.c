/* Steps about the state: read beside the daemon, as trawlctl reads it. */
#include "step.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "pattern.h"
#include "store/cursors.h"

/* NULL: no cursor is stored. */
static char *stored_cursor(const char *source)
{
	char *directory CLEANUP_FREE = mem_printf("%s/state", world_directory), *cursor = NULL;
	struct fault fault = FAULT_NULL;
	struct store *store = NULL;
	int r = store_open(&store, directory, STORE_READ, &fault);
	if (r == 0)
		r = cursors_get(store, source, &cursor, &fault);
	store_close(store);
	if (r)
		world_fail("a state that can be read", "%s", fault.text);
	return cursor;
}

static enum step_result expect_cursor(const struct step *step)
{
	size_t size = strcspn(step->argument, " ");
	char *source CLEANUP_FREE = mem_strndup(step->argument, size);
	char *cursor CLEANUP_FREE = stored_cursor(source);
	const char *expected = step->argument + size + (step->argument[size] == ' ');
	if (!pattern_is_in(expected, cursor ? cursor : ""))
		world_fail(expected, "%s", cursor ? cursor : "no cursor");
	return STEP_DONE;
}

static enum step_result expect_no_cursor(const struct step *step)
{
	char *cursor CLEANUP_FREE = stored_cursor(step->argument);
	if (cursor)
		world_fail("no cursor", "%s", cursor);
	return STEP_DONE;
}

const struct step_kind steps_store[] = {
	{"expect cursor", expect_cursor},
	{"expect no cursor", expect_no_cursor},
	{NULL, NULL},
};
