/* See reconciler.h. */
#include "reconciler.h"

#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "errand.h"
#include "store/coverage.h"
#include "store/reconcile.h"
#include "poller.h"

#define GRID_MAX NSEC_PER_HOUR
#define RECORDS_MAX ((size_t)8 << 20) /* of one window: more are not compared */
#define SHOWN_MAX 5

struct records_list {
	struct reconcile_record *items;
	size_t n_items, capacity;
};

struct reconciler {
	struct poller *poller;
	nsec_t grid_ns;
	nsec_t until_time[SOURCE_RECONCILE_MAX]; /* after each delay */
	nsec_t late_ns[SOURCE_RECONCILE_MAX]; /* the latest record that it has found */
	nsec_t pause_until_at; /* after a failure */
	/* the window that is requested */
	size_t delay; /* index */
	struct records_list accepted, received;
	bool foreign; /* the API returned records of another time than was requested */
	bool foreign_told;
	bool too_many;
};

static const struct source *source_of(const struct reconciler *reconciler)
{
	return reconciler->poller->source;
}

static struct store *store_of(const struct reconciler *reconciler)
{
	return reconciler->poller->store;
}

/* Where it was not reconciled before it begins now: older keys may be gone. */
static int load(struct reconciler *reconciler, struct fault *reterr)
{
	const struct source *source = source_of(reconciler);
	struct store *store = store_of(reconciler);
	int r = reconcile_forget_others(store, source->name, source->page_shape,
		source->reconcile_ns, source->n_reconcile, reterr);
	for (size_t i = 0; i < source->n_reconcile && !r; i++) {
		nsec_t *until = &reconciler->until_time[i];
		r = reconcile_get(store, source->name, source->reconcile_ns[i], until,
			&reconciler->late_ns[i], reterr);
		if (r || *until != NSEC_NONE)
			continue;
		*until = span_ceil(clock_wall(), reconciler->grid_ns);
		r = reconcile_settle(store,
			&(struct reconcile_result){
				.source = source->name,
				.shape = source->page_shape,
				.delay_ns = source->reconcile_ns[i],
				.until_time = *until,
			},
			reterr);
	}
	return r;
}

struct reconciler *reconciler_new(struct poller *poller)
{
	const struct source *source = poller->source;
	struct fault fault;
	if (source->n_reconcile == 0) {
		/* its keys go now: what was noted does not hold any more */
		reconcile_forget_others(
			poller->store, source->name, source->page_shape, NULL, 0, &fault);
		return NULL;
	}
	struct reconciler *reconciler = MEM_NEW(struct reconciler);
	reconciler->poller = poller;
	reconciler->pause_until_at = NSEC_NONE;
	reconciler->grid_ns =
		source->reconcile_ns[0] < GRID_MAX ? source->reconcile_ns[0] : GRID_MAX;
	if (load(reconciler, &fault)) {
		log_warning(&source->subject, "reconcile: %s; it begins with the next start",
			fault.text);
		free(reconciler);
		return NULL;
	}
	intake_keep_times(poller->intake);
	return reconciler;
}

static void forget_window(struct reconciler *reconciler)
{
	free(reconciler->accepted.items);
	free(reconciler->received.items);
	reconciler->accepted = reconciler->received = (struct records_list){0};
	reconciler->foreign = reconciler->too_many = false;
}

void reconciler_free(struct reconciler *reconciler)
{
	if (!reconciler)
		return;
	forget_window(reconciler);
	free(reconciler);
}

nsec_t reconciler_time(const struct reconciler *reconciler)
{
	nsec_t time = NSEC_NONE;
	for (size_t i = 0; reconciler && i < source_of(reconciler)->n_reconcile; i++)
		if (time == NSEC_NONE || reconciler->until_time[i] < time)
			time = reconciler->until_time[i];
	return time;
}

nsec_t reconciler_late(const struct reconciler *reconciler)
{
	nsec_t late = 0;
	for (size_t i = 0; reconciler && i < source_of(reconciler)->n_reconcile; i++)
		late = reconciler->late_ns[i] > late ? reconciler->late_ns[i] : late;
	return late;
}

nsec_t reconciler_proposal(nsec_t late_ns)
{
	return span_ceil(late_ns, late_ns > NSEC_PER_HOUR ? NSEC_PER_HOUR : NSEC_PER_MIN);
}

/* Where records come LATE_NS late. */
static nsec_t overlap_for(const struct source *source, nsec_t late_ns)
{
	nsec_t overlap = reconciler_proposal(late_ns),
	       least = source->definition->resume.overlap_ns;
	if (overlap > OVERLAP_AUTO_MAX)
		overlap = OVERLAP_AUTO_MAX;
	return overlap > least ? overlap : least;
}

nsec_t reconciler_overlap(const struct reconciler *reconciler)
{
	bool automatic = reconciler && source_of(reconciler)->definition->overlap_auto;
	return automatic ? overlap_for(source_of(reconciler), reconciler_late(reconciler)) : 0;
}

/* --- one window --- */

static struct span window_of(const struct reconciler *reconciler, size_t delay)
{
	nsec_t start = reconciler->until_time[delay];
	return (struct span){start, start + reconciler->grid_ns};
}

static void take(const struct record_batch *batch, void *userdata)
{
	struct reconciler *reconciler = userdata;
	struct records_list *list = &reconciler->received;
	struct span window = window_of(reconciler, reconciler->delay);
	nsec_t step = source_of(reconciler)->definition->step_ns;
	reconciler->too_many |= list->n_items + batch->records.n_items > RECORDS_MAX;
	for (size_t i = 0; i < batch->records.n_items && !reconciler->too_many; i++) {
		const struct record *record = &batch->records.items[i];
		reconciler->foreign |= record->time < span_floor(window.start_time, step) ||
				       record->time > span_ceil(window.end_time, step);
		if (record->time < window.start_time || record->time >= window.end_time)
			continue;
		list->items =
			mem_grow(list->items, list->n_items, &list->capacity, sizeof(*list->items));
		list->items[list->n_items++] =
			(struct reconcile_record){.key = record->key, .time = record->time};
	}
}

static int compare(const void *a, const void *b)
{
	const struct reconcile_record *x = a, *y = b;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

/* Both lists sorted: what only one of them has, as often as it has it more. */
struct difference {
	struct records_list vanished;
	size_t n_late;
	nsec_t oldest_late; /* time of a late record */
};

static void add_late(
	struct reconciler *reconciler, struct difference *difference, nsec_t time, nsec_t now_time)
{
	difference->n_late++;
	if (difference->oldest_late == NSEC_NONE || time < difference->oldest_late)
		difference->oldest_late = time;
	tally_late(&reconciler->poller->tally, now_time - time);
}

static void sort(struct records_list *list)
{
	if (list->n_items > 0)
		qsort(list->items, list->n_items, sizeof(*list->items), compare);
}

static void find_difference(struct reconciler *reconciler, nsec_t now_time, struct difference *ret)
{
	struct records_list *old = &reconciler->accepted, *new = &reconciler->received;
	bool by_id = source_of(reconciler)->definition->n_records_id > 0;
	size_t i = 0, k = 0;
	*ret = (struct difference){.oldest_late = NSEC_NONE};
	sort(old);
	sort(new);
	while (i < old->n_items || k < new->n_items) {
		int order = i == old->n_items   ? 1
			    : k == new->n_items ? -1
						: compare(&old->items[i], &new->items[k]);
		if (order < 0) {
			struct records_list *list = &ret->vanished;
			list->items = mem_grow(
				list->items, list->n_items, &list->capacity, sizeof(*list->items));
			list->items[list->n_items++] = old->items[i++];
			continue;
		}
		struct reconcile_record *record = &new->items[k++];
		if (order > 0)
			add_late(reconciler, ret, record->time, now_time);
		else
			i++;
		/* an ID that comes twice is one record */
		while (by_id && k < new->n_items &&compare(record, &new->items[k]) == 0)
			k++;
	}
}

static void print_window(const struct span *window, struct buf *out)
{
	timestamp_print_rfc3339(window->start_time, 0, out);
	buf_append_text(out, " to ");
	timestamp_print_rfc3339(window->end_time, 0, out);
}

/* In the log and, without the subject, as the event. */
static void print_vanished(
	const struct span *window, const struct records_list *vanished, struct buf *out)
{
	size_t n = vanished->n_items;
	buf_printf(out, "%zu record%s from ", n, str_plural(n));
	print_window(window, out);
	buf_printf(out,
		" that %s accepted before %s no longer returned by the API (digest%s of the ID%s:",
		n == 1 ? "was" : "were", n == 1 ? "is" : "are", str_plural(n), str_plural(n));
	for (size_t i = 0; i < n && i < SHOWN_MAX; i++) {
		char hex[DIGEST_HEX_SIZE];
		digest_hex(vanished->items[i].key.bytes, sizeof(struct id), hex);
		buf_printf(out, "%s %s", i > 0 ? "," : "", hex);
	}
	buf_printf(out, "%s)", n > SHOWN_MAX ? ", ..." : "");
}

/* With `overlap = auto`: what it becomes, as the event; else nothing. */
static void print_overlap(const struct reconciler *reconciler, const struct difference *difference,
	nsec_t late_ns, struct buf *out)
{
	struct buf old CLEANUP(buf_deinit) = BUF_NULL, new CLEANUP(buf_deinit) = BUF_NULL;
	nsec_t old_ns = reconciler_overlap(reconciler);
	nsec_t new_ns = overlap_for(source_of(reconciler), late_ns);
	if (difference->n_late == 0 || old_ns == 0 || new_ns <= old_ns)
		return;
	timestamp_print_duration(old_ns, &old);
	timestamp_print_duration(new_ns, &new);
	buf_printf(out,
		"overlap = auto: polls reach back by %s from now on, before by %s, since %zu record%s came late",
		buf_text(&new), buf_text(&old), difference->n_late, str_plural(difference->n_late));
}

/* What was done, or can be done, to read such records in time. */
static void print_remedy(const struct reconciler *reconciler, const struct difference *difference,
	nsec_t late_ns, const struct buf *change, struct buf *out)
{
	nsec_t proposal = reconciler_proposal(late_ns), overlap = reconciler_overlap(reconciler);
	if (change->size > 0) {
		buf_append_slice(out, buf_slice(change));
		return;
	}
	buf_append_text(out, overlap ? "overlap = auto stays at " : "`overlap = ");
	timestamp_print_duration(overlap ? overlap : proposal, out);
	if (!overlap)
		buf_printf(out, "` would have read %s in time",
			difference->n_late == 1 ? "it" : "them");
	else if (overlap == OVERLAP_AUTO_MAX)
		buf_append_text(out, ", its maximum");
}

static void tell_late(const struct reconciler *reconciler, const struct span *window,
	const struct difference *difference, nsec_t late_ns, const struct buf *change)
{
	const struct source *source = source_of(reconciler);
	struct buf text CLEANUP(buf_deinit) = BUF_NULL, remedy CLEANUP(buf_deinit) = BUF_NULL;
	print_window(window, &text);
	print_remedy(reconciler, difference, late_ns, change, &remedy);
	log_warning(&source->subject,
		"reconciled %s: %zu record%s came late, up to %" PRId64
		" s after %s time; delivered now (%s)",
		buf_text(&text), difference->n_late, str_plural(difference->n_late),
		(int64_t)(late_ns / NSEC_PER_SEC), difference->n_late == 1 ? "its" : "their",
		buf_text(&remedy));
}

/* Records that the API no longer returns can be told. */
static bool can_tell_vanished(struct reconciler *reconciler)
{
	if (reconciler->foreign && !reconciler->foreign_told)
		log_warning(&source_of(reconciler)->subject,
			"reconcile: the API also returns records of other times than were requested, so records that vanish from it cannot be told; late records are still found");
	reconciler->foreign_told |= reconciler->foreign;
	return !reconciler->foreign;
}

/* It is in the state. */
static void tell(struct reconciler *reconciler, const struct reconcile_result *found,
	const struct span *window, const struct difference *difference, const struct buf *change)
{
	const struct source *source = source_of(reconciler);
	if (found->vanished)
		log_error(&source->subject,
			"reconciled: %s: ask the provider who removed them; what was accepted stays delivered, and the event is in the seals",
			found->vanished);
	if (difference->n_late > 0)
		tell_late(reconciler, window, difference, found->late_ns, change);
}

static void take_result(struct reconciler *reconciler, const struct reconcile_result *found)
{
	nsec_t *late = &reconciler->late_ns[reconciler->delay];
	reconciler->until_time[reconciler->delay] = found->until_time;
	*late = found->late_ns > *late ? found->late_ns : *late;
	reconciler->poller->tally.n_vanished += found->n_records;
	runner_set_overlap(reconciler->poller->runner, reconciler_overlap(reconciler));
}

/* What was read whole is compared. 0, -1 or STORE_E_*. */
static int settle(
	struct reconciler *reconciler, const struct errand_result *result, struct fault *reterr)
{
	const struct source *source = source_of(reconciler);
	struct difference difference;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL, change CLEANUP(buf_deinit) = BUF_NULL;
	nsec_t now_time = clock_wall();
	if (!committer_flush(reconciler->poller->committer))
		return fault_set(
			reterr, FAULT_STORE, "%s", committer_why(reconciler->poller->committer));
	find_difference(reconciler, now_time, &difference);
	nsec_t late_ns = difference.n_late > 0 ? now_time - difference.oldest_late : 0;
	size_t n = can_tell_vanished(reconciler) ? difference.vanished.n_items : 0;
	if (n > 0)
		print_vanished(&result->span, &difference.vanished, &text);
	print_overlap(reconciler, &difference, late_ns, &change);
	const struct reconcile_result found = {
		.source = source->name,
		.shape = source->page_shape,
		.delay_ns = source->reconcile_ns[reconciler->delay],
		.until_time = result->span.end_time,
		.late_ns = late_ns,
		.records = difference.vanished.items,
		.n_records = n,
		.vanished = n > 0 ? buf_text(&text) : NULL,
		.overlap = change.size > 0 ? buf_text(&change) : NULL,
	};
	int r = reconcile_settle(store_of(reconciler), &found, reterr);
	if (!r) {
		take_result(reconciler, &found);
		tell(reconciler, &found, &result->span, &difference, &change);
	}
	free(difference.vanished.items);
	return r;
}

static void put_off(
	struct reconciler *reconciler, const struct span *window, const struct fault *fault)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	print_window(window, &text);
	log_warning(&source_of(reconciler)->subject, "reconcile %s: %s; retrying later",
		buf_text(&text), fault->text);
	reconciler->pause_until_at = clock_monotonic() + reconciler->grid_ns;
}

static void window_done(const struct errand_result *result, void *userdata)
{
	struct reconciler *reconciler = userdata;
	struct fault fault = FAULT_NULL;
	if (result->fault)
		fault = *result->fault;
	else if (result->partial)
		fault_set(&fault, FAULT_INCOMPLETE, "the API returns only a part of the records");
	else if (reconciler->too_many)
		fault_set(&fault, FAULT_INCOMPLETE, "more than %zu records cannot be compared",
			RECORDS_MAX);
	else
		settle(reconciler, result, &fault);
	if (fault.class != FAULT_NONE)
		put_off(reconciler, &result->span, &fault);
}

static void ended(bool interrupted, void *userdata)
{
	struct reconciler *reconciler = userdata;
	(void)interrupted; /* it begins again with the same window */
	forget_window(reconciler);
	if (!interrupted)
		reconciler_look(reconciler);
}

static const struct errand_kind reconcile_kind = {
	.accept = take, .done = window_done, .ended = ended};

/* --- when --- */

/* Sources that begin together do not reconcile together. */
static nsec_t phase(const struct reconciler *reconciler)
{
	struct id spread = digest_id(slice_of(source_of(reconciler)->name));
	uint16_t fraction;
	memcpy(&fraction, spread.bytes, sizeof(fraction));
	return reconciler->grid_ns / 4 * le16toh(fraction) / UINT16_MAX;
}

/* Windows that the API no longer keeps are given up. */
static void skip_expired(struct reconciler *reconciler, size_t delay, nsec_t now_time)
{
	const struct source *source = source_of(reconciler);
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	nsec_t *until = &reconciler->until_time[delay], from = *until;
	nsec_t oldest = errand_oldest_time(source->definition, now_time);
	if (source->definition->resume.retention_ns == 0 || from >= oldest)
		return;
	*until = span_ceil(oldest, reconciler->grid_ns);
	print_window(&(struct span){from, *until}, &text);
	log_warning(&source->subject,
		"reconcile: the API no longer keeps the records from %s: they are not compared",
		buf_text(&text));
}

void reconciler_look(struct reconciler *reconciler)
{
	struct runner_status status;
	struct fault fault;
	if (!reconciler || reconciler->poller->errand ||
		(reconciler->pause_until_at != NSEC_NONE &&
			clock_monotonic() < reconciler->pause_until_at))
		return;
	const struct source *source = source_of(reconciler);
	runner_status(reconciler->poller->runner, &status);
	nsec_t now_time = clock_wall() + status.skew_ns;
	nsec_t covered = coverage_until(store_of(reconciler), source->name);
	for (size_t i = 0; i < source->n_reconcile; i++) {
		skip_expired(reconciler, i, now_time);
		struct span window = window_of(reconciler, i);
		nsec_t due = window.end_time + source->reconcile_ns[i] + phase(reconciler);
		if (covered == NSEC_NONE || covered < window.end_time || now_time < due)
			continue;
		/* rows are read: what is only collected must be among them */
		if (!committer_flush(reconciler->poller->committer))
			return; /* told by the committer */
		if (reconcile_list(store_of(reconciler), source->name, window.start_time,
			    window.end_time, &reconciler->accepted.items,
			    &reconciler->accepted.n_items, &fault)) {
			put_off(reconciler, &window, &fault);
			return;
		}
		reconciler->delay = i;
		if (!errand_start(reconciler->poller, &reconcile_kind, reconciler, &window, 1))
			forget_window(reconciler);
		return;
	}
}
