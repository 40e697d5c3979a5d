/* See signals.h. SIGPIPE is ignored from the start of main, before any descriptor exists. */
#include "signals.h"

#include <ev.h>
#include <signal.h>

#include "base/log.h"
#include "base/mem.h"
#include "parts.h"
#include "trawld.h"

static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};

#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

struct signals {
	struct ev_loop *loop;
	ev_signal watchers[N_NUMBERS];
};

static void signal_came(struct ev_loop *loop, ev_signal *watcher, int events)
{
	struct trawld *trawld = watcher->data;
	(void)loop;
	(void)events;
	switch (watcher->signum) {
	case SIGHUP:
		trawld_read_again(trawld);
		break;
	case SIGUSR1:
		log_info(NULL, "reopening files");
		fanout_reopen(trawld_parts(trawld)->fanout);
		break;
	case SIGUSR2:
		log_info(NULL, "polling every source now");
		fanout_retry_now(trawld_parts(trawld)->fanout);
		trawld_poll_now(trawld);
		break;
	default:
		trawld_stop(trawld);
	}
}

static sigset_t all(void)
{
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < N_NUMBERS; i++)
		sigaddset(&set, numbers[i]);
	return set;
}

static void set_mask(int how)
{
	sigset_t set = all();
	sigprocmask(how, &set, NULL);
}

int signals_wait(const struct timespec *patience)
{
	sigset_t set = all();
	return sigtimedwait(&set, NULL, patience);
}

void signals_block(void)
{
	set_mask(SIG_BLOCK);
}

void signals_unblock(void)
{
	set_mask(SIG_UNBLOCK);
}

struct signals *signals_new(struct trawld *trawld)
{
	struct signals *signals = MEM_NEW(struct signals);
	signals->loop = trawld_parts(trawld)->loop;
	for (size_t i = 0; i < N_NUMBERS; i++) {
		ev_signal_init(&signals->watchers[i], signal_came, numbers[i]);
		signals->watchers[i].data = trawld;
		ev_signal_start(signals->loop, &signals->watchers[i]);
	}
	signals_unblock();
	return signals;
}

void signals_free(struct signals *signals)
{
	if (!signals)
		return;
	for (size_t i = 0; i < N_NUMBERS; i++) {
		ev_signal_stop(signals->loop, &signals->watchers[i]);
		signal(numbers[i], SIG_IGN); /* the end is near, and is not to be cut short */
	}
	free(signals);
}
