"""What the tests of the http sink share: a source of records and a receiver that is strict."""

import json
import urllib.request

import harness
from harness import wait_until

import cloudscale

RECORDS = 5000


def got(receiver, name):
    """The requests that the receiver took at NAME."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(receiver.url + "/got/" + name) as answer:
        return json.load(answer)


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
        self.path = path
        self.configure(
            self.source(self.cloud.url, more="interval = 200ms\n" + source),
            self.sink(path, encoding, more),
        )

    def got(self, name):
        return got(self.receiver, name)

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
        here = lambda entry: entry["fault"] == "hang" and entry["target"] == self.path
        hangs = lambda: any(map(here, self.receiver.log()))
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
        # what has no line feed yet is being written
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def assert_records(self, found, expected=None):
        expected = self.expected if expected is None else expected
        for number, pair in enumerate(zip(found, expected)):
            self.assertEqual(pair[0], pair[1], "record %d" % number)
        self.assertEqual(len(found), len(expected))
