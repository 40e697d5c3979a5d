/*
 * The `path =` of a file sink: text with %{source}, %{provider} and strftime conversions of the
 * delivery time in UTC, and, in a cluster, %{node} and %{shard}. All these names hold only letters,
 * digits, `-`, `_` and `.`, so an expansion adds no directory of its own.
 */
#ifndef TRAWLD_SINK_FILE_PATH_H
#define TRAWLD_SINK_FILE_PATH_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"

#include <sys/types.h>

/* 0, or FAULT_CONFIG saying what is wrong with PATTERN. */
int file_path_check(const char *pattern, struct fault *reterr);
/* Does the path change with time? */
bool file_path_is_timed(const char *pattern);
/* Does PATTERN contain %{NAME}? */
bool file_path_has(const char *pattern, const char *name);
/* PATTERN, which has passed file_path_check, with these two put in (NULL: left as they are). The
 * caller frees. */
char *file_path_place(const char *pattern, const char *node, const char *shard);
/* Appends the path. PATTERN comes from file_path_place, or has neither of the two. */
void file_path_expand(const char *pattern, const char *source, const char *provider, nsec_t time,
	struct buf *out);

/* Appends the path with the names put in and the times left as conversions. */
void file_path_expand_names(
	const char *pattern, const char *source, const char *provider, struct buf *out);

/* The directory that PATH lies in; the caller frees. */
char *file_path_directory(const char *path);
/* Makes the directories that PATH lies in, durably, each with MODE whatever the umask. */
int file_path_make_directories(const char *path, mode_t mode, struct fault *reterr);
/* Makes the names in the directory of PATH durable. */
int file_path_sync_directory(const char *path, struct fault *reterr);

#endif
