/* One life of the daemon: its main() inside this process, its log in a file. */
#ifndef TRAWLD_TESTS_SCENARIO_DAEMON_LIFE_H
#define TRAWLD_TESTS_SCENARIO_DAEMON_LIFE_H

int trawld_main(int argc, char **argv); /* daemon/main.c, compiled with another name */

/* Further arguments of the next start, such as `--once`. */
void daemon_life_arguments(const char *text);
/* Runs main() to its end; the exit code. */
int daemon_life_run(void);
/* Path of what all lives have logged. */
const char *daemon_life_log(void);
int daemon_life_open_log(void);
/* The end of the log of the daemon that runs, or has run, in this process; also if the file was
 * removed. Nothing before. */
void daemon_life_print_log(void);
/* Path of the configuration. */
const char *daemon_life_configuration(void);

#endif
