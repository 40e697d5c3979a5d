/*
 * Elements of a source's pages that cannot be records (bad_element = quarantine): each is kept in
 * STATE/dead-letters/source:NAME.ndjson before the cursor moves past it, told and counted.
 *
 * What a page holds that is read again is not kept again, by the rules of the records without an ID
 * (enum record_scope); after a restart it may be.
 */
#ifndef TRAWLD_PIPELINE_QUARANTINE_H
#define TRAWLD_PIPELINE_QUARANTINE_H

#include "base/fault.h"
#include "base/log.h"
#include "base/record.h"

struct quarantine;

/* SOURCE outlives it. */
struct quarantine *quarantine_new(const char *state_directory, const struct log_subject *source);
void quarantine_free(struct quarantine *quarantine); /* NULL allowed */

/* 0, or FAULT_STORE: nothing was kept. */
int quarantine_take(
	struct quarantine *quarantine, const struct bad_elements *bad, struct fault *reterr);
uint64_t quarantine_count(const struct quarantine *quarantine); /* since start */

#endif
