#!/usr/bin/python3
"""A disk that hangs under one file sink: all else continues, the log and the status say which sink hangs and since when,
and nothing is lost or repeated, whatever happens meanwhile. A preloaded library holds fdatasync and fsync of that sink."""

import os
import signal
import statistics
import subprocess
import time

from on_disk import harness
from harness import wait_until
from listen_http import ask
from sealed import GOOD, Sealed
from test_notify import Manager

import cloudscale

RECORDS = 4000
WATCHDOG = 1.0  # seconds
HEALTHY_MS = 50
PAGE = 50


class SlowDisk(Sealed):
    def setUp(self):
        super().setUp()
        self.slow, self.root = self.dir / "slow", self.dir / "disk"
        self.root.mkdir()
        self.hung, self.plain = self.root / "hung.ndjson", self.dir / "plain.ndjson"
        self.expected = cloudscale.expected_lines(1, 0, RECORDS)
        self.sim = self.cloudscale(RECORDS, "--page-size", str(PAGE))
        self.listen = self.dir / "listen"
        self.setting()

    def setting(self, more="", daemon=""):
        self.configure(
            self.source(self.sim.url, more="interval = 50ms"),
            self.file_sink("hung", self.hung, more),
            self.file_sink("plain", self.plain),
            listen="unix:%s" % self.listen,
            daemon=daemon,
        )

    def environment(self):
        return {
            **super().environment(),
            "LD_PRELOAD": os.environ["TRAWLD_PRELOAD"],
            "SLOW_DISK": str(self.slow),
            "SLOW_DISK_ROOT": str(self.root),
            **getattr(self, "notify", {}),
        }

    def visible(self, n):
        """So many records can be read; their bytes."""
        self.sim.control(visible=n)
        return sum(map(len, self.expected.splitlines(keepends=True)[:n]))

    def hang(self, text=""):
        self.slow.write_text(text)

    def wait_held(self):
        held = self.slow.with_name("slow.held")
        wait_until(held.exists, "a sync that hangs")

    def release(self):
        self.slow.unlink()

    def sink(self):
        (sink,) = [s for s in ask(str(self.listen), "/status").json()["sinks"] if s["name"] == "hung"]
        return sink

    def begin(self, n=PAGE):
        """A daemon whose disk begins to hang once N records are everywhere."""
        size = self.visible(n)
        daemon = self.daemon()
        for path in (self.hung, self.plain):
            self.wait_size(path, size)
        self.hang()
        self.visible(2 * n)
        self.wait_held()
        return daemon

    def complete(self, log):
        for path in (self.hung, self.plain):
            self.assertTrue(path.read_bytes() == self.expected, log)

    def test_all_else_continues(self):
        manager = Manager(self.dir / "notify")
        self.addCleanup(manager.stop)
        self.notify = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": str(int(WATCHDOG * 1e6))}
        daemon = self.begin()
        held_at = time.monotonic()
        self.wait_size(self.plain, self.visible(RECORDS))  # polling and the other sink continue
        times = []
        for _ in range(50):
            began = time.monotonic()
            self.assertEqual(ask(str(self.listen), "/healthz").code, 200)
            times.append((time.monotonic() - began) * 1000)
        self.assertLess(statistics.median(times), HEALTHY_MS)  # the median: others use the machine, too
        line = daemon.wait_log("has not returned for 10 s")
        self.assertIn("sink hung", line)
        self.assertIn(str(self.hung), line)
        sink = self.sink()
        self.assertIn("hangs", sink["last_error"])
        self.assertIsNotNone(sink["failing_since"])
        self.assertGreater(sink["pending_records"], 0)
        told = len(manager.having("WATCHDOG"))
        manager.wait("WATCHDOG", "1", n=told + 3)
        self.assertGreater(time.monotonic() - held_at, 2 * WATCHDOG)
        self.release()
        self.wait_size(self.hung, len(self.expected))
        daemon.wait_log("works again")
        self.assertIsNone(self.sink()["last_error"])
        self.assertEqual(daemon.stop(), 0)
        self.complete(daemon.text())
        self.assertEqual(len(daemon.text().split("has not returned")), 2)

    def test_kill_while_it_hangs(self):
        for n in range(1, 6):
            daemon = self.begin(2 ** n * PAGE)
            self.wait_size(self.plain, self.visible(2 ** (n + 1) * PAGE))
            daemon.kill()
            self.release()
            self.slow.with_name("slow.held").unlink()
            self.assertTrue(self.expected.startswith(self.hung.read_bytes()), daemon.text())
        self.visible(RECORDS)
        self.complete(self.once().err)

    def test_stop_while_it_hangs(self):
        """The stop waits for a slow disk, and not for ever."""
        daemon = self.begin()
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("stopping")
        self.assertIsNone(daemon.process.poll())
        self.release()
        self.assertEqual(daemon.wait(), 0)
        self.setting(daemon="shutdown_timeout = 1s")
        daemon = self.begin(4 * PAGE)
        self.assertEqual(daemon.stop(), 0)
        self.release()
        self.visible(RECORDS)
        self.complete(daemon.text() + self.once().err)

    def test_reload_while_it_hangs(self):
        """The sink is set up anew; what hung is taken up once the file is free."""
        daemon = self.begin()
        self.setting("retry_max = 1s\nformat = raw\nmode = 0600\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("reloaded")
        self.wait_size(self.plain, self.visible(RECORDS))
        self.release()
        self.wait_size(self.hung, len(self.expected))
        self.assertEqual(daemon.stop(), 0)
        self.complete(daemon.text())

    def test_interrupted_backup(self):
        """Nothing is left of it, and what has a similar name stays."""
        self.visible(PAGE)
        self.once()
        other = self.root / "copy.db.part"
        other.write_text("somebody else's")
        before = sorted(self.root.iterdir())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.hang()
            backup = subprocess.Popen(
                [os.environ["TRAWLCTL"], "-c", str(self.conf), "backup", str(self.root / "copy.db")],
                env=self.environment())
            self.addCleanup(backup.kill)
            self.wait_held()
            self.assertEqual(len(list(self.root.iterdir())), len(before) + 1)
            backup.send_signal(number)
            self.assertEqual(backup.wait(), -number)
            self.assertEqual(sorted(self.root.iterdir()), before)
            self.release()
            self.slow.with_name("slow.held").unlink()
        self.ctl("backup", str(self.root / "copy.db"))
        self.assertEqual(other.read_text(), "somebody else's")

    def test_slow_everywhere(self):
        """Every sync takes a while: rotation, compression, seals, tails, the end."""
        self.setting("max_size = 64KiB\nseal = 1s\nseal_key = ${file:%s}\n" % self.key)
        self.hang("20")
        for n in range(1, 5):
            daemon = self.daemon()
            self.wait_size(self.plain, self.visible(n * RECORDS // 4))
            daemon.kill() if n % 2 else self.assertEqual(daemon.stop(), 0)
        log = self.once().err
        parts = sorted(self.root.glob("hung.ndjson.0*")) + [self.hung]
        parts = [part for part in parts if part.suffix != ".seals"]
        self.assertTrue(b"".join(part.read_bytes() for part in parts) == self.expected, log)
        self.verify(*parts, "--key", self.public, expect=GOOD)


if __name__ == "__main__":
    harness.main()
