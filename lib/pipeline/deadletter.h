/*
 * Records that a sink's receiver will never take: STATE/dead-letters/SINK.ndjson, one JSON object a
 * line: {"time","sink","source","id","reason","record"}. The record is its own text, so that it can
 * be sent again by hand after the cause is mended.
 */
#ifndef TRAWLD_PIPELINE_DEADLETTER_H
#define TRAWLD_PIPELINE_DEADLETTER_H

#include "base/fault.h"

struct sink_job;

/* Appends the records of JOB whose REFUSED flag is set (REFUSED NULL: all), or, when REASONS is
 * given, those that have one there, with it in place of REASON; and those that were set apart;
 * and makes them durable: only then
 * may the job be acknowledged. All or nothing: on FAULT_STORE the file is as before. A crash
 * between this and the acknowledgement repeats them, it never loses them. */
int deadletter_write(const char *state_directory, const char *sink, const struct sink_job *job,
	const bool *refused, const char *const *reasons, const char *reason, struct fault *reterr);

/* The sink NAME is called TO from now on: so are its dead letters, unless TO has some. 0 or
 * -errno. */
int deadletter_rename(const char *state_directory, const char *name, const char *to);

#endif
