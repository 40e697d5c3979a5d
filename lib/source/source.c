/* A source's options, and what is compiled from its definition before the first request: the
 * JSON scanners, the origin. */
#include "source/source.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/number.h"
#include "net/auth/auth.h"
#include "net/url.h"
#include "source/source_auth.h"
#include "source/source_secrets.h"

#define ROW(member, key, option_type, ...)                                                         \
	{                                                                                          \
		.name = key, .type = option_type,                                                  \
		.offset = offsetof(struct source_options, member), __VA_ARGS__                     \
	}

const struct option source_option_rows[] = {
	ROW(provider, "provider", OPTION_STRING, .flags = OPTION_REQUIRED,
		.help = "name of a provider definition, or custom"),
	ROW(interval_ns, "interval", OPTION_DURATION, .default_text = "60s", .min = NSEC_PER_MSEC,
		.max = 30 * NSEC_PER_DAY, .help = "pause after a poll that caught up"),
	ROW(start, "start", OPTION_STRING, .default_text = "-1h",
		.help = "where a source without state begins: now, -1h, RFC 3339 or earliest"),
	ROW(sinks, "sinks", OPTION_LIST, .help = "names of sinks; default: all"),
	ROW(shard, "shard", OPTION_STRING, .default_text = "any",
		.help = "the shard of the cluster that polls it, or any"),
	ROW(enabled, "enabled", OPTION_BOOL, .default_text = "yes",
		.help = "no: it is not polled; what was read is delivered"),
	ROW(reconcile, "reconcile", OPTION_LIST,
		.help = "delays after which each window is requested again: 1h, 24h"),
	ROW(timeout_ns, "timeout", OPTION_DURATION, .default_text = "60s", .min = NSEC_PER_MSEC,
		.max = NSEC_PER_HOUR, .help = "for one whole request"),
	ROW(retry_max_ns, "retry_max", OPTION_DURATION, .default_text = "5m", .min = NSEC_PER_MSEC,
		.max = NSEC_PER_DAY, .help = "longest wait between attempts"),
	ROW(max_page, "max_page", OPTION_SIZE, .default_text = "64MiB", .min = 1024,
		.max = OPTION_MEMORY_MAX(INT64_C(4) << 30),
		.help = "maximum size of one response, after decompression"),
	ROW(ca_file, "ca_file", OPTION_STRING, .flags = OPTION_PATH,
		.help = "certificates to trust instead of the system's"),
	ROW(client_cert, "client_cert", OPTION_STRING, .flags = OPTION_PATH,
		.help = "client certificate, PEM"),
	ROW(client_key, "client_key", OPTION_STRING, .flags = OPTION_PATH,
		.help = "its private key, PEM"),
	ROW(client_key_password, "client_key_password", OPTION_SECRET,
		.help = "of a private key that is encrypted"),
	ROW(proxy, "proxy", OPTION_STRING, .help = "http://, https:// or socks5h:// proxy"),
	ROW(endpoint, "endpoint", OPTION_STRING,
		.help = "scheme, host and port in place of the definition's"),
	ROW(insecure_http, "insecure_http", OPTION_BOOL, .default_text = "no",
		.help = "allow http:// to another host than loopback"),
	ROW(allow_origins, "allow_origins", OPTION_LIST,
		.help = "further origins that links of this API may lead to"),
};
const size_t n_source_option_rows = sizeof(source_option_rows) / sizeof(source_option_rows[0]);

/* Earlier ones are those of a host whose clock was never set. */
#define CLOCK_SET (INT64_C(1700000000) * NSEC_PER_SEC)

static void fault_at(struct findings *findings, const struct ini_section *section, const char *key,
	const char *wanted)
{
	const struct ini_entry *entry = ini_section_find(section, key);
	struct buf shown CLEANUP(buf_deinit) = BUF_NULL;
	url_append_shown(entry ? entry->value : "", &shown);
	findings_add_at(findings, section, key, "%s = %s: %s", key, buf_text(&shown), wanted);
}

/* Column numbers of a plan are handed out in the order in which the pointers are added. */
struct columns {
	const struct pointer **items;
	size_t n_items;
};

static int column_add(struct columns *columns, const struct pointer *pointer)
{
	if (!pointer_is_set(pointer))
		return -1;
	columns->items =
		mem_resize(columns->items, (columns->n_items + 1) * sizeof(*columns->items));
	columns->items[columns->n_items] = pointer;
	return (int)columns->n_items++;
}

/* The columns of a cursor's members, one after another; -1: it is of another kind. */
static int add_cursor(
	struct columns *columns, const struct cursor_definition *cursor, enum cursor_kind kind)
{
	int first = cursor->kind == kind ? column_add(columns, &cursor->pointer) : -1;
	for (size_t i = 0; first >= 0 && i < cursor->n_more; i++)
		column_add(columns, &cursor->more[i]);
	return first;
}

static void compile_fields(struct source *source, struct columns *fields)
{
	const struct definition *definition = source->definition;
	source->column_item = column_add(fields, &definition->records_item);
	source->column_id = (int)fields->n_items;
	for (size_t i = 0; i < definition->n_records_id; i++)
		column_add(fields, &definition->records_id[i]);
	source->column_time = (int)fields->n_items;
	for (size_t i = 0; i < definition->n_records_time; i++)
		column_add(fields, &definition->records_time[i]);
	source->column_conditions = (int)fields->n_items;
	for (size_t i = 0; i < definition->n_conditions; i++)
		column_add(fields, &definition->conditions[i].pointer);
	source->column_last_page = add_cursor(fields, &definition->page_cursor, CURSOR_LAST);
	source->column_last_resume = add_cursor(fields, &definition->resume_cursor, CURSOR_LAST);
}

static void compile_envelope(struct source *source, struct columns *envelope)
{
	const struct definition *definition = source->definition;
	source->envelope_page = add_cursor(envelope, &definition->page_cursor, CURSOR_POINTER);
	source->envelope_resume = add_cursor(envelope, &definition->resume_cursor, CURSOR_POINTER);
	source->envelope_total = column_add(envelope, &definition->page_total);
	source->envelope_pages = column_add(envelope, &definition->page_pages);
	source->envelope_more = column_add(envelope, &definition->page_more.pointer);
	source->envelope_expect = column_add(envelope, &definition->expect.pointer);
	source->envelope_incomplete = (int)envelope->n_items;
	for (size_t i = 0; i < definition->n_errors_incomplete; i++)
		column_add(envelope, &definition->errors_incomplete[i].pointer);
	source->envelope_ends = (int)envelope->n_items;
	for (size_t i = 0; i < definition->n_page_end_tests; i++)
		column_add(envelope, &definition->page_end_tests[i].pointer);
}

/* For one value of a document; NULL: none is wanted. */
static struct json_scanner *compile_value(const struct pointer *pointer)
{
	if (!pointer_is_set(pointer))
		return NULL;
	return json_scanner_new(
		&(struct json_scanner_wanted){.envelope = &pointer, .n_envelope = 1});
}

static struct json_scanner *compile_row_id(const struct definition *definition)
{
	struct columns columns = {0};
	for (size_t i = 0; i < definition->n_fetch_id; i++)
		column_add(&columns, &definition->fetch_id[i]);
	struct json_scanner *plan =
		columns.n_items ? json_scanner_new(&(struct json_scanner_wanted){
					  .envelope = columns.items, .n_envelope = columns.n_items})
				: NULL;
	free(columns.items);
	return plan;
}

static struct json_scanner *compile_error(struct source *source)
{
	const struct definition *definition = source->definition;
	struct columns envelope = {0};
	source->error_message = column_add(&envelope, &definition->errors_message);
	source->error_retry = (int)envelope.n_items;
	for (size_t i = 0; i < definition->n_errors_retry; i++)
		column_add(&envelope, &definition->errors_retry[i].pointer);
	source->error_expired = (int)envelope.n_items;
	for (size_t i = 0; i < definition->n_errors_expired; i++)
		column_add(&envelope, &definition->errors_expired[i].pointer);
	struct json_scanner *plan =
		envelope.n_items == 0
			? NULL
			: json_scanner_new(&(struct json_scanner_wanted){
				  .envelope = envelope.items, .n_envelope = envelope.n_items});
	free(envelope.items);
	return plan;
}

static void compile_plans(struct source *source)
{
	const struct definition *definition = source->definition;
	struct columns fields = {0}, envelope = {0};
	compile_fields(source, &fields);
	compile_envelope(source, &envelope);
	source->plan = json_scanner_new(&(struct json_scanner_wanted){
		.records = definition->records_lines ? NULL : definition->records_at,
		.n_records = definition->n_records_at,
		.lines = definition->records_lines,
		.envelope = envelope.items,
		.n_envelope = envelope.n_items,
		.fields = fields.items,
		.n_fields = fields.n_items,
	});
	free(fields.items);
	free(envelope.items);
	if (definition->records_item_text)
		source->item_plan = json_scanner_new(&(struct json_scanner_wanted){0});
	source->error_plan = compile_error(source);
	source->fetch_plan = compile_value(&definition->fetch_from);
	source->link_plan = compile_value(&definition->fetch_link);
	source->watch_plan = compile_value(&definition->watch_warn.pointer);
	source->row_plan = compile_row_id(definition);
}

static void set_transport(struct source *source)
{
	const struct source_options *options = &source->options;
	source->transport = (struct http_transport){
		.ca_file = options->ca_file,
		.client_cert = options->client_cert,
		.client_key = options->client_key,
		.client_key_password = options->client_key_password.text,
		.proxy = options->proxy,
		.timeout_ns = options->timeout_ns,
		.max_body = (size_t)options->max_page,
		.max_body_key = "max_page",
		.origin = source->origin,
	};
}

/* The origin is that of the first request; parameters are known, so it can be had now. */
static void find_origin(
	struct source *source, struct ini_section *section, struct findings *findings)
{
	struct http_message message CLEANUP(http_message_deinit) = HTTP_MESSAGE_NULL;
	struct fault fault = FAULT_NULL;
	struct request_values values = {.source = source,
		.start_time = 0,
		.end_time = 0,
		.now_time = 0,
		.offset = 0,
		.number = 0};
	const struct source_options *options = &source->options;
	if (options->endpoint && (strpbrk(options->endpoint, "?#@") ||
					 url_origin(options->endpoint, &source->origin))) {
		fault_at(findings, section, "endpoint",
			"expected http:// or https:// and a host, with no more than a port and a path after it");
		return;
	}
	if (source_request(source, &values, NULL, &message, &fault)) {
		findings_add_at(findings, section, "request.url", "[source %s]: %s", source->name,
			fault.text);
		return;
	}
	if (!source->origin && url_origin(message.url, &source->origin)) {
		struct buf shown CLEANUP(buf_deinit) = BUF_NULL;
		url_append_shown(message.url, &shown);
		findings_add_at(findings, section, "request.url",
			"[source %s]: the request's address is not a valid http:// or https:// URL%s: %s",
			source->name,
			strchr(message.url, '@') ? " without user and password (see auth.type)"
						 : "",
			buf_text(&shown));
		return;
	}
	if (url_is_in_clear(message.url) && !options->insecure_http)
		fault_at(findings, section, "endpoint",
			"this address is not https: the credential would be sent unencrypted; set insecure_http = yes to allow it");
	str_list_add(&source->origins, source->origin);
	for (size_t i = 0; i < options->allow_origins.n_items; i++) {
		char *origin CLEANUP_FREE = NULL;
		if (url_origin(options->allow_origins.items[i], &origin))
			fault_at(findings, section, "allow_origins",
				"expected https://host[:port], several separated by commas");
		else if (url_is_in_clear(origin) && !options->insecure_http)
			findings_add_at(findings, section, "allow_origins",
				"allow_origins: %s is not https: the credential would be sent unencrypted; expected https://",
				origin);
		else
			str_list_add(&source->origins, origin);
	}
}

static void find_logins(struct source *source)
{
	const struct auth_definition *auth = &source->definition->auth;
	if (auth->login.method)
		source->login = (struct source_login){source, auth};
	if (auth->caller && auth->caller->login.method)
		source->caller_login = (struct source_login){source, auth->caller};
}

/* The address of the token request, which carries the password. */
static void check_login(const struct source *source, const struct source_login *login,
	struct ini_section *section, struct findings *findings)
{
	struct http_message message CLEANUP(http_message_deinit) = HTTP_MESSAGE_NULL;
	char *origin CLEANUP_FREE = NULL;
	if (!login->auth)
		return;
	source_login_request(&message, (void *)login);
	if (!message.url || url_origin(message.url, &origin))
		findings_add_at(findings, section, NULL,
			"[source %s]: the address of the login is not an http:// or https:// URL%s%s",
			source->name, message.url ? ": " : ", a parameter it needs is not set",
			message.url ? message.url : "");
	else if (url_is_in_clear(message.url) && !source->options.insecure_http)
		findings_add_at(findings, section, NULL,
			"[source %s]: the login at %s is not https: the password would be sent unencrypted; set insecure_http = yes to allow it",
			source->name, origin);
}

/* Of its first request, and of those for a token. */
static void check_addresses(
	struct source *source, struct ini_section *section, struct findings *findings)
{
	size_t n_before = findings->n_items;
	find_origin(source, section, findings);
	if (findings->n_items != n_before)
		return;
	find_logins(source);
	check_login(source, &source->login, section, findings);
	check_login(source, &source->caller_login, section, findings);
}

static void append_entry(struct buf *text, const char *key, const char *value)
{
	buf_append_text(text, key);
	buf_append_char(text, '=');
	buf_append_text(text, value);
	buf_append_char(text, '\n');
}

static void fingerprint_section(struct buf *text, const struct ini_section *section)
{
	buf_printf(text, "[%s %s]\n", section->kind, section->name ? section->name : "");
	for (size_t i = 0; i < section->n_entries; i++)
		append_entry(text, section->entries[i].key, section->entries[i].value);
}

static void take_fingerprint(struct source *source, const struct ini_section *section)
{
	struct buf text = BUF_NULL;
	const struct ini *ini = &source->definition->ini;
	fingerprint_section(&text, section);
	for (size_t i = 0; i < ini->n_sections; i++)
		fingerprint_section(&text, &ini->sections[i]);
	source->fingerprint = digest_id(buf_slice(&text));
	secret_wipe(text.data, text.size);
	buf_deinit(&text);
}

/* Also those that stand where no definition would look for a secret: in a query, in a body. */
static void take_secrets(struct source *source, const struct ini_section *section)
{
	struct buf text = BUF_NULL;
	for (size_t i = 0; i < section->n_entries; i++)
		if (section->entries[i].secret)
			buf_printf(&text, "%s=%zu:%s\n", section->entries[i].key,
				strlen(section->entries[i].value), section->entries[i].value);
	source->secrets = digest_id(buf_slice(&text));
	secret_wipe(text.data, text.size);
	buf_deinit(&text);
}

static char *short_digest(const struct buf *text)
{
	struct id digest = digest_id(buf_slice(text));
	const uint8_t *b = digest.bytes;
	return mem_printf(
		"%02x%02x%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]);
}

/* Secrets stay out of both: the state keeps them, and secrets do not change what a page holds. */
static void take_place_and_shape(struct source *source)
{
	const struct definition *definition = source->definition;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	buf_printf(&text, "endpoint=%s\n", source->options.endpoint);
	for (size_t i = 0; i < definition->n_parameters; i++)
		if (!definition->parameters[i].secret)
			buf_printf(&text, "%s=%s\n", definition->parameters[i].name,
				definition->parameters[i].value);
	source->place = short_digest(&text);
	for (size_t i = 0; i < definition->ini.n_sections; i++) {
		const struct ini_section *section = &definition->ini.sections[i];
		if (!str_starts(section->kind, "request") && strcmp(section->kind, "page") != 0 &&
			strcmp(section->kind, "records") != 0)
			continue;
		for (size_t j = 0; j < section->n_entries; j++)
			if (!section->entries[j].secret)
				buf_printf(&text, "%s.%s=%s\n", section->kind,
					section->entries[j].key, section->entries[j].value);
	}
	source->page_shape = short_digest(&text);
}

static void check_start(
	struct source *source, struct ini_section *section, struct findings *findings)
{
	nsec_t time, now_time = clock_wall();
	if (timestamp_parse_point(slice_of(source->options.start), now_time, &time))
		fault_at(findings, section, "start",
			"not a time (now, -1h, 2026-01-31, 2026-01-31T00:00:00Z, earliest)");
	else if (time != NSEC_NONE && time > now_time && now_time > CLOCK_SET)
		fault_at(findings, section, "start",
			"is in the future: nothing would be read until then");
}

/* Why the source's windows cannot be requested again to compare records; NULL: they can. */
static const char *refuses_reconcile(const struct source *source)
{
	const struct definition *definition = source->definition;
	if (!definition->resume.window)
		return "requires an API that is read by windows of time ([resume] window = yes)";
	if (definition->fetches)
		return "is not possible where records come in documents ([fetch])";
	if (definition->n_records_time == 0)
		return "requires the time of records ([records] time)";
	return source->options.reconcile.n_items > SOURCE_RECONCILE_MAX ? "expected up to 4 delays"
									: NULL;
}

static void check_reconcile(
	struct source *source, struct ini_section *section, struct findings *findings)
{
	const struct str_list *list = &source->options.reconcile;
	const char *why = list->n_items > 0 ? refuses_reconcile(source) : NULL;
	nsec_t retention = source->definition->resume.retention_ns, delay;
	for (size_t i = 0; i < list->n_items && !why; i++) {
		if (number_parse_duration(
			    slice_of(list->items[i]), NSEC_PER_SEC, 366 * NSEC_PER_DAY, &delay))
			why = "expected durations of a second or more, separated by commas (1h, 24h)";
		else if (i > 0 && delay <= source->reconcile_ns[i - 1])
			why = "expected each delay to be longer than the one before";
		else if (retention && delay >= retention)
			why = "is longer than the API keeps records ([resume] retention)";
		else
			source->reconcile_ns[source->n_reconcile++] = delay;
	}
	if (why)
		fault_at(findings, section, "reconcile", why);
	else if (source->definition->overlap_auto && source->n_reconcile == 0)
		fault_at(findings, section, "overlap",
			"requires `reconcile`, which finds out how late records come");
}

/* What an [auth] setting is made of comes from parameters: only with them it can be judged. */
static void check_auth(
	struct source *source, struct ini_section *section, struct findings *findings)
{
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;
	struct id credential;
	if (source_auth_new(source, NULL, &auth, &credential, &fault))
		findings_add_at(
			findings, section, NULL, "[source %s]: %s", source->name, fault.text);
	auth_free(auth);
}

static void report_unknown(struct source *source, const struct option_table *table,
	struct ini_section *section, struct findings *findings)
{
	static const char *const short_keys[] = {"overlap", "lag", "page_size", "rate"};
	const struct definition *definition = source->definition;
	const char **extra = mem_array(definition->n_parameters + 5, sizeof(char *));
	size_t n = 0;
	for (size_t i = 0; i < definition->n_parameters; i++)
		extra[n++] = definition->parameters[i].name;
	for (size_t i = 0; i < 4; i++)
		extra[n++] = short_keys[i];
	options_unknown(table, 1, extra, section, findings);
	free(extra);
}

/* What suits the API, unless the source says otherwise. */
static void take_interval(struct source *source, const struct ini_section *section)
{
	nsec_t interval_ns = source->definition->limits.interval_ns;
	if (interval_ns && !ini_section_find((struct ini_section *)section, "interval"))
		source->options.interval_ns = interval_ns;
}

static bool is_custom(const struct source *source)
{
	return strcmp(source->definition->name, "custom") == 0;
}

struct source *source_new(
	struct ini_section *section, const struct definition_path *path, struct findings *findings)
{
	size_t n_before = findings->n_items;
	struct source *source = MEM_NEW(struct source);
	struct option_table table = {source_option_rows, n_source_option_rows, &source->options};
	source->name = mem_strdup(section->name);
	const char *base = strrchr(section->file, '/');
	source->location = mem_printf("%s:%u", base ? base + 1 : section->file, section->line);
	source->subject = (struct log_subject){"source", source->name, source->location};
	options_parse(&table, 1, section, findings);
	if (source->options.provider)
		source->definition =
			definition_load(source->options.provider, path, section, findings);
	if (source->definition) {
		take_interval(source, section);
		source_auth_check(source->definition, findings);
	}
	/* an unknown provider's parameters are unknown, too: one finding is enough */
	if (source->definition && (source->definition->file || is_custom(source)))
		report_unknown(source, &table, section, findings);
	check_start(source, section, findings);
	if (source->definition && findings->n_items == n_before)
		check_reconcile(source, section, findings);
	if (source->definition && findings->n_items == n_before)
		check_addresses(source, section, findings);
	if (!source->definition || findings->n_items != n_before) {
		source_free(source);
		return NULL;
	}
	set_transport(source);
	source_secrets_take(source);
	take_secrets(source, section);
	check_auth(source, section, findings);
	if (findings->n_items != n_before) {
		source_free(source);
		return NULL;
	}
	compile_plans(source);
	take_fingerprint(source, section);
	take_place_and_shape(source);
	return source;
}

void source_free(struct source *source)
{
	if (!source)
		return;
	struct option_table table = {source_option_rows, n_source_option_rows, &source->options};
	options_deinit(&table);
	source_secrets_drop(source);
	definition_free(source->definition);
	json_scanner_free(source->plan);
	json_scanner_free(source->item_plan);
	json_scanner_free(source->error_plan);
	json_scanner_free(source->watch_plan);
	json_scanner_free(source->fetch_plan);
	json_scanner_free(source->link_plan);
	json_scanner_free(source->row_plan);
	str_list_deinit(&source->origins);
	free(source->origin);
	free(source->place);
	free(source->page_shape);
	free(source->name);
	free(source->location);
	free(source);
}
