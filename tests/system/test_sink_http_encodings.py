#!/usr/bin/python3
"""The http sink's protocols against strict receivers: Elasticsearch, Loki, Splunk, OpenTelemetry."""

import json
import shutil

import harness
from harness import wait_until
from http_sink import RECORDS, Http

import cloudscale


class Bulk(Http):
    def once_indexed(self):
        """The index's documents in order of their first arrival; none may be there twice."""
        stats = self.receiver.stats()
        self.assertEqual(stats["violations"], [])
        found = [record for request in self.got("bulk") for record in request["records"]]
        self.assertEqual(len(found), stats["documents"])
        print("bulk: %d records were offered again" % stats["conflicts"], flush=True)
        return found

    def test_no_repeats(self):
        self.start("/audit/_bulk", "elasticsearch")
        self.faults("/audit/_bulk")
        self.run_through("bulk")
        self.assert_records(self.once_indexed())
        self.assertGreater(self.receiver.stats()["conflicts"], 0)
        self.assertEqual(self.dead_letters(), [])

    def test_items(self):
        poison = '"admin":{}'
        bad = [line for line in self.expected if poison in line]
        good = [line for line in self.expected if poison not in line]
        self.receiver.control(poison=[poison], busy_items=2)
        self.start("/audit/_bulk", "elasticsearch", "batch_records = 2000")
        daemon = self.daemon()
        wait_until(lambda: self.receiver.stats()["documents"] == len(good), "all documents")
        wait_until(lambda: len(self.dead_letters()) == len(bad), "dead letters")
        self.assertEqual(daemon.stop(), 0)
        # those that were busy came later than their neighbours
        self.assertEqual(sorted(self.once_indexed()), sorted(good))
        letters = self.dead_letters()
        self.assertEqual([letter["record"] for letter in letters], [json.loads(x) for x in bad])
        for letter in letters:
            self.assertEqual(
                letter["reason"],
                'item status 400: document_parsing_exception: bad field "é" in it',
            )
        self.assertTrue(daemon.wait_log("item status 429"))


    def test_busy_in_part(self):
        """Of every request a third of the items is put off, whoever sends it: only those come again,
        and nothing comes before them."""
        self.receiver.control(busy_items=10**6)
        self.start("/audit/_bulk", "elasticsearch", "batch_records = 1000")
        self.once()
        self.assertEqual(sorted(self.once_indexed()), sorted(self.expected))
        self.assertEqual(self.receiver.stats()["conflicts"], 0)
        self.assertEqual(self.dead_letters(), [])
        requests = self.got("bulk")
        for before, after in zip(requests, requests[1:]):
            if before["busy"]:
                self.assertEqual(after["offered"], before["busy"])
        self.assertEqual(requests[-1]["busy"], [])


class Loki(Http):
    PATH = "/loki/api/v1/push"

    def kept(self, entries):
        """As a Loki keeps it: an entry that is equal in stream, time and line is there once."""
        return list(dict.fromkeys(tuple(entry) for entry in entries))

    def assert_streams(self, entries, label=None):
        streams = {}
        for number, line in enumerate(self.expected):
            record = json.loads(line)
            labels = {"provider": "cloudscale", "source": "acme"}
            if label:
                labels["act"] = record["action"]
                labels["job"] = "audit"
            time = cloudscale.timestamp_us(1, number) * 1000
            key = json.dumps(labels, sort_keys=True)
            streams.setdefault(key, []).append((key, time, line))
        found = {}
        for entry in entries:
            found.setdefault(entry[0], []).append(tuple(entry))
        self.assertEqual(set(found), set(streams))
        for key, expected in streams.items():
            self.assert_records(found[key], expected)

    def test_one_stream(self):
        self.start(self.PATH, "loki")
        self.faults(self.PATH)
        self.run_through("loki")
        self.assert_streams(self.once_each("loki"))

    def test_labels(self):
        self.start(self.PATH, "loki", "labels = act=/action, none=/nowhere, job=audit")
        self.once()
        self.assertEqual(self.receiver.stats()["violations"], [])
        self.assert_streams(self.once_each("loki"), label=True)

    def test_too_far_behind(self):
        # every 31st record is 80 s older than its neighbours; a request spans 20 s
        self.receiver.control(behind=60)
        self.start(self.PATH, "loki", "batch_records = 50")
        self.once(expect=75)
        self.assertEqual(self.receiver.stats()["violations"], [])
        late, newest = [], 0
        for number, line in enumerate(self.expected):
            time = cloudscale.timestamp_us(1, number)
            late += [json.loads(line)] if time < newest - 60_000_000 else []
            newest = max(newest, time)
        self.assertGreater(len(late), 50)
        found = {json.dumps(json.loads(entry[2])) for entry in self.kept(self.once_each("loki"))}
        letters = self.dead_letters()
        for letter in letters:
            self.assertIn("too far behind", letter["reason"])
        # Loki has kept some of a request before it refused it: those may be in both places
        lost = [x["record"] for x in letters if json.dumps(x["record"]) not in found]
        self.assertEqual(lost, [record for record in late if json.dumps(record) not in found])
        self.assertLess(len(letters) - len(late), 5)
        records = [letter["record"] for letter in letters]
        self.assertEqual([record for record in late if record not in records], [])
        good = [json.loads(line) for line in self.expected]
        self.assertTrue(found >= {json.dumps(record) for record in good if record not in late})


class Splunk(Http):
    PATH = "/services/collector/event"
    TOKEN = "header.Authorization = Splunk 0b1c2d3e-hec-t0ken"

    def setUp(self):
        super().setUp()
        self.receiver.control(tokens={"splunk": "Splunk 0b1c2d3e-hec-t0ken"})

    def assert_heads(self, **wanted):
        heads = [head for request in self.got("splunk") for head in request["heads"]]
        for number, head in enumerate(heads[:100]):
            ms = cloudscale.timestamp_us(1, number) // 1000
            self.assertEqual(head.pop("time"), "%d.%03d" % (ms // 1000, ms % 1000))
            self.assertEqual({k: json.loads(v) for k, v in head.items()}, wanted)

    def test_events(self):
        self.start(self.PATH, "splunk_hec", self.TOKEN)
        self.faults(self.PATH)
        self.run_through("splunk")
        self.assert_records(self.once_each("splunk"))
        self.assert_heads(source="acme", sourcetype="_json")

    def test_acknowledged(self):
        self.receiver.control(ack_after=2)
        keys = "ack = yes\nhost = h1\nindex = audit\nsource = \"s\"\nsourcetype = cloud:audit\n"
        self.start(self.PATH, "splunk_hec", keys + "batch_records = 1000\n" + self.TOKEN)
        self.receiver.faults({"kind": "close", "times": 1, "path": "/services/collector/ack"})
        self.once()
        self.assertEqual(self.receiver.stats()["violations"], [])
        self.assert_records(self.once_each("splunk"))
        self.assertEqual(self.receiver.stats()["repeats"]["splunk"], 0)
        self.assert_heads(host="h1", index="audit", source='"s"', sourcetype="cloud:audit")

    def test_never_acknowledged(self):
        self.receiver.control(ack_after=10**6)
        keys = "ack = yes\nack_timeout = 1s\nbatch_records = 2500\n" + self.TOKEN
        self.start(self.PATH, "splunk_hec", keys)
        daemon = self.daemon()
        daemon.wait_log("not acknowledged in time")
        self.receiver.control(ack_after=1)
        daemon.wait_log("works again")
        self.assertEqual(daemon.stop(), 0)
        self.once()
        self.assert_records(self.once_each("splunk"))
        self.assertGreater(self.receiver.stats()["repeats"]["splunk"], 0)

    def test_no_receipts(self):
        self.start(self.PATH, "splunk_hec", "ack = yes\n" + self.TOKEN)
        result = self.once(expect=75)
        self.assertTrue(result.lines("no ackId"), result.err)
        self.assertEqual(self.dead_letters(), [])

    def test_refused(self):
        self.receiver.control(poison=['"admin":{}'])
        self.start(self.PATH, "splunk_hec", self.TOKEN)
        result = self.once(expect=75)
        self.assertNotIn("0b1c2d3e", result.err)
        for letter in self.dead_letters():
            self.assertNotIn("0b1c2d3e", letter["reason"])
            self.assertIn("***", letter["reason"])
        bad = [json.loads(line) for line in self.expected if '"admin":{}' in line]
        self.assertEqual([letter["record"] for letter in self.dead_letters()], bad)
        good = [line for line in self.expected if '"admin":{}' not in line]
        self.assert_records(self.once_each("splunk"), good)


class Otlp(Http):
    PATH = "/v1/logs"
    FORMAT = "otlp_format = json"

    def test_logs(self):
        self.start(self.PATH, "otlp", self.FORMAT)
        self.faults(self.PATH)
        self.run_through("otlp")
        found = self.once_each("otlp")
        self.assert_records([record[0] for record in found])
        for number, (_, time, attributes) in enumerate(found):
            self.assertEqual(time, str(cloudscale.timestamp_us(1, number) * 1000))
            self.assertEqual(attributes["trawld.source"], "acme")
            self.assertEqual(attributes["trawld.provider"], "cloudscale")
            self.assertEqual(len(attributes["trawld.record_id"]), 32)

    def test_rejected(self):
        self.receiver.control(reject=[2, 3])
        self.start(self.PATH, "otlp", "batch_records = 100\n" + self.FORMAT)
        self.once(expect=75)
        letters = self.dead_letters()
        self.assertEqual(
            [letter["record"] for letter in letters], [json.loads(x) for x in self.expected[:200]]
        )
        self.assertIn("3 of the 100 records", letters[0]["reason"])
        self.assertIn("too much to chew", letters[0]["reason"])
        found = [record[0] for record in self.once_each("otlp")]
        # it took the rest of the two, and all others
        good = [x for n, x in enumerate(self.expected) if n >= 200 or n % 100 > 2]
        self.assert_records(found, good)

    def test_some_are_refused(self):
        self.receiver.control(poison=['"admin":{}'])
        self.start(self.PATH, "otlp", self.FORMAT)
        result = self.once(expect=75)
        self.assertTrue(result.lines("A record here is bad"), result.err)
        bad = [json.loads(line) for line in self.expected if '"admin":{}' in line]
        self.assertEqual([letter["record"] for letter in self.dead_letters()], bad)
        good = [line for line in self.expected if '"admin":{}' not in line]
        self.assert_records([record[0] for record in self.once_each("otlp")], good)


class OtlpProtobuf(Otlp):
    FORMAT = "otlp_format = protobuf"


# what receivers say with 2xx that is not the protocol's own answer
LOGS, EVENT = "/v1/logs", "/services/collector/event"
OTHER_ANSWERS = (
    ("otlp", LOGS, "", "", 0),
    ("otlp", LOGS, "text/plain", "OK", 0),
    ("otlp", LOGS, "application/x-protobuf", "", 0),
    ("otlp", LOGS, "text/html; charset=utf-8", "<html>welcome</html>", 75),
    ("splunk_hec", EVENT, "application/json", '{"text":"Success"}', 0),
    ("splunk_hec", EVENT, "application/json", '{"code":"0"}', 0),
    ("splunk_hec", EVENT, "", "", 0),
    ("splunk_hec", EVENT, "application/json", '{"text":"Server is busy","code":"9"}', 75),
    ("splunk_hec", EVENT, "text/html", "<html>sign in</html>", 75),
)


class OtherAnswers(Http):
    """They mean that the records were taken, each sent once; or an error is told, and nothing is lost."""

    def test_answers(self):
        n = 200
        self.cloud.control(visible=n)
        for encoding, path, kind, body, code in OTHER_ANSWERS:
            with self.subTest(encoding=encoding, body=body):
                self.receiver = self.simulator(name="http_receiver")
                self.receiver.control(refuse={path: [200, kind, body]})
                self.start(path, encoding, "batch_records = 100\nheader.Authorization = Splunk x")
                result = self.once(expect=code)
                posts = [entry for entry in self.receiver.log() if entry["target"] == path]
                self.assertEqual(self.dead_letters(), [])
                if code == 0:
                    self.assertTrue(result.lines("%d records delivered" % n), result.err)
                    self.assertEqual(len(posts), 2)
                else:
                    self.assertTrue(result.lines("check url") or result.lines("code 9"), result.err)
                    self.assertTrue(result.lines("%d records unsent" % n), result.err)
                    self.assertLessEqual(len(posts), 4)  # the first, and three more
                    self.receiver.control(refuse={})
                    self.once()
                shutil.rmtree(self.state)


if __name__ == "__main__":
    harness.main()
