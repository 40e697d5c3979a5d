#!/usr/bin/python3
"""trawld's http sink and a real OpenTelemetry collector, configured as docs/receivers/opentelemetry.md
says: what reaches the hop after the collector is complete and byte for byte, whoever is killed."""

import gzip
import http.server
import json
import threading

from receivers import (  # first: it finds the next ones
    CACHE, Case, Child, ask, blocks, free_port, replaced)

import cloudscale
import harness
from harness import wait_until

PAGE = "docs/receivers/opentelemetry.md"
RECORDS = 2000


class Hop(http.server.ThreadingHTTPServer):
    """What the collector sends to: keeps the log records, or answers with `status`."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.status = 200
        self.refused = 0
        self.records = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A collector that is killed hears no answer."""

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server_port

    def bodies(self):
        with self.lock:
            return [record["body"]["stringValue"] for record in self.records]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        with self.server.lock:
            status = self.server.status
            if status == 200:
                for resource in json.loads(body)["resourceLogs"]:
                    for scope in resource["scopeLogs"]:
                        self.server.records += scope["logRecords"]
            else:
                self.server.refused += 1
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class Collector(Child):
    def __init__(self, hop):
        super().__init__("collector")
        self.port = free_port()
        (text,) = blocks(PAGE, "yaml")
        text = replaced(text, [
            ("127.0.0.1:4318", "127.0.0.1:%d" % self.port),
            # as JSON, which this test can read
            ("endpoint: https://logs.example.net", "endpoint: %s\n    encoding: json" % hop.url),
        ])
        (self.dir / "config.yaml").write_text(text)

    def start(self):
        self.spawn([CACHE / "collector" / "collector", "--config", "file:config.yaml"])
        # an empty request is taken as soon as the pipeline runs
        self.wait_ready("http://127.0.0.1:%d/v1/logs" % self.port, {"resourceLogs": []})


class Flow(Case):
    FORMAT = "json"

    def setUp(self):
        super().setUp()
        self.hop = Hop()
        self.addCleanup(self.hop.server_close)
        self.addCleanup(self.hop.shutdown)
        self.collector = Collector(self.hop)
        self.addCleanup(self.collector.remove)
        self.collector.start()
        self.cloud = self.cloudscale(RECORDS, "--page-size", "50")
        self.expected = cloudscale.expected_lines(1, 0, RECORDS).decode().splitlines()

    def start(self):
        (sink,) = blocks(PAGE, "ini")
        sink = replaced(sink, [("127.0.0.1:4318", "127.0.0.1:%d" % self.collector.port)])
        keys = "retry_max = 1s\nbatch_age = 100ms\nbatch_records = 100\notlp_format = %s\n"
        self.configure(self.source(self.cloud.url, more="interval = 200ms"), sink + keys % self.FORMAT)

    def test_records(self):
        """Each once and in order, with the record's time and the attributes."""
        self.start()
        self.once()
        self.assertEqual(self.hop.bodies(), self.expected)
        for number, record in enumerate(self.hop.records):
            self.assertEqual(
                record["timeUnixNano"], str(cloudscale.timestamp_us(1, number) * 1000))
            names = {x["key"]: x["value"]["stringValue"] for x in record["attributes"]}
            self.assertEqual(names["trawld.source"], "acme")
            self.assertEqual(len(names["trawld.record_id"]), 32)
        self.assertEqual(self.dead_letters(), [])

    def test_next_hop_away(self):
        """The collector says so, trawld waits; then each record arrives once."""
        self.hop.status = 503
        self.start()
        daemon = self.daemon()
        wait_until(lambda: self.hop.refused, "a try")
        daemon.wait_log("HTTP 503")
        self.hop.status = 200
        wait_until(lambda: len(self.hop.records) >= RECORDS, "all records", 60)
        self.wait_acknowledged()
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.hop.bodies(), self.expected)
        self.assertEqual(self.dead_letters(), [])

    def test_kills(self):
        """What was answered is there; only requests in flight may be there twice."""
        self.start()
        for visible, ends in ((700, "trawld"), (1300, "collector"), (1900, "both")):
            self.cloud.control(visible=visible)
            daemon = self.daemon()
            wait_until(lambda: len(self.hop.records) > visible - 500, "a part", 60)
            if ends != "trawld":
                self.collector.kill()
            if ends == "collector":
                # all records before may have arrived
                visible += 100
                self.cloud.control(visible=visible)
                daemon.wait_log("sink far")
                self.collector.start()
                wait_until(lambda: len(set(self.hop.bodies())) >= len(
                    set(self.expected[:visible])), "the rest", 60)
            daemon.kill()
        self.collector.start()
        self.cloud.control(visible=RECORDS)
        self.once()
        found = self.hop.bodies()
        self.assertEqual(set(found), set(self.expected))
        # a request, and one that was answered but not yet stored as such, at each of the three
        self.assertLessEqual(len(found) - len(self.expected), 3 * 200)
        self.assertEqual(self.dead_letters(), [])


class FlowProtobuf(Flow):
    FORMAT = "protobuf"


if __name__ == "__main__":
    harness.main()
