/*
 * The client's half of RELP (Reliable Event Logging Protocol, version 0), without input or output:
 * frames to be sent are appended to a buffer, bytes received are handed in. librelp's client waits
 * inside its calls for the network, which would stop the daemon's one loop; the protocol is small.
 *
 *   TXNR SP COMMAND SP DATALEN [SP DATA] LF
 *
 * `open` first, then up to RELP_WINDOW `syslog` frames without an answer, each answered by `rsp`
 * with its TXNR and 200 once the receiver has taken the message.
 */
#ifndef TRAWLD_SINK_RELP_H
#define TRAWLD_SINK_RELP_H

#include "base/buf.h"
#include "base/fault.h"

#define RELP_WINDOW 128
#define RELP_TXNR_MAX 999999999u

enum relp_state { RELP_OPENING, RELP_OPEN };

struct relp {
	enum relp_state state;
	unsigned oldest; /* TXNR of the oldest frame without an answer */
	unsigned n_outstanding; /* frames from there on, answered or not */
	bool answered[RELP_WINDOW]; /* a ring */
	unsigned first; /* the oldest frame's place in it */
	struct buf in; /* an answer that is not whole yet */
};

/* A new session: appends the `open` frame. */
void relp_begin(struct relp *relp, struct buf *out);
void relp_deinit(struct relp *relp);

bool relp_has_room(const struct relp *relp); /* open, and the window is not full */
void relp_send(struct relp *relp, struct slice message, struct buf *out);
void relp_end(struct relp *relp, struct buf *out); /* appends `close` */

/* Reads answers. *RET_CONFIRMED grows by the number of messages that, in the order of relp_send,
 * are now known to be taken. 0, or a fault: the session is of no more use. */
int relp_receive(
	struct relp *relp, struct slice bytes, size_t *ret_confirmed, struct fault *reterr);

#endif
