/* JSON Pointers looked up in one pass over a text. */
#include "base/json_lookup.h"

#include "check_unit.h"

static const char *const pointers[] = {"/a", "/b/0", "", "/a/none"};

#define N (sizeof(pointers) / sizeof(pointers[0]))

START_TEST(values)
{
	static const struct {
		const char *text;
		enum fault_class class;
		const char *values[N]; /* NULL: absent */
	} rows[] = {
		{"{\"a\": 1, \"b\": [ \"x\\u0041\" ]}", FAULT_NONE,
			{"1", "\"x\\u0041\"", "{\"a\": 1, \"b\": [ \"x\\u0041\" ]}", NULL}},
		{"{\"a\":1,\"a\":{\"none\":null}}", FAULT_NONE,
			{"{\"none\":null}", NULL, "{\"a\":1,\"a\":{\"none\":null}}", "null"}},
		{" 7 ", FAULT_NONE, {NULL, NULL, "7", NULL}},
		{"{\"a\":1", FAULT_BODY, {NULL}},
		{"", FAULT_BODY, {NULL}},
	};
	struct json_lookup *lookup = json_lookup_parse(pointers, N);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct slice *found = NULL;
		struct slice once[N];
		struct fault fault = FAULT_NULL;

		ck_assert_msg(
			unit_class(json_lookup_run(lookup, slice_of(rows[i].text), &found, &fault),
				&fault) == rows[i].class,
			"row %zu: %s", i, fault.text);
		ck_assert_int_eq(json_lookup_once(pointers, N, slice_of(rows[i].text), once, NULL),
			rows[i].class == FAULT_NONE ? 0 : -1);
		for (size_t k = 0; rows[i].class == FAULT_NONE && k < N; k++) {
			const char *value = rows[i].values[k];

			ck_assert_msg(value ? slice_is(found[k], value) : !found[k].data,
				"row %zu, pointer %zu: %.*s", i, k, (int)found[k].size,
				found[k].data);
			ck_assert_ptr_eq(once[k].data, found[k].data);
			ck_assert_uint_eq(once[k].size, found[k].size);
		}
	}
	json_lookup_free(lookup);
	json_lookup_free(NULL);
}
END_TEST

START_TEST(no_pointers)
{
	ck_assert_int_eq(json_lookup_once(NULL, 0, SLICE("[1]"), NULL, NULL), 0);
	ck_assert_int_eq(json_lookup_once(NULL, 0, SLICE("[1"), NULL, NULL), -1);
}
END_TEST

UNIT_MAIN("json_lookup", values, no_pointers)
