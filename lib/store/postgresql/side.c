/*
 * A commit that is large takes longer than a lease to send (a new state, a step of the schema, a
 * page after a long pause). Meanwhile a second connection renews the lease; it changes nothing that
 * the commit checks. It is there only while it is needed, and looked at now and then.
 *
 * That the second connection works does not mean that the first one does: where nothing of the
 * commit moves any more, the lease is left to end, and another process takes the shard.
 */
#include "store/postgresql/internal.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"

#define LOOK_EVERY (20 * NSEC_PER_MSEC)
#define RETRY_AFTER (200 * NSEC_PER_MSEC)
/* Most commits are over by then. */
#define PATIENCE(lease_ns) ((lease_ns) / 6)
/* A commit of which nothing moves, as a multiple of the lease and at least so long: its statements
 * are for one row each, but one that sends everything first removes what is there. */
#define N_LEASES 4
#define STILL_MIN (30 * NSEC_PER_SEC)
#define STILL_MIN_ALL (10 * NSEC_PER_MIN)

static bool is_committing(const struct postgresql *postgresql)
{
	return postgresql->phase == PHASE_PIPELINE && postgresql->committing;
}

static nsec_t still_max(const struct postgresql *postgresql)
{
	nsec_t least = backend_change_is_all(postgresql->change) ? STILL_MIN_ALL : STILL_MIN;
	nsec_t leases = N_LEASES * postgresql->lease_ns;

	return leases > least ? leases : least;
}

static bool is_still(const struct postgresql *postgresql)
{
	return boot_clock() - postgresql->moved_boot >= still_max(postgresql);
}

static bool is_late(const struct postgresql *postgresql)
{
	return is_committing(postgresql) && !is_still(postgresql) &&
	       boot_clock() - postgresql->sent_boot >= PATIENCE(postgresql->lease_ns) &&
	       clock_monotonic() >= postgresql->renew_at;
}

void side_moved(struct postgresql *postgresql)
{
	postgresql->moved_boot = boot_clock();
}

/* Of one large row on a slow line, nothing is answered for long. */
static void look_at_bytes(struct postgresql *postgresql)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	if (getsockopt(PQsocket(postgresql->connection), IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
		return;
	if (info.tcpi_bytes_acked != postgresql->n_acknowledged)
		side_moved(postgresql);
	postgresql->n_acknowledged = info.tcpi_bytes_acked;
}

static void say_still(struct postgresql *postgresql)
{
	nsec_t still_ns = boot_clock() - postgresql->moved_boot;

	if (postgresql->still_said || still_ns < postgresql->lease_ns)
		return;
	postgresql->still_said = true;
	fault_set(&postgresql->fault, FAULT_STORE, "the database does not answer a commit");
	log_warning(NULL,
		"the database has not answered a commit for %lld s; if it does not answer within %lld s, trawld lets the lease of shard %s expire",
		(long long)(still_ns / NSEC_PER_SEC),
		(long long)(still_max(postgresql) / NSEC_PER_SEC), postgresql->shard_text);
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
	side->connection = connection_start(postgresql, name, postgresql->connection);
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

	if (is_committing(postgresql)) {
		look_at_bytes(postgresql);
		say_still(postgresql);
	}
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

	if (postgresql->side.connection || postgresql->side.retry_at > now_at ||
		is_still(postgresql))
		return now_at + LOOK_EVERY;
	late_at = now_at + PATIENCE(postgresql->lease_ns) - (boot_clock() - postgresql->sent_boot);
	return late_at > postgresql->renew_at ? late_at : postgresql->renew_at;
}
