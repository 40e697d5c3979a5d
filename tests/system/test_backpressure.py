#!/usr/bin/python3
"""A sink that is away: nothing is dropped, the pollers wait when the spool is full."""

import os
import sqlite3
import time

import harness
from harness import wait_until

import cloudscale

RECORDS = 40_000
LIMIT = 1 << 20


class Backpressure(harness.Case):
    def begin(self, limit):
        """One file sink that works, one whose folder is a file."""
        self.sim = self.cloudscale(RECORDS, "--page-size", "500")
        self.blocker = self.dir / "blocked"
        self.blocker.write_text("")
        self.dead = self.blocker / "dead.ndjson"
        self.configure(
            self.source(self.sim.url, more="interval = 200ms"),
            self.file_sink(),
            self.file_sink("dead", self.dead, "retry_max = 1s"),
            daemon="spool_limit = %d" % limit,
        )
        self.expected = cloudscale.expected_lines(1, 0, RECORDS)

    def quiet(self):
        """Waits until the simulator has not been asked for two seconds; answers the position."""
        wait_until(
            lambda: time.time() - (self.sim.stats()["last_at"] or time.time()) > 2,
            "the pollers to wait",
        )
        return self.sim.stats()["served"][harness.TOKEN]

    def unblock(self):
        self.blocker.unlink()
        self.blocker.mkdir()

    def test_full_spool(self):
        self.begin(LIMIT)
        daemon = self.daemon()
        line = daemon.wait_log("spool")
        served = self.quiet()
        self.assertLess(served, RECORDS)
        self.assertGreater(served, 0)
        self.assertNotIn("\n", line)
        # said once, not at every turn
        said = [x for x in daemon.log if "spool" in x.lower() and "limit" in x.lower()]
        self.assertLessEqual(len(said), 2, daemon.text())
        size = sum(file.stat().st_size for file in self.state.iterdir())
        self.assertLess(size, 8 * LIMIT)
        self.unblock()
        self.wait_size(self.out, len(self.expected))
        self.wait_size(self.dead, len(self.expected))
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_output(self.expected)
        self.assert_output(self.expected, self.dead)

    def test_full_spool_over_a_restart(self):
        self.begin(LIMIT)
        daemon = self.daemon()
        daemon.wait_log("spool")
        self.quiet()
        daemon.kill()
        daemon = self.daemon()
        daemon.wait_log("spool")
        self.unblock()
        self.wait_size(self.dead, len(self.expected))
        self.wait_size(self.out, len(self.expected))
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_output(self.expected)
        self.assert_output(self.expected, self.dead)

    def test_sinks_are_independent(self):
        """With room in the spool a dead sink delays no other."""
        self.begin(1 << 30)
        daemon = self.daemon()
        self.wait_size(self.out, len(self.expected))
        self.assertFalse(self.dead.exists())
        daemon.wait_log("dead")
        said = [x for x in daemon.log if "dead" in x]
        self.assertLess(len(said), 4, daemon.text())
        daemon.kill()
        daemon = self.daemon()
        self.unblock()
        self.wait_size(self.dead, len(self.expected))
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_output(self.expected)
        self.assert_output(self.expected, self.dead)

    def test_once_with_a_dead_sink(self):
        """--once cannot finish: 75; the next run delivers what is owed."""
        self.begin(1 << 30)
        result = self.once(75)
        self.assertTrue(result.lines("dead"), result.err)
        self.assert_output(self.expected)
        self.unblock()
        self.sim.control(reset_numbers=True)
        self.once()
        self.assert_output(self.expected, self.dead)
        self.assertEqual(self.sim.stats()["requests"], 1)

    def test_damaged_spool(self):
        """What waits cannot be read any more: that is said and ends it, nothing is skipped."""
        self.begin(1 << 30)
        self.once(75)
        state = sqlite3.connect(self.state / "trawld.db")
        with state:
            state.execute("UPDATE batches SET body = x'00' WHERE number = 1")
        state.close()
        self.unblock()
        for mode in ([], ["--once"]):
            result = self.trawld("-c", str(self.conf), *mode)
            self.assertEqual(result.code, 73, result.err)
            self.assertTrue(result.lines("trawld.db"), result.err)
        self.assertFalse(self.dead.exists() and self.dead.read_bytes())

    def test_reader_of_standard_output_is_slow(self):
        """A pipe that nobody reads fills up; then all comes through it."""
        self.sim = self.cloudscale(3000, "--page-size", "500")
        self.configure(self.source(self.sim.url, more="interval = 200ms"), "[sink o]\ntype = stdout\n")
        fifo = self.dir / "pipe"
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        daemon = self.daemon(out=fifo)
        os.set_blocking(reader, True)
        wait_until(lambda: self.sim.stats()["served"][harness.TOKEN] == 3000, "all pages")
        expected = cloudscale.expected_lines(1, 0, 3000)
        found = b""
        while len(found) < len(expected):
            data = os.read(reader, 65536)
            self.assertTrue(data, "standard output ended early:\n" + daemon.text())
            found += data
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(found, expected)


if __name__ == "__main__":
    harness.main()
