/* lib/net/url.c and link_header.c: origins, resolution (RFC 3986 5.4), Link headers. */
#include "check_unit.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include "net/url.h"

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *url;
	const char *origin; /* NULL: refused */
} origins[] = {
	{"https://api%2dx.example.com", "https://api-x.example.com:443"},
	{"https://api%25.example.com", NULL},
	{"https://api.example.com/v1?x=1", "https://api.example.com:443"},
	{"HTTP://API.Example.COM", "http://api.example.com:80"},
	{"https://api.example.com:443/", "https://api.example.com:443"},
	{"https://api.example.com:8443", "https://api.example.com:8443"},
	{"http://127.0.0.1:18080/a", "http://127.0.0.1:18080"},
	{"http://127.1/", "http://127.0.0.1:80"},
	{"http://[::1]:80/", "http://[::1]:80"},
	{"https://good.example?@evil.example/", "https://good.example:443"},
	{"https://good.example#@evil.example/", "https://good.example:443"},
	{"https://user@example.com/", NULL},
	{"https://user:password@example.com/", NULL},
	{"https://good.example\\@evil.example/", NULL},
	{"http://[fe80::1%25eth0]/", NULL},
	{"ftp://example.com/", NULL},
	{"file:///etc/passwd", NULL},
	{"example.com/path", NULL},
	{"http:example.com", NULL},
	{"http:///example.com", NULL},
	{"http://", NULL},
	{"http:// example.com/", NULL},
	{"http://example.com/a b", NULL},
	{"http://example.com/\n", NULL},
	{"http://example.com:99999/", NULL},
	{"http://example.com:x/", NULL},
	{"", NULL},
	{NULL, NULL},
};

START_TEST(origin_of_a_url)
{
	char *origin = NULL;
	int r = url_origin(origins[_i].url, &origin);

	if (!origins[_i].origin) {
		ck_assert_msg(r == URL_E_SYNTAX && !origin, "case %d: %d %s", _i, r,
			origin ? origin : "");
		return;
	}
	ck_assert_msg(r == 0, "case %d: %d", _i, r);
	ck_assert_msg(strcmp(origin, origins[_i].origin) == 0, "case %d: %s", _i, origin);
	free(origin);
}
END_TEST

#define RFC_BASE "http://a/b/c/d;p?q"

static const struct {
	const char *base;
	const char *reference;
	const char *url; /* NULL: refused */
} resolutions[] = {
	/* RFC 3986 section 5.4.1 */
	{RFC_BASE, "g", "http://a/b/c/g"},
	{RFC_BASE, "./g", "http://a/b/c/g"},
	{RFC_BASE, "g/", "http://a/b/c/g/"},
	{RFC_BASE, "/g", "http://a/g"},
	{RFC_BASE, "//g", "http://g"},
	{RFC_BASE, "?y", "http://a/b/c/d;p?y"},
	{RFC_BASE, "g?y", "http://a/b/c/g?y"},
	{RFC_BASE, "#s", "http://a/b/c/d;p?q"}, /* fragments are never sent */
	{RFC_BASE, "g#s", "http://a/b/c/g"},
	{RFC_BASE, "g?y#s", "http://a/b/c/g?y"},
	{RFC_BASE, ";x", "http://a/b/c/;x"},
	{RFC_BASE, "g;x?y#s", "http://a/b/c/g;x?y"},
	{RFC_BASE, "", "http://a/b/c/d;p?q"},
	{RFC_BASE, ".", "http://a/b/c/"},
	{RFC_BASE, "./", "http://a/b/c/"},
	{RFC_BASE, "..", "http://a/b/"},
	{RFC_BASE, "../", "http://a/b/"},
	{RFC_BASE, "../g", "http://a/b/g"},
	{RFC_BASE, "../..", "http://a/"},
	{RFC_BASE, "../../g", "http://a/g"},
	/* section 5.4.2 */
	{RFC_BASE, "../../../g", "http://a/g"},
	{RFC_BASE, "../../../../g", "http://a/g"},
	{RFC_BASE, "/./g", "http://a/g"},
	{RFC_BASE, "/../g", "http://a/g"},
	{RFC_BASE, "g.", "http://a/b/c/g."},
	{RFC_BASE, "..g", "http://a/b/c/..g"},
	{RFC_BASE, "./../g", "http://a/b/g"},
	{RFC_BASE, "g/./h", "http://a/b/c/g/h"},
	{RFC_BASE, "g/../h", "http://a/b/c/h"},
	{RFC_BASE, "g;x=1/../y", "http://a/b/c/y"},
	{RFC_BASE, "g?y/../x", "http://a/b/c/g?y/../x"},
	/* bytes stay as they are */
	{"https://a", "next?t=a%2Fb+c:d", "https://a/next?t=a%2Fb+c:d"},
	{"https://a/x", "https://b/p/../q?token=%7e%7E#f", "https://b/p/../q?token=%7e%7E#f"},
	{"https://a/x", "?at=12:30", "https://a/x?at=12:30"},
	{"https://a/x", "//evil.example/y", "https://evil.example/y"},
	/* but for blanks and what is not ASCII */
	{"https://a/x", "/a b", "https://a/a%20b"},
	{"https://a/x", "?at=2026-01-01 10:00:00&q=a  b",
		"https://a/x?at=2026-01-01%2010:00:00&q=a%20%20b"},
	{"https://a/x", "https://a/y?name=J\xc3\xb6rg", "https://a/y?name=J%C3%B6rg"},
	{"https://a/x", " ?c=2 ", "https://a/x?c=2"},
	/* refused */
	{"https://a/x", "https://a b/", NULL},
	{"https://a/x", "//a b/", NULL},
	{"https://a/x", "https ://a/", NULL},
	{"https://a/x", "javascript:alert(1)", NULL},
	{"https://a/x", "ftp://a/x", NULL},
	{"https://a/x", "//user@evil/", NULL},
	{"https://a/x", "/a\r\nHost: b", NULL},
	{"https://a/x", "//", NULL},
	{"a/x", "/y", NULL},
	{"https://a/x", NULL, NULL},
};

START_TEST(resolve_a_reference)
{
	char *url = NULL;
	int r = url_resolve(resolutions[_i].base, resolutions[_i].reference, &url);

	if (!resolutions[_i].url) {
		ck_assert_msg(r == URL_E_SYNTAX && !url, "case %d: %d", _i, r);
		return;
	}
	ck_assert_msg(r == 0, "case %d: %d", _i, r);
	ck_assert_msg(strcmp(url, resolutions[_i].url) == 0, "case %d: %s", _i, url);
	free(url);
}
END_TEST

static const struct {
	const char *url;
	const char *endpoint;
	const char *result; /* NULL: refused */
} replacements[] = {
	{"https://api.example.com/v1/logs?a=b", "http://127.0.0.1:8080",
		"http://127.0.0.1:8080/v1/logs?a=b"},
	{"https://api.example.com/v1/logs", "http://127.0.0.1:8080/",
		"http://127.0.0.1:8080/v1/logs"},
	{"https://api.example.com/v1?x", "https://proxy.example/prefix/",
		"https://proxy.example/prefix/v1?x"},
	{"https://api.example.com", "https://other:1/p", "https://other:1/p"},
	{"https://api.example.com/", "https://user@other/", NULL},
	{"https://api.example.com/", "other.example", NULL},
	{"https://api.example.com/", "https://other/?query", NULL},
};

START_TEST(replace_the_origin)
{
	char *url = NULL;
	int r = url_replace_origin(replacements[_i].url, replacements[_i].endpoint, &url);

	if (!replacements[_i].result) {
		ck_assert_msg(r == URL_E_SYNTAX && !url, "case %d: %d", _i, r);
		return;
	}
	ck_assert_msg(r == 0, "case %d: %d", _i, r);
	ck_assert_msg(strcmp(url, replacements[_i].result) == 0, "case %d: %s", _i, url);
	free(url);
}
END_TEST

static const struct {
	const char *url;
	bool is_loopback;
	bool is_https;
} kinds[] = {
	{"http://127.0.0.1:80/", true, false},
	{"https://127.255.1.2/", true, true},
	{"http://127.1/", true, false},
	{"http://[::1]/", true, false},
	{"http://LocalHost:1/", true, false},
	{"HTTPS://example.com/", false, true},
	{"http://127.0.0.1.example.com/", false, false},
	{"http://128.0.0.1/", false, false},
	{"http://[::2]/", false, false},
	{"http://localhost.example.com/", false, false},
	{"http://localhost@example.com/", false, false},
	{"nonsense", false, false},
};

START_TEST(kind_of_a_url)
{
	ck_assert_msg(url_is_loopback(kinds[_i].url) == kinds[_i].is_loopback, "case %d", _i);
	ck_assert_msg(
		url_is_in_clear(kinds[_i].url) == (!kinds[_i].is_https && !kinds[_i].is_loopback),
		"case %d", _i);
	ck_assert_msg(url_is_https(kinds[_i].url) == kinds[_i].is_https, "case %d", _i);
}
END_TEST

static const struct {
	const char *url;
	bool is_proxy;
	const char *shown;
} proxies[] = {
	{"http://h", true, "http://h"},
	{"http://h:3128/", true, "http://h:3128/"},
	{"socks5h://me:p%2Fw@h:1080", true, "socks5h://***@h:1080"},
	{"http://me:p/w@h:80", false, "http://***@h:80"},
	{"http://me:1/w@h:80", false, "http://***@h:80"},
	{"http://me:p?w@h:80", false, "http://***@h:80"},
	{"http://me:p#w@h:80", false, "http://***@h:80"},
	{"http://me:p w@h:80", false, "http://***@h:80"},
	{"http://me:a@b@h:80", false, "http://***@h:80"},
	{"http://h:80/path", false, "http://h:80/path"},
	{"http://h:x", false, "http://h:x"},
	{"ftp://h", false, "ftp://h"},
	{"http://", false, "http://"},
	{"h:80", false, "h:80"},
	{"me@h", false, "me@h"},
};

START_TEST(proxy_url)
{
	static const char *const schemes[] = {"http://", "socks5h://", NULL};
	CLEANUP(buf_deinit) struct buf shown = BUF_NULL;

	ck_assert_msg(
		url_is_proxy(proxies[_i].url, schemes) == proxies[_i].is_proxy, "case %d", _i);
	url_append_shown(proxies[_i].url, &shown);
	ck_assert_str_eq(buf_text(&shown), proxies[_i].shown);
}
END_TEST

static const struct {
	const char *url;
	const char *parts[4]; /* scheme, authority, path, query; scheme NULL: refused */
} splits[] = {
	{"https://h:1/p/q?a=b&c#f", {"https", "h:1", "/p/q", "a=b&c"}},
	{"http://h", {"http", "h", "", NULL}},
	{"http://h?", {"http", "h", "", ""}},
	{"http://h#f?x", {"http", "h", "", NULL}},
	{"http://[::1]:2/?a?b", {"http", "[::1]:2", "/", "a?b"}},
	{"http://u@h/", {NULL}},
	{"h/p", {NULL}},
};

START_TEST(split_a_url)
{
	struct url_parts parts = {0};
	int r = url_split(splits[_i].url, &parts);
	struct slice got[4];

	ck_assert_msg((r == 0) == (splits[_i].parts[0] != NULL), "case %d: %d", _i, r);
	got[0] = parts.scheme;
	got[1] = parts.authority;
	got[2] = parts.path;
	got[3] = parts.query;
	for (int i = 0; r == 0 && i < 4; i++) {
		const char *want = splits[_i].parts[i];

		ck_assert_msg(want ? slice_is(got[i], want) : !got[i].data, "case %d part %d: %.*s",
			_i, i, (int)got[i].size, got[i].data);
	}
}
END_TEST

#define BASE "https://a/list?page=1"
#define UNREADABLE ((const char *)-1)

static const struct {
	const char *value;
	const char *target; /* NULL: no next */
} links[] = {
	{"<https://a/2>; rel=\"next\"", "https://a/2"},
	{"<https://a/2>; rel=next", "https://a/2"},
	{"<https://a/2>;REL=Next", "https://a/2"},
	{"<https://a/2> ; rel = next ; title = \"x\"", "https://a/2"},
	{"<https://a/1>; rel=\"prev\", <https://a/3>; rel=\"next\"", "https://a/3"},
	{"<https://a/1,2>; title=\"a, <b>; rel=\\\"next\\\"\"; rel=prev, </3>; rel=\"last next\"",
		"/3"},
	{"<https://a/1>; rel=self,<https://a/2>;rel=next", "https://a/2"},
	{"<https://a/2>; rel=prev; rel=next", NULL},
	{"<https://a/2>; rel=next; rel=prev", "https://a/2"},
	{"<https://a/2>; rel=nextish", NULL},
	{"<https://a/2>; rel=\"http://a/next x-next\"", NULL},
	{"<https://a/2>", NULL},
	{"<https://a/2>; rel", NULL},
	{"<https://a/2>;; rel=next;", "https://a/2"},
	{", ,<x>; rel=next, ,", "x"},
	{"<>; rel=next", ""},
	{"", NULL},
	{" ", NULL},
	{"<x>;\trel=\"next\"\t,\t<y>", "x"},
	/* quoted pairs, single quotes: what many servers and clients take for quotes */
	{"<x>; rel=\"ne\\xt\"", "x"},
	{"<x>; rel=\"prev\\ next\"", "x"},
	{"<x>; rel='next'", "x"},
	{"<x>; rel='prev next'; title=y", "x"},
	{"<x>; title*=UTF-8'de'n%c3%a4chstes; rel=\"next\"", "x"},
	/* a link of another resource */
	{"<x>; rel=next; anchor=\"https://a/other\"", NULL},
	{"<x>; anchor=\"/other\"; rel=next, <y>; rel=next", "y"},
	{"<x>; rel=next; anchor=\"#part\"", NULL},
	{"<x>; rel=next; anchor=\"\"", "x"},
	{"<x>; rel=next; anchor=\"?page=1\"", "x"},
	{"<x>; rel=next; anchor=\"https://a/list?page=1\"", "x"},
	{"<x>; rel=next; anchor=\"https://a/list?page=1\"; anchor=\"/other\"", "x"},
	{"<x>; rel=next; anchor=\"nonsense:\"", NULL},
	/* what cannot be read may be a next */
	{"https://a/2; rel=next", UNREADABLE},
	{"<https://a/2; rel=next", UNREADABLE},
	{"<https://a/2>; title=\"open; rel=next", UNREADABLE},
	{"<https://a/1>; rel=\"prev, <https://a/2>; rel=\"next\"", UNREADABLE},
	{"<https://a/1>; rel='prev, <https://a/2>; rel=next", UNREADABLE},
	{"<https://a/1; rel=prev, <https://a/2>; rel=next", UNREADABLE},
	{"https://a/1; rel=prev, <https://a/2>; rel=next", UNREADABLE},
	{"<https://a/2>; rel=next, nonsense", UNREADABLE},
	{"<https://a/2> rel=next", UNREADABLE},
	{"<https://a/2>, rel=next", UNREADABLE},
	{"<https://a/2>; rel=\"next\" title=x", UNREADABLE},
	{"<https://a/2>; rel=\"next\"x", UNREADABLE},
	{"<https://a/2>; rel=", UNREADABLE},
	{"<https://a/2>; =next", UNREADABLE},
	{"<https://a/2>; \"rel\"=next", UNREADABLE},
	{"{\"next\":\"https://a/2\"}", UNREADABLE},
};

START_TEST(next_in_a_link_header)
{
	const char *want = links[_i].target;
	char *target = NULL;
	int r = url_from_link_header(slice_of(links[_i].value), "next", BASE, &target);

	ck_assert_msg(r == (want == UNREADABLE ? URL_E_SYNTAX : 0), "case %d: %d", _i, r);
	if (want && want != UNREADABLE)
		ck_assert_msg(target && strcmp(target, want) == 0, "case %d: %s", _i,
			target ? target : "none");
	else
		ck_assert_msg(!target, "case %d: %s", _i, target);
	free(target);
}
END_TEST

/* Found by fuzzing: the list of relations never ended. */
START_TEST(nul_in_a_link_header)
{
	char *target = NULL;
	struct slice value = SLICE("<x>; rel=\"a\0b next\", <y>; rel=\"\0\"");

	ck_assert_int_eq(url_from_link_header(value, "next", BASE, &target), URL_E_SYNTAX);
	ck_assert_ptr_null(target);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("url");
	TCase *cases = tcase_create("url");
	SRunner *runner;
	int n_failed;

	tcase_add_loop_test(cases, origin_of_a_url, 0, N(origins));
	tcase_add_loop_test(cases, resolve_a_reference, 0, N(resolutions));
	tcase_add_loop_test(cases, replace_the_origin, 0, N(replacements));
	tcase_add_loop_test(cases, kind_of_a_url, 0, N(kinds));
	tcase_add_loop_test(cases, proxy_url, 0, N(proxies));
	tcase_add_loop_test(cases, split_a_url, 0, N(splits));
	tcase_add_loop_test(cases, next_in_a_link_header, 0, N(links));
	tcase_add_test(cases, nul_in_a_link_header);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed > 0;
}
