/* See http_parts.h. */
#include "sink/http_parts.h"

#include <assert.h>

#include "base/mem.h"

void http_parts_deinit(struct http_parts *parts)
{
	for (size_t i = 0; parts->reasons && i < parts->n_records; i++)
		free(parts->reasons[i]);
	free(parts->reasons);
	*parts = HTTP_PARTS_NULL;
}

void http_parts_begin(struct http_parts *parts, const struct sink_job *job)
{
	if (parts->over || strcmp(parts->id, job->id) != 0)
		http_parts_deinit(parts);
	parts->job = job;
	parts->n_records = job->n_records;
	memcpy(parts->id, job->id, sizeof(parts->id));
}

static size_t measure(const struct http_parts *parts, size_t max_records, size_t max_bytes)
{
	size_t end = parts->next;
	size_t bytes = 0;

	while (end < parts->job->n_records && end - parts->next < max_records) {
		size_t size = parts->job->records[end].view.text.size;

		if (end > parts->next && (size > max_bytes || bytes > max_bytes - size))
			break;
		bytes += size;
		end++;
	}
	return end;
}

bool http_parts_next(struct http_parts *parts, size_t max_records, size_t max_bytes,
	size_t *ret_first, size_t *ret_n)
{
	if (parts->n_ends == 0) {
		parts->over = parts->next == parts->job->n_records;
		if (parts->over)
			return false;
		parts->ends[parts->n_ends++] = measure(parts, max_records, max_bytes);
	}
	*ret_first = parts->next;
	*ret_n = parts->ends[parts->n_ends - 1] - parts->next;
	return true;
}

void http_parts_done(struct http_parts *parts)
{
	parts->next = parts->ends[--parts->n_ends];
}

bool http_parts_halve(struct http_parts *parts)
{
	size_t n = parts->ends[parts->n_ends - 1] - parts->next;

	if (n < 2)
		return false;
	assert(parts->n_ends < HTTP_PARTS_DEPTH);
	parts->ends[parts->n_ends++] = parts->next + n / 2;
	return true;
}

void http_parts_refuse(struct http_parts *parts, size_t index, const char *reason)
{
	if (!parts->reasons)
		parts->reasons = mem_array(parts->job->n_records, sizeof(*parts->reasons));
	if (parts->reasons[index])
		return;
	parts->reasons[index] = mem_strdup(reason);
	parts->n_refused++;
}
