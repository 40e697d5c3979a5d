"""A daemon with a control socket, and a client of it."""

import json
import socket

import harness
from harness import wait_until

import cloudscale


class ControlCase(harness.Case):
    def setUp(self):
        super().setUp()
        self.path = self.dir / "run" / "control"

    def write(self, *sections, daemon=""):
        self.configure(*sections, control=self.path, daemon=daemon)

    def begin(self, count=100, visible=None, more="interval = 1h", **options):
        self.sim = self.cloudscale(count)
        self.sim.control(visible=count if visible is None else visible)
        self.write(self.source(self.sim.url, more=more), self.file_sink(), **options)
        return self.listening()

    def listening(self):
        daemon = self.daemon()
        wait_until(self.path.exists, "the control socket")
        return daemon

    def connect(self):
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(peer.close)
        peer.settimeout(30 * harness.PATIENCE)
        peer.connect(str(self.path))
        return peer

    def line(self, peer):
        data = b""
        while not data.endswith(b"\n"):  # no further: another line may follow
            more = peer.recv(1)
            self.assertTrue(more, "closed after %r" % data)
            data += more
        return json.loads(data)

    def ask(self, text, peer=None):
        peer = peer or self.connect()
        peer.sendall(text if isinstance(text, bytes) else (json.dumps(text) + "\n").encode())
        return self.line(peer)

    def json(self):
        return json.loads(self.ctl("status", "--json").text)

    def polled(self, count=100):
        self.assertIn("source acme", self.ctl("poll", "acme").text)
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, count)))
