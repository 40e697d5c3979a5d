/* A whole configuration: files, expansion of values, sections. */
#include "conf/config.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "check_unit.h"
#include "conf/expand.h"

static char directory[] = "/tmp/check_config.XXXXXX";

static void write_file(const char *name, const char *text)
{
	char *path CLEANUP_FREE = mem_printf("%s/%s", directory, name);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void remove_file(const char *name)
{
	char *path CLEANUP_FREE = mem_printf("%s/%s", directory, name);
	remove(path);
}

static struct config *load(struct findings *findings)
{
	char *path CLEANUP_FREE = mem_printf("%s/trawld.conf", directory);
	struct config *config;
	config_load(&config, path, findings);
	return config;
}

START_TEST(reads_conf_d_in_order)
{
	struct findings findings = FINDINGS_NULL;
	write_file("trawld.conf", "[daemon]\nspool_limit = 5MiB\n[source a]\nk = 1\n");
	write_file("conf.d/20-b.conf", "[sink late]\nk = 1\n");
	write_file("conf.d/10-a.conf", "[sink early]\nk = 1\n[source a]\nl = 2\n");
	write_file("conf.d/ignored.txt", "nonsense\n");
	struct config *config = load(&findings);
	ck_assert_uint_eq(findings.n_items, 0);
	ck_assert_uint_eq(config->n_sources, 1);
	ck_assert_uint_eq(config->sources[0]->n_entries, 2);
	ck_assert_str_eq(config->sinks[0]->name, "early");
	ck_assert_str_eq(config->sinks[1]->name, "late");
	ck_assert_uint_eq(config->daemon.spool_limit, 5 << 20);
	ck_assert_str_eq(config->directory, directory);
	config_free(config);
	remove_file("conf.d/10-a.conf");
	remove_file("conf.d/20-b.conf");
}
END_TEST

START_TEST(sections)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"", "no [source NAME]"},
		{"[source]\nk = 1\n", "expected a name"},
		{"[source a b]\nk = 1\n", "[source a b]"},
		{"[source ../x]\nk = 1\n", "expected a name"},
		{"[sorce a]\nk = 1\n", "did you mean [source NAME]"},
		{"[daemon x]\n[source a]\n", "does not take a name"},
		{"[daemon]\nlisen = off\n[source a]\n", "did you mean `listen`"},
		{"[elsewhere]\nk = 1\n", "expected [daemon]"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct findings findings = FINDINGS_NULL;
		write_file("trawld.conf", cases[i].text);
		struct config *config = load(&findings);
		ck_assert_msg(
			findings.n_items == 1 && strstr(findings.items[0].text, cases[i].words),
			"case %zu: %s", i, findings.n_items ? findings.items[0].text : "none");
		config_free(config);
		findings_deinit(&findings);
	}
}
END_TEST

START_TEST(state_directory_of_the_environment)
{
	struct findings findings = FINDINGS_NULL;
	write_file("trawld.conf", "[source a]\nk = 1\n");
	setenv("STATE_DIRECTORY", "/srv/one:/srv/two", 1);
	struct config *config = load(&findings);
	ck_assert_str_eq(config->daemon.state_directory, "/srv/one");
	config_free(config);
	unsetenv("STATE_DIRECTORY");
	config = load(&findings);
	ck_assert_str_eq(config->daemon.state_directory, "/var/lib/trawld");
	config_free(config);
}
END_TEST

static void expand(struct ini *ini, const char *value, struct findings *findings)
{
	char *text CLEANUP_FREE = mem_printf("[s]\nk = %s\n", value);
	*ini = INI_NULL;
	ck_assert_int_eq(ini_read_text(ini, "f", text, strlen(text), findings), 0);
	expand_ini(ini, findings);
}

START_TEST(expansion)
{
	struct findings findings = FINDINGS_NULL;
	char *file CLEANUP_FREE = mem_printf("x${file:%s/token}y", directory);
	const struct {
		const char *value, *result;
		bool secret;
	} cases[] = {
		{"a${env:TRAWLD_CHECK}b", "ad${env:HOME}b", false},
		{file, "xs3cr3t-tokeny", true},
		{"${credential:token}", "s3cr3t-token", true},
		{"${window.start} ${x", NULL, false},
		{"${window.start}", "${window.start}", false},
		{"$${env:HOME}", "$${env:HOME}", false},
		{"${env:TRAWLD_CHECK_NONE}", NULL, false},
		{"${file:/nonexistent}", NULL, false},
		{"${credential:../token}", NULL, false},
	};
	write_file("token", "s3cr3t-token\n");
	setenv("TRAWLD_CHECK", "d${env:HOME}", 1);
	setenv("CREDENTIALS_DIRECTORY", directory, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ini ini;
		size_t n_before = findings.n_items;
		expand(&ini, cases[i].value, &findings);
		struct ini_entry *entry = &ini.sections[0].entries[0];
		ck_assert_msg((findings.n_items > n_before) == !cases[i].result, "case %zu", i);
		if (cases[i].result) {
			ck_assert_str_eq(entry->value, cases[i].result);
			ck_assert(entry->secret == cases[i].secret);
		}
		ini_deinit(&ini);
	}
	findings_deinit(&findings);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		reads_conf_d_in_order, sections, state_directory_of_the_environment, expansion};
	Suite *suite = suite_create("config");
	TCase *tcase = tcase_create("config");
	if (!mkdtemp(directory))
		return EXIT_FAILURE;
	char *folder CLEANUP_FREE = mem_printf("%s/conf.d", directory);
	mkdir(folder, 0700);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	int code = unit_run(suite);
	static const char *const names[] = {
		"trawld.conf", "token", "conf.d/ignored.txt", "conf.d", ""};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove_file(names[i]);
	return code;
}
