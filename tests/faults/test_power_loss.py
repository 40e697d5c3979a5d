#!/usr/bin/python3
"""Power failures: whatever of the unsynced writes the disk holds, trawld continues, and each record is in the archives once.

Runs are recorded (write_log.c). Then the power fails after some operation, the folder is made to hold what a disk may hold
then (disk.py), and trawld runs to the end. TRAWLD_FAULTS says after how many operations, which chance selects, or all, or
FIRST-LAST, for several processes that share the work. TRAWLD_TEST_SEED repeats a run.
"""

import hashlib
import os

from disk import scattered, strict, torn, whole
from on_disk import RECORDS, OnDisk, harness

RUNS = 6
POINTS = 16


class PowerLoss(OnDisk):
    STATE = "var/lib/state"  # trawld makes all of it

    def points(self, disk):
        """After how many operations the power fails; some of them while an archive is written."""
        points = range(len(disk.operations) + 1)
        number = os.environ.get("TRAWLD_FAULTS", str(POINTS))
        if number == "all":
            return points
        if "-" in number:
            first, last = map(int, number.split("-"))
            return range(first, min(last + 1, len(points)))
        archives = {o.inode for o in disk.operations if o.kind == "C" and "ndjson" in o.name}
        writes = [n + 1 for n, o in enumerate(disk.operations) if o.kind == "W" and o.inode in archives]
        half = min(int(number) // 2, len(writes))
        return sorted({*self.dice.sample(points, min(int(number) - half, len(points))), *self.dice.sample(writes, half)})

    def test_power_loss(self):
        for part in range(1, RUNS + 1):
            self.simulator.control(visible=RECORDS * part // RUNS)
            done = self.run_logged()
            self.assertEqual(done.code, 0, done.err)
        disk, failures = self.disk(), (strict, whole, torn, scattered)
        self.assert_logged(disk)
        points = self.points(disk)
        tried = set()
        for count in points:
            for failure in failures:
                found = disk.after(count, failure, self.dice)
                digest = self.digest(*found)
                if digest in tried:  # a sync changes nothing of what was written, nor a write what is certain
                    continue
                tried.add(digest)
                with self.subTest(after=count, failure=failure.__name__):
                    disk.put(*found)
                    self.assert_archives(self.once().err)
            if len(points) > 100 and count % 50 == 0:
                print("%d of %d operations" % (count, len(disk.operations)), flush=True)
        print(
            "campaign: %d power failures after %d of %d operations left %d disks"
            % (len(points) * len(failures), len(points), len(disk.operations) + 1, len(tried)),
            flush=True,
        )

    def digest(self, names, contents):
        """Of all that trawld can see of a disk."""
        digest = hashlib.sha256(repr(sorted(names.items())).encode())
        for inode in sorted(set(names.values())):
            digest.update(b"%d %d " % (inode, len(contents.get(inode, b""))))
            digest.update(contents.get(inode, b""))
        return digest.digest()


if __name__ == "__main__":
    harness.main()
