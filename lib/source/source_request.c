/*
 * Writing one request: the definition's templates with the parameters and the values of the moment.
 * Also the one place that decides whether an address may be requested with the source's credential.
 */
#include "source/source.h"

#include "base/encode.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "net/url.h"

/* Beside TEMPLATE_E_*: what was rendered is not an address. */
#define REQUEST_E_ADDRESS (TEMPLATE_E_VALUE + 1)

static struct template_value value_time(nsec_t time)
{
	return (struct template_value){
		time == NSEC_NONE ? TEMPLATE_ABSENT : TEMPLATE_TIME, SLICE_NULL, time};
}

static struct template_value value_json(const char *text)
{
	return (struct template_value){text ? TEMPLATE_JSON : TEMPLATE_ABSENT, slice_of(text), 0};
}

struct lookup {
	const struct request_values *values;
	char number[32];
};

static struct template_value value_count(struct lookup *lookup, int64_t count)
{
	if (count < 0)
		return value_json(NULL);
	snprintf(lookup->number, sizeof(lookup->number), "%lld", (long long)count);
	return value_json(lookup->number);
}

static struct template_value look_up(const char *name, void *userdata)
{
	struct lookup *lookup = userdata;
	const struct request_values *values = lookup->values;
	const struct definition *definition = values->source->definition;
	if (strcmp(name, "window.start") == 0)
		return value_time(values->start_time);
	if (strcmp(name, "window.end") == 0)
		return value_time(values->end_time);
	if (strcmp(name, "now") == 0)
		return value_time(values->now_time);
	if (strcmp(name, "page.cursor") == 0)
		return value_json(values->page);
	if (strcmp(name, "resume.cursor") == 0)
		return value_json(values->resume);
	if (strcmp(name, "page.size") == 0)
		return value_count(lookup, values->size > 0            ? values->size
					   : definition->page.size > 0 ? definition->page.size
								       : -1);
	if (strcmp(name, "page.offset") == 0)
		return value_count(lookup, values->offset);
	if (strcmp(name, "page.number") == 0)
		return value_count(lookup, values->number);
	if (strcmp(name, "fetch.from") == 0)
		return (struct template_value){values->fetch_from ? TEMPLATE_TEXT : TEMPLATE_ABSENT,
			slice_of(values->fetch_from), 0};
	return definition_value(name, values->source->definition);
}

/* A query inside the url text keeps only the pairs whose variables had values; the definition's
 * `query.` keys follow. */
static int append_query(
	const struct request_definition *request, struct lookup *lookup, struct buf *url)
{
	for (size_t i = 0; i < request->n_query; i++) {
		struct buf value CLEANUP(buf_deinit) = BUF_NULL;
		int r = template_render(request->query[i].template, look_up, lookup, &value);
		if (r == TEMPLATE_E_ABSENT)
			continue;
		if (r)
			return r;
		buf_append_char(url, strchr(buf_text(url), '?') ? '&' : '?');
		encode_percent(slice_of(request->query[i].name), url);
		buf_append_char(url, '=');
		encode_percent(buf_slice(&value), url);
	}
	return 0;
}

static int write_url(const struct request_definition *request, struct lookup *lookup,
	const char *endpoint, struct http_message *ret)
{
	struct buf url CLEANUP(buf_deinit) = BUF_NULL;
	int r = template_render_url(request->url, look_up, lookup, &url);
	if (!r)
		r = append_query(request, lookup, &url);
	if (r)
		return r;
	if (endpoint && url_replace_origin(buf_text(&url), endpoint, &ret->url))
		return REQUEST_E_ADDRESS;
	if (!endpoint)
		ret->url = buf_take(&url);
	return 0;
}

static int write_form(
	const struct request_definition *request, struct lookup *lookup, struct buf *body)
{
	for (size_t i = 0; i < request->n_form; i++) {
		struct buf value CLEANUP(buf_deinit) = BUF_NULL;
		int r = template_render(request->form[i].template, look_up, lookup, &value);
		if (!r) {
			if (body->size > 0)
				buf_append_char(body, '&');
			encode_percent(slice_of(request->form[i].name), body);
			buf_append_char(body, '=');
			encode_percent(buf_slice(&value), body);
		} else if (r != TEMPLATE_E_ABSENT) {
			return r;
		}
		secret_wipe(value.data, value.size);
	}
	return 0;
}

static void set_content_type(struct http_message *message, const char *type)
{
	if (!http_headers_get(&message->headers, "Content-Type").data)
		http_headers_add(&message->headers, "Content-Type", slice_of(type));
}

static int write_body(
	const struct request_definition *request, struct lookup *lookup, struct http_message *ret)
{
	int r = 0;
	if (request->json) {
		r = json_template_render(request->json, look_up, lookup, &ret->body);
		set_content_type(ret, "application/json");
	} else if (request->n_form) {
		r = write_form(request, lookup, &ret->body);
		set_content_type(ret, "application/x-www-form-urlencoded");
	} else if (request->text) {
		r = template_render(request->text, look_up, lookup, &ret->body);
	}
	ret->has_body = request->json || request->n_form || request->text;
	return r;
}

static int write_request(const struct request_definition *request, struct lookup *lookup,
	const char *endpoint, const char *link, struct http_message *ret)
{
	ret->method = mem_strdup(request->method);
	if (link)
		ret->url = mem_strdup(link);
	else {
		int r = write_url(request, lookup, endpoint, ret);
		if (r)
			return r;
	}
	for (size_t i = 0; i < request->n_headers; i++) {
		struct buf value CLEANUP(buf_deinit) = BUF_NULL;
		int r = template_render(request->headers[i].template, look_up, lookup, &value);
		if (!r)
			http_headers_set(
				&ret->headers, request->headers[i].name, buf_slice(&value));
		else if (r != TEMPLATE_E_ABSENT)
			return r;
	}
	if (!http_headers_get(&ret->headers, "Accept").data)
		http_headers_add(&ret->headers, "Accept", SLICE("application/json"));
	return write_body(request, lookup, ret);
}

/* R: what write_request answered. */
static int request_fault(int r, struct http_message *message, struct fault *reterr)
{
	if (!r)
		return 0;
	http_message_deinit(message);
	return fault_set(reterr, FAULT_CONFIG,
		r == TEMPLATE_E_ABSENT ? "the request's address needs a parameter that has no value"
		: r == REQUEST_E_ADDRESS
			? "the request's address is not a valid http:// or https:// URL (check request.url and the parameters in it)"
			: "a value does not fit the request: a parameter that is declared as list, numbers, json or bool, or a cursor without the member that the request sends");
}

int source_request(const struct source *source, const struct request_values *values,
	const char *link, struct http_message *ret, struct fault *reterr)
{
	struct lookup lookup = {.values = values};
	const struct definition *definition = source->definition;
	bool next = values->page || values->offset > definition->page.first ||
		    values->number > definition->page.first;
	const struct request_definition *request = next ? &definition->next : &definition->first;
	if (!next && values->resume && definition->resume_request.method)
		request = &definition->resume_request;
	return request_fault(
		write_request(request, &lookup, source->options.endpoint, link, ret), ret, reterr);
}

/* Values for a request beside the chain of pages. */
static struct request_values values_outside(const struct source *source)
{
	return (struct request_values){.source = source,
		.start_time = NSEC_NONE,
		.end_time = NSEC_NONE,
		.now_time = clock_wall(),
		.offset = -1,
		.number = -1};
}

/* A request beside the chain of pages. FROM: ${fetch.from}, or NULL. */
static int request_outside(const struct source *source, const struct request_definition *request,
	const char *from, struct http_message *ret, struct fault *reterr)
{
	struct request_values values = values_outside(source);
	struct lookup lookup = {.values = &values};
	values.fetch_from = from;
	return request_fault(
		write_request(request, &lookup, source->options.endpoint, NULL, ret), ret, reterr);
}

int source_link_request(const struct source *source, const char *from, struct http_message *ret,
	struct fault *reterr)
{
	return request_outside(source, &source->definition->link_request, from, ret, reterr);
}

int source_watch_request(
	const struct source *source, struct http_message *ret, struct fault *reterr)
{
	return request_outside(source, &source->definition->watch_request, NULL, ret, reterr);
}

void source_constant_request(const struct source *source, const struct request_definition *request,
	struct http_message *ret)
{
	struct request_values values = {
		.source = source, .page = "0", .resume = "0", .fetch_from = "0"};
	struct lookup lookup = {.values = &values};
	write_request(request, &lookup, NULL, NULL, ret);
}

void source_login_request(struct http_message *ret, void *userdata)
{
	const struct source_login *login = userdata;
	struct request_values values = values_outside(login->source);
	struct lookup lookup = {.values = &values};
	write_request(&login->auth->login, &lookup, NULL, NULL, ret);
}

int source_may_request(const struct source *source, const char *url, struct fault *reterr)
{
	char *origin CLEANUP_FREE = NULL;
	if (url_origin(url, &origin))
		return fault_set(
			reterr, FAULT_ORIGIN, "the API's link is not an http or https address");
	if (url_is_in_clear(origin) && !source->options.insecure_http)
		return fault_set(reterr, FAULT_ORIGIN,
			"the API's link leads to %s, which is not https: not followed, because the credential would be sent unencrypted",
			origin);
	if (str_list_has(&source->origins, origin))
		return 0;
	return fault_set(reterr, FAULT_ORIGIN,
		"the API's link leads to %s, but the credential belongs to %s: not followed (allow_origins = %s would allow it)",
		origin, source->origin, origin);
}
