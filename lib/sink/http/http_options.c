/* See http_options.h. */
#include "sink/http/http_options.h"

#include <stddef.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/secret_name.h"
#include "net/auth/auth_hint.h"
#include "net/transport_check.h"
#include "net/url.h"
#include "sink/http/http_encoding.h"
#include "sink/http/http_login.h"

#define ANSWER_MAX ((size_t)64 << 20) /* Elasticsearch says some hundred bytes for each record */

static const char *const http_poisons[] = {"wait", "dead_letter", NULL};
const char *const http_methods[] = {"POST", "PUT", NULL};

static struct ini_entry *find_pair(
	const struct ini_section *section, const char *name, const struct option_pair *pair)
{
	char *key = mem_printf("%s.%s", name, pair->name);
	struct ini_entry *entry = ini_section_find(section, key);

	free(key);
	return entry;
}

static void fault_at(struct findings *findings, const struct ini_section *section,
	const struct ini_entry *entry, const char *text)
{
	findings_add(findings, entry ? entry->file : section->file,
		entry ? entry->line : section->line, "%s%s%s", entry ? entry->key : "",
		entry ? ": " : "", text);
}

static bool is_in_clear(const struct http_options *options, const char *url)
{
	return url_is_in_clear(url) && !options->insecure_http;
}

static void check_url(const struct http_options *options, const struct ini_section *section,
	struct findings *findings)
{
	const struct http_encoding *encoding = http_encoding_of(options);
	const struct ini_entry *entry = ini_section_find(section, "url");
	char *origin = NULL;

	if (url_origin(options->url, &origin) != 0)
		fault_at(findings, section, entry,
			"expected an http:// or https:// URL, without user and password (see auth.type)");
	else if (is_in_clear(options, options->url))
		fault_at(findings, section, entry,
			"this address is not https: records and credential would be sent unencrypted; set insecure_http = yes to allow it");
	else if (encoding->check)
		encoding->check(options, section, findings);
	free(origin);
}

static bool is_own_header(const char *name)
{
	static const char *const own[] = {"Host", "Content-Length", "Content-Encoding",
		"Transfer-Encoding", "Connection", "Expect", "User-Agent", "Accept-Encoding",
		"Idempotency-Key", NULL};

	for (size_t i = 0; own[i]; i++) {
		if (strcasecmp(own[i], name) == 0)
			return true;
	}
	return false;
}

const char *http_header_fault(const char *name, const char *value)
{
	if (!http_header_name_is_valid(name))
		return "this is not the name of a header";
	if (is_own_header(name))
		return "trawld sets this header itself";
	if (!http_header_value_is_valid(value))
		return "the value holds a line break or another control character";
	return NULL;
}

static void check_headers(const struct http_options *options, const struct ini_section *section,
	struct findings *findings)
{
	for (size_t i = 0; i < options->headers.n_items; i++) {
		const struct option_pair *pair = &options->headers.items[i];
		const char *fault = http_header_fault(pair->name, pair->value);

		if (fault)
			fault_at(findings, section, find_pair(section, "header", pair), fault);
	}
}

/* Where a secret goes to get a token. */
static void check_token_address(const struct http_options *options,
	const struct ini_section *section, struct findings *findings)
{
	static const char *const keys[] = {"auth.token_url", "login.url"};

	for (size_t i = 0; i < 2; i++) {
		const struct ini_entry *entry = ini_section_find(section, keys[i]);

		if (entry && is_in_clear(options, entry->value))
			fault_at(findings, section, entry,
				"this address is not https: the secret would be sent unencrypted; set insecure_http = yes to allow it");
	}
}

static void check_auth(const struct http_options *options, const struct ini_section *section,
	struct findings *findings)
{
	const struct ini_entry *entry = ini_section_find(section, "auth.type");
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;

	if (http_options_auth(options, NULL, &auth, &fault) != 0)
		fault_at(findings, section, entry, fault.text);
	else
		check_token_address(options, section, findings);
	auth_free(auth);
}

/* Keys of one encoding that another would leave unread. */
static const struct {
	const char *key;
	const struct http_encoding *encoding;
} encoding_keys[] = {
	{"labels", &http_loki},
	{"otlp_format", &http_otlp},
	{"host", &http_splunk},
	{"source", &http_splunk},
	{"sourcetype", &http_splunk},
	{"index", &http_splunk},
	{"ack", &http_splunk},
	{"ack_timeout", &http_splunk},
};

static void check_foreign(const struct http_options *options, const struct ini_section *section,
	struct findings *findings)
{
	for (size_t i = 0; i < sizeof(encoding_keys) / sizeof(encoding_keys[0]); i++) {
		const struct ini_entry *entry = ini_section_find(section, encoding_keys[i].key);

		if (entry && http_encodings[options->encoding] != encoding_keys[i].encoding)
			findings_add(findings, entry->file, entry->line,
				"%s is a key of encoding = %s", entry->key,
				encoding_keys[i].encoding->name);
	}
}

void http_options_check(
	const void *data, const struct ini_section *section, struct findings *findings)
{
	const struct http_options *options = data;
	const struct http_transport transport = http_options_transport(options);

	check_url(options, section, findings);
	check_headers(options, section, findings);
	check_auth(options, section, findings);
	check_foreign(options, section, findings);
	transport_check(&transport, section, findings);
}

void http_options_message(const struct http_options *options, struct http_message *message)
{
	const struct option_pairs *headers = &options->headers;

	message->method = mem_strdup(http_methods[options->method]);
	message->url = mem_strdup(options->url);
	message->has_body = true;
	http_headers_add(&message->headers, "Content-Type",
		slice_of(http_encoding_of(options)->content_type));
	for (size_t i = 0; i < headers->n_items; i++)
		http_headers_set(&message->headers, headers->items[i].name,
			slice_of(headers->items[i].value));
}

unsigned http_options_coding(const struct http_options *options)
{
	return (unsigned)options->compression + 1;
}

enum compression http_options_compression(const struct http_options *options, unsigned coding)
{
	if (coding == 0 || coding > COMPRESSION_ZSTD + 1)
		coding = http_options_coding(options);
	return (enum compression)(coding - 1);
}

struct http_transport http_options_transport(const struct http_options *options)
{
	return (struct http_transport){
		.ca_file = options->ca_file,
		.client_cert = options->client_cert,
		.client_key = options->client_key,
		.client_key_password = options->client_key_password.text,
		.proxy = options->proxy,
		.timeout_ns = options->timeout_ns,
		.max_body = ANSWER_MAX,
	};
}

static bool is_secret_header(const char *name)
{
	return secret_is_named_by(slice_of(name));
}

static void hint_pairs(struct buf *hint, const char *prefix, const struct option_pairs *pairs,
	bool (*is_secret)(const char *name))
{
	for (size_t i = 0; i < pairs->n_items; i++) {
		const struct option_pair *pair = &pairs->items[i];
		CLEANUP_FREE char *name = mem_printf("%s%s", prefix, pair->name);

		if (is_secret(pair->name))
			auth_hint_add(hint, name, slice_of(pair->value));
	}
}

void http_options_hint(const struct http_options *options, struct fault *fault)
{
	CLEANUP(buf_deinit) struct buf hint = BUF_NULL;

	if (fault->status != 401)
		return;
	hint_pairs(&hint, "auth.", &options->auth, auth_hint_is_secret);
	hint_pairs(&hint, "header.", &options->headers, is_secret_header);
	auth_hint_append(fault, &hint);
}

int http_options_auth(const struct http_options *options, struct http_client *client,
	struct auth **ret, struct fault *reterr)
{
	const struct option_pairs *pairs = &options->auth;
	struct option_pair *settings = mem_array(pairs->n_items, sizeof(*settings));
	struct auth_setup setup = {
		.settings = settings,
		.client = client,
		.transport = http_options_transport(options),
	};
	bool login;
	int r = 0;

	for (size_t i = 0; i < pairs->n_items; i++) {
		if (strcmp(pairs->items[i].name, "type") == 0)
			setup.type = pairs->items[i].value;
		else
			settings[setup.n_settings++] = pairs->items[i];
	}
	login = setup.type && strcmp(setup.type, "login") == 0;
	if (!setup.type && setup.n_settings > 0)
		r = fault_set(reterr, FAULT_CONFIG, "auth.%s needs auth.type", settings[0].name);
	else if (login)
		r = http_login_setup(options, &setup, reterr);
	else if (options->login.n_items > 0)
		r = fault_set(reterr, FAULT_CONFIG, "login.%s needs auth.type = login",
			options->login.items[0].name);
	if (!r)
		r = auth_new(ret, &setup, reterr);
	free(settings);
	return r;
}

#define HTTP_OPTION(member) offsetof(struct http_options, member)

const struct option http_option_rows[] = {
	{
		.name = "url",
		.type = OPTION_STRING,
		.offset = HTTP_OPTION(url),
		.flags = OPTION_REQUIRED,
		.help = "the whole address that takes the records",
	},
	{
		.name = "method",
		.type = OPTION_CHOICE,
		.offset = HTTP_OPTION(method),
		.default_text = "POST",
		.choices = http_methods,
		.help = "POST or PUT",
	},
	{
		.name = "encoding",
		.type = OPTION_CHOICE,
		.offset = HTTP_OPTION(encoding),
		.default_text = "ndjson",
		.choices = http_encoding_names,
		.help = "form of the records in a request",
	},
	{
		.name = "otlp_format",
		.type = OPTION_CHOICE,
		.offset = HTTP_OPTION(otlp_format),
		.default_text = "json",
		.choices = http_otlp_formats,
		.help = "otlp: json, or protobuf for receivers that read nothing else",
	},
	{
		.name = "header",
		.type = OPTION_PAIRS,
		.offset = HTTP_OPTION(headers),
		.help = "header.NAME: a header of every request",
	},
	{
		.name = "auth",
		.type = OPTION_PAIRS,
		.offset = HTTP_OPTION(auth),
		.help = "auth.type and its keys",
	},
	{
		.name = "login",
		.type = OPTION_PAIRS,
		.offset = HTTP_OPTION(login),
		.help = "the request for a token of auth.type = login",
	},
	{
		.name = "compression",
		.type = OPTION_CHOICE,
		.offset = HTTP_OPTION(compression),
		.default_text = "none",
		.choices = compression_names,
		.help = "of requests: none, gzip or zstd",
	},
	{
		.name = "batch_records",
		.type = OPTION_COUNT,
		.offset = HTTP_OPTION(batch_records),
		.default_text = "5000",
		.min = 1,
		.max = 1000000,
		.help = "records in a request, at most",
	},
	{
		.name = "batch_bytes",
		.type = OPTION_SIZE,
		.offset = HTTP_OPTION(batch_bytes),
		.default_text = "2MiB",
		.min = 1024,
		.max = 64 << 20,
		.help = "text of records in a request, at most",
	},
	{
		.name = "max_record",
		.type = OPTION_SIZE,
		.offset = HTTP_OPTION(max_record),
		.max = OPTION_MEMORY_MAX(INT64_MAX),
		.help = "longer records are dead letters; default: no limit",
	},
	{
		.name = "poison",
		.type = OPTION_CHOICE,
		.offset = HTTP_OPTION(poison),
		.default_text = "wait",
		.choices = http_poisons,
		.help = "a record that the receiver fails at: wait or dead_letter",
	},
	{
		.name = "batch_age",
		.type = OPTION_DURATION,
		.offset = HTTP_OPTION(batch_age_ns),
		.default_text = "1s",
		.min = 0,
		.max = NSEC_PER_MIN,
		.help = "how long records may wait for more",
	},
	{
		.name = "in_flight",
		.type = OPTION_COUNT,
		.offset = HTTP_OPTION(in_flight),
		.default_text = "1",
		.min = 1,
		.max = HTTP_IN_FLIGHT_MAX,
		.help = "requests in flight at once, at most; of one source always one",
	},
	{
		.name = "timeout",
		.type = OPTION_DURATION,
		.offset = HTTP_OPTION(timeout_ns),
		.default_text = "60s",
		.min = NSEC_PER_SEC / 10,
		.max = NSEC_PER_HOUR,
		.help = "for one request",
	},
	{
		.name = "ca_file",
		.type = OPTION_STRING,
		.offset = HTTP_OPTION(ca_file),
		.flags = OPTION_PATH,
		.help = "certificates to trust instead of the system's, PEM",
	},
	{
		.name = "client_cert",
		.type = OPTION_STRING,
		.offset = HTTP_OPTION(client_cert),
		.flags = OPTION_PATH,
		.help = "a client certificate, PEM",
	},
	{
		.name = "client_key",
		.type = OPTION_STRING,
		.offset = HTTP_OPTION(client_key),
		.flags = OPTION_PATH,
		.help = "its private key, PEM",
	},
	{
		.name = "client_key_password",
		.type = OPTION_SECRET,
		.offset = HTTP_OPTION(client_key_password),
		.help = "of a private key that is encrypted",
	},
	{
		.name = "proxy",
		.type = OPTION_STRING,
		.offset = HTTP_OPTION(proxy),
		.help = "http://, https:// or socks5h:// proxy",
	},
	{
		.name = "insecure_http",
		.type = OPTION_BOOL,
		.offset = HTTP_OPTION(insecure_http),
		.default_text = "no",
		.help = "allows http:// to another host than loopback",
	},
	{
		.name = "labels",
		.type = OPTION_LIST,
		.offset = HTTP_OPTION(labels),
		.help = "loki: name=/pointer or name=text, comma-separated",
	},
	{
		.name = "host",
		.type = OPTION_STRING,
		.offset = HTTP_OPTION(host),
		.help = "splunk_hec: host of every event",
	},
	{
		.name = "source",
		.type = OPTION_STRING,
		.offset = HTTP_OPTION(source),
		.help = "splunk_hec: source of every event instead of the trawld source's name",
	},
	{
		.name = "sourcetype",
		.type = OPTION_STRING,
		.offset = HTTP_OPTION(sourcetype),
		.default_text = "_json",
		.help = "splunk_hec: sourcetype of every event",
	},
	{
		.name = "index",
		.type = OPTION_STRING,
		.offset = HTTP_OPTION(index),
		.help = "splunk_hec: index of every event instead of the token's",
	},
	{
		.name = "ack",
		.type = OPTION_BOOL,
		.offset = HTTP_OPTION(ack),
		.default_text = "no",
		.help = "splunk_hec: delivered is what the indexer has acknowledged",
	},
	{
		.name = "ack_timeout",
		.type = OPTION_DURATION,
		.offset = HTTP_OPTION(ack_timeout_ns),
		.default_text = "5m",
		.min = NSEC_PER_SEC,
		.max = NSEC_PER_HOUR,
		.help = "splunk_hec: how long an acknowledgement may take",
	},
};
_Static_assert(sizeof(http_option_rows) / sizeof(http_option_rows[0]) == N_HTTP_OPTION_ROWS,
	"N_HTTP_OPTION_ROWS");
