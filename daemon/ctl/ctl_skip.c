/* trawlctl skip: the running trawld gets past what it cannot read, and records a gap. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "ctl/ctl_ask.h"
#include "terminal.h"

int ctl_skip(const struct ctl_arguments *arguments)
{
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	json_t *answer = NULL;
	int code = ctl_ask_running(arguments,
		json_pack("{s:s, s:s}", "command", "skip", "source", arguments->name), &answer);
	const char *failed = json_string_value(json_object_get(answer, "failed"));
	if (code == 0) {
		buf_printf(&out, "source %s: skipping what fails: ", arguments->name);
		terminal_append(&out, failed ? failed : "", 0);
		buf_append_text(&out,
			"\ntrawld looks for the shortest part that fails, records it as a gap and continues after it (trawlctl gaps).\n");
		fputs(buf_text(&out), stdout);
	}
	json_decref(answer);
	return code;
}
