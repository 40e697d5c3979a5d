#!/usr/bin/python3
"""Simulator of TaurusDB's SQL audit logs: the list of files, their links, the files themselves.

File n is a pure function of (seed, n) and its end; files 0 .. COUNT - 1 end at the times of a
trail, so file_line(...) and file_rows(...) tell what must come out at the other end. Behind them
stand DOOMED files more that may expire while a list is read, then those that a control inserts. A
file covers up to half an hour before its end, sizes are written in four ways, times with one of
three offsets. What the facts leave open is a control:

POST /_sim/control: "order": "asc", "desc" (by begin) or "random" (stable); "filter": "overlap",
"begin", "end" or "contained"; "inclusive": true|false, the window's end; "page_size": N, the most
elements of a page whatever is asked; "refuse_hundred": true, a limit of 100 is 400; "drift": [KIND,
...], one per page with offset > 0: "none", "insert_newest", "insert_oldest", "expire_doomed",
"expire_oldest" (eight at once); "drift_every": N, these but the last in turn, one at each N-th such page;
"stale_total": true, a walk is told the total of its first page; "grow": [n, ...], these files get
another size and end; "expire": [n, ...]; "vanish": [n, ...], these expire once
they are listed and "vanish_later": [n, ...] once a link is given; "audit_off": true; "shuffle": true|false, links;
"bad_token": "gateway" (401) or "service" (403 DBS.280056); "revoke": true, all tokens die now;
"token_life": seconds. Links live five minutes of the simulator's clock and lead to another port.

GET /_sim/stats adds "tokens", "bad_signatures", "locked", "walks" (first pages), "inserted" (number
and end), "expired", "downloads", "link_origin" and
"clock" (microseconds).
"""

import calendar
import functools
import hashlib
import hmac
import json
import re
import time
import urllib.parse

import huawei_iam
import simlib
import taurus_files
import trail

PROJECT = huawei_iam.PROJECT_ID
INSTANCE = "3d39c18788b54a919bab633874c159dfin07"
BASE = "/v3/%s/instances/%s/" % (PROJECT, INSTANCE)
BUCKET = "/taurus-audit"
LINK_LIFE_S = 300
MAX_SPAN_S = 30 * 86400
DRIFTS = ("insert_newest", "expire_doomed", "insert_oldest")
EXPIRE_AT_ONCE = 8
OFFSETS = (0, 0, 8 * 3600, -int(3.5 * 3600))
THROTTLED = {
    "error_code": "APIGW.0308",
    "error_msg": "The throttling threshold has been reached: policy user over ratelimit,"
    "limit:60,time:1 minute",
    "request_id": "0123456789abcdef0123456789abcdef",
}


def stamp(us, offset_s=0):
    """yyyy-mm-ddThh:mm:ss+hhmm"""
    t = time.gmtime(us // 1_000_000 + offset_s)
    sign, away = "-" if offset_s < 0 else "+", abs(offset_s) // 60
    return "%04d-%02d-%02dT%02d:%02d:%02d%s%02d%02d" % (*t[:6], sign, away // 60, away % 60)


def stamp_parse(text):
    """Microseconds, or ValueError."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)([+-])(\d\d)([0-5]\d)", text)
    if not match:
        raise ValueError(text)
    seconds = calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S"))
    away = int(match[3]) * 3600 + int(match[4]) * 60
    return (seconds - (away if match[2] == "+" else -away)) * 1_000_000


def size_text(h):
    """A size in kilobytes, as a number or as text."""
    size = h % 20_000_000 / 997
    return ("%d" % size, "%.6f" % size, "%.3e" % size, '"%.2f"' % size)[(h >> 40) % 4]


def file_id(seed, n):
    h = simlib.mix(seed + 21, n)
    return "fa163e5a91c7t11f0b0c4%012xbr07" % (h & (2**48 - 1))


def begin_us(seed, n, end_us):
    return end_us - (1 + simlib.mix(seed + 22, n) % 1800) * 1_000_000


@functools.cache
def file_line(seed, n, end_us, revision=0):
    """The list's entry for file n, as the API sends it and as a raw sink must write it. A later
    revision is another size and end of the same file."""
    h = simlib.mix(seed + 23, n)
    offset = OFFSETS[(h >> 50) % 4]
    end_us += revision * 7_000_000
    name = "%d_%s_%s_Audit_%012x-b4c5-11f0-91c7-fa163e5a9b0c" % (
        10000 + n,
        time.strftime("%Y%m%d%H%M%S", time.gmtime(end_us // 1_000_000)),
        INSTANCE,
        h & (2**48 - 1),
    )
    return '{"id":"%s","name":"%s","size":%s,"begin_time":"%s","end_time":"%s"}' % (
        file_id(seed, n),
        name,
        size_text(simlib.mix(seed + 24, n + revision * 1_000_003)),
        stamp(begin_us(seed, n, end_us - revision * 7_000_000), offset),
        stamp(end_us, offset),
    )


class File:
    def __init__(self, seed, n, end_us, seen_us):
        self.n = n
        self.id = file_id(seed, n)
        self.begin_us = begin_us(seed, n, end_us)
        self.end_us = end_us
        self.seen_us = seen_us
        self.revision = 0
        self.expired = False


def refuse(status, code, text):
    return simlib.Refuse(status, {"error_code": code, "error_msg": text})


def refuse_xml(status, code, text):
    fault = refuse(status, code, text)
    body = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>%s</Code><Message>%s</Message>'
    fault.answer = simlib.answer_text(body % (code, text) + "</Error>", status, "application/xml")
    return fault


class Taurus(simlib.Simulator):
    def arguments(self, parser):
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--count", type=int, default=100)
        parser.add_argument("--doomed", type=int, default=0)
        parser.add_argument("--rows", type=int, default=20, help="statements of a file")
        parser.add_argument("--first", help="RFC 3339; default: two days ago")
        parser.add_argument("--last", help="RFC 3339; default: now")
        parser.add_argument("--file-delay", type=float, default=600, metavar="SECONDS")
        parser.add_argument("--upload-every", type=float, default=1, metavar="SECONDS")
        parser.add_argument("--file-late", type=float, default=7200, metavar="SECONDS")

    def start(self, options):
        self.iam = huawei_iam.Iam(self)
        now_us = int(self.now() * 1e6)
        first = simlib.iso_parse(options.first) if options.first else now_us - 2 * trail.DAY_US
        last = simlib.iso_parse(options.last) if options.last else now_us
        self.files = []
        for seed, count in ((options.seed, options.count), (options.seed + 100, options.doomed)):
            self.grow_list(taurus_files.trail_of(options, seed, count, first, last))
        self.inserted = []
        self.order = "asc"
        self.filter = "overlap"
        self.inclusive = False
        self.page_size = 100
        self.refuse_hundred = False
        self.drift, self.drift_every = [], 0
        self.stale_total, self.totals = False, {}
        self.audit_off = False
        self.shuffle = True
        self.bad_token = "gateway"
        self.n_walks = self.n_drifts = self.n_downloads = 0
        self.vanish, self.vanish_later = [], []
        self.links = {}  # path and query -> (file, end of life)
        self.link_origin = self.listen()

    def grow_list(self, files):
        step = int(self.options.upload_every * 1e6)
        for end_us, seen_us in zip(files.times, files.seen):
            seen_us = (seen_us + step - 1) // step * step
            self.files.append(File(self.options.seed, len(self.files), end_us, seen_us))

    def control(self, settings):
        for name in (
            "order filter inclusive page_size refuse_hundred stale_total audit_off shuffle "
            "bad_token drift drift_every vanish vanish_later"
        ).split():
            if name in settings:
                setattr(self, name, settings.pop(name))
        for n in settings.pop("grow", []):
            self.files[n].revision += 1
        for n in settings.pop("expire", []):
            self.files[n].expired = True
        if settings.pop("revoke", False):
            self.iam.revoke()
        self.iam.lifetime = settings.pop("token_life", self.iam.lifetime)

    def stats(self):
        return {
            "tokens": self.iam.n_tokens,
            "bad_signatures": self.iam.n_bad_signatures,
            "locked": self.iam.locked_until > 0,
            "walks": self.n_walks,
            "inserted": [[f.n, f.end_us] for f in self.inserted],
            "expired": [f.n for f in self.files if f.expired],
            "downloads": self.n_downloads,
            "link_origin": self.link_origin,
            "clock": int(self.now() * 1e6),
        }

    # routing and proof

    def answer(self, request):
        if request.path.startswith(BUCKET + "/"):
            return self.download(request)
        if request.headers.get("host") != self.origin.partition("//")[2]:
            raise self.iam.refuse(404, "0101", "The API does not exist or is not published.")
        if request.path == huawei_iam.TOKEN_PATH:
            return self.iam.issue(request)
        self.check(request)
        match = re.fullmatch(r"/v3/([^/]*)/instances/([^/]*)/([a-z-]+)", request.path)
        routes = {
            ("audit-logs", "GET"): self.list,
            ("audit-log-link", "POST"): self.link,
            ("audit-log-policy", "GET"): self.policy,
        }
        route = match and routes.get((match[3], request.method))
        if not route:
            raise self.iam.refuse(404, "0101", "The API does not exist or is not published.")
        if match[1] != PROJECT:
            raise refuse(403, "DBS.200010", "The project is not the credential's.")
        if not re.fullmatch(r"[0-9a-z]{32}in07", match[2]):
            raise refuse(400, "DBS.280404", "Invalid instance ID format.")
        if match[2] != INSTANCE:
            raise refuse(404, "DBS.200002", "The DB instance does not exist.")
        if "json" not in request.headers.get("content-type", ""):
            raise refuse(400, "DBS.200001", "Content-Type")
        return route(request)

    def check(self, request):
        try:
            self.iam.check(request)
        except simlib.Refuse:
            if self.bad_token == "service" and "x-auth-token" in request.headers:
                raise refuse(403, "DBS.280056", "Invalid token.") from None
            raise

    # the list

    def list(self, request):
        if request.body:
            raise refuse(400, "DBS.200001", "A body was not expected.")
        start_us, end_us, offset, limit = self.list_query(request)
        if offset == 0:
            self.n_walks += 1
        else:
            self.move(start_us, end_us)
        found = self.window(start_us, end_us)
        total = len(found)
        if offset == 0:
            self.totals[start_us, end_us] = total
        elif self.stale_total:
            total = self.totals.get((start_us, end_us), total)
        page = found[offset : offset + min(limit, self.page_size)]
        for file in page:
            file.expired = file.n in self.vanish
        lines = [file_line(self.options.seed, f.n, f.end_us, f.revision) for f in page]
        body = '{"audit_logs":[%s],"total_count":%d}' % (",".join(lines), total)
        return simlib.Answer(200, body.encode(), {"Content-Type": "application/json"})

    def list_query(self, request):
        try:
            query = request.query("start_time", "end_time", "offset", "limit")
            start_us, end_us = stamp_parse(query["start_time"]), stamp_parse(query["end_time"])
            if not re.fullmatch(r"\d{1,9}", query["offset"] + query["limit"]):
                raise ValueError("offset, limit")
            offset, limit = int(query["offset"]), int(query["limit"])
        except (simlib.Refuse, KeyError, ValueError) as fault:
            raise refuse(400, "DBS.200001", "Parameter error: %s" % fault) from None
        if end_us <= start_us or end_us - start_us > MAX_SPAN_S * 1_000_000:
            raise refuse(400, "DBS.280001", "The time range is wrong or exceeds 30 days.")
        if not 1 <= limit <= 100 or (limit == 100 and self.refuse_hundred):
            raise refuse(400, "DBS.280439", "The number of records is not allowed.")
        return start_us, end_us, offset, limit

    def window(self, start_us, end_us):
        now_us = int(self.now() * 1e6)
        last_us = end_us + (1 if self.inclusive else 0)
        if self.audit_off:
            return []
        inside = {
            "overlap": lambda f: f.end_us >= start_us and f.begin_us < last_us,
            "begin": lambda f: start_us <= f.begin_us < last_us,
            "end": lambda f: start_us <= f.end_us < last_us,
            "contained": lambda f: start_us <= f.begin_us and f.end_us < last_us,
        }[self.filter]
        found = [f for f in self.files if f.seen_us <= now_us and not f.expired and inside(f)]
        if self.order == "random":
            found.sort(key=lambda f: simlib.mix(self.options.seed + 25, f.n))
        else:
            found.sort(key=lambda f: (f.begin_us, f.n), reverse=self.order == "desc")
        return found

    def move(self, start_us, end_us):
        """What happens to the list between two pages."""
        self.n_drifts += 1
        kind = self.drift.pop(0) if self.drift else "none"
        if self.drift_every and self.n_drifts % self.drift_every == 0:
            kind = DRIFTS[self.n_drifts // self.drift_every % len(DRIFTS)]
        if kind == "insert_newest":
            self.insert(end_us - 1_000_000)
        elif kind == "insert_oldest":
            self.insert(start_us + 1801 * 1_000_000)
        elif kind.startswith("expire"):
            first, last = 0, len(self.files)
            if kind == "expire_doomed":
                first, last = self.options.count, self.options.count + self.options.doomed
            inside = [f for f in self.window(start_us, end_us) if first <= f.n < last]
            for file in sorted(inside, key=lambda f: f.end_us)[:EXPIRE_AT_ONCE]:
                file.expired = True

    def insert(self, end_us):
        file = File(self.options.seed, len(self.files), end_us, 0)
        self.files.append(file)
        self.inserted.append(file)

    def policy(self, request):
        keep_days = 0 if self.audit_off else 7
        return simlib.answer_json(
            {"keep_days": keep_days, "audit_types": [], "all_audit_log_action": ""}
        )

    # links and files

    def link(self, request):
        try:
            body = request.json()
        except simlib.Refuse:
            body = None
        ids = body.get("ids") if isinstance(body, dict) and list(body) == ["ids"] else None
        if request.raw_query or not isinstance(ids, list) or not 1 <= len(ids) <= 50:
            raise refuse(400, "DBS.200001", "Parameter error: ids")
        known = {f.id: f for f in self.files if not f.expired}
        if any(not isinstance(i, str) or i not in known for i in ids):
            raise refuse(400, "DBS.200001", "Parameter error: no such audit log")
        if self.shuffle:
            ids.sort(key=lambda i: simlib.mix(request.number, int(i[21:33], 16)))
        links = [self.link_to(known[i]) for i in ids]
        for i in ids:
            known[i].expired = known[i].n in self.vanish_later
        return simlib.answer_json({"links": links})

    def link_to(self, file):
        end = int(self.now()) + LINK_LIFE_S
        key = "%d %d" % (file.n, end)
        proof = hmac.new(b"bucket", key.encode(), hashlib.sha1).hexdigest()[:24]
        # a signature in base 64 has signs that are escaped; who escapes anew breaks the link
        target = "%s/%s/%s?AccessKeyId=BUCKETKEY&Expires=%d&Signature=%s%%2F%%2b%%3D" % (
            BUCKET,
            INSTANCE,
            urllib.parse.quote(taurus_files.name(file.n)),
            end,
            proof,
        )
        self.links[target] = file
        return self.link_origin + target

    def download(self, request):
        self.n_downloads += 1
        if request.headers.get("host") != self.link_origin.partition("//")[2]:
            raise refuse_xml(404, "NoSuchBucket", "The bucket is not here.")
        for name in ("x-auth-token", "authorization", "x-sdk-date", "x-project-id"):
            if name in request.headers:
                raise refuse_xml(403, "AccessDenied", "Two ways of authentication.")
        file = self.links.get(request.target)
        if request.method != "GET" or not file:
            raise refuse_xml(403, "SignatureDoesNotMatch", "The signature does not match.")
        if int(re.search(r"Expires=(\d+)", request.target)[1]) <= self.now():
            raise refuse_xml(403, "AccessDenied", "Request has expired")
        if file.expired:
            raise refuse_xml(404, "NoSuchKey", "The specified key does not exist.")
        body = taurus_files.body(self.options.seed, file.n, file.begin_us, self.options.rows)
        return simlib.Answer(
            200,
            body,
            {
                "Content-Type": "application/octet-stream",
                "ETag": '"%s"' % hashlib.md5(body).hexdigest(),
            },
        )


if __name__ == "__main__":
    simlib.main(Taurus)
