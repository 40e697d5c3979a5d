/*
 * The contract between the pipeline and a kind of sink. Order, acknowledgement, retry, back-off,
 * selection and dead letters are written once, in delivery.c; a kind only knows how to hand batches
 * to its receiver and to say what became of them.
 */
#ifndef TRAWLD_PIPELINE_SINK_H
#define TRAWLD_PIPELINE_SINK_H

#include "conf/option.h"
#include "pipeline/splits.h"
#include "store/batch.h"

struct ev_loop;
struct http_client;
struct sink; /* an instance; each kind embeds it first in its own struct */
struct sink_job; /* one or more batches handed to a sink, in order */

enum sink_result {
	SINK_DELIVERED, /* the receiver has all of it, in the sense the manual states for the kind
			 */
	SINK_RETRY, /* not now: the whole job again, not before error.wait_ns */
	SINK_REJECTED, /* never: the rejected records become dead letters, the rest is delivered */
	SINK_NONE_TAKEN, /* each record that was offered was rejected by itself and with the same
			    words, the error's: all of the job, or at least SINK_BLAME_LEAST of
			    them. That is the receiver's problem, unless other records are taken:
			    later, perhaps with what follows in one job */
};

/* So many records, all rejected with the same words while none is taken, are not to blame. */
#define SINK_BLAME_LEAST 16

enum {
	SINK_EXACTLY_ONCE = 1 << 0, /* keeps a position that is stored with the acknowledgement */
	SINK_REOPEN = 1 << 1, /* reacts to SIGUSR1 */
	SINK_WHOLE_BATCH = 1 << 2, /* can take the NDJSON body of an unfiltered batch as it is */
	SINK_STABLE_JOB =
		1 << 3, /* a job's batches are made durable before its first deliver, so
			   that they are the same after a crash; not with SINK_EXACTLY_ONCE */
	SINK_UTF8 = 1 << 4, /* cannot carry a record that is not valid UTF-8 */
	SINK_RECOVERS_LATER = 1 << 5, /* recover() only begins it: after its 0, sink_recovered() */
};

/* What became of a job. */
struct sink_answer {
	enum sink_result result;
	char *position; /* SINK_EXACTLY_ONCE kinds: stored with the acknowledgement; NULL: none */
	char **reasons; /* SINK_REJECTED: of each record of the job why it is rejected, NULL: it is
			   delivered. NULL instead of an array: all are rejected, for ERROR */
	size_t n_reasons;
	struct fault error; /* of each result but SINK_DELIVERED; what the log shows */
};

/* What an instance is made from: all checked. */
struct sink_setup {
	const char *name;
	const char *location; /* "trawld.conf:14" */
	const void *options; /* the kind's own options struct, filled by options_parse; lives as
				long as the sink */
	struct ev_loop *loop;
	struct http_client *client; /* NULL in tests of kinds that need none */
	const char *node, *shard; /* of the cluster; NULL: there is none */
	const char *state_id; /* of the state, for kinds whose receiver keeps a position (store_id);
				 copied */
};

/* One kind of sink. */
struct sink_kind {
	const char *name; /* `type =` */
	const char *summary; /* one line, for the manual and --help */
	const char *promise; /* the delivery promise in words */
	const struct option *options;
	size_t n_options;
	size_t options_size; /* of the struct that the table's offsets point into */
	unsigned capabilities;

	/* Faults of the options that only the kind can see (a bad address). Adds findings at
	 * SECTION's entries. May be NULL. */
	void (*check)(
		const void *options, const struct ini_section *section, struct findings *findings);
	/* What no two sinks may write to: OPTIONS with the same text are a fault. NULL: none. */
	const char *(*target)(const void *options);
	/* 0, or -1 with *RETERR filled. Must not wait for the receiver. */
	int (*create)(struct sink **ret, const struct sink_setup *setup, struct fault *reterr);
	/* POSITION is what the last acknowledged job reported (NULL: nothing yet). Called before
	 * the first deliver, and again with back-off after a -1: nothing is delivered
	 * before. May be NULL. */
	int (*recover)(struct sink *sink, const char *position, struct fault *reterr);
	/* Takes JOB in hand, which stays the pipeline's and valid until it is answered or
	 * cancelled. Answers exactly once with sink_answer, from a callback of the loop and never
	 * inside this call. Only one job at a time is with a sink, but for those that it has sent
	 * (sink_sent). */
	void (*deliver)(struct sink *sink, struct sink_job *job);
	/* No record waits for the sink: what a crash has left would be delivered before. May be
	 * NULL. */
	void (*idle)(struct sink *sink);
	/* Forget the current job, and those that are sent: no answer to them any more. */
	void (*cancel)(struct sink *sink);
	/* SIGUSR1. May be NULL. */
	void (*reopen)(struct sink *sink);
	/* Has work of its own left behind answered jobs (a file to compress), which --once and the
	 * drain at the end wait for; sink_progress when that may have changed. May be NULL. */
	bool (*busy)(const struct sink *sink);
	/* Why some of that work could not be done and is left to the next start, although busy() is
	 * false; NULL: all is done. May be NULL. */
	const struct fault *(*undone)(const struct sink *sink);
	/* Checks the receiver for `trawlctl test` without leaving a record in it: appends lines to
	 * OUT, for the records of SOURCES. Waits. 0 or -1. NULL: a test record is
	 * delivered. */
	int (*test)(const struct sink_setup *setup, const struct str_list *sources, struct buf *out,
		struct fault *reterr);
	void (*destroy)(struct sink *sink); /* cancels */
};

/* What a kind says of the jobs that it wants. A job ends before the batch that would pass one of
 * the sizes (one batch is always taken), and waits for more until it reaches one or is old enough.
 */
struct sink_gather {
	size_t n_records; /* 0: no bound but those of job.h */
	size_t bytes; /* likewise */
	nsec_t age_ns; /* 0: it does not wait */
};

/* How a kind makes requests of a job; zeros where it does not. */
struct sink_requests {
	size_t n_records, bytes; /* in a request, at most */
	bool by_source; /* no request has records of two sources */
	unsigned coding; /* of their bodies: a number of the kind's own; 0: not known */
};

struct sink {
	const struct sink_kind *kind;
	char *name;
	struct sink_gather gather; /* set by create */
	size_t max_record; /* likewise: longer records are dead letters; 0: no limit */
	struct sink_requests requests; /* likewise: of new jobs */
	bool poison; /* set by the kind: a record that fails alone keeps the job from its end */
	bool hurried; /* set by the delivery: nothing new is to come, leave nothing for later */
	/* set by the delivery that owns it */
	struct delivery *delivery;
};

/* How records look: `format =` of a sink. */
enum record_format { RECORD_RAW, RECORD_ENVELOPE };

/* A record of a job, ready to be sent. */
struct sink_record {
	const struct batch *batch; /* source, provider, number */
	struct batch_view view; /* its text is without what `remove =` of the sink cuts out */
	struct slice original; /* the whole text; SLICE_NULL: nothing was cut out */
	struct slice removed; /* what was, as a JSON array of pointers */
};

/* A job's records that this sink is to have (after include/exclude), in order. */
struct sink_job {
	struct batch **batches; /* n_batches >= 1, ascending numbers */
	size_t n_batches;
	struct sink_record *records; /* NULL for a SINK_WHOLE_BATCH kind when the job is whole and
					raw: see job.h for a walk that knows both */
	size_t n_records; /* >= 1: jobs without records are acknowledged without the sink */
	struct sink_record *unfit; /* what the sink is to have but cannot carry: dead letters */
	size_t n_unfit;
	size_t max_record; /* longer ones are among them; 0: no limit */
	bool whole; /* nothing was left out or cut: a batch's body may be used as it is */
	struct buf cut; /* the texts of records from which something was cut out */
	enum record_format format;
	struct sink_requests requests; /* as it was when the job was first sent: a retry, also by a
				sink with other options, sends the same requests */
	struct splits splits; /* the kind's: of these requests, see sink_store_splits */
	struct splits resumed_splits; /* those of them with which it was resumed */
	bool resumed; /* see job_resume */
	char *sink; /* its name when the job was first sent */
	char id[33]; /* "": not asked for yet; see job_id */
};

/* The answer to deliver(), never inside it. Takes over what ANSWER points to. The job may be gone
 * when this returns. */
void sink_answer(struct sink *sink, struct sink_answer *answer);
/* Frees what ANSWER points to; its error stays. */
void sink_answer_deinit(struct sink_answer *answer);

/* All of the job in hand is on its way, and what comes back of it comes later: true if the next
 * job may come meanwhile. The sink has this one no longer then, and says sink_confirmed() when the
 * receiver has it; instead of that, SINK_RETRY is the answer to all jobs that are not confirmed.
 * False: the job stays in hand, and is answered after those that were sent before it; ask again
 * when one of these is confirmed. */
bool sink_sent(struct sink *sink);
/* The oldest of the jobs that are sent is delivered. */
void sink_confirmed(struct sink *sink);
/* There are never more of them, nor more bytes in all but the last. */
#define SINK_SENT_JOBS 64
#define SINK_SENT_BYTES ((size_t)32 << 20)

/* Makes POSITION durable now, without an acknowledgement: what an exactly-once kind must do before
 * it writes where the last reported position says nothing of. False: the state cannot be written; a
 * job in hand must be answered with SINK_RETRY. */
bool sink_store_position(struct sink *sink, const char *position);

/* Makes the splits of the job in hand durable now: before a request is sent that is not as those
 * that are stored say. False: the state cannot be written; the job must be answered with
 * SINK_RETRY. */
bool sink_store_splits(struct sink *sink, struct fault *reterr);

/* The source SINK.seals, whose records are the seals of a file sink. */
#define SINK_SEALS_SUFFIX ".seals"

/* A record of SOURCE, which has a route of its own, with the ID ID: goes into the same transaction
 * as the next position that is stored. */
void sink_publish(struct sink *sink, const char *source, struct slice text, const char *id);

/* Appends what the state says now of the sources of the sink (or of SOURCE alone, not NULL) and of
 * what people did, as members of a JSON object that follow others:
 * ,"coverage":[{"source":…,"until":…,"gaps":…},…],"events":{"count":…,"root":…} */
void sink_attest(struct sink *sink, const char *source, struct buf *out);

/* The outcome of a recover() of SINK_RECOVERS_LATER, from a callback of the loop; FAULT is NULL if
 * the sink can be given jobs. Not after destroy(). */
void sink_recovered(struct sink *sink, const struct fault *fault);

/* Instead of an answer: another process with the same state has taken over, so that nothing may be
 * delivered from here any more. */
void sink_fenced(struct sink *sink, const struct fault *fault);

/* A part of the job is delivered: the receiver works, the next back-off is short again. */
void sink_advanced(struct sink *sink);
/* A part of the job is sent again, which the rest of it does not wait for: counted, and told now
 * and then. */
void sink_retried(struct sink *sink, const struct fault *fault);

/* After cancel(), or in it: what was handed over is still used, for example by a thread. Takes the
 * job over from the pipeline; job_free() ends it. */
struct sink_job *sink_take_job(struct sink *sink);
/* For SINCE_NS the sink has waited for something that does not answer and cannot be given up, as
 * FAULT says: told and shown as a failure until the same call with NULL. */
void sink_stalled(struct sink *sink, const struct fault *fault, nsec_t since_ns);

/* What busy() says may have changed. */
void sink_progress(struct sink *sink);

/* Appends RECORD in FORMAT without a line feed: the raw text, or
 * {"source":…,"provider":…,"id":…,"time":…,"record":<raw>}, with `"replayed":true` and
 * `"removed":[…]` before the record where it is delivered once more or something was cut out. */
void sink_record_print(
	const struct sink_record *record, enum record_format format, struct buf *out);

#endif
