/*
 * lib/net/auth/auth_huawei.c, sdk_hmac.c, query.c. Vector 3 is the worked example of Huawei's "API
 * Request Signing Guide"; the others were computed independently from the rules of that guide and
 * of the vendor's SDKs (signer.go, signer.py).
 */
#include "check_unit.h"
#include <time.h>

#include "base/cleanup.h"
#include "base/mem.h"

#include "net/auth/auth.h"
#include "net/query.h"
#include "net/auth/sdk_hmac.h"

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
#define N_HEADERS 4
#define PROJECT "054e292c9880d4992f02c0196d3ea468"
#define AUDIT "/v3/" PROJECT "/instances/3d39c18788b54a919bab633874c159dfin07/"
#define LIST                                                                                       \
	AUDIT "audit-logs?start_time=2018-09-15T06%3A25%3A43%2B0800"                               \
	      "&end_time=2018-09-16T10%3A40%3A15%2B0800&offset=0&limit=10"
#define GAUSS "gaussdb.cn-north-4.myhuaweicloud.com"

static const struct vector {
	const char *access_key;
	const char *secret_key;
	const char *method;
	const char *url;
	const char *headers[N_HEADERS][2];
	const char *body;
	const char *signed_headers;
	const char *canonical_hash; /* NULL: not published */
	const char *signature;
} vectors[] = {
	{"AccessKey", "SecretKey", "GET", "https://h/path?limit=1",
		{{"X-Sdk-Date", "20060102T150405Z"}}, "", "x-sdk-date", NULL,
		"5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624"},
	{"AccessKey", "SecretKey", "POST", "https://h/path?key=value",
		{{"X-Sdk-Date", "20060102T150405Z"}}, "{\"Name\":\"test\",\"Id\":1}\n",
		"x-sdk-date", NULL,
		"cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59"},
	{"QTWAOYTTINDUT2QVKYUC", "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc", "GET",
		"https://service.region.example.com/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs"
		"?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
		{{"Host", "service.region.example.com"}, {"Content-Type", "application/json"},
			{"X-Sdk-Date", "20191115T033655Z"}},
		"", "content-type;host;x-sdk-date",
		"b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a",
		"7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"},
	{"AccessKey", "SecretKey", "GET", "https://" GAUSS LIST,
		{{"Host", GAUSS}, {"X-Project-Id", PROJECT}, {"X-Sdk-Date", "20180916T024500Z"}},
		"", "host;x-project-id;x-sdk-date",
		"2458873a5f3f58899593aa91cc9a74efc5cdbb99f45561f625ddb6bdf81c293c",
		"e3fcc42bd02faef2d8a613505185a8f3a6f6b0a2ef726b2f7502d579f89b407f"},
	{"AccessKey", "SecretKey", "GET", "http://127.0.0.1:18080" LIST,
		{{"Host", "127.0.0.1:18080"}, {"X-Project-Id", PROJECT},
			{"X-Sdk-Date", "20180916T024500Z"}},
		"", "host;x-project-id;x-sdk-date",
		"a410ae336a586fb4b6ae8c5fa2fa57c7cec5e0377ea8f493817c74f57383b210",
		"781404ac93a1d3f85eb1d17f0605d5f3ff955f8a6c6d9c3dde889fb6bcd193bd"},
	{"AccessKey", "SecretKey", "POST", "https://" GAUSS AUDIT "audit-log-link",
		{{"Host", GAUSS}, {"X-Project-Id", PROJECT}, {"X-Sdk-Date", "20180916T024500Z"},
			{"Content-Type", "application/json"}},
		"{\"ids\":[\"fa163ea0e2bet11e9d832166a2cf894c5br01\"]}",
		"content-type;host;x-project-id;x-sdk-date",
		"a2d23a755e1f48efff7b00aec65f63f118c60e9d079030413c94be24d395f8eb",
		"d11f0089eb207e9da42d078fbba31f13cef3150ee78b44dd6653d5d8b9f74977"},
	{"AccessKey", "SecretKey", "GET",
		"https://cts.cn-north-4.myhuaweicloud.com/v3/" PROJECT
		"/traces?from=1757896200999&limit=200&next=3d1a2b3c-0000-11f0-8000-fa163e000001"
		"&to=1757896501000&trace_type=system",
		{{"Host", "cts.cn-north-4.myhuaweicloud.com"}, {"X-Project-Id", PROJECT},
			{"X-Sdk-Date", "20250915T003501Z"}},
		"", "host;x-project-id;x-sdk-date",
		"78ae6dbda72da6353a3e1e622b9a7eab97d4e6a8a644855ffd61df96223db324",
		"9e8da3ef08a06f46c99ab1fafb4e37887eac1e6881613acfa081882e7c6d272d"},
};

START_TEST(published_vectors)
{
	const struct vector *vector = &vectors[_i];
	struct http_headers headers = {0};
	struct buf canonical = BUF_NULL;
	uint8_t digest[DIGEST_SIZE];
	char hex[DIGEST_HEX_SIZE];

	for (int i = 0; i < N_HEADERS && vector->headers[i][0]; i++)
		http_headers_add(&headers, vector->headers[i][0], slice_of(vector->headers[i][1]));
	ck_assert_int_eq(
		canonical_request(&sdk_hmac_rules, vector->method, vector->url, &headers,
			slice_of(vector->signed_headers), slice_of(vector->body), &canonical),
		0);
	digest_sha256(buf_slice(&canonical), digest);
	digest_hex(digest, sizeof(digest), hex);
	if (vector->canonical_hash)
		ck_assert_msg(strcmp(hex, vector->canonical_hash) == 0, "case %d: %s", _i,
			buf_text(&canonical));
	sdk_hmac_signature(slice_of(vector->secret_key), http_headers_get(&headers, "X-Sdk-Date"),
		buf_slice(&canonical), hex);
	ck_assert_msg(strcmp(hex, vector->signature) == 0, "case %d: %s", _i, hex);
	buf_deinit(&canonical);
	http_headers_deinit(&headers);
}
END_TEST

static nsec_t parse_date(const char *text)
{
	struct tm tm = {0};

	ck_assert_ptr_nonnull(strptime(text, "%Y%m%dT%H%M%SZ", &tm));
	return (nsec_t)timegm(&tm) * NSEC_PER_SEC;
}

static struct auth *make(const struct vector *vector, const char *project_id)
{
	struct option_pair pairs[] = {
		{.name = (char *)"access_key", .value = (char *)vector->access_key},
		{.name = (char *)"secret_key", .value = (char *)vector->secret_key},
		{.name = (char *)"project_id", .value = (char *)project_id},
	};
	struct auth_setup setup = {.type = "huawei_aksk", .settings = pairs, .n_settings = 3};
	struct auth *auth = NULL;

	ck_assert_int_eq(auth_new(&auth, &setup, NULL), 0);
	return auth;
}

/* The same through the kind, which adds the headers itself; only where it signs the same ones. */
START_TEST(vectors_through_the_kind)
{
	const struct vector *vector = &vectors[_i];
	struct auth *auth = make(vector, _i > 2 ? PROJECT : "");
	struct http_message message = HTTP_MESSAGE_NULL;
	CLEANUP_FREE char *want =
		mem_printf("SDK-HMAC-SHA256 Access=%s, SignedHeaders=%s, Signature=%s",
			vector->access_key, vector->signed_headers, vector->signature);
	nsec_t now_time = NSEC_NONE;

	message.method = mem_strdup(vector->method);
	message.url = mem_strdup(vector->url);
	buf_append_text(&message.body, vector->body);
	for (int i = 0; i < N_HEADERS && vector->headers[i][0]; i++) {
		if (strcmp(vector->headers[i][0], "Content-Type") == 0)
			http_headers_add(
				&message.headers, "content-type", slice_of(vector->headers[i][1]));
		if (strcmp(vector->headers[i][0], "X-Sdk-Date") == 0)
			now_time = parse_date(vector->headers[i][1]);
	}
	/* A retry is signed anew: an hour later by another clock, then as published. */
	ck_assert_int_eq(auth_apply(auth, &message, now_time + NSEC_PER_HOUR, NULL), 0);
	ck_assert(!slice_is(http_headers_get(&message.headers, "Authorization"), want));
	ck_assert_int_eq(auth_apply(auth, &message, now_time + 999999999, NULL), 0);
	ck_assert_msg(slice_is(http_headers_get(&message.headers, "Authorization"), want),
		"case %d: %s", _i, http_headers_get(&message.headers, "Authorization").data);
	ck_assert_str_eq(message.url, vector->url); /* the sent URL stays as it is */
	http_message_deinit(&message);
	auth_free(auth);
}
END_TEST

static const struct {
	const char *query;
	const char *decoded_order;
	const char *encoded_order; /* NULL: the same */
} queries[] = {
	/* vector 8 */
	{"test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29&path=/tmp/123&multi=3&multi=1&multi=2"
	 "&limit=1&enable=true",
		"enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Ftmp%2F123"
		"&test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29",
		NULL},
	{"b&a=&c=1=2", "a=&b=&c=1%3D2", NULL},
	{"a=x+y&a=x%20y&a=x%2By", "a=x%20y&a=x%20y&a=x%2By", NULL},
	{"a=%zz&a=%4&a=%", "a=%25&a=%254&a=%25zz", NULL},
	{"&&a=1&", "a=1", NULL},
	{"a=%7e&a=~&a=%41", "a=A&a=~&a=~", NULL},
	{"a=%5B&a=b&a=A", "a=A&a=%5B&a=b", "a=%5B&a=A&a=b"},
	{"ab=1&a=2", "a=2&ab=1", NULL},
	{"", "", NULL},
};

START_TEST(canonical_queries)
{
	struct buf out = BUF_NULL;

	query_canonical(slice_of(queries[_i].query), QUERY_ORDER_DECODED, &out);
	ck_assert_msg(strcmp(buf_text(&out), queries[_i].decoded_order) == 0, "case %d: %s", _i,
		buf_text(&out));
	buf_clear(&out);
	query_canonical(slice_of(queries[_i].query), QUERY_ORDER_ENCODED, &out);
	ck_assert_msg(
		strcmp(buf_text(&out), queries[_i].encoded_order ? queries[_i].encoded_order
								 : queries[_i].decoded_order) == 0,
		"case %d: %s", _i, buf_text(&out));
	buf_deinit(&out);
}
END_TEST

static const struct {
	const char *url;
	const char *line; /* the canonical path */
} paths[] = {
	{"https://h", "\n/\n"},
	{"https://h/", "\n/\n"},
	{"https://h?a=b", "\n/\n"},
	{"https://h/a", "\n/a/\n"},
	{"https://h/a/", "\n/a/\n"},
	{"https://h/a//b", "\n/a//b/\n"},
	{"https://h/a%20b/%E4%B8%80/c+d:e", "\n/a%20b/%E4%B8%80/c%2Bd%3Ae/\n"},
	{"https://h/\xc3\xa9", "\n/%C3%A9/\n"},
};

START_TEST(canonical_paths)
{
	struct http_headers headers = {0};
	struct buf out = BUF_NULL;

	ck_assert_int_eq(canonical_request(&sdk_hmac_rules, "GET", paths[_i].url, &headers,
				 SLICE(""), SLICE(""), &out),
		0);
	ck_assert_msg(strncmp(out.data + 3, paths[_i].line, strlen(paths[_i].line)) == 0,
		"case %d: %s", _i, buf_text(&out));
	buf_deinit(&out);
}
END_TEST

START_TEST(which_headers_are_signed)
{
	struct http_headers headers = {0};
	struct buf names = BUF_NULL;
	struct buf canonical = BUF_NULL;

	http_headers_add(&headers, "X-Zeta", SLICE("  Gr\xc3\xbc\xc3\x9f Gott\t "));
	http_headers_add(&headers, "Accept", SLICE("*/*"));
	http_headers_add(&headers, "X-Twice", SLICE("1"));
	http_headers_add(&headers, "x-twice", SLICE("2"));
	http_headers_add(&headers, "X-Under_Score", SLICE("1"));
	http_headers_add(&headers, "Content-Type", SLICE("application/json"));
	http_headers_add(&headers, "X-Alpha", SLICE(""));
	canonical_names(&sdk_hmac_rules, &headers, &names);
	ck_assert_str_eq(buf_text(&names), "content-type;x-alpha;x-zeta");
	ck_assert_int_eq(canonical_request(&sdk_hmac_rules, "GET", "https://h/", &headers,
				 buf_slice(&names), SLICE(""), &canonical),
		0);
	ck_assert_str_eq(buf_text(&canonical),
		"GET\n/\n\ncontent-type:application/json\nx-alpha:\n"
		"x-zeta:Gr\xc3\xbc\xc3\x9f Gott\n\ncontent-type;x-alpha;x-zeta\n"
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	buf_deinit(&names);
	buf_deinit(&canonical);
	http_headers_deinit(&headers);
}
END_TEST

static const struct {
	const char *url;
	const char *host;
} hosts[] = {
	{"https://h.example/p", "h.example"},
	{"https://h.example:443/p", "h.example"},
	{"http://h.example:443/p", "h.example:443"},
	{"http://h.example:80", "h.example"},
	{"http://[::1]:8080/", "[::1]:8080"},
};

START_TEST(host_and_optional_headers)
{
	struct option_pair pairs[] = {
		{.name = (char *)"access_key", .value = (char *)"AK"},
		{.name = (char *)"secret_key", .value = (char *)"SK-of-the-test"},
		{.name = (char *)"domain_id", .value = (char *)"dom"},
		{.name = (char *)"security_token", .value = (char *)"temporary"},
	};
	struct auth_setup setup = {.type = "huawei_aksk", .settings = pairs, .n_settings = 4};
	struct http_message message = HTTP_MESSAGE_NULL;
	struct auth *auth = NULL;

	ck_assert_int_eq(auth_new(&auth, &setup, NULL), 0);
	message.url = mem_strdup(hosts[_i].url);
	ck_assert_int_eq(auth_apply(auth, &message, 0, NULL), 0);
	ck_assert_msg(slice_is(http_headers_get(&message.headers, "Host"), hosts[_i].host),
		"case %d", _i);
	ck_assert(slice_is(http_headers_get(&message.headers, "X-Sdk-Date"), "19700101T000000Z"));
	ck_assert(slice_is(http_headers_get(&message.headers, "X-Domain-Id"), "dom"));
	ck_assert_ptr_null(http_headers_get(&message.headers, "X-Project-Id").data);
	ck_assert_ptr_nonnull(strstr(http_headers_get(&message.headers, "Authorization").data,
		"SignedHeaders=host;x-domain-id;x-sdk-date;x-security-token, "));
	http_message_deinit(&message);
	auth_free(auth);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_huawei");
	TCase *cases = tcase_create("auth_huawei");
	SRunner *runner;
	int n_failed;

	tcase_add_loop_test(cases, published_vectors, 0, N(vectors));
	tcase_add_loop_test(cases, vectors_through_the_kind, 2, N(vectors));
	tcase_add_loop_test(cases, canonical_queries, 0, N(queries));
	tcase_add_loop_test(cases, canonical_paths, 0, N(paths));
	tcase_add_test(cases, which_headers_are_signed);
	tcase_add_loop_test(cases, host_and_optional_headers, 0, N(hosts));
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed > 0;
}
