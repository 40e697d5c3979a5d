/* `listen =`: what is accepted, and the socket there; and under which names it answers. */
#include "listen_address.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "check_unit.h"
#include "web_host.h"

START_TEST(parses)
{
	static const struct {
		const char *text;
		int family; /* 0: off; -1: refused */
		bool is_local;
	} cases[] = {
		{"off", 0, true},
		{"127.0.0.1:9464", AF_INET, true},
		{"127.9.9.9:0", AF_INET, true},
		{"localhost:9464", AF_INET, true},
		{"0.0.0.0:9464", AF_INET, false},
		{"192.0.2.1:65535", AF_INET, false},
		{"[::1]:9464", AF_INET6, true},
		{"[::]:9464", AF_INET6, false},
		{"unix:/run/x", AF_UNIX, true},
		{"unix:run/x", -1, false},
		{"unix:", -1, false},
		{"", -1, false},
		{"9464", -1, false},
		{":9464", -1, false},
		{"127.0.0.1", -1, false},
		{"127.0.0.1:", -1, false},
		{"127.0.0.1:65536", -1, false},
		{"127.0.0.1:-1", -1, false},
		{"::1:9464", -1, false},
		{"[::1:9464", -1, false},
		{"api.example:9464", -1, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct listen_address address;
		struct fault fault;
		int r = listen_address_parse(&address, cases[i].text, &fault);
		ck_assert_msg((r != 0) == (cases[i].family < 0), "%s", cases[i].text);
		if (r)
			continue;
		ck_assert_int_eq(address.size ? address.socket.any.sa_family : 0, cases[i].family);
		ck_assert_msg(listen_address_is_local(&address) == cases[i].is_local, "%s",
			cases[i].text);
	}
}
END_TEST

static int open_at(const char *text, unsigned *ret_port, struct fault *reterr)
{
	struct listen_address address;
	int fd = -1;
	ck_assert_int_eq(listen_address_parse(&address, text, reterr), 0);
	return listen_address_open(&address, &fd, ret_port, reterr) ? -1 : fd;
}

START_TEST(opens)
{
	struct fault fault;
	unsigned port, same;
	int fd = open_at("127.0.0.1:0", &port, &fault);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_gt(port, 0);
	char *text = mem_printf("127.0.0.1:%u", port);
	ck_assert_int_eq(open_at(text, &same, &fault), -1);
	ck_assert_int_eq(fault.class, FAULT_NETWORK);
	close(fd);
	fd = open_at(text, &same, &fault);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(same, port);
	close(fd);
	free(text);
}
END_TEST

/* A socket file is replaced if nobody listens there, and only then. */
START_TEST(replaces)
{
	char directory[] = "/tmp/check_listen_XXXXXX";
	struct fault fault;
	unsigned port;
	ck_assert_ptr_nonnull(mkdtemp(directory));
	char *path = mem_printf("%s/socket", directory), *text = mem_printf("unix:%s", path);
	int fd = open_at(text, &port, &fault);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(open_at(text, &port, &fault), -1);
	close(fd);
	fd = open_at(text, &port, &fault);
	ck_assert_int_ge(fd, 0);
	close(fd);
	unlink(path);
	rmdir(directory);
	free(path);
	free(text);
}
END_TEST

START_TEST(answers_to)
{
	static const struct {
		const char *host;
		bool is_ours;
	} cases[] = {
		{NULL, true},
		{"localhost", true},
		{"LOCALHOST:9464", true},
		{"localhost.:9464", true},
		{"127.0.0.1:9464", true},
		{"192.0.2.7", true},
		{"[::1]:9464", true},
		{"audit.example:9464", true},
		{"Audit.Example", true},
		{"", false},
		{"evil.example", false},
		{"audit.example.evil.example", false},
		{"127.0.0.1.evil.example", false},
		{"[localhost", true},
	};
	struct str_list names = STR_LIST_NULL;
	str_list_add(&names, "audit.example");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(web_host_is_ours(cases[i].host, &names) == cases[i].is_ours, "%s",
			cases[i].host ? cases[i].host : "(none)");
	str_list_deinit(&names);
}
END_TEST

UNIT_MAIN("listen_address", parses, opens, replaces, answers_to)
