/* What trawlctl shows of requests and answers. */
#include "mask.h"

#include "base/secret_name.h"

#include "base/secret.h"
#include "check_unit.h"

typedef void (*mask_fn)(struct slice text, struct buf *out);

static void assert_shown(mask_fn mask, const char *text, const char *expected)
{
	struct buf out = BUF_NULL;
	buf_append_text(&out, "<");
	mask(slice_of(text), &out);
	const char *shown = out.data; /* not NULL: something was appended */
	ck_assert_msg(shown[0] == '<' && strcmp(shown + 1, expected) == 0,
		"%s\n  is shown behind < as %s\n  instead of  %s", text, shown, expected);
	buf_deinit(&out);
}

START_TEST(names)
{
	static const char *const sensitive[] = {"Authorization", "X-Auth-Token", "Set-Cookie",
		"client_secret", "PASSWORD", "passwd", "X-Amz-Signature", "X-Amz-Credential", "sig",
		"access_token", "apikey", "X-Api-Key", "sessionId", "token"};
	static const char *const plain[] = {"Accept", "limit", "cursor", "NextPageToken",
		"pageToken", "continuationToken", "$skiptoken", "design", "X-Sdk-Date", "start",
		""};
	for (size_t i = 0; i < sizeof(sensitive) / sizeof(sensitive[0]); i++)
		ck_assert_msg(secret_is_named_by(slice_of(sensitive[i])), "%s", sensitive[i]);
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		ck_assert_msg(!secret_is_named_by(slice_of(plain[i])), "%s", plain[i]);
}
END_TEST

START_TEST(addresses)
{
	assert_shown(mask_url, "https://h/x?a=1&X-Amz-Signature=ab%2Fc&b=2#sig=q",
		"https://h/x?a=1&X-Amz-Signature=***&b=2#sig=***");
	assert_shown(mask_url, "https://h/token=x/y?token=", "https://h/token=x/y?token=");
	assert_shown(mask_url, "?token=abc", "?token=***");
	assert_shown(
		mask_url, "https://h/?pageToken=abc&next=x", "https://h/?pageToken=abc&next=x");
	assert_shown(mask_url, "<https://h/?access_token=abc>; rel=\"next\"",
		"<https://h/?access_token=***>; rel=\"next\"");
	assert_shown(mask_url, "https://h/?sig", "https://h/?sig");
	assert_shown(mask_url, "", "");
}
END_TEST

START_TEST(bodies)
{
	assert_shown(mask_body, "grant_type=client_credentials&client_secret=a%26b&scope=x",
		"grant_type=client_credentials&client_secret=***&scope=x");
	assert_shown(mask_body, "password=abc", "password=***");
	assert_shown(mask_body,
		"{\"auth\": {\"methods\":[\"password\"],\"password\" : {\"user\":\"me\","
		"\"password\" : \"a\\\"b\"}}, \"token\":12,\"session\":true}",
		"{\"auth\": {\"methods\":[\"password\"],\"password\" : {\"user\":\"me\","
		"\"password\" : \"***\"}}, \"token\":\"***\",\"session\":\"***\"}");
	assert_shown(mask_body, "{\"password\":\"cut sho", "{\"password\":\"***\"");
	assert_shown(mask_body, "{\"password\":", "{\"password\":");
	assert_shown(mask_body, "{\"password", "{\"password");
	assert_shown(mask_body, "{\"link\":\"https://h/?sig=abc\"}",
		"{\"link\":\"https://h/?sig=***\"}");
	assert_shown(mask_body, "{\"NextPageToken\":\"abc\"}", "{\"NextPageToken\":\"abc\"}");
	assert_shown(mask_body, "\"\\", "\"\\");
}
END_TEST

/* A scan that met a secret first could cut it in two. */
START_TEST(registered_secrets)
{
	secret_register(SLICE("hunter2&more"));
	assert_shown(mask_plain, "a hunter2&more\n\x1b[2J", "a ***??[2J");
	assert_shown(mask_url, "https://h/?x=hunter2%26more", "https://h/?x=***");
	assert_shown(mask_body, "password=hunter2&more", "password=***");
	assert_shown(mask_body, "x=hunter2&more", "x=***");
	secret_unregister(SLICE("hunter2&more"));
}
END_TEST

UNIT_MAIN("mask", names, addresses, bodies, registered_secrets)
