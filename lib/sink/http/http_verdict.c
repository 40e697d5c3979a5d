/* See http_verdict.h. */
#include "sink/http/http_verdict.h"

#include <strings.h>

#include "net/outcome.h"

void http_verdict_be_patient(struct fault *fault)
{
	if (fault->wait_ns < HTTP_PATIENCE)
		fault->wait_ns = HTTP_PATIENCE;
}

/* The texts of wrong addresses say what to look at. */
static void verdict_blame_address(struct fault *fault)
{
	struct fault told = *fault;

	fault_set(fault, FAULT_CONFIG, "%s (is url right?)", told.text);
	fault->status = told.status;
	fault->wait_ns = told.wait_ns;
	http_verdict_be_patient(fault);
}

static enum http_verdict verdict_of_fault(struct fault *fault)
{
	switch (fault->class) {
	case FAULT_AUTH:
		return HTTP_RENEW;
	case FAULT_CONFIG:
		break;
	default:
		return HTTP_LATER;
	}
	switch (fault->status) {
	case 409:
	case 423:
		return HTTP_LATER;
	case 402:
	case 404:
	case 405:
	case 406:
	case 407:
	case 410:
	case 411:
	case 414:
	case 415:
	case 426:
	case 431:
	case 451:
		break;
	default:
		if (fault->status >= 400 && fault->status <= 499)
			return HTTP_HALVE;
		break;
	}
	verdict_blame_address(fault);
	return HTTP_LATER;
}

/* nginx says 400 with a page where a client certificate is missing or foreign, or TLS was not
 * spoken: no record is to blame. */
static bool verdict_is_tls_page(const struct http_response *response)
{
	static const char *const words[] = {"SSL certificate", "HTTPS port"};
	struct slice type = http_headers_get(&response->headers, "Content-Type");
	struct slice body = buf_slice(&response->body);

	if (response->status != 400 || type.size < 9 ||
		strncasecmp(type.data, "text/html", 9) != 0 || body.size == 0)
		return false;
	return memmem(body.data, body.size, words[0], strlen(words[0])) ||
	       memmem(body.data, body.size, words[1], strlen(words[1]));
}

enum http_verdict http_verdict(const struct http_encoding *encoding, struct http_part *part,
	const struct http_response *response, struct fault *fault)
{
	if (http_outcome(response, SLICE_NULL, clock_wall(), fault) != FAULT_NONE) {
		if (!verdict_is_tls_page(response))
			return verdict_of_fault(fault);
		http_verdict_be_patient(fault);
		return HTTP_LATER;
	}
	if (encoding->read && encoding->read(part, response, fault) != 0)
		return HTTP_LATER;
	return HTTP_TAKEN;
}
