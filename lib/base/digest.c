/* See digest.h. The method is fetched and the context made once; setting up either costs more than
 * a record's digest. */
#include "base/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

static EVP_MD *method;
static EVP_MD_CTX *context;

void digest_sha256(struct slice data, uint8_t ret[DIGEST_SIZE])
{
	digest_sha256_pair(SLICE(""), data, ret);
}

void digest_sha256_pair(struct slice first, struct slice second, uint8_t ret[DIGEST_SIZE])
{
	if (!context) {
		method = EVP_MD_fetch(NULL, "SHA256", NULL);
		context = EVP_MD_CTX_new();
	}
	/* these cannot fail with a fetched method and memory digests; a silent wrong key could lose
	 * a record */
	if (!EVP_DigestInit_ex2(context, method, NULL) ||
		!EVP_DigestUpdate(context, first.data, first.size) ||
		!EVP_DigestUpdate(context, second.data, second.size) ||
		!EVP_DigestFinal_ex(context, ret, NULL))
		__builtin_trap();
}

struct evp_md_ctx_st *digest_begin(void)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();

	if (!digest || !EVP_DigestInit_ex2(digest, EVP_sha256(), NULL))
		__builtin_trap();
	return digest;
}

void digest_add(struct evp_md_ctx_st *digest, struct slice data)
{
	if (!EVP_DigestUpdate(digest, data.data, data.size))
		__builtin_trap();
}

void digest_end(struct evp_md_ctx_st *digest, uint8_t ret[DIGEST_SIZE])
{
	if (!EVP_DigestFinal_ex(digest, ret, NULL))
		__builtin_trap();
	EVP_MD_CTX_free(digest);
}

void digest_hmac_sha256(struct slice key, struct slice data, uint8_t ret[DIGEST_SIZE])
{
	if (!HMAC(EVP_sha256(), key.data, (int)key.size, (const unsigned char *)data.data,
		    data.size, ret, NULL))
		__builtin_trap();
}

static const EVP_MD *method_of(enum digest_kind kind)
{
	switch (kind) {
	case DIGEST_SHA1:
		return EVP_sha1();
	case DIGEST_SHA256:
		return EVP_sha256();
	case DIGEST_SHA512:
		return EVP_sha512();
	}
	__builtin_trap();
}

size_t digest_of(enum digest_kind kind, struct slice data, uint8_t ret[DIGEST_SIZE_MAX])
{
	unsigned size = 0;

	if (!EVP_Digest(data.data, data.size, ret, &size, method_of(kind), NULL))
		__builtin_trap();
	return size;
}

size_t digest_hmac(
	enum digest_kind kind, struct slice key, struct slice data, uint8_t ret[DIGEST_SIZE_MAX])
{
	unsigned size = 0;

	if (!HMAC(method_of(kind), key.data, (int)key.size, (const unsigned char *)data.data,
		    data.size, ret, &size))
		__builtin_trap();
	return size;
}

struct id digest_id(struct slice data)
{
	uint8_t whole[DIGEST_SIZE];
	struct id id;
	digest_sha256(data, whole);
	memcpy(id.bytes, whole, sizeof(id.bytes));
	return id;
}

void digest_hex(const void *data, size_t size, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;
	for (size_t i = 0; i < size; i++) {
		*ret++ = digits[bytes[i] >> 4];
		*ret++ = digits[bytes[i] & 15];
	}
	*ret = '\0';
}

bool digest_parse_hex(struct slice text, void *ret, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *bytes = ret;
	if (text.size != 2 * size)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		const char *at = memchr(digits, text.data[i], 16);
		if (!at)
			return false;
		bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | (uint8_t)(at - digits));
	}
	return true;
}
