/* The sources at work. */
#ifndef TRAWLD_DAEMON_POLLERS_H
#define TRAWLD_DAEMON_POLLERS_H

#include "poller.h"

struct pollers {
	struct poller **items;
	size_t n_items;
};

/* NULL: none has this NAME, which may be NULL. */
struct poller *pollers_find(const struct pollers *pollers, const char *name);
/* Takes POLLER over; those from index AT on come after it. */
void pollers_insert(struct pollers *pollers, size_t at, struct poller *poller);
/* Frees POLLER; the others keep their order. The index that it had. */
size_t pollers_remove(struct pollers *pollers, struct poller *poller);
/* All have caught up at least once, or were given up, or are paused. */
bool pollers_have_rested(const struct pollers *pollers);
void pollers_deinit(struct pollers *pollers);

#endif
