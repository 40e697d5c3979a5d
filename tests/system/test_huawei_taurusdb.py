#!/usr/bin/python3
"""TaurusDB's list of audit files: every file once, whatever the list does while it is read."""

import collections
import datetime
import json
import random
import time
import urllib.parse

import harness
from harness import wait_until

import huawei_iam
import huawei_taurusdb as taurus
import taurus_files

DAY = 86400
COUNT = 20_000
DRIFT = ["insert_newest", "none", "expire_doomed", "insert_oldest", "none", "none", "expire_doomed"]
DISTURBED = (
    {"kind": "status", "status": 429, "json": taurus.THROTTLED, "probability": 0.01},
    {"kind": "status", "status": 503, "body": "", "probability": 0.01},
    {"kind": "status", "status": 500, "json": {"error_code": "DBS.108000"}, "probability": 0.01},
    {"kind": "cut", "bytes": 2000, "probability": 0.01, "path": "*/audit-logs"},
    {"kind": "reset", "bytes": 2000, "probability": 0.005, "path": "*/audit-logs"},
    {"kind": "truncate", "bytes": 2000, "probability": 0.01, "path": "*/audit-logs"},
    {"kind": "html", "probability": 0.005},
    {"kind": "slow", "chunk": 9000, "seconds": 0.002, "probability": 0.01},
)


def rfc3339(seconds):
    return datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


class Case(harness.Case):
    def begin(self, count, *arguments, first, last, doomed=0, late=7200, delay=600, upload=1):
        """A simulator with COUNT files that end between FIRST and LAST, in seconds from now."""
        now = int(time.time())
        self.first, self.last = now + first, now + last
        self.count = count
        self.sim = self.simulator(
            *("--count", str(count), "--first", rfc3339(self.first), "--last", rfc3339(self.last)),
            *("--doomed", str(doomed), "--file-late", str(late), "--file-delay", str(delay)),
            *("--upload-every", str(upload)),
            *arguments,
            name="huawei_taurusdb",
        )
        options = type("Options", (), {"file_delay": delay, "file_late": late})
        self.trail = taurus_files.trail_of(
            options, 1, count, self.first * 1_000_000, self.last * 1_000_000
        )

    def keys(self, access_key=huawei_iam.ACCESS_KEY, secret_key=huawei_iam.SECRET_KEY):
        return "access_key = %s\nsecret_key = %s" % (access_key, secret_key)

    def user(self, password=huawei_iam.PASSWORD):
        return (
            "iam_user = %s\niam_password = %s\niam_domain = %s\niam_endpoint = %s"
            % (huawei_iam.USER, password, huawei_iam.DOMAIN, self.sim.url)
        )

    def taurus(self, credential, start=None, more=""):
        return (
            "[source db]\nprovider = huawei-taurusdb\nregion = cn-north-4\nproject_id = %s\n"
            "instance_id = %s\n%s\nendpoint = %s\nstart = %s\nrate = off\n%s\n"
            % (
                huawei_iam.PROJECT_ID,
                taurus.INSTANCE,
                credential,
                self.sim.url,
                start or rfc3339(self.first - DAY),
                more,
            )
        )

    def lines(self, stats=None):
        """What must be there once, as a Counter: the trail's files, and those that a drift put in."""
        wanted = [taurus.file_line(1, n, self.trail.times[n]) for n in range(self.count)]
        for n, end_us in (stats or {"inserted": []})["inserted"]:
            wanted.append(taurus.file_line(1, n, end_us))
        return collections.Counter(wanted)

    def found(self):
        return collections.Counter(self.out.read_text().split("\n")[:-1])

    def assert_files(self, optional=False):
        wanted, found = self.lines(self.sim.stats()), self.found()
        self.assertEqual([line for line, n in found.items() if n > 1][:3], [])
        self.assertEqual(list((wanted - found).elements())[:3], [])
        more = [] if optional else list((found - wanted).elements())[:3]
        self.assertEqual(more, [])

    def assert_no_secret(self, text):
        for secret in (huawei_iam.PASSWORD, huawei_iam.SECRET_KEY, "MII0"):
            self.assertNotIn(secret, text)

    def run_once(self, expect=0):
        result = self.trawld("-c", str(self.conf), "--once")
        self.assert_no_secret(result.err)
        self.assertEqual(result.code, expect, result.err)
        return result


class Everything(Case):
    """All disturbances at once, over kills."""

    def kill_after(self, requests):
        daemon = self.daemon()
        goal = self.sim.stats()["requests"] + requests
        wait_until(
            lambda: self.sim.stats()["requests"] >= goal or daemon.process.poll() is not None,
            "%d requests" % requests,
            60,
        )
        self.assertIsNone(daemon.process.poll(), daemon.text())
        daemon.kill()
        self.assert_no_secret(daemon.text())

    def whole(self, count, days, page_size=100, **settings):
        """COUNT files over DAYS: half of them are there at first, the others come while polls run.
        """
        walk = count // 2 // (page_size - 5)
        walk_later = 2 * count // (days - 2) // (page_size - 5) + 1
        seed = random.SystemRandom().randrange(10**9)
        print("seed %d" % seed, flush=True)
        dice = random.Random(seed)
        self.begin(
            count,
            first=-days * DAY,
            last=-2 * DAY,
            doomed=count // 20,
            late=7200,
            delay=3600,
            upload=4 * 3600,
        )
        self.sim.control(
            clock_offset=-(days - 2) * DAY / 2 - 2 * DAY,
            token_life=DAY,
            fault_seed=seed,
            drift=DRIFT,
            drift_every=2 * walk + 1,
            page_size=page_size,
            **settings,
        )
        self.sim.faults(*DISTURBED)
        self.configure(
            self.taurus(self.user(), more="interval = 20ms\nretry_max = 20ms\nlag = 1s\n"
                "errors.auth_pause = 1s"),
            self.file_sink(),
        )
        for _ in range(2):
            self.kill_after(dice.randrange(1, 2 * walk))
        daemon = self.daemon()
        wait_until(lambda: self.out.exists() and self.out.stat().st_size, "the first files", 90)
        self.sim.control(clock_step=600, drift_every=2 * walk_later + 1)
        wait_until(lambda: self.sim.stats()["clock"] > (self.last - DAY) * 1e6, "the days", 90)
        daemon.kill()
        self.assert_no_secret(daemon.text())
        self.sim.control(bad_token="service", revoke=True)
        self.kill_after(dice.randrange(1, 30))
        # until nothing can come any more: two days of moving on by six hours
        for _ in range(8):
            offset = self.sim.stats()["clock"] / 1e6 - time.time()
            self.sim.control(clock_step=0, clock_offset=min(0, offset + 6 * 3600))
            self.trawld("-c", str(self.conf), "--once")
        self.sim.control(faults=[], drift=[], drift_every=0)
        self.run_once()
        stats = self.sim.stats()
        print("%d requests, %d tokens" % (stats["requests"], stats["tokens"]), flush=True)
        self.assertGreater(len(stats["expired"]), 0)
        self.assertGreater(len(stats["inserted"]), 0)
        self.assertGreater(stats["tokens"], 3)
        self.assertEqual(set(stats["statuses"]) - set("200 201 401 403 429 500 503".split()), set())
        self.assert_files(optional=True)
        expendable = {taurus.file_id(1, n) for n in range(count, count + count // 20)}
        extra = self.found() - self.lines(stats)
        self.assertEqual([x for x in extra if json.loads(x)["id"] not in expendable][:3], [])

    def test_oldest_first(self):
        self.whole(COUNT, 26, order="asc", filter="overlap")

    def test_newest_first(self):
        self.whole(3000, 16, order="desc", filter="end", page_size=60)

    def test_no_order(self):
        self.whole(3000, 16, order="random", filter="contained", inclusive=True)

    def test_by_begin(self):
        self.whole(3000, 16, order="asc", filter="begin", gzip=True)


class Lists(Case):
    """One thing at a time."""

    def asked(self):
        """The query of each first page that was answered well, times in seconds."""
        spans = []
        for entry in self.sim.log():
            target = urllib.parse.urlsplit(entry["target"])
            query = dict(urllib.parse.parse_qsl(target.query))
            if entry["status"] != 200 or query.get("offset") != "0":
                continue
            span = tuple(taurus.stamp_parse(query[x]) // 10**6 for x in ("start_time", "end_time"))
            if span not in spans:
                spans.append(span)
        return spans

    def test_moving_list(self):
        """One reading of a list that moves between two pages."""
        cases = [
            (order, kind, stale)
            for order in ("asc", "desc", "random")
            for kind in ("insert_newest", "insert_oldest", "expire_oldest")
            for stale in (False, True)
        ]
        self.begin(0, first=-DAY, last=-1)
        for at, (order, kind, stale) in enumerate(cases):
            with self.subTest(order=order, kind=kind, stale=stale):
                self.begin(350, first=-20 * 3600, last=-8 * 3600)
                self.sim.control(order=order, drift=["none", kind], stale_total=stale)
                self.state, self.out = self.dir / ("state%d" % at), self.dir / ("out%d" % at)
                self.configure(self.taurus(self.keys()), self.file_sink())
                self.run_once()
                self.sim.control(stale_total=False)
                self.run_once()
                stats = self.sim.stats()
                found, wanted = self.found(), self.lines(stats)
                gone = {taurus.file_id(1, n) for n in stats["expired"]}
                missing = [x for x in wanted - found if json.loads(x)["id"] not in gone]
                self.assertEqual(len(stats["inserted"]) + len(gone), 8 if gone else 1)
                self.assertEqual(missing, [])
                self.assertEqual(list((found - wanted).elements()), [])
                self.assertGreaterEqual(stats["walks"], 3 if not stale else 2)

    def test_never_still(self):
        """A list that moves under each attempt is given up for this run; nothing of it is taken."""
        self.begin(350, first=-20 * 3600, last=-8 * 3600)
        self.sim.control(drift_every=1)
        self.configure(self.taurus(self.keys(), more="retry_max = 20ms"), self.file_sink())
        result = self.run_once(expect=75)
        self.assertIn("the list moved under each of 4 attempts", result.err)
        self.assertFalse(self.out.exists() and self.out.read_text())
        self.assertLess(self.sim.stats()["walks"], 9)
        self.sim.control(drift_every=0)
        self.run_once()
        self.assert_files()

    def test_backfill(self):
        """Forty days in pieces; a file across the cut is in neither of two pieces side by side."""
        self.begin(4000, first=-40 * DAY, last=-3600, late=0, delay=0)
        self.sim.control(filter="contained")
        ends = [at // 10**6 for at in self.trail.times]
        begins = [taurus.begin_us(1, n, at) // 10**6 for n, at in enumerate(self.trail.times)]
        cut = next(
            (begin + end) // 2
            for begin, end in zip(begins, ends)
            if end - begin > 600 and self.first + 29 * DAY - 7200 < end < self.first + 29 * DAY - 60
        )
        start = cut - 29 * DAY
        self.configure(self.taurus(self.keys(), rfc3339(start)), self.file_sink())
        self.run_once()
        self.assertGreater(sum(begin < cut < end for begin, end in zip(begins, ends)), 0)
        wanted = collections.Counter(
            taurus.file_line(1, n, at)
            for n, at in enumerate(self.trail.times)
            if begins[n] >= start
        )
        self.assertEqual(self.found(), wanted)
        spans = self.asked()
        self.assertEqual(len(spans), 2)
        self.assertEqual(spans[0], (start, start + 29 * DAY))
        self.assertEqual(spans[1][0], spans[0][1] - DAY)
        self.assertLess(abs(spans[1][1] - time.time() + 60), 60)
        for entry in self.sim.log():
            if "/audit-log-policy" in entry["target"]:
                continue
            self.assertRegex(entry["target"], r"start_time=[-0-9]+T\d\d%3A\d\d%3A\d\d%2B0000&")

    def test_earliest(self):
        """As far back as an instance can keep files, in pieces without a hole."""
        self.begin(300, first=-700 * DAY, last=-3600, late=0, delay=0)
        self.configure(self.taurus(self.keys(), "earliest"), self.file_sink())
        self.run_once()
        self.assert_files()
        spans = self.asked()
        self.assertLess(abs(time.time() - 732 * DAY - spans[0][0]), 300)
        for before, after in zip(spans, spans[1:]):
            self.assertEqual(before[1] - before[0], 29 * DAY)
            self.assertEqual(after[0], before[1] - DAY)
        self.assertEqual(len(spans), 27)

    def test_known_after_an_outage(self):
        """Two days without a poll: what the window goes over again is handed on in parts, and known
        to the last of them."""
        self.begin(3000, first=-20 * 3600, last=-3 * 3600)
        self.configure(self.taurus(self.user(), more="interval = 20ms"), self.file_sink())
        daemon = self.daemon()
        self.wait_size(self.out, sum(len(line) + 1 for line in self.lines()))
        self.sim.control(clock_offset=2 * DAY)
        # the poll under way learns of it; the next one is a whole one
        seen = self.sim.stats()["requests"]
        wait_until(lambda: self.sim.stats()["requests"] > seen + 120, "polls", 60)
        self.assertEqual(daemon.stop(), 0)
        self.assert_files()

    def test_growing_file(self):
        """The same file with another size and end is one more record."""
        self.begin(50, first=-5 * 3600, last=-3600, late=0, delay=0)
        self.configure(self.taurus(self.keys()), self.file_sink())
        self.run_once()
        self.sim.control(grow=[3, 17])
        self.run_once()
        wanted = self.lines()
        wanted.update(taurus.file_line(1, n, self.trail.times[n], 1) for n in (3, 17))
        self.assertEqual(self.found(), wanted)

    def test_nothing_there(self):
        """Audit switched off is an empty list; a body without a list is none unless it says so."""
        self.begin(50, first=-5 * 3600, last=-3600, late=0, delay=0)
        self.configure(self.taurus(self.keys()), self.file_sink())
        self.sim.control(audit_off=True)
        self.run_once()
        for body in ({"total_count": 0}, {"audit_logs": None, "total_count": 0}):
            self.sim.faults({"kind": "body", "json": body})
            self.run_once()
        self.assertFalse(self.out.exists() and self.out.read_text())
        for body in (
            {"total_count": 5},
            {"audit_logs": None, "total_count": 5},
            {"audit_logs": [], "total_count": 5},
            {"audit_logs": {}, "total_count": 0},
            {},
        ):
            self.sim.faults({"kind": "body", "json": body})
            self.configure(self.taurus(self.keys(), more="retry_max = 20ms"), self.file_sink())
            self.run_once(expect=75)
        self.sim.control(faults=[], audit_off=False)
        self.run_once()
        self.assert_files()

    def test_audit_off(self):
        """An empty list looks healthy where nothing is recorded: said once, and once that it is over."""
        self.begin(50, first=-5 * 3600, last=-3600, late=0, delay=0)
        self.configure(
            self.taurus(self.keys(), more="interval = 20ms\nwatch.every = 1s"), self.file_sink()
        )
        policies = lambda: sum("audit-log-policy" in e["target"] for e in self.sim.log())
        self.sim.control(audit_off=True)
        result = self.run_once()
        self.assertEqual(len(result.lines("warning: source db")), 1, result.err)
        self.assertRegex(result.err, r"the SQL audit of this instance is off \(keep_days = 0\)")
        daemon = self.daemon()
        daemon.wait_log("the SQL audit of this instance is off")
        seen = policies()
        wait_until(lambda: policies() > seen + 1, "further requests")
        self.sim.control(audit_off=False)
        daemon.wait_log("is no longer so: the SQL audit of this instance is off")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(daemon.text().count("warning: source db"), 1, daemon.text())
        self.assert_files()

    def test_policy_that_cannot_be_read(self):
        """The list is polled all the same, and no credential is locked by it."""
        self.begin(50, first=-5 * 3600, last=-3600, late=0, delay=0)
        self.configure(self.taurus(self.keys(), more="retry_max = 20ms"), self.file_sink())
        for fault in (
            {"kind": "status", "status": 403, "json": {"error_msg": "no right"}},
            {"kind": "status", "status": 401, "body": ""},
            {"kind": "status", "status": 429, "body": ""},
            {"kind": "html"},
            {"kind": "cut", "bytes": 5},
            {"kind": "body", "json": {"error_msg": "another form"}},
            {"kind": "body", "json": {"keep_days": None}},
        ):
            self.sim.faults({**fault, "path": "*/audit-log-policy"})
            result = self.run_once()
            self.assert_files()
            self.assertEqual(len(result.lines("cannot check what [watch] of the definition warns of")), 1, result.err)

    def test_limit(self):
        """Where a hundred is too many, the answer's own words are told and page_size helps."""
        self.begin(250, first=-5 * 3600, last=-3600, late=0, delay=0)
        self.sim.control(refuse_hundred=True)
        self.configure(self.taurus(self.keys()), self.file_sink())
        result = self.run_once(expect=75)
        self.assertIn("The number of records is not allowed", result.err)
        self.configure(self.taurus(self.keys(), more="page_size = 50"), self.file_sink())
        self.run_once()
        self.assert_files()

    def test_throttle(self):
        self.begin(250, first=-5 * 3600, last=-3600, late=0, delay=0)
        self.configure(self.taurus(self.keys(), more="retry_max = 10ms"), self.file_sink())
        throttled = {"kind": "status", "status": 429, "json": taurus.THROTTLED}
        self.sim.faults({**throttled, "at": [2], "retry_after": 1}, {**throttled, "at": [4]})
        result = self.run_once()
        log = self.sim.log()
        self.assertEqual([entry["status"] for entry in log], [200, 429, 200, 429, 200, 200])
        self.assertTrue(log[-1]["target"].endswith("/audit-log-policy"))
        self.assertGreaterEqual(log[2]["at"] - log[1]["at"], 1)
        self.assertIn("The throttling threshold has been reached", result.err)
        self.assert_files()


class Agency(Case):
    """The instance is another account's, which lends an agency."""

    AGENCY = "\nagency_name = %s\nagency_domain = %s" % (
        huawei_iam.AGENCY,
        huawei_iam.AGENCY_DOMAIN,
    )

    def test_agency(self):
        iam = "\niam_endpoint = "
        for at, (credential, tokens) in enumerate(((self.keys, 1), (self.user, 2))):
            self.begin(120, first=-5 * 3600, last=-3600, late=0, delay=0)
            self.state, self.out = self.dir / ("state%d" % at), self.dir / ("out%d" % at)
            more = "" if at else iam + self.sim.url
            self.configure(self.taurus(credential() + self.AGENCY + more), self.file_sink())
            self.run_once()
            self.assert_files()
            self.assertEqual(self.sim.stats()["tokens"], tokens)
            # nothing but the login carries the caller's own proof
            for entry in self.sim.log():
                if entry["target"].startswith("/v3/auth/tokens"):
                    continue
                self.assertIn("x-auth-token", entry["headers"])
                self.assertNotIn("authorization", entry["headers"])

    def test_refused(self):
        self.begin(10, first=-5 * 3600, last=-3600, late=0, delay=0)
        other = self.AGENCY.replace(huawei_iam.AGENCY + "\n", "another\n")
        self.configure(self.taurus(self.user() + other), self.file_sink())
        self.assertIn("The agency is not one", self.run_once(expect=75).err)
        self.configure(self.taurus(self.user() + "\nagency_name = a"), self.file_sink())
        self.assertIn("needs `agency_domain`", self.check(78).err)


class Proof(Case):
    """Tokens and signatures."""

    def begin_small(self):
        self.begin(120, first=-5 * 3600, last=-3600, late=0, delay=0)

    def test_wrong_secret_key(self):
        """Five bad signatures in a row lock the key for all its users."""
        self.begin_small()
        wrong = "wrong" + huawei_iam.SECRET_KEY
        self.configure(self.taurus(self.keys(secret_key=wrong)), self.file_sink())
        daemon = self.daemon()
        line = daemon.wait_log("retrying in")
        self.assertIn("retrying in 6m", line)
        self.assertIn("verify aksk signature fail", line)
        daemon.stop()
        self.assertNotIn(wrong, daemon.text())
        self.assertEqual(self.sim.stats()["bad_signatures"], 1)
        self.assertNotIn(wrong, self.run_once(expect=75).err)
        stats = self.sim.stats()
        self.assertEqual((stats["requests"], stats["bad_signatures"], stats["locked"]), (2, 2, False))

    def test_wrong_password(self):
        self.begin_small()
        self.configure(self.taurus(self.user("wrong" + huawei_iam.PASSWORD)), self.file_sink())
        daemon = self.daemon()
        line = daemon.wait_log("retrying in")
        daemon.stop()
        self.assertIn("The username or password is wrong", line)
        self.assert_no_secret(daemon.text())
        self.assertEqual(self.sim.stats()["statuses"], {"401": 1})

    def test_tokens(self):
        """One token for all; a new one where it is refused, by 401 or by 403."""
        self.begin_small()
        self.configure(self.taurus(self.user(), more="interval = 20ms"), self.file_sink())
        daemon = self.daemon()
        wait_until(lambda: self.sim.stats()["walks"] > 5, "some polls")
        self.assertEqual(self.sim.stats()["tokens"], 1)
        for n, kind in enumerate(("gateway", "service")):
            self.sim.control(bad_token=kind, revoke=True)
            wait_until(lambda: self.sim.stats()["tokens"] == n + 2, "a fresh token")
            walks = self.sim.stats()["walks"]
            wait_until(lambda: self.sim.stats()["walks"] > walks + 2, "polls with it")
        daemon.stop()
        stats = self.sim.stats()
        self.assertEqual((stats["tokens"], stats["statuses"]["401"]), (3, 1))
        self.assertEqual(stats["statuses"]["403"], 1)
        self.assert_no_secret(daemon.text())
        self.assert_files()

    def test_expiring_tokens(self):
        """A token is renewed before its end: the API never sees a stale one."""
        self.begin_small()
        self.sim.control(token_life=2)
        self.configure(self.taurus(self.user(), more="interval = 20ms"), self.file_sink())
        daemon = self.daemon()
        wait_until(lambda: self.sim.stats()["tokens"] > 3, "some tokens")
        daemon.stop()
        self.assertEqual(set(self.sim.stats()["statuses"]), {"200", "201"})

    def test_wrong_clock(self):
        """A signature with the wrong time is made again with the server's, once."""
        for at, offset in enumerate((-7200, 7200)):
            self.begin_small()
            self.sim.control(clock_offset=offset)
            self.state, self.out = self.dir / ("state%d" % at), self.dir / ("out%d" % at)
            self.configure(self.taurus(self.keys()), self.file_sink())
            self.run_once()
            self.assertEqual(self.sim.stats()["bad_signatures"], 1)

    def test_other_project(self):
        """403 is no reason to go on asking."""
        self.begin_small()
        other = self.taurus(self.user()).replace(
            "project_id = " + huawei_iam.PROJECT_ID, "project_id = " + "0" * 32
        )
        self.configure(other, self.file_sink())
        self.run_once(expect=75)
        self.assertEqual(self.sim.stats()["requests"], 1)

    def test_configuration(self):
        self.begin_small()
        good = self.taurus(self.keys())
        cases = (
            ("instance_id = " + taurus.INSTANCE + "\n", "", "needs `instance_id`"),
            ("secret_key = " + huawei_iam.SECRET_KEY + "\n", "", "needs `secret_key`"),
            (self.keys(), "iam_user = u\niam_password = topsecretword", "needs `iam_domain`"),
            (self.keys(), "", "has no credentials: set access_key and secret_key, or iam_user, iam_password and iam_domain"),
        )
        for old, new, words in cases:
            self.assertIn(old, good)
            self.configure(good.replace(old, new), self.file_sink())
            result = self.check(78)
            self.assertIn(words, result.err)
            self.assert_no_secret(result.err)
            self.assertNotIn("topsecretword", result.err)

    def test_hosts(self):
        """Without `endpoint` the region's own host is asked; a proxy sees which."""
        self.begin_small()
        for region, more, host in (
            ("cn-north-4", "", "gaussdb.cn-north-4.myhuaweicloud.com"),
            ("ap-southeast-3", "", "gaussdb.ap-southeast-3.myhuaweicloud.com"),
            *(
                (region, "", "%s.%s.myhuaweicloud.com" % (service, region))
                for service, regions in (
                    ("gaussdbformysql", "ap-southeast-1 ap-southeast-2 cn-north-11 me-east-1 tr-west-1"),
                    ("gaussdb-mysql", "af-south-1 cn-east-5 cn-southwest-3 la-north-2"),
                )
                for region in regions.split()
            ),
            ("x-2", "service = gaussdb-mysql", "gaussdb-mysql.x-2.myhuaweicloud.com"),
            ("me-east-1", "service = gaussdb", "gaussdb.me-east-1.myhuaweicloud.com"),
            ("x-1", "domain = cloud.example", "gaussdb.x-1.cloud.example"),
        ):
            with self.subTest(host):
                self.sim.control(reset_numbers=True)
                text = self.taurus(self.keys(), more=more + "\nretry_max = 20ms")
                text = text.replace("region = cn-north-4", "region = " + region)
                self.configure(text.replace("endpoint =", "proxy ="), self.file_sink())
                self.run_once(expect=75)
                self.assertEqual(
                    {(entry["method"], entry["target"]) for entry in self.sim.log()},
                    {("CONNECT", host + ":443")},
                )


if __name__ == "__main__":
    harness.main()
