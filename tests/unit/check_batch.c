/* Batches: filling, walking, and an encoding that survives everything but believes nothing. */
#include "store/batch.h"

#include <endian.h>
#include <zstd.h>

#include "store_fixture.h"

static struct slice ids_of(const struct batch *batch)
{
	return (struct slice){batch->ids ? (const char *)batch->ids : "",
		batch->n_records * sizeof(batch->ids[0])};
}

START_TEST(walk_gives_what_was_added)
{
	static const struct {
		const char *text, *id;
		nsec_t time;
	} rows[] = {
		{"{\"a\":1e400}", "id-1", 5},
		{"{}", NULL, NSEC_NONE},
		{"\"\\u00e9\\/\"", "i", 9},
		{"12345678901234567890", NULL, 7},
	};
	const size_t n = sizeof(rows) / sizeof(rows[0]);
	struct batch *batch = batch_new("acme", "outscale", 42);
	struct batch_cursor cursor = {0};
	struct batch_view view;
	char scratch[33];
	size_t i = 0;

	for (size_t k = 0; k < n; k++) {
		struct id key = {{(uint8_t)k, 0xab}};

		batch_add(batch, slice_of(rows[k].text), &key, slice_of(rows[k].id), rows[k].time);
	}
	ck_assert_int_eq(batch->newest_time, 9);
	ck_assert_str_eq(batch->source, "acme");
	ck_assert_str_eq(batch->provider, "outscale");
	ck_assert(batch->keep_ids);
	for (; batch_next(batch, &cursor, &view); i++) {
		ck_assert_uint_eq(view.index, i);
		ck_assert_msg(slice_is(view.text, rows[i].text), "text of %zu", i);
		ck_assert_msg(view.time == rows[i].time, "time of %zu", i);
		ck_assert_msg(view.key->bytes[0] == i, "key of %zu", i);
		if (rows[i].id)
			ck_assert_msg(slice_is(batch_id_text(&view, scratch), rows[i].id),
				"ID of %zu", i);
		else
			ck_assert_msg(!view.id.data, "no ID of %zu", i);
	}
	ck_assert_uint_eq(i, n);
	batch_unref(batch);
}
END_TEST

START_TEST(id_text_falls_back_to_hex)
{
	struct batch *batch = batch_new("s", "p", 0);
	struct id key = {{0x00, 0x1f, 0xff}};
	struct batch_cursor cursor = {0};
	struct batch_view view;
	char scratch[33];

	batch_add(batch, SLICE("1"), &key, SLICE_NULL, NSEC_NONE);
	ck_assert(batch_next(batch, &cursor, &view));
	ck_assert(slice_is(batch_id_text(&view, scratch), "001fff00000000000000000000000000"));
	ck_assert_int_eq(batch->newest_time, NSEC_NONE);
	batch_unref(batch);
}
END_TEST

START_TEST(references_are_counted)
{
	struct batch *batch = batch_new("s", "p", 0);

	ck_assert_ptr_eq(batch_ref(batch), batch);
	batch_unref(batch);
	ck_assert_str_eq(batch->source, "s");
	batch_unref(batch);
	batch_unref(NULL);
}
END_TEST

/* --- round trips --- */

static const struct {
	size_t n_records;
	size_t text_size; /* of the i-th: up to this */
	bool with_ids;
} shapes[] = {
	{0, 0, false},
	{1, 0, false},
	{1, 1, true},
	{1, 3 << 20, true},
	{17, 40, true},
	{1000, 200, true},
	{1000, 200, false},
	{20000, 30, true},
};

static struct batch *shaped(size_t n_records, size_t text_size, bool with_ids)
{
	struct batch *batch = batch_new("s", "p", 77);
	char *text = mem_alloc(text_size + 1);
	char id[32];

	for (size_t i = 0; i < n_records; i++) {
		size_t size = text_size ? text_size - i % (text_size / 2 + 1) : 0;
		struct id key;
		int id_size = snprintf(id, sizeof(id), "id-%zu", i * 7919);

		for (size_t k = 0; k < size; k++)
			text[k] = (char)('a' + (i * 31 + k * k) % 23);
		key = digest_id((struct slice){id, (size_t)id_size});
		batch_add(batch, (struct slice){text, size}, &key,
			with_ids && i % 5 ? (struct slice){id, (size_t)id_size} : SLICE_NULL,
			i % 3 ? (nsec_t)(1700000000 + i) * NSEC_PER_SEC : NSEC_NONE);
	}
	free(text);
	return batch;
}

static void assert_same(const struct batch *a, const struct batch *b, int row)
{
	ck_assert_msg(a->n_records == b->n_records, "row %d: records", row);
	ck_assert_msg(a->newest_time == b->newest_time, "row %d: newest", row);
	ck_assert_msg(slice_equal(buf_slice(&a->body), buf_slice(&b->body)), "row %d: body", row);
	ck_assert_msg(
		slice_equal(buf_slice(&a->id_text), buf_slice(&b->id_text)), "row %d: IDs", row);
	ck_assert_msg(slice_equal(ids_of(a), ids_of(b)), "row %d: keys", row);
	for (size_t i = 0; i < a->n_records; i++)
		ck_assert_msg(a->records[i].size == b->records[i].size &&
				      a->records[i].id_size == b->records[i].id_size &&
				      a->records[i].time == b->records[i].time,
			"row %d: record %zu", row, i);
}

START_TEST(decode_undoes_encode)
{
	struct batch *batch =
		shaped(shapes[_i].n_records, shapes[_i].text_size, shapes[_i].with_ids);
	struct batch *copy = batch_new("s", "p", 77);
	struct buf encoded = BUF_NULL;
	struct fault fault = FAULT_NULL;
	int r;

	buf_append_text(&encoded, "in front");
	batch_encode(batch, &encoded);
	r = batch_decode(
		copy, (struct slice){encoded.data + 8, encoded.size - 8}, ids_of(batch), &fault);
	ck_assert_msg(r == 0, "row %d: %s", _i, fault.text);
	assert_same(batch, copy, _i);
	ck_assert_msg(copy->body.size == 0 || copy->body.data[copy->body.size] == '\0',
		"row %d: end of body", _i);
	buf_deinit(&encoded);
	batch_unref(batch);
	batch_unref(copy);
}
END_TEST

/* --- damage --- */

static bool decodes(struct slice encoded, struct slice ids)
{
	struct batch *copy = batch_new("s", "p", 77);
	struct fault fault = FAULT_NULL;
	int r = batch_decode(copy, encoded, ids, &fault);

	if (r != 0) {
		ck_assert_int_eq(unit_class(r, &fault), FAULT_STORE);
		ck_assert_uint_gt(strlen(fault.text), 0);
		ck_assert_uint_eq(copy->n_records, 0);
		ck_assert_uint_eq(copy->body.size, 0);
		ck_assert_uint_eq(copy->id_text.size, 0);
	}
	batch_unref(copy);
	return r == 0;
}

START_TEST(any_flipped_bit_or_cut_is_seen)
{
	struct batch *batch = shaped(12, 50, true);
	struct buf encoded = BUF_NULL;
	char *copy;

	batch_encode(batch, &encoded);
	ck_assert(decodes(buf_slice(&encoded), ids_of(batch)));
	for (size_t size = 0; size < encoded.size; size++) {
		copy = mem_dup(encoded.data, size);
		ck_assert_msg(
			!decodes((struct slice){copy, size}, ids_of(batch)), "cut at %zu", size);
		free(copy);
	}
	copy = mem_dup(encoded.data, encoded.size);
	for (size_t bit = 0; bit < 8 * encoded.size; bit++) {
		struct batch *read = batch_new("s", "p", 77);

		copy[bit / 8] ^= (char)(1 << bit % 8);
		/* A few bits of the frame's head mean nothing to the content. */
		if (batch_decode(read, (struct slice){copy, encoded.size}, ids_of(batch), NULL) ==
			0)
			assert_same(batch, read, (int)bit);
		copy[bit / 8] ^= (char)(1 << bit % 8);
		batch_unref(read);
	}
	free(copy);
	buf_deinit(&encoded);
	batch_unref(batch);
}
END_TEST

START_TEST(bytes_after_the_end_and_missing_keys_are_seen)
{
	struct batch *batch = shaped(3, 20, true);
	struct buf encoded = BUF_NULL;
	struct slice ids = ids_of(batch);

	batch_encode(batch, &encoded);
	ck_assert(!decodes(buf_slice(&encoded), (struct slice){ids.data, ids.size - 16}));
	ck_assert(!decodes(buf_slice(&encoded), (struct slice){ids.data, 0}));
	ck_assert(!decodes(SLICE(""), SLICE("")));
	ck_assert(!decodes(SLICE("no zstd frame at all"), ids));
	batch_encode(batch, &encoded);
	ck_assert(!decodes(buf_slice(&encoded), ids)); /* two frames */
	buf_deinit(&encoded);
	batch_unref(batch);
}
END_TEST

/* Plain texts with a good frame around them: what take_apart must see. */
static const struct {
	const char *what;
	uint32_t format, n_records;
	uint64_t id_size, body_size;
	uint32_t size, text_id_size; /* of the one record */
	const char *tail; /* ID text and body */
	bool good;
} plains[] = {
	{"good", 1, 1, 2, 4, 3, 2, "idabc\n", true},
	{"format", 2, 1, 2, 4, 3, 2, "idabc\n", false},
	{"body too large", 1, 1, 2, 5, 3, 2, "idabc\n", false},
	{"body too small", 1, 1, 2, 3, 3, 2, "idabc\n", false},
	{"IDs larger than all", 1, 1, UINT64_MAX, 4, 3, 2, "idabc\n", false},
	{"sum wraps", 1, 1, 2, UINT64_MAX, 3, 2, "idabc\n", false},
	{"record too large", 1, 1, 2, 4, 4, 2, "idabc\n", false},
	{"record huge", 1, 1, 2, 4, UINT32_MAX, 2, "idabc\n", false},
	{"ID too large", 1, 1, 2, 4, 3, 3, "idabc\n", false},
	{"no line feed", 1, 1, 2, 4, 3, 2, "idabcd", false},
	{"more records than there are", 1, 2, 2, 4, 3, 2, "idabc\n", false},
	{"very many records", 1, UINT32_MAX, 2, 4, 3, 2, "idabc\n", false},
	{"no record but a body", 1, 0, 2, 4, 3, 2, "idabc\n", false},
};

static void put(struct buf *out, uint64_t value, size_t size)
{
	value = htole64(value);
	buf_append(out, &value, size);
}

START_TEST(sizes_are_checked)
{
	struct buf plain = BUF_NULL;
	char frame[256], keys[64] = {0};
	size_t size;

	put(&plain, plains[_i].format, 4);
	put(&plain, plains[_i].n_records, 4);
	put(&plain, plains[_i].id_size, 8);
	put(&plain, plains[_i].body_size, 8);
	put(&plain, 0, 8);
	put(&plain, plains[_i].size, 4);
	put(&plain, plains[_i].text_id_size, 4);
	put(&plain, 0, 8);
	buf_append_text(&plain, plains[_i].tail);
	size = ZSTD_compress(frame, sizeof(frame), plain.data, plain.size, 1);
	ck_assert(!ZSTD_isError(size));
	ck_assert_msg(decodes((struct slice){frame, size},
			      (struct slice){keys, plains[_i].n_records < 4
							   ? 16 * (size_t)plains[_i].n_records
							   : 16}) == plains[_i].good,
		"row %d: %s", _i, plains[_i].what);
	buf_deinit(&plain);
}
END_TEST

START_TEST(a_large_claim_takes_no_memory)
{
	/* Magic, descriptor (8 byte content size, single segment), size, one empty last block. */
	static const uint8_t head[] = {0x28, 0xb5, 0x2f, 0xfd, 0xe0};
	static const uint64_t claims[] = {
		UINT64_C(1) << 62, BATCH_SIZE_MAX + 1, BATCH_SIZE_MAX, 1 << 20, 1};
	static const uint8_t block[] = {0x01, 0x00, 0x00};

	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		struct buf frame = BUF_NULL;

		buf_append(&frame, head, sizeof(head));
		put(&frame, claims[i], 8);
		buf_append(&frame, block, sizeof(block));
		ck_assert_msg(!decodes(buf_slice(&frame), SLICE("")), "row %zu", i);
		buf_deinit(&frame);
	}
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *batches = tcase_create("batch");

	tcase_add_test(batches, walk_gives_what_was_added);
	tcase_add_test(batches, id_text_falls_back_to_hex);
	tcase_add_test(batches, references_are_counted);
	tcase_add_loop_test(
		batches, decode_undoes_encode, 0, (int)(sizeof(shapes) / sizeof(shapes[0])));
	tcase_add_test(batches, any_flipped_bit_or_cut_is_seen);
	tcase_add_test(batches, bytes_after_the_end_and_missing_keys_are_seen);
	tcase_add_loop_test(
		batches, sizes_are_checked, 0, (int)(sizeof(plains) / sizeof(plains[0])));
	tcase_add_test(batches, a_large_claim_takes_no_memory);
	tcase_set_timeout(batches, 60);
	suite_add_tcase(suite, batches);
}

int main(void)
{
	return fixture_main("batch", add_cases);
}
