/* trawlctl state move: from the SQLite file into a cluster, or back, while no trawld runs. Both
 * need a configuration with the cluster. */
#include "ctl/ctl.h"

#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/owner.h"
#include "store/postgresql/move.h"

/* Sinks whose position is worth something on this host only. */
static void find_host_sinks(const struct setup *setup, struct str_list *ret)
{
	for (size_t i = 0; i < setup->n_sinks; i++)
		if (setup->sinks[i]->kind->capabilities & SINK_EXACTLY_ONCE)
			str_list_add(ret, setup->sinks[i]->name);
}

static void print_done(const struct move_result *result, const char *from, const char *to)
{
	unsigned long long n = (unsigned long long)result->n_rows;
	unsigned long long n_waiting = (unsigned long long)result->n_waiting;
	if (result->undone) {
		puts("Nothing had been moved yet; the SQLite file is the state again.");
		return;
	}
	if (result->already) {
		printf("The state had been moved to %s already.\n", to);
		return;
	}
	printf("The state was moved from %s to %s: %llu row%s copied and compared, %llu record%s wait%s for sinks.\n",
		from, to, n, str_plural(n), n_waiting, str_plural(n_waiting),
		n_waiting == 1 ? "s" : "");
	if (*result->set_aside)
		printf("The old file is %s now.\n", result->set_aside);
}

static int failed(int r, const struct fault *fault)
{
	fprintf(stderr, "trawlctl: %s\n", fault->text);
	return r == STORE_E_FULL || r == STORE_E_LOCKED || r == STORE_E_REFUSED ? EX_TEMPFAIL
										: EX_CANTCREAT;
}

static int move(const struct setup *setup, bool to_postgresql)
{
	const struct config *config = setup->config;
	const char *directory = config->daemon.state_directory;
	struct str_list host_sinks CLEANUP(str_list_deinit) = STR_LIST_NULL;
	struct fault fault = FAULT_NULL;
	struct move_result result;
	char *cluster CLEANUP_FREE = mem_printf("the cluster %s", config->cluster.name);
	char *file CLEANUP_FREE = mem_printf("%s/trawld.db", directory);
	char *former CLEANUP_FREE = NULL;
	if (to_postgresql && !ctl_has_state(directory)) {
		fprintf(stderr, "trawlctl: there is no state in %s: nothing to move\n", directory);
		return EX_CANTCREAT;
	}
	int r = owner_check(directory, config->location, &former, &fault);
	if (r)
		return failed(r, &fault);
	struct cluster_plan plan;
	ctl_cluster_plan(setup, &plan);
	find_host_sinks(setup, &host_sinks);
	const struct move wanted = {
		.directory = directory,
		.cluster = &config->cluster,
		.plan = &plan,
		.host_sinks = &host_sinks,
	};
	r = to_postgresql ? move_to_postgresql(&wanted, &result, &fault)
			  : move_to_sqlite(&wanted, &result, &fault);
	ctl_cluster_plan_deinit(&plan);
	if (r)
		return failed(r, &fault);
	print_done(&result, to_postgresql ? file : cluster, to_postgresql ? cluster : file);
	ctl_tell_dead_letters(directory);
	if (!to_postgresql)
		puts("Set `state = sqlite` in [daemon] and remove [cluster], then start trawld.");
	return EX_OK;
}

int ctl_state(const struct ctl_arguments *arguments)
{
	bool to_postgresql = strcmp(arguments->to, "postgresql") == 0;
	if (strcmp(arguments->name, "move") != 0) {
		fprintf(stderr, "trawlctl: there is no `state %s`; expected move\n",
			arguments->name);
		return EX_USAGE;
	}
	if (!to_postgresql && strcmp(arguments->to, "sqlite") != 0) {
		fprintf(stderr,
			"trawlctl: state move: --to: expected postgresql or sqlite, not `%s`\n",
			arguments->to);
		return EX_USAGE;
	}
	struct setup *setup = ctl_setup(arguments);
	if (!setup)
		return EX_CONFIG;
	int code = ctl_cluster_configured(setup) ? move(setup, to_postgresql) : EX_CONFIG;
	setup_free(setup);
	return code;
}
