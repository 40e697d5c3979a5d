#!/usr/bin/python3
"""50,000 records through every encoding of the http sink at once, behind nginx: it is restarted and
killed, the receiver is held, answers 429, 503, 413, 400 of single records and partial failures, and
breaks off after it has taken a request."""

import json
import signal
import sys
import unittest

import nginx
from harness import wait_until
from http_sink import got
from volume import RECORDS, Kind, Shuffle, Volume

BATCH = 1000
IN_FLIGHT = 1  # requests of one sink that are not answered
POISONED = tuple(RECORDS * n // 7 + 3 for n in range(1, 7))  # places of records that are refused
PATHS = {  # name at the receiver: path, encoding, more keys
    "ndjson": ("/ndjson", "ndjson", "compression = gzip"),
    "array": ("/array", "json_array", ""),
    "bulk": ("/audit/_bulk", "elasticsearch", ""),
    "loki": ("/loki/api/v1/push", "loki", ""),
    "splunk": (
        "/services/collector/event", "splunk_hec", "header.Authorization = Splunk t0ken\nack = yes"
    ),
    "otlp": ("/v1/logs", "otlp", "compression = zstd"),
}


class Http(Kind):
    def __init__(self, case, name):
        super().__init__(case, name)
        self.path, self.encoding, self.more = PATHS[name]
        self.requests_allowed = 0  # dead letters beside the poisoned records, in requests
        self.plan = [self.busy, self.limited, self.too_large, self.taken_unanswered,
                     self.answer_torn, self.slow]

    def section(self):
        return (
            "[sink %s]\ntype = http\nurl = %s\nencoding = %s\nretry_max = 1s\n"
            "batch_records = %d\nbatch_age = 100ms\n%s\n"
            % (self.name, self.case.front.url(self.path), self.encoding, BATCH, self.more)
        )

    def expected(self):
        return self.case.good

    def found(self):
        """Each text that was taken. The index of Elasticsearch has each once or says so."""
        records = [r for request in self.case.taken[self.name] for r in request["records"]]
        if self.name == "loki":
            return [line for _, _, line in records]
        if self.name == "otlp":
            return [text for text, _, _ in records]
        return records

    def unanswered(self):
        """What is in flight now comes again."""
        self.repeats_allowed += BATCH * IN_FLIGHT
        self.jumps_allowed += 1

    # --- what happens ---

    def fault(self, kind, times=1, **more):
        """The next requests of this sink meet the fault."""
        fault = {"kind": kind, "times": times, "path": self.path, **more}
        self.case.receiver.control(more_faults=[fault])
        self.case.feed(self)
        self.case.n_faults += times
        self.restarts += times

    def busy(self):
        self.fault("status", 2, status=503)

    def limited(self):
        self.fault("status", status=429, retry_after=2)

    def too_large(self):
        self.fault("status", 3, status=413)

    def taken_unanswered(self):
        self.unanswered()
        self.fault("close")

    def answer_torn(self):
        self.unanswered()
        self.fault("reset", bytes=3)

    def slow(self):
        self.fault("slow", chunk=1, seconds=0.05)

    # --- what happens to all ---

    def front_restarted(self):
        self.front_away(self.case.front.stop)

    def front_killed(self):
        self.front_away(self.case.front.kill)

    def front_away(self, end):
        for kind in self.case.kinds:
            kind.unanswered()
            kind.restarts += 1
        end()
        self.case.pile_up(self)
        self.case.front.start(self.case.block)

    def held(self):
        self.case.receiver.process.send_signal(signal.SIGSTOP)
        self.case.pile_up(self)
        self.case.receiver.process.send_signal(signal.SIGCONT)
        self.restarts += 1

    # --- partial failures ---

    def items_busy(self):
        """Each third item of two requests is answered with 429."""
        self.case.receiver.control(busy_items=2)
        self.case.feed(self)
        self.repeats_allowed += 2 * BATCH
        self.trace = Shuffle
        self.jumps_allowed += 2 * BATCH // 3 + 2  # the busy ones come after their neighbours
        self.restarts += 2

    def records_rejected(self):
        """otlp does not say which three: the whole request is kept, too."""
        self.case.receiver.control(reject=[1, 3])
        self.case.feed(self)
        self.requests_allowed += 1
        self.missing_allowed += 3
        self.jumps_allowed += 1
        self.restarts += 1

    def judge(self):
        super().judge()
        tries = [entry for entry in self.case.log if entry["target"] == self.path]
        (limited,) = [n for n, entry in enumerate(tries) if entry["status"] == 429]
        self.case.assertGreater(tries[limited + 1]["at"] - tries[limited]["at"], 1.9)
        path = self.case.state / "dead-letters" / (self.name + ".ndjson")
        letters = [json.loads(line)["record"] for line in path.read_text().splitlines()]
        poisoned = [json.loads(text) for text in self.case.bad]
        extra = [letter for letter in letters if letter not in poisoned]
        self.case.assertEqual([x for x in letters if x in poisoned], poisoned)
        self.case.assertLessEqual(len(extra), BATCH * self.requests_allowed)
        found = set(self.found())
        kept = {json.dumps(letter) for letter in extra}
        lost = [x for x in self.case.good if x not in found and json.dumps(json.loads(x)) not in kept]
        self.case.assertEqual(lost, [])


class Encodings(Volume):
    ahead = RECORDS // 4  # one sink's back-off holds up no other

    def setUp(self):
        super().setUp()
        self.n_faults = 0
        self.receiver = self.simulator(name="http_receiver")
        times = [json.loads(self.expected[place])["timestamp"] for place in POISONED]
        self.receiver.control(poison=times, ack_after=1)
        # equal records have equal times
        is_bad = lambda text: text[14:].split('"', 1)[0] in times
        self.good = [text for text in self.expected if not is_bad(text)]
        self.bad = [text for text in self.expected if is_bad(text)]
        self.block = "location / { proxy_pass %s; }" % self.receiver.url
        self.front = nginx.Nginx(self.dir / "nginx", self.block)
        self.addCleanup(self.front.stop)

    def test_every_encoding(self):
        kinds = [Http(self, name) for name in PATHS]
        by_name = {kind.name: kind for kind in kinds}
        by_name["ndjson"].plan.append(by_name["ndjson"].front_killed)
        by_name["array"].plan.append(by_name["array"].front_restarted)
        by_name["loki"].plan.append(by_name["loki"].held)
        by_name["bulk"].plan.append(by_name["bulk"].items_busy)
        by_name["otlp"].plan.append(by_name["otlp"].records_rejected)
        self.start(kinds)
        self.drive()
        stats = self.receiver.stats()
        self.assertEqual(stats["violations"], [])
        self.assertEqual((stats["busy_items"], stats["rejects"]), (0, 0))
        self.assertEqual(stats["faults"], self.n_faults)
        self.log = self.receiver.log()
        self.taken = {name: got(self.receiver, name) for name in PATHS}
        offered = stats["conflicts"]
        print("bulk: %d items were in the index already" % offered, flush=True)
        self.assertLessEqual(offered, by_name["bulk"].repeats_allowed)
        by_name["bulk"].repeats_allowed = 0
        self.end()


if __name__ == "__main__":
    if not nginx.is_there():
        print("nginx is not installed")
        sys.exit(77)
    unittest.main(verbosity=2)
