/*
 * AWS Signature Version 4 and its kin, carried out by libcurl (CURLOPT_AWS_SIGV4) when the request
 * goes out. Here the message is brought into the shape in which libcurl's signature is right:
 * - libcurl 7.88 signs the query as it stands, so it is put into canonical form first;
 * - every header given to libcurl is signed, the body's hash among what is signed;
 * - libcurl takes the time from the system's clock. Only a date header in the message makes it use
 *   another one, and 7.88 then sends that header twice with the same value. So it is given only
 *   where the clock is known to be wrong by more than CLOCK_TOLERANCE_NS, when the request would
 *   be refused without it (servers allow 5 to 15 minutes).
 */
#include "net/auth/auth_internal.h"

#include <ctype.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/mem.h"

#include "net/query.h"
#include "net/url.h"

#define CLOCK_TOLERANCE_NS (NSEC_PER_MIN)

/* What the schemes call themselves: in the signature, in their headers. */
static const struct scheme {
	const char *provider;
	const char *prefix;
	const char *date_header;
} schemes[] = {
	{"osc", "osc:osc", "X-Osc-Date"},
	{"aws", "aws:amz", "X-Amz-Date"},
};

struct sigv4 {
	struct auth auth;
	const struct scheme *scheme;
	char *text; /* for CURLOPT_AWS_SIGV4 */
	char *access_key;
	struct secret secret_key;
};

static bool is_word(struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		if (!isalnum((unsigned char)text.data[i]) && !strchr("-_.", text.data[i]))
			return false;
	}
	return text.size > 0;
}

static int sigv4_create(struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	struct slice provider = auth_setting(setup, "provider");
	struct slice service = auth_setting(setup, "service");
	struct slice region = auth_setting(setup, "region");
	struct slice access_key = auth_setting(setup, "access_key");
	const struct scheme *scheme = NULL;
	struct sigv4 *sigv4;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (slice_is(provider, schemes[i].provider))
			scheme = &schemes[i];
	}
	if (!scheme)
		return fault_set(reterr, FAULT_CONFIG,
			"the provider of auth type \"sigv4\" is \"osc\" or \"aws\"");
	if (!is_word(service) || !is_word(region))
		return fault_set(reterr, FAULT_CONFIG,
			"service and region of auth type \"sigv4\" are letters, digits, '-', '_' "
			"and '.'");
	sigv4 = MEM_NEW(struct sigv4);
	sigv4->scheme = scheme;
	sigv4->text = mem_printf("%s:%.*s:%.*s", scheme->prefix, (int)region.size, region.data,
		(int)service.size, service.data);
	sigv4->access_key = mem_strndup(access_key.data, access_key.size);
	secret_set(&sigv4->secret_key, auth_setting(setup, "secret_key"));
	*ret = &sigv4->auth;
	return 0;
}

static void sigv4_destroy(struct auth *auth)
{
	struct sigv4 *sigv4 = (struct sigv4 *)auth;

	free(sigv4->text);
	free(sigv4->access_key);
	secret_deinit(&sigv4->secret_key);
	free(sigv4);
}

/* The sent query is the signed query. */
static int canonical_url(struct http_message *message, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf url = BUF_NULL;
	struct url_parts parts;

	if (url_split(message->url, &parts) != 0)
		return fault_set(
			reterr, FAULT_CONFIG, "the URL is not an absolute http or https URL");
	if (!parts.query.data)
		return 0;
	buf_append(&url, message->url, (size_t)(parts.query.data - message->url));
	query_canonical(parts.query, QUERY_ORDER_ENCODED, &url);
	free(message->url);
	message->url = buf_take(&url);
	return 0;
}

static void set_date(const struct sigv4 *sigv4, struct http_message *message, nsec_t now_time)
{
	nsec_t off_ns = now_time - clock_wall();
	time_t seconds = (time_t)(now_time / NSEC_PER_SEC);
	char text[32];
	struct tm tm;

	if (off_ns <= CLOCK_TOLERANCE_NS && off_ns >= -CLOCK_TOLERANCE_NS) {
		http_headers_remove(&message->headers, sigv4->scheme->date_header);
		return;
	}
	if (!gmtime_r(&seconds, &tm) || strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &tm) == 0)
		return;
	http_headers_set(&message->headers, sigv4->scheme->date_header, slice_of(text));
}

static void replace(char **text, const char *with)
{
	if (*text)
		secret_wipe(*text, strlen(*text));
	free(*text);
	*text = mem_strdup(with);
}

static int sigv4_apply(
	struct auth *auth, struct http_message *message, nsec_t now_time, struct fault *reterr)
{
	const struct sigv4 *sigv4 = (const struct sigv4 *)auth;
	int r = canonical_url(message, reterr);

	if (r != 0)
		return r;
	set_date(sigv4, message, now_time);
	replace(&message->sigv4, sigv4->text);
	replace(&message->sigv4_user, sigv4->access_key);
	replace(&message->sigv4_secret, sigv4->secret_key.text);
	return 0;
}

static const char *const keys[] = {
	"provider", "service", "region", "access_key", "secret_key", NULL};

const struct auth_kind auth_sigv4 = {
	.info = {.type = "sigv4", .keys = keys, .required = keys},
	.create = sigv4_create,
	.destroy = sigv4_destroy,
	.apply = sigv4_apply,
};
