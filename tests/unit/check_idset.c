/* The set of record keys. */
#include "base/idset.h"

#include <string.h>

#include "base/mem.h"
#include "check_unit.h"

/* As ck_assert, which writes a note of each call: for millions of them. */
#define QUICK_ASSERT(x)                                                                            \
	do {                                                                                       \
		if (!(x))                                                                          \
			ck_abort_msg("%s", #x);                                                    \
	} while (0)

/* As uniform as a digest (splitmix64), and as fast as a test of millions needs. */
static struct id id_of(uint64_t n)
{
	struct id id;
	for (size_t i = 0; i < 2; i++) {
		uint64_t mixed = (2 * n + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
		mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
		mixed ^= mixed >> 31;
		memcpy(id.bytes + 8 * i, &mixed, sizeof(mixed));
	}
	return id;
}

/* All in one part, and close to each other: the worst that keys can be. */
static struct id crowded(uint64_t n)
{
	struct id id = {{0}};
	memset(id.bytes + 4, 0xff, 4); /* the last home */
	id.bytes[15] = (uint8_t)n;
	id.bytes[14] = (uint8_t)(n >> 8);
	return id;
}

/* Whatever the number, a key needs little more than its 16 bytes, also while the set grows. */
START_TEST(little_memory)
{
	struct idset set = IDSET_NULL;
	size_t most = 0;
	for (uint64_t n = 0; n < 600000; n++) {
		struct id id = id_of(n);
		idset_add(&set, &id);
		if (n >= 100000 && idset_memory(&set) * 1000 / set.n_ids > most)
			most = idset_memory(&set) * 1000 / set.n_ids;
	}
	ck_assert_uint_eq(set.n_ids, 600000);
	ck_assert_msg(most <= 18500, "%zu thousandths of a byte", most);
	for (uint64_t n = 1000; n < 600000; n++) {
		struct id id = id_of(n);
		QUICK_ASSERT(idset_remove(&set, &id));
	}
	ck_assert_msg(idset_memory(&set) <= 40000, "%zu bytes for 1000", idset_memory(&set));
	idset_deinit(&set);
}
END_TEST

START_TEST(what_is_reserved_does_not_grow)
{
	struct idset set = IDSET_NULL;
	idset_reserve(&set, 300000);
	size_t memory = idset_memory(&set);
	for (uint64_t n = 0; n < 300000; n++) {
		struct id id = id_of(n);
		idset_add(&set, &id);
	}
	ck_assert_msg(idset_memory(&set) <= memory + memory / 50, "%zu, then %zu", memory,
		idset_memory(&set));
	ck_assert_msg(memory / 300000 < 19, "%zu", memory);
	memory = idset_memory(&set);
	idset_reserve(&set, 3000000); /* not while it has keys */
	ck_assert_uint_eq(idset_memory(&set), memory);
	idset_deinit(&set);
}
END_TEST

START_TEST(holds_what_was_added)
{
	struct idset set = IDSET_NULL;
	struct id id = id_of(0);
	ck_assert(!idset_has(&set, &id));
	ck_assert(!idset_remove(&set, &id));
	ck_assert(!idset_mark(&set, &id));
	for (uint64_t n = 0; n < 400000; n++) {
		id = id_of(n);
		QUICK_ASSERT(idset_add(&set, &id));
		QUICK_ASSERT(!idset_add(&set, &id));
	}
	ck_assert_uint_eq(set.n_ids, 400000);
	for (uint64_t n = 0; n < 500000; n++) {
		id = id_of(n);
		QUICK_ASSERT(idset_has(&set, &id) == (n < 400000));
	}
	idset_clear(&set);
	ck_assert(!idset_has(&set, &id));
	idset_deinit(&set);
}
END_TEST

/* What is a mark in a slot must not hide a bit of a key. */
START_TEST(each_bit_counts)
{
	struct idset set = IDSET_NULL;
	struct id zero = {{0}};
	ck_assert(idset_add(&set, &zero));
	for (unsigned bit = 0; bit < 128; bit++) {
		struct id id = zero;
		id.bytes[bit / 8] = (uint8_t)(1 << bit % 8);
		ck_assert_msg(!idset_has(&set, &id), "bit %u", bit);
		ck_assert(idset_add(&set, &id));
		ck_assert(idset_mark(&set, &id));
	}
	for (unsigned bit = 0; bit < 128; bit++) {
		struct id id = zero;
		id.bytes[bit / 8] = (uint8_t)(1 << bit % 8);
		ck_assert(idset_is_marked(&set, &id));
		ck_assert(idset_remove(&set, &id));
		ck_assert_msg(!idset_has(&set, &id), "bit %u", bit);
	}
	ck_assert(idset_has(&set, &zero) && !idset_is_marked(&set, &zero));
	ck_assert_uint_eq(set.n_ids, 1);
	idset_deinit(&set);
}
END_TEST

START_TEST(crowds)
{
	struct idset set = IDSET_NULL;
	for (uint64_t n = 0; n < 5000; n++) {
		struct id id = crowded(n * 7919 % 5000);
		ck_assert(idset_add(&set, &id));
	}
	for (uint64_t n = 0; n < 5000; n += 2) {
		struct id id = crowded(n);
		ck_assert(idset_remove(&set, &id));
	}
	for (uint64_t n = 0; n < 5001; n++) {
		struct id id = crowded(n);
		ck_assert(idset_has(&set, &id) == (n < 5000 && n % 2 == 1));
	}
	ck_assert_uint_eq(set.n_ids, 2500);
	ck_assert_msg(idset_memory(&set) < 200000, "%zu", idset_memory(&set));
	idset_deinit(&set);
}
END_TEST

/* --- against a model: an array --- */

#define N_MODEL 200000 /* more than 8 parts hold */

struct model {
	struct idset set;
	bool in[N_MODEL];
	bool marked[N_MODEL];
	size_t n;
	uint64_t random;
	bool crowded;
};

static size_t draw(struct model *model, size_t n)
{
	model->random = model->random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (size_t)(model->random >> 33) % n;
}

static struct id model_id(const struct model *model, size_t i)
{
	return model->crowded && i % 64 == 0 ? crowded(i / 64) : id_of(i);
}

static void change(struct model *model, size_t i, bool add)
{
	struct id id = model_id(model, i);
	bool changed = add ? idset_add(&model->set, &id) : idset_remove(&model->set, &id);
	QUICK_ASSERT(changed == (model->in[i] != add));
	if (changed) {
		model->in[i] = add;
		model->marked[i] = false;
		model->n += add ? 1 : (size_t)-1;
	}
	QUICK_ASSERT(model->set.n_ids == model->n);
}

static void look(const struct model *model, size_t i)
{
	struct id id = model_id(model, i);
	QUICK_ASSERT(idset_has(&model->set, &id) == model->in[i]);
	QUICK_ASSERT(idset_is_marked(&model->set, &id) == model->marked[i]);
}

static void act(struct model *model, unsigned add_percent)
{
	size_t i = draw(model, N_MODEL);
	struct id id = model_id(model, i);
	if (draw(model, 4) == 0) {
		QUICK_ASSERT(idset_mark(&model->set, &id) == model->in[i]);
		model->marked[i] = model->in[i];
	} else {
		change(model, i, draw(model, 100) < add_percent);
	}
	look(model, draw(model, N_MODEL));
	if (draw(model, 20000) == 0) {
		idset_unmark_all(&model->set);
		memset(model->marked, 0, sizeof(model->marked));
	}
}

START_TEST(agrees_with_a_model)
{
	struct model *model = MEM_NEW(struct model);
	model->random = (uint64_t)_i * 77 + 1;
	model->crowded = _i % 2;
	if (_i % 3 == 0)
		idset_reserve(&model->set, 1000);
	for (unsigned round = 0; round < 6; round++)
		for (unsigned k = 0; k < 250000; k++)
			act(model, round % 2 ? 10 : 90);
	for (size_t i = 0; i < N_MODEL; i++)
		look(model, i);
	for (size_t i = 0; i < N_MODEL; i++)
		change(model, i, false);
	ck_assert_uint_eq(model->set.n_ids, 0);
	idset_deinit(&model->set);
	free(model);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *sets = tcase_create("idset");
	tcase_set_timeout(sets, 60);
	tcase_add_test(sets, little_memory);
	tcase_add_test(sets, what_is_reserved_does_not_grow);
	tcase_add_test(sets, holds_what_was_added);
	tcase_add_test(sets, each_bit_counts);
	tcase_add_test(sets, crowds);
	tcase_add_loop_test(sets, agrees_with_a_model, 0, 4);
	suite_add_tcase(suite, sets);
}

int main(void)
{
	Suite *suite = suite_create("idset");
	add_cases(suite);
	return unit_run(suite);
}
