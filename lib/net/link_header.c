/*
 * The Link header (RFC 8288): `<target>; rel="next"; title="a, b", <target>; rel=prev`. One pass
 * over the bytes, quoted strings honoured, so that a comma or `>` inside one does not split a link.
 */
#include "net/url.h"

#include <strings.h>

#include "base/mem.h"

static void skip_blanks(struct slice *rest)
{
	while (rest->size > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t')) {
		rest->data++;
		rest->size--;
	}
}

static bool take_char(struct slice *rest, char c)
{
	skip_blanks(rest);
	if (rest->size == 0 || rest->data[0] != c)
		return false;
	rest->data++;
	rest->size--;
	return true;
}

static struct slice take_until(struct slice *rest, const char *ends)
{
	struct slice part = {rest->data, 0};
	size_t n_ends = strlen(ends); /* not strchr: a NUL in the data is no end */

	while (part.size < rest->size && !memchr(ends, rest->data[part.size], n_ends))
		part.size++;
	rest->data += part.size;
	rest->size -= part.size;
	return part;
}

/* A token or a quoted string, whose content is left as written: relation types need no escapes. */
static struct slice take_value(struct slice *rest)
{
	struct slice value;
	size_t i = 0;

	skip_blanks(rest);
	if (rest->size == 0 || rest->data[0] != '"')
		return take_until(rest, ";, \t");
	rest->data++;
	rest->size--;
	while (i < rest->size && rest->data[i] != '"')
		i += rest->data[i] == '\\' && i + 1 < rest->size ? 2 : 1;
	value = (struct slice){rest->data, i < rest->size ? i : rest->size};
	i = value.size + (value.size < rest->size);
	rest->data += i;
	rest->size -= i;
	return value;
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

/* The parameters of one link. Only the first rel counts (RFC 8288 section 3.3). */
static bool take_parameters(struct slice *rest, const char *rel)
{
	bool seen = false;
	bool found = false;

	while (take_char(rest, ';')) {
		struct slice name;
		struct slice value = SLICE_NULL;

		skip_blanks(rest);
		name = take_until(rest, "=;, \t");
		if (take_char(rest, '='))
			value = take_value(rest);
		if (!seen && name.size == 3 && strncasecmp(name.data, "rel", 3) == 0) {
			seen = true;
			found = value.data && has_relation(value, rel);
		}
	}
	return found;
}

void url_from_link_header(struct slice value, const char *rel, char **ret)
{
	struct slice rest = value;

	*ret = NULL;
	while (rest.data && rest.size > 0) {
		struct slice target;

		while (take_char(&rest, ','))
			;
		if (!take_char(&rest, '<'))
			return;
		target = take_until(&rest, ">");
		if (!take_char(&rest, '>'))
			return;
		if (take_parameters(&rest, rel)) {
			*ret = mem_strndup(target.data, target.size);
			return;
		}
		take_until(&rest, ",");
	}
}
