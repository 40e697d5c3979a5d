/* What is allowed in a configuration but probably not meant. */
#ifndef TRAWLD_DAEMON_REMARKS_H
#define TRAWLD_DAEMON_REMARKS_H

struct setup;

/* Logs it: secrets that every user can read, a configuration that every user can change, a value
 * that a comment may have cut, a sink that no source uses. */
void remarks_log(const struct setup *setup);

#endif
