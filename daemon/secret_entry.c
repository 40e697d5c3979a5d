/* See secret_entry.h. */
#include "secret_entry.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/secret_name.h"
#include "mask.h"

static const struct option *find_in(const struct option *rows, size_t n_rows, const char *key)
{
	for (size_t i = 0; i < n_rows; i++)
		if (strcmp(rows[i].name, key) == 0 && rows[i].type != OPTION_PAIRS)
			return &rows[i];
	return NULL;
}

static const struct option *find_option(
	const struct setup *setup, const struct ini_section *section, const char *key)
{
	const struct setup_sink *sink = NULL;
	if (strcmp(section->kind, "daemon") == 0)
		return find_in(daemon_option_rows, n_daemon_option_rows, key);
	if (strcmp(section->kind, "cluster") == 0)
		return find_in(cluster_option_rows, n_cluster_option_rows, key);
	if (strcmp(section->kind, "source") == 0)
		return find_in(source_option_rows, n_source_option_rows, key);
	if (strcmp(section->kind, "sink") == 0 && section->name)
		sink = setup_find_sink(setup, section->name);
	if (!sink)
		return NULL;
	const struct option *option =
		find_in(sink_common_option_rows, n_sink_common_option_rows, key);
	return option ? option : find_in(sink->kind->options, sink->kind->n_options, key);
}

static const struct parameter *find_parameter(
	const struct setup *setup, const struct ini_section *section, const char *key)
{
	const struct source *source = strcmp(section->kind, "source") == 0 && section->name
					      ? setup_find_source(setup, section->name)
					      : NULL;
	for (size_t i = 0; source && i < source->definition->n_parameters; i++)
		if (strcmp(source->definition->parameters[i].name, key) == 0)
			return &source->definition->parameters[i];
	return NULL;
}

/* What follows PREFIX in KEY, at its beginning or after a dot, or NULL. */
static const char *after(const char *key, const char *prefix)
{
	const char *at = strstr(key, prefix);
	return at && (at == key || at[-1] == '.') && at[strlen(prefix)] ? at + strlen(prefix)
									: NULL;
}

/* Of a credential; `value` is that of a header, and what is signed can begin with a secret. */
static bool is_named_in_auth(const char *key)
{
	static const char *const others[] = {"access_key", "client_auth", "token_url", NULL};
	for (const char *const *other = others; *other; other++)
		if (strcmp(*other, key) == 0)
			return false;
	return strcmp(key, "value") == 0 || strcmp(key, "sign") == 0 ||
	       secret_is_named_by(slice_of(key));
}

/* Keys that have no row of their own: those of a credential, of headers and of queries. */
static bool is_named(const struct ini_section *section, const char *key)
{
	const char *header = after(key, "header.");
	const char *query = after(key, "query.");
	const char *of_auth = strcmp(section->kind, "auth") == 0 ? key : after(key, "auth.");
	if (header || query)
		return secret_is_named_by(slice_of(header ? header : query));
	return of_auth && is_named_in_auth(of_auth);
}

/* `http://user:password@host` */
static bool has_password(const char *value)
{
	const char *host = strstr(value, "://");
	size_t size = host ? strcspn(host + 3, "/ \t\n") : 0;
	const char *at = size ? memchr(host + 3, '@', size) : NULL;
	return at && memchr(host + 3, ':', (size_t)(at - host - 3));
}

/* `NAME=` of a secret. */
static bool has_pair(const char *value)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	for (const char *at = strchr(value, '='); at; at = strchr(at + 1, '=')) {
		const char *start = at;
		while (start > value && strchr(letters, start[-1]))
			start--;
		if (secret_is_named_by((struct slice){start, (size_t)(at - start)}))
			return true;
	}
	return false;
}

/* `"NAME": "x"` of a secret, in a body. */
static bool has_member(const char *key, const char *value)
{
	struct buf plain CLEANUP(buf_deinit) = BUF_NULL, masked CLEANUP(buf_deinit) = BUF_NULL;
	const char *body = strrchr(key, '.');
	if (strcmp(body ? body + 1 : key, "body") != 0)
		return false;
	mask_plain(slice_of(value), &plain);
	mask_body(slice_of(value), &masked);
	return !slice_equal(buf_slice(&plain), buf_slice(&masked));
}

enum secret_entry secret_entry(
	const struct setup *setup, const struct ini_section *section, const struct ini_entry *entry)
{
	const struct option *option = find_option(setup, section, entry->key);
	const struct parameter *parameter = find_parameter(setup, section, entry->key);
	const char *value = entry->value;
	bool has_variables = !option && !parameter && strstr(value, "${");
	if (entry->secret)
		return SECRET_ENTRY_READ;
	if (!*value || strcmp(section->kind, "parameters") == 0)
		return SECRET_ENTRY_NO;
	if ((option && option->type == OPTION_SECRET) || (parameter && parameter->secret) ||
		(!option && !parameter && is_named(section, entry->key)))
		return has_variables ? SECRET_ENTRY_TEMPLATE : SECRET_ENTRY_WRITTEN;
	if ((option && option->type != OPTION_STRING) || has_variables)
		return SECRET_ENTRY_NO;
	return has_password(value) || has_pair(value) || has_member(entry->key, value)
		       ? SECRET_ENTRY_PART
		       : SECRET_ENTRY_NO;
}
