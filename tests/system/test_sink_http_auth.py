#!/usr/bin/python3
"""The http sink proves who it is and reaches its receiver in every way that a source can."""

import unittest

import harness
import nginx
import rsyslog
from harness import wait_until
from http_sink import Http
from proxy import Proxy

import auth_receiver as right
import cloudscale
import huawei_iam

RECORDS = 600
LOGIN_BODY = huawei_iam.password_login({"name": huawei_iam.PROJECT_NAME})
OAUTH2 = {
    "auth.token_url": "%(url)s/oauth/token",
    "auth.client_id": right.CLIENT,
    "auth.client_secret": right.SECRET,
    "auth.scope": right.SCOPE,
}
SIGV4 = {
    "auth.service": "api",
    "auth.region": right.REGION,
    "auth.access_key": right.ACCESS_KEY,
    "auth.secret_key": right.SECRET_KEY,
}
AKSK = {"auth.access_key": huawei_iam.ACCESS_KEY, "auth.secret_key": huawei_iam.SECRET_KEY}
LOGIN = {
    "login.url": "%(url)s" + huawei_iam.TOKEN_PATH,
    "login.header.X-Reason": "audit",
    "login.body": LOGIN_BODY,
    "login.token": "header:X-Subject-Token",
    "login.expires": "/token/expires_at",
}

# the kind, its keys, the key whose value is secret; fetched: a token that can be revoked
KINDS = (
    ("basic", {"auth.user": right.USER, "auth.password": right.PASSWORD}, "auth.password", False),
    ("bearer", {"auth.token": right.BEARER}, "auth.token", False),
    ("header", {"auth.name": right.HEADER, "auth.value": right.VALUE}, "auth.value", False),
    ("sigv4", {"auth.provider": "aws", **SIGV4}, "auth.secret_key", False),
    ("sigv4", {"auth.provider": "osc", **SIGV4}, "auth.secret_key", False),
    ("huawei_aksk", AKSK, "auth.secret_key", False),
    (
        "huawei_aksk",
        {**AKSK, "auth.project_id": huawei_iam.PROJECT_ID, "compression": "gzip"},
        "auth.secret_key",
        False,
    ),
    ("oauth2_client", OAUTH2, "auth.client_secret", True),
    ("oauth2_client", {**OAUTH2, "auth.client_auth": "basic"}, "auth.client_secret", True),
    ("login", LOGIN, "login.body", True),
)


class Ways(Http):
    def setUp(self):
        harness.Case.setUp(self)
        self.cloud = self.cloudscale(RECORDS, "--page-size", "100")
        self.expected = cloudscale.expected_lines(1, 0, RECORDS).decode().splitlines()
        self.receiver = self.simulator(name="auth_receiver")

    def fresh(self):
        """Another state, another receiver."""
        self.doCleanups()
        self.setUp()

    def begin(self, keys, url=None):
        keys = {"batch_records": "50", "batch_age": "100ms", "retry_max": "1s", **keys}
        self.configure(
            self.source(self.cloud.url, more="interval = 200ms"),
            "[sink far]\ntype = http\nurl = %s\n%s"
            % (
                url or self.receiver.url + "/ndjson",
                "".join("%s = %s\n" % pair for pair in keys.items()),
            ),
        )

    def refused(self, *words):
        """Nothing is delivered, nothing is lost, no record is blamed."""
        result = self.once(expect=75)
        for word in words:
            self.assertTrue(result.lines(word), result.err)
        self.assertEqual(self.taken("ndjson"), 0)
        self.assertEqual(self.dead_letters(), [])
        return result

    def delivered(self):
        result = self.once()
        self.assertEqual(self.receiver.stats()["violations"], [])
        self.assert_records(self.once_each("ndjson"))
        return result


class Proofs(Ways):
    def test_each_kind(self):
        for kind, keys, secret, fetched in KINDS:
            with self.subTest(kind=kind, keys=keys):
                self.fresh()
                url = self.receiver.url
                keys = {name: value.replace("%(url)s", url) for name, value in keys.items()}
                keys["auth.type"] = kind
                self.receiver.control(proof=kind)
                if fetched:
                    self.cloud.control(visible=RECORDS // 2)
                wrong = keys[secret].replace("0", "1").replace("s", "z", 1)
                self.begin({**keys, secret: wrong})
                result = self.refused("sink far")
                self.assertNotIn(wrong, result.err)
                self.begin(keys)
                self.run_right(keys[secret], fetched)

    def run_right(self, secret, fetched):
        if fetched:
            # the first token dies between two requests
            daemon = self.daemon()
            wait_until(lambda: self.taken("ndjson") == RECORDS // 2, "the first half")
            self.receiver.control(revoke=True)
            self.cloud.control(visible=RECORDS)
            wait_until(lambda: self.taken("ndjson") == RECORDS, "the second half")
            self.assertEqual(daemon.stop(), 0, daemon.text())
            self.assertNotIn(secret, daemon.text())
        result = self.delivered()
        self.assertNotIn(secret, result.err)
        stats = self.receiver.stats()
        self.assertEqual(stats["proved"], len(self.got("ndjson")))
        if fetched:
            self.assertGreaterEqual(stats["tokens"], 2)

    def test_login_keys(self):
        def faulty(keys, word):
            self.begin({"auth.type": "login", **keys})
            result = self.check(78)
            self.assertIn(word, result.err + result.out.decode())

        url = {"login.url": self.receiver.url, "login.token": "/token"}
        faulty({}, "login.url")
        faulty({"login.url": "nowhere", "login.token": "/a"}, "login.url")
        faulty({"login.url": self.receiver.url}, "login.token")
        faulty({**url, "login.token": "token"}, "JSON Pointer")
        faulty({**url, "login.tokn": "/a"}, "login.tokn")
        faulty({**url, "login.body": '{"a": "b"c"}'}, "not JSON")
        faulty({**url, "login.header.Host": "a"}, "login.header.Host")
        faulty({**url, "auth.type": "basic", "auth.user": "a"}, "auth.type = login")
        faulty({**url, "login.url": "http://iam.example.net/x"}, "https")
        keys = {"auth.type": "oauth2_client", "auth.token_url": "http://iam.example.net/x"}
        faulty({**keys, "auth.client_id": "a", "auth.client_secret": "b"}, "https")
        self.begin({**url, "auth.type": "login", "login.body": '{"a": "b"}'})
        self.check(0)


class Roads(Ways):
    """TLS by nginx in front of the receiver; proxies that count what goes through them."""

    def setUp(self):
        super().setUp()
        self.keys = rsyslog.certificates(self.dir / "keys")

    def server(self, more="", keys=None):
        block = "ssl_certificate %(cert)s; ssl_certificate_key %(key)s;" % (keys or self.keys)
        block += more + "location / { proxy_pass %s; }" % self.receiver.url
        server = nginx.Nginx(self.dir / "nginx", block, True)
        self.addCleanup(server.stop)
        return server.url("/ndjson")

    def proxy(self, **more):
        proxy = Proxy(**more)
        self.addCleanup(proxy.stop)
        return proxy

    @unittest.skipUnless(nginx.is_there(), "nginx is not installed")
    def test_each_tls(self):
        pair = {"client_cert": "%(client_cert)s", "client_key": "%(client_key)s"}
        ca = {"ca_file": "%(ca)s"}
        demand = "ssl_verify_client on; ssl_client_certificate %(ca)s;"
        rows = (
            # the server's name, what it demands, the sink's keys, the word of the refusal
            ("DNS:localhost", "", ca, None),
            ("DNS:localhost", "", {}, "certificate"),
            ("DNS:elsewhere.example.net", "", ca, "subject name"),
            ("IP:127.0.0.1", "", ca, "subject name"),
            ("DNS:localhost", demand, {**ca, **pair}, None),
            ("DNS:localhost", demand, ca, "certificate"),
        )
        for hosts, more, keys, word in rows:
            with self.subTest(hosts=hosts, more=more, keys=keys):
                self.fresh()
                self.keys = rsyslog.certificates(self.dir / "keys", hosts=hosts)
                url = self.server(more % self.keys if more else "")
                self.begin({name: value % self.keys for name, value in keys.items()}, url)
                if word:
                    self.refused(word)
                else:
                    self.delivered()

    def test_proxy(self):
        """Plain requests go to the proxy whole; no request goes past it."""
        proxy = self.proxy(user="me", password="pr0xy-s3cret")
        self.begin({"proxy": proxy.url()})
        self.delivered()
        requests = len(self.got("ndjson"))
        self.assertEqual(proxy.log, ["POST " + self.receiver.url + "/ndjson"] * requests)

    def test_proxy_refuses(self):
        proxy = self.proxy(user="me", password="pr0xy-s3cret")
        self.begin({"proxy": proxy.url(password="wr0ng-s3cret")})
        result = self.refused("407")
        self.assertNotIn("wr0ng-s3cret", result.err)
        proxy.stop()
        self.begin({"proxy": proxy.url()})
        self.refused("sink far")

    @unittest.skipUnless(nginx.is_there(), "nginx is not installed")
    def test_proxy_tls(self):
        """TLS goes through the proxy; it is the receiver's certificate that counts."""
        proxy = self.proxy(user="me", password="pr0xy-s3cret")
        url = self.server()
        self.begin({"proxy": proxy.url()}, url)
        self.refused("certificate")
        self.begin({"proxy": proxy.url(), "ca_file": self.keys["ca"]}, url)
        self.delivered()
        self.assertEqual(set(proxy.log), {"CONNECT " + url.split("/")[2]})


if __name__ == "__main__":
    harness.main()
