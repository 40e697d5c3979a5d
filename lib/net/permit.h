/*
 * May this process send anything? In a cluster, nothing leaves it once its lease is over, whoever
 * wants to send it: a source, a sink, or a credential that fetches a token. This is asked at the
 * last moment, when a connection is there and the first byte would go; what is on its way already
 * is not called back.
 */
#ifndef TRAWLD_NET_PERMIT_H
#define TRAWLD_NET_PERMIT_H

#include "base/fault.h"

#include <stdbool.h>

/* MAY_SEND answers from now on, for the whole process. NULL: it may, as at the beginning. */
void permit_set(bool (*may_send)(void *userdata), void *userdata);
/* 0: yes. -1: no, a fault of class FAULT_NETWORK. */
int permit_check(struct fault *reterr);

#endif
