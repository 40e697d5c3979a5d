#!/usr/bin/python3
"""trawlctl top: sources in the chosen order, once in a pipe, live on a terminal, which is left as it was."""

import os
import pty
import select
import subprocess
import termios
import time

import harness
from harness import wait_until

HEADING = "SOURCE"


class Top(harness.Case):
    def setUp(self):
        super().setUp()
        self.sim = self.cloudscale(300, "--page-size", "100")
        control = self.dir / "control"
        self.configure(
            self.source(self.sim.url, "alpha", more="interval = 1h"),
            self.source("http://127.0.0.1:9", "broken", more="interval = 1h"),
            self.source(self.sim.url, "zulu", more="interval = 1h\nenabled = no"),
            self.file_sink(path=self.dir / "%{source}.ndjson"),
            control=control,
        )
        self.running = self.daemon()
        wait_until(control.exists, "the control socket")
        self.running.wait_log("retrying in")
        self.wait_size(self.dir / "alpha.ndjson", 1)
        wait_until(lambda: "up to date" in self.ctl("top").text, "the end of the poll")

    def names(self, text):
        lines = text.splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith(HEADING))
        return [line.split()[0] for line in lines[at + 1 :]]

    def test_once(self):
        self.assertEqual(self.names(self.ctl("top").text)[0], "broken")
        self.assertEqual(self.names(self.ctl("top", "--sort", "name").text), ["alpha", "broken", "zulu"])
        text = self.ctl("top", "--sort", "hour").text
        self.assertEqual(self.names(text)[0], "alpha")
        self.assertRegex(text, r"(?m)^alpha +up to date +no +\d+ +300 +0 +")
        self.assertIn("cannot sort by `rates`: did you mean `rate`", self.ctl("top", "--sort", "rates", expect=64).err)

    def test_live(self):
        leader, follower = pty.openpty()
        before = termios.tcgetattr(follower)
        child = subprocess.Popen(
            [harness.TRAWLCTL, "-c", str(self.conf), "top"],
            env={**self.environment(), "TERM": "xterm"},
            stdin=follower,
            stdout=follower,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        shown = ""

        def seen(phrase):
            nonlocal shown
            deadline = time.monotonic() + 30 * harness.PATIENCE
            while phrase not in shown:
                left = deadline - time.monotonic()
                self.assertGreater(left, 0, "no %r in %r" % (phrase, shown))
                if select.select([leader], [], [], left)[0]:
                    shown += os.read(leader, 65536).decode()
            shown = ""

        seen("sorted by failing")
        os.write(leader, b"n")
        seen("sorted by name")
        os.write(leader, b"h")
        seen("sorted by hour")
        os.write(leader, b"q")
        self.assertEqual(child.wait(30 * harness.PATIENCE), 0)
        seen("\x1b[?1049l")
        self.assertEqual(termios.tcgetattr(follower), before)
        os.close(leader)
        os.close(follower)


if __name__ == "__main__":
    harness.main()
