/* Syslog messages: the RFCs' rules to the byte, and input that would like to be two messages. */
#include "sink/syslog/syslog_format.h"

#include "check_unit.h"

#include "base/digest.h"
#include "base/timestamp.h"
#include "sink/syslog/syslog_address.h"
#include "sink/syslog/syslog_severity.h"

static struct batch *batch;
static struct sink_record record;
static struct syslog_style style;

static void make(const char *source, struct slice id, nsec_t time, struct slice text)
{
	struct id key = digest_id(text);
	struct batch_cursor cursor = {0};

	batch = batch_new(source, "acme", 0);
	batch_add(batch, text, &key, id, time);
	record.batch = batch;
	ck_assert(batch_next(batch, &cursor, &record.view));
	syslog_style_init(&style, "host.example.net", "trawld");
	style.facility = 16;
}

static void drop(void)
{
	batch_unref(batch);
	syslog_style_deinit(&style);
}

static nsec_t time_of(const char *text)
{
	nsec_t time;

	ck_assert_int_eq(timestamp_parse_rfc3339(slice_of(text), &time), 0);
	return time;
}

static void ck_message(const char *wanted)
{
	struct buf out = BUF_NULL;

	ck_assert(!syslog_format(&style, 6, &record, 0, 0, &out));
	ck_assert_str_eq(buf_text(&out), wanted);
	ck_assert_uint_eq(out.size, strlen(wanted));
	buf_deinit(&out);
}

START_TEST(a_message_of_rfc_5424)
{
	make("prod", SLICE("e-1"), time_of("2025-12-11T13:23:17.460366999+01:00"),
		SLICE("{\"a\":\"\xc3\xa9\"}"));
	ck_message("<134>1 2025-12-11T12:23:17.460366Z host.example.net trawld - prod "
		   "[trawld@32473 source=\"prod\" provider=\"acme\" id=\"e-1\"] "
		   "{\"a\":\"\xc3\xa9\"}");
	style.enterprise_id = 4294967295;
	ck_message("<134>1 2025-12-11T12:23:17.460366Z host.example.net trawld - prod "
		   "[trawld@4294967295 source=\"prod\" provider=\"acme\" id=\"e-1\"] "
		   "{\"a\":\"\xc3\xa9\"}");
	style.enterprise_id = SYSLOG_ENTERPRISE_ID;
	style.format = RECORD_ENVELOPE;
	ck_message("<134>1 2025-12-11T12:23:17.460366Z host.example.net trawld - prod "
		   "[trawld@32473 source=\"prod\" provider=\"acme\" id=\"e-1\"] "
		   "{\"source\":\"prod\",\"provider\":\"acme\",\"id\":\"e-1\","
		   "\"time\":\"2025-12-11T12:23:17.460366999Z\","
		   "\"record\":{\"a\":\"\xc3\xa9\"}}");
	drop();
}
END_TEST

START_TEST(no_time)
{
	make("prod", SLICE("e-1"), NSEC_NONE, SLICE("1"));
	ck_message("<134>1 - host.example.net trawld - prod "
		   "[trawld@32473 source=\"prod\" provider=\"acme\" id=\"e-1\"] 1");
	drop();
}
END_TEST

/* RFC 5424 section 6.3.3 */
START_TEST(hostile_ids)
{
	make("prod", SLICE("a\"b\\c]d\n<0>1 x\r\0\x7f\xc3\xa9\xff\xed\xa0\x80\xc0\xaf"), NSEC_NONE,
		SLICE("1"));
	ck_message("<134>1 - host.example.net trawld - prod [trawld@32473 source=\"prod\" "
		   "provider=\"acme\" id=\"a\\\"b\\\\c\\]d#012<0>1 x#015#000#177\xc3\xa9#377"
		   "#355#240#200#300#257\"] 1");
	drop();
}
END_TEST

START_TEST(hostile_names)
{
	make("a b\n]\"\xc3\xa9"
	     "0123456789012345678901234567890123456789",
		SLICE("i"), NSEC_NONE, SLICE("1"));
	syslog_style_deinit(&style);
	syslog_style_init(&style, "my host\n<1>", "");
	ck_message("<6>1 - my_host_<1> - - a_b_]\"__012345678901234567890123 [trawld@32473 "
		   "source=\"a b#012\\]\\\"\xc3\xa9"
		   "0123456789012345678901234567890123456789\" provider=\"acme\" id=\"i\"] 1");
	drop();
}
END_TEST

/* The longest of everything: still below what limits count on. */
START_TEST(header_is_bounded)
{
	char id[4000], name[400];
	struct buf out = BUF_NULL;

	memset(id, '\n', sizeof(id));
	memset(name, '"', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	make(name, (struct slice){id, sizeof(id)}, time_of("2025-12-11T13:23:17Z"), SLICE("1"));
	syslog_style_deinit(&style);
	syslog_style_init(&style, name, name);
	style.facility = 23;
	free(batch->provider);
	batch->provider = strdup(name);
	ck_assert(!syslog_format(&style, 7, &record, 0, 0, &out));
	ck_assert_uint_lt(out.size, SYSLOG_HEADER_MAX);
	buf_deinit(&out);
	drop();
}
END_TEST

START_TEST(cut_between_characters)
{
	char text[8192];
	struct buf out = BUF_NULL;

	text[0] = '"';
	for (size_t i = 1; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	make("prod", SLICE("i"), NSEC_NONE, (struct slice){text, sizeof(text) - 4});
	for (size_t limit = 2048; limit < 2060; limit++) {
		const char *message;

		buf_clear(&out);
		ck_assert(syslog_format(&style, 6, &record, 0, limit, &out));
		ck_assert_uint_le(out.size, limit);
		ck_assert_uint_gt(out.size, limit - 3);
		message = strstr(buf_text(&out), "id=\"i\" truncated=\"true\"] \"\xe2\x82\xac");
		ck_assert_ptr_nonnull(message);
		message += strlen("id=\"i\" truncated=\"true\"] \"");
		ck_assert_uint_eq((out.size - (size_t)(message - out.data)) % 3, 0);
	}
	buf_clear(&out); /* whole: not marked */
	ck_assert(!syslog_format(&style, 6, &record, 0, 8400, &out));
	ck_assert_ptr_null(strstr(buf_text(&out), "truncated"));
	buf_deinit(&out);
	drop();
}
END_TEST

/* Appends: what was there stays, and does not count. */
START_TEST(appends)
{
	struct buf out = BUF_NULL;

	make("prod", SLICE("i"), NSEC_NONE, SLICE("\"x\""));
	buf_append_text(&out, "12 ");
	ck_assert(!syslog_format(&style, 6, &record, 0, 2048, &out));
	ck_assert_int_eq(strncmp(buf_text(&out), "12 <134>1 ", 10), 0);
	buf_deinit(&out);
	drop();
}
END_TEST

START_TEST(a_message_of_rfc_3164)
{
	setenv("TZ", "UTC", 1);
	make("prod", SLICE("i"), time_of("2025-02-03T04:05:06.7Z"), SLICE("{\"d\":\"\x7f\"}"));
	style.rfc = SYSLOG_RFC3164;
	style.facility = 4;
	ck_message("<38>Feb  3 04:05:06 host.example.net trawld[prod]: {\"d\":\"\\u007f\"}");
	drop();
	make("a]b:c", SLICE("i"), NSEC_NONE, SLICE("1"));
	style.rfc = SYSLOG_RFC3164;
	ck_message("<134>Jan  1 00:00:00 host.example.net trawld[a_b_c]: 1");
	drop();
	make("prod", SLICE("i"), time_of("1969-12-31T23:59:59.5Z"), SLICE("1"));
	style.rfc = SYSLOG_RFC3164;
	ck_message("<134>Dec 31 23:59:59 host.example.net trawld[prod]: 1");
	drop();
}
END_TEST

/* No byte that ends a message, in any form, whatever stands in the record. */
START_TEST(nothing_ends_a_message)
{
	char text[256];
	struct buf out = BUF_NULL;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	make("prod", (struct slice){text, sizeof(text)}, NSEC_NONE,
		(struct slice){text, sizeof(text)});
	for (int form = 0; form < 2; form++) {
		style.plain = form == 0;
		style.rfc = form == 0 ? SYSLOG_RFC5424 : SYSLOG_RFC3164;
		buf_clear(&out);
		syslog_format(&style, 6, &record, 0, 0, &out);
		for (size_t i = 0; i < out.size; i++) {
			ck_assert_uint_ge((unsigned char)out.data[i], 0x20);
			ck_assert_uint_ne((unsigned char)out.data[i], 0x7f);
		}
	}
	style.plain = false; /* octet counting: the text is what it was */
	style.rfc = SYSLOG_RFC5424;
	buf_clear(&out);
	syslog_format(&style, 6, &record, 0, 0, &out);
	ck_assert_int_eq(memcmp(out.data + out.size - sizeof(text), text, sizeof(text)), 0);
	buf_deinit(&out);
	drop();
}
END_TEST

START_TEST(names_and_numbers)
{
	unsigned number = 99;

	ck_assert(syslog_facility_parse(SLICE("local0"), &number) && number == 16);
	ck_assert(syslog_facility_parse(SLICE("AuthPriv"), &number) && number == 10);
	ck_assert(syslog_facility_parse(SLICE("23"), &number) && number == 23);
	ck_assert(!syslog_facility_parse(SLICE("24"), &number));
	ck_assert(!syslog_facility_parse(SLICE("local"), &number));
	ck_assert(!syslog_facility_parse(SLICE(""), &number));
	ck_assert(syslog_severity_parse(SLICE("warn"), true, &number) && number == 4);
	ck_assert(syslog_severity_parse(SLICE("0"), true, &number) && number == 0);
	ck_assert(!syslog_severity_parse(SLICE("0"), false, &number));
	ck_assert(!syslog_severity_parse(SLICE("8"), true, &number));
}
END_TEST

START_TEST(severity_of_a_record)
{
	static const struct {
		const char *text;
		unsigned severity;
	} cases[] = {
		{"{\"a\":{\"b\":404}}", 4},
		{"{\"a\":{\"b\":\"503\"}}", 3},
		{"{\"a\":{\"b\":\"x=y\"}}", 1},
		{"{\"a\":{\"b\":\"Critical\"}}", 2},
		{"{\"a\":{\"b\":2}}", 5},
		{"{\"a\":{\"b\":[5]}}", 5},
		{"{\"a\":{\"c\":404}}", 5},
		{"[1]", 5},
		{"broken", 5},
	};
	struct syslog_severity *severity;
	struct str_list map = STR_LIST_NULL;
	struct fault fault;
	const char *key;

	str_list_split(&map, SLICE("404=warning, 5?? = 3, x=*=alert"), ',');
	ck_assert_int_eq(syslog_severity_new(&severity, "/a/b", &map, 5, &key, &fault), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_uint_eq(
			syslog_severity_of(severity, slice_of(cases[i].text)), cases[i].severity);
	syslog_severity_free(severity);
	ck_assert_int_ne(syslog_severity_new(&severity, NULL, &map, 5, &key, &fault), 0);
	ck_assert_str_eq(key, "severity_map");
	str_list_add(&map, "no sign");
	ck_assert_int_ne(syslog_severity_new(&severity, "/a/b", &map, 5, &key, &fault), 0);
	str_list_deinit(&map);
	ck_assert_int_ne(syslog_severity_new(&severity, "a/b", &map, 5, &key, &fault), 0);
	ck_assert_str_eq(key, "severity_from");
	ck_assert_int_eq(syslog_severity_new(&severity, NULL, &map, 5, &key, &fault), 0);
	ck_assert_uint_eq(syslog_severity_of(severity, SLICE("{}")), 5);
	syslog_severity_free(severity);
}
END_TEST

START_TEST(addresses)
{
	static const struct {
		const char *text;
		enum http_stream_kind kind;
		bool relp;
		const char *target; /* NULL: refused */
	} cases[] = {
		{"udp://h", HTTP_STREAM_UDP, false, "h:514"},
		{"tcp://10.0.0.1:1514", HTTP_STREAM_TCP, false, "10.0.0.1:1514"},
		{"tls://logs.example.net", HTTP_STREAM_TLS, false, "logs.example.net:6514"},
		{"relp://[::1]", HTTP_STREAM_TCP, true, "[::1]:2514"},
		{"relps://[fe80::1]:99", HTTP_STREAM_TLS, true, "[fe80::1]:99"},
		{"unix:/dev/log", HTTP_STREAM_UNIX, false, "/dev/log"},
		{"unix:///dev/log", HTTP_STREAM_UNIX, false, "/dev/log"},
		{"unix:dev/log", 0, false, NULL},
		{"tcp://", 0, false, NULL},
		{"tcp://h:", 0, false, NULL},
		{"tcp://h:x", 0, false, NULL},
		{"tcp://h:99999", 0, false, NULL},
		{"tcp://user@h", 0, false, NULL},
		{"tcp://h/path", 0, false, NULL},
		{"tcp://[::1", 0, false, NULL},
		{"tcp://[]:1", 0, false, NULL},
		{"http://h", 0, false, NULL},
		{"", 0, false, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct syslog_address address = {0};
		struct fault fault = FAULT_NULL;
		int r = syslog_address_parse(&address, cases[i].text, &fault);

		ck_assert_msg((r == 0) == (cases[i].target != NULL), "%s", cases[i].text);
		if (r == 0) {
			ck_assert_str_eq(address.target, cases[i].target);
			ck_assert_int_eq(address.kind, cases[i].kind);
			ck_assert_int_eq(address.relp, cases[i].relp);
		}
		syslog_address_deinit(&address);
	}
}
END_TEST

UNIT_MAIN("syslog_format", a_message_of_rfc_5424, no_time, hostile_ids, hostile_names,
	header_is_bounded, cut_between_characters, appends, a_message_of_rfc_3164,
	nothing_ends_a_message, names_and_numbers, severity_of_a_record, addresses)
