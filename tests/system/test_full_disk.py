#!/usr/bin/python3
"""A full disk at the start and at a reload is waited for. A limit on the size of files stands for it: unlike a small
file system, it needs no privilege and can be lifted while trawld runs."""

import resource
import signal
import subprocess

import harness
from harness import wait_until

import cloudscale


class Limited(harness.Daemon):
    """A daemon whose files cannot grow beyond SIZE."""

    def __init__(self, size, arguments, environment):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            super().__init__(arguments, environment)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def limit(self, size=resource.RLIM_INFINITY):
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


class FullDisk(harness.Case):
    def setUp(self):
        super().setUp()
        self.api = self.cloudscale(300, "--page-size", "50")
        self.api.control(visible=100)
        self.acme = self.source(self.api.url, more="interval = 200ms")
        self.configure(self.acme, self.file_sink())

    def lines(self, n):
        return cloudscale.expected_lines(1, 0, n)

    def expect(self, n, path=None):
        self.wait_size(path or self.out, len(self.lines(n)))
        self.assert_output(self.lines(n), path)

    def limited(self, size=2048):
        daemon = Limited(size, ["-c", str(self.conf)], self.environment())
        self.addCleanup(daemon.kill)
        return daemon

    def test_start(self):
        """Of a new state, and of one that is there."""
        for n in (100, 200):
            self.api.control(visible=n)
            daemon = self.limited()
            daemon.wait_log("trawld waits, and starts as soon as the state can be used")
            daemon.limit()
            daemon.wait_log("the state can be used again; starting")
            self.expect(n)
            self.assertEqual(daemon.stop(), 0, daemon.text())
            self.assertEqual(daemon.text().count("trawld waits"), 1, daemon.text())

    def test_stopped(self):
        daemon = self.limited()
        daemon.wait_log("trawld waits")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.once()
        self.assert_output(self.lines(100))

    def test_another_place(self):
        """SIGHUP reads the configuration, which may name another disk by now."""
        daemon = self.limited()
        daemon.wait_log("trawld waits")
        self.configure(self.acme.replace("earliest", "never"), self.file_sink())
        mark = daemon.mark()
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("never", mark)
        first, self.state = self.state, self.dir / "other"
        self.configure(self.acme, self.file_sink())
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("the configuration was read again")
        daemon.limit()
        self.expect(100)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(list(first.glob("trawld.db-*")), [])

    def test_once(self):
        """Nobody waits for a run that is to end."""
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
        done = subprocess.run([harness.TRAWLD, "-c", str(self.conf), "--once"], preexec_fn=limit, capture_output=True,
                              env=self.environment(), timeout=120)
        self.assertEqual(done.returncode, 75, done.stderr)
        self.once()
        self.assert_output(self.lines(100))

    def test_sinks_go_on(self):
        """Where nothing of the state has to be written, what waits is delivered."""
        receiver = self.simulator(name="http_receiver")
        receiver.faults({"kind": "status", "status": 503})
        away = "[sink away]\ntype = http\nurl = %s/ndjson\nretry_max = 1s\nbatch_age = 0s\n" % receiver.url
        self.configure(self.acme, self.file_sink(), away)
        daemon = self.daemon()
        self.expect(100)
        daemon.wait_log("nothing is lost")
        daemon.kill()
        receiver.faults()
        daemon = self.limited(32768)  # what SQLite shares between processes takes that much
        wait_until(lambda: receiver.stats()["taken"].get("ndjson", 0) > 0, "the records that wait")
        daemon.limit()
        self.api.control(visible=200)
        self.expect(200)
        wait_until(lambda: receiver.stats()["taken"].get("ndjson", 0) >= 200, "the others")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(receiver.stats()["violations"], [])

    def reload(self, more):
        """A reload that is refused is taken up when there is room; with MORE records to be written meanwhile."""
        second = self.dir / "second.ndjson"
        daemon = self.limited(resource.RLIM_INFINITY)
        self.expect(100)
        self.wait_acknowledged()
        daemon.limit(4096)
        if more:
            self.api.control(visible=200)
            daemon.wait_log("polling waits")
        self.configure(self.acme, self.file_sink(), self.file_sink("second", second))
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("the old configuration stays in use")
        daemon.limit()
        daemon.wait_log("reloaded: 1 source, 2 sinks")
        self.api.control(visible=300)
        self.expect(300)
        wait_until(lambda: second.exists() and second.read_bytes().endswith(self.lines(300)[-100:]), "second")
        self.assertTrue(self.lines(300).endswith(second.read_bytes()))
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(daemon.text().count("the old configuration stays in use"), 1, daemon.text())

    def test_reload(self):
        self.reload(False)

    def test_reload_with_records(self):
        self.reload(True)


if __name__ == "__main__":
    harness.main()
