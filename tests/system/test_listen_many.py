#!/usr/bin/python3
"""The metrics of thousands of sources, in pieces and compressed."""

import gzip
import http.client
import signal
import socket

import harness
from listen_http import parse
from test_listen import OPENMETRICS, Listen


class Many(Listen):
    """Megabytes of metrics, which are sent in pieces."""

    def begin_many(self, number=2000):
        self.names = ["source-%04d" % i for i in range(number)]
        return self.begin(*self.sections())

    def sections(self):
        return *(self.source("http://127.0.0.1:9", name, more="enabled = no")
                 for name in self.names), self.file_sink()

    def test_all_sources(self):
        self.begin_many()
        for openmetrics in (False, True):
            answer = self.ask("/metrics", headers={"Accept": OPENMETRICS if openmetrics else "*/*"})
            self.assertEqual(answer.headers["Transfer-Encoding"], "chunked")
            found = parse(answer.text, openmetrics=openmetrics)
            for name in self.names:
                self.assertEqual(found[("trawld_source_paused", ("source", name))], 1)
                self.assertEqual(
                    found[("trawld_page_bytes_count", ("source", name))], 0)
            self.assertIn(("trawld_sink_up", ("sink", "archive")), found)
        answer = self.ask("/metrics", "HEAD")
        self.assertEqual((answer.code, answer.text), (200, ""))

    def test_compressed(self):
        """Whoever accepts gzip gets the same, in pieces and whole, in a tenth of the bytes."""
        daemon = self.begin_many()
        plain = self.metrics()
        for path in ("/metrics", "/status"):
            answer = self.raw(path, {"Accept-Encoding": "deflate, gzip;q=1.0, *;q=0.5"})
            self.assertEqual(answer.getheader("Content-Encoding"), "gzip" if path == "/metrics" else None)
            body = answer.read()
            if path == "/metrics":
                text = gzip.decompress(body).decode()
                self.assertGreater(len(text), 10 * len(body))
                self.assertEqual(set(parse(text)), set(plain))
        for encoding in ("identity", "gzip;q=0", "br"):
            self.assertIsNone(self.raw("/metrics", {"Accept-Encoding": encoding}).getheader("Content-Encoding"))
        self.names = self.names[:1]
        self.configure(*self.sections(), listen="127.0.0.1:%d" % self.port)
        mark = daemon.mark()
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("reloaded: 1 source", mark)
        answer = self.raw("/metrics", {"Accept-Encoding": "gzip"})
        body = answer.read()
        self.assertEqual(answer.getheader("Content-Length"), str(len(body)))
        parse(gzip.decompress(body).decode())

    def raw(self, path, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30 * harness.PATIENCE)
        self.addCleanup(connection.close)
        connection.request("GET", path, headers=headers)
        return connection.getresponse()

    def test_reload_in_between(self):
        """An answer that would mix two configurations breaks off; the next one is whole."""
        daemon = self.begin_many()
        client = socket.socket()
        self.addCleanup(client.close)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", self.port))
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        text = client.recv(1024)
        self.assertIn(b"200 OK", text)
        del self.names[0]
        self.configure(*self.sections(), listen="127.0.0.1:%d" % self.port)
        mark = daemon.mark()
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("reloaded: 1999 sources", mark)
        client.settimeout(60)
        while more := client.recv(1 << 20):
            text += more
        self.assertFalse(text.endswith(b"0\r\n\r\n"))
        self.assertNotIn(b"trawld_build_info", text)
        found = self.metrics()
        self.assertNotIn(("trawld_source_up", ("source", "source-0000")), found)
        self.assertIn(("trawld_source_up", ("source", "source-0001")), found)


if __name__ == "__main__":
    harness.main()
