/* See rate.h. The credentials and the budgets of the process are two tables, by key. */
#include "source/rate.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "conf/option.h"

#include <string.h>

#define COUNT_MAX 10000
#define GRACE NSEC_PER_SEC /* a user that is this late has lost its turn */
#define N_BUCKETS 1024
#define QUOTA_PERIOD NSEC_PER_MIN /* a limit over more than this is spread */

struct credential {
	struct credential *next;
	struct id key;
	struct rate *users;
	nsec_t refused_until_at; /* NSEC_NONE: not refused */
	bool good; /* the last answer was not a refusal */
	nsec_t skew_ns; /* NSEC_NONE: not known */
	const struct rate_turn *trying; /* NULL: nobody is */
	struct rate_turn *waiting; /* for that to end */
};

struct limit {
	uint32_t count;
	nsec_t period_ns;
	unsigned n_users; /* who have set it */
	/* a quota: so many requests at once, else one in SPACING; 0: it is none */
	uint32_t burst;
	nsec_t spacing_ns;
	nsec_t even_at; /* the next request, if all were evenly spaced */
};

struct budget {
	struct budget *next;
	struct id key;
	unsigned n_users; /* 0: kept for what it knows until that is too old */
	struct limit *limits; /* each once */
	size_t n_limits, capacity;
	struct rate *queue; /* users that wait for a request, first come first served */
	nsec_t held_until_at;
	nsec_t *taken_at; /* ring of the last requests, as many as the largest limit counts */
	uint32_t n_taken_at;
	uint32_t position; /* of the next one */
	nsec_t known_until_at; /* then no limit needs the ring any more */
};

struct rate {
	struct rate_setup setup;
	struct credential *credential;
	struct rate *next_user, **user_link; /* of the credential */
	struct budget *budget;
	struct rate *next_queued;
	bool queued;
	nsec_t due_at; /* when a queued user was told to come back */
	struct option_rate waits_for; /* the limit that it then waited for */
};

static struct credential *credentials[N_BUCKETS];
static struct budget *budgets[N_BUCKETS];

/* --- both, by key --- */

static bool same(const struct id *a, const struct id *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Keys are digests. */
static size_t bucket_of(const struct id *key)
{
	return (key->bytes[0] | (size_t)key->bytes[1] << 8) % N_BUCKETS;
}

static struct credential *credential_find(const struct id *key)
{
	struct credential **bucket = &credentials[bucket_of(key)], *credential = *bucket;
	while (credential && !same(&credential->key, key))
		credential = credential->next;
	if (!credential) {
		credential = MEM_NEW(struct credential);
		credential->key = *key;
		credential->refused_until_at = credential->skew_ns = NSEC_NONE;
		credential->next = *bucket;
		*bucket = credential;
	}
	return credential;
}

static void credential_free(struct credential *credential)
{
	struct credential **link = &credentials[bucket_of(&credential->key)];
	while (*link != credential)
		link = &(*link)->next;
	*link = credential->next;
	free(credential);
}

static void drop_unneeded(struct budget **link, nsec_t now_at)
{
	while (*link) {
		struct budget *budget = *link;
		if (budget->n_users || budget->held_until_at > now_at ||
			budget->known_until_at > now_at) {
			link = &budget->next;
			continue;
		}
		*link = budget->next;
		free(budget->taken_at);
		free(budget->limits);
		free(budget);
	}
}

static void drop_old_budgets(nsec_t now_at)
{
	static nsec_t dropped_at = NSEC_NONE;
	if (dropped_at != NSEC_NONE && now_at - dropped_at < NSEC_PER_SEC)
		return; /* a reload makes many users at once */
	dropped_at = now_at;
	for (size_t i = 0; i < N_BUCKETS; i++)
		drop_unneeded(&budgets[i], now_at);
}

static struct budget *budget_find(const struct id *key)
{
	struct budget **bucket = &budgets[bucket_of(key)], *budget = *bucket;
	while (budget && !same(&budget->key, key))
		budget = budget->next;
	if (!budget) {
		budget = MEM_NEW(struct budget);
		budget->key = *key;
		budget->held_until_at = budget->known_until_at = NSEC_NONE;
		budget->next = *bucket;
		*bucket = budget;
	}
	return budget;
}

/* --- users --- */

/* Keeps the times that are known. */
static void ring_grow(struct budget *budget, uint32_t count)
{
	if (count <= budget->n_taken_at)
		return;
	nsec_t *taken_at = mem_array(count, sizeof(nsec_t));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t n = budget->n_taken_at;
		taken_at[i] = i < n ? budget->taken_at[(budget->position + i) % n] : NSEC_NONE;
	}
	free(budget->taken_at);
	budget->taken_at = taken_at;
	budget->position = budget->n_taken_at;
	budget->n_taken_at = count;
}

static struct limit *limit_find(struct budget *budget, const struct rate_setup *setup)
{
	for (size_t i = 0; i < budget->n_limits; i++)
		if (budget->limits[i].count == setup->count &&
			budget->limits[i].period_ns == setup->period_ns)
			return &budget->limits[i];
	return NULL;
}

/* The N-th last request, N from 1 to the largest count. */
static nsec_t taken_at(const struct budget *budget, uint32_t n)
{
	return budget->taken_at[(budget->position + budget->n_taken_at - n) % budget->n_taken_at];
}

static void note_even(struct limit *limit, nsec_t at)
{
	if (limit->spacing_ns && at != NSEC_NONE)
		limit->even_at = (limit->even_at > at ? limit->even_at : at) + limit->spacing_ns;
}

/* BURST requests at once and then one each SPACING are never more than COUNT in PERIOD. */
static void limit_init(struct limit *limit, const struct rate_setup *setup)
{
	uint32_t burst = setup->count / 10 ? setup->count / 10 : 1;
	*limit = (struct limit){.count = setup->count, .period_ns = setup->period_ns};
	if (setup->period_ns <= QUOTA_PERIOD)
		return;
	limit->burst = burst;
	limit->spacing_ns = setup->period_ns / (setup->count - burst + 1) + 1;
}

static void limit_add(struct budget *budget, const struct rate_setup *setup)
{
	struct limit *limit = setup->count ? limit_find(budget, setup) : NULL;
	if (setup->count && !limit) {
		budget->limits = mem_grow(
			budget->limits, budget->n_limits, &budget->capacity, sizeof(*limit));
		limit = &budget->limits[budget->n_limits++];
		limit_init(limit, setup);
		ring_grow(budget, setup->count);
		for (uint32_t n = setup->count; n > 0; n--)
			note_even(limit, taken_at(budget, n));
	}
	if (limit)
		limit->n_users++;
}

/* Who waits may have waited for this limit. */
static void limit_remove(struct budget *budget, const struct rate_setup *setup)
{
	struct limit *limit = setup->count ? limit_find(budget, setup) : NULL;
	if (!limit || --limit->n_users)
		return;
	*limit = budget->limits[--budget->n_limits];
	for (struct rate *user = budget->queue; user; user = user->next_queued)
		user->setup.wake(user->setup.userdata);
}

static void leave_queue(struct rate *rate)
{
	struct rate **link = &rate->budget->queue;
	if (!rate->queued)
		return;
	while (*link && *link != rate)
		link = &(*link)->next_queued;
	if (*link)
		*link = rate->next_queued;
	rate->queued = false;
}

static void enter_queue(struct rate *rate)
{
	struct rate **link = &rate->budget->queue;
	if (rate->queued)
		return;
	while (*link)
		link = &(*link)->next_queued;
	rate->next_queued = NULL;
	*link = rate;
	rate->queued = true;
}

struct rate *rate_new(const struct rate_setup *setup, nsec_t now_at)
{
	struct rate *rate = MEM_NEW(struct rate);
	rate->setup = *setup;
	if (setup->count > COUNT_MAX) {
		rate->setup.period_ns /= setup->count / COUNT_MAX;
		rate->setup.count = COUNT_MAX;
	}
	drop_old_budgets(now_at);
	rate->credential = credential_find(&setup->credential);
	rate->user_link = &rate->credential->users;
	rate->next_user = *rate->user_link;
	if (rate->next_user)
		rate->next_user->user_link = &rate->next_user;
	*rate->user_link = rate;
	rate->budget = budget_find(&setup->budget);
	rate->budget->n_users++;
	limit_add(rate->budget, &rate->setup);
	return rate;
}

void rate_free(struct rate *rate)
{
	if (!rate)
		return;
	leave_queue(rate);
	rate->budget->n_users--;
	limit_remove(rate->budget, &rate->setup);
	*rate->user_link = rate->next_user;
	if (rate->next_user)
		rate->next_user->user_link = rate->user_link;
	if (!rate->credential->users)
		credential_free(rate->credential);
	free(rate);
}

/* --- what a server says --- */

static nsec_t left(nsec_t until_at, nsec_t now_at)
{
	return until_at != NSEC_NONE && now_at < until_at ? until_at - now_at : 0;
}

nsec_t rate_refusal_left(const struct rate *rate, nsec_t now_at)
{
	return rate ? left(rate->credential->refused_until_at, now_at) : 0;
}

nsec_t rate_hold_left(const struct rate *rate, nsec_t now_at)
{
	return rate ? left(rate->budget->held_until_at, now_at) : 0;
}

void rate_refused(struct rate *rate, nsec_t until_at)
{
	if (!rate)
		return;
	rate->credential->refused_until_at = until_at;
	rate->credential->good = false;
	if (until_at != NSEC_NONE)
		return;
	for (struct rate *user = rate->credential->users; user; user = user->next_user)
		if (user != rate)
			user->setup.wake(user->setup.userdata);
}

void rate_hold(struct rate *rate, nsec_t until_at)
{
	if (rate && until_at > rate->budget->held_until_at)
		rate->budget->held_until_at = until_at;
}

void rate_set_skew(struct rate *rate, nsec_t skew_ns)
{
	if (rate)
		rate->credential->skew_ns = skew_ns;
}

nsec_t rate_skew(const struct rate *rate)
{
	return rate ? rate->credential->skew_ns : NSEC_NONE;
}

/* --- whose turn it is to try a credential --- */

static void leave_turns(struct credential *credential, struct rate_turn *turn)
{
	struct rate_turn **link = &credential->waiting;
	while (*link && *link != turn)
		link = &(*link)->next;
	if (*link)
		*link = turn->next;
	turn->waits = false;
}

bool rate_turn_take(struct rate *rate, struct rate_turn *turn)
{
	struct credential *credential = rate ? rate->credential : NULL;
	if (!credential || credential->good || credential->trying == turn)
		return true;
	if (!credential->trying) {
		leave_turns(credential, turn);
		credential->trying = turn;
		return true;
	}
	if (!turn->waits) {
		turn->next = credential->waiting;
		credential->waiting = turn;
		turn->waits = true;
	}
	return false;
}

void rate_turn_end(struct rate *rate, struct rate_turn *turn, bool good)
{
	if (!rate)
		return;
	struct credential *credential = rate->credential;
	leave_turns(credential, turn);
	credential->good |= good;
	if (credential->trying != turn)
		return;
	credential->trying = NULL;
	while (credential->waiting) {
		struct rate_turn *next = credential->waiting;
		leave_turns(credential, next);
		next->wake(next->userdata);
	}
}

/* --- the budget --- */

/* When the even spacing of LIMIT allows the request that has N others before it. */
static nsec_t evenly_at(const struct limit *limit, size_t n, nsec_t now_at)
{
	nsec_t from = limit->even_at > now_at ? limit->even_at : now_at;
	return from + ((nsec_t)n - (nsec_t)limit->burst + 1) * limit->spacing_ns;
}

/* When LIMIT allows the request that has N others before it. */
static nsec_t allowed_at(
	const struct budget *budget, const struct limit *limit, size_t n, nsec_t now_at)
{
	nsec_t last = taken_at(budget, limit->count - (uint32_t)(n % limit->count));
	bool waits = last != NSEC_NONE && last + limit->period_ns > now_at;
	nsec_t at = (waits ? last + limit->period_ns : now_at) +
		    (nsec_t)(n / limit->count) * limit->period_ns;
	nsec_t evenly = limit->spacing_ns ? evenly_at(limit, n, now_at) : at;
	return evenly > at ? evenly : at;
}

/* The place of RATE in the queue, where those that did not come back in time have lost theirs. */
static size_t place_in_queue(struct rate *rate, nsec_t now_at)
{
	size_t n = 0;
	for (struct rate *user = rate->budget->queue, *next; user && user != rate; user = next) {
		next = user->next_queued;
		if (user->due_at + GRACE < now_at)
			leave_queue(user);
		else
			n++;
	}
	return n;
}

static void note_request(struct budget *budget, nsec_t now_at)
{
	if (budget->n_taken_at == 0)
		return;
	budget->taken_at[budget->position] = now_at;
	budget->position = (budget->position + 1) % budget->n_taken_at;
	for (size_t i = 0; i < budget->n_limits; i++) {
		note_even(&budget->limits[i], now_at);
		if (budget->known_until_at < now_at + budget->limits[i].period_ns)
			budget->known_until_at = now_at + budget->limits[i].period_ns;
	}
}

nsec_t rate_take(struct rate *rate, nsec_t now_at)
{
	if (!rate)
		return 0;
	struct budget *budget = rate->budget;
	size_t n_before = place_in_queue(rate, now_at);
	nsec_t at = budget->held_until_at > now_at ? budget->held_until_at : now_at;
	for (size_t i = 0; i < budget->n_limits; i++) {
		const struct limit *limit = &budget->limits[i];
		nsec_t allowed = allowed_at(budget, limit, n_before, now_at);
		if (allowed <= at)
			continue;
		at = allowed;
		rate->waits_for = (struct option_rate){limit->count, limit->period_ns};
	}
	if (at > now_at) {
		enter_queue(rate);
		rate->due_at = at;
		return at - now_at;
	}
	leave_queue(rate);
	note_request(budget, now_at);
	return 0;
}

/* To the second, or, if it is shorter than one, to the millisecond. */
static void print_spacing(nsec_t spacing_ns, struct buf *out)
{
	nsec_t unit = spacing_ns < NSEC_PER_SEC ? NSEC_PER_MSEC : NSEC_PER_SEC;
	timestamp_print_duration((spacing_ns + unit / 2) / unit * unit, out);
}

void rate_print_wait(const struct rate *rate, nsec_t now_at, struct buf *out)
{
	struct limit limit;
	if (!rate || rate_hold_left(rate, now_at) > 0 || !rate->waits_for.count) {
		buf_append_text(out, "the API: it asked for a pause");
		return;
	}
	buf_append_text(out, "the rate of ");
	option_print_rate(&rate->waits_for, out);
	limit_init(&limit, &(struct rate_setup){.count = rate->waits_for.count,
				   .period_ns = rate->waits_for.period_ns});
	if (!limit.spacing_ns)
		return;
	buf_printf(out, ": at most %u request%s at once, then one every ", limit.burst,
		str_plural(limit.burst));
	print_spacing(limit.spacing_ns, out);
}
