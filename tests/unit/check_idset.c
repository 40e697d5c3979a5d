/* Digests and the set of them. */
#include "base/idset.h"

#include "base/digest.h"
#include "check_unit.h"

static struct id id_of(uint64_t n)
{
	return digest_id((struct slice){(const char *)&n, sizeof(n)});
}

START_TEST(vectors)
{
	uint8_t digest[DIGEST_SIZE];
	char hex[DIGEST_HEX_SIZE];
	/* FIPS 180-4 examples */
	digest_sha256(SLICE("abc"), digest);
	digest_hex(digest, sizeof(digest), hex);
	ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha256(SLICE(""), digest);
	digest_hex(digest, sizeof(digest), hex);
	ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	/* RFC 4231 test case 2 */
	digest_hmac_sha256(SLICE("Jefe"), SLICE("what do ya want for nothing?"), digest);
	digest_hex(digest, sizeof(digest), hex);
	ck_assert_str_eq(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	struct id id = digest_id(SLICE("abc"));
	ck_assert_mem_eq(
		id.bytes, "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23", 16);
}
END_TEST

START_TEST(holds_what_was_added)
{
	struct idset set = IDSET_NULL;
	struct id id = id_of(0);
	ck_assert(!idset_has(&set, &id));
	for (uint64_t n = 0; n < 100000; n++) {
		id = id_of(n);
		ck_assert(idset_add(&set, &id));
		ck_assert(!idset_add(&set, &id));
	}
	ck_assert_uint_eq(set.n_ids, 100000);
	for (uint64_t n = 0; n < 200000; n++) {
		id = id_of(n);
		ck_assert(idset_has(&set, &id) == (n < 100000));
	}
	idset_clear(&set);
	ck_assert(!idset_has(&set, &id));
	idset_deinit(&set);
}
END_TEST

START_TEST(zero_and_neighbours)
{
	struct idset set = IDSET_NULL;
	struct id zero = {{0}};
	ck_assert(!idset_has(&set, &zero));
	ck_assert(idset_add(&set, &zero));
	ck_assert(!idset_add(&set, &zero));
	ck_assert(idset_has(&set, &zero));
	/* all begin with the same bytes: one cluster */
	idset_reserve(&set, 1000);
	for (unsigned n = 1; n <= 1000; n++) {
		struct id id = {{0}};
		id.bytes[15] = (uint8_t)n;
		id.bytes[14] = (uint8_t)(n >> 8);
		ck_assert(idset_add(&set, &id));
	}
	ck_assert_uint_eq(set.n_ids, 1001);
	idset_deinit(&set);
}
END_TEST

UNIT_MAIN("idset", vectors, holds_what_was_added, zero_and_neighbours)
