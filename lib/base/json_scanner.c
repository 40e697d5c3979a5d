/*
 * The JSON scanner: one pass, recursive descent of at most JSON_SCANNER_MAX_DEPTH levels,
 * validating everything and noting only what the plan asks for. What is wanted is a trie of pointer
 * tokens walked beside the text: a value nobody asks for is only checked.
 *
 * Deliberately accepted although jansson refuses it, because the records are passed on as they are
 * and never converted: numbers of any size, half a surrogate pair as an escape, U+0000 in a key,
 * and bytes inside strings that are not UTF-8 (one of them must not stop a source for good).
 */
#include "base/json_scanner.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/json_skip.h"
#include "base/mem.h"

struct trie {
	char *name;
	size_t size;
	int64_t index; /* the name as an array index, or -1 */
	struct trie *children;
	size_t n_children;
	size_t *slots; /* columns that this place fills */
	size_t n_slots;
	bool records; /* this is the array of records */
};

struct json_scanner {
	struct trie envelope;
	struct trie element;
	size_t n_envelope;
	size_t n_fields;
	bool lines;
};

struct parse {
	const struct json_scanner *plan;
	const char *start, *p, *end;
	unsigned depth;
	bool spaced; /* white space was skipped since this was last cleared */
	struct json_scan *scan;
	struct slice *columns; /* where slots of the trie in use go */
	struct buf key; /* scratch for keys with escapes */
	const char *error; /* what is wrong at p */
	bool too_deep, too_many;
};

static struct trie *trie_child(struct trie *node, const struct pointer_token *token)
{
	for (size_t i = 0; i < node->n_children; i++)
		if (node->children[i].size == token->size &&
			memcmp(node->children[i].name, token->name, token->size) == 0)
			return &node->children[i];
	node->children = mem_resize(node->children, (node->n_children + 1) * sizeof(struct trie));
	struct trie *child = &node->children[node->n_children++];
	*child = (struct trie){.name = mem_strndup(token->name, token->size),
		.size = token->size,
		.index = token->index};
	return child;
}

static struct trie *trie_walk(struct trie *node, const struct pointer *pointer)
{
	for (size_t i = 0; i < pointer->n_tokens; i++)
		node = trie_child(node, &pointer->tokens[i]);
	return node;
}

static void trie_want(struct trie *root, const struct pointer *pointer, size_t slot)
{
	struct trie *node = trie_walk(root, pointer);
	node->slots = mem_resize(node->slots, (node->n_slots + 1) * sizeof(size_t));
	node->slots[node->n_slots++] = slot;
}

static void trie_deinit(struct trie *node)
{
	for (size_t i = 0; i < node->n_children; i++)
		trie_deinit(&node->children[i]);
	free(node->children);
	free(node->slots);
	free(node->name);
}

struct json_scanner *json_scanner_new(const struct json_scanner_wanted *wanted)
{
	struct json_scanner *plan = MEM_NEW(struct json_scanner);
	plan->n_envelope = wanted->n_envelope;
	plan->n_fields = wanted->n_fields;
	plan->lines = wanted->lines;
	for (size_t i = 0; i < wanted->n_envelope; i++)
		trie_want(&plan->envelope, wanted->envelope[i], i);
	for (size_t i = 0; i < wanted->n_fields; i++)
		trie_want(&plan->element, wanted->fields[i], i);
	if (wanted->records && !wanted->lines)
		trie_walk(&plan->envelope, wanted->records)->records = true;
	return plan;
}

void json_scanner_free(struct json_scanner *plan)
{
	if (!plan)
		return;
	trie_deinit(&plan->envelope);
	trie_deinit(&plan->element);
	free(plan);
}

void json_scan_deinit(struct json_scan *scan)
{
	free(scan->elements);
	free(scan->fields);
	free(scan->envelope);
	*scan = JSON_SCAN_NULL;
}

static bool fail(struct parse *parse, const char *error)
{
	if (!parse->error)
		parse->error = error;
	return false;
}

static inline void skip_space(struct parse *parse)
{
	if (parse->p < parse->end && (unsigned char)*parse->p > ' ')
		return;
	while (parse->p < parse->end &&
		(*parse->p == ' ' || *parse->p == '\n' || *parse->p == '\r' || *parse->p == '\t')) {
		parse->spaced = true;
		parse->p++;
	}
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool check_escape(struct parse *parse)
{
	const char *p = parse->p + 1;
	if (p < parse->end && *p && strchr("\"\\/bfnrt", *p)) {
		parse->p += 2;
		return true;
	}
	if (p < parse->end && *p == 'u' && parse->end - p >= 5 && is_hex(p[1]) && is_hex(p[2]) &&
		is_hex(p[3]) && is_hex(p[4])) {
		parse->p += 6;
		return true;
	}
	return fail(parse, "an escape that JSON does not have");
}

/* P stands at the opening quote. */
static bool parse_string(struct parse *parse, bool *ret_escaped)
{
	*ret_escaped = false;
	parse->p++;
	for (;;) {
		parse->p = json_skip_plain(parse->p, parse->end);
		if (parse->p == parse->end)
			return fail(parse, "a string does not end");
		unsigned char c = (unsigned char)*parse->p;
		if (c == '"') {
			parse->p++;
			return true;
		}
		if (c == '\\') {
			*ret_escaped = true;
			if (!check_escape(parse))
				return false;
		} else if (c < 0x20) {
			return fail(parse, "a control character inside a string");
		} else {
			parse->p++;
		}
	}
}

static inline bool at_digit(const struct parse *parse)
{
	return parse->p < parse->end && *parse->p >= '0' && *parse->p <= '9';
}

static bool skip_digits(struct parse *parse)
{
	if (!at_digit(parse))
		return fail(parse, "a number without digits");
	while (at_digit(parse))
		parse->p++;
	return true;
}

static bool parse_number(struct parse *parse)
{
	if (*parse->p == '-')
		parse->p++;
	if (parse->p < parse->end && *parse->p == '0')
		parse->p++;
	else if (!skip_digits(parse))
		return false;
	if (parse->p < parse->end && *parse->p == '.') {
		parse->p++;
		if (!skip_digits(parse))
			return false;
	}
	if (parse->p < parse->end && (*parse->p == 'e' || *parse->p == 'E')) {
		parse->p++;
		if (parse->p < parse->end && (*parse->p == '+' || *parse->p == '-'))
			parse->p++;
		return skip_digits(parse);
	}
	return true;
}

static bool parse_word(struct parse *parse, const char *word, size_t size)
{
	if ((size_t)(parse->end - parse->p) < size || memcmp(parse->p, word, size) != 0)
		return fail(parse, "something that is not a JSON value");
	parse->p += size;
	return true;
}

/* Of equal keys the last one counts: what an earlier one filled is forgotten. */
static void forget(struct parse *parse, const struct trie *node)
{
	for (size_t i = 0; i < node->n_slots; i++)
		parse->columns[node->slots[i]] = SLICE_NULL;
	for (size_t i = 0; i < node->n_children; i++)
		forget(parse, &node->children[i]);
	if (node->records) {
		parse->scan->array = JSON_SCAN_ARRAY_ABSENT;
		parse->scan->n_elements = 0;
	}
}

static const struct trie *child_by_name(const struct trie *node, struct slice name)
{
	for (size_t i = 0; i < node->n_children; i++)
		if (node->children[i].size == name.size &&
			memcmp(node->children[i].name, name.data, name.size) == 0)
			return &node->children[i];
	return NULL;
}

static const struct trie *child_by_index(const struct trie *node, int64_t index)
{
	for (size_t i = 0; i < node->n_children; i++)
		if (node->children[i].index == index)
			return &node->children[i];
	return NULL;
}

static bool parse_value(struct parse *parse, const struct trie *node);

static bool parse_member(struct parse *parse, const struct trie *node)
{
	bool escaped;
	const char *key = parse->p;
	if (parse->p == parse->end || *parse->p != '"')
		return fail(parse, "a member without a name");
	if (!parse_string(parse, &escaped))
		return false;
	const struct trie *child = NULL;
	if (node && node->n_children) {
		struct slice raw = {key, (size_t)(parse->p - key)};
		buf_clear(&parse->key);
		child = child_by_name(node, escaped ? json_content(raw, &parse->key)
						    : (struct slice){key + 1, raw.size - 2});
		if (child)
			forget(parse, child);
	}
	skip_space(parse);
	if (parse->p == parse->end || *parse->p != ':')
		return fail(parse, "a member without a colon");
	parse->p++;
	skip_space(parse);
	return parse_value(parse, child);
}

/* After a member or element: a comma and the white space behind it, or CLOSE and nothing more. */
static bool parse_separator(struct parse *parse, char close, bool *ret_more)
{
	skip_space(parse);
	if (parse->p == parse->end)
		return fail(parse, "the text is cut short");
	char c = *parse->p;
	if (c != ',' && c != close)
		return fail(parse, "neither a comma nor a closing bracket");
	*ret_more = c == ',';
	parse->p++;
	if (*ret_more)
		skip_space(parse);
	return true;
}

static bool enter(struct parse *parse)
{
	parse->p++;
	if (++parse->depth > JSON_SCANNER_MAX_DEPTH) {
		parse->too_deep = true;
		return fail(parse, "nesting");
	}
	skip_space(parse);
	return true;
}

/* An empty object or array ends here. */
static bool close_empty(struct parse *parse, char close)
{
	if (parse->p == parse->end || *parse->p != close)
		return false;
	parse->p++;
	parse->depth--;
	return true;
}

static bool parse_object(struct parse *parse, const struct trie *node)
{
	bool more = true;
	if (!enter(parse))
		return false;
	if (close_empty(parse, '}'))
		return true;
	while (more)
		if (!parse_member(parse, node) || !parse_separator(parse, '}', &more))
			return false;
	parse->depth--;
	return true;
}

static bool parse_array(struct parse *parse, const struct trie *node)
{
	bool more = true;
	if (!enter(parse))
		return false;
	if (close_empty(parse, ']'))
		return true;
	for (int64_t i = 0; more; i++) {
		const struct trie *child =
			node && node->n_children ? child_by_index(node, i) : NULL;
		if (!parse_value(parse, child) || !parse_separator(parse, ']', &more))
			return false;
	}
	parse->depth--;
	return true;
}

/* One record at p, with a row of columns of its own. */
static bool parse_element(struct parse *parse)
{
	struct json_scan *scan = parse->scan;
	size_t n_fields = parse->plan->n_fields;
	if (scan->n_elements == JSON_SCANNER_MAX_ELEMENTS) {
		parse->too_many = true;
		return fail(parse, "records");
	}
	scan->elements = mem_grow(scan->elements, scan->n_elements, &scan->elements_capacity,
		sizeof(struct json_scan_element));
	while ((scan->n_elements + 1) * n_fields > scan->fields_capacity)
		scan->fields = mem_grow(scan->fields, scan->fields_capacity, &scan->fields_capacity,
			sizeof(struct slice));
	struct slice *envelope = parse->columns;
	parse->columns = n_fields ? scan->fields + scan->n_elements * n_fields : NULL;
	if (n_fields)
		memset(parse->columns, 0, n_fields * sizeof(struct slice));
	parse->spaced = false;
	const char *start = parse->p;
	bool good = parse_value(parse, &parse->plan->element);
	scan->elements[scan->n_elements++] =
		(struct json_scan_element){{start, (size_t)(parse->p - start)}, parse->spaced};
	parse->columns = envelope;
	return good;
}

/* The element that ends at p, once more, for what the envelope wants of it. */
static void read_again(struct parse *parse, const struct trie *node)
{
	const char *end = parse->p;
	bool spaced = parse->spaced;
	parse->p = parse->scan->elements[parse->scan->n_elements - 1].raw.data;
	parse_value(parse, node);
	parse->p = end;
	parse->spaced = spaced;
}

static bool parse_records(struct parse *parse, const struct trie *node)
{
	bool more = true;
	parse->scan->array = JSON_SCAN_ARRAY_FOUND;
	if (!enter(parse))
		return false;
	if (close_empty(parse, ']'))
		return true;
	for (int64_t i = 0; more; i++) {
		const struct trie *child = node->n_children ? child_by_index(node, i) : NULL;
		if (!parse_element(parse))
			return false;
		if (child)
			read_again(parse, child);
		if (!parse_separator(parse, ']', &more))
			return false;
	}
	parse->depth--;
	return true;
}

static bool parse_plain(struct parse *parse, const struct trie *node)
{
	bool escaped;
	if (parse->p == parse->end)
		return fail(parse, "the text is cut short");
	switch (*parse->p) {
	case '{':
		return parse_object(parse, node);
	case '[':
		return parse_array(parse, node);
	case '"':
		return parse_string(parse, &escaped);
	case 't':
		return parse_word(parse, "true", 4);
	case 'f':
		return parse_word(parse, "false", 5);
	case 'n':
		return parse_word(parse, "null", 4);
	default:
		if (*parse->p == '-' || at_digit(parse))
			return parse_number(parse);
		return fail(parse, "something that is not a JSON value");
	}
}

static bool parse_value(struct parse *parse, const struct trie *node)
{
	if (!node)
		return parse_plain(parse, NULL);
	const char *start = parse->p;
	bool good;
	if (node->records && start < parse->end && *start == '[') {
		good = parse_records(parse, node);
	} else {
		if (node->records)
			parse->scan->array = start < parse->end && *start == 'n'
						     ? JSON_SCAN_ARRAY_NULL
						     : JSON_SCAN_ARRAY_OTHER;
		good = parse_plain(parse, node);
	}
	for (size_t i = 0; i < node->n_slots; i++)
		parse->columns[node->slots[i]] = (struct slice){start, (size_t)(parse->p - start)};
	return good;
}

static bool parse_document(struct parse *parse)
{
	skip_space(parse);
	if (!parse_value(parse, &parse->plan->envelope))
		return false;
	skip_space(parse);
	return parse->p == parse->end || fail(parse, "more text after the JSON value");
}

/* NDJSON: a record a line, empty lines are passed over. */
static bool parse_lines(struct parse *parse)
{
	const char *end = parse->end;
	parse->scan->array = JSON_SCAN_ARRAY_FOUND;
	while (parse->p < end) {
		const char *line_end = memchr(parse->p, '\n', (size_t)(end - parse->p));
		parse->end = line_end ? line_end : end;
		skip_space(parse);
		if (parse->p < parse->end) {
			if (!parse_element(parse))
				return false;
			skip_space(parse);
			if (parse->p < parse->end)
				return fail(parse, "more text after the JSON value of a line");
		}
		parse->p = line_end ? line_end + 1 : end;
	}
	return true;
}

int json_scanner_run(const struct json_scanner *plan, struct slice text, struct json_scan *ret,
	struct fault *reterr)
{
	if (!text.data)
		text = SLICE("");
	struct parse parse = {.plan = plan,
		.start = text.data,
		.p = text.data,
		.end = text.data + text.size,
		.scan = ret};
	ret->array = JSON_SCAN_ARRAY_ABSENT;
	ret->n_elements = 0;
	ret->n_fields = plan->n_fields;
	if (plan->n_envelope > ret->envelope_capacity || !ret->envelope) {
		ret->envelope_capacity = plan->n_envelope;
		ret->envelope = mem_resize(ret->envelope, plan->n_envelope * sizeof(struct slice));
	}
	memset(ret->envelope, 0, plan->n_envelope * sizeof(struct slice));
	parse.columns = ret->envelope;
	bool good = plan->lines ? parse_lines(&parse) : parse_document(&parse);
	buf_deinit(&parse.key);
	if (good)
		return 0;
	if (parse.too_deep)
		return fault_set(reterr, FAULT_LIMIT, "JSON nested deeper than %d levels",
			JSON_SCANNER_MAX_DEPTH);
	if (parse.too_many)
		return fault_set(
			reterr, FAULT_LIMIT, "more than %d records", JSON_SCANNER_MAX_ELEMENTS);
	return fault_set(reterr, FAULT_BODY, "not JSON: %s, at byte %zu", parse.error,
		(size_t)(parse.p - parse.start));
}
