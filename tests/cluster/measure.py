#!/usr/bin/python3
"""Figures for trawld-ha(7): what a record costs in the database. Not a test; those of take-overs come from
test_cluster_failover.py (test_pause).

usage: measure.py    with the environment of tests/receivers/run.py
"""

import sys
import time

from holders import Case  # first: it finds the next ones
from postgres import Server

from harness import wait_until
from test_cluster_failover import Failover

COUNT = 40000


class Measure(Failover):
    def runTest(self):
        pass

    def sizes(self):
        self.server.remove()
        self.server = Server(fsync=True)
        self.addCleanup(self.server.remove)
        self.count = COUNT
        self.cloud = self.cloudscale(COUNT, "--page-size", "1000")
        node = self.node("a", lease=10)
        node.wait_log("holding shard 0", seconds=60)
        lsn = lambda: self.server.rows("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0]
        version = lambda: self.server.rows("SELECT version FROM trawld.shards")[0][0]
        before, commits, began = lsn(), version(), time.monotonic()
        wait_until(lambda: self.n_given() >= COUNT, "all records", 300)
        self.wait_acknowledged()
        seconds = time.monotonic() - began
        print("%d records in %.1f s: %d commits, %.0f B of WAL a record" % (
            COUNT, seconds, version() - commits, float(lsn() - before) / COUNT))
        print("the tables: %s" % self.server.rows("SELECT pg_size_pretty(sum(pg_total_relation_size(oid))) FROM pg_class WHERE"
                                                  " relnamespace = 'trawld'::regnamespace AND relkind = 'r'")[0])


def main():
    measure = Measure()
    measure.setUp()
    try:
        measure.sizes()
    finally:
        measure.doCleanups()


main()
