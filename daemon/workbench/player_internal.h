/* Between the files that make up the player. */
#ifndef TRAWLD_DAEMON_PLAYER_INTERNAL_H
#define TRAWLD_DAEMON_PLAYER_INTERNAL_H

#include "workbench/player.h"

#include "base/idset.h"
#include "net/client.h"
#include "source/runner.h"

struct player {
	const struct source *source;
	const struct conversation *conversation;
	const struct variation *variation;
	struct played *played;

	/* the API */
	size_t next; /* the exchange that is expected */
	size_t current; /* that was answered last; n_items: none yet */
	unsigned n_injected; /* failures of the variation so far */
	bool repeating; /* VARIATION_TWICE: the conversation is over, its last poll comes again */
	size_t n_extra; /* requests since then */

	/* trawld's state, which a kill leaves */
	char *cursor;
	struct idset window, chain;
	struct str_list facts; /* `TIME ID` of each record */

	/* the process */
	unsigned n_failures;
	bool kill; /* as soon as the answer was taken */
	bool delivered; /* the last answer was */
	bool rested;
	bool over; /* the conversation does not say what would be answered */
	size_t n_checked; /* exchanges whose outcome was compared */
	int64_t n_expected;
	size_t n_facts_expected;
};

/* Ends the play. */
void player_fail(struct player *player, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The API's side; a http_answer_fn. */
void player_answer(
	const struct http_message *message, struct http_response *response, void *player);
/* RECORDS would be empty, and its cursor another one. False: it cannot be made so. */
bool player_empty_page(const struct player *player, const struct exchange *exchange,
	struct http_response *response);

#endif
