"""What the Huawei simulators share: IAM tokens and SDK-HMAC-SHA256 signatures, checked strictly.

Written from the facts on IAM and on request signing, independently of the daemon. An Iam object is
one account: its user, its access key, its project. A simulator routes TOKEN_PATH to
Iam.issue(request) and calls Iam.check(request) for everything else; both raise simlib.Refuse with
the error bodies of IAM and of the API gateway.

Members a simulator may set from its control(): lifetime (seconds of a token), revoked (all tokens
given out so far are dead), gateway ("APIGW", or "APIG" on private sites), forms (of login that are
accepted). Counted in n_tokens and n_bad_signatures.
"""

import calendar
import hashlib
import hmac
import json
import re
import time
import urllib.parse

import simlib

TOKEN_PATH = "/v3/auth/tokens"
SKEW_S = 15 * 60
LOCK_AFTER = 5
LOCK_S = 5 * 60

USER = "audit-reader"
PASSWORD = 'p@ss"w0rd\\ with+all/of:it'
DOMAIN = "example-account"
PROJECT_ID = "054e292c9880d4992f02c0196d3ea468"
PROJECT_NAME = "cn-north-4"
ACCESS_KEY = "HUAWEIACCESSKEY00001"
AGENCY = "audit-agency"
AGENCY_DOMAIN = "delegating-account"
SECRET_KEY = "huaweiSecretKey/with+signs0000000000001x"


def password_login(project):
    """The body of a token request: the user's password, for PROJECT ({"id": ...})."""
    user = {"name": USER, "password": PASSWORD, "domain": {"name": DOMAIN}}
    identity = {"methods": ["password"], "password": {"user": user}}
    return json.dumps({"auth": {"identity": identity, "scope": {"project": project}}})


def quote(text):
    return urllib.parse.quote(text, safe="-_.~")


def canonical_request(method, target, headers, signed, body):
    """The six parts of a canonical request, from what came over the wire."""
    path, _, query = target.partition("?")
    path = "/".join(quote(urllib.parse.unquote(part)) for part in path.split("/"))
    if not path.endswith("/"):
        path += "/"
    pairs = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        pairs.append((urllib.parse.unquote_plus(name), urllib.parse.unquote_plus(value)))
    query = "&".join("%s=%s" % (quote(k), quote(v)) for k, v in sorted(pairs))
    lines = "".join("%s:%s\n" % (name, headers[name].strip()) for name in signed)
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join((method, path, query, lines, ";".join(signed), digest))


def signature(secret_key, date, canonical):
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "SDK-HMAC-SHA256\n%s\n%s" % (date, hashed)
    return hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()


class Iam:
    def __init__(self, simulator, gateway="APIGW"):
        self.simulator = simulator
        self.gateway = gateway
        self.lifetime = 24 * 3600
        self.forms = ("password", "hw_ak_sk", "assume_role")
        self.tokens = {}  # token -> end of its life
        self.account_tokens = {}  # without a project: good for taking on an agency only
        self.n_agency_tokens = 0
        self.n_tokens = 0
        self.n_bad_signatures = 0
        self.failures = 0  # bad signatures in a row
        self.locked_until = 0

    def revoke(self):
        self.tokens.clear()
        self.account_tokens.clear()

    def refuse(self, status, code, text):
        payload = {
            "error_code": "%s.%s" % (self.gateway, code),
            "error_msg": text,
            "request_id": "%032x" % simlib.mix(7, self.simulator.n_requests),
        }
        return simlib.Refuse(status, payload, {"X-Request-Id": payload["request_id"]})

    # tokens

    def issue(self, request):
        """The answer to POST /v3/auth/tokens."""
        if request.method != "POST":
            raise simlib.Refuse(405, {"error_code": "IAM.0004", "error_msg": "Method not allowed"})
        query = request.query("nocatalog")
        if "json" not in request.headers.get("content-type", ""):
            raise self.keystone(400, "The request body is invalid")
        auth = request.json().get("auth")
        if not isinstance(auth, dict):
            raise self.keystone(400, "The request body is invalid")
        scope = auth.get("scope", {})
        self.identify(request, auth.get("identity", {}))
        self.n_tokens += 1
        token = "MII" + "".join(
            "%016x" % simlib.mix(self.n_tokens, n) for n in range(150)
        )
        now = self.simulator.now()
        project = scope.get("project", {})
        right = project.get("id") == PROJECT_ID or project.get("name") == PROJECT_NAME
        if project and not right:
            raise self.keystone(401, "The project is not one of the user's.")
        if right:
            self.tokens[token] = now + self.lifetime
        elif scope.get("domain") == {"name": DOMAIN}:
            self.account_tokens[token] = now + self.lifetime
        body = {
            "expires_at": simlib.iso(int((now + self.lifetime) * 1e6)),
            "issued_at": simlib.iso(int(now * 1e6)),
            "methods": auth["identity"]["methods"],
            "user": {"name": USER, "domain": {"name": DOMAIN}, "password_expires_at": ""},
        }
        if project:
            body["project"] = {"id": PROJECT_ID, "name": PROJECT_NAME}
        if not query.get("nocatalog"):
            body["catalog"] = [{"id": "%064d" % n, "endpoints": ["x" * 200]} for n in range(200)]
        return simlib.answer_json({"token": body}, 201, {"X-Subject-Token": token})

    def keystone(self, status, message):
        title = {400: "Bad Request", 401: "Unauthorized"}[status]
        return simlib.Refuse(
            status, {"error": {"code": status, "message": message, "title": title}}
        )

    def identify(self, request, identity):
        """Raises unless IDENTITY is the account's user or key, or an agency that the caller may
        take on."""
        methods = identity.get("methods")
        if methods == ["password"] and "password" in self.forms:
            user = identity.get("password", {}).get("user", {})
            wanted = {"name": USER, "password": PASSWORD, "domain": {"name": DOMAIN}}
            if user != wanted:
                raise self.keystone(401, "The username or password is wrong.")
        elif methods == ["hw_ak_sk"] and "hw_ak_sk" in self.forms:
            keys = identity.get("hw_ak_sk", {})
            wanted = {"access": {"key": ACCESS_KEY}, "secret": {"key": SECRET_KEY}}
            if keys != wanted:
                raise self.keystone(401, "The access key is wrong.")
        elif methods == ["assume_role"] and "assume_role" in self.forms:
            self.check_caller(request)
            role = identity.get("assume_role", {})
            if role != {"agency_name": AGENCY, "domain_name": AGENCY_DOMAIN}:
                raise self.keystone(401, "The agency is not one that the caller may use.")
            self.n_agency_tokens += 1
        else:
            raise self.keystone(400, "The request body is invalid")

    def check_caller(self, request):
        """Who takes on an agency is known by the account's token or signature, not a project's."""
        if "x-project-id" in request.headers:
            raise self.refuse(401, "0301", "Incorrect IAM authentication information: project")
        if "x-auth-token" in request.headers:
            self.check_token(request.headers["x-auth-token"], self.account_tokens)
        else:
            self.check(request)

    # every other request

    def check(self, request):
        """Raises unless REQUEST carries a living token or a right signature."""
        authorization = request.headers.get("authorization")
        token = request.headers.get("x-auth-token")
        if authorization and token:
            raise self.refuse(401, "0301", "Incorrect IAM authentication information: two ways")
        if token:
            self.check_token(token, self.tokens)
        elif authorization:
            self.check_signature(request, authorization)
        else:
            raise self.refuse(
                401, "0301", "Incorrect IAM authentication information: x-auth-token not found"
            )

    def check_token(self, token, tokens):
        if token not in tokens:
            raise self.refuse(401, "0307", "The token must be updated.")
        if tokens[token] <= self.simulator.now():
            raise self.refuse(
                401, "0301", "Incorrect IAM authentication information: token expires"
            )

    def check_signature(self, request, authorization):
        now = self.simulator.now()
        if now < self.locked_until:
            raise self.refuse(401, "0301", "Incorrect IAM authentication information: AK locked")
        fault = self.signature_fault(request, authorization, now)
        if not fault:
            self.failures = 0
            return
        self.n_bad_signatures += 1
        self.failures += 1
        if self.failures >= LOCK_AFTER:
            self.failures = 0
            self.locked_until = now + LOCK_S
        raise self.refuse(401, "0301", "Incorrect IAM authentication information: " + fault)

    def signature_fault(self, request, authorization, now):
        """What is wrong, or None."""
        match = re.fullmatch(
            r"SDK-HMAC-SHA256 Access=(\S+), SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
            authorization,
        )
        date = request.headers.get("x-sdk-date", "")
        if not match or not re.fullmatch(r"\d{8}T\d{6}Z", date):
            return "the signature cannot be read"
        access_key, names, given = match.groups()
        signed = names.split(";")
        if signed != sorted(signed) or "x-sdk-date" not in signed:
            return "signed headers"
        if any(name not in request.headers for name in signed):
            return "a signed header is missing"
        if request.headers.get("x-project-id", PROJECT_ID) != PROJECT_ID:
            return "X-Project-Id is not the key's"
        if "x-project-id" in request.headers and "x-project-id" not in signed:
            return "X-Project-Id is not signed"
        at = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
        if abs(now - at) > SKEW_S:
            return "signature expired, signature time:%s,server time:%d" % (date, now)
        if access_key != ACCESS_KEY:
            return "ak %s not exist" % access_key
        canonical = canonical_request(
            request.method, request.target, request.headers, signed, request.body
        )
        if not hmac.compare_digest(signature(SECRET_KEY, date, canonical), given):
            return "verify aksk signature fail"
        return None


def self_test():
    """Vectors 3 and 4 of the facts on signing."""
    headers = {
        "content-type": "application/json",
        "host": "service.region.example.com",
        "x-sdk-date": "20191115T033655Z",
    }
    target = (
        "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs"
        "?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0"
    )
    text = canonical_request("GET", target, headers, sorted(headers), b"")
    found = signature("MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc", "20191115T033655Z", text)
    assert found == "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe", found
    headers = {
        "host": "gaussdb.cn-north-4.myhuaweicloud.com",
        "x-project-id": PROJECT_ID,
        "x-sdk-date": "20180916T024500Z",
    }
    target = (
        "/v3/%s/instances/3d39c18788b54a919bab633874c159dfin07/audit-logs"
        "?start_time=2018-09-15T06%%3A25%%3A43%%2B0800&limit=10&offset=0"
        "&end_time=2018-09-16T10%%3A40%%3A15%%2B0800" % PROJECT_ID
    )
    text = canonical_request("GET", target, headers, sorted(headers), b"")
    found = signature("SecretKey", "20180916T024500Z", text)
    assert found == "e3fcc42bd02faef2d8a613505185a8f3a6f6b0a2ef726b2f7502d579f89b407f", found


if __name__ == "__main__":
    self_test()
    print(json.dumps({"vectors": "right"}))
