#!/usr/bin/python3
"""http_receiver.py's /ndjson for those who prove who they are; signatures are computed anew.

  POST /oauth/token       OAuth 2.0 client credentials (RFC 6749), the client in the form or as basic
  POST /v3/auth/tokens    IAM login by name and password, as huawei_iam.py
POST /_sim/control, beside http_receiver.py's: "proof": the kind that is accepted: none basic bearer
header sigv4 huawei_aksk oauth2_client login; "revoke": true, all tokens given out so far are dead.
Stats: "refused", "tokens" (given out), "proved" (requests that carried the proof).
"""

import base64
import hmac
import urllib.parse

import http_receiver
import huawei_iam
import sigv4
import simlib
from simlib import Refuse, answer_json

USER, PASSWORD = "log-shipper", "pa:ss/w0rd+0123456789"
BEARER = "b3arer-0123456789"
HEADER, VALUE = "X-Api-Key", "k3y-0123456789"
ACCESS_KEY, SECRET_KEY, REGION = "SIGV4ACCESSKEY000001", "sigv4SecretKey/0123456789+abcdef", "r1"
CLIENT, SECRET, SCOPE = "client:1", "cl1ent/secret+0123456789", "audit.write"


def basic(user, password):
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()


class Receiver(http_receiver.Receiver):
    def start(self, options):
        super().start(options)
        self.iam = huawei_iam.Iam(self)
        self.proof = "none"
        self.tokens = []
        self.revoked = 0
        self.n_proved = 0
        self.n_refused = 0

    def control(self, settings):
        super().control(settings)
        self.proof = settings.pop("proof", self.proof)
        if settings.pop("revoke", False):
            self.revoked = len(self.tokens)
            self.iam.revoke()

    def stats(self):
        return {
            **super().stats(),
            "refused": self.n_refused,
            "tokens": len(self.tokens) + self.iam.n_tokens,
            "proved": self.n_proved,
        }

    def authorized(self, request, name):
        try:
            right = getattr(self, "by_" + self.proof)(request)
        except Refuse:
            right = False
        self.n_proved += right
        self.n_refused += not right
        return right

    def has(self, request, value, header="authorization"):
        return hmac.compare_digest(request.headers.get(header, "").encode(), value.encode())

    def by_none(self, request):
        return "authorization" not in request.headers

    def by_basic(self, request):
        return self.has(request, basic(USER, PASSWORD))

    def by_bearer(self, request):
        return self.has(request, "Bearer " + BEARER)

    def by_header(self, request):
        return self.has(request, VALUE, HEADER.lower())

    def by_sigv4(self, request):
        return not sigv4.check(request, self.now(), ACCESS_KEY, SECRET_KEY, REGION, 300)[1]

    def by_huawei_aksk(self, request):
        self.iam.check(request)
        return "x-auth-token" not in request.headers

    def by_oauth2_client(self, request):
        return request.bearer() in self.tokens[self.revoked :]

    def by_login(self, request):
        self.iam.check(request)
        return "x-auth-token" in request.headers

    def answer(self, request):
        if request.path == huawei_iam.TOKEN_PATH:
            return self.iam.issue(request)
        if request.path == "/oauth/token":
            return self.oauth(request)
        return super().answer(request)

    def oauth(self, request):
        """Section 4.4; the client is known by section 2.3.1, in one of its two ways."""
        form = dict(urllib.parse.parse_qsl(request.body.decode(), strict_parsing=True))
        quoted = [urllib.parse.quote(text, safe="") for text in (CLIENT, SECRET)]
        in_form = (form.pop("client_id", None), form.pop("client_secret", None))
        in_header = request.headers.get("authorization")
        right = in_form == (CLIENT, SECRET) and not in_header
        right = right or (in_form == (None, None) and in_header == basic(*quoted))
        if request.headers.get("content-type") != "application/x-www-form-urlencoded" or form != {
            "grant_type": "client_credentials",
            "scope": SCOPE,
        }:
            self.violation(request, 400, "the form of a token request", {"error": "invalid_request"})
        if not right:
            raise Refuse(401, {"error": "invalid_client"})
        self.tokens.append("t0ken-%d-%016x" % (len(self.tokens), simlib.mix(9, len(self.tokens))))
        payload = {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 3600}
        return answer_json(payload)


if __name__ == "__main__":
    sigv4.self_test()
    huawei_iam.self_test()
    simlib.main(Receiver)
