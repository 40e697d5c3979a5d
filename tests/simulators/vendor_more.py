"""Vendors with habits of their own; see vendors.py."""

import base64
import json
import re

import simlib
from vendor_links import SECONDS, Linked
from vendors import Vendor, cut, refuse, time_us, whole

MILLIS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Mimecast(Vendor):
    """Times with an offset without a colon; a failure is a 200 whose list of failures is filled."""

    name = "mimecast"
    source = "client_id = c1\nclient_secret = s1s1\nbase = {url}\n"
    form_fields = ("grant_type", "client_id", "client_secret")
    failures = 2

    def record(self, n):
        return {"id": self.id(n), "eventTime": self.iso(n, 0)[:-1] + "+0000", "auditType": "User Logged On"}

    def answer(self, request, path):
        if path == "/oauth/token":
            self.need(self.form(request), self.form_fields)
            return simlib.answer_json({"access_token": self.token(1799), "expires_in": 1799})
        self.check_token(request)
        if request.method != "POST" or path != "/api/audit/get-audit-events":
            raise refuse("not found", 404)
        if self.failures:
            self.failures -= 1
            fail = [{"errors": [{"code": "err_unknown", "message": "try again"}]}]
            return simlib.answer_json({"meta": {"status": 200}, "data": [], "fail": fail})
        body = request.json()
        self.need(body, ("meta", "data"))
        start, end = (body["data"][0][name] for name in ("startDateTime", "endDateTime"))
        if not start.endswith("+0000") or not end.endswith("+0000"):
            raise refuse("bad time")
        found = self.window(time_us(start[:-5] + "Z"), time_us(end[:-5] + "Z"))[::-1]
        pages = body["meta"]["pagination"]
        self.need(pages, ("pageSize",), ("pageToken",))
        page, following = cut(found, whole(pages.get("pageToken", "0"), 0, len(found)), pages["pageSize"])
        pagination = {"pageSize": len(page)}
        if following is not None:
            pagination["next"] = str(following)
        return simlib.answer_json(
            {"meta": {"status": 200, "pagination": pagination}, "data": self.records(page), "fail": []}
        )


class CrowdStrike(Vendor):
    name = "crowdstrike-alerts"
    source = "client_id = c1\nclient_secret = s1s1\nbase = {url}\n"
    form_fields = ("grant_type", "client_id", "client_secret")

    def record(self, n):
        return {"composite_id": "x:ind:" + self.id(n), "created_timestamp": self.iso(n, 6), "severity": n % 100}

    def answer(self, request, path):
        if path == "/oauth2/token":
            self.need(self.form(request), self.form_fields)
            return simlib.answer_json({"access_token": self.token(1799), "expires_in": 1799}, 201)
        self.check_token(request)
        if request.method != "POST" or path != "/alerts/combined/alerts/v1":
            raise refuse("not found", 404)
        body = request.json()
        self.need(body, ("filter", "sort", "limit"), ("after",))
        match = re.fullmatch(
            r"created_timestamp:>='(%s)'\+created_timestamp:<'(%s)'" % (SECONDS, SECONDS), body["filter"]
        )
        if not match or body["sort"] != "created_timestamp|asc":
            raise refuse("bad filter")
        found = self.window(time_us(match[1]), time_us(match[2]))
        at = int(base64.b64decode(body["after"])) if "after" in body else 0
        page, following = cut(found, at, min(whole(body["limit"], 1, 1000), 200))
        pagination = {"total": len(found), "limit": 200}
        if following is not None:
            pagination["after"] = base64.b64encode(b"%d" % following).decode()
        return simlib.answer_json({"meta": {"pagination": pagination}, "resources": self.records(page)})


class JumpCloud(Vendor):
    """The cursor is a JSON array in a header and has to come back as an array in the body."""

    name = "jumpcloud"
    source = "api_key = jc-0123456789\n"

    def record(self, n):
        return {"id": self.id(n), "timestamp": self.iso(n), "service": "directory"}

    def answer(self, request, path):
        if request.headers.get("x-api-key") != "jc-0123456789" or "x-org-id" in request.headers:
            raise refuse("denied", 401)
        if request.method != "POST" or path != "/insights/directory/v1/events":
            raise refuse("not found", 404)
        body = request.json()
        self.need(body, ("service", "start_time"), ("end_time", "sort", "limit", "search_after"))
        if body["service"] != ["all"] or body["sort"] != "ASC":
            raise refuse("bad service or sort")
        found = self.window(time_us(body["start_time"]), time_us(body["end_time"]))
        at = 0
        if "search_after" in body:
            moment, ident = body["search_after"]
            at = 1 + next(i for i, n in enumerate(found) if self.id(n) == ident)
            if type(moment) is not int:
                raise refuse("bad search_after")
        size = whole(body.get("limit", 1000), 1, 10_000)
        page, _ = cut(found, at, size)
        answer = simlib.answer_json(self.records(page))
        answer.headers["X-Result-Count"] = str(len(page))
        answer.headers["X-Limit"] = str(size)
        if page:
            place = [self.trail.times[page[-1]] // 1000, self.id(page[-1])]
            answer.headers["X-Search_after"] = json.dumps(place)
        return answer


class Terraform(Vendor):
    """Newest first and no upper bound: the list grows at its front while it is read."""

    name = "hcp-terraform"
    source = "token = tf-0123456789\nbase = {url}\n"

    def record(self, n):
        return {"id": self.id(n), "timestamp": self.iso(n, 0), "type": "Resource"}

    def answer(self, request, path):
        self.bearer(request, "tf-0123456789")
        if path != "/api/v2/organization/audit-trail":
            raise refuse("not found", 404)
        query = request.query("since", "page[size]", "page[number]")
        found = self.window(time_us(query["since"]), None)[::-1]
        size = whole(query.get("page[size]", "1000"), 1, 1000) // 10
        number = whole(query.get("page[number]", "1"), 1, 10_000)
        page, following = cut(found, (number - 1) * size, size)
        pages = {"current_page": number, "next_page": None if following is None else number + 1}
        return simlib.answer_json({"data": self.records(page), "pagination": pages})


class Sentry(Linked):
    """Newest first, no filter by time; the link to a next page is there on the last one, too."""

    name = "sentry"
    source = "organization = acme\ntoken = se-0123456789\nbase = {url}\n"
    place = "cursor"
    late_us = 0

    def record(self, n):
        return {"id": str(n), "dateCreated": self.iso(n, 6), "event": "member.add"}

    def answer(self, request, path):
        self.bearer(request, "se-0123456789")
        if path != "/api/0/organizations/acme/audit-logs/":
            raise refuse("not found", 404)
        query = request.query("per_page", "cursor")
        found = self.visible()[::-1]
        at = self.at(query, len(found))
        page, following = cut(found, at, whole(query.get("per_page", "100"), 1, 100))
        answer = simlib.answer_json({"rows": self.records(page), "options": []})
        answer.headers["Link"] = '<%s>; rel="previous"; results="%s", <%s>; rel="next"; results="%s"' % (
            self.next(request, 0),
            "true" if at else "false",
            self.next(request, at + len(page)),
            "false" if following is None else "true",
        )
        return answer


class Snyk(Linked):
    """A relative link; the array is left out when it would be empty; no record has an ID."""

    name = "snyk"
    source = "id = o-1\ntoken = sn-0123456789\nbase = {url}\n"
    place = "cursor"

    def record(self, n):
        return {"created": self.iso(n, 6), "event": "org.user.add", "content": {"n": n}}

    def answer(self, request, path):
        if request.headers.get("authorization") != "token sn-0123456789":
            raise refuse("denied", 401)
        if path != "/rest/orgs/o-1/audit_logs/search":
            raise refuse("not found", 404)
        query = request.query("version", "from", "to", "size", "sort_order", "cursor")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", query["version"]) or query["sort_order"] != "ASC":
            raise refuse("bad version")
        found = self.window(time_us(query["from"]), time_us(query["to"]))
        page, following = cut(found, self.at(query, len(found)), whole(query["size"], 1, 100))
        answer = {"jsonapi": {"version": "1.0"}, "data": {"items": self.records(page)} if page else {}, "links": {}}
        if following is not None:
            answer["links"]["next"] = self.next(request, following)[len(request.origin) :]
        return simlib.answer_json(answer)


class Atlas(Vendor):
    """Numbered pages with a total; the version is in Accept; the token by basic authentication."""

    name = "mongodb-atlas"
    source = "organization = o1\nclient_id = c1\nclient_secret = s1s1\nbase = {url}\n"
    form_fields = ("grant_type",)

    def record(self, n):
        return {"id": self.id(n), "created": self.iso(n, 0), "eventTypeName": "JOINED_ORG"}

    def answer(self, request, path):
        if path == "/api/oauth/token":
            if request.headers.get("authorization") != "Basic YzE6czFzMQ==":
                raise refuse("denied", 401)
            self.need(self.form(request), self.form_fields)
            return simlib.answer_json({"access_token": self.token(3600), "expires_in": 3600})
        self.check_token(request)
        if path != "/api/atlas/v2/orgs/o1/events":
            raise refuse("not found", 404)
        if not re.fullmatch(r"application/vnd\.atlas\.\d{4}-\d\d-\d\d\+json", request.headers["accept"]):
            raise refuse("not acceptable", 406)
        query = request.query("minDate", "maxDate", "itemsPerPage", "pageNum", "includeCount")
        found = self.window(time_us(query["minDate"]), time_us(query["maxDate"]))[::-1]
        size = whole(query.get("itemsPerPage", "100"), 1, 500)
        page, _ = cut(found, (whole(query.get("pageNum", "1"), 1, 10_000) - 1) * size, size)
        return simlib.answer_json({"results": self.records(page), "totalCount": len(found), "links": []})


class Salesforce(Linked):
    """A query language; the next page by a path; times with an offset without a colon."""

    name = "salesforce-setup"
    source = "domain = acme.example\nclient_id = c1\nclient_secret = s1s1\ntoken_url = {url}/services/oauth2/token\n"
    place = "at"
    form_fields = ("grant_type", "client_id", "client_secret")
    kept = None

    def record(self, n):
        return {"attributes": {"type": "SetupAuditTrail"}, "Id": self.id(n), "CreatedDate": self.iso(n)[:-1] + "+0000"}

    def answer(self, request, path):
        if path == "/services/oauth2/token":
            self.need(self.form(request), self.form_fields)
            return simlib.answer_json({"access_token": self.token(7200), "token_type": "Bearer"})
        self.check_token(request)
        if path == "/services/data/v61.0/query":
            match = re.fullmatch(
                r"SELECT Id, [\w, ]+ FROM SetupAuditTrail WHERE CreatedDate >= (%s) AND CreatedDate < (%s) "
                r"ORDER BY CreatedDate, Id" % (SECONDS, SECONDS),
                request.query("q")["q"],
            )
            if not match:
                raise simlib.Refuse(400, [{"message": "MALFORMED_QUERY", "errorCode": "x"}])
            self.kept, at = self.window(time_us(match[1]), time_us(match[2])), 0
        else:
            place = re.fullmatch(r"/services/data/v61\.0/query/0r8-(\d+)", path)
            if not place or self.kept is None:
                raise simlib.Refuse(400, [{"message": "INVALID_QUERY_LOCATOR", "errorCode": "x"}])
            at = int(place[1])
        page, following = cut(self.kept, at, 200)
        answer = {"totalSize": len(self.kept), "done": following is None, "records": self.records(page)}
        if following is not None:
            answer["nextRecordsUrl"] = "/services/data/v61.0/query/0r8-%d" % following
        return simlib.answer_json(answer)


class Auth0(Vendor):
    """A search finds 1,000 at most, and does not say that there is more in its pages; both ends of
    the range are inclusive. The token is had with JSON."""

    name = "auth0"
    source = "domain = acme.auth0.example\nclient_id = c1\nclient_secret = s1s1\ntoken_url = {url}/oauth/token\n"
    polls = 20

    def record(self, n):
        return {"log_id": self.id(n), "date": self.iso(n), "type": "s"}

    def answer(self, request, path):
        if path == "/oauth/token":
            body = request.json()
            self.need(body, ("grant_type", "client_id", "client_secret", "audience"))
            if body["audience"] != "https://acme.auth0.example/api/v2/":
                raise refuse("bad audience", 403)
            return simlib.answer_json({"access_token": self.token(86400), "expires_in": 86400})
        self.check_token(request)
        if path != "/api/v2/logs":
            raise refuse("not found", 404)
        query = request.query("q", "sort", "per_page", "page", "include_totals")
        match = re.fullmatch(r"date:\[(\S+) TO (\S+)\]", query["q"])
        if not match or query["sort"] != "date:1":
            raise refuse("bad query")
        found = self.window(time_us(match[1]), time_us(match[2]), end_closed=True)
        size, number = whole(query["per_page"], 1, 100), whole(query["page"], 0, 1000)
        if size * (number + 1) > 1000:
            raise refuse("paging is limited to 1000")
        page, _ = cut(found, number * size, size)
        return simlib.answer_json(
            {"start": number * size, "limit": size, "length": len(page), "total": len(found), "logs": self.records(page)}
        )


class SailPoint(Vendor):
    """Pages continue after the values that the list is sorted by: both, as one array."""

    name = "sailpoint"
    source = "client_id = c1\nclient_secret = s1s1\nbase = {url}\n"
    form_fields = ("grant_type", "client_id", "client_secret")

    def record(self, n):
        return {"id": self.id(n), "created": self.iso(n), "type": "AUTH", "_type": "event"}

    def fail(self, text):
        raise simlib.Refuse(400, {"detailCode": "400.1 Bad request content", "messages": [{"text": text}]})

    def answer(self, request, path):
        if path == "/oauth/token":
            return self.login(request)
        self.check_token(request)
        if request.method != "POST" or path != "/v3/search":
            raise refuse("not found", 404)
        query = request.query("limit", "offset", "count")
        size = whole(query.get("limit", "250"), 1, 250)
        body = request.json()
        self.need(body, ("indices", "query"), ("queryType", "queryVersion", "sort", "searchAfter", "timeZone"))
        match = re.fullmatch(r"created:\[(%s) TO (%s)\]" % (MILLIS, MILLIS), body["query"].get("query", ""))
        if body["indices"] != ["events"] or list(body["query"]) != ["query"] or not match:
            self.fail("bad query")
        if body.get("sort") != ["created", "id"]:
            self.fail("the order has to end with the ID")
        found = self.window(time_us(match[1]), time_us(match[2]) + 1000)
        found.sort(key=lambda n: (self.iso(n), self.id(n)))
        after = body.get("searchAfter")
        if after is not None:
            if "offset" in query or len(after) != 2 or not all(isinstance(part, str) for part in after):
                self.fail("searchAfter has a value for each field of sort")
            found = [n for n in found if [self.iso(n), self.id(n)] > after]
        return simlib.answer_json(self.records(found[:size]))

    def login(self, request):
        if "authorization" in request.headers:  # the ID and the secret in a header, or in the form
            given = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
            form = {**self.form_of(request, "grant_type", "scope"), "client": given}
        else:
            form = self.form_of(request, *self.form_fields, "scope")
            form["client"] = "%s:%s" % (form["client_id"], form["client_secret"])
        if form["grant_type"] != "client_credentials" or form["client"] != "c1:s1s1":
            raise refuse("invalid_client", 401)
        return simlib.answer_json({"access_token": self.token(749), "token_type": "bearer", "expires_in": 749})

    def form_of(self, request, *fields):
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            raise refuse("a form is needed", 415)
        return simlib.Request("POST", "/?" + request.body.decode("ascii"), {}, b"", "").query(*fields)


class Elasticsearch(Vendor):
    """Three shards, each of which counts its documents: a page continues after the sort values of the
    last one, and of equal ones there are several."""

    name = "elasticsearch"
    source = "url = {url}\nindex = audit-*\nuser = reader\npassword = s3cr3t\npage_size = 40\n"

    def record(self, n):
        return {"@timestamp": self.iso(n), "event": {"id": self.id(n)}}

    def fail(self, kind, reason):
        error = {"type": kind, "reason": reason, "root_cause": [{"type": kind, "reason": reason}]}
        raise simlib.Refuse(400, {"error": error, "status": 400})

    def answer(self, request, path):
        if request.headers.get("authorization") != "Basic " + base64.b64encode(b"reader:s3cr3t").decode():
            raise simlib.Refuse(401, {"error": {"type": "security_exception", "reason": "denied"}})
        if request.method != "POST" or path != "/audit-*/_search":
            raise refuse("not found", 404)
        request.query()
        body = request.json()
        self.need(body, ("query",), ("size", "sort", "search_after"))
        bounds = body["query"]["range"]["@timestamp"]
        self.need(bounds, ("gte", "lt"), ("format",))
        fields = [name for part in body.get("sort", []) for name in ([part] if isinstance(part, str) else part)]
        if not fields or fields[0] != "@timestamp" or set(fields) - {"@timestamp", "_doc", "event.id"}:
            self.fail("search_phase_execution_exception", "No mapping found for %s" % fields)
        found = self.window(time_us(bounds["gte"]), time_us(bounds["lt"]))
        values = {n: [self.value(n, field) for field in fields] for n in found}
        found.sort(key=lambda n: (values[n], n % 3))
        after = body.get("search_after")
        if after is not None:
            if len(after) != len(fields):
                self.fail("illegal_argument_exception", "search_after has %d value(s)" % len(after))
            found = [n for n in found if values[n] > after]
        hits = [
            {"_index": "audit-%d" % (n % 3), "_id": self.id(n), "_source": self.record(n), "sort": values[n]}
            for n in found[: whole(body.get("size", 10), 0, 10_000)]
        ]
        return simlib.answer_json({"timed_out": False, "_shards": {"total": 3, "failed": 0}, "hits": {"hits": hits}})

    def value(self, n, field):
        return {
            "@timestamp": self.trail.times[n] // 1000,
            "_doc": n // 3,
            "event.id": self.id(n),
        }[field]


class PowerBI(Vendor):
    """Both times in quotes, on one day and inclusive; the next page by a URL with raw quotes; some
    pages are empty."""

    name = "powerbi-activity"
    source = "tenant = t-1\nclient_id = c1\nclient_secret = s1s1\ntoken_url = {url}/token\n"
    form_fields = ("grant_type", "scope", "client_id", "client_secret")
    polls = 20  # a day is read again, in small pages

    def record(self, n):
        return {"Id": self.id(n), "CreationTime": self.iso(n, 0)[:-1], "Activity": "ViewReport"}

    def answer(self, request, path):
        if path == "/token":
            if self.form(request)["scope"] != "https://analysis.windows.net/powerbi/api/.default":
                raise simlib.Refuse(400, {"error": "invalid_scope"})
            return simlib.answer_json({"access_token": self.token(3599), "expires_in": 3599})
        self.check_token(request)
        if path != "/v1.0/myorg/admin/activityevents":
            raise refuse("not found", 404)
        query = request.query("startDateTime", "endDateTime", "continuationToken")
        if "continuationToken" in query:
            self.need(query, ("continuationToken",))
            token = query["continuationToken"]
            start, end, at, k = json.loads(token[1:-1])
        else:
            start, end = query["startDateTime"], query["endDateTime"]
            times = [re.fullmatch(r"'(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)'", t) for t in (start, end)]
            if not all(times) or times[0][1][:10] != times[1][1][:10]:
                raise refuse("DateTime parameters should be in quotes and within the same UTC day")
            start, end = (time_us(t[1]) for t in times)
            at, k = 0, 0
            if start > end:
                raise refuse("bad times")
        found = self.window(start, end, end_closed=True)
        page, following = cut(found, at, (200, 0, 70)[k % 3])
        answer = {"activityEventEntities": self.records(page), "continuationUri": None}
        answer["lastResultSet"] = following is None
        if following is not None:
            token = "'%s'" % json.dumps([start, end, following, k + 1], separators=(",", ":"))
            answer["continuationToken"] = token
            answer["continuationUri"] = "%s%s?continuationToken=%s" % (request.origin, path, token)
        return simlib.answer_json(answer)


class Ionos(Vendor):
    """Offsets in a search engine's answer, newest first; no IDs, and some records are equal."""

    name = "ionos"
    source = "contract = 31234567\ntoken = io-0123456789\n"
    unit_us = 1_000_000
    polls = 24

    def record(self, n):
        # records of the same second differ in nothing
        return {
            "event": {"type": "RequestAccepted", "resources": [{"type": "SERVER", "id": "s1"}]},
            "meta": {"requestId": "r1", "time": self.iso(n, 0)},
            "principal": {"identity": {"username": "user@example.org"}},
        }

    def answer(self, request, path):
        self.bearer(request, "io-0123456789")
        if request.method != "GET" or path != "/activitylog/v1/contracts/31234567":
            raise refuse("not found", 404)
        if request.headers.get("x-contract-number", "31234567") != "31234567":
            raise refuse("another contract", 403)
        query = request.query("dateStart", "dateEnd", "offset", "limit")
        for name in ("dateStart", "dateEnd"):
            if not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?", query[name]):
                raise refuse("bad time")
        at, size = whole(query.get("offset", "0"), 0, 9999), whole(query.get("limit", "20"), 1, 100)
        if at + size > 10000:
            raise refuse("Result window is too large")
        found = self.window(time_us(query["dateStart"]), time_us(query["dateEnd"]))[::-1]
        page, _ = cut(found, at, size)
        hits = [{"_source": record} for record in self.records(page)]
        return simlib.answer_json({"hits": {"total": len(found), "hits": hits}})


class KeycloakAdmin(Vendor):
    """Times in milliseconds, both ends inclusive; descending unless asked otherwise."""

    name = "keycloak-admin-events"
    source = "url = {url}\nrealm = company\nclient_id = audit\nclient_secret = s1s1\n"
    form_fields = ("grant_type", "client_id", "client_secret")
    list = "admin-events"

    def record(self, n):
        return {
            "id": self.id(n),
            "time": self.trail.times[n] // 1000,
            "realmId": "realm-1",
            "authDetails": {"userId": "u%d" % (n % 7), "ipAddress": "192.0.2.1"},
            "operationType": "UPDATE",
            "resourceType": "USER",
            "resourcePath": "users/%d" % n,
        }

    def answer(self, request, path):
        if path == "/realms/company/protocol/openid-connect/token":
            form = self.form(request)
            wanted = {"grant_type": "client_credentials", "client_id": "audit", "client_secret": "s1s1"}
            if form != wanted:
                raise simlib.Refuse(401, {"error": "unauthorized_client"})
            return simlib.answer_json(
                {"access_token": self.token(300), "expires_in": 300, "token_type": "Bearer"}
            )
        if request.method != "GET" or path != "/admin/realms/company/" + self.list:
            raise refuse("not found", 404)
        self.check_token(request)
        query = request.query("dateFrom", "dateTo", "direction", "first", "max")
        start, end = (whole(query[name], 0, 1 << 50) * 1000 for name in ("dateFrom", "dateTo"))
        found = self.window(start, end, end_closed=True)
        direction = query.get("direction", "desc")
        if direction not in ("asc", "desc"):
            raise refuse("bad direction")
        if direction == "desc":
            found = found[::-1]
        at, size = whole(query.get("first", "0"), 0, 1 << 30), whole(query.get("max", "100"), 1, 1 << 30)
        page, _ = cut(found, at, size)
        return simlib.answer_json(self.records(page))


class Keycloak(KeycloakAdmin):
    name = "keycloak-events"
    list = "events"

    def record(self, n):
        return {
            "id": self.id(n),
            "time": self.trail.times[n] // 1000,
            "type": "LOGIN_ERROR" if n % 5 == 0 else "LOGIN",
            "realmId": "realm-1",
            "userId": "u%d" % (n % 7),
            "details": {"username": "user%d" % (n % 7)},
        }
