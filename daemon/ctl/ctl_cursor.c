/* trawlctl cursor: prints stored cursors. Can run while the daemon runs; changes nothing. */
#include "ctl/ctl.h"

#include <sysexits.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "cursor_text.h"
#include "store/cursors.h"
#include "terminal.h"

struct row {
	char *source;
	char *cursor;
	nsec_t updated_time;
};

struct listing {
	struct row *rows; /* in order of the names */
	size_t n_rows, capacity;
};

static void listing_deinit(struct listing *listing)
{
	for (size_t i = 0; i < listing->n_rows; i++) {
		free(listing->rows[i].source);
		free(listing->rows[i].cursor);
	}
	free(listing->rows);
}

static void add(const char *source, const char *cursor, nsec_t updated_time, void *userdata)
{
	struct listing *listing = userdata;
	listing->rows =
		mem_grow(listing->rows, listing->n_rows, &listing->capacity, sizeof(struct row));
	listing->rows[listing->n_rows++] =
		(struct row){mem_strdup(source), mem_strdup(cursor), updated_time};
}

static const struct row *find_row(const struct listing *listing, const char *name)
{
	for (size_t i = 0; i < listing->n_rows; i++)
		if (strcmp(listing->rows[i].source, name) == 0)
			return &listing->rows[i];
	return NULL;
}

static int list(struct store *store, void *userdata, struct fault *reterr)
{
	return cursors_list(store, add, userdata, reterr);
}

static void print_none(const struct config *config, const char *name, bool json)
{
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	const char *start = ctl_start_of(config, name);
	if (json) {
		buf_append_text(&out, "{\"source\":");
		json_encode(slice_of(name), &out);
		buf_append_text(&out, ",\"updated\":null,\"cursor\":null,\"start\":");
		json_encode(slice_of(start), &out);
		buf_append_char(&out, '}');
	} else {
		buf_printf(
			&out, "source %s\n  no saved cursor: starts from start = %s", name, start);
	}
	terminal_write(buf_slice(&out));
}

static void describe(
	const struct config *config, const struct row *row, const struct cursor *cursor)
{
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	buf_printf(&out, "source %s%s\n", row->source,
		ctl_find_source(config, row->source) ? "" : " (no longer configured)");
	cursor_describe(cursor, 2, &out);
	buf_printf(&out, "  %-15s  ", "saved at");
	cursor_describe_time(row->updated_time - row->updated_time % NSEC_PER_SEC, &out);
	terminal_write(buf_slice(&out));
}

static void describe_json(const struct row *row, const struct cursor *cursor)
{
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	buf_append_text(&out, "{\"source\":");
	json_encode(slice_of(row->source), &out);
	buf_append_text(&out, ",\"updated\":\"");
	cursor_describe_time(row->updated_time, &out);
	buf_append_text(&out, "\",\"cursor\":");
	cursor_describe_json(cursor, &out);
	buf_append_char(&out, '}');
	terminal_write(buf_slice(&out));
}

static int print_row(const struct config *config, const struct row *row, bool json)
{
	struct cursor cursor CLEANUP(cursor_deinit) = CURSOR_NULL;
	if (cursor_parse(&cursor, row->cursor))
		return ctl_cursor_unreadable(row->source);
	if (json)
		describe_json(row, &cursor);
	else
		describe(config, row, &cursor);
	return 0;
}

static int print_one(
	const struct config *config, const struct listing *listing, const char *name, bool json)
{
	const struct row *row = find_row(listing, name);
	if (row)
		return print_row(config, row, json);
	print_none(config, name, json);
	return 0;
}

/* As they are configured, then those that only have state. */
static int print_all(const struct config *config, const struct listing *listing, bool json)
{
	int r = 0;
	for (size_t i = 0; i < config->n_sources; i++) {
		int one = print_one(config, listing, config->sources[i]->name, json);
		r = one ? one : r;
	}
	for (size_t i = 0; i < listing->n_rows; i++) {
		if (ctl_find_source(config, listing->rows[i].source))
			continue;
		int one = print_row(config, &listing->rows[i], json);
		r = one ? one : r;
	}
	return r;
}

/* Both the configured sources and those that only have state can be meant. */
static int unknown(const struct config *config, const struct listing *listing, const char *name)
{
	const char **names CLEANUP_FREE = mem_array(listing->n_rows, sizeof(char *));
	for (size_t i = 0; i < listing->n_rows; i++)
		names[i] = listing->rows[i].source;
	return ctl_unknown_source(name, config, names, listing->n_rows);
}

int ctl_cursor(const struct ctl_arguments *arguments)
{
	struct listing listing CLEANUP(listing_deinit) = {0};
	const char *name = arguments->name;
	struct ctl_secrets secrets;
	struct config *config = ctl_config(arguments);
	if (!config)
		return EX_CONFIG;
	ctl_secrets_init(&secrets, config);
	int r = ctl_read_state(config, list, &listing);
	if (!r && !name)
		r = print_all(config, &listing, arguments->json);
	else if (!r && !ctl_find_source(config, name) && !find_row(&listing, name))
		r = unknown(config, &listing, name);
	else if (!r)
		r = print_one(config, &listing, name, arguments->json);
	ctl_secrets_deinit(&secrets);
	config_free(config);
	return r;
}
