/* An answer turned into records and cursors: the border between what a server sent and what trawld
 * believes. */
#ifndef TRAWLD_SOURCE_PAGE_H
#define TRAWLD_SOURCE_PAGE_H

#include "base/record.h"
#include "source/source.h"

#define PAGE_EXCLUDED 10

struct page {
	struct buf body; /* owns what the records point into */
	struct buf ids; /* decoded ID texts */
	struct buf texts; /* decoded records that are texts in their elements */
	struct slice *items; /* those records, one an element; SLICE_NULL: what is there is none */
	struct json_scan scan;
	struct record *records; /* those that are to be accepted, in the API's order */
	size_t n_records;
	size_t records_capacity;
	size_t n_elements; /* as the API sent them, before include and exclude */
	size_t n_repeated; /* of its first records, dropped because the page before had them */
	size_t n_excluded;
	struct slice excluded[PAGE_EXCLUDED]; /* the first of them, to be shown */
	struct bad_element *bad; /* elements that cannot be records; counted among the elements */
	size_t n_bad;
	bool nothing; /* it had no body, and that is an empty page */
	size_t n_without_id, n_without_time; /* though the definition names one */
	struct slice bad_time; /* the first that is there and cannot be read, as JSON; SLICE_NULL */
	nsec_t newest_time; /* NSEC_NONE */
	bool hashed; /* some record has no provider ID */
	char *next; /* page cursor: URL (absolute) or cursor as JSON text; NULL: absent */
	char *back; /* page cursor before the group of equal values at the end; NULL: no such */
	size_t n_tied; /* elements of that group */
	char *resume; /* resume cursor */
	int64_t total, pages; /* -1: not told */
	bool ends; /* a test of [page] end holds */
	bool unmet; /* such tests have values, and none holds */
	bool more; /* [page] more holds */
	bool no_more; /* the value that it tests is there, and it does not hold */
	struct id digest; /* of all keys: two pages with the same records have the same */
	/* set by newest.h for [resume] newest */
	size_t n_unread; /* records that are left and not known */
	bool passes; /* with it, its walk has come to a young record that is known */
	bool all_known; /* the walk ends here */
	bool reaches; /* back to what an earlier walk has read */
	nsec_t oldest_time; /* of its records, duplicates included; NSEC_NONE */
	nsec_t server_time; /* NSEC_NONE */
};

#define PAGE_NULL ((struct page){0})

/* Takes the body of RESPONSE (status 2xx). URL: the request's, for relative links. LAST_TIME: the
 * last known record time, for records without one. 0, or FAULT_BODY, FAULT_LIMIT, FAULT_INCOMPLETE,
 * FAULT_ORIGIN: then *PAGE holds nothing to be used. */
int page_read(struct page *page, const struct source *source, struct http_response *response,
	const char *url, nsec_t last_time, struct fault *reterr);
/* The page without elements that RESPONSE stands for, whatever it holds. */
void page_empty(struct page *page, const struct http_response *response);
/* Leaves out the first N records. */
void page_drop_records(struct page *page, size_t n);
void page_deinit(struct page *page);
/* Appends the ID that the N JSON texts VALUES make to OUT; *RET_KEY is what it is known by. False:
 * one of them is nothing, or none of them tells records apart, so there is none. */
bool page_read_id(const struct slice *values, size_t n, struct buf *out, struct id *ret_key,
	struct buf *scratch);

/* What an answer's status means (outcome.h), in the API's own words; with [errors] retry also what
 * its body means. 0 or -1. */
int page_outcome(const struct source *source, const struct http_response *response, nsec_t now_time,
	struct fault *reterr);

#endif
