/*
 * Seals: what proves later that the lines of a file sink's files are those that trawld wrote, all
 * of them, in their order. A seal is one signed line of JSON in `PATH.seals` that holds the Merkle
 * root of the lines since the seal before it and the digest of that seal: a chain with numbers.
 *
 * A chain has the files that one path names over time (its strftime conversions, its rotations);
 * with %{source} each source has its own. It is part of the sink's stored position, and so is each
 * seal from before it is written until it is known to be: a crash leaves each in the file once.
 *
 * What a seal says and how it is checked is in trawlctl(1).
 */
#ifndef TRAWLD_SINK_SEAL_H
#define TRAWLD_SINK_SEAL_H

#include "base/ed25519.h"
#include "sink/file/file_target.h"
#include "sink/file/seal_run.h"

#include <jansson.h>

#define SEAL_SUFFIX ".seals"

struct seal_chain {
	char *key; /* the sink's path with its names, its times as conversions */
	char *source; /* whose records alone it has; NULL: of several */
	char id[33];
	int64_t number; /* of the last seal; 0: none yet */
	char previous[DIGEST_HEX_SIZE]; /* SHA-256 of its body; "": none yet */
	nsec_t sealed_time; /* when; NSEC_NONE: never */
	char *path; /* of the file it is in, or is to be; NULL: none yet */
	struct file_target *file; /* open, or NULL */
	char *pending; /* lines of the last seals, not known to be in the file; NULL: they are */
	bool stored; /* the stored position has PENDING */
};

/* A seal that is to be published. */
struct seal_news {
	const struct seal_chain *chain;
	int64_t number;
	char *line;
};

struct seals {
	struct log_subject subject;
	const char *pattern; /* the path; NULL: nothing is sealed */
	struct file_modes modes;
	struct ed25519 *key;
	struct seal_chain **chains;
	size_t n_chains;
	size_t chains_capacity;
	struct seal_run **runs; /* of one chain in the order in which they began */
	size_t n_runs;
	size_t runs_capacity;
	struct seal_news *news; /* since the position was stored */
	size_t n_news;
	size_t news_capacity;
	bool failing;
	struct fault fault; /* why, while failing */

	/* makes the sink's position durable; false: not now */
	bool (*store)(void *userdata);
	/* SEAL is sent elsewhere with the position that is stored next, which store() does before
	 * the loop runs again; NULL allowed */
	void (*publish)(const struct seal_news *seal, void *userdata);
	/* appends the members of a seal that the state is asked for, of SOURCE (NULL: of all); NULL
	 * allowed */
	void (*attest)(const char *source, struct buf *out, void *userdata);
	void *userdata;
};

void seals_clear(struct seals *seals); /* forgets chains and runs, closes the files */
void seals_deinit(struct seals *seals);

/* A part of a job is about to write to TARGET, whose last source is known: gives it a run.
 * 0 or FAULT_STORE. */
int seals_enter(struct seals *seals, struct file_target *target, struct fault *reterr);

/* After a start: TARGET is at its path and has what was left there, perhaps in a copy: then its run
 * is of the copy. */
void seals_follow(struct seals *seals, const struct file_target *target);

/* Between jobs: seals what is not sealed yet, and says so for a chain that was silent for an hour.
 */
void seals_make(struct seals *seals, nsec_t now);

/* Is there something to seal, or a seal to write? */
bool seals_wait(const struct seals *seals);

/* Appends {"chains":[…],"runs":[…]}. */
void seals_print(const struct seals *seals, struct buf *out);
/* From what was printed; VALUE may be NULL (there is none). Finishes the seal that a crash has
 * interrupted. 0 or FAULT_STORE. */
int seals_recover(struct seals *seals, json_t *value, struct fault *reterr);

/* --- between the files of seals --- */

/* The chain of that key, made if need be. */
struct seal_chain *seals_chain(struct seals *seals, const char *key);
/* The file at the chain's path is open. 0 or FAULT_STORE. */
int seal_chain_open(struct seal_chain *chain, struct seals *seals, struct fault *reterr);
/* The chain is about to have seals in the file at PATH: if that has later ones of it already, which
 * the state does not know, a new chain begins. A file that cannot be read is told of when it is to
 * be written. */
void seal_chain_meet(struct seal_chain *chain, struct seals *seals, const char *path);
/* What is pending goes to the chain's file. 0 or FAULT_STORE. */
int seal_chain_settle(struct seal_chain *chain, struct seals *seals, struct fault *reterr);
/* After a start: opens the chain's file, of which the position knows SIZE bytes with CHECK, and
 * finishes the pending seal. 0 or FAULT_STORE. */
int seal_chain_recover(struct seal_chain *chain, struct seals *seals, int64_t size,
	const char *check, struct fault *reterr);
void seal_chain_begin(struct seal_chain *chain); /* gives it an ID and no seals */
void seals_add_run(struct seals *seals, struct seal_run *run);

#endif
