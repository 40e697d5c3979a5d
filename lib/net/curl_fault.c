/*
 * libcurl's codes in our words, at the border and nowhere else. The texts name the host, how far
 * the request got, and what a person can do; never a path, a query, a header or a body.
 */
#include "net/client_internal.h"

#include <openssl/x509_vfy.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/timestamp.h"

#include "net/url.h"

/* A name that the headers of libcurl before 8.6 do not have; which libcurl runs is another matter.
 */
#define TOO_LARGE 100 /* CURLE_TOO_LARGE */

char *curl_fault_size(uint64_t size)
{
	static const struct {
		uint64_t unit;
		const char *name;
	} units[] = {{1024 * 1024, "MiB"}, {1024, "KiB"}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (size >= units[i].unit && size % units[i].unit == 0)
			return mem_printf("%llu %s", (unsigned long long)(size / units[i].unit),
				units[i].name);
	}
	return mem_printf("%llu bytes", (unsigned long long)size);
}

/* libcurl's own sentence about this failure, or its general one. Used for TLS only, where the
 * reason is not to be had otherwise. */
static const char *reason(const struct http_request *request, CURLcode result)
{
	static const char prefix[] = "SSL certificate problem: ";

	if (!request->error[0])
		return curl_easy_strerror(result);
	if (strncmp(request->error, prefix, sizeof(prefix) - 1) == 0)
		return request->error + sizeof(prefix) - 1;
	return request->error;
}

static curl_off_t info_size(struct http_request *request, CURLINFO what)
{
	curl_off_t value = 0;

	curl_easy_getinfo(request->easy, what, &value);
	return value;
}

/* Where the peer seems to speak the other one of http and https. */
static const char *scheme_hint(const struct http_request *request)
{
	return strncmp(request->url, "https:", 6) == 0 ? " (does it speak http?)"
						       : " (does it expect https?)";
}

/* Connected, but TLS did not come about: with the peer, not with a proxy before it. */
static bool is_in_handshake(struct http_request *request)
{
	return strncmp(request->url, "https:", 6) == 0 && !request->transport.proxy &&
	       request->tls_begun;
}

/* Without user and password, as a text to follow "the proxy". */
static char *proxy_name(const struct http_request *request)
{
	const char *proxy = request->transport.proxy;
	const char *host = strstr(proxy, "://");
	const char *at;

	host = host ? host + 3 : proxy;
	at = strrchr(host, '@');
	host = at ? at + 1 : host;
	return mem_printf(" %.*s", (int)strcspn(host, "/"), host);
}

static void fault_timeout(struct http_request *request, const char *host)
{
	CLEANUP(buf_deinit) struct buf after = BUF_NULL;
	curl_off_t size = info_size(request, CURLINFO_SIZE_DOWNLOAD_T);
	bool connected = info_size(request, CURLINFO_PRETRANSFER_TIME_T) > 0;
	bool resolved = info_size(request, CURLINFO_NAMELOOKUP_TIME_T) > 0;
	nsec_t elapsed = clock_monotonic() - request->started_at;

	timestamp_print_duration(
		(elapsed + NSEC_PER_MSEC / 2) / NSEC_PER_MSEC * NSEC_PER_MSEC, &after);
	if (!connected && is_in_handshake(request))
		fault_set(&request->response.fault, FAULT_TIMEOUT,
			"timed out after %s in the TLS handshake with %s%s", buf_text(&after), host,
			scheme_hint(request));
	else if (!connected)
		fault_set(&request->response.fault, FAULT_TIMEOUT, "timed out after %s %s %s",
			buf_text(&after), resolved ? "connecting to" : "looking up", host);
	else if (request->response.status == 0)
		fault_set(&request->response.fault, FAULT_TIMEOUT,
			"timed out after %s waiting for an answer from %s", buf_text(&after), host);
	else
		fault_set(&request->response.fault, FAULT_TIMEOUT,
			"timed out after %s in the middle of the answer from %s (%lld bytes came)",
			buf_text(&after), host, (long long)size);
}

static void fault_connect(struct http_request *request, const char *host)
{
	CLEANUP_FREE char *proxy = request->transport.proxy ? proxy_name(request) : NULL;
	long error = 0;

	curl_easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &error);
	fault_set(&request->response.fault, FAULT_NETWORK, "cannot connect to %s%s%s: %s", host,
		proxy ? " through the proxy" : "", proxy ? proxy : "",
		error ? strerror((int)error) : "no address answered");
}

/* Is the issuer of the certificate unknown, so that its CA's file would help? By OpenSSL's number:
 * its words differ from version to version. */
static bool is_issuer_unknown(struct http_request *request)
{
	long code = X509_V_OK;

	curl_easy_getinfo(request->easy, CURLINFO_SSL_VERIFYRESULT, &code);
	return code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
	       code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
	       code == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
	       code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
	       code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
}

static void fault_verify(struct http_request *request, CURLcode result, const char *host)
{
	fault_set(&request->response.fault, FAULT_NETWORK,
		"the TLS certificate of %s is not accepted: %s%s", host, reason(request, result),
		is_issuer_unknown(request)
			? " (a certificate of a private CA needs that CA's file: set ca_file)"
			: "");
}

/* What came is not a TLS record: OpenSSL to 3.1; from 3.2 on it looks at the length first, and that
 * of `HTTP/` is 20,527. */
static bool is_not_tls(const char *why)
{
	return strstr(why, "wrong version number") || strstr(why, "packet length too long");
}

/* libcurl's code for a proxy that refuses differs from version to version; what the proxy said does
 * not. */
static bool fault_of_proxy(struct http_request *request, const char *host)
{
	long status = 0;

	curl_easy_getinfo(request->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	if (status / 100 <= 2)
		return false;
	fault_set(&request->response.fault, FAULT_NETWORK,
		"the proxy does not connect to %s: HTTP %ld%s", host, status,
		status == 407 ? " Proxy Authentication Required" : "");
	return true;
}

static bool is_new_tls(struct http_request *request)
{
	long n_connects = 0;

	curl_easy_getinfo(request->easy, CURLINFO_NUM_CONNECTS, &n_connects);
	return n_connects > 0 && info_size(request, CURLINFO_APPCONNECT_TIME_T) > 0;
}

/* In TLS 1.3 a server judges the client's certificate after the client has begun to send. What it
 * says then may be lost, since it also resets the connection. */
static bool fault_of_client_certificate(struct http_request *request, const char *host)
{
	const char *alert = strstr(request->error, " alert ");
	bool own = request->transport.client_cert != NULL;
	struct fault *fault = &request->response.fault;

	if (request->response.status != 0)
		return false;
	if (alert) {
		alert += strlen(" alert ");
		fault_set(fault, FAULT_NETWORK, "TLS with %s failed: the server says `%.*s`%s",
			host, (int)strcspn(alert, ",:"), alert,
			own ? " (client_cert)" : " (set client_cert and client_key)");
	} else if (is_new_tls(request)) {
		fault_set(fault, FAULT_NETWORK,
			"%s closed the connection after the TLS handshake and without an answer; it may %s (client_cert)",
			host, own ? "reject the client certificate" : "need a client certificate");
	}
	return alert || fault->class != FAULT_NONE;
}

static void fault_cut(struct http_request *request, CURLcode result, const char *host)
{
	if (fault_of_client_certificate(request, host))
		return;
	if (request->response.status != 0)
		fault_set(&request->response.fault, FAULT_NETWORK,
			"the answer from %s was cut short after %lld bytes", host,
			(long long)info_size(request, CURLINFO_SIZE_DOWNLOAD_T));
	else
		fault_set(&request->response.fault, FAULT_NETWORK,
			"%s closed the connection without an answer: %s%s", host,
			curl_easy_strerror(result),
			is_in_handshake(request) || strncmp(request->url, "http:", 5) == 0
				? scheme_hint(request)
				: "");
}

static bool fault_of_setting(struct http_request *request, CURLcode result)
{
	const struct http_transport *transport = &request->transport;
	struct fault *fault = &request->response.fault;
	CLEANUP_FREE char *proxy = NULL;

	switch (result) {
	case CURLE_UNSUPPORTED_PROTOCOL:
		if (strstr(request->error, "HTTP/0.9")) /* bytes came, such as a TLS alert */
			return false;
		/* fall through */
	case CURLE_URL_MALFORMAT:
		fault_set(fault, FAULT_CONFIG, "the URL is not an absolute http or https URL");
		return true;
	case CURLE_COULDNT_RESOLVE_PROXY:
		proxy = proxy_name(request);
		fault_set(
			fault, FAULT_NETWORK, "the name of the proxy%s cannot be resolved", proxy);
		return true;
	case CURLE_PROXY:
		fault_set(fault, FAULT_NETWORK, "the proxy cannot be used: %s",
			reason(request, result));
		return true;
	case CURLE_SSL_CACERT_BADFILE:
		fault_set(fault, FAULT_CONFIG, "the CA file%s%s cannot be used",
			transport->ca_file ? " " : " of the system",
			transport->ca_file ? transport->ca_file : "");
		return true;
	case CURLE_SSL_CERTPROBLEM:
		fault_set(fault, FAULT_CONFIG,
			"the client certificate or its key cannot be used: %s (%s)",
			reason(request, result),
			transport->client_key_password
				? "client_cert, client_key, client_key_password"
				: "client_cert, client_key; an encrypted key needs client_key_password");
		return true;
	default:
		return false;
	}
}

void curl_fault(struct http_request *request, CURLcode result)
{
	CLEANUP_FREE char *origin = NULL;
	struct fault *fault = &request->response.fault;
	const char *host = "the server";

	if (fault->class != FAULT_NONE || fault_of_setting(request, result))
		return;
	if (url_origin(request->url, &origin) == 0)
		host = strstr(origin, "://") + 3;
	if (fault_of_proxy(request, host))
		return;
	switch ((int)result) {
	case CURLE_COULDNT_RESOLVE_HOST:
		fault_set(fault, FAULT_NETWORK, "the name %.*s cannot be resolved",
			(int)strcspn(host, ":"), host);
		break;
	case CURLE_COULDNT_CONNECT:
		fault_connect(request, host);
		break;
	case CURLE_OPERATION_TIMEDOUT:
		fault_timeout(request, host);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		fault_verify(request, result, host);
		break;
	case CURLE_SSL_CONNECT_ERROR:
		fault_set(fault, FAULT_NETWORK, "TLS with %s failed: %s%s", host,
			reason(request, result),
			is_not_tls(reason(request, result)) ? scheme_hint(request) : "");
		break;
	case CURLE_UNSUPPORTED_PROTOCOL:
		fault_set(fault, FAULT_NETWORK, "the answer from %s is not HTTP%s", host,
			scheme_hint(request));
		break;
	case CURLE_OUT_OF_MEMORY: /* what libcurl says of a header above 100 KiB */
	case TOO_LARGE:
		fault_set(fault, FAULT_LIMIT, "the headers of the answer from %s are too large",
			host);
		break;
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		fault_cut(request, result, host);
		break;
	default:
		fault_set(fault, FAULT_NETWORK, "the request to %s failed: %s", host,
			curl_easy_strerror(result));
	}
}
