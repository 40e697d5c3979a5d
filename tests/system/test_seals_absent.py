#!/usr/bin/python3
"""Archives without seals, or from before there were any, and more than one archive: what cannot be told is not called
changed, nor good.
"""

import shutil

import harness
from sealed import CHANGED, GOOD, WEAK, Sealed


class Absent(Sealed):
    def test_without_seals(self):
        """Nothing can be told of them; nor can it be told whether they had some."""
        simulator = self.cloudscale(300)
        self.configure(self.source(simulator.url), self.file_sink(more="max_size = 64KiB\ncompress = gzip"))
        self.once()
        empty, alone = self.dir / "empty.ndjson", sorted(self.dir.glob("out.ndjson.0*"))[0]
        empty.touch()
        for names in ((self.out,), (alone,), (empty,), (self.out, empty)):
            found = self.verify(*names, "--key", self.public, expect=WEAK)
            self.assertEqual((found["problems"], found["sealed"]), ([], 0))
            for name in names:
                self.assertIn("about %s: there are no seals to verify it against" % name, str(found["not_proven"]))
        result = self.trawld("verify", str(self.out), program=harness.TRAWLCTL)
        self.assertEqual(result.out.decode().splitlines()[-1], "result: nothing is proven, as there are no seals")
        # seals that are there and empty, or of another file, are no such case
        self.seals.touch()
        self.verify(self.out, "--key", self.public, expect=CHANGED)
        self.seals.rename(self.dir / "other.ndjson.seals")
        self.verify(self.out, self.dir / "other.ndjson.seals", "--key", self.public, expect=CHANGED)

    def test_switched_on(self):
        """What was in the file before seals were switched on is counted, not proven."""
        simulator = self.cloudscale(500)
        simulator.control(visible=200)
        self.configure(self.source(simulator.url), self.file_sink())
        self.once()
        simulator.control(visible=500)
        self.sealed(simulator.url)
        self.once()
        found = self.verify_good()
        self.assertEqual(found["sealed"], 300)
        self.assertIn("the first 200 records", str(found["not_proven"]))

    def test_switched_on_after_rotation(self):
        """So is a whole file from before; one that is put between those that are sealed is a change."""
        simulator = self.cloudscale(1500)
        simulator.control(visible=500)
        self.configure(self.source(simulator.url), self.file_sink(more="max_size = 128KiB\n"))
        self.once()
        before = sorted(self.dir.glob("out.ndjson.*"))
        self.assertTrue(before)
        shutil.move(self.out, self.dir / "elsewhere")
        self.sealed(simulator.url, "max_size = 128KiB")
        for visible in (1000, 1500):
            simulator.control(visible=visible)
            self.once()
        found = self.verify(self.out, "--key", self.public, expect=WEAK)
        self.assertEqual((found["problems"], found["sealed"]), ([], 1000))
        self.assertIn("%s: the file is older than its first seal" % before[0], str(found["not_proven"]))
        later = sorted(set(self.dir.glob("out.ndjson.*")).difference(before))
        shutil.copy(before[0], later[0])
        self.assertTrue(self.verify(self.out, "--key", self.public, expect=CHANGED)["problems"])

    def test_beside_one_without_seals(self):
        simulator = self.cloudscale(300)
        self.sealed(simulator.url)
        self.once()
        plain = self.dir / "plain.ndjson"
        plain.write_bytes(b'{"one":"more"}\n')
        found = self.verify(self.out, plain, "--key", self.public, expect=WEAK)
        self.assertEqual((found["problems"], found["sealed"], found["records"]), ([], 300, 301))
        self.assertIn("about %s: there are no seals" % plain, str(found["not_proven"]))

    def test_same_records_twice(self):
        """Two archives of one source are not taken for each other."""
        simulator = self.cloudscale(300)
        self.sealed(simulator.url)
        other = self.dir / "another.ndjson"
        seal = "max_size = 64KiB\ncompress = gzip\nseal = 1h\nseal_key = ${file:%s}\n" % self.key
        self.conf.write_text(
            self.conf.read_text().replace("sinks = archive", "sinks = archive, other") + self.file_sink("other", other, seal)
        )
        for visible in (100, 200, 300):
            simulator.control(visible=visible)
            self.once()
        (rotated,) = self.dir.glob("another.ndjson.0*")
        for names in ((self.out, other), (other, self.out), (self.out, rotated), (rotated, self.out)):
            found = self.verify(*names, "--key", self.public, expect=GOOD)
            self.assertEqual((found["sealed"], found["problems"]), (found["records"], []))


if __name__ == "__main__":
    harness.main()
