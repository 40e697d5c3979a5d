/* lib/base/ed25519.c against RFC 8032, section 7.1, test 2. */
#include "base/ed25519.h"

#include "base/cleanup.h"
#include "check_unit.h"

/* 4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb */
#define PRIVATE                                                                                    \
	"-----BEGIN PRIVATE KEY-----\n"                                                            \
	"MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"                       \
	"-----END PRIVATE KEY-----\n"
#define PUBLIC                                                                                     \
	"-----BEGIN PUBLIC KEY-----\n"                                                             \
	"MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n"                           \
	"-----END PUBLIC KEY-----\n"
#define SIGNATURE                                                                                  \
	"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613" \
	"d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"

START_TEST(sign_and_verify)
{
	struct ed25519 *private = NULL, *public = NULL;
	struct buf signature CLEANUP(buf_deinit) = BUF_NULL;
	struct slice rest = SLICE("text before\n" PUBLIC PUBLIC "after\n");
	char hex[2 * ED25519_SIGNATURE_SIZE + 1];
	ck_assert_int_eq(ed25519_private(&private, SLICE(PRIVATE)), 0);
	ck_assert_int_eq(ed25519_sign(private, SLICE("\x72"), &signature), 0);
	digest_hex(signature.data, signature.size, hex);
	ck_assert_str_eq(hex, SIGNATURE);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(ed25519_public(&public, &rest), 0);
		ck_assert_str_eq(ed25519_fingerprint(public), ed25519_fingerprint(private));
		ck_assert(ed25519_verify(public, SLICE("\x72"), buf_slice(&signature)));
		ck_assert(!ed25519_verify(public, SLICE("\x73"), buf_slice(&signature)));
		ck_assert(!ed25519_verify(public, SLICE("\x72"), SLICE("short")));
		ed25519_free(public);
	}
	ck_assert_int_eq(ed25519_public(&public, &rest), ED25519_E_PEM);
	ed25519_free(private);
}
END_TEST

START_TEST(wrong_keys)
{
	struct ed25519 *key = NULL;
	struct slice rest = SLICE(PRIVATE);
	ck_assert_int_eq(ed25519_private(&key, SLICE("")), ED25519_E_PEM);
	ck_assert_int_eq(ed25519_private(&key, SLICE(PUBLIC)), ED25519_E_PEM);
	ck_assert_int_eq(ed25519_public(&key, &rest), ED25519_E_PEM);
	ed25519_free(NULL);
}
END_TEST

UNIT_MAIN("ed25519", sign_and_verify, wrong_keys)
