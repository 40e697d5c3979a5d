/* The command line of trawld(8). */
#include "arguments.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "check_unit.h"

static void silence(void)
{
	int fd = open("/dev/null", O_WRONLY);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static const struct {
	const char *arguments[4];
	enum arguments_result result;
	const char *path; /* NULL: the default one */
	bool check, once;
} cases[] = {
	{{NULL}, ARGUMENTS_RUN, NULL, false, false},
	{{"-c", "f"}, ARGUMENTS_RUN, "f", false, false},
	{{"--config=f", "--once"}, ARGUMENTS_RUN, "f", false, true},
	{{"--check", "-cf"}, ARGUMENTS_RUN, "f", true, false},
	{{"--version"}, ARGUMENTS_DONE, NULL, false, false},
	{{"-h"}, ARGUMENTS_DONE, NULL, false, false},
	{{"--help", "extra"}, ARGUMENTS_DONE, NULL, false, false},
	{{"extra"}, ARGUMENTS_USAGE, NULL, false, false},
	{{"--once", "extra"}, ARGUMENTS_USAGE, NULL, false, false},
	{{"-c"}, ARGUMENTS_USAGE, NULL, false, false},
	{{"--twice"}, ARGUMENTS_USAGE, NULL, false, false},
};

/* One case each: getopt(3) remembers. */
START_TEST(parses)
{
	char *argv[6] = {(char *)(uintptr_t) "trawld"};
	struct arguments arguments;
	int argc = 1;
	silence();
	for (; cases[_i].arguments[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)cases[_i].arguments[argc - 1];
	ck_assert_int_eq(arguments_parse(&arguments, argc, argv), cases[_i].result);
	if (cases[_i].result != ARGUMENTS_RUN)
		return;
	ck_assert_int_eq(arguments.check, cases[_i].check);
	ck_assert_int_eq(arguments.once, cases[_i].once);
	ck_assert_str_eq(arguments.path,
		cases[_i].path ? cases[_i].path : TRAWLD_SYSCONFDIR "/trawld/trawld.conf");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arguments");
	TCase *tcase = tcase_create("arguments");
	tcase_add_loop_test(tcase, parses, 0, sizeof(cases) / sizeof(cases[0]));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
