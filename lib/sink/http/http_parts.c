/* See http_parts.h. */
#include "sink/http/http_parts.h"

#include <assert.h>

#include "base/mem.h"
#include "pipeline/job.h"

void http_parts_deinit(struct http_parts *parts)
{
	for (size_t i = 0; parts->reasons && i < parts->n_records; i++)
		free(parts->reasons[i]);
	free(parts->reasons);
	free(parts->words);
	free(parts->taken);
	free(parts->indexes);
	free(parts->lanes);
	*parts = HTTP_PARTS_NULL;
}

bool http_parts_is_over(const struct http_parts *parts)
{
	for (size_t i = 0; i < parts->n_lanes; i++) {
		if (parts->lanes[i].next < parts->lanes[i].end)
			return false;
	}
	return true;
}

/* --- lanes --- */

static void parts_add_lane(struct http_parts *parts)
{
	/* http_parts_deinit leaves NULL: NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	parts->lanes = mem_resize(parts->lanes, (parts->n_lanes + 1) * sizeof(*parts->lanes));
	parts->lanes[parts->n_lanes++] = (struct http_lane){0};
}

/* The lane of each record, in the order in which the sources come; the lanes' ends are counts. */
static size_t *parts_assign(struct http_parts *parts)
{
	const struct sink_job *job = parts->job;
	size_t *lane_of = mem_array(job->n_records, sizeof(*lane_of));
	const char **sources = mem_array(job->n_records, sizeof(*sources)); /* of the lanes */
	size_t lane = 0;

	for (size_t i = 0; i < job->n_records; i++) {
		const struct batch *batch = job->records[i].batch;

		if (i == 0 || batch != job->records[i - 1].batch) {
			for (lane = 0; lane < parts->n_lanes; lane++) {
				if (strcmp(sources[lane], batch->source) == 0)
					break;
			}
		}
		if (lane == parts->n_lanes) {
			parts_add_lane(parts);
			sources[lane] = batch->source;
		}
		lane_of[i] = lane;
		parts->lanes[lane].end++;
	}
	free(sources);
	return lane_of;
}

static void parts_split(struct http_parts *parts)
{
	size_t *lane_of = parts_assign(parts);
	size_t end = 0;

	for (size_t i = 0; i < parts->n_lanes; i++) {
		parts->lanes[i].next = end;
		end += parts->lanes[i].end;
		parts->lanes[i].end = parts->lanes[i].next;
	}
	parts->indexes = mem_array(parts->n_records, sizeof(*parts->indexes));
	for (size_t i = 0; i < parts->n_records; i++)
		parts->indexes[parts->lanes[lane_of[i]].end++] = i;
	free(lane_of);
}

/* The receiver took nothing in a try that has ended, so the splits of that try do not count. It may
 * have taken what was sent before the job was resumed, and recognises that only if it is split in
 * the same way. */
static void parts_forget_splits(struct http_parts *parts)
{
	struct sink_job *job = parts->job;

	if (splits_are_equal(&job->splits, &job->resumed_splits))
		return;
	splits_copy(&job->splits, &job->resumed_splits);
	parts->resplit = true;
}

void http_parts_begin(struct http_parts *parts, struct sink_job *job)
{
	bool by_source = job->requests.by_source;
	const char *id = job_id(job);
	bool fresh = http_parts_is_over(parts) || strcmp(parts->id, id) != 0;

	if (fresh)
		http_parts_deinit(parts);
	parts->job = job;
	if (fresh)
		parts_forget_splits(parts);
	parts->n_records = job->n_records;
	memcpy(parts->id, id, sizeof(parts->id));
	if (fresh && by_source) {
		parts_split(parts);
	} else if (fresh) {
		parts_add_lane(parts);
		parts->lanes[0].end = parts->n_records;
	}
	for (size_t i = 0; i < parts->n_lanes; i++) {
		parts->lanes[i].busy = false;
		parts->lanes[i].rest_until_at = 0;
		parts->lanes[i].backoff = HTTP_PARTS_BACKOFF;
	}
}

/* --- parts --- */

static size_t parts_index(const struct http_parts *parts, size_t place)
{
	return parts->indexes ? parts->indexes[place] : place;
}

static size_t parts_measure(const struct http_parts *parts, const struct http_lane *lane,
	size_t max_records, size_t max_bytes)
{
	size_t end = lane->next;
	size_t bytes = 0;

	while (end < lane->end && end - lane->next < max_records) {
		size_t size = parts->job->records[parts_index(parts, end)].view.text.size;

		if (end > lane->next && (size > max_bytes || bytes > max_bytes - size))
			break;
		bytes += size;
		end++;
	}
	return end;
}

static bool parts_is_decided(const struct http_parts *parts, size_t place)
{
	size_t index = parts_index(parts, place);

	return (parts->taken && parts->taken[index]) || (parts->reasons && parts->reasons[index]);
}

/* Where the part in hand ends. */
static size_t parts_end(const struct http_parts *parts, const struct http_lane *lane)
{
	return splits_next(&parts->job->splits, lane->next, lane->bound);
}

bool http_parts_next(struct http_parts *parts, size_t lane, size_t max_records, size_t max_bytes,
	size_t **ret_places, size_t *ret_n)
{
	struct http_lane *own = &parts->lanes[lane];
	size_t n = 0;
	size_t end;

	if (own->bound == 0) {
		if (own->next == own->end)
			return false;
		own->bound = parts_measure(parts, own, max_records, max_bytes);
		http_parts_know(parts, lane);
	}
	end = parts_end(parts, own);
	*ret_places = mem_array(end - own->next, sizeof(**ret_places));
	for (size_t place = own->next; place < end; place++) {
		if (!parts_is_decided(parts, place))
			(*ret_places)[n++] = place;
	}
	assert(n > 0);
	*ret_n = n;
	return true;
}

struct sink_record *http_parts_records(
	const struct http_parts *parts, const size_t *places, size_t n)
{
	struct sink_record *records = mem_array(n, sizeof(*records));

	for (size_t i = 0; i < n; i++)
		records[i] = parts->job->records[parts_index(parts, places[i])];
	return records;
}

/* Made of the job's name, the place in it and the body, since jobs of two machines, or from before
 * a lost state, may have one name. */
void http_parts_key(const struct http_parts *parts, size_t place, struct slice body, char ret[33])
{
	struct buf text = BUF_NULL;
	struct id id = digest_id(body);

	buf_printf(&text, "%s %zu ", parts->id, place);
	buf_append(&text, id.bytes, sizeof(id.bytes));
	id = digest_id(buf_slice(&text));
	digest_hex(id.bytes, sizeof(id.bytes), ret);
	buf_deinit(&text);
}

void http_parts_take(struct http_parts *parts, size_t place)
{
	if (!parts->taken)
		parts->taken = mem_array(parts->n_records, sizeof(*parts->taken));
	parts->taken[parts_index(parts, place)] = true;
	parts->n_taken++;
	parts->accepted = true;
}

/* The next part of a lane has done nothing wrong. */
static void parts_refresh(struct http_lane *lane)
{
	lane->rest_until_at = 0;
	backoff_reset(&lane->backoff);
}

void http_parts_done(struct http_parts *parts, size_t lane)
{
	struct http_lane *own = &parts->lanes[lane];
	size_t end = parts_end(parts, own);
	bool all = end == own->bound;

	for (size_t place = own->next; place < end && !parts->accepted; place++)
		parts->accepted = !parts->reasons || !parts->reasons[parts_index(parts, place)];
	http_poison_decided(&own->suspicion,
		!parts->reasons || !parts->reasons[parts_index(parts, own->next)], all);
	own->next = end;
	if (all)
		own->bound = 0;
	http_parts_know(parts, lane);
	parts_refresh(own);
}

bool http_parts_halve(struct http_parts *parts, size_t lane)
{
	struct http_lane *own = &parts->lanes[lane];
	size_t *places;
	size_t middle, n;

	if (!http_parts_next(parts, lane, 0, 0, &places, &n))
		return false;
	middle = places[n / 2];
	free(places);
	if (n < 2)
		return false;
	splits_add(&parts->job->splits, middle);
	parts->resplit = true;
	parts_refresh(own);
	return true;
}

void http_parts_doubt(struct http_parts *parts, size_t lane)
{
	struct http_lane *own = &parts->lanes[lane];

	own->doubted = parts_end(parts, own);
	http_poison_forget(&own->suspicion);
}

/* What was sent of a job before it was resumed can be any of the parts. */
void http_parts_know(struct http_parts *parts, size_t lane)
{
	struct http_lane *own = &parts->lanes[lane];

	own->doubted = parts->job->resumed && own->bound > 0 ? parts_end(parts, own) : 0;
}

void http_parts_again(struct http_parts *parts, size_t lane)
{
	struct http_lane *own = &parts->lanes[lane];

	if (own->doubted > 0 && splits_forget(&parts->job->splits, own->next, own->doubted))
		parts->resplit = true;
}

void http_parts_refuse(
	struct http_parts *parts, size_t place, const char *reason, const char *words)
{
	size_t index = parts_index(parts, place);

	if (!parts->reasons)
		parts->reasons = mem_array(parts->job->n_records, sizeof(*parts->reasons));
	if (parts->reasons[index])
		return;
	if (!words)
		words = reason;
	if (parts->n_refused == 0) {
		parts->words = mem_strdup(words);
		parts->same_words = true;
	}
	parts->same_words = parts->same_words && strcmp(parts->words, words) == 0;
	parts->reasons[index] = mem_strdup(reason);
	parts->n_refused++;
}

bool http_parts_none_taken(const struct http_parts *parts, size_t least)
{
	return parts->n_refused > 0 && parts->same_words && !parts->accepted &&
	       (parts->n_refused >= least || parts->n_refused == parts->n_records);
}
