/*
 * The kind jwt: a signed assertion (RFC 7519, RFC 7523). With token_url the assertion is sent there
 * in a form and a token comes back; without, the assertion itself is the bearer, made anew for each
 * request.
 */
#include "net/auth/auth_token.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/random.h"
#include "base/signing.h"
#include "base/str.h"

#include "net/url.h"

#define LIFETIME_DEFAULT NSEC_PER_HOUR
#define LIFETIME_MAX NSEC_PER_DAY
/* An assertion begins a little before now, so that a clock that is slow by less takes it. */
#define LEEWAY_MAX (30 * NSEC_PER_SEC)

struct field {
	char *name;
	char *value; /* a form may hold a client's secret: wiped in the end */
};

struct fields {
	struct field *items;
	size_t n_items;
};

struct jwt {
	struct auth_token token;
	char *token_url; /* NULL: the assertion is the bearer */
	enum signing_algorithm algorithm;
	struct signing_key *key;
	char *key_id; /* NULL: none */
	nsec_t lifetime_ns;
	struct fields claims;
	struct fields jose; /* further members of the header */
	struct fields form;
};

static const struct field *find_field(const struct fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->n_items; i++) {
		if (strcmp(fields->items[i].name, name) == 0)
			return &fields->items[i];
	}
	return NULL;
}

static void fields_add(struct fields *fields, const char *name, struct slice value)
{
	fields->items = mem_resize(fields->items, (fields->n_items + 1) * sizeof(*fields->items));
	fields->items[fields->n_items++] =
		(struct field){mem_strdup(name), mem_strndup(value.data, value.size)};
}

/* The settings PREFIX.NAME that have a value. */
static void fields_read(struct fields *fields, const struct auth_setup *setup, const char *prefix)
{
	for (size_t i = 0; i < setup->n_settings; i++) {
		const struct option_pair *pair = &setup->settings[i];
		const char *name = pair->name + strlen(prefix);

		if (str_starts(pair->name, prefix) && pair->value && *pair->value &&
			strcmp(pair->name, "claim.lifetime") != 0)
			fields_add(fields, name, slice_of(pair->value));
	}
}

static void fields_deinit(struct fields *fields)
{
	for (size_t i = 0; i < fields->n_items; i++) {
		free(fields->items[i].name);
		secret_wipe(fields->items[i].value, strlen(fields->items[i].value));
		free(fields->items[i].value);
	}
	free(fields->items);
}

static void append_member(struct buf *out, const char *name, struct slice value)
{
	buf_append_char(out, out->size > 0 ? ',' : '{');
	json_encode(slice_of(name), out);
	buf_append_char(out, ':');
	json_encode(value, out);
}

static void append_header(const struct jwt *jwt, struct buf *out)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;

	append_member(&text, "alg", slice_of(signing_algorithm_to_string(jwt->algorithm)));
	append_member(&text, "typ", SLICE("JWT"));
	if (jwt->key_id)
		append_member(&text, "kid", slice_of(jwt->key_id));
	for (size_t i = 0; i < jwt->jose.n_items; i++)
		append_member(&text, jwt->jose.items[i].name, slice_of(jwt->jose.items[i].value));
	buf_append_char(&text, '}');
	encode_base64url(buf_slice(&text), out);
}

static void append_claims(const struct jwt *jwt, nsec_t now_time, struct buf *out)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	nsec_t leeway = jwt->lifetime_ns / 10 < LEEWAY_MAX ? jwt->lifetime_ns / 10 : LEEWAY_MAX;
	long long issued = (long long)((now_time - leeway) / NSEC_PER_SEC);
	uint8_t number[16];
	char unique[2 * sizeof(number) + 1];

	for (size_t i = 0; i < jwt->claims.n_items; i++)
		append_member(
			&text, jwt->claims.items[i].name, slice_of(jwt->claims.items[i].value));
	if (jwt->token_url && !find_field(&jwt->claims, "aud"))
		append_member(&text, "aud", slice_of(jwt->token_url));
	if (!find_field(&jwt->claims, "jti")) {
		random_bytes(number, sizeof(number));
		for (size_t i = 0; i < sizeof(number); i++)
			snprintf(unique + 2 * i, 3, "%02x", number[i]);
		append_member(&text, "jti", slice_of(unique));
	}
	buf_printf(&text, ",\"iat\":%lld,\"exp\":%lld}", issued,
		issued + (long long)(jwt->lifetime_ns / NSEC_PER_SEC));
	if (text.data[0] == ',')
		text.data[0] = '{';
	encode_base64url(buf_slice(&text), out);
}

/* The assertion in compact form: header.claims.signature. */
static int append_assertion(
	const struct jwt *jwt, nsec_t now_time, struct buf *out, struct fault *reterr)
{
	struct buf signature CLEANUP(buf_deinit) = BUF_NULL;
	size_t start = out->size;

	append_header(jwt, out);
	buf_append_char(out, '.');
	append_claims(jwt, now_time, out);
	if (signing_key_sign(jwt->key, (struct slice){out->data + start, out->size - start},
		    &signature) != 0)
		return fault_set(reterr, FAULT_CONFIG,
			"the key of auth type `jwt` cannot sign with %s",
			signing_algorithm_to_string(jwt->algorithm));
	buf_append_char(out, '.');
	encode_base64url(buf_slice(&signature), out);
	return 0;
}

static void append_variable(struct slice name, struct buf *out, void *userdata)
{
	(void)name; /* jwt is the only one */
	buf_append_slice(out, buf_slice(userdata));
}

static int jwt_render(struct auth_token *self, struct http_message *out, struct fault *reterr)
{
	struct jwt *jwt = (struct jwt *)self;
	struct buf assertion CLEANUP(auth_wipe) = BUF_NULL;
	int r = append_assertion(jwt, clock_wall() + self->skew_ns, &assertion, reterr);

	if (r)
		return r;
	auth_token_form(out, jwt->token_url);
	for (size_t i = 0; i < jwt->form.n_items; i++) {
		struct buf value CLEANUP(auth_wipe) = BUF_NULL;

		auth_fill(slice_of(jwt->form.items[i].value), append_variable, &assertion, &value);
		auth_token_form_add(out, jwt->form.items[i].name, buf_slice(&value));
	}
	return 0;
}

static void jwt_destroy(struct auth *auth)
{
	struct jwt *jwt = (struct jwt *)auth;

	auth_token_deinit(&jwt->token);
	free(jwt->token_url);
	signing_key_free(jwt->key);
	free(jwt->key_id);
	fields_deinit(&jwt->claims);
	fields_deinit(&jwt->jose);
	fields_deinit(&jwt->form);
	free(jwt);
}

static int read_key(struct jwt *jwt, const struct auth_setup *setup, struct fault *reterr)
{
	struct slice name = auth_setting(setup, "algorithm");

	if (signing_algorithm_parse(name, &jwt->algorithm) != 0)
		return fault_set(reterr, FAULT_CONFIG,
			"algorithm of auth type `jwt`: expected RS256, RS512, PS256, ES256 or HS256");
	switch (signing_key_new(&jwt->key, jwt->algorithm, auth_setting(setup, "key"))) {
	case SIGNING_E_PEM:
		return fault_set(reterr, FAULT_CONFIG,
			"key of auth type `jwt` is not an unencrypted private key in PEM form (-----BEGIN PRIVATE KEY-----)");
	case SIGNING_E_KIND:
		return fault_set(reterr, FAULT_CONFIG,
			"key of auth type `jwt` does not fit algorithm %.*s: expected %s",
			(int)name.size, name.data,
			jwt->algorithm == SIGNING_ES256 ? "an EC key on P-256"
							: "an RSA key of 2048 bits or more");
	default:
		return 0;
	}
}

static int read_claims(struct jwt *jwt, const struct auth_setup *setup, struct fault *reterr)
{
	struct slice lifetime = auth_setting(setup, "claim.lifetime");

	jwt->lifetime_ns = LIFETIME_DEFAULT;
	if (lifetime.size > 0 && number_parse_duration(lifetime, 10 * NSEC_PER_SEC, LIFETIME_MAX,
					 &jwt->lifetime_ns) != 0)
		return fault_set(reterr, FAULT_CONFIG,
			"claim.lifetime of auth type `jwt`: expected a duration from 10s to 1d");
	fields_read(&jwt->claims, setup, "claim.");
	fields_read(&jwt->jose, setup, "jose.");
	if (find_field(&jwt->claims, "iat") || find_field(&jwt->claims, "exp"))
		return fault_set(reterr, FAULT_CONFIG,
			"claim.iat and claim.exp of auth type `jwt` are set by trawld; claim.lifetime is the time between them");
	if (find_field(&jwt->jose, "alg") || find_field(&jwt->jose, "typ") ||
		find_field(&jwt->jose, "kid"))
		return fault_set(reterr, FAULT_CONFIG,
			"jose.alg, jose.typ and jose.kid of auth type `jwt` cannot be set; use algorithm and key_id");
	return 0;
}

static int read_form(struct jwt *jwt, const struct auth_setup *setup, struct fault *reterr)
{
	struct slice url = auth_setting(setup, "token_url");
	CLEANUP_FREE char *origin = NULL;
	bool sends = false;

	fields_read(&jwt->form, setup, "form.");
	if (url.size == 0)
		return jwt->form.n_items == 0
			       ? 0
			       : fault_set(reterr, FAULT_CONFIG,
					 "form.NAME of auth type `jwt` requires token_url");
	jwt->token_url = mem_strndup(url.data, url.size);
	if (url_origin(jwt->token_url, &origin) != 0)
		return fault_set(reterr, FAULT_CONFIG,
			"token_url of auth type `jwt` is not an absolute http or https URL");
	if (jwt->form.n_items == 0) { /* RFC 7523 section 2.1 */
		fields_add(&jwt->form, "grant_type",
			SLICE("urn:ietf:params:oauth:grant-type:jwt-bearer"));
		fields_add(&jwt->form, "assertion", SLICE(AUTH_VARIABLE("jwt")));
	}
	for (size_t i = 0; i < jwt->form.n_items; i++)
		sends |= strchr(jwt->form.items[i].value, AUTH_MARK) != NULL;
	return sends ? 0
		     : fault_set(reterr, FAULT_CONFIG,
			       "auth type `jwt` does not send ${jwt}, the assertion: set a form.NAME that contains it");
}

static const struct auth_token_source jwt_source = {
	.render = jwt_render, .read = token_answer_oauth2, .signs = true};

static int jwt_create(struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	struct jwt *jwt = MEM_NEW(struct jwt);
	struct slice key_id = auth_setting(setup, "key_id");
	int r = read_key(jwt, setup, reterr);

	if (!r)
		r = read_claims(jwt, setup, reterr);
	if (!r)
		r = read_form(jwt, setup, reterr);
	if (!r)
		r = auth_token_init(&jwt->token, setup, &jwt_source, "Authorization", reterr);
	if (r) {
		jwt_destroy(&jwt->token.auth);
		return r;
	}
	if (key_id.size > 0)
		jwt->key_id = mem_strndup(key_id.data, key_id.size);
	*ret = &jwt->token.auth;
	return 0;
}

static struct auth_waiter *jwt_prepare(struct auth *auth, auth_ready_fn ready, void *userdata)
{
	const struct jwt *jwt = (const struct jwt *)auth;

	return jwt->token_url ? auth_token_prepare(auth, ready, userdata) : NULL;
}

static int jwt_apply(
	struct auth *auth, struct http_message *message, nsec_t now_time, struct fault *reterr)
{
	const struct jwt *jwt = (const struct jwt *)auth;
	struct buf value CLEANUP(auth_wipe) = BUF_NULL;
	int r;

	if (jwt->token_url)
		return auth_token_apply(auth, message, now_time, reterr);
	if (jwt->token.is_bearer)
		buf_append_text(&value, "Bearer ");
	r = append_assertion(jwt, now_time, &value, reterr);
	if (!r)
		http_headers_set(&message->headers, jwt->token.header, buf_slice(&value));
	return r;
}

static bool jwt_reject(struct auth *auth)
{
	const struct jwt *jwt = (const struct jwt *)auth;

	return jwt->token_url && auth_token_reject(auth);
}

static const char *const keys[] = {
	"token_url", "key", "algorithm", "key_id", "header", "claim.", "jose.", "form.", NULL};
static const char *const required[] = {"key", "algorithm", NULL};
static const char *const texts[] = {"key", NULL};
static const char *const variables[] = {"jwt", NULL};

const struct auth_kind auth_jwt = {
	.info = {.type = "jwt",
		.keys = keys,
		.required = required,
		.texts = texts,
		.variables = variables},
	.create = jwt_create,
	.destroy = jwt_destroy,
	.prepare = jwt_prepare,
	.apply = jwt_apply,
	.reject = jwt_reject,
	.join = auth_token_join,
};
