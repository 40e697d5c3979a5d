/* See http_verdict.h. */
#include "sink/http/http_verdict.h"

#include <ctype.h>
#include <strings.h>

#include "net/outcome.h"

void http_verdict_be_patient(struct fault *fault)
{
	if (fault->wait_ns < HTTP_PATIENCE)
		fault->wait_ns = HTTP_PATIENCE;
}

unsigned http_verdict_strikes(const struct fault *fault, unsigned most)
{
	if (most == HTTP_STRIKES)
		return most; /* no other request can tell */
	switch (fault->class) {
	case FAULT_THROTTLED:
	case FAULT_SERVER:
		return 1;
	case FAULT_NETWORK:
	case FAULT_TIMEOUT:
		return HTTP_STRIKES;
	default:
		return most; /* a person is needed */
	}
}

/* The address, or what it names, is wrong. */
static bool verdict_blames_address(int status)
{
	return (status >= 300 && status < 400) || status == 404 || status == 405 || status == 410 ||
	       status == 414 || status == 421;
}

static void verdict_advise(struct fault *fault, const char *advice)
{
	struct fault told = *fault;

	fault_set(fault, FAULT_CONFIG, "%s (%s)", told.text, advice);
	fault->status = told.status;
	fault->wait_ns = told.wait_ns;
}

/* A 4xx that is not listed blames no record: what is there beyond the standard speaks of sessions,
 * rates, certificates and clients that left. */
static enum http_verdict verdict_of_fault(struct fault *fault)
{
	if (fault->class == FAULT_AUTH)
		return HTTP_RENEW;
	if (fault->class != FAULT_CONFIG)
		return HTTP_LATER;
	switch (fault->status) {
	case 400:
	case 413:
	case 422:
		return HTTP_HALVE;
	case 409:
	case 423:
		return HTTP_LATER;
	default:
		if (verdict_blames_address(fault->status))
			verdict_advise(fault, "check url");
		http_verdict_be_patient(fault);
		return HTTP_LATER;
	}
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

/* The receiver names what is wrong with itself. */
static bool verdict_is_own_trouble(const struct http_encoding *encoding,
	const struct http_response *response, struct fault *fault)
{
	const char *advice = NULL;

	if ((response->status != 400 && response->status != 422) || !encoding->is_own_trouble ||
		!encoding->is_own_trouble(response, &advice))
		return false;
	if (advice)
		verdict_advise(fault, advice);
	return true;
}

void http_verdict_words(const char *text, struct buf *out)
{
	while (*text) {
		size_t letters = 0, digits = 0, size = 0;

		for (; isalnum((unsigned char)text[size]) || text[size] == '-' || text[size] == '_';
			size++) {
			letters += isalpha((unsigned char)text[size]) != 0;
			digits += isdigit((unsigned char)text[size]) != 0;
		}
		if (size >= 16 && letters > 0 && digits > 0)
			buf_append_char(out, '*');
		else
			buf_append(out, text, size > 0 ? size : 1);
		text += size > 0 ? size : 1;
	}
}

enum http_verdict http_verdict(const struct http_encoding *encoding, struct http_part *part,
	const struct http_response *response, struct fault *fault)
{
	if (http_outcome(response, SLICE_NULL, clock_wall(), fault) != FAULT_NONE) {
		if (!verdict_is_tls_page(response) &&
			!verdict_is_own_trouble(encoding, response, fault))
			return verdict_of_fault(fault);
		http_verdict_be_patient(fault);
		return HTTP_LATER;
	}
	if (encoding->read && encoding->read(part, response, fault) != 0)
		return HTTP_LATER;
	return HTTP_TAKEN;
}
