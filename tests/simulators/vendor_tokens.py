"""Vendors whose token is had for a signed assertion (RFC 7523); see vendors.py."""

import json

import jose
import simlib
from vendors import Vendor, cut, refuse, time_us, whole


def check_assertion(vendor, request, algorithm, wanted, life=3600):
    """The header of the assertion in the form of RFC 7523, whose claims must be those WANTED."""
    form = vendor.form(request)
    vendor.need(form, vendor.form_fields)
    if form["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer":
        raise simlib.Refuse(400, {"error": "unsupported_grant_type"})
    try:
        head, claims = jose.verified(form["assertion"], algorithm, vendor.now, life=life)
    except (ValueError, KeyError) as error:
        raise simlib.Refuse(400, {"error": "invalid_grant", "error_description": str(error)}) from None
    if {name: claims.get(name) for name in wanted} != wanted:
        raise simlib.Refuse(400, {"error": "invalid_grant", "error_description": str(claims)})
    return head


class GoogleWorkspace(Vendor):
    """Admin SDK, Reports API, activities.list: newest first, the array is left out when it would be
    empty, and everything but the token has to be the same on each page."""

    name = "google-workspace"
    source = (
        "client_email = reader@project.iam.example.net\nprivate_key = ${{file:{keys}/rfc7515-a2.pem}}\n"
        "delegated_user = admin@example.org\ntoken_url = {url}/token\n"
    )
    form_fields = ("grant_type", "assertion")
    scope = "https://www.googleapis.com/auth/admin.reports.audit.readonly"
    late_us = 3600_000_000

    def record(self, n):
        return {
            "kind": "admin#reports#activity",
            "id": {
                "time": self.iso(n),
                "uniqueQualifier": str(simlib.mix(self.seed, n) - 2**63),
                "applicationName": "login",
                "customerId": "C03az79cb",
            },
            "etag": '"%d/é"' % n,
            "actor": {"email": "user%d@example.org" % (n % 7), "profileId": str(10**20 + n)},
            "events": [{"type": "login", "name": "login_success"}],
        }

    def answer(self, request, path):
        if path == "/token":
            return self.exchange(request)
        if request.method != "GET" or path != (
            "/admin/reports/v1/activity/users/all/applications/login"
        ):
            raise refuse("not found", 404)
        self.check_token(request)
        query = request.query("startTime", "endTime", "maxResults", "pageToken", "eventName")
        start, end = time_us(query["startTime"]), time_us(query["endTime"])
        if start >= end or end > self.now_us + 60_000_000:
            raise refuse("Invalid endTime")
        size = whole(query.get("maxResults", "1000"), 1, 1000)
        found = self.window(start, end)[::-1]
        at = 0
        if "pageToken" in query:
            same = {**query}
            same.pop("pageToken")
            given = json.loads(query["pageToken"])
            if given.pop("at") is None or given != same:
                raise refuse("Invalid pageToken")
            at = json.loads(query["pageToken"])["at"]
        page, following = cut(found, at, size)
        answer = {"kind": "admin#reports#activities", "etag": '"x"'}
        if page:
            answer["items"] = self.records(page)
        if following is not None:
            same = {k: v for k, v in query.items() if k != "pageToken"}
            answer["nextPageToken"] = json.dumps({**same, "at": following})
        return simlib.answer_json(answer)

    def exchange(self, request):
        wanted = {
            "iss": "reader@project.iam.example.net",
            "sub": "admin@example.org",
            "scope": self.scope,
            "aud": request.origin + "/token",
        }
        check_assertion(self, request, "RS256", wanted)
        return simlib.answer_json(
            {"access_token": self.token(3599), "expires_in": 3599, "token_type": "Bearer"}
        )


class Stackit(Vendor):
    """A window of 24 hours at most; a response has no items when nothing was found, and no cursor
    on the last page."""

    name = "stackit"
    source = (
        "id = org-1\nissuer = reader@sa.stackit.example\nsubject = sub-1\nkey_id = kid-1\n"
        "audience = https://accounts.stackit.example\n"
        "private_key = ${{file:{keys}/rfc7515-a2.pem}}\ntoken_url = {url}/token\n"
    )
    form_fields = ("grant_type", "assertion")
    late_us = 600_000_000
    polls = 60

    def record(self, n):
        received = simlib.iso(self.trail.times[n] + 1_000_000)
        return {
            "eventName": "create network",
            "eventSource": "iaas",
            "eventTimeStamp": self.iso(n),
            "eventType": "ADMIN_ACTIVITY",
            "id": self.id(n),
            "initiator": {"id": "u%d" % (n % 7), "email": "user%d@example.org" % (n % 7)},
            "receivedTimeStamp": received[:19] + "Z",
            "severity": "INFO",
        }

    def answer(self, request, path):
        if path == "/token":
            return self.exchange(request)
        if request.method != "GET" or path != "/v2/organizations/org-1":
            raise refuse("not found", 404)
        self.check_token(request)
        query = request.query("start-time-range", "end-time-range", "limit", "cursor")
        start, end = (time_us(query[name + "-time-range"]) for name in ("start", "end"))
        if not start < end <= start + 86400_000_000:
            raise refuse("the period must not be longer than 24 hours")
        if start < self.now_us - 90 * 86400_000_000:
            raise refuse("the period must be within the last 90 days")
        size = min(whole(query.get("limit", "50"), 1, 1 << 30), 50)
        found = self.window(start, end, end_closed=True)[::-1]
        same, at = [query["start-time-range"], query["end-time-range"], size], 0
        if "cursor" in query:
            *given, at = json.loads(query["cursor"])
            if given != same:
                raise refuse("invalid cursor")
        page, following = cut(found, at, size)
        answer = {"limit": size}
        if page:
            answer["items"] = self.records(page)
        if following is not None:
            answer["cursor"] = json.dumps([*same, following])
        return simlib.answer_json(answer)

    def exchange(self, request):
        wanted = {
            "iss": "reader@sa.stackit.example",
            "sub": "sub-1",
            "aud": "https://accounts.stackit.example",
        }
        head = check_assertion(self, request, "RS512", wanted, life=600)
        if head != {"alg": "RS512", "typ": "JWT", "kid": "kid-1"}:
            raise simlib.Refuse(400, {"error": "invalid_grant", "error_description": str(head)})
        return simlib.answer_json(
            {"access_token": self.token(3599), "expires_in": 3599, "token_type": "Bearer"}
        )
