#!/usr/bin/python3
"""OUTSCALE's ReadApiLogs: whatever order and edges the real API has, every call comes out once."""

import argparse
import collections
import http.client
import json
import time

import harness
from harness import PATIENCE, wait_until, whole_lines

import outscale
import sigv4
import simlib
import trail

HOUR_US = 3600 * 10**6
IGNORED = ("ReadApiLogs",)

# what the documents leave open; each mode is a service that might be there
MODES = {
    "as documented": {},
    "as the vendor's tools read it": {
        "order": "newest",
        "ties": "mixed",
        "before": "inclusive",
        "empty_last": True,
        "end": "null",
    },
}

# each roll is its own; with a tenth of all requests something is wrong
DISTURBANCES = [
    {**outscale.FAULTS["account"], "probability": 0.01},
    {**outscale.FAULTS["call"], "probability": 0.01, "retry_after": 0},
    {**outscale.FAULTS["platform"], "probability": 0.01},
    {**outscale.FAULTS["gateway"], "probability": 0.01},
    {**outscale.FAULTS["problem"], "probability": 0.01},
    {**outscale.FAULTS["xml"], "probability": 0.01},
    {**outscale.FAULTS["html"], "probability": 0.01},
    {"kind": "cut", "bytes": 20000, "probability": 0.01},
    {"kind": "reset", "bytes": 3000, "probability": 0.01},
    {"kind": "truncate", "bytes": 5000, "probability": 0.01},
    {"kind": "close", "probability": 0.01},
    {"kind": "slow", "chunk": 40000, "seconds": 0.005, "probability": 0.03},
]


class Case(harness.Case):
    def begin(self, count, first_us, last_us, delay_s=0, late_s=0, **settings):
        """A simulator of a trail from FIRST to LAST; self.trail is the same trail."""
        arguments = {
            "seed": 7,
            "count": count,
            "first": simlib.iso(first_us),
            "last": simlib.iso(last_us),
            "delay_s": delay_s,
            "late_s": late_s,
        }
        self.trail = outscale.make_trail(argparse.Namespace(**arguments), 0)
        options = [
            part
            for name, value in arguments.items()
            for part in ("--" + name.replace("_", "-"), str(value))
        ]
        self.sim = self.simulator(*options, name="outscale")
        self.control(**settings)

    def control(self, **settings):
        self.sim.control(**settings)

    def recent(self, count, hours=47, **settings):
        """A trail that ended ten minutes ago."""
        self.now_us = int(time.time() * 1e6)
        first_us = self.now_us - hours * HOUR_US
        self.begin(count, first_us, self.now_us - 600 * 10**6, **settings)

    def source(self, *lines, secret_key=outscale.SECRET_KEY, name="acme"):
        keys = {
            "provider": "outscale",
            "access_key": outscale.ACCESS_KEY,
            "secret_key": secret_key,
            "endpoint": self.sim.url,
            "rate": "off",
            "retry_max": "20ms",
        }
        if not any(line.startswith("start") for line in lines):
            keys["start"] = "earliest"
        text = "".join("%s = %s\n" % item for item in keys.items())
        return "[source %s]\n%s%s\n" % (name, text, "\n".join(lines))

    def once(self, expect=0, seconds=120):
        result = super().once(expect, seconds)
        self.assertNotIn(outscale.SECRET_KEY, result.err)
        return result

    def lines(self):
        return whole_lines(self.out)

    def assert_all(self, wanted=None):
        """The output holds the WANTED lines, in whatever order, each as often."""
        if wanted is None:
            wanted = [line for _, _, line in outscale.expected(self.trail)]
        missing = collections.Counter(wanted)
        missing.subtract(self.lines())
        wrong = [(n, line[:300]) for line, n in missing.items() if n]
        self.assertEqual((len(self.lines()), wrong[:5]), (len(wanted), []))

    def windows(self):
        """(QueryDateAfter, QueryDateBefore) in microseconds of all requests that were answered
        with a list, in order."""
        found = []
        for entry in self.sim.log():
            if entry["status"] == 200 and not entry["fault"]:
                filters = json.loads(entry["body"])["Filters"]
                found.append(
                    (
                        simlib.iso_parse(filters["QueryDateAfter"]),
                        simlib.iso_parse(filters["QueryDateBefore"]),
                    )
                )
        return found


class Records(Case):
    def test_all_disturbances(self):
        for name, mode in MODES.items():
            with self.subTest(name):
                self.all_disturbances(mode)

    def all_disturbances(self, mode):
        """20,000 calls of ten hours, while the server's clock goes through these hours, a minute
        at every request: late records and the reader's own calls come up as they would."""
        count = 20_000
        self.out.unlink(missing_ok=True)
        for file in self.state.glob("*"):
            file.unlink()
        self.now_us = int(time.time() * 1e6)
        first_us = self.now_us - 300 * HOUR_US
        self.begin(count, first_us, first_us + 10 * HOUR_US, delay_s=40, late_s=800)
        self.control(
            **mode,
            clock_offset=-300 * 3600 + 600,
            clock_step=45,
            log_calls=True,
            repeat=3,
            expire_every=41,
            faults=DISTURBANCES,
            fault_seed=3,
        )
        self.configure(
            self.source("interval = 1ms", "page_size = 150", "start = -20d"), self.file_sink()
        )
        total = sum(len(line) + 1 for _, _, line in outscale.expected(self.trail))
        log = []
        for part in (0.2, 0.45, 0.7, 0.95):
            daemon = self.daemon()
            self.wait_size(self.out, int(total * part), 60)
            self.control(expire_tokens=True)
            daemon.kill()
            log.append(daemon.text())
        text = "\n".join(log)
        self.assertNotIn(outscale.SECRET_KEY, text)
        self.assertIn("stored cursor is lost", text)
        stats = self.sim.stats()
        for status in ("200", "400", "401", "429", "500", "502", "503", "504"):
            self.assertIn(status, stats["statuses"])
        # at most one at each start, before the server's clock is known
        self.assertLessEqual(stats["bad_signatures"], 4)
        self.assertEqual(stats["locks"], 0)
        self.control(faults=[], clock_step=0)
        behind = int(time.time() * 1e6) - self.trail.sorted_times[-1]
        for minutes in (10, 20, 40):
            self.control(clock_offset=minutes * 60 - behind / 1e6)
            result = self.once()
        self.assertTrue(result.lines(" 0 new records"), result.err)
        self.assert_all()
        self.sim.stop()

    def test_order(self):
        """What comes up in one window is handed on oldest first, ties by their IDs."""
        self.recent(5000, order="newest", ties="mixed", before="inclusive")
        self.configure(self.source("start = -48h", "page_size = 70"), self.file_sink())
        self.once()
        wanted = b"".join(line + b"\n" for _, _, line in outscale.expected(self.trail))
        self.assert_output(wanted)

    def test_backfill(self):
        """32 days in windows of two, none longer, none missing; what is older is gone."""
        now_us = int(time.time() * 1e6)
        self.begin(20_000, now_us - 33 * trail.DAY_US, now_us - 600 * 10**6, span_max=172800)
        for start in ("earliest", "-32d"):
            self.control(reset_numbers=True)
            self.state = self.dir / start
            self.out = self.dir / (start + ".ndjson")
            self.configure(self.source("start = " + start), self.file_sink())
            self.once()
            windows = self.windows()
            first_us, last_us = windows[0][0], windows[-1][1]
            self.assertLess(abs(first_us - now_us + 32 * trail.DAY_US), 200 * 10**6 * PATIENCE)
            self.assertLess(abs(last_us - now_us), 200 * 10**6 * PATIENCE)
            for before, after in zip(windows, windows[1:]):
                self.assertTrue(after == before or after[0] == before[1], (before, after))
            self.assertLessEqual(max(end - start for start, end in windows), 2 * trail.DAY_US)
            self.assertEqual(len(set(windows)), 16)
            sizes = {json.loads(entry["body"])["ResultsPerPage"] for entry in self.sim.log()}
            self.assertEqual(sizes, {1000})
            oldest = simlib.iso(first_us)
            self.assert_all([r[2] for r in outscale.expected(self.trail) if r[0] >= oldest])
            self.assertEqual(set(self.sim.stats()["statuses"]), {"200"})

    def test_tokens_that_never_last(self):
        """Windows are cut until a chain is done before its tokens are dead."""
        self.recent(3000, expire_every=3)
        self.configure(self.source("start = -48h", "page_size = 200"), self.file_sink())
        daemon = self.daemon()
        lines = [line for _, _, line in outscale.expected(self.trail)]
        self.wait_size(self.out, sum(len(line) + 1 for line in lines))
        self.assertEqual(daemon.stop(), 0)
        self.assertIn("expired", daemon.text())
        self.assertIn("retrying in", daemon.text())
        self.assertLess(self.sim.stats()["requests"], 200)
        spans = [end - start for start, end in self.windows()]
        self.assertLess(min(spans), max(spans) / 7)
        self.assert_all(lines)


class Parameters(Case):
    def run_with(self, *lines):
        self.n_runs = getattr(self, "n_runs", 0) + 1
        self.state = self.dir / ("state%d" % self.n_runs)
        self.out.unlink(missing_ok=True)
        self.configure(self.source(*lines), self.file_sink())
        return self.once()

    def wanted(self, test):
        records = [json.loads(line) for _, _, line in outscale.expected(self.trail)]
        return [outscale.record_text(r) for r in records if test(r)]

    def test_filters(self):
        self.recent(2000)
        key, ip = outscale.KEYS[1], "198.51.100.7"
        cases = (
            (["query_access_keys = " + key], lambda r: r["QueryAccessKey"] == key),
            (["query_api_names = oapi"], lambda r: True),
            (["query_api_names = fcu"], lambda r: False),
            (
                ["query_call_names = CreateVms, ReadVms"],
                lambda r: r["QueryCallName"] in ("CreateVms", "ReadVms"),
            ),
            (
                ["query_ip_addresses = %s,198.51.100.8" % ip, "query_access_keys = " + key],
                lambda r: r["QueryIpAddress"] in (ip, "198.51.100.8")
                and r["QueryAccessKey"] == key,
            ),
            (
                ["query_user_agents = Terraform/1.5 (+https://x)"],
                lambda r: r["QueryUserAgent"].startswith("Terraform"),
            ),
            (
                ["response_status_codes = 403, 500"],
                lambda r: r["ResponseStatusCode"] in (403, 500),
            ),
            (
                ["ignore_calls = ReadVms,Create*"],
                lambda r: r["QueryCallName"] in ("DeleteSnapshot", "ReadAccounts")
                or r["QueryAccessKey"] != outscale.ACCESS_KEY,
            ),
        )
        for lines, test in cases:
            with self.subTest(lines[0]):
                self.run_with(*lines)
                wanted = self.wanted(test)
                self.assertLess(len(wanted), self.trail.count + (lines == cases[1][0]))
                self.assert_all(wanted)

    def test_members_left_out(self):
        self.recent(500)
        names = [m for m in outscale.MEMBERS if m not in ("QueryDate", "RequestId", "QueryCallName")]
        snake = {
            name: "with" + "".join("_" + c.lower() if c.isupper() else c for c in name)
            for name in names
        }
        for hidden in ({"QueryPayloadRaw", "QueryHeaderRaw"}, set(names)):
            self.run_with(*(snake[name] + " = no" for name in hidden))
            lines = [line for _, _, line in outscale.expected(self.trail)]
            self.assert_all([outscale.without(line, hidden) for line in lines])
        self.run_with("with_query_payload_raw = yes")
        self.assert_all()

    def test_own_calls(self):
        """Left out unless they are wanted; then each is there once."""
        self.recent(300, log_calls=True)
        self.configure(self.source("ignore_calls ="), self.file_sink())
        self.once()
        n_calls = self.sim.stats()["calls"]
        self.assertGreaterEqual(n_calls, 16)
        for minutes in (10, 20):
            self.control(clock_offset=minutes * 60)
            self.once()
        names = collections.Counter(json.loads(line)["QueryCallName"] for line in self.lines())
        self.assertEqual(names.total() - names["ReadApiLogs"], 300)
        # those of the last run are too new: up to this host's clock, and from there to the server's
        self.assertEqual(names["ReadApiLogs"], self.sim.stats()["calls"] - 2)

    def test_signature_of_aws(self):
        self.recent(300)
        self.run_with("signature = aws")
        self.assert_all()
        self.assertEqual(list(self.sim.stats()["algorithms"]), ["AWS4-HMAC-SHA256"])
        self.run_with()
        self.assertEqual(len(self.sim.stats()["algorithms"]), 2)

    def test_faults_of_configuration(self):
        self.recent(1)
        whole = self.source()
        cases = (
            (whole.replace("access_key = ", "# "), "needs `access_key`"),
            (whole.replace("secret_key = ", "# "), "needs `secret_key`"),
            (whole.replace("secret_key", "secret_kye"), "secret_kye"),
            (self.source("signature = gcp"), "osc, aws, acs3 or tc3"),
            (self.source("response_status_codes = ok"), "does not fit"),
            (self.source("with_query_header_raw = perhaps"), "does not fit"),
            (self.source("with_request_id = no"), "with_request_id"),
            (self.source("region = eu west"), "region"),
        )
        for text, phrase in cases:
            with self.subTest(phrase):
                self.configure(text, self.file_sink())
                result = self.check(78)
                self.assertIn(phrase, result.err)
                self.assertNotIn(outscale.SECRET_KEY, result.err)
        self.assertEqual(self.sim.stats()["requests"], 0)


class Access(Case):
    def test_no_lockout(self):
        """A wrong key is tried once, then not before a lockout's longest time is over."""
        self.recent(100)
        wrong = outscale.SECRET_KEY[::-1]
        for offset, n_requests in ((0, 1), (1200, 2)):
            self.control(clock_offset=offset, reset_numbers=True)
            self.configure(self.source(secret_key=wrong), self.file_sink())
            daemon = self.daemon()
            line = daemon.wait_log("retrying in")
            self.assertIn("401", line)
            self.assertIn("AccessDenied", line)
            self.assertIn("retrying in 10m", line)
            self.assertEqual(self.sim.stats()["requests"], n_requests)
            self.assertEqual(daemon.stop(), 0)
            self.assertNotIn(wrong, daemon.text())
            self.assertEqual(self.sim.stats()["requests"], n_requests)
        self.assertEqual(self.sim.stats()["locks"], 0)
        self.control(clock_offset=0)
        self.configure(self.source(), self.file_sink())
        self.once()
        self.assert_all()

    def test_wrong_clock(self):
        """Signatures follow the server's clock, however wrong this host's is; the future of the
        server is tried once, and no more when it is refused."""
        for offset in (-7200, 7200):
            with self.subTest(offset):
                now_us = int((time.time() + offset) * 1e6)
                self.state = self.dir / str(offset)
                self.out.unlink(missing_ok=True)
                self.begin(
                    500, now_us - 40 * HOUR_US, now_us - 100 * 10**6, clock_offset=offset
                )
                self.configure(self.source(), self.file_sink())
                result = self.once()
                self.assertTrue(result.lines("clock differs"), result.err)
                self.assert_all()
                stats = self.sim.stats()
                self.assertEqual((stats["bad_signatures"], stats["locks"]), (1, 0))
                self.assertEqual(stats["statuses"].get("400", 0), 1 if offset < 0 else 0)

    def test_clock_that_jumps(self):
        """The daemon gets along with a clock that is set while it runs."""
        self.recent(200)
        self.configure(self.source("interval = 10ms"), self.file_sink())
        daemon = self.daemon()
        wait_until(lambda: len(self.lines()) == 200, "all records")
        for offset in (1000, 4000):
            mark = self.sim.stats()["statuses"]["200"]
            self.control(clock_offset=offset)
            wait_until(lambda: self.sim.stats()["statuses"]["200"] > mark + 3, "answers")
        stats = self.sim.stats()
        self.assertEqual((stats["bad_signatures"], stats["locks"]), (2, 0))
        self.assertEqual(daemon.stop(), 0)
        self.assert_all()


class Strictness(Case):
    """The simulator refuses what these tests rely on."""

    PATH = outscale.PATHS[0]

    def ask(
        self,
        members=None,
        path=PATH,
        method="POST",
        offset=0,
        change=None,
        algorithm="OSC4-HMAC-SHA256",
    ):
        """(status, decoded body) of a request that is signed here, OFFSET seconds ahead;
        CHANGE(headers) spoils it."""
        scheme = sigv4.SCHEMES[algorithm]
        body = members if isinstance(members, bytes) else json.dumps(members or {}).encode()
        host, port = self.sim.url[len("http://") :].split(":")
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + offset))
        headers = {
            "content-type": "application/json",
            "host": host + ":" + port,
            scheme.date_header: date,
        }
        signed = sorted(headers)
        canonical = sigv4.canonical_request(method, path, headers, signed, body)
        headers["authorization"] = (
            "%s Credential=%s/%s/eu-west-2/api/%s, SignedHeaders=%s, Signature=%s"
            % (
                algorithm,
                outscale.ACCESS_KEY,
                date[:8],
                scheme.end,
                ";".join(signed),
                sigv4.signature(scheme, outscale.SECRET_KEY, date, "eu-west-2", canonical),
            )
        )
        if change:
            change(headers)
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        self.addCleanup(connection.close)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def dates(self, *members, **settings):
        """The QueryDates of an answer, as hours before now, rounded down."""
        self.control(**settings)
        filters = {
            name: value if isinstance(value, str) else simlib.iso(value)
            for name, value in zip(("QueryDateAfter", "QueryDateBefore"), members)
            if value is not None
        }
        status, body = self.ask({"Filters": filters, "ResultsPerPage": 1000})
        self.assertEqual(status, 200, body)
        return [simlib.iso_parse(record["QueryDate"]) for record in body["Logs"]]

    def test_requests(self):
        self.recent(300)
        after = simlib.iso(self.now_us - HOUR_US)
        old = simlib.iso(self.now_us - 33 * trail.DAY_US)
        future = simlib.iso(self.now_us + HOUR_US)
        cases = (
            (200, {}),
            (200, b""),
            (200, {"Filters": {}, "With": {"AccountId": False}, "ResultsPerPage": 1}),
            (200, {"Filters": {"QueryDateAfter": after}}),
            (200, {"Filters": {"QueryDateAfter": after[:10]}}),
            (200, {"Filters": {"QueryDateAfter": after[:19] + "Z"}}),
            (200, {"DryRun": True}),
            (400, b"{"),
            (400, b"[]"),
            (400, {"Filter": {}}),
            (400, {"Filters": {"QueryCallName": ["x"]}}),
            (400, {"Filters": {"QueryCallNames": "x"}}),
            (400, {"Filters": {"ResponseStatusCodes": ["200"]}}),
            (400, {"Filters": {"QueryDateAfter": 1700000000}}),
            (400, {"Filters": {"QueryDateAfter": "yesterday"}}),
            (400, {"Filters": {"QueryDateAfter": after[:-1]}}),
            (400, {"Filters": {"QueryDateAfter": after[:-1] + "000Z"}}),
            (400, {"Filters": {"QueryDateAfter": old}}),
            (400, {"Filters": {"QueryDateBefore": future}}),
            (400, {"Filters": {"QueryDateAfter": after, "QueryDateBefore": old}}),
            (400, {"With": {"Account": True}}),
            (400, {"With": {"AccountId": "no"}}),
            (400, {"ResultsPerPage": 0}),
            (400, {"ResultsPerPage": 1001}),
            (400, {"ResultsPerPage": "100"}),
            (400, {"NextPageToken": "x"}),
            (400, {"NextPageToken": 1}),
        )
        for at, (status, members) in enumerate(cases):
            found = self.ask(members)
            self.assertEqual(found[0], status, "case %d: %s: %s" % (at, members, found[1]))
            self.assertTrue(status == 200 or found[1]["Errors"][0]["Code"], found[1])
        self.assertEqual(self.ask(path="/api/v1/ReadVms")[0], 404)
        self.assertEqual(self.ask(method="PUT")[0], 405)
        self.assertEqual(self.ask(algorithm="AWS4-HMAC-SHA256")[0], 200)
        self.control(odd_dates="empty")
        status, body = self.ask({"Filters": {"QueryDateBefore": future}})
        self.assertEqual((status, body["Logs"]), (200, []))

    def test_windows(self):
        """48 hours where a bound is missing; After is inclusive, Before as it is set."""
        now_us = int(time.time() * 1e6)
        self.begin(900, now_us - 6 * trail.DAY_US, now_us - 600 * 10**6)
        times = self.trail.sorted_times
        day_us, edge = trail.DAY_US, times[400]
        for members, start, end in (
            ((), now_us - 2 * day_us, now_us),
            ((edge,), edge, edge + 2 * day_us),
            ((None, edge), edge - 2 * day_us, edge),
            ((edge - 3 * day_us, edge), edge - 3 * day_us, edge),
        ):
            found = self.dates(*members)
            wanted = [t for t in times if start <= t < end]
            # between both looks at the clock a record may have become too old
            self.assertLessEqual(abs(len(found) - len(wanted)), 3 if not members else 0)
        day = simlib.iso(edge)[:10]
        midnight = simlib.iso_parse(day + "T00:00:00Z")
        wanted = [t for t in times if midnight <= t < midnight + day_us]
        self.assertEqual(self.dates(day, day), wanted)
        n_edge = times.count(edge)
        self.assertEqual(len(self.dates(edge, edge, before="inclusive")), n_edge)
        self.assertEqual(self.dates(edge, edge, before="exclusive"), [])
        whole = self.dates(None, edge)
        self.assertEqual(self.dates(None, edge, order="newest"), whole[::-1])

    def test_tokens(self):
        self.recent(300)
        first = {"ResultsPerPage": 100, "Filters": {"QueryCallNames": ["ReadVms", "CreateVms"]}}
        token = self.ask({**first, "ResultsPerPage": 10})[1]["NextPageToken"]
        self.assertEqual(self.ask({**first, "NextPageToken": token})[0], 400)
        self.control(tokens_bound=False)
        self.assertEqual(self.ask({**first, "NextPageToken": token})[0], 200)
        self.control(tokens_bound=True, token_lifetime=100)
        again = {**first, "ResultsPerPage": 10, "NextPageToken": token}
        self.assertEqual(self.ask(again)[0], 200)
        self.assertEqual(self.ask(again)[0], 200)
        self.control(clock_offset=101)
        self.assertEqual(self.ask(again)[0], 400)
        self.control(clock_offset=0, token_lifetime=0, expire_tokens=True)
        self.assertEqual(self.ask(again)[0], 400)
        for empty_last, sizes in ((False, [200, 100]), (True, [200, 100, 0])):
            self.control(empty_last=empty_last)
            found, body = [], {"NextPageToken": None}
            while "NextPageToken" in body:
                token = {"NextPageToken": body["NextPageToken"]} if found else {}
                body = self.ask({"ResultsPerPage": 200, **token})[1]
                found.append(len(body["Logs"]))
            self.assertEqual(found, sizes)
        self.control(empty_last=False, repeat=7)
        body = self.ask({"ResultsPerPage": 200})[1]
        more = self.ask({"ResultsPerPage": 200, "NextPageToken": body["NextPageToken"]})[1]
        self.assertEqual(body["Logs"][-7:], more["Logs"][:7])

    def test_access(self):
        self.recent(10)

        def without_signature(headers):
            del headers["authorization"]

        def other_key(headers):
            key = outscale.ACCESS_KEY
            headers["authorization"] = headers["authorization"].replace(key, key[::-1])

        def other_header(headers):
            headers["content-type"] += ";charset=utf-8"

        def other_region(headers):
            headers["authorization"] = headers["authorization"].replace("eu-", "us-")

        def good(expected=200):
            self.assertEqual(self.ask()[0], expected)

        for change in (without_signature, other_key, other_header, other_region):
            status, body = self.ask(change=change)
            self.assertEqual((status, body["Errors"][0]["Code"]), (401, "1"), change)
            good()
        for offset, status in ((-310, 401), (310, 401), (-200, 200), (200, 200)):
            self.assertEqual(self.ask(offset=offset)[0], status)
        for n in range(4):
            good()
            self.assertEqual(self.sim.stats()["locked"], 0)
            self.ask(change=other_key)
        for n in range(3):
            self.ask(change=other_key)
        # that was the fourth in a row: a minute; four more, two minutes
        self.assertEqual(self.ask()[1]["Errors"][0]["Code"], "13")
        self.control(clock_offset=65)
        for n in range(4):
            self.assertEqual(self.ask(change=other_key)[1]["Errors"][0]["Code"], "1")
        self.assertEqual(self.sim.stats()["locks"], 2)
        self.control(clock_offset=65 + 90)
        self.assertEqual(self.ask()[1]["Errors"][0]["Code"], "13")
        self.control(clock_offset=65 + 130)
        good()


if __name__ == "__main__":
    harness.main()
