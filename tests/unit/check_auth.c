/* lib/net/auth/auth.c and auth_simple.c: the array of kinds, the check of keys, the constant
 * proofs. */
#include "check_unit.h"

#include "base/mem.h"

#include "net/auth/auth.h"

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
#define N_PAIRS 6

struct setting {
	const char *name;
	const char *value;
};

static int make(
	struct auth **ret, const char *type, const struct setting *settings, struct fault *reterr)
{
	struct option_pair pairs[N_PAIRS] = {0};
	struct auth_setup setup = {.type = type, .settings = pairs};

	while (setup.n_settings < N_PAIRS && settings[setup.n_settings].name) {
		pairs[setup.n_settings].name = (char *)settings[setup.n_settings].name;
		pairs[setup.n_settings].value = (char *)settings[setup.n_settings].value;
		setup.n_settings++;
	}
	return auth_new(ret, &setup, reterr);
}

static const struct {
	const char *type;
	struct setting settings[N_PAIRS];
	const char *name; /* NULL: no header */
	const char *value;
} proofs[] = {
	{"none", {{0}}, NULL, NULL},
	{NULL, {{0}}, NULL, NULL},
	{"bearer", {{"token", "abc.def"}}, "Authorization", "Bearer abc.def"},
	/* RFC 7617 sections 2 and 2.1 */
	{"basic", {{"user", "Aladdin"}, {"password", "open sesame"}}, "Authorization",
		"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
	{"basic", {{"user", "test"}, {"password", "123\xc2\xa3"}}, "Authorization",
		"Basic dGVzdDoxMjPCow=="},
	{"basic", {{"password", "pw"}, {"user", "u"}}, "Authorization", "Basic dTpwdw=="},
	{"basic", {{"user", "key12"}}, "Authorization", "Basic a2V5MTI6"},
	{"basic", {{"user", "key12"}, {"password", ""}}, "Authorization", "Basic a2V5MTI6"},
	{"header", {{"name", "X-Api-Key"}, {"value", "k\xc3\xa9y"}}, "X-Api-Key", "k\xc3\xa9y"},
};

START_TEST(constant_proofs)
{
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;
	struct http_message message = HTTP_MESSAGE_NULL;
	struct slice got;

	ck_assert_msg(make(&auth, proofs[_i].type, proofs[_i].settings, &fault) == 0, "case %d: %s",
		_i, fault.text);
	message.url = mem_strdup("https://example.com/");
	ck_assert_ptr_null(auth_prepare(auth, NULL, NULL));
	for (int i = 0; i < 2; i++) /* applying again replaces */
		ck_assert_int_eq(auth_apply(auth, &message, 0, &fault), 0);
	ck_assert_msg(message.headers.n_items == (proofs[_i].name ? 1 : 0), "case %d", _i);
	if (proofs[_i].name) {
		got = http_headers_get(&message.headers, proofs[_i].name);
		ck_assert_msg(got.data && strcmp(got.data, proofs[_i].value) == 0, "case %d: %s",
			_i, got.data ? got.data : "none");
	}
	ck_assert(!auth_reject(auth, auth_epoch(auth)));
	http_message_deinit(&message);
	auth_free(auth);
}
END_TEST

/* `Token x`: also x alone is a secret. */
START_TEST(token_after_a_scheme)
{
	static const struct setting settings[N_PAIRS] = {
		{"name", "Authorization"}, {"value", "Token h3aderSecret"}};
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;

	ck_assert_int_eq(make(&auth, "header", settings, &fault), 0);
	fault_set(&fault, FAULT_SERVER, "no Token h3aderSecret, no h3aderSecret");
	ck_assert_str_eq(fault.text, "no ***, no ***");
	auth_free(auth);
}
END_TEST

static const struct {
	const char *type;
	struct setting settings[N_PAIRS];
	const char *text; /* part of the fault's */
} faults[] = {
	{"baerer", {{0}}, "unknown auth type `baerer`: did you mean `bearer`?"},
	{"quantum", {{0}}, "unknown auth type `quantum`; expected one of none, bearer, basic, "},
	{"none", {{"token", "HUSHHUSH"}}, "`none` has no key `token`"},
	{"bearer", {{0}}, "`bearer` needs `token`"},
	{"bearer", {{"token", ""}}, "`bearer` needs `token`"},
	{"bearer", {{"tokn", "HUSHHUSH"}}, "did you mean `token`?"},
	{"bearer", {{"token", "HUSHHUSH\r\nX-Evil: 1"}}, "`token` holds a line break"},
	{"basic", {{"password", "HUSHHUSH"}}, "`basic` needs `user`"},
	{"basic", {{"user", "a:HUSHHUSH"}, {"password", "x"}}, "cannot contain a `:`"},
	{"header", {{"name", "X Y"}, {"value", "HUSHHUSH"}}, "not a header name"},
	{"header", {{"name", "X-Y"}}, "`header` needs `value`"},
	{"sigv4",
		{{"provider", "gcp"}, {"service", "s"}, {"region", "r"}, {"access_key", "a"},
			{"secret_key", "HUSHHUSH"}},
		"expected osc, aws, acs3 or tc3"},
	{"sigv4",
		{{"provider", "osc"}, {"service", "a:b"}, {"region", "r"}, {"access_key", "a"},
			{"secret_key", "HUSHHUSH"}},
		"requires service:"},
	{"sigv4", {{"provider", "osc"}, {"service", "s"}, {"access_key", "a"}},
		"`sigv4` needs `secret_key`"},
	{"sigv4",
		{{"provider", "aws"}, {"service", "s"}, {"access_key", "a"},
			{"secret_key", "HUSHHUSH"}},
		"requires region:"},
	{"sigv4", {{"provider", "tc3"}, {"access_key", "a"}, {"secret_key", "HUSHHUSH"}},
		"requires service"},
	{"sigv4",
		{{"provider", "osc"}, {"service", "s"}, {"region", "r"}, {"access_key", "a"},
			{"secret_key", "HUSHHUSH"}, {"security_token", "HUSHHUSH"}},
		"does not take security_token"},
	{"http_signature", {{"key_id", "a"}, {"key", "HUSHHUSH"}}, "not an unencrypted RSA key"},
	{"http_signature", {{"key_id", "a\"b"}, {"key", "HUSHHUSH"}}, "contains a quote"},
	{"huawei_aksk", {{"access_key", "a"}}, "needs `secret_key`"},
	{"oauth2_client", {{"token_url", "https://a/"}, {"client_id", "i"}},
		"needs `client_secret`"},
	{"oauth2_client", {{"token_url", "a/"}, {"client_id", "i"}, {"client_secret", "HUSHHUSH"}},
		"token_url of auth type"},
	{"oauth2_client",
		{{"token_url", "https://a/"}, {"client_id", "i"}, {"client_secret", "HUSHHUSH"},
			{"client_auth", "magic"}},
		"expected form or basic"},
	{"oauth2_client",
		{{"token_url", "https://a/"}, {"client_id", "i"}, {"client_secret", "HUSHHUSH"},
			{"header", "A:"}},
		"not a header name"},
};

START_TEST(what_is_refused)
{
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;

	ck_assert_msg(unit_class(make(&auth, faults[_i].type, faults[_i].settings, &fault),
			      &fault) == FAULT_CONFIG,
		"case %d", _i);
	ck_assert_ptr_null(auth);
	ck_assert_msg(strstr(fault.text, faults[_i].text), "case %d: %s", _i, fault.text);
	ck_assert_msg(!strstr(fault.text, "HUSH"), "case %d: %s", _i, fault.text);
}
END_TEST

static void render(struct http_message *out, void *userdata)
{
	(void)out;
	(void)userdata;
}

static const struct {
	const char *token_from;
	const char *expires_from;
	const char *text; /* NULL: fine */
} places[] = {
	{"header:X-Subject-Token", "/token/expires_at", NULL},
	{"/access_token", NULL, NULL},
	{"", NULL, NULL}, /* the whole document */
	{NULL, NULL, "needs `token`"},
	{"access_token", NULL, "`access_token` is not a JSON Pointer"},
	{"header:", NULL, "is not a JSON Pointer"},
	{"/a", "expires", "`expires` is not a JSON Pointer"},
};

START_TEST(places_of_a_login)
{
	struct auth_setup setup = {.type = "login",
		.login_render = render,
		.token_from = places[_i].token_from,
		.expires_from = places[_i].expires_from};
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;
	int r = auth_new(&auth, &setup, &fault);

	ck_assert_msg((r == 0) == !places[_i].text, "case %d: %s", _i, fault.text);
	if (r != 0)
		ck_assert_msg(strstr(fault.text, places[_i].text), "case %d: %s", _i, fault.text);
	auth_free(auth);
}
END_TEST

START_TEST(kinds_are_listed)
{
	const char *const *names = auth_kind_names();
	size_t n = 0;

	for (; names[n]; n++) {
		const struct auth_kind_info *info = auth_kind_find(names[n]);

		ck_assert_ptr_nonnull(info);
		ck_assert_str_eq(info->type, names[n]);
		for (size_t i = 0; info->required[i]; i++) {
			bool known = false;

			for (size_t k = 0; info->keys[k]; k++)
				known = known || strcmp(info->keys[k], info->required[i]) == 0;
			ck_assert_msg(known, "%s: %s", names[n], info->required[i]);
		}
	}
	ck_assert_uint_eq(n, 12);
	ck_assert_ptr_null(auth_kind_find("no"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth");
	TCase *cases = tcase_create("auth");
	SRunner *runner;
	int n_failed;

	tcase_add_loop_test(cases, constant_proofs, 0, N(proofs));
	tcase_add_loop_test(cases, what_is_refused, 0, N(faults));
	tcase_add_loop_test(cases, places_of_a_login, 0, N(places));
	tcase_add_test(cases, token_after_a_scheme);
	tcase_add_test(cases, kinds_are_listed);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed > 0;
}
