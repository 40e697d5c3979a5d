/*
 * See intake.h. The dedupe window is read before the first record that needs it: intake_ready is
 * asked before each poll, so a batch never meets a window that could not be read.
 */
#include "pipeline/intake.h"

#include <assert.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/occurrence.h"
#include "store/window.h"

/* Keys are taken out in steps of this, not at each page. */
#define EXPIRY_STEP (10 * NSEC_PER_MIN)

struct intake {
	struct store *store;
	struct committer *committer;
	char *name; /* of the source */
	char *provider;
	commit_done_fn committed;
	void *userdata;
	struct window *window;
	struct idset chain; /* digests met in this chain (or page), with their occurrences */
	char *cursor; /* the last one collected: an idle poll writes nothing */
	nsec_t expired_time;
	bool keeps_times;
	nsec_t kept_time; /* younger keys stay in the state; NSEC_NONE */
	struct intake *errand; /* reads again what this one has read; NULL: none */
	struct intake *source; /* an errand's; NULL: it is none */
	nsec_t from_time; /* an errand's */
	struct buf scratch;
	struct intake_status status;
};

struct intake *intake_new(const struct intake_setup *setup)
{
	struct intake *intake = MEM_NEW(struct intake);
	intake->store = setup->store;
	intake->committer = setup->committer;
	intake->name = mem_strdup(setup->source);
	intake->provider = mem_strdup(setup->provider);
	intake->committed = setup->committed;
	intake->userdata = setup->userdata;
	intake->window = window_new(setup->store, setup->source);
	intake->expired_time = intake->kept_time = NSEC_NONE;
	return intake;
}

struct intake *intake_new_errand(struct intake *source, nsec_t from_time)
{
	struct intake *intake = intake_new(&(struct intake_setup){
		.store = source->store,
		.committer = source->committer,
		.source = source->name,
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
	window_free(intake->window);
	idset_deinit(&intake->chain);
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
	if (window_is_loaded(intake->window))
		return 0;
	return window_load(intake->window, intake->source ? intake->from_time : horizon, reterr);
}

static bool has_id(const struct intake *intake, const struct id *key)
{
	return window_has(intake->window, key) ||
	       (intake->source && window_has(intake->source->window, key));
}

bool intake_known(const struct record *record, void *userdata)
{
	return has_id(userdata, &record->key);
}

/* A record is accepted: nobody accepts it again. */
static void note(struct intake *intake, const struct id *key)
{
	struct intake *other = intake->source ? intake->source : intake->errand;
	window_add(intake->window, key);
	if (other)
		window_add(other->window, key);
}

/* Is RECORD new? Notes it in either case where its scope counts. */
static bool is_new(struct intake *intake, const struct record *record, enum record_scope scope)
{
	if (scope == RECORD_SCOPE_ROWS)
		return true;
	if (record->id_text.data)
		return !has_id(intake, &record->key);
	if (scope == RECORD_SCOPE_EXACT)
		return true;
	unsigned nth = occurrence_count(&intake->chain, &record->key);
	occurrence_add(&intake->chain, &record->key);
	return nth >= window_count(intake->window, &record->key);
}

static void take(
	struct intake *intake, struct batch *batch, const struct record *record, bool keep_key)
{
	struct slice text = record->text;
	if (record->spaced) {
		buf_clear(&intake->scratch);
		json_minify(record->text, &intake->scratch);
		text = buf_slice(&intake->scratch);
	}
	batch_add(batch, text, &record->key, record->id_text, record->time);
	if (keep_key)
		note(intake, &record->key);
	intake->status.n_bytes += text.size;
	if (intake->source)
		intake->source->status.n_bytes += text.size;
}

static struct batch *make_batch(struct intake *intake, const struct record_batch *accepted)
{
	struct batch *batch = batch_new(intake->name, intake->provider, clock_wall());
	if (accepted->scope == RECORD_SCOPE_PAGE ||
		(accepted->scope == RECORD_SCOPE_CHAIN && accepted->new_chain))
		idset_clear(&intake->chain);
	size_t size = 0;
	for (size_t i = 0; i < accepted->records.n_items; i++)
		size += accepted->records.items[i].text.size + 1;
	batch_reserve(batch, accepted->records.n_items, size);
	for (size_t i = 0; i < accepted->records.n_items; i++) {
		const struct record *record = &accepted->records.items[i];
		bool is_last = i + 1 == accepted->records.n_items;
		if (is_new(intake, record, accepted->scope))
			take(intake, batch, record,
				accepted->scope != RECORD_SCOPE_ROWS ||
					(is_last && accepted->document_ends));
		else
			intake->status.n_duplicates++;
	}
	batch->keep_ids = accepted->scope != RECORD_SCOPE_ROWS || accepted->document_ends;
	batch->newest_time = accepted->key_time;
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

static void expire(struct intake *intake, nsec_t horizon)
{
	struct fault fault;
	if (horizon == NSEC_NONE ||
		(intake->expired_time != NSEC_NONE && horizon < intake->expired_time + EXPIRY_STEP))
		return;
	bool kept = intake->kept_time != NSEC_NONE && intake->kept_time < horizon;
	commit_add_expiry(intake->store, intake->name, kept ? intake->kept_time : horizon);
	window_expire(intake->window, horizon, &fault);
	intake->expired_time = horizon;
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
