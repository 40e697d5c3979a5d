"""Vendors whose token is had for a signed assertion (RFC 7523); see vendors.py."""

import json

import jose
import simlib
from vendors import Vendor, cut, refuse, time_us, whole


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
        form = self.form(request)
        self.need(form, self.form_fields)
        if form["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            raise simlib.Refuse(400, {"error": "unsupported_grant_type"})
        try:
            _, claims = jose.verified(form["assertion"], "RS256", self.now)
        except (ValueError, KeyError) as error:
            raise simlib.Refuse(400, {"error": "invalid_grant", "error_description": str(error)}) from None
        wanted = {
            "iss": "reader@project.iam.example.net",
            "sub": "admin@example.org",
            "scope": self.scope,
            "aud": request.origin + "/token",
        }
        if {name: claims.get(name) for name in wanted} != wanted:
            raise simlib.Refuse(400, {"error": "invalid_grant", "error_description": str(claims)})
        return simlib.answer_json(
            {"access_token": self.token(3599), "expires_in": 3599, "token_type": "Bearer"}
        )
