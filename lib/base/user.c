#include "base/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

int user_become_owner(const char *directory, char **ret_name, struct fault *reterr)
{
	CLEANUP_FREE char *name = NULL;
	const struct passwd *user;
	struct stat status;

	if (ret_name)
		*ret_name = NULL;
	if (geteuid() != 0 || stat(directory, &status) != 0 || status.st_uid == 0)
		return 0;
	user = getpwuid(status.st_uid);
	name = user ? mem_strdup(user->pw_name) : mem_printf("uid %u", (unsigned)status.st_uid);
	if ((user ? initgroups(user->pw_name, user->pw_gid) : setgroups(0, NULL)) != 0 ||
		setgid(user ? user->pw_gid : status.st_gid) != 0 || setuid(status.st_uid) != 0)
		return fault_set(reterr, FAULT_CONFIG, "cannot become %s, who owns %s: %s", name,
			directory, strerror(errno));
	prctl(PR_SET_DUMPABLE, 0); /* the change of the user has undone it */
	if (ret_name) {
		*ret_name = name;
		name = NULL;
	}
	return 0;
}
