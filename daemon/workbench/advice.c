/* See advice.h. */
#include "workbench/advice.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "workbench/provider_header.h"

static void tell(struct definition *definition, const char *kind, const char *key, const char *text,
	struct findings *findings)
{
	struct ini_section *section = ini_find(&definition->ini, kind, NULL);
	if (section)
		findings_add_at(findings, section, key, "%s", text);
	else
		findings_add(findings, definition->file, 0, "%s", text);
}

/* Records become readable later than their time says, and newest first, a page that is read later
 * does not show them either. */
static void check_overlap(struct definition *definition, struct findings *findings)
{
	const struct resume_options *resume = &definition->resume;
	if (resume->window && resume->overlap_ns == 0 && resume->lag_ns == 0)
		tell(definition, "resume", "overlap",
			definition->records.order == ORDER_UNORDERED
				? "no overlap and no lag, with an order that may be newest first: a record that can be read late is never read"
				: "no overlap and no lag: a record that can be read late is never read",
			findings);
}

static void check_short(struct definition *definition, struct findings *findings)
{
	enum cursor_kind kind = definition->page_cursor.kind;
	if (definition->page_end & END_SHORT && kind != CURSOR_NONE && kind != CURSOR_LAST)
		tell(definition, "page", "end",
			"a short page ends the chain although the API gives a cursor: pages can be short in the middle (use `absent`)",
			findings);
}

static void check_retention(struct definition *definition, struct findings *findings)
{
	if (definition->resume.retention_ns == 0)
		tell(definition, "resume", "retention",
			"no `retention`: records that the API no longer keeps are a gap that is not told",
			findings);
}

static void check_parameters(struct definition *definition, struct findings *findings)
{
	for (size_t i = 0; i < definition->n_parameters; i++) {
		const char *name = definition->parameters[i].name;
		if (definition_uses(definition, name))
			continue;
		char *text CLEANUP_FREE = mem_printf("nothing uses the parameter `%s`", name);
		tell(definition, "parameters", name, text, findings);
	}
}

static bool uses_secret(const struct definition *definition, const struct template *template)
{
	for (size_t i = 0; template && i < definition->n_parameters; i++)
		if (definition->parameters[i].secret &&
			template_uses(template, definition->parameters[i].name))
			return true;
	return false;
}

static void check_url(struct definition *definition, const char *kind,
	const struct request_definition *request, struct findings *findings)
{
	static const char text[] =
		"a secret is part of the address, which proxies and servers write to their logs: send it in a header or a body";
	if (uses_secret(definition, request->url))
		tell(definition, kind, "url", text, findings);
	for (size_t i = 0; i < request->n_query; i++)
		if (uses_secret(definition, request->query[i].template)) {
			char *key CLEANUP_FREE = mem_printf("query.%s", request->query[i].name);
			tell(definition, kind, key, text, findings);
		}
}

static void check_urls(struct definition *definition, struct findings *findings)
{
	check_url(definition, "request", &definition->first, findings);
	if (findings->n_items == 0)
		check_url(definition, "request", &definition->next, findings);
	check_url(definition, "login", &definition->auth.login, findings);
}

static void check_bound(struct definition *definition, struct findings *findings)
{
	if (definition->resume.window && definition->n_records_id == 0 &&
		!definition_uses(definition, "window.end"))
		tell(definition, "records", "id",
			"no ID, and the request has no upper bound (${window.end}): what arrives while pages are read cannot be told from what was read",
			findings);
}

static const struct {
	const char *name;
	void (*check)(struct definition *definition, struct findings *findings);
} rules[] = {
	{"overlap", check_overlap},
	{"short", check_short},
	{"retention", check_retention},
	{"parameter", check_parameters},
	{"secret-in-url", check_urls},
	{"bound", check_bound},
};

/* What the header says of the retention, when it is not a duration that `retention` could have. */
static char *retention_reason(const struct definition *definition)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	if (!provider_header_field(definition->file, "Retention", &text) || text.size == 0 ||
		isdigit((unsigned char)text.data[0]))
		return NULL;
	return buf_take(&text);
}

/* `# Lint: NAME: REASON` in the definition's file; NULL: there is none. The caller frees. */
static char *find_reason(const struct definition *definition, const char *name)
{
	FILE *file = fopen(definition->file, "re");
	char *line CLEANUP_FREE = NULL, *reason = NULL;
	char *start CLEANUP_FREE = mem_printf("# Lint: %s:", name);
	size_t capacity = 0;
	while (file && !reason && getline(&line, &capacity, file) > 0)
		if (str_starts(line, start)) {
			struct slice text = str_trim(slice_of(line + strlen(start)));
			reason = text.size ? mem_strndup(text.data, text.size) : NULL;
		}
	if (file)
		fclose(file);
	if (!reason && strcmp(name, "retention") == 0)
		return retention_reason(definition);
	return reason;
}

void advice_give(struct definition *definition, struct advice *advice)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct findings found CLEANUP(findings_deinit) = FINDINGS_NULL;
		rules[i].check(definition, &found);
		char *reason CLEANUP_FREE =
			found.n_items ? find_reason(definition, rules[i].name) : NULL;
		for (size_t j = 0; j < found.n_items; j++) {
			const struct finding *each = &found.items[j];
			if (reason)
				findings_add(&advice->accepted, each->file, each->line,
					"accepted: %s: %s", rules[i].name, reason);
			else
				findings_add(&advice->findings, each->file, each->line, "%s (%s)",
					each->text, rules[i].name);
		}
	}
}

void advice_deinit(struct advice *advice)
{
	findings_deinit(&advice->findings);
	findings_deinit(&advice->accepted);
}
