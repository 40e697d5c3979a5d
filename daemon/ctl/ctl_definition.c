/* trawlctl definition: what an author of provider definitions needs. */
#include "ctl/ctl.h"

#include <ev.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/client.h"
#include "net/url.h"
#include "source/source_auth.h"
#include "workbench/advice.h"
#include "workbench/propose.h"
#include "workbench/recorder.h"
#include "workbench/rehearsal.h"

struct workplace {
	struct config *config;
	struct setup_path providers;
	struct str_list names;
};

static void workplace_deinit(struct workplace *workplace)
{
	str_list_deinit(&workplace->names);
	setup_path_deinit(&workplace->providers);
	config_free(workplace->config);
}

/* Only the directories of the configuration are needed, and the default ones are known without it.
 */
static int workplace_init(struct workplace *ret, const struct ctl_arguments *arguments)
{
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	*ret = (struct workplace){0};
	config_load(&ret->config, arguments->path, &findings);
	setup_path_init(&ret->providers, ret->config);
	if (arguments->path_given && access(arguments->path, R_OK) != 0) {
		findings_print(&findings, stderr);
		return EX_CONFIG;
	}
	definition_names(&ret->providers.path, &ret->names);
	return 0;
}

static int unknown_provider(const struct workplace *workplace, const char *name)
{
	char *hint CLEANUP_FREE = str_hint(
		name, (const char *const *)workplace->names.items, workplace->names.n_items);
	fprintf(stderr, "trawlctl: there is no provider `%s`%s\n", name, hint);
	return EX_USAGE;
}

static void test_one(
	const char *name, const struct definition_path *path, bool asked, struct rehearsal *total)
{
	struct findings ignored CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct str_list files CLEANUP(str_list_deinit) = STR_LIST_NULL;
	struct rehearsal counts = {0};
	struct definition *definition = definition_load(name, path, NULL, &ignored);
	int r = rehearsal_files(definition, &files);
	for (size_t i = 0; i < files.n_items; i++)
		rehearsal_run(definition, path, files.items[i], &counts);
	definition_free(definition);
	if (files.n_items)
		printf("%s: %zu conversation%s, %zu derived case%s, %zu failed\n", name,
			counts.n_conversations, str_plural(counts.n_conversations),
			counts.n_derived, str_plural(counts.n_derived), counts.n_failed);
	else if (!r)
		printf("%s: no conversations\n", name);
	if (r)
		printf("%s: not all of its conversations were found: %s\n", name, strerror(-r));
	total->n_conversations += counts.n_conversations;
	total->n_derived += counts.n_derived;
	total->n_failed += counts.n_failed + (r || (asked && files.n_items == 0));
}

static int test(const struct ctl_arguments *arguments)
{
	struct workplace workplace CLEANUP(workplace_deinit) = {0};
	const char *name = arguments->new_name;
	struct rehearsal total = {0};
	size_t n = 0;
	nsec_t begun_at = clock_monotonic();
	int r = workplace_init(&workplace, arguments);
	if (r)
		return r;
	if (name && !str_list_has(&workplace.names, name))
		return unknown_provider(&workplace, name);
	log_set_level(LOG_LEVEL_ERROR); /* failures that are meant would be told */
	for (size_t i = 0; i < workplace.names.n_items; i++) {
		const char *each = workplace.names.items[i];
		if ((name && strcmp(name, each) != 0) || strcmp(each, "custom") == 0)
			continue;
		test_one(each, &workplace.providers.path, name != NULL, &total);
		n++;
	}
	double elapsed_s = (double)(clock_monotonic() - begun_at) / (double)NSEC_PER_SEC;
	printf("%zu definition%s, %zu conversation%s, %zu derived case%s, %.1f s: %zu failed\n", n,
		str_plural(n), total.n_conversations, str_plural(total.n_conversations),
		total.n_derived, str_plural(total.n_derived), elapsed_s, total.n_failed);
	return total.n_failed ? EX_CONFIG : EX_OK;
}

struct lint_total {
	size_t n_definitions, n_findings, n_accepted;
};

static void lint_one(const char *name, const struct definition_path *path, struct lint_total *total)
{
	struct findings errors CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct advice advice CLEANUP(advice_deinit) = ADVICE_NULL;
	struct definition *definition = definition_load(name, path, NULL, &errors);
	source_auth_check(definition, &errors);
	if (errors.n_items == 0)
		advice_give(definition, &advice);
	findings_print(&errors, stdout);
	findings_print(&advice.findings, stdout);
	findings_print(&advice.accepted, stdout);
	total->n_definitions++;
	total->n_findings += errors.n_items + advice.findings.n_items;
	total->n_accepted += advice.accepted.n_items;
	definition_free(definition);
}

/* The definition in the file at PATH. */
static void lint_file(const char *path, struct lint_total *total)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char *folder CLEANUP_FREE =
		slash ? mem_strndup(path, (size_t)(slash - path)) : mem_strdup(".");
	size_t size = strlen(base) - (str_ends(base, ".conf") ? strlen(".conf") : 0);
	char *name CLEANUP_FREE = mem_strndup(base, size);
	const char *directories[] = {*folder ? folder : "/"};
	struct definition_path only = {directories, 1};
	lint_one(name, &only, total);
}

static int lint(const struct ctl_arguments *arguments)
{
	struct workplace workplace CLEANUP(workplace_deinit) = {0};
	const char *name = arguments->new_name;
	struct lint_total total = {0};
	int r = workplace_init(&workplace, arguments);
	if (r)
		return r;
	bool file = name && (strchr(name, '/') || str_ends(name, ".conf"));
	if (name && !file && !str_list_has(&workplace.names, name))
		return unknown_provider(&workplace, name);
	if (file)
		lint_file(name, &total);
	for (size_t i = 0; !file && i < workplace.names.n_items; i++) {
		const char *each = workplace.names.items[i];
		if ((!name || strcmp(name, each) == 0) && strcmp(each, "custom") != 0)
			lint_one(each, &workplace.providers.path, &total);
	}
	printf("%zu definition%s: %zu finding%s, %zu accepted\n", total.n_definitions,
		str_plural(total.n_definitions), total.n_findings, str_plural(total.n_findings),
		total.n_accepted);
	return total.n_findings ? EX_CONFIG : EX_OK;
}

static int record_source(
	const struct ctl_arguments *arguments, struct setup *setup, const struct source *source)
{
	struct recorded recorded CLEANUP(recorded_deinit) = RECORDED_NULL;
	struct fault fault = FAULT_NULL;
	struct ini_section *section = ctl_find_source(setup->config, source->name);
	log_set_level(LOG_LEVEL_ERROR);
	int r = recorder_run(source, section, arguments->raw, &recorded, &fault);
	if (r) {
		fprintf(stderr, "trawlctl: source %s (%s): %s; nothing was written\n", source->name,
			source->location, fault.text);
		return fault.class == FAULT_CONFIG ? EX_CONFIG : EX_TEMPFAIL;
	}
	/* a file that is there is somebody's work */
	r = file_make(arguments->third, buf_slice(&recorded.text), 0644);
	if (r)
		r = ctl_cannot_write(arguments->third, -r);
	else
		printf("%s: %zu exchange%s, %zu record%s\n"
		       "Read it before you show it to anybody: only what trawld knows to be "
		       "secret, and the strings of records, were replaced.\n",
			arguments->third, recorded.n_exchanges, str_plural(recorded.n_exchanges),
			recorded.n_records, str_plural(recorded.n_records));
	return r;
}

static int record(const struct ctl_arguments *arguments)
{
	struct setup *setup = ctl_setup(arguments);
	if (!setup)
		return EX_CONFIG;
	const struct source *source = setup_find_source(setup, arguments->new_name);
	int code = source ? record_source(arguments, setup, source)
			  : ctl_unknown_source(arguments->new_name, setup->config, NULL, 0);
	setup_free(setup);
	return code;
}

/* FILE has lines `Name: value`: a credential has no place on a command line. */
static int read_headers(const char *file, struct http_headers *ret)
{
	struct buf text CLEANUP(buf_deinit) = BUF_LIMITED(1u << 20);
	int r = file_read(&text, file);
	struct slice rest = buf_slice(&text), line;
	if (r) {
		fprintf(stderr, "trawlctl: cannot read %s: %s\n", file, strerror(-r));
		return EX_USAGE;
	}
	while (str_next_part(&rest, '\n', &line)) {
		const char *colon = line.size ? memchr(line.data, ':', line.size) : NULL;
		if (!colon && line.size) {
			fprintf(stderr, "trawlctl: %s: expected lines `Name: value`\n", file);
			return EX_USAGE;
		}
		if (!colon)
			continue;
		char *name CLEANUP_FREE = mem_strndup(line.data, (size_t)(colon - line.data));
		struct slice value = {colon + 1, line.size - (size_t)(colon + 1 - line.data)};
		http_headers_add(ret, name, str_trim(value));
	}
	return 0;
}

struct fetched {
	const char *url;
	struct http_headers headers;
	struct ev_loop *loop;
	int code;
};

static void fetched(struct http_response *response, void *userdata)
{
	struct fetched *fetched = userdata;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	ev_break(fetched->loop, EVBREAK_ALL);
	fetched->code = EX_TEMPFAIL;
	if (response->fault.class != FAULT_NONE) {
		fprintf(stderr, "trawlctl: %s\n", response->fault.text);
	} else if (response->status != 200) {
		fprintf(stderr, "trawlctl: HTTP %d%s\n", response->status,
			response->status == 401 || response->status == 403
				? ": the API needs a credential (--headers FILE)"
				: "");
	} else if (!propose_definition(fetched->url, &fetched->headers, response, &text)) {
		fputs("trawlctl: the response contains no JSON array of objects with at least one element\n",
			stderr);
	} else {
		fputs(buf_text(&text), stdout);
		fetched->code = EX_OK;
	}
}

static int propose(const struct ctl_arguments *arguments)
{
	struct fetched state = {.url = arguments->new_name, .code = EX_TEMPFAIL};
	struct http_message message = {.method = mem_strdup("GET"), .url = mem_strdup(state.url)};
	struct http_transport transport = {.timeout_ns = 60 * NSEC_PER_SEC};
	char *origin CLEANUP_FREE = NULL;
	int r = arguments->headers ? read_headers(arguments->headers, &state.headers) : 0;
	if (!r && url_origin(state.url, &origin)) {
		fprintf(stderr,
			"trawlctl: definition new: `%s` is not an http:// or https:// URL\n",
			state.url);
		r = EX_USAGE;
	}
	if (!r && state.headers.n_items && url_is_in_clear(state.url)) {
		fputs("trawlctl: the credential would be sent unencrypted: the address is not https\n",
			stderr);
		r = EX_USAGE;
	}
	if (!r) {
		http_headers_add(&message.headers, "Accept", SLICE("application/json"));
		for (size_t i = 0; i < state.headers.n_items; i++)
			http_headers_add(&message.headers, state.headers.items[i].name,
				slice_of(state.headers.items[i].value));
		state.loop = ev_loop_new(EVFLAG_AUTO);
		struct http_client *client = http_client_new(state.loop, "trawld/" TRAWLD_VERSION);
		http_request_start(client, &message, &transport, fetched, &state);
		ev_run(state.loop, 0);
		http_client_free(client);
		ev_loop_destroy(state.loop);
		r = state.code;
	}
	http_message_deinit(&message);
	http_headers_deinit(&state.headers);
	return r;
}

static const struct {
	const char *name;
	size_t n_min, n_max; /* operands after the name */
	int (*run)(const struct ctl_arguments *arguments);
} actions[] = {
	{"new", 1, 1, propose},
	{"lint", 0, 1, lint},
	{"record", 2, 2, record},
	{"test", 0, 1, test},
};

#define N_ACTIONS (sizeof(actions) / sizeof(actions[0]))

int ctl_definition(const struct ctl_arguments *arguments)
{
	const char *names[N_ACTIONS];
	size_t n = (arguments->new_name != NULL) + (size_t)(arguments->third != NULL);
	for (size_t i = 0; i < N_ACTIONS; i++) {
		names[i] = actions[i].name;
		if (strcmp(arguments->name, names[i]) != 0)
			continue;
		if ((arguments->raw && actions[i].run != record) ||
			(arguments->headers && actions[i].run != propose)) {
			fprintf(stderr, "trawlctl: definition %s: unexpected option `--%s`\n",
				names[i], arguments->raw ? "raw" : "headers");
			return EX_USAGE;
		}
		if (n >= actions[i].n_min && n <= actions[i].n_max)
			return actions[i].run(arguments);
		fprintf(stderr, "trawlctl: definition %s: %s argument\n", names[i],
			n < actions[i].n_min ? "missing" : "unexpected");
		return EX_USAGE;
	}
	char *hint CLEANUP_FREE = str_hint(arguments->name, names, N_ACTIONS);
	fprintf(stderr, "trawlctl: there is no `definition %s`%s\n", arguments->name, hint);
	return EX_USAGE;
}
