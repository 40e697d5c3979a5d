/*
 * trawlctl find: where the record with an ID is. The dedupe windows know it by its key, kept and
 * waiting batches have its text, and it may be a dead letter. Reads the state beside a running
 * daemon.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "pipeline/deadletter.h"
#include "pipeline/sink.h"
#include "store/kept.h"
#include "terminal.h"

#define COLONS_MAX 6
#define KEYS_MAX ((1 << COLONS_MAX) + 1)

struct found {
	const char *source, *sinks; /* NULL: none */
	const char *state;
	int64_t number; /* of the batch; 0: not known */
	nsec_t time;
	const char *reason; /* of a dead letter; NULL */
	struct slice record; /* SLICE_NULL: its text is not there */
};

struct search {
	const char *id;
	struct id keys[KEYS_MAX];
	size_t n_keys;
	bool json;
	uint64_t n_found;
	struct store *store;
	const struct config *config;
	int r; /* reading a body: 0 or STORE_E_* */
	bool unreadable; /* some dead letters are */
	struct fault *fault;
	struct buf out;
};

/* --- keys --- */

/* An ID of several parts is printed with colons between them, and its key is of the parts with
 * their lengths (source/page.h): each colon may be one of those, or belong to a part. */
static void add_key_of_parts(struct search *search, unsigned colons)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	const char *begin = search->id, *at = begin;
	unsigned n = 0;
	for (;; at++) {
		if (*at && (*at != ':' || !(colons >> n++ & 1)))
			continue;
		buf_printf(&text, "%zu:", (size_t)(at - begin));
		buf_append_slice(&text, (struct slice){begin, (size_t)(at - begin)});
		if (!*at)
			break;
		begin = at + 1;
	}
	search->keys[search->n_keys++] = digest_id(buf_slice(&text));
}

static void find_keys(struct search *search)
{
	unsigned n_colons = 0;
	for (const char *at = search->id; *at; at++)
		n_colons += *at == ':';
	search->keys[search->n_keys++] = digest_id(slice_of(search->id));
	/* the key itself: what is printed for the ID of a record that has none */
	struct id *key = &search->keys[search->n_keys];
	if (digest_parse_hex(slice_of(search->id), key->bytes, sizeof(key->bytes)))
		search->n_keys++;
	if (n_colons > COLONS_MAX)
		fprintf(stderr,
			"trawlctl: the ID has more than %d colons: it is searched for as one part only\n",
			COLONS_MAX);
	if (n_colons == 0 || n_colons > COLONS_MAX)
		return;
	for (unsigned colons = 1; colons < 1u << n_colons && search->n_keys < KEYS_MAX; colons++)
		add_key_of_parts(search, colons);
}

/* --- what is printed --- */

static void print_json(const struct found *found, struct buf *out)
{
	struct buf time CLEANUP(buf_deinit) = BUF_NULL;
	timestamp_print_rfc3339(found->time, 3, &time);
	buf_append_text(out, "{\"source\":");
	json_encode(slice_of(found->source), out);
	buf_printf(out, ",\"state\":\"%s\",\"time\":\"%s\"", found->state, buf_text(&time));
	if (found->number > 0)
		buf_printf(out, ",\"batch\":%lld", (long long)found->number);
	if (found->sinks) {
		buf_append_text(out, ",\"sinks\":");
		json_encode(slice_of(found->sinks), out);
	}
	if (found->reason) {
		buf_append_text(out, ",\"reason\":");
		json_encode(slice_of(found->reason), out);
	}
	if (found->record.data) {
		buf_append_text(out, ",\"record\":");
		buf_append_slice(out, found->record);
	}
	buf_append_text(out, "}\n");
}

static void print_text(const struct found *found, struct buf *out)
{
	timestamp_print_rfc3339(found->time, 3, out);
	buf_printf(out, "  source %s", found->source);
	if (found->number > 0)
		buf_printf(out, "  batch %lld", (long long)found->number);
	buf_printf(out, "  %s", found->state);
	if (found->sinks)
		buf_printf(out, " %s %s", found->reason ? "of sink" : "for", found->sinks);
	if (found->reason) {
		buf_append_text(out, ": ");
		buf_append_text(out, found->reason);
	} else if (!found->record.data) {
		buf_append_text(out, "; its text is no longer kept");
	}
	buf_append_char(out, '\n');
	if (!found->record.data)
		return;
	buf_append_text(out, "    ");
	buf_append_slice(out, found->record);
	buf_append_char(out, '\n');
}

static void print(struct search *search, const struct found *found)
{
	search->n_found++;
	if (search->json)
		print_json(found, &search->out);
	else
		print_text(found, &search->out);
}

/* --- the state --- */

static void add_place(const struct kept_place *place, void *userdata)
{
	struct search *search = userdata;
	struct batch *batch = NULL;
	struct batch_cursor cursor = {0};
	struct batch_view view = {0};
	struct found found = {
		.source = place->source,
		.sinks = place->sinks,
		.state = place->waits      ? "waiting"
			 : place->has_body ? "kept"
					   : "delivered",
		.number = place->number,
		.time = place->time,
	};
	if (place->has_body && search->r == 0)
		search->r = kept_get(search->store, place->number, &batch, search->fault);
	if (search->r) /* that is told, and its text is not gone */
		return;
	while (batch && batch_next(batch, &cursor, &view))
		if (view.index == place->index)
			found.record = view.text;
	print(search, &found);
	batch_unref(batch);
}

static int read_places(struct store *store, void *userdata, struct fault *reterr)
{
	struct search *search = userdata;
	search->store = store;
	search->fault = reterr;
	int r = kept_find(store, search->keys, search->n_keys, add_place, search, reterr);
	return r ? r : search->r;
}

/* --- dead letters --- */

static bool is_it(const struct search *search, const struct deadletter *letter)
{
	for (size_t i = 0; i < search->n_keys; i++)
		if (memcmp(&search->keys[i], &letter->key, sizeof(letter->key)) == 0)
			return true;
	return false;
}

static void add_letter(struct search *search, const char *sink, const struct deadletter *letter)
{
	char *source CLEANUP_FREE = mem_strndup(letter->source.data, letter->source.size);
	struct buf reason CLEANUP(buf_deinit) = BUF_NULL;
	/* as in JSON: nothing in it can move the cursor of a terminal */
	json_encode(letter->reason, &reason);
	char *words CLEANUP_FREE = mem_strndup(reason.data + 1, reason.size - 2);
	print(search, &(struct found){
			      .source = source,
			      .sinks = sink,
			      .state = "dead letter",
			      .time = letter->time,
			      .reason = words,
			      .record = letter->record,
		      });
}

static void cannot_read(struct search *search, const char *path, int error)
{
	fprintf(stderr, "trawlctl: cannot read %s: %s\n", path, strerror(error));
	search->unreadable = true;
}

static void read_letters(const char *sink, const char *path, void *userdata)
{
	struct search *search = userdata;
	struct deadletter_reader *reader CLEANUP(deadletter_reader_free) = deadletter_reader_new();
	char *line CLEANUP_FREE = NULL;
	size_t capacity = 0;
	ssize_t size;
	FILE *file = fopen(path, "re");
	if (!file) {
		cannot_read(search, path, errno);
		return;
	}
	while ((size = getline(&line, &capacity, file)) > 0) {
		struct deadletter letter;
		if (deadletter_read(
			    reader, str_trim((struct slice){line, (size_t)size}), &letter) &&
			is_it(search, &letter))
			add_letter(search, sink, &letter);
	}
	if (ferror(file))
		cannot_read(search, path, errno);
	fclose(file);
}

static void read_all_letters(struct search *search)
{
	const char *directory = search->config->daemon.state_directory;
	int r = deadletter_each(directory, read_letters, search);
	if (!r)
		return;
	char *folder CLEANUP_FREE = mem_printf("%s/dead-letters", directory);
	cannot_read(search, folder, -r);
}

int ctl_find(const struct ctl_arguments *arguments)
{
	struct config *config = ctl_config(arguments);
	if (!config)
		return EX_CONFIG;
	struct search search = {.id = arguments->name, .json = arguments->json, .config = config};
	find_keys(&search);
	int code = ctl_read_state(config, read_places, &search);
	if (code == 0)
		read_all_letters(&search);
	terminal_write(buf_slice(&search.out));
	buf_deinit(&search.out);
	if (code == 0 && search.n_found == 0 && search.unreadable) {
		fprintf(stderr,
			"trawlctl: no record with the ID `%s` was found, but it may be among what cannot be read\n",
			arguments->name);
		code = EX_CANTCREAT;
	} else if (code == 0 && search.n_found == 0) {
		fprintf(stderr,
			"trawlctl: no record with the ID `%s` waits, is kept, is a dead letter or is in a dedupe window\n",
			arguments->name);
		ctl_tell_kept(config);
		code = 1;
	}
	config_free(config);
	return code;
}
