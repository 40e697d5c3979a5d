/* A whole configuration: files, expansion of values, sections. */
#include "conf/config.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

START_TEST(one_source_for_each_value)
{
	struct findings findings = FINDINGS_NULL;
	write_file("trawld.conf",
		"[source a]\nk = 1\neach.kind = Audit.General, b/c\nl = 2\n[source z]\nk = 1\n");
	struct config *config = load(&findings);
	ck_assert_uint_eq(findings.n_items, 0);
	ck_assert_uint_eq(config->n_sources, 3);
	ck_assert_str_eq(config->sources[0]->name, "z");
	ck_assert_str_eq(config->sources[1]->name, "a.Audit.General");
	ck_assert_str_eq(config->sources[2]->name, "a.b-c");
	for (size_t i = 1; i < 3; i++) {
		const struct ini_section *source = config->sources[i];
		ck_assert_uint_eq(source->n_entries, 3);
		ck_assert_str_eq(
			ini_section_find(source, "kind")->value, i == 1 ? "Audit.General" : "b/c");
		ck_assert_uint_eq(ini_section_find(source, "kind")->line, 3);
		ck_assert_str_eq(ini_section_find(source, "l")->value, "2");
	}
	config_free(config);
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"[source a]\neach.k =\n", "expected values"},
		{"[source a]\neach.k = 1, 1\n", "makes a second [source a.1]"},
		{"[source a]\neach.k = 1\n[source a.1]\nk = 1\n", "makes a second [source a.1]"},
		{"[source a]\neach.k = 1\nk = 1\n", "has `each.k` and `k`"},
		{"[source a]\neach.k = 1\neach.l = 1\n", "has `each.k` and `each.l`"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file("trawld.conf", cases[i].text);
		config = load(&findings);
		ck_assert_msg(
			findings.n_items == 1 && strstr(findings.items[0].text, cases[i].words),
			"case %zu: %zu, %s", i, findings.n_items,
			findings.n_items ? findings.items[0].text : "");
		findings_deinit(&findings);
		config_free(config);
	}
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

static struct config *load_at(const char *name, struct findings *findings)
{
	char *path = mem_printf("%s/%s/trawld.conf", directory, name);
	struct config *config;
	config_load(&config, path, findings);
	free(path);
	return config;
}

START_TEST(state_of_an_instance)
{
	static const struct {
		const char *folder, *state, *control;
	} cases[] = {
		{"instances/two", "/var/lib/trawld/instances/two", "/run/trawld-two/control"},
		{"instances", "/var/lib/trawld", "/run/trawld/control"},
		{"other/two", "/var/lib/trawld", "/run/trawld/control"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct findings findings = FINDINGS_NULL;
		struct config *config = load_at(cases[i].folder, &findings);
		ck_assert_str_eq(config->daemon.state_directory, cases[i].state);
		ck_assert_str_eq(config->daemon.control, cases[i].control);
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
	char *file CLEANUP_FREE = mem_printf("x${file:%s/token}y", directory);
	char *empty CLEANUP_FREE = mem_printf("${file:%s/empty}", directory);
	char *blank CLEANUP_FREE = mem_printf("${file:%s/blank}", directory);
	const struct {
		const char *value, *result;
		bool secret;
	} cases[] = {
		{"a${env:TRAWLD_CHECK}b", "ad${env:HOME}b", true},
		{file, "xs3cr3t-tokeny", true},
		{"${credential:token}", "s3cr3t-token", true},
		{"${window.start} ${x", NULL, false},
		{"${window.start}", NULL, false},
		{"$${env:HOME}", "${env:HOME}", false},
		{"${FILE:/x}", NULL, false},
		{"$TOKEN", NULL, false},
		{"\"quoted\"", NULL, false},
		{"${file:token}", NULL, false},
		{empty, NULL, false},
		{blank, NULL, false},
		{"${env:TRAWLD_CHECK_NONE}", NULL, false},
		{"${file:/nonexistent}", NULL, false},
		{"${credential:../token}", NULL, false},
	};
	write_file("token", "s3cr3t-token\n");
	write_file("empty", "\n");
	write_file("blank", " s3cr3t-token\n\n");
	setenv("TRAWLD_CHECK", "d${env:HOME}", 1);
	setenv("CREDENTIALS_DIRECTORY", directory, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ini ini;
		struct findings findings = FINDINGS_NULL;
		expand(&ini, cases[i].value, &findings);
		struct ini_entry *entry = &ini.sections[0].entries[0];
		ck_assert_msg((findings.n_items > 0) == !cases[i].result, "case %zu", i);
		if (cases[i].result) {
			ck_assert_str_eq(entry->value, cases[i].result);
			ck_assert(entry->secret == cases[i].secret);
		}
		ini_deinit(&ini);
		findings_deinit(&findings);
	}
}
END_TEST

/* A definition's variables stay in the keys that are its templates; harmless values are shown. */
START_TEST(keys)
{
	static const char text[] = "[source a]\nrequest.url = https://h/${window.start}\n"
				   "region = ${env:TRAWLD_REGION}\ntoken = ${env:TRAWLD_TOKEN}\n";
	struct findings findings = FINDINGS_NULL;
	struct ini ini = INI_NULL;
	struct buf line = BUF_NULL;
	setenv("TRAWLD_REGION", "eu-west-7", 1);
	setenv("TRAWLD_TOKEN", "t0ken-of-keys", 1);
	ini_read_text(&ini, "f", text, strlen(text), &findings);
	expand_ini(&ini, &findings);
	ck_assert_uint_eq(findings.n_items, 0);
	buf_append_text(&line, "eu-west-7 t0ken-of-keys");
	secret_mask(&line);
	ck_assert_str_eq(buf_text(&line), "eu-west-7 ***");
	buf_deinit(&line);
	ini_deinit(&ini);
}
END_TEST

/* Outside the service, credentials are looked for where the units take them from. */
START_TEST(credentials_outside_the_service)
{
	struct findings findings = FINDINGS_NULL;
	struct ini ini;
	char *first CLEANUP_FREE = mem_printf("%s/conf.d", directory);
	unsetenv("CREDENTIALS_DIRECTORY");
	expand_directories[0] = first;
	expand_directories[1] = directory;
	write_file("token", "second\n");
	expand(&ini, "${credential:token}", &findings);
	ck_assert_str_eq(ini.sections[0].entries[0].value, "second");
	ini_deinit(&ini);
	write_file("conf.d/token", "first\n");
	expand(&ini, "${credential:token}", &findings);
	ck_assert_str_eq(ini.sections[0].entries[0].value, "first");
	ini_deinit(&ini);
	remove_file("conf.d/token");
	ck_assert_uint_eq(findings.n_items, 0);
	expand(&ini, "${credential:none}", &findings);
	ck_assert_uint_eq(findings.n_items, 1);
	ck_assert_ptr_nonnull(strstr(findings.items[0].text, directory));
	ini_deinit(&ini);
	findings_deinit(&findings);
}
END_TEST

/* Is the only error of VALUE that this user, who is not root, cannot read it? In a process of its
 * own: it gives up root. */
static bool is_denied(const char *value)
{
	pid_t pid = fork();
	int status;
	if (pid == 0) {
		struct findings findings = FINDINGS_NULL;
		struct ini ini;
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		expand(&ini, value, &findings);
		_exit(!(findings.n_items == 1 &&
			strstr(findings.items[0].text, "is not permitted to read") &&
			strstr(findings.items[0].text, "let this user read")));
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A directory that a user cannot search may contain the file: it is not said to be absent. */
START_TEST(credentials_of_root)
{
	char *hidden CLEANUP_FREE = mem_printf("%s/conf.d", directory);
	char *absent CLEANUP_FREE = mem_printf("%s/absent", directory);
	char *file CLEANUP_FREE = mem_printf("${file:%s/conf.d/token}", directory);
	unsetenv("CREDENTIALS_DIRECTORY");
	write_file("conf.d/token", "t\n");
	chmod(directory, 0755);
	for (int i = 0; i < 2; i++) {
		expand_directories[i] = hidden;
		expand_directories[1 - i] = absent;
		chmod(hidden, 0);
		ck_assert(is_denied("${credential:token}"));
		ck_assert(is_denied(file));
		chmod(hidden, 0755);
		char *token CLEANUP_FREE = mem_printf("%s/token", hidden);
		chmod(token, 0);
		ck_assert(is_denied("${credential:token}"));
		chmod(token, 0600);
	}
	remove_file("conf.d/token");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {reads_conf_d_in_order, one_source_for_each_value, sections,
		state_of_an_instance, state_directory_of_the_environment, expansion, keys,
		credentials_outside_the_service, credentials_of_root};
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
		"trawld.conf", "token", "empty", "blank", "conf.d/ignored.txt", "conf.d", ""};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove_file(names[i]);
	return code;
}
