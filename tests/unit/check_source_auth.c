/* The identity of a credential: what tells one caller from another, and nothing else. */
#include "source/source_auth.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "source_fixture.h"

#define COMMON "records.at = /list\nresume.window = yes\n"
#define URL "request.url = https://h/x?from=${window.start}\n"
#define BEARER COMMON URL "auth.type = bearer\nauth.token = t\n"
#define LOGIN_AT COMMON URL "auth.type = login\nlogin.method = POST\nlogin.token = /t\nlogin.url = "
#define LOGIN LOGIN_AT "https://iam/t\n"
#define SIGNED                                                                                     \
	COMMON URL "auth.type = sigv4\nauth.provider = aws\nauth.service = s\nauth.region = r\n"   \
		   "auth.secret_key = k\n"

static struct id credential_in(struct source_fixture *f)
{
	struct auth *auth = NULL;
	struct fault fault = FAULT_NULL;
	struct id credential;
	ck_assert_msg(source_auth_new(f->source, NULL, &auth, &credential, &fault) == 0, "%s",
		fault.text);
	auth_free(auth);
	return credential;
}

static struct id credential_of(const char *text)
{
	struct source_fixture f;
	source_fixture_good(&f, text);
	struct id credential = credential_in(&f);
	source_fixture_deinit(&f);
	return credential;
}
static const struct {
	const char *one, *other;
	bool same;
} cases[] = {
	{BEARER, BEARER, true},
	{BEARER, COMMON URL "auth.type = bearer\nauth.token = u\n", false},
	/* what a caller asks for does not make another caller of it */
	{BEARER, BEARER "request.query.type = 1\ninterval = 5s\nrate = 5/s\nrecords.id = /id\n",
		true},
	{BEARER, BEARER "request.method = POST\nrequest.body = {\"type\": 1}\n", true},
	{BEARER, BEARER "endpoint = https://other\n", false},
	{BEARER, COMMON URL, false},
	/* the login's address, headers and body */
	{LOGIN "login.body = {\"user\": \"a\", \"at\": \"${now}\"}\n",
		LOGIN "login.body = {\"user\": \"a\", \"at\": \"${now}\"}\n", true},
	{LOGIN "login.body = {\"user\": \"a\"}\n", LOGIN "login.body = {\"user\": \"b\"}\n", false},
	{LOGIN "login.header.X-User = a\n", LOGIN "login.header.X-User = b\n", false},
	{LOGIN, LOGIN_AT "https://iam/u\n", false},
	{LOGIN, LOGIN "login.query.user = u\n", false},
	/* what moves from one value to the next is not the same */
	{LOGIN "login.header.X-A = bc\n", LOGIN "login.header.X-Ab = c\n", false},
	{SIGNED "auth.access_key = a\n", SIGNED "auth.access_key = a\n", true},
	{SIGNED "auth.access_key = a\n", SIGNED "auth.access_key = b\n", false},
	/* headers of the request itself: an application's code, a tenant */
	{BEARER "request.header.X-App = a\n", BEARER "request.header.X-App = b\n", false},
	{BEARER "request.next.header.X-App = a\n", BEARER "request.next.header.X-App = b\n", false},
	{BEARER "request.header.X-Date = ${window.start}\n",
		BEARER "request.header.X-Date = ${window.start}\n", true},
	{BEARER, BEARER "client_cert = /etc/a.pem\n", false},
	{BEARER "client_cert = /etc/a.pem\nclient_key = /etc/b.pem\n",
		BEARER "client_cert = /etc/a.pem\nclient_key = /etc/c.pem\n", false},
	/* without [auth] the credential may be anywhere in the request */
	{COMMON URL "request.query.key = a\n", COMMON URL "request.query.key = b\n", false},
	{COMMON URL "request.query.key = a\n", COMMON URL "request.query.key = a\n", true},
};

START_TEST(identities)
{
	struct id one = credential_of(cases[_i].one), other = credential_of(cases[_i].other);
	ck_assert_msg((memcmp(&one, &other, sizeof(one)) == 0) == cases[_i].same,
		"case %d: %s\nand:\n%s", _i, cases[_i].one, cases[_i].other);
}
END_TEST

/* Wherever a definition or a source puts it. */
START_TEST(secrets)
{
	struct id found[3];
	static const char *const values[] = {"a", "a", "b"};
	for (size_t i = 0; i < 3; i++) {
		struct source_fixture f;
		struct findings findings = {0};
		struct definition_path path = {NULL, 0};
		char *text CLEANUP_FREE = mem_printf("[source acme]\nprovider = custom\n" BEARER
						     "request.query.key = %s\n",
			values[i]);
		f = (struct source_fixture){0};
		ini_read_text(&f.ini, "f", text, strlen(text), &findings);
		ini_section_find(&f.ini.sections[0], "request.query.key")->secret = true;
		f.source = source_new(&f.ini.sections[0], &path, &findings);
		ck_assert_ptr_nonnull(f.source);
		found[i] = credential_in(&f);
		source_fixture_deinit(&f);
	}
	ck_assert_mem_eq(&found[0], &found[1], sizeof(struct id));
	ck_assert_mem_ne(&found[0], &found[2], sizeof(struct id));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("source_auth");
	TCase *tcase = tcase_create("source_auth");
	tcase_add_loop_test(tcase, identities, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tcase, secrets);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
