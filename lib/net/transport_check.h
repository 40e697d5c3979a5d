/* What can be said about a transport before it is used: the files of certificates and keys, and the
 * address of a proxy. */
#ifndef TRAWLD_NET_TRANSPORT_CHECK_H
#define TRAWLD_NET_TRANSPORT_CHECK_H

#include "conf/ini.h"
#include "net/message.h"

/* Findings at the keys ca_file, client_cert, client_key and proxy of SECTION. */
void transport_check(const struct http_transport *transport, const struct ini_section *section,
	struct findings *findings);

#endif
