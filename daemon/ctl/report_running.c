/* See report.h: what only the running trawld knows. It counts since it was started. */
#include "ctl/report.h"

#include "base/cleanup.h"
#include "ctl/ctl_control.h"

#define PATIENCE_SECONDS 60

static const char *const source_counters[] = {"records", "duplicates", "reused_ids", "excluded",
	"quarantined", "untimed", "late", "vanished", "requests", "errors", NULL};
static const char *const sink_counters[] = {"delivered", "filtered", "refused", "retries",
	"pending_records", "oldest_pending_age", "last_success", NULL};

static void copy(json_t *to, const json_t *from, const char *const *names)
{
	json_t *counters = json_object();
	for (; *names; names++)
		json_object_set(counters, *names, json_object_get(from, *names));
	json_object_set_new(to, "counters", counters);
}

/* The members of LIST by their names. */
static json_t *by_name(const json_t *list)
{
	json_t *found = json_object(), *one;
	size_t i;
	json_array_foreach(list, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name"));
		if (name)
			json_object_set(found, name, one);
	}
	return found;
}

static void take(
	struct report *report, const json_t *status, const char *key, const char *const *counters)
{
	json_t *found = by_name(json_object_get(status, key)), *one;
	size_t i;
	json_array_foreach(json_object_get(report->model, key), i, one)
	{
		json_t *from =
			json_object_get(found, json_string_value(json_object_get(one, "name")));
		if (!from)
			continue;
		copy(one, from, counters);
		if (json_object_get(from, "clock_skew"))
			json_object_set(one, "clock_skew", json_object_get(from, "clock_skew"));
	}
	json_decref(found);
}

void report_running(struct report *report)
{
	const char *path = report->config->daemon.control;
	json_t *answer = NULL;
	if (strcmp(path, "off") == 0 || !ctl_control_answers(path) ||
		ctl_control_ask(path, json_pack("{s:s}", "command", "status"), PATIENCE_SECONDS,
			&answer) != 0) {
		json_decref(answer);
		return;
	}
	const json_t *status = json_object_get(answer, "status");
	json_object_set(report->model, "counted_since", json_object_get(status, "since"));
	take(report, status, "sources", source_counters);
	take(report, status, "sinks", sink_counters);
	json_decref(answer);
}
