/* Where a syslog sink sends to: `address = tls://logs.example.net:6514`. Pure. */
#ifndef TRAWLD_SINK_SYSLOG_ADDRESS_H
#define TRAWLD_SINK_SYSLOG_ADDRESS_H

#include "base/fault.h"
#include "net/stream.h"

struct syslog_address {
	enum http_stream_kind kind;
	bool relp;
	char *target; /* `host:port`, the port always there; a path for unix: */
};

/* unix:/path, udp:// (514), tcp:// (514), tls:// (6514), relp:// and relps:// (2514, the latter
 * inside TLS), with host or host:port; IPv6 addresses in brackets. 0, or FAULT_CONFIG. */
int syslog_address_parse(struct syslog_address *ret, const char *text, struct fault *reterr);
void syslog_address_deinit(struct syslog_address *address);

#endif
