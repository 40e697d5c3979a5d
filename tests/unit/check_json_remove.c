/* Members cut out of a record: everything else stays byte for byte. */
#include "base/json_remove.h"

#include "check_unit.h"

static struct json_remove *make(const char *const *pointers, size_t n)
{
	struct str_list list = STR_LIST_NULL;
	struct json_remove *remove = NULL;

	for (size_t i = 0; i < n; i++)
		str_list_add(&list, pointers[i]);
	(void)json_remove_new(&remove, &list, NULL);
	str_list_deinit(&list);
	return remove;
}

START_TEST(cuts)
{
	static const struct {
		const char *pointers[3];
		const char *text, *expected, *removed; /* expected NULL: nothing is cut */
	} cases[] = {
		{{"/a"}, "{\"a\":1}", "{}", "[\"/a\"]"},
		{{"/a"}, "{\"a\":1,\"b\":2}", "{\"b\":2}", "[\"/a\"]"},
		{{"/b"}, "{\"a\":1,\"b\":2}", "{\"a\":1}", "[\"/b\"]"},
		{{"/b"}, "{\"a\":1.50e+00,\"b\":[{\"b\":\"]}\"}],\"c\":\"\\u00e9\\/\"}",
			"{\"a\":1.50e+00,\"c\":\"\\u00e9\\/\"}", "[\"/b\"]"},
		/* of equal keys all, however they are written */
		{{"/key"}, "{\"key\":1,\"x\":2,\"\\u006bey\":{\"key\":3},\"key\":\"4\"}",
			"{\"x\":2}", "[\"/key\"]"},
		{{"/a/b"}, "{\"a\":{\"b\":1},\"a\":{\"c\":2,\"b\":3},\"a\":4}",
			"{\"a\":{},\"a\":{\"c\":2},\"a\":4}", "[\"/a/b\"]"},
		/* escaped pointers */
		{{"/a~1b", "/c~0d", "/~01"}, "{\"a/b\":1,\"c~d\":2,\"~1\":3,\"a\":{\"b\":4}}",
			"{\"a\":{\"b\":4}}", "[\"/a~1b\",\"/c~0d\",\"/~01\"]"},
		{{"/"}, "{\"\":1,\"a\":2}", "{\"a\":2}", "[\"/\"]"},
		{{"/\xc3\xa9"}, "{\"\\u00e9\":1,\"e\":2}", "{\"e\":2}", "[\"/\xc3\xa9\"]"},
		/* arrays: the indices are those of the array as it was */
		{{"/0", "/2"}, "[1,2,3,4]", "[2,4]", "[\"/0\",\"/2\"]"},
		{{"/l/1/x"}, "{\"l\":[{\"x\":1},{\"x\":2},{\"x\":3}]}",
			"{\"l\":[{\"x\":1},{},{\"x\":3}]}", "[\"/l/1/x\"]"},
		{{"/0"}, "{\"0\":1,\"1\":2}", "{\"1\":2}", "[\"/0\"]"},
		{{"/a/b", "/a"}, "{\"a\":{\"b\":1}}", "{}", "[\"/a\"]"},
		{{"/b/c", "/a"}, "{ \"a\" : 1 , \"b\" : { \"c\" : [ 1 , 2 ] , \"d\":[ 1 ] } }",
			"{\"b\":{\"d\":[ 1 ]}}", "[\"/b/c\",\"/a\"]"},
		{{"/x"}, "{\"a\":\"\\\"x\\\":1\",\"b\":\"\\\\\"}", NULL, NULL},
		{{"/a/b"}, "{\"a\":\"b\"}", NULL, NULL},
		{{"/a/b"}, "{\"a\":[\"b\"]}", NULL, NULL},
		{{"/a"}, "\"a\"", NULL, NULL},
		{{"/a"}, "[]", NULL, NULL},
		{{"/01"}, "[1,2]", NULL, NULL},
		{{"/-"}, "[1,2]", NULL, NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = BUF_NULL, removed = BUF_NULL;
		size_t n = 0;
		while (n < 3 && cases[i].pointers[n])
			n++;
		struct json_remove *remove = make(cases[i].pointers, n);
		ck_assert_msg(remove, "case %zu", i);
		buf_append_text(&out, "before ");
		uint64_t bits = json_remove_run(remove, slice_of(cases[i].text), &out);
		ck_assert_msg((bits != 0) == (cases[i].expected != NULL), "case %zu", i);
		ck_assert_uint_eq(out.size, 7 + (bits ? strlen(cases[i].expected) : 0));
		if (bits) {
			ck_assert_msg(strcmp(buf_text(&out) + 7, cases[i].expected) == 0,
				"case %zu: %s", i, buf_text(&out));
			json_remove_print(remove, bits, &removed);
			ck_assert_str_eq(buf_text(&removed), cases[i].removed);
			ck_assert_uint_le(removed.size, json_remove_print_max(remove));
		}
		json_remove_free(remove);
		buf_deinit(&removed);
		buf_deinit(&out);
	}
}
END_TEST

START_TEST(refused)
{
	static const char *const texts[] = {"", "a", "/a~2", "$.a"};
	const char *many[JSON_REMOVE_MAX + 1];
	struct json_remove *remove;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(!make(&texts[i], 1), "case %zu", i);
	for (size_t i = 0; i <= JSON_REMOVE_MAX; i++)
		many[i] = "/a";
	ck_assert(!make(many, JSON_REMOVE_MAX + 1));
	remove = make(many, JSON_REMOVE_MAX);
	ck_assert(remove);
	json_remove_free(remove);
}
END_TEST

UNIT_MAIN("json_remove", cuts, refused)
