/* See source_secrets.h. */
#include "source/source_secrets.h"

#include <jansson.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/secret.h"
#include "base/secret_name.h"
#include "net/url.h"

/* With its scheme (`Bearer x`) and without it. */
static void take(struct source *source, struct slice name, const char *value)
{
	const char *blank = strchr(value, ' ');
	if (!secret_is_named_by(name))
		return;
	str_list_add(&source->masked, value);
	if (blank)
		str_list_add(&source->masked, blank + 1);
}

/* `name=value&...`: a query or a form. */
static void take_pairs(struct source *source, struct slice text)
{
	struct slice part;
	while (str_next_part(&text, '&', &part)) {
		const char *equals = part.size ? memchr(part.data, '=', part.size) : NULL;
		struct buf name CLEANUP(buf_deinit) = BUF_NULL,
				value CLEANUP(buf_deinit) = BUF_NULL;
		if (!equals)
			continue;
		size_t size = (size_t)(equals - part.data);
		decode_percent((struct slice){part.data, size}, true, &name);
		decode_percent((struct slice){equals + 1, part.size - size - 1}, true, &value);
		take(source, buf_slice(&name), buf_text(&value));
		secret_wipe(value.data, value.size);
	}
}

static void take_members(struct source *source, json_t *value)
{
	const char *name;
	json_t *member;
	size_t i;
	json_array_foreach(value, i, member) take_members(source, member);
	json_object_foreach(value, name, member)
	{
		if (json_is_string(member))
			take(source, slice_of(name), json_string_value(member));
		else
			take_members(source, member);
	}
}

static void take_request(struct source *source, const struct request_definition *request)
{
	struct http_message message CLEANUP(http_message_deinit) = HTTP_MESSAGE_NULL;
	if (!request->method)
		return;
	source_constant_request(source, request, &message);
	for (size_t i = 0; i < message.headers.n_items; i++)
		take(source, slice_of(message.headers.items[i].name),
			message.headers.items[i].value);
	const char *query = message.url ? strchr(message.url, '?') : NULL;
	if (query)
		take_pairs(source, slice_of(query + 1));
	json_t *body = json_loadb(buf_text(&message.body), message.body.size, 0, NULL);
	if (body)
		take_members(source, body);
	else
		take_pairs(source, buf_slice(&message.body));
	json_decref(body);
}

static void take_password(struct source *source, const char *url)
{
	struct buf password CLEANUP(buf_deinit) = BUF_NULL;
	url_password(url, &password);
	if (password.size)
		str_list_add(&source->masked, buf_text(&password));
	secret_wipe(password.data, password.size);
}

void source_secrets_take(struct source *source)
{
	const struct definition *definition = source->definition;
	if (source->options.proxy)
		take_password(source, source->options.proxy);
	take_request(source, &definition->first);
	take_request(source, &definition->next);
	if (definition->resume_request.method)
		take_request(source, &definition->resume_request);
	take_request(source, &definition->link_request);
	take_request(source, &definition->watch_request);
	take_request(source, &definition->auth.login);
	if (definition->auth.caller)
		take_request(source, &definition->auth.caller->login);
	for (size_t i = 0; i < definition->n_parameters; i++)
		if (definition->parameters[i].value)
			take(source, slice_of(definition->parameters[i].name),
				definition->parameters[i].value);
	for (size_t i = 0; i < source->masked.n_items; i++)
		secret_register(slice_of(source->masked.items[i]));
}

void source_secrets_drop(struct source *source)
{
	for (size_t i = 0; i < source->masked.n_items; i++) {
		secret_unregister(slice_of(source->masked.items[i]));
		secret_wipe(source->masked.items[i], strlen(source->masked.items[i]));
	}
	str_list_deinit(&source->masked);
}
