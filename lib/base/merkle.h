/*
 * The Merkle tree of RFC 9162 (section 2.1) over SHA-256, built leaf by leaf: its root says what
 * all leaves are and in which order, and a path of at most 64 digests proves that one leaf is among
 * them. Only the roots of the complete subtrees are kept, one digest for each bit of the number of
 * leaves.
 */
#ifndef TRAWLD_BASE_MERKLE_H
#define TRAWLD_BASE_MERKLE_H

#include "base/buf.h"
#include "base/digest.h"

struct merkle_hash {
	uint8_t bytes[DIGEST_SIZE];
};

struct merkle {
	uint64_t n_leaves;
	struct merkle_hash nodes[64]; /* [i] counts if bit i of n_leaves is set: of 2^i leaves */
};

#define MERKLE_NULL ((struct merkle){0})

/* SHA-256(0x00 || DATA). */
struct merkle_hash merkle_leaf(struct slice data);
void merkle_add(struct merkle *tree, const struct merkle_hash *leaf);
/* Of no leaves: SHA-256 of nothing. */
struct merkle_hash merkle_root(const struct merkle *tree);

/* Appends the inclusion path of leaf INDEX, below N, from the leaf up: digests one after the other.
 */
void merkle_path(const struct merkle_hash *leaves, uint64_t n, uint64_t index, struct buf *out);

/* The nodes that count as hexadecimal digits, the largest subtree first. Appends. */
void merkle_print(const struct merkle *tree, struct buf *out);
/* From what was printed of a tree of N_LEAVES. 0 or -1. */
int merkle_parse(struct merkle *ret, uint64_t n_leaves, struct slice text);

#endif
