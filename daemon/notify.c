/* See notify.h. The watchdog is only a timer of the event loop: a loop that hangs is silent. */
#include "notify.h"

#include <ev.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "notify_socket.h"
#include "parts.h"

#define STATUS_INTERVAL 5. /* seconds */
#define STATUS_FAULT 200 /* bytes of a fault's text, at most */
#define CLOSING_TIME (30 * NSEC_PER_SEC) /* for what comes after shutdown_timeout */

struct notify {
	const struct parts *parts;
	ev_timer status;
	ev_timer watchdog;
};

struct sinks_seen {
	uint64_t n_pending;
	size_t n_failing;
	struct buf *fault; /* of the first that fails */
};

static void append_fault(
	struct buf *out, const char *kind, const char *name, const struct fault *fault)
{
	if (out->size == 0)
		buf_printf(out, "%s %s: %.*s", kind, name, STATUS_FAULT, fault->text);
}

static void look_at_sink(const struct sink_status *status, void *userdata)
{
	struct sinks_seen *seen = userdata;
	seen->n_pending += status->pending_records;
	if (!status->failing)
		return;
	seen->n_failing++;
	append_fault(seen->fault, "sink", status->name, &status->fault);
}

/* The lag of the source that has the greatest one. */
static void append_lag(nsec_t oldest, const char *name, struct buf *out)
{
	if (oldest == NSEC_NONE)
		return;
	nsec_t age = clock_wall() - oldest;
	buf_append_text(out, "; newest records at most ");
	timestamp_print_duration(age > 0 ? age / NSEC_PER_SEC * NSEC_PER_SEC : 0, out);
	buf_printf(out, " old (%s)", name);
}

static void print_status(const struct parts *parts, struct buf *out)
{
	struct buf fault CLEANUP(buf_deinit) = BUF_NULL;
	struct sinks_seen sinks = {.fault = &fault};
	nsec_t oldest = NSEC_NONE;
	const char *oldest_name = NULL;
	size_t n_failing = 0;
	const struct pollers *pollers = &parts->pollers;
	for (size_t i = 0; i < pollers->n_items; i++) {
		const char *name = pollers->items[i]->source->name;
		struct runner_status status;
		runner_status(pollers->items[i]->runner, &status);
		if (status.failing) {
			n_failing++;
			append_fault(&fault, "source", name, &status.fault);
		}
		if (status.newest_time == NSEC_NONE ||
			(oldest != NSEC_NONE && status.newest_time >= oldest))
			continue;
		oldest = status.newest_time;
		oldest_name = name;
	}
	fanout_each_sink(parts->fanout, look_at_sink, &sinks);
	buf_printf(out, "%zu source%s", pollers->n_items, str_plural(pollers->n_items));
	if (n_failing)
		buf_printf(out, " (%zu failing)", n_failing);
	buf_printf(out, ", %zu sink%s", parts->setup->n_sinks, str_plural(parts->setup->n_sinks));
	if (sinks.n_failing)
		buf_printf(out, " (%zu failing)", sinks.n_failing);
	append_lag(oldest, oldest_name, out);
	if (sinks.n_pending)
		buf_printf(out, "; %llu record%s unsent", (unsigned long long)sinks.n_pending,
			str_plural(sinks.n_pending));
	if (fault.size)
		buf_printf(out, "; %s", buf_text(&fault));
	secret_mask_line(out);
}

static void send_status(const struct parts *parts, const char *before)
{
	struct buf status CLEANUP(buf_deinit) = BUF_NULL, text CLEANUP(buf_deinit) = BUF_NULL;
	print_status(parts, &status);
	buf_printf(&text, "%sSTATUS=%s", before, buf_text(&status));
	notify_socket_send(buf_text(&text));
}

static void status_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct notify *notify = timer->data;
	(void)loop;
	(void)events;
	send_status(notify->parts, "");
}

static void watchdog_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
	notify_socket_send("WATCHDOG=1");
}

struct notify *notify_new(const struct parts *parts)
{
	if (!getenv("NOTIFY_SOCKET"))
		return NULL;
	struct notify *notify = MEM_NEW(struct notify);
	notify->parts = parts;
	ev_timer_init(&notify->status, status_due, STATUS_INTERVAL, STATUS_INTERVAL);
	notify->status.data = notify;
	ev_timer_start(parts->loop, &notify->status);
	double third = (double)notify_socket_watchdog() / (double)NSEC_PER_SEC / 3;
	ev_timer_init(&notify->watchdog, watchdog_due, 0., third);
	if (third > 0.)
		ev_timer_start(parts->loop, &notify->watchdog);
	return notify;
}

void notify_free(struct notify *notify)
{
	if (!notify)
		return;
	ev_timer_stop(notify->parts->loop, &notify->status);
	ev_timer_stop(notify->parts->loop, &notify->watchdog);
	free(notify);
}

void notify_ready(const struct parts *parts)
{
	send_status(parts, "READY=1\n");
}

void notify_waiting(void)
{
	notify_socket_send("READY=1\nWATCHDOG=1\nSTATUS=Waiting until the state can be written");
}

void notify_standby(void)
{
	notify_socket_send("READY=1\nWATCHDOG=1\nSTATUS=Standing by until the state is free");
}

void notify_reloading(void)
{
	char *text CLEANUP_FREE =
		mem_printf("RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=Reloading the configuration",
			(long long)(clock_monotonic() / NSEC_PER_USEC));
	notify_socket_send(text);
}

void notify_stopping(struct notify *notify, nsec_t shutdown_timeout_ns)
{
	nsec_t timeout = shutdown_timeout_ns + CLOSING_TIME;
	if (notify)
		ev_timer_stop(notify->parts->loop, &notify->status);
	char *text CLEANUP_FREE = mem_printf(
		"STOPPING=1\nSTATUS=Delivering what has been read\nEXTEND_TIMEOUT_USEC=%lld",
		(long long)(timeout / NSEC_PER_USEC));
	notify_socket_send(text);
}
