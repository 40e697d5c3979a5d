#!/usr/bin/python3
"""Several requests of an http sink under way at once: never more than in_flight, never two of one
source, and the order of each source stays whatever happens to a request."""

import json

import harness
import http_sink
from harness import wait_until

import cloudscale

SOURCES = {"s%d" % number: "t0ken-of-s%d-4c7e" % number for number in range(1, 7)}
RECORDS = 1000
LIMIT = 4


class Flight(http_sink.Http):
    def setUp(self):
        harness.Case.setUp(self)
        projects = []
        self.expected = {}
        for seed, (name, token) in enumerate(SOURCES.items(), 1):
            projects += ["--project", "%s=%d:%d" % (token, seed, RECORDS)]
            lines = cloudscale.expected_lines(seed, 0, RECORDS)
            self.expected[name] = lines.decode().splitlines()
        self.cloud = self.simulator(*projects, "--page-size", "100")

    def begin(self, path="/ndjson", encoding="ndjson", more="", receiver="flight_receiver"):
        """All records wait for the sink, which is away."""
        self.receiver = self.simulator(name=receiver)
        sections = [
            self.source(self.cloud.url, name, token, "interval = 200ms")
            for name, token in SOURCES.items()
        ]
        more = "in_flight = %d\nbatch_records = 40\n%s" % (LIMIT, more)
        self.configure(
            *sections,
            self.sink(path, encoding, more),
            self.file_sink(path=self.dir / "%{source}.ndjson"),
            daemon="shutdown_timeout = 1s",
        )
        self.receiver.faults({"kind": "status", "status": 503, "path": path})
        daemon = self.daemon()
        for name, lines in self.expected.items():
            size = sum(len(line.encode()) + 1 for line in lines)
            self.wait_size(self.dir / (name + ".ndjson"), size)
        daemon.wait_log("nothing is lost")
        return daemon

    def by_source(self, name="ndjson"):
        """{source: its records in the order in which they came, without repeats}"""
        found = {source: [] for source in SOURCES}
        for request in self.got(name):
            if not request["repeat"]:
                for source, record in zip(request["sources"], request["records"]):
                    found[source].append(record)
        return found

    def assert_all(self, refused=()):
        """Everything is there, in order, or among the dead letters."""
        self.assertEqual(self.receiver.stats()["violations"], [])
        found = self.by_source()
        for source, lines in self.expected.items():
            self.assert_records(found[source], [line for line in lines if line not in refused])

    def all_taken(self, n_refused=0):
        wanted = len(SOURCES) * RECORDS - n_refused
        return self.taken("ndjson") >= wanted and sum(map(len, self.by_source().values())) == wanted

    def told(self, what):
        stats = self.receiver.stats()
        repeats = [request for request in self.got("ndjson") if request["repeat"]]
        print(
            "%s: %d requests, %d of them (%d records) twice, %d at once at most"
            % (
                what,
                len(self.got("ndjson")),
                len(repeats),
                sum(len(request["records"]) for request in repeats),
                stats["most"],
            ),
            flush=True,
        )
        return len(repeats)

    def release(self, source):
        before = self.taken("ndjson")
        self.receiver.control(release=[source])
        wait_until(lambda: self.taken("ndjson") > before, "the answer to " + source)

    def release_until_full(self):
        """Answers one request after another, each of them held, until LIMIT are held at once."""
        while True:
            stats = self.receiver.stats()
            if stats["most"] == LIMIT:
                break
            self.assertFalse(self.all_taken())
            if stats["under_way"]:
                self.release(stats["under_way"][0])
        wait_until(lambda: len(self.receiver.stats()["under_way"]) == LIMIT, "all places taken")

    def test_as_many_as_allowed(self):
        daemon = self.begin(more="format = envelope")
        self.receiver.control(limit=LIMIT, hold=True, faults=[])
        self.release_until_full()
        # the last that came is answered first: only its source goes on
        for _ in range(3):
            before = self.receiver.stats()["under_way"]
            self.release(before[-1])
            wait_until(lambda: len(self.receiver.stats()["under_way"]) == LIMIT, "the next")
            self.assertEqual(self.receiver.stats()["under_way"][:-1], before[:-1])
        self.receiver.control(hold=False, shuffle=0.02)
        wait_until(self.all_taken, "all records")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_all()
        self.assertEqual(self.told("shuffled answers"), 0)

    def test_one_source_fails(self):
        """Only its request comes again, after pauses of its own; the others go on."""
        daemon = self.begin(more="format = envelope")
        self.receiver.control(limit=LIMIT, hold=True, faults=[])
        self.release_until_full()
        self.release(self.receiver.stats()["under_way"][0])  # it is well again
        wait_until(lambda: len(self.receiver.stats()["under_way"]) == LIMIT, "the next")
        denied, other, *held = self.receiver.stats()["under_way"]
        before = self.receiver.stats()["statuses"]["503"]
        self.receiver.control(deny=[denied], release=[denied])
        wait_until(lambda: self.receiver.stats()["statuses"]["503"] > before, "the failure")
        self.release(other)
        more = lambda: set(self.receiver.stats()["under_way"]) - {denied, *held}
        wait_until(more, "another request, though one has failed")
        self.receiver.control(hold=False, deny=[])
        wait_until(self.all_taken, "all records")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_all()
        self.assertEqual(self.told("one source fails"), 0)

    def test_one_at_a_time(self):
        """The default: requests hold records of several sources. More than one source has, since a slow
        machine may read one source after another."""
        more = "format = envelope\nin_flight = 1\nbatch_records = %d" % (2 * RECORDS)
        daemon = self.begin(more=more)
        self.receiver.control(limit=1, faults=[])
        wait_until(self.all_taken, "all records")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_all()
        self.assertEqual(self.receiver.stats()["most"], 1)
        mixed = [request for request in self.got("ndjson") if len(set(request["sources"])) > 1]
        self.assertTrue(mixed)

    def test_faults(self):
        """What is not taken, or taken but not answered, comes again; what was answered does not."""
        daemon = self.begin(more="format = envelope\ncompression = gzip")
        unanswered = [
            {"kind": "close", "probability": 0.1, "times": 6, "path": "/ndjson"},
            {"kind": "reset", "bytes": 3, "probability": 0.1, "times": 6, "path": "/ndjson"},
        ]
        self.receiver.control(
            limit=LIMIT,
            shuffle=0.02,
            faults=[
                {**status, "kind": "status", "probability": 0.1, "path": "/ndjson"}
                for status in (
                    {"status": 503, "times": 5},
                    {"status": 408, "times": 2},
                    {"status": 429, "times": 2, "retry_after": 1},
                )
            ]
            + unanswered,
        )
        wait_until(self.all_taken, "all records", 60)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_all()
        stats = self.receiver.stats()
        self.assertEqual(stats["most"], LIMIT)
        self.assertEqual(stats["statuses"].get("429"), 2)
        repeats = self.told("faults")
        self.assertGreater(repeats, 0)
        self.assertLessEqual(repeats, sum(fault["times"] for fault in unanswered))

    def test_killed(self):
        """A job that was under way is sent again, request for request, in order."""
        self.ends_amid(lambda daemon: daemon.kill())

    def test_stopped(self):
        """The same where the end of trawld does not wait for the answers."""
        self.ends_amid(lambda daemon: daemon.stop())

    def ends_amid(self, end):
        daemon = self.begin(more="format = envelope")
        self.receiver.control(limit=LIMIT, hold=True, faults=[])
        self.release_until_full()
        for source in self.receiver.stats()["under_way"][:2]:
            self.release(source)
        wait_until(lambda: len(self.receiver.stats()["under_way"]) == LIMIT, "all places taken")
        end(daemon)
        self.receiver.control(hold=False)
        wait_until(lambda: not self.receiver.stats()["under_way"], "an empty receiver")
        self.receiver.control(crashed=True, shuffle=0.005)
        daemon = self.daemon()
        wait_until(self.all_taken, "all records")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_all()
        self.assertGreaterEqual(self.told(self.id()), LIMIT)

    def test_refused(self):
        """The records to blame are found in the lane of their source; none other is lost."""
        poison = '"system":{}'
        bad = lambda lines: [line for line in lines if poison in line]
        refused = [line for lines in self.expected.values() for line in bad(lines)[-7:]]
        self.assertEqual(len(refused), 42)
        daemon = self.begin(more="format = envelope")
        self.receiver.control(limit=LIMIT, shuffle=0.002, poison=refused, faults=[])
        wait_until(lambda: self.all_taken(len(refused)), "all others")
        wait_until(lambda: len(self.dead_letters()) == len(refused), "dead letters")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_all(set(refused))
        for name in SOURCES:
            own = [json.loads(line) for line in self.expected[name] if line in refused]
            letters = [x for x in self.dead_letters() if x["source"] == name]
            self.assertEqual([letter["record"] for letter in letters], own)

    def test_token(self):
        """A token that all requests under way find refused is renewed once."""
        tokens = self.simulator(name="http_receiver")
        auth = "auth.type = oauth2_client\nauth.client_id = me\nauth.client_secret = s3"
        more = "format = envelope\n%s\nauth.token_url = %s/token" % (auth, tokens.url)
        daemon = self.begin(more=more)
        self.receiver.control(
            limit=LIMIT, hold=True, faults=[], tokens={"ndjson": "Bearer t0ken-1"}
        )
        self.release_until_full()
        self.receiver.control(tokens={"ndjson": "Bearer t0ken-2"}, hold=False, shuffle=0.02)
        wait_until(self.all_taken, "all records")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_all()
        self.assertEqual(self.receiver.stats()["statuses"]["401"], LIMIT)
        self.assertEqual(tokens.stats()["requests"], 2)

    def test_receipts(self):
        """One question to the indexer is about all requests that wait for its word."""
        path = "/services/collector/event"
        token = "Splunk 9f1c-0123456789"
        more = "ack = yes\nbatch_records = 200\nheader.Authorization = " + token
        daemon = self.begin(path, "splunk_hec", more, "http_receiver")
        asked = "/services/collector/ack"
        self.receiver.control(
            ack_after=2,
            tokens={"splunk": token},
            faults=[{"kind": "close", "times": 1, "path": asked}],
        )
        daemon.wait_log("works again", seconds=60)
        wait_until(lambda: self.taken("splunk") == len(SOURCES) * RECORDS, "all records", 60)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.receiver.stats()["violations"], [])
        questions = [x for x in self.receiver.log() if x["target"].startswith(asked)]
        sizes = [len(json.loads(x["body"])["acks"]) for x in questions]
        print("receipts: %d questions about up to %d requests" % (len(sizes), max(sizes)))
        self.assertGreater(max(sizes), 1)
        self.assertLessEqual(max(sizes), LIMIT)
        self.assertLess(len(sizes), len(self.got("splunk")))
        found = {name: [] for name in SOURCES}
        for request in self.got("splunk"):
            self.assertFalse(request["repeat"])
            sources = {json.loads(head["source"]) for head in request["heads"]}
            self.assertEqual(len(sources), 1)
            found[sources.pop()] += request["records"]
        for source, lines in self.expected.items():
            self.assert_records(found[source], lines)


if __name__ == "__main__":
    harness.main()
