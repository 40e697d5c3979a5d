/*
 * The control socket that trawlctl(1) speaks to: a Unix stream socket, a line of JSON in
 * ({"command":"status"}), a line of JSON out. Mode 0660 with the group trawld, or 0600 where this
 * process cannot give it that group; who may connect is looked at once more at each peer. Size of a
 * request, number of clients and their silence have ceilings.
 *
 * Requests: {"command":"status"}, the same with "name":NAME, {"command":"poll"},
 * {"command":"poll","source":NAME},
 * {"command":"refill","source":NAME},
 * {"command":"reload"}, and with a reload {"command":"rename","name":NAME,"to":NEW}, "rename-sink",
 * {"command":"drop-sink","name":NAME}; {"command":"pause","name":NAME}, "resume",
 * "dead-letters-resend", "dead-letters-discard". Answers: {"ok":true,...} or
 * {"ok":false,"code":EXIT_CODE,"error":TEXT,...}.
 *
 * {"command":"tail"}, the same with "source":NAME: after the answer, each record is a line as it is
 * committed, in the form of an envelope; {"left_out":N} where the client is too slow.
 */
#ifndef TRAWLD_DAEMON_CONTROL_H
#define TRAWLD_DAEMON_CONTROL_H

struct control;
struct poller;
struct trawld;

/* Opens the socket that the configuration names. NULL: it is off, or could not be opened, which was
 * logged: the daemon goes on without. A socket file whose daemon is dead is replaced. */
struct control *control_new(struct trawld *trawld);
void control_free(struct control *control); /* NULL allowed; removes the socket file */

/* POLLER is about to go (reload): who waits for its poll is told. CONTROL may be NULL. */
void control_forget(struct control *control, const struct poller *poller);

#endif
