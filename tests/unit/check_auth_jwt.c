/* lib/net/auth/auth_jwt.c: what an assertion says, how it is exchanged for a token, and what
 * configuration is refused. */
#include "http_peer.h"

#include <jansson.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/signing.h"
#include "base/str.h"
#include "key_fixture.h"

#include "net/auth/auth.h"

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
#define N_PAIRS 8
#define NOW (INT64_C(1757888743) * NSEC_PER_SEC)

struct setting {
	const char *name;
	const char *value;
};

static int make(struct auth **ret, const struct setting *settings, struct fault *reterr)
{
	struct option_pair pairs[N_PAIRS] = {0};
	struct auth_setup setup = {.type = "jwt",
		.settings = pairs,
		.client = peer.client,
		.transport = {.timeout_ns = 5 * NSEC_PER_SEC}};

	while (setup.n_settings < N_PAIRS && settings[setup.n_settings].name) {
		pairs[setup.n_settings].name = (char *)settings[setup.n_settings].name;
		pairs[setup.n_settings].value = (char *)settings[setup.n_settings].value;
		setup.n_settings++;
	}
	return auth_new(ret, &setup, reterr);
}

static struct auth *made(const struct setting *settings)
{
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;

	ck_assert_msg(make(&auth, settings, &fault) == 0, "%s", fault.text);
	return auth;
}

static void start(void)
{
	peer_start(NULL, NULL);
}

/* The JSON of one base64url part, and what stands after its dot. */
static json_t *take_part(const char **at)
{
	struct buf plain CLEANUP(buf_deinit) = BUF_NULL;
	unsigned group = 0;
	int n_bits = 0;
	json_t *root;

	for (; **at && **at != '.'; (*at)++) {
		static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					     "0123456789-_";
		group = group << 6 | (unsigned)(strchr(digits, **at) - digits);
		n_bits += 6;
		if (n_bits >= 8)
			buf_append_char(&plain, (char)(group >> (n_bits -= 8)));
	}
	ck_assert_int_eq(**at, '.');
	(*at)++;
	root = json_loadb(plain.data, plain.size, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(root != NULL, "%s", buf_text(&plain));
	return root;
}

static void assert_text(const json_t *root, const char *name, const char *want)
{
	const char *got = json_string_value(json_object_get(root, name));

	ck_assert_msg(got && strcmp(got, want) == 0, "%s: %s", name, got ? got : "none");
}

START_TEST(the_assertion_is_the_bearer)
{
	const struct setting settings[] = {{"key", "a secret of some length"},
		{"algorithm", "HS256"}, {"key_id", "k\"1"}, {"claim.iss", "app"},
		{"claim.lifetime", "9m"}, {"jose.x5t", "abc"}, {0}};
	struct auth *auth = made(settings);
	struct http_message message = HTTP_MESSAGE_NULL;
	struct fault fault = FAULT_NULL;
	struct buf signature CLEANUP(buf_deinit) = BUF_NULL;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	struct signing_key *key = NULL;
	const char *token, *at;
	json_t *header, *claims;

	message.url = mem_strdup("https://example.com/");
	ck_assert_ptr_null(auth_prepare(auth, NULL, NULL));
	ck_assert_int_eq(auth_apply(auth, &message, NOW, &fault), 0);
	token = at = http_headers_get(&message.headers, "Authorization").data;
	ck_assert(str_starts(at, "Bearer "));
	token = at += strlen("Bearer ");
	header = take_part(&at);
	claims = take_part(&at);
	ck_assert_uint_eq(json_object_size(header), 4);
	assert_text(header, "alg", "HS256");
	assert_text(header, "typ", "JWT");
	assert_text(header, "kid", "k\"1");
	assert_text(header, "x5t", "abc");
	ck_assert_uint_eq(json_object_size(claims), 4);
	assert_text(claims, "iss", "app");
	ck_assert_uint_eq(json_string_length(json_object_get(claims, "jti")), 32);
	ck_assert_int_eq(json_integer_value(json_object_get(claims, "iat")), 1757888743 - 30);
	ck_assert_int_eq(json_integer_value(json_object_get(claims, "exp")), 1757888743 - 30 + 540);
	signing_key_new(&key, SIGNING_HS256, SLICE("a secret of some length"));
	signing_key_sign(key, (struct slice){token, (size_t)(at - token) - 1}, &signature);
	encode_base64url(buf_slice(&signature), &text);
	ck_assert_str_eq(at, buf_text(&text));
	ck_assert(!auth_reject(auth, auth_epoch(auth)));
	signing_key_free(key);
	json_decref(header);
	json_decref(claims);
	http_message_deinit(&message);
	auth_free(auth);
}
END_TEST

struct waiting {
	bool done;
	struct fault fault;
};

static void on_ready(const struct fault *fault, void *userdata)
{
	struct waiting *waiting = userdata;

	waiting->done = true;
	waiting->fault = fault ? *fault : FAULT_NULL;
}

static void fetch(struct auth *auth, struct fault *ret)
{
	struct waiting waiting = {0};

	ck_assert_ptr_nonnull(auth_prepare(auth, on_ready, &waiting));
	while (!waiting.done)
		ev_run(peer.loop, EVRUN_ONCE);
	*ret = waiting.fault;
}

START_TEST(the_assertion_gets_a_token)
{
	char *url CLEANUP_FREE = peer_url("/oauth/jwt?life=3600");
	const struct setting settings[] = {{"token_url", url}, {"key", "a secret of some length"},
		{"algorithm", "HS256"}, {"claim.scope", "a b"}, {"form.more", "x&${jwt}"},
		{"form.assertion", "<" AUTH_VARIABLE("jwt") ">"}, {0}};
	struct auth *auth = made(settings);
	struct fault fault = FAULT_NULL;
	struct http_message message = HTTP_MESSAGE_NULL;
	struct peer_answer sent;
	const char *at;
	json_t *claims;

	fetch(auth, &fault);
	ck_assert_msg(fault.class == FAULT_NONE, "%s", fault.text);
	message.url = mem_strdup("https://example.com/");
	ck_assert_int_eq(auth_apply(auth, &message, NOW, &fault), 0);
	ck_assert(slice_is(http_headers_get(&message.headers, "Authorization"), "Bearer jwt-1"));
	sent = peer_get("/sent/jwt", NULL);
	at = strstr(buf_text(&sent.body), "\r\n\r\nmore=x%26%24%7Bjwt%7D&assertion=%3C");
	ck_assert_ptr_nonnull(at);
	at = strstr(at, "%3C") + 3;
	json_decref(take_part(&at));
	claims = take_part(&at);
	assert_text(claims, "aud", url);
	assert_text(claims, "scope", "a b");
	json_decref(claims);
	ck_assert(str_ends(at, "%3E"));
	ck_assert(auth_reject(auth, auth_epoch(auth)));
	fetch(auth, &fault);
	ck_assert_int_eq(fault.class, FAULT_NONE);
	peer_answer_deinit(&sent);
	http_message_deinit(&message);
	auth_free(auth);
}
END_TEST

START_TEST(the_form_of_the_rfc)
{
	char *url CLEANUP_FREE = peer_url("/oauth/rfc?life=3600");
	const struct setting settings[] = {{"token_url", url}, {"key", "a secret of some length"},
		{"algorithm", "HS256"}, {0}};
	struct auth *auth = made(settings);
	struct fault fault = FAULT_NULL;
	struct peer_answer sent;

	fetch(auth, &fault);
	sent = peer_get("/sent/rfc", NULL);
	ck_assert_ptr_nonnull(strstr(buf_text(&sent.body),
		"\r\n\r\ngrant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
		"&assertion=ey"));
	peer_answer_deinit(&sent);
	auth_free(auth);
}
END_TEST

#define KEY                                                                                        \
	{"key", "HUSHHUSH"},                                                                       \
	{                                                                                          \
		"algorithm", "HS256"                                                               \
	}

static const struct {
	struct setting settings[N_PAIRS];
	const char *text;
} faults[] = {
	{{{"algorithm", "HS256"}}, "needs `key`"},
	{{{"key", "HUSHHUSH"}}, "needs `algorithm`"},
	{{{"key", "HUSHHUSH"}, {"algorithm", "RS384"}},
		"expected RS256, RS512, PS256, ES256 or HS256"},
	{{{"key", "HUSHHUSH"}, {"algorithm", "RS256"}}, "not an unencrypted private key"},
	{{{"key", "HUSHHUSH"}, {"algorithm", "RS512"}}, "not an unencrypted private key"},
	{{KEY, {"claim.lifetime", "2d"}}, "a duration from 10s to 1d"},
	{{KEY, {"claim.exp", "5"}}, "are set by trawld"},
	{{KEY, {"jose.alg", "none"}}, "cannot be set"},
	{{KEY, {"form.a", AUTH_VARIABLE("jwt")}}, "requires token_url"},
	{{KEY, {"token_url", "x"}}, "not an absolute"},
	{{KEY, {"token_url", "https://a/"}, {"form.a", "b"}}, "does not send ${jwt}"},
	{{KEY, {"claim.", "b"}}, "has no key `claim.`"},
	{{KEY, {"claims", "b"}}, "has no key `claims`"},
	{{KEY, {"claim.a", "x\ny"}}, "holds a line break"},
	{{KEY, {"claim.a", AUTH_VARIABLE("other")}}, "uses ${other}, which"},
	{{KEY, {"header", "A:"}}, "not a header name"},
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

START_TEST(a_key_of_lines)
{
	char *rsa CLEANUP_FREE = key_text("rfc7515-a2");
	char *ec CLEANUP_FREE = key_text("rfc7515-a3");
	const struct setting good[] = {{"key", rsa}, {"algorithm", "PS256"}, {0}};
	const struct setting bad[] = {{"key", ec}, {"algorithm", "RS256"}, {0}};
	struct auth *auth = made(good);
	struct fault fault = FAULT_NULL;

	auth_free(auth);
	ck_assert_int_eq(unit_class(make(&auth, bad, &fault), &fault), FAULT_CONFIG);
	ck_assert_ptr_nonnull(strstr(fault.text, "expected an RSA key of 2048 bits or more"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_jwt");
	TCase *cases = tcase_create("auth_jwt");
	SRunner *runner;
	int n_failed;

	tcase_add_unchecked_fixture(cases, start, peer_stop);
	tcase_add_checked_fixture(cases, peer_client_open, peer_client_close);
	tcase_add_test(cases, the_assertion_is_the_bearer);
	tcase_add_test(cases, the_assertion_gets_a_token);
	tcase_add_test(cases, the_form_of_the_rfc);
	tcase_add_loop_test(cases, what_is_refused, 0, N(faults));
	tcase_add_test(cases, a_key_of_lines);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
