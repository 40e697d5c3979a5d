/* When a file sink makes its seals, and where they go. */
#include "sink/file/sink_file_internal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/timer.h"

#define SINK_FILE_SEAL_RETRIES 3 /* at the end, a second apart */

void sink_file_seal(struct sink_file *file)
{
	struct seals *seals = &file->writer.position.seals;

	file->seal_due = false;
	seals_make(seals, clock_wall());
	if (!seals->failing) {
		file->n_seal_retries = 0;
	} else if (file->base.hurried && file->n_seal_retries < SINK_FILE_SEAL_RETRIES) {
		file->n_seal_retries++;
		timer_start(file->loop, &file->seal_retry, NSEC_PER_SEC);
	}
	seal_stamps_step(file->stamps);
}

static void sink_file_on_seal(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct sink_file *file = watcher->data;

	(void)loop;
	(void)events;
	if (file->job)
		file->seal_due = true;
	else
		sink_file_due(file, SINK_FILE_SEAL);
}

static void sink_file_on_seal_retry(struct ev_loop *loop, ev_timer *watcher, int events)
{
	ev_timer_stop(loop, watcher);
	sink_file_on_seal(loop, watcher, events);
}

/* In one transaction with the position that has the seal. */
static void sink_file_publish(const struct seal_news *seal, void *userdata)
{
	struct sink_file *file = userdata;
	char *id;

	if (file->ends) /* the position is not stored any more */
		return;
	id = mem_printf("%s:%lld", seal->chain->id, (long long)seal->number);
	sink_publish(&file->base, file->seal_source,
		(struct slice){seal->line, strlen(seal->line) - 1}, id);
	free(id);
}

static void sink_file_attest(const char *source, struct buf *out, void *userdata)
{
	struct sink_file *file = userdata;

	sink_attest(&file->base, source, out);
}

static void sink_file_stamp_due(void *userdata)
{
	sink_file_due(userdata, SINK_FILE_STAMP);
}

static void sink_file_init_stamps(struct sink_file *file, const struct sink_setup *setup)
{
	const struct file_options *options = setup->options;

	if (!options->timestamp_url || !setup->client)
		return;
	file->stamps = seal_stamps_new(&(struct seal_stamps_setup){
		.loop = file->loop,
		.client = setup->client,
		.seals = &file->writer.position.seals,
		.url = options->timestamp_url,
		.due = sink_file_stamp_due,
		.userdata = file,
	});
}

int sink_file_init_seals(
	struct sink_file *file, const struct sink_setup *setup, struct fault *reterr)
{
	const struct file_options *options = setup->options;
	struct seals *seals = &file->writer.position.seals;
	const struct secret *key = &options->seal_key;

	ev_timer_init(&file->seal, sink_file_on_seal, (double)options->seal_ns / NSEC_PER_SEC,
		(double)options->seal_ns / NSEC_PER_SEC);
	file->seal.data = file;
	ev_timer_init(&file->seal_retry, sink_file_on_seal_retry, 0., 0.);
	file->seal_retry.data = file;
	if (options->seal_ns == 0)
		return 0;
	if (!key->text || ed25519_private(&seals->key, (struct slice){key->text, key->size}) != 0)
		return fault_set(reterr, FAULT_CONFIG, "seal_key is not an Ed25519 private key");
	seals->subject = file->writer.subject;
	seals->pattern = file->pattern;
	seals->modes = file->writer.modes;
	seals->store = sink_file_store;
	seals->attest = sink_file_attest;
	seals->userdata = file;
	if (options->seal_to) {
		file->seal_source = mem_printf("%s" SINK_SEALS_SUFFIX, file->base.name);
		seals->publish = sink_file_publish;
	}
	sink_file_init_stamps(file, setup);
	ev_timer_start(file->loop, &file->seal);
	return 0;
}
