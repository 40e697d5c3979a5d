/*
 * See secret.h. The registry holds each secret in the forms in which it can come back: as it is,
 * percent-encoded, in base64, in a JSON string. Longest first, so that a secret that contains
 * another is masked whole.
 */
#include "base/secret.h"

#include <stdint.h>
#include <string.h>

#include "base/encode.h"
#include "base/json.h"
#include "base/mem.h"

#define SIZE_MIN 4 /* shorter ones would mask ordinary words */
#define N_FORMS 4

struct entry {
	struct buf forms[N_FORMS];
	unsigned n_refs;
};

static struct entry *entries;
static size_t n_entries, capacity;

void secret_wipe(void *data, size_t size)
{
	if (data && size)
		explicit_bzero(data, size);
}

/* Inside a JSON string; nothing when that is the text itself. */
static void append_json(struct buf *out, struct slice text)
{
	struct buf quoted = BUF_NULL;
	json_encode(text, &quoted);
	if (quoted.size != text.size + 2)
		buf_append(out, quoted.data + 1, quoted.size - 2);
	secret_wipe(quoted.data, quoted.size);
	buf_deinit(&quoted);
}

static struct entry *find(struct slice text)
{
	for (size_t i = 0; i < n_entries; i++)
		if (slice_equal(buf_slice(&entries[i].forms[0]), text))
			return &entries[i];
	return NULL;
}

void secret_register(struct slice text)
{
	if (text.size < SIZE_MIN)
		return;
	struct entry *entry = find(text);
	if (entry) {
		entry->n_refs++;
		return;
	}
	entries = mem_grow(entries, n_entries, &capacity, sizeof(struct entry));
	size_t at = n_entries++;
	while (at > 0 && entries[at - 1].forms[0].size < text.size) {
		entries[at] = entries[at - 1];
		at--;
	}
	entry = &entries[at];
	*entry = (struct entry){.n_refs = 1};
	buf_append_slice(&entry->forms[0], text);
	encode_percent(text, &entry->forms[1]);
	/* whole groups only: what follows a secret in the encoded text changes the last one */
	encode_base64((struct slice){text.data, text.size - text.size % 3}, &entry->forms[2]);
	append_json(&entry->forms[3], text);
}

void secret_unregister(struct slice text)
{
	struct entry *entry = text.size < SIZE_MIN ? NULL : find(text);
	if (!entry || --entry->n_refs)
		return;
	for (size_t i = 0; i < N_FORMS; i++) {
		secret_wipe(entry->forms[i].data, entry->forms[i].size);
		buf_deinit(&entry->forms[i]);
	}
	size_t at = (size_t)(entry - entries);
	memmove(entry, entry + 1, (--n_entries - at) * sizeof(struct entry));
	if (n_entries == 0) {
		free(entries);
		entries = NULL;
		capacity = 0;
	}
}

static void mask_form(struct buf *buf, const struct buf *form)
{
	char *from = buf->data;
	if (form->size < SIZE_MIN)
		return;
	while (from) {
		size_t rest = buf->size - (size_t)(from - buf->data);
		char *hit = memmem(from, rest, form->data, form->size);
		if (!hit)
			return;
		memcpy(hit, "***", 3);
		size_t tail = rest - (size_t)(hit - from) - form->size;
		memmove(hit + 3, hit + form->size, tail + 1);
		buf->size -= form->size - 3;
		from = hit + 3;
	}
}

void secret_mask(struct buf *buf)
{
	if (buf->size < SIZE_MIN)
		return;
	for (size_t i = 0; i < n_entries; i++)
		for (size_t j = 0; j < N_FORMS; j++)
			mask_form(buf, &entries[i].forms[j]);
}

void secret_mask_line(struct buf *buf)
{
	secret_mask(buf);
	for (size_t i = 0; i < buf->size; i++)
		if ((unsigned char)buf->data[i] < 0x20 || buf->data[i] == 0x7f)
			buf->data[i] = '?';
}

void secret_set(struct secret *secret, struct slice text)
{
	secret_deinit(secret);
	secret->text = mem_strndup(text.data, text.size);
	secret->size = text.size;
	secret_register(text);
}

void secret_deinit(struct secret *secret)
{
	if (secret->text) {
		secret_unregister((struct slice){secret->text, secret->size});
		secret_wipe(secret->text, secret->size);
		free(secret->text);
	}
	*secret = SECRET_NULL;
}
