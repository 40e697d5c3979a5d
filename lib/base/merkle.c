/* See merkle.h. */
#include "base/merkle.h"

struct merkle_hash merkle_leaf(struct slice data)
{
	struct merkle_hash hash;

	digest_sha256_pair(SLICE("\x00"), data, hash.bytes);
	return hash;
}

static struct merkle_hash merkle_node(
	const struct merkle_hash *left, const struct merkle_hash *right)
{
	struct merkle_hash hash;
	char data[1 + 2 * DIGEST_SIZE] = "\x01";

	memcpy(data + 1, left->bytes, DIGEST_SIZE);
	memcpy(data + 1 + DIGEST_SIZE, right->bytes, DIGEST_SIZE);
	digest_sha256((struct slice){data, sizeof(data)}, hash.bytes);
	return hash;
}

void merkle_add(struct merkle *tree, const struct merkle_hash *leaf)
{
	struct merkle_hash node = *leaf;
	unsigned i = 0;

	for (; tree->n_leaves >> i & 1; i++)
		node = merkle_node(&tree->nodes[i], &node);
	tree->nodes[i] = node;
	tree->n_leaves++;
}

struct merkle_hash merkle_root(const struct merkle *tree)
{
	struct merkle_hash root;
	bool any = false;

	for (unsigned i = 0; i < 64; i++) {
		if (!(tree->n_leaves >> i & 1))
			continue;
		root = any ? merkle_node(&tree->nodes[i], &root) : tree->nodes[i];
		any = true;
	}
	if (!any)
		digest_sha256(SLICE(""), root.bytes);
	return root;
}

/* The largest power of two below N, which is at least 2. */
static uint64_t merkle_split(uint64_t n)
{
	uint64_t k = 1;

	while (k << 1 < n)
		k <<= 1;
	return k;
}

static struct merkle_hash merkle_root_of(const struct merkle_hash *leaves, uint64_t n)
{
	struct merkle tree = MERKLE_NULL;

	for (uint64_t i = 0; i < n; i++)
		merkle_add(&tree, &leaves[i]);
	return merkle_root(&tree);
}

void merkle_path(const struct merkle_hash *leaves, uint64_t n, uint64_t index, struct buf *out)
{
	struct merkle_hash path[64];
	size_t n_path = 0;

	/* from the root down: the half that the leaf is not in */
	while (n > 1) {
		uint64_t k = merkle_split(n);
		bool left = index < k;

		path[n_path++] =
			left ? merkle_root_of(leaves + k, n - k) : merkle_root_of(leaves, k);
		leaves += left ? 0 : k;
		index -= left ? 0 : k;
		n = left ? k : n - k;
	}
	while (n_path > 0)
		buf_append(out, path[--n_path].bytes, DIGEST_SIZE);
}

void merkle_print(const struct merkle *tree, struct buf *out)
{
	char hex[DIGEST_HEX_SIZE];

	for (int i = 63; i >= 0; i--) {
		if (!(tree->n_leaves >> i & 1))
			continue;
		digest_hex(tree->nodes[i].bytes, DIGEST_SIZE, hex);
		buf_append_text(out, hex);
	}
}

int merkle_parse(struct merkle *ret, uint64_t n_leaves, struct slice text)
{
	const size_t size = 2 * DIGEST_SIZE;
	struct merkle tree = {.n_leaves = n_leaves};
	size_t at = 0;

	for (int i = 63; i >= 0; i--) {
		if (!(n_leaves >> i & 1))
			continue;
		if (text.size - at < size || !digest_parse_hex((struct slice){text.data + at, size},
						     tree.nodes[i].bytes, DIGEST_SIZE))
			return -1;
		at += size;
	}
	if (at != text.size)
		return -1;
	*ret = tree;
	return 0;
}
