/*
 * Selection by conditions. All pointers of all conditions are looked up in one pass over the
 * record's text, so a record costs the same with one condition as with ten; nothing of the record
 * is decoded but the strings that are compared.
 */
#include "pipeline/selection.h"

#include "base/condition.h"
#include "base/json.h"
#include "base/json_lookup.h"
#include "base/mem.h"
#include "base/str.h"

struct selection {
	struct condition *conditions; /* includes, then excludes */
	size_t n_conditions;
	size_t n_includes;
	struct json_lookup *lookup; /* NULL: no conditions */
	struct buf scratch;
};

static int selection_add(struct selection *selection, const char *key, const struct str_list *list,
	struct fault *reterr)
{
	for (size_t i = 0; i < list->n_items; i++) {
		struct slice rest = slice_of(list->items[i]), part;
		bool joined;

		while (condition_next_part(&rest, &part, &joined)) {
			struct condition *condition =
				&selection->conditions[selection->n_conditions];

			if (condition_parse(condition, part) != 0)
				return fault_set(reterr, FAULT_CONFIG,
					"%s: `%s` is not a condition (expected " CONDITION_FORMS
					")",
					key, list->items[i]);
			condition->joined = joined;
			selection->n_conditions++;
		}
	}
	return 0;
}

static void selection_compile(struct selection *selection)
{
	const struct pointer **pointers = mem_array(selection->n_conditions, sizeof(*pointers));

	for (size_t i = 0; i < selection->n_conditions; i++)
		pointers[i] = &selection->conditions[i].pointer;
	selection->lookup = json_lookup_new(pointers, selection->n_conditions);
	free(pointers);
}

int selection_new(struct selection **ret, const struct str_list *include,
	const struct str_list *exclude, struct fault *reterr)
{
	struct selection *selection = MEM_NEW(struct selection);
	int r;

	selection->conditions =
		mem_array(condition_count_parts(include) + condition_count_parts(exclude),
			sizeof(*selection->conditions));
	r = selection_add(selection, "include", include, reterr);
	selection->n_includes = selection->n_conditions;
	if (!r)
		r = selection_add(selection, "exclude", exclude, reterr);
	if (r) {
		selection_free(selection);
		return r;
	}
	if (selection->n_conditions > 0)
		selection_compile(selection);
	*ret = selection;
	return 0;
}

void selection_free(struct selection *selection)
{
	if (!selection)
		return;
	json_lookup_free(selection->lookup);
	buf_deinit(&selection->scratch);
	conditions_free(selection->conditions, selection->n_conditions);
	free(selection);
}

bool selection_is_all(const struct selection *selection)
{
	return selection->n_conditions == 0;
}

static bool selection_fulfils(struct selection *selection, size_t index, struct slice value)
{
	if (value.data)
		value = json_content(value, &selection->scratch);
	return condition_test(&selection->conditions[index], value);
}

bool selection_wants(struct selection *selection, struct slice record)
{
	struct condition_any included = {0};
	struct condition_any excluded = {0};
	const struct slice *values;

	if (!selection->lookup || json_lookup_run(selection->lookup, record, &values, NULL) != 0)
		return true;
	for (size_t i = 0; i < selection->n_conditions; i++)
		condition_any_add(i < selection->n_includes ? &included : &excluded,
			&selection->conditions[i], selection_fulfils(selection, i, values[i]));
	return (selection->n_includes == 0 || included.holds) && !excluded.holds;
}
