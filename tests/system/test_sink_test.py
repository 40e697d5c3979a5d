#!/usr/bin/python3
"""trawlctl test: one marked record through a sink, and what is said of each way to fail."""

import signal
import socket
import subprocess

import harness

from syslog_peer import Peer


class Test(harness.Case):
    def begin(self, *lines):
        self.configure(
            self.source("http://127.0.0.1:1"), "[sink far]\n%s\n" % "\n".join(lines), self.file_sink()
        )

    def test_http(self):
        receiver = self.simulator(name="http_receiver")
        self.begin("type = http", "url = %s/ndjson" % receiver.url, "encoding = ndjson")
        said = self.ctl("test", "far").text
        self.assertRegex(said, r"\Asink far \(trawld.conf:\d+\), http\n")
        self.assertIn("  POST %s/ndjson\n  HTTP 200" % receiver.url, said)
        self.assertIn("ok: one test record was delivered\n", said)
        self.assertFalse(self.state.exists(), "the sink's own state was touched")

    def test_refusals(self):
        receiver = self.simulator(name="http_receiver")
        for status, code in ((401, 78), (400, 75), (503, 75)):
            with self.subTest(status=status):
                receiver.faults({"kind": "status", "status": status})
                self.begin("type = http", "url = %s/ndjson" % receiver.url, "encoding = ndjson")
                result = self.ctl("test", "far", expect=code)
                self.assertIn("HTTP %d" % status, result.err)
                self.assertNotIn("ok:", result.text)

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        self.begin("type = http", "url = http://127.0.0.1:%d/" % port, "encoding = ndjson")
        said = self.ctl("test", "far", expect=75).err
        self.assertRegex(said, r"\Atrawlctl: sink far \(trawld.conf:\d+\): cannot connect .*\n\Z")

    def test_interrupted(self):
        """What was made for the test goes, whenever it ends."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            self.begin("type = http", "url = http://127.0.0.1:%d/" % port, "encoding = ndjson")
            temporary = self.dir / "tmp"
            temporary.mkdir()
            test = subprocess.Popen(
                [harness.TRAWLCTL, "-c", self.conf, "test", "far"],
                env={**self.environment(), "TMPDIR": str(temporary)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            while "POST" not in test.stdout.readline():
                pass
            self.assertEqual(len(list(temporary.iterdir())), 1)
            test.send_signal(signal.SIGINT)
            out, err = test.communicate(timeout=60 * harness.PATIENCE)
        self.assertEqual((test.returncode, list(temporary.iterdir())), (75, []))
        self.assertIn("interrupted", err)

    def test_syslog(self):
        peer = Peer("counted")
        self.addCleanup(peer.stop)
        self.begin("type = syslog", "address = %s" % peer.address())
        self.assertIn("ok: one test record", self.ctl("test", "far").text)
        harness.wait_until(lambda: peer.messages, "the message")
        self.assertIn(b'"trawld_test":"20', peer.messages[0])

    def test_archive(self):
        """What is in an archive is evidence: a test adds nothing."""
        self.begin("type = stdout")
        said = self.ctl("test", "archive").text
        self.assertIn("ok: %s can be written to; no test record" % self.dir, said)
        self.assertFalse(self.out.exists())

    def test_unknown(self):
        self.begin("type = stdout")
        self.assertIn("did you mean `archive`?", self.ctl("test", "archiv", expect=64).err)


if __name__ == "__main__":
    harness.main()
