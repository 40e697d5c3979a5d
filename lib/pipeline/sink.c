/*
 * What every kind of sink calls: the answer to deliver(), which belongs to the delivery that owns
 * the sink, and the printing of one record.
 */
#include "pipeline/sink.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/timestamp.h"
#include "pipeline/delivery.h"

bool sink_store_position(struct sink *sink, const char *position)
{
	return delivery_store_position(sink->delivery, position);
}

bool sink_store_splits(struct sink *sink, struct fault *reterr)
{
	return delivery_store_splits(sink->delivery, reterr);
}

void sink_publish(struct sink *sink, const char *source, struct slice text, const char *id)
{
	delivery_publish(sink->delivery, source, text, id);
}

void sink_attest(struct sink *sink, const char *source, struct buf *out)
{
	delivery_attest(sink->delivery, source, out);
}

void sink_answer(struct sink *sink, struct sink_answer *answer)
{
	delivery_answer(sink->delivery, answer);
}

bool sink_sent(struct sink *sink)
{
	return delivery_sent(sink->delivery);
}

void sink_confirmed(struct sink *sink)
{
	delivery_confirmed(sink->delivery);
}

void sink_answer_deinit(struct sink_answer *answer)
{
	for (size_t i = 0; i < answer->n_reasons; i++)
		free(answer->reasons[i]);
	free(answer->reasons);
	free(answer->position);
	answer->reasons = NULL;
	answer->n_reasons = 0;
	answer->position = NULL;
}

void sink_recovered(struct sink *sink, const struct fault *fault)
{
	delivery_recovered(sink->delivery, fault);
}

struct sink_job *sink_take_job(struct sink *sink)
{
	return delivery_take_job(sink->delivery);
}

void sink_stalled(struct sink *sink, const struct fault *fault, nsec_t since_ns)
{
	delivery_stalled(sink->delivery, fault, since_ns);
}

void sink_fenced(struct sink *sink, const struct fault *fault)
{
	delivery_fenced(sink->delivery, fault);
}

void sink_advanced(struct sink *sink)
{
	delivery_advanced(sink->delivery);
}

void sink_retried(struct sink *sink, const struct fault *fault)
{
	delivery_retried(sink->delivery, fault);
}

void sink_progress(struct sink *sink)
{
	delivery_progress(sink->delivery);
}

void sink_record_print(const struct sink_record *record, enum record_format format, struct buf *out)
{
	char scratch[33];

	if (format == RECORD_RAW) {
		buf_append_slice(out, record->view.text);
		return;
	}
	buf_append_text(out, "{\"source\":");
	json_encode(slice_of(record->batch->source), out);
	buf_append_text(out, ",\"provider\":");
	json_encode(slice_of(record->batch->provider), out);
	buf_append_text(out, ",\"id\":");
	json_encode(batch_id_text(&record->view, scratch), out);
	buf_append_text(out, ",\"time\":");
	json_encode_time(record->view.time, 9, out);
	if (record->batch->replayed)
		buf_append_text(out, ",\"replayed\":true");
	if (record->removed.data) {
		buf_append_text(out, ",\"removed\":");
		buf_append_slice(out, record->removed);
	}
	buf_append_text(out, ",\"record\":");
	buf_append_slice(out, record->view.text);
	buf_append_char(out, '}');
}
