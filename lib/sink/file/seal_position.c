/* The seals' part of a file sink's stored position. */
#include "sink/file/seal.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"

static void seals_print_text(const char *name, const char *text, struct buf *out)
{
	if (!text)
		return;
	buf_printf(out, ",\"%s\":", name);
	json_encode(slice_of(text), out);
}

static void seals_print_chain(const struct seal_chain *chain, struct buf *out)
{
	const struct file_target *file = chain->file;

	buf_printf(out,
		"{\"id\":\"%s\",\"number\":%" PRId64 ",\"previous\":\"%s\",\"time\":%" PRId64,
		chain->id, chain->number, chain->previous, chain->sealed_time);
	seals_print_text("key", chain->key, out);
	seals_print_text("source", chain->source, out);
	seals_print_text("path", chain->path, out);
	buf_printf(out, ",\"size\":%" PRId64 ",\"check\":\"%s\"", file ? file->size : 0,
		file ? file->check : "");
	seals_print_text("pending", chain->pending, out);
	buf_append_char(out, '}');
}

static void seals_print_run(const struct seal_run *run, struct buf *out)
{
	buf_append_text(out, "{\"chain\":");
	json_encode(slice_of(run->chain->key), out);
	seals_print_text("path", run->path, out);
	buf_printf(out,
		",\"inode\":%" PRId64 ",\"start\":%" PRId64 ",\"end\":%" PRId64
		",\"first\":%" PRId64 ",\"records\":%" PRIu64 ",\"tree\":\"",
		(int64_t)run->inode, run->start, run->end, run->first, run->tree.n_leaves);
	merkle_print(&run->tree, out);
	buf_append_text(out, "\"}");
}

void seals_print(const struct seals *seals, struct buf *out)
{
	buf_append_text(out, "{\"chains\":[");
	for (size_t i = 0; i < seals->n_chains; i++) {
		if (i > 0)
			buf_append_char(out, ',');
		seals_print_chain(seals->chains[i], out);
	}
	buf_append_text(out, "],\"runs\":[");
	for (size_t i = 0; i < seals->n_runs; i++) {
		if (i > 0)
			buf_append_char(out, ',');
		seals_print_run(seals->runs[i], out);
	}
	buf_append_text(out, "]}");
}

/* --- recovery --- */

static int seals_unreadable(struct fault *reterr)
{
	return fault_set(reterr, FAULT_STORE, "the stored position is not readable");
}

/* The state has no seal of CHAIN, but may be older than the files. */
static void seals_meet_runs(struct seals *seals, struct seal_chain *chain)
{
	for (size_t i = 0; i < seals->n_runs; i++) {
		char *path CLEANUP_FREE = mem_printf("%s" SEAL_SUFFIX, seals->runs[i]->path);

		if (seals->runs[i]->chain == chain)
			seal_chain_meet(chain, seals, path);
	}
}

static int seals_recover_chain(struct seals *seals, json_t *item, struct fault *reterr)
{
	const char *id, *previous, *key, *check, *path = NULL, *pending = NULL, *source = NULL;
	json_int_t number, time, size;
	struct seal_chain *chain;

	if (json_unpack(item, "{s:s,s:I,s:s,s:I,s:s,s?s,s?s,s:I,s:s,s?s}", "id", &id, "number",
		    &number, "previous", &previous, "time", &time, "key", &key, "source", &source,
		    "path", &path, "size", &size, "check", &check, "pending", &pending) != 0 ||
		strlen(id) != sizeof(chain->id) - 1 ||
		strlen(previous) >= sizeof(chain->previous) || number < 0 || size < 0 ||
		(!path && pending))
		return seals_unreadable(reterr);
	chain = seals_chain(seals, key);
	memcpy(chain->id, id, sizeof(chain->id));
	memcpy(chain->previous, previous, strlen(previous) + 1);
	chain->number = number;
	chain->sealed_time = time;
	if (!chain->source)
		chain->source = mem_strdup(source);
	chain->path = mem_strdup(path);
	chain->pending = mem_strdup(pending);
	chain->stored = true;
	if (path)
		return seal_chain_recover(chain, seals, size, check, reterr);
	seals_meet_runs(seals, chain);
	return 0;
}

static int seals_recover_run(struct seals *seals, json_t *item, struct fault *reterr)
{
	json_int_t inode, start, end, first, records;
	const char *key, *path, *tree;
	struct seal_run *run;

	if (json_unpack(item, "{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:s}", "chain", &key, "path", &path,
		    "inode", &inode, "start", &start, "end", &end, "first", &first, "records",
		    &records, "tree", &tree) != 0 ||
		start < 0 || end < start || first < 0 || records < 0)
		return seals_unreadable(reterr);
	run = seal_run_new(seals_chain(seals, key), path, (ino_t)inode, start, first);
	seals_add_run(seals, run);
	run->end = end;
	if (merkle_parse(&run->tree, (uint64_t)records, slice_of(tree)) != 0)
		return seals_unreadable(reterr);
	seal_run_undo(run);
	return 0;
}

int seals_recover(struct seals *seals, json_t *value, struct fault *reterr)
{
	json_t *chains, *runs, *item;
	size_t index;
	int r = 0;

	if (!seals->pattern || !value)
		return 0;
	if (json_unpack(value, "{s:o,s:o}", "chains", &chains, "runs", &runs) != 0)
		return seals_unreadable(reterr);
	json_array_foreach(runs, index, item)
	{
		r = seals_recover_run(seals, item, reterr);
		if (r)
			return r;
	}
	json_array_foreach(chains, index, item)
	{
		r = seals_recover_chain(seals, item, reterr);
		if (r)
			return r;
	}
	return 0;
}
