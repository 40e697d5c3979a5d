/* See events.h. */
#include "store/events.h"

#include <assert.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "store/store_internal.h"

static const char *const kind_names[] = {
	[EVENT_START] = "start",
	[EVENT_STOP] = "stop",
	[EVENT_CONFIGURATION] = "configuration",
	[EVENT_REWIND] = "rewind",
	[EVENT_SKIP] = "skip",
	[EVENT_REFILL] = "refill",
	[EVENT_ACKNOWLEDGE] = "acknowledge-gaps",
	[EVENT_RESTORE] = "restore",
	[EVENT_PAUSE] = "pause",
	[EVENT_RESUME] = "resume",
	[EVENT_RENAME] = "rename",
	[EVENT_RENAME_SINK] = "rename-sink",
	[EVENT_DROP_SINK] = "drop-sink",
	[EVENT_VANISHED] = "vanished",
	[EVENT_REUSED_ID] = "reused-id",
	[EVENT_OVERLAP] = "overlap",
	[EVENT_RESEND] = "dead-letters-resend",
	[EVENT_DISCARD] = "dead-letters-discard",
	[EVENT_REPLAY] = "replay",
};

const char *event_kind_to_string(enum event_kind kind)
{
	return kind_names[kind];
}

void events_add(struct store *store, const struct event *event)
{
	struct uncommitted *set = &store->collected;

	assert(store->mode == STORE_OWN);
	set->events =
		mem_grow(set->events, set->n_events, &set->events_capacity, sizeof(set->events[0]));
	set->events[set->n_events++] = (struct pending_event){
		.kind = event_kind_to_string(event->kind),
		.source = mem_strdup(event->source),
		.sink = mem_strdup(event->sink),
		.by = mem_strdup(event->by),
		.text = mem_strdup(event->text),
		.time = clock_wall(),
	};
}

static void event_deinit(struct pending_event *event)
{
	free(event->source);
	free(event->sink);
	free(event->by);
	free(event->text);
	free(event->line);
}

void events_drop(struct uncommitted *set, size_t first)
{
	while (set->n_events > first)
		event_deinit(&set->events[--set->n_events]);
}

/* --- the transaction --- */

static void print_text(const char *name, const char *text, struct buf *out)
{
	if (!text)
		return;
	buf_printf(out, ",\"%s\":", name);
	json_encode(slice_of(text), out);
}

static void print_event(const struct pending_event *event, uint64_t number, struct buf *out)
{
	char node[256] = "";

	gethostname(node, sizeof(node) - 1);
	buf_printf(out, "{\"event\":%" PRIu64 ",\"time\":\"", number);
	timestamp_print_rfc3339(event->time, 3, out);
	buf_append_char(out, '"');
	print_text("node", node, out);
	print_text("kind", event->kind, out);
	print_text("source", event->source, out);
	print_text("sink", event->sink, out);
	print_text("by", event->by, out);
	print_text("text", event->text, out);
	buf_append_char(out, '}');
}

static int write_event(
	struct store *store, struct pending_event *event, uint64_t number, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	struct buf line CLEANUP(buf_deinit) = BUF_NULL;
	int r = statement_get(store, STATEMENT_EVENT_PUT, &statement, reterr);

	if (r)
		return r;
	print_event(event, number, &line);
	free(event->line);
	event->line = mem_strdup(buf_text(&line));
	sqlite3_bind_int64(statement, 1, (int64_t)number);
	sqlite3_bind_int64(statement, 2, event->time);
	statement_bind_text(statement, 3, event->kind);
	statement_bind_text(statement, 4, event->text);
	statement_bind_text(statement, 5, event->line);
	return statement_finish(store, statement, reterr);
}

int events_write(struct store *store, struct uncommitted *set, size_t first, struct fault *reterr)
{
	uint64_t number = store->events_tree.n_leaves;
	int r = 0;

	for (size_t i = first; i < set->n_events && !r; i++)
		r = write_event(store, &set->events[i], ++number, reterr);
	return r;
}

static void add_leaf(struct store *store, const char *line)
{
	struct merkle_hash leaf = merkle_leaf(slice_of(line));

	merkle_add(&store->events_tree, &leaf);
}

void events_settle(struct store *store, struct uncommitted *set, size_t first)
{
	for (size_t i = first; i < set->n_events; i++)
		add_leaf(store, set->events[i].line);
	events_drop(set, first);
}

int events_commit(struct store *store, size_t first, int r, struct fault *reterr)
{
	if (!r)
		r = events_write(store, &store->collected, first, reterr);
	r = transaction_end(store, r, reterr);
	if (!r)
		events_settle(store, &store->collected, first);
	else
		events_drop(&store->collected, first);
	return r;
}

/* --- reading --- */

static void load_line(const char *line, void *userdata)
{
	add_leaf(userdata, line);
}

int events_load(struct store *store, struct fault *reterr)
{
	store->events_tree = MERKLE_NULL;
	return events_each(store, INT64_MIN, load_line, store, reterr);
}

int events_each(struct store *store, nsec_t since_time,
	void (*each)(const char *line, void *userdata), void *userdata, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = true;
	int r = statement_get(store, STATEMENT_EVENT_LIST, &statement, reterr);

	if (r)
		return r;
	sqlite3_bind_int64(statement, 1, since_time);
	while (!r && row) {
		const char *line;

		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			break;
		line = (const char *)sqlite3_column_text(statement, 0);
		if (!line)
			return statement_damaged(store, reterr, "an event has no text");
		each(line, userdata);
	}
	return r;
}

/* The column of the last event that is one of these kinds. */
static int read_last(struct store *store, const char *kind, const char *or_kind, int column,
	char **ret, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_get(store, STATEMENT_EVENT_LAST, &statement, reterr);

	*ret = NULL;
	if (r)
		return r;
	statement_bind_text(statement, 1, kind);
	statement_bind_text(statement, 2, or_kind);
	r = statement_step(store, statement, &row, reterr);
	if (!r && row)
		*ret = mem_strdup((const char *)sqlite3_column_text(statement, column));
	return r;
}

int events_last(struct store *store, enum event_kind kind, char **ret, struct fault *reterr)
{
	return read_last(store, kind_names[kind], NULL, 1, ret, reterr);
}

int events_broke_off(struct store *store, bool *ret, struct fault *reterr)
{
	CLEANUP_FREE char *kind = NULL;
	int r = read_last(store, kind_names[EVENT_START], kind_names[EVENT_STOP], 0, &kind, reterr);

	*ret = kind && strcmp(kind, kind_names[EVENT_START]) == 0;
	return r;
}

uint64_t events_root(const struct store *store, char ret_root[DIGEST_HEX_SIZE])
{
	struct merkle_hash root = merkle_root(&store->events_tree);

	digest_hex(root.bytes, sizeof(root.bytes), ret_root);
	return store->events_tree.n_leaves;
}
