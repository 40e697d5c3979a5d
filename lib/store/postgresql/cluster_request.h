/*
 * What a person asks of the holders of shards, whichever hosts they are on: a row of the table
 * requests for each shard, which its holder carries out and answers (requests.c). A request that
 * nobody has taken in time is withdrawn, and is never carried out.
 */
#ifndef TRAWLD_STORE_CLUSTER_REQUEST_H
#define TRAWLD_STORE_CLUSTER_REQUEST_H

#include "conf/cluster_options.h"
#include "store/database.h"

struct cluster_question {
	const char *source; /* whose shard is asked; NULL: all shards are */
	const char *text; /* JSON, as through the control socket */
	const char *by; /* who asks */
	nsec_t patience_ns;
};

struct cluster_answer {
	char id[37];
	int64_t shard;
	char *node; /* that holds the shard; NULL: none */
	bool taken; /* so it may have been carried out, or may still be */
	char *text; /* JSON; NULL: no answer has come */
};

struct cluster_answers {
	struct cluster_answer *items; /* of each shard that was asked */
	size_t n_items;
	bool sure; /* the source has a state in the shard that was asked */
};

/* Asks and waits for the answers. 0: *RET has what has come; else STORE_E_*: nothing is known of an
 * answer, and *RETERR says whether anything was asked. */
int cluster_ask(struct cluster_answers *ret, const struct cluster_options *options,
	const struct cluster_question *question, struct fault *reterr);
void cluster_answers_deinit(struct cluster_answers *answers);

#endif
