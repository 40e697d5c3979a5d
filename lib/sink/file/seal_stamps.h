/*
 * Time stamps of seals: once an hour the last seal of each chain is sent, as a digest, to a
 * time-stamping authority (RFC 3161), and its token is appended to `PATH.tsr`, one JSON line each:
 * {"chain":…,"seal":…,"digest":…,"time":…,"token":<the response in base64>}. With it the history up
 * to that seal cannot be written anew later, not even by who has the signing key.
 *
 * Tokens are no part of the sink's position and nothing waits for them: without an authority seals
 * are made as ever, and it is asked again.
 */
#ifndef TRAWLD_SINK_SEAL_STAMPS_H
#define TRAWLD_SINK_SEAL_STAMPS_H

#include "sink/file/seal.h"

struct ev_loop;
struct http_client;
struct seal_stamps;

struct seal_stamps_setup {
	struct ev_loop *loop;
	struct http_client *client;
	const struct seals *seals; /* whose chains they are; outlives them */
	const char *url;
	/* seal_stamps_step is to be called where files may be touched */
	void (*due)(void *userdata);
	void *userdata;
};

/* Borrows what SETUP points to. */
struct seal_stamps *seal_stamps_new(const struct seal_stamps_setup *setup);
/* On the thread of the loop: ends a request. NULL is allowed here and in all that follow. */
void seal_stamps_stop(struct seal_stamps *stamps);
/* After that, on any thread. */
void seal_stamps_free(struct seal_stamps *stamps);

/* Writes a token that has come, and asks for what is due: seals may have been made. */
void seal_stamps_step(struct seal_stamps *stamps);
/* A request is under way, or its token is to be written. */
bool seal_stamps_busy(const struct seal_stamps *stamps);

#endif
