/* SHA-256 and HMAC-SHA256, and others for signatures, by OpenSSL's EVP, with the context and method
 * kept, since one record is one digest. */
#ifndef TRAWLD_BASE_DIGEST_H
#define TRAWLD_BASE_DIGEST_H

#include "base/idset.h"
#include "base/slice.h"

struct evp_md_ctx_st;

#define DIGEST_SIZE 32
#define DIGEST_HEX_SIZE (2 * DIGEST_SIZE + 1)

void digest_sha256(struct slice data, uint8_t ret[DIGEST_SIZE]);
/* Of FIRST followed by SECOND. */
void digest_sha256_pair(struct slice first, struct slice second, uint8_t ret[DIGEST_SIZE]);
/* The same piece by piece: begin, any number of adds, end; end also frees. */
struct evp_md_ctx_st *digest_begin(void);
void digest_add(struct evp_md_ctx_st *digest, struct slice data);
void digest_end(struct evp_md_ctx_st *digest, uint8_t ret[DIGEST_SIZE]);
void digest_hmac_sha256(struct slice key, struct slice data, uint8_t ret[DIGEST_SIZE]);
/* Any of these, without and with a key; the size of what is in RET. */
enum digest_kind { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };
#define DIGEST_SIZE_MAX 64
size_t digest_of(enum digest_kind kind, struct slice data, uint8_t ret[DIGEST_SIZE_MAX]);
size_t digest_hmac(
	enum digest_kind kind, struct slice key, struct slice data, uint8_t ret[DIGEST_SIZE_MAX]);
/* The first 16 bytes of SHA-256: a record's key. */
struct id digest_id(struct slice data);
/* Lower-case hex of SIZE bytes, NUL-terminated: RET holds 2 * SIZE + 1. */
void digest_hex(const void *data, size_t size, char *ret);
/* Undoes it. False: TEXT is not what digest_hex prints of SIZE bytes; RET is undefined then. */
bool digest_parse_hex(struct slice text, void *ret, size_t size);

#endif
