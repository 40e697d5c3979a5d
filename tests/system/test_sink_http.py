#!/usr/bin/python3
"""The http sink: everything arrives, in order and unchanged, through faults, a kill and refusals."""

import json
import urllib.request

import harness
from harness import wait_until

import cloudscale

RECORDS = 5000


class Http(harness.Case):
    def setUp(self):
        super().setUp()
        self.receiver = self.simulator(name="http_receiver")
        self.cloud = self.cloudscale(RECORDS, "--page-size", "100", "--delay", "0.003")
        self.expected = cloudscale.expected_lines(1, 0, RECORDS).decode().splitlines()

    def sink(self, path, encoding, more=""):
        keys = {"retry_max": "1s", "batch_age": "100ms", "batch_records": "300"}
        keys.update(line.split(" = ", 1) for line in more.splitlines())
        return "[sink far]\ntype = http\nurl = %s%s\nencoding = %s\n%s\n" % (
            self.receiver.url,
            path,
            encoding,
            "".join("%s = %s\n" % pair for pair in keys.items()),
        )

    def start(self, path, encoding, more="", source=""):
        self.configure(
            self.source(self.cloud.url, more="interval = 200ms\n" + source),
            self.sink(path, encoding, more),
        )

    def got(self, name):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.receiver.url + "/got/" + name) as answer:
            return json.load(answer)

    def taken(self, name):
        return self.receiver.stats()["taken"][name]

    def faults(self, path, *more):
        """One of each at the receiver: not taken, and taken but not answered."""
        self.receiver.faults(
            {"kind": "status", "status": 503, "times": 1, "path": path},
            {"kind": "status", "status": 429, "retry_after": 1, "times": 1, "path": path},
            *more,
            {"kind": "hang", "from": 8, "times": 1, "path": path},
            {"kind": "close", "probability": 0.15, "times": 2, "path": path},
            {"kind": "reset", "bytes": 3, "probability": 0.15, "times": 2, "path": path},
            {"kind": "slow", "chunk": 4000, "seconds": 0.05, "times": 3, "path": path},
        )

    def run_through(self, name):
        """Lets the daemon run to its end, killed once while a request is taken but not answered."""
        daemon = self.daemon()
        hangs = lambda: any(entry["fault"] == "hang" for entry in self.receiver.log())
        wait_until(hangs, "the request that hangs")
        daemon.kill()
        self.assertLess(self.taken(name), RECORDS)
        # a run ends when only a failing sink is left; the faults are few, so some run gets through
        for _ in range(12):
            result = self.trawld("-c", str(self.conf), "--once")
            self.assertIn(result.code, (0, 75), result.err)
            if result.code == 0:
                break
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(self.receiver.stats()["violations"], [])

    def once_each(self, name):
        """The records without the requests that came twice; says how many did."""
        requests = self.got(name)
        repeats = [request for request in requests if request["repeat"]]
        print(
            "%s: %d requests, %d of them (%d records) twice"
            % (name, len(requests), len(repeats), sum(len(r["records"]) for r in repeats)),
            flush=True,
        )
        return [record for r in requests if not r["repeat"] for record in r["records"]]

    def dead_letters(self):
        path = self.state / "dead-letters" / "far.ndjson"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def assert_records(self, found, expected=None):
        expected = self.expected if expected is None else expected
        for number, pair in enumerate(zip(found, expected)):
            self.assertEqual(pair[0], pair[1], "record %d" % number)
        self.assertEqual(len(found), len(expected))


class Plain(Http):
    def test_ndjson(self):
        self.start("/ndjson", "ndjson")
        self.faults("/ndjson")
        self.run_through("ndjson")
        self.assert_records(self.once_each("ndjson"))
        self.assertEqual(self.dead_letters(), [])

    def test_array(self):
        self.start("/array", "json_array", "method = POST\nheader.X-Team = audit")
        self.faults("/array")
        self.run_through("array")
        self.assert_records(self.once_each("array"))
        heads = [entry["headers"] for entry in self.receiver.log() if entry["method"] == "POST"]
        self.assertTrue(all(head.get("x-team") == "audit" for head in heads))

    def test_too_large(self):
        # about three records a request
        self.receiver.control(max_body=1000)
        self.start("/ndjson", "ndjson")
        result = self.once()
        self.assert_records(self.once_each("ndjson"))
        self.assertEqual(len(result.lines("413")), 1, result.err)
        self.assertEqual(self.dead_letters(), [])

    def test_one_too_large(self):
        sizes = [len(line.encode()) + 1 for line in self.expected]
        limit = sorted(set(sizes))[-3]
        self.receiver.control(max_body=limit)
        self.start("/ndjson", "ndjson", "batch_records = 20")
        self.once()
        small = [line for line, size in zip(self.expected, sizes) if size <= limit]
        large = [line for line, size in zip(self.expected, sizes) if size > limit]
        self.assertTrue(large)
        self.assert_records(self.once_each("ndjson"), small)
        letters = self.dead_letters()
        self.assertEqual([letter["record"] for letter in letters], [json.loads(x) for x in large])
        for letter in letters:
            self.assertIn("413", letter["reason"])

    def test_refused(self):
        poison = '"system":{}'
        bad = [line for line in self.expected if poison in line]
        good = [line for line in self.expected if poison not in line]
        self.assertGreater(len(bad), 100)
        self.receiver.control(poison=[poison])
        self.start("/array", "json_array")
        result = self.once()
        self.assert_records(self.once_each("array"), good)
        letters = self.dead_letters()
        self.assertEqual([letter["record"] for letter in letters], [json.loads(x) for x in bad])
        for letter in letters:
            self.assertEqual(letter["sink"], "far")
            self.assertIn("A record here is bad.", letter["reason"])
        self.assertTrue(result.lines("refused for good"))

    def test_wrong_address_waits(self):
        self.start("/nowhere", "ndjson")
        self.once(expect=75)
        self.assertEqual(self.dead_letters(), [])
        self.start("/ndjson", "ndjson")
        self.once()
        self.assert_records(self.once_each("ndjson"))

    def test_token_refused(self):
        self.receiver.control(tokens={"ndjson": "Bearer right-0123456789"})
        self.start("/ndjson", "ndjson", "auth.type = bearer\nauth.token = wrong-0123456789")
        result = self.once(expect=75)
        self.assertTrue(result.lines("401"), result.err)
        self.assertNotIn("wrong-0123456789", result.err)
        self.assertEqual(self.dead_letters(), [])
        self.start("/ndjson", "ndjson", "auth.type = bearer\nauth.token = right-0123456789")
        self.once()
        self.assert_records(self.once_each("ndjson"))

    def test_gathers(self):
        # pages of 100 records become requests of many
        self.start("/ndjson", "ndjson", "batch_age = 30s\nbatch_records = 1000")
        daemon = self.daemon()
        wait_until(lambda: self.taken("ndjson") >= 4000, "records")
        sizes = [len(request["records"]) for request in self.got("ndjson")]
        self.assertEqual(sizes, [1000] * len(sizes))
        self.assertEqual(daemon.stop(), 0)
        self.once()
        self.assert_records(self.once_each("ndjson"))


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
        self.once()
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
        result = self.once()
        self.assertNotIn("0b1c2d3e", result.err)
        bad = [json.loads(line) for line in self.expected if '"admin":{}' in line]
        self.assertEqual([letter["record"] for letter in self.dead_letters()], bad)
        good = [line for line in self.expected if '"admin":{}' not in line]
        self.assert_records(self.once_each("splunk"), good)


class Otlp(Http):
    PATH = "/v1/logs"

    def test_logs(self):
        self.start(self.PATH, "otlp")
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
        self.start(self.PATH, "otlp", "batch_records = 100")
        self.once()
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


class Keys(harness.Case):
    def faulty(self, keys, *words):
        self.configure(
            "[sink far]\ntype = http\n" + keys, self.source("http://127.0.0.1:9"), self.file_sink()
        )
        result = self.check(78)
        for word in words:
            self.assertIn(word, result.err + result.out.decode())
        self.assertIn("trawld.conf:", result.err + result.out.decode())

    def test_check(self):
        self.faulty("encoding = ndjson", "url")
        self.faulty("url = ftp://h/", "url")
        self.faulty("url = http://logs.example.net/x", "insecure_http")
        self.faulty("url = https://u:p@logs.example.net/x", "url")
        self.faulty("url = https://h/\nencoding = ndjsn", "did you mean `ndjson`")
        self.faulty("url = https://h/\nheader.Content-Length = 7", "header.Content-Length")
        self.faulty("url = https://h/_bulk\nencoding = elasticsearch", "INDEX/_bulk")
        self.faulty("url = https://h/\nencoding = loki\nack = yes", "encoding = splunk_hec")
        self.faulty("url = https://h/\nencoding = splunk_hec\nack_timeout = 9s", "ack = yes")
        self.faulty("url = https://h/\nlabels = a=/b", "labels is a key of encoding = loki")
        for label in ("a", "a=", "1a=/b", "a-b=/c", "source=/c", "a=/~2"):
            self.faulty("url = https://h/\nencoding = loki\nlabels = " + label, "is no label")
        self.faulty("url = https://h/\nheader.a:b = 7", "header.a:b")
        self.faulty("url = https://h/\nauth.type = bearer", "token")
        self.faulty("url = https://h/\nauth.type = beare", "bearer")
        self.faulty("url = https://h/\nauth.token = x", "auth.type")
        self.faulty("url = https://h/\nauth.type = login", "oauth2_client")
        self.faulty("url = https://h/\nclient_key = /x", "client_cert")
        self.faulty("url = https://h/\nbatch_records = 0", "batch_records")


if __name__ == "__main__":
    harness.main()
