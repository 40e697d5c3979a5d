/* trawlctl refill: has the running trawld request the open gaps of a source again. */
#include "ctl/ctl.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "ctl/ctl_ask.h"

static void print_count(const json_t *answer, const char *member, const char *what)
{
	json_int_t n = json_integer_value(json_object_get(answer, member));
	if (n > 0)
		printf("%lld gap%s %s\n", (long long)n, str_plural((size_t)n), what);
}

static void print_done(const char *name, const json_t *answer)
{
	json_int_t n = json_integer_value(json_object_get(answer, "gaps"));
	if (n == 0)
		printf("source %s: no open gap can be requested again\n", name);
	else
		printf("source %s: %lld gap%s will be requested again while the source is up to date; `trawlctl gaps %s` lists what is still open, the log has the results\n",
			name, (long long)n, str_plural((size_t)n), name);
	if (n > 0 && json_is_true(json_object_get(answer, "failing")))
		printf("the source fails now, and they wait until it works again (`trawlctl status %s` shows why)\n",
			name);
	print_count(answer, "expired", "not requested: older than what the API keeps");
	print_count(answer, "lost", "not requested: the documents no longer exist");
	print_count(answer, "clock",
		"not requested: of wrong clocks, so what was delivered then would come twice (`trawlctl rewind` requests it nevertheless)");
}

int ctl_refill(const struct ctl_arguments *arguments)
{
	json_t *answer = NULL;
	int code = ctl_ask_running(arguments,
		json_pack("{s:s, s:s}", "command", "refill", "source", arguments->name), &answer);
	if (code == 0)
		print_done(arguments->name, answer);
	json_decref(answer);
	return code;
}
