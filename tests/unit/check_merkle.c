/* lib/base/merkle.c against the tree of RFC 6962's reference tests (the hashes of RFC 9162 are the
 * same), and against itself: every path leads to the root. */
#include "base/merkle.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "check_unit.h"

static const struct slice inputs[] = {
	{"", 0},
	{"\x00", 1},
	{"\x10", 1},
	{"\x20\x21", 2},
	{"\x30\x31", 2},
	{"\x40\x41\x42\x43", 4},
	{"\x50\x51\x52\x53\x54\x55\x56\x57", 8},
	{"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16},
};

static const char *const roots[] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

static void check_root(const struct merkle *tree, const char *hex)
{
	const struct merkle_hash root = merkle_root(tree);
	char found[DIGEST_HEX_SIZE];
	digest_hex(root.bytes, sizeof(root.bytes), found);
	ck_assert_str_eq(found, hex);
}

START_TEST(published_roots)
{
	struct merkle tree = MERKLE_NULL;
	check_root(&tree, roots[0]);
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
		struct merkle_hash leaf = merkle_leaf(inputs[i]);
		merkle_add(&tree, &leaf);
		check_root(&tree, roots[i + 1]);
	}
}
END_TEST

/* RFC 9162 section 2.1.3.2. */
static struct merkle_hash follow(
	struct merkle_hash node, uint64_t index, uint64_t last, struct slice path)
{
	for (size_t at = 0; at < path.size; at += DIGEST_SIZE) {
		bool left = index % 2 == 1 || index == last;
		char data[1 + 2 * DIGEST_SIZE] = "\x01";
		memcpy(data + 1 + (left ? DIGEST_SIZE : 0), node.bytes, DIGEST_SIZE);
		memcpy(data + 1 + (left ? 0 : DIGEST_SIZE), path.data + at, DIGEST_SIZE);
		digest_sha256((struct slice){data, sizeof(data)}, node.bytes);
		while (left && index % 2 == 0 && index > 0) {
			index /= 2;
			last /= 2;
		}
		index /= 2;
		last /= 2;
	}
	ck_assert_uint_eq(last, 0);
	return node;
}

START_TEST(paths)
{
	struct merkle_hash leaves[70];
	struct merkle tree = MERKLE_NULL;
	for (uint64_t n = 1; n <= 70; n++) {
		leaves[n - 1] = merkle_leaf((struct slice){(const char *)&n, sizeof(n)});
		merkle_add(&tree, &leaves[n - 1]);
		const struct merkle_hash root = merkle_root(&tree);
		for (uint64_t i = 0; i < n; i++) {
			struct buf path CLEANUP(buf_deinit) = BUF_NULL;
			merkle_path(leaves, n, i, &path);
			struct merkle_hash found = follow(leaves[i], i, n - 1, buf_slice(&path));
			ck_assert_mem_eq(found.bytes, root.bytes, sizeof(root.bytes));
		}
	}
}
END_TEST

/* A tree that was printed continues as the one that was not. */
START_TEST(printed)
{
	struct merkle tree = MERKLE_NULL;
	for (uint64_t n = 0; n < 40; n++) {
		struct buf text CLEANUP(buf_deinit) = BUF_NULL;
		struct merkle copy;
		merkle_print(&tree, &text);
		ck_assert_int_eq(merkle_parse(&copy, n, buf_slice(&text)), 0);
		if (n > 0)
			ck_assert_int_ne(
				merkle_parse(&copy, n, (struct slice){text.data, text.size - 1}),
				0);
		struct merkle_hash leaf = merkle_leaf((struct slice){(const char *)&n, sizeof(n)});
		merkle_add(&copy, &leaf);
		merkle_add(&tree, &leaf);
		const struct merkle_hash a = merkle_root(&tree), b = merkle_root(&copy);
		ck_assert_mem_eq(a.bytes, b.bytes, sizeof(a.bytes));
	}
	struct merkle copy;
	ck_assert_int_ne(merkle_parse(&copy, 1, SLICE("xyz")), 0);
}
END_TEST

UNIT_MAIN("merkle", published_roots, paths, printed)
