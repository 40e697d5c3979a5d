/* See ed25519.h. */
#include "base/ed25519.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/mem.h"
#include "base/pem.h"

struct ed25519 {
	EVP_PKEY *pkey;
	char fingerprint[DIGEST_HEX_SIZE];
};

/* Takes PKEY over, NULL allowed. */
static int ed25519_new(struct ed25519 **ret, EVP_PKEY *pkey)
{
	struct ed25519 *key;
	uint8_t digest[DIGEST_SIZE];
	unsigned char *der = NULL;
	int size;

	if (!pkey)
		return ED25519_E_PEM;
	size = EVP_PKEY_is_a(pkey, "ED25519") ? i2d_PUBKEY(pkey, &der) : -1;
	if (size <= 0) {
		EVP_PKEY_free(pkey);
		return ED25519_E_KIND;
	}
	key = MEM_NEW(struct ed25519);
	key->pkey = pkey;
	digest_sha256((struct slice){(const char *)der, (size_t)size}, digest);
	digest_hex(digest, sizeof(digest), key->fingerprint);
	OPENSSL_free(der);
	*ret = key;
	return 0;
}

int ed25519_private(struct ed25519 **ret, struct slice text)
{
	return ed25519_new(ret, pem_read_private(text));
}

int ed25519_public(struct ed25519 **ret, struct slice *rest)
{
	BIO *bio = BIO_new_mem_buf(rest->data, (int)rest->size);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, pem_no_password, NULL) : NULL;
	size_t left = bio ? (size_t)BIO_pending(bio) : 0;

	BIO_free(bio);
	*rest = (struct slice){rest->data + (rest->size - left), left};
	return ed25519_new(ret, pkey);
}

void ed25519_free(struct ed25519 *key)
{
	if (key)
		EVP_PKEY_free(key->pkey);
	free(key);
}

const char *ed25519_fingerprint(const struct ed25519 *key)
{
	return key->fingerprint;
}

int ed25519_sign(const struct ed25519 *key, struct slice data, struct buf *out)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char signature[ED25519_SIGNATURE_SIZE];
	size_t size = sizeof(signature);
	bool done = context && EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
		    EVP_DigestSign(context, signature, &size, (const unsigned char *)data.data,
			    data.size) == 1;

	EVP_MD_CTX_free(context);
	if (!done)
		return -1;
	buf_append(out, (const char *)signature, size);
	return 0;
}

bool ed25519_verify(const struct ed25519 *key, struct slice data, struct slice signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
		    EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.size,
			    (const unsigned char *)data.data, data.size) == 1;

	EVP_MD_CTX_free(context);
	return good;
}
