/* See ctl/ctl_control.h; and the commands that are one request each: poll, reload. */
#include "ctl/ctl_control.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "ctl/ctl.h"
#include "ctl/ctl_ask.h"

#define ANSWER_MAX (64u << 20)

static const char *configuration;

void ctl_control_from(const char *path)
{
	configuration = path;
}

void ctl_control_tell_off(const struct ctl_arguments *arguments)
{
	fprintf(stderr,
		"trawlctl: [daemon] control is off in %s: without its control socket, a running trawld cannot be reached\n",
		arguments->path);
}

bool ctl_control_is_known(const struct ctl_arguments *arguments)
{
	struct stat status;
	int error = access(arguments->path, R_OK) != 0 ? errno : 0;
	if (!error && stat(arguments->path, &status) == 0 && S_ISDIR(status.st_mode))
		error = EISDIR;
	if (!error || !arguments->path_given)
		return true;
	fprintf(stderr, "trawlctl: cannot read %s: %s\n", arguments->path, strerror(error));
	return false;
}

char *ctl_control_path(const struct ctl_arguments *arguments)
{
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct config *config;
	if (!ctl_control_is_known(arguments))
		return NULL;
	config_load(&config, arguments->path, &findings);
	char *path = mem_strdup(config->daemon.control);
	config_free(config);
	if (strcmp(path, "off") != 0)
		return path;
	free(path);
	ctl_control_tell_off(arguments);
	return NULL;
}

/* The names are those of the socket, which may be in a folder that nobody else can look into. */
static int denied(const char *path)
{
	struct stat status;
	bool seen = stat(path, &status) == 0;
	const struct passwd *user = seen && status.st_uid != 0 ? getpwuid(status.st_uid) : NULL;
	const struct group *group =
		seen && status.st_mode & S_IWGRP ? getgrgid(status.st_gid) : NULL;
	if (!seen)
		fprintf(stderr,
			"trawlctl: %s: permission denied: only root, trawld's own user and members of its group may do this\n",
			path);
	else
		fprintf(stderr, "trawlctl: %s: permission denied: only root%s%s%s%s may do this\n",
			path, user ? (group ? ", user " : " and user ") : "",
			user ? user->pw_name : "", group ? " and members of group " : "",
			group ? group->gr_name : "");
	return EX_NOPERM;
}

static int no_daemon(const char *path, int error)
{
	if (error == EACCES || error == EPERM)
		return denied(path);
	if (error == EAGAIN)
		fprintf(stderr, "trawlctl: trawld (%s) does not answer: it hangs or is stopped\n",
			path);
	else if (error == ENOENT || error == ECONNREFUSED)
		fprintf(stderr, "trawlctl: no trawld is running: nothing answers at %s\n", path);
	else
		fprintf(stderr, "trawlctl: cannot connect to trawld at %s: %s\n", path,
			strerror(error));
	return EX_TEMPFAIL;
}

/* The socket, or -1 with errno set. */
static int connect_to(const char *path, int patience_s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = {.tv_sec = patience_s};
	if (fd >= 0 && patience_s) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	}
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

bool ctl_control_answers(const char *path)
{
	int fd = connect_to(path, 0);
	if (fd < 0)
		return errno != ENOENT && errno != ECONNREFUSED;
	close(fd);
	return true;
}

static bool say(int fd, const struct buf *line)
{
	size_t n_sent = 0;
	while (n_sent < line->size) {
		ssize_t n = send(fd, line->data + n_sent, line->size - n_sent, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return false;
		n_sent += n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* What is there, or the next that comes. False: nothing comes any more. */
static bool hear_some(int fd, struct buf *ret)
{
	char *to = buf_reserve(ret, 65536);
	ssize_t n;
	if (!to)
		return false;
	do
		n = recv(fd, to, 65536, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	ret->size += (size_t)n;
	return true;
}

/* One line; true if it is complete. */
static bool hear(int fd, struct buf *ret)
{
	while (hear_some(fd, ret))
		if (ret->data[ret->size - 1] == '\n')
			return true;
	return false;
}

static int refused(const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	json_int_t code = json_integer_value(json_object_get(answer, "code"));
	fprintf(stderr, "trawlctl: %s\n", error ? error : "unexpected answer from trawld");
	return code > 0 && code < 256 ? (int)code : EX_SOFTWARE;
}

/* REQUEST, which is taken over, as it is sent. */
static char *text_of(json_t *request)
{
	char *location CLEANUP_FREE = configuration ? config_locate(configuration) : NULL;
	if (location)
		json_object_set_new(request, "configuration", json_string(location));
	char *text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	return text;
}

int ctl_control_ask(const char *path, json_t *request, int patience_s, json_t **ret)
{
	struct buf line CLEANUP(buf_deinit) = BUF_NULL;
	struct buf answer CLEANUP(buf_deinit) = BUF_LIMITED(ANSWER_MAX);
	char *text CLEANUP_FREE = text_of(request);
	*ret = NULL;
	if (!text)
		return EX_SOFTWARE;
	buf_printf(&line, "%s\n", text);
	int fd = connect_to(path, patience_s);
	if (fd < 0)
		return no_daemon(path, errno);
	bool heard = say(fd, &line);
	errno = 0;
	heard = hear(fd, &answer) || heard; /* trawld says why it refuses a client */
	bool hangs = errno == EAGAIN;
	close(fd);
	*ret = answer.size ? json_loadb(answer.data, answer.size, 0, NULL) : NULL;
	if (!heard || !*ret) {
		fprintf(stderr, "trawlctl: trawld (%s) %s\n", path,
			hangs ? "does not answer: it hangs or is stopped"
			      : "exited before it answered");
		return EX_TEMPFAIL;
	}
	return json_is_true(json_object_get(*ret, "ok")) ? 0 : refused(*ret);
}

/* Calls EACH for what is whole in BUF and takes it out. False: EACH wants no more. */
static bool take_lines(
	struct buf *buf, bool (*each)(struct slice line, void *userdata), void *userdata)
{
	size_t done = 0;
	bool more = true;
	char *feed;
	while (more && (feed = memchr(buf->data + done, '\n', buf->size - done))) {
		size_t size = (size_t)(feed - buf->data) - done;
		more = each((struct slice){buf->data + done, size}, userdata);
		done += size + 1;
	}
	buf->size -= done;
	memmove(buf->data, buf->data + done, buf->size);
	return more;
}

struct follow {
	bool (*each)(struct slice line, void *userdata);
	void *userdata;
	bool answered;
	int code;
};

/* The first line is the answer. */
static bool follow_line(struct slice line, void *userdata)
{
	struct follow *follow = userdata;
	if (follow->answered)
		return follow->each(line, follow->userdata);
	json_t *answer = json_loadb(line.data, line.size, 0, NULL);
	follow->answered = json_is_true(json_object_get(answer, "ok"));
	if (!follow->answered)
		follow->code = refused(answer);
	json_decref(answer);
	return follow->answered;
}

int ctl_control_follow(const char *path, json_t *request,
	bool (*each)(struct slice line, void *userdata), void *userdata)
{
	struct buf line CLEANUP(buf_deinit) = BUF_NULL;
	struct buf in CLEANUP(buf_deinit) = BUF_LIMITED(ANSWER_MAX);
	struct follow follow = {each, userdata, false, 0};
	char *text CLEANUP_FREE = text_of(request);
	bool more = true;
	if (!text)
		return EX_USAGE;
	buf_printf(&line, "%s\n", text);
	int fd = connect_to(path, 0);
	if (fd < 0)
		return no_daemon(path, errno);
	bool heard = say(fd, &line);
	while (heard && more) {
		heard = hear_some(fd, &in);
		more = take_lines(&in, follow_line, &follow);
	}
	close(fd);
	if (more && !heard) {
		fprintf(stderr,
			"trawlctl: trawld (%s) closed the connection: it has exited, or nothing was read here for 10 seconds\n",
			path);
		return EX_TEMPFAIL;
	}
	return follow.code;
}

size_t ctl_control_print_reload(const json_t *answer, int code)
{
	const json_t *lines = json_object_get(answer, code ? "faults" : "warnings");
	size_t i;
	json_t *line;
	json_array_foreach(lines, i, line) fprintf(stderr, "%s\n", json_string_value(line));
	return json_array_size(lines);
}

/* --- poll --- */

static unsigned long long count_of(const json_t *answer, const char *name)
{
	return (unsigned long long)json_integer_value(json_object_get(answer, name));
}

static void print_seconds(double seconds, struct buf *out)
{
	nsec_t span = (nsec_t)(seconds * 1000.) * NSEC_PER_MSEC;
	if (span >= 10 * NSEC_PER_SEC)
		span -= span % NSEC_PER_SEC;
	timestamp_print_duration(span, out);
}

static void print_poll(const char *name, const json_t *answer)
{
	struct buf span CLEANUP(buf_deinit) = BUF_NULL;
	print_seconds(json_real_value(json_object_get(answer, "seconds")), &span);
	unsigned long long records = count_of(answer, "records"), pages = count_of(answer, "pages");
	unsigned long long duplicates = count_of(answer, "duplicates");
	printf("source %s: %llu new record%s, %llu duplicate%s (%llu page%s, %s)\n", name, records,
		str_plural(records), duplicates, str_plural(duplicates), pages, str_plural(pages),
		buf_text(&span));
}

static void print_retry(const char *name, const json_t *answer)
{
	struct buf span CLEANUP(buf_deinit) = BUF_NULL;
	const json_t *wait = json_object_get(answer, "retry_in");
	if (!wait)
		return;
	print_seconds(json_real_value(wait), &span);
	fprintf(stderr, "trawlctl: source %s: position unchanged, retrying in %s\n", name,
		buf_text(&span));
}

int ctl_poll(const struct ctl_arguments *arguments)
{
	const char *name = arguments->name;
	json_t *answer = NULL;
	int code = ctl_ask_running(
		arguments, json_pack("{s:s, s:s*}", "command", "poll", "source", name), &answer);
	if (code)
		print_retry(name ? name : "", answer);
	else if (name)
		print_poll(name, answer);
	else
		printf("polling %llu source%s now\n", count_of(answer, "sources"),
			str_plural(count_of(answer, "sources")));
	json_decref(answer);
	return code;
}

/* --- reload --- */

int ctl_reload(const struct ctl_arguments *arguments)
{
	json_t *answer = NULL;
	char *path CLEANUP_FREE = ctl_control_path(arguments);
	if (!path)
		return EX_CONFIG;
	int code = ctl_control_ask(path, json_pack("{s:s}", "command", "reload"), 0, &answer);
	ctl_control_print_reload(answer, code);
	if (code == 0)
		printf("reloaded: %llu source%s, %llu sink%s\n", count_of(answer, "sources"),
			str_plural(count_of(answer, "sources")), count_of(answer, "sinks"),
			str_plural(count_of(answer, "sinks")));
	json_decref(answer);
	return code;
}
