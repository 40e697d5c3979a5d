#!/usr/bin/python3
"""huawei-hcso: windows of one page, a token and two AppCodes, and all that the site may do."""

import collections
import json
import os
import random
import subprocess
import time

import harness
import huawei
from harness import wait_until

import huawei_hcso
import huawei_iam

HOUR_MS = 3600 * 1000
# order, bounds, compared time, offsets, zone, seed (odd: operations take no time)
MODES = (
    ("desc", "[]", "start", "record0", "UTC", 2),
    ("asc", "[)", "end", "page1", "+08:00", 4),
    ("id", "()", "start", "record1", "+05:45", 6),
    ("unstable", "()", "contained", "page0", "UTC", 7),
)


class Hcso(huawei.Case):
    secrets = (*huawei.Case.secrets, huawei_hcso.APPCODE)

    def hcso(self, count, *arguments, seed=1, first, last, zone="UTC", **settings):
        """A simulator whose items stand between the seconds FIRST and LAST."""
        self.trail = huawei_hcso.make_trail(seed, count, first, last)
        self.seed, self.zone = seed, zone
        return self.simulator(
            "--seed=%d" % seed,
            "--count=%d" % count,
            "--first=%d" % first,
            "--last=%d" % last,
            "--zone=%s" % zone,
            "--control",
            json.dumps(settings),
            *arguments,
            name="huawei_hcso",
        )

    def expected(self, log_type=None):
        """The items as lines, oldest first."""
        lines = [
            huawei_hcso.item_line(self.seed, n, self.trail.times[n], self.zone)
            for n in self.trail.order
            if log_type is None or huawei_hcso.item_type(self.seed, n) == log_type
        ]
        return lines

    def hcso_source(self, url, name="site", more="", **changed):
        keys = {
            "provider": "huawei-hcso",
            "endpoint": url,
            "appcode": huawei_hcso.APPCODE,
            "domain_id": huawei_hcso.DOMAIN_ID,
            "iam_endpoint": url,
            "iam_user": huawei_iam.USER,
            "iam_password": huawei_iam.PASSWORD,
            "iam_domain": huawei_iam.DOMAIN,
            "project_id": huawei_iam.PROJECT_ID,
            **changed,
        }
        return self.source_text(name, keys, more)

    def assert_covered(self, spans, first_ms, last_ms, most_ms):
        """SPANS reach from FIRST to LAST without a hole, none is longer than MOST."""
        reached = first_ms
        for begin, end in sorted(spans):
            self.assertLessEqual(end - begin, most_ms)
            self.assertLessEqual(begin, reached)
            reached = max(reached, end)
        self.assertGreaterEqual(reached, last_ms)


class Disturbed(Hcso):
    """20,000 items, every disturbance at once, killed four times."""

    def disturb(self, simulator):
        on = {"path": huawei_hcso.PATH}
        simulator.control(
            fault_seed=self.seed,
            faults=[
                {**on, "kind": "cut", "bytes": 3000, "probability": 0.03},
                {**on, "kind": "reset", "bytes": 50, "probability": 0.02},
                {**on, "kind": "truncate", "bytes": 900, "probability": 0.02},
                {**on, "kind": "status", "status": 503, "probability": 0.03},
                {**on, "kind": "status", "status": 429, "probability": 0.03},
                {**on, "kind": "html", "probability": 0.02},
                {**on, "kind": "slow", "chunk": 9000, "seconds": 0.001, "probability": 0.05},
            ],
            page_cap=400,
            total_moves=7,
            repeat_every=5,
            clock_step=5,
            lifetime=400,
        )

    def run_mode(self, order, bounds, compare, meaning, zone, seed):
        now = int(time.time())
        last = now - 90 * 60
        simulator = self.hcso(
            20_000, seed=seed, first=last - 2 * 86400, last=last, zone=zone,
            order=order, bounds=bounds, compare=compare, offset_meaning=meaning,
            clock_offset=-3 * 3600,
        )
        dice = random.Random(int(os.environ.get("TRAWLD_TEST_SEED", "7")) + seed)
        source = self.hcso_source(
            simulator.url, log_type="",
            more="time_zone = %s\nstart = earliest\ninterval = 5ms\nretry_max = 20ms\n"
            "rate = off\nresume.span_max = 3h\nresume.retention = 3d" % zone,
        )
        self.configure(source, self.file_sink())
        self.disturb(simulator)
        for _ in range(4):
            daemon = self.daemon()
            goal = simulator.stats()["requests"] + dice.randrange(30, 150)
            wait_until(
                lambda: simulator.stats()["requests"] >= goal or daemon.process.poll() is not None,
                "%d requests" % goal,
            )
            self.assertIsNone(daemon.process.poll(), daemon.text())
            daemon.kill()
            self.assert_no_secret(daemon.text())
            if dice.random() < 0.5:
                simulator.control(revoke=True)
        simulator.faults()
        for offset in (-7200, -5400, -3600, -1800):
            simulator.control(clock_offset=offset, clock_step=1)
            result = self.once()
            self.assertEqual(result.lines("gap:"), [])
        self.assert_same(self.expected())
        stats = simulator.stats()
        self.assertGreater(stats["capped"], 50)
        self.assertGreater(stats["faults"], 10)
        self.assertGreater(stats["tokens"], 4)
        print("%s: %d requests, %d faults" % (order, stats["requests"], stats["faults"]))

    def test_desc(self):
        self.run_mode(*MODES[0])

    def test_asc(self):
        self.run_mode(*MODES[1])

    def test_id(self):
        self.run_mode(*MODES[2])

    def test_unstable(self):
        self.run_mode(*MODES[3])


class Windows(Hcso):
    def test_backfill(self):
        """32 days: every piece is asked, none is longer than 6 h; both logs, each once, in order."""
        now = int(time.time())
        first, last = now - 32 * 86400 + 60, now - 3600
        simulator = self.hcso(4000, first=first, last=last)
        for log_type in "01":
            before = len(simulator.stats()["spans"])
            self.out.unlink(missing_ok=True)
            self.configure(
                self.hcso_source(
                    simulator.url, name="log" + log_type, log_type=log_type,
                    more="start = -32d\nrate = off",
                ),
                self.file_sink(),
            )
            self.once()
            self.assert_same(self.expected(log_type))
            times = [json.loads(line)["start_time"] for line in self.lines()]
            self.assertEqual(times, sorted(times))
            spans = simulator.stats()["spans"][before:]
            self.assert_covered(
                spans, first * 1000, (now - 125) * 1000, 6 * HOUR_MS + 1001
            )
            # the crowded hour has more than a page, nothing else is asked twice
            self.assertLess(len(spans), 32 * 4 + 10)

    def test_crowded_second(self):
        """1500 items in one second: the API gives 1000 of them; the rest is told as a gap."""
        now = int(time.time())
        crowd = now - 20_000
        for bounds in ("[]", "()"):
            simulator = self.hcso(
                3000, "--crowd=%d:0:1500" % crowd, first=now - 86400, last=now - 3600,
                bounds=bounds,
            )
            huawei_hcso.crowd(self.trail, crowd, 0, 1500)
            self.out.unlink(missing_ok=True)
            self.state = self.dir / ("state" + bounds[1:])
            self.configure(
                self.hcso_source(
                    simulator.url, log_type="", more="start = -25h\nrate = off"
                ),
                self.file_sink(),
            )
            result = self.trawld("-c", str(self.conf), "--once")
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(crowd))
            gaps = result.lines("gap:")
            self.assertTrue(any(stamp in line for line in gaps), result.err)
            self.assertLessEqual(len(gaps), 2)
            lines = collections.Counter(self.lines())
            self.assertEqual(max(lines.values()), 1)
            text = huawei_hcso.clock_text(crowd, "UTC").encode()
            inside = [line for line in lines if b'"%s"' % text in line]
            self.assertGreaterEqual(len(inside), 1000)
            missing = set(self.expected()) - set(lines)
            self.assertEqual(len(missing), 1500 - len(inside))
            self.assertTrue(all(b'"%s"' % text in line for line in missing))

    def test_offset_counted_from_one(self):
        """Where offset 0 is refused the source may say 1: the first page is all that is asked."""
        now = int(time.time())
        simulator = self.hcso(
            300, first=now - 7200, last=now - 3600, offset_meaning="page1", offset_zero=False
        )
        source = self.hcso_source(simulator.url, log_type="", more="start = -3h")
        self.configure(source, self.file_sink())
        self.assertTrue(self.once(expect=75).lines("offset_value"))
        self.assertEqual(self.lines(), [])
        self.configure(source + "request.query.offset_value = 1\n", self.file_sink())
        self.once()
        self.assert_same(self.expected())

    def test_rate(self):
        """Never more than 30 requests a minute, unless told."""
        now = int(time.time())
        simulator = self.hcso(10, first=now - 20 * 86400, last=now - 3600, throttle=60)
        self.configure(
            self.hcso_source(simulator.url, more="start = -20d"), self.file_sink()
        )
        daemon = self.daemon()
        wait_until(lambda: len(simulator.stats()["spans"]) >= 30, "30 requests")
        time.sleep(1)  # without a limit all 80 would be there long before
        self.assertEqual(len(simulator.stats()["spans"]), 30)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(simulator.stats()["throttled"], 0)

    def test_throttled(self):
        """Another client uses the site's budget up: waited for, nothing is lost."""
        now = int(time.time())
        simulator = self.hcso(
            500, first=now - 86400, last=now - 3600, throttle=3, clock_step=15
        )
        self.configure(
            self.hcso_source(
                simulator.url, log_type="",
                more="start = -25h\nrate = off\nresume.span_max = 1h\nretry_max = 20ms\n"
                "interval = 20ms",
            ),
            self.file_sink(),
        )
        daemon = self.daemon()
        self.wait_size(self.out, sum(len(line) + 1 for line in self.expected()))
        daemon.wait_log("Throttled")
        self.assertEqual(daemon.stop(), 0)
        self.assert_same(self.expected())
        self.assertGreater(simulator.stats()["throttled"], 2)


class Refusals(Hcso):
    def refused(self, simulator, words, expect=75, requests=1, **changed):
        """One run that ends with WORDS after so many requests, nothing moved."""
        simulator.control(reset_numbers=True)
        self.configure(
            self.hcso_source(simulator.url, more="start = -2h", **changed), self.file_sink()
        )
        result = self.once(expect=expect)
        self.assertTrue(result.lines(words), result.err)
        self.assertEqual(simulator.stats()["requests"], requests, result.err)
        for value in changed.values():
            if value and len(value) > 12:
                self.assertNotIn(value, result.err)
        self.assertEqual(self.lines(), [])

    def test_strict(self):
        now = int(time.time())
        simulator = self.hcso(100, first=now - 5000, last=now - 3600)
        self.refused(simulator, "HTTP 401", iam_password="not the right password")
        self.refused(simulator, "HTTP 401", project_id="0" * 32)
        # a fresh token is tried once
        self.refused(simulator, "bad AppCode", requests=4, appcode="wrongwrongwrong1")
        self.refused(simulator, "bad AppCode", requests=4, hcso_appcode="wrongwrongwrong2")
        self.refused(simulator, "not allowed", requests=4, domain_id="0" * 32)
        self.refused(simulator, "not allowed", requests=4, domain_id=None)
        self.refused(simulator, "log_type is invalid", requests=2, log_type="2")
        simulator.control(domain="optional")
        self.configure(
            self.hcso_source(simulator.url, domain_id=None, more="start = -2h"), self.file_sink()
        )
        self.once()
        self.assert_same(self.expected("0"))

    def test_agency(self):
        """The tenant is another account's, which lends an agency."""
        now = int(time.time())
        simulator = self.hcso(100, first=now - 5000, last=now - 3600)
        self.configure(
            self.hcso_source(
                simulator.url, log_type="", agency_name=huawei_iam.AGENCY,
                agency_domain=huawei_iam.AGENCY_DOMAIN, more="start = -2h",
            ),
            self.file_sink(),
        )
        self.once()
        self.assert_same(self.expected())
        self.assertEqual(simulator.stats()["agency_tokens"], 1)
        self.assertEqual(simulator.stats()["tokens"], 2)

    def test_wrong_password_does_not_lock(self):
        """One login; the next one waits for a minute at least."""
        now = int(time.time())
        simulator = self.hcso(100, first=now - 5000, last=now - 3600)
        self.configure(
            self.hcso_source(
                simulator.url, iam_password="not the right password",
                more="interval = 10ms\nretry_max = 10ms",
            ),
            self.file_sink(),
        )
        daemon = self.daemon()
        line = daemon.wait_log("HTTP 401")
        self.assertIn("retrying in 5m", line)
        daemon.kill()
        self.assertEqual(simulator.stats()["requests"], 1)
        self.assertNotIn("not the right password", daemon.text())

    def test_other_answers(self):
        """A page of a proxy, a redirect, half a body: nothing moves, the next run has it all."""
        now = int(time.time())
        simulator = self.hcso(100, first=now - 5000, last=now - 3600)
        other = self.simulator(name="huawei_hcso")
        on = {"path": huawei_hcso.PATH}
        for fault, words in (
            ({"kind": "html"}, "the response is rejected"),
            (
                {"kind": "status", "status": 302, "headers": {"Location": other.url + "/login"}},
                "redirected to",
            ),
            ({"kind": "truncate", "bytes": 2000}, "the response is rejected"),
            ({"kind": "body", "json": {"total": 3}}, "the response is rejected"),
            ({"kind": "body", "json": {"total": 3, "list": [7]}}, "the response is rejected"),
        ):
            simulator.faults({**on, **fault})
            # a token, and the list: once more after each failure that may pass, three times
            self.refused(simulator, words, requests=2 if fault["kind"] == "status" else 5)
        self.assertEqual(other.stats()["requests"], 0)
        simulator.faults()
        self.configure(
            self.hcso_source(simulator.url, log_type="", more="start = -2h"), self.file_sink()
        )
        self.once()
        self.assert_same(self.expected())

    def test_configuration(self):
        for changed, words in (
            ({"endpoint": None}, "needs `endpoint`"),
            ({"iam_endpoint": None}, "needs `iam_endpoint`"),
            ({"appcode": None}, "needs `appcode`"),
            ({"iam_endpoint": "http://iam.example"}, "login at http://iam.example:80 is not https"),
            ({"endpoint": "http://esm.example"}, "not https"),
            ({"time_zone": "Mars/Olympus"}, "no such format or zone"),
        ):
            self.configure(
                self.hcso_source("https://127.0.0.1:1", **changed), self.file_sink()
            )
            self.assertIn(words, self.check(78).err)
        self.configure(self.hcso_source("https://127.0.0.1:1"), self.file_sink())
        self.check(0)


class Tls(Hcso):
    def make_certificate(self, name, subject):
        """A certificate for SUBJECT that is its own authority; (certificate, key)."""
        certificate, key = self.dir / (name + ".pem"), self.dir / (name + ".key")
        subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=site",
                "-addext", "subjectAltName=" + subject, "-keyout", key, "-out", certificate,
            ],
            check=True,
            capture_output=True,
        )
        return certificate, key

    def test_private_authority(self):
        now = int(time.time())
        for subject, trusted, works in (
            ("IP:127.0.0.1", True, True),
            ("IP:127.0.0.1", False, False),
            ("DNS:esm.example", True, False),
        ):
            certificate, key = self.make_certificate("site", subject)
            simulator = self.hcso_tls(certificate, key, now)
            more = "start = -2h\nretry_max = 10ms\n"
            if trusted:
                more += "ca_file = %s\n" % certificate
            self.configure(
                self.hcso_source(simulator.url, log_type="", more=more), self.file_sink()
            )
            result = self.once(expect=0 if works else 75)
            if works:
                self.assert_same(self.expected())
                self.out.unlink()
            else:
                self.assertTrue(result.lines("certificate"), result.err)
                self.assertEqual(self.lines(), [])

    def hcso_tls(self, certificate, key, now):
        arguments = ("--tls-cert=%s" % certificate, "--tls-key=%s" % key)
        return self.hcso(50, *arguments, first=now - 5000, last=now - 3600)


if __name__ == "__main__":
    harness.main()
