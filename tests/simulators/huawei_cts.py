#!/usr/bin/python3
"""Simulator of the Cloud Trace Service (GET /v3/PROJECT/traces) of Huawei Cloud and, with --otc, of
Open Telekom Cloud, strict.

COUNT traces stand in the span from --first to --last (seconds since 1970); some are seen up to 20
minutes after their record_time (trail.py). Trace n is a pure function of (seed, n) and its time;
trace_line() tells what must come out at the other end, is_data() whether it is one of the data
tracker's. An even seed: `time` is at most 5 minutes before record_time; an odd one: some are months
before it. Traces older than 7 days vanish.

POST /_sim/control: what the documentation leaves open:
    "ends": exclusive | from (inclusive) | both (inclusive)
    "filter": record_time | time, what from and to are compared with
    "tie": exact | repeat | skip, the traces that share the marker's millisecond on the next page
    "marker": null (on the last page) | always (an empty page follows) | empty | missing | same (the
              last page comes again and again, with its marker) | number (the last record_time, as a
              JSON number)
    "page_cap": N               no page holds more, whatever limit says; the end is another matter
    "old_from": clip | refuse   a from that is older than 7 days
    "repeat_every": K           each K-th page begins with the last trace of the page before
    "revoke": true, "lifetime": S, "locked": true    see huawei_iam.py
GET /_sim/stats adds "windows" ([from, to] of all first pages), "pages", "tokens", "bad_signatures".
"""

import functools
import json
import time
import uuid

import huawei_iam
import simlib
import trail

DAY_MS = 86_400_000
RETENTION_MS = 7 * DAY_MS
LIMIT_MAX = 200
LATE_US = 20 * 60 * 1_000_000
DELAY_US = 60 * 1_000_000
DATA_TRACKER = "obs-audit"
PATH = "/v3/%s/traces" % huawei_iam.PROJECT_ID
SETTINGS = ("ends", "filter", "tie", "marker", "page_cap", "old_from", "repeat_every")
NAMES = (
    ("createServer", "ECS", "ecs"),
    ("updateSecurityGroup", "VPC", "security-groups"),
    ("deleteBucket", "OBS", "bucket"),
    ("login", "IAM", "user"),
)


def make_trail(seed, count, first, last):
    return trail.Trail(seed, count, first * 1_000_000, last * 1_000_000, 1000, DELAY_US, LATE_US)


def crowd(made, ms, first, count):
    """Moves COUNT traces of a trail, from FIRST on, into one millisecond, seen at once."""
    for n in range(first, first + count):
        made.times[n] = made.seen[n] = ms * 1000
    made.order.sort(key=lambda n: (made.times[n], n))
    made.sorted_times = [made.times[n] for n in made.order]


def is_data(n):
    return n % 10 == 4


def trace_id(seed, n):
    return str(uuid.UUID(int=simlib.mix(seed + 5, n) << 64 | simlib.mix(seed + 6, n)))


def happened_ms(seed, n, record_ms):
    h = simlib.mix(seed + 7, n)
    if seed % 2 and n % 97 == 3:
        return record_ms - 60 * DAY_MS - h % DAY_MS
    return record_ms - h % (300_000 if h % 16 == 0 else 2000)


def user_of(h, otc):
    if h % 7 == 0:
        return None
    user = {
        "id": "7116d09f88fa41908676fdd4b039e95b",
        "name": "ops%02d" % (h % 31),
        "domain": {"id": "d78cbac186b744899480f25bd022f468", "name": "compte-é"},
    }
    if otc:
        return json.dumps(user)
    user["principal_is_root_user"] = "false"
    user["invoked_by"] = ["service.console"]
    return user


def trace(seed, n, record_ms, otc=False):
    # the same content twice, with two IDs
    twin = n - 1 if n % 40 == 1 else n
    h = simlib.mix(seed + 8, twin)
    name, service, kind = NAMES[h % 4]
    result = {
        "trace_id": trace_id(seed, n),
        "trace_name": name,
        "trace_rating": ("normal", "warning", "incident")[h >> 3 & 1],
        "trace_type": "ObsSDK" if is_data(n) else ("ApiCall", "ConsoleAction")[h >> 4 & 1],
        "service_type": service,
        "resource_type": kind,
        "resource_name": "web-%d" % (h >> 8 & 1023) if h >> 5 & 1 else None,
        "resource_id": "%016x" % simlib.mix(seed, twin),
        "code": 200 if h >> 6 & 1 else "200",
        "source_ip": "198.51.100.%d" % (h >> 20 & 255) if h % 7 else None,
        "time": happened_ms(seed, twin, record_ms),
        "record_time": record_ms,
        "user": user_of(h, otc),
    }
    kinds = h >> 32 & 3
    if kinds == 0:
        result["response"] = {"code": "Ecs.0219", "message": "日本 <failed>"}
    elif kinds == 1:
        result["request"] = json.dumps({"description": "büro \\ \"x\""})
        # cut off where the service's limit is: no JSON
        result["response"] = '{"server": {"id": "b8d1fdc0", "na'
    elif kinds == 2 and n % 200 == 2:
        result["request"] = "x" * 5000
    if not otc:
        result["read_only"] = False
        result["operation_id"] = name.title()
    return result


def trace_line(seed, n, record_ms, otc=False):
    escaped = simlib.mix(seed + 8, n) & (1 << 60) != 0
    text = json.dumps(
        trace(seed, n, record_ms, otc), separators=(",", ":"), ensure_ascii=escaped
    )
    return text.encode()


class Cts(simlib.Simulator):
    def arguments(self, parser):
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--count", type=int, default=1000)
        parser.add_argument("--first", type=int, help="default: two hours ago")
        parser.add_argument("--last", type=int, help="default: now")
        parser.add_argument("--crowd", help="MS:FIRST:COUNT, that many traces in one millisecond")
        parser.add_argument("--otc", action="store_true")

    def start(self, options):
        last = options.last or int(time.time())
        first = options.first or last - 7200
        self.trail = make_trail(options.seed, options.count, first, last)
        if options.crowd:
            crowd(self.trail, *(int(text) for text in options.crowd.split(":")))
        self.iam = huawei_iam.Iam(self)
        self.positions = {trace_id(options.seed, n): n for n in range(options.count)}
        self.line = functools.cache(
            lambda n: trace_line(options.seed, n, self.trail.times[n] // 1000, options.otc)
        )
        self.ends, self.filter, self.tie, self.marker = "exclusive", "record_time", "exact", "null"
        self.page_cap = LIMIT_MAX
        self.old_from = "clip"
        self.repeat_every = self.n_pages = 0
        self.windows = []

    def control(self, settings):
        for name in SETTINGS:
            if name in settings:
                setattr(self, name, settings.pop(name))
        self.iam.lifetime = settings.pop("lifetime", self.iam.lifetime)
        if settings.pop("revoke", False):
            self.iam.revoke()
        if settings.pop("locked", False):
            self.iam.locked_until = self.now() + huawei_iam.LOCK_S

    def stats(self):
        return {
            "windows": self.windows,
            "pages": self.n_pages,
            "tokens": self.iam.n_tokens,
            "agency_tokens": self.iam.n_agency_tokens,
            "bad_signatures": self.iam.n_bad_signatures,
        }

    def bad(self, what, code="0201", status=400):
        message = "The parameter is invalid: " + what
        return simlib.Refuse(status, {"error_code": "CTS." + code, "error_msg": message})

    def answer(self, request):
        if request.path == huawei_iam.TOKEN_PATH:
            return self.iam.issue(request)
        self.iam.check(request)
        if not request.path.endswith("/traces") or request.method != "GET":
            raise self.iam.refuse(404, "0101", "The API does not exist")
        if request.path != PATH:
            raise self.iam.refuse(403, "0302", "The project is not the caller's")
        if request.body:
            raise self.bad("body")
        return self.page(
            request.query("trace_type", "limit", "from", "to", "next", "tracker_name")
        )

    def milliseconds(self, query, name):
        text = query.get(name, "")
        if len(text) != 13 or not text.isdigit() or not 946656000000 <= int(text) <= 4102416000000:
            raise self.bad(name)
        return int(text)

    def kind(self, query):
        """Whether data traces are asked for."""
        kind = query.get("trace_type", "system" if self.options.otc else "")
        if kind not in ("system",) if self.options.otc else kind not in ("system", "data"):
            raise self.bad("trace_type")
        tracker = query.get("tracker_name")
        if kind == "system" and tracker not in (None, "system"):
            raise self.bad("tracker_name", "0204")
        if kind == "data" and tracker != DATA_TRACKER:
            raise self.bad("tracker_name", "0214", 404)
        return kind == "data"

    def page(self, query):
        data = self.kind(query)
        limit = query.get("limit", "10")
        if not limit.isdigit() or not 1 <= int(limit) <= LIMIT_MAX:
            raise self.bad("limit")
        start, end = self.milliseconds(query, "from"), self.milliseconds(query, "to")
        if start >= end:
            raise self.bad("from")
        oldest = int(self.now() * 1000) - RETENTION_MS
        if start < oldest and self.old_from == "refuse":
            raise self.bad("from")
        found = self.select(max(start, oldest), end, data)
        if "next" in query:
            at = self.position(found, query["next"])
        else:
            self.windows.append([start, end])
            at = 0
        size = min(int(limit), self.page_cap)
        if self.marker == "same" and at >= len(found):
            at = max(len(found) - size, 0)
        self.n_pages += 1
        if self.repeat_every and self.n_pages % self.repeat_every == 0 and at > 0:
            at -= 1
        shown = found[at : at + size]
        return self.print_page(shown, at + size >= len(found))

    def select(self, start, end, data):
        """The traces of a window, newest first by record_time."""
        from_in, to_in = self.ends != "exclusive", self.ends == "both"
        seed, times, now_us = self.options.seed, self.trail.times, int(self.now() * 1e6)
        if self.filter == "record_time":
            found = self.trail.window(start * 1000, end * 1000, now_us, not from_in, to_in)
        else:
            found = []
            for n in self.trail.window(start * 1000, (end + 400_000) * 1000, now_us):
                at = happened_ms(seed, n - 1 if n % 40 == 1 else n, times[n] // 1000)
                low = at >= start if from_in else at > start
                high = at <= end if to_in else at < end
                if low and high:
                    found.append(n)
        found = [n for n in found if is_data(n) == data]
        found.reverse()
        return found

    def position(self, found, marker):
        """Where the page after MARKER begins."""
        times = self.trail.times
        if marker.isdigit() and len(marker) == 13:
            own, at_us = None, int(marker) * 1000
        elif 10 <= len(marker) <= 50 and marker in self.positions:
            own = self.positions[marker]
            at_us = times[own]
        else:
            raise self.bad("next")
        if self.tie == "exact" and own is not None:
            key = (at_us, own)
            return next((i for i, n in enumerate(found) if (times[n], n) < key), len(found))
        if self.tie == "skip":
            return next((i for i, n in enumerate(found) if times[n] < at_us), len(found))
        return next((i for i, n in enumerate(found) if times[n] <= at_us), len(found))

    def print_page(self, shown, last):
        meta = {"count": len(shown), "marker": None}
        if shown and (not last or self.marker in ("always", "same", "number")):
            meta["marker"] = trace_id(self.options.seed, shown[-1])
            if self.marker == "number":
                meta["marker"] = self.trail.times[shown[-1]] // 1000
        elif self.marker == "empty":
            meta["marker"] = ""
        elif self.marker == "missing":
            del meta["marker"]
        body = b'{"traces":[%s],"meta_data":%s}' % (
            b",".join(self.line(n) for n in shown),
            json.dumps(meta).encode(),
        )
        return simlib.Answer(200, body, {"Content-Type": "application/json;charset=utf-8"})


if __name__ == "__main__":
    simlib.main(Cts)
