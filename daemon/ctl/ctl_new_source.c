/*
 * trawlctl setup: a new source in a file of its own, from a person's answers or from options. What
 * it writes is checked together with the whole configuration and tried with a probe; when that
 * fails, nothing is left behind.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/secret_name.h"
#include "ctl/ctl_control.h"

#define STANDARD_DIRECTORY TRAWLD_SYSCONFDIR "/trawld"
#define STANDARD_ARCHIVE "/var/log/trawld/%{source}.ndjson"
#define ANSWER_MAX ((size_t)64 << 10)

struct new_source {
	const struct ctl_arguments *arguments;
	bool asks; /* a person answers */
	const struct config *config;
	struct definition_path providers;
	struct definition *definition;
	char *name;
	char *directory; /* of the configuration, absolute */
	struct buf text; /* of the new file */
	struct str_list written; /* files, which go again when it comes to nothing */
	bool restart; /* the service reads a new credential only when it starts */
};

/* --- answers --- */

/* The value of --set KEY=VALUE, or NULL. */
static const char *given(const struct new_source *new_source, const char *key)
{
	const struct ctl_arguments *arguments = new_source->arguments;
	size_t size = strlen(key);
	for (size_t i = 0; i < arguments->n_sets; i++)
		if (strncmp(arguments->sets[i], key, size) == 0 && arguments->sets[i][size] == '=')
			return arguments->sets[i] + size + 1;
	return NULL;
}

/* A line of standard input, trimmed. False: there is none. */
static bool read_line(struct buf *ret)
{
	int c;
	buf_clear(ret);
	while ((c = getchar()) != EOF && c != '\n')
		if (ret->size < ANSWER_MAX)
			buf_append_char(ret, (char)c);
	struct slice line = str_trim(buf_slice(ret));
	if (ret->data) {
		memmove(ret->data, line.data, line.size);
		ret->size = line.size;
		ret->data[ret->size] = '\0';
	}
	return c != EOF || ret->size > 0;
}

/* The terminal while it does not show what is typed. Signals of the keyboard wait that long. */
struct hidden {
	bool is_terminal;
	struct termios shown;
	sigset_t before;
};

static void hide(struct hidden *hidden)
{
	struct termios settings;
	sigset_t keyboard;
	hidden->is_terminal = tcgetattr(STDIN_FILENO, &hidden->shown) == 0;
	if (!hidden->is_terminal)
		return;
	sigemptyset(&keyboard);
	sigaddset(&keyboard, SIGINT);
	sigaddset(&keyboard, SIGTSTP);
	sigprocmask(SIG_BLOCK, &keyboard, &hidden->before);
	settings = hidden->shown;
	settings.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &settings);
}

static void show(const struct hidden *hidden)
{
	if (!hidden->is_terminal)
		return;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &hidden->shown);
	sigprocmask(SIG_SETMASK, &hidden->before, NULL);
	putchar('\n');
}

/* Asks until there is an answer; an empty one means FALLBACK (NULL: asks again). False: there will
 * be none. */
static bool ask(const char *question, const char *fallback, bool secret, struct buf *ret)
{
	struct hidden hidden;
	bool answered;
	do {
		if (secret)
			hide(&hidden); /* before the question: who answers it fast is not shown */
		printf("%s%s%s%s: ", question, fallback && *fallback ? " [" : "",
			fallback ? fallback : "", fallback && *fallback ? "]" : "");
		fflush(stdout);
		answered = read_line(ret);
		if (secret)
			show(&hidden);
		if (!answered) {
			fputs("\ntrawlctl: no answer; nothing was changed\n", stderr);
			return false;
		}
	} while (ret->size == 0 && !fallback);
	if (ret->size == 0)
		buf_append_text(ret, fallback);
	return true;
}

/* --- files --- */

static const int endings[] = {SIGHUP, SIGINT, SIGTERM};
static const struct str_list *written; /* for remove_written */

static void remove_written(void)
{
	for (size_t i = 0; i < written->n_items; i++)
		unlink(written->items[i]);
}

/* With SA_RESETHAND: what is raised ends the process after the return. */
static void on_ending(int number)
{
	remove_written();
	raise(number);
}

/* Until further notice, a signal that ends the process removes what is written. One that is ignored
 * (nohup) stays so. */
static void watch_endings(bool on)
{
	struct sigaction action = {.sa_handler = on ? on_ending : SIG_DFL,
				 .sa_flags = (int)SA_RESETHAND},
			 before;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (sigaction(endings[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(endings[i], &action, NULL);
}

/* A file that was not there before: no signal comes between it and the list. 0, or the exit code
 * after the reason was printed. */
static int write_new(
	struct new_source *new_source, const char *path, struct slice text, mode_t mode)
{
	sigset_t blocked, before;
	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		sigaddset(&blocked, endings[i]);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	int r = file_make(path, text, mode);
	if (!r)
		str_list_add(&new_source->written, path);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (r)
		return ctl_cannot_write(path, -r);
	return chmod(path, mode) == 0 ? 0 : ctl_cannot_write(path, errno);
}

/* Root writes for the user of the daemon, who owns the state. */
static void give_to_daemon(const struct new_source *new_source, const char *path)
{
	struct stat state;
	if (geteuid() == 0 && stat(new_source->config->daemon.state_directory, &state) == 0 &&
		chown(path, state.st_uid, state.st_gid) != 0)
		fprintf(stderr, "trawlctl: cannot give %s to the owner of the state: %s\n", path,
			strerror(errno));
}

static bool is_standard(const struct new_source *new_source)
{
	return strcmp(new_source->directory, STANDARD_DIRECTORY) == 0;
}

/* VALUE in a file that only its reader can read, and in *RET what refers to it. */
static int keep_secret(
	struct new_source *new_source, const char *key, struct slice value, char **ret)
{
	char *directory CLEANUP_FREE = mem_printf("%s/secrets", new_source->directory);
	char *path CLEANUP_FREE = mem_printf("%s/%s-%s", directory, new_source->name, key);
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	int r = file_make_folder(directory, 0700);
	if (r < 0)
		return ctl_cannot_write(directory, -r);
	if (r > 0)
		give_to_daemon(new_source, directory);
	buf_append_slice(&text, value);
	buf_append_char(&text, '\n');
	int code = write_new(new_source, path, buf_slice(&text), 0600);
	secret_wipe(text.data, text.size);
	if (code)
		return code;
	if (is_standard(new_source)) {
		new_source->restart = true;
		*ret = mem_printf("${credential:%s-%s}", new_source->name, key);
	} else {
		give_to_daemon(new_source, path);
		*ret = mem_printf("${file:%s}", path);
	}
	return 0;
}

/* --- the parts of the new source --- */

static int add_key(struct new_source *new_source, const char *key, struct slice value, bool secret)
{
	char *reference CLEANUP_FREE = NULL;
	if (secret && !(value.size > 2 && memcmp(value.data, "${", 2) == 0)) {
		int code = keep_secret(new_source, key, value, &reference);
		if (code)
			return code;
		value = slice_of(reference);
	}
	buf_printf(&new_source->text, "%s = %.*s\n", key, (int)value.size, value.data);
	return 0;
}

/* 0 also when the parameter stays unset. */
static int add_parameter(struct new_source *new_source, const struct parameter *parameter)
{
	struct buf answer CLEANUP(buf_deinit) = BUF_NULL;
	const char *value = given(new_source, parameter->name);
	char *question CLEANUP_FREE =
		mem_printf("%s%s%s", parameter->name, parameter->secret ? " (not shown)" : "",
			parameter->required ? "" : " (optional, empty: none)");
	if (value && strcmp(value, "-") != 0) {
		buf_append_text(&answer, value);
	} else if (value) {
		if (!read_line(&answer) || answer.size == 0) {
			fprintf(stderr, "trawlctl: standard input has no line for %s\n",
				parameter->name);
			return EX_USAGE;
		}
	} else if (new_source->asks && (parameter->required || !parameter->default_text)) {
		if (!ask(question, parameter->required ? NULL : "", parameter->secret, &answer))
			return EX_USAGE;
	} else if (parameter->required) {
		fprintf(stderr, "trawlctl: provider %s requires --set %s=%s\n",
			new_source->definition->name, parameter->name,
			parameter->secret ? "- (and a line of standard input)" : "VALUE");
		return EX_USAGE;
	}
	int code = answer.size == 0 ? 0
				    : add_key(new_source, parameter->name, buf_slice(&answer),
					      parameter->secret);
	secret_wipe(answer.data, answer.size);
	return code;
}

static bool is_parameter(const struct definition *definition, const char *set)
{
	for (size_t i = 0; i < definition->n_parameters; i++) {
		size_t size = strlen(definition->parameters[i].name);
		if (strncmp(set, definition->parameters[i].name, size) == 0 && set[size] == '=')
			return true;
	}
	return false;
}

/* Other keys of the source, among them secrets such as client_key_password: the check says whether
 * there are such keys. */
static int add_other_keys(struct new_source *new_source)
{
	const struct ctl_arguments *arguments = new_source->arguments;
	for (size_t i = 0; i < arguments->n_sets; i++) {
		const char *equals = strchr(arguments->sets[i], '=');
		if (!equals || equals == arguments->sets[i]) {
			fprintf(stderr, "trawlctl: --set `%s`: expected KEY=VALUE\n",
				arguments->sets[i]);
			return EX_USAGE;
		}
		if (is_parameter(new_source->definition, arguments->sets[i]))
			continue;
		char *key CLEANUP_FREE =
			mem_strndup(arguments->sets[i], (size_t)(equals - arguments->sets[i]));
		int code = add_key(
			new_source, key, slice_of(equals + 1), secret_is_named_by(slice_of(key)));
		if (code)
			return code;
	}
	return 0;
}

static bool has_sink(const struct config *config)
{
	for (size_t i = 0; i < config->ini.n_sections; i++)
		if (strcmp(config->ini.sections[i].kind, "sink") == 0)
			return true;
	return false;
}

/* Without a sink nothing could be delivered. */
static int add_sink(struct new_source *new_source)
{
	struct buf path CLEANUP(buf_deinit) = BUF_NULL;
	const char *archive = new_source->arguments->archive;
	if (has_sink(new_source->config)) {
		if (archive)
			fputs("trawlctl: --archive is for a configuration without a sink; this one has some\n",
				stderr);
		return archive ? EX_USAGE : 0;
	}
	if (archive || !new_source->asks)
		buf_append_text(&path, archive ? archive : STANDARD_ARCHIVE);
	else if (!ask("archive file", STANDARD_ARCHIVE, false, &path))
		return EX_USAGE;
	buf_printf(
		&new_source->text, "\n[sink archive]\ntype = file\npath = %s\n", buf_text(&path));
	return 0;
}

static int choose_provider(struct new_source *new_source)
{
	struct str_list names CLEANUP(str_list_deinit) = STR_LIST_NULL;
	struct buf answer CLEANUP(buf_deinit) = BUF_NULL;
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	const char *provider = new_source->arguments->provider;
	definition_names(&new_source->providers, &names);
	while (!provider) {
		if (!ask("provider (? lists them)", NULL, false, &answer))
			return EX_USAGE;
		for (size_t i = 0; strcmp(buf_text(&answer), "?") == 0 && i < names.n_items; i++)
			printf("  %s\n", names.items[i]);
		if (str_list_has(&names, buf_text(&answer)))
			provider = buf_text(&answer);
	}
	if (!str_list_has(&names, provider)) {
		char *hint CLEANUP_FREE =
			str_hint(provider, (const char *const *)names.items, names.n_items);
		fprintf(stderr, "trawlctl: there is no provider `%s`%s\n", provider, hint);
		return EX_USAGE;
	}
	new_source->definition = definition_load(provider, &new_source->providers, NULL, &findings);
	findings_print(&findings, stderr);
	return findings.n_items ? EX_CONFIG : 0;
}

static int choose_name(struct new_source *new_source)
{
	struct buf answer CLEANUP(buf_deinit) = BUF_NULL;
	const char *name = new_source->arguments->name;
	if (name || !new_source->asks)
		buf_append_text(&answer, name ? name : new_source->definition->name);
	else if (!ask("name of the source", new_source->definition->name, false, &answer))
		return EX_USAGE;
	new_source->name = mem_strdup(buf_text(&answer));
	if (!config_is_name(new_source->name)) {
		fprintf(stderr,
			"trawlctl: `%s` is not a name; expected letters, digits, `-`, `_` and `.`\n",
			new_source->name);
		return EX_USAGE;
	}
	if (!ctl_find_source(new_source->config, new_source->name))
		return 0;
	fprintf(stderr, "trawlctl: there is a source `%s` already; choose another name\n",
		new_source->name);
	return EX_USAGE;
}

/* --- together --- */

static int compose(struct new_source *new_source)
{
	int code = choose_provider(new_source);
	if (code == 0)
		code = choose_name(new_source);
	if (code)
		return code;
	const struct definition *definition = new_source->definition;
	buf_printf(&new_source->text, "# %s\n[source %s]\nprovider = %s\n",
		definition->title ? definition->title : definition->name, new_source->name,
		definition->name);
	for (size_t i = 0; code == 0 && i < definition->n_parameters; i++)
		code = add_parameter(new_source, &definition->parameters[i]);
	if (code == 0)
		code = add_other_keys(new_source);
	return code ? code : add_sink(new_source);
}

static int write_source(struct new_source *new_source)
{
	char *directory CLEANUP_FREE = mem_printf("%s/conf.d", new_source->directory);
	char *path CLEANUP_FREE = mem_printf("%s/%s.conf", directory, new_source->name);
	int r = file_make_folder(directory, 0755);
	if (r < 0)
		return ctl_cannot_write(directory, -r);
	return write_new(new_source, path, buf_slice(&new_source->text), 0644);
}

/* The whole configuration with the new source: is it right, and does the API answer? */
static int try_out(const struct new_source *new_source)
{
	struct ctl_arguments arguments = *new_source->arguments;
	struct setup *setup = ctl_setup(&arguments);
	if (!setup)
		return EX_CONFIG;
	setup_free(setup);
	arguments.name = new_source->name;
	arguments.adding = true;
	return arguments.no_probe ? 0 : ctl_probe(&arguments);
}

static void print_written(const struct new_source *new_source)
{
	putchar('\n');
	for (size_t i = 0; i < new_source->written.n_items; i++)
		printf("wrote %s\n", new_source->written.items[i]);
}

static bool systemctl(const char *verb, const char *option)
{
	const char *argv[] = {"systemctl", verb, option, "trawld", NULL};
	pid_t pid;
	int status = 0;
	fflush(stdout);
	if (posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
		return false;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* systemd gives a service new credentials only when it starts. */
static int restart(void)
{
	bool may = geteuid() == 0 && access("/run/systemd/system", F_OK) == 0;
	if (may && systemctl("is-active", "--quiet")) {
		puts("restarting trawld, which gets the new secret when it starts");
		if (systemctl("restart", "--quiet"))
			return 0;
		fputs("trawlctl: trawld was not restarted; it gets the new secret with `systemctl restart trawld`\n",
			stderr);
		return EX_TEMPFAIL;
	}
	puts("trawld gets the new secret when it is restarted:\n  systemctl restart trawld");
	return 0;
}

/* Lets the trawld that runs, if one does, have the new source. */
static int bring_into_force(const struct new_source *new_source)
{
	char *control CLEANUP_FREE = ctl_control_path(new_source->arguments);
	bool runs = control && ctl_control_answers(control);
	print_written(new_source);
	if (runs)
		return new_source->restart ? restart() : ctl_reload(new_source->arguments);
	if (is_standard(new_source))
		puts("Start trawld with:\n  systemctl enable --now trawld");
	else
		printf("Start trawld with:\n  trawld -c %s\n", new_source->arguments->path);
	return 0;
}

static void take_back(void)
{
	remove_written();
	fputs("trawlctl: nothing was changed\n", stderr);
}

int ctl_new_source(const struct ctl_arguments *arguments)
{
	struct findings ignored CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct config *config;
	struct setup_path providers;
	if (access(arguments->path, R_OK) != 0) {
		fprintf(stderr, "trawlctl: cannot read %s: %s\n", arguments->path, strerror(errno));
		return EX_CONFIG;
	}
	/* it may lack its first source; all of it is checked once that is there */
	config_load(&config, arguments->path, &ignored);
	setup_path_init(&providers, config);
	struct new_source new_source = {
		.arguments = arguments,
		.asks = isatty(STDIN_FILENO) && !arguments->provider,
		.config = config,
		.providers = providers.path,
		.directory = config_locate(arguments->path),
	};
	*strrchr(new_source.directory, '/') = '\0';
	int code = EX_USAGE;
	written = &new_source.written;
	watch_endings(true);
	if (!arguments->provider && !new_source.asks)
		fputs("trawlctl: standard input is not a terminal: use --provider NAME and --set KEY=VALUE\n",
			stderr);
	else
		code = compose(&new_source);
	if (code == 0)
		code = write_source(&new_source);
	if (code == 0)
		code = try_out(&new_source);
	watch_endings(false);
	if (code == 0)
		code = bring_into_force(&new_source);
	else if (new_source.written.n_items > 0)
		take_back();
	definition_free(new_source.definition);
	str_list_deinit(&new_source.written);
	buf_deinit(&new_source.text);
	free(new_source.name);
	free(new_source.directory);
	setup_path_deinit(&providers);
	config_free(config);
	return code;
}
