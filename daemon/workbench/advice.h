/*
 * What trawld accepts in a definition though it is probably not meant: each rule has a name, and a
 * definition that has a reason to break it says so in a comment, `# Lint: NAME: REASON`, or (for a
 * retention that is not known) in its header.
 */
#ifndef TRAWLD_DAEMON_ADVICE_H
#define TRAWLD_DAEMON_ADVICE_H

#include "definition/definition.h"

struct advice {
	struct findings findings;
	struct findings accepted; /* the same, with the definition's reason */
};
#define ADVICE_NULL ((struct advice){FINDINGS_NULL, FINDINGS_NULL})

/* DEFINITION was loaded without errors. */
void advice_give(struct definition *definition, struct advice *advice);
void advice_deinit(struct advice *advice);

#endif
