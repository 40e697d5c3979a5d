/*
 * The lines of trawlctl events --json are the leaves of a tree, and each seal says how many there
 * were and what the root was: lines that were taken away, changed or put in between do not fit.
 */
#include "ctl/verify.h"

#include <inttypes.h>

#include "base/mem.h"
#include "sink/file/file_lines.h"

struct claim {
	const struct verify_seal *seal;
	const char *chain;
};

static int compare_claims(const void *a, const void *b)
{
	const struct verify_seal *x = ((const struct claim *)a)->seal;
	const struct verify_seal *y = ((const struct claim *)b)->seal;
	return (x->n_events > y->n_events) - (x->n_events < y->n_events);
}

/* The seals that speak of events, by their number. The caller frees it. */
static struct claim *list_claims(const struct verify_chains *chains, size_t *ret_n)
{
	struct claim *claims = NULL;
	size_t capacity = 0;
	*ret_n = 0;
	for (size_t i = 0; i < chains->n_items; i++) {
		const struct verify_chain *chain = &chains->items[i];
		for (size_t j = 0; j < chain->n_seals; j++) {
			if (chain->seals[j].n_events < 0)
				continue;
			claims = mem_grow(claims, *ret_n, &capacity, sizeof(*claims));
			claims[(*ret_n)++] = (struct claim){&chain->seals[j], chain->id};
		}
	}
	if (*ret_n > 0)
		qsort(claims, *ret_n, sizeof(*claims), compare_claims);
	return claims;
}

/* Looks at the claims from AT on that speak of as many lines as TREE has. */
static size_t check_claims(const struct claim *claims, size_t n, size_t at,
	const struct merkle *tree, struct verify_report *report)
{
	const struct merkle_hash root = merkle_root(tree);
	for (; at < n && (uint64_t)claims[at].seal->n_events == tree->n_leaves; at++)
		if (memcmp(root.bytes, claims[at].seal->events_root.bytes, DIGEST_SIZE) != 0)
			verify_problem(report,
				"the first %" PRIu64 " event%s are not those that seal %" PRId64
				" of chain %.8s speaks of: events were changed or removed",
				tree->n_leaves, str_plural(tree->n_leaves), claims[at].seal->number,
				claims[at].chain);
	return at;
}

static void tell(const struct claim *claims, size_t n, size_t at, const struct merkle *tree,
	struct verify_report *report)
{
	int64_t n_sealed = n > 0 ? claims[n - 1].seal->n_events : 0;
	if (n == 0) {
		verify_unproven(report, "anything about the events: no seal speaks of them");
		report->weak = true;
	} else if (at < n) {
		verify_problem(report,
			"seal %" PRId64 " of chain %.8s speaks of %" PRId64
			" events, and only %" PRIu64 " are here",
			claims[n - 1].seal->number, claims[n - 1].chain, n_sealed, tree->n_leaves);
	} else if (tree->n_leaves > (uint64_t)n_sealed) {
		verify_unproven(report,
			"anything about the last %" PRIu64
			" event%s: they are newer than the last seal",
			tree->n_leaves - (uint64_t)n_sealed,
			str_plural(tree->n_leaves - (uint64_t)n_sealed));
	}
}

int verify_events(
	const struct verify_chains *chains, const char *path, struct verify_report *report)
{
	struct merkle tree = MERKLE_NULL;
	struct file_lines *lines;
	struct slice line;
	bool ended;
	size_t n, at;
	int r = file_lines_open(&lines, path);
	if (r)
		return r;
	struct claim *claims = list_claims(chains, &n);
	at = check_claims(claims, n, 0, &tree, report);
	while ((r = file_lines_next(lines, &line, &ended)) > 0) {
		struct merkle_hash leaf = merkle_leaf(line);
		merkle_add(&tree, &leaf);
		at = check_claims(claims, n, at, &tree, report);
	}
	tell(claims, n, at, &tree, report);
	file_lines_close(lines);
	free(claims);
	return r;
}
