/* trawlctl rewind: makes a source continue from another time. A running trawld does it; without one
 * the state is changed directly. */
#include "ctl/ctl.h"

#include <sysexits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "ctl/ctl_ask.h"
#include "rewind.h"

static int ask(const struct config *config, const struct rewind_request *rewind)
{
	json_t *answer = NULL;
	json_t *request = json_pack("{s:s, s:s, s:s, s:b}", "command", "rewind", "source",
		rewind->source, "to", rewind->to, "dry_run", rewind->dry_run);
	int code = ctl_ask(config, rewind->source, request, &answer);
	const char *text = json_string_value(json_object_get(answer, "text"));
	if (code == 0 && text)
		fputs(text, stdout);
	json_decref(answer);
	return code;
}

/* Only the daemon creates a state: created here, it could belong to another user. */
static int without_state(const struct config *config, const char *name)
{
	fprintf(stderr,
		"trawlctl: there is no state in %s yet; source %s starts at start = %s (change that instead)\n",
		config->daemon.state_directory, name, ctl_start_of(config, name));
	return EX_CANTCREAT;
}

static int rewind_state(const struct config *config, const struct rewind_request *request)
{
	struct fault fault = FAULT_NULL;
	struct store *store = NULL;
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	if (!ctl_may_have_state(config))
		return without_state(config, request->source);
	int r = ctl_open_state(&store, config, request->dry_run ? STORE_READ : STORE_OWN, &fault);
	if (r) {
		int code = ctl_store_failed(r, &fault);
		if (r == STORE_E_LOCKED)
			fputs("trawlctl: nothing was changed: the running trawld does not answer on its control socket (see control in trawld.conf(5)); stop trawld, and run this again\n",
				stderr);
		return code;
	}
	bool damaged;
	int code = rewind_source(store, request, &out, &damaged, &fault);
	store_close(store);
	if (code)
		fprintf(stderr, "trawlctl: %s\n", fault.text);
	fputs(buf_text(&out), stdout);
	return code;
}

static int run(const struct config *config, const struct ctl_arguments *arguments)
{
	struct ctl_secrets secrets;
	char *by CLEANUP_FREE = ctl_user();
	struct rewind_request request = {
		.source = arguments->name,
		.to = arguments->to,
		.by = by,
		.dry_run = arguments->dry_run,
	};
	if (ctl_can_ask(config))
		return ask(config, &request);
	if (!ctl_find_source(config, arguments->name))
		return ctl_unknown_source(arguments->name, config, NULL, 0);
	ctl_secrets_init(&secrets, config);
	request.definition = ctl_secrets_definition(&secrets, config, arguments->name);
	int code = rewind_state(config, &request);
	ctl_secrets_deinit(&secrets);
	return code;
}

int ctl_rewind(const struct ctl_arguments *arguments)
{
	struct fault fault = FAULT_NULL;
	int code = rewind_check(arguments->to, &fault);
	if (code) {
		fprintf(stderr, "trawlctl: %s\n", fault.text);
		return code;
	}
	struct config *config = ctl_config(arguments);
	if (!config)
		return EX_CONFIG;
	code = run(config, arguments);
	config_free(config);
	return code;
}
