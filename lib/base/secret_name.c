/* See secret_name.h. */
#include "base/secret_name.h"

#include <strings.h>

static const char *const sensitive_words[] = {"auth", "token", "cookie", "secret", "passw",
	"passphrase", "credential", "appcode", "apikey", "api-key", "api_key", "session",
	"signature", "assertion", NULL};
static const char *const place_words[] = {
	"next", "page", "continu", "skip", "sync", "cursor", "marker", NULL};

static bool contains(struct slice name, const char *word)
{
	size_t size = strlen(word);
	for (size_t i = 0; i + size <= name.size; i++)
		if (strncasecmp(name.data + i, word, size) == 0)
			return true;
	return false;
}

static bool contains_one_of(struct slice name, const char *const *words)
{
	for (; *words; words++)
		if (contains(name, *words))
			return true;
	return false;
}

/* `key`, `X-Api-Key`, `subscription_key`; not `sortKey`. */
static bool is_key(struct slice name)
{
	if (name.size < 3 || strncasecmp(name.data + name.size - 3, "key", 3) != 0)
		return false;
	return name.size == 3 || strchr("-_.", name.data[name.size - 4]);
}

bool secret_is_named_by(struct slice name)
{
	if (name.size == 3 && strncasecmp(name.data, "sig", 3) == 0)
		return true;
	if (is_key(name))
		return !contains_one_of(name, place_words);
	if (!contains_one_of(name, sensitive_words))
		return false;
	return !contains(name, "token") || !contains_one_of(name, place_words);
}
