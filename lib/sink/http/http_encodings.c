/* The array of encodings. A new one is one file and one row in each list here. */
#include "sink/http/http_encoding.h"

const struct http_encoding *const http_encodings[] = {
	&http_ndjson,
	&http_json_array,
	&http_bulk,
	&http_loki,
	&http_splunk,
	&http_otlp,
};

const char *const http_encoding_names[] = {
	"ndjson",
	"json_array",
	"elasticsearch",
	"loki",
	"splunk_hec",
	"otlp",
	NULL,
};
