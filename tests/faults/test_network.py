#!/usr/bin/python3
"""A network that fails between trawld and an API, and between trawld and a collector: slow, resets, half-open, names that
do not resolve, hang or move, a black hole at the IPv6 address, a proxy with a password. The loop is never blocked for
100 ms, and nothing is lost.

Connections pass through a proxy that gives each the failure that chance selects. TRAWLD_FAULTS says how many connections
fail so before the network is well again; TRAWLD_TEST_SEED repeats a run, as far as a network can be repeated.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import tempfile
import threading
import time

from on_disk import harness
from harness import wait_until
from http_sink import got
from proxy import Proxy as AskingProxy

from small_api import CURSOR, Api, iso, within

RECORDS = 400
PAGE = 10
CONNECTIONS = 20
BLOCKED_MS = 100
BASE = 1_700_000_000


class Proxy:
    """A port whose connections go to PORT. Until FAILING have been made each has one of KINDS, and ends soon."""

    KINDS = ("well", "latency", "trickle", "reset", "close", "half-open", "garbage")

    def __init__(self, port, dice, failing, address=("127.0.0.1", 0)):
        self.port, self.dice, self.failing = port, dice, failing
        self.lock, self.done, self.open, self.accepted = threading.Lock(), {}, set(), 0
        self.listener = socket.create_server(address, backlog=100)
        self.own_port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _kind(self):
        with self.lock:
            bad = sum(self.done.values()) < self.failing
            kind = self.dice.choice(self.KINDS) if bad else "well"
            stage = self.dice.choice((0, 1, 40, 400, 4000))
            if bad:
                self.done[kind] = self.done.get(kind, 0) + 1
            return kind, stage, bad

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(peer, *self._kind()), daemon=True).start()

    def _serve(self, peer, kind, stage, ends):
        try:
            self._pass_on(peer, kind, stage, ends)
        except OSError:
            pass
        finally:
            if kind == "reset":
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if kind == "half-open":
                with self.lock:
                    self.open.add(peer)  # says nothing any more, and never ends
            else:
                peer.close()

    def _pass_on(self, peer, kind, stage, ends):
        """Both directions; the answer breaks after STAGE bytes."""
        if kind in ("reset", "close", "half-open") and stage == 0:
            return
        if kind == "garbage":
            peer.recv(65536)
            peer.sendall(bytes(self.dice.randrange(256) for _ in range(stage + 10)))
            return
        with socket.create_connection(("127.0.0.1", self.port)) as server:
            threading.Thread(target=self._forward, args=(peer, server), daemon=True).start()
            sent = parts = 0
            while True:
                data = server.recv(65536)
                if not data:
                    return
                if kind in ("reset", "close", "half-open"):
                    data = data[: stage - sent]
                if kind == "latency":
                    time.sleep(0.1)
                if kind == "trickle":  # byte by byte; more at once later, or the test would take minutes
                    for at in range(min(len(data), 40)):
                        peer.sendall(data[at : at + 1])
                        time.sleep(0.01)
                    data = data[40:]
                peer.sendall(data)
                sent += len(data)
                parts += 1
                if ends and parts == 3:
                    return
                if kind in ("reset", "close", "half-open") and sent >= stage:
                    return

    def _forward(self, peer, server):
        try:
            while data := peer.recv(65536):
                server.sendall(data)
        except OSError:
            pass

    def stop(self):
        self.listener.close()
        for peer in self.open:
            peer.close()


class Network(harness.Case):
    timeout = "1s"

    def setUp(self):
        super().setUp()
        # no disk is waited for: what is measured is the network's
        memory = pathlib.Path(tempfile.mkdtemp(prefix="trawld-test-", dir="/dev/shm"))
        self.addCleanup(shutil.rmtree, memory, ignore_errors=True)
        self.state, self.out = memory / "state", memory / "out.ndjson"
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.names, self.later, self.blocked = self.dir / "names", self.dir / "later", self.dir / "blocked"
        self.names.write_text("well")
        self.events = [{"id": str(n), "at": iso(BASE + n), "text": "x" * (n % 97)} for n in range(RECORDS)]
        self.lines = [json.dumps(event, separators=(",", ":")) for event in self.events]
        self.expected = "".join(line + "\n" for line in self.lines).encode()
        self.api = Api(self.answer)
        self.addCleanup(self.api.stop)
        self.api.server.handle_error = lambda *arguments: None
        self.receiver = self.simulator(name="http_receiver")

    def answer(self, query, number):
        """As many records as connections were made, in parts."""
        share = sum(self.near.done.values()) / self.near.failing if self.near.failing else 1
        found = within(query, self.events[: int(RECORDS * share)])
        at = int(query.get("cursor") or 0)
        page = {"rows": found[at : at + PAGE]}
        return {**page, "next": str(at + PAGE)} if at + PAGE < len(found) else page

    def environment(self):
        return {
            **super().environment(),
            "LD_PRELOAD": os.environ["TRAWLD_PRELOAD"],
            "LOOP_WATCH": str(self.blocked),
            "LOOP_NAMES": str(self.names),
            "LOOP_LATER": str(self.later),
        }

    def proxy(self, url, failing, *address):
        proxy = Proxy(int(url.rsplit(":", 1)[1]), self.dice, failing, *address)
        self.addCleanup(proxy.stop)
        return proxy

    def start(self, api, receiver, *more):
        """A source behind the proxy API and under a name, a collector behind RECEIVER."""
        self.near = api
        self.seconds = 120 + 6 * api.failing
        source = self.api.source(
            *CURSOR, "page.size = %d" % PAGE, "start = 2020-01-01", "interval = 50ms", "timeout = %s" % self.timeout, "limits.rate = off",
            "insecure_http = yes", *more,
        ).replace(self.api.url, "http://api.test:%d" % api.own_port)
        sink = (
            "[sink far]\ntype = http\nurl = http://127.0.0.1:%d/ndjson\nbatch_records = 20\nbatch_age = 10ms\n"
            "retry_max = 1s\ntimeout = 1s\n" % receiver.own_port
        )
        self.configure(source, self.file_sink(), sink)
        return self.daemon()

    def assert_complete(self, daemon):
        self.wait_size(self.out, len(self.expected), self.seconds)
        taken = lambda: [text for request in got(self.receiver, "ndjson") if not request["repeat"] for text in request["records"]]
        wait_until(lambda: len(taken()) >= RECORDS, "all records at the collector", self.seconds)
        daemon.stop()
        self.assert_output(self.expected)
        self.assertEqual(taken(), self.lines)
        self.assertLess(int(self.blocked.read_text()), BLOCKED_MS, "the loop was blocked:\n" + daemon.text())

    def test_connections(self):
        failing = int(os.environ.get("TRAWLD_FAULTS", str(CONNECTIONS)).replace("all", "2000"))
        api, receiver = self.proxy(self.api.url, failing), self.proxy(self.receiver.url, failing)
        daemon = self.start(api, receiver)
        self.assert_complete(daemon)
        print("campaign: connections that failed: %s to the API, %s to the collector; blocked at most %s ms"
              % (api.done, receiver.done, self.blocked.read_text()), flush=True)

    def test_names(self):
        """Names that fail or hang, then resolve to an address that swallows everything beside one that answers."""
        api, receiver = self.proxy(self.api.url, 0), self.proxy(self.receiver.url, 0)
        hole = socket.create_server(("::1", api.own_port), family=socket.AF_INET6, backlog=0)
        self.addCleanup(hole.close)
        for _ in range(4):  # its backlog is full: further connections are not answered
            peer = socket.socket(socket.AF_INET6)
            peer.setblocking(False)
            peer.connect_ex(("::1", api.own_port))
            self.addCleanup(peer.close)
        self.names.write_text("hang")
        daemon = self.start(api, receiver)
        daemon.wait_log("api.test")
        self.names.write_text("fail")
        self.names.write_text("both")
        self.assert_complete(daemon)


    def test_name_moves(self):
        """While connections are kept: the old address still answers, and yet it is left after some time."""
        old, receiver = self.proxy(self.api.url, 0), self.proxy(self.receiver.url, 0)
        self.timeout = "10m"
        daemon = self.start(old, receiver)
        wait_until(lambda: self.out.exists() and self.api.queries, "a request")
        new = self.proxy(self.api.url, 0, ("127.0.0.2", old.own_port))
        self.names.write_text("moved")
        asked = len(self.api.queries)
        wait_until(lambda: len(self.api.queries) >= asked + 20, "twenty requests")
        self.assertEqual(new.accepted, 0)
        for minutes in range(1, 30):  # in steps, or the connection ends because it was idle
            self.later.write_text(str(60 * minutes))
            asked = len(self.api.queries)
            wait_until(lambda: new.accepted or len(self.api.queries) >= asked + 3, "three requests")
        self.assertGreater(new.accepted, 0)
        self.assert_complete(daemon)

    def test_password_of_a_proxy(self):
        """Connections to a proxy fail in every way, and it refuses a password that was changed, until that is set."""
        real = AskingProxy("me", "pr0xy-s3cret")
        self.addCleanup(real.stop)
        near, receiver = self.proxy(real.url(), CONNECTIONS), self.proxy(self.receiver.url, 0)
        at = "proxy = http://me:%s@127.0.0.1:" + str(near.own_port)
        daemon = self.start(near, receiver, at % "old")
        daemon.wait_log("HTTP 407", seconds=120)
        text = self.conf.read_text().replace("http://api.test:%d" % near.own_port, self.api.url)
        self.conf.write_text(text.replace(at % "old", at % "pr0xy-s3cret"))
        daemon.signal(signal.SIGHUP)
        self.assert_complete(daemon)
        self.assertNotIn("pr0xy-s3cret", daemon.text())


if __name__ == "__main__":
    harness.main()
