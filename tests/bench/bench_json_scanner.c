/*
 * How fast the JSON scanner reads pages: for each kind of page its size, its records and MB/s,
 * beside jansson on the same text. The pages are generated here, always the same bytes.
 *
 * usage: bench_json_scanner [SECONDS]        how long each figure is measured, 1 when not given
 */
#include <stdio.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/number.h"
#include "base/json_scanner.h"

enum { N_RECORDS = 1000, N_FIELDS = 4, CHUNK = 8 };

/* A page: an envelope around N_RECORDS of what `record` prints. */
struct kind {
	const char *name;
	void (*record)(struct buf *out, unsigned n);
	bool indented; /* the page as a pretty-printer writes it */
};

static void small_record(struct buf *out, unsigned n)
{
	buf_printf(out,
		"{\"request_id\":\"%08x-57a2-4f5b-8f3a-%012x\",\"timestamp\":"
		"\"2025-12-11T12:23:%02u.%06uZ\",\"method\":\"GET\",\"path\":\"/v1/servers\","
		"\"status\":200,\"ip\":\"192.0.2.%u\",\"user\":\"operator@example.net\"}",
		n * 2654435761U, n, n / 17 % 60, n * 7919 % 1000000, n % 250);
}

static void large_record(struct buf *out, unsigned n)
{
	buf_printf(out,
		"{\"RequestId\":\"%08x-57a2-4f5b-8f3a-%012x\",\"QueryDate\":"
		"\"2025-12-11T12:23:%02u.%06uZ\",\"QueryCallName\":\"ReadVms\",",
		n * 2654435761U, n, n / 17 % 60, n * 7919 % 1000000);
	buf_append_text(out, "\"QueryPayloadRaw\":\"");
	for (unsigned i = 0; i < 12; i++)
		buf_append_text(
			out, "{\\\"Filters\\\":{\\\"VmIds\\\":[\\\"i-0123456789abcdef\\\"]}} ");
	buf_printf(out,
		"\",\"QueryHeaderRaw\":\"Host: api.example.net, Accept: */*, "
		"User-Agent: terraform/1.9.2 (linux; amd64) provider/1.0.1, X-Request: %u\","
		"\"ResponseSize\":%u,\"ResponseStatusCode\":200,\"CallDuration\":%u.835938,"
		"\"QueryIpAddress\":\"192.0.2.%u\"}",
		n, n * 31 % 100000, n % 50, n % 250);
}

static void foreign_record(struct buf *out, unsigned n)
{
	buf_printf(out,
		"{\"request_id\":\"%08x\",\"timestamp\":\"2025-12-11T12:23:17Z\",\"user\":"
		"\"\xd0\x9e\xd0\xbf\xd0\xb5\xd1\x80\xd0\xb0\xd1\x82\xd0\xbe\xd1\x80 \xe7\xae\xa1"
		"\xe7\x90\x86\xe5\x91\x98\",\"text\":\"\xe5\x88\x9b\xe5\xbb\xba\xe4\xba\x86"
		"\xe4\xb8\x80\xe5\x8f\xb0\xe6\x9c\x8d\xe5\x8a\xa1\xe5\x99\xa8 \xf0\x9f\x9a\x80\","
		"\"status\":%u}",
		n * 2654435761U, 200 + n % 5);
}

static const struct kind kinds[] = {
	{"small records", small_record, false},
	{"small records, indented", small_record, true},
	{"large records", large_record, false},
	{"records beyond ASCII", foreign_record, false},
};

static char *make_page(const struct kind *kind)
{
	struct buf page = BUF_NULL;
	buf_append_text(&page, "{\"next\":\"https://api.example.net/log?page=2\",\"results\":[");
	for (unsigned n = 0; n < N_RECORDS; n++) {
		if (n)
			buf_append_char(&page, ',');
		kind->record(&page, n);
	}
	buf_append_text(&page, "]}");
	char *text = buf_take(&page);
	if (!kind->indented)
		return text;
	json_t *root = json_loads(text, 0, NULL);
	free(text);
	text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	return text;
}

static struct json_scanner *make_plan(void)
{
	static const char *const names[N_FIELDS] = {
		"/request_id", "/timestamp", "/status", "/user/name"};
	struct pointer records, next, fields[N_FIELDS];
	const struct pointer *envelope[] = {&next}, *wanted[N_FIELDS];
	pointer_parse(&records, SLICE("/results"));
	pointer_parse(&next, SLICE("/next"));
	for (size_t i = 0; i < N_FIELDS; i++) {
		pointer_parse(&fields[i], slice_of(names[i]));
		wanted[i] = &fields[i];
	}
	struct json_scanner *plan = json_scanner_new(
		&(struct json_scanner_wanted){&records, false, envelope, 1, wanted, N_FIELDS});
	for (size_t i = 0; i < N_FIELDS; i++)
		pointer_deinit(&fields[i]);
	pointer_deinit(&records);
	pointer_deinit(&next);
	return plan;
}

static double rate(size_t bytes, nsec_t began)
{
	return (double)bytes * 1e3 / (double)(clock_monotonic() - began);
}

static double measure_json_scanner(
	const struct json_scanner *plan, struct slice page, struct json_scan *scan, nsec_t duration)
{
	struct fault fault;
	size_t bytes = 0;
	nsec_t began = clock_monotonic();
	do {
		for (int i = 0; i < CHUNK; i++, bytes += page.size)
			if (json_scanner_run(plan, page, scan, &fault) ||
				scan->n_elements != N_RECORDS) {
				fputs("the page was refused\n", stderr);
				exit(1);
			}
	} while (clock_monotonic() - began < duration);
	return rate(bytes, began);
}

static double measure_minify(const struct json_scan *scan, nsec_t duration)
{
	struct buf out = BUF_NULL;
	size_t bytes = 0;
	nsec_t began = clock_monotonic();
	do {
		buf_clear(&out);
		for (size_t i = 0; i < scan->n_elements; i++) {
			json_minify(scan->elements[i].raw, &out);
			bytes += scan->elements[i].raw.size;
		}
	} while (clock_monotonic() - began < duration);
	buf_deinit(&out);
	return rate(bytes, began);
}

static double measure_jansson(struct slice page, nsec_t duration)
{
	size_t bytes = 0;
	nsec_t began = clock_monotonic();
	do {
		json_decref(json_loadb(page.data, page.size, 0, NULL));
		bytes += page.size;
	} while (clock_monotonic() - began < duration);
	return rate(bytes, began);
}

int main(int argc, char **argv)
{
	int64_t seconds = 1;
	if (argc > 2 || (argc == 2 && number_parse(slice_of(argv[1]), 1, 3600, &seconds))) {
		fputs("usage: bench_json_scanner [SECONDS]\n", stderr);
		return 64;
	}
	nsec_t duration = seconds * NSEC_PER_SEC;
	struct json_scanner *plan = make_plan();
	struct json_scan scan = JSON_SCAN_NULL;
	printf("%-26s %9s %8s %12s %9s %9s\n", "page", "bytes", "MB/s", "records/s", "minify",
		"jansson");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char *text = make_page(&kinds[i]);
		struct slice page = slice_of(text);
		double speed = measure_json_scanner(plan, page, &scan, duration);
		double minify = measure_minify(&scan, duration);
		double jansson = measure_jansson(page, duration);
		printf("%-26s %9zu %8.0f %12.0f %9.0f %9.0f\n", kinds[i].name, page.size, speed,
			speed * 1e6 * N_RECORDS / (double)page.size, minify, jansson);
		free(text);
	}
	json_scan_deinit(&scan);
	json_scanner_free(plan);
	return 0;
}
