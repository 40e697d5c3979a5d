/* See ctl/verify.h: reading seals, and the chains that they make. */
#include "ctl/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "sink/file/file_lines.h"

/* --- the report --- */

static void add_sentence(struct str_list *list, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void add_sentence(struct str_list *list, const char *format, va_list args)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	buf_vprintf(&text, format, args);
	for (size_t i = 0; i < text.size; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
			text.data[i] = '?';
	if (!str_list_has(list, buf_text(&text)))
		str_list_add(list, buf_text(&text));
}

#define ADD_SENTENCE(function, list)                                                               \
	void function(struct verify_report *report, const char *format, ...)                       \
	{                                                                                          \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		add_sentence(&report->list, format, args);                                         \
		va_end(args);                                                                      \
	}

ADD_SENTENCE(verify_problem, problems)
ADD_SENTENCE(verify_note, notes)
ADD_SENTENCE(verify_unproven, unproven)

void verify_report_deinit(struct verify_report *report)
{
	str_list_deinit(&report->problems);
	str_list_deinit(&report->notes);
	str_list_deinit(&report->unproven);
}

/* --- keys --- */

int verify_keys_read(struct verify_keys *keys, const char *path)
{
	struct buf text CLEANUP(buf_deinit) = BUF_LIMITED((size_t)1 << 20);
	int r = file_read(&text, path);
	if (r) {
		fprintf(stderr, "trawlctl: %s: %s\n", path, strerror(-r));
		return EX_TEMPFAIL;
	}
	struct slice rest = buf_slice(&text);
	struct ed25519 *key;
	while ((r = ed25519_public(&key, &rest)) == 0) {
		keys->items = mem_grow(
			keys->items, keys->n_items, &keys->capacity, sizeof(keys->items[0]));
		keys->items[keys->n_items++] = key;
	}
	if (r == ED25519_E_KIND || keys->n_items == 0) {
		fprintf(stderr,
			"trawlctl: %s: expected Ed25519 public keys in PEM form (`openssl pkey -in KEY -pubout` prints the one of a private key)\n",
			path);
		return EX_USAGE;
	}
	return 0;
}

void verify_keys_deinit(struct verify_keys *keys)
{
	for (size_t i = 0; i < keys->n_items; i++)
		ed25519_free(keys->items[i]);
	free(keys->items);
}

/* --- one seal --- */

static bool is_hex(const char *text, size_t size)
{
	return strlen(text) == size && strspn(text, "0123456789abcdef") == size;
}

/* What a seal says of events; one of an older trawld says nothing. */
static bool read_events(json_t *root, struct verify_seal *ret)
{
	json_t *events = json_object_get(root, "events");
	json_int_t count;
	struct merkle tree;
	const char *hex;
	ret->n_events = -1;
	if (!events)
		return true;
	if (json_unpack(events, "{s:I,s:s}", "count", &count, "root", &hex) != 0 || count < 0 ||
		!is_hex(hex, 64) || merkle_parse(&tree, 1, slice_of(hex)) != 0)
		return false;
	ret->n_events = count;
	ret->events_root = tree.nodes[0];
	return true;
}

/* The text of a seal's body into RET. False: it is not one. */
static bool read_body(const char *body, struct verify_seal *ret, char ret_chain[33])
{
	json_t *root = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
	json_t *previous = NULL, *first = NULL;
	const char *chain, *file, *hex, *time;
	json_int_t number, offset, n_bytes, n_records;
	struct merkle tree;
	int closed;
	bool good = root &&
		    json_unpack(root, "{s:s,s:I,s:o,s:s,s:o,s:I,s:I,s:I,s:s,s:s,s:b}", "chain",
			    &chain, "seal", &number, "previous", &previous, "file", &file, "first",
			    &first, "offset", &offset, "bytes", &n_bytes, "records", &n_records,
			    "root", &hex, "time", &time, "closed", &closed) == 0 &&
		    is_hex(chain, 32) && is_hex(hex, 64) &&
		    (json_is_null(previous) || is_hex(json_string_value(previous), 64)) &&
		    number > 0 && offset >= 0 && n_bytes >= 0 && n_records >= 0 &&
		    timestamp_parse_rfc3339(slice_of(time), &ret->time) == 0 &&
		    merkle_parse(&tree, 1, slice_of(hex)) == 0 && read_events(root, ret);
	if (good) {
		memcpy(ret_chain, chain, 33);
		ret->number = number;
		ret->file = mem_strdup(file);
		ret->first = json_integer_value(first);
		ret->offset = offset;
		ret->n_bytes = n_bytes;
		ret->n_records = n_records;
		ret->root = tree.nodes[0];
		ret->closed = closed;
		if (!json_is_null(previous))
			memcpy(ret->previous, json_string_value(previous), DIGEST_HEX_SIZE);
	}
	json_decref(root);
	return good;
}

static const char *check_signature(
	const struct verify_keys *keys, const char *body, const char *signature, const char *name)
{
	struct buf bytes CLEANUP(buf_deinit) = BUF_NULL;
	if (keys->n_items == 0)
		return NULL;
	for (size_t i = 0; i < keys->n_items; i++) {
		if (strcmp(ed25519_fingerprint(keys->items[i]), name) != 0)
			continue;
		if (decode_base64(slice_of(signature), &bytes) == 0 &&
			ed25519_verify(keys->items[i], slice_of(body), buf_slice(&bytes)))
			return NULL;
		return "its signature is wrong";
	}
	return "it was signed with another key than the given one";
}

static struct verify_chain *get_chain(struct verify_chains *chains, const char *id)
{
	struct verify_chain *chain = verify_chains_find(chains, id);
	if (chain)
		return chain;
	chains->items = mem_grow(
		chains->items, chains->n_items, &chains->capacity, sizeof(chains->items[0]));
	chain = &chains->items[chains->n_items++];
	*chain = (struct verify_chain){0};
	memcpy(chain->id, id, sizeof(chain->id));
	return chain;
}

/* Adds the seal in LINE. False: LINE is not a seal. */
static bool add_seal(struct verify_chains *chains, struct slice line, const char *path,
	const struct verify_keys *keys, struct verify_report *report)
{
	json_t *root = json_loadb(line.data, line.size, 0, NULL);
	json_t *seal_of = json_object_get(root, "record"); /* an envelope */
	const char *body, *signature, *key;
	struct verify_seal seal = {0};
	char id[33];
	bool good = json_unpack(seal_of ? seal_of : root, "{s:s,s:s,s:s}", "body", &body,
			    "signature", &signature, "key", &key) == 0 &&
		    read_body(body, &seal, id);
	if (good) {
		const char *wrong = check_signature(keys, body, signature, key);
		uint8_t digest[DIGEST_SIZE];
		if (wrong)
			verify_problem(report, "%s: seal %" PRId64 " of chain %.8s: %s", path,
				seal.number, id, wrong);
		digest_sha256(slice_of(body), digest);
		digest_hex(digest, sizeof(digest), seal.digest);
		seal.line = seal_of ? json_dumps(seal_of, JSON_COMPACT)
				    : mem_strndup(line.data, line.size);
		struct verify_chain *chain = get_chain(chains, id);
		chain->seals = mem_grow(
			chain->seals, chain->n_seals, &chain->capacity, sizeof(chain->seals[0]));
		chain->seals[chain->n_seals++] = seal;
	}
	json_decref(root);
	return good;
}

/* --- chains --- */

int verify_chains_read(struct verify_chains *chains, const char *path, bool mixed,
	const struct verify_keys *keys, struct verify_report *report)
{
	struct file_lines *lines;
	struct slice line;
	bool ended;
	int64_t number = 0;
	int r = file_lines_open(&lines, path);
	if (r)
		return r;
	while ((r = file_lines_next(lines, &line, &ended)) > 0) {
		number++;
		if (mixed && !memmem(line.data, line.size, "\"signature\"", 11))
			continue;
		if (add_seal(chains, line, path, keys, report) || mixed)
			continue;
		if (ended)
			verify_problem(report, "%s: line %" PRId64 " is not a seal", path, number);
		else
			verify_note(report,
				"%s: the last seal is incomplete, as a crash leaves it; trawld completes it when it starts",
				path);
	}
	file_lines_close(lines);
	return r;
}

struct verify_chain *verify_chains_find(const struct verify_chains *chains, const char *id)
{
	for (size_t i = 0; i < chains->n_items; i++)
		if (strcmp(chains->items[i].id, id) == 0)
			return &chains->items[i];
	return NULL;
}

bool verify_chains_speak_of(const struct verify_chains *chains, const char *file)
{
	for (size_t i = 0; i < chains->n_items; i++)
		for (size_t j = 0; j < chains->items[i].n_seals; j++)
			if (strcmp(chains->items[i].seals[j].file, file) == 0)
				return true;
	return false;
}

const struct verify_seal *verify_chain_seal(const struct verify_chain *chain, int64_t number)
{
	size_t low = 0, high = chain->n_seals;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (chain->seals[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < chain->n_seals && chain->seals[low].number == number ? &chain->seals[low]
									  : NULL;
}

static int compare_seals(const void *a, const void *b)
{
	const struct verify_seal *x = a, *y = b;
	int order = (x->number > y->number) - (x->number < y->number);
	return order ? order : strcmp(x->digest, y->digest);
}

static void seal_deinit(struct verify_seal *seal)
{
	free(seal->file);
	free(seal->line);
}

/* One seal of each number is kept. */
static void sort(struct verify_chain *chain, struct verify_report *report)
{
	struct verify_seal *seals = chain->seals;
	size_t n = 0;
	qsort(seals, chain->n_seals, sizeof(seals[0]), compare_seals);
	for (size_t i = 0; i < chain->n_seals; i++) {
		struct verify_seal *seal = &seals[i];
		if (n == 0 || seals[n - 1].number != seal->number) {
			seals[n++] = *seal;
			continue;
		}
		if (strcmp(seals[n - 1].digest, seal->digest) != 0)
			verify_problem(report,
				"chain %.8s has two seals with the number %" PRId64
				": its history was rewritten, or the state of trawld was restored",
				chain->id, seal->number);
		seal_deinit(seal);
	}
	chain->n_seals = n;
}

static void check(const struct verify_chain *chain, struct verify_report *report)
{
	const struct verify_seal *seals = chain->seals;
	if (seals[0].number > 1)
		verify_unproven(report,
			"what was before seal %" PRId64
			" of chain %.8s: the seals before it were not given",
			seals[0].number, chain->id);
	for (size_t i = 1; i < chain->n_seals; i++) {
		int64_t back_ms = seals[i - 1].time / NSEC_PER_MSEC - seals[i].time / NSEC_PER_MSEC;
		if (back_ms >= 1000)
			verify_note(report,
				"seal %" PRId64
				" of chain %.8s has an earlier time than seal %" PRId64
				", by %" PRId64 " seconds: the clock was set back",
				seals[i].number, chain->id, seals[i - 1].number, back_ms / 1000);
		int64_t missing = seals[i].number - seals[i - 1].number - 1;
		if (missing > 0)
			verify_problem(report,
				"%" PRId64 " seal%s of chain %.8s %s missing: number%s %" PRId64
				" to %" PRId64,
				missing, str_plural((unsigned long long)missing), chain->id,
				missing == 1 ? "is" : "are",
				str_plural((unsigned long long)missing), seals[i - 1].number + 1,
				seals[i].number - 1);
		else if (strcmp(seals[i].previous, seals[i - 1].digest) != 0)
			verify_problem(report,
				"seal %" PRId64 " of chain %.8s does not follow seal %" PRId64
				": one of them was changed",
				seals[i].number, chain->id, seals[i - 1].number);
	}
}

void verify_chains_check(struct verify_chains *chains, struct verify_report *report)
{
	for (size_t i = 0; i < chains->n_items; i++) {
		sort(&chains->items[i], report);
		check(&chains->items[i], report);
	}
}

void verify_chains_deinit(struct verify_chains *chains)
{
	for (size_t i = 0; i < chains->n_items; i++) {
		for (size_t j = 0; j < chains->items[i].n_seals; j++)
			seal_deinit(&chains->items[i].seals[j]);
		free(chains->items[i].seals);
	}
	free(chains->items);
}
