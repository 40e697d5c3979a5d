"""AWS4-HMAC-SHA256 and OSC4-HMAC-SHA256 signatures, computed from what came over the wire.

Written from the rules that the vendors publish, independently of trawld's own code.
"""

import calendar
import hashlib
import hmac
import re
import time


class Scheme:
    def __init__(self, algorithm, date_header, prefix, end):
        self.algorithm = algorithm
        self.date_header = date_header
        self.prefix = prefix
        self.end = end


SCHEMES = {
    "OSC4-HMAC-SHA256": Scheme("OSC4-HMAC-SHA256", "x-osc-date", "OSC4", "osc4_request"),
    "AWS4-HMAC-SHA256": Scheme("AWS4-HMAC-SHA256", "x-amz-date", "AWS4", "aws4_request"),
}


def canonical_request(method, target, headers, signed, body):
    path, _, query = target.partition("?")
    lines = "".join("%s:%s\n" % (n, re.sub(" +", " ", headers[n].strip())) for n in signed)
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join((method, path, query, lines, ";".join(signed), digest))


def signature(scheme, secret_key, date, region, canonical):
    key = (scheme.prefix + secret_key).encode()
    scope = (date[:8], region, "api", scheme.end)
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((scheme.algorithm, date, "/".join(scope), hashed))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def check(request, now, access_key, secret_key, region, skew):
    """(algorithm, what is wrong or None) of a request; SKEW: seconds that its date may be away."""
    match = re.fullmatch(
        r"(\S+) Credential=([^/ ]+)/(\d{8})/([^/ ]+)/([^/ ]+)/([^/ ,]+), ?"
        r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})",
        request.headers.get("authorization", ""),
    )
    scheme = SCHEMES.get(match[1]) if match else None
    if not scheme:
        return None, "the Authorization header cannot be read"
    return scheme.algorithm, _fault(
        request, now, access_key, secret_key, region, skew, scheme, match.groups()[1:]
    )


def _fault(request, now, access_key, secret_key, wanted_region, skew, scheme, parts):
    given_key, day, region, service, end, names, given = parts
    date = request.headers.get(scheme.date_header, "")
    if not re.fullmatch(r"\d{8}T\d{6}Z", date) or date[:8] != day:
        return "the date"
    if (region, service, end) != (wanted_region, "api", scheme.end):
        return "the credential's scope"
    signed = names.split(";")
    if signed != sorted(set(signed)) or not {"host", scheme.date_header} <= set(signed):
        return "the signed headers"
    if any(name not in request.headers for name in signed):
        return "a signed header is missing"
    if not request.headers["host"]:
        return "Host"
    if abs(now - calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))) > skew:
        return "the request's date is too far away"
    if given_key != access_key:
        return "the access key"
    canonical = canonical_request(
        request.method, request.target, request.headers, signed, request.body
    )
    if not hmac.compare_digest(signature(scheme, secret_key, date, region, canonical), given):
        return "the signature"
    return None


def self_test():
    """The vector of the facts, computed there from the rules of the vendor's SDK."""
    secret_key = "abcdefghijABCDEFGHIJ0123456789abcdefghij"
    scheme = SCHEMES["OSC4-HMAC-SHA256"]
    headers = {
        "content-type": "application/json",
        "host": "api.eu-west-2.outscale.com",
        "x-osc-date": "20260115T093000Z",
    }
    body = (
        b'{"Filters":{"QueryDateAfter":"2026-01-15T09:00:00.000000Z",'
        b'"QueryDateBefore":"2026-01-15T09:25:00.000000Z"},"ResultsPerPage":1000}'
    )
    text = canonical_request("POST", "/api/v1/ReadApiLogs", headers, sorted(headers), body)
    hashed = hashlib.sha256(text.encode()).hexdigest()
    assert hashed == "5b8abe93b679d113530b5ff7917af7d6f748c87ba9817a9e674b99f32a61e37a", hashed
    found = signature(scheme, secret_key, "20260115T093000Z", "eu-west-2", text)
    assert found == "ee6107344c8b73e8c7e516f340984fe5126430f34182652b720996c5a379e576", found
