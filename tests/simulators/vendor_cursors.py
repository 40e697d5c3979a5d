"""Vendors whose pages follow a cursor, a number or an offset; see vendors.py."""

import json
import re

import jose
import simlib

from vendors import DAY_US, Vendor, cut, refuse, time_us, whole


class Cloudflare(Vendor):
    """Version 2: both times are needed, and an empty page ends the chain."""

    name = "cloudflare"
    source = "account_id = acc1\ntoken = cf-0123456789\n"

    def record(self, n):
        return {"id": self.id(n), "action": {"time": self.iso(n), "type": "create"}, "account": {"id": "acc1"}}

    def answer(self, request, path):
        self.bearer(request, "cf-0123456789")
        if path != "/client/v4/accounts/acc1/logs/audit":
            raise simlib.Refuse(404, {"success": False, "errors": [{"message": "no route"}]})
        query = request.query("since", "before", "direction", "limit", "cursor")
        found = self.window(time_us(query["since"]), time_us(query["before"]))
        if query.get("direction", "desc") == "desc":
            found = found[::-1]
        at = whole(query["cursor"][3:], 0, len(found)) if "cursor" in query else 0
        page, _ = cut(found, at, whole(query.get("limit", "100"), 1, 1000))
        info = {"count": len(page)}
        if page:
            info["cursor"] = "c==%d" % (at + len(page))
        return simlib.answer_json(
            {"success": True, "errors": [], "result": self.records(page), "result_info": info}
        )


class CloudflareV1(Vendor):
    """Version 1: numbered pages; a short one is the last."""

    name = "cloudflare-v1"
    source = "account_id = acc1\ntoken = cf-0123456789\n"

    def record(self, n):
        return {"id": self.id(n), "when": self.iso(n, 0), "action": {"type": "login"}}

    def answer(self, request, path):
        self.bearer(request, "cf-0123456789")
        if path != "/client/v4/accounts/acc1/audit_logs":
            raise refuse("no route", 404)
        query = request.query("since", "before", "direction", "page", "per_page")
        found = self.window(time_us(query["since"]), time_us(query["before"]))
        size = whole(query.get("per_page", "100"), 1, 1000)
        page, _ = cut(found, (whole(query.get("page", "1"), 1, 1000) - 1) * size, size)
        return simlib.answer_json({"success": True, "errors": [], "result": self.records(page)})


class Slack(Vendor):
    """Newest first; the last page has an empty cursor."""

    name = "slack"
    source = "token = xoxp-0123456789\n"
    unit_us = 1_000_000

    def record(self, n):
        return {"id": self.id(n), "date_create": self.trail.times[n] // 10**6, "action": "user_login"}

    def answer(self, request, path):
        self.bearer(request, "xoxp-0123456789")
        if path != "/audit/v1/logs":
            raise refuse("unknown_method", 404)
        query = request.query("oldest", "latest", "limit", "cursor", "action", "actor", "entity")
        start, end = (whole(query[name], 0, 1 << 33) * 10**6 for name in ("oldest", "latest"))
        found = self.window(start, end, end_closed=True)[::-1]
        at = whole(query["cursor"].removeprefix("dXNlcj"), 0, len(found)) if "cursor" in query else 0
        page, following = cut(found, at, whole(query.get("limit", "9999"), 1, 9999))
        cursor = "" if following is None else "dXNlcj%d" % following
        return simlib.answer_json(
            {"entries": self.records(page), "response_metadata": {"next_cursor": cursor}}
        )


class Jira(Vendor):
    """Offsets, newest first, times with an offset without a colon."""

    name = "jira-cloud"
    source = "site = acme.atlassian.example\nuser = audit@example.org\ntoken = jc-0123456789\n"

    def record(self, n):
        return {"id": n + 1, "summary": "User added", "created": self.iso(n)[:-1] + "+0000"}

    def answer(self, request, path):
        wanted = "Basic YXVkaXRAZXhhbXBsZS5vcmc6amMtMDEyMzQ1Njc4OQ=="
        if request.headers.get("authorization") != wanted:
            raise refuse("unauthorized", 401)
        if path != "/rest/api/3/auditing/record":
            raise refuse("not found", 404)
        query = request.query("from", "to", "offset", "limit", "filter")
        pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000"
        if not all(re.fullmatch(pattern, query[name]) for name in ("from", "to")):
            raise refuse("bad time")
        start, end = (time_us(query[name][:-5] + "Z") for name in ("from", "to"))
        found = self.window(start, end)[::-1]
        at = whole(query.get("offset", "0"), 0, 1 << 30)
        page, _ = cut(found, at, min(whole(query.get("limit", "1000"), 0, 1 << 30), 1000))
        return simlib.answer_json(
            {"offset": at, "limit": 1000, "total": len(found), "records": self.records(page)}
        )


class OnePassword(Vendor):
    """A body has a limit and times, or a cursor; every page has a cursor, has_more is the end. What
    comes later is found with the last cursor."""

    name = "onepassword"
    source = "token = op-0123456789\n"

    def record(self, n):
        return {"uuid": self.id(n).upper(), "timestamp": self.iso(n, 6), "action": "join"}

    def answer(self, request, path):
        self.bearer(request, "op-0123456789")
        if request.method != "POST" or path != "/api/v2/auditevents":
            raise refuse("not found", 404)
        body = request.json()
        if "cursor" in body:
            self.need(body, ("cursor",))
            start, end, size, at = json.loads(bytes.fromhex(body["cursor"]))
        else:
            self.need(body, ("start_time",), ("limit", "end_time"))
            start, end = time_us(body["start_time"]), time_us(body.get("end_time", "2999-01-01T00:00:00Z"))
            size, at = whole(body.get("limit", 100), 1, 1000), 0
        found = self.arrived(self.window(start, end))
        if at > len(found):
            raise refuse("unknown cursor")
        page, following = cut(found, at, size)
        cursor = json.dumps([start, end, size, at + len(page)]).encode().hex()
        return simlib.answer_json(
            {"cursor": cursor, "has_more": following is not None, "items": self.records(page)}
        )


class Zoom(Vendor):
    """Whole days, both inclusive, a month at most; no record has an ID. The token is had with basic
    authentication and a form."""

    name = "zoom-operations"
    source = "account_id = a1\nclient_id = c1\nclient_secret = s1s1\nlogin_host = {url}\n"
    form_fields = ("grant_type", "account_id")
    unit_us = 1_000_000

    def record(self, n):
        return {"time": self.iso(n, 0), "operator": "u%d@example.org" % n, "action": "Update"}

    def answer(self, request, path):
        if path == "/oauth/token":
            if request.headers.get("authorization") != "Basic YzE6czFzMQ==":
                raise simlib.Refuse(400, {"reason": "Invalid client_id or client_secret"})
            form = self.form(request)
            if form != {"grant_type": "account_credentials", "account_id": "a1"}:
                raise simlib.Refuse(400, {"reason": "unsupported grant type"})
            return simlib.answer_json({"access_token": self.token(3599), "expires_in": 3599})
        self.check_token(request)
        if path != "/v2/report/operationlogs":
            raise refuse("not found", 404)
        query = request.query("from", "to", "page_size", "next_page_token")
        if not all(re.fullmatch(r"\d{4}-\d\d-\d\d", query[name]) for name in ("from", "to")):
            raise refuse("bad day")
        start, end = (time_us(query[name] + "T00:00:00Z") for name in ("from", "to"))
        if not start <= end < start + 31 * DAY_US:
            raise refuse("The Date Range must not exceed a month")
        found = self.window(start, end + DAY_US)[::-1]
        at = whole(query.get("next_page_token", "t0")[1:], 0, len(found))
        page, following = cut(found, at, whole(query.get("page_size", "30"), 1, 300))
        answer = {"next_page_token": "" if following is None else "t%d" % following}
        if page:
            answer["operation_logs"] = self.records(page)
        else:
            answer["operation_logs"] = []
        return simlib.answer_json(answer)


class Box(Vendor):
    """A stream: a position, a number that no double can hold; on the last page it does not move.
    Short pages are not the end."""

    name = "box"
    source = (
        "enterprise_id = 42\nclient_id = c1\nclient_secret = s&1 ü+\ntoken_url = {url}/oauth2/token\n"
    )
    form_fields = ("grant_type", "client_id", "client_secret", "box_subject_type", "box_subject_id")
    ordered = True
    late_us = 0
    base = 2**53 + 1

    def record(self, n):
        return {"event_id": self.id(n), "created_at": self.iso(n, 0)[:-1] + "-00:00", "type": "event"}

    def answer(self, request, path):
        if path == "/oauth2/token":
            form = self.form(request)
            wanted = ("client_credentials", "c1", "s&1 ü+", "enterprise", "42")
            if tuple(form.get(name) for name in self.form_fields) != wanted:
                raise simlib.Refuse(400, {"error": "invalid_grant"})
            return simlib.answer_json({"access_token": self.token(3600), "expires_in": 3600})
        self.check_token(request)
        if path != "/2.0/events":
            raise refuse("not found", 404)
        query = request.query("stream_type", "stream_position", "limit")
        if query["stream_type"] != "admin_logs_streaming":
            raise refuse("bad stream_type")
        found = self.visible()
        place = whole(query["stream_position"], 0, 1 << 62)
        at = place - self.base if place else 0
        if not 0 <= at <= len(found):
            raise refuse("bad stream_position")
        size = min(whole(query.get("limit", "100"), 1, 500), (500, 7, 123)[at % 3])
        page, _ = cut(found, at, size)
        return simlib.answer_json(
            {
                "chunk_size": len(page),
                "next_stream_position": self.base + at + len(page),
                "entries": self.records(page),
            }
        )


class Dropbox(Vendor):
    """Another address for the pages that follow; some are empty though there are more; records are
    not sorted and have no ID, and some are equal. Without an end, the last cursor finds what comes
    later. The token is had for a refresh token."""

    name = "dropbox"
    source = (
        "app_key = k1\napp_secret = s1s1\nrefresh_token = r&1r1\ntoken_url = {url}/oauth2/token\n"
    )
    form_fields = ("grant_type", "refresh_token", "client_id", "client_secret")
    unit_us = 1_000_000

    def record(self, n):
        return {"timestamp": self.iso(n, 0), "event_category": {".tag": "logins"}}

    def answer(self, request, path):
        if path == "/oauth2/token":
            form = self.form(request)
            if tuple(form.get(x) for x in self.form_fields) != ("refresh_token", "r&1r1", "k1", "s1s1"):
                raise simlib.Refuse(400, {"error": "invalid_grant"})
            return simlib.answer_json({"access_token": self.token(14400), "expires_in": 14400})
        self.check_token(request)
        body = request.json()
        if path == "/2/team_log/get_events":
            self.need(body, (), ("limit", "time", "account_id", "category"))
            self.need(body["time"], ("start_time",), ("end_time",))
            start, end = body["time"]["start_time"], body["time"].get("end_time", "2999-01-01T00:00:00Z")
            if not (re.fullmatch(r"[\d-]{10}T[\d:]{8}Z", start) and re.fullmatch(r"[\d-]{10}T[\d:]{8}Z", end)):
                raise refuse("bad time")
            start, end, k, at = time_us(start), time_us(end), 0, 0
        elif path == "/2/team_log/get_events/continue":
            self.need(body, ("cursor",))
            start, end, k, at = json.loads(bytes.fromhex(body["cursor"]))
        else:
            raise refuse("not found", 404)
        found = self.arrived(self.window(start, end))
        if at > len(found):
            raise refuse("reset", 409)
        page, following = cut(found, at, (150, 0, 37)[k % 3])
        more = following is not None
        cursor = json.dumps([start, end, k + 1, at + len(page)]).encode().hex()
        return simlib.answer_json({"events": self.records(page), "cursor": cursor, "has_more": more})


class Linode(Vendor):
    """The filter is JSON in a header; times have no zone; a page that does not exist is a 404."""

    name = "linode"
    source = "token = li-0123456789\n"
    unit_us = 1_000_000

    def record(self, n):
        return {"id": n + 1, "status": "finished", "action": "linode_boot", "created": self.iso(n, 0)[:-1]}

    def answer(self, request, path):
        self.bearer(request, "li-0123456789")
        if path != "/v4/account/events":
            raise refuse("not found", 404)
        query = request.query("page", "page_size")
        wanted = json.loads(request.headers.get("x-filter", "{}"))
        start, end = wanted["+and"][0]["created"]["+gte"], wanted["+and"][1]["created"]["+lt"]
        if wanted != {
            "+and": [{"created": {"+gte": start}}, {"created": {"+lt": end}}],
            "+order_by": "created",
            "+order": "asc",
        }:
            raise refuse("bad filter")
        found = self.window(time_us(start + "Z"), time_us(end + "Z"))
        size, number = whole(query["page_size"], 25, 500), whole(query["page"], 1, 1000)
        pages = max(1, -(-len(found) // size))
        if number > pages:
            raise simlib.Refuse(404, {"errors": [{"reason": "Not found"}]})
        page, _ = cut(found, (number - 1) * size, size)
        return simlib.answer_json(
            {"data": self.records(page), "page": number, "pages": pages, "results": len(found)}
        )


class Hetzner(Vendor):
    """Newest first, pages by number; null behind the last."""

    name = "hetzner"
    source = "kind = volumes\ntoken = hc-0123456789\n"
    late_us = 0

    def record(self, n):
        return {"id": n + 1, "status": "success", "started": self.iso(n, 0)[:-1] + "+00:00"}

    def answer(self, request, path):
        self.bearer(request, "hc-0123456789")
        if path != "/v1/volumes/actions":
            raise refuse("not found", 404)
        query = request.query("sort", "status", "page", "per_page", "id")
        size, number = whole(query.get("per_page", "25"), 1, 50), whole(query.get("page", "1"), 1, 1000)
        if query.get("sort") != "started:desc":
            raise refuse("this is read from the newest on")
        page, following = cut(self.visible()[::-1], (number - 1) * size, size)
        pages = {"page": number, "next_page": None if following is None else number + 1}
        return simlib.answer_json({"actions": self.records(page), "meta": {"pagination": pages}})


class Scaleway(Vendor):
    name = "scaleway"
    source = "organization_id = o-1\nsecret_key = scw-0123456789\n"

    def record(self, n):
        return {"id": self.id(n), "recorded_at": self.iso(n, 6), "method_name": "CreateServer"}

    def answer(self, request, path):
        if request.headers.get("x-auth-token") != "scw-0123456789":
            raise refuse("denied", 401)
        if path != "/audit-trail/v1alpha1/regions/fr-par/events":
            raise refuse("not found", 404)
        query = request.query(
            "organization_id", "recorded_after", "recorded_before", "order_by", "page_size", "page_token")
        found = self.window(time_us(query["recorded_after"]), time_us(query["recorded_before"]))
        at = whole(query.get("page_token", "0"), 0, len(found))
        page, following = cut(found, at, whole(query.get("page_size", "20"), 1, 100))
        token = None if following is None else str(following)
        return simlib.answer_json({"events": self.records(page), "next_page_token": token})


class Datadog(Vendor):
    """Two keys; the last page may name a cursor that leads to an empty page."""

    name = "datadog"
    source = "api_key = a1a1\napplication_key = b2b2\n"

    def record(self, n):
        return {"id": self.id(n), "type": "audit", "attributes": {"timestamp": self.iso(n), "é": n}}

    def answer(self, request, path):
        keys = (request.headers.get("dd-api-key"), request.headers.get("dd-application-key"))
        if keys != ("a1a1", "b2b2"):
            raise simlib.Refuse(403, {"errors": ["Forbidden"]})
        if path != "/api/v2/audit/events":
            raise simlib.Refuse(404, {"errors": ["Not found"]})
        query = request.query(
            "filter[from]", "filter[to]", "sort", "page[limit]", "page[cursor]", "filter[query]")
        found = self.window(time_us(query["filter[from]"]), time_us(query["filter[to]"]))
        if query.get("sort") != "timestamp":
            found = found[::-1]
        at = whole(query.get("page[cursor]", "c0")[1:], 0, len(found))
        page, _ = cut(found, at, whole(query.get("page[limit]", "10"), 1, 1000))
        answer = {"data": self.records(page)}
        if page:
            answer["meta"] = {"page": {"after": "c%d" % (at + len(page))}}
        return simlib.answer_json(answer)


class PagerDuty(Vendor):
    name = "pagerduty"
    source = "token = pd-0123456789\n"

    def record(self, n):
        return {"id": self.id(n), "execution_time": self.iso(n), "action": "update"}

    def answer(self, request, path):
        if request.headers.get("authorization") != "Token token=pd-0123456789":
            raise refuse("denied", 401)
        if path != "/audit/records":
            raise refuse("not found", 404)
        query = request.query("since", "until", "limit", "cursor")
        start, end = time_us(query["since"]), time_us(query["until"])
        if end - start > 31 * DAY_US:
            raise refuse("the span is longer than 31 days")
        found = self.window(start, end)[::-1]
        at = whole(query.get("cursor", "0"), 0, len(found))
        page, following = cut(found, at, whole(query.get("limit", "100"), 1, 100))
        cursor = None if following is None else str(following)
        return simlib.answer_json({"records": self.records(page), "next_cursor": cursor, "limit": 100})


class GoogleLogging(Vendor):
    """The window is part of a filter's text; an empty page can have a token, and the array is left
    out when it would be empty."""

    name = "google-logging"
    source = (
        "resource = projects/p1\nclient_email = r@p1.example.net\ntoken_url = {url}/token\n"
        "private_key = ${{file:{keys}/rfc7515-a2.pem}}\n"
    )
    form_fields = ("grant_type", "assertion")
    ordered = True
    late_us = 0

    def record(self, n):
        name = "projects/p1/logs/cloudaudit.googleapis.com%2Factivity"
        return {"insertId": self.id(n), "logName": name, "timestamp": self.iso(n, 6)}

    def answer(self, request, path):
        if path == "/token":
            try:
                _, claims = jose.verified(self.form(request)["assertion"], "RS256", self.now)
            except ValueError as error:
                raise simlib.Refuse(400, {"error": "invalid_grant", "e": str(error)}) from None
            if claims["scope"] != "https://www.googleapis.com/auth/logging.read":
                raise simlib.Refuse(400, {"error": "invalid_scope"})
            return simlib.answer_json({"access_token": self.token(3599), "expires_in": 3599})
        self.check_token(request)
        if request.method != "POST" or path != "/v2/entries:list":
            raise refuse("not found", 404)
        body = request.json()
        self.need(body, ("resourceNames", "filter"), ("orderBy", "pageSize", "pageToken"))
        match = re.fullmatch(
            r'timestamp>="(.*?)" AND timestamp<"(.*?)" AND \(logName:"cloudaudit.googleapis.com"\)',
            body["filter"],
        )
        if not match or body["resourceNames"] != ["projects/p1"] or body["orderBy"] != "timestamp asc":
            raise refuse("bad filter")
        found = self.window(time_us(match[1]), time_us(match[2]))
        same = json.dumps([body["filter"], body["pageSize"]])
        at, k = 0, 1
        if "pageToken" in body:
            at, k, given = json.loads(body["pageToken"])
            if given != same:
                raise refuse("page_token does not match the request")
        page, following = cut(found, at, min(whole(body["pageSize"], 1, 1000), (0, 100, 311)[k % 3]))
        answer = {"entries": self.records(page)} if page else {}
        if following is not None:
            answer["nextPageToken"] = json.dumps([following, k + 1, same])
        return simlib.answer_json(answer)
