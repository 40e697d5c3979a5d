/* A record on its way from a page to the dedupe: slices of the page's body, which its page keeps
 * alive. */
#ifndef TRAWLD_SOURCE_RECORD_H
#define TRAWLD_SOURCE_RECORD_H

#include "base/clock.h"
#include "base/idset.h"
#include "base/slice.h"

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
	RECORD_SCOPE_ROWS, /* of a document, counted by the place: every record is new, also with an
			      ID; keys serve for the document only */
	RECORD_SCOPE_PAGE, /* as above, counted inside each page (pages that overlap) */
};

#endif
