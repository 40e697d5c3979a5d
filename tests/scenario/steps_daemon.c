/* Steps that start and end the daemon. */
#include "step.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "daemon_life.h"
#include "leftovers.h"

#define EXIT_WAIT NSEC_PER_HOUR /* shutdown_timeout is shorter */

void steps_daemon_leftovers(void)
{
	if (world->ended)
		world_fail("the daemon to run on", "exit code %d", world->exit_code);
}

static enum step_result start(const struct step *step)
{
	if (world->running)
		world_fail("`kill` or `stop` before the next start", "`start`");
	steps_daemon_leftovers();
	daemon_life_arguments(step->argument);
	return STEP_START;
}

static enum step_result kill_it(const struct step *step)
{
	(void)step;
	if (!world->running)
		world_fail("a daemon that runs", "none");
	world->step++;
	world_end_life();
}

/* A kill, then a start in the next life. */
static enum step_result restart(const struct step *step)
{
	if (world->running)
		world_end_life();
	return start(step);
}

static enum step_result compare_code(const char *expected)
{
	char got[16];
	snprintf(got, sizeof(got), "%d", world->exit_code);
	if (strcmp(*expected ? expected : "0", got) != 0)
		world_fail(*expected ? expected : "0", "exit code %d", world->exit_code);
	world->ended = false;
	return STEP_DONE;
}

static enum step_result expect_exit(const struct step *step)
{
	if (world->ended)
		return compare_code(step->argument);
	if (!world->running)
		world_fail("a daemon that runs", "none");
	if (!step_waits(EXIT_WAIT))
		world_fail("the daemon to end", "it runs on");
	return STEP_WAIT;
}

static enum step_result stop(const struct step *step)
{
	if (!world->entered && world->running) {
		world->entered = true;
		kill(getpid(), SIGTERM);
		return STEP_AGAIN; /* the loop sees it before time passes */
	}
	return expect_exit(step);
}

static enum step_result send_signal(const struct step *step)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = {{"TERM", SIGTERM}, {"INT", SIGINT}, {"HUP", SIGHUP}, {"USR1", SIGUSR1},
		{"USR2", SIGUSR2}};
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (strcmp(step->argument, signals[i].name) == 0) {
			kill(getpid(), signals[i].number);
			return STEP_TURN;
		}
	world_fail("TERM, INT, HUP, USR1 or USR2", "`%s`", step->argument);
}

static _Noreturn void become_second(const char *options)
{
	struct str_list arguments = STR_LIST_NULL;
	str_list_split(&arguments, SLICE("scenario --trawld -c"), ' ');
	str_list_add(&arguments, daemon_life_configuration());
	str_list_split(&arguments, slice_of(options), ' ');
	arguments.items = mem_resize(arguments.items, (arguments.n_items + 1) * sizeof(char *));
	arguments.items[arguments.n_items] = NULL;
	dup2(daemon_life_open_log(), STDERR_FILENO);
	setenv("JOURNAL_STREAM", "0:0", 1);
	alarm(20); /* it is expected to end */
	execv("/proc/self/exe", arguments.items);
	_exit(127);
}

/* Another process, beside the first daemon or alone. Its exit code is compared at once. */
static enum step_result second(const struct step *step)
{
	int status = 0;
	size_t size = strcspn(step->argument, " ");
	pid_t child = fork();
	if (child == 0)
		become_second(step->argument + size);
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		world_fail("a second trawld", "none, or a signal");
	char *code CLEANUP_FREE = mem_printf("%d", WEXITSTATUS(status));
	if (strlen(code) != size || strncmp(step->argument, code, size) != 0)
		world_fail(step->argument, "exit code %s", code);
	return STEP_DONE;
}

const struct step_kind steps_daemon[] = {
	{"start", start},
	{"kill", kill_it},
	{"restart", restart},
	{"stop", stop},
	{"expect exit", expect_exit},
	{"signal", send_signal},
	{"second", second},
	{NULL, NULL},
};
