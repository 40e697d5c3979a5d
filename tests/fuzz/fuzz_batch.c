/*
 * batch_decode with any bytes: it refuses, or it gives a batch whose walk stays inside its texts
 * and whose encoding decodes to the same. The first byte says how many keys stand beside the frame;
 * with its highest bit set the rest is not a frame but the text inside one, so that the checks
 * behind zstd's checksum are reached.
 */
#include "store/batch.h"

#include <stdint.h>
#include <stdlib.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct batch *batch)
{
	struct batch_cursor cursor = {0};
	struct batch_view view;

	while (batch_next(batch, &cursor, &view)) {
		if (view.text.data[view.text.size] != '\n')
			abort();
	}
	if (cursor.body_offset != batch->body.size || cursor.id_offset != batch->id_text.size)
		abort();
}

static void encode_again(const struct batch *batch, struct slice ids)
{
	struct batch *copy = batch_new("s", "p", 0);
	struct buf encoded = BUF_NULL;

	batch_encode(batch, &encoded);
	if (batch_decode(copy, buf_slice(&encoded), ids, NULL) != 0 ||
		!slice_equal(buf_slice(&copy->body), buf_slice(&batch->body)))
		abort();
	buf_deinit(&encoded);
	batch_unref(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char keys[16 * 128];
	static char frame[1 << 17];
	struct slice text = {(const char *)data + 1, size - 1}, ids;
	struct batch *batch;

	if (size == 0 || size > 1 << 16)
		return 0;
	ids = (struct slice){keys, 16 * (size_t)(data[0] & 127)};
	if (data[0] & 128) {
		text.size = ZSTD_compress(frame, sizeof(frame), text.data, text.size, 1);
		text.data = frame;
	}
	batch = batch_new("s", "p", 0);
	if (batch_decode(batch, text, ids, NULL) == 0) {
		walk(batch);
		encode_again(batch, ids);
	}
	batch_unref(batch);
	return 0;
}
