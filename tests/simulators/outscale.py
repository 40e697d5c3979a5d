#!/usr/bin/python3
"""Simulator of OUTSCALE's POST /api/v1/ReadApiLogs, strict where the real API is or may be.

One account in one region with one access key. Record n of the account's trail is a pure function of
(seed, n) and its time, so record_line(...) tells what must come out at the other end; which records
can be seen, and when, is the matter of trail.py. With --log-calls each accepted request of a reader
is itself a record (ReadApiLogs), visible from the next request on.

Signatures (OSC4-HMAC-SHA256, and AWS4-HMAC-SHA256 with X-Amz-Date) are computed again from what
came over the wire; four bad ones in a row lock the key out for a minute, each further four for a
minute more, ten at most.

POST /_sim/control, what the documents leave open or contradict, and what goes wrong in practice:
    "order": "oldest"|"newest"     which record comes first
    "ties": "id"|"mixed"           records of one time: by their IDs or in no order that means much
    "before": "exclusive"|"inclusive"   QueryDateBefore
    "odd_dates": "refuse"|"empty"  bounds older than 32 days, in the future, the wrong way round
    "span_max": SECONDS            the longest span with both bounds, 0: none; 400 beyond it
    "tokens_bound": true|false     a token belongs to one set of request members
    "token_lifetime": SECONDS      of the simulator's clock, 0: for ever
    "expire_every": K              each K-th token given out is dead
    "expire_tokens": true          all tokens given out so far are dead, now
    "empty_last": true             the last page has a token, which leads to an empty one
    "repeat": K                    a page begins with the last K records of the one before
    "end": "absent"|"null"|"empty" what stands for the token on a last page
    "log_calls": true|false        the reader's own calls are records
    "intruder": true|false         each of these calls is made once more with another key
    "revoked": true                the access key is not valid any more
GET /_sim/stats adds "bad_signatures", "locks", "locked", "tokens", "calls", "algorithms".
"""

import base64
import collections
import datetime
import hashlib
import json
import re
import time
import uuid

import sigv4
import simlib
import trail

PATHS = ("/api/v1/ReadApiLogs", "/api/latest/ReadApiLogs")
REGION = "eu-west-2"
ACCESS_KEY = "ABCDEFGHIJ0123456789"
SECRET_KEY = "abcdefghijABCDEFGHIJ0123456789abcdefghij"
ACCOUNT = "123456789012"
SKEW_S = 5 * 60
LOCK_AFTER = 4
LOCK_S = 60
LOCK_MOST = 10
RETENTION_US = 32 * trail.DAY_US
DEFAULT_US = 2 * trail.DAY_US
RESULTS_MAX = 1000
RESULTS_DEFAULT = 100

# what a filter is called, the member that it looks at, its elements' type
FILTERS = {
    "QueryAccessKeys": ("QueryAccessKey", str),
    "QueryApiNames": ("QueryApiName", str),
    "QueryCallNames": ("QueryCallName", str),
    "QueryIpAddresses": ("QueryIpAddress", str),
    "QueryUserAgents": ("QueryUserAgent", str),
    "RequestIds": ("RequestId", str),
    "ResponseStatusCodes": ("ResponseStatusCode", int),
}
MEMBERS = (
    "AccountId",
    "CallDuration",
    "QueryAccessKey",
    "QueryApiName",
    "QueryApiVersion",
    "QueryCallName",
    "QueryDate",
    "QueryHeaderRaw",
    "QueryHeaderSize",
    "QueryIpAddress",
    "QueryPayloadRaw",
    "QueryPayloadSize",
    "QueryUserAgent",
    "RequestId",
    "ResponseSize",
    "ResponseStatusCode",
)
CALLS = (
    ("CreateVolume", '{"Size": %d, "SubregionName": "eu-west-2a", "VolumeType": "standard"}'),
    ("ReadVms", '{"Filters": {"VmIds": ["i-%08x"]}}'),
    ("CreateTags", '{"ResourceIds": ["vol-%08x"], "Tags": [{"Key": "né", "Value": "\\u00fc/\\n"}]}'),
    ("DeleteSnapshot", '{"SnapshotId": "snap-%08x", "DryRun": false}'),
    ("CreateSecurityGroupRule", '{"Flow": "Inbound", "FromPortRange": %d, "IpRange": "0.0.0.0/0"}'),
    ("CreateVms", '{"UserData": "IyEvYmluL2Jhc2gK\\\\/+==", "MaxVmsCount": %d, "Name": "日本\U0001f680"}'),
    ("ReadAccounts", ""),
)
AGENTS = ("osc-cli/1.11.0", "osc_sdk 1.5", "Terraform/1.5 (+https://x)", "cockpit/3", "")
KEYS = (ACCESS_KEY, "KLMNOPQRST0123456789", "UVWXYZABCD0123456789")


def record(seed, n, at_us):
    """Record n as an object, its members in the API's order."""
    h = simlib.mix(seed + 21, n)
    call, payload = CALLS[h % 7]
    if "%" in payload:
        payload %= (h >> 8) % 65536
    if (h >> 24) % 50 == 0:
        payload += " " * 3000
    agent = AGENTS[(h >> 32) % 5]
    header = "\\n".join(
        (
            "Host: api.eu-west-2.outscale.com",
            "User-Agent: " + agent,
            "Authorization: *****",
            'X-Note: "quoted" \\ tab\t',
        )
    )
    identity = simlib.mix(seed + 22, n) << 64 | simlib.mix(seed + 23, n)
    return {
        "AccountId": ACCOUNT,
        "CallDuration": (h >> 40) % 900,
        "QueryAccessKey": KEYS[(h >> 50) % 3],
        "QueryApiName": "oapi",
        "QueryApiVersion": "1.40",
        "QueryCallName": call,
        "QueryDate": simlib.iso(at_us),
        "QueryHeaderRaw": header,
        "QueryHeaderSize": len(header),
        "QueryIpAddress": "198.51.100.%d" % ((h >> 16) % 20),
        "QueryPayloadRaw": payload,
        "QueryPayloadSize": len(payload),
        "QueryUserAgent": agent,
        "RequestId": str(uuid.UUID(int=identity, version=4)),
        "ResponseSize": (h >> 44) % 50000,
        "ResponseStatusCode": (200, 200, 200, 400, 403, 409, 500)[(h >> 56) % 7],
    }


def record_text(record):
    """As the API sends it and as a raw sink must write it; some are sent with escapes."""
    escaped = record["RequestId"][0] in "0123"
    return json.dumps(record, separators=(",", ":"), ensure_ascii=escaped).encode()


def expected(made, leave_out=()):
    """(time, RequestId, line) of all records of a Trail, oldest first, calls in LEAVE_OUT left out."""
    records = (record(made.seed, n, made.times[n]) for n in range(made.count))
    return sorted(
        (r["QueryDate"], r["RequestId"], record_text(r))
        for r in records
        if r["QueryCallName"] not in leave_out
    )


def error(status, code, kind, details=""):
    """The answer with the error body that most of the API has (body A)."""
    return simlib.Refuse(status, error_body(code, kind, details))


def error_body(code, kind, details="", request_id="00000000-0000-4000-8000-000000000000"):
    return {
        "Errors": [{"Code": str(code), "Type": kind, "Details": details}],
        "ResponseContext": {"RequestId": request_id},
    }


# Passing faults as the service and what stands before it give them, for "faults" of a control.
FAULTS = {
    "account": {
        "kind": "status",
        "status": 429,
        "json": error_body(24, "ErrorOperationThrottledPerAccount"),
    },
    "call": {
        "kind": "status",
        "status": 429,
        "json": error_body(25, "ErrorOperationThrottledPerCall"),
    },
    "platform": {
        "kind": "status",
        "status": 503,
        "json": error_body(6, "ErrorOperationThrottledWholePlatform"),
    },
    "gateway": {
        "kind": "status",
        "status": 500,
        "json": {"error": "Internal Server Error", "message": "An error occurred", "__type": 9},
    },
    "problem": {
        "kind": "status",
        "status": 502,
        "content_type": "application/problem+json",
        "json": {"type": "about:blank", "title": "Bad Gateway", "status": 502, "detail": "x"},
    },
    "xml": {
        "kind": "status",
        "status": 504,
        "content_type": "text/xml",
        "body": '<?xml version="1.0"?><ErrorResponse><Code>Unavailable</Code></ErrorResponse>',
    },
    "html": {"kind": "html"},
}


class Lockout:
    """Bad keys in a row, and what they bring."""

    def __init__(self):
        self.row = 0
        self.level = 0
        self.until = 0

    def bad(self, now):
        self.row += 1
        if self.row % LOCK_AFTER == 0:
            self.level = min(self.level + 1, LOCK_MOST)
            self.until = now + self.level * LOCK_S

    def good(self):
        self.row = self.level = 0


def time_parse(text, whole_day):
    """Microseconds of an ISO 8601 date-time or date; WHOLE_DAY: a date means its end."""
    if not isinstance(text, str):
        raise ValueError(text)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        at = datetime.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=datetime.timezone.utc)
        at_us = (at - simlib.EPOCH) // datetime.timedelta(microseconds=1)
        return at_us + (trail.DAY_US if whole_day else 0)
    if not re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", text
    ):
        raise ValueError(text)
    fraction = re.search(r"\.(\d+)", text)
    if fraction:
        text = text.replace(fraction[0], "." + fraction[1].ljust(6, "0"))
    return simlib.iso_parse(text.replace("Z", "+00:00"))


SETTINGS = {
    "order": "oldest",
    "ties": "id",
    "before": "exclusive",
    "odd_dates": "refuse",
    "span_max": 0,
    "tokens_bound": True,
    "token_lifetime": 0,
    "expire_every": 0,
    "empty_last": False,
    "repeat": 0,
    "end": "absent",
    "log_calls": False,
    "intruder": False,
    "revoked": False,
}


class Outscale(simlib.Simulator):
    def arguments(self, parser):
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--count", type=int, default=1000)
        parser.add_argument("--first", help="time of the oldest record; default: 47 hours ago")
        parser.add_argument("--last", help="time of the newest; default: 2 minutes ago")
        parser.add_argument("--delay-s", type=float, default=0, help="until a record can be seen")
        parser.add_argument("--late-s", type=float, default=0, help="until the latest ones can")

    def start(self, options):
        self.trail = make_trail(options, time.time())
        self.lines = {}
        self.ids = {}
        self.own = []  # (time, id, line) of the reader's calls
        self.lockout = Lockout()
        self.serial = 0  # of tokens
        self.dead_before = 0
        self.n_bad = self.n_locks = self.n_locked = 0
        self.algorithms = collections.Counter()
        for name, value in SETTINGS.items():
            setattr(self, name, value)

    def control(self, settings):
        for name in SETTINGS:
            if name in settings:
                setattr(self, name, settings.pop(name))
        if settings.pop("expire_tokens", False):
            self.dead_before = self.serial + 1

    def stats(self):
        return {
            "bad_signatures": self.n_bad,
            "locks": self.n_locks,
            "locked": self.n_locked,
            "tokens": self.serial,
            "calls": len(self.own),
            "algorithms": dict(self.algorithms),
        }

    def now_us(self):
        return int(self.now() * 1e6)

    def answer(self, request):
        if request.path not in PATHS or request.raw_query:
            problem = {"type": "about:blank", "title": "Not Found", "status": 404}
            problem.update(detail="No such call.", instance=request.path)
            raise simlib.Refuse(404, problem, {"Content-Type": "application/problem+json"})
        if request.method != "POST":
            raise error(405, 2, "AccessDenied", "The method is not allowed.")
        self.authenticate(request)
        members = self.members(request)
        answer = self.page(members)
        if self.log_calls:
            self.log_call(request)
            if self.intruder:
                self.log_call(request, KEYS[1])
        return answer

    # who asks

    def authenticate(self, request):
        now = self.now()
        if now < self.lockout.until:
            self.n_locked += 1
            raise error(401, 13, "AccessDenied", "Too many attempts: wait 60 seconds.")
        fault = self.signature_fault(request, now)
        if not fault:
            self.lockout.good()
            return
        self.n_bad += 1
        locked_until = self.lockout.until
        self.lockout.bad(now)
        self.n_locks += self.lockout.until != locked_until
        raise error(401, 1, "AccessDenied", "ErrorAuthenticationFailed: " + fault)

    def signature_fault(self, request, now):
        """What is wrong, or None."""
        key = None if self.revoked else ACCESS_KEY
        algorithm, fault = sigv4.check(request, now, key, SECRET_KEY, REGION, SKEW_S)
        if not fault:
            self.algorithms[algorithm] += 1
        return fault

    # what is asked

    def members(self, request):
        """The request's members, checked."""
        if "json" not in request.headers.get("content-type", ""):
            raise error(400, 3000, "InvalidParameter", "Content-Type")
        try:
            members = json.loads(request.body) if request.body else {}
        except ValueError:
            raise error(400, 3000, "InvalidParameter", "The body is not JSON.") from None
        kinds = {
            "Filters": dict,
            "ResultsPerPage": int,
            "NextPageToken": str,
            "With": dict,
            "DryRun": bool,
        }
        self.check_object(members, kinds, "the request")
        size = members.get("ResultsPerPage", RESULTS_DEFAULT)
        if not 1 <= size <= RESULTS_MAX:
            raise error(400, 4047, "InvalidParameterValue", "ResultsPerPage: 1 to 1000")
        filters = members.get("Filters", {})
        kinds = {**dict.fromkeys(FILTERS, list), "QueryDateAfter": str, "QueryDateBefore": str}
        self.check_object(filters, kinds, "Filters")
        for name, (_, kind) in FILTERS.items():
            for value in filters.get(name, []):
                if type(value) is not kind:
                    raise error(400, 4045, "InvalidParameter", name)
        self.check_object(members.get("With", {}), dict.fromkeys(MEMBERS, bool), "With")
        return members

    def check_object(self, value, kinds, name):
        if not isinstance(value, dict):
            raise error(400, 4045, "InvalidParameter", name + " is no object")
        for member, inner in value.items():
            if member not in kinds:
                code = 4023 if name == "Filters" else 3001
                raise error(400, code, "InvalidParameter", "%s: unknown %s" % (name, member))
            if type(inner) is not kinds[member]:
                raise error(400, 4045, "InvalidParameter", "%s: type of %s" % (name, member))

    def bounds(self, filters):
        """(start, end) in microseconds, end as it is to be taken; None: an empty list."""
        values = []
        for name, whole_day in (("QueryDateAfter", False), ("QueryDateBefore", True)):
            try:
                value = time_parse(filters[name], whole_day) if name in filters else None
            except ValueError:
                raise error(400, 4047, "InvalidParameterValue", name) from None
            values.append(value)
        start, end = values
        now = self.now_us()
        odd = (
            start is not None
            and start < now - RETENTION_US
            or end is not None
            and end > now
            or None not in values
            and start > end
        )
        if odd and self.odd_dates == "refuse":
            raise error(400, 4047, "InvalidParameterValue", "QueryDateAfter, QueryDateBefore")
        if odd:
            return None
        if start is None and end is None:
            start, end = now - DEFAULT_US, now + 1
        elif end is None:
            end = start + DEFAULT_US
        elif start is None:
            start = end - DEFAULT_US
        elif self.span_max and end - start > self.span_max * 1e6:
            raise error(400, 4047, "InvalidParameterValue", "QueryDateAfter, QueryDateBefore: span")
        return max(start, now - RETENTION_US), end

    # what is found

    def matching(self, filters):
        """(time, id, line) of all that the filters let through, in the order of the moment."""
        bounds = self.bounds(filters)
        if bounds is None:
            return []
        start, end = bounds
        closed = self.before == "inclusive"
        numbers = self.trail.window(start, end, self.now_us(), end_closed=closed)
        found = [self.entry(n) for n in numbers]
        found += [e for e in self.own if start <= e[0] < end + closed]
        for name, (member, _) in FILTERS.items():
            if name in filters:
                found = [e for e in found if json.loads(e[2])[member] in filters[name]]
        if self.ties == "id":
            found.sort(key=lambda e: e[:2])
        else:
            found.sort(key=lambda e: (e[0], simlib.mix(1, int(e[1][:8], 16))))
        if self.order == "newest":
            found.reverse()
        return found

    def entry(self, n):
        at_us = self.trail.times[n]
        if n not in self.lines:
            made = record(self.trail.seed, n, at_us)
            self.lines[n] = record_text(made)
            self.ids[n] = made["RequestId"]
        return at_us, self.ids[n], self.lines[n]

    def page(self, members):
        if members.get("DryRun"):
            return simlib.answer_json({"ResponseContext": {"RequestId": self.request_id()}})
        size = members.get("ResultsPerPage", RESULTS_DEFAULT)
        position = self.position(members) if members.get("NextPageToken") else 0
        found = self.matching(members.get("Filters", {}))
        start = max(position - self.repeat, 0) if position < len(found) else position
        end = start + size
        page = found[start:end]
        more = end < len(found) or (self.empty_last and page)
        hidden = {name for name, shown in members.get("With", {}).items() if not shown}
        lines = [without(line, hidden) for _, _, line in page]
        tail = {"ResponseContext": {"RequestId": self.request_id()}}
        if more:
            tail["NextPageToken"] = self.token(end, members)
        elif self.end != "absent":
            tail["NextPageToken"] = None if self.end == "null" else ""
        body = json.dumps(tail)[:-1].encode() + b', "Logs": [' + b", ".join(lines) + b"]}"
        return simlib.Answer(200, body, {"Content-Type": "application/json"})

    def digest(self, members):
        kept = {name: value for name, value in members.items() if name != "NextPageToken"}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]

    def token(self, position, members):
        self.serial += 1
        inner = {"p": position, "f": self.digest(members), "t": self.now(), "n": self.serial}
        return base64.b64encode(json.dumps(inner).encode()).decode()

    def position(self, members):
        try:
            inner = json.loads(base64.b64decode(members["NextPageToken"], validate=True))
            position = inner["p"]
        except (ValueError, KeyError, TypeError):
            raise error(400, 4047, "InvalidParameterValue", "NextPageToken") from None
        dead = inner["n"] < self.dead_before
        dead |= bool(self.expire_every and inner["n"] % self.expire_every == 0)
        dead |= bool(self.token_lifetime and self.now() > inner["t"] + self.token_lifetime)
        if dead:
            raise error(400, 4047, "InvalidParameterValue", "NextPageToken: expired")
        if self.tokens_bound and inner["f"] != self.digest(members):
            raise error(400, 4047, "InvalidParameterValue", "NextPageToken: of another request")
        return position

    def request_id(self):
        return str(uuid.UUID(int=simlib.mix(99, self.n_requests) << 64 | self.n_requests, version=4))

    def log_call(self, request, key=ACCESS_KEY):
        made = {
            **record(self.trail.seed, 1 << 40 | self.n_requests, self.now_us()),
            "QueryAccessKey": key,
            "QueryCallName": "ReadApiLogs",
            "QueryPayloadRaw": request.body.decode(),
            "QueryPayloadSize": len(request.body),
            "QueryUserAgent": request.headers.get("user-agent", ""),
            "RequestId": self.request_id(),
            "ResponseStatusCode": 200,
        }
        self.own.append((simlib.iso_parse(made["QueryDate"]), made["RequestId"], record_text(made)))


def without(line, hidden):
    """The record without what `With` switches off."""
    if not hidden:
        return line
    shown = {name: value for name, value in json.loads(line).items() if name not in hidden}
    escaped = line.isascii()
    return json.dumps(shown, separators=(",", ":"), ensure_ascii=escaped).encode()


def make_trail(options, now):
    """The trail of a simulator with these OPTIONS (also: what a test expects of it)."""
    first = simlib.iso_parse(options.first) if options.first else int((now - 47 * 3600) * 1e6)
    last = simlib.iso_parse(options.last) if options.last else int((now - 120) * 1e6)
    return trail.Trail(
        options.seed,
        options.count,
        first,
        last,
        delay_us=int(options.delay_s * 1e6),
        late_us=int(options.late_s * 1e6),
    )


if __name__ == "__main__":
    sigv4.self_test()
    simlib.main(Outscale)
