#!/usr/bin/python3
"""Simulator of Huawei Cloud Stack Online's operation logs (GET .../cloudAuditlog), strict.

COUNT items stand in the span from --first to --last (seconds since 1970), most seen soon after
their time, some up to 20 minutes later (trail.py). Item n is a pure function of (seed, n), its time
and the zone: item_line() tells what must come out at the other end; item_type() whether it is an
operation ("0") or a security log ("1").

POST /_sim/control: what the documentation leaves open:
    "order": asc | desc | id | unstable (another order at each request)
    "bounds": "[]" | "[)" | "()"     which ends of begin_time, end_time count
    "compare": start | end | contained (an item's span lies inside the window)
    "offset_meaning": record0 | record1 | page0 | page1, what offset_value counts and from where
    "offset_zero": false             offset_value = 0 is refused where counting begins at 1
    "page_cap": N                    no answer holds more than N items, whatever page_size says
    "total_moves": K                 each K-th answer's total is one more: an item came meanwhile
    "repeat_every": K                each K-th answer holds its last item twice
    "domain": "required" | "optional" | "empty" (a wrong one finds nothing)
    "throttle": N                    more than N requests within 60 s of the simulator's clock: 429
    "revoke": true                   all tokens so far are dead
    "lifetime": S                    of tokens from now on
GET /_sim/stats adds "spans" (of all requests answered: [begin_ms, end_ms]), "capped" (answers that
did not hold all of their window), "tokens", "throttled".
"""

import collections
import json
import random
import time

import huawei_iam
import simlib
import trail

PATH = "/rest/dataapi/homs/open-api/v1/cloudAuditlog"
APPCODE = "4f1c7a0be2a94a5d9d3b6c11appcode0"
DOMAIN_ID = "d78cbac186b744899480f25bd022f468"
PAGE_MAX = 1000
LATE_US = 20 * 60 * 1_000_000
DELAY_US = 30 * 1_000_000
ZONES = {"UTC": 0, "+08:00": 8 * 3600, "+05:45": 5 * 3600 + 45 * 60}
OPERATIONS = ("login", "addScheduleSchedule", "deleteVm", "modifyQuota", "exportReport")
SETTINGS = (
    "order",
    "bounds",
    "compare",
    "offset_meaning",
    "offset_zero",
    "page_cap",
    "total_moves",
    "repeat_every",
    "domain",
    "throttle",
)


def make_trail(seed, count, first, last):
    return trail.Trail(
        seed, count, first * 1_000_000, last * 1_000_000, 1_000_000, DELAY_US, LATE_US
    )


def crowd(made, second, first, count):
    """Moves COUNT items of a trail, from FIRST on, into one second, seen at once."""
    for n in range(first, first + count):
        made.times[n] = made.seen[n] = second * 1_000_000
    made.order.sort(key=lambda n: (made.times[n], n))
    made.sorted_times = [made.times[n] for n in made.order]


def item_type(seed, n):
    return "1" if simlib.mix(seed + 3, n) % 10 == 0 else "0"


def duration_s(seed, n):
    """Most operations take less than a second; one in 50 up to a minute. An odd seed: all less."""
    if seed % 2:
        return 0
    h = simlib.mix(seed + 4, n)
    return h >> 8 & 63 if h % 50 == 0 else 0


def clock_text(seconds, zone):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds + ZONES[zone]))


def item(seed, n, at_us, zone="UTC"):
    h = simlib.mix(seed + 2, n)
    start = at_us // 1_000_000
    number = str(2030 + n // 2)
    result = {
        "id": int(number) if h % 37 == 0 else number,
        "operating_name": OPERATIONS[h % 5],
        "operating_source": 1 if h & 1 else "1",
        "operation_result": str(h >> 3 & 1),
        "operation_detail": ("création de « nuit » \"%d\"\n\\ 日本" % n) if h >> 4 & 1 else "",
        "resource_name": "CloudCapacity" if h >> 5 & 1 else None,
        "resource_type": "schedule",
        "operating_user": "ops%02d" % (h >> 6 & 31),
        "department": "ops-center",
        "severity": str(1 + (h >> 11) % 4),
        "type": item_type(seed, n),
        "start_time": clock_text(start, zone),
        "end_time": clock_text(start + duration_s(seed, n), zone),
        "resource_id": "c0a8%06x" % (h >> 13 & 0xFFFFFF),
        "resource_region": "cn-north-1",
        "source_addr": "10.0.25.%d" % (h >> 37 & 0xFF),
        # two sites count for themselves
        "region_id": "cn-north-%d" % (1 + n % 2),
        "region_name": "site-a",
        "resource_region_name": "site-a",
    }
    if h % 23 == 0:
        del result["resource_id"]
        result["new_in_8.5"] = [1.50, {"deep": None}]
    if n == 777:
        result["operation_detail"] = "x" * (1 << 20)
    return result


def item_line(seed, n, at_us, zone="UTC", separators=(",", ":")):
    """Item n as bytes, as it must come out; the API writes some with white space between tokens."""
    escaped = simlib.mix(seed + 2, n) & (1 << 60) != 0
    text = json.dumps(item(seed, n, at_us, zone), separators=separators, ensure_ascii=escaped)
    return text.encode()


class Hcso(simlib.Simulator):
    def arguments(self, parser):
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--count", type=int, default=1000)
        parser.add_argument("--first", type=int, help="default: two days ago")
        parser.add_argument("--last", type=int, help="default: now")
        parser.add_argument("--zone", choices=ZONES, default="UTC")
        parser.add_argument("--crowd", help="SECOND:FIRST:COUNT, that many items in one second")

    def start(self, options):
        now = int(time.time())
        last = options.last or now
        self.trail = make_trail(
            options.seed, options.count, options.first or last - 2 * 86400, last
        )
        if options.crowd:
            crowd(self.trail, *(int(text) for text in options.crowd.split(":")))
        self.iam = huawei_iam.Iam(self, "APIG")
        self.lines = {}
        self.order = "desc"
        self.bounds = "[]"
        self.compare = "start"
        self.offset_meaning = "record0"
        self.offset_zero = True
        self.page_cap = PAGE_MAX
        self.total_moves = self.repeat_every = 0
        self.domain = "required"
        self.throttle = 0
        self.asked_at = collections.deque()
        self.n_answers = self.n_capped = self.n_throttled = 0
        self.spans = []

    def control(self, settings):
        for name in SETTINGS:
            if name in settings:
                setattr(self, name, settings.pop(name))
        self.iam.lifetime = settings.pop("lifetime", self.iam.lifetime)
        if settings.pop("revoke", False):
            self.iam.revoke()

    def stats(self):
        return {
            "spans": self.spans,
            "capped": self.n_capped,
            "tokens": self.iam.n_tokens,
            "agency_tokens": self.iam.n_agency_tokens,
            "throttled": self.n_throttled,
        }

    def answer(self, request):
        if request.path == huawei_iam.TOKEN_PATH:
            return self.iam.issue(request)
        if request.path != PATH or request.method != "GET":
            raise self.iam.refuse(404, "0101", "The API does not exist or has not been published")
        self.check_throttle()
        for name in ("x-apig-appcode", "x-hcso-appcode"):
            if request.headers.get(name) != APPCODE:
                raise self.iam.refuse(401, "0303", "Incorrect app authentication: bad AppCode")
        if "x-auth-token" not in request.headers or "authorization" in request.headers:
            raise self.iam.refuse(401, "0301", "Incorrect IAM authentication information")
        self.iam.check(request)
        for name in ("accept", "content-type"):
            if request.headers.get(name) != "application/json":
                raise self.bad(name)
        if request.body:
            raise self.bad("body")
        return self.page(request, self.domain_is_right(request))

    def bad(self, what):
        return simlib.Refuse(
            400, {"error_code": "ESM.0400", "error_msg": "The parameter %s is invalid." % what}
        )

    def domain_is_right(self, request):
        domain = request.headers.get("x-hcso-domainid")
        if domain == DOMAIN_ID or (domain is None and self.domain == "optional"):
            return True
        if self.domain == "empty":
            return False
        raise self.iam.refuse(403, "0302", "The IAM user is not allowed for the domain")

    def check_throttle(self):
        now = self.now()
        while self.asked_at and self.asked_at[0] <= now - 60:
            self.asked_at.popleft()
        if self.throttle and len(self.asked_at) >= self.throttle:
            self.n_throttled += 1
            raise self.iam.refuse(
                429, "0308", "Throttled: policy api over ratelimit,limit:%d,time:1 minute"
                % self.throttle
            )
        self.asked_at.append(now)

    def number(self, query, name, low, high):
        text = query.get(name, "")
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise self.bad(name)
        return int(text)

    def page(self, request, visible):
        query = request.query("log_type", "begin_time", "end_time", "page_size", "offset_value")
        begin = self.number(query, "begin_time", 10**12, 10**13 - 1)
        end = self.number(query, "end_time", 10**12, 10**13 - 1)
        size = self.number(query, "page_size", 1, PAGE_MAX)
        offset = self.number(query, "offset_value", 0, 2**31 - 1)
        if end < begin:
            raise self.bad("end_time")
        if query.get("log_type", "0") not in ("0", "1"):
            raise self.bad("log_type")
        if self.offset_meaning.endswith("1"):
            if offset == 0 and not self.offset_zero:
                raise self.bad("offset_value")
            offset = max(offset - 1, 0)
        self.n_answers += 1
        self.spans.append([begin, end])
        found = self.select(begin, end, query.get("log_type")) if visible else []
        if self.offset_meaning.startswith("page"):
            offset *= size
        size = min(size, self.page_cap)
        shown = found[offset : offset + size]
        self.n_capped += len(shown) < len(found)
        if self.repeat_every and self.n_answers % self.repeat_every == 0:
            shown = shown + shown[-1:]
        moved = self.total_moves and self.n_answers % self.total_moves == 0
        total = len(found) + (1 if moved else 0)
        body = b",".join(self.line(n) for n in shown)
        return simlib.Answer(
            200,
            b'{"total":%d,"list":[%s]}' % (total, body),
            {"Content-Type": "application/json;charset=UTF8"},
        )

    def line(self, n):
        if n not in self.lines:
            separators = (",", ":") if n % 3 else (", ", " :\n ")
            self.lines[n] = item_line(
                self.options.seed, n, self.trail.times[n], self.options.zone, separators
            )
        return self.lines[n]

    def select(self, begin_ms, end_ms, log_type):
        """The items of a window in the order of the mode."""
        seed, times = self.options.seed, self.trail.times
        low, high = begin_ms * 1000, end_ms * 1000
        longest = 64_000_000
        around = self.trail.window(low - longest, high + longest, int(self.now() * 1e6))
        open_start, closed_end = self.bounds[0] == "(", self.bounds[1] == "]"

        def inside(at):
            after = at > low if open_start else at >= low
            return after and (at <= high if closed_end else at < high)

        found = []
        for n in around:
            ends = times[n] + duration_s(seed, n) * 1_000_000
            compared = {"start": (times[n],), "end": (ends,), "contained": (times[n], ends)}
            if log_type is not None and item_type(seed, n) != log_type:
                continue
            if all(inside(at) for at in compared[self.compare]):
                found.append(n)
        if self.order == "desc":
            found.reverse()
        elif self.order == "id":
            found.sort()
        elif self.order == "unstable":
            random.Random(self.n_answers).shuffle(found)
        return found


if __name__ == "__main__":
    simlib.main(Hcso)
