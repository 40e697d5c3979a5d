/*
 * A commit that is large takes longer than a lease to send (a new state, a step of the schema, a
 * page after a long pause). Meanwhile a second connection renews the lease; it changes nothing that
 * the commit checks. It is there only while it is needed, and looked at now and then.
 */
#include "store/postgresql/internal.h"

#include <poll.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define LOOK_EVERY (20 * NSEC_PER_MSEC)
#define RETRY_AFTER (200 * NSEC_PER_MSEC)
/* Most commits are over by then. */
#define PATIENCE(lease_ns) ((lease_ns) / 6)

static bool is_late(const struct postgresql *postgresql)
{
	return postgresql->phase == PHASE_PIPELINE && postgresql->committing &&
	       boot_clock() - postgresql->sent_boot >= PATIENCE(postgresql->lease_ns) &&
	       clock_monotonic() >= postgresql->renew_at;
}

void side_close(struct postgresql *postgresql)
{
	PQfinish(postgresql->side.connection);
	postgresql->side = (struct side){0};
}

static void fail(struct postgresql *postgresql)
{
	side_close(postgresql);
	postgresql->side.retry_at = clock_monotonic() + RETRY_AFTER;
}

static void connect_aside(struct postgresql *postgresql)
{
	struct side *side = &postgresql->side;
	CLEANUP_FREE char *name =
		mem_printf("trawld:%s:%s:lease", postgresql->cluster, postgresql->shard_text);

	if (clock_monotonic() < side->retry_at)
		return;
	side->connection = connection_start(postgresql, name);
	side->polling = PGRES_POLLING_WRITING;
	if (!side->connection || PQstatus(side->connection) == CONNECTION_BAD)
		fail(postgresql);
}

static void go_on_connecting(struct postgresql *postgresql)
{
	struct side *side = &postgresql->side;
	struct pollfd poll_fd = {.fd = PQsocket(side->connection),
		.events = side->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT};

	if (poll(&poll_fd, 1, 0) == 0)
		return;
	side->polling = PQconnectPoll(side->connection);
	if (side->polling == PGRES_POLLING_FAILED)
		fail(postgresql);
	else if (side->polling == PGRES_POLLING_OK)
		PQsetnonblocking(side->connection, 1);
}

static void send_renewal(struct postgresql *postgresql)
{
	struct side *side = &postgresql->side;
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;

	buf_printf(&sql, "%s; ", connection_settings);
	lease_print_renew(postgresql, "", &sql);
	side->sent_boot = boot_clock();
	side->asked = true;
	if (!PQsendQuery(side->connection, buf_text(&sql)))
		fail(postgresql);
}

/* That this process is not the holder any more is for the commit to find. */
static void take_answer(struct postgresql *postgresql)
{
	struct side *side = &postgresql->side;
	bool renewed = false;

	PQflush(side->connection);
	if (!PQconsumeInput(side->connection)) {
		fail(postgresql);
		return;
	}
	while (!PQisBusy(side->connection)) {
		CLEANUP(result_clear) PGresult *result = PQgetResult(side->connection);

		if (result) {
			renewed = strcmp(PQcmdStatus(result), "UPDATE 1") == 0;
			continue;
		}
		side->asked = false;
		if (!renewed) {
			fail(postgresql);
			return;
		}
		lease_renewed(postgresql, side->sent_boot);
		postgresql->renew_at = clock_monotonic() + postgresql->lease_ns / 3;
		return;
	}
}

void side_step(struct postgresql *postgresql)
{
	struct side *side = &postgresql->side;

	if (!side->connection && is_late(postgresql))
		connect_aside(postgresql);
	else if (side->connection && side->polling != PGRES_POLLING_OK)
		go_on_connecting(postgresql);
	if (!side->connection || side->polling != PGRES_POLLING_OK)
		return;
	if (side->asked)
		take_answer(postgresql);
	else if (is_late(postgresql))
		send_renewal(postgresql);
}

nsec_t side_wake_at(const struct postgresql *postgresql)
{
	nsec_t now_at = clock_monotonic(), late_at;

	if (postgresql->side.connection || postgresql->side.retry_at > now_at)
		return now_at + LOOK_EVERY;
	late_at = now_at + PATIENCE(postgresql->lease_ns) - (boot_clock() - postgresql->sent_boot);
	return late_at > postgresql->renew_at ? late_at : postgresql->renew_at;
}
