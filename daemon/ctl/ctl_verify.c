/*
 * trawlctl verify and prove: what the seals of files prove, in words. They need no configuration,
 * no state and no running trawld, so that an auditor can use them on copies.
 */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/timestamp.h"
#include "ctl/verification.h"
#include "sink/file/file_lines.h"

/* --- output --- */

static void print_list(const char *title, const struct str_list *list)
{
	for (size_t i = 0; i < list->n_items; i++)
		printf("%s: %s\n", title, list->items[i]);
}

static void print_tokens(const struct verify_chain *chain)
{
	struct buf time CLEANUP(buf_deinit) = BUF_NULL;
	if (chain->n_tokens == 0)
		return;
	timestamp_print_rfc3339(chain->stamped_time, 0, &time);
	printf("chain %.8s: %zu time stamp%s; seal %" PRId64 " and all before it existed at %s\n",
		chain->id, chain->n_tokens, str_plural(chain->n_tokens), chain->stamped_number,
		buf_text(&time));
}

static void print_text(const struct verification *verification, int code)
{
	const struct verify_report *report = &verification->report;
	size_t n_files = verification->set.files.n_items;
	print_list("CHANGED", &report->problems);
	print_list("note", &report->notes);
	printf("proven: %" PRId64 " of %" PRId64 " record%s in %zu file%s %s as sealed%s\n",
		report->n_sealed, report->n_records,
		str_plural((unsigned long long)report->n_records), n_files, str_plural(n_files),
		report->n_sealed == 1 ? "is" : "are",
		verification->keys.n_items > 0 ? ", with the given key" : "");
	for (size_t i = 0; i < verification->chains.n_items; i++) {
		const struct verify_chain *chain = &verification->chains.items[i];
		const struct verify_seal *first = &chain->seals[0];
		const struct verify_seal *last = &chain->seals[chain->n_seals - 1];
		struct buf from CLEANUP(buf_deinit) = BUF_NULL, to CLEANUP(buf_deinit) = BUF_NULL;
		timestamp_print_rfc3339(first->time, 0, &from);
		timestamp_print_rfc3339(last->time, 0, &to);
		printf("chain %.8s: seals %" PRId64 " to %" PRId64 ", made from %s to %s\n",
			chain->id, first->number, last->number, buf_text(&from), buf_text(&to));
		print_tokens(chain);
	}
	print_list("not proven", &report->unproven);
	puts(code == VERIFY_CHANGED ? "result: changed"
		: code == VERIFY_WEAK && verification->chains.n_items == 0
			? "result: nothing is proven, as there are no seals"
		: code == VERIFY_WEAK
			? "result: nothing changed as far as can be told, but a proof is missing"
			: "result: good");
}

static void print(const struct verification *verification, bool json)
{
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	if (!json) {
		print_text(verification, verification_result(verification));
		return;
	}
	verification_print_json(verification, &out);
	puts(buf_text(&out));
}

static struct verification_request request_of(const struct ctl_arguments *arguments)
{
	return (struct verification_request){
		.names = arguments->names,
		.n_names = arguments->n_names,
		.key = arguments->key,
		.anchor = arguments->anchor,
		.events = arguments->events,
		.tsa_ca = arguments->tsa_ca,
	};
}

int ctl_verify(const struct ctl_arguments *arguments)
{
	struct verification_request request = request_of(arguments);
	struct verification verification CLEANUP(verification_deinit) = {0};
	int code = verification_run(&verification, &request, NULL);
	if (code)
		return code;
	print(&verification, arguments->json);
	return verification_result(&verification);
}

/* --- prove --- */

/* The leaves of the seal that PROOF found, and the record, which is a line of JSON. */
static int read_leaves(const char *path, const struct verify_proof *proof,
	struct merkle_hash *ret_leaves, struct buf *ret_record)
{
	struct file_lines *lines;
	struct slice line;
	bool ended;
	int64_t number = 1;
	int r = file_lines_open(&lines, path);
	if (r)
		return r;
	while ((r = file_lines_next(lines, &line, &ended)) > 0 &&
		number < proof->first + proof->seal->n_records) {
		if (number >= proof->first)
			ret_leaves[number - proof->first] = merkle_leaf(line);
		if (number == proof->line)
			buf_append_slice(ret_record, line);
		number++;
	}
	file_lines_close(lines);
	return r < 0 ? r : 0;
}

static int print_proof(const char *path, const struct verify_proof *proof)
{
	struct buf record CLEANUP(buf_deinit) = BUF_NULL, digests CLEANUP(buf_deinit) = BUF_NULL;
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	uint64_t n = (uint64_t)proof->seal->n_records,
		 index = (uint64_t)(proof->line - proof->first);
	struct merkle_hash *leaves CLEANUP_FREE = mem_array((size_t)n, sizeof(*leaves));
	int r = read_leaves(path, proof, leaves, &record);
	if (r)
		return verification_failed(path, r);
	merkle_path(leaves, n, index, &digests);
	buf_printf(&out, "{\"line\":%" PRId64 ",\"record\":", proof->line);
	json_encode(buf_slice(&record), &out);
	buf_printf(&out, ",\"index\":%" PRIu64 ",\"size\":%" PRIu64 ",\"path\":[", index, n);
	for (size_t at = 0; at < digests.size; at += DIGEST_SIZE) {
		char hex[DIGEST_HEX_SIZE];
		digest_hex(digests.data + at, DIGEST_SIZE, hex);
		buf_printf(&out, "%s\"%s\"", at > 0 ? "," : "", hex);
	}
	buf_printf(&out, "],\"seal\":%s}\n", proof->seal->line);
	fputs(buf_text(&out), stdout);
	return EX_OK;
}

int ctl_prove(const struct ctl_arguments *arguments)
{
	struct verification verification = {0};
	struct verify_proof proof = {0};
	if (number_parse(slice_of(arguments->line), 1, INT64_MAX, &proof.line) != 0) {
		fprintf(stderr,
			"trawlctl: prove: --line: expected the number of a line, from 1, not `%s`\n",
			arguments->line);
		return EX_USAGE;
	}
	struct verification_request request = request_of(arguments);
	int code = verification_run(&verification, &request, &proof);
	if (!code && proof.seal)
		code = print_proof(arguments->name, &proof);
	else if (!code) {
		fprintf(stderr,
			"trawlctl: %s: no seal proves line %" PRId64
			"; `trawlctl verify %s` says why\n",
			arguments->name, proof.line, arguments->name);
		code = EX_TEMPFAIL;
	}
	verification_deinit(&verification);
	return code;
}
