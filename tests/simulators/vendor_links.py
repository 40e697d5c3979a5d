"""Vendors whose pages are linked: by a Link header or a URL in the body; see vendors.py."""

import json
import re
import urllib.parse

import jose
import simlib
from vendors import Vendor, cut, refuse, time_us, whole

SECONDS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


class Linked(Vendor):
    """NEXT(request, at) is the address of the page that begins at AT: the same query and a place."""

    place = "after"

    def next(self, request, at):
        pairs = [p for p in request.raw_query.split("&") if not p.startswith(self.place + "=")]
        return "%s%s?%s" % (
            request.origin,
            request.target.partition("?")[0],
            "&".join([*pairs, "%s=%s" % (self.place, urllib.parse.quote("<%d>=" % at, safe=""))]),
        )

    def at(self, query, end):
        text = query.get(self.place, "<0>=")
        if not (text.startswith("<") and text.endswith(">=")):
            raise refuse("bad place: " + text)
        return whole(text[1:-2], 0, end)

    def linked(self, request, found, at, size, others=()):
        page, following = cut(found, at, size)
        answer = simlib.answer_json(self.records(page))
        links = list(others)
        if following is not None:
            links.append('<%s>; rel="next"' % self.next(request, following))
        if links:
            answer.headers["Link"] = ", ".join(links)
        return answer


class GitHub(Linked):
    """Times in the phrase are whole seconds, and both ends belong to the range."""

    name = "github"
    source = "name = acme\ntoken = ghp_0123456789abcdef\n"

    def record(self, n):
        return {
            "@timestamp": self.trail.times[n] // 1000,
            "_document_id": self.id(n),
            "action": "repo.create",
            "actor": "user%d" % (n % 5),
        }

    def authorize(self, request):
        self.bearer(request, "ghp_0123456789abcdef")

    def answer(self, request, path):
        self.authorize(request)
        if request.method != "GET" or path != "/orgs/acme/audit-log":
            raise refuse("Not Found", 404)
        if request.headers.get("x-github-api-version") != "2022-11-28":
            raise refuse("a version is needed")
        query = request.query("phrase", "include", "order", "per_page", "after", "before")
        match = re.fullmatch(r"created:(%s)\.\.(%s)" % (SECONDS, SECONDS), query["phrase"])
        if not match or query.get("order", "desc") not in ("asc", "desc"):
            raise refuse("bad phrase: " + query["phrase"], 422)
        if query.get("include", "web") not in ("web", "git", "all"):
            raise refuse("bad include", 422)
        start, end = time_us(match[1]), time_us(match[2]) + 999_999
        found = self.window(start, end, end_closed=True)
        if query.get("order", "desc") == "desc":
            found = found[::-1]
        size = whole(query.get("per_page", "30"), 1, 100)
        return self.linked(request, found, self.at(query, len(found)), size)


class GitHubApp(GitHub):
    """The same with the token of an installation, had for an assertion of at most ten minutes."""

    name = "github-app"
    definition = "github"
    source = (
        "name = acme\ninstallation_id = 77\napp_id = 123456\napi = {url}\n"
        "private_key = ${{file:{keys}/rfc7515-a2.pem}}\n"
    )

    def authorize(self, request):
        if request.path != "/app/installations/77/access_tokens":
            self.check_token(request)

    def answer(self, request, path):
        if path != "/app/installations/77/access_tokens":
            return super().answer(request, path)
        try:
            _, claims = jose.verified(request.bearer() or "", "RS256", self.now, life=600)
        except (ValueError, KeyError) as error:
            raise refuse("bad assertion: %s" % error, 401) from None
        if request.method != "POST" or claims["iss"] != "123456":
            raise refuse("bad issuer", 401)
        end = simlib.iso(int(self.now + 3600) * 10**6)[:19] + "Z"
        return simlib.answer_json({"token": self.token(3600), "expires_at": end}, 201)


class GitLab(Linked):
    """Newest first; the group is one segment of the path, so its slash is encoded."""

    name = "gitlab"
    source = "group = acme/ops\ntoken = glpat-0123456789abcdef\n"
    place = "cursor"

    def record(self, n):
        return {"id": n + 2**53, "author_id": n % 9, "created_at": self.iso(n), "details": {"é": 1}}

    def answer(self, request, path):
        if request.headers.get("private-token") != "glpat-0123456789abcdef":
            raise simlib.Refuse(401, {"message": "401 Unauthorized"})
        if request.target.partition("?")[0] != "/api/v4/groups/acme%2Fops/audit_events":
            raise simlib.Refuse(404, {"message": "404 Not found"})
        query = request.query("created_after", "created_before", "per_page", "cursor")
        found = self.window(time_us(query["created_after"]), time_us(query["created_before"]))[::-1]
        size = whole(query.get("per_page", "20"), 1, 100)
        others = ['<%s>; rel="first"' % self.next(request, 0)]
        return self.linked(request, found, self.at(query, len(found)), size, others)


class Okta(Linked):
    """Ascending; with until the chain ends, without it the next link never does."""

    name = "okta"
    source = "domain = acme.okta.example\ntoken = 00abcdefghijklmnop\n"
    ordered = True
    late_us = 0

    def record(self, n):
        return {
            "uuid": self.id(n),
            "published": self.iso(n),
            "eventType": "user.session.start",
            "displayMessage": "User login to Okta",
        }

    def authorize(self, request):
        if request.headers.get("authorization") != "SSWS 00abcdefghijklmnop":
            raise simlib.Refuse(401, {"errorSummary": "Invalid token provided"})

    def answer(self, request, path):
        self.authorize(request)
        if request.method != "GET" or path != "/api/v1/logs":
            raise refuse("not found", 404)
        query = request.query("since", "until", "sortOrder", "limit", "after", "filter", "q")
        for name in ("since", "until"):
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", query[name]):
                raise refuse("bad %s" % name)
        found = self.window(time_us(query["since"]), time_us(query["until"]))
        if query.get("sortOrder", "ASCENDING") != "ASCENDING":
            found = found[::-1]
        size = whole(query.get("limit", "100"), 0, 1000)
        others = ['<%s%s>; rel="self"' % (request.origin, request.target)]
        answer = self.linked(request, found, self.at(query, len(found)), size, others)
        answer.headers["X-Rate-Limit-Remaining"] = "50"
        return answer


class OktaService(Okta):
    """The same with a service app: private_key_jwt."""

    name = "okta-service"
    definition = "okta"
    source = (
        "domain = acme.okta.example\nclient_id = 0oa1\nkey_id = k1\ntoken_url = {url}/oauth2/v1/token\n"
        "private_key = ${{file:{keys}/rfc7515-a2.pem}}\n"
    )
    form_fields = ("grant_type", "scope", "client_assertion_type", "client_assertion")

    def authorize(self, request):
        self.check_token(request)

    def answer(self, request, path):
        if path != "/oauth2/v1/token":
            return super().answer(request, path)
        form = self.form(request)
        self.need(form, self.form_fields)
        try:
            head, claims = jose.verified(form["client_assertion"], "RS256", self.now)
        except (ValueError, KeyError) as error:
            raise simlib.Refuse(401, {"error": "invalid_client", "error_description": str(error)}) from None
        wanted = {"iss": "0oa1", "sub": "0oa1", "aud": request.origin + path}
        if (
            head.get("kid") != "k1"
            or {name: claims.get(name) for name in wanted} != wanted
            or form["grant_type"] != "client_credentials"
            or form["scope"] != "okta.logs.read"
            or not form["client_assertion_type"].endswith(":client-assertion-type:jwt-bearer")
        ):
            raise simlib.Refuse(401, {"error": "invalid_client"})
        return simlib.answer_json({"access_token": self.token(3600), "expires_in": 3600})


class DataCenter(Linked):
    """Newest first; the last page says so and still has a link."""

    name = "atlassian-dc"
    source = "host = {url}/jira\ntoken = dc-0123456789\n"
    place = "pageCursor"

    def record(self, n):
        return {"timestamp": self.iso(n), "author": {"id": str(n)}, "type": {"action": "User created"}}

    def answer(self, request, path):
        self.bearer(request, "dc-0123456789")
        if path != "/jira/rest/auditing/1.0/events":
            raise refuse("not found", 404)
        query = request.query("from", "to", "limit", "pageCursor")
        found = self.window(time_us(query["from"]), time_us(query["to"]))[::-1]
        at = self.at(query, len(found))
        page, following = cut(found, at, whole(query.get("limit", "200"), 1, 100_000))
        last = following is None
        return simlib.answer_json(
            {
                "pagingInfo": {
                    "lastPage": last,
                    "size": len(page),
                    "nextPageLink": self.next(request, len(found) if last else following),
                },
                "entities": self.records(page),
            }
        )


class Entra(Linked):
    """Graph: OData in the query, the next page by a link with a token; form for the app's token."""

    name = "entra-audit"
    tenant = "11111111-2222-3333-4444-555555555555"
    source = (
        "tenant = 11111111-2222-3333-4444-555555555555\nclient_id = app-1\n"
        "client_secret = s3cret&+=é\nlogin_host = {url}\n"
    )
    place = "%24skiptoken"
    time = "activityDateTime"
    path = "/v1.0/auditLogs/directoryAudits"
    form_fields = ("grant_type", "scope", "client_id", "client_secret")

    def record(self, n):
        return {"id": "Directory_" + self.id(n), self.time: self.iso(n, 6)[:-1] + "1Z", "result": "success"}

    def answer(self, request, path):
        if path == "/%s/oauth2/v2.0/token" % self.tenant:
            return self.exchange(request, self.form(request))
        self.check_token(request)
        if request.method != "GET" or path != self.path:
            raise refuse("Resource not found for the segment", 404)
        query = request.query("$filter", "$orderby", "$top", "$skiptoken")
        match = re.fullmatch(
            r"(\w+) ge (%s) and (\w+) lt (%s)" % (SECONDS, SECONDS), query["$filter"]
        )
        if not match or {match[1], match[3]} != {self.time}:
            raise refuse("Invalid filter clause: " + query["$filter"])
        if query.get("$orderby") not in (None, self.time + " asc"):
            raise refuse("bad orderby")
        found = self.window(time_us(match[2]), time_us(match[4]))
        token = query.get("$skiptoken", "<0>=")
        at = self.at({self.place: token}, len(found))
        page, following = cut(found, at, whole(query.get("$top", "100"), 1, 1000))
        answer = {"@odata.context": "x", "value": self.records(page)}
        if following is not None:
            answer["@odata.nextLink"] = self.next(request, following)
        return simlib.answer_json(answer)

    def exchange(self, request, form):
        self.need(form, self.form_fields)
        if form["client_id"] != "app-1" or form["client_secret"] != "s3cret&+=é":
            raise simlib.Refuse(401, {"error": "invalid_client"})
        if form["scope"] != "https://graph.microsoft.com/.default":
            raise simlib.Refuse(400, {"error": "invalid_scope"})
        return simlib.answer_json({"access_token": self.token(3599), "expires_in": 3599})


class EntraCertificate(Entra):
    """With a certificate: an assertion whose header has the thumbprint."""

    name = "entra-certificate"
    definition = "entra-signins"
    source = (
        "tenant = 11111111-2222-3333-4444-555555555555\nclient_id = app-1\nthumbprint = q-rt5A\n"
        "private_key = ${{file:{keys}/rfc7515-a2.pem}}\nlogin_host = {url}\n"
    )
    time = "createdDateTime"
    path = "/v1.0/auditLogs/signIns"
    form_fields = ("grant_type", "scope", "client_id", "client_assertion_type", "client_assertion")

    def exchange(self, request, form):
        self.need(form, self.form_fields)
        try:
            head, claims = jose.verified(form["client_assertion"], "RS256", self.now)
        except (ValueError, KeyError) as error:
            raise simlib.Refuse(401, {"error": "invalid_client", "error_description": str(error)}) from None
        wanted = {"iss": "app-1", "sub": "app-1", "aud": request.origin + request.path}
        if head.get("x5t") != "q-rt5A" or {k: claims.get(k) for k in wanted} != wanted:
            raise simlib.Refuse(401, {"error": "invalid_client"})
        return simlib.answer_json({"access_token": self.token(3599), "expires_in": 3599})


class Azure(Linked):
    """Newest first; times in the filter are quoted."""

    name = "azure-activity"
    source = (
        "tenant = t-1\nsubscription = s-1\nclient_id = app-1\nclient_secret = s3cret\n"
        "token_url = {url}/t-1/oauth2/v2.0/token\n"
    )
    place = "%24skipToken"
    form_fields = ("grant_type", "scope", "client_id", "client_secret")
    late_us = 1200_000_000

    def record(self, n):
        return {"eventDataId": self.id(n), "eventTimestamp": self.iso(n, 6)[:-1] + "7Z", "level": "Warning"}

    def answer(self, request, path):
        if path == "/t-1/oauth2/v2.0/token":
            form = self.form(request)
            if form["scope"] != "https://management.azure.com/.default":
                raise simlib.Refuse(400, {"error": "invalid_scope"})
            return simlib.answer_json({"access_token": self.token(3599), "expires_in": "3599"})
        self.check_token(request)
        if path != "/subscriptions/s-1/providers/Microsoft.Insights/eventtypes/management/values":
            raise refuse("not found", 404)
        query = request.query("api-version", "$filter", "$skipToken")
        match = re.fullmatch(
            r"eventTimestamp ge '(%s)' and eventTimestamp le '(%s)'" % (SECONDS, SECONDS),
            query["$filter"],
        )
        if not match or query["api-version"] != "2015-04-01":
            raise refuse("bad filter")
        found = self.window(time_us(match[1]), time_us(match[2]), end_closed=True)[::-1]
        page, following = cut(found, self.at({self.place: query.get("$skipToken", "<0>=")}, len(found)), 200)
        answer = {"value": self.records(page)}
        if following is not None:
            answer["nextLink"] = self.next(request, following)
        return simlib.answer_json(answer)


class Zendesk(Linked):
    """One name twice in the query; every page has a link, has_more tells the end."""

    name = "zendesk"
    source = "subdomain = acme\nuser = audit@example.org\ntoken = zd-0123456789\n"
    place = "page%5Bafter%5D"

    def record(self, n):
        return {"id": n + 1, "created_at": self.iso(n, 0), "action": "update", "actor_id": n % 4}

    def answer(self, request, path):
        wanted = "Basic YXVkaXRAZXhhbXBsZS5vcmcvdG9rZW46emQtMDEyMzQ1Njc4OQ=="
        if request.headers.get("authorization") != wanted:
            raise simlib.Refuse(401, {"error": "Couldn't authenticate you"})
        if path != "/api/v2/audit_logs":
            raise refuse("not found", 404)
        pairs = urllib.parse.parse_qsl(request.raw_query, strict_parsing=True)
        times = [value for name, value in pairs if name == "filter[created_at][]"]
        query = {name: value for name, value in pairs if name != "filter[created_at][]"}
        self.need(query, ("page[size]",), ("page[after]",))
        if len(times) != 2:
            raise refuse("two times are needed")
        found = self.window(time_us(times[0]), time_us(times[1]))[::-1]
        at = self.at({self.place: query.get("page[after]", "<0>=")}, len(found))
        page, following = cut(found, at, whole(query["page[size]"], 1, 100))
        return simlib.answer_json(
            {
                "audit_logs": self.records(page),
                "meta": {"has_more": following is not None},
                "links": {"next": self.next(request, following or len(found)), "prev": None},
            }
        )


class DigitalOcean(Vendor):
    """Newest first, no filter by time, the pages by number in a link."""

    name = "digitalocean"
    source = "token = do-0123456789\n"
    late_us = 0

    def record(self, n):
        return {"id": n + 1000, "status": "completed", "type": "create", "started_at": self.iso(n, 0)}

    def answer(self, request, path):
        self.bearer(request, "do-0123456789")
        if path != "/v2/actions":
            raise refuse("not found", 404)
        query = request.query("page", "per_page")
        size = whole(query.get("per_page", "20"), 1, 200)
        number = whole(query.get("page", "1"), 1, 10_000)
        found = self.visible()[::-1]
        page, following = cut(found, (number - 1) * size, size)
        answer = {"actions": self.records(page), "links": {}, "meta": {"total": len(found)}}
        if following is not None:
            answer["links"] = {
                "pages": {
                    "next": "%s/v2/actions?page=%d&per_page=%d" % (request.origin, number + 1, size)
                }
            }
        return simlib.answer_json(answer)


class Microsoft365(Linked):
    """A list of documents by the time of their content; the next page by a header; each document is
    had with the token, and is an array. Times have no zone, a window has 24 hours at most."""

    name = "m365-activity"
    source = (
        "tenant = t-1\nclient_id = app-1\nclient_secret = s3cret\n"
        "token_url = {url}/t-1/oauth2/v2.0/token\n"
    )
    place = "nextPage"
    form_fields = ("grant_type", "scope", "client_id", "client_secret")
    late_us = 0
    root = "/api/v1.0/t-1/activity/feed"

    def record(self, n):
        return {"CreationTime": self.iso(n, 0)[:-1], "Id": self.id(n), "Operation": "FileAccessed", "é": n}

    def documents(self):
        """Ten activities in one document, which can be seen when the last of them happened; each
        document begins with one that the document before it has, too."""
        found = self.trail.order
        return [found[max(at - 1, 0) : at + 10] for at in range(0, len(found), 10)]

    def created(self, document):
        return max(self.trail.times[n] for n in document) // 1000 * 1000

    def answer(self, request, path):
        if path == "/t-1/oauth2/v2.0/token":
            form = self.form(request)
            if form["scope"] != "https://manage.office.com/.default":
                raise simlib.Refuse(400, {"error": "invalid_scope"})
            return simlib.answer_json({"access_token": self.token(3599), "expires_in": 3599})
        self.check_token(request)
        documents = self.documents()
        match = re.fullmatch(re.escape(self.root) + r"/audit/(\d+)\$doc", path)
        if match:
            return simlib.answer_json(self.records(documents[int(match[1])]))
        if path != self.root + "/subscriptions/content":
            raise refuse("not found", 404)
        query = request.query("contentType", "startTime", "endTime", "PublisherIdentifier", "nextPage")
        if query["contentType"] != "Audit.General":
            raise refuse("the subscription is disabled")
        for name in ("startTime", "endTime"):
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", query[name]):
                raise refuse("bad time")
        start, end = (time_us(query[name] + "Z") for name in ("startTime", "endTime"))
        if not start < end <= start + 24 * 3600_000_000 or start < self.now_us - 7 * 24 * 3600_000_000:
            raise refuse("AF20030: startTime and endTime must be at most 24 hours apart")
        listed = [
            {
                "contentUri": "%s%s/audit/%d$doc" % (request.origin, self.root, i),
                "contentId": "%d$doc" % i,
                "contentType": "Audit.General",
                "contentCreated": simlib.iso(self.created(document)),
            }
            for i, document in enumerate(documents)
            if start <= self.created(document) < end and self.created(document) <= self.now_us
        ]
        at = self.at(query, len(listed))
        page, following = cut(listed, at, 20)
        answer = simlib.answer_json(page)
        if following is not None:
            answer.headers["NextPageUri"] = self.next(request, following)
        return answer
