#!/usr/bin/python3
"""TaurusDB's audit files themselves: every row of every file once; and that the simulator is strict
about what the list, the links and the files ask."""

import collections
import gzip
import http.client
import json
import random
import urllib.parse

import harness
from harness import wait_until
from test_huawei_taurusdb import Case

import huawei_iam
import huawei_taurusdb as taurus
import taurus_files

FILES, ROWS = 217, 100  # 20,000 rows: one file of thirteen is empty
LINKED = "/taurus-audit/*"


class Content(Case):
    def begin_content(self, count, rows, credential=Case.keys, more="", first=-5 * 3600):
        self.begin(
            count, "--rows", str(rows), first=first, last=-3600, late=0, delay=0
        )
        self.rows = rows
        origin = self.sim.stats()["link_origin"]
        self.configure(
            self.taurus(
                credential(self),
                more="content = on\nallow_origins = %s\nretry_max = 20ms\ninterval = 50ms\n%s"
                % (origin, more),
            ),
            self.file_sink(),
        )

    def expected(self, without=()):
        """By file the records that must come out, in order."""
        files = {}
        for n in range(self.count):
            begin_us = taurus.begin_us(1, n, self.trail.times[n])
            rows = taurus_files.rows(1, n, begin_us, self.rows)
            if n not in without and rows:
                files[n] = [taurus_files.row_record(n, row) for row in rows]
        return files

    def found_rows(self):
        files = collections.defaultdict(list)
        for line in self.out.read_bytes().decode().split("\n")[:-1]:
            record = json.loads(line, object_pairs_hook=list)
            row = record[0][1] if record[0][0] == "row" else None
            text = record[1][1] if row is None else (
                row.split("SESSION,")[1].split(",")[0] if "AUDIT: " in row else row.split("^^")[3]
            )
            files[int(text) - 1_000_000].append(record)
        return files

    def wait_rows(self, without=()):
        count = sum(len(records) for records in self.expected(without).values())
        wait_until(
            lambda: self.out.exists() and self.out.read_bytes().count(b"\n") >= count, "all rows"
        )

    def assert_rows(self, without=()):
        wanted, found = self.expected(without), self.found_rows()
        self.assertEqual(set(found), set(wanted))
        for n, records in wanted.items():
            self.assertEqual(found[n], records, taurus_files.form(n))

    def test_forms(self):
        """A file of each form, and what was sent where."""
        self.begin_content(33, 40)
        result = self.run_once()
        self.assert_rows()
        self.assertNotIn("Signature", result.err)
        self.run_once()
        self.assert_rows()
        for entry in self.sim.log():
            if entry["target"].startswith("/taurus-audit/"):
                self.assertEqual(entry["status"], 200)
                self.assertEqual(
                    set(entry["headers"]), {"host", "user-agent", "accept-encoding", "accept"}
                )

    def test_everything(self):
        """Twenty thousand rows over kills, cut files, refused links, throttling."""
        seed = random.SystemRandom().randrange(10**9)
        print("seed %d" % seed, flush=True)
        dice = random.Random(seed)
        self.begin_content(FILES, ROWS, more="errors.auth_pause = 1s")
        throttled = {"kind": "status", "status": 429, "json": taurus.THROTTLED}
        refused = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
        self.sim.control(fault_seed=seed)
        self.sim.faults(
            {"kind": "cut", "bytes": 3000, "probability": 0.05, "path": LINKED},
            {"kind": "reset", "bytes": 3000, "probability": 0.02, "path": LINKED},
            {"kind": "status", "status": 403, "body": refused, "probability": 0.05, "path": LINKED},
            {"kind": "slow", "chunk": 5000, "seconds": 0.002, "probability": 0.05, "path": LINKED},
            {"kind": "status", "status": 503, "probability": 0.03},
            {"kind": "html", "probability": 0.02, "path": "*/audit-log-link"},
            {**throttled, "probability": 0.03},
        )
        size = sum(
            len(json.dumps(dict(record), separators=(",", ":"), ensure_ascii=False).encode()) + 1
            for records in self.expected().values()
            for record in records
        )
        for left in range(6, 0, -1):
            at = self.out.stat().st_size if self.out.exists() else 0
            goal = at + dice.uniform(0, 1.6 * (size - at) / (left + 1))
            daemon = self.daemon()
            wait_until(lambda: self.out.exists() and self.out.stat().st_size > goal, "rows", 60)
            daemon.kill()
            self.assert_no_secret(daemon.text())
        self.sim.faults()
        self.run_once()
        self.assert_rows()
        self.assertEqual(sum(len(r) for r in self.found_rows().values()), 20_000)

    def test_links_expire(self):
        """Links that are too old when they are used: fresh ones, then patience."""
        self.begin_content(5, 20, Case.user)
        self.sim.control(clock_step=taurus.LINK_LIFE_S + 1)
        daemon = self.daemon()
        line = daemon.wait_log("links in a row were refused")
        self.assertNotIn("Expires", line)
        self.sim.control(clock_step=0)
        self.wait_rows()
        daemon.stop()
        self.assert_rows()

    def test_files_expire(self):
        """Gone between list and link: listed again without it. Gone behind a link: a gap."""
        self.begin_content(12, 20, first=-5 * 86400)  # the next poll asks one day
        self.sim.control(vanish=[2], vanish_later=[5])
        daemon = self.daemon()
        daemon.wait_log("was listed but is no longer there")
        self.wait_rows(without=(2, 5))
        daemon.stop()
        self.assert_rows(without=(2, 5))


class Strict(Case):
    """What the simulator refuses."""

    def begin_strict(self):
        self.begin(60, "--rows", "7", first=-5 * 3600, last=-3600, late=0, delay=0)
        status, headers, _ = self.ask(
            "POST",
            huawei_iam.TOKEN_PATH,
            huawei_iam.password_login({"id": huawei_iam.PROJECT_ID}),
            token=None,
        )
        self.assertEqual(status, 201)
        self.token = headers["X-Subject-Token"]

    def ask(self, method, target, body=None, token="", url=None, **headers):
        """(status, headers, body)."""
        host = (url or self.sim.url).partition("//")[2]
        connection = http.client.HTTPConnection(host, timeout=30)
        self.addCleanup(connection.close)
        headers.setdefault("Content-Type", "application/json")
        if token is not None:
            headers["X-Auth-Token"] = token or self.token
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def list_target(self, base=taurus.BASE, **changes):
        query = {
            "start_time": taurus.stamp((self.first - 3600) * 10**6),
            "end_time": taurus.stamp(self.last * 10**6),
            "offset": "0",
            "limit": "100",
        }
        query.update(changes)
        pairs = {name: value for name, value in query.items() if value is not None}
        return base + "audit-logs?" + urllib.parse.urlencode(pairs)

    def test_list(self):
        self.begin_strict()
        end_us = self.last * 10**6
        good = self.list_target()
        short = (end_us - 30 * 86400 * 10**6, end_us - 30 * 86400 * 10**6 - 10**6)
        cases = (
            (200, good),
            (200, self.list_target(limit="1", offset="3")),
            (200, self.list_target(start_time=taurus.stamp(short[0], 8 * 3600))),
            (200, self.list_target(end_time=taurus.stamp(end_us, -12600))),
            (400, self.list_target(start_time=taurus.stamp(short[1]))),
            (400, self.list_target(start_time=taurus.stamp(end_us))),
            (400, self.list_target(start_time=None)),
            (400, self.list_target(end_time=None)),
            (400, self.list_target(offset=None)),
            (400, self.list_target(limit=None)),
            (400, self.list_target(limit="0")),
            (400, self.list_target(limit="101")),
            (400, self.list_target(limit="ten")),
            (400, self.list_target(offset="-1")),
            (400, self.list_target(node_id="x")),
            (400, good.replace("%2B", "+")),
            (400, self.list_target(start_time="2025-09-15T06:25:43+08:00")),
            (400, self.list_target(start_time="2025-09-15T06:25:43")),
            (400, self.list_target(start_time="2025-09-15 06:25:43+0000")),
            (400, self.list_target(start_time="2025-13-15T06:25:43+0000")),
            (403, self.list_target(taurus.BASE.replace(huawei_iam.PROJECT_ID, "0" * 32))),
            (404, self.list_target(taurus.BASE.replace("3d39", "3d38"))),
            (400, self.list_target(taurus.BASE.replace("in07", "in01"))),
            (404, good.replace("audit-logs", "auditlog")),
        )
        for at, (status, target) in enumerate(cases):
            found = self.ask("GET", target)
            self.assertEqual(found[0], status, "case %d: %s: %r" % (at, target, found[2]))
            if status != 200:
                self.assertEqual(set(json.loads(found[2])) - {"request_id"}, {"error_code", "error_msg"})
        self.assertEqual(self.ask("POST", good)[0], 404)
        self.assertEqual(self.ask("GET", good, token=None)[0], 401)
        self.assertEqual(self.ask("GET", good, token="MIIx")[0], 401)
        self.assertEqual(self.ask("GET", good, Authorization="SDK-HMAC-SHA256 x")[0], 401)
        self.assertEqual(self.ask("GET", good, **{"Content-Type": "text/plain"})[0], 400)
        policy = json.loads(self.ask("GET", taurus.BASE + "audit-log-policy")[2])
        self.assertEqual(policy["keep_days"], 7)
        self.sim.control(bad_token="service", audit_off=True)
        status, _, body = self.ask("GET", good, token="MIIx")
        self.assertEqual((status, json.loads(body)["error_code"]), (403, "DBS.280056"))
        policy = json.loads(self.ask("GET", taurus.BASE + "audit-log-policy")[2])
        self.assertEqual(policy["keep_days"], 0)
        self.assertEqual(json.loads(self.ask("GET", good)[2]), {"audit_logs": [], "total_count": 0})

    def test_filters(self):
        """Each filter by its own words; each order is a walk over the same files."""
        self.begin_strict()
        entries = [taurus.file_line(1, n, self.trail.times[n]) for n in range(60)]
        middle = self.trail.sorted_times[30]
        edges = (middle - 3600 * 10**6, middle)
        for name, test in (
            ("overlap", lambda b, e: e >= edges[0] and b < edges[1]),
            ("begin", lambda b, e: edges[0] <= b < edges[1]),
            ("end", lambda b, e: edges[0] <= e < edges[1]),
            ("contained", lambda b, e: edges[0] <= b and e < edges[1]),
        ):
            self.sim.control(filter=name)
            target = self.list_target(
                start_time=taurus.stamp(edges[0]), end_time=taurus.stamp(edges[1])
            )
            found = json.loads(self.ask("GET", target)[2])
            wanted = set()
            for n, line in enumerate(entries):
                end_us = self.trail.times[n]
                if test(taurus.begin_us(1, n, end_us), end_us):
                    wanted.add(json.loads(line)["id"])
            self.assertEqual({x["id"] for x in found["audit_logs"]}, wanted)
            self.assertEqual(found["total_count"], len(wanted))
        self.sim.control(filter="overlap")
        orders = {}
        for order in ("asc", "desc", "random"):
            self.sim.control(order=order)
            walk = []
            for offset in range(0, 60, 20):
                page = json.loads(
                    self.ask("GET", self.list_target(offset=str(offset), limit="20"))[2]
                )
                walk += [x["id"] for x in page["audit_logs"]]
            orders[order] = walk
        self.assertEqual(orders["asc"], orders["desc"][::-1])
        self.assertEqual(sorted(orders["asc"]), sorted(orders["random"]))
        self.assertEqual(len(set(orders["asc"])), 60)

    def test_links(self):
        self.begin_strict()
        target = taurus.BASE + "audit-log-link"
        ids = [taurus.file_id(1, n) for n in range(60)]
        for status, body in (
            (200, {"ids": ids[:50]}),
            (400, {"ids": ids[:51]}),
            (400, {"ids": []}),
            (400, {"ids": ["unknown"]}),
            (400, {"ids": [7]}),
            (400, {"ids": ids[0]}),
            (400, {"id": ids[0]}),
            (400, [ids[0]]),
        ):
            self.assertEqual(self.ask("POST", target, json.dumps(body))[0], status, body)
        self.assertEqual(self.ask("POST", target, "{")[0], 400)
        self.assertEqual(self.ask("GET", target)[0], 404)

        def link(*numbers):
            body = json.dumps({"ids": [ids[n] for n in numbers]})
            return json.loads(self.ask("POST", target, body)[2])["links"]

        def load(url, token=None, **headers):
            parts = urllib.parse.urlsplit(url)
            return self.ask(
                "GET", parts.path + "?" + parts.query, None, token,
                "http://" + parts.netloc, **headers
            )

        many = link(*range(50))
        names = [taurus_files.name(n) for n in range(50)]
        given = [urllib.parse.unquote(urllib.parse.urlsplit(url).path.split("/")[-1]) for url in many]
        self.assertNotEqual(given, names)
        self.assertEqual(sorted(given), sorted(names))
        url = link(1)[0]
        status, _, body = load(url)
        begin_us = taurus.begin_us(1, 1, self.trail.times[1])
        self.assertEqual((status, body), (200, taurus_files.body(1, 1, begin_us, 7)))
        self.assertEqual(gzip.decompress(body).count(b'"orders"\n'), 7)
        self.assertNotIn(self.sim.url, url)
        self.assertEqual(load(url, token=self.token)[0], 403)
        self.assertEqual(load(url, Authorization="x")[0], 403)
        self.assertEqual(load(url.replace("%2F", "/"))[0], 403)
        self.assertEqual(load(url.replace("%2b", "%2B"))[0], 403)
        self.assertEqual(load(url.replace(self.sim.stats()["link_origin"], self.sim.url))[0], 404)
        self.sim.control(vanish_later=[3])
        status, headers, body = load(link(3)[0])
        self.assertEqual((status, headers["Content-Type"]), (404, "application/xml"))
        self.assertIn(b"<Code>NoSuchKey</Code>", body)
        self.sim.control(clock_offset=taurus.LINK_LIFE_S + 1)
        status, _, body = load(url)
        self.assertEqual(status, 403)
        self.assertIn(b"Request has expired", body)

    def test_lock(self):
        """Five bad signatures in a row, and even a right one is refused."""
        self.begin_strict()
        for _ in range(huawei_iam.LOCK_AFTER):
            answer = self.ask("GET", self.list_target(), token=None, Authorization="SDK-HMAC-SHA256")
            self.assertEqual(answer[0], 401)
        self.assertTrue(self.sim.stats()["locked"])
        self.configure(self.taurus(self.keys()), self.file_sink())
        self.assertIn("AK locked", self.run_once(expect=75).err)


if __name__ == "__main__":
    harness.main()
