/* trawlctl rewind beside its source at work. What is collected is committed first; the source is
 * made anew from the cursor that is then in the state, and reads again what it had requested. */
#include "trawld_internal.h"

#include "rewind.h"

static int renew(struct trawld *trawld, struct poller *poller, struct fault *reterr)
{
	const struct source *source = poller->source;
	int r = trawld_renew_poller(trawld, poller, reterr);
	if (!r)
		return 0;
	if (r == STORE_E_CORRUPT) {
		committer_damaged(trawld->parts.committer, reterr);
		return EX_CANTCREAT;
	}
	struct fault why = *reterr;
	buf_printf(&trawld->missing, "source %s: %s\n", source->name, why.text);
	log_error(&source->subject, "%s; it is not polled, retrying every 5 s", why.text);
	fault_set(reterr, why.class,
		"source %s was rewound, but cannot be polled yet; trawld retries every 5 s: %s",
		source->name, why.text);
	return EX_TEMPFAIL;
}

int trawld_rewind(struct trawld *trawld, const struct rewind_request *request, struct buf *out,
	struct fault *reterr)
{
	struct poller *poller = pollers_find(&trawld->parts.pollers, request->source);
	if (!poller) {
		fault_set(reterr, FAULT_CONFIG, "the running trawld has no source `%s`",
			request->source);
		return EX_USAGE;
	}
	if (!request->dry_run && !committer_flush(trawld->parts.committer)) {
		fault_set(reterr, FAULT_STORE, "%s; nothing was changed",
			committer_why(trawld->parts.committer));
		return EX_TEMPFAIL;
	}
	bool damaged;
	int code = rewind_source(trawld->parts.store, request, out, &damaged, reterr);
	if (damaged)
		committer_damaged(trawld->parts.committer, reterr);
	if (code || request->dry_run)
		return code;
	log_notice(&poller->source->subject, "rewound to %s by %s", request->to, request->by);
	return renew(trawld, poller, reterr);
}
