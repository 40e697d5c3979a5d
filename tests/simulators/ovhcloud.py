#!/usr/bin/python3
"""Simulator of a Logs Data Platform alias behind the OpenSearch endpoint: POST /ALIAS/_search.

One alias holds the OpenStack API logs of one project: records 0 to N-1 of a Trail, whose times and
visibility are the trail's (milliseconds; many share one). What record n looks like is a pure
function of (seed, n): document(trail, n) is its `_source` as text, document_id(seed, n) its `_id`.
Some documents stand there twice under two ids, as a log subscription that was made anew leaves
them: twin(trail, n) tells which. Programs, regions, spellings of numbers and escapes differ from
record to record; some carry X-OVH-TOKEN.

Requests are checked as strictly as OpenSearch does it and more: a member, clause or parameter that
is not known here is refused with OpenSearch's own error body; so are numbers where a field's format
does not take them, `from` with search_after, search_after that does not fit `sort`, windows over
10,000. Without `sort` hits come in no order; hits with equal sort values come in another order at
each request, as two copies of one shard give them.

POST /_sim/control, beside what simlib takes:
    "basic": {USER: PASSWORD}, "bearer": {TOKEN: true or the second at which it ends (now() based)},
    "clients": {ID: SECRET}               service accounts: POST /auth/oauth2/token gives each a
        bearer token for 3,599 s
    "forbidden": [USER or TOKEN, ...]     who may come in, and who may not read the alias (403); a
        basic user pat_jwt_ANYTHING has a bearer token as password; token:VALUE works both ways
    "alias": NAME                         all others are 404
    "id_sort": true|false                 sorting by _id is refused (400)
    "total": "object"|"number"            the form of hits.total
    "mapping": "keyword"|"text"           are program and region analysed: term finds whole lower
                                          case words only
    "date_format": "iso"|"graylog"        how timestamp is written, and read without `format`
    "partial": {"kind": "failed"|"timed_out"|"error", "probability": P or "at": [N, ...]}
        an answer that is not whole: 200 and half of the hits, or (error, and always when the
        request says allow_partial_search_results=false and "honest" is true) 503
    "honest": true|false                  see above; default false, for 200 is no promise
    "repeat": K                           a page begins again with the last K hits before it
    "lose_from": K                        the K-th and every later request of a chain, which begins
                                          with one without search_after, is refused (400); 0: none
GET /_sim/stats adds "partials" and "clock", seconds since 1970.
The Graylog API, the live ways and OVHcloud's own API are not simulated: trawld does not use them.
"""

import base64
import binascii
import json
import random
import re
import time
import urllib.parse

import simlib
import trail as trails

ALIAS = "ldp-xy-98765-a-osapi"
WINDOW = 10_000
PROGRAMS = ("nova-api", "cinder-api", "neutron-api")
REGIONS = ("GRA11", "SBG5", "BHS5")
FIELDS = (
    "timestamp", "source", "level", "message", "api_response_code_int", "api_response_size_int",
    "api_response_time_num", "client", "fingerprinted_iplb", "http_version", "method", "path",
    "program", "project_id", "region", "request_id", "user", "user_agent",
)
AGENTS = ("python-openstackclient/5.8.0", "Terraform/1.9 \"x\"", "gophercloud/2.0 \u00e9", "a\\b\t")
SPELLINGS = ("%d.%03d", "%d.%03de0", "1%d%03dE-3", "%d.%03d000000000000000000001")
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def make_trail(seed, count, first_us, last_us, delay_us=0, late_us=0):
    return trails.Trail(seed, count, first_us, last_us, 1000, delay_us, late_us)


def twin(trail, n):
    """The record whose text record n has: itself, or the one before it at the same time."""
    return n - 1 if n % 200 == 1 and trail.times[n] == trail.times[n - 1] else n


def document_id(seed, n):
    h = simlib.mix(seed + 21, n) << 16 | n & 0xFFFF
    return "01" + "".join(CROCKFORD[h >> 5 * i & 31] for i in range(24))


def program(seed, n):
    return PROGRAMS[simlib.mix(seed + 22, n) % 3]


def region(seed, n):
    return REGIONS[(simlib.mix(seed + 22, n) >> 8) % 3]


def path(seed, n):
    return "/v2.1/servers/%d?name=b\u00fcro&x=<%d>" % (n, simlib.mix(seed + 23, n) % 97)


def time_text(us, form):
    t = time.gmtime(us // 1_000_000)
    pattern = "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ" if form == "iso" else (
        "%04d-%02d-%02d %02d:%02d:%02d.%03d")
    return pattern % (*t[:6], us // 1000 % 1000)


def document(trail, n, form="iso"):
    """Record n as text: what the alias stores, what a raw sink must write."""
    n = twin(trail, n)
    seed = trail.seed
    h = simlib.mix(seed + 23, n)
    name = program(seed, n)
    escaped = lambda text: json.dumps(text, ensure_ascii=bool(h & 1))
    members = [
        '"timestamp":"%s"' % time_text(trail.times[n], form),
        '"source":"%s-%s"' % (name, region(seed, n).lower()),
        '"level":%d,"message":"-"' % (3 + h % 4),
        '"api_response_code_int":%d' % (200, 202, 204, 403, 409, 500)[(h >> 4) % 6],
        '"api_response_size_int":%d' % ((h >> 8) % 100_000),
        '"api_response_time_num":' + SPELLINGS[(h >> 24) % 4] % ((h >> 28) % 9, (h >> 32) % 1000),
        '"client":"198.51.100.%d"' % ((h >> 36) % 256),
        '"http_version":"HTTP/1.1","method":"%s"' % ("GET", "POST", "DELETE")[(h >> 40) % 3],
        '"path":' + escaped(path(seed, n)),
        '"program":"%s","project_id":"%032x"' % (name, simlib.mix(seed, 1)),
        '"region":"%s","request_id":"req-%016x"' % (region(seed, n), simlib.mix(seed + 24, n // 3)),
        '"user":"%032x"' % simlib.mix(seed + 25, n % 7),
        '"user_agent":' + escaped(AGENTS[(h >> 44) % 4]),
    ]
    if h >> 50 & 15 == 3:
        members.insert(h % 5, '"fingerprinted_iplb":"10.0.0.%d"' % (h % 200))
    if h >> 54 & 15 == 3:
        members.append('"X-OVH-TOKEN":"%016x"' % h)
    return "{" + ",".join(members) + "}"


def refusal(status, kind, reason, cause=None):
    """An error as OpenSearch writes it; CAUSE: (type, reason) of the shards' own fault."""
    root = {"type": cause[0], "reason": cause[1]} if cause else {"type": kind, "reason": reason}
    error = {"root_cause": [root], "type": kind, "reason": reason}
    if cause:
        shard = {"shard": 0, "index": "graylog_7", "node": "x", "reason": root}
        error.update(phase="query", grouped=True, failed_shards=[shard])
    return simlib.Refuse(status, {"error": error, "status": status})


def bad(reason, kind="parsing_exception"):
    return refusal(400, kind, reason)


def failed_shards(reason, status=400, kind="illegal_argument_exception"):
    return refusal(status, "search_phase_execution_exception", "all shards failed", (kind, reason))


def no_duplicates(pairs):
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise bad("Duplicate field '%s'" % name, "json_parse_exception")
    return dict(pairs)


def only(value, where, allowed):
    if not isinstance(value, dict):
        raise bad("[%s] malformed, expected START_OBJECT" % where)
    for name in value:
        if name not in allowed:
            raise bad("[%s] query does not support [%s]" % (where, name))
    return value


def one_member(value, where):
    if not isinstance(value, dict) or len(value) != 1:
        raise bad("[%s] malformed query, expected one field" % where)
    return next(iter(value.items()))


def is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def path_test(value):
    """What follows `path:` in a query string, as a test of (seed, n)."""
    expression = re.match(r"/([^/]*)/", value)
    pattern = expression[1] if expression else "".join(
        ".*" if part == "*" else re.escape(re.sub(r"\\(.)", r"\1", part))
        for part in re.findall(r"\\.|.", value))
    return lambda seed, n: re.fullmatch(pattern, path(seed, n)) is not None


class Search:
    """A checked request body."""

    def __init__(self, body, simulator):
        self.simulator = simulator
        known = ("size", "from", "track_total_hits", "query", "sort", "search_after")
        for name in body:
            if name not in known:
                kind = type(body[name]).__name__
                raise bad("Unknown key for a %s in [%s]." % (kind, name))
        self.size = self.count(body, "size", 10)
        self.offset = self.count(body, "from", 0)
        self.track = body.get("track_total_hits", WINDOW)
        if self.track is not True and self.track is not False and not is_int(self.track):
            raise bad("[track_total_hits] must be a boolean or a number")
        self.sort = [self.sort_key(key) for key in self.sort_list(body)]
        self.tests = []
        self.start_us = self.end_us = None
        if "query" in body:
            self.query(body["query"])
        self.after = self.search_after(body)
        if self.offset + self.size > WINDOW:
            raise failed_shards(
                "Result window is too large, from + size must be less than or equal to: [10000] "
                "but was [%d]. See the scroll api for a more efficient way to request large data "
                "sets." % (self.offset + self.size)
            )

    def count(self, body, name, default):
        value = body.get(name, default)
        if not is_int(value) or value < 0:
            raise bad("[%s] parameter cannot be negative, found [%s]" % (name, value),
                "illegal_argument_exception")
        return value

    def sort_list(self, body):
        value = body.get("sort", [])
        return value if isinstance(value, list) else [value]

    def sort_key(self, key):
        field, order = (key, "asc") if isinstance(key, str) else one_member(key, "sort")
        if isinstance(order, dict):
            order = only(order, "sort", ("order",)).get("order", "asc")
        if order not in ("asc", "desc"):
            raise bad("No enum constant org.opensearch.search.sort.SortOrder.%s" % order,
                "illegal_argument_exception")
        if field == "_id" and not self.simulator.id_sort:
            raise failed_shards(
                "Fielddata access on the _id field is disallowed, you can re-enable it by updating "
                "the dynamic cluster setting: indices.id_field_data.enabled"
            )
        if field not in FIELDS + ("_id",):
            raise failed_shards("No mapping found for [%s] in order to sort on" % field,
                kind="query_shard_exception")
        if field not in ("timestamp", "_id", "request_id"):
            raise bad("The simulator does not sort by " + field)
        return field, order == "desc"

    def search_after(self, body):
        after = body.get("search_after")
        if after is None:
            return None
        if not isinstance(after, list) or not after:
            raise bad("[search_after] Values must contain at least one value.")
        if not self.sort:
            raise failed_shards("Sort must contain at least one field.")
        if len(after) != len(self.sort):
            raise failed_shards("search_after has %d value(s) but sort has %d." % (
                len(after), len(self.sort)))
        if self.offset:
            raise failed_shards("`from` parameter must be set to 0 when `search_after` is used.")
        for value, (field, _) in zip(after, self.sort):
            if not (is_int(value) if field == "timestamp" else isinstance(value, str)):
                raise failed_shards("Failed to parse search_after value for field [%s]." % field)
        return after

    def query(self, query):
        name, value = one_member(query, "query")
        if name != "bool":
            return self.clause(query)
        value = only(value, "bool", ("filter", "must"))
        for group in value.values():
            for clause in group if isinstance(group, list) else [group]:
                self.clause(clause)

    def clause(self, clause):
        name, value = one_member(clause, "query")
        handler = getattr(self, "clause_" + name, None)
        if handler is None:
            raise bad("unknown query [%s]" % name)
        handler(value)

    def clause_match_all(self, value):
        only(value, "match_all", ())

    def clause_range(self, value):
        field, bounds = one_member(value, "range")
        only(bounds, "range", ("gte", "gt", "lte", "lt", "format"))
        if field != "timestamp":
            raise bad("The simulator has ranges of timestamp only")
        form = bounds.get("format")
        if form not in (None, "epoch_millis"):
            raise bad("Invalid format: [%s]" % form, "illegal_argument_exception")
        for name, bound in bounds.items():
            if name == "format":
                continue
            us = 1000 * self.millis(bound, form)
            if name in ("gte", "gt"):
                us += 1000 if name == "gt" else 0
                self.start_us = us if self.start_us is None else max(us, self.start_us)
            else:
                us += 1000 if name == "lte" else 0
                self.end_us = us if self.end_us is None else min(us, self.end_us)

    def millis(self, bound, form):
        graylog = self.simulator.date_format == "graylog"
        if form == "epoch_millis" or not graylog:
            if is_int(bound) or isinstance(bound, str) and re.fullmatch(r"-?\d{1,15}", bound):
                return int(bound)
        if form is None and isinstance(bound, str):
            try:
                if not graylog:
                    return simlib.iso_parse(bound) // 1000
                if re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", bound):
                    return simlib.iso_parse(bound.replace(" ", "T") + "Z") // 1000
            except ValueError:
                pass
        raise failed_shards("failed to parse date field [%s] with format [%s]" % (
            bound, form or "uuuu-MM-dd HH:mm:ss.SSS"), kind="parse_exception")

    def text(self, name, value):
        field, text = one_member(value, name)
        if field not in ("program", "region") or not isinstance(text, str):
            raise bad("The simulator has no [%s] on [%s]" % (name, field))
        of = program if field == "program" else region
        return (lambda seed, n: of(seed, n)), text

    def clause_term(self, value):
        of, text = self.text("term", value)
        if self.simulator.mapping == "keyword":
            self.tests.append(lambda seed, n: of(seed, n) == text)
        else:  # analysed: a term is one word of the index, which are of lower case
            self.tests.append(
                lambda seed, n: text in re.findall(r"[a-z0-9]+", of(seed, n).lower()))

    def clause_match_phrase(self, value):
        of, text = self.text("match_phrase", value)
        fold = str.lower if self.simulator.mapping == "text" else str
        self.tests.append(lambda seed, n: fold(of(seed, n)) == fold(text))

    def clause_query_string(self, value):
        """FIELD:VALUE words joined by AND, values bare or quoted; NOT before a word. Of a value that
        is bare, any part is enough in a field that is analysed. The path is a keyword:
        PATH\\/WITH\\/* is compared as a whole, and /.../ is a regular expression, which has to end."""
        text = only(value, "query_string", ("query", "default_operator")).get("query")
        if not isinstance(text, str):
            raise bad("query_string must be provided with a [query]")
        unclear = failed_shards("Failed to parse query [%s]" % text, kind="query_shard_exception")
        for word in text.split(" AND "):
            if word.strip().startswith("path:"):
                if len(re.findall(r"(?<!\\)/", word)) % 2:
                    raise unclear
                self.tests.append(path_test(word.strip()[len("path:") :]))
                continue
            match = re.fullmatch(r'(NOT )?(program|region):("?)([\w-]+)\3', word.strip())
            if not match:
                raise unclear
            of = program if match[2] == "program" else region
            parts = (lambda text: {text}) if match[3] or self.simulator.mapping != "text" else (
                lambda text: set(text.split("-")))
            self.tests.append(lambda seed, n, m=match, of=of, parts=parts: (
                bool(parts(of(seed, n)) & parts(m[4])) != bool(m[1])))


class Ldp(simlib.Simulator):
    def arguments(self, parser):
        parser.add_argument("--records", type=int, default=1000)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--first", type=int, help="microseconds since 1970")
        parser.add_argument("--last", type=int, help="the same; default: a day after, or now")
        parser.add_argument("--late", type=float, default=0, help="seconds")
        parser.add_argument("--visible-delay", type=float, default=0, help="seconds")

    def start(self, options):
        last = options.last or int(time.time()) * 1_000_000
        first = options.first or last - trails.DAY_US
        self.trail = make_trail(options.seed, options.records, first, last,
            int(options.visible_delay * 1e6), int(options.late * 1e6))
        self.seed = options.seed
        self.ids = [document_id(self.seed, n) for n in range(options.records)]
        self.basic = {}
        self.bearer = {}
        self.clients = {}
        self.n_tokens = 0
        self.forbidden = []
        self.alias = ALIAS
        self.id_sort = True
        self.total = "object"
        self.mapping = "keyword"
        self.date_format = "iso"
        self.partial = {}
        self.honest = False
        self.repeat = 0
        self.lose_from = 0
        self.n_chain = 0
        self.dice = random.Random(options.seed)
        self.n_partials = 0

    def control(self, settings):
        for name in ("basic", "bearer", "clients", "forbidden", "alias", "id_sort", "total",
                "mapping", "date_format", "partial", "honest", "repeat", "lose_from"):
            if name in settings:
                setattr(self, name, settings.pop(name))

    def stats(self):
        return {"partials": self.n_partials, "clock": self.now()}

    def is_token(self, text):
        ends = self.bearer.get(text)
        return ends is True or ends is not None and self.now() < ends

    def who(self, request):
        """The name of who asks, or 401: computed here, not taken from the definition."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer" and self.is_token(value):
            return value
        if scheme == "Basic":
            try:
                pair = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                pair = ""
            user, colon, password = pair.partition(":")
            if colon and self.basic.get(user, None) == password and password:
                return user
            if colon and user.startswith("pat_jwt_") and self.is_token(password):
                return user
            if colon and user == "token" and self.is_token(password):
                return user
            if colon and password == "token" and self.is_token(user):
                return password
        answer = simlib.Refuse(401, {})
        answer.answer.body = b"Unauthorized"
        answer.answer.headers = {"Content-Type": "text/plain",
            "WWW-Authenticate": 'Basic realm="OpenSearch Security"'}
        raise answer

    def issue(self, request):
        """Section 4.4 of RFC 6749, the client known by members of the form."""
        form = dict(urllib.parse.parse_qsl(request.body.decode(), strict_parsing=True))
        name, secret = form.pop("client_id", ""), form.pop("client_secret", "")
        if form != {"grant_type": "client_credentials", "scope": "all"}:
            raise simlib.Refuse(400, {"error": "invalid_request"})
        if not secret or self.clients.get(name) != secret:
            raise simlib.Refuse(401, {"error": "invalid_client"})
        self.n_tokens += 1
        token = "service-t0ken-%d-%016x" % (self.n_tokens, simlib.mix(31, self.n_tokens))
        self.bearer = {**self.bearer, token: self.now() + 3599}
        payload = {"access_token": token, "token_type": "Bearer", "expires_in": 3599, "scope": "all"}
        body = json.dumps(payload).encode()
        return simlib.Answer(200, body, {"Content-Type": "application/json"})

    def answer(self, request):
        if (request.method, request.path) == ("POST", "/auth/oauth2/token"):
            return self.issue(request)
        who = self.who(request)
        match = re.fullmatch(r"/([^/]+)/_search", request.path)
        if not match:
            raise simlib.Refuse(400, {"error": "no handler found for uri [%s] and method [%s]" % (
                request.target, request.method)})
        if request.method not in ("POST", "GET"):
            raise simlib.Refuse(405, {"status": 405, "error":
                "Incorrect HTTP method for uri [%s] and method [%s], allowed: [GET, POST]" % (
                    request.target, request.method)})
        if who in self.forbidden:
            raise refusal(403, "security_exception",
                "no permissions for [indices:data/read/search] and User [name=%s]" % who)
        if match[1] != self.alias:
            raise refusal(404, "index_not_found_exception", "no such index [%s]" % match[1])
        strict = self.parameters(request)
        if not re.fullmatch(r"application/json( *; *charset=utf-8)?",
                request.headers.get("content-type", ""), re.I):
            raise simlib.Refuse(406, {"status": 406, "error":
                "Content-Type header [%s] is not supported" % request.headers.get("content-type")})
        try:
            body = json.loads(request.body.decode(), object_pairs_hook=no_duplicates)
        except ValueError as error:
            raise bad(str(error), "json_parse_exception") from None
        if not isinstance(body, dict):
            raise bad("Expected [START_OBJECT] but found something else")
        return self.search(request, Search(body, self), strict)

    def parameters(self, request):
        try:
            query = request.query("allow_partial_search_results")
        except simlib.Refuse:
            raise bad("request [%s] contains unrecognized parameter" % request.target,
                "illegal_argument_exception") from None
        value = query.get("allow_partial_search_results", "true")
        if value not in ("true", "false"):
            raise bad("Failed to parse value [%s] as only [true] or [false] are allowed." % value,
                "illegal_argument_exception")
        return value == "false"

    def sort_values(self, search, n):
        values = {"timestamp": lambda: self.trail.times[n] // 1000, "_id": lambda: self.ids[n],
            "request_id": lambda: "req-%016x" % simlib.mix(self.seed + 24, twin(self.trail, n) // 3)}
        return [values[field]() for field, _ in search.sort]

    def sorted(self, search, found, number):
        """[(sort values, n)]: equal ones in an order of this request's own."""
        rows = [(self.sort_values(search, n), n) for n in found]
        rows.sort(key=lambda row: simlib.mix(number, row[1]))
        for at in range(len(search.sort) - 1, -1, -1):
            rows.sort(key=lambda row: row[0][at], reverse=search.sort[at][1])
        return rows

    def after(self, search, values):
        for value, after, (_, descending) in zip(values, search.after, search.sort):
            if value != after:
                return (value < after) if descending else (value > after)
        return False

    def search(self, request, search, strict):
        self.n_chain = self.n_chain + 1 if search.after else 1
        if self.lose_from and self.n_chain >= self.lose_from:
            raise failed_shards("No search context found for these values of search_after")
        found = self.trail.window(search.start_us, search.end_us, int(self.now() * 1e6))
        found = [n for n in found if all(test(self.seed, n) for test in search.tests)]
        rows = self.sorted(search, found, request.number)
        begin = search.offset
        if search.after:
            begin = next((i for i, row in enumerate(rows) if self.after(search, row[0])), len(rows))
            if begin < len(rows):
                begin -= min(self.repeat, begin, max(search.size - 5, 0))
        page = rows[begin : begin + search.size]
        shards = {"total": 6, "successful": 6, "skipped": 0, "failed": 0}
        timed_out = False
        kind = self.partial_kind(request)
        if kind:
            self.n_partials += 1
            if kind == "error" or strict and self.honest:
                raise refusal(503, "search_phase_execution_exception", "Partial shards failure",
                    ("node_disconnected_exception", "disconnected"))
            page = page[::2] if kind == "failed" else page[: len(page) // 2]
            timed_out = kind == "timed_out"
            if kind == "failed":
                shards.update(successful=5, failed=1)
        return self.print(search, page, len(rows), shards, timed_out)

    def partial_kind(self, request):
        partial = self.partial
        if not partial or "at" in partial and request.number not in partial["at"]:
            return None
        return partial["kind"] if self.dice.random() < partial.get("probability", 1) else None

    def print(self, search, page, total, shards, timed_out):
        envelope = {"took": 21, "timed_out": timed_out, "_shards": shards}
        hits = []
        for values, n in page:
            hit = '{"_index":"%s","_id":"%s","_score":null,"_source":%s' % (
                self.alias, self.ids[n], document(self.trail, n, self.date_format))
            hits.append(hit + (',"sort":%s}' % json.dumps(values) if values else "}"))
        head = json.dumps(envelope)[:-1] + ', "hits": {'
        if search.track is not False:
            limit = total if search.track is True else WINDOW if search.track == WINDOW else (
                search.track)
            value = {"value": min(total, limit), "relation": "gte" if total > limit else "eq"}
            head += '"total":%s,' % json.dumps(value if self.total == "object" else value["value"])
        body = head + '"max_score":null,"hits":[' + ",".join(hits) + "]}}"
        return simlib.Answer(200, body.encode(), {"Content-Type": "application/json; charset=UTF-8"})


if __name__ == "__main__":
    simlib.main(Ldp)
