/*
 * The model test: a random API against the real trawld in virtual time. A seed decides how the API
 * pages (cursor, link, offset, number, a log with positions), what it caps and what its totals say,
 * whether it says that there is more and forgets the cursor then, when records appear, which
 * cursors it loses, which pages break, whether the clock that records are written by is set back
 * for a while, what its Date and this host's clock show, and when trawld is killed; and the
 * definition that fits such an API.
 *
 * The oracle knows every record. Each must be delivered exactly once, or lie in a gap that was
 * told. What the state says was read must be there whenever trawld is killed, too.
 *
 * What turned it red, and the first such seed: coverage that is noted before the last page of a
 * window (4), or of a chain of cursors (83), a watermark that moves before it (12), or further than
 * the clocks allow (78), a gap that is told and not stored (7), records older than the keys that
 * are not taken where they are new (113).
 *
 * usage: model FIRST_SEED [COUNT]    ends with 1 if a seed fails, whose files are kept
 */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "curl_double.h"
#include "daemon_life.h"
#include "store/coverage.h"
#include "store/store_internal.h"
#include "virtual_time.h"
#include "world.h"

#define S NSEC_PER_SEC
#define BEGIN_TIME (INT64_C(1767225600) * S) /* 2026-01-01T00:00:00Z */
#define BEGIN_AT (1000 * S)
#define N_RECORDS 120
#define LATE 20 /* seconds that a record may appear after its time; the overlap is 25 */
#define DISTURBED (130 * S) /* then all is well, and trawld catches up */
#define SETTLED (260 * S) /* two polls and more, also where the last disturbed one took long */

enum { LIFE_WHOLE, LIFE_NEXT = 3, LIFE_FAILED = 4 };

enum paging { BY_CURSOR, BY_LINK, BY_OFFSET, BY_NUMBER, BY_LOG, N_PAGINGS };
enum total { TOTAL_NONE, TOTAL_TRUE, TOTAL_OF_PAGE, TOTAL_SATURATED, N_TOTALS };

struct api {
	enum paging paging;
	enum total total;
	bool newest_first, clocks, kills, faults, loses;
	bool says_more, forgets; /* is there another page; at times the cursor is missing then */
	bool uneven; /* pages of any size */
	bool newest; /* a list that cannot be requested by time, from its newest end */
	bool ahead; /* of the clocks only the Date is wrong, by less than a minute */
	int interval;
	bool resets; /* the cursor of an empty page is 0, which is none */
	bool back; /* its clock is set back for a while, by more than keys are kept */
	int size, page_cap, depth; /* depth: no more of a window is given; 0: all */
	int time[N_RECORDS], visible[N_RECORDS]; /* seconds after the begin, visible ascending */
};

/* What outlives a life of the daemon. */
struct shared {
	struct world world;
	uint32_t dice;
	int date_off_s;
	bool ending;
};

struct world *world;
const char *world_directory;
static struct shared *shared;
static struct api api;
static uint32_t seed;

static uint32_t roll(uint32_t n)
{
	shared->dice ^= shared->dice << 13;
	shared->dice ^= shared->dice >> 17;
	shared->dice ^= shared->dice << 5;
	return shared->dice % n;
}

void world_fail(const char *expected, const char *got, ...)
{
	va_list args;
	printf("seed %u: expected %s, got ", seed, expected);
	va_start(args, got);
	vprintf(got, args);
	va_end(args);
	putchar('\n');
	daemon_life_print_log();
	fflush(stdout);
	_exit(LIFE_FAILED);
}

void world_end_life(void)
{
	_exit(LIFE_NEXT);
}

static nsec_t passed(void)
{
	return world->monotonic - BEGIN_AT;
}

/* A list of the newest promises nothing of what dropped out of it before it was first read whole.
 */
static bool is_calm(void)
{
	return passed() > DISTURBED || (api.newest && passed() < 4 * S);
}

/* --- the API --- */

static void api_init(void)
{
	static const int caps[] = {0, 0, 0, 3};
	api = (struct api){.paging = (enum paging)roll(N_PAGINGS),
		.size = 3 + (int)roll(12),
		.page_cap = caps[roll(4)],
		.newest_first = roll(3) == 0,
		.clocks = roll(2),
		.kills = roll(2),
		.faults = roll(2),
		.loses = roll(2)};
	bool counted = api.paging == BY_OFFSET || api.paging == BY_NUMBER;
	if (counted)
		api.total = (enum total)roll(N_TOTALS);
	if (api.paging != BY_LOG && roll(4) == 0)
		api.depth = 25;
	if (api.paging == BY_LOG)
		api.newest_first = false;
	api.says_more = roll(2);
	api.forgets = api.says_more && roll(2);
	api.uneven = api.says_more && api.paging == BY_OFFSET && roll(2);
	api.resets = api.paging == BY_LOG && roll(2);
	api.newest = api.paging != BY_LOG && roll(4) == 0;
	api.newest_first |= api.newest;
	api.ahead = api.clocks && roll(2);
	api.interval = roll(2) ? 5 : 40;
	/* a list that is counted from its newest end moves while it is read */
	for (int i = 0, now = 0; i < N_RECORDS; i++) {
		now += (int)roll(3) ? 0 : (int)roll(4);
		api.visible[i] = now;
		api.time[i] = roll(5) ? now : now - (int)roll(LATE);
	}
	api.back = api.newest && !api.depth && roll(2);
	if (api.back) {
		int i = 1 + (int)roll(N_RECORDS - 1), end = i + 1 + (int)roll(60);
		for (int by = 2 * 3600 + (int)roll(3600); i < end && i < N_RECORDS; i++)
			api.time[i] -= by;
	}
}

static void definition_print(struct buf *out)
{
	static const char *const pages[] = {[BY_CURSOR] = "cursor = /next\n",
		[BY_LINK] = "url = /next\n",
		[BY_OFFSET] = "offset = yes\noverlap = 2\n",
		[BY_NUMBER] = "number = yes\n",
		[BY_LOG] = "cursor = /next\n"};
	buf_append_text(out, "[request]\nurl = https://api.example/events\n");
	if (!api.newest)
		buf_append_text(out, "query.from = ${window.start:epoch_s}\n");
	if (api.paging != BY_LOG && !api.newest)
		buf_append_text(out, "query.to = ${window.end:epoch_s}\n");
	if (api.paging == BY_CURSOR || api.paging == BY_LOG)
		buf_append_text(out, "query.cursor = ${page.cursor}\n");
	buf_append_text(out, api.paging == BY_LOG ? "query.resume = ${resume.cursor}\n" : "");
	buf_append_text(out, api.paging == BY_OFFSET ? "query.offset = ${page.offset}\n" : "");
	buf_append_text(out, api.paging == BY_NUMBER ? "query.number = ${page.number}\n" : "");
	buf_append_text(out, "query.size = ${page.size}\n[records]\nat = /items\nid = /id\n"
			     "time = /time\ntime_format = epoch_s\n");
	buf_append_text(out, api.newest_first && !api.newest ? "order = unordered\n" : "");
	buf_printf(out, "[page]\nsize = %d\n%s", api.size, pages[api.paging]);
	buf_append_text(out, api.total != TOTAL_NONE ? "total = /total\n" : "");
	if (api.depth && !api.newest)
		buf_printf(out, "cap = %d\n", api.depth);
	buf_append_text(out, api.says_more ? "more = /has_more = true\n" : "");
	buf_append_text(out, api.resets ? "none = 0\n" : "");
	buf_append_text(out, "[resume]\noverlap = 25s\n");
	buf_append_text(out, api.newest             ? "newest = yes\n"
			     : api.paging == BY_LOG ? "cursor = /more\n"
						    : "window = yes\nspan_max = 1d\n");
}

static bool parameter(const char *url, const char *name, long *ret)
{
	char *key CLEANUP_FREE = mem_printf("%s=", name);
	const char *at = strchr(url, '?');
	while (at && strncmp(at + 1, key, strlen(key)) != 0)
		at = strchr(at + 1, '&');
	if (at)
		*ret = strtol(at + 1 + strlen(key), NULL, 10);
	return at != NULL;
}

static void print_record(struct buf *out, int i, bool first)
{
	buf_printf(out, "%s{\"id\":\"r%d\",\"time\":%lld}", first ? "" : ",", i,
		(long long)(BEGIN_TIME / S) + api.time[i]);
}

/* MORE: there is a page after this one. False: the cursor that leads there is left out. */
static bool print_more(struct buf *out, bool more)
{
	if (api.says_more)
		buf_printf(out, ",\"has_more\":%s", more ? "true" : "false");
	return more && !(api.forgets && !is_calm() && roll(4) == 0);
}

static void window_page(const char *url, int now, struct buf *out)
{
	long from = 0, to = LONG_MAX, size = api.size, skip = 0, number = 0;
	int n = 0, total = 0;
	parameter(url, "from", &from);
	parameter(url, "to", &to);
	parameter(url, "size", &size);
	if (api.page_cap && size > api.page_cap)
		size = api.page_cap;
	if (!parameter(url, "cursor", &skip))
		parameter(url, "offset", &skip);
	if (parameter(url, "number", &number))
		skip = (number - 1) * size;
	if (api.uneven)
		size = 3 + (long)roll((uint32_t)size - 2);
	if (api.depth && skip + size > api.depth)
		size = skip < api.depth ? api.depth - skip : 0;
	for (int k = 0; k < N_RECORDS; k++) {
		int i = api.newest_first ? N_RECORDS - 1 - k : k;
		long time = (long)(BEGIN_TIME / S) + api.time[i];
		if (api.visible[i] > now || time < from || time >= to)
			continue;
		if (total >= skip && n < size)
			print_record(out, i, n++ == 0);
		total++;
	}
	int shown = api.depth && total > api.depth ? api.depth : total;
	int limit = api.total == TOTAL_SATURATED ? 3 * api.size : shown;
	buf_printf(out, "],\"total\":%d",
		api.total == TOTAL_OF_PAGE ? n
		: shown > limit            ? limit
					   : shown);
	bool leads = print_more(out, skip + n < shown && n > 0);
	if (leads && api.paging == BY_CURSOR)
		buf_printf(out, ",\"next\":\"%ld\"", skip + n);
	if (leads && api.paging == BY_LINK)
		buf_printf(out,
			",\"next\":\"https://api.example/events?from=%ld&to=%ld&size=%d&cursor=%ld"
			"\"",
			from, to, api.size, skip + n);
	buf_append_text(out, "}");
}

static void log_page(const char *url, int now, struct buf *out)
{
	long at = 0, from = 0;
	int n = 0, size = api.page_cap ? api.page_cap : api.size;
	bool stored = parameter(url, "cursor", &at) || parameter(url, "resume", &at);
	parameter(url, "from", &from);
	for (; at < N_RECORDS && api.visible[at] <= now && n < size; at++)
		if (stored || (long)(BEGIN_TIME / S) + api.time[at] >= from)
			print_record(out, (int)at, n++ == 0);
	buf_printf(out, "],\"more\":\"%ld\"", api.resets && stored && n == 0 ? 0 : at);
	if (print_more(out, at < N_RECORDS && api.visible[at] <= now))
		buf_printf(out, ",\"next\":\"%ld\"", at);
	buf_append_text(out, "}");
}

static void answer(struct peer_request *request, int status, const char *body, size_t cut)
{
	struct buf head CLEANUP(buf_deinit) = BUF_NULL;
	char date[64];
	struct tm tm;
	time_t now = (time_t)((BEGIN_TIME + passed()) / S) + shared->date_off_s;
	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	buf_printf(&head, "HTTP/1.1 %d Because\r\nDate: %s\r\nContent-Length: %zu\r\n\r\n", status,
		date, strlen(body));
	peer_answer(request, &(struct peer_answer){.head = buf_text(&head),
				     .body = body,
				     .body_size = cut ? cut : strlen(body),
				     .wire_size = -1,
				     .result = cut ? CURLE_PARTIAL_FILE : CURLE_OK});
}

static void serve(struct peer_request *request)
{
	const char *url = peer_url(request);
	struct buf body CLEANUP(buf_deinit) = BUF_NULL;
	bool calm = is_calm();
	peer_expect(request);
	buf_append_text(&body, "{\"items\":[");
	if (api.paging == BY_LOG)
		log_page(url, (int)(passed() / S), &body);
	else
		window_page(url, (int)(passed() / S), &body);
	if (!calm && api.loses && (strstr(url, "cursor=") || strstr(url, "resume=")) &&
		roll(8) == 0)
		answer(request, 410, "{\"error\":\"gone\"}", 0);
	else if (!calm && api.faults && roll(8) == 0)
		answer(request, roll(2) ? 503 : 429, "{}", 0);
	else if (!calm && api.faults && roll(8) == 0)
		answer(request, 200, buf_text(&body), 1 + roll((uint32_t)body.size - 1));
	else
		answer(request, 200, buf_text(&body), 0);
}

/* --- time --- */

/* A clock that is right, or off by up to a minute, an hour, a month or 68 years. */
static int roll_off(void)
{
	static const uint32_t sizes[] = {60, 3600, 30 * 86400, 68u * 365 * 86400};
	if (roll(3) == 0)
		return 0;
	int off = 1 + (int)roll(sizes[roll(4)]);
	return roll(2) ? off : -off;
}

static void disturb(void)
{
	nsec_t right = BEGIN_TIME - BEGIN_AT;
	if (is_calm() || !api.clocks) {
		world->wall_ahead = right;
		shared->date_off_s = 0;
		return;
	}
	if (api.ahead) {
		shared->date_off_s = roll(2) ? 0 : 5 + (int)roll(50);
		return;
	}
	if (roll(3) == 0)
		shared->date_off_s = roll_off();
	if (roll(20) == 0)
		world->wall_ahead = right + (nsec_t)roll_off() * S;
	int host_off = (int)((world->wall_ahead - right) / S);
	/* two clocks that agree on a wrong time are not to be told from right ones */
	if (host_off - shared->date_off_s <= 120 && shared->date_off_s - host_off <= 120) {
		world->wall_ahead = right;
		shared->date_off_s = 0;
	}
}

static nsec_t idle(nsec_t timeout_ns)
{
	struct peer_request *request = peer_unexpected();
	if (passed() > 4 * SETTLED)
		world_fail(
			"trawld to catch up", "requests without end; files in %s", world_directory);
	if (request) {
		disturb();
		serve(request);
		if (api.kills && !is_calm() && roll(60) == 0)
			world_end_life();
		return 20 * NSEC_PER_MSEC;
	}
	if (passed() > SETTLED && !shared->ending) {
		shared->ending = true;
		raise(SIGTERM);
		return 0;
	}
	return timeout_ns == NSEC_NONE || timeout_ns > S ? S : timeout_ns;
}

/* --- the oracle --- */

static bool in_gap(int i)
{
	static const char from_word[] = "gap: records from ", to_word[] = " to ";
	char line[1024];
	bool found = false;
	nsec_t from, to, time = BEGIN_TIME + api.time[i] * S;
	FILE *log = fopen(daemon_life_log(), "r");
	while (log && fgets(line, sizeof(line), log)) {
		char *at = strstr(line, from_word), *end = at ? strstr(at, to_word) : NULL;
		if (!end)
			continue;
		at += strlen(from_word);
		char *to_text = end + strlen(to_word);
		found |= timestamp_parse_rfc3339((struct slice){at, (size_t)(end - at)}, &from) ==
				 0 &&
			 timestamp_parse_rfc3339(
				 (struct slice){to_text, strcspn(to_text, " ")}, &to) == 0 &&
			 from <= time && time <= to;
	}
	if (log)
		fclose(log);
	return found;
}

/* How often each record is in the file. */
static void count_delivered(int ret_n[N_RECORDS])
{
	int id;
	char line[256];
	char *path CLEANUP_FREE = mem_printf("%s/out.ndjson", world_directory);
	FILE *out = fopen(path, "r");
	while (out && fgets(line, sizeof(line), out))
		if (sscanf(line, "{\"id\":\"r%d\"", &id) == 1 && id >= 0 && id < N_RECORDS)
			ret_n[id]++;
	if (out)
		fclose(out);
}

/* What a record of each number must be: in the file, or accepted and still to be delivered. */
struct ledger {
	int n[N_RECORDS];
	bool gap[N_RECORDS];
	nsec_t end_time;
};

static void count_accepted(struct store *store, struct ledger *ledger)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	if (statement_prepare(store, "SELECT keys FROM batch_keys", &statement, NULL) != 0)
		return;
	while (sqlite3_step(statement) == SQLITE_ROW) {
		const struct id *keys = sqlite3_column_blob(statement, 0);
		size_t n_keys = (size_t)sqlite3_column_bytes(statement, 0) / sizeof(*keys);
		for (int i = 0; i < N_RECORDS; i++) {
			char *name CLEANUP_FREE = mem_printf("r%d", i);
			struct id key = digest_id(slice_of(name));
			for (size_t k = 0; k < n_keys; k++)
				ledger->n[i] += memcmp(&keys[k], &key, sizeof(key)) == 0;
		}
	}
}

static void note_gap(const struct coverage_gap *gap, void *userdata)
{
	struct ledger *ledger = userdata;
	for (int i = 0; i < N_RECORDS; i++) {
		nsec_t time = BEGIN_TIME + api.time[i] * S;
		ledger->gap[i] |= gap->start_time <= time && time <= gap->end_time;
	}
}

/* A record that the API showed late, within the overlap, need not be there yet. */
static void check_span(const struct coverage_span *span, void *userdata)
{
	struct ledger *ledger = userdata;
	if (span->end_time > ledger->end_time)
		ledger->end_time = span->end_time;
	for (int i = 0; i < N_RECORDS; i++) {
		nsec_t time = BEGIN_TIME + api.time[i] * S;
		nsec_t seen = BEGIN_TIME + api.visible[i] * S;
		if (time < span->start_time || time >= span->end_time || seen >= span->end_time ||
			ledger->gap[i] || ledger->n[i] > 0)
			continue;
		world_fail("all that was read",
			"record %d (second %d, seen in second %d) missing; files in %s", i,
			api.time[i], api.visible[i], world_directory);
	}
}

/* The state as a killed trawld left it, or as it is at the END. */
static void check_ledger(bool end)
{
	struct ledger ledger = {.end_time = NSEC_NONE};
	struct store *store = NULL;
	struct fault fault = FAULT_NULL;
	char *path CLEANUP_FREE = mem_printf("%s/state", world_directory);
	if (store_open(&store, path, STORE_READ, &fault) != 0) {
		if (end)
			world_fail("a state", "%s", fault.text);
		return;
	}
	count_delivered(ledger.n);
	count_accepted(store, &ledger);
	if (coverage_each_gap(store, NULL, true, note_gap, &ledger, &fault) != 0 ||
		coverage_each_span(store, NULL, check_span, &ledger, &fault) != 0)
		world_fail("a state", "%s; files in %s", fault.text, world_directory);
	store_close(store);
	/* of a list of the newest, a walk that finds nothing new notes nothing */
	if (end && !api.newest && ledger.end_time < BEGIN_TIME + DISTURBED)
		world_fail("coverage up to the end", "less; files in %s", world_directory);
}

static void judge(void)
{
	int n[N_RECORDS] = {0};
	count_delivered(n);
	for (int i = 0; i < N_RECORDS; i++)
		if (n[i] > 1 || (n[i] == 0 && !in_gap(i)))
			world_fail("each record once",
				"record %d (second %d, seen in second %d) "
				"%d times; files in %s",
				i, api.time[i], api.visible[i], n[i], world_directory);
	check_ledger(true);
}

static void write_file(const char *name, const char *text)
{
	char *path CLEANUP_FREE = mem_printf("%s/%s", world_directory, name);
	FILE *file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		world_fail("a file", "%s", path);
}

static void prepare(void)
{
	struct buf definition CLEANUP(buf_deinit) = BUF_NULL;
	char *conf CLEANUP_FREE = mem_printf(
		"[daemon]\nstate_directory = %s/state\nlisten = off\ncontrol = off\n"
		"[source a]\nprovider = model\ninterval = %ds\nretry_max = 10s\n"
		"rate = off\n%s[sink out]\ntype = file\npath = %s/out.ndjson\n",
		world_directory, api.interval, api.back ? "start = -1d\n" : "", world_directory);
	char *providers CLEANUP_FREE = mem_printf("%s/providers", world_directory);
	definition_print(&definition);
	mkdir(providers, 0700);
	write_file("providers/model.conf", buf_text(&definition));
	write_file("trawld.conf", conf);
}

static _Noreturn void live(void)
{
	virtual_time_start(idle);
	int code = daemon_life_run();
	if (code != 0 || !shared->ending)
		world_fail(
			"an end after SIGTERM", "exit code %d; files in %s", code, world_directory);
	judge();
	_exit(LIFE_WHOLE);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static bool run_seed(void)
{
	const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	char *directory CLEANUP_FREE = mem_printf("%s/model-XXXXXX", memory);
	int status = 0;
	if (!mkdtemp(directory))
		return false;
	world_directory = directory;
	*shared = (struct shared){.dice = seed * 2654435761u + 1};
	shared->world = (struct world){.monotonic = BEGIN_AT,
		.wall_ahead = BEGIN_TIME - BEGIN_AT,
		.deadline_at = NSEC_NONE};
	api_init();
	prepare();
	do {
		fflush(stdout);
		pid_t child = fork();
		if (child == 0) {
			world = &shared->world;
			/* clocks that are wrong are found later */
			if (!api.clocks)
				check_ledger(false);
			live();
		}
		if (child < 0 || waitpid(child, &status, 0) != child)
			return false;
	} while (WIFEXITED(status) && WEXITSTATUS(status) == LIFE_NEXT);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != LIFE_WHOLE) {
		printf("seed %u failed: status %x, files in %s\n", seed, (unsigned)status,
			directory);
		return false;
	}
	nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return true;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fputs("usage: model FIRST_SEED [COUNT]\n", stderr);
		return EXIT_FAILURE;
	}
	uint32_t first = (uint32_t)strtoul(argv[1], NULL, 10);
	uint32_t count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1, n_failed = 0;
	shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (seed = first; seed < first + count; seed++)
		n_failed += !run_seed();
	printf("%u seeds, %u failed\n", count, n_failed);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
