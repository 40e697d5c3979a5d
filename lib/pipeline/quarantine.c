/* See quarantine.h. */
#include "pipeline/quarantine.h"

#include "base/mem.h"
#include "base/str.h"
#include "pipeline/deadletter.h"
#include "store/occurrence.h"

#define KEPT_MAX ((size_t)100000) /* keys remembered; then all are forgotten */

struct quarantine {
	char *state_directory;
	const struct log_subject *source;
	struct idset kept; /* with their occurrences */
	struct idset chain; /* those met in this chain (or page) */
	uint64_t n_kept;
	nsec_t told_at; /* NSEC_NONE: never */
};

struct quarantine *quarantine_new(const char *state_directory, const struct log_subject *source)
{
	struct quarantine *quarantine = MEM_NEW(struct quarantine);
	quarantine->state_directory = mem_strdup(state_directory);
	quarantine->source = source;
	quarantine->told_at = NSEC_NONE;
	return quarantine;
}

void quarantine_free(struct quarantine *quarantine)
{
	if (!quarantine)
		return;
	idset_deinit(&quarantine->kept);
	idset_deinit(&quarantine->chain);
	free(quarantine->state_directory);
	free(quarantine);
}

uint64_t quarantine_count(const struct quarantine *quarantine)
{
	return quarantine->n_kept;
}

static bool is_new(struct quarantine *quarantine, const struct id *key, enum record_scope scope)
{
	if (scope == RECORD_SCOPE_EXACT)
		return true;
	unsigned nth = occurrence_count(&quarantine->chain, key);
	occurrence_add(&quarantine->chain, key);
	return nth >= occurrence_count(&quarantine->kept, key);
}

/* A source may send many: a minute's are told by their number. */
static void tell(struct quarantine *quarantine, const struct bad_element *first, size_t n)
{
	nsec_t now_at = clock_monotonic();
	if (quarantine->told_at != NSEC_NONE && now_at - quarantine->told_at < NSEC_PER_MIN)
		return;
	quarantine->told_at = now_at;
	log_warning(quarantine->source,
		"%zu element%s of a response cannot be a record (%s); kept in %s/dead-letters/" DEADLETTER_SOURCE
		".ndjson, polling continues",
		n, str_plural(n), first->reason, quarantine->state_directory,
		quarantine->source->name);
}

int quarantine_take(
	struct quarantine *quarantine, const struct bad_elements *bad, struct fault *reterr)
{
	struct bad_element *fresh = mem_array(bad->n_items, sizeof(*fresh));
	size_t n = 0;
	if (bad->scope == RECORD_SCOPE_PAGE || bad->new_chain)
		idset_clear(&quarantine->chain);
	if (quarantine->kept.n_ids > KEPT_MAX)
		idset_clear(&quarantine->kept);
	for (size_t i = 0; i < bad->n_items; i++)
		if (is_new(quarantine, &bad->items[i].key, bad->scope))
			fresh[n++] = bad->items[i];
	int r = n ? deadletter_keep(
			    quarantine->state_directory, quarantine->source->name, fresh, n, reterr)
		  : 0;
	if (!r && n > 0) {
		for (size_t i = 0; i < n; i++)
			occurrence_add(&quarantine->kept, &fresh[i].key);
		quarantine->n_kept += n;
		tell(quarantine, &fresh[0], n);
	}
	free(fresh);
	return r;
}
