"""Vendors whose requests are signed with a key; see vendors.py. The signatures are checked with
Python's hmac over what came over the wire."""

import base64
import datetime
import email.utils
import hashlib
import hmac
import re

import simlib
from vendors import Vendor, cut, refuse, time_us, whole


def same(a, b):
    return hmac.compare_digest(a.encode(), b.encode())


class DuoAuthentication(Vendor):
    """The query has to be sorted, since its text is signed; a cursor is an array of two texts, sent
    with a comma between them."""

    name = "duo-authentication"
    source = "hostname = api-1.duosecurity.example\nintegration_key = DI1\nsecret_key = s3cr3ts3cr3t\n"
    path = "/admin/v2/logs/authentication"
    late_us = 100_000_000

    def record(self, n):
        return {"txid": self.id(n), "isotimestamp": self.iso(n)[:-1] + "+00:00", "result": "success"}

    def authorize(self, request):
        date = request.headers.get("date", "")
        lines = [date, request.method, request.headers["host"].lower(), request.path, request.raw_query]
        wanted = hmac.new(b"s3cr3ts3cr3t", "\n".join(lines).encode(), "sha1").hexdigest()
        given = base64.b64decode(request.headers.get("authorization", "")[6:]).decode()
        sent = email.utils.parsedate_to_datetime(date)
        if request.raw_query.split("&") != sorted(request.raw_query.split("&")):
            raise simlib.Refuse(401, {"stat": "FAIL", "message": "Invalid signature in request"})
        if not same(given, "DI1:" + wanted) or not date.endswith("-0000"):
            raise simlib.Refuse(401, {"stat": "FAIL", "message": "Invalid signature in request"})
        if abs(sent.replace(tzinfo=datetime.timezone.utc).timestamp() - self.now) > 300:
            raise simlib.Refuse(401, {"stat": "FAIL", "message": "Bad request timestamp"})

    def answer(self, request, path):
        if request.method != "GET" or path != self.path:
            raise refuse("not found", 404)
        self.authorize(request)
        query = request.query("mintime", "maxtime", "limit", "sort", "next_offset")
        start, end = (whole(query[name], 0, 1 << 43) * 1000 for name in ("mintime", "maxtime"))
        if start >= end:
            raise refuse("mintime must be before maxtime")
        found = self.window(start, end)
        if query.get("sort", "ts:desc") != "ts:asc":
            found = found[::-1]
        page, following = cut(found, self.at(query, found), min(whole(query["limit"], 1, 1000), 100))
        return simlib.answer_json(self.body(page, following, found))

    def at(self, query, found):
        if "next_offset" not in query:
            return 0
        moment, _, ident = query["next_offset"].partition(",")
        for at, n in enumerate(found):
            if self.id(n) == ident and str(self.trail.times[n] // 1000) == moment:
                return at
        raise refuse("Invalid next_offset: " + query["next_offset"])

    def body(self, page, following, found):
        offset = None
        if following is not None:
            n = found[following]
            offset = [str(self.trail.times[n] // 1000), self.id(n)]
        metadata = {"next_offset": offset, "total_objects": len(found)}
        return {"stat": "OK", "response": {"authlogs": self.records(page), "metadata": metadata}}


class DuoActivity(DuoAuthentication):
    """The cursor is one text."""

    name = "duo-activity"
    path = "/admin/v2/logs/activity"

    def record(self, n):
        return {"activity_id": self.id(n), "ts": self.iso(n)[:-1] + "+00:00", "action": {"name": "x"}}

    def at(self, query, found):
        return whole(query.get("next_offset", "o,0")[2:], 0, len(found))

    def body(self, page, following, found):
        offset = None if following is None else "o,%d" % following
        metadata = {"next_offset": offset, "total_objects": len(found)}
        return {"stat": "OK", "response": {"items": self.records(page), "metadata": metadata}}


class OvhAccount(Vendor):
    """The whole list at once, without IDs; what is signed is the text of the URL, with the scheme."""

    name = "ovhcloud-account"
    source = (
        "base = {url}/1.0\napplication_key = AK0123456789\napplication_secret = AS0123456789\n"
        "consumer_key = CK0123456789\n"
    )
    path = "/1.0/me/logs/audit"

    def record(self, n):
        user = {"userDetails": {"type": "USER", "user": "user-%d" % (n % 2)}}
        return {"createdAt": self.iso(n, 0), "ip": "192.0.2.1", "type": "LOGIN_SUCCESS", "authDetails": user}

    def authorize(self, request):
        headers = request.headers
        url = request.origin + request.target
        stamp = headers.get("x-ovh-timestamp", "")
        text = "+".join(("AS0123456789", "CK0123456789", request.method, url, request.body.decode(), stamp))
        wanted = "$1$" + hashlib.sha1(text.encode()).hexdigest()
        if headers.get("x-ovh-application") != "AK0123456789":
            raise simlib.Refuse(403, {"message": "This application key is invalid"})
        if headers.get("x-ovh-consumer") != "CK0123456789":
            raise simlib.Refuse(403, {"message": "This credential does not exist"})
        if not stamp.isdigit() or abs(int(stamp) - self.now) > 120:
            raise simlib.Refuse(401, {"message": "Query out of time"})
        if not same(headers.get("x-ovh-signature", ""), wanted):
            raise simlib.Refuse(400, {"message": "Invalid signature"})

    def answer(self, request, path):
        self.authorize(request)
        if request.method != "GET" or path != self.path:
            raise simlib.Refuse(404, {"message": "Got an invalid (or empty) URL"})
        request.query()
        return simlib.answer_json(self.records(self.visible()[::-1]))


class Exoscale(Vendor):
    """No pages; the values of the query are signed, in the order of the names that are told."""

    name = "exoscale"
    source = "api_key = EXO1\napi_secret = s3cr3ts3cr3t\n"

    def record(self, n):
        return {"request-id": self.id(n), "timestamp": self.iso(n, 0), "handler": "create-instance"}

    def answer(self, request, path):
        match = re.fullmatch(
            r"EXO2-HMAC-SHA256 credential=EXO1,signed-query-args=([a-z;]+),expires=(\d+),signature=(\S+)",
            request.headers.get("authorization", ""),
        )
        if not match or path != "/v2/event":
            raise refuse("Forbidden", 403)
        query = request.query("from", "to")
        if match[1].split(";") != sorted(query):
            raise refuse("not all is signed", 403)
        values = "".join(query[name] for name in match[1].split(";"))
        text = "GET /v2/event\n%s\n%s\n\n%s" % (request.body.decode(), values, match[2])
        wanted = base64.b64encode(hmac.digest(b"s3cr3ts3cr3t", text.encode(), "sha256")).decode()
        if not same(wanted, match[3]) or not self.now < int(match[2]) < self.now + 3600:
            raise refuse("Invalid signature", 403)
        return simlib.answer_json(self.records(self.window(time_us(query["from"]), time_us(query["to"]))))
