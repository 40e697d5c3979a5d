/* trawlctl providers: lists the installed definitions, or describes one of them. */
#include "ctl/ctl.h"

#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/timestamp.h"
#include "workbench/provider_header.h"
#include "mask.h"
#include "source/source_auth.h"

#define CUSTOM "custom" /* the one provider without a file */
#define CUSTOM_TITLE "any API: the source section contains the entire definition"
#define WIDTH 13

/* The column of NAMES: as wide as the widest of them. */
static int width_of(const struct str_list *names)
{
	int width = 0;
	for (size_t i = 0; i < names->n_items; i++)
		if ((int)strlen(names->items[i]) > width)
			width = (int)strlen(names->items[i]);
	return width;
}

/* A definition's text comes from a file that anybody may have written: one line, no control
 * characters. */
static void print_text(const char *before, const char *text, const char *after)
{
	struct buf line CLEANUP(buf_deinit) = BUF_NULL;
	mask_plain(slice_of(text), &line);
	printf("%s%s%s", before, buf_text(&line), after);
}

static void print_parameters(const struct definition *definition)
{
	struct str_list names CLEANUP(str_list_deinit) = STR_LIST_NULL;
	for (size_t i = 0; i < definition->n_parameters; i++)
		str_list_add(&names, definition->parameters[i].name);
	int width = width_of(&names);
	for (size_t i = 0; i < definition->n_parameters; i++) {
		const struct parameter *parameter = &definition->parameters[i];
		const char *text = parameter->default_text;
		printf("    %-*s  %s%s", width, parameter->name,
			parameter->required ? "required" : "optional",
			parameter->secret ? ", secret" : "");
		if (text)
			print_text(", default ", text[0] ? text : "(empty)", "");
		putchar('\n');
	}
}

/* 0, or EX_CONFIG when the definition has faults: they follow it. */
static int print_faults(struct findings *findings)
{
	if (findings->n_items == 0)
		return 0;
	printf("  %zu error%s, no source can use this definition:\n", findings->n_items,
		str_plural(findings->n_items));
	findings_print(findings, stdout);
	return EX_CONFIG;
}

static const char *title_of(const struct definition *definition)
{
	return strcmp(definition->name, CUSTOM) == 0 ? CUSTOM_TITLE
	       : definition->title                   ? definition->title
						     : "(no title)";
}

/* CUSTOM has no text of its own that could be read or could be wrong. */
static struct definition *load(
	const char *name, const struct definition_path *path, struct findings *findings)
{
	struct findings ignored CLEANUP(findings_deinit) = FINDINGS_NULL;
	if (strcmp(name, CUSTOM) == 0)
		return definition_load(name, path, NULL, &ignored);
	struct definition *definition = definition_load(name, path, NULL, findings);
	source_auth_check(definition, findings);
	return definition;
}

/* The first word of the field: high, medium or low. */
static void print_confidence(const struct definition *definition)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	if (!provider_header_field(definition->file, "Confidence", &text))
		return;
	text.data[strcspn(text.data, ";,. ")] = '\0';
	print_text("  (confidence: ", text.data, ")");
}

static int list_all(const struct definition_path *path, const struct str_list *names)
{
	int width = width_of(names), code = 0;
	for (size_t i = 0; i < names->n_items; i++) {
		struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
		struct definition *definition = load(names->items[i], path, &findings);
		printf("%-*s", width, names->items[i]);
		print_text("  ", title_of(definition), "");
		print_confidence(definition);
		putchar('\n');
		print_parameters(definition);
		int r = print_faults(&findings);
		code = r ? r : code;
		definition_free(definition);
	}
	fputs("(definitions are looked for in", stdout);
	for (size_t i = 0; i < path->n_directories; i++)
		print_text(i ? ", " : " ", path->directories[i], "");
	puts(")");
	return code;
}

static void print_line(const char *name, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void print_line(const char *name, const char *format, ...)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	printf("%-*s", WIDTH, name);
	print_text("  ", buf_text(&text), "\n");
}

static void print_entry(struct definition *definition, const char *kind, const char *name)
{
	for (size_t i = 0; i < definition->ini.n_sections; i++) {
		struct ini_section *section = &definition->ini.sections[i];
		struct ini_entry *url = ini_section_find(section, "url");
		struct ini_entry *method = ini_section_find(section, "method");
		if (strcmp(section->kind, kind) == 0 && url)
			print_line(name, "%s %s", method ? method->value : "GET", url->value);
	}
}

static void print_auth(const struct definition *definition)
{
	struct buf kinds CLEANUP(buf_deinit) = BUF_NULL;
	for (size_t i = 0; i < definition->ini.n_sections; i++) {
		const struct ini_section *section = &definition->ini.sections[i];
		struct ini_entry *type = ini_section_find(section, "type");
		struct ini_entry *when = ini_section_find(section, "when");
		if (strcmp(section->kind, "auth") != 0 || !type)
			continue;
		buf_printf(&kinds, "%s%s", kinds.size ? ", or " : "", type->value);
		if (when)
			buf_printf(&kinds, " (with %s)", when->value);
	}
	print_line("credential", "%s", kinds.size ? buf_text(&kinds) : "none");
}

static void print_records(const struct definition *definition)
{
	const struct records_options *records = &definition->records;
	struct buf id CLEANUP(buf_deinit) = BUF_NULL;
	for (size_t i = 0; i < records->id.n_items; i++)
		buf_printf(&id, "%s%s", i ? ", " : "", records->id.items[i]);
	if (definition->records_lines)
		print_line("records", "one per line");
	else
		print_line("records", "the array at %s",
			records->at && records->at[0] ? records->at : "the top");
	print_line("record ID", "%s", id.size ? buf_text(&id) : "none: a digest of the text");
	print_line("record time", "%s", records->time ? records->time : "none");
	for (size_t i = 0; i < records->include.n_items; i++)
		print_line("include", "%s", records->include.items[i]);
	for (size_t i = 0; i < records->exclude.n_items; i++)
		print_line("exclude", "%s", records->exclude.items[i]);
}

static void print_pages(const struct definition *definition)
{
	const struct page_options *page = &definition->page;
	if (page->url)
		print_line("next page", "by the URL at %s", page->url);
	else if (page->cursor)
		print_line("next page", "by the cursor at %s", page->cursor);
	else
		print_line("next page", "%s",
			page->offset   ? "by offset"
			: page->number ? "by number"
				       : "none: one page contains everything");
	if (page->size > 0)
		print_line("page size", "%lld", (long long)page->size);
}

static void print_resume(const struct definition *definition)
{
	const struct resume_options *resume = &definition->resume;
	struct buf overlap CLEANUP(buf_deinit) = BUF_NULL, lag CLEANUP(buf_deinit) = BUF_NULL,
			   span CLEANUP(buf_deinit) = BUF_NULL,
			   keeps CLEANUP(buf_deinit) = BUF_NULL;
	timestamp_print_duration(resume->overlap_ns, &overlap);
	timestamp_print_duration(resume->lag_ns, &lag);
	timestamp_print_duration(resume->span_max_ns, &span);
	timestamp_print_duration(resume->retention_ns, &keeps);
	if (resume->url)
		print_line("next poll", "by the URL at %s", resume->url);
	else if (resume->cursor)
		print_line("next poll", "by the cursor at %s", resume->cursor);
	else if (resume->newest)
		print_line("next poll", "from the newest page back to duplicates");
	else
		print_line("next poll", "by time window up to %s ago, in slices of at most %s",
			buf_text(&lag), buf_text(&span));
	print_line("overlap", "%s", buf_text(&overlap));
	if (resume->retention_ns)
		print_line("retention", "%s", buf_text(&keeps));
	const struct option_rate *rate = &definition->limits.rate;
	if (rate->count) {
		struct buf period CLEANUP(buf_deinit) = BUF_NULL;
		timestamp_print_duration(rate->period_ns, &period);
		print_line("rate limit", "%u request%s per %s", rate->count,
			str_plural(rate->count), buf_text(&period));
	}
}

static void print_header(const struct definition *definition)
{
	static const struct {
		const char *field, *name;
	} fields[] = {{"Reads", "reads"}, {"Permissions", "permissions"}, {"Delay", "delay"},
		{"Confidence", "confidence"}, {"Documentation", "documented"}};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct buf text CLEANUP(buf_deinit) = BUF_NULL;
		if (provider_header_field(definition->file, fields[i].field, &text))
			print_line(fields[i].name, "%s", buf_text(&text));
	}
}

static void print_detail(struct definition *definition, bool good)
{
	bool custom = strcmp(definition->name, CUSTOM) == 0;
	puts(definition->name);
	print_line("title", "%s", title_of(definition));
	print_line("definition", "%s",
		custom ? "none: set keys such as request.url and records.at in [source NAME]"
		: definition->file ? definition->file
				   : "cannot be read");
	print_header(definition);
	if (good && !custom) {
		print_entry(definition, "login", "login");
		print_entry(definition, "request", "request");
		print_entry(definition, "request.first", "first request");
		print_entry(definition, "request.next", "next request");
		print_auth(definition);
		print_records(definition);
		print_pages(definition);
		print_resume(definition);
	}
	puts(definition->n_parameters ? "parameters of a source" : "parameters of a source: none");
	print_parameters(definition);
}

static int show(const char *name, const struct definition_path *path, const struct str_list *names)
{
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	if (!str_list_has(names, name)) {
		char *hint CLEANUP_FREE =
			str_hint(name, (const char *const *)names->items, names->n_items);
		fprintf(stderr, "trawlctl: there is no provider `%s`%s\n", name, hint);
		return EX_USAGE;
	}
	struct definition *definition = load(name, path, &findings);
	print_detail(definition, findings.n_items == 0);
	definition_free(definition);
	return print_faults(&findings);
}

static int print_example(
	const char *name, const struct definition_path *path, const struct str_list *names)
{
	struct findings ignored CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	if (!name) {
		fputs("trawlctl: --example requires the name of a provider\n", stderr);
		return EX_USAGE;
	}
	if (!str_list_has(names, name))
		return show(name, path, names);
	struct definition *definition = definition_load(name, path, NULL, &ignored);
	bool found = provider_header_example(definition->file, &text);
	definition_free(definition);
	if (!found) {
		fprintf(stderr, "trawlctl: the definition of `%s` contains no example\n", name);
		return EX_CONFIG;
	}
	fputs(buf_text(&text), stdout);
	return 0;
}

int ctl_providers(const struct ctl_arguments *arguments)
{
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct str_list names CLEANUP(str_list_deinit) = STR_LIST_NULL;
	struct setup_path providers;
	struct config *config;
	/* People look at the providers before they write a configuration. Only its directories are
	 * needed here, and the default ones are known without it. */
	config_load(&config, arguments->path, &findings);
	if (arguments->path_given && access(arguments->path, R_OK) != 0) {
		findings_print(&findings, stderr);
		config_free(config);
		return EX_CONFIG;
	}
	setup_path_init(&providers, config);
	definition_names(&providers.path, &names);
	int r = arguments->example ? print_example(arguments->name, &providers.path, &names)
		: arguments->name  ? show(arguments->name, &providers.path, &names)
				   : list_all(&providers.path, &names);
	setup_path_deinit(&providers);
	config_free(config);
	return r;
}
