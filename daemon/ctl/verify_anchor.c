/*
 * Seals that were sent to another place as soon as they were made show what the seals beside the
 * files cannot: that the end was cut off, or that somebody with the key wrote another history.
 */
#include "ctl/verify.h"

#include <inttypes.h>

/* An anchor may lag: what is sealed later than its last seal by more than this is not anchored. */
#define ANCHOR_LAG_MS (NSEC_PER_DAY / NSEC_PER_MSEC)

static bool speaks_of(const struct verify_chain *anchor, const struct str_list *files)
{
	for (size_t i = 0; i < anchor->n_seals; i++)
		if (str_list_has(files, anchor->seals[i].file))
			return true;
	return false;
}

/* How much later than LAST the newest seal was made, in milliseconds; a clock that is set back
 * makes it no shorter. */
static int64_t lag_after(const struct verify_seal *last, const struct verify_chain *chain)
{
	int64_t lag_ms = 0, time_ms = last->time / NSEC_PER_MSEC;
	for (size_t i = 0; i < chain->n_seals && lag_ms <= ANCHOR_LAG_MS; i++) {
		int64_t next_ms = chain->seals[i].time / NSEC_PER_MSEC;
		if (chain->seals[i].number <= last->number)
			continue;
		if (next_ms > time_ms)
			lag_ms += next_ms - time_ms;
		time_ms = next_ms;
	}
	return lag_ms;
}

static void compare(const struct verify_chain *chain, const struct verify_chain *anchor,
	struct verify_report *report)
{
	const struct verify_seal *last = &anchor->seals[anchor->n_seals - 1];
	int64_t n_missing = 0, n_records = 0, first = 0;
	for (size_t i = 0; i < anchor->n_seals; i++) {
		const struct verify_seal *seal = &anchor->seals[i];
		const struct verify_seal *own = verify_chain_seal(chain, seal->number);
		if (own && strcmp(own->digest, seal->digest) != 0)
			verify_problem(report,
				"seal %" PRId64
				" of chain %.8s is not the one in the anchor: the history was rewritten",
				seal->number, chain->id);
		if (own || seal->number < chain->seals[0].number)
			continue;
		first = n_missing == 0 ? seal->number : first;
		n_missing++;
		n_records += seal->n_records;
	}
	if (n_missing > 0)
		verify_problem(report,
			"chain %.8s: the anchor has %" PRId64 " seal%s over %" PRId64
			" record%s, from number %" PRId64
			" on, that are not here: they were cut off",
			chain->id, n_missing, str_plural((unsigned long long)n_missing), n_records,
			str_plural((unsigned long long)n_records), first);
	const struct verify_seal *newest = &chain->seals[chain->n_seals - 1];
	if (newest->number <= last->number)
		return;
	verify_unproven(report,
		"that seals after number %" PRId64
		" of chain %.8s are the only ones there were: the anchor ends there",
		last->number, chain->id);
	if (lag_after(last, chain) > ANCHOR_LAG_MS)
		report->weak = true;
}

void verify_anchor(const struct verify_chains *chains, const struct verify_chains *anchors,
	const struct str_list *files, struct verify_report *report)
{
	for (size_t i = 0; i < anchors->n_items; i++) {
		const struct verify_chain *anchor = &anchors->items[i];
		const struct verify_chain *chain = verify_chains_find(chains, anchor->id);
		if (chain)
			compare(chain, anchor, report);
		else if (speaks_of(anchor, files))
			verify_problem(report,
				"the anchor has a chain %.8s with %zu seal%s of `%s`, and no seal of it is here: files were removed, or rewritten",
				anchor->id, anchor->n_seals, str_plural(anchor->n_seals),
				anchor->seals[anchor->n_seals - 1].file);
	}
	for (size_t i = 0; i < chains->n_items; i++)
		if (!verify_chains_find(anchors, chains->items[i].id)) {
			verify_unproven(report,
				"that the end of chain %.8s is here and its history is the first: the anchor has no seal of it",
				chains->items[i].id);
			report->weak = true;
		}
}
