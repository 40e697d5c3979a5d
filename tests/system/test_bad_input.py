#!/usr/bin/python3
"""What an API may do wrong: nothing moves, one clear line says so, the token stays in."""

import json
import time
import urllib.request

import harness
from harness import TOKEN, wait_until

import cloudscale

MIB = 1 << 20


class BadInput(harness.Case):
    def begin(self, first=50, last=80, *arguments):
        """A source that has read FIRST records and could read up to LAST."""
        self.sim = self.cloudscale(last, *arguments)
        self.sim.control(visible=first)
        self.configure(
            self.source(self.sim.url, more="interval = 200ms\nretry_max = 1ms"), self.file_sink()
        )
        self.once()
        self.first, self.last = first, last
        self.before = self.state_dump()
        page = self.fetch(self.sim.log()[-1]["target"])
        self.sim.control(visible=last)
        # what the source asks next: the place after the last record it has
        self.link = page["poll_more"]
        self.page = self.fetch(self.link[len(self.sim.url) :])
        self.assertEqual(len(self.page["results"]), last - first)

    def fetch(self, target):
        request = urllib.request.Request(
            self.sim.url + target, headers={"Authorization": "Bearer " + TOKEN}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request) as answer:
            page = json.load(answer)
        return page

    def refused(self, phrase, *faults, seconds=60):
        """A run with FAULTS: exit 75, nothing moved, one line that says PHRASE."""
        self.sim.faults(*faults)
        result = self.once(75, seconds)
        self.assertNotIn(TOKEN.encode(), result.out)
        self.assert_output(cloudscale.expected_lines(1, 0, self.first))
        self.assertEqual(self.state_dump(), self.before)
        lines = [
            line
            for line in result.lines(phrase)
            if "acme" in line and not line.startswith("info")
        ]
        self.assertEqual(len(lines), 1, "%r not once in:\n%s" % (phrase, result.err))
        self.assertLess(len(lines[0]), 1000)
        return result

    def recovers(self):
        """The same state goes on when the fault is gone."""
        self.sim.faults()
        self.once()
        self.assert_output(cloudscale.expected_lines(1, 0, self.last))

    def bad_page(self, phrase, **changes):
        """The true next page with members replaced (None: taken out)."""
        page = {**self.page, **changes}
        page = {name: value for name, value in page.items() if value is not None}
        if "next" not in changes:
            page.setdefault("next", None)
        return self.refused(phrase, {"kind": "body", "json": page})

    def test_cut_at_every_byte(self):
        """Both: a whole answer whose text ends early, and a connection that ends early."""
        self.begin(3, 4)
        size = len(json.dumps(self.page, separators=(",", ":"), ensure_ascii=False).encode())
        for at in range(size):
            with self.subTest(bytes=at):
                self.refused("JSON", {"kind": "truncate", "bytes": at})
        for at in range(0, size, 29):
            with self.subTest(cut=at):
                self.refused("retry", {"kind": "cut", "bytes": at})
        self.recovers()

    def test_html(self):
        self.begin()
        self.refused("JSON", {"kind": "html"})
        self.recovers()

    def test_results(self):
        self.begin()
        for value in (None, {}, {"0": 1}, "text", 7, False):
            with self.subTest(results=value):
                self.bad_page("/results", results=value)
        self.refused("JSON", {"kind": "body", "body": ""})
        self.refused("/results", {"kind": "body", "body": "[]"})
        self.refused("/results", {"kind": "body", "body": "null"})
        self.recovers()

    def test_record_kinds(self):
        """An element that is no object is no record."""
        self.begin()
        for element in (7, "text", None, [1]):
            with self.subTest(element=element):
                self.bad_page("record", results=[self.page["results"][0], element])
        self.recovers()

    def test_links(self):
        self.begin()
        other = self.cloudscale(10)
        target = self.link[len(self.sim.url) :]
        port = self.sim.url.rpartition(":")[2]
        links = (
            other.url + target,
            "https://127.0.0.1:" + port + target,
            "http://localhost:" + port + target,
            "http://127.0.0.1:" + port + "@" + other.url[len("http://") :] + target,
            "//" + other.url[len("http://") :] + target,
            "file:///etc/hostname",
        )
        for link in links:
            with self.subTest(next=link):
                self.bad_page("origin", next=link)
            with self.subTest(poll_more=link):
                self.bad_page("origin", poll_more=link)
        for value in (7, True):  # false, {} and [] are no cursor
            with self.subTest(next=value):
                self.bad_page("/next", next=value)
        self.refused(
            "origin", {"kind": "status", "status": 302, "headers": {"Location": other.url + target}}
        )
        self.assertEqual(other.stats()["requests"], 0)
        self.recovers()

    def test_no_place(self):
        self.begin()
        self.bad_page("/poll_more", poll_more=None)
        self.recovers()

    def test_loop(self):
        """A page whose next is the page itself."""
        self.begin()
        self.bad_page("loop", next=self.link)
        self.assertLess(self.sim.stats()["requests"], 12)
        self.recovers()

    def test_status(self):
        self.begin()
        for status in (401, 403, 408, 500, 502, 503, 504, 418):
            with self.subTest(status=status):
                self.refused(str(status), {"kind": "status", "status": status})
        began = time.monotonic()
        self.refused("429", {"kind": "status", "status": 429, "retry_after": 3600})
        self.refused("429", {"kind": "status", "status": 429, "retry_after_date": 3600})
        self.assertLess(time.monotonic() - began, 60 * harness.PATIENCE, "waited for an hour?")
        self.recovers()

    def test_what_the_credential_looks_like(self):
        """Told with a 401, in the log and by probe: never the text, but what may be wrong with it."""
        self.begin()
        for token, words in (
            ("t0ken-of-20-letters-", "has 20 characters)"),
            ("t0ken with a blank in it", "has 24 characters, contains white space)"),
        ):
            self.configure(self.source(self.sim.url, token=token), self.file_sink())
            probe = self.trawld("-c", str(self.conf), "probe", "acme", program=harness.TRAWLCTL)
            for text in (self.once(75).err, probe.err + probe.out.decode()):
                self.assertIn("HTTP 401", text)
                self.assertIn("(`token` " + words, text)
                self.assertNotIn("t0ken", text)

    def test_server_quotes_the_token(self):
        """An error text of the API that holds the token is masked."""
        self.begin()
        fault = {"kind": "status", "status": 401, "json": {"detail": "No token %s here" % TOKEN}}
        self.refused("401", fault)
        self.refused("500", {"kind": "status", "body": "<h1>Bearer %s</h1>" % TOKEN})
        self.refused("JSON", {"kind": "body", "body": "Bearer %s" % TOKEN})
        self.recovers()

    def test_connection(self):
        self.begin()
        self.refused("retry", {"kind": "reset", "bytes": 100})
        self.refused("retry", {"kind": "close"})
        self.sim.faults()
        url = self.sim.url
        text = self.conf.read_text()
        self.conf.write_text(text.replace(url, "http://127.0.0.1:1"))
        result = self.once(75)
        self.assertEqual(len([x for x in result.lines("retry") if "acme" in x]), 1, result.err)
        self.conf.write_text(text)
        self.recovers()

    def test_too_large(self):
        """65 MiB: as one record, as many, as a small answer that unpacks to it."""
        self.begin()
        head = '{"next":null,"poll_more":"%s","results":[' % self.link
        one = [head + '{"message":"', "x" * 1024, 65 * 1024, '"}]}']
        many = [head + '{"n":0}', ',{"action":"%s"}' % ("y" * 1010), 65 * 1024, "]}"]
        self.refused("page", {"kind": "body", "repeat": one})
        self.refused("page", {"kind": "body", "repeat": many})
        self.refused("unpacks", {"kind": "body", "repeat": one, "gzip": True})
        self.recovers()

    def test_nesting(self):
        self.begin()
        head = '{"next":null,"poll_more":"%s","results":[{"a":' % self.link
        deep = head + "[" * 100_000 + "]" * 100_000 + "}]}"
        self.refused("nest", {"kind": "body", "body": deep})
        self.refused("nest", {"kind": "body", "body": head + '{"a":' * 100_000 + "0"})
        self.refused("nest", {"kind": "body", "body": "[" * 100_000})
        self.recovers()

    def test_not_utf8(self):
        self.begin()
        # half a surrogate pair is passed on as it was written: test_fidelity
        page = '{"next":null,"poll_more":"%s","results":[{"a":"%s"}]}'
        for text in ("\\x", "\u0001", "\\u12g4"):
            with self.subTest(text=text):
                self.refused("JSON", {"kind": "body", "body": page % (self.link, text)})
        self.recovers()

    def test_page_three_fails(self):
        """Pages 1 and 2 stand; the next run goes on from page 3."""
        sim = self.cloudscale(500, "--page-size", "100")
        self.configure(self.source(sim.url), self.file_sink())
        sim.faults({"kind": "status", "from": 3})
        self.once(75)
        self.assert_output(cloudscale.expected_lines(1, 0, 200))
        sim.faults()
        sim.control(reset_numbers=True)
        self.once()
        self.assert_output(cloudscale.expected_lines(1, 0, 500))
        self.assertEqual(sim.stats()["requests"], 3)

    def test_other_source_goes_on(self):
        sim = self.simulator("--project", "%s=1:100" % TOKEN, "--project", "revoked=2:100")
        sim.control(revoked=["revoked"])
        self.configure(
            self.source(sim.url, "good"), self.source(sim.url, "bad", "revoked"), self.file_sink()
        )
        self.once(75)
        self.assert_output(cloudscale.expected_lines(1, 0, 100))


    def test_one_refusal_for_all_that_share_a_credential(self):
        """A refused token is not tried by the next source: some APIs lock keys after a few."""
        sim = self.simulator("--project", "%s=1:100" % TOKEN, "--project", "revoked=2:100")
        sim.control(revoked=["revoked"])
        first = self.source(sim.url, "first", "revoked", more="interval = 1ms")
        self.configure(first, self.file_sink())
        daemon = self.daemon()
        daemon.wait_log("retrying in 5m")
        others = [
            self.source(sim.url, "other%d" % n, "revoked", more="interval = 1ms")
            for n in range(5)
        ]
        self.configure(
            first, *others, self.source(sim.url, "good", more="interval = 1ms"), self.file_sink()
        )
        daemon.signal(harness.signal.SIGHUP)
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 100)))
        self.assertEqual(sim.stats()["statuses"]["401"], 1)
        # all are to try at once: one does
        daemon.signal(harness.signal.SIGUSR2)
        wait_until(lambda: sim.stats()["statuses"]["401"] > 1, "the token to be tried")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(sim.stats()["statuses"]["401"], 2)
        # a single run does not wait for what the credential waits for
        self.configure(
            *(self.source(sim.url, "other%d" % n, "revoked") for n in range(3)),
            self.file_sink(),
        )
        result = self.once(75)
        self.assertEqual(len(result.lines("giving up for this run")), 3)
        self.assertEqual(sim.stats()["statuses"]["401"], 3)


class Passing(harness.Case):
    """A running daemon needs no person for a fault that passes."""

    def begin(self, *faults, more="interval = 200ms"):
        self.sim = self.cloudscale(300, "--page-size", "100")
        self.sim.faults(*faults)
        self.configure(self.source(self.sim.url, more=more), self.file_sink())
        self.run_daemon = self.daemon()

    def end(self):
        expected = cloudscale.expected_lines(1, 0, 300)
        self.wait_size(self.out, len(expected))
        self.assertEqual(self.run_daemon.stop(), 0, self.run_daemon.text())
        self.assert_output(expected)
        self.assertNotIn(TOKEN, self.run_daemon.text())

    def test_once_wrong_once_right(self):
        self.begin({"kind": "status", "at": [2, 3]}, {"kind": "reset", "bytes": 50, "at": [4]})
        self.end()
        bad = [line for line in self.run_daemon.log if "500" in line and "warning" in line]
        self.assertEqual(len(bad), 1, self.run_daemon.text())
        self.assertTrue(self.run_daemon.wait_log("again"))

    def test_retry_after(self):
        self.begin({"kind": "status", "status": 429, "retry_after": 2, "at": [2]})
        self.end()
        at = [entry["at"] for entry in self.sim.log()]
        self.assertGreaterEqual(at[2] - at[1], 1.9)

    def test_retry_after_date(self):
        self.begin({"kind": "status", "status": 503, "retry_after_date": 3, "at": [1]})
        self.end()
        at = [entry["at"] for entry in self.sim.log()]
        # a date has whole seconds
        self.assertGreaterEqual(at[1] - at[0], 1.5)

    def test_hanging_server(self):
        self.begin({"kind": "hang", "at": [2]}, more="interval = 200ms\ntimeout = 1s")
        self.end()

    def test_slow_body(self):
        self.begin({"kind": "slow", "chunk": 4000, "seconds": 0.05, "at": [2]})
        self.end()

    def test_auth_waits(self):
        """After a 401 nothing is asked for minutes: no hammering with a bad token."""
        self.begin({"kind": "status", "status": 401})
        self.run_daemon.wait_log("401")
        before = self.sim.stats()["requests"]
        wait_until(lambda: time.time() - self.sim.stats()["last_at"] > 3, "three quiet seconds")
        self.assertEqual(self.sim.stats()["requests"], before)
        self.assertEqual(self.run_daemon.stop(), 0)

    def test_lost_cursor(self):
        """A cursor that the API no longer knows: by time from the last record on, loudly."""
        self.sim = self.cloudscale(300, "--page-size", "100")
        self.sim.control(visible=200)
        self.configure(self.source(self.sim.url), self.file_sink())
        self.once()
        self.sim.control(visible=300, expired_before=250, page_size=1000)
        result = self.once()
        self.assertTrue(result.lines("cursor") or result.lines("lost"), result.err)
        self.assertEqual(
            sorted(self.out.read_bytes().splitlines()),
            sorted(cloudscale.expected_lines(1, 0, 300).splitlines()),
        )
        self.assert_output(cloudscale.expected_lines(1, 0, 300))

    def begin_deep(self, page_size):
        """2,000 records of the last hours; the third request of a chain has lost its cursor."""
        base = int(time.time()) - 2000 * 10
        self.deep = cloudscale.expected_lines(1, 0, 2000, base * 1_000_000, 10_000_000)
        self.sim = self.cloudscale(
            2000, "--page-size", str(page_size), "--step-ms", "10000",
            "--base", cloudscale.simlib.iso(base * 1_000_000),
        )  # fmt: skip
        self.sim.control(lose_from=3)
        self.configure(self.source(self.sim.url, more="interval = 1h"), self.file_sink())

    def assert_paced(self):
        """After the first loss, which may have been a single one, no request follows within a second."""
        log = self.sim.log()
        self.assertEqual({entry["status"] for entry in log}, {200, 404})
        lost = [n for n, entry in enumerate(log[:-1]) if entry["status"] == 404]
        self.assertGreater(len(lost), 2)
        for n in lost[1:]:
            self.assertGreater(log[n + 1]["at"] - log[n]["at"], 0.99)

    def test_lost_again_and_again(self):
        """What can be read without the cursor is all known: a single run says so and ends."""
        self.begin_deep(100)
        result = self.once(75)
        self.assertEqual(len(result.lines("the stored cursor is lost")), 1, result.err)
        (told,) = result.lines("; position unchanged")
        self.assertRegex(told, "^warning: .*HTTP 404.*: the cursor was lost again before the last page;")
        self.assertTrue(told.endswith("retrying in 1s"), told)
        (end,) = result.lines(" gave up: ")
        self.assertRegex(end, r"\d+ new records, .*; the last error: HTTP 404.*lost again")
        self.assert_paced()
        self.assertLess(self.sim.stats()["requests"], 30)
        n = len(self.out.read_bytes().splitlines())
        self.assertIn(n, range(200, 1000))
        self.sim.control(lose_from=0)
        self.once()
        self.assert_output(self.deep)

    def test_lost_while_it_moves(self):
        """Two pages are more than the overlap: every chain that is lost comes a little further."""
        self.begin_deep(300)
        daemon = self.daemon()
        self.wait_size(self.out, len(self.deep))
        daemon.wait_log("works again")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_paced()
        told = [line for line in daemon.log if "lost" in line and "warning" in line]
        self.assertEqual(len(told), 2, daemon.text())
        self.assert_output(self.deep)
        self.assertNotIn("gap: ", daemon.text())

    def test_expired_records(self):
        """A cursor that is still answered after 91 days does not hide what expired: the API keeps 90."""
        now, day = int(time.time()), 86_400
        base, step = now - 100 * day, day // 3
        self.sim = self.cloudscale(
            300, "--page-size", "50", "--step-ms", str(step * 1000),
            "--base", cloudscale.simlib.iso(base * 1_000_000),
        )  # fmt: skip
        self.sim.control(visible=27)
        self.configure(self.source(self.sim.url, more="resume.retention = 1000d"), self.file_sink())
        self.once()
        self.age_cursor(91, "polled")
        self.configure(self.source(self.sim.url), self.file_sink())
        self.sim.control(visible=300, retention=90 * day)
        times = [cloudscale.timestamp_us(1, n, base * 1_000_000, step * 1_000_000) for n in range(300)]
        kept = [n for n in range(27, 300) if times[n] > (now - 90 * day) * 1_000_000]
        self.assertIn(len(kept), range(150, 272))
        result = self.once()
        (line,) = result.lines("gap: ")
        self.assertRegex(line, "^error: source acme .*gap: records from ")
        line = lambda n: cloudscale.record_line(1, n, base * 1_000_000, step * 1_000_000) + b"\n"
        self.assert_output(b"".join(map(line, [*range(27), *kept])))
        self.assertRegex(self.ctl("gaps").text, r"^source acme: \S+Z to \S+Z, retention, found ")
        self.assertEqual(self.once().lines("gap: "), [])


if __name__ == "__main__":
    harness.main()
