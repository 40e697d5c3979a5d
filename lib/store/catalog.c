/*
 * The sources and sinks that the store knows by name, each once: its row, its newest batch, and
 * where what is collected for it is. Whoever works on one source or sink finds it with one look,
 * however many there are.
 */
#include "store/store_internal.h"

#include "base/cleanup.h"
#include "base/mem.h"

static struct store_source *add_source(struct store *store, const char *name)
{
	struct catalog *catalog = &store->catalog;
	struct store_source *source = MEM_NEW(struct store_source);
	size_t handle = names_add(&catalog->source_names, name);

	source->name = catalog->source_names.items[handle];
	source->covered_time = NSEC_NONE;
	catalog->sources = mem_grow(
		catalog->sources, handle, &catalog->sources_capacity, sizeof(catalog->sources[0]));
	catalog->sources[handle] = source;
	return source;
}

struct store_source *catalog_find_source(const struct store *store, const char *name)
{
	size_t handle;

	return names_find(&store->catalog.source_names, name, &handle)
		       ? store->catalog.sources[handle]
		       : NULL;
}

struct store_source *catalog_source(struct store *store, const char *name)
{
	struct store_source *source = catalog_find_source(store, name);

	return source ? source : add_source(store, name);
}

static void unlink_source(struct catalog *catalog, struct store_source *source)
{
	if (source->newer)
		source->newer->older = source->older;
	else if (catalog->newest == source)
		catalog->newest = source->older;
	if (source->older)
		source->older->newer = source->newer;
}

void catalog_touch(struct store *store, struct store_source *source, int64_t number)
{
	struct catalog *catalog = &store->catalog;

	unlink_source(catalog, source);
	source->last = number;
	source->newer = NULL;
	source->older = catalog->newest;
	if (source->older)
		source->older->newer = source;
	catalog->newest = source;
}

/* To where LAST belongs in the list. */
static void place_source(struct catalog *catalog, struct store_source *source, int64_t last)
{
	struct store_source *newer = NULL, *older;

	unlink_source(catalog, source);
	source->newer = source->older = NULL;
	source->last = last;
	if (last == 0)
		return;
	for (older = catalog->newest; older && older->last > last; older = older->older)
		newer = older;
	source->newer = newer;
	source->older = older;
	if (older)
		older->newer = source;
	if (newer)
		newer->older = source;
	else
		catalog->newest = source;
}

void catalog_renamed(struct store *store, const char *name, const char *to, int64_t id,
	int64_t last, int64_t released)
{
	struct store_source *from = catalog_source(store, name),
			    *source = catalog_source(store, to);

	place_source(&store->catalog, from, 0);
	from->id = 0;
	place_source(&store->catalog, source, last);
	source->id = id;
	source->released = released;
	source->n_open_gaps += from->n_open_gaps;
	from->n_open_gaps = 0;
	if (from->covered_time > source->covered_time)
		source->covered_time = from->covered_time;
	from->covered_time = NSEC_NONE;
}

struct store_sink *catalog_sink(struct store *store, const char *name)
{
	struct catalog *catalog = &store->catalog;
	size_t n = catalog->sink_names.n_items;
	size_t handle = names_add(&catalog->sink_names, name);

	if (handle == n) {
		catalog->sinks = mem_grow(
			catalog->sinks, n, &catalog->sinks_capacity, sizeof(catalog->sinks[0]));
		catalog->sinks[handle] = MEM_NEW(struct store_sink);
		catalog->sinks[handle]->name = catalog->sink_names.items[handle];
	}
	return catalog->sinks[handle];
}

/* --- life --- */

int catalog_load(struct store *store, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	struct store_source *source;
	const char *name;
	bool row = false;
	int r = statement_get(store, STATEMENT_SOURCE_LIST, &statement, reterr);

	while (!r) {
		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			break;
		name = (const char *)sqlite3_column_text(statement, 1);
		if (!name)
			return statement_damaged(store, reterr, "a source has no name");
		source = catalog_source(store, name);
		source->id = sqlite3_column_int64(statement, 0);
		source->released = sqlite3_column_int64(statement, 3);
		if (sqlite3_column_int64(statement, 2) > 0)
			catalog_touch(store, source, sqlite3_column_int64(statement, 2));
	}
	return r;
}

void catalog_deinit(struct store *store)
{
	struct catalog *catalog = &store->catalog;

	for (size_t i = 0; i < catalog->source_names.n_items; i++)
		free(catalog->sources[i]);
	for (size_t i = 0; i < catalog->sink_names.n_items; i++)
		free(catalog->sinks[i]);
	names_deinit(&catalog->source_names);
	names_deinit(&catalog->sink_names);
	free(catalog->sources);
	free(catalog->sinks);
	*catalog = (struct catalog){0};
}
