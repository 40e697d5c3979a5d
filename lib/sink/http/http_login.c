/* See http_login.h. */
#include "sink/http/http_login.h"

#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/url.h"
#include "sink/http/http_options.h"
#include "base/json_lookup.h"

static const char *const login_keys[] = {"url", "method", "body", "token", "expires", NULL};

static const char *login_find(const struct http_options *options, const char *name)
{
	for (size_t i = 0; i < options->login.n_items; i++) {
		if (strcmp(options->login.items[i].name, name) == 0)
			return options->login.items[i].value;
	}
	return NULL;
}

static const char *login_header_name(const struct option_pair *pair)
{
	return str_starts(pair->name, "header.") ? pair->name + strlen("header.") : NULL;
}

static void login_render(struct http_message *out, void *userdata)
{
	const struct http_options *options = userdata;
	const char *method = login_find(options, "method");
	const char *body = login_find(options, "body");

	out->method = mem_strdup(method ? method : "POST");
	out->url = mem_strdup(login_find(options, "url"));
	if (body) {
		out->has_body = true;
		buf_append_text(&out->body, body);
		http_headers_set(&out->headers, "Content-Type", SLICE("application/json"));
	}
	http_headers_set(&out->headers, "Accept", SLICE("application/json"));
	for (size_t i = 0; i < options->login.n_items; i++) {
		const char *name = login_header_name(&options->login.items[i]);

		if (name)
			http_headers_set(
				&out->headers, name, slice_of(options->login.items[i].value));
	}
}

static bool login_is_json(const char *text)
{
	return json_lookup_once(NULL, 0, slice_of(text), NULL, NULL) == 0;
}

static int login_check_keys(const struct http_options *options, struct fault *reterr)
{
	for (size_t i = 0; i < options->login.n_items; i++) {
		const struct option_pair *pair = &options->login.items[i];
		const char *header = login_header_name(pair);
		bool known = false;

		for (size_t k = 0; login_keys[k]; k++)
			known = known || strcmp(login_keys[k], pair->name) == 0;
		if (!known && !header)
			return fault_set(reterr, FAULT_CONFIG,
				"there is no key login.%s (expected url, token, method, body, expires, header.NAME)",
				pair->name);
		if (header && http_header_fault(header, pair->value))
			return fault_set(reterr, FAULT_CONFIG, "login.%s: %s", pair->name,
				http_header_fault(header, pair->value));
	}
	return 0;
}

static int login_check(const struct http_options *options, struct fault *reterr)
{
	const char *url = login_find(options, "url");
	const char *body = login_find(options, "body");
	bool typed = false;
	char *origin = NULL;
	int r = login_check_keys(options, reterr);

	if (r)
		return r;
	for (size_t i = 0; i < options->login.n_items; i++) {
		const char *name = login_header_name(&options->login.items[i]);

		typed = typed || (name && strcasecmp(name, "Content-Type") == 0);
	}
	if (!url || url_origin(url, &origin) != 0)
		r = fault_set(reterr, FAULT_CONFIG,
			"auth.type = login needs login.url, an http:// or https:// URL");
	else if (!login_find(options, "token"))
		r = fault_set(reterr, FAULT_CONFIG,
			"auth.type = login needs login.token: header:NAME or a JSON Pointer");
	else if (body && !typed && !login_is_json(body))
		r = fault_set(reterr, FAULT_CONFIG,
			"login.body is not JSON: is there a quote in what ${...} stands for? (with login.header.Content-Type it may be anything)");
	free(origin);
	return r;
}

int http_login_setup(
	const struct http_options *options, struct auth_setup *setup, struct fault *reterr)
{
	int r = login_check(options, reterr);

	setup->login_render = login_render;
	setup->login_userdata = (void *)options;
	setup->token_from = login_find(options, "token");
	setup->expires_from = login_find(options, "expires");
	return r;
}
