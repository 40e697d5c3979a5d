/* The keys that every sink has, beside its kind's own: see fanout.h. */
#include "pipeline/fanout.h"

#include <stddef.h>

#include "base/json_remove.h"

static const char *const record_format_names[] = {"raw", "envelope", NULL};

#define COMMON(member) offsetof(struct sink_common_options, member)

const struct option sink_common_option_rows[] = {
	{
		.name = "format",
		.type = OPTION_CHOICE,
		.offset = COMMON(format),
		.default_text = "raw",
		.choices = record_format_names,
		.help = "raw: the record's own text; envelope: with source, provider, id and time",
	},
	{
		.name = "include",
		.type = OPTION_LINES,
		.offset = COMMON(include),
		.help = "conditions, one per line: only records that meet one of them",
	},
	{
		.name = "exclude",
		.type = OPTION_LINES,
		.offset = COMMON(exclude),
		.help = "conditions, one per line: no record that meets one of them",
	},
	{
		.name = "remove",
		.type = OPTION_LIST,
		.offset = COMMON(remove),
		.help = "JSON Pointers to members that are cut out of each record",
	},
	{
		.name = "retry_max",
		.type = OPTION_DURATION,
		.offset = COMMON(retry_max_ns),
		.default_text = "5m",
		.min = NSEC_PER_SEC,
		.max = NSEC_PER_DAY,
		.help = "the longest pause between two attempts",
	},
};
const size_t n_sink_common_option_rows =
	sizeof(sink_common_option_rows) / sizeof(sink_common_option_rows[0]);

static void sink_check_conditions(const struct str_list *list, const char *key,
	const struct ini_section *section, struct findings *findings)
{
	for (size_t i = 0; i < list->n_items; i++) {
		struct slice rest = slice_of(list->items[i]), part;
		bool joined;

		while (condition_next_part(&rest, &part, &joined)) {
			struct condition condition = CONDITION_NULL;

			if (condition_parse(&condition, part) != 0)
				findings_add_at(findings, section, key,
					"%s: `%s` is not a condition (expected " CONDITION_FORMS
					")",
					key, list->items[i]);
			condition_deinit(&condition);
		}
	}
}

void sink_common_check(const struct sink_common_options *common, const struct ini_section *section,
	struct findings *findings)
{
	struct json_remove *remove = NULL;
	struct fault fault = FAULT_NULL;

	sink_check_conditions(&common->include, "include", section, findings);
	sink_check_conditions(&common->exclude, "exclude", section, findings);
	if (json_remove_new(&remove, &common->remove, &fault) != 0)
		findings_add_at(findings, section, "remove", "%s", fault.text);
	json_remove_free(remove);
}
