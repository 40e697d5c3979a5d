/*
 * Time-stamp tokens (lib/sink/file/seal_stamps.h) show that a seal, and so all that was before it,
 * existed at a time: who has the signing key can write another history later, but gets no tokens of
 * an earlier time for it.
 */
#include "ctl/verify.h"

#include <inttypes.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/timestamp_token.h"
#include "sink/file/file_lines.h"

struct token {
	char chain[33];
	int64_t number;
	char digest[DIGEST_HEX_SIZE];
	struct buf response;
};

/* What the line says. False: it is not a token. */
static bool read_token(struct slice line, struct token *ret)
{
	json_t *root = json_loadb(line.data, line.size, 0, NULL);
	const char *chain, *digest, *token;
	json_int_t number;
	bool good = json_unpack(root, "{s:s,s:I,s:s,s:s}", "chain", &chain, "seal", &number,
			    "digest", &digest, "token", &token) == 0 &&
		    strlen(chain) < sizeof(ret->chain) && strlen(digest) == DIGEST_HEX_SIZE - 1 &&
		    decode_base64(slice_of(token), &ret->response) == 0;
	if (good) {
		ret->number = number;
		memcpy(ret->chain, chain, strlen(chain) + 1);
		memcpy(ret->digest, digest, DIGEST_HEX_SIZE);
	}
	json_decref(root);
	return good;
}

/* The token is for this seal, whatever is written beside it. */
static void check(const char *path, const struct token *token, struct verify_chain *chain,
	const struct verify_seal *seal, const struct token_authorities *authorities,
	struct verify_report *report)
{
	struct buf reason CLEANUP(buf_deinit) = BUF_NULL;
	struct merkle digest;
	nsec_t time;
	if (merkle_parse(&digest, 1, slice_of(seal->digest)) != 0)
		return;
	int r = token_check(
		buf_slice(&token->response), digest.nodes[0].bytes, authorities, &time, &reason);
	if (r == TOKEN_E_SIGNATURE)
		verify_problem(report,
			"%s: the time stamp of seal %" PRId64
			" of chain %.8s is not signed by an authority that --tsa-ca has: %s",
			path, token->number, chain->id, buf_text(&reason));
	else if (r)
		verify_problem(report,
			"%s: the time stamp of seal %" PRId64
			" of chain %.8s is not for this seal: the history was rewritten, or the time stamp changed (%s)",
			path, token->number, chain->id, buf_text(&reason));
	if (r)
		return;
	if (chain->n_tokens++ == 0 || seal->number > chain->stamped_number ||
		(seal->number == chain->stamped_number && time < chain->stamped_time)) {
		chain->stamped_number = seal->number;
		chain->stamped_time = time;
	}
}

static void compare(struct verify_chains *chains, const char *path, const struct token *token,
	const struct token_authorities *authorities, struct verify_report *report)
{
	struct verify_chain *chain = verify_chains_find(chains, token->chain);
	const struct verify_seal *seal = chain ? verify_chain_seal(chain, token->number) : NULL;
	if (!chain)
		verify_problem(report,
			"%s has a time stamp of chain %.8s, and no seal of it is here: files were removed, or rewritten",
			path, token->chain);
	else if (seal)
		check(path, token, chain, seal, authorities, report);
	else if (token->number > chain->seals[chain->n_seals - 1].number)
		verify_problem(report,
			"%s has a time stamp of seal %" PRId64
			" of chain %.8s, which is not here: the end was cut off",
			path, token->number, chain->id);
}

int verify_tokens(struct verify_chains *chains, const char *path,
	const struct token_authorities *authorities, struct verify_report *report)
{
	struct file_lines *lines;
	struct slice line;
	bool ended;
	int64_t number = 0;
	int r = file_lines_open(&lines, path);
	if (r)
		return r;
	while ((r = file_lines_next(lines, &line, &ended)) > 0) {
		struct token token = {.response = BUF_NULL};
		number++;
		if (line.size == 0)
			continue;
		if (read_token(line, &token))
			compare(chains, path, &token, authorities, report);
		else if (ended)
			verify_note(
				report, "%s: line %" PRId64 " is not a time stamp", path, number);
		buf_deinit(&token.response);
	}
	file_lines_close(lines);
	return r;
}
