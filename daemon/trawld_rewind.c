/* trawlctl rewind beside its source at work. What is collected is committed first; the source is
 * made anew from the cursor that is then in the state, and reads again what it had requested. */
#include "trawld.h"

#include "base/cleanup.h"
#include "rewind.h"

static struct poller **find_poller(struct trawld *trawld, const char *name)
{
	for (size_t i = 0; i < trawld->n_pollers; i++)
		if (strcmp(trawld->pollers[i]->source->name, name) == 0)
			return &trawld->pollers[i];
	return NULL;
}

/* The old one goes first: two would share one budget. */
static int renew(struct trawld *trawld, struct poller **poller, struct fault *reterr)
{
	const struct source *source = (*poller)->source;
	poller_free(*poller);
	if (poller_new(poller, trawld, source, 0, reterr) == 0)
		return 0;
	*poller = trawld->pollers[--trawld->n_pollers];
	struct fault why = *reterr;
	log_error(&source->subject, "%s; it is not polled until the next reload", why.text);
	fault_set(reterr, why.class,
		"source %s was rewound, but cannot be polled until the next reload: %s",
		source->name, why.text);
	return EX_TEMPFAIL;
}

int trawld_rewind(struct trawld *trawld, const struct rewind_request *request, struct buf *out,
	struct fault *reterr)
{
	struct poller **poller = find_poller(trawld, request->source);
	if (!poller) {
		fault_set(reterr, FAULT_CONFIG, "the running trawld has no source `%s`",
			request->source);
		return EX_USAGE;
	}
	if (!request->dry_run && !committer_flush(trawld->committer)) {
		fault_set(reterr, FAULT_STORE,
			"the state cannot be written now: nothing was changed");
		return EX_TEMPFAIL;
	}
	int code = rewind_source(trawld->store, request, out, reterr);
	if (code || request->dry_run)
		return code;
	log_notice(&(*poller)->source->subject, "rewound to %s by %s", request->to, request->by);
	return renew(trawld, poller, reterr);
}
