/*
 * What a file sink does with its closed files while the loop goes on: it gives them their last
 * name, compresses them one after the other in slices, and removes rotated ones beyond `keep`.
 *
 * Nothing is done to a file before the stored position says that it is closed; so a crash can only
 * leave work that the next start finds listed and begins anew.
 */
#ifndef TRAWLD_SINK_FILE_CLOSER_H
#define TRAWLD_SINK_FILE_CLOSER_H

#include "sink/file/file_closed.h"
#include "sink/file/file_compress.h"

#include <ev.h>

/* So many may wait to be compressed before the sink's next job waits for one of them. */
#define FILE_CLOSER_MAX 64
/* So many may rest; a file above them is not compressed. */
#define FILE_CLOSER_MAX_RESTING 512

struct file_closer {
	struct ev_loop *loop;
	ev_timer timer; /* the next slice, or the next try */
	struct log_subject subject;
	enum compression compression;
	int64_t keep; /* 0: all */
	struct file_closed **items;
	size_t n_items;
	size_t capacity;
	bool stored; /* the stored position has all items as they are */
	struct file_compress *work; /* on WORK_OF, an item; NULL: none */
	struct file_closed *work_of;
	bool failing;

	/* there is something to do: file_closer_step is to be called where files may be touched */
	void (*due)(void *userdata);
	/* makes the sink's position durable and sets STORED; false: not now */
	bool (*store)(void *userdata);
	/* a file is done, or it began to fail: file_closer_busy and _full may have changed */
	void (*progress)(void *userdata);
	void *userdata;
};

/* LOOP to USERDATA are set by the caller, but for the timer, items and state. */
void file_closer_init(struct file_closer *closer);
void file_closer_clear(struct file_closer *closer); /* forgets all items, stops */
void file_closer_deinit(struct file_closer *closer);

/* Does one slice of what is to be done. */
void file_closer_step(struct file_closer *closer);

/* Takes CLOSED over. */
void file_closer_add(struct file_closer *closer, struct file_closed *closed);
/* Before the file at PATH is opened for writing: a rotation that is due is done, a closed file is
 * given back. 0 or FAULT_STORE. */
int file_closer_claim(struct file_closer *closer, const char *path, struct fault *reterr);
/* Resting files of which PAST says so are closed for good. */
void file_closer_wake(struct file_closer *closer,
	bool (*past)(const struct file_closed *closed, void *userdata), void *userdata);

bool file_closer_busy(const struct file_closer *closer); /* work is under way */
bool file_closer_full(const struct file_closer *closer);

void file_closer_print(const struct file_closer *closer, struct buf *out); /* [...] */
/* CLOSED may be NULL (there is none). Renamings are finished, files that are gone are dropped.
 * 0 or FAULT_STORE; nothing is kept then. */
int file_closer_recover(struct file_closer *closer, json_t *closed, struct fault *reterr);

#endif
