/* See web_host.h. */
#include "web_host.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

static bool is_address(const char *name)
{
	struct in6_addr address;
	return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

bool web_host_is_ours(const char *host, const struct str_list *names)
{
	if (!host)
		return true;
	bool bracket = host[0] == '[';
	size_t size = bracket ? strcspn(++host, "]") : strcspn(host, ":");
	char *name CLEANUP_FREE = mem_strndup(host, size);
	if (!bracket && size > 0 && name[size - 1] == '.')
		name[size - 1] = '\0';
	if (is_address(name) || strcasecmp(name, "localhost") == 0)
		return true;
	for (size_t i = 0; i < names->n_items; i++)
		if (strcasecmp(name, names->items[i]) == 0)
			return true;
	return false;
}
