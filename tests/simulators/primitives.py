#!/usr/bin/python3
"""Small APIs, one under each path, each with a habit that needs its own key of a definition.

tests/definitions/NAME.conf is the definition of the API under /NAME. An API is strict about its
habit: asked in another way it answers 400, leads in a circle, or keeps records back without a word,
as real ones do. It shows what can be seen at its clock (simlib: clock_offset).

Record n of an API is a pure function of n and --first (epoch seconds, start of a day of records).
POST /_sim/control: "busy": N, the next N answers of /missing are none; "moves": N, so often
/offsets moves elements between two pages.
"""

import base64
import json
import urllib.parse

import simlib
import trail

HOUR_US = 3_600_000_000
TOKEN_BASE = 2**53 + 1
PAGES = [100, 0, 37, 100, 1, 64]  # sizes that pages have in turn, where an API likes it uneven


def refuse(text):
    return simlib.Refuse(400, {"detail": text})


class Api:
    late_us = 0  # some records can be seen this much later than their time says
    has_id = True

    def __init__(self, first_us, count):
        self.seed = simlib.mix(3, sum(type(self).__name__.encode()))
        self.trail = trail.Trail(
            self.seed, count, first_us, first_us + trail.DAY_US, 1_000_000, 0, self.late_us
        )

    def record(self, n):
        text = {"id": "%016x" % simlib.mix(self.seed, n)} if self.has_id else {}
        return {**text, "at": simlib.iso(self.trail.times[n]), "n": n}

    def records(self, numbers):
        return [self.record(n) for n in numbers]

    def window(self, start, end):
        return self.trail.window(start, end, self.now_us)

    def line(self, n):
        return json.dumps(self.record(n), separators=(",", ":")).encode() + b"\n"

    def lines(self):
        """What must come out when all can be seen, oldest first."""
        return b"".join(self.line(n) for n in self.trail.order)


def need(query, *names):
    if set(query) != set(names):
        raise refuse("Exactly these are needed: %s." % ", ".join(names))


def position(text, end):
    """A whole number from 0 to END, or 400."""
    if not text.isdigit() or int(text) > end:
        raise refuse("Unknown place: " + text)
    return int(text)


def time_us(text):
    try:
        return simlib.iso_parse(text)
    except ValueError as error:
        raise refuse(str(error)) from None


class Opening(Api):
    """A query is opened with a span of time; what it found is read elsewhere, by token alone, and
    some pages are empty."""

    def answer(self, request, path):
        if path == "/query" and request.method == "POST":
            body = request.json()
            need(body, "since", "until")
            since, until, at, k = time_us(body["since"]), time_us(body["until"]), 0, 0
        elif path == "/more" and request.method == "GET":
            query = request.query("token")
            need(query, "token")
            try:
                since, until, at, k = json.loads(base64.b64decode(query["token"], validate=True))
            except ValueError:
                raise refuse("Unknown token.") from None
        else:
            raise simlib.Refuse(404, {"detail": "Not found."})
        found = self.window(since, until)
        end = at + PAGES[(k + 1) % len(PAGES)]
        page = {"records": self.records(found[at:end])}
        if end < len(found):
            state = json.dumps([since, until, end, k + 1])
            page["token"] = base64.b64encode(state.encode()).decode()
        return simlib.answer_json(page)


class Either(Api):
    """One parameter takes a time or a cursor, a number that no double can hold; there is always a
    cursor, and `has_more` tells the end."""

    has_id = False

    def answer(self, request, path):
        query = request.query("from")
        need(query, "from")
        found = self.trail.visible(self.now_us)
        if query["from"].isdigit():
            cursor = int(query["from"]) - TOKEN_BASE
            if cursor < 0 or cursor % 2 or cursor // 2 > len(found):
                raise refuse("Unknown cursor: " + query["from"])
            at = cursor // 2
        else:
            at = len(found) - len(self.window(time_us(query["from"]), None))
        end = min(at + (PAGES[at // 50 % len(PAGES)] or 3), len(found))
        return simlib.answer_json(
            {
                "items": self.records(found[at:end]),
                "cursor": TOKEN_BASE + 2 * end,
                "has_more": end < len(found),
            }
        )


class Headers(Api):
    """The body is the array; the mark of the next page is in a header, on every page. The one
    behind the end has no record, and its mark leads back to the beginning."""

    def answer(self, request, path):
        query = request.query("from", "to", "mark")
        found = self.window(time_us(query["from"]), time_us(query["to"]))
        mark = query.get("mark", "<&0%+ =>")
        if not (mark.startswith("<&") and mark.endswith("%+ =>")):
            raise refuse("Unknown mark.")
        at = position(mark[2:-5], len(found))
        end = min(at + (PAGES[at // 50 % len(PAGES)] or 3), len(found))
        following = end if at < len(found) else 0
        answer = simlib.answer_json(self.records(found[at:end]))
        answer.headers["X-Next-Mark"] = "<&%d%%+ =>" % following
        return answer


class Links(Api):
    """Pages are linked by the header Link, relative and among other links; the last page alone says
    in a header of its own where the next poll goes on. Links are taken only as they were given."""

    has_id = False

    def answer(self, request, path):
        found = self.trail.visible(self.now_us)
        if path == "/events":
            query = request.query("since")
            need(query, "since")
            at = len(found) - len(self.window(time_us(query["since"]), None))
        elif path.startswith("/at/") and request.raw_query == "k=a%2Fb+%7e&k=":
            at = position(path[4:], len(found))
        else:
            raise refuse("No such link was given.")
        end = min(at + 90, len(found))
        answer = simlib.answer_json({"events": self.records(found[at:end])})
        link = "/links/at/%d?k=a%%2Fb+%%7e&k="
        if end < len(found):
            answer.headers["Link"] = '<https://elsewhere.example.net/>; rel="help", <%s>; rel=next' % (
                ("..%s" if path.startswith("/at/") else ".%s") % (link % end)[6:]
            )
        else:
            answer.headers["X-Poll-At"] = request.origin + link % end
        return answer


class Capped(Api):
    """A search answers the newest 300 of what it finds, and does not say that there is more."""

    late_us = 600_000_000

    def answer(self, request, path):
        body = request.json()
        need(body, "from", "to")
        if type(body["from"]) is not int or type(body["to"]) is not int:
            raise refuse("Numbers are needed.")
        found = self.window(body["from"] * 1000, body["to"] * 1000)
        return simlib.answer_json({"found": self.records(found[:-301:-1])})


class Buckets(Api):
    """The log is kept in buckets of ten minutes; those that are wholly inside a window are given,
    others not."""

    def answer(self, request, path):
        query = request.query("from", "to")
        need(query, "from", "to")
        start = -(-int(query["from"]) // 600) * 600
        end = int(query["to"]) // 600 * 600
        found = self.window(start * 10**6, end * 10**6) if start < end else []
        return simlib.answer_json({"records": self.records(found)})


class Newest(Api):
    """Newest first, without any filter by time."""

    late_us = 600_000_000

    def answer(self, request, path):
        query = request.query("before")
        found = self.trail.visible(self.now_us)
        if "before" in query:
            # as (time, n): a record that is seen late does not move the place
            time, n = (int(x) for x in query["before"].split("."))
            found = [m for m in found if (self.trail.times[m], m) < (time, n)]
        page = found[:-11:-1]
        answer = {"events": self.records(page)}
        if len(found) > 10:
            answer["before"] = "%d.%d" % (self.trail.times[page[-1]], page[-1])
        return simlib.answer_json(answer)


class Missing(Api):
    """Where there is no event, there is no array. There is none either when the API is busy; only
    the kind of the answer tells."""

    def __init__(self, first_us, count):
        super().__init__(first_us, count)
        # every second hour is empty
        pairs = [(t - first_us) // (2 * HOUR_US) for t in self.trail.times]
        times = [
            first_us + pair * 2 * HOUR_US + (t - first_us) % (2 * HOUR_US) // 2
            for pair, t in zip(pairs, self.trail.times)
        ]
        self.trail.times = self.trail.seen = times
        self.trail.order.sort(key=lambda n: (times[n], n))
        self.trail.sorted_times = [times[n] for n in self.trail.order]
        self.busy = 0

    def answer(self, request, path):
        query = request.query("from", "to")
        found = self.window(time_us(query["from"]), time_us(query["to"]))
        if self.busy and found:
            self.busy -= 1
            return simlib.answer_json({"kind": "busy", "text": "One moment, please."})
        return simlib.answer_json(
            {"kind": "events", **({"events": self.records(found)} if found else {})}
        )


class Numbers(Api):
    """Pages have numbers, from 0 on; a page that does not exist is refused, but for the one right
    behind the last."""

    late_us = 600_000_000

    def answer(self, request, path):
        query = request.query("from", "to", "page", "per_page")
        found = self.window(time_us(query["from"]), time_us(query["to"]))
        size = position(query.get("per_page", "10"), 100)
        at = size * position(query.get("page", "0"), -(-len(found) // size))
        return simlib.answer_json({"records": self.records(found[at : at + size])})


class Last(Api):
    """Nothing but an array; a poll and a page go on behind the sequence number of the last element,
    64 bits wide."""

    has_id = False
    base = 2**62

    def record(self, n):
        return {"seq": self.base + self.trail.order.index(n), **super().record(n)}

    def answer(self, request, path):
        query = request.query("since", "after")
        need(query, "after" if "after" in query else "since")
        found = self.trail.visible(self.now_us)
        if "after" in query:
            at = position(query["after"], self.base + len(found)) - self.base + 1
            if at < 1:
                raise refuse("Unknown sequence number.")
        else:
            at = len(found) - len(self.window(time_us(query["since"]), None))
        end = at + (PAGES[at // 50 % len(PAGES)] or 3)
        return simlib.answer_json({"entries": self.records(found[at:end])})


class Lines(Api):
    """A line is a record. A header names the next page even when there is none: what is asked for
    behind a short page is the first one again."""

    def answer(self, request, path):
        query = request.query("from", "to", "limit", "page")
        found = self.window(time_us(query["from"]), time_us(query["to"]))
        size = position(query["limit"], 100)
        at = position(query.get("page", "0"), len(found))
        end = at + size
        body = "".join(json.dumps(record) + "\r\n" for record in self.records(found[at:end]))
        answer = simlib.answer_text(body, content_type="application/x-ndjson")
        answer.headers["X-Next-Page"] = str(end if end <= len(found) else 0)
        return answer


class Sorted(Api):
    """A cursor is a list of values, and is to come back as it was given, to the byte; on the last
    page it is the one that was asked with."""

    has_id = False

    def cursor(self, at):
        return '[%d.50,%d,1E3,null,"\\u00e9\\/%d"]' % (at, 2**63 - 1 - at, at)

    def answer(self, request, path):
        body = request.json()
        raw = request.body.decode()
        found = self.trail.visible(self.now_us)
        if "after" in body:
            at = raw.partition('"after":')[2].strip()
            at = position(at[1 : at.find(".")], len(found))
            if '"after":' + self.cursor(at) + "}" not in raw:
                raise refuse("That is not what was given.")
        else:
            need(body, "from")
            at = len(found) - len(self.window(time_us(body["from"]), None))
        end = min(at + (PAGES[at // 50 % len(PAGES)] or 3), len(found))
        text = '{"rows": %s, "after": %s}' % (
            json.dumps(self.records(found[at:end])), self.cursor(end))
        return simlib.answer_text(text, content_type="application/json")


class Offsets(Api):
    """A list that is counted from its front while its elements change places."""

    late_us = 600_000_000

    def __init__(self, first_us, count):
        super().__init__(first_us, count)
        self.places = list(range(count))
        self.moves = 0

    def answer(self, request, path):
        query = request.query("from", "to", "offset", "limit")
        if query["offset"] != "0" and self.moves:
            self.moves -= 1
            self.places = self.places[3:] + self.places[:3]
        inside = set(self.window(time_us(query["from"]), time_us(query["to"])))
        found = [n for n in self.places if n in inside]
        at = position(query["offset"], len(found))
        end = at + position(query["limit"], 100)
        return simlib.answer_json({"list": self.records(found[at:end])})


class Forms(Api):
    """A search is a form; what is sent in another way, or is not encoded, is refused."""

    def answer(self, request, path):
        kind = request.headers.get("content-type", "")
        if request.method != "POST" or kind != "application/x-www-form-urlencoded":
            raise simlib.Refuse(415, {"detail": "A form is needed."})
        if request.raw_query:
            raise refuse("A query is not understood.")
        try:
            form = dict(
                urllib.parse.parse_qsl(
                    request.body.decode("ascii"), keep_blank_values=True, strict_parsing=True
                )
            )
        except ValueError as error:
            raise refuse(str(error)) from None
        if form.pop("filter of", "") != "a&b=c+d é":
            raise refuse("The filter is not what it should be.")
        need(form, "from", "to", *(["mark"] if "mark" in form else []))
        found = self.window(time_us(form["from"]), time_us(form["to"]))
        at = 0
        if "mark" in form:
            if not form["mark"].startswith("<&+"):
                raise refuse("Unknown mark.")
            at = position(form["mark"][3:], len(found))
        page = {"records": self.records(found[at : at + 100])}
        if at + 100 < len(found):
            page["mark"] = "<&+%d" % (at + 100)
        return simlib.answer_json(page)


APIS = {
    api.__name__.lower(): api
    for api in (
        Opening, Either, Headers, Links, Capped, Buckets, Newest, Missing, Numbers, Last, Lines,
        Sorted, Offsets, Forms)
}  # fmt: skip


class Primitives(simlib.Simulator):
    def arguments(self, parser):
        parser.add_argument("--api", choices=APIS, required=True)
        parser.add_argument("--first", type=int, required=True)
        parser.add_argument("--count", type=int, default=2000)

    def start(self, options):
        self.api = APIS[options.api](options.first * 10**6, options.count)

    def control(self, settings):
        for name in ("busy", "moves"):
            if hasattr(self.api, name):
                setattr(self.api, name, settings.pop(name, getattr(self.api, name)))

    def answer(self, request):
        name, _, path = request.path[1:].partition("/")
        if name != self.options.api:
            raise simlib.Refuse(404, {"detail": "Not found."})
        self.api.now_us = int(self.now() * 10**6)
        try:
            return self.api.answer(request, "/" + path)
        except KeyError as error:
            raise refuse("Missing: %s" % error) from None


if __name__ == "__main__":
    simlib.main(Primitives)
