/* See ctl/ctl_probe.h: a probe for programs, one JSON object. Records are masked as for people. */
#include "ctl/ctl_probe.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "mask.h"
#include "cursor_text.h"
#include "pipeline/selection.h"
#include "terminal.h"

static void add_text(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, ",\"%s\":", name);
	if (text)
		json_encode(slice_of(text), out);
	else
		buf_append_text(out, "null");
}

static void add_count(struct buf *out, const char *name, size_t n)
{
	buf_printf(out, ",\"%s\":%zu", name, n);
}

static void add_flag(struct buf *out, const char *name, bool flag)
{
	buf_printf(out, ",\"%s\":%s", name, flag ? "true" : "false");
}

static void add_records(
	struct buf *out, const char *name, const struct records *records, size_t limit)
{
	buf_printf(out, ",\"%s\":[", name);
	for (size_t i = 0; i < records->n_items && i < limit; i++) {
		struct buf line CLEANUP(buf_deinit) = BUF_NULL;
		json_minify(records->items[i].text, &line);
		buf_append_text(out, i ? "," : "");
		mask_plain(buf_slice(&line), out);
	}
	buf_append_char(out, ']');
}

/* {"archive": how many of the records it would get} */
static void add_sinks(struct buf *out, const struct probe *probe)
{
	struct str_list names CLEANUP(str_list_deinit) = STR_LIST_NULL;
	bool any = false;
	setup_route(probe->setup, probe->source, &names);
	buf_append_text(out, ",\"sinks\":{");
	for (size_t i = 0; i < names.n_items; i++) {
		const struct setup_sink *sink = setup_find_sink(probe->setup, names.items[i]);
		struct selection *selection = NULL;
		struct fault fault = FAULT_NULL;
		size_t n = 0;
		if (!sink || selection_new(&selection, &sink->common.include, &sink->common.exclude,
				     &fault))
			continue;
		for (size_t j = 0; j < probe->records.n_items; j++)
			n += selection_wants(selection, probe->records.items[j].text);
		selection_free(selection);
		buf_append_text(out, any ? "," : "");
		json_encode(slice_of(sink->name), out);
		buf_printf(out, ":%zu", n);
		any = true;
	}
	buf_append_char(out, '}');
}

static void add_page(struct buf *out, const struct probe *probe)
{
	bool fetches = probe->source->definition->fetches;
	add_count(out, "elements", probe->page.n_elements);
	add_count(out, "excluded", probe->page.n_excluded);
	add_count(out, "duplicates", probe->n_known);
	if (fetches) {
		add_count(out, "new_documents", probe->listed.n_items);
		add_records(out, "documents", &probe->listed, probe->limit);
		add_text(out, "document", probe->document);
		add_flag(out, "document_gone", probe->gone);
	}
	add_count(out, "new_records", probe->records.n_items);
	add_records(out, "records", &probe->records, probe->limit);
	add_sinks(out, probe);
	buf_append_text(out, ",\"cursor\":");
	if (probe->kept)
		cursor_describe_json(poll_cursor(probe->poll), out);
	else
		buf_append_text(out, "null");
	add_flag(out, "more", !probe->early && probe->verdict != POLL_CAUGHT_UP);
}

void probe_print_json(const struct probe *probe)
{
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	struct buf url CLEANUP(buf_deinit) = BUF_NULL;
	bool good = probe->fault.class == FAULT_NONE;
	if (probe->message.url)
		probe_mask_url(probe, probe->message.url, &url);
	buf_append_text(&out, "{\"source\":");
	json_encode(slice_of(probe->source->name), &out);
	add_text(&out, "provider", probe->source->options.provider);
	add_text(&out, "location", probe->source->location);
	add_flag(&out, "saved_cursor", probe->has_cursor);
	add_text(&out, "method", probe->message.method);
	add_text(&out, "url", probe->message.url ? buf_text(&url) : NULL);
	add_count(&out, "status", (size_t)probe->status);
	add_count(&out, "bytes", probe->size);
	add_text(&out, "error", good ? NULL : probe->fault.text);
	add_text(&out, "error_class", good ? NULL : fault_class_to_string(probe->fault.class));
	if (good)
		add_page(&out, probe);
	buf_append_char(&out, '}');
	terminal_write(buf_slice(&out));
}
