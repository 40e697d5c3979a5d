/*
 * One run of trawlctl verify: the files that were named, their seals and keys, and what all steps
 * of verify.h found. Also for trawlctl report, which says the same of archives.
 */
#ifndef TRAWLD_DAEMON_CTL_VERIFICATION_H
#define TRAWLD_DAEMON_CTL_VERIFICATION_H

#include "ctl/verify.h"
#include "ctl/verify_set.h"

/* What is found, and the exit codes of verify, with those of sysexits.h. */
enum { VERIFY_GOOD, VERIFY_CHANGED, VERIFY_WEAK };

struct verification_request {
	char *const *names; /* of files */
	int n_names;
	const char *key, *anchor, *events, *tsa_ca; /* paths; NULL: not given */
};

struct verification {
	struct verify_set set;
	struct verify_keys keys;
	struct verify_chains chains, anchors;
	struct verify_runs runs;
	struct verify_report report;
	bool anchored;
	struct token_authorities *authorities; /* NULL: not given */
};

/* 0, or an exit code after the reason was printed; *VERIFICATION, all zero before, is to be
 * deinitialised in each case. With PROOF only the first file is looked at, for that line. */
int verification_run(struct verification *verification, const struct verification_request *request,
	struct verify_proof *proof);
void verification_deinit(struct verification *verification);

/* VERIFY_... */
int verification_result(const struct verification *verification);
/* One object, as `verify --json` prints it. */
void verification_print_json(const struct verification *verification, struct buf *out);

/* Prints why the file at PATH cannot be read (-errno); the exit code. */
int verification_failed(const char *path, int r);

#endif
