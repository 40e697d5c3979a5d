/*
 * Records on their way from a page to the dedupe window: what a source hands over and the pipeline
 * accepts, so that neither knows the other. Texts are slices of the page's body, which lives until
 * the records were accepted.
 */
#ifndef TRAWLD_BASE_RECORD_H
#define TRAWLD_BASE_RECORD_H

#include "base/clock.h"
#include "base/idset.h"
#include "base/slice.h"

#include <stdbool.h>

struct record {
	struct slice text; /* the record's own JSON text */
	struct slice
		id_text; /* the provider's ID; SLICE_NULL: none, key is the digest of the text */
	struct id key;
	nsec_t time; /* never NSEC_NONE when an earlier record of the source had one */
	bool spaced; /* has insignificant white space to be taken out */
};

/* A run of records to be accepted in this order. */
struct records {
	struct record *items;
	size_t n_items;
};

/* How the dedupe is to treat a run of records that have no provider ID (those with one are always
 * looked up). */
enum record_scope {
	RECORD_SCOPE_EXACT, /* the cursor is gapless and never steps back: every record is new */
	RECORD_SCOPE_CHAIN, /* read again by time: the k-th equal record since the chain's first
			       page is the k-th known one */
	RECORD_SCOPE_ROWS, /* of a document, counted by the cursor: every record is new, also with
			      an ID; keys serve for the document only */
	RECORD_SCOPE_ROW_IDS, /* of a document, with an ID that counts beyond it */
	RECORD_SCOPE_PAGE, /* as RECORD_SCOPE_CHAIN, counted inside each page (pages that overlap)
			    */
};

/* An element of a page that cannot be a record: null, a string, one without its record. */
struct bad_element {
	struct slice text; /* JSON; SLICE_NULL: not known */
	struct id key; /* the digest of its text */
	char *reason;
};

/* Those of one page; SCOPE and NEW_CHAIN as below. */
struct bad_elements {
	struct bad_element *items;
	size_t n_items;
	enum record_scope scope;
	bool new_chain;
};

/* The records of one page, with the cursor that follows them: made durable together. */
struct record_batch {
	struct records records; /* in order; may be empty */
	enum record_scope scope;
	bool new_chain; /* first records of a chain: RECORD_SCOPE_CHAIN counts from here */
	bool more; /* the next page of the chain is requested at once */
	const char *cursor; /* text of the source's cursor after these records; NULL: unchanged */
	nsec_t key_time; /* the dedupe keys' age is counted from here */
	nsec_t horizon; /* older keys may be dropped; NSEC_NONE: keep all, the cursor that they
			   would be read again from has not moved yet */
	size_t n_excluded;
	bool document_ends; /* RECORD_SCOPE_ROWS: the last record has the document's key, which
			       counts as a duplicate from here on */
};

#endif
