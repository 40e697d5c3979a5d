/* See expand.h. What is put in is not expanded again: a file's content is data. */
#include "conf/expand.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

#define VALUE_MAX (1u << 20)

struct expansion {
	struct ini_entry *entry;
	struct findings *findings;
	struct buf *out;
	bool bad;
};

static void fault(struct expansion *expansion, const char *what, const char *name, const char *why)
{
	findings_add(expansion->findings, expansion->entry->file, expansion->entry->line,
		"%s: ${%s:%s}: %s", expansion->entry->key, what, name, why);
	expansion->bad = true;
}

static void put_file(
	struct expansion *expansion, const char *what, const char *name, const char *path)
{
	struct buf text CLEANUP(buf_deinit) = BUF_LIMITED(VALUE_MAX);
	int r = file_read(&text, path);
	struct slice value = buf_slice(&text);
	if (value.size && value.data[value.size - 1] == '\n')
		value.size--;
	if (value.size && value.data[value.size - 1] == '\r')
		value.size--;
	if (r)
		fault(expansion, what, name, strerror(-r));
	else if (memchr(value.data, '\0', value.size))
		fault(expansion, what, name, "contains NUL bytes");
	else {
		secret_register(
			value); /* for the life of the process: it may be met in any answer */
		buf_append_slice(expansion->out, value);
		expansion->entry->secret = true;
	}
	secret_wipe(text.data, text.size);
}

static void put_credential(struct expansion *expansion, const char *name)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	if (!directory) {
		fault(expansion, "credential", name,
			"$CREDENTIALS_DIRECTORY is not set: the service has no LoadCredential=");
		return;
	}
	if (strchr(name, '/')) {
		fault(expansion, "credential", name, "the name of a credential cannot contain `/`");
		return;
	}
	char *path CLEANUP_FREE = mem_printf("%s/%s", directory, name);
	put_file(expansion, "credential", name, path);
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
			buf_append_text(expansion->out, value);
	} else if (str_starts(text, "file:")) {
		put_file(expansion, "file", text + 5, text + 5);
	} else if (str_starts(text, "credential:")) {
		put_credential(expansion, text + 11);
	} else {
		return false;
	}
	return true;
}

static void expand_entry(struct ini_entry *entry, struct findings *findings)
{
	struct buf out = BUF_NULL;
	struct expansion expansion = {entry, findings, &out, false};
	const char *p = entry->value;
	const char *open;
	while ((open = strstr(p, "${"))) {
		const char *close = strchr(open, '}');
		struct slice inner = {open + 2, close ? (size_t)(close - open - 2) : 0};
		buf_append(&out, p, (size_t)(open - p));
		bool literal = open > entry->value && open[-1] == '$';
		if (close && !literal && put_variable(&expansion, inner)) {
			p = close + 1;
			continue;
		}
		if (!close && !literal) {
			findings_add(findings, entry->file, entry->line, "%s: `${` without `}`",
				entry->key);
			expansion.bad = true;
		}
		buf_append(&out, open, 2);
		p = open + 2;
	}
	buf_append_text(&out, p);
	if (!expansion.bad) {
		free(entry->value);
		entry->value = buf_take(&out);
	}
	secret_wipe(out.data, out.size);
	buf_deinit(&out);
}

void expand_ini(struct ini *ini, struct findings *findings)
{
	for (size_t i = 0; i < ini->n_sections; i++)
		for (size_t j = 0; j < ini->sections[i].n_entries; j++)
			if (strstr(ini->sections[i].entries[j].value, "${"))
				expand_entry(&ini->sections[i].entries[j], findings);
}
