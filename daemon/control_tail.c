/* See control_internal.h: records as they are committed, for clients that follow them. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "control_internal.h"
#include "pipeline/sink.h"

#define TAIL_MAX                                                                                   \
	((size_t)4 << 20) /* waits for a client; what is beyond is left out, and counted           \
			   */

json_t *control_tail_begin(struct control_client *client, const char *source)
{
	if (source && !setup_find_source(client->control->parts->setup, source))
		return NULL;
	client->tails = true;
	client->tail_source = source ? mem_strdup(source) : NULL;
	return json_pack("{s:b}", "ok", 1);
}

static void send_batch(struct control_client *client, const struct batch *batch)
{
	struct sink_record record = {.batch = batch};
	struct batch_cursor cursor = {0};
	bool waits = client->out.size > 0;
	while (batch_next(batch, &cursor, &record.view)) {
		if (client->out.size > TAIL_MAX) {
			client->n_left_out++;
			continue;
		}
		if (client->n_left_out > 0)
			buf_printf(
				&client->out, "{\"left_out\":%" PRIu64 "}\n", client->n_left_out);
		client->n_left_out = 0;
		sink_record_print(&record, RECORD_ENVELOPE, &client->out);
		buf_append_char(&client->out, '\n');
	}
	if (waits)
		return;
	ev_io_start(client->control->parts->loop, &client->writer);
	ev_timer_again(client->control->parts->loop, &client->silence);
}

void control_tail(const struct batch *batch, void *userdata)
{
	struct control *control = userdata;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = control->clients[i];
		if (client && client->tails && !client->ends &&
			(!client->tail_source || strcmp(client->tail_source, batch->source) == 0))
			send_batch(client, batch);
	}
}
