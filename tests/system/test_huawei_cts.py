#!/usr/bin/python3
"""huawei-cts and otc-cts: windows of an hour, markers that end in many ways, two ways to log in."""

import json
import os
import random
import time

import harness
import huawei
from harness import wait_until

import huawei_cts
import huawei_iam

HOUR_MS = 3600 * 1000
KEY = {"access_key": huawei_iam.ACCESS_KEY, "secret_key": huawei_iam.SECRET_KEY}
USER = {
    "iam_user": huawei_iam.USER,
    "iam_password": huawei_iam.PASSWORD,
    "iam_domain": huawei_iam.DOMAIN,
}
AGENCY = {"agency_name": huawei_iam.AGENCY, "agency_domain": huawei_iam.AGENCY_DOMAIN}
TRACES = {"path": huawei_cts.PATH}


class Cts(huawei.Case):
    secrets = (*huawei.Case.secrets, huawei_iam.SECRET_KEY)

    def cts(self, count, *arguments, seed=1, first, last, otc=False, **settings):
        """A simulator whose traces stand between the seconds FIRST and LAST."""
        self.trail = huawei_cts.make_trail(seed, count, first, last)
        self.seed, self.otc = seed, otc
        return self.simulator(
            "--seed=%d" % seed,
            "--count=%d" % count,
            "--first=%d" % first,
            "--last=%d" % last,
            *(("--otc",) if otc else ()),
            "--control",
            json.dumps(settings),
            *arguments,
            name="huawei_cts",
        )

    def expected(self, data=False):
        return [
            huawei_cts.trace_line(self.seed, n, self.trail.times[n] // 1000, self.otc)
            for n in self.trail.order
            if huawei_cts.is_data(n) == data
        ]

    def cts_source(self, url, identity, name="audit", more="", **changed):
        keys = {
            "provider": "otc-cts" if self.otc else "huawei-cts",
            "region": "eu-de" if self.otc else "cn-north-4",
            "project_id": huawei_iam.PROJECT_ID,
            "endpoint": url,
            "iam_endpoint": url,
            **identity,
            **changed,
        }
        return self.source_text(name, keys, more)


class Disturbed(Cts):
    """20,000 traces, every disturbance at once, killed four times."""

    def disturb(self, simulator, page_cap):
        simulator.control(
            fault_seed=self.seed,
            faults=[
                {**TRACES, "kind": "cut", "bytes": 3000, "probability": 0.03},
                {**TRACES, "kind": "reset", "bytes": 50, "probability": 0.02},
                {**TRACES, "kind": "truncate", "bytes": 900, "probability": 0.02},
                {**TRACES, "kind": "status", "status": 503, "probability": 0.02},
                {**TRACES, "kind": "status", "status": 429, "probability": 0.02},
                {
                    **TRACES,
                    "kind": "status",
                    "status": 400,
                    "json": {"error_code": "CTS.0300", "error_msg": "Query failed."},
                    "probability": 0.02,
                },
                {**TRACES, "kind": "slow", "chunk": 9000, "seconds": 0.001, "probability": 0.05},
            ],
            page_cap=page_cap,
            repeat_every=5,
            clock_step=4,
            lifetime=400,
        )

    def run_mode(self, identity, seed, otc, page_cap=200, **settings):
        now = int(time.time())
        last = now - 90 * 60
        simulator = self.cts(
            20_000, seed=seed, otc=otc, first=last - 2 * 86400, last=last,
            clock_offset=-3 * 3600, **settings,
        )
        dice = random.Random(int(os.environ.get("TRAWLD_TEST_SEED", "7")) + seed)
        source = self.cts_source(
            simulator.url, identity,
            more="start = earliest\ninterval = 5ms\nretry_max = 20ms\nrate = off",
        )
        self.configure(source, self.file_sink())
        self.disturb(simulator, page_cap)
        for _ in range(4):
            daemon = self.daemon()
            goal = simulator.stats()["requests"] + dice.randrange(40, 160)
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
            simulator.control(clock_offset=offset, clock_step=0.5)
            result = self.once()
            self.assertEqual(result.lines("gap:"), [])
        self.assert_same(self.expected())
        stats = simulator.stats()
        self.assertGreater(stats["faults"], 10)
        if identity is USER:
            self.assertGreater(stats["tokens"], 4)
        print("%d pages, %d faults" % (stats["pages"], stats["faults"]))

    def test_huawei_key(self):
        self.run_mode(KEY, 1, False)

    def test_huawei_user(self):
        self.run_mode(USER, 2, False, ends="from", tie="repeat", marker="same", page_cap=150)

    def test_otc_key(self):
        self.run_mode(KEY, 4, True, ends="both", filter="time", marker="always", page_cap=110)

    def test_otc_user(self):
        self.run_mode(USER, 5, True, tie="repeat", marker="number")


class Pages(Cts):
    def test_ends(self):
        """However the last page is marked, all of a window is read, and the walk ends."""
        now = int(time.time())
        n_pages = {}
        for marker in ("null", "always", "empty", "missing", "same", "number"):
            for page_cap in (200, 37):
                simulator = self.cts(
                    888, first=now - 7000, last=now - 3600, marker=marker, page_cap=page_cap,
                    tie="repeat" if marker == "number" else "exact",
                )
                self.out.unlink(missing_ok=True)
                self.state = self.dir / ("state-%s-%d" % (marker, page_cap))
                self.configure(
                    self.cts_source(simulator.url, KEY, more="start = -3h\nrate = off"),
                    self.file_sink(),
                )
                self.once()
                self.assert_same(self.expected())
                times = [json.loads(line)["record_time"] for line in self.lines()]
                self.assertEqual(times, sorted(times))
                n_pages[marker, page_cap] = simulator.stats()["pages"]
        # a short page is followed, a marked last page once more
        self.assertLess(n_pages["null", 200], n_pages["always", 200])
        self.assertGreater(n_pages["null", 37], 800 // 37)

    def test_crowded_millisecond(self):
        """500 traces in one millisecond: the marker is a key, all of them are read."""
        now = int(time.time())
        ms = (now - 5000) * 1000 + 77
        simulator = self.cts(
            1500, "--crowd=%d:0:500" % ms, first=now - 7000, last=now - 3600
        )
        huawei_cts.crowd(self.trail, ms, 0, 500)
        self.configure(
            self.cts_source(simulator.url, KEY, more="start = -3h\nrate = off"), self.file_sink()
        )
        self.once()
        self.assert_same(self.expected())

    def test_skipped_twin(self):
        """A page that skips what shares the marker's millisecond: other polls have other edges."""
        now = int(time.time())
        simulator = self.cts(
            3000, first=now - 3600 - 1700, last=now - 3600, tie="skip", clock_offset=-4000,
            clock_step=7,
        )
        self.configure(
            self.cts_source(
                simulator.url, KEY,
                more="start = -2h\nrate = off\ninterval = 10ms\nretry_max = 10ms\noverlap = 2h",
            ),
            self.file_sink(),
        )
        daemon = self.daemon()
        self.wait_size(self.out, sum(len(line) + 1 for line in self.expected()))
        self.assertEqual(daemon.stop(), 0)
        self.assert_same(self.expected())

    def test_data(self):
        """The traces of a data tracker; the name of the management tracker may be told."""
        now = int(time.time())
        simulator = self.cts(2000, first=now - 7000, last=now - 3600)
        more = "start = -3h\nrate = off"
        self.configure(
            self.cts_source(
                simulator.url, KEY, name="data", trace_type="data",
                tracker_name=huawei_cts.DATA_TRACKER, more=more,
            ),
            self.cts_source(simulator.url, USER, tracker_name="system", more=more),
            self.file_sink(),
        )
        self.once()
        self.assert_same(self.expected() + self.expected(data=True))

    def test_backfill(self):
        """Seven days, and not more: pieces of an hour, none missing, `from` never too old."""
        now = int(time.time())
        for otc, start in ((False, "earliest"), (True, "-32d")):
            simulator = self.cts(
                4000, first=now - 7 * 86400 + 900, last=now - 3600, otc=otc, old_from="refuse"
            )
            self.out.unlink(missing_ok=True)
            self.state = self.dir / ("state" + start)
            self.configure(
                self.cts_source(
                    simulator.url, KEY, more="rate = off\nstart = " + start
                ),
                self.file_sink(),
            )
            self.assertEqual(self.once().lines("gap:"), [])
            self.assert_same(self.expected())
            times = [json.loads(line)["record_time"] for line in self.lines()]
            self.assertEqual(times, sorted(times))
            windows = simulator.stats()["windows"]
            self.assertLess(windows[0][0], (now - 7 * 86400 + 120) * 1000)
            for before, after in zip(windows, windows[1:]):
                self.assertEqual(after[0], before[1] - 1)
            self.assertTrue(all(end - begin <= HOUR_MS + 2 for begin, end in windows))
            self.assertGreater(windows[-1][1], (now - 100) * 1000)

    def test_gap(self):
        """Off for longer than traces are kept: told as a gap, then all that is left."""
        now = int(time.time())
        simulator = self.cts(3000, first=now - 86400, last=now - 3600, clock_offset=0)
        self.configure(
            self.cts_source(simulator.url, KEY, more="start = -2d\nrate = off"), self.file_sink()
        )
        self.once()
        self.assert_same(self.expected())
        simulator.control(clock_offset=9 * 86400)
        self.configure(
            self.cts_source(
                simulator.url, KEY, more="start = -2d\nrate = off\ninterval = 10ms"
            ),
            self.file_sink(),
        )
        daemon = self.daemon()
        # the first answer tells the time; the poll after it finds that two days are gone
        daemon.wait_log("gap:")
        self.assertEqual(daemon.stop(), 0)
        self.assert_same(self.expected())


    def test_host_clock_ahead(self):
        """By more than traces are kept: the first answer tells the time, so that a start counts
        from the server's now, and nothing is taken for lost."""
        now = int(time.time()) - 9 * 86400
        for identity in (KEY, USER):
            simulator = self.cts(
                3000, first=now - 86400, last=now - 3600, clock_offset=-9 * 86400
            )
            self.out.unlink(missing_ok=True)
            self.state = self.dir / ("state-%d" % (identity is KEY))
            self.configure(
                self.cts_source(simulator.url, identity, more="start = -2d\nrate = off"),
                self.file_sink(),
            )
            for _ in range(2):
                result = self.once()
                self.assertEqual(result.lines("gap:"), [])
                self.assert_same(self.expected())
            # what the server's clock has not reached is requested by itself
            late = (now + 3600) * 1000
            across = [w for w in simulator.stats()["windows"] if w[0] < late - 7200_000 < late < w[1]]
            self.assertEqual(across, [])


class Agency(Cts):
    """The project is another account's, which lends an agency."""

    def test_agency(self):
        now = int(time.time())
        for identity, offset in ((KEY, 0), (USER, 0), (KEY, 7200)):
            for otc in (False, True):
                simulator = self.cts(
                    900, first=now - 5000, last=now - 3600, otc=otc, clock_offset=offset
                )
                self.out.unlink(missing_ok=True)
                self.state = self.dir / ("state-%d-%d-%d" % (identity is KEY, offset, otc))
                self.configure(
                    self.cts_source(
                        simulator.url, {**identity, **AGENCY}, more="start = -2h\nrate = off"
                    ),
                    self.file_sink(),
                )
                self.once()
                self.assert_same(self.expected())
                stats = simulator.stats()
                self.assertEqual(stats["agency_tokens"], 1)
                self.assertEqual(stats["tokens"], 2 if identity is USER else 1)
                self.assertEqual(stats["bad_signatures"], 1 if offset else 0)

    def test_all_tokens_die(self):
        """The agency's token and the caller's: both are fetched anew, nothing is lost."""
        now = int(time.time())
        simulator = self.cts(3000, first=now - 5000, last=now - 3600)
        self.configure(
            self.cts_source(
                simulator.url, {**USER, **AGENCY},
                more="start = -2h\nrate = off\ninterval = 10ms",
            ),
            self.file_sink(),
        )
        daemon = self.daemon()
        for _ in range(3):
            before = simulator.stats()["agency_tokens"]
            simulator.control(revoke=True)
            wait_until(
                lambda: simulator.stats()["agency_tokens"] > before, "another token"
            )
        self.wait_size(self.out, sum(len(line) + 1 for line in self.expected()))
        self.assertEqual(daemon.stop(), 0)
        self.assert_same(self.expected())
        self.assert_no_secret(daemon.text())

    def test_refused(self):
        now = int(time.time())
        simulator = self.cts(100, first=now - 5000, last=now - 3600)
        for identity, changed, words in (
            (KEY, {"agency_name": "another"}, "The agency is not one"),
            (KEY, {"secret_key": "not the right secret key"}, "verify aksk"),
            (USER, {"iam_password": "not the password"}, "HTTP 401"),
        ):
            self.configure(
                self.cts_source(simulator.url, {**identity, **AGENCY, **changed}),
                self.file_sink(),
            )
            result = self.once(expect=75)
            self.assertTrue(result.lines(words), result.err)
            self.assertTrue(result.lines("no token from"), result.err)
        self.assertEqual(simulator.stats()["bad_signatures"], 1)
        self.assertEqual(simulator.stats()["pages"], 0)
        for identity, words in (
            ({**KEY, "agency_name": "a"}, "needs `agency_domain`, because `agency_name` is set"),
            (AGENCY, "auth = caller-key, caller: none of these sections applies"),
        ):
            self.configure(self.cts_source(simulator.url, identity), self.file_sink())
            self.assertIn(words, self.check(78).err)


class Refusals(Cts):
    def refused(self, simulator, words, identity=KEY, requests=1, **changed):
        """One run that ends with WORDS after so many requests, nothing moved."""
        simulator.control(reset_numbers=True)
        self.configure(
            self.cts_source(simulator.url, identity, more="start = -2h", **changed),
            self.file_sink(),
        )
        result = self.once(expect=75)
        self.assertTrue(result.lines(words), result.err)
        self.assertEqual(simulator.stats()["requests"], requests, result.err)
        for name in ("secret_key", "iam_password"):
            if name in changed:
                self.assertNotIn(changed[name], result.err)
        self.assertEqual(self.lines(), [])

    def test_strict(self):
        now = int(time.time())
        for otc in (False, True):
            simulator = self.cts(100, first=now - 5000, last=now - 3600, otc=otc)
            self.refused(simulator, "verify aksk", secret_key="not the right secret key")
            self.refused(simulator, "not exist", access_key="NOTTHEACCESSKEY")
            self.refused(simulator, "X-Project-Id", project_id="0" * 32)
            self.refused(simulator, "HTTP 401", USER, iam_password="not the password")
            self.refused(simulator, "HTTP 401", USER, project_id="0" * 32)
            self.refused(simulator, "tracker_name", tracker_name="other")
            self.refused(simulator, "trace_type", trace_type="other")
            simulator.control(locked=True)
            self.refused(simulator, "AK locked")

    def test_wrong_secret_does_not_lock(self):
        """Five wrong signatures lock a key for five minutes: one is sent, then none for six."""
        now = int(time.time())
        simulator = self.cts(100, first=now - 5000, last=now - 3600)
        self.configure(
            self.cts_source(
                simulator.url, KEY, secret_key="not the right secret key",
                more="interval = 10ms\nretry_max = 10ms",
            ),
            self.file_sink(),
        )
        daemon = self.daemon()
        self.assertIn("retrying in 6m", daemon.wait_log("verify aksk"))
        daemon.kill()
        self.assertEqual(simulator.stats()["requests"], 1)
        self.assertEqual(simulator.stats()["bad_signatures"], 1)

    def test_wrong_clock(self):
        """This host's clock is hours away: signed again with the server's, once, also when several
        sources use the key: five bad signatures in a row lock it."""
        now = int(time.time())
        simulator = self.cts(
            500, first=now - 5000, last=now - 3600, clock_offset=7200
        )
        names = ["audit%d" % n for n in range(6)]
        more = "start = -2h\nrate = off"
        self.configure(
            *[self.cts_source(simulator.url, KEY, name, more) for name in names],
            self.file_sink(path=self.dir / "%{source}.ndjson"),
        )
        self.once()
        for name in names:
            self.out = self.dir / (name + ".ndjson")
            self.assert_same(self.expected())
        self.assertEqual(simulator.stats()["bad_signatures"], 1)

    def test_query_failed(self):
        """CTS.0300, at the first page and on the way: the same page is asked again, soon."""
        now = int(time.time())
        failed = {"error_code": "CTS.0300", "error_msg": "Query failed, try again later."}
        simulator = self.cts(3000, first=now - 5000, last=now - 3600)
        simulator.faults(
            {**TRACES, "kind": "status", "status": 400, "json": failed, "at": [1, 4, 9]},
            {**TRACES, "kind": "status", "status": 404, "json": failed, "at": [13]},
        )
        self.configure(
            self.cts_source(simulator.url, KEY, more="start = -2h\nrate = off"), self.file_sink()
        )
        # as a fault of the request it would end the run
        result = self.once()
        self.assertTrue(result.lines("Query failed, try again later"))
        self.assertFalse(result.lines("stored cursor"), result.err)
        self.assert_same(self.expected())
        targets = [entry["target"] for entry in simulator.log()]
        for number in (1, 4, 9, 13):
            self.assertEqual(targets[number - 1], targets[number], number)

    def test_other_refusals(self):
        """A 400 with another code is a fault of the request, and ends a run."""
        now = int(time.time())
        simulator = self.cts(30, first=now - 5000, last=now - 3600)
        simulator.faults(
            {**TRACES, "kind": "status", "status": 400,
             "json": {"error_code": "CTS.0203", "error_msg": "Ill-formed."}}
        )
        self.configure(
            self.cts_source(simulator.url, KEY, more="start = -2h\nrate = off"), self.file_sink()
        )
        self.assertIn("Ill-formed", self.once(75).err)
        self.assertEqual(simulator.stats()["requests"], 1)

    def test_configuration(self):
        self.otc = False
        for identity, changed, words in (
            (KEY, {"region": None}, "needs `region`"),
            (KEY, {"project_id": None}, "needs `project_id`"),
            (KEY, {"secret_key": None}, "secret_key"),
            (USER, {"iam_password": None}, "iam_password"),
            ({}, {}, "has no credentials: set access_key and secret_key, or iam_user, iam_password and iam_domain"),
            (USER, {"iam_endpoint": "http://iam.example"}, "is not https"),
            (KEY, {"trace_typ": "data"}, "did you mean `trace_type`"),
        ):
            self.configure(
                self.cts_source("https://127.0.0.1:1", identity, **changed), self.file_sink()
            )
            self.assertIn(words, self.check(78).err)
        for identity in (KEY, USER):
            self.configure(
                self.cts_source(None, identity, iam_endpoint=None, endpoint=None),
                self.file_sink(),
            )
            self.check(0)

    def test_hosts(self):
        """Without `endpoint` the site's own hosts are asked; a proxy sees which."""
        swiss = "sc.otc.t-systems.com"
        for otc, identity, changed, host in (
            (False, KEY, {}, "cts.cn-north-4.myhuaweicloud.com"),
            (False, USER, {}, "iam.cn-north-4.myhuaweicloud.com"),
            (
                False,
                KEY,
                {"region": "eu-west-101", "domain": "myhuaweicloud.eu"},
                "cts.eu-west-101.myhuaweicloud.eu",
            ),
            (
                False,
                USER,
                {"region": "eu-west-101", "domain": "myhuaweicloud.eu"},
                "iam.eu-west-101.myhuaweicloud.eu",
            ),
            (True, KEY, {}, "cts.eu-de.otc.t-systems.com"),
            (True, KEY, {"region": "eu-ch2", "domain": swiss}, "cts.eu-ch2." + swiss),
        ):
            with self.subTest(host):
                simulator = self.cts(1, otc=otc, first=1000, last=2000)
                more = "proxy = %s\nretry_max = 20ms\n" % simulator.url
                keys = {"endpoint": None, "iam_endpoint": None, "start": "-10m", **changed}
                self.configure(self.cts_source(None, identity, more=more, **keys), self.file_sink())
                self.once(75)
                self.assertEqual(
                    {(entry["method"], entry["target"]) for entry in simulator.log()},
                    {("CONNECT", host + ":443")},
                )


if __name__ == "__main__":
    harness.main()
