#!/usr/bin/python3
"""Power failures and kills around dead letters, and then a receiver that takes what it had rejected: such a record is a dead
letter, or it is delivered, never both and never neither.

Two runs are recorded (write_log.c): in the first, records become dead letters; in the second, these are sent again and
some are rejected again. Then the disk is made to hold what it may hold after an operation (disk.py; `whole` is what a
kill leaves), and the receiver takes everything. TRAWLD_FAULTS says after how many operations, or all; those of the dead
letters and of the commits after them are always tried. TRAWLD_TEST_SEED repeats a run.
"""

import collections
import os

from disk import scattered, strict, torn, whole
from on_disk import OnDisk, harness
from http_sink import got

import cloudscale

RECORDS = 120
POINTS = 4
AFTER = 7  # operations after one of the dead letters, among them the commit of the acknowledgement


class DeadLetters(OnDisk):
    def setUp(self):
        super().setUp()
        api = harness.Case.simulator(self, "--project", "%s=1:%d" % (harness.TOKEN, RECORDS), "--page-size", "40")
        self.receiver = harness.Case.simulator(self, name="http_receiver")
        lines = cloudscale.expected_lines(1, 0, RECORDS).decode().splitlines()
        chosen = lines[3:80:20] + lines[80::2]  # few of a page, and many
        self.rejected = [line for line in chosen if lines.count(line) == 1]
        self.again = self.rejected[::3]
        self.good = set(lines).difference(self.rejected)
        self.configure(
            self.source(api.url),
            "[sink far]\ntype = http\nurl = %s/ndjson\nbatch_records = 30\nbatch_age = 20ms\nretry_max = 1s\n" % self.receiver.url,
        )

    def record(self):
        """How many operations there are before dead letters are sent again."""
        self.receiver.control(poison=self.rejected)
        self.assertEqual(self.run_logged().code, 75)
        before = len(self.disk().operations)
        self.assertEqual(self.run_logged(program=harness.TRAWLCTL, arguments=["dead-letters", "resend", "far"]).code, 0)
        self.receiver.control(poison=self.again)
        self.assertEqual(self.run_logged().code, 75)
        self.assertEqual(sorted(self.letters()), sorted(self.again))
        self.receiver.control(poison=[])
        return before

    def letters(self):
        path = self.state / "dead-letters" / "far.ndjson"
        text = path.read_text(errors="replace") if path.exists() else ""
        return [line.partition(',"record":')[2][:-1] for line in text.splitlines() if line.endswith("}")]

    def points(self, disk):
        points, number = range(len(disk.operations) + 1), os.environ.get("TRAWLD_FAULTS", str(POINTS))
        if number == "all":
            return points
        near = [n + 1 for n, o in enumerate(disk.operations) if o.kind == "W" and o.inode in self.files_of(disk)]
        found = {point for n in near for point in range(n, n + AFTER) if point in points}
        return sorted(found | set(self.dice.sample(points, min(int(number), len(points)))))

    def files_of(self, disk):
        return {o.inode for o in disk.operations if o.kind == "C" and "far.ndjson" in o.name}

    def test_dead_letters(self):
        before = self.record()
        disk = self.disk()
        self.assert_logged(disk)
        points, tried = self.points(disk), 0
        for count in points:
            for failure in (strict, whole, torn, scattered):
                with self.subTest(after=count, failure=failure.__name__):
                    disk.put(*disk.after(count, failure, self.dice))
                    self.check_disk(count > before, failure is scattered)
                    tried += 1
        print("campaign: %d disks after %d of %d operations" % (tried, len(points), len(disk.operations) + 1), flush=True)

    def check_disk(self, sent_again, holes):
        first = len(got(self.receiver, "ndjson"))
        done = self.trawld("-c", str(self.conf), "--once")
        self.assertIn(done.code, (0, 75), done.err)
        sent = [record for request in got(self.receiver, "ndjson")[first:] for record in request["records"]]
        found = collections.Counter(self.letters() + sent)
        self.assertEqual(self.good & set(self.letters()), set())
        for record in self.rejected:
            # what was taken before the power failed, and then acknowledged, is in neither
            least = 0 if sent_again and record not in self.again else 1
            self.assertGreaterEqual(found[record], least, record + done.err)
            if not holes:
                self.assertLessEqual(found[record], 1, record + done.err)


if __name__ == "__main__":
    harness.main()
