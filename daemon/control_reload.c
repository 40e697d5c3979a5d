/* See control_internal.h: commands that read the configuration again. */
#include "control_internal.h"

#include <sysexits.h>

#include "base/cleanup.h"
#include "base/json_value.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/findings.h"
#include "store/routes.h"
#include "trawld.h"

static json_t *findings_json(struct findings *findings)
{
	json_t *lines = json_array();
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	if (!stream)
		return lines;
	findings_print(findings, stream);
	fclose(stream);
	struct slice rest = {text, size}, line;
	while (str_next_part(&rest, '\n', &line)) {
		char *copy CLEANUP_FREE = mem_strndup(line.data, line.size);
		if (line.size)
			json_array_append_new(lines, json_value_text(copy));
	}
	free(text);
	return lines;
}

json_t *control_reload(struct control_caller *caller, struct routes_change *change)
{
	const struct parts *parts = caller->parts;
	char *by CLEANUP_FREE = control_caller_name(caller);
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct fault fault = FAULT_NULL;
	if (trawld_is_stopping(caller->trawld))
		return control_refusal(EX_TEMPFAIL, "trawld is stopping");
	if (!trawld_may_reload(caller->trawld, caller->wait.reload))
		return NULL;
	if (change)
		change->by = by;
	int code = trawld_reload(caller->trawld, change, by, &findings, &fault);
	json_t *value = code ? control_refusal(code, fault.text) : json_object();
	if (code == 0) {
		json_object_set_new(value, "ok", json_true());
		json_object_set_new(
			value, "sources", json_integer((json_int_t)parts->setup->n_sources));
		json_object_set_new(
			value, "sinks", json_integer((json_int_t)parts->setup->n_sinks));
	}
	json_object_set_new(value, code ? "faults" : "warnings", findings_json(&findings));
	return value;
}

json_t *control_change(
	struct control_caller *caller, enum routes_command command, const json_t *request)
{
	struct routes_change change = {
		.command = command,
		.name = json_string_value(json_object_get(request, "name")),
		.to = json_string_value(json_object_get(request, "to")),
	};
	if (!change.name || (!change.to && command != ROUTES_DROP_SINK))
		return control_refusal(EX_USAGE, "the request needs a name");
	json_t *value = control_reload(caller, &change);
	if (!value)
		return NULL;
	json_object_set_new(value, "records", json_integer((json_int_t)change.n_records));
	json_object_set_new(value, "merged", json_boolean(change.merged));
	return value;
}
