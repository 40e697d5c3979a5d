/* What the service manager is told, at a socket of its kind. */
#include "notify.h"

#include <ev.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon_fixture.h"

static int manager;

static void open_all(const char *text)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", daemon_directory);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(manager, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	daemon_open(text);
}

/* The next message, which must be there already. */
static const char *message(void)
{
	static char text[2048];
	ssize_t n = recv(manager, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void assert_part(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part), "%s", text);
}

START_TEST(says)
{
	open_all(SOURCE("a", "") SOURCE("b", "") SINK("out"));
	notify_ready(trawld_parts(trawld));
	ck_assert_str_eq(message(), "READY=1\nSTATUS=2 sources, 1 sink");
	trawld_read_again(trawld);
	assert_part(message(), "RELOADING=1\nMONOTONIC_USEC=");
	assert_part(message(), "READY=1\nSTATUS=2 sources, 1 sink");
	notify_standby();
	assert_part(message(), "STATUS=Standing by");
	trawld_stop(trawld);
	assert_part(message(), "STOPPING=1\n");
	ck_assert_str_eq(message(), "");
	ck_assert_int_eq(trawld_run(trawld), 0);
	assert_part(message(), "READY=1\n");
	ck_assert_str_eq(message(), "");
}
END_TEST

/* The loop that turns is what feeds the watchdog. */
START_TEST(feeds_watchdog)
{
	char text[24];
	snprintf(text, sizeof(text), "%ld", (long)getpid());
	setenv("WATCHDOG_PID", text, 1);
	setenv("WATCHDOG_USEC", "30000", 1);
	open_all(SOURCE("a", "enabled = no\n") SINK("out"));
	const char *got;
	do {
		ev_run(trawld_parts(trawld)->loop, EVRUN_ONCE);
		got = message();
	} while (!*got);
	ck_assert_str_eq(got, "WATCHDOG=1");
}
END_TEST

START_TEST(is_silent)
{
	unsetenv("NOTIFY_SOCKET");
	daemon_open(SOURCE("a", "") SINK("out"));
	ck_assert_ptr_null(notify_new(trawld_parts(trawld)));
	notify_ready(trawld_parts(trawld));
	notify_stopping(NULL, 0);
}
END_TEST

DAEMON_MAIN("notify", says, feeds_watchdog, is_silent)
