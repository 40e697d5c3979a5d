/*
 * One record as one syslog message (RFC 5424, or the older form of RFC 3164), without framing.
 * Pure.
 *
 * Nothing of a record, an ID or a name can begin a second message: what stands before the message
 * text is cleaned or escaped, and the text itself is one line of JSON. No BOM goes before it:
 * receivers keep one as part of the text. PROCID is "-", so that a record sent again is the same to
 * the last byte.
 */
#ifndef TRAWLD_SINK_SYSLOG_FORMAT_H
#define TRAWLD_SINK_SYSLOG_FORMAT_H

#include "pipeline/sink.h"

/* No header is larger: a limit below this leaves no room for any text. */
#define SYSLOG_HEADER_MAX 1200

#define SYSLOG_ENTERPRISE_ID 32473 /* reserved for examples, RFC 5612 */

enum syslog_rfc { SYSLOG_RFC5424, SYSLOG_RFC3164 };

struct syslog_style {
	enum syslog_rfc rfc;
	bool plain; /* control characters of the record are written as \u00XX: for transports that
		       end a message with one, and always with RFC 3164 */
	unsigned facility; /* 0..23 */
	char *hostname; /* cleaned, or "-" */
	char *app_name;
	int64_t enterprise_id; /* of the structured data's name */
	enum record_format format; /* of the message text */
};

/* Copies and cleans; HOSTNAME NULL: this host's name. */
void syslog_style_init(struct syslog_style *style, const char *hostname, const char *app_name);
void syslog_style_deinit(struct syslog_style *style);

/* Appends the message. LIMIT: bytes it may have, 0: none, else more than SYSLOG_HEADER_MAX. Beyond
 * it the text is cut between two characters and, with RFC 5424, marked by truncated="true"; then
 * true is returned. NOW_TIME: for a record without a time of its own, where the form must have one.
 */
bool syslog_format(const struct syslog_style *style, unsigned severity,
	const struct sink_record *record, nsec_t now_time, size_t limit, struct buf *out);

/* `local0`, `auth`, `13`; false: there is none of this name. */
bool syslog_facility_parse(struct slice text, unsigned *ret);
/* `crit`, `warn`, `3`. NUMBERS: digits are allowed. */
bool syslog_severity_parse(struct slice text, bool numbers, unsigned *ret);
#define SYSLOG_SEVERITY_NAMES "emerg, alert, crit, err, warning, notice, info, debug"

#endif
