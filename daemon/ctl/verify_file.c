/*
 * See ctl/verify.h: one file of records against the seals. Which seals a file has is not read from
 * its name, which a rotation changes, but from its records: at each offset where a run of seals
 * begins, a Merkle tree is built and compared with the first root of every run that begins there.
 * From then on the run is followed seal by seal.
 */
#include "ctl/verify.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "ctl/verify_set.h"
#include "sink/file/file_lines.h"

/* A run that the file has. */
struct tracker {
	struct verify_run *run;
	size_t seal; /* the next or current one that has records; run->end: all are done */
	struct merkle tree; /* of the current one */
	int64_t first; /* its first line */
	int64_t n_bad; /* seals whose records are not as sealed */
};

/* Runs that the file may have, all beginning at one offset. */
struct probe {
	int64_t start, first;
	struct merkle tree;
	uint64_t next; /* at so many leaves a root is compared */
};

struct walk {
	struct verify_runs *runs;
	const char *path, *name; /* of the file, and without folder, rotation and compression */
	struct verify_run *forced;
	struct verify_proof *proof;
	struct verify_report *report;
	struct tracker *trackers;
	size_t n_trackers, trackers_capacity;
	struct probe *probes;
	size_t n_probes, probes_capacity;
	int64_t *starts; /* offsets where runs begin, rising */
	size_t n_starts, next_start;
	int64_t offset, line; /* of the next line */
	int64_t covered; /* no line up to this one is to be counted as sealed again */
	int64_t n_before, n_between; /* lines that no seal covers */
};

/* --- runs --- */

static bool continues(const struct verify_run *run, const struct verify_seal *seal)
{
	const struct verify_seal *last = &run->chain->seals[run->end - 1];
	return strcmp(run->file, seal->file) == 0 && seal->number == last->number + 1 &&
	       seal->offset == last->offset + last->n_bytes && !(last->closed && seal->offset == 0);
}

void verify_runs_find(struct verify_runs *runs, const struct verify_chains *chains)
{
	for (size_t i = 0; i < chains->n_items; i++) {
		const struct verify_chain *chain = &chains->items[i];
		struct verify_run *run = NULL;
		for (size_t j = 0; j < chain->n_seals; j++) {
			const struct verify_seal *seal = &chain->seals[j];
			if (!run || !continues(run, seal)) {
				runs->items = mem_grow(runs->items, runs->n_items, &runs->capacity,
					sizeof(runs->items[0]));
				run = &runs->items[runs->n_items++];
				*run = (struct verify_run){
					.chain = chain,
					.begin = j,
					.file = seal->file,
					.start = seal->offset,
				};
			}
			run->end = j + 1;
			run->n_records += seal->n_records;
		}
	}
}

/* The first seal from INDEX on that has records. */
static size_t skip_empty(const struct verify_run *run, size_t index)
{
	while (index < run->end && run->chain->seals[index].n_records == 0)
		index++;
	return index;
}

static bool is_open(const struct walk *walk, const struct verify_run *run)
{
	return !run->found && run->n_records > 0 && (!walk->forced || walk->forced == run);
}

static int compare_offsets(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void find_starts(struct walk *walk)
{
	walk->starts = mem_array(walk->runs->n_items, sizeof(walk->starts[0]));
	for (size_t i = 0; i < walk->runs->n_items; i++)
		if (is_open(walk, &walk->runs->items[i]))
			walk->starts[walk->n_starts++] = walk->runs->items[i].start;
	if (walk->n_starts > 0)
		qsort(walk->starts, walk->n_starts, sizeof(walk->starts[0]), compare_offsets);
}

/* --- following --- */

static void follow(struct walk *walk, struct verify_run *run, size_t seal, int64_t first)
{
	walk->trackers = mem_grow(walk->trackers, walk->n_trackers, &walk->trackers_capacity,
		sizeof(walk->trackers[0]));
	walk->trackers[walk->n_trackers++] = (struct tracker){
		.run = run,
		.seal = skip_empty(run, seal),
		.first = first,
	};
	run->found = walk->path;
}

/* Lines FIRST to LAST are as SEAL says. */
static void cover(struct walk *walk, const struct verify_seal *seal, int64_t first, int64_t last)
{
	struct verify_proof *proof = walk->proof;
	if (proof && !proof->seal && proof->line >= first && proof->line <= last) {
		proof->seal = seal;
		proof->first = first;
	}
	if (first > walk->covered + 1 && walk->covered == 0)
		walk->n_before += first - walk->covered - 1;
	else if (first > walk->covered + 1)
		walk->n_between += first - walk->covered - 1;
	if (last <= walk->covered)
		return;
	walk->report->n_sealed += last - (first > walk->covered ? first - 1 : walk->covered);
	walk->covered = last;
}

static void tell_changed(
	struct walk *walk, struct tracker *tracker, const struct verify_seal *seal, int64_t last)
{
	if (tracker->n_bad++ == 0)
		verify_problem(walk->report,
			"%s: lines %" PRId64 " to %" PRId64 " are not those of seal %" PRId64
			" of chain %.8s: a record there was changed, added or removed",
			walk->path, tracker->first, last, seal->number, tracker->run->chain->id);
	if (last > walk->covered)
		walk->covered = last;
}

/* The lines of the current seal are read. */
static void end_seal(struct walk *walk, struct tracker *tracker)
{
	const struct verify_seal *seal = &tracker->run->chain->seals[tracker->seal];
	struct merkle_hash root = merkle_root(&tracker->tree);
	bool same = memcmp(&root, &seal->root, sizeof(root)) == 0;
	if (!same)
		tell_changed(walk, tracker, seal, walk->line);
	else if (seal->first > 0 && seal->first != tracker->first)
		verify_problem(walk->report,
			"%s: line %" PRId64 " was line %" PRId64 " when seal %" PRId64
			" of chain %.8s was made: lines before it were added or removed",
			walk->path, tracker->first, seal->first, seal->number,
			tracker->run->chain->id);
	if (same)
		cover(walk, seal, tracker->first, walk->line);
	tracker->seal = skip_empty(tracker->run, tracker->seal + 1);
	tracker->tree = MERKLE_NULL;
	tracker->first = walk->line + 1;
}

static void add_to_trackers(struct walk *walk, const struct merkle_hash *leaf)
{
	for (size_t i = 0; i < walk->n_trackers; i++) {
		struct tracker *tracker = &walk->trackers[i];
		if (tracker->seal == tracker->run->end)
			continue;
		merkle_add(&tracker->tree, leaf);
		if ((int64_t)tracker->tree.n_leaves ==
			tracker->run->chain->seals[tracker->seal].n_records)
			end_seal(walk, tracker);
	}
}

/* --- probing --- */

/* The runs of PROBE are compared next at so many leaves; 0: none is left. */
static uint64_t find_next(const struct walk *walk, const struct probe *probe)
{
	uint64_t next = 0;
	for (size_t i = 0; i < walk->runs->n_items; i++) {
		const struct verify_run *run = &walk->runs->items[i];
		if (!is_open(walk, run) || run->start != probe->start)
			continue;
		uint64_t n = (uint64_t)run->chain->seals[skip_empty(run, run->begin)].n_records;
		if (n > probe->tree.n_leaves && (next == 0 || n < next))
			next = n;
	}
	return next;
}

static void begin_probe(struct walk *walk)
{
	while (walk->next_start < walk->n_starts && walk->starts[walk->next_start] < walk->offset)
		walk->next_start++;
	if (walk->next_start == walk->n_starts || walk->starts[walk->next_start] > walk->offset)
		return;
	while (walk->next_start < walk->n_starts && walk->starts[walk->next_start] == walk->offset)
		walk->next_start++;
	if (walk->forced) {
		follow(walk, walk->forced, walk->forced->begin, walk->line);
		return;
	}
	struct probe probe = {.start = walk->offset, .first = walk->line};
	probe.next = find_next(walk, &probe);
	if (probe.next == 0)
		return;
	walk->probes = mem_grow(
		walk->probes, walk->n_probes, &walk->probes_capacity, sizeof(walk->probes[0]));
	walk->probes[walk->n_probes++] = probe;
}

/* Does the first seal of RUN have the lines of PROBE, whose root is ROOT? */
static bool fits(const struct walk *walk, const struct verify_run *run, const struct probe *probe,
	const struct merkle_hash *root)
{
	if (!is_open(walk, run) || run->start != probe->start)
		return false;
	const struct verify_seal *seal = &run->chain->seals[skip_empty(run, run->begin)];
	return (uint64_t)seal->n_records == probe->tree.n_leaves &&
	       memcmp(&seal->root, root, sizeof(*root)) == 0;
}

/* Two archives may hold the same records: is one of the runs that fit of a file with this name? */
static bool named(
	const struct walk *walk, const struct probe *probe, const struct merkle_hash *root)
{
	for (size_t i = 0; i < walk->runs->n_items; i++) {
		const struct verify_run *run = &walk->runs->items[i];
		if (fits(walk, run, probe, root) && strcmp(run->file, walk->name) == 0)
			return true;
	}
	return false;
}

/* The first run whose first seal has the lines of PROBE; one of each chain at most. */
static void compare_probe(struct walk *walk, const struct probe *probe)
{
	struct merkle_hash root = merkle_root(&probe->tree);
	const struct verify_chain *taken = NULL;
	bool by_name = named(walk, probe, &root);
	for (size_t i = 0; i < walk->runs->n_items; i++) {
		struct verify_run *run = &walk->runs->items[i];
		if (!fits(walk, run, probe, &root) || run->chain == taken ||
			(by_name && strcmp(run->file, walk->name) != 0))
			continue;
		size_t index = skip_empty(run, run->begin);
		follow(walk, run, index + 1, walk->line + 1);
		cover(walk, &run->chain->seals[index], probe->first, walk->line);
		taken = run->chain;
	}
}

static void add_to_probes(struct walk *walk, const struct merkle_hash *leaf)
{
	size_t i = 0;
	while (i < walk->n_probes) {
		struct probe *probe = &walk->probes[i];
		merkle_add(&probe->tree, leaf);
		if (probe->tree.n_leaves == probe->next) {
			compare_probe(walk, probe);
			probe->next = find_next(walk, probe);
		}
		if (probe->next == 0)
			*probe = walk->probes[--walk->n_probes];
		else
			i++;
	}
}

/* --- the end of the file --- */

static void end_tracker(struct walk *walk, const struct tracker *tracker)
{
	const struct verify_run *run = tracker->run;
	int64_t n_missing = -(int64_t)tracker->tree.n_leaves;
	for (size_t i = tracker->seal; i < run->end; i++)
		n_missing += run->chain->seals[i].n_records;
	if (tracker->seal < run->end)
		verify_problem(walk->report,
			"%s: %" PRId64 " record%s that seals %" PRId64 " to %" PRId64
			" of chain %.8s cover%s missing at its end",
			walk->path, n_missing, str_plural((unsigned long long)n_missing),
			run->chain->seals[tracker->seal].number,
			run->chain->seals[run->end - 1].number, run->chain->id,
			n_missing == 1 ? " is" : " are");
	if (tracker->n_bad > 1)
		verify_problem(walk->report,
			"%s: %" PRId64 " more seal%s of chain %.8s after it %s not fit", walk->path,
			tracker->n_bad - 1, str_plural((unsigned long long)tracker->n_bad - 1),
			run->chain->id, tracker->n_bad == 2 ? "does" : "do");
}

/* Was the file closed after the last line that is sealed? */
static bool was_closed(const struct walk *walk)
{
	for (size_t i = 0; i < walk->n_trackers; i++) {
		const struct tracker *tracker = &walk->trackers[i];
		if (tracker->seal == tracker->run->end && tracker->first == walk->covered + 1 &&
			tracker->run->chain->seals[tracker->run->end - 1].closed)
			return true;
	}
	return false;
}

static void end_file(struct walk *walk)
{
	int64_t n_lines = walk->line - 1, n_after = n_lines - walk->covered;
	walk->report->n_records += n_lines;
	for (size_t i = 0; i < walk->n_trackers; i++)
		end_tracker(walk, &walk->trackers[i]);
	if (walk->n_trackers == 0)
		return;
	if (walk->n_before > 0)
		verify_unproven(walk->report,
			"anything about the first %" PRId64 " record%s of %s: no seal covers %s",
			walk->n_before, str_plural((unsigned long long)walk->n_before), walk->path,
			walk->n_before == 1 ? "it" : "them");
	if (walk->n_between > 0)
		verify_problem(walk->report,
			"%s: %" PRId64
			" record%s between sealed ones that no seal covers: something else wrote to the file, or the state of trawld was restored",
			walk->path, walk->n_between,
			str_plural((unsigned long long)walk->n_between));
	if (n_after > 0 && was_closed(walk))
		verify_problem(walk->report,
			"%s: %" PRId64
			" record%s after the last seal, which was made when the file was closed",
			walk->path, n_after, str_plural((unsigned long long)n_after));
	else if (n_after > 0)
		verify_unproven(walk->report,
			"anything about the last %" PRId64
			" record%s of %s: %s after the last seal",
			n_after, str_plural((unsigned long long)n_after), walk->path,
			n_after == 1 ? "it is" : "they are");
}

static void walk_deinit(struct walk *walk)
{
	free(walk->trackers);
	free(walk->probes);
	free(walk->starts);
}

int verify_file(struct verify_runs *runs, const char *path, struct verify_run *run,
	struct verify_proof *proof, struct verify_report *report, bool *ret_found)
{
	bool rotated;
	char *base CLEANUP_FREE = verify_set_base(path, &rotated);
	struct walk walk = {
		.runs = runs,
		.path = path,
		.name = verify_set_name(base),
		.forced = run,
		.proof = proof,
		.report = report,
		.line = 1,
	};
	struct file_lines *lines;
	struct slice line;
	bool ended = true;
	int r = file_lines_open(&lines, path);
	if (r)
		return r;
	find_starts(&walk);
	while ((r = file_lines_next(lines, &line, &ended)) > 0) {
		struct merkle_hash leaf = merkle_leaf(line);
		begin_probe(&walk);
		if (!ended)
			verify_note(report, "%s: the last line is incomplete", path);
		add_to_trackers(&walk, &leaf);
		add_to_probes(&walk, &leaf);
		walk.offset += (int64_t)line.size + ended;
		walk.line++;
	}
	file_lines_close(lines);
	if (!r)
		end_file(&walk);
	*ret_found = walk.n_trackers > 0;
	walk_deinit(&walk);
	return r;
}

static int compare_lines(struct file_lines *lines, struct file_lines *others, bool *ret_same)
{
	struct slice line, other;
	bool ended = true, other_ended = true;
	int r, r_other;
	do {
		r = file_lines_next(lines, &line, &ended);
		r_other = file_lines_next(others, &other, &other_ended);
		*ret_same = r == r_other && ended == other_ended &&
			    (r <= 0 || slice_equal(line, other));
	} while (*ret_same && r > 0);
	return r < 0 ? r : r_other < 0 ? r_other : 0;
}

int verify_twin(const char *path, const char *original, struct verify_report *report)
{
	struct file_lines *lines = NULL, *others = NULL;
	bool same = false;
	int r = file_lines_open(&lines, path);
	if (!r)
		r = file_lines_open(&others, original);
	if (!r)
		r = compare_lines(lines, others, &same);
	if (!r && same)
		verify_note(report, "%s holds the same records as %s", path, original);
	else if (!r)
		verify_problem(report,
			"%s does not hold the same records as %s, from which it was compressed",
			path, original);
	file_lines_close(lines);
	file_lines_close(others);
	return r;
}
