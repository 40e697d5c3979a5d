/* What the tests of encodings share: three records in one part of a request. */
#ifndef TRAWLD_TESTS_HTTP_ENCODING_FIXTURE_H
#define TRAWLD_TESTS_HTTP_ENCODING_FIXTURE_H

#include "base/digest.h"
#include "base/mem.h"
#include "check_unit.h"
#include "sink/http/http_encoding.h"

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
#define TIME (INT64_C(1765455797) * NSEC_PER_SEC + 460366001)

/* Three records: one with everything, one with the least, one with what is hard to keep. */
#define FIRST "{\"a\":1e400,\"a\":20481.835938,\"s\":\"\\ud800 \\\"x\\\\\",\"u\":\"\xc3\xa9\"}"
#define SECOND "{}"
#define THIRD "{\"n\":18446744073709551616,\"z\":\"\\u0000\\u007f/\"}"

static struct batch *batch;
static struct sink_record records[3];
static struct http_options options;
static struct http_parts parts;
static struct http_part part;
static size_t places[] = {0, 1, 2};
static struct sink_job job;

static void setup(void)
{
	struct id key = {{0xab, 0xcd}};
	struct id key_of_id = digest_id(SLICE("id-\"1\""));
	struct batch_cursor cursor = {0};

	batch = batch_new("acme", "cloud", TIME + 5);
	batch_add(batch, slice_of(FIRST), &key_of_id, SLICE("id-\"1\""), TIME);
	batch_add(batch, slice_of(SECOND), &key, SLICE_NULL, NSEC_NONE);
	batch_add(batch, slice_of(THIRD), &key, SLICE("3"), TIME + 1);
	batch->number = 7;
	for (size_t i = 0; i < 3; i++) {
		records[i].batch = batch;
		ck_assert(batch_next(batch, &cursor, &records[i].view));
	}
	options = (struct http_options){.url = (char *)"https://h/x"};
	job = (struct sink_job){.records = records, .n_records = 3, .id = "j"};
	parts = HTTP_PARTS_NULL;
	http_parts_begin(&parts, &job);
	part = (struct http_part){&options, &parts, places, records, 3, RECORD_RAW};
}

static void teardown(void)
{
	http_parts_deinit(&parts);
	batch_unref(batch);
}

#endif
