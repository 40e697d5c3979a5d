/* See expand.h. What is put in is not expanded again: a file's content is data. */
#include "conf/expand.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

#define VALUE_MAX (1u << 20)

/* Where ${credential:} is looked for outside the service, so that --check and probe work there. */
const char *expand_directories[] = {
	"/run/credentials/trawld.service", TRAWLD_SYSCONFDIR "/trawld/secrets", NULL};

/* Keys whose values are no secrets, wherever they come from: they may be shown. */
static const char *const harmless_keys[] = {"provider", "region", "interval", "start", "sinks",
	"enabled", "timeout", "retry_max", "max_page", "ca_file", "client_cert", "client_key",
	"overlap", "lag", "page_size", "rate", "type", "path", "format", "mode", "directory_mode",
	"state_directory", "provider_directory", "control", "spool_limit", "log_level",
	"shutdown_timeout", "address", "facility", "app_name", "encoding", "compression", "method",
	"insecure_http", "listen_names", "state", "name", "schema", "node", "shards", "shard",
	"lease", "require_synchronous", "keep", "keep_limit", NULL};

struct expansion {
	struct ini_entry *entry;
	struct findings *findings;
	struct buf *out;
	struct file_watch *files;
	bool bad;
};

__attribute__((format(printf, 4, 5))) static void fault(
	struct expansion *expansion, const char *what, const char *name, const char *format, ...)
{
	struct buf why CLEANUP(buf_deinit) = BUF_NULL;
	va_list args;
	va_start(args, format);
	buf_vprintf(&why, format, args);
	va_end(args);
	findings_add(expansion->findings, expansion->entry->file, expansion->entry->line,
		"%s: ${%s:%s}: %s", expansion->entry->key, what, name, buf_text(&why));
	expansion->bad = true;
}

static bool is_harmless(const char *key)
{
	for (size_t i = 0; harmless_keys[i]; i++)
		if (strcmp(harmless_keys[i], key) == 0)
			return true;
	return false;
}

/* A secret stays registered for the life of the process: it may appear in any answer. */
static void put_value(struct expansion *expansion, struct slice value)
{
	if (!is_harmless(expansion->entry->key)) {
		secret_register(value);
		expansion->entry->secret = true;
	}
	buf_append_slice(expansion->out, value);
}

/* What is wrong with the content of a file; NULL: nothing. */
static const char *value_error(struct slice value)
{
	if (value.size == 0)
		return "the file is empty";
	if (memchr(value.data, '\0', value.size))
		return "contains NUL bytes";
	if (str_trim(value).size != value.size)
		return "the content begins or ends with white space or empty lines; remove them";
	return NULL;
}

static void fault_denied(
	struct expansion *expansion, const char *what, const char *name, const char *path)
{
	const struct passwd *user = getpwuid(geteuid());
	char *who CLEANUP_FREE = user ? mem_strdup(user->pw_name) : mem_printf("%u", geteuid());
	if (strcmp(what, "file") == 0)
		fault(expansion, what, name,
			"user %s is not permitted to read it (let this user read it, or move it to " TRAWLD_SYSCONFDIR
			"/trawld/secrets/NAME and write ${credential:NAME})",
			who);
	else
		fault(expansion, what, name,
			"user %s is not permitted to read %s (run this as root, or let this user read the file and its directory)",
			who, path);
}

static void put_file(
	struct expansion *expansion, const char *what, const char *name, const char *path)
{
	struct buf text CLEANUP(buf_deinit) = BUF_LIMITED(VALUE_MAX);
	file_watch_look(expansion->files, path); /* before: what comes meanwhile is a change */
	int r = path[0] == '/' ? file_read(&text, path) : 0;
	struct slice value = buf_slice(&text);
	if (value.size && value.data[value.size - 1] == '\n')
		value.size--;
	if (value.size && value.data[value.size - 1] == '\r')
		value.size--;
	const char *error = r ? NULL : value_error(value);
	if (path[0] != '/')
		error = "expected an absolute path";
	if (error)
		fault(expansion, what, name, "%s", error);
	else if (r == -EACCES)
		fault_denied(expansion, what, name, path);
	else if (r)
		fault(expansion, what, name, "%s", strerror(-r));
	else
		put_value(expansion, value);
	secret_wipe(text.data, text.size);
}

char *expand_credential_path(const char *directory, const char *name)
{
	char *path = mem_printf("%s/%s", directory, name);
	char *loaded = mem_printf("%s/secrets_%s", directory, name);
	bool is_loaded = access(path, F_OK) != 0 && access(loaded, F_OK) == 0;
	free(is_loaded ? path : loaded);
	return is_loaded ? loaded : path;
}

static void put_credential(struct expansion *expansion, const char *name)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char *denied CLEANUP_FREE = NULL;
	if (!*name || strchr(name, '/')) {
		fault(expansion, "credential", name,
			"expected the name of a credential, without `/`");
		return;
	}
	for (size_t i = 0; !directory && expand_directories[i]; i++) {
		char *path CLEANUP_FREE = mem_printf("%s/%s", expand_directories[i], name);
		bool there = access(path, F_OK) == 0;
		if (!there && errno == EACCES) {
			free(denied);
			denied = mem_strdup(path);
		}
		if (there || !expand_directories[i + 1])
			directory = expand_directories[i];
	}
	char *path CLEANUP_FREE = expand_credential_path(directory, name);
	if (access(path, F_OK) == 0)
		put_file(expansion, "credential", name, path);
	else if (getenv("CREDENTIALS_DIRECTORY"))
		fault(expansion, "credential", name,
			"there is no such file in $CREDENTIALS_DIRECTORY: put it into " TRAWLD_SYSCONFDIR
			"/trawld/secrets and restart the service (an instance needs LoadCredential=%s:" TRAWLD_SYSCONFDIR
			"/trawld/secrets/%s)",
			name, name);
	else if (denied)
		fault_denied(expansion, "credential", name, denied);
	else
		fault(expansion, "credential", name,
			"$CREDENTIALS_DIRECTORY is not set, and there is no such file in %s or %s",
			expand_directories[0], expand_directories[1]);
}

/* INNER is what stands between the braces. False: not ours. */
static bool put_variable(struct expansion *expansion, struct slice inner)
{
	char *text CLEANUP_FREE = mem_strndup(inner.data, inner.size);
	if (str_starts(text, "env:")) {
		const char *value = getenv(text + 4);
		if (!value)
			fault(expansion, "env", text + 4, "there is no such environment variable");
		else
			put_value(expansion, slice_of(value));
	} else if (str_starts(text, "file:")) {
		put_file(expansion, "file", text + 5, text + 5);
	} else if (str_starts(text, "credential:")) {
		put_credential(expansion, text + 11);
	} else {
		return false;
	}
	return true;
}

/* A definition's own variables are judged where the template is read: in a source, keys such as
 * request.url. Of what stands between the braces nothing but a word before a colon is shown. */
static void fault_left_over(struct expansion *expansion, const char *open)
{
	size_t size = strcspn(open + 2, ":} ");
	bool named = open[2 + size] == ':' && size <= 20;
	findings_add(expansion->findings, expansion->entry->file, expansion->entry->line,
		"%s: `${%.*s` is not known; expected ${env:NAME}, ${file:/path} or ${credential:NAME} ($${ stands for ${)",
		expansion->entry->key, named ? (int)size + 1 : 0, open + 2);
	expansion->bad = true;
}

static void expand_entry(struct ini_entry *entry, bool is_template, struct file_watch *files,
	struct findings *findings)
{
	struct buf out = BUF_NULL;
	struct expansion expansion = {entry, findings, &out, files, false};
	const char *p = entry->value;
	const char *open;
	while ((open = strstr(p, "${"))) {
		const char *close = strchr(open, '}');
		struct slice inner = {open + 2, close ? (size_t)(close - open - 2) : 0};
		bool literal = open > entry->value && open[-1] == '$';
		buf_append(&out, p, (size_t)(open - p) - (literal && !is_template));
		if (close && !literal && put_variable(&expansion, inner)) {
			p = close + 1;
			continue;
		}
		if (!literal && !close) {
			findings_add(findings, entry->file, entry->line, "%s: `${` without `}`",
				entry->key);
			expansion.bad = true;
		} else if (!literal && !is_template) {
			fault_left_over(&expansion, open);
		}
		buf_append(&out, open, 2);
		p = open + 2;
	}
	buf_append_text(&out, p);
	if (!expansion.bad) {
		free(entry->written);
		entry->written = entry->value;
		entry->value = buf_take(&out);
	} else {
		findings_settle(findings, entry->file, entry->line);
	}
	secret_wipe(out.data, out.size);
	buf_deinit(&out);
}

/* Keys whose values may begin and end with quotes of their own. */
static bool may_be_quoted(const char *key)
{
	static const char *const keys[] = {"query", "command", "host", "source", "sourcetype",
		"index", "labels", "filter", NULL};
	for (size_t i = 0; keys[i]; i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return strchr(key, '.') != NULL;
}

/* `"x"` and `$TOKEN`, as a shell has them. */
static void check_entry(struct ini_entry *entry, struct findings *findings)
{
	char *value = entry->value;
	size_t size = strlen(value);
	if (size >= 2 && (value[0] == '"' || value[0] == '\'') && value[size - 1] == value[0] &&
		!may_be_quoted(entry->key)) {
		findings_add(findings, entry->file, entry->line,
			"%s: remove the quotes, which would be part of the value", entry->key);
		memmove(value, value + 1,
			size - 2); /* so that this is the only error of this value */
		value[size - 2] = '\0';
	} else if (value[0] == '$' && size > 1 &&
		   strspn(value + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == size - 1) {
		findings_add(findings, entry->file, entry->line,
			"%s: expected ${env:NAME}; a variable without `${env:` is not replaced",
			entry->key);
	}
}

void expand_ini(struct ini *ini, struct findings *findings)
{
	for (size_t i = 0; i < ini->n_sections; i++) {
		const struct ini_section *section = &ini->sections[i];
		for (size_t j = 0; j < section->n_entries; j++) {
			struct ini_entry *entry = &section->entries[j];
			check_entry(entry, findings);
			if (strstr(entry->value, "${"))
				expand_entry(entry,
					strcmp(section->kind, "source") == 0 &&
						strchr(entry->key, '.'),
					&ini->expanded, findings);
		}
	}
}
