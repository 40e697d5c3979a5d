#!/usr/bin/python3
"""trawlctl rewind, of a source that is requested by time."""

import collections
import re

import harness
from test_outscale import HOUR_US, Case

import outscale
import simlib


class Rewind(Case):
    def test_long_window(self):
        """Of a window that was read at once, a rewind repeats all but the newest: overlap, 1 h."""
        self.configured()

    def test_kept(self):
        """So it does where records are kept, and their keys for reconciliations."""
        self.configured("reconcile = 40h", daemon="keep = 7d")

    def configured(self, *options, **more):
        self.recent(600, hours=40)
        self.configure(self.source("start = -48h", "page_size = 10", *options), self.file_sink(), **more)
        daemon = self.daemon()
        daemon.wait_log("up to date")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        text = self.ctl("rewind", "acme", "--to", "-20h").text
        n_known = int(re.search(r"(\d+) records read since then are in the dedupe", text)[1])
        self.once()
        records = [
            (simlib.iso_parse(at), line) for at, _, line in outscale.expected(self.trail)
        ]
        horizon = records[-1][0] - 75 * 60 * 10**6
        since = self.now_us - 20 * HOUR_US
        counts = collections.Counter(self.lines())
        # those of one page stay or go together
        page = 10 * 40 * HOUR_US // 600
        for at, line in records:
            if at >= horizon or at < since - 60 * 10**6:
                self.assertEqual(counts[line], 1, line)
            elif since + 60 * 10**6 < at < horizon - page:
                self.assertEqual(counts[line], 2, line)
        read_since = sum(1 for at, _ in records if at >= since)
        repeated = sum(1 for n in counts.values() if n == 2)
        self.assertLess(abs(read_since - repeated - n_known), 12)


if __name__ == "__main__":
    harness.main()
