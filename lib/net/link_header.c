/*
 * The Link header (RFC 8288): `<target>; rel="next"; title="a, b", <target>; rel=prev`. One pass
 * over the bytes. Where the grammar ends nothing is guessed, since what follows may be the link
 * that is looked for; only single quotes are taken for quotes, as many servers and clients do.
 */
#include "net/url.h"

#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"

struct parser {
	struct slice rest;
	const char *rel;
	const char *base;
	struct buf value; /* of the last parameter, its quotes undone */
};

/* What one link is, by its first parameters of these names. */
struct link {
	bool has_rel, has_anchor;
	bool related; /* REL is among its relations */
	bool foreign; /* its anchor is another resource */
};

static void skip_blanks(struct slice *rest)
{
	while (rest->size > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t')) {
		rest->data++;
		rest->size--;
	}
}

static bool next_is(struct slice *rest, char c)
{
	skip_blanks(rest);
	return rest->size > 0 && rest->data[0] == c;
}

static bool take_char(struct slice *rest, char c)
{
	if (!next_is(rest, c))
		return false;
	rest->data++;
	rest->size--;
	return true;
}

static struct slice take_until(struct slice *rest, const char *ends)
{
	struct slice part = {rest->data, 0};

	while (part.size < rest->size && !strchr(ends, rest->data[part.size]))
		part.size++;
	rest->data += part.size;
	rest->size -= part.size;
	return part;
}

/* Behind the opening QUOTE. A backslash is for the character after it. */
static bool take_quoted(struct parser *parser, char quote)
{
	struct slice *rest = &parser->rest;

	while (rest->size > 0 && rest->data[0] != quote) {
		size_t skip = rest->data[0] == '\\' && rest->size > 1;

		buf_append_char(&parser->value, rest->data[skip]);
		rest->data += skip + 1;
		rest->size -= skip + 1;
	}
	return take_char(rest, quote);
}

static bool take_value(struct parser *parser)
{
	struct slice text;

	buf_clear(&parser->value);
	if (take_char(&parser->rest, '"'))
		return take_quoted(parser, '"');
	if (take_char(&parser->rest, '\''))
		return take_quoted(parser, '\'');
	text = take_until(&parser->rest, ";, \t\"<>");
	buf_append_slice(&parser->value, text);
	return text.size > 0;
}

/* A relation is a list: `rel="next last"`. */
static bool has_relation(struct slice list, const char *rel)
{
	size_t size = strlen(rel);

	while (list.size > 0) {
		struct slice one;

		skip_blanks(&list);
		one = take_until(&list, " \t");
		if (one.size == size && strncasecmp(one.data, rel, size) == 0)
			return true;
	}
	return false;
}

/* A fragment of the base is another resource, too. */
static bool is_foreign(const char *anchor, const char *base)
{
	CLEANUP_FREE char *url = NULL;

	return anchor[0] != '\0' && (strchr(anchor, '#') || url_resolve(base, anchor, &url) != 0 ||
					    strcmp(url, base) != 0);
}

/* Only the first parameter of a name counts (RFC 8288 section 3). */
static void note_parameter(struct parser *parser, struct slice name, struct link *link)
{
	struct slice value = buf_slice(&parser->value);

	if (name.size == 3 && strncasecmp(name.data, "rel", 3) == 0) {
		link->related |= !link->has_rel && has_relation(value, parser->rel);
		link->has_rel = true;
	} else if (name.size == 6 && strncasecmp(name.data, "anchor", 6) == 0) {
		link->foreign |=
			!link->has_anchor && is_foreign(buf_text(&parser->value), parser->base);
		link->has_anchor = true;
	}
}

static bool take_parameter(struct parser *parser, struct link *link)
{
	struct slice name;

	skip_blanks(&parser->rest);
	name = take_until(&parser->rest, "=;, \t\"<>'{}()/\\");
	buf_clear(&parser->value);
	if (name.size == 0) /* `;;` or `;` at the end */
		return parser->rest.size == 0 || strchr(";,", parser->rest.data[0]);
	if (take_char(&parser->rest, '=') && !take_value(parser))
		return false;
	note_parameter(parser, name, link);
	return true;
}

/* `<target>` and its parameters, up to a comma or the end. */
static bool take_link(struct parser *parser, struct slice *ret_target, struct link *link)
{
	struct slice *rest = &parser->rest;

	if (!take_char(rest, '<'))
		return false;
	*ret_target = take_until(rest, "<>\"");
	if (!take_char(rest, '>'))
		return false;
	while (take_char(rest, ';')) {
		if (!take_parameter(parser, link))
			return false;
	}
	skip_blanks(rest);
	return rest->size == 0 || rest->data[0] == ',';
}

int url_from_link_header(struct slice value, const char *rel, const char *base, char **ret)
{
	struct parser parser = {value, rel, base, BUF_NULL};
	struct slice found = SLICE_NULL;
	bool readable = value.size == 0 || !memchr(value.data, '\0', value.size);

	while (readable && parser.rest.size > 0) {
		struct link link = {0};
		struct slice target;

		if (take_char(&parser.rest, ',') || parser.rest.size == 0)
			continue;
		readable = take_link(&parser, &target, &link);
		if (link.related && !link.foreign && !found.data)
			found = target;
	}
	buf_deinit(&parser.value);
	*ret = readable && found.data ? mem_strndup(found.data, found.size) : NULL;
	return readable ? 0 : URL_E_SYNTAX;
}
