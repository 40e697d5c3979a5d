#!/usr/bin/python3
"""What a source costs must not depend on how many there are. Instructions are counted (callgrind), which
is nearly the same on every machine and under every load. Exit code 77 with the reason without valgrind."""

import asyncio
import json
import re
import resource
import shutil
import subprocess
import sys
import threading
import unittest

import harness
from harness import PATIENCE, TRAWLD

# instructions for one more source, with many against with few
RATIO = 1.25


class Server:
    """One record at /one/NAME?c=0, none after it. Answers thousands of connections in one thread."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        self.ready.wait()

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=4096))
        self.url = "http://127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]
        self.ready.set()
        self.loop.run_forever()

    def page(self, target):
        name, count = re.fullmatch(r"/one/(\w+)\?c=(\d)", target).groups()
        record = {"id": name, "timestamp": "2026-01-01T00:00:00Z", "action": "server_create"}
        return {"next": None, "more": "%s/one/%s?c=1" % (self.url, name),
                "records": [record] if count == "0" else []}

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = json.dumps(self.page(head.split()[1].decode())).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                             b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


class Work(harness.Case):
    def setUp(self):
        super().setUp()
        if not shutil.which("valgrind"):
            self.skipTest("no valgrind here")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.server = Server()
        self.addCleanup(self.server.stop)

    def count(self, n):
        """The instructions of a --once with N sources of one record each."""
        folder = self.dir / str(n)
        folder.mkdir()
        text = "[daemon]\nstate_directory = %s/state\nlisten = off\n" % folder
        text += "[sink file]\ntype = file\npath = %s/out\n" % folder
        for i in range(n):
            text += (
                "[source s%d]\nprovider = custom\nrequest.url = %s/one/s%d?c=0\n"
                "records.at = /records\nrecords.id = /id\nrecords.time = /timestamp\n"
                "page.url = /next\nresume.url = /more\nresume.overlap = 1h\nrate = off\n"
                % (i, self.server.url, i))
        (folder / "trawld.conf").write_text(text)
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", TRAWLD,
             "-c", str(folder / "trawld.conf"), "--once"],
            env=self.environment(), capture_output=True, text=True, timeout=400 * PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        self.assertEqual(len((folder / "out").read_text().splitlines()), n)
        return int(re.search(r"Collected : (\d+)", done.stderr)[1])

    def test_sources(self):
        few, some, many = 20, 120, 620
        counts = {n: self.count(n) for n in (few, some, many)}
        first = (counts[some] - counts[few]) / (some - few)
        more = (counts[many] - counts[some]) / (many - some)
        print("instructions a source: %d with few, %d with many" % (first, more))
        self.assertLess(more, first * RATIO)


if __name__ == "__main__":
    result = unittest.main(verbosity=2, exit=False).result
    if result.skipped:
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)
