/*
 * The second stage of a definition with [fetch]: what a window listed are documents; for each one a
 * link is requested, the document it leads to is read, and its rows are handed on. Like poll.h it
 * decides and the runner carries out.
 *
 * What is done is said by the dedupe window and the cursor together. The last row of a document has
 * the document's own key, so a document whose rows were all accepted is known. Of the one in work
 * the cursor says how many rows were accepted (cursor.h: document, rows); it comes first when the
 * window is listed again. So every row is accepted once, and no key a row is kept.
 *
 * Where the ID of what is listed has more in it than FROM, such as a size, a document that is
 * listed with another ID has changed. Then the last row has a key of FROM and of the number of
 * rows: each version is read, its rows are counted up to the last such key, and those after it are
 * new.
 */
#ifndef TRAWLD_SOURCE_FETCH_H
#define TRAWLD_SOURCE_FETCH_H

#include "source/gunzip.h"
#include "source/page.h"

struct fetch_document {
	struct id key; /* digest of FROM */
	struct id version; /* the same, or a digest of FROM and of the listed record's ID */
	struct id listed; /* digest of the listed record as it is */
	char *from;
	char *label; /* what messages and the rows' IDs call it: the listed record's ID */
	nsec_t time;
	bool told; /* gone: as it was at an earlier poll */
};

enum fetch_need {
	FETCH_NOTHING, /* no document is left */
	FETCH_LINK, /* a request to the API, with the credential */
	FETCH_DOCUMENT, /* a request without one, or with it ([fetch] auth) */
	FETCH_ROWS, /* nothing from outside: fetch_rows */
};

struct fetch {
	const struct source *source;
	struct fetch_document *documents;
	size_t n_documents, at;
	enum fetch_need need;
	char *link; /* a secret */
	unsigned n_refused; /* links of this document that were refused in a row */
	struct cursor cursor; /* before the window that listed them; document and rows are kept
			       right here */
	bool vanished; /* the one it was in the middle of is not listed any more */
	struct buf body;
	struct gunzip *gunzip;
	bool decoded;
	struct rows rows;
	int64_t row; /* number of the next row of the document */
	bool counting; /* no row is handed out yet: how many were accepted is looked for */
	int64_t n_counted; /* so many, as far as is known */
	struct slice next; /* a row that waits for the knowledge whether it is the last */
	struct buf texts; /* of the rows handed out */
	size_t n_without_time; /* rows among them whose time cannot be read */
	struct buf bad_time; /* the first such time */
	struct record *records;
	size_t capacity;
	bool (*known)(const struct record *record, void *userdata);
	void *userdata;
	struct idset done; /* versions of documents that no key in the state makes known: those
			      without a row, or whose rows have IDs, those of which others may
			      follow, and those that a person skipped; kept by fetch_clear */
	struct idset gone; /* listed digests of documents that are gone; kept by fetch_clear */
};

#define FETCH_NULL ((struct fetch){0})

typedef bool (*fetch_known_fn)(const struct record *record, void *userdata);

/* Have all of PAGE's records what [fetch] from names? 0 or FAULT_BODY. */
int fetch_check(const struct source *source, const struct page *page, struct fault *reterr);

/* Takes on those of the listed RECORDS that are not KNOWN; their texts are not needed afterwards.
 * CURSOR: from where the window would be listed again; copied. The records
 * passed fetch_check. */
void fetch_begin(struct fetch *fetch, const struct source *source, struct records records,
	const struct cursor *cursor, fetch_known_fn known, void *userdata);
void fetch_clear(struct fetch *fetch); /* ready for another fetch_begin */
void fetch_deinit(struct fetch *fetch);

/* The request that is needed for FETCH_LINK and FETCH_DOCUMENT. *RET_TRANSPORT: how it is to be
 * sent, strings borrowed from the source. 0, FAULT_CONFIG, FAULT_ORIGIN. */
bool fetch_proves(const struct fetch *fetch); /* with the credential? */
int fetch_request(struct fetch *fetch, struct http_message *ret,
	struct http_transport *ret_transport, struct fault *reterr);

/* Its answer. 0, or a fault: the same document is begun again, behind the rows that were handed
 * out. *RET_GONE: the document is not there any more and was passed over; its members say which,
 * and whether that is news. */
int fetch_answer(struct fetch *fetch, struct http_response *response, nsec_t now_time,
	struct fetch_document *ret_gone, struct fault *reterr);
void fetch_document_deinit(struct fetch_document *document);

/* A run of rows as records, valid until the next call; may be empty, also before others. *RET_ENDS:
 * the document's last row is among them (or it has none). cursor is moved past them. 0, FAULT_BODY,
 * FAULT_LIMIT. */
int fetch_rows(struct fetch *fetch, struct records *ret, bool *ret_ends, struct fault *reterr);

#endif
