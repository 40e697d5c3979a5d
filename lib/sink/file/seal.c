/*
 * See seal.h. The order of a seal: its line is built and becomes pending, the chain moves on, and
 * both are stored with the sink's position; only then is the line written. All that are due at one
 * time are stored together.
 */
#include "sink/file/seal.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "sink/file/file_io.h"
#include "sink/file/file_path.h"

#define SEAL_SILENCE NSEC_PER_HOUR /* a seal says so when no record came for so long */
#define SEAL_COUNTED ((int64_t)256 << 20) /* lines of longer files are not counted */

/* --- the lists --- */

static void seal_chain_free(struct seal_chain *chain)
{
	file_target_free(chain->file);
	free(chain->key);
	free(chain->source);
	free(chain->path);
	free(chain->pending);
	free(chain);
}

static void seals_drop_news(struct seals *seals)
{
	while (seals->n_news > 0)
		free(seals->news[--seals->n_news].line);
}

void seals_clear(struct seals *seals)
{
	seals_drop_news(seals);
	while (seals->n_runs > 0)
		seal_run_free(seals->runs[--seals->n_runs]);
	while (seals->n_chains > 0)
		seal_chain_free(seals->chains[--seals->n_chains]);
}

void seals_deinit(struct seals *seals)
{
	seals_clear(seals);
	free(seals->runs);
	free(seals->chains);
	free(seals->news);
	ed25519_free(seals->key);
	*seals = (struct seals){0};
}

struct seal_chain *seals_chain(struct seals *seals, const char *key)
{
	struct seal_chain *chain;

	for (size_t i = 0; i < seals->n_chains; i++) {
		if (strcmp(seals->chains[i]->key, key) == 0)
			return seals->chains[i];
	}
	chain = MEM_NEW(struct seal_chain);
	chain->key = mem_strdup(key);
	seal_chain_begin(chain);
	seals->chains = mem_grow(
		seals->chains, seals->n_chains, &seals->chains_capacity, sizeof(*seals->chains));
	seals->chains[seals->n_chains++] = chain;
	return chain;
}

void seals_add_run(struct seals *seals, struct seal_run *run)
{
	seals->runs =
		mem_grow(seals->runs, seals->n_runs, &seals->runs_capacity, sizeof(*seals->runs));
	seals->runs[seals->n_runs++] = run;
}

static void seals_drop_run(struct seals *seals, size_t index)
{
	seal_run_free(seals->runs[index]);
	seals->n_runs--;
	memmove(seals->runs + index, seals->runs + index + 1,
		(seals->n_runs - index) * sizeof(*seals->runs));
}

/* --- runs --- */

/* The number of the line after the first SIZE bytes of TARGET; 0: too many to be counted. */
static int seals_count_lines(const struct file_target *target, int64_t *ret, struct fault *reterr)
{
	char bytes[64 << 10];
	int64_t n_lines = 0;

	*ret = 0;
	if (target->size > SEAL_COUNTED)
		return 0;
	for (int64_t at = 0; at < target->size;) {
		int64_t left = target->size - at;
		size_t wanted = left < (int64_t)sizeof(bytes) ? (size_t)left : sizeof(bytes);
		ssize_t n = file_io_pread(target->fd, bytes, wanted, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? file_io_fault("read", target->path, reterr)
				     : fault_set(reterr, FAULT_STORE,
					       "cannot read %s: it became shorter", target->path);
		for (ssize_t i = 0; i < n; i++)
			n_lines += bytes[i] == '\n';
		at += n;
	}
	*ret = n_lines + 1;
	return 0;
}

/* A run of the file that was closed and is open again, or NULL. */
static struct seal_run *seals_find_run(const struct seals *seals, const struct file_target *target)
{
	for (size_t i = 0; i < seals->n_runs; i++) {
		struct seal_run *run = seals->runs[i];

		if (!run->open && run->inode == target->inode && run->end == target->size &&
			strcmp(run->path, target->path) == 0)
			return run;
	}
	return NULL;
}

/* A run of TARGET, which none is of yet. */
static int seals_begin_run(struct seals *seals, const struct file_target *target,
	struct seal_run **ret, struct fault *reterr)
{
	struct buf key CLEANUP(buf_deinit) = BUF_NULL;
	char *path CLEANUP_FREE = mem_printf("%s" SEAL_SUFFIX, target->path);
	struct seal_chain *chain;
	int64_t first;
	int r = seals_count_lines(target, &first, reterr);

	if (r)
		return r;
	file_path_expand_names(seals->pattern, target->source, target->provider, &key);
	chain = seals_chain(seals, buf_text(&key));
	if (!chain->source && file_path_has(seals->pattern, "source"))
		chain->source = mem_strdup(target->source);
	seal_chain_meet(chain, seals, path);
	*ret = seal_run_new(chain, target->path, target->inode, target->size, first);
	seals_add_run(seals, *ret);
	return 0;
}

int seals_enter(struct seals *seals, struct file_target *target, struct fault *reterr)
{
	struct seal_run *run = target->seal;
	int r = 0;

	if (!seals->pattern || (run && run->end == target->size))
		return 0;
	if (run) /* someone else has changed the file: what was written before is a run by itself */
		seal_run_release(run);
	run = seals_find_run(seals, target);
	if (!run)
		r = seals_begin_run(seals, target, &run, reterr);
	if (r)
		return r;
	run->open = true;
	target->seal = run;
	return 0;
}

/* --- a seal --- */

static const char *seals_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void seal_print_text(const char *name, const char *text, struct buf *out)
{
	buf_printf(out, ",\"%s\":", name);
	if (*text)
		json_encode(slice_of(text), out);
	else
		buf_append_text(out, "null");
}

static void seal_print_body(const struct seals *seals, const struct seal_run *run, bool closed,
	int64_t number, nsec_t now, struct buf *out)
{
	const struct merkle_hash root = merkle_root(&run->tree);
	char hex[DIGEST_HEX_SIZE], node[256] = "";

	digest_hex(root.bytes, sizeof(root.bytes), hex);
	gethostname(node, sizeof(node) - 1);
	buf_printf(out, "{\"chain\":\"%s\",\"seal\":%" PRId64, run->chain->id, number);
	seal_print_text("previous", run->chain->previous, out);
	seal_print_text("file", seals_base_name(run->path), out);
	if (run->first > 0)
		buf_printf(out, ",\"first\":%" PRId64, run->first);
	else
		buf_append_text(out, ",\"first\":null");
	buf_printf(out,
		",\"offset\":%" PRId64 ",\"bytes\":%" PRId64 ",\"records\":%" PRIu64
		",\"root\":\"%s\",\"time\":\"",
		run->start, run->end - run->start, run->tree.n_leaves, hex);
	timestamp_print_rfc3339(now, 3, out);
	buf_append_char(out, '"');
	if (seals->attest)
		seals->attest(run->chain->source, out, seals->userdata);
	seal_print_text("node", node, out);
	buf_printf(out, ",\"closed\":%s}", closed ? "true" : "false");
}

/* The body's digest becomes the chain's PREVIOUS. */
static int seal_print_line(struct seal_chain *chain, const struct seals *seals, struct slice body,
	struct buf *out, struct fault *reterr)
{
	struct buf signature CLEANUP(buf_deinit) = BUF_NULL;
	uint8_t digest[DIGEST_SIZE];

	if (ed25519_sign(seals->key, body, &signature) != 0)
		return fault_set(reterr, FAULT_INTERNAL, "OpenSSL cannot sign");
	digest_sha256(body, digest);
	digest_hex(digest, sizeof(digest), chain->previous);
	buf_append_text(out, "{\"body\":");
	json_encode(body, out);
	buf_append_text(out, ",\"signature\":\"");
	encode_base64(buf_slice(&signature), out);
	buf_printf(out, "\",\"key\":\"%s\"}\n", ed25519_fingerprint(seals->key));
	return 0;
}

/* Are the seals of RUN for another file than those that are pending? */
static bool seals_must_wait(const struct seal_run *run)
{
	const struct seal_chain *chain = run->chain;
	size_t size = strlen(run->path);

	return chain->pending && (strncmp(chain->path, run->path, size) != 0 ||
					 strcmp(chain->path + size, SEAL_SUFFIX) != 0);
}

/* The last seal of CHAIN, LINE, is to be published. */
static void seals_note(struct seals *seals, const struct seal_chain *chain, const struct buf *line)
{
	if (!seals->publish)
		return;
	seals->news =
		mem_grow(seals->news, seals->n_news, &seals->news_capacity, sizeof(*seals->news));
	seals->news[seals->n_news++] = (struct seal_news){
		.chain = chain, .number = chain->number, .line = mem_strdup(buf_text(line))};
}

/* The lines of RUN become a pending seal of its chain. */
static int seals_seal(
	struct seals *seals, struct seal_run *run, bool closed, nsec_t now, struct fault *reterr)
{
	struct seal_chain *chain = run->chain;
	struct buf body CLEANUP(buf_deinit) = BUF_NULL, line CLEANUP(buf_deinit) = BUF_NULL;
	char *path = mem_printf("%s" SEAL_SUFFIX, run->path), *before = chain->pending;
	int r;

	if (chain->path && strcmp(chain->path, path) != 0) {
		file_target_free(chain->file);
		chain->file = NULL;
	}
	free(chain->path);
	chain->path = path;
	r = seal_chain_open(chain, seals, reterr); /* the position is to have its size */
	if (r)
		return r;
	seal_print_body(seals, run, closed, chain->number + 1, now, &body);
	r = seal_print_line(chain, seals, buf_slice(&body), &line, reterr);
	if (r)
		return r;
	chain->pending = mem_printf("%s%s", before ? before : "", buf_text(&line));
	free(before);
	chain->stored = false;
	chain->number++;
	chain->sealed_time = now;
	seal_run_restart(run);
	seals_note(seals, chain, &line);
	return 0;
}

/* --- what is due --- */

static bool seals_is_latest(const struct seals *seals, size_t index)
{
	for (size_t i = index + 1; i < seals->n_runs; i++) {
		if (seals->runs[i]->chain == seals->runs[index]->chain)
			return false;
	}
	return true;
}

void seals_follow(struct seals *seals, const struct file_target *target)
{
	for (size_t i = 0; i < seals->n_runs; i++) {
		struct seal_run *run = seals->runs[i];

		if (seals_is_latest(seals, i) && run->end == target->size &&
			strcmp(run->path, target->path) == 0)
			run->inode = target->inode;
	}
}

/* Is nothing more to be written to the file of run INDEX? */
static bool seals_is_over(const struct seals *seals, size_t index)
{
	const struct seal_run *run = seals->runs[index];
	struct stat status;

	if (run->open)
		return false;
	return !seals_is_latest(seals, index) || file_io_lstat(run->path, &status) < 0 ||
	       status.st_ino != run->inode;
}

/* Has the chain said nothing for so long that it says so? */
static bool seals_is_silent(const struct seal_chain *chain, nsec_t now)
{
	return chain->number > 0 &&
	       (now < chain->sealed_time || now - chain->sealed_time >= SEAL_SILENCE);
}

/* Seals run INDEX if it has something to say. *RET_MADE: there is a pending seal now. The run may
 * be gone. */
static int seals_look(
	struct seals *seals, size_t index, nsec_t now, bool *ret_made, struct fault *reterr)
{
	struct seal_run *run = seals->runs[index];
	struct seal_chain *chain = run->chain;
	bool over = seals_is_over(seals, index);
	bool wanted = run->tree.n_leaves > 0;
	int r = 0;

	*ret_made = false;
	if (seals_must_wait(run))
		return 0;
	if (!wanted && over)
		wanted = chain->number > 0;
	else if (!wanted)
		wanted = seals_is_latest(seals, index) && seals_is_silent(chain, now);
	if (wanted)
		r = seals_seal(seals, run, over, now, reterr);
	*ret_made = !r && wanted;
	if (!r && over)
		seals_drop_run(seals, index);
	return r;
}

/* What is published and the position that has it are one transaction: while the thread waits for a
 * disk, the loop commits what it has. So nothing between them may touch a file. */
static bool seals_store(struct seals *seals)
{
	for (size_t i = 0; i < seals->n_news; i++)
		seals->publish(&seals->news[i], seals->userdata);
	seals_drop_news(seals);
	return seals->store(seals->userdata);
}

/* Is there a pending seal that the stored position does not have? */
static bool seals_are_new(const struct seals *seals)
{
	bool new = false;

	for (size_t i = 0; i < seals->n_chains; i++)
		new = new || (seals->chains[i]->pending && !seals->chains[i]->stored);
	return new;
}

/* All runs once. *RET_MADE: some are sealed, and may be followed by others of their chain. */
static int seals_round(struct seals *seals, nsec_t now, bool *ret_made, struct fault *reterr)
{
	size_t i = 0;
	int r = 0;

	*ret_made = false;
	while (!r && i < seals->n_runs) {
		size_t n = seals->n_runs;
		bool made;

		r = seals_look(seals, i, now, &made, reterr);
		*ret_made = *ret_made || made;
		i += seals->n_runs == n;
	}
	/* also what was made before an outcome */
	if (seals_are_new(seals)) {
		if (seals_store(seals))
			for (i = 0; i < seals->n_chains; i++)
				seals->chains[i]->stored = true;
		else if (!r)
			r = fault_set(reterr, FAULT_STORE, "the state cannot be written");
	}
	for (i = 0; !r && i < seals->n_chains; i++)
		r = seal_chain_settle(seals->chains[i], seals, reterr);
	return r;
}

void seals_make(struct seals *seals, nsec_t now)
{
	struct fault fault = FAULT_NULL;
	bool made = true;
	int r = 0;

	if (!seals->pattern)
		return;
	while (!r && made)
		r = seals_round(seals, now, &made, &fault);
	if (r && !seals->failing)
		log_error(&seals->subject,
			"%s; records are written without a seal, trawld seals them when it works again",
			fault.text);
	else if (!r && seals->failing)
		log_notice(&seals->subject, "seals are written again");
	seals->failing = r;
	if (r)
		fault_set(&seals->fault, fault.class, "the last records are not sealed: %s",
			fault.text);
}

bool seals_wait(const struct seals *seals)
{
	bool wait = false;

	for (size_t i = 0; i < seals->n_runs; i++)
		wait = wait || seals->runs[i]->tree.n_leaves > 0;
	for (size_t i = 0; i < seals->n_chains; i++)
		wait = wait || seals->chains[i]->pending;
	return wait;
}
