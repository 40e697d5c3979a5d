/*
 * See intake.h. The dedupe window is read before the first record that needs it: intake_ready is
 * asked before each poll, so a batch never meets a window that could not be read.
 */
#include "pipeline/intake.h"

#include <assert.h>
#include <ev.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/timer.h"
#include "store/events.h"
#include "store/window.h"

/* Keys are taken out in steps of this, not at each page. */
#define EXPIRY_STEP (10 * NSEC_PER_MIN)

#define DUPLICATES_LOOKED_AT 100 /* of a page: each is compared with those before it */
#define ID_SHOWN 100

/* A clock of the API that is ahead of what the rows say by no more than this is not noticed. */
#define AHEAD_MAX NSEC_PER_HOUR

#define OF_A_PAGE "two records of a page have the ID"
#define OF_TWO_PAGES "two records of different pages have the ID"

struct intake {
	struct store *store;
	struct committer *committer;
	char *name; /* of the source */
	const struct log_subject *subject;
	char *provider;
	commit_done_fn committed;
	void *userdata;
	struct window *window;
	ev_timer load_timer; /* the next slice of the window */
	nsec_t load_time; /* it is read from here on */
	int load_error; /* of a slice after the first; 0: whoever asks next was told */
	struct fault load_fault;
	void (*loaded)(void *userdata);
	void *loaded_userdata;
	char *cursor; /* the last one collected: an idle poll writes nothing */
	nsec_t expired_time;
	bool expiring; /* there is more to take out of the window */
	bool expiry_fails;
	bool keeps_times;
	bool told_id; /* it does not tell records apart */
	nsec_t newest_time; /* of the records that came, new or not; NSEC_NONE */
	nsec_t kept_time; /* younger keys stay in the state; NSEC_NONE */
	struct intake *errand; /* reads again what this one has read; NULL: none */
	struct intake *source; /* an errand's; NULL: it is none */
	nsec_t from_time; /* an errand's */
	struct buf scratch;
	struct intake_status status;
};

static int load_slice(struct intake *intake, struct fault *reterr)
{
	int r = window_load(intake->window, intake->load_time, reterr);
	if (r == STORE_E_WAIT)
		timer_start(committer_loop(intake->committer), &intake->load_timer, 0);
	return r;
}

/* Whoever asks next gets a failure. */
static void load_more(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct intake *intake = timer->data;
	(void)loop;
	(void)events;
	int r = load_slice(intake, &intake->load_fault);
	if (r == STORE_E_WAIT)
		return;
	intake->load_error = r;
	if (intake->loaded)
		intake->loaded(intake->loaded_userdata);
}

struct intake *intake_new(const struct intake_setup *setup)
{
	struct intake *intake = MEM_NEW(struct intake);
	intake->store = setup->store;
	intake->committer = setup->committer;
	intake->name = mem_strdup(setup->source);
	intake->subject = setup->subject;
	intake->provider = mem_strdup(setup->provider);
	intake->committed = setup->committed;
	intake->userdata = setup->userdata;
	intake->window = window_new(setup->store, setup->source);
	intake->expired_time = intake->kept_time = intake->newest_time = NSEC_NONE;
	ev_init(&intake->load_timer, load_more);
	intake->load_timer.data = intake;
	return intake;
}

struct intake *intake_new_errand(struct intake *source, nsec_t from_time)
{
	struct intake *intake = intake_new(&(struct intake_setup){
		.store = source->store,
		.committer = source->committer,
		.source = source->name,
		.subject = source->subject,
		.provider = source->provider,
		.committed = source->committed,
		.userdata = source->userdata,
	});
	assert(!source->errand && !source->source);
	intake->from_time = from_time;
	intake->source = source;
	source->errand = intake;
	intake->keeps_times = source->keeps_times;
	return intake;
}

void intake_free(struct intake *intake)
{
	if (!intake)
		return;
	assert(!intake->errand);
	if (intake->source)
		intake->source->errand = NULL;
	ev_timer_stop(committer_loop(intake->committer), &intake->load_timer);
	window_free(intake->window);
	buf_deinit(&intake->scratch);
	free(intake->cursor);
	free(intake->name);
	free(intake->provider);
	free(intake);
}

void intake_keep_keys(struct intake *intake, nsec_t time)
{
	intake->kept_time = time;
}

void intake_keep_times(struct intake *intake)
{
	intake->keeps_times = true;
}

int intake_ready(struct intake *intake, nsec_t horizon, struct fault *reterr)
{
	nsec_t time = intake->source ? intake->from_time : horizon;
	if (window_reaches(intake->window, time))
		return 0;
	if (ev_is_active(&intake->load_timer))
		return STORE_E_WAIT;
	if (intake->load_error) {
		int r = intake->load_error;
		*reterr = intake->load_fault;
		intake->load_error = 0;
		return r;
	}
	intake->load_time = time;
	intake->expired_time = NSEC_NONE; /* the horizon may have gone back */
	return load_slice(intake, reterr);
}

void intake_on_loaded(struct intake *intake, void (*loaded)(void *userdata), void *userdata)
{
	intake->loaded = loaded;
	intake->loaded_userdata = userdata;
}

static bool has_id(const struct intake *intake, const struct id *key)
{
	return window_has(intake->window, key) ||
	       (intake->source && window_has(intake->source->window, key));
}

static struct intake *other_of(const struct intake *intake)
{
	return intake->source ? intake->source : intake->errand;
}

/* The time that no record with a known key has passed; NSEC_NONE: not known. */
static nsec_t newest_known(const struct intake *intake)
{
	const struct intake *other = other_of(intake);
	nsec_t newest = intake->newest_time, row = window_newest(intake->window);
	if (other && other->newest_time > newest)
		newest = other->newest_time;
	return row != NSEC_NONE && row + AHEAD_MAX > newest ? row + AHEAD_MAX : newest;
}

static void note_time(struct intake *intake, nsec_t time)
{
	if (time > intake->newest_time)
		intake->newest_time = time;
}

/* RECORD is dropped for its ID, but is not the one that was accepted: told once, counted always. */
static void note_reused(struct intake *intake, const struct record *record, const char *what)
{
	struct intake *source = intake->source ? intake->source : intake;
	struct slice id = record->id_text;
	source->status.n_reused++;
	if (source->told_id)
		return;
	source->told_id = true;
	char *text CLEANUP_FREE =
		mem_printf("%s %.*s and are not equal: only the first of them is delivered", what,
			(int)(id.size < ID_SHOWN ? id.size : ID_SHOWN), id.data);
	log_warning(intake->subject,
		"%s (check `id` in the definition: each record needs one of its own)", text);
	events_add(intake->store,
		&(struct event){.kind = EVENT_REUSED_ID, .source = intake->name, .text = text});
	committer_touch(intake->committer);
}

/* A known one has a time that has come before. */
static bool is_later(const struct record *record, nsec_t newest)
{
	return record->id_text.data && newest != NSEC_NONE && record->time > newest;
}

bool intake_known(const struct record *record, void *userdata)
{
	struct intake *intake = userdata;
	if (!has_id(intake, &record->key))
		return false;
	if (is_later(record, newest_known(intake))) {
		note_reused(intake, record, OF_TWO_PAGES);
		note_time(intake, record->time);
	}
	return true;
}

/* A record is accepted: nobody accepts it again. */
static void note(struct intake *intake, const struct id *key, nsec_t time)
{
	struct intake *other = other_of(intake);
	window_add(intake->window, key, time);
	if (other)
		window_add(other->window, key, time);
}

/* Does the scope count equal records, those of a chain or a page? */
static bool is_counted(const struct record *record, enum record_scope scope)
{
	return !record->id_text.data && scope != RECORD_SCOPE_ROWS && scope != RECORD_SCOPE_EXACT;
}

static bool is_new(struct intake *intake, const struct record *record, enum record_scope scope)
{
	if (is_counted(record, scope))
		return !window_meet(intake->window, &record->key);
	return scope == RECORD_SCOPE_ROWS || !record->id_text.data || !has_id(intake, &record->key);
}

/* The record of a page before INDEX with the same ID. */
static const struct record *find_earlier(const struct records *records, size_t index)
{
	const struct record *record = &records->items[index];
	for (size_t i = 0; i < index; i++) {
		const struct record *other = &records->items[i];
		if (other->id_text.data &&
			memcmp(&other->key, &record->key, sizeof(record->key)) == 0)
			return other;
	}
	return NULL;
}

/* The record at INDEX is dropped for its ID. An ID that does not tell records apart loses all but
 * the first of them. It shows where a page holds two, and where the dropped one is later than all
 * that came before its page, up to NEWEST. */
static void doubt_id(
	struct intake *intake, const struct records *records, size_t index, nsec_t newest)
{
	const struct record *record = &records->items[index];
	const struct record *earlier = find_earlier(records, index);
	if (earlier && !slice_equal(earlier->text, record->text))
		note_reused(intake, record, OF_A_PAGE);
	else if (!earlier && is_later(record, newest))
		note_reused(intake, record, OF_TWO_PAGES);
}

static void take(
	struct intake *intake, struct batch *batch, const struct record *record, nsec_t key_time)
{
	struct slice text = record->text;
	if (record->spaced) {
		buf_clear(&intake->scratch);
		json_minify(record->text, &intake->scratch);
		text = buf_slice(&intake->scratch);
	}
	batch_add(batch, text, &record->key, record->id_text, record->time);
	if (batch->keep_ids)
		note(intake, &record->key, key_time);
	intake->status.n_bytes += text.size;
	if (intake->source)
		intake->source->status.n_bytes += text.size;
}

static struct batch *make_batch(struct intake *intake, const struct record_batch *accepted)
{
	struct batch *batch = batch_new(intake->name, intake->provider, clock_wall());
	if (accepted->scope == RECORD_SCOPE_PAGE ||
		(accepted->scope == RECORD_SCOPE_CHAIN && accepted->new_chain))
		window_forget_met(intake->window);
	size_t size = 0;
	for (size_t i = 0; i < accepted->records.n_items; i++)
		size += accepted->records.items[i].text.size + 1;
	batch_reserve(batch, accepted->records.n_items, size);
	batch->keep_ids = accepted->scope != RECORD_SCOPE_ROWS || accepted->document_ends;
	nsec_t key_time =
		accepted->key_time == NSEC_NONE ? batch->accepted_time : accepted->key_time;
	/* the times of rows are not those by which their keys are kept */
	nsec_t known = accepted->scope == RECORD_SCOPE_ROW_IDS ? NSEC_NONE : newest_known(intake);
	nsec_t newest = NSEC_NONE;
	size_t n_looked_at[2] = {0};
	for (size_t i = 0; i < accepted->records.n_items; i++) {
		const struct record *record = &accepted->records.items[i];
		newest = record->time > newest ? record->time : newest;
		if (!is_new(intake, record, accepted->scope)) {
			intake->status.n_duplicates++;
			if (record->id_text.data &&
				n_looked_at[is_later(record, known)]++ < DUPLICATES_LOOKED_AT)
				doubt_id(intake, &accepted->records, i, known);
			continue;
		}
		take(intake, batch, record, key_time);
		if (is_counted(record, accepted->scope))
			window_meet(intake->window, &record->key);
	}
	note_time(intake, newest);
	batch->newest_time = accepted->key_time; /* not that of its records */
	batch->keep_times = intake->keeps_times;
	intake->status.n_records += batch->n_records;
	if (intake->source)
		intake->source->status.n_records += batch->n_records;
	batch_trim(batch);
	if (batch->n_records)
		return batch;
	batch_unref(batch);
	return NULL;
}

/* A failure that may pass is told when it begins and when it ends: each page tries again. */
static void tell_expiry(struct intake *intake, bool fails, const struct fault *fault)
{
	if (fails && !intake->expiry_fails)
		log_warning(intake->subject,
			"dedupe keys that are no longer needed cannot be removed: %s", fault->text);
	if (!fails && intake->expiry_fails)
		log_notice(intake->subject,
			"dedupe keys that are no longer needed can be removed again");
	intake->expiry_fails = fails;
}

/* What the window has not passed yet stays in the state, too. */
static void expire(struct intake *intake, nsec_t horizon)
{
	struct fault fault;
	nsec_t passed = NSEC_NONE;
	if (horizon == NSEC_NONE || (!intake->expiring && intake->expired_time != NSEC_NONE &&
					    horizon < intake->expired_time + EXPIRY_STEP))
		return;
	int r = window_expire(intake->window, horizon, &passed, &fault);
	intake->expiring = r;
	intake->expired_time = horizon;
	if (intake->kept_time != NSEC_NONE && intake->kept_time < passed)
		passed = intake->kept_time;
	if (passed != NSEC_NONE)
		commit_add_expiry(intake->store, intake->name, passed);
	if (r == STORE_E_CORRUPT)
		committer_damaged(intake->committer, &fault);
	else
		tell_expiry(intake, r && r != STORE_E_WAIT, &fault);
}

void intake_accept(const struct record_batch *accepted, void *userdata)
{
	struct intake *intake = userdata;
	const char *cursor = intake->source ? NULL : accepted->cursor;
	struct batch *batch = make_batch(intake, accepted);
	if (cursor && intake->cursor && strcmp(cursor, intake->cursor) == 0)
		cursor = NULL;
	if (cursor) {
		free(intake->cursor);
		intake->cursor = mem_strdup(cursor);
	}
	if (batch || cursor)
		commit_add_page(intake->store, intake->name, batch, cursor,
			batch ? intake->committed : NULL, intake->userdata);
	batch_unref(batch);
	if (!intake->source)
		expire(intake, accepted->horizon);
	if (!commit_pending(intake->store))
		return;
	if (accepted->more)
		committer_touch_more(intake->committer);
	else
		committer_touch(intake->committer);
}

void intake_status(const struct intake *intake, struct intake_status *ret)
{
	*ret = intake->status;
	ret->window_size = window_size(intake->window);
}
