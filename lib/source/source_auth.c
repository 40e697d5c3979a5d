/* See source_auth.h. Rendered values are wiped as soon as the credential has its own copy. */
#include "source/source_auth.h"

#include <strings.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/auth/auth_hint.h"
#include "net/url.h"

static size_t count(const char *const *names)
{
	size_t n = 0;
	while (names[n])
		n++;
	return n;
}

static bool takes_key(const struct auth_kind_info *kind, const char *key)
{
	return strcmp(key, "type") == 0 || strcmp(key, "when") == 0 || auth_kind_takes(kind, key);
}

static void check_keys(const struct auth_kind_info *kind, const struct ini_section *section,
	struct findings *findings)
{
	for (size_t i = 0; i < section->n_entries; i++) {
		const char *key = section->entries[i].key;
		if (takes_key(kind, key))
			continue;
		char *hint CLEANUP_FREE = str_hint(key, kind->keys, count(kind->keys));
		findings_add_at(findings, section, key, "unknown key `%s` for auth type %s%s", key,
			kind->type, hint);
	}
	for (size_t i = 0; kind->required[i]; i++)
		if (!ini_section_find(section, kind->required[i]))
			findings_add_at(findings, section, "type", "auth type %s needs `%s`",
				kind->type, kind->required[i]);
}

static void check_auth(const struct auth_definition *auth, struct findings *findings)
{
	const struct auth_kind_info *kind = auth->type ? auth_kind_find(auth->type) : NULL;
	if (!auth->section)
		return;
	if (kind) {
		check_keys(kind, auth->section, findings);
		return;
	}
	const char *const *names = auth_kind_names();
	char *hint CLEANUP_FREE = str_hint_or_all(auth->type, names, count(names));
	findings_add_at(
		findings, auth->section, "type", "unknown auth type `%s`%s", auth->type, hint);
}

void source_auth_check(const struct definition *definition, struct findings *findings)
{
	check_auth(&definition->auth, findings);
	if (definition->auth.caller)
		check_auth(definition->auth.caller, findings);
}

/* With its size, so that no two lists of values look the same. */
static void identify(struct buf *key, const char *name, struct slice value)
{
	buf_printf(key, "%s=%zu:", name, value.size);
	buf_append_slice(key, value);
	buf_append_char(key, '\n');
}

static void identify_headers(struct buf *key, const struct http_headers *headers)
{
	for (size_t i = 0; i < headers->n_items; i++) {
		const struct http_header *header = &headers->items[i];
		if (strcasecmp(header->name, "Accept") != 0 &&
			strcasecmp(header->name, "Content-Type") != 0)
			identify(key, header->name, slice_of(header->value));
	}
}

/* HEADERS_ONLY: what the request is for does not tell who requests it. */
static void identify_request(const struct source *source, const struct request_definition *request,
	bool headers_only, struct buf *key)
{
	struct http_message message CLEANUP(http_message_deinit) = HTTP_MESSAGE_NULL;
	if (!request->method)
		return;
	source_constant_request(source, request, &message);
	identify_headers(key, &message.headers);
	if (headers_only)
		return;
	identify(key, "url", slice_of(message.url));
	identify(key, "body", buf_slice(&message.body));
}

/* All that tells one caller from another beside [auth] and [login]. */
static void identify_source(const struct source *source, struct buf *key)
{
	const struct definition *definition = source->definition;
	bool proved = strcmp(definition->auth.type, "none") != 0;
	identify(key, "origin", slice_of(source->origin));
	identify(key, "client_cert", slice_of(source->options.client_cert));
	identify(key, "client_key", slice_of(source->options.client_key));
	identify_request(source, &definition->first, proved, key);
	identify_request(source, &definition->next, proved, key);
	if (definition->resume_request.method)
		identify_request(source, &definition->resume_request, proved, key);
	for (size_t i = 0; i < definition->n_parameters; i++) {
		const struct parameter *parameter = &definition->parameters[i];
		if (parameter->secret && parameter->value)
			identify(key, parameter->name, slice_of(parameter->value));
	}
	buf_append(key, source->secrets.bytes, sizeof(source->secrets.bytes));
}

struct setting_lookup {
	struct definition *definition;
	char variable[64];
};

/* A variable of the credential itself stays one, to be filled in when the proof is made. */
static struct template_value look_up_setting(const char *name, void *userdata)
{
	struct setting_lookup *lookup = userdata;
	if (!definition_is_auth_variable(lookup->definition, name))
		return definition_value(name, lookup->definition);
	snprintf(lookup->variable, sizeof(lookup->variable), "%c%s%c", AUTH_MARK, name, AUTH_MARK);
	return (struct template_value){TEMPLATE_TEXT, slice_of(lookup->variable), 0};
}

/* The [auth] settings that have a value; KEY gets all of them as text. */
static size_t render_settings(const struct source *source, const struct auth_definition *auth,
	struct option_pair *settings, struct buf *key)
{
	struct setting_lookup lookup = {.definition = source->definition};
	size_t n = 0;
	for (size_t i = 0; i < auth->n_settings; i++) {
		const struct named_template *setting = &auth->settings[i];
		struct buf value = BUF_NULL;
		if (template_render(setting->template, look_up_setting, &lookup, &value) == 0) {
			identify(key, setting->name, buf_slice(&value));
			settings[n].name = setting->name;
			settings[n++].value = buf_take(&value);
		}
		buf_deinit(&value);
	}
	return n;
}

/* The secret goes there to get a token. */
static int check_token_url(const struct source *source, const struct option_pair *settings,
	size_t n, struct fault *reterr)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(settings[i].name, "token_url") == 0 &&
			url_is_in_clear(settings[i].value) && !source->options.insecure_http)
			return fault_set(reterr, FAULT_CONFIG,
				"token_url is not https: the secret would be sent unencrypted; set insecure_http = yes to allow it");
	return 0;
}

static int make_auth(const struct source *source, const struct auth_definition *definition,
	struct http_client *client, struct auth *caller, struct buf *key, struct auth **ret,
	struct fault *reterr)
{
	const struct source_login *login =
		definition == &source->definition->auth ? &source->login : &source->caller_login;
	struct option_pair *settings CLEANUP_FREE =
		mem_array(definition->n_settings, sizeof(struct option_pair));
	size_t n = render_settings(source, definition, settings, key);
	struct auth_setup setup = {
		.type = definition->type,
		.settings = settings,
		.n_settings = n,
		.client = client,
		.transport = source->transport,
		.retry_max_ns = source->options.retry_max_ns,
		.login_render = definition->login.method ? source_login_request : NULL,
		.login_userdata = (void *)login,
		.login_caller = caller,
		.token_from = definition->login_token,
		.expires_from = definition->login_expires,
	};
	setup.transport.origin = NULL;
	identify(key, "type", slice_of(definition->type));
	identify_request(source, &definition->login, false, key);
	int r = check_token_url(source, settings, n, reterr);
	if (!r)
		r = auth_new(ret, &setup, reterr);
	for (size_t i = 0; i < n; i++) {
		secret_wipe(settings[i].value, strlen(settings[i].value));
		free(settings[i].value);
	}
	return r;
}

int source_auth_new(const struct source *source, struct http_client *client, struct auth **ret,
	struct id *ret_credential, struct fault *reterr)
{
	const struct auth_definition *definition = &source->definition->auth;
	struct buf key CLEANUP(buf_deinit) = BUF_NULL;
	struct auth *caller = NULL;
	int r = 0;
	identify_source(source, &key);
	if (definition->caller)
		r = make_auth(source, definition->caller, client, NULL, &key, &caller, reterr);
	if (!r)
		r = make_auth(source, definition, client, caller, &key, ret, reterr);
	if (r)
		auth_free(caller);
	*ret_credential = digest_id(buf_slice(&key));
	secret_wipe(key.data, key.size);
	return r;
}

static void hint_settings(const struct source *source, struct buf *out)
{
	const struct auth_definition *auth = &source->definition->auth;
	struct option_pair *settings CLEANUP_FREE =
		mem_array(auth->n_settings, sizeof(struct option_pair));
	struct buf key CLEANUP(buf_deinit) = BUF_NULL;
	size_t n = render_settings(source, auth, settings, &key);
	for (size_t i = 0; i < n; i++) {
		char *name CLEANUP_FREE = mem_printf("auth.%s", settings[i].name);
		if (auth_hint_is_secret(settings[i].name))
			auth_hint_add(out, name, slice_of(settings[i].value));
		secret_wipe(settings[i].value, strlen(settings[i].value));
		free(settings[i].value);
	}
	secret_wipe(key.data, key.size);
}

void source_auth_hint(const struct source *source, struct fault *fault)
{
	const struct definition *definition = source->definition;
	struct buf hint CLEANUP(buf_deinit) = BUF_NULL;
	if (fault->status != 401)
		return;
	for (size_t i = 0; i < definition->n_parameters; i++) {
		const struct parameter *parameter = &definition->parameters[i];
		if (parameter->secret && parameter->value)
			auth_hint_add(&hint, parameter->name, slice_of(parameter->value));
	}
	if (hint.size == 0)
		hint_settings(source, &hint);
	auth_hint_append(fault, &hint);
}
