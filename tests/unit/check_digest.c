/* Digests against published vectors, one after another: the context is kept between them. */
#include "base/digest.h"

#include "base/mem.h"
#include "check_unit.h"

/* FIPS 180-4 examples, and lengths around a block's end. */
START_TEST(sha256)
{
	static const struct {
		const char *text, *hex;
	} cases[] = {
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
			"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	};
	uint8_t digest[DIGEST_SIZE];
	char hex[DIGEST_HEX_SIZE];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		digest_sha256(slice_of(cases[i].text), digest);
		digest_hex(digest, sizeof(digest), hex);
		ck_assert_msg(strcmp(hex, cases[i].hex) == 0, "case %zu: %s", i, hex);
	}
	char *million = mem_alloc(1000000);
	memset(million, 'a', 1000000);
	digest_sha256((struct slice){million, 1000000}, digest);
	digest_hex(digest, sizeof(digest), hex);
	ck_assert_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
}
END_TEST

/* RFC 4231 test cases 1, 2, 6 (a key longer than a block). */
START_TEST(hmac_sha256)
{
	static char longer[131];
	static const struct {
		struct slice key, text;
		const char *hex;
	} cases[] = {
		{{"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
		  "\x0b",
			 20},
			{"Hi There", 8},
			"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{{"Jefe", 4}, {"what do ya want for nothing?", 28},
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{{longer, sizeof(longer)},
			{"Test Using Larger Than Block-Size Key - Hash Key First", 54},
			"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	};
	memset(longer, 0xaa, sizeof(longer));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t digest[DIGEST_SIZE];
		char hex[DIGEST_HEX_SIZE];
		digest_hmac_sha256(cases[i].key, cases[i].text, digest);
		digest_hex(digest, sizeof(digest), hex);
		ck_assert_msg(strcmp(hex, cases[i].hex) == 0, "case %zu: %s", i, hex);
	}
}
END_TEST

START_TEST(ids_and_hex)
{
	char hex[7];
	struct id id = digest_id(SLICE("abc")), other = digest_id(SLICE("abd"));
	ck_assert_mem_eq(
		id.bytes, "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23", 16);
	ck_assert_mem_ne(id.bytes, other.bytes, 16);
	digest_hex("\x00\x0f\xff", 3, hex);
	ck_assert_str_eq(hex, "000fff");
	digest_hex("", 0, hex);
	ck_assert_str_eq(hex, "");
}
END_TEST

START_TEST(hex_undone)
{
	static const char *const bad[] = {"000ff", "000fff0", "000FFF", "000ffg", "000ff ", ""};
	uint8_t bytes[3];
	ck_assert(digest_parse_hex(SLICE("00a1ff"), bytes, 3));
	ck_assert_mem_eq(bytes, "\x00\xa1\xff", 3);
	ck_assert(digest_parse_hex(SLICE(""), bytes, 0));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!digest_parse_hex(slice_of(bad[i]), bytes, 3), "%s", bad[i]);
	ck_assert(!digest_parse_hex((struct slice){"00\0a1ff", 6}, bytes, 3));
}
END_TEST

UNIT_MAIN("digest", sha256, hmac_sha256, ids_and_hex, hex_undone)
