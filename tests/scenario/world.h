/*
 * What all parts of the driver share. A scenario outlives the processes that run it: each life of
 * the daemon is a child that may die in the middle, so what has to survive (the step, the clocks,
 * what was read of log and records) is in memory that the lives share.
 */
#ifndef TRAWLD_TESTS_SCENARIO_WORLD_H
#define TRAWLD_TESTS_SCENARIO_WORLD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/clock.h"

#define WORLD_LOG_LINES 4096
#define WORLD_FILES 16
#define WORLD_SERVED 8

struct world_file {
	char name[64];
	off_t offset; /* what was expected already */
};

struct step;

struct world {
	size_t step; /* the next one */
	nsec_t monotonic;
	nsec_t wall_ahead; /* wall clock less monotonic clock */
	nsec_t server_ahead; /* the same of the peer's clock */
	nsec_t deadline_at; /* of the step that waits; NSEC_NONE: none does */
	bool entered; /* the step has begun, and waits */
	bool running; /* a daemon is */
	bool ended; /* by itself, and no step has expected that yet */
	int exit_code;
	bool disk_full;
	bool log_read[WORLD_LOG_LINES]; /* the line was expected by a step */
	struct world_file files[WORLD_FILES];
	const struct step *served[WORLD_SERVED]; /* requests that are answered without a step */
};

extern struct world *world; /* NULL: the clocks are the system's */
extern const char *world_directory; /* of this scenario's files */

/* Ends this life and the scenario: `FILE:LINE: expected EXPECTED, got ...` on the report stream. */
_Noreturn void world_fail(const char *expected, const char *got, ...)
	__attribute__((format(printf, 2, 3)));
/* Ends this life; the scenario goes on in the next one. */
_Noreturn void world_end_life(void);

#endif
