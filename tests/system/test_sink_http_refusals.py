#!/usr/bin/python3
"""Receivers that refuse: everything (it is their own trouble, no record is blamed), or records."""

import json
import shutil
import time

import harness
from harness import wait_until
from http_sink import RECORDS, Http

BULK = "/audit/_bulk"
HEC = "/services/collector/event"
TOKEN = "header.Authorization = Splunk 0b1c2d3e-hec-t0ken"
JSON, TEXT = "application/json", "text/plain"


def error(kind, reason, **more):
    return {"bulk_error": {"type": kind, "reason": reason, **more}}


def refuse(path, body, status=400, kind=JSON):
    return {"refuse": {path: [status, kind, body if isinstance(body, str) else json.dumps(body)]}}


SHARDS = (
    "Validation Failed: 1: this action would add [2] shards, but this cluster currently has "
    "[1000]/[1000] maximum normal shards open;"
)
ALIAS = (
    "no write index is defined for alias [al]. The write index may be explicitly disabled using "
    "is_write_index=false or the alias points to multiple indices without one being designated as a "
    "write index"
)

# title, path, encoding, further keys, what the receiver does, most requests, what trawld says
EVERYTHING = (
    ("index closed", BULK, "elasticsearch", "", error("index_closed_exception", "closed"), 20, "closed"),
    ("no pipeline", BULK, "elasticsearch", "",
     error("illegal_argument_exception", "pipeline with id [audit] does not exist"), 20, "pipeline with id"),
    ("shard limit", BULK, "elasticsearch", "", error("validation_exception", SHARDS), 20, "maximum normal"),
    ("shard limit, old", BULK, "elasticsearch", "", error("illegal_argument_exception", SHARDS), 20, "maximum"),
    ("no write index", BULK, "elasticsearch", "", error("illegal_argument_exception", ALIAS), 20, "write index"),
    ("index name", BULK, "elasticsearch", "",
     error("invalid_index_name_exception", "Invalid index name [Upper], must be lowercase"), 20, "lowercase"),
    ("a mapping that fits nothing", BULK, "elasticsearch", "",
     error("strict_dynamic_mapping_exception", "mapping set to strict"), 60, "refuses every record"),
    ("bulk, whole", BULK, "elasticsearch", "",
     refuse(BULK, {"error": {"type": "illegal_argument_exception", "reason": ALIAS}, "status": 400}), 20,
     "write index"),
    ("HEC index", HEC, "splunk_hec", "index = typo\n" + TOKEN,
     refuse(HEC, {"text": "Incorrect index", "code": 7, "invalid-event-number": 0}), 20, "Incorrect index"),
    ("HEC channel", HEC, "splunk_hec", TOKEN,
     refuse(HEC, {"text": "Data channel is missing", "code": 10}), 20, "ack = yes"),
    ("HEC token", HEC, "splunk_hec", TOKEN, refuse(HEC, {"text": "Token disabled", "code": 1}), 20, "Token"),
    ("HEC format", HEC, "splunk_hec", TOKEN,
     refuse(HEC, {"text": "Invalid data format", "code": 6, "invalid-event-number": 0}), 900, "refuses every"),
    ("OTLP as protobuf only", "/v1/logs", "otlp", "", refuse("/v1/logs", "\n\x0fno", kind="application/x-protobuf"),
     20, "another encoding"),
    ("OTLP that is not read", "/v1/logs", "otlp", "",
     refuse("/v1/logs", "proto: cannot parse invalid wire-format data", kind=TEXT), 900, "refuses every"),
    ("Loki", "/loki/api/v1/push", "loki", "",
     refuse("/loki/api/v1/push", "error at least one label pair is required per stream\n", kind=TEXT), 900,
     "refuses every record"),
    ("any", "/ndjson", "ndjson", "", refuse("/ndjson", "no such table", kind=TEXT), 900, "refuses every record"),
    ("any, a reference in each answer", "/array", "json_array", "",
     refuse("/array", '{"error":"no such table","request":"%d"}'), 900, "refuses every record"),
    ("too large", "/array", "json_array", "", refuse("/array", "", status=413), 900, "refuses every record"),
)


class Everything(Http):
    NAMES = {"elasticsearch": "bulk", "splunk_hec": "splunk", "json_array": "array"}

    def found(self, encoding):
        records = self.once_each(self.NAMES.get(encoding, encoding))
        return [r[2] if encoding == "loki" else r[0] if encoding == "otlp" else r for r in records]

    def test_waits(self):
        """Nothing is blamed and --once says 75; once the receiver is well all of it arrives."""
        for title, path, encoding, keys, settings, most, words in EVERYTHING:
            with self.subTest(title):
                self.receiver = self.simulator(name="http_receiver")
                self.start(path, encoding, "batch_records = 1000\n" + keys)
                before = {"refuse": {}, "bulk_error": None, "tokens": {}}
                self.receiver.control(**settings)
                result = self.once(expect=75)
                self.assertEqual(self.dead_letters(), [])
                self.assertTrue(result.lines(words), result.err)
                self.assertTrue(result.lines("records unsent"), result.err)
                posts = [e for e in self.receiver.log() if e["target"] == path]
                self.assertLess(len(posts), most)
                self.receiver.control(**before)
                self.once()
                self.assertEqual(self.receiver.stats()["violations"], [])
                self.assert_records(self.found(encoding))
                self.assertEqual(self.dead_letters(), [])
                shutil.rmtree(self.state)


class Some(Http):
    """A receiver that takes records, but not all."""

    def poison(self, *numbers):
        self.receiver.control(poison=[self.expected[n] for n in numbers])

    def assert_letters(self, *numbers):
        found = [letter["record"] for letter in self.dead_letters()]
        self.assertEqual(found, [json.loads(self.expected[n]) for n in numbers])

    def assert_arrived_without(self, numbers, count):
        good = [line for n, line in enumerate(self.expected[:count]) if n not in numbers]
        self.assert_records(self.once_each("array"), good)

    def test_many_in_a_row(self):
        """More than 16 with the same words, but what follows is taken: the records are to blame."""
        numbers = range(7, 207)
        texts = {self.expected[n] for n in numbers}
        numbers = [n for n, line in enumerate(self.expected) if line in texts]
        self.poison(*numbers)
        self.start("/array", "json_array")
        self.once(expect=75)  # something was rejected
        self.once()
        self.assert_letters(*numbers)
        self.assert_arrived_without(numbers, RECORDS)

    def test_at_the_beginning(self):
        texts = set(self.expected[:40])
        numbers = [n for n, line in enumerate(self.expected) if line in texts]
        self.poison(*numbers)
        self.start("/array", "json_array", "in_flight = 4")
        self.once(expect=75)
        self.once()
        self.assert_letters(*numbers)
        self.assert_arrived_without(numbers, RECORDS)

    def test_one_alone(self):
        """It may be the receiver's trouble, until the next record is taken."""
        self.cloud.control(visible=1)
        self.poison(0)
        self.start("/array", "json_array", "retry_max = 5m\nbatch_age = 0s")
        daemon = self.daemon()
        daemon.wait_log("refuses every record")
        self.assertEqual(self.dead_letters(), [])
        self.cloud.control(visible=3)
        wait_until(lambda: self.taken("array") == 2, "the records after it")
        daemon.wait_log("works again")
        wait_until(self.dead_letters, "the dead letter")
        self.assertEqual(daemon.stop(), 0)
        self.assert_letters(0)
        self.assert_arrived_without([0], 3)

    def rests(self):
        before = self.receiver.stats()["refused"]
        time.sleep(0.2)
        return self.receiver.stats()["refused"] == before

    def test_one_by_one(self):
        """Records that come one at a time to a receiver that takes none."""
        self.cloud.control(visible=1)
        self.receiver.control(**refuse("/array", "no such table", kind=TEXT))
        self.start("/array", "json_array", "batch_age = 0s\nbatch_records = 1")
        daemon = self.daemon()
        for count in range(1, 20):
            self.cloud.control(visible=count)
            wait_until(lambda: self.receiver.stats()["refused"] >= count, "a try")
        self.assertEqual(self.dead_letters(), [])
        # not amid a try, the records of which it would have refused in part
        wait_until(self.rests, "a pause between two tries")
        self.receiver.control(refuse={})
        wait_until(lambda: self.taken("array") == 19, "all records")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.dead_letters(), [])
        self.assert_arrived_without([], 19)


if __name__ == "__main__":
    harness.main()
