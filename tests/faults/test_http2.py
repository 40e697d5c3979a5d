#!/usr/bin/python3
"""HTTP/2 servers that end connections and streams: GOAWAY while a connection is idle, before a response and within one, for
streams up to ours or below it; RST_STREAM, also for a stream that is refused; a close without a word. From an API, and
from a collector.

Where a server says that it has not seen the request, or ends a connection that was idle, trawld sends the request again
without a word. Otherwise it says so and retries. No record is lost or repeated, and the event loop is never blocked for
100 ms. TRAWLD_FAULTS says how often each way is tried (all: 25 times).
"""

import json
import os
import pathlib
import shutil
import socket
import ssl
import tempfile
import threading
import time
import urllib.parse

from on_disk import harness
from harness import wait_until, whole_lines
from hostile_api import HostileApi, events
from small_api import iso
from test_tls import BLOCKED_MS, Authority

try:
    import h2.config
    import h2.connection
    import h2.events
    from hyperframe.frame import GoAwayFrame
except ImportError:  # Debian's python3-h2
    h2 = None

RECORDS = 50
NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, ENHANCE_YOUR_CALM = 0, 2, 7, 11
# what a request meets on a connection that was used before; it is no reason for a warning
SILENT = ("goaway idle", "close idle", "goaway below", "goaway below, open", "refuse", "goaway within")
LOUD = ("reset", "calm", "reset within", "close within", "goaway below within")


class Http2:
    """A port that speaks HTTP/2 over TLS. ANSWER(path, headers, body) -> (status, body). The next request on a
    connection that was used before meets what plan says, once."""

    def __init__(self, context, answer):
        self.context, self.answer = context, answer
        self.plan, self.met, self.lock = None, 0, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                peer, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()
        except OSError:
            pass

    def _serve(self, peer):
        try:
            with self.context.wrap_socket(peer, server_side=True) as connection:
                Connection(self, connection).serve()
        except OSError:
            pass

    def take(self, stream):
        with self.lock:
            if stream == 1 or not self.plan:
                return None
            plan, self.plan = self.plan, None
            self.met += 1
            return plan

    def stop(self):
        self.listener.close()


class Connection:
    def __init__(self, server, peer):
        self.server, self.peer, self.requests = server, peer, {}
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.http.initiate_connection()

    def flush(self):
        self.peer.sendall(self.http.data_to_send())

    def serve(self):
        self.flush()
        while data := self.peer.recv(65536):
            for event in self.http.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self.requests[event.stream_id] = (dict(event.headers), bytearray())
                elif isinstance(event, h2.events.DataReceived):
                    self.requests[event.stream_id][1].extend(event.data)
                    self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    if not self.respond(event.stream_id, *self.requests.pop(event.stream_id)):
                        return self.flush()
            self.flush()

    def goaway(self, last, error=NO_ERROR):
        self.flush()
        self.peer.sendall(GoAwayFrame(0, last_stream_id=last, error_code=error).serialize())

    def respond(self, stream, headers, body):
        """False: the connection ends."""
        plan = self.server.take(stream)
        if plan in ("reset", "refuse"):
            self.http.reset_stream(stream, REFUSED_STREAM if plan == "refuse" else INTERNAL_ERROR)
            return True
        if plan in ("goaway below", "goaway below, open", "calm"):
            self.goaway(stream - 2, ENHANCE_YOUR_CALM if plan == "calm" else NO_ERROR)
            return plan == "goaway below, open"
        status, text = self.server.answer(headers[":path"], headers, bytes(body))
        self.http.send_headers(stream, [(":status", str(status)), ("content-type", "application/json")])
        if plan and plan.endswith("within"):
            self.http.send_data(stream, text[: len(text) // 2])
            if plan == "reset within":
                self.http.reset_stream(stream, INTERNAL_ERROR)
                return True
            if plan != "close within":
                self.goaway(stream if plan == "goaway within" else stream - 2)
            if plan != "goaway within":
                return False
            text = text[len(text) // 2 :]
        self.http.send_data(stream, text, end_stream=True)
        if plan == "goaway idle":
            self.goaway(stream)
        return plan != "close idle"


@harness.unittest.skipUnless(h2, "no python3-h2 here")
class Http2Servers(harness.Case):
    def setUp(self):
        super().setUp()
        # no disk is waited for: what is measured is the network's
        memory = pathlib.Path(tempfile.mkdtemp(prefix="trawld-test-", dir="/dev/shm"))
        self.addCleanup(shutil.rmtree, memory, ignore_errors=True)
        self.state, self.out, self.blocked = memory / "state", memory / "out.ndjson", self.dir / "blocked"
        self.authority = Authority(self.dir / "ca")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*self.authority.sign("good"))
        self.context.set_alpn_protocols(["h2"])
        self.api = HostileApi("cursor", events(RECORDS, int(time.time()) - 100))
        self.addCleanup(self.api.stop)
        self.taken, self.keys = [], set()

    def environment(self):
        return {**super().environment(), "LD_PRELOAD": os.environ["TRAWLD_PRELOAD"], "LOOP_WATCH": str(self.blocked)}

    def server(self, answer):
        server = Http2(self.context, answer)
        self.addCleanup(server.stop)
        return server

    def page(self, path, headers, body):
        query = dict(urllib.parse.parse_qsl(path.partition("?")[2]))
        with self.api.lock:
            return 200, self.api.good(query).text()

    def take(self, path, headers, body):
        key = headers["idempotency-key"]
        if key not in self.keys:
            self.keys.add(key)
            self.taken += [json.loads(line)["id"] for line in body.splitlines()]
        return 200, b'{"taken": true}'

    def more(self):
        n = len(self.api.events)
        with self.api.lock:
            self.api.events += [{"id": "record-%d" % (n + m), "at": iso(time.time()), "text": ""} for m in range(2)]

    def ids(self):
        return [json.loads(line)["id"] for line in whole_lines(self.out)]

    def wait_all(self, daemon):
        expected = len(self.api.events)
        try:
            wait_until(lambda: len(self.ids()) >= expected and len(self.taken) >= expected, "all records", 60)
        except AssertionError:
            self.fail(daemon.text()[-6000:])

    def meet(self, daemon, server, kind):
        """The next request meets KIND; then all is there, and the log says nothing, or what happened."""
        mark, met = daemon.mark(), server.met
        server.plan = kind
        self.more()
        wait_until(lambda: server.met > met, kind, 60)
        self.more()
        self.wait_all(daemon)
        if kind in SILENT:
            self.assertNotIn("retrying", daemon.text(mark))

    def test_servers(self):
        api, collector = self.server(self.page), self.server(self.take)
        source = self.api.source("ca_file = %s" % self.authority.pem, "interval = 50ms")
        sink = "[sink far]\ntype = http\nurl = https://localhost:%d/ndjson\nca_file = %s\nbatch_age = 0\nretry_max = 1s\n"
        self.configure(
            source.replace(self.api.url, "https://localhost:%d" % api.port), self.file_sink(),
            sink % (collector.port, self.authority.pem),
        )
        daemon = self.daemon()
        self.wait_all(daemon)
        times = int(os.environ.get("TRAWLD_FAULTS", "1").replace("all", "25"))
        for _ in range(times):
            for server, name in ((api, "API"), (collector, "collector")):
                for kind in (*SILENT, *LOUD):
                    with self.subTest(kind, server=name):
                        self.meet(daemon, server, kind)
        self.assertEqual(daemon.stop(), 0)
        expected = [event["id"] for event in self.api.events]
        self.assertEqual(self.ids(), expected, daemon.text())
        self.assertEqual(self.taken, expected, daemon.text())
        self.assertLess(int(self.blocked.read_text()), BLOCKED_MS, daemon.text())
        print("\ncampaign: %d streams and connections of HTTP/2 ended in %d ways; blocked at most %s ms"
              % (api.met + collector.met, len(SILENT) + len(LOUD), self.blocked.read_text()), flush=True)  # fmt: skip


if __name__ == "__main__":
    harness.main()
