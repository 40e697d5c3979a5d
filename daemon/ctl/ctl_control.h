/* One question to the running trawld through its control socket (control.h). */
#ifndef TRAWLD_DAEMON_CTL_CONTROL_H
#define TRAWLD_DAEMON_CTL_CONTROL_H

#include <jansson.h>

#include "base/slice.h"
#include "ctl/ctl_arguments.h"

/* False: the configuration that -c names cannot be read, which was printed. Without it, a command
 * could reach the wrong trawld. */
bool ctl_control_is_known(const struct ctl_arguments *arguments);

/* The path of the socket, as far as the configuration can be read: the daemon may have one that is
 * faulty by now. NULL: it is off, or the file that -c names cannot be read, which was printed. The
 * caller frees it. */
char *ctl_control_path(const struct ctl_arguments *arguments);

/* Prints that it is off. */
void ctl_control_tell_off(const struct ctl_arguments *arguments);

/* Whose configuration the questions are about: a trawld that has another one refuses them. */
void ctl_control_from(const char *path);

/* Is there anything at PATH that could be asked? False: no trawld is running. */
bool ctl_control_answers(const char *path);

/* Asks; REQUEST is taken over; PATIENCE_S: how long to wait for the answer, 0: for ever. 0: *RET is
 * the answer ({"ok":true,...}), a new reference. Else the exit code, after the reason was printed;
 * *RET is then the refusal or NULL. */
int ctl_control_ask(const char *path, json_t *request, int patience_s, json_t **ret);

/* Asks for lines that follow the answer, and calls EACH for them, without line feed, until it
 * returns false: 0. Else the exit code, after the reason was printed. REQUEST is taken over. */
int ctl_control_follow(const char *path, json_t *request,
	bool (*each)(struct slice line, void *userdata), void *userdata);

/* What the answer to a reload, which ended with CODE, says about the configuration, to stderr. The
 * number of lines. */
size_t ctl_control_print_reload(const json_t *answer, int code);

#endif
