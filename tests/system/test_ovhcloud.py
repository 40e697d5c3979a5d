#!/usr/bin/python3
"""OVHcloud's OpenStack API logs, read from a Logs Data Platform alias: nothing lost, nothing twice,
nothing altered, whatever the endpoint, the network and the process do."""

import collections
import json
import time

import harness
from harness import TOKEN

import ovhcloud

PASSWORD = "s3cret-passw0rd-of-acme-11"
DAY = 86_400
# three copies of what one shard's loss, overload and a proxy look like
DISTURBANCES = (
    {"kind": "status", "status": 429, "probability": 0.02, "retry_after": 0, "json": {"error": {
        "root_cause": [{"type": "rejected_execution_exception", "reason": "rejected"}],
        "type": "search_phase_execution_exception", "reason": "all shards failed"}, "status": 429}},
    {"kind": "status", "status": 503, "probability": 0.02, "json": {"error": {"root_cause": [
        {"type": "cluster_block_exception", "reason": "blocked"}]}, "status": 503}},
    {"kind": "status", "status": 502, "probability": 0.01, "body": "<html>Bad gateway</html>"},
    {"kind": "html", "probability": 0.01},
    {"kind": "truncate", "probability": 0.02, "bytes": 700},
    {"kind": "cut", "probability": 0.02, "bytes": 9000},
    {"kind": "reset", "probability": 0.01, "bytes": 3000},
    {"kind": "close", "probability": 0.01},
    {"kind": "slow", "probability": 0.01, "chunk": 20000, "seconds": 0.01},
)


class Case(harness.Case):
    def ldp(self, records, first, last, *arguments, late=0, delay=0):
        """A simulator whose times are seconds; and what must come out, by number."""
        first_us, last_us = int(first) * 1_000_000, int(last * 1000) * 1000
        self.trail = ovhcloud.make_trail(
            1, records, first_us, last_us, delay * 1_000_000, late * 1_000_000
        )
        simulator = self.simulator(
            "--records", str(records), "--first", str(first_us), "--last", str(last_us),
            "--late", str(late), "--visible-delay", str(delay), *arguments, name="ovhcloud",
        )
        simulator.control(bearer={TOKEN: True})
        return simulator

    def source(self, url, more="", auth="token = " + TOKEN, start="-2d"):
        return (
            "[source acme]\nprovider = ovhcloud\ncluster = gra1\nalias = %s\n%s\nendpoint = %s\n"
            "start = %s\nretry_max = 50ms\n%s\n" % (ovhcloud.ALIAS, auth, url, start, more)
        )

    def setup_source(self, url, more="", **named):
        self.configure(self.source(url, more, **named), self.file_sink())

    def once(self, expect=0, **named):
        result = super().once(expect, **named)
        self.assertNotIn(PASSWORD, result.err)
        return result

    def lines(self, numbers=None, form="iso"):
        numbers = range(self.trail.count) if numbers is None else numbers
        return collections.Counter(
            ovhcloud.document(self.trail, n, form).encode() for n in numbers
        )

    def found(self):
        return self.out.read_bytes().splitlines() if self.out.exists() else []

    def assert_all(self, numbers=None, form="iso"):
        found, wanted = collections.Counter(self.found()), self.lines(numbers, form)
        self.assertEqual(
            (sum(found.values()), list((found - wanted).items())[:2],
                list((wanted - found).items())[:2]),
            (sum(wanted.values()), [], []),
        )

    def bodies(self, simulator):
        return [json.loads(entry["body"]) for entry in simulator.log()]

    def window(self, body):
        bounds = body["query"]["bool"]["filter"][0]["range"]["timestamp"]
        return bounds["gte"], bounds["lt"]

    def forget(self):
        """State and output go: another run begins."""
        self.out.unlink(missing_ok=True)
        for file in self.state.glob("*"):
            file.unlink()


class Ovhcloud(Case):
    # everything at once

    def disturbed(self, more, form, **settings):
        """20,000 records; most happen while they are read, some are seen up to 14 minutes late."""
        now = time.time()
        last = now + 12 * 3600
        simulator = self.ldp(20_000, now - 6 * 3600, last, late=840, delay=20)
        simulator.control(clock_step=60, repeat=3, date_format=form,
            partial={"kind": "failed", "probability": 0.02}, **settings)
        simulator.faults(*DISTURBANCES)
        self.setup_source(simulator.url, "interval = 1ms\npage_size = 200\n" + more)
        total = sum(len(line) + 1 for line in self.lines(form=form).elements())
        for part in (0.2, 0.5, 0.7, 0.9):
            daemon = self.daemon()
            self.wait_size(self.out, int(part * total), 120)
            daemon.kill()
            self.assertNotIn(TOKEN, daemon.text())
            self.assertLess(self.out.stat().st_size, total)
            simulator.control(partial={"kind": "timed_out", "probability": 0.02})
        stats = simulator.stats()
        self.assertGreater(stats["partials"], 5)
        self.assertGreater(stats["faults"], 20)
        self.assertNotIn("400", stats["statuses"])
        simulator.faults()
        # until the last record can be seen and a poll has begun after that
        for hours in (1, 2, 3):
            clock = max(last, simulator.stats()["clock"]) + 3600 * hours
            simulator.control(partial={}, clock_step=0, clock_offset=clock - time.time())
            self.once()
        self.assert_all(form=form)
        size = self.out.stat().st_size
        self.once()
        self.assertEqual(self.out.stat().st_size, size)
        return simulator

    def test_disturbed(self):
        simulator = self.disturbed("", "iso")
        twins = [n for n in range(self.trail.count) if ovhcloud.twin(self.trail, n) != n]
        self.assertGreater(len(twins), 50)
        late = [n for n in range(self.trail.count)
            if self.trail.seen[n] - self.trail.times[n] > 300_000_000]
        self.assertGreater(len(late), 300)
        self.assertEqual(self.bodies(simulator)[-1]["sort"], [{"timestamp": "asc"}, "_id"])

    def test_disturbed_without_id_sort(self):
        """A cluster that refuses to sort by _id, analyses its texts and writes times its own way."""
        simulator = self.disturbed(
            "tiebreaker =", "graylog", id_sort=False, mapping="text", total="number"
        )
        self.assertEqual(self.bodies(simulator)[-1]["sort"], [{"timestamp": "asc"}])

    # order and paging

    def ties(self, page_size, tiebreaker):
        """3,000 records within a second, about 20 in some milliseconds."""
        self.forget()
        last = time.time() - 3600
        simulator = self.ldp(3000, int(last), int(last) + 1)
        simulator.control(id_sort=bool(tiebreaker))
        self.setup_source(simulator.url, "page_size = %d\ntiebreaker = %s" % (
            page_size, tiebreaker), start="-2h")
        return simulator

    def test_ties(self):
        for page_size, tiebreaker in ((7, "_id"), (100, "_id"), (1000, "_id"), (60, ""), (999, "")):
            with self.subTest(page_size=page_size, tiebreaker=tiebreaker):
                simulator = self.ties(page_size, tiebreaker)
                self.once()
                self.assert_all()
                times = [json.loads(line)["timestamp"] for line in self.found()]
                self.assertEqual(times, sorted(times))
                edges = [times[n] == times[n - 1] for n in range(page_size, 3000, page_size)]
                self.assertIn(True, edges)
                self.assertEqual(set(simulator.stats()["statuses"]), {"200"})

    def test_a_page_full_of_ties(self):
        """More records in one millisecond than a page holds: said, and nothing is passed over."""
        simulator = self.ties(7, "")
        result = self.once(75)
        self.assertTrue(result.lines("`/sort` is the same in all elements"), result.err)
        found = self.found()
        self.assertFalse(collections.Counter(found) - self.lines())
        # its last millisecond may be there in part
        last = max(json.loads(line)["timestamp"] for line in found)
        before = [n for n in range(3000)
            if ovhcloud.time_text(self.trail.times[n], "iso") < last]
        self.assertGreater(len(before), 50)
        self.assertFalse(self.lines(before) - collections.Counter(found))
        self.setup_source(simulator.url, "page_size = 500\ntiebreaker =", start="-2h")
        self.once()
        self.assert_all()

    def test_another_tiebreaker(self):
        """A cursor of the old order is not sent with the new one: the window is read again."""
        now = time.time()
        simulator = self.ldp(900, now - 1800, now - 600)
        simulator.faults({"kind": "status", "status": 500, "from": 4})
        self.setup_source(simulator.url, "page_size = 100", start="-50m")
        self.once(75)
        self.assertIn(len(self.found()), range(100, 500))
        simulator.faults()
        self.setup_source(simulator.url, "page_size = 100\ntiebreaker =", start="-50m")
        result = self.once()
        self.assertFalse(result.lines("search_after"), result.err)
        self.assert_all()

    def test_backfill(self):
        """32 days in hours: no piece longer, none missing, in order."""
        now = int(time.time())
        simulator = self.ldp(4000, now - 32 * DAY + 60, now - 120)
        self.setup_source(simulator.url, start="-32d")
        before = time.time()
        self.once()
        after = time.time()
        self.assert_all()
        times = [json.loads(line)["timestamp"] for line in self.found()]
        self.assertEqual(times, sorted(times))
        bodies = self.bodies(simulator)
        windows = [self.window(body) for body in bodies if "search_after" not in body]
        self.assertIn(len(windows), (768, 769))
        self.assertEqual(len(set(windows)), len(windows))
        for n, (start, end) in enumerate(windows):
            self.assertLess(start, end)
            self.assertLessEqual(end - start, 3_600_000)
            if n:
                self.assertEqual(start, windows[n - 1][1])
        self.assertLess(abs(windows[0][0] / 1000 - (before - 32 * DAY)), after - before + 1)
        # a Date header has whole seconds
        self.assertLess(abs(windows[-1][1] / 1000 + 30 - after), after - before + 2)
        self.assertEqual({body["size"] for body in bodies}, {1000})

    def test_earliest(self):
        now = int(time.time())
        simulator = self.ldp(500, now - 360 * DAY, now - 120)
        self.setup_source(simulator.url, "resume.span_max = 30d", start="earliest")
        self.once()
        self.assert_all()
        starts = [self.window(body)[0] for body in self.bodies(simulator)]
        self.assertGreater(min(starts) / 1000, now - 366 * DAY)
        self.assertEqual(len(set(starts)), 13)

    # what is asked for

    def selection(self, more, chosen, mapping="keyword"):
        self.forget()
        now = time.time()
        simulator = self.ldp(900, now - DAY, now - 120)
        simulator.control(mapping=mapping)
        self.setup_source(simulator.url, more)
        self.once()
        numbers = [n for n in range(900)
            if chosen(ovhcloud.program(1, n), ovhcloud.region(1, n))]
        self.assertIn(len(numbers), range(30, 700))
        # a twin's text is that of its other half, which may be of another kind
        found = collections.Counter(self.found())
        wanted = self.lines(numbers)
        self.assertEqual(found, wanted)

    def test_kinds(self):
        for kind, name in (("compute", "nova-api"), ("volume", "cinder-api"),
                ("network", "neutron-api")):
            for mapping in ("keyword", "text"):
                self.selection("kind = " + kind, lambda program, region: program == name, mapping)

    def test_region_and_query(self):
        for mapping in ("keyword", "text"):
            self.selection("region = SBG5", lambda program, region: region == "SBG5", mapping)
        self.selection("query = NOT program:nova-api", lambda p, r: p != "nova-api")
        self.selection('query = NOT program:"nova-api"', lambda p, r: p != "nova-api", "text")
        self.selection('kind = compute\nregion = GRA11', lambda p, r: (p, r) == (
            "nova-api", "GRA11"))
        self.selection('kind = volume\nquery = NOT region:"GRA11"', lambda p, r: (
            p == "cinder-api" and r != "GRA11"))

    def test_slashes_in_a_query(self):
        """Unescaped, they are a regular expression, which finds nothing or is not complete."""
        now = time.time()
        for query, found in ((r"path:\/v2.1\/servers\/1*", True), ("path:/v2.1/servers", False)):
            with self.subTest(query=query):
                self.forget()
                simulator = self.ldp(300, now - DAY, now - 120)
                self.setup_source(simulator.url, "query = " + query)
                self.once()
                wanted = [n for n in range(300) if found and str(n).startswith("1")]
                self.assertEqual(collections.Counter(self.found()), self.lines(wanted))
        self.setup_source(simulator.url, "query = path:/v2.1/servers/1*")
        result = self.once(75)
        self.assertTrue(result.lines("Failed to parse query [path:/v2.1/servers/1*]"), result.err)

    def test_address(self):
        """Without `endpoint` the cluster's own host is asked; a proxy sees which."""
        simulator = self.ldp(1, 1000, 2000)
        text = self.source(simulator.url).replace("endpoint =", "proxy =")
        self.configure(text, self.file_sink())
        self.once(75)
        self.assertEqual({(entry["method"], entry["target"]) for entry in simulator.log()},
            {("CONNECT", "gra1.logs.ovh.com:9200")})

    def test_request(self):
        now = time.time()
        simulator = self.ldp(10, now - 1800, now - 600)
        self.setup_source(simulator.url, start="-40m")
        self.once()
        entry = simulator.log()[0]
        self.assertEqual((entry["method"], entry["target"]), ("POST",
            "/%s/_search?allow_partial_search_results=false" % ovhcloud.ALIAS))
        body = json.loads(entry["body"])
        start, end = self.window(body)
        self.assertEqual(body, {"size": 1000, "track_total_hits": False, "query": {"bool": {
            "filter": [{"range": {"timestamp": {"gte": start, "lt": end,
                "format": "epoch_millis"}}}]}}, "sort": [{"timestamp": "asc"}, "_id"]})
        # no full page was seen yet: one more request proves that this was all
        self.assertEqual(len(simulator.log()), 2)

    def test_envelope(self):
        """ID and time come from the index, however the record writes its time."""
        for form in ("iso", "graylog"):
            with self.subTest(form=form):
                now = time.time()
                simulator = self.ldp(90, now - DAY, now - 120)
                simulator.control(date_format=form)
                self.configure(self.source(simulator.url),
                    self.file_sink(more="format = envelope"))
                self.once()
                wanted = {ovhcloud.document_id(1, n): (self.trail.times[n],
                    ovhcloud.document(self.trail, n, form)) for n in range(90)}
                found = {}
                for line in self.found():
                    envelope = json.loads(line)
                    self.assertEqual(envelope["provider"], "ovhcloud")
                    found[envelope["id"]] = (ovhcloud.simlib.iso_parse(envelope["time"]),
                        line.decode().partition('"record":')[2][:-1])
                self.assertEqual(found, wanted)
                self.forget()

    # who may ask

    def test_credentials(self):
        now = time.time()
        simulator = self.ldp(50, now - DAY, now - 120)
        simulator.control(basic={"logs-xy-12345": PASSWORD}, bearer={TOKEN: True})
        for auth, scheme in (
            ("token = " + TOKEN, "Bearer "),
            ("user = logs-xy-12345\npassword = " + PASSWORD, "Basic "),
            ("user = pat_jwt_trawld\npassword = " + TOKEN, "Basic "),
            ("user = token\npassword = " + TOKEN, "Basic "),
        ):
            with self.subTest(auth=auth):
                simulator.control(reset_numbers=True)
                self.setup_source(simulator.url, auth=auth)
                self.once()
                self.assert_all()
                self.assertEqual(set(simulator.stats()["statuses"]), {"200"})
                self.assertTrue(simulator.log()[0]["headers"]["authorization"].startswith(scheme))
                self.forget()

    def test_service_account(self):
        """Its token ends after an hour and is renewed; nobody notices."""
        now = time.time()
        simulator = self.ldp(2000, now - DAY, now - 120)
        simulator.control(bearer={}, clients={"EU.acme": PASSWORD}, clock_step=150)
        auth = "client_id = EU.acme\nclient_secret = %s\ntoken_url = %s/auth/oauth2/token" % (
            PASSWORD, simulator.url)
        self.setup_source(simulator.url, "page_size = 100", auth=auth)
        self.once()
        self.assert_all()
        logins = [e for e in simulator.log() if e["target"] == "/auth/oauth2/token"]
        self.assertGreater(len(logins), 1)
        self.forget()
        self.setup_source(simulator.url, auth=auth.replace(PASSWORD, "wrong-s3cret"))
        result = self.once(75)
        self.assertTrue(result.lines("HTTP 401"), result.err)
        self.assertNotIn("wrong-s3cret", result.err)

    def test_wrong_credentials(self):
        now = time.time()
        simulator = self.ldp(50, now - DAY, now - 120)
        simulator.control(basic={"logs-xy-12345": PASSWORD}, bearer={})
        for auth in ("token = " + TOKEN, "user = logs-xy-1\npassword = " + PASSWORD,
                "user = logs-xy-12345\npassword = " + TOKEN,
                "user = pat_jwt_trawld\npassword = " + TOKEN):
            with self.subTest(auth=auth):
                simulator.control(reset_numbers=True)
                self.setup_source(simulator.url, auth=auth)
                result = self.once(75)
                self.assertTrue(result.lines("HTTP 401 Unauthorized"), result.err)
                self.assertEqual(simulator.stats()["statuses"], {"401": 1})
        self.assertEqual(self.found(), [])

    def test_a_refused_token_is_not_hammered(self):
        now = time.time()
        simulator = self.ldp(50, now - DAY, now - 120)
        simulator.control(bearer={})
        self.setup_source(simulator.url, "interval = 1ms")
        daemon = self.daemon()
        self.assertIn("retrying in 5m", daemon.wait_log("HTTP 401"))
        self.assertEqual(simulator.stats()["requests"], 1)
        daemon.stop()
        self.assertEqual(simulator.stats()["requests"], 1)
        self.assertNotIn(TOKEN, daemon.text())

    def test_an_expiring_token(self):
        """It ends amid a poll; with a new one the poll goes on where it stood."""
        now = time.time()
        simulator = self.ldp(2000, now - DAY, now - 120)
        simulator.control(bearer={TOKEN: now + 80}, clock_step=2)
        self.setup_source(simulator.url, "page_size = 100")
        result = self.once(75)
        self.assertTrue(result.lines("HTTP 401 Unauthorized"), result.err)
        n = len(self.found())
        self.assertIn(n, range(50, 1900))
        fresh = "another-s3cret-t0ken-of-acme"
        simulator.control(bearer={fresh: True}, clock_step=0, reset_numbers=True)
        self.setup_source(simulator.url, "page_size = 100", auth="token = " + fresh)
        self.assertNotIn(fresh, self.once().err)
        self.assert_all()
        self.assertGreater(self.window(self.bodies(simulator)[0])[0], (now - DAY) * 1000)

    def test_refusals(self):
        """The endpoint's own words are logged."""
        now = time.time()
        for settings, words in (
            ({"forbidden": [TOKEN]}, "HTTP 403 Forbidden: no permissions for [indices:data/read"),
            ({"alias": "other"}, "HTTP 404 Not Found: no such index [" + ovhcloud.ALIAS),
            ({"id_sort": False}, "HTTP 400 Bad Request: Fielddata access on the _id field"),
        ):
            with self.subTest(words=words):
                self.forget()
                simulator = self.ldp(50, now - DAY, now - 120)
                simulator.control(**settings)
                self.setup_source(simulator.url)
                result = self.once(75)
                shown = result.err.replace(TOKEN, "***")
                self.assertIn(words, shown)
                self.assertEqual(simulator.stats()["requests"], 1)
                self.assertEqual(self.found(), [])

    def test_partial_answers(self):
        """A 200 that is not whole moves nothing, however it says so."""
        now = time.time()
        for kind, honest, words in (
            ("failed", False, "at `/_shards/failed` that it is not whole"),
            ("timed_out", False, "at `/timed_out` that it is not whole"),
            ("failed", True, "HTTP 503 Service Unavailable: disconnected"),
            ("error", False, "HTTP 503 Service Unavailable: disconnected"),
        ):
            with self.subTest(kind=kind, honest=honest):
                self.forget()
                simulator = self.ldp(2000, now - 1800, now - 120)
                simulator.control(partial={"kind": kind, "at": [1, 3, 4]}, honest=honest)
                self.setup_source(simulator.url, "page_size = 500", start="-50m")
                result = self.once()
                self.assertEqual(len(result.lines(words)), 2, result.err)
                self.assertEqual(simulator.stats()["partials"], 3)
                self.assert_all()

    # what --check says

    def test_faults_of_the_configuration(self):
        good = self.source("http://127.0.0.1:1")
        for bad, words in (
            (good.replace("alias = ", "; "), "[source acme] needs `alias`"),
            (good.replace("token = ", "; "), "has no credentials: set client_id and client_secret, or token, or user and password"),
            (good.replace("token = " + TOKEN, "user = u"), "needs `password`, because `user` is set"),
            (good + "kind = compte\n",
                "kind = compte: expected one of compute, volume, network"),
            (good + "regio = GRA11\n", "did you mean `region`"),
        ):
            self.configure(bad, self.file_sink())
            result = self.check(78)
            self.assertIn(words, result.err + result.out.decode())
            self.assertNotIn(TOKEN, result.err + result.out.decode())
        self.configure(good, self.file_sink())
        self.check(0)


if __name__ == "__main__":
    harness.main()
