/* See seal_run.h. */
#include "sink/file/seal_run.h"

#include "base/mem.h"

struct seal_run *seal_run_new(
	struct seal_chain *chain, const char *path, ino_t inode, int64_t start, int64_t first)
{
	struct seal_run *run = MEM_NEW(struct seal_run);

	run->chain = chain;
	run->path = mem_strdup(path);
	run->inode = inode;
	run->start = start;
	run->end = start;
	run->next_end = start;
	run->first = first;
	return run;
}

void seal_run_free(struct seal_run *run)
{
	if (!run)
		return;
	buf_deinit(&run->rest);
	free(run->path);
	free(run);
}

static void seal_run_add(struct seal_run *run, struct slice line)
{
	struct merkle_hash leaf = merkle_leaf(line);

	merkle_add(&run->next, &leaf);
}

void seal_run_feed(struct seal_run *run, struct slice text)
{
	if (!run)
		return;
	run->next_end += (int64_t)text.size;
	while (text.size > 0) {
		const char *feed = memchr(text.data, '\n', text.size);
		struct slice line = {text.data, feed ? (size_t)(feed - text.data) : text.size};

		if (run->rest.size > 0 || !feed)
			buf_append_slice(&run->rest, line);
		if (!feed)
			return;
		seal_run_add(run, run->rest.size > 0 ? buf_slice(&run->rest) : line);
		buf_clear(&run->rest);
		text = (struct slice){feed + 1, text.size - line.size - 1};
	}
}

void seal_run_accept(struct seal_run *run)
{
	if (!run || run->next_end == run->end)
		return;
	run->tree = run->next;
	run->end = run->next_end;
}

void seal_run_undo(struct seal_run *run)
{
	if (!run)
		return;
	run->next = run->tree;
	run->next_end = run->end;
	buf_clear(&run->rest);
}

void seal_run_release(struct seal_run *run)
{
	if (!run)
		return;
	seal_run_undo(run);
	run->open = false;
}

void seal_run_restart(struct seal_run *run)
{
	if (run->first > 0)
		run->first += (int64_t)run->tree.n_leaves;
	run->start = run->end;
	run->tree = MERKLE_NULL;
	run->next = MERKLE_NULL;
}
