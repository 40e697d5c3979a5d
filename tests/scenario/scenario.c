/*
 * Runs one scenario: real trawld, a scripted HTTP peer, virtual time. See README for the language.
 *
 * Each life of the daemon is a child process: in it the daemon's own main() runs, and whenever its
 * loop would sleep the script goes on (virtual_time.h). A step that kills the daemon ends the
 * child, as SIGKILL would, and the next child goes on with the next step.
 *
 * usage: scenario FILE
 *        scenario --trawld OPTION...    trawld itself, in real time (the step `second`)
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon_life.h"
#include "leftovers.h"
#include "script.h"
#include "step.h"
#include "virtual_time.h"
#include "world.h"

#define BEGIN_TIME (INT64_C(1767225600) * NSEC_PER_SEC) /* 2026-01-01T00:00:00Z */
#define BEGIN_AT (1000 * NSEC_PER_SEC)

enum { LIFE_WHOLE, LIFE_NEXT = 3, LIFE_FAILED = 4 };

struct world *world;
const char *world_directory;

static struct script script;
static FILE *report; /* standard error of the parent: the daemon's own goes to the log */

static const struct step *current_step(void)
{
	return &script.steps[world->step < script.n_steps ? world->step : script.n_steps - 1];
}

void world_fail(const char *expected, const char *got, ...)
{
	const struct step *step = current_step();
	va_list args;
	fprintf(report, "%s:%u: expected %s, got ", step->file, step->line, expected);
	va_start(args, got);
	vfprintf(report, got, args);
	va_end(args);
	fputs(world->step < script.n_steps ? "\n" : " (after the last step)\n", report);
	fflush(report);
	_exit(LIFE_FAILED);
}

void world_end_life(void)
{
	_exit(LIFE_NEXT);
}

static void next_step(void)
{
	world->step++;
	world->deadline_at = NSEC_NONE;
	world->entered = false;
}

static void look_for_leftovers(void)
{
	steps_daemon_leftovers();
	steps_peer_leftovers();
	steps_files_leftovers();
	steps_log_leftovers();
}

/* Before the daemon, and after its end. Returns when it is to start. */
static void run_steps_alone(void)
{
	world->running = false;
	for (;;) {
		if (world->step == script.n_steps) {
			look_for_leftovers();
			_exit(LIFE_WHOLE);
		}
		const struct step *step = current_step();
		enum step_result result = step->kind->run(step);
		if (result == STEP_WAIT)
			virtual_time_pass(world->deadline_at - world->monotonic);
		else if (result == STEP_AGAIN)
			world_fail("a daemon that runs", "none");
		else
			next_step();
		if (result == STEP_START)
			return;
	}
}

/* After the last step the daemon is stopped, so that its own end is part of every scenario. */
static nsec_t run_end(nsec_t timeout_ns)
{
	if (!world->entered) {
		look_for_leftovers();
		world->entered = true;
		raise(SIGTERM);
		return 0;
	}
	if (timeout_ns == NSEC_NONE || !step_waits(NSEC_PER_HOUR))
		world_fail("the daemon to end after SIGTERM", "it runs on");
	return timeout_ns;
}

static nsec_t run_steps(nsec_t timeout_ns)
{
	if (steps_peer_serve())
		return 0;
	while (world->step < script.n_steps) {
		const struct step *step = current_step();
		enum step_result result = step->kind->run(step);
		nsec_t left_ns = world->deadline_at - world->monotonic;
		switch (result) {
		case STEP_WAIT:
			return timeout_ns == NSEC_NONE || timeout_ns > left_ns ? left_ns
									       : timeout_ns;
		case STEP_AGAIN:
			return 0;
		case STEP_TURN:
			next_step();
			return 0;
		case STEP_DONE:
		case STEP_START:
			next_step();
		}
	}
	return run_end(timeout_ns);
}

static _Noreturn void live(void)
{
	virtual_time_start(run_steps);
	run_steps_alone();
	world->running = true;
	world->exit_code = daemon_life_run();
	if (world->step == script.n_steps)
		_exit(LIFE_WHOLE);
	world->ended = true;
	world_end_life();
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static void print_log(void)
{
	char line[4096];
	FILE *log = fopen(daemon_life_log(), "r");
	fputs("the log:\n", report);
	while (log && fgets(line, sizeof(line), log))
		fprintf(report, "  %s", line);
	if (log)
		fclose(log);
}

static int run(void)
{
	int status, code;
	do {
		pid_t child = fork();
		if (child == 0)
			live();
		if (child < 0 || waitpid(child, &status, 0) != child)
			return EXIT_FAILURE;
		code = WIFEXITED(status) ? WEXITSTATUS(status) : LIFE_FAILED;
		if (WIFSIGNALED(status))
			fprintf(report, "%s:%u: the daemon died of signal %d (%s)\n",
				current_step()->file, current_step()->line, WTERMSIG(status),
				strsignal(WTERMSIG(status)));
	} while (code == LIFE_NEXT);
	if (code == LIFE_WHOLE)
		return EXIT_SUCCESS;
	if (code != LIFE_FAILED)
		fprintf(report, "%s:%u: this life ended with code %d\n", current_step()->file,
			current_step()->line, code);
	print_log();
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--trawld") == 0)
		return trawld_main(argc - 1, argv + 1);
	const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	char *directory = mem_printf("%s/scenario-XXXXXX", memory);
	if (argc != 2 || !mkdtemp(directory)) {
		fputs("usage: scenario FILE\n", stderr);
		return EXIT_FAILURE;
	}
	report = fdopen(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), "w");
	world_directory = directory;
	struct world *shared = mmap(
		NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	script_read(&script, argv[1], directory);
	*shared = (struct world){.monotonic = BEGIN_AT,
		.wall_ahead = BEGIN_TIME - BEGIN_AT,
		.server_ahead = BEGIN_TIME - BEGIN_AT,
		.deadline_at = NSEC_NONE};
	world = shared;
	int code = run();
	nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(directory);
	return code;
}
