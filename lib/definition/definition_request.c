/* [request] with .first, .next and .resume, [login] and [auth] of a definition. */
#include "definition/definition_internal.h"

#include <ctype.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
/* Keys of a request section; `header.NAME`, `query.NAME` and `form.NAME` beside them. */
const char *const reader_request_keys[] = {"method", "url", "body", "body_type", "when", NULL};
static const char *const login_keys[] = {"token", "expires", "auth", NULL};

struct layers {
	struct ini_section *sections[2]; /* the base, then what overrides it; NULL: none */
};

/* The entry that counts for KEY, and the section it stands in. */
static struct ini_entry *find_entry(
	const struct layers *layers, const char *key, struct ini_section **ret_section)
{
	for (size_t i = 2; i-- > 0;) {
		struct ini_entry *entry =
			layers->sections[i] ? ini_section_find(layers->sections[i], key) : NULL;
		if (entry) {
			*ret_section = layers->sections[i];
			return entry;
		}
	}
	return NULL;
}

static bool is_known(const char *key, const char *const *extra)
{
	if (str_starts(key, "header.") || str_starts(key, "query.") || str_starts(key, "form."))
		return true;
	for (size_t i = 0; reader_request_keys[i]; i++)
		if (strcmp(key, reader_request_keys[i]) == 0)
			return true;
	for (size_t i = 0; extra && extra[i]; i++)
		if (strcmp(key, extra[i]) == 0)
			return true;
	return false;
}

bool reader_is_request_key(const char *key)
{
	return is_known(key, NULL);
}

static void check_keys(
	struct definition_reader *reader, struct ini_section *section, const char *const *extra)
{
	for (size_t i = 0; section && i < section->n_entries; i++) {
		const char *key = section->entries[i].key;
		if (is_known(key, extra))
			continue;
		char *whole CLEANUP_FREE = mem_printf("%s.%s", section->kind, key);
		const struct ini_section *source = reader->source;
		if (source && ini_section_find(source, whole)) {
			findings_add_at(reader->findings, source, whole,
				"unknown key `%s` in [source %s]; %s takes method, url, header.NAME, query.NAME, body and body_type",
				whole, source->name, section->kind);
			continue;
		}
		char *hint CLEANUP_FREE = str_hint(key, reader_request_keys, 5);
		reader_fault(reader, section, key, "unknown key `%s` in [%s]%s", key, section->kind,
			hint);
	}
}

static void add_named(struct definition_reader *reader, struct ini_section *section,
	struct ini_entry *entry, const char *name, struct named_template **list, size_t *n)
{
	struct template *template = reader_template(reader, section, entry->key, entry->value);
	if (!template)
		return;
	for (size_t i = 0; i < *n; i++)
		if (strcmp((*list)[i].name, name) == 0) {
			template_free((*list)[i].template);
			(*list)[i].template = template;
			return;
		}
	*list = mem_resize(*list, (*n + 1) * sizeof(struct named_template));
	(*list)[(*n)++] = (struct named_template){mem_strdup(name), template};
}

/* A header that could not be sent, or that libcurl writes itself from the body. */
static void check_header(
	struct definition_reader *reader, struct ini_section *section, const char *key)
{
	const char *name = key + strlen("header.");
	if (!str_is_token(name))
		reader_fault(reader, section, key,
			"`%s`: a header's name is letters, digits and - _ . ! # $ %% & ' * + ^ ` | ~",
			key);
	else if (strcasecmp(name, "Content-Length") == 0 ||
		 strcasecmp(name, "Transfer-Encoding") == 0)
		reader_fault(reader, section, key,
			"`%s`: trawld sends this header itself, as the body requires", key);
	for (size_t i = 0; i < section->n_entries && section->entries[i].key != key; i++)
		if (strcasecmp(section->entries[i].key, key) == 0)
			reader_fault(reader, section, key,
				"`%s` and `%s` are the same header: expected one of them",
				section->entries[i].key, key);
}

static void read_named(struct definition_reader *reader, struct ini_section *section,
	struct request_definition *ret)
{
	for (size_t i = 0; section && i < section->n_entries; i++) {
		struct ini_entry *entry = &section->entries[i];
		if (str_starts(entry->key, "header.")) {
			check_header(reader, section, entry->key);
			add_named(reader, section, entry, entry->key + strlen("header."),
				&ret->headers, &ret->n_headers);
		} else if (str_starts(entry->key, "query."))
			add_named(reader, section, entry, entry->key + strlen("query."),
				&ret->query, &ret->n_query);
		else if (str_starts(entry->key, "form."))
			add_named(reader, section, entry, entry->key + strlen("form."), &ret->form,
				&ret->n_form);
	}
}

enum body_type { BODY_JSON, BODY_TEXT, BODY_FORM };

static enum body_type read_body_type(struct definition_reader *reader, const struct layers *layers)
{
	static const char *const names[] = {"json", "text", "form"};
	struct ini_section *section = NULL;
	struct ini_entry *type = find_entry(layers, "body_type", &section);
	for (size_t i = 0; type && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(type->value, names[i]) == 0)
			return (enum body_type)i;
	if (type)
		reader_fault(reader, section, "body_type",
			"body_type = %s: expected json, text or form", type->value);
	return BODY_JSON;
}

/* The fields of a form are keys of their own, so that each is encoded. */
static void check_form(struct definition_reader *reader, const struct layers *layers,
	const struct ini_section *body, const struct request_definition *request,
	enum body_type type)
{
	if (request->n_form && type != BODY_FORM) {
		char *key CLEANUP_FREE = mem_printf("form.%s", request->form[0].name);
		struct ini_section *section = NULL;
		find_entry(layers, key, &section);
		reader_fault(reader, section, key, "%s requires body_type = form", key);
	} else if (type == BODY_FORM && body) {
		reader_fault(reader, body, "body",
			"a request with body_type = form has no `body`; set form.NAME for each of its fields");
	}
}

static void read_body(struct definition_reader *reader, const struct layers *layers,
	struct request_definition *ret)
{
	struct ini_section *section = NULL;
	enum body_type type = read_body_type(reader, layers);
	struct ini_entry *body = find_entry(layers, "body", &section);
	bool has_body = body && body->value[0];
	check_form(reader, layers, has_body ? section : NULL, ret, type);
	if (!has_body || type == BODY_FORM)
		return;
	if (type == BODY_TEXT) {
		ret->text = reader_template(reader, section, "body", body->value);
		return;
	}
	char *error CLEANUP_FREE = NULL;
	if (json_template_parse(
		    &ret->json, body->value, definition_known_variable, reader->definition, &error))
		reader_fault(reader, section, "body", "body: %s", error);
}

static void read_request(struct definition_reader *reader, const struct layers *layers,
	struct request_definition *ret)
{
	struct ini_section *section = NULL;
	struct ini_section *at = layers->sections[1] ? layers->sections[1] : layers->sections[0];
	struct ini_entry *entry = find_entry(layers, "method", &section);
	ret->method = mem_strdup(entry ? entry->value : "GET");
	bool good = ret->method[0];
	for (const char *p = ret->method; *p; p++)
		good &= isupper((unsigned char)*p) != 0;
	if (!good)
		reader_fault(reader, section, "method", "method = %s: expected GET or POST",
			ret->method);
	entry = find_entry(layers, "url", &section);
	if (!entry || !entry->value[0])
		reader_fault(reader, at, NULL, "[%s] needs `url`", at ? at->kind : "request");
	else
		ret->url = reader_template(reader, section, "url", entry->value);
	read_named(reader, layers->sections[0], ret);
	read_named(reader, layers->sections[1], ret);
	read_body(reader, layers, ret);
}

void reader_request(struct definition_reader *reader, struct ini_section *section,
	struct request_definition *ret)
{
	read_request(reader, &(struct layers){{section, NULL}}, ret);
}

void reader_requests(struct definition_reader *reader)
{
	struct definition *definition = reader->definition;
	struct ini_section *base = reader_variant(reader, "request");
	struct layers first = {{base, reader_variant(reader, "request.first")}};
	struct layers next = {{base, reader_variant(reader, "request.next")}};
	struct layers resume = {{base, reader_variant(reader, "request.resume")}};
	size_t n_before = reader->findings->n_items;
	check_keys(reader, base, NULL);
	check_keys(reader, resume.sections[1], NULL);
	check_keys(reader, first.sections[1], NULL);
	check_keys(reader, next.sections[1], NULL);
	read_request(reader, &first, &definition->first);
	if (reader->findings->n_items == n_before)
		read_request(reader, &next, &definition->next);
	if (reader->findings->n_items == n_before && resume.sections[1])
		read_request(reader, &resume, &definition->resume_request);
}

/* [auth NAME] logs in by [login NAME], else by the [login] that applies and is not another's. */
static struct ini_section *find_login(struct definition_reader *reader, const char *name)
{
	struct ini *ini = &reader->definition->ini;
	struct ini_section *own = name ? ini_find(ini, "login", name) : NULL;
	for (size_t i = 0; !own && i < ini->n_sections; i++) {
		struct ini_section *section = &ini->sections[i];
		if (strcmp(section->kind, "login") == 0 &&
			!(section->name && ini_find(ini, "auth", section->name)) &&
			reader_applies(reader, section))
			own = section;
	}
	return own;
}

static void read_auth(struct definition_reader *reader, struct ini_section *section,
	struct auth_definition *auth, bool is_caller);

/* `auth = NAME, ...` in [login]: who logs in is proved by the first of these [auth] sections that
 * applies. */
static void read_caller(
	struct definition_reader *reader, struct ini_section *login, struct auth_definition *auth)
{
	struct slice names = slice_of(ini_section_find(login, "auth")->value), part;
	while (!auth->caller && str_next_part(&names, ',', &part)) {
		part = str_trim(part);
		char *name CLEANUP_FREE = mem_strndup(part.data, part.size);
		struct ini_section *section = ini_find(&reader->definition->ini, "auth", name);
		if (!section)
			reader_fault(reader, login, "auth", "there is no section [auth %s]", name);
		else if (reader_applies(reader, section)) {
			auth->caller = MEM_NEW(struct auth_definition);
			read_auth(reader, section, auth->caller, true);
		}
	}
	if (!auth->caller && reader->source)
		reader_fault(reader, login, "auth",
			"auth = %s: none of these sections applies, because the source sets none of the parameters in their `when`",
			ini_section_find(login, "auth")->value);
}

static void read_login(struct definition_reader *reader, const char *name,
	struct auth_definition *auth, bool is_caller)
{
	struct ini_section *section = find_login(reader, name);
	if (!section) {
		reader_fault(reader, NULL, NULL, "[auth] type = login needs a section [login]");
		return;
	}
	check_keys(reader, section, login_keys);
	reader_request(reader, section, &auth->login);
	struct ini_entry *token = ini_section_find(section, "token");
	struct ini_entry *expires = ini_section_find(section, "expires");
	if (!token)
		reader_fault(reader, section, NULL,
			"[login] needs `token`: header:NAME or a JSON Pointer");
	else
		auth->login_token = mem_strdup(token->value);
	if (expires)
		auth->login_expires = mem_strdup(expires->value);
	if (ini_section_find(section, "auth") && is_caller)
		reader_fault(reader, section, "auth", "logins can be chained once, not further");
	else if (ini_section_find(section, "auth"))
		read_caller(reader, section, auth);
}

/* Appends ", or KEY and KEY": the parameter that selects a variant of [auth] and those that go with
 * it. Only a variant that takes a secret is a credential of its own. */
static void append_credential(
	const struct definition *definition, const char *selector, struct buf *out)
{
	struct str_list keys CLEANUP(str_list_deinit) = STR_LIST_NULL;
	bool secret = false;
	for (size_t i = 0; i < definition->n_parameters; i++) {
		const struct parameter *parameter = &definition->parameters[i];
		if (strcmp(parameter->name, selector) != 0 &&
			!(parameter->with && strcmp(parameter->with, selector) == 0))
			continue;
		str_list_add(&keys, parameter->name);
		secret |= parameter->secret;
	}
	if (!secret)
		return;
	buf_append_text(out, out->size ? ", or " : "");
	for (size_t i = 0; i < keys.n_items; i++)
		buf_printf(out, "%s%s",
			i == 0                 ? ""
			: i + 1 < keys.n_items ? ", "
					       : " and ",
			keys.items[i]);
}

/* No [auth] at all is `none`. Variants of which none applies: the source has no credentials. */
static void without_auth(struct definition_reader *reader)
{
	const struct definition *definition = reader->definition;
	const struct ini_section *source = reader->source;
	struct buf keys CLEANUP(buf_deinit) = BUF_NULL;
	bool has_variant = false;
	reader->definition->auth.type = mem_strdup("none");
	for (size_t i = 0; i < definition->ini.n_sections; i++) {
		struct ini_section *section = &definition->ini.sections[i];
		struct ini_entry *when = ini_section_find(section, "when");
		if (strcmp(section->kind, "auth") != 0)
			continue;
		has_variant = true;
		if (when && !strstr(buf_text(&keys), when->value))
			append_credential(definition, when->value, &keys);
	}
	if (source && has_variant)
		findings_add(reader->findings, source->file, source->line,
			"[source %s] has no credentials%s%s", source->name,
			keys.size ? ": set " : "", buf_text(&keys));
}

static void read_auth(struct definition_reader *reader, struct ini_section *section,
	struct auth_definition *auth, bool is_caller)
{
	struct ini_entry *type = ini_section_find(section, "type");
	if (!type) {
		reader_fault(reader, section, NULL, "[auth] needs `type`");
		return;
	}
	auth->type = mem_strdup(type->value);
	auth->section = section;
	for (size_t i = 0; i < section->n_entries; i++) {
		struct ini_entry *entry = &section->entries[i];
		if (strcmp(entry->key, "type") != 0 && strcmp(entry->key, "when") != 0)
			add_named(reader, section, entry, entry->key, &auth->settings,
				&auth->n_settings);
	}
	if (strcmp(type->value, "login") == 0)
		read_login(reader, section->name, auth, is_caller);
}

void reader_auth(struct definition_reader *reader)
{
	struct ini_section *section = reader_variant(reader, "auth");
	if (section)
		read_auth(reader, section, &reader->definition->auth, false);
	else
		without_auth(reader);
}
