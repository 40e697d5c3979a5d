/* See kafka_position.h. The text is `{"state":…,"through":N,"job":…,"refused":[…],"resent":…,…}`.
 */
#include "sink/kafka/kafka_position.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"

static void kafka_done_deinit(struct kafka_done *done)
{
	free(done->refused);
	*done = (struct kafka_done){0};
}

void kafka_position_deinit(struct kafka_position *position)
{
	kafka_done_deinit(&position->last);
	kafka_done_deinit(&position->resent);
	position->through = 0;
}

void kafka_position_set(struct kafka_position *position, const struct kafka_job *job)
{
	struct kafka_done *done = job->resent ? &position->resent : &position->last;

	kafka_done_deinit(done);
	memcpy(done->id, job->id, sizeof(done->id));
	done->refused = mem_array(job->n_refused, sizeof(*done->refused));
	for (size_t i = 0; i < job->n_records; i++)
		if (job->records[i].refused)
			done->refused[done->n_refused++] = i;
	if (!job->resent)
		position->through = job->through;
}

bool kafka_position_has(const struct kafka_position *position, struct kafka_job *job)
{
	const struct kafka_done *done = job->resent ? &position->resent : &position->last;

	if (strcmp(done->id, job->id) != 0)
		return false;
	for (size_t i = 0; i < done->n_refused; i++) {
		if (done->refused[i] >= job->n_records)
			continue;
		job->n_refused += !job->records[done->refused[i]].refused;
		job->records[done->refused[i]].refused = true;
	}
	return true;
}

static void kafka_done_print(const struct kafka_done *done, bool resent, struct buf *out)
{
	if (!*done->id)
		return;
	buf_printf(out,
		resent ? ",\"resent\":\"%s\",\"resent_refused\":["
		       : ",\"job\":\"%s\",\"refused\":[",
		done->id);
	for (size_t i = 0; i < done->n_refused; i++)
		buf_printf(out, "%s%zu", i > 0 ? "," : "", done->refused[i]);
	buf_append_char(out, ']');
}

void kafka_position_print(const struct kafka_position *position, const struct kafka_job *job,
	const char *state, struct buf *out)
{
	struct kafka_position own = KAFKA_POSITION_NULL;

	own.through = position->through;
	kafka_position_set(&own, job);
	buf_append_text(out, "{\"state\":");
	json_encode(slice_of(state), out);
	buf_printf(out, ",\"through\":%" PRId64, own.through);
	kafka_done_print(job->resent ? &position->last : &own.last, false, out);
	kafka_done_print(job->resent ? &own.resent : &position->resent, true, out);
	buf_append_char(out, '}');
	kafka_position_deinit(&own);
}

static bool kafka_done_parse(struct kafka_done *done, const char *id, const json_t *refused)
{
	if (!id)
		return true;
	if (strlen(id) >= sizeof(done->id))
		return false;
	memcpy(done->id, id, strlen(id) + 1);
	done->refused = mem_array(json_array_size(refused), sizeof(*done->refused));
	for (size_t i = 0; i < json_array_size(refused); i++) {
		const json_t *index = json_array_get(refused, i);

		if (!json_is_integer(index) || json_integer_value(index) < 0)
			return false;
		done->refused[done->n_refused++] = (size_t)json_integer_value(index);
	}
	return true;
}

bool kafka_position_parse(struct kafka_position *ret, struct slice text)
{
	struct kafka_position position = KAFKA_POSITION_NULL;
	json_t *root = json_loadb(text.data ? text.data : "", text.size, 0, NULL);
	json_t *refused = NULL, *resent_refused = NULL;
	const char *id = NULL, *resent = NULL;
	json_int_t through = 0;
	bool fine;

	fine = root &&
	       json_unpack(root, "{s:I,s?s,s?o,s?s,s?o}", "through", &through, "job", &id,
		       "refused", &refused, "resent", &resent, "resent_refused",
		       &resent_refused) == 0 &&
	       kafka_done_parse(&position.last, id, refused) &&
	       kafka_done_parse(&position.resent, resent, resent_refused);
	json_decref(root);
	if (!fine) {
		kafka_position_deinit(&position);
		return false;
	}
	position.through = through;
	kafka_position_deinit(ret);
	*ret = position;
	return true;
}
