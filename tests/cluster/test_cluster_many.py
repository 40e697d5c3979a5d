#!/usr/bin/python3
"""Many sources on eight shards: all are polled, and the files contain each record once. many.py measures the same."""

import time
import unittest

import many  # first: it finds the next ones

import harness
from harness import PATIENCE

SOURCES, SHARDS = 2000, 8
SECONDS = 60
INTERVAL = 20


class ManySources(unittest.TestCase):
    def test_many(self):
        """Each source is polled again and again by whoever holds its shard, beside autovacuum."""
        all_ = many.Many(SOURCES, SHARDS, INTERVAL, fsync=False)
        self.addCleanup(all_.remove)
        all_.start()
        polls = lambda: all_.keep_running() and all_.api.get("/stats?late=0")["polls"]
        before, began = polls(), time.monotonic()
        wanted = before + SOURCES * SECONDS // INTERVAL
        while polls() < wanted:
            self.assertLess(time.monotonic(), began + 5 * SECONDS * PATIENCE, "the polls of %d s" % SECONDS)
            time.sleep(0.5)
        print("%d polls of %d sources in %.0f s" % (polls() - before, SOURCES, time.monotonic() - began))
        (rows, shards), = all_.server.rows("SELECT count(*), count(DISTINCT shard) FROM trawld.sources")
        self.assertEqual((rows, shards), (SOURCES, SHARDS))
        all_.stop()
        expected, missing, more = all_.compare()
        self.assertEqual((missing, more), (0, 0))
        self.assertGreater(expected, SOURCES * 3 // 10)


if __name__ == "__main__":
    harness.main()
