/* See player.h: the engine's side. The runner runs as in the daemon; its timers do not: when it
 * waits, the clocks are moved and it is woken. */
#include "workbench/player_internal.h"

#include <ev.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "store/occurrence.h"

#define TURNS_MAX 20000 /* of the loop, between two exchanges */
#define FAILURES_MAX 8 /* for each failure that a variation causes */

static nsec_t monotonic_now, wall_ahead;

static nsec_t read_monotonic(void)
{
	return monotonic_now;
}

static nsec_t read_wall(void)
{
	return monotonic_now + wall_ahead;
}

void player_fail(struct player *player, const char *format, ...)
{
	const struct conversation *conversation = player->conversation;
	va_list args;
	if (player->played->error.size)
		return;
	size_t at = player->current < conversation->n_items ? player->current : 0;
	player->played->line = conversation->items[at].line;
	va_start(args, format);
	buf_vprintf(&player->played->error, format, args);
	va_end(args);
}

/* --- what the pipeline does in the daemon: duplicates are dropped, the cursor is kept --- */

static bool is_known(const struct record *record, void *userdata)
{
	const struct player *player = userdata;
	return idset_has(&player->window, &record->key);
}

static bool is_new(struct player *player, const struct record *record, enum record_scope scope)
{
	if (scope == RECORD_SCOPE_ROWS)
		return true;
	if (record->id_text.data)
		return !idset_has(&player->window, &record->key);
	if (scope == RECORD_SCOPE_EXACT)
		return true;
	unsigned nth = occurrence_count(&player->chain, &record->key);
	occurrence_add(&player->chain, &record->key);
	return nth >= occurrence_count(&player->window, &record->key);
}

static void note_facts(struct player *player, const struct record *record)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	if (record->time == NSEC_NONE)
		buf_append_char(&text, '-');
	else
		timestamp_print_rfc3339(record->time, 9, &text);
	buf_append_char(&text, ' ');
	buf_append_slice(&text, record->id_text.data ? record->id_text : SLICE("-"));
	str_list_add(&player->facts, buf_text(&text));
}

static void take(struct player *player, const struct record *record, bool keep_key)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	if (record->spaced)
		json_minify(record->text, &text);
	else
		buf_append_slice(&text, record->text);
	str_list_add(&player->played->records, buf_text(&text));
	note_facts(player, record);
	if (keep_key && record->id_text.data)
		idset_add(&player->window, &record->key);
	else if (keep_key)
		occurrence_add(&player->window, &record->key);
}

static void accept(const struct record_batch *batch, void *userdata)
{
	struct player *player = userdata;
	if (batch->scope == RECORD_SCOPE_PAGE ||
		(batch->scope == RECORD_SCOPE_CHAIN && batch->new_chain))
		idset_clear(&player->chain);
	for (size_t i = 0; i < batch->records.n_items; i++) {
		const struct record *record = &batch->records.items[i];
		bool last = i + 1 == batch->records.n_items;
		if (is_new(player, record, batch->scope))
			take(player, record,
				batch->scope != RECORD_SCOPE_ROWS ||
					(last && batch->document_ends));
	}
	if (batch->cursor) {
		free(player->cursor);
		player->cursor = mem_strdup(batch->cursor);
	}
}

static enum runner_leave may_poll(bool needs_window, void *userdata)
{
	(void)needs_window;
	(void)userdata;
	return RUNNER_LEAVE;
}

static void rested(const struct fault *fault, void *userdata)
{
	struct player *player = userdata;
	(void)fault;
	player->rested = true;
}

static void requested(nsec_t elapsed_ns, size_t body_size, void *userdata)
{
	struct player *player = userdata;
	(void)elapsed_ns;
	(void)body_size;
	player->delivered = true;
}

static void failed(const struct fault *fault, void *userdata)
{
	struct player *player = userdata;
	player->n_failures++;
	if (player->n_injected == 0)
		player_fail(player, "trawld rejects the response: %s", fault->text);
	else if (player->n_failures > FAILURES_MAX)
		player_fail(player, "trawld does not recover: %s", fault->text);
}

static void gap(nsec_t start_time, nsec_t end_time, enum gap_reason reason, void *userdata)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	if (start_time != NSEC_NONE)
		timestamp_print_rfc3339(start_time, 0, &text);
	buf_append_text(&text, " to ");
	timestamp_print_rfc3339(end_time, 0, &text);
	player_fail(userdata, "a gap would be recorded (%s): %s", gap_reason_to_string(reason),
		buf_text(&text));
}

/* --- what the conversation says of the outcome --- */

/* `2026-11-28T10:00:00Z` and with nine digits are one time. */
static char *fact_of(const char *line)
{
	size_t size = strcspn(line, " ");
	struct buf text = BUF_NULL;
	nsec_t time;
	if (timestamp_parse_rfc3339((struct slice){line, size}, &time) != 0)
		return mem_strdup(line);
	timestamp_print_rfc3339(time, 9, &text);
	buf_append_text(&text, line + size);
	return buf_take(&text);
}

/* Each of WANTED is one of the poll's records. */
static void compare_facts(struct player *player, const struct str_list *wanted)
{
	struct str_list *facts = &player->facts;
	for (size_t i = 0; i < wanted->n_items; i++) {
		char *fact CLEANUP_FREE = fact_of(wanted->items[i]);
		size_t at = player->n_facts_expected;
		while (at < facts->n_items && strcmp(facts->items[at], fact) != 0)
			at++;
		if (at == facts->n_items) {
			bool one = facts->n_items == player->n_facts_expected + 1;
			player_fail(player, "expected the record %s, which did not come%s%s",
				wanted->items[i], one ? "; the only one is " : "",
				one ? facts->items[at - 1] : "");
			return;
		}
		facts->items[at][0] = '\0'; /* each counts once */
	}
}

static void compare_watermark(struct player *player, nsec_t expected)
{
	struct cursor cursor CLEANUP(cursor_deinit) = CURSOR_NULL;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL, own CLEANUP(buf_deinit) = BUF_NULL;
	if (cursor_parse(&cursor, player->cursor) != 0 || cursor.watermark_time == expected)
		return;
	timestamp_print_rfc3339(expected, 9, &text);
	if (cursor.watermark_time == NSEC_NONE)
		buf_append_text(&own, "none");
	else
		timestamp_print_rfc3339(cursor.watermark_time, 9, &own);
	player_fail(player, "expected the watermark %s, got %s", buf_text(&text), buf_text(&own));
}

/* The poll has ended after the exchange CURRENT: all that was said up to there is compared. */
static void compare_outcomes(struct player *player)
{
	struct str_list facts CLEANUP(str_list_deinit) = STR_LIST_NULL;
	nsec_t watermark = NSEC_NONE;
	bool counts = false;
	for (; player->n_checked < player->next; player->n_checked++) {
		const struct exchange *exchange = &player->conversation->items[player->n_checked];
		if (exchange->login)
			continue;
		if (exchange->n_records >= 0)
			player->n_expected += exchange->n_records;
		counts |= exchange->n_records >= 0;
		for (size_t i = 0; i < exchange->records.n_items; i++)
			str_list_add(&facts, exchange->records.items[i]);
		watermark = exchange->watermark_time;
		if (exchange->more && player->n_checked == player->current)
			player_fail(player, "expected more pages, but the poll has ended");
		if (exchange->end && player->n_checked != player->current)
			player_fail(player, "expected the end of the poll, but more was requested");
	}
	size_t n = player->played->records.n_items;
	if (counts && (size_t)player->n_expected != n)
		player_fail(player, "expected %lld record%s up to here, got %zu",
			(long long)player->n_expected,
			str_plural((unsigned long long)player->n_expected), n);
	if (facts.n_items)
		compare_facts(player, &facts);
	if (watermark != NSEC_NONE)
		compare_watermark(player, watermark);
	player->n_facts_expected = player->facts.n_items;
	player->n_expected = (int64_t)n;
}

/* --- the play --- */

static size_t skip_logins(const struct player *player, size_t at)
{
	while (at < player->conversation->n_items && player->conversation->items[at].login)
		at++;
	return at;
}

static bool begin_twice(struct player *player, struct runner *runner)
{
	if (player->variation->kind != VARIATION_TWICE || player->repeating)
		return false;
	player->repeating = true;
	player->n_injected = 1;
	monotonic_now += player->source->options.interval_ns;
	runner_wake(runner);
	return true;
}

static void set_clock(nsec_t time)
{
	if (time != NSEC_NONE && time > read_wall())
		monotonic_now += time - read_wall();
}

/* After a kill. A process that starts polls at once. */
static void begin_again(struct player *player)
{
	size_t next = skip_logins(player, player->next);
	if (next < player->conversation->n_items)
		set_clock(player->conversation->items[next].now_time);
}

/* The poll has ended. False: so has the play. */
static bool next_poll(struct player *player, struct runner *runner)
{
	size_t next = skip_logins(player, player->next);
	const struct exchange *exchange = &player->conversation->items[next];
	/* what is a duplicate after a failure can end the poll earlier than it did */
	while (player->n_injected && next < player->conversation->n_items &&
		exchange->now_time == NSEC_NONE)
		exchange = &player->conversation->items[++next];
	player->next = next;
	player->rested = false;
	if (player->repeating)
		return false;
	if (player->variation->kind == VARIATION_NONE)
		compare_outcomes(player);
	if (next == player->conversation->n_items)
		return begin_twice(player, runner);
	if (exchange->now_time == NSEC_NONE) {
		player_fail(player,
			"the poll has ended after this exchange, but the conversation continues in line %u",
			exchange->line);
		return false;
	}
	set_clock(exchange->now_time);
	runner_wake(runner);
	return true;
}

/* What the runner waits for is over. */
static void let_time_pass(struct runner *runner)
{
	struct runner_status status;
	runner_status(runner, &status);
	if (runner_state_is_busy(status.state) || status.next_poll_ns <= 0)
		return;
	monotonic_now += status.next_poll_ns;
	runner_wake(runner);
}

/* One life of the process. True: the play is over; false: it was killed. */
static bool live(struct player *player, struct ev_loop *loop, struct runner *runner)
{
	unsigned n_turns = 0;
	while (n_turns++ < TURNS_MAX) {
		size_t current = player->current;
		ev_run(loop, EVRUN_NOWAIT);
		if (player->played->error.size)
			return true;
		if (player->kill && player->delivered)
			return false;
		if (player->over || (player->rested && !next_poll(player, runner)))
			return true;
		let_time_pass(runner);
		if (player->current != current)
			n_turns = 0;
	}
	player_fail(player, "the source does not come to rest");
	return true;
}

static const struct runner_callbacks callbacks = {
	.accept = accept,
	.known = is_known,
	.may_poll = may_poll,
	.rested = rested,
	.requested = requested,
	.failed = failed,
	.gap = gap,
};

static bool run_life(struct player *player)
{
	struct fault fault = FAULT_NULL;
	struct runner *runner = NULL;
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct http_client *client = http_client_new(loop, "trawld");
	char *cursor CLEANUP_FREE = mem_strdup(player->cursor);
	struct runner_setup setup = {
		.loop = loop,
		.client = client,
		.source = player->source,
		.cursor = cursor,
		.callbacks = &callbacks,
		.userdata = player,
	};
	bool over = true;
	http_client_answer(client, player_answer, player);
	player->kill = player->rested = false;
	if (runner_new(&runner, &setup, &fault))
		player_fail(player, "%s", fault.text);
	else
		over = live(player, loop, runner);
	runner_free(runner);
	http_client_free(client);
	ev_loop_destroy(loop);
	return over;
}

bool player_run(const struct source *source, const struct conversation *conversation,
	const struct variation *variation, struct played *ret)
{
	struct player player = {.source = source,
		.conversation = conversation,
		.variation = variation,
		.played = ret,
		.current = conversation->n_items};
	size_t first = skip_logins(&player, 0);
	monotonic_now += NSEC_PER_DAY; /* what the engine keeps of an earlier play is long past */
	wall_ahead = conversation->items[first].now_time - monotonic_now;
	clock_set_source(read_monotonic, read_wall);
	while (!run_life(&player))
		begin_again(&player);
	clock_set_source(NULL, NULL);
	idset_deinit(&player.window);
	idset_deinit(&player.chain);
	str_list_deinit(&player.facts);
	free(player.cursor);
	return ret->error.size == 0;
}

void played_deinit(struct played *played)
{
	str_list_deinit(&played->records);
	buf_deinit(&played->error);
}
