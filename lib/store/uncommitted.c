/*
 * What belongs into one transaction. There are two such sets: what is collected, and what is under
 * way and stays together until it is committed. Of several changes of one sink or source that are
 * collected, one is left, so that a set stays small while nothing can be written.
 */
#include "store/store_internal.h"

#include "base/mem.h"
#include "store/replays.h"

bool uncommitted_is_empty(const struct uncommitted *set)
{
	return set->n_pages == 0 && set->n_notes == 0 && set->n_events == 0 &&
	       set->n_sources == 0 && set->n_sinks == 0;
}

static void page_deinit(struct pending_page *page)
{
	batch_unref(page->batch);
	buf_deinit(&page->encoded);
	free(page->cursor);
}

void uncommitted_deinit(struct uncommitted *set)
{
	for (size_t i = 0; i < set->n_pages; i++)
		page_deinit(&set->pages[i]);
	for (size_t i = 0; i < set->n_notes; i++)
		note_deinit(&set->notes[i]);
	for (size_t i = 0; i < set->n_sinks; i++) {
		free(set->sinks[i].position);
		replay_progress_free(set->sinks[i].replay);
	}
	events_drop(set, 0);
	free(set->pages);
	free(set->notes);
	free(set->events);
	free(set->sources);
	free(set->sinks);
	*set = (struct uncommitted){0};
}

struct source_mark *uncommitted_source(struct store *store, struct store_source *source)
{
	struct uncommitted *set = &store->collected;

	if (source->mark == 0) {
		set->sources = mem_grow(set->sources, set->n_sources, &set->sources_capacity,
			sizeof(set->sources[0]));
		set->sources[set->n_sources++] = (struct source_mark){
			.source = source, .expiry = NSEC_NONE, .expiry_from = NSEC_NONE};
		source->mark = set->n_sources;
	}
	return &set->sources[source->mark - 1];
}

struct sink_mark *uncommitted_sink(struct store *store, struct store_sink *sink)
{
	struct uncommitted *set = &store->collected;

	if (sink->mark == 0) {
		set->sinks = mem_grow(
			set->sinks, set->n_sinks, &set->sinks_capacity, sizeof(set->sinks[0]));
		set->sinks[set->n_sinks++] = (struct sink_mark){.sink = sink};
		sink->mark = set->n_sinks;
	}
	return &set->sinks[sink->mark - 1];
}

bool uncommitted_entry(
	const struct store *store, const struct store_sink *sink, int64_t *ret_number)
{
	const struct uncommitted *sets[] = {&store->under_way, &store->collected};

	for (size_t i = 0; i < 2; i++) {
		if (i == 0 && store->progress == UNDER_WAY_SETTLED)
			continue;
		for (size_t k = 0; k < sets[i]->n_sinks; k++) {
			const struct sink_mark *mark = &sets[i]->sinks[k];

			if (mark->sink != sink || !mark->entered)
				continue;
			*ret_number = mark->entry;
			return true;
		}
	}
	return false;
}

void uncommitted_take(struct store *store)
{
	struct uncommitted *set = &store->collected;

	for (size_t i = 0; i < set->n_sources; i++)
		set->sources[i].source->mark = 0;
	for (size_t i = 0; i < set->n_sinks; i++)
		set->sinks[i].sink->mark = 0;
	store->under_way = *set;
	store->progress = UNDER_WAY_OPEN;
	*set = (struct uncommitted){0};
}
