/*
 * Which batches wait for which sink, as a fact of the state: a route gives a sink every batch of a
 * source above a number. Routes change only here, when a configuration is adopted or by a person's
 * command, and a route of which something waits is never taken away by a configuration: it is
 * refused before anything has changed. So what a batch was accepted for is never asked of the
 * configuration of the day.
 *
 * A source that the configuration does not have keeps its routes: what was read is delivered.
 */
#ifndef TRAWLD_STORE_ROUTES_H
#define TRAWLD_STORE_ROUTES_H

#include "base/str.h"
#include "store/database.h"

/* A configuration as the state sees it. */
struct routes_source {
	const char *name;
	const char *start; /* as it is written */
	const struct str_list *sinks; /* empty: all */
};

struct routes_sink {
	const char *name;
	const char *kind;
};

struct routes_configuration {
	const struct routes_source *sources;
	size_t n_sources;
	const struct routes_sink *sinks;
	size_t n_sinks;
};

/* Records that wait for SINK and that the configuration would not send to it any more. */
struct routes_stranded {
	const char *sink;
	bool configured; /* it is there; sources no longer list it */
	uint64_t n_records;
	uint64_t n_sources; /* whose records they are */
	const char *source; /* one of them */
};

enum routes_news {
	ROUTES_SINK_NEW, /* NAME was not there before */
	ROUTES_SINK_LISTED, /* NAME gets the records of the source BEFORE from now on */
	ROUTES_SINK_KIND, /* NAME was of the kind BEFORE and is NOW another; N records wait */
	ROUTES_SOURCE_GONE, /* NAME has a cursor and is not configured */
	ROUTES_SOURCE_START, /* NAME has a cursor; its start was BEFORE and is NOW another */
};

/* What a person commands. */
enum routes_command {
	ROUTES_DROP_SINK, /* what waits for the sink NAME, and would be stranded, is dropped */
	ROUTES_RENAME_SINK, /* what waits for NAME waits for TO, and its position is TO's */
	ROUTES_RENAME_SOURCE, /* TO continues NAME: cursor, dedupe keys, what waits */
};

struct routes_change {
	enum routes_command command;
	const char *name;
	const char *to; /* renames: configured, while NAME is not */
	const char *by; /* who; NULL: not known */
	/* set on success */
	uint64_t n_records; /* dropped, or waiting */
	bool merged; /* ROUTES_RENAME_SOURCE: TO had read records itself */
};

struct routes_report {
	void (*stranded)(const struct routes_stranded *stranded, void *userdata);
	/* BEFORE, NOW, N: see above. */
	void (*news)(enum routes_news news, const char *name, const char *before, const char *now,
		uint64_t n, void *userdata);
	/* As the state has it now: SINK gets the batches of SOURCE above the number AFTER. Believe
	 * it when routes_adopt returns 0. */
	void (*route)(const char *source, const char *sink, int64_t after, void *userdata);
	void *userdata;
};

/* What adopting CONFIGURATION would strand. Changes nothing, also with STORE_READ. 0,
 * STORE_E_STRANDED after REPORT was told of each, or another STORE_E_*. */
int routes_compare(struct store *store, const struct routes_configuration *configuration,
	const struct routes_report *report, struct fault *reterr);

/*
 * CONFIGURATION takes effect, after CHANGE (may be NULL) was carried out: its sources and sinks are
 * entered, routes begin after what is committed now, those that it no longer has end. Durable when
 * it returns 0. Whatever else it returns, nothing has changed; outcomes as routes_compare and
 * routes_change. What is collected for a commit must have been committed.
 */
int routes_adopt(struct store *store, const struct routes_configuration *configuration,
	struct routes_change *change, const struct routes_report *report, struct fault *reterr);

/* Carries out CHANGE alone; CONFIGURATION, which it is checked against, does not take effect.
 * Durable when it returns 0. STORE_E_UNKNOWN, STORE_E_REFUSED with the reason in *RETERR, or
 * another STORE_E_*: nothing has changed. */
int routes_change(struct store *store, const struct routes_configuration *configuration,
	struct routes_change *change, struct fault *reterr);

#endif
