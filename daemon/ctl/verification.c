/* See verification.h. */
#include "ctl/verification.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "base/timestamp_token.h"

int verification_failed(const char *path, int r)
{
	fprintf(stderr, "trawlctl: %s: %s\n", path,
		r == -EBADMSG ? "the compressed data is damaged or incomplete" : strerror(-r));
	return EX_TEMPFAIL;
}

/* What cannot be unpacked any more was changed. */
static int read_failed(struct verification *verification, const char *path, int r)
{
	if (r != -EBADMSG)
		return verification_failed(path, r);
	verify_problem(
		&verification->report, "%s: the compressed data is damaged or incomplete", path);
	return 0;
}

void verification_deinit(struct verification *verification)
{
	verify_set_deinit(&verification->set);
	verify_keys_deinit(&verification->keys);
	verify_chains_deinit(&verification->chains);
	verify_chains_deinit(&verification->anchors);
	verify_report_deinit(&verification->report);
	token_authorities_free(verification->authorities);
	free(verification->runs.items);
}

/* --- the steps --- */

static int read_seals(struct verification *verification, const struct verification_request *request)
{
	struct verify_set *set = &verification->set;
	struct verify_report *report = &verification->report;
	int code = request->key ? verify_keys_read(&verification->keys, request->key) : 0;
	for (size_t i = 0; !code && i < set->seals.n_items; i++) {
		int r = verify_chains_read(&verification->chains, set->seals.items[i], false,
			&verification->keys, report);
		code = r ? read_failed(verification, set->seals.items[i], r) : 0;
	}
	if (code || !request->anchor)
		return code;
	verification->anchored = true;
	int r = verify_chains_read(
		&verification->anchors, request->anchor, true, &verification->keys, report);
	return r ? verification_failed(request->anchor, r) : 0;
}

static int check_events(struct verification *verification, const char *path)
{
	int r = verify_events(&verification->chains, path, &verification->report);
	return r ? verification_failed(path, r) : 0;
}

/* Of each `PATH.seals` the tokens beside it. */
static int check_tokens(struct verification *verification, const char *tsa_ca)
{
	const struct str_list *seals = &verification->set.seals;
	if (tsa_ca)
		verification->authorities = token_authorities_read(tsa_ca);
	if (tsa_ca && !verification->authorities) {
		fprintf(stderr, "trawlctl: %s: expected certificates in PEM form\n", tsa_ca);
		return EX_USAGE;
	}
	for (size_t i = 0; i < seals->n_items; i++) {
		const char *path = seals->items[i];
		if (!str_ends(path, ".seals"))
			continue;
		char *tokens CLEANUP_FREE =
			mem_printf("%.*s.tsr", (int)(strlen(path) - strlen(".seals")), path);
		int r = verify_tokens(&verification->chains, tokens, verification->authorities,
			&verification->report);
		if (r && r != -ENOENT)
			return verification_failed(tokens, r);
	}
	return 0;
}

static void check_anchor(struct verification *verification)
{
	struct verify_report ignored = {0};
	verify_chains_check(&verification->anchors, &ignored);
	verify_report_deinit(&ignored);
	verify_anchor(&verification->chains, &verification->anchors, &verification->set.bases,
		&verification->report);
}

/* Of a file that was named, is not there and has no seals, nothing can be said. */
static int check_gone(struct verification *verification)
{
	const struct str_list *gone = &verification->set.gone;
	for (size_t i = 0; i < gone->n_items; i++) {
		if (verify_chains_speak_of(&verification->chains, verify_set_name(gone->items[i])))
			continue;
		if (verification->report.problems.n_items == 0)
			return verification_failed(gone->items[i], -ENOENT);
		verify_note(&verification->report, "%s is not there", gone->items[i]);
	}
	return 0;
}

/* Were no seals made for the file that BASE names? The same is left where they were removed. */
static bool was_never_sealed(const struct verification *verification, const char *base)
{
	const struct verify_set *set = &verification->set;
	char *seals CLEANUP_FREE = mem_printf("%s.seals", base);
	return !set->seals_named && !str_list_has(&set->seals, seals) &&
	       !verify_chains_speak_of(&verification->chains, verify_set_name(base));
}

/* Where a file in which no seal's records were found is among those that are sealed. */
enum place { PLACE_BETWEEN, PLACE_BEFORE, PLACE_AFTER };

/* Files in which no seal's records were found, and runs that no file has: they are the same, but
 * changed at the beginning. */
static int pair(
	struct verification *verification, const char *path, int64_t n_records, enum place place)
{
	bool rotated, found;
	char *base CLEANUP_FREE = verify_set_base(path, &rotated);
	if (was_never_sealed(verification, base)) {
		verification->report.weak = true;
		verify_unproven(&verification->report,
			"anything about %s: there are no seals to verify it against (`seal` in its sink makes them; if it had some, %s.seals was removed)",
			path, base);
		return 0;
	}
	if (n_records == 0) { /* a file that was just begun is empty, one that is done is not */
		if (rotated)
			verify_problem(&verification->report, "%s is empty", path);
		return 0;
	}
	for (size_t i = 0; i < verification->runs.n_items; i++) {
		struct verify_run *run = &verification->runs.items[i];
		if (run->found || run->n_records == 0 ||
			strcmp(run->file, verify_set_name(base)) != 0)
			continue;
		verification->report.n_records -= n_records; /* counted again */
		int r = verify_file(
			&verification->runs, path, run, NULL, &verification->report, &found);
		if (r || found)
			return r ? read_failed(verification, path, r) : 0;
	}
	if (place == PLACE_BEFORE) {
		verification->report.weak = true;
		verify_unproven(&verification->report,
			"anything about the %" PRId64
			" record%s of %s: the file is older than its first seal",
			n_records, str_plural((unsigned long long)n_records), path);
	} else if (place == PLACE_AFTER)
		verify_unproven(&verification->report,
			"anything about the %" PRId64
			" record%s of %s: no seal covers the file yet",
			n_records, str_plural((unsigned long long)n_records), path);
	else
		verify_problem(&verification->report,
			"%s: no seal that was given covers anything of it", path);
	return 0;
}

/* Newer than all that are sealed: the first seal of file INDEX may be still to come. Older, and of
 * those none is missing: it may be from before there were seals. */
static enum place place_of(const struct verification *verification, const bool *found, size_t index)
{
	const struct str_list *files = &verification->set.files;
	bool rotated, sealed = false, missing = false, newer = false, older = false;
	char *base CLEANUP_FREE = verify_set_base(files->items[index], &rotated);
	for (size_t i = 0; i < verification->runs.n_items; i++) {
		const struct verify_run *run = &verification->runs.items[i];
		bool same = strcmp(run->file, verify_set_name(base)) == 0;
		sealed |= same;
		missing |= same && !run->found && run->n_records > 0;
	}
	for (size_t i = 0; i < files->n_items; i++) {
		char *other CLEANUP_FREE = verify_set_base(files->items[i], &rotated);
		bool same = found[i] && strcmp(other, base) == 0;
		older |= same && i < index;
		newer |= same && i > index;
	}
	if (!sealed || (older && newer))
		return PLACE_BETWEEN;
	if (!newer)
		return PLACE_AFTER;
	return missing ? PLACE_BETWEEN : PLACE_BEFORE;
}

static int read_files(struct verification *verification, struct verify_proof *proof)
{
	const struct str_list *files = &verification->set.files;
	bool *found CLEANUP_FREE = mem_array(files->n_items, sizeof(bool));
	int64_t *n_records CLEANUP_FREE = mem_array(files->n_items, sizeof(int64_t));
	int code = 0;
	for (size_t i = 0; !code && i < files->n_items; i++) {
		int64_t before = verification->report.n_records;
		int r = verify_file(&verification->runs, files->items[i], NULL, proof,
			&verification->report, &found[i]);
		n_records[i] = verification->report.n_records - before;
		found[i] = found[i] || r;
		code = r ? read_failed(verification, files->items[i], r) : 0;
	}
	for (size_t i = 0; !code && !proof && i < files->n_items; i++)
		if (!found[i])
			code = pair(verification, files->items[i], n_records[i],
				place_of(verification, found, i));
	for (size_t i = 0; !code && !proof && i < verification->set.twins.n_items; i++) {
		const char *twin = verification->set.twins.items[i];
		char *original CLEANUP_FREE = verify_set_original(twin);
		int r = verify_twin(twin, original, &verification->report);
		code = r ? read_failed(verification, twin, r) : 0;
	}
	return code;
}

/* Records that are sealed and in none of the files. */
static void tell_missing(struct verification *verification)
{
	for (size_t i = 0; i < verification->runs.n_items; i++) {
		const struct verify_run *run = &verification->runs.items[i];
		bool earliest = true, later = false;
		if (run->found || run->n_records == 0)
			continue;
		for (size_t j = 0; j < verification->runs.n_items; j++) {
			const struct verify_run *other = &verification->runs.items[j];
			if (!other->found || other->chain != run->chain)
				continue;
			earliest = earliest && j > i;
			later = later || j > i;
		}
		const struct verify_seal *seals = run->chain->seals;
		int64_t from = seals[run->begin].number, to = seals[run->end - 1].number;
		const char *s = str_plural((unsigned long long)run->n_records);
		if (!str_list_has(&verification->set.bases, run->file))
			verify_note(&verification->report,
				"seals %" PRId64 " to %" PRId64
				" of chain %.8s are of other files of `%s`, which were not given",
				from, to, run->chain->id, run->file);
		else if (earliest && later)
			verify_unproven(&verification->report,
				"where the %" PRId64 " record%s of seals %" PRId64 " to %" PRId64
				" of chain %.8s are: the oldest files of `%s` are gone (`keep` removes them)",
				run->n_records, s, from, to, run->chain->id, run->file);
		else
			verify_problem(&verification->report,
				"the %" PRId64 " record%s of seals %" PRId64 " to %" PRId64
				" of chain %.8s are in none of the files of `%s`",
				run->n_records, s, from, to, run->chain->id, run->file);
	}
}

static size_t count_tokens(const struct verification *verification)
{
	size_t n = 0;
	for (size_t i = 0; i < verification->chains.n_items; i++)
		n += verification->chains.items[i].n_tokens;
	return n;
}

static void tell_unproven(struct verification *verification)
{
	struct verify_report *report = &verification->report;
	const struct verify_set *set = &verification->set;
	if (set->files.n_items == 0 && set->gone.n_items == 0) {
		report->weak = true;
		verify_unproven(report, "anything about records: only seals were given");
	}
	if (verification->chains.n_items > 0 && verification->keys.n_items == 0) {
		report->weak = true;
		verify_unproven(report,
			"who made the seals: without --key their signatures are not checked, and anybody can make a chain that fits");
	}
	size_t n_tokens = count_tokens(verification);
	if (n_tokens > 0 && !verification->authorities)
		verify_unproven(report,
			"who made the %zu time stamp%s, and when: without --tsa-ca their signatures are not checked",
			n_tokens, str_plural(n_tokens));
	if (n_tokens == 0 && verification->authorities) {
		report->weak = true;
		verify_unproven(report,
			"when the seals were made: --tsa-ca was given, and they have no time stamps");
	}
	if (verification->chains.n_items > 0 && !verification->anchored)
		verify_unproven(report,
			"that nothing was cut off at the end, seals and records together, and that nobody who has the signing key wrote the history again: without --anchor, a copy of the seals from another place, this cannot be noticed");
}

int verification_run(struct verification *verification, const struct verification_request *request,
	struct verify_proof *proof)
{
	struct verify_set *set = &verification->set;
	int r = verify_set_find(set, request->names, proof ? 1 : request->n_names);
	int code = r ? verification_failed(set->unread, r) : read_seals(verification, request);
	if (code)
		return code;
	for (size_t i = 0; i < set->gone.n_items; i++)
		if (!str_list_has(&set->bases, verify_set_name(set->gone.items[i])))
			return verification_failed(set->gone.items[i], -ENOENT);
	verify_chains_check(&verification->chains, &verification->report);
	code = check_tokens(verification, request->tsa_ca);
	if (code)
		return code;
	if (verification->anchored)
		check_anchor(verification);
	code = check_gone(verification);
	if (code)
		return code;
	verify_runs_find(&verification->runs, &verification->chains);
	code = request->events ? check_events(verification, request->events) : 0;
	if (!code)
		code = read_files(verification, proof);
	if (code)
		return code;
	tell_missing(verification);
	tell_unproven(verification);
	return 0;
}

/* --- the result --- */

static void append_list(const char *name, const struct str_list *list, struct buf *out)
{
	buf_printf(out, ",\"%s\":[", name);
	for (size_t i = 0; i < list->n_items; i++) {
		if (i > 0)
			buf_append_char(out, ',');
		json_encode(slice_of(list->items[i]), out);
	}
	buf_append_char(out, ']');
}

int verification_result(const struct verification *verification)
{
	return verification->report.problems.n_items > 0 ? VERIFY_CHANGED
	       : verification->report.weak               ? VERIFY_WEAK
							 : VERIFY_GOOD;
}

void verification_print_json(const struct verification *verification, struct buf *out)
{
	static const char *const results[] = {"good", "changed", "incomplete"};
	const struct verify_report *report = &verification->report;
	buf_printf(out,
		"{\"result\":\"%s\",\"records\":%" PRId64 ",\"sealed\":%" PRId64 ",\"chains\":[",
		results[verification_result(verification)], report->n_records, report->n_sealed);
	for (size_t i = 0; i < verification->chains.n_items; i++) {
		const struct verify_chain *chain = &verification->chains.items[i];
		buf_printf(out,
			"%s{\"chain\":\"%s\",\"first\":%" PRId64 ",\"last\":%" PRId64
			",\"time\":\"",
			i > 0 ? "," : "", chain->id, chain->seals[0].number,
			chain->seals[chain->n_seals - 1].number);
		timestamp_print_rfc3339(chain->seals[chain->n_seals - 1].time, 3, out);
		buf_printf(out, "\",\"tokens\":%zu", chain->n_tokens);
		if (chain->n_tokens > 0) {
			buf_printf(out, ",\"stamped\":%" PRId64 ",\"stamped_time\":\"",
				chain->stamped_number);
			timestamp_print_rfc3339(chain->stamped_time, 0, out);
			buf_append_char(out, '"');
		}
		buf_append_char(out, '}');
	}
	buf_append_char(out, ']');
	append_list("files", &verification->set.files, out);
	append_list("problems", &report->problems, out);
	append_list("notes", &report->notes, out);
	append_list("not_proven", &report->unproven, out);
	buf_append_text(out, "}");
}
