/* See control_internal.h: how the socket comes to its place, and who may speak through it. */
#include "control_internal.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"

#define GROUP "trawld"
#define BACKLOG 16

static int refuse(const struct control *control, const char *what)
{
	log_warning(NULL,
		"control socket %s: %s; continuing without it: trawlctl status, poll and reload cannot reach this trawld",
		control->path, what);
	return -1;
}

static bool fill_address(struct sockaddr_un *ret, const char *path)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(ret->sun_path))
		return false;
	memcpy(ret->sun_path, path, strlen(path));
	return true;
}

/* Does anybody listen at ADDRESS? */
static bool is_live(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return true;
	bool dead = connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
		    (errno == ECONNREFUSED || errno == ENOENT);
	close(fd);
	return !dead;
}

/* 0: the path is free, or what stands there may be replaced. */
static int look_at_place(const struct control *control, const struct sockaddr_un *address)
{
	struct stat status;
	if (lstat(control->path, &status))
		return errno == ENOENT ? 0 : refuse(control, strerror(errno));
	if (!S_ISSOCK(status.st_mode))
		return refuse(control, "the path is a file other than a socket");
	return is_live(address) ? refuse(control, "another program listens on it") : 0;
}

/* The group may only speak where it is this one: the user's own may be everybody's. */
static void give_to_group(struct control *control, const char *path)
{
	struct group *group = getgrnam(GROUP);
	struct stat status;
	control->group = (gid_t)-1;
	if (!group || lstat(path, &status))
		return;
	/* the service is in that group, and may not use chown(2) */
	if (status.st_gid != group->gr_gid && chown(path, (uid_t)-1, group->gr_gid))
		return;
	if (chmod(path, 0660) == 0)
		control->group = group->gr_gid;
}

/* Bound under another name first: whoever sees the socket in its place sees it listen, with its
 * rights. */
static int bind_new(struct control *control, const char *new_path)
{
	struct sockaddr_un address;
	fill_address(&address, new_path);
	unlink(new_path);
	if (bind(control->fd, (const struct sockaddr *)&address, sizeof(address)))
		return refuse(control, strerror(errno));
	if (chmod(new_path, 0600) || listen(control->fd, BACKLOG) ||
		lstat(new_path, &control->file)) {
		int error = errno;
		unlink(new_path);
		return refuse(control, strerror(error));
	}
	give_to_group(control, new_path);
	if (rename(new_path, control->path) == 0)
		return 0;
	int error = errno;
	unlink(new_path);
	return refuse(control, strerror(error));
}

int control_socket_open(struct control *control)
{
	struct sockaddr_un address;
	char *new_path CLEANUP_FREE = mem_printf("%s.new", control->path);
	char *directory CLEANUP_FREE = mem_strdup(control->path);
	char *slash = strrchr(directory, '/');
	if (!fill_address(&address, new_path) || !fill_address(&address, control->path))
		return refuse(control, "the path is too long for a socket");
	if (slash && slash != directory) {
		*slash = '\0';
		mkdir(directory, 0755); /* what it lacks, bind tells */
	}
	if (look_at_place(control, &address))
		return -1;
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd < 0 || control->ends.fd < 0)
		return refuse(control, strerror(errno));
	return bind_new(control, new_path);
}

static bool is_in_group(int fd, gid_t own, gid_t group)
{
	gid_t *groups CLEANUP_FREE = NULL;
	socklen_t size = 0;
	if (own == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE)
		return false;
	groups = mem_alloc(size);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		return false;
	for (size_t i = 0; i < size / sizeof(gid_t); i++)
		if (groups[i] == group)
			return true;
	return false;
}

bool control_socket_allows(const struct control *control, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	return control->group != (gid_t)-1 && is_in_group(fd, peer.gid, control->group);
}

char *control_socket_peer(int fd)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t size = sizeof(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return mem_strdup("unknown");
	const struct passwd *user = getpwuid(peer.uid);
	return user ? mem_strdup(user->pw_name) : mem_printf("uid %u", (unsigned)peer.uid);
}
