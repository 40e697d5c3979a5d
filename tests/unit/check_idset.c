/* The set of record keys. */
#include "base/idset.h"

#include "base/digest.h"
#include "check_unit.h"

static struct id id_of(uint64_t n)
{
	return digest_id((struct slice){(const char *)&n, sizeof(n)});
}

/* A power of two, never fuller than three quarters; what is reserved does not grow again. */
START_TEST(grows_in_time)
{
	struct idset set = IDSET_NULL, reserved = IDSET_NULL;
	idset_reserve(&reserved, 5000);
	size_t n_slots = reserved.n_slots;
	for (uint64_t n = 0; n < 5000; n++) {
		struct id id = id_of(n);
		idset_add(&set, &id);
		idset_add(&reserved, &id);
		ck_assert_uint_eq(set.n_slots & (set.n_slots - 1), 0);
		ck_assert_msg(set.n_ids <= set.n_slots / 4 * 3, "%zu of %zu slots", set.n_ids,
			set.n_slots);
	}
	ck_assert_uint_eq(reserved.n_slots, n_slots);
	idset_reserve(&reserved, 10);
	ck_assert_uint_eq(reserved.n_slots, n_slots);
	idset_deinit(&set);
	idset_deinit(&reserved);
}
END_TEST

START_TEST(holds_what_was_added)
{
	struct idset set = IDSET_NULL;
	struct id id = id_of(0);
	ck_assert(!idset_has(&set, &id));
	for (uint64_t n = 0; n < 100000; n++) {
		id = id_of(n);
		ck_assert(idset_add(&set, &id));
		ck_assert(!idset_add(&set, &id));
	}
	ck_assert_uint_eq(set.n_ids, 100000);
	for (uint64_t n = 0; n < 200000; n++) {
		id = id_of(n);
		ck_assert(idset_has(&set, &id) == (n < 100000));
	}
	idset_clear(&set);
	ck_assert(!idset_has(&set, &id));
	idset_deinit(&set);
}
END_TEST

START_TEST(zero_and_neighbours)
{
	struct idset set = IDSET_NULL;
	struct id zero = {{0}};
	ck_assert(!idset_has(&set, &zero));
	ck_assert(idset_add(&set, &zero));
	ck_assert(!idset_add(&set, &zero));
	ck_assert(idset_has(&set, &zero));
	/* all begin with the same bytes: one cluster */
	idset_reserve(&set, 1000);
	for (unsigned n = 1; n <= 1000; n++) {
		struct id id = {{0}};
		id.bytes[15] = (uint8_t)n;
		id.bytes[14] = (uint8_t)(n >> 8);
		ck_assert(idset_add(&set, &id));
	}
	ck_assert_uint_eq(set.n_ids, 1001);
	idset_deinit(&set);
}
END_TEST

UNIT_MAIN("idset", grows_in_time, holds_what_was_added, zero_and_neighbours)
