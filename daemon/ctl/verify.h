/*
 * What seals prove (lib/sink/file/seal.h says what they are), from files alone: no state, no
 * configuration. In three steps: the seals are read and their chains checked (verify_chain.c),
 * compared with time stamps (verify_tokens.c) and an anchor (verify_anchor.c), and the files of
 * records compared with them (verify_file.c). Each adds what it found to the report.
 */
#ifndef TRAWLD_DAEMON_CTL_VERIFY_H
#define TRAWLD_DAEMON_CTL_VERIFY_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/ed25519.h"
#include "base/merkle.h"
#include "base/str.h"

struct verify_report {
	struct str_list problems; /* what was changed, or is missing */
	struct str_list notes;
	struct str_list unproven; /* what remains open although nothing was found */
	int64_t n_records, n_sealed;
	bool weak; /* a proof is missing that a person could give */
};

struct verify_seal {
	int64_t number;
	char *file; /* base name, when it was written */
	int64_t first; /* 0: not counted */
	int64_t offset, n_bytes, n_records;
	struct merkle_hash root;
	char previous[DIGEST_HEX_SIZE]; /* "": none */
	char digest[DIGEST_HEX_SIZE]; /* of the body */
	nsec_t time;
	int64_t n_events; /* -1: it does not speak of events */
	struct merkle_hash events_root;
	bool closed;
	char *line; /* as it was read */
};

struct verify_chain {
	char id[33];
	struct verify_seal *seals; /* by number, once it is checked */
	size_t n_seals;
	size_t capacity;
	size_t n_tokens; /* of time-stamping authorities, for its seals */
	int64_t stamped_number; /* the last seal that has one, and when it was there */
	nsec_t stamped_time;
};

struct verify_chains {
	struct verify_chain *items;
	size_t n_items;
	size_t capacity;
};

/* Public keys. N_KEYS 0: signatures are not checked. */
struct verify_keys {
	struct ed25519 **items;
	size_t n_items;
	size_t capacity;
};

/* Consecutive seals of a chain over one stretch of one file. */
struct verify_run {
	const struct verify_chain *chain;
	size_t begin, end; /* of its seals */
	const char *file;
	int64_t start; /* offset */
	int64_t n_records;
	const char *found; /* the file that has it; NULL: none yet */
};

struct verify_runs {
	struct verify_run *items;
	size_t n_items;
	size_t capacity;
};

/* The seal that covers a line. */
struct verify_proof {
	int64_t line; /* of the file, from 1 */
	const struct verify_seal *seal; /* whose records are as sealed; NULL: none */
	int64_t first; /* its first line in the file */
};

/* Adds a sentence; what a file could smuggle into a terminal is replaced. */
void verify_problem(struct verify_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void verify_note(struct verify_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void verify_unproven(struct verify_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void verify_report_deinit(struct verify_report *report);

/* The keys in the PEM file at PATH. 0, or an exit code after the reason was printed. */
int verify_keys_read(struct verify_keys *keys, const char *path);
void verify_keys_deinit(struct verify_keys *keys);

/* --- verify_chain.c --- */

/* Adds the seals in the file at PATH. MIXED: it has other records, too (an anchor). 0 or -errno. */
int verify_chains_read(struct verify_chains *chains, const char *path, bool mixed,
	const struct verify_keys *keys, struct verify_report *report);
struct verify_chain *verify_chains_find(const struct verify_chains *chains, const char *id);
/* Is one of their seals of FILE (a base name)? */
bool verify_chains_speak_of(const struct verify_chains *chains, const char *file);
/* Once it is checked; NULL: there is none. */
const struct verify_seal *verify_chain_seal(const struct verify_chain *chain, int64_t number);
/* Sorts by number, drops repeats; numbers and digests must join. */
void verify_chains_check(struct verify_chains *chains, struct verify_report *report);
void verify_chains_deinit(struct verify_chains *chains);

/* --- verify_anchor.c --- */

/* CHAINS must have what ANCHORS have, as far as it is of FILES (base names). */
void verify_anchor(const struct verify_chains *chains, const struct verify_chains *anchors,
	const struct str_list *files, struct verify_report *report);

/* --- verify_events.c --- */

/* Compares the events in the file at PATH with what CHAINS, which are checked, say of them. 0 or
 * -errno. */
int verify_events(
	const struct verify_chains *chains, const char *path, struct verify_report *report);

/* --- verify_tokens.c --- */

struct token_authorities;

/* Compares the time-stamp tokens in the file at PATH with CHAINS, which are checked. AUTHORITIES
 * NULL: who signed them is not checked. 0 or -errno. */
int verify_tokens(struct verify_chains *chains, const char *path,
	const struct token_authorities *authorities, struct verify_report *report);

/* --- verify_file.c --- */

void verify_runs_find(struct verify_runs *runs, const struct verify_chains *chains);
/* Compares the file at PATH. RUN: it is to have this run; NULL: any that its records say. PROOF may
 * be NULL. *RET_FOUND: it has one. 0 or -errno. */
int verify_file(struct verify_runs *runs, const char *path, struct verify_run *run,
	struct verify_proof *proof, struct verify_report *report, bool *ret_found);
/* Compares the compressed file at PATH with its ORIGINAL, which is still there. 0 or -errno. */
int verify_twin(const char *path, const char *original, struct verify_report *report);

#endif
