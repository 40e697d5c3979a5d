/* The text of `connect =`, as libpq takes it. */
#ifndef TRAWLD_STORE_CONNINFO_H
#define TRAWLD_STORE_CONNINFO_H

#include "base/fault.h"

/* 0, or FAULT_CONFIG saying why trawld cannot use CONNECT: libpq does not understand it, it has
 * what trawld sets itself, records would go over a network in clear without a word that this is
 * wanted, or trawld was built without libpq. Connects to nothing. */
int conninfo_check(const char *connect, struct fault *reterr);

#endif
