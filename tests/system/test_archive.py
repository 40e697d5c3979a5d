#!/usr/bin/python3
"""No byte of an archive is ever cut: a state that is older than the file, a state without its
write-ahead log, files that were renamed meanwhile, two daemons on one file, and whoever follows the
file with tail -F while trawld is killed.
"""

import collections
import gzip
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import threading
from unittest import mock
from urllib.parse import parse_qs, urlparse

import harness
from harness import wait_until

import cloudscale


def text(n):
    return '{"n":%d,"text":"%s"}' % (n, "x" * (n % 50))


class Api:
    """An API with a gapless cursor, whose records a test adds and takes away."""

    def __init__(self):
        api = self
        self.records = []  # pairs of number and text

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_GET(self):
                query = parse_qs(urlparse(self.path).query)
                body = api.page(int(query.get("after", ["-1"])[0]))
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = "http://127.0.0.1:%d/log" % self.server.server_port

    def page(self, after):
        found = [pair for pair in self.records if pair[0] > after]
        last = found[-1][0] if found else after
        return ('{"items":[%s],"last":"%d"}' % (",".join(t for _, t in found), last)).encode()

    def add(self, first, end):
        self.records += [(n, text(n)) for n in range(first, end)]

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def lines(first, end):
    return "".join(text(n) + "\n" for n in range(first, end)).encode()


class Archive(harness.Case):
    def setUp(self):
        super().setUp()
        self.api = Api()
        self.addCleanup(self.api.stop)
        self.backup = self.dir / "backup"

    def custom(self, name="s"):
        return (
            "[source %s]\nprovider = custom\nrequest.url = %s\nrate = off\n"
            "request.query.after = ${resume.cursor}\nresume.cursor = /last\n"
            "records.at = /items\nrecords.id = /n\ninterval = 20ms\n" % (name, self.api.url)
        )

    def archive(self, more=""):
        self.configure(self.custom(), self.file_sink(more=more))

    def deliver(self, first, end):
        self.api.add(first, end)
        return self.once()

    def save(self):
        shutil.copytree(self.state, self.backup)

    def restore(self):
        shutil.rmtree(self.state)
        self.backup.rename(self.state)


class Restored(Archive):
    """100 records, a copy of the state, 60 more, and the copy is brought back."""

    def prepare(self, more=""):
        self.archive(more)
        self.deliver(0, 100)
        self.save()
        self.deliver(100, 130)
        self.deliver(130, 160)
        self.assert_output(lines(0, 160))
        self.inode = self.out.stat().st_ino
        self.restore()

    def test_forgotten(self):
        """The API has none of them any more."""
        self.prepare()
        self.api.records.clear()
        result = self.once()
        self.assert_output(lines(0, 160))
        count = "%d bytes (60 lines)" % len(lines(100, 160))
        self.assertEqual(len(result.lines(count + " that the state does not know")), 1, result.err)
        self.assertEqual(len(result.lines("may be in the file twice")), 1, result.err)
        self.deliver(500, 520)
        self.assert_output(lines(0, 160) + lines(500, 520))
        result = self.deliver(520, 530)
        self.assert_output(lines(0, 160) + lines(500, 530))
        self.assertEqual(result.lines("twice"), [], result.err)
        self.assertEqual(self.out.stat().st_ino, self.inode)

    def test_read_again(self):
        """The API has them all: what is the same is not written again."""
        self.prepare()
        result = self.deliver(160, 300)
        self.assert_output(lines(0, 300))
        self.assertEqual(len(result.lines("not written twice")), 1, result.err)

    def test_read_again_in_part(self):
        """The API has the second half: all that was there stays, in front of it."""
        self.prepare()
        self.api.records = self.api.records[130:]
        result = self.once()
        self.assert_output(lines(0, 160) + lines(130, 160))
        self.assertEqual(len(result.lines("that the state does not know")), 1, result.err)

    def test_recognised(self):
        """As before, but the path tells the source: what was there is not written again."""
        self.out = self.dir / "s.ndjson"
        self.configure(self.custom(), self.file_sink(path=self.dir / "%{source}.ndjson"))
        self.deliver(0, 100)
        self.save()
        self.deliver(100, 160)
        self.restore()
        self.api.records = self.api.records[130:]
        result = self.once()
        self.assert_output(lines(0, 160))
        self.assertEqual(len(result.lines("not written twice")), 1, result.err)
        self.deliver(160, 200)
        self.assert_output(lines(0, 200))

    def test_envelope(self):
        self.archive("format = envelope")
        self.deliver(0, 100)
        self.save()
        self.deliver(100, 160)
        before = self.out.read_bytes()
        self.restore()
        self.deliver(160, 200)
        found = self.out.read_bytes()
        self.assertEqual(found[: len(before)], before)
        numbers = [json.loads(line)["record"]["n"] for line in found.splitlines()]
        self.assertEqual(numbers, list(range(200)))

    def test_without_log(self):
        """trawld.db is there, its write-ahead log is not."""
        self.archive()
        self.deliver(0, 100)
        daemon = self.daemon()
        self.api.add(100, 160)
        self.wait_size(self.out, len(lines(0, 160)))
        daemon.kill()
        for path in self.state.glob("trawld.db-*"):
            path.unlink()
        before = self.out.read_bytes()
        self.api.records.clear()
        self.once()
        self.assert_output(before)
        self.deliver(500, 520)
        self.assert_output(before + lines(500, 520))

    def test_renamed(self):
        """logrotate was there between the copy and its return."""
        self.prepare()
        old = self.dir / "out.ndjson.1"
        self.out.rename(old)
        self.api.records.clear()
        result = self.once()
        self.assertEqual(old.read_bytes(), lines(0, 160))
        self.assertEqual(len(result.lines("(60 lines) that the state does not")), 1, result.err)
        self.deliver(500, 520)
        self.assertEqual(old.read_bytes(), lines(0, 160))
        self.assert_output(lines(500, 520))

    def rotated(self, more, read):
        self.archive("max_size = 64KiB\n" + more)
        self.deliver(0, 500)
        self.save()
        for first in range(500, 4000, 500):
            self.deliver(first, first + 500)
        before = {path.name: path.read_bytes() for path in self.dir.glob("out.ndjson*")}
        self.assertGreater(len(before), 2)
        self.restore()
        self.api.records.clear()
        self.deliver(9000, 9010)
        for name, content in before.items():
            found = (self.dir / name).read_bytes()
            self.assertEqual(found[: len(content)], content, name)
        found = [self.dir / name for name in sorted(before)[1:]] + [self.out]
        self.assertEqual(b"".join(map(read, found)), lines(0, 4000) + lines(9000, 9010))

    def test_rotated(self):
        self.rotated("", lambda path: path.read_bytes())

    def test_compressed(self):
        self.rotated(
            "compress = gzip",
            lambda p: gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes(),
        )

    def test_longer_than_a_job(self):
        """Far more than a job can hold, and no line feed at its end."""
        self.archive()
        self.deliver(0, 100)
        with self.out.open("ab") as file:
            file.truncate(self.out.stat().st_size + (600 << 20))
            file.seek(0, os.SEEK_END)
            file.write(b"the last line")
        size = self.out.stat().st_size
        result = self.deliver(100, 110)
        self.assertEqual(len(result.lines("that the state does not know")), 1, result.err)
        with self.out.open("rb") as file:
            self.assertEqual(file.read(len(lines(0, 100))), lines(0, 100))
            file.seek(size - 13)
            self.assertEqual(file.read(), b"the last line\n" + lines(100, 110))


class Follower(harness.Case):
    def test_tail(self):
        """tail -F sees each byte once, and no file that becomes shorter."""
        records = 4000
        expected = cloudscale.expected_lines(1, 0, records)
        simulator = self.cloudscale(records, "--page-size", "20", "--delay", "0.002")
        simulator.control(visible=100)
        self.configure(
            self.source(simulator.url, more="interval = 50ms"), self.file_sink()
        )
        self.out.touch()
        followed, errors = self.dir / "followed", self.dir / "errors"
        with followed.open("wb") as output, errors.open("wb") as log:
            tail = subprocess.Popen(
                ["tail", "-c", "+1", "-F", "-s", "0.02", str(self.out)],
                stdout=output, stderr=log, env=self.environment(),
            )
        self.addCleanup(tail.wait)
        self.addCleanup(tail.kill)
        caught_up = lambda: followed.stat().st_size == self.out.stat().st_size
        for round in range(10):
            simulator.control(visible=records * (round + 1) // 10)
            daemon = self.daemon()
            before = self.out.stat().st_size
            wait_until(lambda: self.out.stat().st_size > before, "more in the file")
            daemon.kill()
            found = self.out.read_bytes()
            self.assertEqual(found, expected[: len(found)])
            # the job that the kill has hit, if it has hit none
            with self.out.open("ab") as file:
                file.write(expected[len(found) : len(found) + 7 + 1000 * (round % 3)])
            wait_until(caught_up, "tail")
        simulator.control(visible=records)
        self.once()
        self.assert_output(expected)
        wait_until(caught_up, "tail")
        self.assert_output(expected, followed)
        self.assertEqual(errors.read_text(), "")


class Shared(Archive):
    def test_two_daemons(self):
        """The second is refused with the first one's PID, and takes over when that one ends."""
        self.configure(self.custom("one"), self.file_sink(more="format = envelope"))
        self.api.add(0, 50)
        first = self.daemon()
        wait_until(lambda: self.out.exists() and self.out.read_bytes().count(b"\n") == 50, "the first")
        self.state = self.dir / "other"
        self.configure(
            self.custom("two"), self.file_sink(more="format = envelope\nretry_max = 1s")
        )
        second = self.daemon()
        line = second.wait_log("has locked")
        self.assertIn("PID %d" % first.pid, line)
        self.assertIn(str(self.out), line)
        self.api.add(50, 100)
        wait_until(lambda: self.out.read_bytes().count(b"\n") == 100, "the first again")
        first.kill()
        second.wait_log("works again")
        wait_until(lambda: self.out.read_bytes().count(b"\n") == 200, "the second")
        self.assertEqual(second.stop(), 0)
        found = collections.defaultdict(list)
        for line in self.out.read_bytes().splitlines():
            envelope = json.loads(line)
            found[envelope["source"]].append(envelope["record"]["n"])
        self.assertEqual(found, {"one": list(range(100)), "two": list(range(100))})


class Mounted(Archive):
    def test_mounted_over(self):
        """Another disk is mounted over the folder of the archive, and a file there has the same inode number: records go to
        that file, not to one that nobody sees any more."""
        if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
            self.skipTest("no mounts here")
        folder, go, script = self.dir / "disk", self.dir / "go", self.dir / "trawld"
        folder.mkdir()
        script.write_text(
            "#!/bin/sh\nexec unshare -rm sh -c 'mount -t tmpfs tmpfs \"$0\" && shift && {\n"
            "{ until [ -e \"$0/../go\" ]; do sleep 0.05; done; mount -t tmpfs tmpfs \"$0\"; echo here > \"$0/out.ndjson\"; } &\n"
            "exec \"$@\"; }' %s - %s \"$@\"\n" % (folder, harness.TRAWLD)
        )
        script.chmod(0o755)
        self.out = folder / "out.ndjson"
        self.archive()
        self.api.add(0, 10)
        with mock.patch.object(harness, "TRAWLD", str(script)):
            daemon = self.daemon()
        seen = pathlib.Path("/proc/%d/root%s" % (daemon.pid, self.out))

        def text():
            try:
                return seen.read_bytes()
            except OSError:  # not there, or just now the other disk is mounted
                return None

        wait_until(lambda: text() == lines(0, 10), "the first disk")
        inode = seen.stat().st_ino
        go.touch()
        wait_until(lambda: text() == b"here\n", "the other disk")
        self.assertEqual(seen.stat().st_ino, inode)
        self.api.add(10, 20)
        wait_until(lambda: text() == b"here\n" + lines(10, 20), "what is read now")
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    harness.main()
