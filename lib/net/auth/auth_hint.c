/* See auth_hint.h. */
#include "net/auth/auth_hint.h"

#include <strings.h>

#include "base/str.h"
#include "base/utf8.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *scheme_of(struct slice value)
{
	static const char *const schemes[] = {"Bearer ", "Basic ", "Token ", "Splunk ", "ApiKey "};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t size = strlen(schemes[i]);

		if (value.size > size && strncasecmp(value.data, schemes[i], size) == 0)
			return schemes[i];
	}
	return NULL;
}

static size_t count_characters(struct slice value)
{
	size_t n = 0;

	for (size_t i = 0; i < value.size; n++) {
		size_t size = utf8_size(value.data + i, value.size - i);

		i += size ? size : 1;
	}
	return n;
}

static bool is_ascii(struct slice value)
{
	for (size_t i = 0; i < value.size; i++)
		if ((unsigned char)value.data[i] >= 0x80)
			return false;
	return true;
}

void auth_hint_add(struct buf *out, const char *name, struct slice value)
{
	size_t n = count_characters(value);
	char first = value.size ? value.data[0] : '\0';
	char last = value.size ? value.data[value.size - 1] : '\0';
	const char *scheme = scheme_of(value);
	bool ends = is_blank(first) || is_blank(last);

	buf_printf(
		out, "%s`%s` has %zu character%s", out->size ? "; " : "", name, n, str_plural(n));
	if (scheme)
		buf_printf(out, ", begins with `%s`", scheme);
	if (value.size > 1 && first == last && strchr("\"'`", first))
		buf_append_text(out, ", is in quotes");
	if (ends)
		buf_append_text(out, ", has white space at its ends");
	else if (!scheme && value.size &&
		 (memchr(value.data, ' ', value.size) || memchr(value.data, '\t', value.size)))
		buf_append_text(out, ", contains white space");
	if (!is_ascii(value))
		buf_append_text(out, ", contains characters that are not ASCII");
}

bool auth_hint_is_secret(const char *name)
{
	static const char *const names[] = {"token", "password", "secret_key", "client_secret",
		"value", "key", "security_token"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

void auth_hint_append(struct fault *fault, const struct buf *hint)
{
	struct fault told = *fault;

	if (hint->size == 0)
		return;
	fault_set(&told, fault->class, "%s (%.*s)", fault->text, (int)hint->size, hint->data);
	memcpy(fault->text, told.text, sizeof(fault->text));
}
