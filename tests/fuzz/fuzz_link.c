/* A base URL on the first line, then a reference or the value of a Link header. What is resolved
 * has an origin, and that origin is its own origin. */
#include "net/url.h"

#include "fuzz.h"

static void check(const char *url)
{
	struct url_parts parts;
	char *origin = NULL, *again = NULL;
	if (url_origin(url, &origin) != 0)
		return;
	assert(url_origin(origin, &again) == 0 && strcmp(origin, again) == 0);
	if (url_split(url, &parts) == 0)
		assert(parts.path.size + parts.query.size + parts.authority.size <= strlen(url));
	url_is_loopback(url);
	url_is_in_clear(url);
	free(origin);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = fuzz_input(data, size), line = fuzz_line(&rest);
	char *base = fuzz_text(line), *reference = fuzz_text(rest);
	char *link = NULL, *resolved = NULL, *origin = NULL;
	(void)url_from_link_header(rest, "next", base, &link);
	check(base);
	if (url_resolve(base, link ? link : reference, &resolved) == 0) {
		assert(url_origin(resolved, &origin) == 0);
		check(resolved);
	}
	free(resolved);
	resolved = NULL;
	if (url_replace_origin(base, "https://[::1]:8443/x/", &resolved) == 0)
		check(resolved);
	free(resolved);
	free(origin);
	free(link);
	free(base);
	free(reference);
	return 0;
}
