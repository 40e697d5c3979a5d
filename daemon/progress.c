/* See progress.h. The drawing is erased before each line of the log and drawn again below it. */
#include "progress.h"

#include <ev.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "pollers.h"
#include "setup.h"
#include "terminal.h"

#define DRAW_EVERY 0.2 /* seconds */
#define TELL_EVERY 5.
#define RATE_SPAN NSEC_PER_SEC /* the rate is that of at least this time */
#define NAME_MAX_COLUMNS 24

struct meter {
	const struct poller *poller;
	nsec_t start_time; /* windows: where the first one began; NSEC_NONE */
	nsec_t rated_at;
	uint64_t n_rated;
	double rate; /* records per second; < 0: not known yet */
};

struct progress {
	struct ev_loop *loop;
	const struct pollers *pollers;
	ev_timer timer;
	bool draws;
	struct buf drawing; /* the last */
	size_t n_lines; /* of it */
	size_t n_drawn; /* lines that are on the terminal now */
	struct meter *meters; /* one per poller */
	size_t n_meters;
};

/* --- one source in words --- */

static struct meter *meter_of(struct progress *progress, size_t i)
{
	const struct pollers *pollers = progress->pollers;
	if (progress->n_meters < pollers->n_items) {
		progress->meters =
			mem_resize(progress->meters, pollers->n_items * sizeof(struct meter));
		memset(progress->meters + progress->n_meters, 0,
			(pollers->n_items - progress->n_meters) * sizeof(struct meter));
		progress->n_meters = pollers->n_items;
	}
	struct meter *meter = &progress->meters[i];
	if (meter->poller != pollers->items[i])
		*meter = (struct meter){.poller = pollers->items[i],
			.start_time = NSEC_NONE,
			.rated_at = clock_monotonic(),
			.rate = -1.};
	return meter;
}

static void measure(struct meter *meter, const struct runner_status *status, uint64_t n_records)
{
	nsec_t now = clock_monotonic(), elapsed = now - meter->rated_at;
	if (meter->start_time == NSEC_NONE)
		meter->start_time = status->position_time;
	if (elapsed < RATE_SPAN)
		return;
	meter->rate = (double)(n_records - meter->n_rated) * NSEC_PER_SEC / (double)elapsed;
	meter->rated_at = now;
	meter->n_rated = n_records;
}

static void append_time(struct buf *out, const char *before, nsec_t time)
{
	if (time == NSEC_NONE)
		return;
	buf_append_text(out, before);
	timestamp_print_rfc3339(time, 0, out);
}

/* How far, and how much is left. */
static void append_place(
	struct buf *out, const struct meter *meter, const struct runner_status *status)
{
	nsec_t from = meter->start_time, to = status->target_time, at = status->position_time;
	if (at != NSEC_NONE && to != NSEC_NONE) {
		append_time(out, ", read up to ", at);
		append_time(out, " of ", to);
		if (from != NSEC_NONE && to > from && at >= from)
			buf_printf(out, " (%d%%)",
				(int)((double)(at - from) * 100. / (double)(to - from)));
	} else {
		append_time(out, ", read up to ", status->newest_time);
	}
	if (status->n_gathered_pages)
		buf_printf(out, ", collecting a window: %zu page%s, %zu record%s so far",
			status->n_gathered_pages, str_plural(status->n_gathered_pages),
			status->n_gathered, str_plural(status->n_gathered));
	if (status->total >= 0)
		buf_printf(out, ", %lld of %lld in this list", (long long)status->n_elements,
			(long long)status->total);
}

static void append_state(
	struct buf *out, const struct meter *meter, const struct runner_status *status)
{
	const struct poller *poller = meter->poller;
	if (poller->given_up)
		buf_printf(out, ", gave up: %s", poller->given_up->text);
	else if (poller->paused)
		buf_append_text(out, ", paused");
	else if (poller->rested)
		append_time(out, ", up to date, newest ", status->newest_time);
	else if (status->failing)
		buf_printf(out, ", retrying: %s", status->fault.text);
	else if (status->state == RUNNER_BLOCKED)
		buf_append_text(out, ", waiting for the sinks");
	else if (status->state == RUNNER_WAITING_BUDGET ||
		 status->state == RUNNER_WAITING_CREDENTIAL)
		buf_printf(out, ", %s", runner_state_to_string(status->state));
	else
		append_place(out, meter, status);
	if (poller->rested && !poller->paused && status->newest_time == NSEC_NONE &&
		!poller->given_up)
		buf_append_text(out, ", up to date");
}

/* "1200 records, 240/s, read up to ..."; the colour that fits, or NULL. */
static const char *describe(struct progress *progress, size_t i, struct buf *out)
{
	struct meter *meter = meter_of(progress, i);
	const struct poller *poller = meter->poller;
	struct runner_status status;
	struct intake_status intake;
	runner_status(poller->runner, &status);
	intake_status(poller->intake, &intake);
	measure(meter, &status, intake.n_records);
	buf_printf(out, "%llu record%s", (unsigned long long)intake.n_records,
		str_plural(intake.n_records));
	if (meter->rate >= 0. && !poller->rested)
		buf_printf(out, ", %.0f/s", meter->rate);
	append_state(out, meter, &status);
	if (poller->given_up || (status.failing && !poller->rested))
		return "\033[31m";
	return poller->rested ? "\033[32m" : NULL;
}

/* --- on a terminal --- */

static void show(const struct buf *out)
{
	ssize_t n = write(STDERR_FILENO, buf_text(out), out->size);
	(void)n; /* a terminal that is gone misses nothing */
}

static void erase(void *userdata)
{
	struct progress *progress = userdata;
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	if (progress->n_drawn == 0)
		return;
	buf_printf(&out, "\r\033[%zuA\033[J", progress->n_drawn);
	progress->n_drawn = 0;
	show(&out);
}

static void add_line(struct progress *progress, const struct terminal *terminal, const char *colour,
	const char *text, struct buf *out)
{
	bool coloured = terminal->colours && colour;
	buf_append_text(out, coloured ? colour : "");
	/* the last column stays free: after a full line it is unclear where the cursor is */
	terminal_append(out, text, terminal->columns > 1 ? terminal->columns - 1 : 1);
	buf_append_text(out, coloured ? "\033[0m" : "");
	buf_append_text(out, "\033[K\n");
	progress->n_lines++;
}

static size_t name_columns(const struct pollers *pollers)
{
	size_t widest = 0;
	for (size_t i = 0; i < pollers->n_items; i++) {
		size_t n = terminal_columns(pollers->items[i]->source->name);
		widest = n > widest ? n : widest;
	}
	return widest < NAME_MAX_COLUMNS ? widest : NAME_MAX_COLUMNS;
}

static void add_sources(struct progress *progress, const struct terminal *terminal, struct buf *out)
{
	const struct pollers *pollers = progress->pollers;
	size_t n = pollers->n_items, n_rested = 0, n_given_up = 0;
	size_t width = name_columns(pollers);
	bool all = n < terminal->rows;
	size_t n_left = all ? n : terminal->rows > 2 ? terminal->rows - 2 : 1;
	for (size_t i = 0; i < n; i++) {
		struct buf words CLEANUP(buf_deinit) = BUF_NULL;
		struct buf line CLEANUP(buf_deinit) = BUF_NULL;
		bool given_up = pollers->items[i]->given_up;
		n_rested += pollers->items[i]->rested && !given_up;
		n_given_up += given_up;
		const char *colour = describe(progress, i, &words);
		if (n_left == 0 || (!all && pollers->items[i]->rested))
			continue;
		terminal_append_cell(&line, pollers->items[i]->source->name, width, false);
		buf_printf(&line, "  %s", buf_text(&words));
		add_line(progress, terminal, colour, buf_text(&line), out);
		n_left--;
	}
	if (!all) {
		struct buf line CLEANUP(buf_deinit) = BUF_NULL;
		buf_printf(&line, "%zu of %zu sources are done", n_rested, n);
		if (n_given_up)
			buf_printf(&line, ", %zu gave up", n_given_up);
		add_line(progress, terminal, NULL, buf_text(&line), out);
	}
}

/* The last drawing once more: a line may be logged while sources come and go. */
static void draw_again(void *userdata)
{
	struct progress *progress = userdata;
	show(&progress->drawing);
	progress->n_drawn = progress->n_lines;
}

static void draw(struct progress *progress)
{
	struct terminal terminal = terminal_of(STDERR_FILENO);
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	if (progress->n_drawn)
		buf_printf(&out, "\r\033[%zuA", progress->n_drawn);
	buf_clear(&progress->drawing);
	progress->n_lines = 0;
	add_sources(progress, &terminal, &progress->drawing);
	buf_append_slice(&out, buf_slice(&progress->drawing));
	buf_append_text(&out, "\033[J");
	show(&out);
	progress->n_drawn = progress->n_lines;
}

/* --- elsewhere --- */

static void tell(struct progress *progress)
{
	const struct pollers *pollers = progress->pollers;
	for (size_t i = 0; i < pollers->n_items; i++) {
		struct buf words CLEANUP(buf_deinit) = BUF_NULL;
		if (pollers->items[i]->rested)
			continue;
		describe(progress, i, &words);
		log_info(&pollers->items[i]->source->subject, "so far %s", buf_text(&words));
	}
}

static void timer_fired(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct progress *progress = timer->data;
	(void)loop;
	(void)events;
	if (progress->draws)
		draw(progress);
	else
		tell(progress);
}

/* Records on the same terminal would mix with the drawing. */
static bool prints_records(const struct setup *setup)
{
	for (size_t i = 0; i < setup->n_sinks; i++)
		if (strcmp(setup->sinks[i]->kind->name, "stdout") == 0)
			return isatty(STDOUT_FILENO) == 1;
	return false;
}

struct progress *progress_new(
	struct ev_loop *loop, const struct pollers *pollers, const struct setup *setup)
{
	struct progress *progress = MEM_NEW(struct progress);
	progress->loop = loop;
	progress->pollers = pollers;
	progress->draws = terminal_of(STDERR_FILENO).moves && !prints_records(setup);
	double every = progress->draws ? DRAW_EVERY : TELL_EVERY;
	ev_timer_init(&progress->timer, timer_fired, progress->draws ? 0. : every, every);
	progress->timer.data = progress;
	ev_timer_start(loop, &progress->timer);
	for (size_t i = 0; i < pollers->n_items; i++)
		meter_of(progress, i);
	if (progress->draws)
		log_set_drawing(erase, draw_again, progress);
	return progress;
}

void progress_end(struct progress *progress)
{
	if (!progress)
		return;
	if (progress->draws && ev_is_active(&progress->timer))
		draw(progress);
	log_set_drawing(NULL, NULL, NULL);
	ev_timer_stop(progress->loop, &progress->timer);
}

void progress_free(struct progress *progress)
{
	if (!progress)
		return;
	log_set_drawing(NULL, NULL, NULL);
	ev_timer_stop(progress->loop, &progress->timer);
	buf_deinit(&progress->drawing);
	free(progress->meters);
	free(progress);
}
