/*
 * A configuration as the state sees it: names, what each source lists, and little more. Made from
 * its sections alone, so that trawlctl can compare with the state where a credential or a provider
 * is for the daemon only.
 */
#ifndef TRAWLD_DAEMON_ROSTER_H
#define TRAWLD_DAEMON_ROSTER_H

#include "store/routes.h"

struct config;
struct findings;

struct roster {
	struct routes_configuration configuration;
	struct routes_source *sources;
	struct routes_sink *sinks;
	struct str_list *lists; /* of the sources */
	char **names; /* of those that are trawld's own */
	size_t n_names;
};

/* Borrows from CONFIG. HAS (NULL: yes): is the source with this name one of them? */
void roster_init(struct roster *ret, const struct config *config,
	bool (*has)(const char *source, void *userdata), void *userdata);
void roster_deinit(struct roster *roster);

/* Adds a finding that says what is stranded and what a person can do. WORKS: the sink is running
 * and takes records, so that waiting may be all there is to do. */
void roster_explain(const struct config *config, const struct routes_stranded *stranded, bool works,
	struct findings *findings);

#endif
