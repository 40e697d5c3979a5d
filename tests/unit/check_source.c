/* A source's options and the requests that it writes. */
#include "source/source.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "source_fixture.h"

#define RECORDS "records.at = /list\nresume.window = yes\n"

static struct request_values values_of(const struct source *source)
{
	return (struct request_values){.source = source,
		.start_time = INT64_C(1757888743123000000),
		.end_time = INT64_C(1757888744000000000),
		.offset = -1,
		.number = -1};
}

#define LOGIN "request.url = https://h/${window.start}\nauth.type = login\nlogin.token = /t\n"

START_TEST(requests)
{
	struct source_fixture f;
	struct http_message message = HTTP_MESSAGE_NULL;
	struct fault fault;
	source_fixture_good(&f, RECORDS
		"request.method = POST\nrequest.url = https://h.example/x?k=v\n"
		"request.query.from = ${window.start:%Y-%m-%dT%H:%M:%S%z}\n"
		"request.query.page = ${page.number}\nrequest.header.X-A = b\n"
		"request.body = {\"to\": \"${window.end:epoch_ms}\"}\n"
		"request.next.query.page = ${page.number}\npage.number = yes\npage.end = empty\n"
		"endpoint = http://127.0.0.1:8080/base/\n");
	struct request_values values = values_of(f.source);
	ck_assert_int_eq(source_request(f.source, &values, NULL, &message, &fault), 0);
	ck_assert_str_eq(message.method, "POST");
	ck_assert_str_eq(message.url,
		"http://127.0.0.1:8080/base/x?k=v&from=2025-09-14T22%3A25%3A43%2B0000");
	ck_assert_str_eq(buf_text(&message.body), "{\"to\":1757888744000}");
	ck_assert(slice_is(http_headers_get(&message.headers, "x-a"), "b"));
	ck_assert(slice_is(http_headers_get(&message.headers, "content-type"), "application/json"));
	ck_assert_str_eq(f.source->origin, "http://127.0.0.1:8080");
	http_message_deinit(&message);
	values.number = 3;
	ck_assert_int_eq(source_request(f.source, &values, NULL, &message, &fault), 0);
	ck_assert_ptr_nonnull(strstr(message.url, "&page=3"));
	http_message_deinit(&message);
	ck_assert_int_eq(
		source_request(f.source, &values, "http://127.0.0.1:8080/l", &message, &fault), 0);
	ck_assert_str_eq(message.url, "http://127.0.0.1:8080/l");
	http_message_deinit(&message);
	source_fixture_deinit(&f);
}
END_TEST

START_TEST(forms)
{
	struct source_fixture f;
	struct http_message message = HTTP_MESSAGE_NULL;
	struct fault fault;
	source_fixture_good(&f, RECORDS
		"request.method = POST\nrequest.url = https://h.example/x\n"
		"request.body_type = form\nrequest.form.grant = a b&c=d+\xc3\xa9\n"
		"request.form.the key = ${window.start:epoch_s}\n"
		"request.next.form.page = ${page.number}\npage.number = yes\npage.end = empty\n");
	struct request_values values = values_of(f.source);
	ck_assert_int_eq(source_request(f.source, &values, NULL, &message, &fault), 0);
	ck_assert_str_eq(
		buf_text(&message.body), "grant=a%20b%26c%3Dd%2B%C3%A9&the%20key=1757888743");
	ck_assert(message.has_body);
	ck_assert(slice_is(http_headers_get(&message.headers, "content-type"),
		"application/x-www-form-urlencoded"));
	http_message_deinit(&message);
	values.number = 2;
	ck_assert_int_eq(source_request(f.source, &values, NULL, &message, &fault), 0);
	ck_assert(str_ends(buf_text(&message.body), "&page=2"));
	http_message_deinit(&message);
	source_fixture_deinit(&f);
}
END_TEST

START_TEST(origins)
{
	static const struct {
		const char *url;
		bool allowed;
	} cases[] = {{"https://h.example/a", true}, {"https://H.example:443/a", true},
		{"https://o.example:8443/", true}, {"http://h.example/", false},
		{"https://h.example:444/", false}, {"https://h.example.evil/", false},
		{"https://h.example@evil/", false}, {"ftp://h.example/", false}, {"/x", false}};
	struct source_fixture f;
	source_fixture_good(&f, RECORDS "request.url = https://h.example/x?${window.start}\n"
					"allow_origins = https://o.example:8443\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fault fault = FAULT_NULL;
		ck_assert_msg((source_may_request(f.source, cases[i].url, &fault) == 0) ==
				      cases[i].allowed,
			"case %zu: %s", i, cases[i].url);
	}
	source_fixture_deinit(&f);
}
END_TEST

/* A link in clear text is refused, and no key is named that would send the credential there. */
START_TEST(no_credential_in_clear_text)
{
	struct source_fixture f;
	struct fault fault = FAULT_NULL;
	source_fixture_good(
		&f, RECORDS "request.url = https://api.example/v1/log?since=${window.start}\n");
	ck_assert_int_eq(
		unit_class(source_may_request(f.source, "http://api.example/v1/log?page=2", &fault),
			&fault),
		FAULT_ORIGIN);
	ck_assert_msg(strstr(fault.text, "not https") && !strstr(fault.text, "allow_origins"), "%s",
		fault.text);
	source_fixture_deinit(&f);
	source_fixture_init(&f,
		RECORDS "request.url = https://api.example/v1/log?since=${window.start}\n"
			"allow_origins = https://o.example, http://api.example\n");
	ck_assert_uint_eq(f.findings.n_items, 1);
	ck_assert_ptr_nonnull(
		strstr(f.findings.items[0].text, "http://api.example:80 is not https"));
	source_fixture_deinit(&f);
}
END_TEST

/* Secrets that are written out where no definition declares one. */
START_TEST(secrets_are_known_by_name)
{
	static const char *const secrets[] = {"h3aderSecret", "qu3ry/Secret", "b0dySecret",
		"c00kieSecret", "pr0xy@/Secret", "pr0xy%40%2fSecret"};
	struct source_fixture f;
	source_fixture_good(&f,
		RECORDS "request.url = https://api.example/log?since=${window.start}\n"
			"request.method = POST\n"
			"request.header.Authorization = ApiKey h3aderSecret\n"
			"proxy = http://me:pr0xy%40%2FSecret@proxy.example:3128\n"
			"request.header.Cookie = c00kieSecret\n"
			"request.query.api_key = qu3ry/Secret\n"
			"request.query.page_token = ordinary\n"
			"request.body = {\"a\": [{\"password\": \"b0dySecret\"}]}\n");
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		struct fault fault = FAULT_NULL;
		fault_set(&fault, FAULT_BODY, "bad %s ordinary", secrets[i]);
		ck_assert_str_eq(fault.text, "bad *** ordinary");
	}
	source_fixture_deinit(&f);
}
END_TEST

START_TEST(faults)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{RECORDS "request.url = http://h.example/${window.start}\n", "insecure_http"},
		{RECORDS "request.url = ftp://h.example/${window.start}\n", "not a valid http"},
		{RECORDS "request.url = https://h/${window.start}\nstart = soon\n", "not a time"},
		{RECORDS "request.url = https://h/${window.start}\nendpoint = x\n",
			"http:// or https://"},
		{RECORDS "request.url = https://h/${window.start}\nallow_origins = x\n",
			"https://host"},
		{RECORDS LOGIN "login.url = http://iam.example/t\n", "login at http://iam.example"},
		{RECORDS LOGIN "login.url = iam.example/t\n",
			"not an http:// or https:// URL: iam"},
		{RECORDS LOGIN "login.url = https://h/${page.cursor}\n", "is not set"},
		{RECORDS "request.url = https://h/${window.start}\nauth.type = baerer\n",
			"unknown auth type `baerer`: did you mean `bearer`?"},
		{RECORDS "request.url = https://h/${window.start}\nauth.type = bearer\n",
			"auth type bearer needs `token`"},
		{RECORDS "request.url = https://h/${window.start}\nauth.type = bearer\n"
			 "auth.token = tttt\nauth.tokn = t\n",
			"unknown key `tokn` for auth type bearer: did you mean `token`?"},
		{RECORDS "request.url = https://h/${window.start}\nintervall = 5s\n", "`interval`"},
		{RECORDS "request.url = https://h/${window.start}\nlagg = 5s\n", "`lag`"},
		{RECORDS "request.url = https://h/${window.start}\nauth.type = sigv4\n"
			 "auth.provider = gcp\nauth.service = s\nauth.region = r\n"
			 "auth.access_key = a\nauth.secret_key = b\n",
			"expected osc, aws, acs3 or tc3"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source_fixture f;
		source_fixture_init(&f, cases[i].text);
		ck_assert_msg(!f.source && f.findings.n_items == 1 &&
				      strstr(f.findings.items[0].text, cases[i].words),
			"case %zu: %s", i,
			f.findings.n_items ? f.findings.items[0].text : "no finding");
		source_fixture_deinit(&f);
	}
}
END_TEST

START_TEST(fingerprints)
{
	static const char good[] = RECORDS "request.url = https://h/${window.start}\n";
	static const char other[] = RECORDS "request.url = https://h/${window.start}\nlag = 1s\n";
	struct source_fixture a, b, c;
	source_fixture_good(&a, good);
	source_fixture_good(&b, good);
	source_fixture_good(&c, other);
	ck_assert_mem_eq(&a.source->fingerprint, &b.source->fingerprint, sizeof(struct id));
	ck_assert_mem_ne(&a.source->fingerprint, &c.source->fingerprint, sizeof(struct id));
	source_fixture_deinit(&a);
	source_fixture_deinit(&b);
	source_fixture_deinit(&c);
}
END_TEST

START_TEST(intervals)
{
	static const struct {
		const char *text;
		nsec_t interval_ns;
	} cases[] = {{"", 60 * NSEC_PER_SEC}, {"limits.interval = 5m\n", 5 * NSEC_PER_MIN},
		{"limits.interval = 5m\ninterval = 10s\n", 10 * NSEC_PER_SEC}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source_fixture f;
		char *text CLEANUP_FREE = mem_printf(
			RECORDS "request.url = https://h/${window.start}\n%s", cases[i].text);
		source_fixture_good(&f, text);
		ck_assert_int_eq(f.source->options.interval_ns, cases[i].interval_ns);
		source_fixture_deinit(&f);
	}
}
END_TEST

/* On a system of 32 bits, 4 GiB would be 0, the default. */
START_TEST(a_page_fits_into_memory)
{
	const struct option *row = source_option_rows;
	while (strcmp(row->name, "max_page") != 0)
		row++;
	ck_assert(row->max > 0 && (uint64_t)row->max <= SIZE_MAX);
}
END_TEST

UNIT_MAIN("source", a_page_fits_into_memory, intervals, requests, forms, origins,
	no_credential_in_clear_text, secrets_are_known_by_name, faults, fingerprints)
