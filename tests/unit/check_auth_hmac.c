/* lib/net/auth/auth_hmac.c against the example of Duo's Auth API documentation ("Generating the
 * Authorization header") and the shape of Exoscale's EXO2-HMAC-SHA256 (docs: API, request
 * signature), the latter computed by Python's hmac. */
#include "check_unit.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include "net/auth/auth.h"

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
#define N_PAIRS 7
#define V AUTH_VARIABLE

struct setting {
	const char *name;
	const char *value;
};

static int make(struct auth **ret, const struct setting *settings, struct fault *reterr)
{
	struct option_pair pairs[N_PAIRS] = {0};
	struct auth_setup setup = {.type = "hmac", .settings = pairs};

	while (setup.n_settings < N_PAIRS && settings[setup.n_settings].name) {
		pairs[setup.n_settings].name = (char *)settings[setup.n_settings].name;
		pairs[setup.n_settings].value = (char *)settings[setup.n_settings].value;
		setup.n_settings++;
	}
	return auth_new(ret, &setup, reterr);
}

static const struct {
	struct setting settings[N_PAIRS];
	const char *method, *url, *body;
	long long seconds;
	const char *sent_url, *header, *value;
} proofs[] = {
	{{{"key", "Zh5eGmUq9zpfQnyUIu5OL9iWoMMv5ZNmk3zLJ4Ep"}, {"hash", "hmac-sha1"},
		 {"sign", V("date.rfc2822") "\\n" V("method") "\\n" V("host") "\\n" V(
				  "path") "\\n" V("query")},
		 {"user", "DIWJ8X6AEYOR5OMC6TQ1"}, {"header.Date", V("date.rfc2822")}},
		"POST",
		"https://api-xxxxxxxx.duosecurity.com/accounts/v1/account/list"
		"?username=root&realname=First+Last",
		"", 1345570158,
		"https://api-xxxxxxxx.duosecurity.com/accounts/v1/account/list"
		"?realname=First%20Last&username=root",
		"Authorization",
		"Basic RElXSjhYNkFFWU9SNU9NQzZUUTE6MmQ5N2Q2MTY2MzE5NzgxYjVhM2EwN2FmMzlkMzY2ZjQ5"
		"MTIzNGVkYw=="},
	{{{"key", "Zh5eGmUq9zpfQnyUIu5OL9iWoMMv5ZNmk3zLJ4Ep"}, {"hash", "hmac-sha1"}, {"sign", "x"},
		 {"user", "u"}, {"header.Date", V("date.rfc2822")}},
		"GET", "https://a.example/", "", 1345570158, "https://a.example/", "Date",
		"Tue, 21 Aug 2012 17:29:18 -0000"},
	{{{"key", "secret"}, {"hash", "hmac-sha256"}, {"encode", "base64"},
		 {"sign", V("method") " " V("path") "\\n" V("body") "\\n" V(
				  "query.values") "\\n\\n" V("expires")},
		 {"header.Authorization",
			 "EXO2-HMAC-SHA256 credential=EXO1,signed-query-args=" V(
				 "query.names") ",expires=" V("expires") ",signature=" V("signatur"
											 "e")}},
		"GET",
		"https://api-ch-gva-2.exoscale.com/v2/event?to=2026-01-02T00%3A00%3A00Z&from=a", "",
		1700000000,
		"https://api-ch-gva-2.exoscale.com/v2/event?from=a&to=2026-01-02T00%3A00%3A00Z",
		"Authorization", NULL},
	/* OVHcloud, X-Ovh-Signature: computed by the vendor's Go client (github.com/ovh/go-ovh) */
	{{{"key", "k"}, {"hash", "sha1"},
		 {"sign",
			 "appsecret0000000000000000000example+consumerkey00000000000000000example+" V(
				 "method") "+" V("uri") "+" V("body") "+" V("date.epoch_s")},
		 {"header.X-Ovh-Signature", "$1$" V("signature")}},
		"GET", "https://eu.api.ovh.com/1.0/dbaas/logs/ldp-xy-98765/output/graylog/stream",
		"", 1768469400,
		"https://eu.api.ovh.com/1.0/dbaas/logs/ldp-xy-98765/output/graylog/stream",
		"X-Ovh-Signature", "$1$4371a2b2b0a957de51221d18f0ae0f5df945d86a"},
	{{{"key", "k"}, {"hash", "sha1"},
		 {"sign",
			 "appsecret0000000000000000000example+consumerkey00000000000000000example+" V(
				 "method") "+" V("uri") "+" V("body") "+" V("date.epoch_s")},
		 {"header.X-Ovh-Signature", "$1$" V("signature")}},
		"POST",
		"https://eu.api.ovh.com/1.0/cloud/project/0123456789abcdef0123456789abcdef/log/url",
		"{\"kind\":\"compute-api\"}", 1768469400,
		"https://eu.api.ovh.com/1.0/cloud/project/0123456789abcdef0123456789abcdef/log/url",
		"X-Ovh-Signature", "$1$0374f16be0a53d14b785d2040163d313309eb6ce"},
	/* FIPS 180-4: SHA-1 of "abc" */
	{{{"key", "k"}, {"hash", "sha1"}, {"sign", V("body")}, {"header.X-A", V("signature")}},
		"POST", "https://a.example/", "abc", 0, "https://a.example/", "X-A",
		"a9993e364706816aba3e25717850c26c9cd0d89d"},
	{{{"key", "k"}, {"hash", "sha1"}, {"sign", "x"}, {"user", "u"},
		 {"header.X-A", V("body.sha256") "," V("date.epoch_ms") "," V("date.rfc3339")}},
		"POST", "https://a.example/", "abc", 1700000000, "https://a.example/", "X-A",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad,1700000000000,"
		"2023-11-14T22:13:20Z"},
};

START_TEST(signatures)
{
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;
	struct http_message message = HTTP_MESSAGE_NULL;
	const char *want = proofs[_i].value;
	struct slice got;

	ck_assert_msg(make(&auth, proofs[_i].settings, &fault) == 0, "case %d: %s", _i, fault.text);
	message.method = mem_strdup(proofs[_i].method);
	message.url = mem_strdup(proofs[_i].url);
	buf_append_text(&message.body, proofs[_i].body);
	for (int i = 0; i < 2; i++) /* applying again replaces */
		ck_assert_int_eq(
			auth_apply(auth, &message, proofs[_i].seconds * NSEC_PER_SEC, &fault), 0);
	ck_assert_str_eq(message.url, proofs[_i].sent_url);
	ck_assert(message.is_signed);
	got = http_headers_get(&message.headers, proofs[_i].header);
	if (!want)
		want = "EXO2-HMAC-SHA256 credential=EXO1,signed-query-args=from;to,"
		       "expires=1700000600,signature="
		       "g+dhVvv3+AQ047+rc5CaJI9X3i1HRv8bPto1RGqfo34=";
	ck_assert_msg(got.data && strcmp(got.data, want) == 0, "case %d: %s", _i,
		got.data ? got.data : "none");
	http_message_deinit(&message);
	auth_free(auth);
}
END_TEST

/* A nonce is used once, and the same in text and header. */
START_TEST(nonces)
{
	const struct setting settings[] = {{"key", "k"}, {"hash", "hmac-sha512"},
		{"sign", V("nonce")}, {"header.X-Nonce", V("nonce")},
		{"header.X-Signature", V("signature")}, {0}};
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;
	struct http_message message = HTTP_MESSAGE_NULL;
	char *first CLEANUP_FREE = NULL;

	ck_assert_int_eq(make(&auth, settings, &fault), 0);
	message.url = mem_strdup("https://a.example/");
	ck_assert_int_eq(auth_apply(auth, &message, 0, &fault), 0);
	first = mem_strdup(http_headers_get(&message.headers, "X-Nonce").data);
	ck_assert_uint_eq(strlen(first), 32);
	ck_assert_uint_eq(http_headers_get(&message.headers, "X-Signature").size, 128);
	ck_assert_int_eq(auth_apply(auth, &message, 0, &fault), 0);
	ck_assert_str_ne(first, http_headers_get(&message.headers, "X-Nonce").data);
	http_message_deinit(&message);
	auth_free(auth);
}
END_TEST

#define KEY                                                                                        \
	{"key", "HUSHHUSH"}, {"hash", "hmac-sha1"},                                                \
	{                                                                                          \
		"sign", "x"                                                                        \
	}

static const struct {
	struct setting settings[N_PAIRS];
	const char *text;
} faults[] = {
	{{{"key", "HUSHHUSH"}, {"hash", "md5"}, {"sign", "x"}}, "expected hmac-sha1, hmac-sha256"},
	{{{"key", "HUSHHUSH"}, {"hash", "sha1"}}, "needs `sign`"},
	{{KEY}, "does not send ${signature}"},
	{{KEY, {"header.X-A", "b"}}, "does not send ${signature}"},
	{{KEY, {"header.X A", V("signature")}}, "is not a header name"},
	{{KEY, {"user", "a:b"}}, "cannot contain a `:`"},
	{{KEY, {"user", "a"}, {"encode", "hexa"}}, "is `hex` or `base64`"},
	{{KEY, {"user", "a"}, {"header.X-A", V("jwt")}}, "uses ${jwt}, which"},
};

START_TEST(what_is_refused)
{
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;

	ck_assert_msg(unit_class(make(&auth, faults[_i].settings, &fault), &fault) == FAULT_CONFIG,
		"case %d", _i);
	ck_assert_msg(strstr(fault.text, faults[_i].text), "case %d: %s", _i, fault.text);
	ck_assert_msg(!strstr(fault.text, "HUSH"), "case %d: %s", _i, fault.text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_hmac");
	TCase *cases = tcase_create("auth_hmac");

	tcase_add_loop_test(cases, signatures, 0, N(proofs));
	tcase_add_test(cases, nonces);
	tcase_add_loop_test(cases, what_is_refused, 0, N(faults));
	suite_add_tcase(suite, cases);
	return unit_run(suite);
}
