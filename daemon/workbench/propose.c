/* See propose.h. */
#include "workbench/propose.h"

#include <ctype.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/pointer.h"
#include "base/secret_name.h"
#include "net/url.h"
#include "workbench/propose_fields.h"

struct proposal {
	const char *url;
	const struct http_headers *headers;
	struct fields fields;
	struct page_fields page;
	bool link; /* the response has a Link header to the next page */
	bool starts, ends, offset, number; /* the request has a place for these */
	bool secret; /* the address has a credential in it */
	struct buf request;
};

static bool has_word(const char *name, const char *const *words)
{
	for (; *words; words++)
		if (strcasestr(name, *words))
			return true;
	return false;
}

/* `${window.start}`, in the manner of the value that stood there. */
static void add_window(const char *edge, struct slice value, struct buf *out)
{
	switch (fields_time_of(value)) {
	case FIELDS_TIME_S:
		buf_printf(out, "${window.%s:epoch_s}", edge);
		break;
	case FIELDS_TIME_MS:
		buf_printf(out, "${window.%s:epoch_ms}", edge);
		break;
	case FIELDS_TIME_NONE:
	case FIELDS_TIME_RFC3339:
		if (memchr(value.data, '.', value.size))
			buf_printf(out, "${window.%s}", edge);
		else
			buf_printf(out, "${window.%s:%%Y-%%m-%%dT%%H:%%M:%%SZ}", edge);
	}
}

static void add_parameter(struct proposal *proposal, const char *name, struct slice value)
{
	static const char *const starts[] = {
		"from", "since", "start", "after", "begin", "gte", "oldest", "min", NULL};
	static const char *const ends[] = {
		"to", "until", "end", "before", "lt", "latest", "max", NULL};
	struct buf *out = &proposal->request;
	buf_printf(out, "query.%s = ", name);
	if (fields_time_of(value) != FIELDS_TIME_NONE && has_word(name, starts)) {
		add_window("start", value, out);
		proposal->starts = true;
	} else if (fields_time_of(value) != FIELDS_TIME_NONE && has_word(name, ends)) {
		add_window("end", value, out);
		proposal->ends = true;
	} else if (strcasecmp(name, "offset") == 0) {
		buf_append_text(out, "${page.offset}");
		proposal->offset = true;
	} else if (strcasecmp(name, "page") == 0) {
		buf_append_text(out, "${page.number}");
		proposal->number = true;
	} else if (secret_is_named_by(slice_of(name))) {
		buf_append_text(out, "${token}");
		proposal->secret = true;
	} else {
		buf_append_slice(out, value);
	}
	buf_append_char(out, '\n');
}

static void read_url(struct proposal *proposal)
{
	struct slice rest, part;
	size_t size = strcspn(proposal->url, "?#");
	buf_printf(&proposal->request, "\n[request]\nurl = %.*s\n", (int)size, proposal->url);
	rest = slice_of(proposal->url[size] == '?' ? proposal->url + size + 1 : "");
	while (str_next_part(&rest, '&', &part)) {
		struct buf name CLEANUP(buf_deinit) = BUF_NULL,
				value CLEANUP(buf_deinit) = BUF_NULL;
		const char *equals = part.size ? memchr(part.data, '=', part.size) : NULL;
		size_t name_size = equals ? (size_t)(equals - part.data) : part.size;
		if (part.size == 0)
			continue;
		decode_percent((struct slice){part.data, name_size}, true, &name);
		if (equals)
			decode_percent((struct slice){equals + 1, part.size - name_size - 1}, true,
				&value);
		add_parameter(proposal, buf_text(&name), buf_slice(&value));
	}
}

static void add_auth(const struct proposal *proposal, struct buf *out)
{
	const struct http_headers *headers = proposal->headers;
	if (headers->n_items == 0 && !proposal->secret)
		return;
	buf_append_text(out, "\n[parameters]\ntoken = required secret\n");
	if (headers->n_items == 0)
		return;
	const char *name = headers->items[0].name, *value = headers->items[0].value;
	buf_append_text(out, "\n[auth]\n");
	if (strcasecmp(name, "Authorization") == 0 && strncasecmp(value, "Bearer ", 7) == 0)
		buf_append_text(out, "type = bearer\ntoken = ${token}\n");
	else
		buf_printf(out, "type = header\nname = %s\nvalue = ${token}\n", name);
}

static void add_others(const struct str_list *list, const char *what, struct buf *out)
{
	for (size_t i = 1; i < list->n_items && i < 6; i++)
		buf_printf(out, "%s%s", i == 1 ? what : ", ", list->items[i]);
	if (list->n_items > 1)
		buf_append_char(out, '\n');
}

static void add_records(
	const struct proposal *proposal, const struct str_list *arrays, struct buf *out)
{
	const struct fields *fields = &proposal->fields;
	buf_append_text(out, "\n[records]\n");
	add_others(arrays, "# other arrays: ", out);
	buf_printf(out, "at = %s\n", *arrays->items[0] ? arrays->items[0] : "\"\"");
	add_others(&fields->ids, "# other members that differ in all records: ", out);
	if (fields->ids.n_items)
		buf_printf(out, "id = %s\n", fields->ids.items[0]);
	else
		buf_append_text(out,
			"# no member differs in all records: without an ID, equal records are counted\n");
	add_others(&fields->times, "# other times: ", out);
	if (fields->times.n_items)
		buf_printf(out, "time = %s\n", fields->times.items[0]);
	else
		buf_append_text(out,
			"# no member of all records is a time in RFC 3339 or an epoch: see time_format\n");
	if (fields->time_kind == FIELDS_TIME_S || fields->time_kind == FIELDS_TIME_MS)
		buf_printf(out, "time_format = %s\n",
			fields->time_kind == FIELDS_TIME_S ? "epoch_s" : "epoch_ms");
	if (fields->descending)
		buf_append_text(out, "# newest first\norder = unordered\n");
}

/* The parameter that a cursor is probably sent in: `next_cursor` in `cursor`. */
static char *guess_parameter(const char *pointer)
{
	const char *name = strrchr(pointer, '/') + 1;
	const char *own = strncasecmp(name, "next", 4) == 0 ? name + 4 : name;
	own += *own == '_' || *own == '-';
	char *text = mem_strdup(*own ? own : "cursor");
	if (own != name)
		text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

static void add_page(struct proposal *proposal, struct buf *out)
{
	const struct page_fields *page = &proposal->page;
	const char *more = page->more ? page->more : "";
	if (proposal->link) {
		buf_append_text(out, "\n[page]\nurl = header:link\n");
	} else if (page->url) {
		buf_printf(out, "\n[page]\nurl = %s\n", page->url);
	} else if (page->cursor) {
		char *name CLEANUP_FREE = guess_parameter(page->cursor);
		buf_printf(&proposal->request,
			"# guessed: see in which parameter the documents send the cursor\n"
			"query.%s = ${page.cursor}\n",
			name);
		buf_printf(out, "\n[page]\ncursor = %s\n", page->cursor);
	} else if (proposal->offset) {
		buf_append_text(out, "\n[page]\noffset = yes\n");
		if (page->total)
			buf_printf(out, "total = %s\n", page->total);
		else
			buf_append_text(out, "end = empty\n");
		return;
	} else if (proposal->number) {
		buf_append_text(out, "\n[page]\nnumber = yes\nend = empty\n");
		return;
	} else {
		buf_append_text(out,
			"\n# no cursor, no link: one page, or the parameters for pages were not in the address\n");
		return;
	}
	if (page->more)
		buf_printf(out, "end = absent, %s = false\n", more);
}

static void add_resume(const struct proposal *proposal, struct buf *out)
{
	buf_append_text(out, "\n[resume]\n");
	if (proposal->starts)
		buf_append_text(out, "window = yes\n");
	else
		buf_append_text(out,
			"# the address has no time that the window could begin at: add one, or set url or cursor\nwindow = yes\n");
	if (!proposal->ends)
		buf_append_text(
			out, "# the address has no upper bound: pages grow while they are read\n");
	buf_append_text(out, "# how late a record can be read after its time\noverlap = 15m\n"
			     "# how long the API keeps records: see its documents\n"
			     "# retention = 90d\n");
}

static void write_all(struct proposal *proposal, const struct str_list *arrays, struct buf *out)
{
	struct buf records CLEANUP(buf_deinit) = BUF_NULL, page CLEANUP(buf_deinit) = BUF_NULL;
	struct url_parts parts;
	read_url(proposal);
	add_records(proposal, arrays, &records);
	add_page(proposal, &page);
	if (url_split(proposal->url, &parts) == 0)
		buf_printf(out,
			"# Proposed by `trawlctl definition new` from one response of %.*s.\n\n"
			"[provider]\ntitle = %.*s\n",
			(int)parts.authority.size, parts.authority.data, (int)parts.authority.size,
			parts.authority.data);
	add_auth(proposal, out);
	buf_append_slice(out, buf_slice(&proposal->request));
	buf_append_slice(out, buf_slice(&records));
	buf_append_slice(out, buf_slice(&page));
	add_resume(proposal, out);
}

bool propose_definition(const char *url, const struct http_headers *headers,
	const struct http_response *response, struct buf *out)
{
	struct proposal proposal = {.url = url, .headers = headers};
	struct str_list arrays CLEANUP(str_list_deinit) = STR_LIST_NULL;
	struct slice link = http_headers_get(&response->headers, "Link");
	char *next CLEANUP_FREE = NULL;
	json_t *root =
		json_loadb(buf_text(&response->body), response->body.size, JSON_DECODE_ANY, NULL);
	if (root)
		fields_find_arrays(root, &arrays);
	if (arrays.n_items) {
		struct pointer at = POINTER_NULL;
		proposal.link =
			link.data && url_from_link_header(link, "next", url, &next) == 0 && next;
		pointer_parse(&at, slice_of(arrays.items[0]));
		fields_of(pointer_find(&at, root), &proposal.fields);
		fields_find_page(root, &proposal.page);
		write_all(&proposal, &arrays, out);
		pointer_deinit(&at);
		fields_deinit(&proposal.fields);
		fields_page_deinit(&proposal.page);
	}
	buf_deinit(&proposal.request);
	json_decref(root);
	return arrays.n_items > 0;
}
