/* lib/base/signing.c against the examples of RFC 7515, appendix A, and against OpenSSL where a
 * signature is different each time. */
#include "base/signing.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "check_unit.h"
#include "key_fixture.h"

#define CLAIMS                                                                                     \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0" \
	"c"                                                                                        \
	"nVlfQ"

static void sign(
	enum signing_algorithm algorithm, const char *text, struct slice data, struct buf *ret)
{
	struct signing_key *key = NULL;
	ck_assert_int_eq(signing_key_new(&key, algorithm, slice_of(text)), 0);
	ck_assert_int_eq(signing_key_sign(key, data, ret), 0);
	signing_key_free(key);
}

/* RFC 7515 appendix A.1, and the example of RFC 7519 section 3.1 with it. */
START_TEST(hs256)
{
	static const unsigned char secret[] = {3, 35, 53, 75, 43, 15, 165, 188, 131, 126, 6, 101,
		119, 123, 166, 143, 90, 179, 40, 230, 240, 84, 201, 40, 169, 15, 132, 178, 210, 80,
		46, 191, 211, 251, 90, 146, 210, 6, 71, 239, 150, 138, 180, 195, 119, 98, 61, 34,
		61, 46, 33, 114, 5, 46, 79, 8, 192, 205, 154, 245, 103, 208, 128, 163};
	struct buf signature CLEANUP(buf_deinit) = BUF_NULL;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	struct signing_key *key = NULL;
	ck_assert_int_eq(signing_key_new(&key, SIGNING_HS256,
				 (struct slice){(const char *)secret, sizeof(secret)}),
		0);
	ck_assert_int_eq(
		signing_key_sign(
			key, SLICE("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." CLAIMS), &signature),
		0);
	signing_key_free(key);
	encode_base64url(buf_slice(&signature), &text);
	ck_assert_str_eq(buf_text(&text), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}
END_TEST

/* RFC 7515 appendix A.2; the key once with line breaks and once as JSON files have it. */
START_TEST(rs256)
{
	char *pem CLEANUP_FREE = key_text("rfc7515-a2");
	struct buf line CLEANUP(buf_deinit) = BUF_NULL;
	for (const char *at = pem; *at; at++)
		buf_append_text(&line, *at == '\n' ? "\\n" : (char[]){*at, '\0'});
	const char *texts[] = {pem, buf_text(&line)};
	for (size_t i = 0; i < 2; i++) {
		struct buf signature CLEANUP(buf_deinit) = BUF_NULL;
		struct buf text CLEANUP(buf_deinit) = BUF_NULL;
		sign(SIGNING_RS256, texts[i], SLICE("eyJhbGciOiJSUzI1NiJ9." CLAIMS), &signature);
		encode_base64url(buf_slice(&signature), &text);
		ck_assert_str_eq(buf_text(&text),
			"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-"
			"0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrn"
			"byTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--"
			"xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY"
			"9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw");
	}
}
END_TEST

static bool verifies_hash(const char *pem, struct slice data, const void *signature, size_t size,
	bool is_pss, const EVP_MD *hash)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *options = NULL;
	ck_assert_int_eq(EVP_DigestVerifyInit(context, &options, hash, NULL, pkey), 1);
	if (is_pss) {
		EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(options, 32);
	}
	bool good = EVP_DigestVerify(context, signature, size, (const unsigned char *)data.data,
			    data.size) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(pkey);
	BIO_free(bio);
	return good;
}

static bool verifies(
	const char *pem, struct slice data, const void *signature, size_t size, bool is_pss)
{
	return verifies_hash(pem, data, signature, size, is_pss, EVP_sha256());
}

START_TEST(rs512)
{
	char *pem CLEANUP_FREE = key_text("rfc7515-a2");
	struct buf signature CLEANUP(buf_deinit) = BUF_NULL;
	sign(SIGNING_RS512, pem, SLICE("data"), &signature);
	ck_assert_uint_eq(signature.size, 256);
	ck_assert(verifies_hash(
		pem, SLICE("data"), signature.data, signature.size, false, EVP_sha512()));
	ck_assert(!verifies_hash(
		pem, SLICE("date"), signature.data, signature.size, false, EVP_sha512()));
	ck_assert(!verifies(pem, SLICE("data"), signature.data, signature.size, false));
}
END_TEST

START_TEST(ps256)
{
	char *pem CLEANUP_FREE = key_text("rfc7515-a2");
	struct buf signature CLEANUP(buf_deinit) = BUF_NULL;
	sign(SIGNING_PS256, pem, SLICE("data"), &signature);
	ck_assert_uint_eq(signature.size, 256);
	ck_assert(verifies(pem, SLICE("data"), signature.data, signature.size, true));
	ck_assert(!verifies(pem, SLICE("date"), signature.data, signature.size, true));
	ck_assert(!verifies(pem, SLICE("data"), signature.data, signature.size, false));
}
END_TEST

/* R or S that begins with a zero byte must keep its size: many signatures show it. */
START_TEST(es256)
{
	char *pem CLEANUP_FREE = key_text("rfc7515-a3");
	struct signing_key *key = NULL;
	ck_assert_int_eq(signing_key_new(&key, SIGNING_ES256, slice_of(pem)), 0);
	for (size_t i = 0; i < 600; i++) {
		struct buf raw CLEANUP(buf_deinit) = BUF_NULL;
		unsigned char der[80];
		size_t n = 2;
		ck_assert_int_eq(signing_key_sign(key, SLICE("data"), &raw), 0);
		ck_assert_uint_eq(raw.size, 64);
		for (size_t half = 0; half < 2; half++) { /* to ASN.1 again, by hand */
			const char *number = raw.data + 32 * half;
			size_t skip = 0;
			while (skip < 31 && number[skip] == 0)
				skip++;
			bool pad = (number[skip] & 0x80) != 0;
			der[n++] = 0x02;
			der[n++] = (unsigned char)(32 - skip + pad);
			if (pad)
				der[n++] = 0;
			memcpy(der + n, number + skip, 32 - skip);
			n += 32 - skip;
		}
		der[0] = 0x30;
		der[1] = (unsigned char)(n - 2);
		ck_assert_msg(verifies(pem, SLICE("data"), der, n, false), "turn %zu", i);
	}
	signing_key_free(key);
}
END_TEST

START_TEST(keys_that_do_not_fit)
{
	char *rsa CLEANUP_FREE = key_text("rfc7515-a2");
	char *ec CLEANUP_FREE = key_text("rfc7515-a3");
	struct signing_key *key = NULL;
	ck_assert_int_eq(signing_key_new(&key, SIGNING_RS256, slice_of("no key")), SIGNING_E_PEM);
	ck_assert_int_eq(signing_key_new(&key, SIGNING_RS256, SLICE("")), SIGNING_E_PEM);
	ck_assert_int_eq(signing_key_new(&key, SIGNING_ES256, slice_of(rsa)), SIGNING_E_KIND);
	ck_assert_int_eq(signing_key_new(&key, SIGNING_PS256, slice_of(ec)), SIGNING_E_KIND);
	ck_assert_ptr_null(key);
	enum signing_algorithm algorithm;
	ck_assert_int_lt(signing_algorithm_parse(SLICE("none"), &algorithm), 0);
	ck_assert_int_eq(signing_algorithm_parse(SLICE("ES256"), &algorithm), 0);
	ck_assert_str_eq(signing_algorithm_to_string(algorithm), "ES256");
}
END_TEST

UNIT_MAIN("signing", hs256, rs256, rs512, ps256, es256, keys_that_do_not_fit)
