/*
 * Templates are parsed once into segments; rendering never parses text again, and values never
 * become part of what is parsed: a parameter that holds `${` or a quote stays data. Knows nothing
 * of definitions: names and values come through callbacks.
 */
#include "definition/template.h"

#include "base/encode.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/json_lookup.h"
#include "base/json_scanner.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "definition/template_internal.h"

enum value_format {
	FORMAT_NONE,
	FORMAT_LIST,
	FORMAT_NUMBERS,
	FORMAT_JSON,
	FORMAT_BOOL,
	FORMAT_JOIN,
	FORMAT_PART,
	FORMAT_TIME
};

struct alternative {
	char *name;
	nsec_t shift_ns;
};

struct segment {
	char *literal; /* NULL: a variable */
	struct alternative *alternatives;
	size_t n_alternatives;
	enum value_format format;
	struct timestamp_format *time_format; /* NULL with FORMAT_NONE: RFC 3339 */
	nsec_t time_step;
	char *part; /* FORMAT_PART: the pointer */
};

struct template
{
	struct segment *segments;
	size_t n_segments;
	size_t capacity;
};

static struct segment *template_add(struct template *template)
{
	template->segments = mem_grow(template->segments, template->n_segments, &template->capacity,
		sizeof(struct segment));
	struct segment *segment = &template->segments[template->n_segments++];
	*segment = (struct segment){0};
	return segment;
}

void template_free(struct template *template)
{
	if (!template)
		return;
	for (size_t i = 0; i < template->n_segments; i++) {
		struct segment *segment = &template->segments[i];
		free(segment->literal);
		for (size_t j = 0; j < segment->n_alternatives; j++)
			free(segment->alternatives[j].name);
		free(segment->alternatives);
		timestamp_format_free(segment->time_format);
		free(segment->part);
	}
	free(template->segments);
	free(template);
}

static void add_literal(struct template *template, struct slice text)
{
	if (text.size)
		template_add(template)->literal = mem_strndup(text.data, text.size);
}

/* `window.start-1ms`: where a shift begins, since names may hold '-': only before a digit with a
 * unit after a known name. */
static int parse_alternative(struct slice text, struct alternative *ret, template_known_fn known,
	void *userdata, enum template_kind *ret_kind, char **reterr)
{
	char *name CLEANUP_FREE = mem_strndup(text.data, text.size);
	*ret_kind = known(name, userdata);
	ret->shift_ns = 0;
	if (*ret_kind == TEMPLATE_ABSENT) {
		size_t at = text.size;
		while (at > 0 && text.data[at - 1] != '-' && text.data[at - 1] != '+')
			at--;
		if (at > 1) {
			struct slice number = {text.data + at, text.size - at};
			nsec_t shift;
			name[at - 1] = '\0';
			if (number_parse_duration(str_trim(number), 0, INT64_MAX, &shift) == 0) {
				struct slice head = str_trim((struct slice){name, at - 1});
				name[head.data - name + (long)head.size] = '\0';
				*ret_kind = known(head.data, userdata);
				ret->shift_ns = text.data[at - 1] == '-' ? -shift : shift;
				if (*ret_kind == TEMPLATE_TIME) {
					ret->name = mem_strdup(head.data);
					return 0;
				}
			}
		}
		*reterr = mem_printf("unknown variable ${%.*s}", (int)text.size, text.data);
		return TEMPLATE_E_SYNTAX;
	}
	ret->name = mem_strdup(name);
	return 0;
}

static bool time_is_whole_seconds(const char *spec)
{
	bool fraction = false;
	for (const char *p = spec; (p = strchr(p, '%')) && p[1]; p += 2)
		fraction |= p[1] == 'f' || (p[1] >= '1' && p[1] <= '9' && p[2] == 'f');
	return strcmp(spec, "epoch_s") == 0 || (strchr(spec, '%') && !fraction);
}

static int parse_format(
	struct segment *segment, struct slice text, bool is_time, bool is_json, char **reterr)
{
	static const struct {
		const char *name;
		enum value_format format;
	} names[] = {{"list", FORMAT_LIST}, {"numbers", FORMAT_NUMBERS}, {"json", FORMAT_JSON},
		{"bool", FORMAT_BOOL}, {"join", FORMAT_JOIN}};
	char *spec CLEANUP_FREE = mem_strndup(text.data, text.size);
	if (is_time) {
		segment->format = FORMAT_TIME;
		segment->time_step = time_is_whole_seconds(spec) ? NSEC_PER_SEC : NSEC_PER_MSEC;
		if (timestamp_format_new(&segment->time_format, spec, NULL) == 0)
			return 0;
		*reterr = mem_printf(
			"`%s` is not a time format (expected rfc3339, epoch_s, epoch_ms, epoch_ns or a strftime pattern)",
			spec);
		return TEMPLATE_E_SYNTAX;
	}
	struct pointer part = POINTER_NULL;
	if (is_json && spec[0] == '/' && pointer_parse(&part, slice_of(spec)) == 0) {
		pointer_deinit(&part);
		segment->format = FORMAT_PART;
		segment->part = mem_strdup(spec);
		return 0;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, spec) == 0) {
			segment->format = names[i].format;
			return 0;
		}
	*reterr = mem_printf(
		"`%s` is not a format of a parameter (expected list, numbers, json, bool or join)",
		spec);
	return TEMPLATE_E_SYNTAX;
}

static int parse_variable(struct template *template, struct slice text, template_known_fn known,
	void *userdata, char **reterr)
{
	struct segment *segment = template_add(template);
	const char *colon = memchr(text.data, ':', text.size);
	struct slice names = {text.data, colon ? (size_t)(colon - text.data) : text.size};
	bool is_time = false, is_json = false;
	struct slice part;
	while (str_next_part(&names, '|', &part)) {
		struct alternative alternative = {0};
		enum template_kind kind;
		int r = parse_alternative(part, &alternative, known, userdata, &kind, reterr);
		if (r)
			return r;
		size_t n = segment->n_alternatives++;
		segment->alternatives =
			mem_resize(segment->alternatives, (n + 1) * sizeof(struct alternative));
		segment->alternatives[n] = alternative;
		is_time |= kind == TEMPLATE_TIME;
		is_json |= kind == TEMPLATE_JSON;
	}
	if (segment->n_alternatives == 0) {
		*reterr = mem_strdup("empty variable ${}");
		return TEMPLATE_E_SYNTAX;
	}
	if (is_time)
		segment->time_step = NSEC_PER_MSEC;
	if (!colon)
		return 0;
	struct slice spec = {colon + 1, text.size - (size_t)(colon + 1 - text.data)};
	if (is_json && !is_time && !slice_is(spec, "join") && !slice_is(spec, "json") &&
		!(spec.size > 0 && spec.data[0] == '/')) {
		*reterr = mem_printf(
			"${%.*s}: the value is JSON already; its formats are join, json and a pointer to a part of it",
			(int)text.size, text.data);
		return TEMPLATE_E_SYNTAX;
	}
	return parse_format(segment, spec, is_time, is_json, reterr);
}

int template_parse(struct template **ret, const char *text, template_known_fn known, void *userdata,
	char **reterr)
{
	struct template *template = MEM_NEW(struct template);
	const char *p = text;
	for (;;) {
		const char *open = strstr(p, "${");
		if (!open) {
			add_literal(template, slice_of(p));
			*ret = template;
			return 0;
		}
		size_t n_dollars = 0; /* $${ is a literal ${, $$${ is a $ and a variable */
		while (open - n_dollars > p && open[-1 - (ptrdiff_t)n_dollars] == '$')
			n_dollars++;
		add_literal(template, (struct slice){p, (size_t)(open - p) - (n_dollars + 1) / 2});
		if (n_dollars % 2) {
			add_literal(template, SLICE("${"));
			p = open + 2;
			continue;
		}
		const char *close = strchr(open, '}');
		int r = TEMPLATE_E_SYNTAX;
		if (!close)
			*reterr = mem_strdup("`${` without `}`");
		else
			r = parse_variable(template,
				(struct slice){open + 2, (size_t)(close - open - 2)}, known,
				userdata, reterr);
		if (r) {
			template_free(template);
			return r;
		}
		p = close + 1;
	}
}

nsec_t template_time_step(const struct template *template)
{
	nsec_t step = 0;
	for (size_t i = 0; i < template->n_segments; i++)
		if (template->segments[i].time_step > step)
			step = template->segments[i].time_step;
	return step;
}

bool template_prints_json(const struct template *template)
{
	for (size_t i = 0; i < template->n_segments; i++)
		if (template->segments[i].format == FORMAT_LIST ||
			template->segments[i].format == FORMAT_NUMBERS ||
			template->segments[i].format == FORMAT_JSON)
			return true;
	return false;
}

bool template_uses(const struct template *template, const char *name)
{
	for (size_t i = 0; i < template->n_segments; i++)
		for (size_t j = 0; j < template->segments[i].n_alternatives; j++)
			if (strcmp(template->segments[i].alternatives[j].name, name) == 0)
				return true;
	return false;
}

/* A comma-separated parameter as a JSON array; numbers must be JSON numbers as they stand. */
static int print_list(struct slice text, bool numbers, struct buf *out)
{
	struct slice part;
	bool first = true;
	buf_append_char(out, '[');
	while (str_next_part(&text, ',', &part)) {
		int64_t number;
		if (part.size == 0)
			continue;
		if (!first)
			buf_append_char(out, ',');
		first = false;
		if (!numbers)
			json_encode(part, out);
		else if (number_parse(part, INT64_MIN, INT64_MAX, &number) == 0)
			buf_printf(out, "%lld", (long long)number);
		else
			return TEMPLATE_E_VALUE;
	}
	buf_append_char(out, ']');
	return 0;
}

/* The elements of a JSON array with commas between them; any other value is its own content. */
static int print_joined(struct slice text, struct buf *out)
{
	struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
	struct pointer self = POINTER_NULL;
	struct json_scanner *scanner;
	struct json_scan scan = JSON_SCAN_NULL;
	int r = pointer_parse(&self, SLICE(""));
	if (text.size == 0 || text.data[0] != '[') {
		pointer_deinit(&self);
		buf_append_slice(out, json_content(text, &scratch));
		return r;
	}
	scanner = json_scanner_new(&(struct json_scanner_wanted){.records = &self});
	r = json_scanner_run(scanner, text, &scan, NULL) ? TEMPLATE_E_VALUE : 0;
	for (size_t i = 0; !r && i < scan.n_elements; i++) {
		if (i > 0)
			buf_append_char(out, ',');
		buf_append_slice(out, json_content(scan.elements[i].raw, &scratch));
	}
	json_scan_deinit(&scan);
	json_scanner_free(scanner);
	pointer_deinit(&self);
	return r;
}

/* The segment's value as text in OUT; *RET_JSON: the text is JSON, not to be quoted. */
static int print_value(const struct segment *segment, template_lookup_fn lookup, void *userdata,
	struct buf *out, bool *ret_json)
{
	struct template_value value = {TEMPLATE_ABSENT, SLICE_NULL, 0};
	struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
	nsec_t shift = 0;
	for (size_t i = 0; i < segment->n_alternatives && value.kind == TEMPLATE_ABSENT; i++) {
		value = lookup(segment->alternatives[i].name, userdata);
		shift = segment->alternatives[i].shift_ns;
	}
	*ret_json = value.kind == TEMPLATE_JSON;
	if (value.kind == TEMPLATE_ABSENT)
		return TEMPLATE_E_ABSENT;
	if (segment->format == FORMAT_JOIN) {
		*ret_json = false;
		return print_joined(value.text, out);
	}
	if (value.kind == TEMPLATE_TIME) {
		if (!segment->time_format) {
			timestamp_print_rfc3339(value.time + shift, 6, out);
			return 0;
		}
		timestamp_print(segment->time_format, value.time + shift, out);
		*ret_json = timestamp_format_is_number(segment->time_format);
		return 0;
	}
	bool yes;
	struct slice part;
	switch (segment->format) {
	case FORMAT_LIST:
	case FORMAT_NUMBERS:
		*ret_json = true;
		return print_list(value.text, segment->format == FORMAT_NUMBERS, out);
	case FORMAT_BOOL:
		*ret_json = true;
		if (number_parse_bool(value.text, &yes) != 0)
			return TEMPLATE_E_VALUE;
		buf_append_text(out, yes ? "true" : "false");
		return 0;
	case FORMAT_JSON:
		*ret_json = true;
		/* a cursor from a header is a JSON string, in which the text is */
		value.text = value.kind == TEMPLATE_JSON ? json_content(value.text, &scratch)
							 : value.text;
		if (json_lookup_once(NULL, 0, value.text, NULL, NULL) != 0)
			return TEMPLATE_E_VALUE;
		break;
	case FORMAT_PART:
		*ret_json = true;
		if (json_lookup_once(
			    (const char *const *)&segment->part, 1, value.text, &part, NULL) ||
			!part.data)
			return TEMPLATE_E_VALUE;
		value.text = part;
		break;
	case FORMAT_NONE:
	case FORMAT_JOIN:
	case FORMAT_TIME:
		break;
	}
	buf_append_slice(out, value.text);
	return 0;
}

/* JSON strings lose their quotes where text is wanted. */
static void append_content(struct buf *value, bool is_json, struct buf *out, bool escape)
{
	struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
	struct slice text = buf_slice(value);
	if (is_json && text.size && text.data[0] == '"')
		text = json_content(text, &scratch);
	if (escape)
		encode_percent(text, out);
	else
		buf_append_slice(out, text);
}

static int render(const struct template *template, template_lookup_fn lookup, void *userdata,
	struct buf *out, bool url)
{
	struct buf value CLEANUP(buf_deinit) = BUF_NULL;
	for (size_t i = 0; i < template->n_segments; i++) {
		const struct segment *segment = &template->segments[i];
		if (segment->literal) {
			buf_append_text(out, segment->literal);
			continue;
		}
		bool is_json;
		buf_clear(&value);
		int r = print_value(segment, lookup, userdata, &value, &is_json);
		if (r)
			return r;
		append_content(&value, is_json, out, url && i > 0);
	}
	return 0;
}

int template_render(
	const struct template *template, template_lookup_fn lookup, void *userdata, struct buf *out)
{
	return render(template, lookup, userdata, out, false);
}

int template_render_url(
	const struct template *template, template_lookup_fn lookup, void *userdata, struct buf *out)
{
	return render(template, lookup, userdata, out, true);
}

int template_render_json(
	const struct template *template, template_lookup_fn lookup, void *userdata, struct buf *out)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	if (template->n_segments == 1 && !template->segments[0].literal) {
		bool is_json;
		int r = print_value(&template->segments[0], lookup, userdata, &text, &is_json);
		if (r)
			return r;
		if (is_json)
			buf_append_slice(out, buf_slice(&text));
		else
			json_encode(buf_slice(&text), out);
		return 0;
	}
	int r = render(template, lookup, userdata, &text, false);
	if (!r)
		json_encode(buf_slice(&text), out);
	return r;
}
