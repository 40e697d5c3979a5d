/* See syslog_severity.h. */
#include "sink/syslog/syslog_severity.h"

#include "base/json.h"
#include "base/json_lookup.h"
#include "base/mem.h"
#include "sink/syslog/syslog_format.h"

struct rule {
	char *glob;
	unsigned severity;
};

struct syslog_severity {
	unsigned fallback;
	struct json_lookup *lookup; /* NULL: no `severity_from` */
	struct buf scratch;
	struct rule *rules;
	size_t n_rules;
};

static int add_rule(struct syslog_severity *severity, const char *text, struct fault *reterr)
{
	struct rule *rule = &severity->rules[severity->n_rules];
	const char *sign = strrchr(text, '=');
	struct slice glob = {text, sign ? (size_t)(sign - text) : 0};

	glob = str_trim(glob);
	if (glob.size == 0 ||
		!syslog_severity_parse(str_trim(slice_of(sign + 1)), true, &rule->severity))
		return fault_set(reterr, FAULT_CONFIG,
			"severity_map: '%s' is not glob=severity, with a number from 0 to 7 or one of " SYSLOG_SEVERITY_NAMES,
			text);
	rule->glob = mem_strndup(glob.data, glob.size);
	severity->n_rules++;
	return 0;
}

static int set_pointer(struct syslog_severity *severity, const char *from, struct fault *reterr)
{
	struct pointer pointer = POINTER_NULL;
	const struct pointer *list[] = {&pointer};

	if (pointer_parse(&pointer, slice_of(from)) != 0)
		return fault_set(reterr, FAULT_CONFIG,
			"severity_from: `%s` is not a JSON Pointer (expected /name or /outer/inner)",
			from);
	severity->lookup = json_lookup_new(list, 1);
	pointer_deinit(&pointer);
	return 0;
}

int syslog_severity_new(struct syslog_severity **ret, const char *from, const struct str_list *map,
	unsigned fallback, const char **ret_key, struct fault *reterr)
{
	struct syslog_severity *severity = MEM_NEW(struct syslog_severity);
	int r = 0;

	severity->fallback = fallback;
	severity->rules = mem_array(map->n_items, sizeof(*severity->rules));
	*ret_key = "severity_map";
	for (size_t i = 0; i < map->n_items && !r; i++)
		r = add_rule(severity, map->items[i], reterr);
	if (!r && map->n_items > 0 && !from)
		r = fault_set(reterr, FAULT_CONFIG,
			"severity_map needs severity_from: the place of the value in a record");
	if (!r && from) {
		*ret_key = "severity_from";
		r = set_pointer(severity, from, reterr);
	}
	if (r)
		syslog_severity_free(severity);
	else
		*ret = severity;
	return r;
}

void syslog_severity_free(struct syslog_severity *severity)
{
	if (!severity)
		return;
	json_lookup_free(severity->lookup);
	buf_deinit(&severity->scratch);
	for (size_t i = 0; i < severity->n_rules; i++)
		free(severity->rules[i].glob);
	free(severity->rules);
	free(severity);
}

unsigned syslog_severity_of(struct syslog_severity *severity, struct slice record)
{
	unsigned result = severity->fallback;
	const struct slice *found;
	struct slice value;

	if (!severity->lookup || json_lookup_run(severity->lookup, record, &found, NULL) != 0 ||
		!found->data)
		return result;
	value = json_content(*found, &severity->scratch);
	for (size_t i = 0; i < severity->n_rules; i++) {
		if (str_glob(severity->rules[i].glob, value))
			return severity->rules[i].severity;
	}
	(void)syslog_severity_parse(value, false, &result);
	return result;
}
