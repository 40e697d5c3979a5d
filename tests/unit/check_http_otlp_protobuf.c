/* OpenTelemetry logs as protocol buffers: what is sent, to the byte, and what is read in answers.
 */
#include "sink/http/http_encoding.h"

#include "http_encoding_fixture.h"

static void ck_refused(size_t index, const char *reason)
{
	ck_assert_ptr_nonnull(parts.reasons);
	ck_assert_ptr_nonnull(parts.reasons[index]);
	ck_assert_str_eq(parts.reasons[index], reason);
}

/* The three records, encoded by another program. */
static const char protobuf_wanted[] =
	"0ae0030a1a0a180a0c736572766963652e6e616d6512080a06747261776c6412c1030a080a0674726177"
	"6c6412a10109b17247aab12880182a3a0a387b2261223a31653430302c2261223a32303438312e383335"
	"3933382c2273223a225c7564383030205c22785c5c222c2275223a22c3a9227d32170a0d747261776c64"
	"2e736f7572636512060a0461636d65321a0a0f747261776c642e70726f766964657212070a05636c6f75"
	"64321c0a10747261776c642e7265636f72645f696412080a0669642d22312259b67247aab1288018127c"
	"2a040a027b7d32170a0d747261776c642e736f7572636512060a0461636d65321a0a0f747261776c642e"
	"70726f766964657212070a05636c6f756432360a10747261776c642e7265636f72645f696412220a2061"
	"6263643030303030303030303030303030303030303030303030303030303059b67247aab12880181292"
	"0109b27247aab12880182a300a2e7b226e223a31383434363734343037333730393535313631362c227a"
	"223a225c75303030305c75303037662f227d32170a0d747261776c642e736f7572636512060a0461636d"
	"65321a0a0f747261776c642e70726f766964657212070a05636c6f756432170a10747261776c642e7265"
	"636f72645f696412030a013359b67247aab1288018";

START_TEST(otlp_protobuf)
{
	struct buf out = BUF_NULL, hex = BUF_NULL;

	options.encoding = 5;
	options.otlp_format = 1;
	ck_assert_ptr_eq(http_encoding_of(&options), &http_otlp_protobuf);
	http_otlp_protobuf.write(&part, &out);
	for (size_t i = 0; i < out.size; i++)
		buf_printf(&hex, "%02x", (unsigned char)out.data[i]);
	ck_assert_str_eq(buf_text(&hex), protobuf_wanted);
	buf_deinit(&out);
	buf_deinit(&hex);
}
END_TEST

#define ANSWER(text) text, sizeof(text) - 1

static const struct {
	const char *answer;
	size_t size, n_refused;
	const char *reason;
} protobuf_rows[] = {
	{ANSWER(""), 0, NULL},
	{ANSWER("\x0a\0"), 0, NULL},
	{ANSWER("\x0a\x06\x12\x04slow"), 0, NULL},
	{ANSWER("\x0a\x09\x08\x02\x12\x05no \"w"), 3,
		"the receiver rejected 2 of the 3 records of a request and did not say which; all "
		"are kept here: no \"w"},
	{ANSWER("\x0a\x02\x08\x03"), 3, "the receiver rejected every record of the request"},
	{ANSWER("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 3,
		"the receiver rejected records of a request and did not say how many; all 3 are "
		"kept here"},
	/* fields that are not known are passed over */
	{ANSWER("\x11"
		"12345678"
		"\x1d"
		"1234"
		"\x20\x07"
		"\x0a\x02\x08\x03"),
		3, "the receiver rejected every record of the request"},
	/* an answer in JSON, and in no form */
	{ANSWER("{\"partialSuccess\":{\"rejectedLogRecords\":3}}"), 3,
		"the receiver rejected every record of the request"},
	{ANSWER("{}"), 0, NULL},
	{ANSWER("ok"), 0, NULL},
	{ANSWER("\x0a\x7f\x08\x03"), 0, NULL},
	{ANSWER("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 0, NULL},
};

START_TEST(otlp_protobuf_answers)
{
	struct http_response response = {.status = 200, .server_time = NSEC_NONE};
	struct fault fault = FAULT_NULL;

	buf_append(&response.body, protobuf_rows[_i].answer, protobuf_rows[_i].size);
	ck_assert_int_eq(http_otlp_protobuf.read(&part, &response, &fault), 0);
	ck_assert_uint_eq(parts.n_refused, protobuf_rows[_i].n_refused);
	for (size_t i = 0; i < protobuf_rows[_i].n_refused; i++)
		ck_refused(i, protobuf_rows[_i].reason);
	buf_deinit(&response.body);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_otlp_protobuf");
	TCase *tcase = tcase_create("http_otlp_protobuf");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, otlp_protobuf);
	tcase_add_loop_test(tcase, otlp_protobuf_answers, 0, N(protobuf_rows));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
