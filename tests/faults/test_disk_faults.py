#!/usr/bin/python3
"""A disk that fails: a run in which one operation fails, or all from then on, or a write half-way; then the power, too.

Nothing that trawld reported as done may be missing: a run that ends with 0 has both archives complete, also on a disk
without all that was never synced. After any other end the next run completes them. A sync that failed is not made good
by a later one: what waited for it is gone (write_log.c). Chance selects how an operation fails, and which do;
TRAWLD_FAULTS=all lets each fail. TRAWLD_TEST_SEED repeats a run.
"""

import errno
import os

from disk import strict
from on_disk import OnDisk, harness

POINTS = 24
FAULTS = [
    ("%d once" % errno.EIO, "one error"),
    ("%d once" % -errno.EIO, "one error, and the cache is dropped"),
    ("%d once" % errno.ENOSPC, "full once"),
    ("%d part" % errno.ENOSPC, "full within a write"),
    ("%d always" % errno.ENOSPC, "full"),
    ("%d always" % errno.EDQUOT, "over quota"),
    ("%d always" % errno.EROFS, "read-only"),
    ("%d always" % -errno.EIO, "broken"),
]


class DiskFaults(OnDisk):
    def cases(self, operations):
        """(operation, fault): every operation, or some, of which every other one is a sync."""
        points = range(1, len(operations) + 1)
        if os.environ.get("TRAWLD_FAULTS") == "all":
            return [(point, self.dice.choice(FAULTS)) for point in points]
        syncs = [point for point in points if operations[point - 1].kind == "S"]
        return [(self.dice.choice(kind), self.dice.choice(FAULTS)) for kind in (points, syncs) * (POINTS // 2)]

    def test_disk_faults(self):
        done = self.run_logged()
        self.assertEqual(done.code, 0, done.err)
        cases, told = self.cases(self.disk().operations), 0
        for point, (fault, what) in cases:
            for power_fails in (False, True):
                with self.subTest(operation=point, fault=what, power_fails=power_fails):
                    told += self.run_case(point, fault, power_fails)
        print("campaign: %d failures, %d of them ended the run" % (2 * len(cases), told), flush=True)

    def run_case(self, point, fault, power_fails):
        self.empty_disk()
        done = self.run_logged("%d %s" % (point, fault))
        self.assertIn(done.code, (0, 73, 75), done.err)
        if done.code != 0:
            self.assertRegex(done.err, "(?m)^(error|warning|notice): ")
        disk = self.disk()
        if power_fails:
            disk.put(*disk.after(len(disk.operations), strict, self.dice))
        if done.code == 0:
            self.assert_archives(done.err)
        again = self.once()
        self.assert_archives(done.err + again.err)
        return done.code != 0


if __name__ == "__main__":
    harness.main()
