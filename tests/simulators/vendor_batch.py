"""Vendors whose responses have a form of their own: several lists, documents with a header, texts
that are records, pages that repeat; see vendors.py. The signatures are checked with Python's hmac
and jose.py over what came over the wire."""

import base64
import csv
import email.utils
import hashlib
import hmac
import io
import json
import re

import jose
import simlib
from vendor_links import SECONDS, Linked
from vendor_signed import DuoAuthentication, same
from vendors import Vendor, cut, refuse, time_us, whole

HOUR_US = 3600_000_000


class Vultr(Vendor):
    """Oldest first; the place of the next page is the time of the last log, which comes again."""

    name = "vultr"
    source = "token = vultr-0123456789\n"
    unit_us = 1_000_000

    def record(self, n):
        message = "GET /v2/instances/%d" % n
        return {"log_level": "info", "message": message, "timestamp": self.iso(n, 0), "é": [n]}

    def answer(self, request, path):
        self.bearer(request, "vultr-0123456789")
        if request.method != "GET" or path != "/v2/logs":
            raise refuse("not found", 404)
        query = request.query("start_time", "end_time", "log_level", "resource_type", "resource_id")
        for name in ("start_time", "end_time"):
            if not re.fullmatch(SECONDS, query[name]):
                raise refuse("Invalid %s" % name)
        found = self.window(time_us(query["start_time"]), time_us(query["end_time"]))
        page, following = cut(found, 0, 100)
        meta = {
            "continue_time": self.iso(page[-1], 0) if following is not None else "",
            "returned_count": len(page),
            "unreturned_count": len(found) - len(page),
            "total_count": len(found),
        }
        return simlib.answer_json({"logs": self.records(page), "meta": meta})


class Proofpoint(Vendor):
    """Four lists in one answer, and 204 without a body where there is nothing."""

    name = "proofpoint-tap"
    source = "principal = p1\nsecret = s1s1s1\n"
    lists = ("messagesDelivered", "messagesBlocked", "clicksPermitted", "clicksBlocked")
    polls = 30

    def record(self, n):
        time = "messageTime" if n % 4 < 2 else "clickTime"
        return {time: self.iso(n), "GUID": self.id(n), "threatStatus": "active"}

    def answer(self, request, path):
        if request.headers.get("authorization") != "Basic " + base64.b64encode(b"p1:s1s1s1").decode():
            raise refuse("unauthorized", 401)
        if request.method != "GET" or path != "/v2/siem/all":
            raise refuse("not found", 404)
        query = request.query("format", "interval", "threatType", "threatStatus")
        match = re.fullmatch(r"(%s)/(%s)" % (SECONDS, SECONDS), query["interval"])
        if not match or query["format"] != "json":
            raise refuse("The interval is not valid")
        start, end = time_us(match[1]), time_us(match[2])
        if not 30_000_000 <= end - start <= HOUR_US:
            raise refuse("The requested interval is too short or too long")
        if start < self.now_us - 7 * 24 * HOUR_US or end > self.now_us:
            raise refuse("The requested start time is too far into the past")
        found = self.window(start, end)
        if not found:
            return simlib.Answer(204)
        lists = {name: [] for name in self.lists}
        for n in found:
            lists[self.lists[n % 4]].append(self.record(n))
        return simlib.answer_json({"queryEndTime": match[2], **lists})


class EventLogFile(Linked):
    """SOQL lists files, whose paths are relative; a file is CSV with a header, and needs the token."""

    name = "salesforce-eventlogfile"
    source = (
        "domain = acme.my.salesforce.example\nclient_id = c1\nclient_secret = s1s1\n"
        "token_url = {url}/services/oauth2/token\n"
    )
    form_fields = ("grant_type", "client_id", "client_secret")
    late_us = 0
    unit_us = 1_000_000

    def record(self, n):
        return {
            "EVENT_TYPE": "Login",
            "TIMESTAMP": self.iso(n)[:4],
            "USER_NAME": 'u%d "x", y\nz' % n if n % 3 == 0 else "u%d" % n,
            "TIMESTAMP_DERIVED": self.iso(n),
        }

    def files(self):
        found = self.trail.order
        return [found[at : at + 40] for at in range(0, len(found), 40)]

    def created(self, file):
        return max(self.trail.times[n] for n in file)

    def answer(self, request, path):
        if path == "/services/oauth2/token":
            self.need(self.form(request), self.form_fields)
            return simlib.answer_json({"access_token": self.token(7200), "token_type": "Bearer"})
        self.check_token(request)
        files = self.files()
        match = re.fullmatch(r"/services/data/v61\.0/sobjects/EventLogFile/0AT(\d+)/LogFile", path)
        if match:
            return self.document(files[int(match[1])])
        match = re.fullmatch(r"/services/data/v61\.0/query/01g(\d+)-(\d+)-(\d+)", path)
        if match:
            return self.listed(files, int(match[1]), int(match[2]), int(match[3]))
        if request.method != "GET" or path != "/services/data/v61.0/query":
            raise refuse("not found", 404)
        match = re.fullmatch(
            r"SELECT Id, EventType, LogDate, CreatedDate, LogFile, LogFileLength, Interval FROM EventLogFile "
            r"WHERE Interval = 'Daily' AND CreatedDate >= (%s) AND CreatedDate < (%s) "
            r"ORDER BY CreatedDate, Id" % (SECONDS, SECONDS),
            request.query("q")["q"],
        )
        if not match:
            raise simlib.Refuse(400, [{"message": "unexpected token", "errorCode": "MALFORMED_QUERY"}])
        return self.listed(files, time_us(match[1]), time_us(match[2]), 0)

    def listed(self, files, start, end, at):
        listed = [
            {
                "attributes": {"type": "EventLogFile"},
                "Id": "0AT%d" % i,
                "EventType": "Login",
                "CreatedDate": simlib.iso(self.created(file))[:23] + "+0000",
                "LogFile": "/services/data/v61.0/sobjects/EventLogFile/0AT%d/LogFile" % i,
                "Interval": "Daily",
            }
            for i, file in enumerate(files)
            if start <= self.created(file) < end and self.created(file) <= self.now_us
        ]
        page, following = cut(listed, at, 10)
        answer = {"totalSize": len(listed), "done": following is None, "records": page}
        if following is not None:
            answer["nextRecordsUrl"] = "/services/data/v61.0/query/01g%d-%d-%d" % (start, end, following)
        return simlib.answer_json(answer)

    def document(self, file):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.record(0)), quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.records(file))
        return simlib.answer_text(text.getvalue(), content_type="text/csv")


class Alibaba(Vendor):
    """RPC with signature V3: all of host and x-acs-* is signed, and a nonce is good for once."""

    name = "alibaba-actiontrail"
    source = "region = eu-central-1\naccess_key = LTAI1\nsecret_key = s3cr3ts3cr3t\n"
    late_us = 60_000_000

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.nonces = set()

    def record(self, n):
        return {"eventId": self.id(n), "eventTime": self.iso(n), "eventName": "CreateInstance"}

    def authorize(self, request):
        headers = request.headers
        match = re.fullmatch(
            r"ACS3-HMAC-SHA256 Credential=LTAI1,SignedHeaders=([a-z0-9;-]+),Signature=([0-9a-f]{64})",
            headers.get("authorization", ""),
        )
        digest = hashlib.sha256(request.body).hexdigest()
        if not match or headers.get("x-acs-content-sha256") != digest:
            raise simlib.Refuse(400, {"Code": "MissingSignedHeaders", "Message": "Authorization"})
        names = match[1].split(";")
        needed = {"host", *(name for name in headers if name.startswith("x-acs-"))}
        if names != sorted(names) or not needed <= set(names):
            raise simlib.Refuse(400, {"Code": "MissingSignedHeaders", "Message": match[1]})
        lines = "".join("%s:%s\n" % (name, headers[name].strip()) for name in names)
        canonical = "%s\n/\n%s\n%s\n%s\n%s" % (
            request.method, "&".join(sorted(request.raw_query.split("&"))), lines, match[1], digest,
        )  # fmt: skip
        text = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
        if not same(hmac.new(b"s3cr3ts3cr3t", text.encode(), "sha256").hexdigest(), match[2]):
            raise simlib.Refuse(400, {"Code": "SignatureDoesNotMatch", "Message": text})
        if abs(time_us(headers["x-acs-date"]) / 1e6 - self.now) > 900:
            raise simlib.Refuse(400, {"Code": "InvalidTimeStamp.Expired", "Message": "date"})
        if headers["x-acs-signature-nonce"] in self.nonces:
            raise simlib.Refuse(400, {"Code": "SignatureNonceUsed", "Message": "nonce"})
        self.nonces.add(headers["x-acs-signature-nonce"])

    def answer(self, request, path):
        self.authorize(request)
        if path != "/" or request.headers.get("x-acs-version") != "2020-07-06":
            raise refuse("not found", 404)
        if request.headers.get("x-acs-action") != "LookupEvents":
            raise refuse("InvalidAction.NotFound", 404)
        query = request.query("StartTime", "EndTime", "NextToken", "MaxResults", "Direction")
        start, end = query["StartTime"], query["EndTime"]
        if not re.fullmatch(SECONDS, start) or not re.fullmatch(SECONDS, end):
            raise refuse("InvalidTimeRange")
        found = self.window(time_us(start), time_us(end))
        if query.get("Direction", "BACKWARD") == "BACKWARD":
            found = found[::-1]
        token = json.loads(query.get("NextToken", "{}") or "{}")
        if token and (token["start"], token["end"]) != (start, end):
            raise refuse("InvalidNextToken")
        page, following = cut(found, token.get("at", 0), whole(query.get("MaxResults", "20"), 0, 50))
        answer = {"RequestId": "r", "StartTime": start, "EndTime": end, "Events": self.records(page)}
        if following is not None:
            answer["NextToken"] = json.dumps({"start": start, "end": end, "at": following})
        return simlib.answer_json(answer)


class CloudTrail(Vendor):
    """Signature version 4; the event is a text in what is listed, newest first."""

    name = "aws-cloudtrail"
    source = "region = eu-west-1\naccess_key = AKID1\nsecret_key = s3cr3ts3cr3t\n"
    unit_us = 1_000_000
    polls = 12
    target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"

    def record(self, n):
        return {"eventVersion": "1.09", "eventID": self.id(n), "eventTime": self.iso(n, 0), "é": ["\n", n]}

    def listed(self, n):
        text = json.dumps(self.record(n), ensure_ascii=n % 2 == 0)
        return {
            "EventId": self.id(n), "EventTime": self.trail.times[n] / 1e6, "CloudTrailEvent": text,
        }  # fmt: skip

    def line(self, n):
        text = json.dumps(self.record(n), separators=(",", ":"), ensure_ascii=n % 2 == 0)
        return text.encode() + b"\n"

    def authorize(self, request):
        headers = request.headers
        match = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=AKID1/(\d{8})/eu-west-1/cloudtrail/aws4_request, "
            r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
            headers.get("authorization", ""),
        )
        if not match or not {"host", "x-amz-date", "x-amz-target"} <= set(match[2].split(";")):
            raise simlib.Refuse(400, {"__type": "IncompleteSignatureException", "message": "signature"})
        lines = "".join("%s:%s\n" % (name, headers[name].strip()) for name in match[2].split(";"))
        digest = hashlib.sha256(request.body).hexdigest()
        canonical = "POST\n/\n\n%s\n%s\n%s" % (lines, match[2], digest)
        scope = [match[1], "eu-west-1", "cloudtrail", "aws4_request"]
        text = "AWS4-HMAC-SHA256\n%s\n%s\n%s" % (
            headers["x-amz-date"], "/".join(scope), hashlib.sha256(canonical.encode()).hexdigest(),
        )  # fmt: skip
        key = b"AWS4s3cr3ts3cr3t"
        for part in scope:
            key = hmac.new(key, part.encode(), "sha256").digest()
        if not same(hmac.new(key, text.encode(), "sha256").hexdigest(), match[3]):
            raise simlib.Refuse(400, {"__type": "InvalidSignatureException", "message": "signature"})

    def answer(self, request, path):
        if request.method != "POST" or path != "/" or request.headers.get("x-amz-target") != self.target:
            raise simlib.Refuse(400, {"__type": "UnknownOperationException", "message": "target"})
        self.authorize(request)
        body = request.json()
        self.need(body, (), ("StartTime", "EndTime", "MaxResults", "NextToken", "LookupAttributes"))
        start, end = body["StartTime"], body["EndTime"]
        if not isinstance(start, int) or not isinstance(end, int) or start >= end:
            raise simlib.Refuse(400, {"__type": "InvalidTimeRangeException", "message": "time"})
        found = self.window(start * 10**6, end * 10**6, end_closed=True)[::-1]
        token = json.loads(body.get("NextToken", "{}"))
        if token and (token["start"], token["end"]) != (start, end):
            raise simlib.Refuse(400, {"__type": "InvalidNextTokenException", "message": "token"})
        page, following = cut(found, token.get("at", 0), min(body.get("MaxResults", 50), 50))
        answer = {"Events": [self.listed(n) for n in page]}
        if following is not None:
            answer["NextToken"] = json.dumps({"start": start, "end": end, "at": following})
        return simlib.answer_json(answer)


class Tencent(Vendor):
    """TC3: the scope has no region, errors come with status 200, and ListOver is the end."""

    name = "tencent-cloudaudit"
    source = "region = eu-frankfurt\nsecret_id = AKID1\nsecret_key = s3cr3ts3cr3t\n"
    unit_us = 1_000_000
    failures = 1

    def record(self, n):
        return {"EventId": self.id(n), "EventTime": str(self.trail.times[n] // 10**6), "Username": "root"}

    def fail(self, code):
        error = {"Code": code, "Message": code}
        return simlib.answer_json({"Response": {"Error": error, "RequestId": "r"}})

    def authorize(self, request):
        headers = request.headers
        match = re.fullmatch(
            r"TC3-HMAC-SHA256 Credential=AKID1/(\d{4}-\d\d-\d\d)/cloudaudit/tc3_request, "
            r"SignedHeaders=content-type;host, Signature=([0-9a-f]{64})",
            headers.get("authorization", ""),
        )
        stamp = headers.get("x-tc-timestamp", "")
        if not match or not stamp.isdigit() or abs(int(stamp) - self.now) > 300:
            return False
        if simlib.iso(int(stamp) * 10**6)[:10] != match[1]:
            return False
        canonical = "POST\n/\n\ncontent-type:%s\nhost:%s\n\ncontent-type;host\n%s" % (
            headers["content-type"], headers["host"], hashlib.sha256(request.body).hexdigest(),
        )  # fmt: skip
        key = b"TC3s3cr3ts3cr3t"
        for part in (match[1], "cloudaudit", "tc3_request"):
            key = hmac.new(key, part.encode(), "sha256").digest()
        text = "TC3-HMAC-SHA256\n%s\n%s/cloudaudit/tc3_request\n%s" % (
            stamp, match[1], hashlib.sha256(canonical.encode()).hexdigest(),
        )  # fmt: skip
        return same(hmac.new(key, text.encode(), "sha256").hexdigest(), match[2])

    def answer(self, request, path):
        if request.method != "POST" or path != "/" or request.raw_query:
            raise refuse("not found", 404)
        if not self.authorize(request):
            return self.fail("AuthFailure.SignatureFailure")
        headers = request.headers
        action = [headers.get("x-tc-" + name) for name in ("action", "version", "region")]
        if action != ["DescribeEvents", "2019-03-19", "eu-frankfurt"]:
            return self.fail("InvalidAction")
        if self.failures:
            self.failures -= 1
            return self.fail("InternalError.SearchError")
        body = request.json()
        self.need(body, ("StartTime", "EndTime"), ("NextToken", "MaxResults", "IsReturnLocation"))
        if not all(isinstance(value, int) for value in body.values()) or body["MaxResults"] > 50:
            return self.fail("InvalidParameter")
        if not 0 < body["EndTime"] - body["StartTime"] < 30 * 86400:
            return self.fail("InvalidParameter.Time")
        found = self.window(body["StartTime"] * 10**6, body["EndTime"] * 10**6)[::-1]
        page, following = cut(found, body.get("NextToken", 0), body["MaxResults"])
        answer = {"ListOver": following is None, "Events": self.records(page) or None}
        # there is a token on the last page, too
        return simlib.answer_json({"Response": {**answer, "NextToken": following or len(found), "RequestId": "r"}})


class Oracle(Vendor):
    """HTTP signatures; whole minutes only; pages may be empty, and the next is in a header."""

    name = "oracle-audit"
    source = (
        "region = eu-frankfurt-1\ncompartment = ocid1.c\ntenancy = ocid1.t\nuser = ocid1.u\n"
        "fingerprint = 20:3b\nprivate_key = ${{file:{keys}/rfc7515-a2.pem}}\n"
    )
    late_us = 60_000_000

    def record(self, n):
        return {"eventId": self.id(n), "eventTime": self.iso(n), "eventType": "com.oraclecloud.x"}

    def authorize(self, request):
        match = re.fullmatch(
            r'Signature version="1",keyId="ocid1.t/ocid1.u/20:3b",algorithm="rsa-sha256",'
            r'headers="date \(request-target\) host",signature="([A-Za-z0-9+/=]+)"',
            request.headers.get("authorization", ""),
        )
        if not match:
            raise simlib.Refuse(401, {"code": "NotAuthenticated", "message": "bad Authorization"})
        text = "date: %s\n(request-target): get %s\nhost: %s" % (
            request.headers["date"], request.target, request.headers["host"],
        )  # fmt: skip
        if not jose.rs256(text.encode(), base64.b64decode(match[1])):
            raise simlib.Refuse(401, {"code": "NotAuthenticated", "message": "bad signature"})
        if abs(
            email.utils.parsedate_to_datetime(request.headers["date"]).timestamp() - self.now
        ) > 300:
            raise simlib.Refuse(401, {"code": "NotAuthenticated", "message": "bad date"})

    def answer(self, request, path):
        self.authorize(request)
        if request.method != "GET" or path != "/20190901/auditEvents":
            raise refuse("not found", 404)
        query = request.query("compartmentId", "startTime", "endTime", "page")
        for name in ("startTime", "endTime"):
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00Z", query[name]):
                raise refuse("InvalidParameter: seconds must be 0")
        if query["compartmentId"] != "ocid1.c":
            raise refuse("NotAuthorizedOrNotFound", 404)
        found = self.window(time_us(query["startTime"]), time_us(query["endTime"]))[::-1]
        at, _, empty = query.get("page", "0").partition("e")
        at = whole(at, 0, len(found))
        if at and not empty and at % 200 == 0:
            return simlib.answer_json([], headers={"opc-next-page": "%de1" % at})
        page, following = cut(found, at, 100)
        headers = {} if following is None else {"opc-next-page": "%d" % following}
        return simlib.answer_json(self.records(page), headers=headers)


class AtlassianOrg(Vendor):
    """By the time of processing; a cursor is on every page, and is sent alone."""

    name = "atlassian-org"
    source = "organisation = o-1\ntoken = at-0123456789\n"

    def record(self, n):
        return {"id": self.id(n), "type": "events", "attributes": {"time": self.iso(n), "action": "x"}}

    def answer(self, request, path):
        self.bearer(request, "at-0123456789")
        if request.method != "GET" or path != "/admin/v1/orgs/o-1/events-stream":
            raise refuse("not found", 404)
        query = request.query("cursor", "from", "to", "limit", "sortOrder")
        size = whole(query.get("limit", "200"), 1, 500)
        found = sorted((n for n in self.visible()), key=lambda n: (self.trail.seen[n], n))
        if "cursor" in query:
            if "from" in query or "to" in query:
                raise refuse("cursor and time exclude each other")
            at = whole(query["cursor"], 0, len(found))
        else:
            start = whole(query["from"], 0, 1 << 43) * 1000
            at = sum(1 for n in found if self.trail.seen[n] < start)
        page = found[at : at + size]
        meta = {"next": str(at + len(page)), "page_size": len(page)}
        return simlib.answer_json({"data": self.records(page), "meta": meta})


class DuoAdministrator(DuoAuthentication):
    """No pages and no end: a thousand events, oldest first, from a second on."""

    name = "duo-administrator"
    path = "/admin/v1/logs/administrator"
    unit_us = 1_000_000

    def record(self, n):
        return {"timestamp": self.trail.times[n] // 10**6, "username": "a%d" % n, "action": "user_update"}

    def answer(self, request, path):
        if request.method != "GET" or path != self.path:
            raise refuse("not found", 404)
        self.authorize(request)
        start = whole(request.query("mintime")["mintime"], 0, 1 << 33) * 10**6
        return simlib.answer_json({"stat": "OK", "response": self.records(self.window(start, None)[:100])})


class Tines(Linked):
    """Newest first; the links call the tenant by another name than it was asked by."""

    name = "tines"
    source = "tenant = acme.tines.example\nemail = a@example.org\ntoken = tines-0123456789\n"
    page_max = 90

    def record(self, n):
        return {"id": n + 1, "created_at": self.iso(n, 0), "operation_name": "StoryUpdate", "é": None}

    def answer(self, request, path):
        token = request.headers.get("x-user-token"), request.headers.get("x-user-email")
        if token != ("tines-0123456789", "a@example.org"):
            raise refuse("unauthorized", 401)
        if request.method != "GET" or path != "/api/v1/audit_logs":
            raise refuse("not found", 404)
        query = request.query("after", "before", "per_page", "page")
        for name in ("after", "before"):
            if not re.fullmatch(SECONDS, query[name]):
                raise refuse("bad time")
        size = min(whole(query.get("per_page", "20"), 1, 500), self.page_max)
        found = self.window(time_us(query["after"]), time_us(query["before"]))[::-1]
        number = whole(query.get("page", "1"), 1, 10000)
        page, following = cut(found, (number - 1) * size, size)
        pairs = [p for p in request.raw_query.split("&") if not p.startswith("page=")]
        link = "https://acme-7f3a.tines.example%s?%s&page=%d" % (path, "&".join(pairs), number + 1)
        meta = {"next_page": link if following is not None else None, "per_page": size}
        return simlib.answer_json({"audit_logs": self.records(page), "meta": meta})


class Fastly(Vendor):
    name = "fastly"
    source = "token = fastly-0123456789\n"
    unit_us = 1_000_000

    def record(self, n):
        return {"id": self.id(n), "type": "event", "attributes": {"created_at": self.iso(n, 0)}}

    def answer(self, request, path):
        if request.headers.get("fastly-key") != "fastly-0123456789":
            raise simlib.Refuse(401, {"msg": "Provided credentials are missing or invalid"})
        if request.method != "GET" or path != "/events":
            raise refuse("not found", 404)
        bounds = "filter[created_at][gte]", "filter[created_at][lte]"
        query = request.query(*bounds, "sort", "page[number]", "page[size]")
        found = self.window(*(time_us(query[name]) for name in bounds), end_closed=True)
        if query.get("sort") != "created_at":
            found = found[::-1]
        size = whole(query.get("page[size]", "20"), 1, 100)
        at = (whole(query.get("page[number]", "1"), 1, 10000) - 1) * size
        return simlib.answer_json({"data": self.records(found[at : at + size]), "links": {}, "meta": {}})


class SentinelOne(Vendor):
    name = "sentinelone"
    source = "host = acme.sentinelone.example\ntoken = s1-0123456789\n"

    def record(self, n):
        return {"id": str(10**18 + n), "createdAt": self.iso(n, 6), "activityType": 27, "data": {}}

    def answer(self, request, path):
        if request.headers.get("authorization") != "ApiToken s1-0123456789":
            raise simlib.Refuse(401, {"errors": [{"detail": "Authentication Failed", "code": 4010010}]})
        if request.method != "GET" or path != "/web/api/v2.1/activities":
            raise refuse("not found", 404)
        bounds = "createdAt__gte", "createdAt__lt"
        query = request.query(*bounds, "sortBy", "sortOrder", "limit", "cursor")
        for name in bounds:
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", query[name]):
                raise refuse("bad time")
        found = self.window(*(time_us(query[name]) for name in bounds))
        if (query.get("sortBy"), query.get("sortOrder")) != ("createdAt", "asc"):
            found = found[::-1]
        cursor = json.loads(base64.b64decode(query.get("cursor", base64.b64encode(b"{}").decode())))
        if cursor and cursor["from"] != query[bounds[0]]:
            raise refuse("bad cursor")
        size = whole(query.get("limit", "10"), 1, 1000)
        page, following = cut(found, cursor.get("at", 0), size)
        place = None
        if following is not None:
            text = json.dumps({"at": following, "from": query[bounds[0]]})
            place = base64.b64encode(text.encode()).decode()
        return simlib.answer_json(
            {"data": self.records(page), "pagination": {"nextCursor": place, "totalItems": len(found)}}
        )


class ConfluenceCloud(Vendor):
    """Newest first, no ID; the start counts records."""

    name = "confluence-cloud"
    source = "site = acme.atlassian.example\nuser = a@example.org\ntoken = at-0123456789\n"

    def record(self, n):
        return {"author": {"displayName": "u%d" % n}, "creationDate": self.trail.times[n] // 1000, "é": n}

    def answer(self, request, path):
        wanted = "Basic " + base64.b64encode(b"a@example.org:at-0123456789").decode()
        if request.headers.get("authorization") != wanted:
            raise simlib.Refuse(401, {"message": "Unauthorized"})
        if request.method != "GET" or path != "/wiki/rest/api/audit":
            raise refuse("not found", 404)
        query = request.query("startDate", "endDate", "searchString", "start", "limit")
        start, end = (whole(query[name], 0, 1 << 43) * 1000 for name in ("startDate", "endDate"))
        found = self.window(start, end, end_closed=True)[::-1]
        at, size = whole(query.get("start", "0"), 0, 1 << 30), whole(query.get("limit", "1000"), 1, 1000)
        page = found[at : at + min(size, 250)]
        return simlib.answer_json(
            {"results": self.records(page), "start": at, "limit": size, "size": len(page), "_links": {}}
        )


class GraphAlerts(Linked):
    """OData; an alert is a record each time it was updated."""

    name = "graph-alerts"
    source = "tenant = t-1\nclient_id = c1\nclient_secret = s1s1\ntoken_url = {url}/t-1/oauth2/v2.0/token\n"
    form_fields = ("grant_type", "scope", "client_id", "client_secret")
    place = "$skiptoken"

    def record(self, n):
        return {"id": "al%d" % (n % 50), "lastUpdateDateTime": self.iso(n), "status": "new", "n": n}

    def answer(self, request, path):
        if path == "/t-1/oauth2/v2.0/token":
            self.need(self.form(request), self.form_fields)
            return simlib.answer_json({"access_token": self.token(3599), "expires_in": 3599})
        self.check_token(request)
        if request.method != "GET" or path != "/v1.0/security/alerts_v2":
            raise refuse("not found", 404)
        query = request.query("$filter", "$top", "$skiptoken", "$orderby")
        time = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"
        match = re.fullmatch("lastUpdateDateTime ge %s and lastUpdateDateTime lt %s" % (time, time), query["$filter"])
        if not match:
            raise refuse("Invalid filter clause")
        found = self.window(time_us(match[1]), time_us(match[2]))[::-1]
        page, following = cut(found, self.at(query, len(found)), min(whole(query["$top"], 1, 2000), 100))
        answer = {"@odata.context": "x", "value": self.records(page)}
        if following is not None:
            answer["@odata.nextLink"] = self.next(request, following)
        return simlib.answer_json(answer)
