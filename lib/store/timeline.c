/* See timeline.h. */
#include "store/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/coverage.h"

#define NOT_REQUESTED "not requested"

static struct stretch *add(struct stretches *list, nsec_t start_time, nsec_t end_time,
	const char *state, const char *reason)
{
	list->items = mem_grow(list->items, list->n_items, &list->capacity, sizeof(*list->items));
	list->items[list->n_items] = (struct stretch){
		.start_time = start_time,
		.end_time = end_time,
		.state = state,
		.reason = mem_strdup(reason),
		.found_time = NSEC_NONE,
		.acknowledged_time = NSEC_NONE,
		.refilled_time = NSEC_NONE,
	};
	return &list->items[list->n_items++];
}

/* A copy of GAP. */
static void add_gap_to(struct stretches *list, const struct stretch *gap)
{
	struct stretch *copy = add(list, gap->start_time, gap->end_time, "gap", gap->reason);
	copy->found_time = gap->found_time;
	copy->acknowledged_time = gap->acknowledged_time;
	copy->acknowledged_by = mem_strdup(gap->acknowledged_by);
	copy->refilled_time = gap->refilled_time;
}

static void stretches_deinit(struct stretches *list)
{
	for (size_t i = 0; i < list->n_items; i++) {
		free(list->items[i].reason);
		free(list->items[i].acknowledged_by);
	}
	free(list->items);
	*list = (struct stretches){0};
}

/* Rows come by source: most often it is the last one. */
static struct timeline *find(struct timelines *timelines, const char *name)
{
	for (size_t i = timelines->n_items; i > 0; i--)
		if (strcmp(timelines->items[i - 1].source, name) == 0)
			return &timelines->items[i - 1];
	timelines->items = mem_grow(timelines->items, timelines->n_items, &timelines->capacity,
		sizeof(*timelines->items));
	timelines->items[timelines->n_items] = (struct timeline){.source = mem_strdup(name)};
	return &timelines->items[timelines->n_items++];
}

static void add_span(const struct coverage_span *span, void *userdata)
{
	add(&find(userdata, span->source)->spans, span->start_time, span->end_time,
		span->chain ? "chain" : "full", NULL);
}

static void add_gap(const struct coverage_gap *gap, void *userdata)
{
	struct timeline *timeline = find(userdata, gap->source);
	struct stretches *list =
		gap->refilled_time == NSEC_NONE ? &timeline->gaps : &timeline->refilled;
	struct stretch *stretch = add(list, gap->start_time, gap->end_time, "gap", gap->reason);
	stretch->found_time = gap->found_time;
	stretch->acknowledged_time = gap->acknowledged_time;
	stretch->acknowledged_by = mem_strdup(gap->acknowledged_by);
	stretch->refilled_time = gap->refilled_time;
}

/* --- spans and gaps together --- */

static int compare(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;
	int order = (x->start_time > y->start_time) - (x->start_time < y->start_time);
	return order ? order : (x->end_time > y->end_time) - (x->end_time < y->end_time);
}

static void sort(struct stretches *list)
{
	if (list->n_items > 0)
		qsort(list->items, list->n_items, sizeof(*list->items), compare);
}

/* Adds what is left of the time from START_TIME to END_TIME without the gaps in it. */
static void add_without_gaps(struct timeline *timeline, nsec_t start_time, nsec_t end_time,
	const char *state, const char *reason)
{
	for (size_t i = 0; i < timeline->gaps.n_items && start_time < end_time; i++) {
		const struct stretch *gap = &timeline->gaps.items[i];
		if (gap->end_time < start_time || gap->start_time >= end_time)
			continue;
		if (gap->start_time > start_time)
			add(&timeline->all, start_time, gap->start_time, state, reason);
		if (gap->end_time > start_time)
			start_time = gap->end_time;
	}
	if (start_time < end_time)
		add(&timeline->all, start_time, end_time, state, reason);
}

static void combine(struct timeline *timeline)
{
	nsec_t end = NSEC_NONE;
	sort(&timeline->gaps);
	sort(&timeline->spans);
	for (size_t i = 0; i < timeline->spans.n_items; i++) {
		const struct stretch *span = &timeline->spans.items[i];
		if (end != NSEC_NONE && span->start_time > end)
			add_without_gaps(timeline, end, span->start_time, "gap", NOT_REQUESTED);
		/* where an API's word and a proof overlap, what comes first is shown */
		nsec_t start = span->start_time > end ? span->start_time : end;
		add_without_gaps(timeline, start, span->end_time, span->state, NULL);
		end = span->end_time > end ? span->end_time : end;
	}
	for (size_t i = 0; i < timeline->gaps.n_items; i++)
		add_gap_to(&timeline->all, &timeline->gaps.items[i]);
	sort(&timeline->all);
}

int timelines_read(
	struct timelines *ret, struct store *store, const char *source, struct fault *reterr)
{
	*ret = TIMELINES_NULL;
	int r = coverage_each_span(store, source, add_span, ret, reterr);
	if (!r)
		r = coverage_each_gap(store, source, true, add_gap, ret, reterr);
	for (size_t i = 0; i < ret->n_items && !r; i++)
		combine(&ret->items[i]);
	return r;
}

const struct timeline *timelines_find(const struct timelines *timelines, const char *source)
{
	for (size_t i = 0; i < timelines->n_items; i++)
		if (strcmp(timelines->items[i].source, source) == 0)
			return &timelines->items[i];
	return NULL;
}

void timelines_deinit(struct timelines *timelines)
{
	for (size_t i = 0; i < timelines->n_items; i++) {
		struct timeline *timeline = &timelines->items[i];
		stretches_deinit(&timeline->spans);
		stretches_deinit(&timeline->gaps);
		stretches_deinit(&timeline->refilled);
		stretches_deinit(&timeline->all);
		free(timeline->source);
	}
	free(timelines->items);
	*timelines = TIMELINES_NULL;
}

/* --- use --- */

bool stretch_is_gap(const struct stretch *stretch)
{
	return stretch->state[0] == 'g';
}

bool stretch_crop(struct stretch *stretch, nsec_t start_time, nsec_t end_time)
{
	bool moment = stretch->start_time == stretch->end_time;
	if (stretch->start_time < start_time)
		stretch->start_time = start_time;
	if (stretch->end_time > end_time)
		stretch->end_time = end_time;
	return stretch->start_time < stretch->end_time ||
	       (moment && stretch->start_time == stretch->end_time);
}

nsec_t timeline_read_ns(const struct timeline *timeline, nsec_t start_time, nsec_t end_time)
{
	nsec_t read_ns = 0;
	for (size_t i = 0; i < timeline->all.n_items; i++) {
		struct stretch stretch = timeline->all.items[i];
		if (!stretch_is_gap(&stretch) && stretch_crop(&stretch, start_time, end_time))
			read_ns += stretch.end_time - stretch.start_time;
	}
	return read_ns;
}
