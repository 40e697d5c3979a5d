/* See timestamp_token.h. */
#include "base/timestamp_token.h"

#include <limits.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ts.h>
#include <openssl/x509.h>

#include "base/mem.h"
#include "base/random.h"

#define NONCE_SIZE 8

struct token_request {
	TS_REQ *request;
};

struct token_authorities {
	X509_STORE *store;
};

/* --- the request --- */

static bool token_set_imprint(TS_REQ *request, const uint8_t digest[DIGEST_SIZE])
{
	TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
	X509_ALGOR *algorithm = X509_ALGOR_new();
	uint8_t copy[DIGEST_SIZE];
	bool done;

	memcpy(copy, digest, DIGEST_SIZE);
	done = imprint && algorithm &&
	       X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL) &&
	       TS_MSG_IMPRINT_set_algo(imprint, algorithm) &&
	       TS_MSG_IMPRINT_set_msg(imprint, copy, DIGEST_SIZE) &&
	       TS_REQ_set_msg_imprint(request, imprint);
	X509_ALGOR_free(algorithm);
	TS_MSG_IMPRINT_free(imprint);
	return done;
}

static bool token_set_nonce(TS_REQ *request)
{
	uint8_t bytes[NONCE_SIZE];
	BIGNUM *number;
	ASN1_INTEGER *nonce;
	bool done;

	random_bytes(bytes, sizeof(bytes));
	number = BN_bin2bn(bytes, NONCE_SIZE, NULL);
	nonce = number ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
	done = nonce && TS_REQ_set_nonce(request, nonce);
	ASN1_INTEGER_free(nonce);
	BN_free(number);
	return done;
}

struct token_request *token_request_new(const uint8_t digest[DIGEST_SIZE])
{
	TS_REQ *request = TS_REQ_new();
	struct token_request *ret;

	if (!request || !TS_REQ_set_version(request, 1) || !token_set_imprint(request, digest) ||
		!token_set_nonce(request) || !TS_REQ_set_cert_req(request, 1)) {
		TS_REQ_free(request);
		ERR_clear_error();
		return NULL;
	}
	ret = MEM_NEW(struct token_request);
	ret->request = request;
	return ret;
}

void token_request_free(struct token_request *request)
{
	if (!request)
		return;
	TS_REQ_free(request->request);
	free(request);
}

void token_request_print(const struct token_request *request, struct buf *out)
{
	unsigned char *der = NULL;
	int size = i2d_TS_REQ(request->request, &der);

	if (size > 0)
		buf_append(out, der, (size_t)size);
	OPENSSL_free(der);
}

/* --- the response --- */

/* All of RESPONSE, or NULL. */
static TS_RESP *token_parse(struct slice response)
{
	const unsigned char *at = (const unsigned char *)response.data;
	TS_RESP *parsed;

	if (response.size > INT_MAX)
		return NULL;
	parsed = d2i_TS_RESP(NULL, &at, (long)response.size);
	if (parsed && at == (const unsigned char *)response.data + response.size)
		return parsed;
	TS_RESP_free(parsed);
	return NULL;
}

static bool token_time(TS_RESP *response, nsec_t *ret)
{
	TS_TST_INFO *info = TS_RESP_get_tst_info(response);
	const ASN1_GENERALIZEDTIME *time = info ? TS_TST_INFO_get_time(info) : NULL;
	struct tm parts;

	if (!time || !ASN1_TIME_to_tm(time, &parts))
		return false;
	*ret = (nsec_t)timegm(&parts) * NSEC_PER_SEC;
	return true;
}

/* What OpenSSL has noted last is added to REASON. */
static int token_failed(TS_RESP *response, struct buf *reason)
{
	const TS_STATUS_INFO *status = TS_RESP_get_status_info(response);
	const ASN1_INTEGER *granted = status ? TS_STATUS_INFO_get0_status(status) : NULL;
	long code = granted ? ASN1_INTEGER_get(granted) : -1;
	unsigned long error = ERR_peek_last_error();
	const char *text = error ? ERR_reason_error_string(error) : NULL;

	buf_append_text(reason, text ? text : "no reason given");
	if (code == TS_STATUS_GRANTED || code == TS_STATUS_GRANTED_WITH_MODS)
		return ERR_GET_LIB(error) == ERR_LIB_TS &&
				       (ERR_GET_REASON(error) == TS_R_CERTIFICATE_VERIFY_ERROR ||
					       ERR_GET_REASON(error) == TS_R_SIGNATURE_FAILURE)
			       ? TOKEN_E_SIGNATURE
			       : TOKEN_E_OTHER;
	return TOKEN_E_REFUSED;
}

/* Takes both over. CONTEXT NULL: RESPONSE cannot be checked. */
static int token_verify(
	TS_RESP *response, TS_VERIFY_CTX *context, nsec_t *ret_time, struct buf *reason)
{
	int r = 0;

	if (context && !TS_RESP_verify_response(context, response)) {
		r = token_failed(response, reason);
	} else if (!context || !token_time(response, ret_time)) {
		buf_append_text(reason, "it is not a time-stamp response");
		r = TOKEN_E_SYNTAX;
	}
	TS_VERIFY_CTX_free(context);
	TS_RESP_free(response);
	ERR_clear_error();
	return r;
}

int token_request_check(const struct token_request *request, struct slice response,
	nsec_t *ret_time, struct buf *reason)
{
	TS_RESP *parsed = token_parse(response);
	TS_VERIFY_CTX *context = parsed ? TS_REQ_to_TS_VERIFY_CTX(request->request, NULL) : NULL;

	return token_verify(parsed, context, ret_time, reason);
}

/* --- a token that was kept --- */

struct token_authorities *token_authorities_read(const char *path)
{
	X509_STORE *store = X509_STORE_new();
	struct token_authorities *ret;

	if (!store || !X509_STORE_load_file(store, path)) {
		X509_STORE_free(store);
		ERR_clear_error();
		return NULL;
	}
	ret = MEM_NEW(struct token_authorities);
	ret->store = store;
	return ret;
}

void token_authorities_free(struct token_authorities *authorities)
{
	if (!authorities)
		return;
	X509_STORE_free(authorities->store);
	free(authorities);
}

static TS_VERIFY_CTX *token_context(
	const uint8_t digest[DIGEST_SIZE], const struct token_authorities *authorities, nsec_t time)
{
	TS_VERIFY_CTX *context = TS_VERIFY_CTX_new();
	unsigned flags = TS_VFY_VERSION | TS_VFY_IMPRINT;

	if (!context)
		return NULL;
	TS_VERIFY_CTX_set_imprint(context, OPENSSL_memdup(digest, DIGEST_SIZE), DIGEST_SIZE);
	if (authorities && X509_STORE_up_ref(authorities->store)) {
		X509_VERIFY_PARAM_set_time(
			X509_STORE_get0_param(authorities->store), time / NSEC_PER_SEC);
		TS_VERIFY_CTX_set_store(context, authorities->store);
	}
	if (authorities)
		flags |= TS_VFY_SIGNATURE;
	TS_VERIFY_CTX_set_flags(context, (int)flags);
	return context;
}

int token_check(struct slice response, const uint8_t digest[DIGEST_SIZE],
	const struct token_authorities *authorities, nsec_t *ret_time, struct buf *reason)
{
	TS_RESP *parsed = token_parse(response);
	TS_VERIFY_CTX *context = NULL;
	nsec_t time;

	if (parsed && token_time(parsed, &time))
		context = token_context(digest, authorities, time);
	return token_verify(parsed, context, ret_time, reason);
}
