/*
 * What a probe has found out: filled by ctl_probe.c, shown by ctl_probe_text.c. Texts here are as
 * they went over the wire; whoever shows them masks them.
 */
#ifndef TRAWLD_DAEMON_CTL_PROBE_H
#define TRAWLD_DAEMON_CTL_PROBE_H

#include "ctl/ctl.h"

#include "source/fetch.h"
#include "source/gather.h"
#include "source/poll.h"

#define PROBE_RECORDS 10 /* shown without --all and --limit */
#define PROBE_TEXT                                                                                 \
	2000 /* bytes shown of a request's body, and of an answer that is no good page             \
	      */

struct probe {
	const struct setup *setup;
	const struct source *source;
	size_t limit; /* records shown of each kind */
	bool json; /* only the outcome is printed, as one JSON object */

	bool has_cursor; /* the state has one */
	struct poll *poll;
	bool early; /* the source has nothing to ask yet: the minute before is asked instead */

	struct str_list masked; /* names of headers and query parameters that hold a secret one */
	size_t n_own_headers; /* of the request: the rest was added as proof of who asks */
	bool proving; /* a token is being fetched: requests are not the source's own */
	bool asked; /* the source's own request was sent */

	struct http_message message;
	int status; /* of the answer to the source's own request */
	size_t size;
	struct buf excerpt; /* of the answer's body */

	struct fault fault; /* class FAULT_NONE: the page is good */
	nsec_t lost_time; /* FAULT_LOST: from when it would go on; NSEC_NONE: the same window */
	struct page page; /* its records are gone when they were gathered */
	struct gather gather;
	struct records records; /* as the sinks would get them, an array of its own */
	size_t n_known;
	struct fetch fetch; /* the documents that the page lists; one is fetched */
	bool fetching;
	struct records listed; /* what the page lists; records are then the document's rows */
	char *document; /* what it is called; NULL: none was fetched */
	bool gone; /* it is not there any more */
	bool cut; /* it has more rows than were read */
	enum poll_verdict verdict;
	bool kept; /* the poll's cursor is what would be kept */
};

/* In the order of what happens, each as soon as it is known. */
void probe_show_cursor(const struct probe *probe);
void probe_show_request(const struct probe *probe, const struct http_message *message);
void probe_show_answer(const struct probe *probe, const struct http_response *response);
void probe_show_page(const struct probe *probe);

/* URL as it may be shown; *OUT is empty before. */
void probe_mask_url(const struct probe *probe, const char *url, struct buf *out);

/* --- ctl_probe_json.c --- */

/* All of it, whatever came of it. */
void probe_print_json(const struct probe *probe);

#endif
