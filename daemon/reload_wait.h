/*
 * Before a reload: sinks that it changes or removes get nothing further, and what they have sent is
 * answered. Receivers that recognise no repeat would get it twice. A receiver that does not answer
 * is not waited for longer than 5 s.
 */
#ifndef TRAWLD_DAEMON_RELOAD_WAIT_H
#define TRAWLD_DAEMON_RELOAD_WAIT_H

#include <stdbool.h>

struct reload_wait;
struct trawld;

struct reload_wait *reload_wait_new(struct trawld *trawld);
void reload_wait_free(struct reload_wait *wait); /* NULL allowed */

/* May a reload begin? If not: asked AGAIN before the loop sleeps. Whoever asks while others wait,
 * waits, too. If nobody asks any more, the sinks continue as they are within a second. */
bool reload_wait_is_over(struct reload_wait *wait, bool again);
/* trawld_read_now is called when a reload may begin. */
void reload_wait_ask(struct reload_wait *wait);
/* It has been carried out, or will not be: sinks that are as they were continue. NULL allowed. */
void reload_wait_end(struct reload_wait *wait);

#endif
