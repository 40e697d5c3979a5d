/* What no step has expected, looked for at the end of a scenario; each ends it if there is any. */
#ifndef TRAWLD_TESTS_SCENARIO_LEFTOVERS_H
#define TRAWLD_TESTS_SCENARIO_LEFTOVERS_H

void steps_daemon_leftovers(void); /* an end */
void steps_files_leftovers(void); /* records */
void steps_log_leftovers(void); /* warnings and errors */
void steps_peer_leftovers(void); /* requests */

#endif
