/* See signing.h. */
#include "base/signing.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/pem.h"
#include "base/secret.h"

#define RSA_BITS_MIN 2048
#define P256_SIZE 32

struct signing_key {
	enum signing_algorithm algorithm;
	EVP_PKEY *pkey; /* NULL: the secret */
	struct secret secret;
};

static const char *const names[] = {
	[SIGNING_RS256] = "RS256",
	[SIGNING_RS512] = "RS512",
	[SIGNING_PS256] = "PS256",
	[SIGNING_ES256] = "ES256",
	[SIGNING_HS256] = "HS256",
};

int signing_algorithm_parse(struct slice name, enum signing_algorithm *ret)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (slice_is(name, names[i])) {
			*ret = (enum signing_algorithm)i;
			return 0;
		}
	}
	return -1;
}

const char *signing_algorithm_to_string(enum signing_algorithm algorithm)
{
	return names[algorithm];
}

static bool fits(enum signing_algorithm algorithm, EVP_PKEY *pkey)
{
	char group[32] = "";

	if (algorithm != SIGNING_ES256)
		return EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) >= RSA_BITS_MIN;
	return EVP_PKEY_is_a(pkey, "EC") &&
	       EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1 &&
	       strcmp(group, "prime256v1") == 0;
}

int signing_key_new(struct signing_key **ret, enum signing_algorithm algorithm, struct slice text)
{
	EVP_PKEY *pkey = NULL;
	struct signing_key *key;

	if (algorithm != SIGNING_HS256) {
		pkey = pem_read_private(text);
		if (!pkey)
			return SIGNING_E_PEM;
		if (!fits(algorithm, pkey)) {
			EVP_PKEY_free(pkey);
			return SIGNING_E_KIND;
		}
	}
	key = MEM_NEW(struct signing_key);
	key->algorithm = algorithm;
	key->pkey = pkey;
	secret_set(&key->secret, text);
	*ret = key;
	return 0;
}

void signing_key_free(struct signing_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	secret_deinit(&key->secret);
	free(key);
}

static int sign_evp(const struct signing_key *key, struct slice data, struct buf *out)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *options = NULL;
	const EVP_MD *hash = key->algorithm == SIGNING_RS512 ? EVP_sha512() : EVP_sha256();
	unsigned char signature[1024];
	size_t size = sizeof(signature);
	bool done = context && EVP_DigestSignInit(context, &options, hash, NULL, key->pkey) == 1;

	if (done && key->algorithm == SIGNING_PS256)
		done = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
	done = done && (size_t)EVP_PKEY_get_size(key->pkey) <= sizeof(signature) &&
	       EVP_DigestSign(
		       context, signature, &size, (const unsigned char *)data.data, data.size) == 1;
	EVP_MD_CTX_free(context);
	if (!done)
		return -1;
	buf_append(out, (const char *)signature, size);
	return 0;
}

/* OpenSSL writes R and S as ASN.1, JSON Web Signatures as two numbers of fixed size (RFC 7518
 * section 3.4). */
static int append_raw(struct slice der, struct buf *out)
{
	const unsigned char *at = (const unsigned char *)der.data;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)der.size);
	unsigned char raw[2 * P256_SIZE];
	bool done = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, P256_SIZE) == P256_SIZE &&
		    BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + P256_SIZE, P256_SIZE) == P256_SIZE;

	ECDSA_SIG_free(pair);
	if (!done)
		return -1;
	buf_append(out, (const char *)raw, sizeof(raw));
	return 0;
}

int signing_key_sign(const struct signing_key *key, struct slice data, struct buf *out)
{
	struct buf der CLEANUP(buf_deinit) = BUF_NULL;
	uint8_t digest[DIGEST_SIZE];
	int r;

	switch (key->algorithm) {
	case SIGNING_HS256:
		digest_hmac_sha256(
			(struct slice){key->secret.text, key->secret.size}, data, digest);
		buf_append(out, (const char *)digest, sizeof(digest));
		return 0;
	case SIGNING_RS256:
	case SIGNING_RS512:
	case SIGNING_PS256:
		return sign_evp(key, data, out);
	case SIGNING_ES256:
		r = sign_evp(key, data, &der);
		return r ? r : append_raw(buf_slice(&der), out);
	}
	return -1;
}
