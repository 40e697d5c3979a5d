/*
 * From accepted records to the spool: what is known is dropped, what is new becomes a batch, and
 * the batch goes into the next commit together with the cursor that follows it. One intake a
 * source.
 */
#ifndef TRAWLD_PIPELINE_INTAKE_H
#define TRAWLD_PIPELINE_INTAKE_H

#include "base/log.h"
#include "base/record.h"
#include "pipeline/committer.h"
#include "store/commit.h"

struct intake;

struct intake_setup {
	struct store *store;
	struct committer *committer;
	const char *source;
	const struct log_subject *subject; /* the source's; outlives the intake */
	const char *provider;
	commit_done_fn committed; /* each batch once it is durable (fanout_committed) */
	void *userdata;
};

struct intake *intake_new(const struct intake_setup *setup);
void intake_free(struct intake *intake);

/* As runner_callbacks.accept and .known, USERDATA being the intake. */
void intake_accept(const struct record_batch *accepted, void *intake);
bool intake_known(const struct record *record, void *intake);

/* An intake for what is read again of SOURCE's time from FROM_TIME on, beside it: both know what
 * either accepts. No cursor moves. At most one at a time; to be freed before SOURCE is. */
struct intake *intake_new_errand(struct intake *source, nsec_t from_time);

/* Keys from TIME on are kept in the state, however old they are; NSEC_NONE: only those that polls
 * need. */
void intake_keep_keys(struct intake *intake, nsec_t time);
/* From now on the times of records are kept beside their keys. */
void intake_keep_times(struct intake *intake);

/* Is the dedupe window, from HORIZON on (NSEC_NONE: all), in memory? To be called before a poll
 * whose records have to be looked up. 0: it is. STORE_E_WAIT: it is being read, between other work
 * of the loop; the function of intake_on_loaded is called when it is time to ask again. Else
 * STORE_E_*: it cannot be read now, or (STORE_E_CORRUPT) never. */
int intake_ready(struct intake *intake, nsec_t horizon, struct fault *reterr);
/* Who is told. */
void intake_on_loaded(struct intake *intake, void (*loaded)(void *userdata), void *userdata);

struct intake_status {
	uint64_t n_records; /* accepted since start */
	uint64_t n_duplicates;
	uint64_t n_reused; /* of them: it shows that they differ from what was accepted */
	uint64_t n_bytes;
	size_t window_size;
};
void intake_status(const struct intake *intake, struct intake_status *ret);

#endif
