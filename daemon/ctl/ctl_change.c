/*
 * trawlctl rename, rename-sink, drop-sink: what a changed configuration would strand is given
 * another name, or dropped. A running trawld does it, together with a reload, since the changed
 * configuration is to be used at the same moment; without one the state is changed directly.
 */
#include "ctl/ctl.h"

#include <sysexits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "ctl/ctl_control.h"
#include "pipeline/deadletter.h"
#include "roster.h"

static void print_done(const struct routes_change *change, bool reloaded)
{
	unsigned long long n = change->n_records;
	const char *s = str_plural(n);
	switch (change->command) {
	case ROUTES_DROP_SINK:
		printf("sink %s: %llu record%s dropped\n", change->name, n, s);
		break;
	case ROUTES_RENAME_SINK:
		printf("sink %s continues sink %s; %llu record%s wait%s for it\n", change->to,
			change->name, n, s, n == 1 ? "s" : "");
		break;
	case ROUTES_RENAME_SOURCE:
		printf("source %s continues source %s at its cursor; %llu record%s wait%s for sinks\n",
			change->to, change->name, n, s, n == 1 ? "s" : "");
		if (change->merged)
			printf("%s has read records itself since. They are recognized as duplicates, unless its\ndefinition needs no dedupe window: then they are delivered again.\n",
				change->to);
		break;
	}
	if (reloaded)
		puts("The running trawld has reloaded the configuration.");
}

/* --- in the running trawld --- */

static const char *const command_names[] = {
	[ROUTES_DROP_SINK] = "drop-sink",
	[ROUTES_RENAME_SINK] = "rename-sink",
	[ROUTES_RENAME_SOURCE] = "rename",
};

static int ask(const char *path, struct routes_change *change)
{
	json_t *answer = NULL;
	json_t *request = json_pack("{s:s, s:s, s:s*}", "command", command_names[change->command],
		"name", change->name, "to", change->to);
	if (!request) {
		fputs("trawlctl: the name is not valid UTF-8\n", stderr);
		return EX_USAGE;
	}
	int code = ctl_control_ask(path, request, 0, &answer);
	if (ctl_control_print_reload(answer, code) > 0 && code)
		fputs("trawlctl: nothing was changed; if several commands are needed, stop trawld, run them, and start it again\n",
			stderr);
	change->n_records = (uint64_t)json_integer_value(json_object_get(answer, "records"));
	change->merged = json_is_true(json_object_get(answer, "merged"));
	if (code == 0)
		print_done(change, true);
	json_decref(answer);
	return code;
}

/* --- in the state --- */

static int failed(int r, const struct fault *fault)
{
	int code = ctl_store_failed(r, fault);
	if (r == STORE_E_LOCKED)
		fputs("trawlctl: it cannot be asked (see control in trawld.conf(5)): nothing was changed; stop it, and run this again\n",
			stderr);
	return r == STORE_E_UNKNOWN ? EX_USAGE : r == STORE_E_REFUSED ? EX_CONFIG : code;
}

static int change_state(const struct config *config, struct routes_change *change)
{
	struct roster roster CLEANUP(roster_deinit) = {0};
	struct fault fault = FAULT_NULL;
	struct store *store = NULL;
	const char *directory = config->daemon.state_directory;
	if (!ctl_may_have_state(config)) {
		fprintf(stderr, "trawlctl: there is no state in %s: nothing waits\n", directory);
		return EX_CANTCREAT;
	}
	int r = ctl_open_state(&store, config, STORE_OWN, &fault);
	if (r)
		return failed(r, &fault);
	char *by CLEANUP_FREE = ctl_user();
	change->by = by;
	roster_init(&roster, config, NULL, NULL);
	if (change->command == ROUTES_RENAME_SINK)
		r = deadletter_check_name(directory, change->to, &fault);
	if (!r)
		r = routes_change(store, &roster.configuration, change, &fault);
	store_close(store);
	change->by = NULL;
	if (r)
		return failed(r, &fault);
	print_done(change, false);
	r = change->command == ROUTES_RENAME_SINK
		    ? deadletter_rename(directory, change->name, change->to)
		    : 0;
	if (r)
		fprintf(stderr,
			"trawlctl: cannot rename %s/dead-letters/%s.ndjson: %s; the dead letters stay there\n",
			directory, change->name, strerror(-r));
	return 0;
}

static int run(const struct ctl_arguments *arguments, enum routes_command command)
{
	struct routes_change change = {
		.command = command, .name = arguments->name, .to = arguments->new_name};
	struct config *config = ctl_config(arguments);
	if (!config)
		return EX_CONFIG;
	const char *control = config->daemon.control;
	int code = strcmp(control, "off") != 0 && ctl_control_answers(control)
			   ? ask(control, &change)
			   : change_state(config, &change);
	config_free(config);
	return code;
}

int ctl_rename(const struct ctl_arguments *arguments)
{
	return run(arguments, ROUTES_RENAME_SOURCE);
}

int ctl_rename_sink(const struct ctl_arguments *arguments)
{
	return run(arguments, ROUTES_RENAME_SINK);
}

int ctl_drop_sink(const struct ctl_arguments *arguments)
{
	return run(arguments, ROUTES_DROP_SINK);
}
