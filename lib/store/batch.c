/*
 * A batch in memory and its encoded form, one zstd frame (level 1, with zstd's own checksum and
 * the content size) of this text, numbers little-endian:
 *
 *	u32 format, u32 n_records, u64 id_text size, u64 body size, i64 newest_time
 *	u32 size of each record, u32 id_size of each, i64 time of each
 *	id_text, body
 *
 * The file may be damaged: decoding believes nothing before it was checked, and either fills the
 * batch whole or leaves it as it was. One thread: the zstd contexts are kept between calls.
 */
#include "store/batch.h"

#include <assert.h>
#include <endian.h>
#include <zstd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "store/pool.h"

#define FORMAT 1
#define HEAD_SIZE 32
#define COLUMNS_SIZE 16 /* a record's */
#define CLAIM_BELIEVED ((size_t)4 << 20)

struct batch *batch_new(const char *source, const char *provider, nsec_t accepted_time)
{
	struct batch *batch = MEM_NEW(struct batch);

	batch->n_refs = 1;
	batch->source = mem_strdup(source);
	batch->provider = mem_strdup(provider);
	batch->accepted_time = accepted_time;
	batch->newest_time = NSEC_NONE;
	batch->keep_ids = true;
	return batch;
}

struct batch *batch_ref(struct batch *batch)
{
	batch->n_refs++;
	return batch;
}

void batch_unref(struct batch *batch)
{
	if (!batch || --batch->n_refs > 0)
		return;
	batch_pool_remove(batch);
	buf_deinit(&batch->body);
	buf_deinit(&batch->id_text);
	free(batch->records);
	free(batch->ids);
	free(batch->source);
	free(batch->provider);
	free(batch);
}

/* records and ids grow together. */
static void set_capacity(struct batch *batch, size_t capacity)
{
	batch->records = mem_resize(batch->records, capacity * sizeof(batch->records[0]));
	batch->ids = mem_resize(batch->ids, capacity * sizeof(batch->ids[0]));
	batch->capacity = capacity;
}

static void make_room(struct batch *batch)
{
	if (batch->n_records == batch->capacity)
		set_capacity(batch, batch->capacity ? 2 * batch->capacity : 16);
}

void batch_reserve(struct batch *batch, size_t n_records, size_t size)
{
	if (batch->capacity - batch->n_records < n_records)
		set_capacity(batch, batch->n_records + n_records);
	buf_reserve(&batch->body, size);
}

void batch_trim(struct batch *batch)
{
	if (batch->capacity > batch->n_records)
		set_capacity(batch, batch->n_records);
	buf_trim(&batch->body);
	buf_trim(&batch->id_text);
}

size_t batch_memory(const struct batch *batch)
{
	return sizeof(*batch) + batch->body.capacity + batch->id_text.capacity +
	       batch->capacity * (sizeof(batch->records[0]) + sizeof(batch->ids[0]));
}

void batch_add(struct batch *batch, struct slice text, const struct id *key, struct slice id_text,
	nsec_t time)
{
	int r;

	assert(batch->number == 0);
	assert(batch->n_records < UINT32_MAX);
	assert(text.size <= UINT32_MAX && id_text.size <= UINT32_MAX);
	make_room(batch);
	batch->records[batch->n_records] = (struct batch_record){
		.size = (uint32_t)text.size,
		.id_size = (uint32_t)id_text.size,
		.time = time,
	};
	batch->ids[batch->n_records] = *key;
	batch->n_records++;
	if (time > batch->newest_time)
		batch->newest_time = time;
	r = buf_append_slice(&batch->body, text);
	if (!r)
		r = buf_append_char(&batch->body, '\n');
	if (!r && id_text.size > 0)
		r = buf_append_slice(&batch->id_text, id_text);
	assert(!r); /* these buffers have no ceiling */
}

bool batch_next(const struct batch *batch, struct batch_cursor *cursor, struct batch_view *ret)
{
	const struct batch_record *record;

	if (cursor->index >= batch->n_records)
		return false;
	record = &batch->records[cursor->index];
	*ret = (struct batch_view){
		.index = cursor->index,
		.text = {buf_text(&batch->body) + cursor->body_offset, record->size},
		.key = &batch->ids[cursor->index],
		.time = record->time,
	};
	if (record->id_size > 0)
		ret->id = (struct slice){
			buf_text(&batch->id_text) + cursor->id_offset, record->id_size};
	cursor->index++;
	cursor->body_offset += (size_t)record->size + 1;
	cursor->id_offset += record->id_size;
	return true;
}

struct slice batch_id_text(const struct batch_view *view, char scratch[33])
{
	if (view->id.data)
		return view->id;
	digest_hex(view->key, sizeof(*view->key), scratch);
	return (struct slice){scratch, 2 * sizeof(*view->key)};
}

static void put_u32(char *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static void put_u64(char *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t get_u32(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static uint64_t get_u64(const char *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

static void compress_part(
	ZSTD_CCtx *context, struct slice part, ZSTD_EndDirective directive, struct buf *out)
{
	const size_t step = ZSTD_CStreamOutSize();
	ZSTD_inBuffer input = {part.data, part.size, 0};
	ZSTD_outBuffer output;
	size_t left;

	do {
		output = (ZSTD_outBuffer){buf_reserve(out, step), step, 0};
		assert(output.dst);
		left = ZSTD_compressStream2(context, &output, &input, directive);
		if (ZSTD_isError(left)) /* no other cause is left */
			mem_exhausted();
		out->size += output.pos;
	} while (directive == ZSTD_e_end ? left > 0 : input.pos < input.size);
}

void batch_encode(const struct batch *batch, struct buf *out)
{
	static ZSTD_CCtx *context;
	const size_t n = batch->n_records;
	const size_t columns_size = HEAD_SIZE + n * COLUMNS_SIZE;
	char *columns = mem_alloc(columns_size);
	char *sizes = columns + HEAD_SIZE, *id_sizes = sizes + 4 * n, *times = id_sizes + 4 * n;

	assert(columns_size + batch->id_text.size + batch->body.size <= BATCH_SIZE_MAX);
	put_u32(columns, FORMAT);
	put_u32(columns + 4, (uint32_t)n);
	put_u64(columns + 8, batch->id_text.size);
	put_u64(columns + 16, batch->body.size);
	put_u64(columns + 24, (uint64_t)batch->newest_time);
	for (size_t i = 0; i < n; i++) {
		put_u32(sizes + 4 * i, batch->records[i].size);
		put_u32(id_sizes + 4 * i, batch->records[i].id_size);
		put_u64(times + 8 * i, (uint64_t)batch->records[i].time);
	}
	if (!context) {
		context = ZSTD_createCCtx();
		if (!context)
			mem_exhausted();
		ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1);
		ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	}
	ZSTD_CCtx_reset(context, ZSTD_reset_session_only);
	ZSTD_CCtx_setPledgedSrcSize(context, columns_size + batch->id_text.size + batch->body.size);
	compress_part(context, (struct slice){columns, columns_size}, ZSTD_e_continue, out);
	compress_part(context, buf_slice(&batch->id_text), ZSTD_e_continue, out);
	compress_part(context, buf_slice(&batch->body), ZSTD_e_end, out);
	free(columns);
}

/*
 * The size that the frame claims is a ceiling, and up to CLAIM_BELIEVED what is reserved; beyond it
 * memory grows with what really comes out, so a damaged head cannot ask for more than the content
 * is worth.
 */
static const char *decompress(struct slice encoded, struct buf *out)
{
	static ZSTD_DCtx *context;
	const unsigned long long claimed = ZSTD_getFrameContentSize(encoded.data, encoded.size);
	const size_t step = ZSTD_DStreamOutSize();
	ZSTD_inBuffer input = {encoded.data, encoded.size, 0};
	ZSTD_outBuffer output;
	size_t left = 1;

	if (claimed == ZSTD_CONTENTSIZE_ERROR || claimed == ZSTD_CONTENTSIZE_UNKNOWN)
		return "not a compressed batch";
	if (claimed > BATCH_SIZE_MAX)
		return "too large";
	if (!context)
		context = ZSTD_createDCtx();
	if (!context)
		mem_exhausted();
	ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
	buf_reserve(out, (claimed < CLAIM_BELIEVED ? (size_t)claimed : CLAIM_BELIEVED) + step);
	while (left > 0) {
		output = (ZSTD_outBuffer){buf_reserve(out, step), step, 0};
		if (!output.dst)
			return "too large";
		left = ZSTD_decompressStream(context, &output, &input);
		if (ZSTD_isError(left))
			return ZSTD_getErrorName(left);
		out->size += output.pos;
		if (out->size > claimed)
			return "larger than it says";
		if (left > 0 && output.pos == 0 && input.pos == input.size)
			return "cut short";
	}
	if (input.pos != input.size)
		return "followed by other bytes";
	return out->size == claimed ? NULL : "smaller than it says";
}

/* The columns of N records into RECORDS; their sums must be the sizes that the head gives. */
static const char *read_columns(
	const char *columns, size_t n, uint64_t id_size, uint64_t body_size, struct batch *ret)
{
	const char *sizes = columns, *id_sizes = sizes + 4 * n, *times = id_sizes + 4 * n;
	uint64_t id_sum = 0, body_sum = 0;

	for (size_t i = 0; i < n; i++) {
		ret->records[i].size = get_u32(sizes + 4 * i);
		ret->records[i].id_size = get_u32(id_sizes + 4 * i);
		ret->records[i].time = (nsec_t)get_u64(times + 8 * i);
		body_sum += (uint64_t)ret->records[i].size + 1;
		id_sum += ret->records[i].id_size;
	}
	return body_sum == body_size && id_sum == id_size ? NULL : "sizes do not add up";
}

/* Every record's line feed where it must stand. */
static const char *check_body(const struct batch *batch, const char *body)
{
	size_t offset = 0;

	for (size_t i = 0; i < batch->n_records; i++) {
		offset += batch->records[i].size;
		if (body[offset++] != '\n')
			return "a record does not end where it should";
	}
	return NULL;
}

/* Takes the text in PLAIN apart into the empty RET; its buffer becomes the body. */
static const char *take_apart(struct buf *plain, struct slice ids, struct batch *ret)
{
	const char *why;
	uint64_t claimed_ids, claimed_body;
	size_t n, id_size, body_size, body_at, rest = plain->size;

	if (rest < HEAD_SIZE || get_u32(plain->data) != FORMAT)
		return "of an unknown format";
	n = get_u32(plain->data + 4);
	claimed_ids = get_u64(plain->data + 8);
	claimed_body = get_u64(plain->data + 16);
	rest -= HEAD_SIZE;
	if (rest / COLUMNS_SIZE < n)
		return "cut short";
	rest -= n * COLUMNS_SIZE;
	if (claimed_ids > rest || claimed_body != rest - claimed_ids)
		return "sizes do not add up";
	id_size = (size_t)claimed_ids;
	body_size = (size_t)claimed_body;
	if (ids.size != n * sizeof(ret->ids[0]))
		return "its keys are missing";
	ret->records = mem_array(n, sizeof(ret->records[0]));
	ret->ids = mem_array(n, sizeof(ret->ids[0]));
	ret->n_records = ret->capacity = n;
	ret->newest_time = (nsec_t)get_u64(plain->data + 24);
	why = read_columns(plain->data + HEAD_SIZE, n, id_size, body_size, ret);
	body_at = plain->size - body_size;
	if (!why)
		why = check_body(ret, plain->data + body_at);
	if (why)
		return why;
	if (n > 0)
		memcpy(ret->ids, ids.data, ids.size);
	if (id_size > 0)
		buf_append(&ret->id_text, plain->data + body_at - id_size, id_size);
	memmove(plain->data, plain->data + body_at, body_size);
	plain->size = body_size;
	plain->data[plain->size] = '\0';
	plain->limit = 0;
	ret->body = *plain;
	*plain = BUF_NULL;
	batch_trim(ret);
	return NULL;
}

int batch_decode(struct batch *batch, struct slice encoded, struct slice ids, struct fault *reterr)
{
	struct buf plain = BUF_LIMITED(BATCH_SIZE_MAX + ZSTD_BLOCKSIZE_MAX);
	const char *why;

	assert(batch->n_records == 0);
	why = decompress(encoded, &plain);
	if (!why)
		why = take_apart(&plain, ids, batch);
	buf_deinit(&plain);
	if (!why)
		return 0;
	free(batch->records);
	free(batch->ids);
	batch->records = NULL;
	batch->ids = NULL;
	batch->n_records = batch->capacity = 0;
	batch->newest_time = NSEC_NONE;
	return fault_set(reterr, FAULT_STORE, "a stored batch is damaged (%s)", why);
}
