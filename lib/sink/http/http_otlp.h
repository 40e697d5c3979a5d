/* What both forms of OpenTelemetry logs (http_otlp.c: JSON, http_otlp_protobuf.c) share. */
#ifndef TRAWLD_SINK_HTTP_OTLP_H
#define TRAWLD_SINK_HTTP_OTLP_H

#include "sink/http/http_encoding.h"

/* The receiver rejected N records of the part, or some of them (-1), and says WORDS (or nothing):
 * which ones is not known, so all are refused. */
void http_otlp_refuse(struct http_part *part, int64_t n, struct slice words);

/* An answer in JSON; one in no form that is known says that all is taken. */
int http_otlp_read(
	struct http_part *part, const struct http_response *response, struct fault *reterr);

#endif
