/* See mask.h. Scans text, does not parse it: what is shown may be cut short or not be what
 * it says. */
#include "mask.h"

#include <ctype.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "base/secret_name.h"

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || strchr("-_.[]%~", c);
}

static bool ends_value(char c)
{
	return isspace((unsigned char)c) || strchr("&#<>\"'\\;,", c);
}

/* Text from *AT on that is `name=value` with a sensitive name: appended masked, *AT moves on. */
static bool take_pair(struct slice text, size_t *at, struct buf *out)
{
	size_t end = *at;
	while (end < text.size && is_name_char(text.data[end]))
		end++;
	struct slice name = {text.data + *at, end - *at};
	if (name.size == 0 || end == text.size || text.data[end] != '=' ||
		!secret_is_named_by(name))
		return false;
	buf_append(out, name.data, name.size + 1);
	size_t value = ++end;
	while (end < text.size && !ends_value(text.data[end]))
		end++;
	if (end > value)
		buf_append_text(out, "***");
	*at = end;
	return true;
}

/* The end of the JSON string that begins at AT, behind its quote. */
static size_t string_end(struct slice text, size_t at)
{
	for (at++; at < text.size && text.data[at] != '"'; at++)
		if (text.data[at] == '\\' && at + 1 < text.size)
			at++;
	return at < text.size ? at + 1 : at;
}

static size_t skip_blanks(struct slice text, size_t at)
{
	while (at < text.size && isspace((unsigned char)text.data[at]))
		at++;
	return at;
}

static size_t scalar_end(struct slice text, size_t at)
{
	if (text.data[at] == '"')
		return string_end(text, at);
	while (at < text.size && !isspace((unsigned char)text.data[at]) &&
		!strchr(",]}", text.data[at]))
		at++;
	return at;
}

/* The same for `"name": scalar`; *AT is at the quote. */
static bool take_member(struct slice text, size_t *at, struct buf *out)
{
	size_t end = string_end(text, *at);
	size_t value = skip_blanks(text, end);
	if (end - *at < 2 || value >= text.size || text.data[value] != ':')
		return false;
	value = skip_blanks(text, value + 1);
	if (value >= text.size || text.data[value] == '{' || text.data[value] == '[' ||
		!secret_is_named_by((struct slice){text.data + *at + 1, end - *at - 2}))
		return false;
	buf_append(out, text.data + *at, value - *at);
	buf_append_text(out, "\"***\"");
	*at = scalar_end(text, value);
	return true;
}

/* Registered secrets go first: the scan could cut one in two and let a half pass. */
static void mask_text(struct slice text, bool whole, struct buf *out)
{
	struct buf own CLEANUP(buf_deinit) = BUF_NULL;
	size_t at = 0;
	mask_plain(text, &own);
	text = buf_slice(&own);
	while (at < text.size) {
		bool pair = at == 0 ? whole : strchr("?&#;", text.data[at - 1]) != NULL;
		if (pair && take_pair(text, &at, out))
			continue;
		if (whole && text.data[at] == '"' && take_member(text, &at, out))
			continue;
		buf_append_char(out, text.data[at++]);
	}
}

void mask_plain(struct slice text, struct buf *out)
{
	struct buf own = BUF_NULL;
	buf_append_slice(&own, text);
	secret_mask_line(&own);
	buf_append_slice(out, buf_slice(&own));
	secret_wipe(own.data, own.size);
	buf_deinit(&own);
}

void mask_url(struct slice text, struct buf *out)
{
	mask_text(text, false, out);
}

void mask_body(struct slice body, struct buf *out)
{
	mask_text(body, true, out);
}
