/* Jobs for the tests of Kafka sinks. */
#ifndef TRAWLD_TESTS_KAFKA_FIXTURE_H
#define TRAWLD_TESTS_KAFKA_FIXTURE_H

#include "base/digest.h"
#include "pipeline/job.h"
#include "pipeline/selection.h"
#include "sink/kafka/kafka_job.h"

#define KAFKA_TIME ((nsec_t)1765455461217279000)

/* A batch of N records `{"n":I}` from FIRST on; every second has a time. */
static inline struct batch *kafka_batch(
	const char *source, int64_t number, unsigned first, unsigned n)
{
	struct batch *batch = batch_new(source, "p", 0);

	for (unsigned i = first; i < first + n; i++) {
		char text[32], id[16];
		struct id key;

		snprintf(text, sizeof(text), "{\"n\":%u}", i);
		snprintf(id, sizeof(id), "id-%u", i);
		key = digest_id(slice_of(text));
		batch_add(batch, slice_of(text), &key, slice_of(id),
			i % 2 == 0 ? KAFKA_TIME : NSEC_NONE);
	}
	batch->number = number;
	return batch;
}

/* Takes over the references. */
static inline struct kafka_job *kafka_job_of(struct batch *const *batches, size_t n,
	enum record_format format, const char *topic, enum kafka_key key)
{
	const struct str_list none = STR_LIST_NULL;
	const struct job_terms terms = {.format = format};
	struct selection *selection = NULL;
	struct sink_job *from;
	struct kafka_job *job;

	selection_new(&selection, &none, &none, NULL);
	from = job_new("bus", batches, n, selection, &terms);
	job = kafka_job_new(from, topic, key);
	job_free(from);
	selection_free(selection);
	return job;
}

#endif
