#!/usr/bin/python3
"""Simulator of cloudscale.ch's GET /v1/project-logs, strict where the real API is or may be.

Each project (one token each) has a log of records 0, 1, 2, ... in the order in which they were
committed; the first N of them are visible. Record n is a pure function of (seed, n), the base time
and the step, so record_line(seed, n) tells what must come out at the other end. Timestamps do not
rise evenly: entries overtake each other, some by hundreds of places. Some records are equal to the
last byte: neighbours, such that stand a few places apart, and always numbers 500, 1000, 1500, ...
with the one before, so that equal records stand on both sides of a page edge. A cursor is a number
with gaps that names a position in the log (and the `start` that the chain began with).

POST /_sim/control: "page_size": N; "visible": N or {"TOKEN": N}; "empty_every": K, an empty page
with a next link before each position that K divides; "expired_before": N with "lost_status": 404,
cursors below position N are answered so; "lose_from": K, the same for the K-th and every later request
of a chain, which begins with one that has no cursor (0: never); "gone_before": N, records below
position N are deleted and cursors that lead there continue at N; "retention": SECONDS, records whose
time is longer ago by the clock of the simulator are deleted, too (0: kept for ever); "revoked": ["TOKEN", ...]; "forbidden": ["TOKEN", ...].
GET /_sim/stats adds "served": {"TOKEN": highest position sent}.
"""

import functools
import json
import time
import uuid

import simlib

BASE_US = simlib.iso_parse("2025-12-11T12:00:00Z")
STEP_US = 400_000
CHAIN = 10**12
PATH = "/v1/project-logs"

ACTIONS = (
    ("server_create", "Server '%s' has been created"),
    ("server_pause", "Server '%s' has been paused"),
    ("server_delete", "Server '%s' has been deleted"),
    ("volume_create", "Volume '%s' has been created"),
    ("server_volume_attach", "Volume '%s' has been attached"),
    ("floating_ip_create", "Floating IP '%s' has been created"),
    ("objects_user_create", "Objects user '%s' has been created"),
    ("member_invite", 'Member "%s" has been invited'),
)
NAMES = ("hello", "web-1", "data-é", "büro", "db\\main", "日本", "\U0001f680", "a+b", "x/y")
SETTINGS = (
    "page_size",
    "empty_every",
    "expired_before",
    "lost_status",
    "lose_from",
    "gone_before",
    "retention",
    "revoked",
    "forbidden",
)


def repeats(seed, n):
    """How far back the record stands that record n is equal to; 0: it is like no other."""
    if n and n % 500 == 0:
        return 1
    chance = simlib.mix(seed, n) % 120
    return {0: 1, 1: 1, 2: 3}.get(chance, 0) if n >= 3 else 0


def origin_of(seed, n):
    """The record whose text record n has: itself, or the one it repeats."""
    while back := repeats(seed, n):
        n -= back
    return n


def timestamp_us(seed, n, base_us=BASE_US, step_us=STEP_US):
    n = origin_of(seed, n)
    h = simlib.mix(seed + 1, n)
    us = base_us + n * step_us + (h % (10 * step_us)) - 5 * step_us
    return us - 200 * step_us if (h >> 32) % 31 == 0 else us


@functools.cache
def project_of(seed):
    key = uuid.UUID(int=simlib.mix(seed, 1 << 40) << 64)
    return {"uuid": str(key), "name": "Project %d" % seed}


def record(seed, n, base_us=BASE_US, step_us=STEP_US):
    """Record n as an object."""
    n = origin_of(seed, n)
    h = simlib.mix(seed + 2, n)
    action, words = ACTIONS[h % 8]
    name = "%s-%d" % (NAMES[(h >> 3) % 9], (h >> 8) % 1000)
    kind = (h >> 20) % 16
    ip = "172.30.%d.%d" % ((h >> 24) % 256, (h >> 32) % 256)
    if kind < 8:
        actor = {"user": {"email": "user%d@example.com" % ((h >> 40) % 20)}}
    elif kind < 12:
        token = str(uuid.UUID(int=simlib.mix(seed, kind) << 64))
        actor = {"api_token": {"uuid": token, "description": "prod-csi"}}
        ip = "2001:db8::%x" % ((h >> 24) % 65536)
    elif kind < 14:
        actor, ip = {"system": {}}, None
    elif kind < 15:
        actor, ip = {"admin": {}}, None
    else:
        actor = {"federated": {"issuer": "https://id.example.net", "level": 20481.835938}}
    result = {
        "timestamp": simlib.iso(timestamp_us(seed, n, base_us, step_us)),
        "action": action,
        "message": words % name,
        "ip_address": ip,
        "actor": actor,
    }
    subject = (h >> 48) % 16
    if subject < 12:
        result["subject"] = {"project": project_of(seed)}
    elif subject < 13:
        result["subject"] = {"user": {"email": "owner@example.com"}}
    elif subject < 14:
        result["subject"] = {"organization": {"uuid": project_of(seed)["uuid"], "name": "Org"}}
    elif subject < 15:
        result["subject"] = {"cluster": {"name": name, "nodes": [1, 2.5, -0.0]}}
    return result


def record_line(seed, n, base_us=BASE_US, step_us=STEP_US):
    """Record n as bytes, as the API sends it and as a raw sink must write it (no line feed)."""
    escaped = simlib.mix(seed + 2, origin_of(seed, n)) & (1 << 60) != 0
    text = json.dumps(
        record(seed, n, base_us, step_us), separators=(",", ":"), ensure_ascii=escaped
    )
    return text.encode()


def expected_lines(seed, first, last, base_us=BASE_US, step_us=STEP_US):
    """What a file holds after records first .. last - 1."""
    return b"".join(record_line(seed, n, base_us, step_us) + b"\n" for n in range(first, last))


class Project:
    def __init__(self, token, seed, count):
        self.token = token
        self.seed = seed
        self.count = count
        self.visible = count
        self.served = 0
        self.n_chain = 0  # requests of the chain
        self.lines = []
        self.times = []

    def grow(self, size, base_us, step_us):
        for n in range(len(self.lines), size):
            self.lines.append(record_line(self.seed, n, base_us, step_us))
            self.times.append(timestamp_us(self.seed, n, base_us, step_us))

    def cursor(self, position, passed_empty, start_us):
        code = 10000 + 5 * position + simlib.mix(self.seed, position) % 4 + passed_empty
        return code + start_us * CHAIN

    def position(self, text):
        """(position, passed_empty, start_us) of a cursor that was given out, or Refuse."""
        if not text.isascii() or not text.isdigit():
            raise simlib.Refuse(400, {"detail": "Invalid cursor."})
        start_us, code = divmod(int(text), CHAIN)
        position = (code - 10000) // 5
        for passed_empty in (False, True):
            if position >= 0 and self.cursor(position, passed_empty, start_us) == int(text):
                return position, passed_empty, start_us
        raise simlib.Refuse(400, {"detail": "Invalid cursor."})


class Cloudscale(simlib.Simulator):
    def arguments(self, parser):
        parser.add_argument(
            "--project",
            action="append",
            metavar="TOKEN=SEED:COUNT",
            help="default: demo-token=1:1000",
        )
        parser.add_argument("--page-size", type=int, default=100)
        parser.add_argument("--rate", type=float, default=0, help="records a second, without end")
        parser.add_argument("--base", help="time of record 0; default: fixed; now: this moment")
        parser.add_argument("--step-ms", type=int, default=STEP_US // 1000)

    def start(self, options):
        self.projects = {}
        for text in options.project or ["demo-token=1:1000"]:
            token, _, rest = text.rpartition("=")
            seed, _, count = rest.partition(":")
            self.projects[token] = Project(token, int(seed), int(count))
        self.page_size = options.page_size
        self.empty_every = 0
        self.expired_before = 0
        self.lost_status = 404
        self.lose_from = 0
        self.gone_before = 0
        self.retention = 0
        self.revoked = []
        self.forbidden = []
        self.step_us = options.step_ms * 1000
        self.base_us = BASE_US
        if options.base and options.base != "now":
            self.base_us = simlib.iso_parse(options.base)
        elif options.base:
            # what is visible at once happened before this moment
            most = max(p.count for p in self.projects.values())
            self.base_us = int(time.time() * 1e6) - most * self.step_us
        self.started = time.monotonic()
        for project in self.projects.values():
            project.grow(project.visible, self.base_us, self.step_us)

    def control(self, settings):
        for name in SETTINGS:
            if name in settings:
                setattr(self, name, settings.pop(name))
        visible = settings.pop("visible", {})
        if isinstance(visible, int):
            visible = {token: visible for token in self.projects}
        for token, count in visible.items():
            self.projects[token].visible = count

    def stats(self):
        return {"served": {p.token: p.served for p in self.projects.values()}}

    def answer(self, request):
        if request.path != PATH:
            raise simlib.Refuse(404, {"detail": "Not found."})
        if request.method != "GET":
            raise simlib.Refuse(405, {"detail": "Method not allowed."}, {"Allow": "GET"})
        token = request.bearer()
        project = self.projects.get(token)
        if project is None or token in self.revoked:
            raise simlib.Refuse(401, {"detail": "Invalid token."})
        if token in self.forbidden:
            raise simlib.Refuse(403, {"detail": "You do not have permission."})
        accept = request.headers.get("accept", "*/*")
        if "json" not in accept and "*/*" not in accept:
            raise simlib.Refuse(406, {"detail": "Only application/json is there."})
        if request.body:
            raise simlib.Refuse(400, {"detail": "A body was not expected."})
        return self.page(project, request.query("start", "end", "cursor"))

    def page(self, project, query):
        if "cursor" in query and len(query) > 1:
            raise simlib.Refuse(400, {"detail": "cursor excludes start and end."})
        position, passed_empty, start_us, end_us = 0, False, 0, None
        project.n_chain = project.n_chain + 1 if "cursor" in query else 1
        if "cursor" in query:
            position, passed_empty, start_us = project.position(query["cursor"])
            lost = self.lose_from and project.n_chain >= self.lose_from
            if lost or position < self.expired_before:
                raise simlib.Refuse(self.lost_status, {"detail": "Cursor expired."})
        try:
            start_us = simlib.iso_parse(query["start"]) if "start" in query else start_us
            end_us = simlib.iso_parse(query["end"]) if "end" in query else None
        except ValueError:
            raise simlib.Refuse(400, {"start": ["Enter a valid date/time."]}) from None
        visible = project.visible
        if self.options.rate:
            visible += int((time.monotonic() - self.started) * self.options.rate)
        project.grow(visible, self.base_us, self.step_us)
        position = min(max(position, self.gone_before), visible)
        empty = (
            self.empty_every
            and position % self.empty_every == 0
            and position < visible
            and not passed_empty
        )
        if empty:
            return self.page_print(project, [], position, True, start_us, True)
        lines, position = self.records(project, position, visible, start_us, end_us)
        if lines or position < visible:
            passed_empty = False
        project.served = max(project.served, position)
        return self.page_print(project, lines, position, passed_empty, start_us, position < visible)

    def records(self, project, position, visible, start_us, end_us):
        """At most a page of lines from position on, and the position after them."""
        kept_us = int((self.now() - self.retention) * 1e6) if self.retention else 0
        start_us = max(start_us, kept_us)
        if not start_us and end_us is None:
            after = min(position + self.page_size, visible)
            return project.lines[position:after], after
        lines = []
        while position < visible and len(lines) < self.page_size:
            at = project.times[position]
            if at >= start_us and (end_us is None or at < end_us):
                lines.append(project.lines[position])
            position += 1
        return lines, position

    def page_print(self, project, lines, position, passed_empty, start_us, more):
        cursor = project.cursor(position, passed_empty, start_us)
        url = b'"%s%s?cursor=%d"' % (self.origin.encode(), PATH.encode(), cursor)
        body = b'{"next":%s,"poll_more":%s,"results":[' % (url if more else b"null", url)
        return simlib.Answer(
            200, body + b",".join(lines) + b"]}", {"Content-Type": "application/json"}
        )


if __name__ == "__main__":
    simlib.main(Cloudscale)
