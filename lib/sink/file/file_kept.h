/*
 * Records that a file has and the state does not know: a tail that was kept (file_tail.h), because
 * the state is older than the file. The sources read them again from their older cursors. A record
 * that the file has there is not written a second time.
 *
 * Only the sink can tell: another sink of the same source may not have them yet, so they cannot be
 * called duplicates for all. A record counts as the same if it has an ID and an equal line. Where
 * neither the path nor an envelope tells the source, equal lines of two sources could be taken for
 * one another: there, nothing is left out.
 *
 * What is kept is part of the stored position, and is forgotten after a week, or when the file is
 * not at its path any more: then a record may be in two files, but is in one for certain.
 */
#ifndef TRAWLD_SINK_FILE_KEPT_H
#define TRAWLD_SINK_FILE_KEPT_H

#include "pipeline/job.h"
#include "sink/file/file_target.h"

#include <jansson.h>

#include "base/idset.h"

#define FILE_KEPT_NS (7 * NSEC_PER_DAY)
#define FILE_KEPT_MAX ((int64_t)256 << 20) /* bytes; more takes too long to read */

struct file_kept {
	char *path;
	ino_t inode;
	int64_t from; /* its records are in the file from here */
	int64_t end; /* to here */
	char *source; /* of the file, or NULL; not looked at in envelopes */
	nsec_t until_time;
	bool loaded; /* LINES are those of the file, as FORMAT has them */
	enum record_format format;
	struct idset lines;
	bool told; /* that records are left out */
};

struct file_kept_list {
	struct file_kept **items;
	size_t n_items;
	size_t capacity;
};

void file_kept_clear(struct file_kept_list *list);
/* Notes what TARGET has from FROM to END. */
void file_kept_add(struct file_kept_list *list, const struct file_target *target, int64_t from,
	int64_t end, nsec_t now);

void file_kept_print(const struct file_kept_list *list, struct buf *out); /* [...] */
/* From what was printed; KEPT may be NULL (there is none). 0 or FAULT_STORE; LIST is empty then. */
int file_kept_parse(struct file_kept_list *list, json_t *kept, struct fault *reterr);

/* JOB without the records that a file has already, or NULL: with all of them. BY_SOURCE: each file
 * has records of one source only. What cannot be read or has changed is forgotten. */
struct sink_job *file_kept_filter(struct file_kept_list *list, const struct sink_job *job,
	bool by_source, nsec_t now, const struct log_subject *subject);
void file_kept_job_free(struct sink_job *job); /* NULL allowed; the batches stay the first job's */

#endif
