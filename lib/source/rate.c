/* See rate.h. Budgets live in one table of the process: each source may have its own credential. */
#include "source/rate.h"

#include "base/mem.h"

#include <string.h>

#define COUNT_MAX 10000
#define N_BUCKETS 1024

struct rate {
	struct rate *next;
	struct id key;
	unsigned n_refs;
	uint32_t count; /* 0: no limit, only holds */
	nsec_t period_ns;
	nsec_t *taken_at; /* ring of the last count requests */
	uint32_t position;
	nsec_t held_until_at;
	nsec_t refused_until_at; /* the credential was: NSEC_NONE: not */
	bool good; /* the credential was taken the last time */
	nsec_t skew_ns; /* NSEC_NONE: not known */
	const struct rate_turn *trying; /* NULL: nobody is */
	struct rate_turn *waiting; /* for that to end */
};

static struct rate *rates[N_BUCKETS];

/* Keys are digests: their own bytes are the hash. */
static struct rate **bucket_of(const struct id *key)
{
	return &rates[(key->bytes[0] << 8 | key->bytes[1]) % N_BUCKETS];
}

static void set_limit(struct rate *rate, uint32_t count, nsec_t period_ns)
{
	if (count > COUNT_MAX) {
		period_ns = period_ns / (count / COUNT_MAX);
		count = COUNT_MAX;
	}
	/* stricter: fewer requests in the same time */
	if (rate->count &&
		(double)count / (double)period_ns >= (double)rate->count / (double)rate->period_ns)
		return;
	free(rate->taken_at);
	rate->taken_at = mem_array(count, sizeof(nsec_t));
	for (uint32_t i = 0; i < count; i++)
		rate->taken_at[i] = NSEC_NONE;
	rate->count = count;
	rate->period_ns = period_ns;
	rate->position = 0;
}

struct rate *rate_ref(const struct id *key, uint32_t count, nsec_t period_ns)
{
	struct rate **bucket = bucket_of(key), *rate = *bucket;
	while (rate && memcmp(&rate->key, key, sizeof(*key)) != 0)
		rate = rate->next;
	if (!rate) {
		rate = MEM_NEW(struct rate);
		rate->key = *key;
		rate->held_until_at = rate->refused_until_at = rate->skew_ns = NSEC_NONE;
		rate->next = *bucket;
		*bucket = rate;
	}
	rate->n_refs++;
	if (count)
		set_limit(rate, count, period_ns);
	return rate;
}

void rate_unref(struct rate *rate)
{
	if (!rate || --rate->n_refs)
		return;
	struct rate **link = bucket_of(&rate->key);
	while (*link != rate)
		link = &(*link)->next;
	*link = rate->next;
	free(rate->taken_at);
	free(rate);
}

static nsec_t left(nsec_t until_at, nsec_t now_at)
{
	return until_at != NSEC_NONE && now_at < until_at ? until_at - now_at : 0;
}

nsec_t rate_held(const struct rate *rate, nsec_t now_at)
{
	nsec_t held = rate ? left(rate->held_until_at, now_at) : 0;
	nsec_t refused = rate ? left(rate->refused_until_at, now_at) : 0;
	return held > refused ? held : refused;
}

void rate_refused(struct rate *rate, nsec_t until_at)
{
	if (!rate)
		return;
	rate->refused_until_at = until_at;
	rate->good = false;
}

static void leave(struct rate *rate, struct rate_turn *turn)
{
	struct rate_turn **link = &rate->waiting;
	while (*link && *link != turn)
		link = &(*link)->next;
	if (*link)
		*link = turn->next;
	turn->waits = false;
}

bool rate_turn_take(struct rate *rate, struct rate_turn *turn)
{
	if (!rate || rate->good || rate->trying == turn)
		return true;
	if (!rate->trying) {
		leave(rate, turn);
		rate->trying = turn;
		return true;
	}
	if (!turn->waits) {
		turn->next = rate->waiting;
		rate->waiting = turn;
		turn->waits = true;
	}
	return false;
}

void rate_turn_end(struct rate *rate, struct rate_turn *turn, bool good)
{
	if (!rate)
		return;
	leave(rate, turn);
	rate->good |= good;
	if (rate->trying != turn)
		return;
	rate->trying = NULL;
	while (rate->waiting) {
		struct rate_turn *next = rate->waiting;
		leave(rate, next);
		next->wake(next->userdata);
	}
}

void rate_set_skew(struct rate *rate, nsec_t skew_ns)
{
	if (rate)
		rate->skew_ns = skew_ns;
}

nsec_t rate_skew(const struct rate *rate)
{
	return rate ? rate->skew_ns : NSEC_NONE;
}

nsec_t rate_take(struct rate *rate, nsec_t now_at)
{
	if (!rate)
		return 0;
	nsec_t held = rate_held(rate, now_at);
	if (held)
		return held;
	if (rate->count == 0)
		return 0;
	nsec_t oldest = rate->taken_at[rate->position];
	if (oldest != NSEC_NONE && now_at - oldest < rate->period_ns)
		return rate->period_ns - (now_at - oldest);
	rate->taken_at[rate->position] = now_at;
	rate->position = (rate->position + 1) % rate->count;
	return 0;
}

void rate_hold(struct rate *rate, nsec_t until_at)
{
	if (rate && (rate->held_until_at == NSEC_NONE || until_at > rate->held_until_at))
		rate->held_until_at = until_at;
}
