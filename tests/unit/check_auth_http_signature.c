/*
 * lib/net/auth/auth_http_signature.c against the example requests that Oracle publishes
 * (docs.oracle.com, API/Concepts/signingrequests.htm; oci-go-sdk, common/http_signer_test.go): the
 * strings that are signed and the digest of the body are theirs. Signatures cannot be compared, nor
 * with appendix C of draft-cavage-http-signatures: the published dates have a wrong day of the
 * week, and the draft's key of 1024 bits is refused. So the signature is made with the key of RFC
 * 7515, appendix A.2, and verified by OpenSSL over the published string with the right day.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "check_unit.h"
#include "key_fixture.h"

#include "net/auth/auth.h"

#define HOST "https://iaas.us-phoenix-1.oraclecloud.com"
#define NOW (INT64_C(1388957500) * NSEC_PER_SEC)
#define DATE "Sun, 05 Jan 2014 21:31:40 GMT" /* published: Thu */
#define COMPARTMENT                                                                                \
	"ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa"
#define VOLUME "ocid1.volume.oc1.phx.abyhqljrgvttnlx73nmrwfaux7kcvzfs3s66izvxf2h4lgvyndsdsnoiwr5q"
#define INSTANCE                                                                                   \
	"ocid1.instance.oc1.phx.abuw4ljrlsfiqw6vzzxb43vyypt4pkodawglp3wqxjqofakrwvou52gb6s5a"
#define QUERY                                                                                      \
	"/20160918/instances?availabilityDomain=Pjwf%3A%20PHX-AD-1&compartmentId=" COMPARTMENT     \
	"&displayName=TeamXInstances&volumeId=" VOLUME

static struct auth *made(void)
{
	char *pem CLEANUP_FREE = key_text("rfc7515-a2");
	struct option_pair pairs[] = {{.name = (char *)"key_id", .value = (char *)"t/u/20:3b"},
		{.name = (char *)"key", .value = pem}};
	struct auth_setup setup = {.type = "http_signature", .settings = pairs, .n_settings = 2};
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;

	ck_assert_msg(auth_new(&auth, &setup, &fault) == 0, "%s", fault.text);
	return auth;
}

static bool verifies(const char *text, const char *encoded, size_t size)
{
	char *pem CLEANUP_FREE = key_text("rfc7515-a2");
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char signature[300];
	bool good;

	ck_assert_uint_eq(size, 344); /* 256 bytes */
	ck_assert_int_eq(
		EVP_DecodeBlock(signature, (const unsigned char *)encoded, (int)size), 258);
	ck_assert_int_eq(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, pkey), 1);
	good = EVP_DigestVerify(
		       context, signature, 256, (const unsigned char *)text, strlen(text)) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(pkey);
	BIO_free(bio);
	return good;
}

/* MESSAGE is signed over the headers NAMES, which together are TEXT. */
static void assert_signed(struct http_message *message, const char *names, const char *text)
{
	char *start CLEANUP_FREE =
		mem_printf("Signature version=\"1\",keyId=\"t/u/20:3b\","
			   "algorithm=\"rsa-sha256\",headers=\"%s\",signature=\"",
			names);
	struct auth *auth = made();
	struct fault fault = FAULT_NULL;
	struct slice value;

	ck_assert_msg(auth_apply(auth, message, NOW, &fault) == 0, "%s", fault.text);
	ck_assert(slice_is(http_headers_get(&message->headers, "Date"), DATE));
	value = http_headers_get(&message->headers, "Authorization");
	ck_assert_msg(str_starts(value.data, start), "%s", value.data);
	ck_assert_int_eq(value.data[value.size - 1], '"');
	ck_assert(verifies(text, value.data + strlen(start), value.size - strlen(start) - 1));
	ck_assert(message->is_signed);
	auth_free(auth);
}

START_TEST(get)
{
	struct http_message message = HTTP_MESSAGE_NULL;

	message.url = mem_strdup(HOST QUERY);
	assert_signed(&message, "date (request-target) host",
		"date: " DATE "\n(request-target): get " QUERY
		"\nhost: iaas.us-phoenix-1.oraclecloud.com");
	http_message_deinit(&message);
}
END_TEST

START_TEST(post)
{
	struct http_message message = HTTP_MESSAGE_NULL;

	message.method = mem_strdup("POST");
	message.url = mem_strdup(HOST "/20160918/volumeAttachments");
	message.has_body = true;
	buf_append_text(&message.body,
		"{\n    \"compartmentId\": \"" COMPARTMENT "\",\n    \"instanceId\": \"" INSTANCE
		"\",\n    \"volumeId\": \"" VOLUME "\"\n}");
	http_headers_add(&message.headers, "Content-Type", SLICE("application/json"));
	assert_signed(&message,
		"date (request-target) host x-content-sha256 content-type content-length",
		"date: " DATE "\n(request-target): post /20160918/volumeAttachments"
		"\nhost: iaas.us-phoenix-1.oraclecloud.com"
		"\nx-content-sha256: V9Z20UJTvkvpJ50flBzKE32+6m2zJjweHpDMX/U4Uy0="
		"\ncontent-type: application/json\ncontent-length: 316");
	http_message_deinit(&message);
}
END_TEST

UNIT_MAIN("auth_http_signature", get, post)
