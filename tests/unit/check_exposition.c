/* Metrics as text, and what is counted for them. */
#include "exposition.h"

#include <math.h>

#include "check_unit.h"
#include "listen_address.h"

static const char *const labels[] = {"source", "a\"b\\c\nd", "reason", "x", NULL};

static void assert_text(struct buf *out, const char *expected)
{
	ck_assert_str_eq(buf_text(out), expected);
	buf_deinit(out);
}

START_TEST(counters)
{
	struct buf out = BUF_NULL;
	struct exposition plain = {.out = &out};
	exposition_family(&plain, "x_n", EXPOSITION_COUNTER, "A \\ \"b\".");
	exposition_sample(&plain, labels, 12345678901.0);
	exposition_sample(&plain, NULL, NAN);
	exposition_end(&plain);
	assert_text(&out, "# HELP x_n_total A \\\\ \"b\".\n# TYPE x_n_total counter\n"
			  "x_n_total{source=\"a\\\"b\\\\c\\nd\",reason=\"x\"} 12345678901\n");
	struct exposition open = {.out = &out, .openmetrics = true};
	exposition_family(&open, "x_n", EXPOSITION_COUNTER, "A \"b\".");
	exposition_sample(&open, NULL, 0.5);
	exposition_end(&open);
	assert_text(&out, "# HELP x_n A \\\"b\\\".\n# TYPE x_n counter\nx_n_total 0.5\n# EOF\n");
}
END_TEST

START_TEST(gauges)
{
	struct buf out = BUF_NULL;
	struct exposition plain = {.out = &out};
	exposition_family(&plain, "g", EXPOSITION_GAUGE, "G.");
	exposition_sample(&plain, NULL, -1.25);
	exposition_sample(&plain, NULL, INFINITY);
	exposition_sample(&plain, NULL, 1e18);
	assert_text(&out, "# HELP g G.\n# TYPE g gauge\ng -1.25\ng +Inf\ng 1e+18\n");
}
END_TEST

START_TEST(histograms)
{
	static const double bounds[] = {0.5, 1};
	uint64_t counts[3] = {0};
	struct histogram histogram = {bounds, 2, counts, 0};
	struct buf out = BUF_NULL;
	struct exposition plain = {.out = &out};
	histogram_add(&histogram, 0.5);
	histogram_add(&histogram, 0.75);
	histogram_add(&histogram, 1);
	histogram_add(&histogram, 100);
	exposition_family(&plain, "h", EXPOSITION_HISTOGRAM, "H.");
	exposition_histogram(&plain, (const char *[]){"s", "a", NULL}, &histogram);
	assert_text(&out, "# HELP h H.\n# TYPE h histogram\n"
			  "h_bucket{s=\"a\",le=\"0.5\"} 1\nh_bucket{s=\"a\",le=\"1.0\"} 3\n"
			  "h_bucket{s=\"a\",le=\"+Inf\"} 4\nh_sum{s=\"a\"} 102.25\n"
			  "h_count{s=\"a\"} 4\n");
}
END_TEST

START_TEST(negotiation)
{
	ck_assert(!exposition_wants_openmetrics(NULL));
	ck_assert(!exposition_wants_openmetrics("text/plain;version=0.0.4,*/*;q=0.1"));
	ck_assert(exposition_wants_openmetrics(
		"application/openmetrics-text;version=1.0.0,text/plain;q=0.5"));
}
END_TEST

START_TEST(addresses)
{
	static const char *const good[] = {
		"127.0.0.1:0", "[::1]:9464", "localhost:65535", "0.0.0.0:80", "unix:/run/x"};
	static const char *const bad[] = {"", "on", "9464", ":9464", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:65536", "::1:9464", "[::1]", "[::1", "[]:1",
		"example.net:1", "unix:", "unix:run", "127.0.0.1:+1"};
	struct listen_address address;
	struct fault fault;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(listen_address_parse(&address, good[i], &fault) == 0, "%s", good[i]);
		ck_assert(address.size > 0);
		ck_assert_int_eq(listen_address_is_local(&address), i != 3);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(unit_class(listen_address_parse(&address, bad[i], &fault), &fault) ==
				      FAULT_CONFIG,
			"%s", bad[i]);
	ck_assert_int_eq(listen_address_parse(&address, "off", &fault), 0);
	ck_assert_uint_eq(address.size, 0);
}
END_TEST

UNIT_MAIN("exposition", counters, gauges, histograms, negotiation, addresses)
