/* A poll, step by step: a source, its poll and the answers to what it requests. */
#ifndef TRAWLD_TESTS_POLL_FIXTURE_H
#define TRAWLD_TESTS_POLL_FIXTURE_H

#include "source/poll_internal.h"
#include "source_fixture.h"

#define S NSEC_PER_SEC
#define NOW (INT64_C(1700000000) * S)
#define WINDOW                                                                                     \
	"request.url = https://h/x\nrequest.query.from = ${window.start:epoch_s}\n"                \
	"request.query.c = ${page.cursor}\nrequest.query.o = ${page.offset}\n"                     \
	"request.query.n = ${page.number}\nrequest.query.s = ${page.size}\nrecords.at = /l\n"      \
	"records.id = /i\nresume.window = yes\n"

struct steps {
	struct source_fixture fixture;
	struct poll poll;
	struct fault fault;
	enum poll_verdict verdict;
};

static const struct clocks now = {NOW, NSEC_NONE, NSEC_NONE};

static inline bool begin(struct steps *s, nsec_t host_time)
{
	return poll_begin(&s->poll, &(struct clocks){host_time, NSEC_NONE, NSEC_NONE});
}

static inline void set_up(struct steps *s, const char *keys)
{
	*s = (struct steps){0};
	source_fixture_good(&s->fixture, keys);
	poll_init(&s->poll, s->fixture.source);
	s->poll.cursor.started_time = NOW - 1000 * S;
	s->poll.cursor.exact = true;
	ck_assert(begin(s, NOW));
}

static inline void tear_down(struct steps *s)
{
	poll_deinit(&s->poll);
	source_fixture_deinit(&s->fixture);
}

/* The answer BODY to what the poll asks now, by these clocks; what was wrong with it, by its class.
 */
static inline int answer_at(struct steps *s, const char *body, struct clocks clocks)
{
	struct page page;
	char *url = s->poll.link ? strdup(s->poll.link) : strdup("https://h/x?from=1");
	ck_assert_msg(source_fixture_page(&s->fixture, &page, body, url, &s->fault) == 0, "%s",
		s->fault.text);
	page.server_time = clocks.server_time;
	int r = poll_page(&s->poll, &page, url, &clocks, &s->verdict, &s->fault);
	page_deinit(&page);
	free(url);
	return (int)unit_class(r, &s->fault);
}

static inline int answer(struct steps *s, const char *body, nsec_t server_time)
{
	struct clocks clocks = {NOW, server_time, NSEC_NONE};
	ck_assert(poll_begin(&s->poll, &clocks));
	return answer_at(s, body, clocks);
}

#endif
