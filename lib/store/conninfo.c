/* See conninfo.h. */
#include "store/conninfo.h"

#include <libpq-fe.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/slice.h"
#include "base/str.h"

static void options_free(PQconninfoOption **options)
{
	PQconninfoFree(*options);
}

/* NULL: not given. */
static const char *value_of(const PQconninfoOption *options, const char *key)
{
	for (const PQconninfoOption *option = options; option->keyword; option++)
		if (strcmp(option->keyword, key) == 0)
			return option->val && *option->val ? option->val : NULL;
	return NULL;
}

static bool is_local(struct slice host)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
	if (host.size == 0 || host.data[0] == '/' || host.data[0] == '@')
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_is(host, names[i]))
			return true;
	return false;
}

/* Every one of HOSTS, of which there are *RET_N. */
static bool are_local(const char *hosts, size_t *ret_n)
{
	struct slice rest = slice_of(hosts), part;
	bool local = true;
	*ret_n = 0;
	while (hosts && str_next_part(&rest, ',', &part)) {
		local &= is_local(part);
		++*ret_n;
	}
	return local;
}

static int check_own(const PQconninfoOption *options, struct fault *reterr)
{
	static const char *const own[] = {"application_name", "client_encoding", "options",
		"replication", "fallback_application_name"};
	if (value_of(options, "password"))
		return fault_set(reterr, FAULT_CONFIG,
			"connect: the password has a key of its own; write `password = ${credential:NAME}`");
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (value_of(options, own[i]))
			return fault_set(
				reterr, FAULT_CONFIG, "connect: trawld sets %s itself", own[i]);
	return 0;
}

/* What libpq says of a text that it cannot read, in one line. It quotes the text, and a password
 * may be in it: only the names of keys are shown. */
static void append_reason(const char *why, struct buf *out)
{
	bool names_a_key = str_starts(why, "invalid connection option") ||
			   str_starts(why, "invalid URI query parameter");
	size_t size = strcspn(why, "\n");
	if (!names_a_key && memchr(why, '"', size))
		buf_append_text(out, "it cannot be read");
	else
		buf_append(out, why, size);
}

int conninfo_check(const char *connect, struct fault *reterr)
{
	char *why = NULL;
	size_t n_hosts;
	PQconninfoOption *options CLEANUP(options_free) = PQconninfoParse(connect, &why);
	if (!options) {
		struct buf reason CLEANUP(buf_deinit) = BUF_NULL;
		append_reason(why ? why : "", &reason);
		fault_set(reterr, FAULT_CONFIG,
			"connect: %s (expected as in `host=pg1 dbname=trawld user=trawld`)",
			buf_text(&reason));
		PQfreemem(why);
		return -1;
	}
	int r = check_own(options, reterr);
	if (r)
		return r;
	const char *hosts = value_of(options, "hostaddr");
	bool local = are_local(hosts ? hosts : value_of(options, "host"), &n_hosts);
	const char *attributes = value_of(options, "target_session_attrs");
	if (n_hosts > 1 && (!attributes || (strcmp(attributes, "read-write") != 0 &&
						   strcmp(attributes, "primary") != 0)))
		return fault_set(reterr, FAULT_CONFIG,
			"connect: several hosts need target_session_attrs=read-write, since only the primary can be written to");
	if (!local && !value_of(options, "sslmode"))
		return fault_set(reterr, FAULT_CONFIG,
			"connect: without sslmode, records could go over the network unencrypted; add sslmode=verify-full and sslrootcert=FILE (or sslmode=disable, if the network may see them)");
	return 0;
}
