/*
 * The JSON scanner: one pass, recursive descent of at most JSON_SCANNER_MAX_DEPTH levels,
 * validating everything and noting only what the plan asks for. What is wanted is a trie of pointer
 * tokens walked beside the text: a value nobody asks for is only checked.
 *
 * Deliberately accepted although jansson refuses it, because the records are passed on as they are
 * and never converted: numbers of any size, half a surrogate pair as an escape, U+0000 in a key,
 * and bytes inside strings that are not UTF-8 (one of them must not stop a source for good).
 */
#include "base/json_scanner_internal.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/json_skip.h"
#include "base/mem.h"

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
	size_t n_missing; /* arrays of records that are still to come */
	uint32_t found; /* those that came, where it is known how many there are */
	bool null, other; /* in the place of an array */
};

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
	static const bool plain[256] = {['"'] = true,
		['\\'] = true,
		['/'] = true,
		['b'] = true,
		['f'] = true,
		['n'] = true,
		['r'] = true,
		['t'] = true};
	const char *p = parse->p + 1;
	if (p < parse->end && plain[(unsigned char)*p]) {
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

/* Of equal keys the last one counts: what an earlier one filled is forgotten. Not so of records,
 * which would be lost: which of them the API means is not decided here. */
static bool forget(struct parse *parse, const struct trie *node)
{
	for (size_t i = 0; i < node->n_slots; i++)
		parse->columns[node->slots[i]] = SLICE_NULL;
	for (size_t i = 0; i < node->n_children; i++)
		if (!forget(parse, &node->children[i]))
			return false;
	if (node->records && !parse->plan->several) {
		if (parse->scan->n_elements > 0)
			return fail(parse, "the array of records comes twice");
		parse->null = parse->other = false;
		parse->n_missing = 1;
		parse->scan->n_elements = 0;
	} else if (node->records && parse->found >> node->number & 1) {
		return fail(parse, "one of several arrays of records comes twice");
	}
	return true;
}

/* An array of records came. */
static void found(struct parse *parse, const struct trie *node)
{
	parse->n_missing--;
	if (!node->below_any)
		parse->found |= UINT32_C(1) << node->number;
}

static const struct trie *child_any(const struct trie *node)
{
	for (size_t i = 0; i < node->n_children; i++)
		if (node->children[i].any)
			return &node->children[i];
	return NULL;
}

/* The value here has members or elements: how many arrays are in them is known at its end. */
static void enter_any(struct parse *parse, const struct trie *node)
{
	const struct trie *any = node ? child_any(node) : NULL;
	if (any)
		parse->n_missing -= any->n_records;
}

static const struct trie *visit(struct parse *parse, const struct trie *node)
{
	const struct trie *any = child_any(node);
	if (any)
		parse->n_missing += any->n_records;
	return any;
}

static const struct trie *child_by_name(
	struct parse *parse, const struct trie *node, struct slice name)
{
	for (size_t i = 0; i < node->n_children; i++)
		if (!node->children[i].any && node->children[i].size == name.size &&
			memcmp(node->children[i].name, name.data, name.size) == 0)
			return &node->children[i];
	return visit(parse, node);
}

static const struct trie *child_by_index(
	struct parse *parse, const struct trie *node, int64_t index)
{
	for (size_t i = 0; i < node->n_children; i++)
		if (!node->children[i].any && node->children[i].index == index)
			return &node->children[i];
	return visit(parse, node);
}

static bool parse_value(struct parse *parse, const struct trie *node);

/* A member's name and what is between it and the value. *RET: the child of NODE of that name. */
static bool parse_name(struct parse *parse, const struct trie *node, const struct trie **ret)
{
	bool escaped;
	const char *key = parse->p;
	if (parse->p == parse->end || *parse->p != '"')
		return fail(parse, "a member without a name");
	if (!parse_string(parse, &escaped))
		return false;
	*ret = NULL;
	if (node && node->n_children) {
		struct slice raw = {key, (size_t)(parse->p - key)};
		buf_clear(&parse->key);
		*ret = child_by_name(parse, node,
			escaped ? json_content(raw, &parse->key)
				: (struct slice){key + 1, raw.size - 2});
		if (*ret && !forget(parse, *ret))
			return false;
	}
	skip_space(parse);
	if (parse->p == parse->end || *parse->p != ':')
		return fail(parse, "a member without a colon");
	parse->p++;
	skip_space(parse);
	return true;
}

static bool parse_member(struct parse *parse, const struct trie *node)
{
	const struct trie *child;
	return parse_name(parse, node, &child) && parse_value(parse, child);
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
	enter_any(parse, node);
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
	enter_any(parse, node);
	if (!enter(parse))
		return false;
	if (close_empty(parse, ']'))
		return true;
	for (int64_t i = 0; more; i++) {
		const struct trie *child =
			node && node->n_children ? child_by_index(parse, node, i) : NULL;
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

/* The elements of an array, or the members of an object. */
static bool parse_records(struct parse *parse, const struct trie *node)
{
	bool more = true, named = *parse->p == '{';
	char close = named ? '}' : ']';
	found(parse, node);
	if (!enter(parse))
		return false;
	if (close_empty(parse, close))
		return true;
	for (int64_t i = 0; more; i++) {
		const struct trie *child = NULL;
		if (named && !parse_name(parse, node, &child))
			return false;
		if (!named && node->n_children)
			child = child_by_index(parse, node, i);
		if (!parse_element(parse))
			return false;
		if (child)
			read_again(parse, child);
		if (!parse_separator(parse, close, &more))
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
	char first = start < parse->end ? *start : 0;
	if (node->records && (first == '[' || (first == '{' && node->members))) {
		good = parse_records(parse, node);
	} else {
		parse->null |= node->records && first == 'n';
		parse->other |= node->records && first != 'n';
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

static enum json_scan_array array_of(const struct parse *parse)
{
	if (parse->other)
		return JSON_SCAN_ARRAY_OTHER;
	if (parse->plan->lines || (parse->n_missing == 0 && parse->plan->envelope.n_records))
		return JSON_SCAN_ARRAY_FOUND;
	return parse->null ? JSON_SCAN_ARRAY_NULL : JSON_SCAN_ARRAY_ABSENT;
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
	parse.n_missing = plan->envelope.n_records;
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
	ret->array = array_of(&parse);
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
