/*
 * Grafana Loki's push API: records with equal labels are one stream, each a pair of nanoseconds and
 * the record's text. Within a stream the order of the records stays.
 */
#include "sink/http/http_encoding.h"

#include <ctype.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/json_lookup.h"

#define LOKI_VALUE_MAX 1024 /* of a label; Loki refuses records with more than 2048 */

/* `labels =`, taken apart. */
struct loki_label {
	char *name;
	struct pointer pointer; /* where the value stands; not set: */
	char *text; /* it is this */
};

struct loki_labels {
	struct loki_label *items;
	size_t n_items;
	struct json_lookup *lookup; /* NULL: no pointers */
	struct buf scratch;
};

/* One record's stream: its labels as JSON text, inside a buffer that may still move. */
struct loki_entry {
	size_t index;
	size_t at, size;
	const struct buf *texts;
};

/* --- labels --- */

static bool loki_is_name(struct slice name)
{
	if (name.size == 0 || isdigit((unsigned char)name.data[0]))
		return false;
	for (size_t i = 0; i < name.size; i++) {
		if (!isalnum((unsigned char)name.data[i]) && name.data[i] != '_')
			return false;
	}
	return !slice_is(name, "source") && !slice_is(name, "provider");
}

static int loki_label_parse(struct loki_label *ret, const char *text)
{
	const char *equal = strchr(text, '=');
	struct slice name, value;

	if (!equal)
		return -1;
	name = str_trim((struct slice){text, (size_t)(equal - text)});
	value = str_trim(slice_of(equal + 1));
	if (!loki_is_name(name) || value.size == 0)
		return -1;
	if (value.data[0] == '/' && pointer_parse(&ret->pointer, value) != 0)
		return -1;
	if (value.data[0] != '/')
		ret->text = mem_strndup(value.data, value.size);
	ret->name = mem_strndup(name.data, name.size);
	return 0;
}

static void loki_label_deinit(struct loki_label *label)
{
	pointer_deinit(&label->pointer);
	free(label->name);
	free(label->text);
}

static void loki_check(const struct http_options *options, const struct ini_section *section,
	struct findings *findings)
{
	const struct ini_entry *entry = ini_section_find(section, "labels");

	for (size_t i = 0; entry && i < options->labels.n_items; i++) {
		struct loki_label label = {0};

		if (loki_label_parse(&label, options->labels.items[i]) != 0)
			findings_add(findings, entry->file, entry->line,
				"labels: `%s` is not a label (expected name=/pointer or name=text; the name of letters, digits and `_`, but not source or provider)",
				options->labels.items[i]);
		loki_label_deinit(&label);
	}
}

static void loki_labels_init(struct loki_labels *labels, const struct str_list *list)
{
	const struct pointer **pointers = mem_array(list->n_items, sizeof(*pointers));
	size_t n = 0;

	*labels = (struct loki_labels){.items = mem_array(list->n_items, sizeof(*labels->items))};
	for (size_t i = 0; i < list->n_items; i++) {
		struct loki_label *label = &labels->items[labels->n_items];

		if (loki_label_parse(label, list->items[i]) != 0)
			continue;
		labels->n_items++;
		if (pointer_is_set(&label->pointer))
			pointers[n++] = &label->pointer;
	}
	if (n > 0)
		labels->lookup = json_lookup_new(pointers, n);
	free(pointers);
}

static void loki_labels_deinit(struct loki_labels *labels)
{
	for (size_t i = 0; i < labels->n_items; i++)
		loki_label_deinit(&labels->items[i]);
	free(labels->items);
	json_lookup_free(labels->lookup);
	buf_deinit(&labels->scratch);
}

static void loki_label_print(const char *name, struct slice value, struct buf *out)
{
	if (!value.data || value.size == 0)
		return; /* Loki drops labels without a value */
	if (value.size > LOKI_VALUE_MAX)
		value.size = LOKI_VALUE_MAX;
	buf_append_char(out, ',');
	json_encode(slice_of(name), out);
	buf_append_char(out, ':');
	json_encode(value, out);
}

static void loki_labels_print(
	struct loki_labels *labels, const struct sink_record *record, struct buf *out)
{
	const struct slice *values = NULL;
	bool found = labels->lookup &&
		     json_lookup_run(labels->lookup, record->view.text, &values, NULL) == 0;
	size_t n = 0;

	buf_append_text(out, "{\"source\":");
	json_encode(slice_of(record->batch->source), out);
	loki_label_print("provider", slice_of(record->batch->provider), out);
	for (size_t i = 0; i < labels->n_items; i++) {
		const struct loki_label *label = &labels->items[i];
		struct slice value = slice_of(label->text);

		if (pointer_is_set(&label->pointer)) {
			value = found ? values[n] : SLICE_NULL;
			n++;
			if (value.data && json_kind_of(value) == JSON_KIND_NULL)
				value = SLICE_NULL;
			if (value.data)
				value = json_content(value, &labels->scratch);
		}
		loki_label_print(label->name, value, out);
	}
	buf_append_char(out, '}');
}

/* --- streams --- */

static int loki_compare_labels(const struct loki_entry *a, const struct loki_entry *b)
{
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return memcmp(a->texts->data + a->at, b->texts->data + b->at, a->size);
}

static int loki_compare(const void *left, const void *right)
{
	const struct loki_entry *a = left;
	const struct loki_entry *b = right;
	int order = loki_compare_labels(a, b);

	return order != 0 ? order : a->index < b->index ? -1 : 1;
}

static void loki_value_print(
	const struct sink_record *record, enum record_format format, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf line = BUF_NULL;
	nsec_t time = record->view.time;

	if (time == NSEC_NONE)
		time = record->batch->accepted_time;
	buf_printf(out, "[\"%" PRId64 "\",", time);
	if (format == RECORD_RAW) {
		json_encode(record->view.text, out);
	} else {
		sink_record_print(record, format, &line);
		json_encode(buf_slice(&line), out);
	}
	buf_append_char(out, ']');
}

static void loki_print(const struct http_part *part, const struct loki_entry *entries,
	const struct buf *texts, struct buf *out)
{
	buf_append_text(out, "{\"streams\":[");
	for (size_t i = 0; i < part->n_records; i++) {
		const struct loki_entry *entry = &entries[i];

		if (i > 0 && loki_compare_labels(entry - 1, entry) == 0) {
			buf_append_char(out, ',');
		} else {
			buf_append_text(out, i > 0 ? "]},{\"stream\":" : "{\"stream\":");
			buf_append(out, texts->data + entry->at, entry->size);
			buf_append_text(out, ",\"values\":[");
		}
		loki_value_print(&part->records[entry->index], part->format, out);
	}
	buf_append_text(out, "]}]}");
}

static void loki_write(const struct http_part *part, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf texts = BUF_NULL;
	struct loki_entry *entries = mem_array(part->n_records, sizeof(*entries));
	struct loki_labels labels;

	loki_labels_init(&labels, &part->options->labels);
	for (size_t i = 0; i < part->n_records; i++) {
		entries[i] = (struct loki_entry){.index = i, .at = texts.size, .texts = &texts};
		loki_labels_print(&labels, &part->records[i], &texts);
		entries[i].size = texts.size - entries[i].at;
	}
	qsort(entries, part->n_records, sizeof(*entries), loki_compare);
	loki_print(part, entries, &texts, out);
	loki_labels_deinit(&labels);
	free(entries);
}

/* Loki says 204; a proxy before it may say another 2xx. */
static int loki_read(
	struct http_part *part, const struct http_response *response, struct fault *reterr)
{
	(void)part;
	return http_answer_check_page(response, reterr);
}

const struct http_encoding http_loki = {
	.name = "loki",
	.content_type = "application/json",
	.check = loki_check,
	.write = loki_write,
	.read = loki_read,
};
