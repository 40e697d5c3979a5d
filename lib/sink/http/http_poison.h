/*
 * A record that a receiver cannot stand: a firewall that answers 403, a server that ends in an
 * error of its own. The status blames no record, so the request comes again and again, and what
 * follows waits. After failures in the same words the request is halved until the record is found.
 *
 * Halves are requests that the receiver does not know. If it may have taken the whole, because an
 * answer was lost (http_parts_doubt), they would be repeats: many more failures are needed then.
 *
 * That a record is found proves nothing where none was accepted: a receiver that takes nothing
 * looks alike. What is done with the record is the owner's to say.
 */
#ifndef TRAWLD_SINK_HTTP_POISON_H
#define TRAWLD_SINK_HTTP_POISON_H

#include "base/digest.h"
#include "base/fault.h"

struct sink_record;

/* Failures in the same words: of a request, and then of its record alone, after what is before it
 * was accepted. Where that was not, or the part in hand may have been taken, the receiver may be
 * down, and it takes more. */
#define HTTP_POISON_TRIES 3
#define HTTP_POISON_TRIES_MORE 12

/* Of one lane, from the first failure of a request until all of it is decided. */
struct http_suspicion {
	struct id words; /* of the last failure */
	unsigned n_failures; /* in these words, of a request */
	unsigned n_alone; /* of a single record */
	bool searching;
	bool accepted; /* the part before, of the same request */
};

#define HTTP_SUSPICION_NULL ((struct http_suspicion){0})

enum http_poison {
	HTTP_POISON_NONE, /* nothing is to be done but to try again */
	HTTP_POISON_SEARCH, /* halve the part and go on at once */
	HTTP_POISON_FOUND, /* the part is one record, which fails alone */
};

/* The part in hand, N records, has failed with FAULT. DOUBTED: it may have been taken before. */
enum http_poison http_poison_failed(
	struct http_suspicion *suspicion, const struct fault *fault, size_t n, bool doubted);
/* Earlier failures no longer count. */
void http_poison_forget(struct http_suspicion *suspicion);
/* FAULT, that of RECORD alone, names it. */
void http_poison_name(struct fault *fault, const struct sink_record *record);
/* A part is decided, or TAKEN even; ALL: and with it the request that it was cut from. */
void http_poison_decided(struct http_suspicion *suspicion, bool taken, bool all);

#endif
