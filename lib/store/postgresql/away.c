/*
 * While the loop is away: a start and a reload read as many sources as there are, and may take
 * longer than a lease, the more so on a busy machine. A thread renews the lease meanwhile, over a
 * connection of its own. It shares the time of its last renewal with the rest of the process, and
 * nothing else; and it ends by itself, so that a loop that never comes back loses its shard.
 */
#include "store/postgresql/internal.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/thread.h"

#define AWAY_MAX (5 * NSEC_PER_MIN)
#define RETRY_AFTER (200 * NSEC_PER_MSEC)

struct away {
	pthread_t thread;
	PGconn *connection; /* the thread's, from its beginning to its end */
	char *renew; /* SQL */
	nsec_t every_ns;
	int ended; /* eventfd: readable when the loop is back */
	_Atomic nsec_t sent_boot; /* before the last renewal that succeeded was sent; 0: none was */
};

/* false: the loop is back. Else something of EVENTS has happened, or WAIT_NS is over. */
static bool wait_for(const struct away *away, short events, nsec_t wait_ns)
{
	struct pollfd fds[] = {{.fd = away->ended, .events = POLLIN},
		{.fd = events ? PQsocket(away->connection) : -1, .events = events}};

	if (wait_ns < 0)
		wait_ns = 0;
	poll(fds, 2, (int)((wait_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC));
	return fds[0].revents == 0;
}

static bool finish_connecting(const struct away *away)
{
	nsec_t until_at = thread_now() + away->every_ns, now_at;
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	while (status != PGRES_POLLING_OK) {
		now_at = thread_now();
		if (status == PGRES_POLLING_FAILED || now_at >= until_at ||
			PQstatus(away->connection) == CONNECTION_BAD ||
			!wait_for(away, status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
				until_at - now_at))
			return false;
		status = PQconnectPoll(away->connection);
	}
	return true;
}

/* false: more of the answer is to come. *RET_RENEWED: what it says of the renewal. */
static bool take_results(const struct away *away, bool *ret_renewed)
{
	*ret_renewed = false;
	PQflush(away->connection);
	while (!PQisBusy(away->connection)) {
		CLEANUP(result_clear) PGresult *result = PQgetResult(away->connection);

		if (!result)
			return true;
		*ret_renewed = strcmp(PQcmdStatus(result), "UPDATE 1") == 0;
	}
	return false;
}

static bool renew(struct away *away)
{
	nsec_t sent_boot = boot_clock(), until_at = thread_now() + away->every_ns, now_at;
	bool renewed;

	if (!PQsendQuery(away->connection, away->renew))
		return false;
	while (!take_results(away, &renewed)) {
		now_at = thread_now();
		if (now_at >= until_at || !wait_for(away, POLLIN, until_at - now_at) ||
			!PQconsumeInput(away->connection))
			return false;
	}
	if (renewed)
		away->sent_boot = sent_boot;
	return renewed;
}

static void *run(void *data)
{
	struct away *away = data;
	nsec_t until_at = thread_now() + AWAY_MAX;
	bool connected = finish_connecting(away);

	while (thread_now() < until_at) {
		bool renewed = connected && renew(away);

		if (!wait_for(away, 0, renewed ? away->every_ns : RETRY_AFTER))
			break;
		if (!renewed)
			connected = PQresetStart(away->connection) && finish_connecting(away);
	}
	return NULL;
}

nsec_t away_sent_boot(const struct postgresql *postgresql)
{
	return postgresql->away ? postgresql->away->sent_boot : 0;
}

static void away_free(struct away *away)
{
	PQfinish(away->connection);
	if (away->ended >= 0)
		close(away->ended);
	free(away->renew);
	free(away);
}

static char *session_name(const struct postgresql *postgresql)
{
	return mem_printf("trawld:%s:%s:lease", postgresql->cluster, postgresql->shard_text);
}

PGconn *away_connect(const struct postgresql *postgresql, struct fault *reterr)
{
	CLEANUP_FREE char *name = session_name(postgresql);

	return connection_open(postgresql, name, reterr);
}

void away_begin(struct postgresql *postgresql, PGconn *connection)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	struct away *away = MEM_NEW(struct away);

	buf_printf(&sql, "%s; ", connection_settings);
	lease_print_renew(postgresql, "", &sql);
	away->renew = mem_strdup(buf_text(&sql));
	away->every_ns = postgresql->lease_ns / 3;
	away->connection = connection;
	away->ended = eventfd(0, EFD_CLOEXEC);
	/* without it, a start that takes long may lose the lease: that is told, and tried again */
	if (!away->connection || away->ended < 0 || thread_start(&away->thread, run, away))
		away_free(away);
	else
		postgresql->away = away;
}

void postgresql_away_begin(struct postgresql *postgresql)
{
	CLEANUP_FREE char *name = session_name(postgresql);

	if (!postgresql->away && postgresql->held && postgresql->connection)
		away_begin(postgresql, connection_start(postgresql, name, postgresql->connection));
}

void postgresql_away_end(struct postgresql *postgresql)
{
	struct away *away = postgresql->away;

	if (!away)
		return;
	if (eventfd_write(away->ended, 1) == 0)
		pthread_join(away->thread, NULL);
	if (away->sent_boot)
		lease_renewed(postgresql, away->sent_boot);
	postgresql->away = NULL;
	away_free(away);
	postgresql->renew_at = clock_monotonic();
}
