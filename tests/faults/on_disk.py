"""A source and two archives on a disk whose writes are logged; what is in the archives in the end."""

import gzip
import os
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import harness
from disk import Disk, read_log, whole
from sealed import GOOD, Sealed

import cloudscale

RECORDS = 600


class OnDisk(Sealed):
    STATE = "state"  # below the folder

    def setUp(self):
        super().setUp()
        self.root, self.inodes, self.log = self.dir / "disk", self.dir / "inodes", self.dir / "log"
        self.state = self.root / self.STATE
        self.out, self.rotated = self.root / "plain" / "out.ndjson", self.root / "rotated.ndjson"
        self.empty_disk()
        chance = random.SystemRandom().randrange(10**9) if "TRAWLD_FAULTS" in os.environ else 1  # short forms repeat
        seed = int(os.environ.get("TRAWLD_TEST_SEED", chance))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.expected = cloudscale.expected_lines(1, 0, RECORDS)
        self.simulator = self.cloudscale(RECORDS, "--page-size", "50")
        seal = "seal = 1s\nseal_key = ${file:%s}\n" % self.key
        self.configure(
            self.source(self.simulator.url),
            self.file_sink(more=seal),
            self.file_sink("rotated", self.rotated, "max_size = 64KiB\ncompress = gzip\n" + seal),
        )

    def empty_disk(self):
        for folder in (self.root, self.inodes):
            subprocess.run(["rm", "-rf", folder], check=True)
            folder.mkdir()
        for path in self.dir.glob(self.log.name + "*"):
            path.unlink()

    def logged(self, fault=None, after=None):
        """The environment of a process whose writes are logged; FAULT and AFTER: see write_log.c."""
        environment = {
            "LD_PRELOAD": os.environ["TRAWLD_PRELOAD"],
            "WRITE_LOG": str(self.log),
            "WRITE_LOG_ROOT": str(self.root),
            "WRITE_LOG_INODES": str(self.inodes),
        }
        if fault:
            environment["WRITE_LOG_FAIL"] = fault
        if after:
            environment["WRITE_LOG_AFTER"] = after
        return environment

    def run_logged(self, fault=None, program=harness.TRAWLD, arguments=("--once",)):
        """One run over a disk whose writes are logged."""
        return self.trawld("-c", str(self.conf), *arguments, environment=self.logged(fault), program=program)

    def disk(self):
        return Disk(self.root, self.inodes, read_log(self.log))

    def assert_logged(self, disk):
        """The log knows all that was done: rebuilt from it, the folder is what it is."""
        names, contents = disk.after(len(disk.operations), whole, self.dice)
        found = {str(path) for path in self.root.rglob("*")}
        self.assertEqual(set(names), found)
        for name, inode in names.items():
            if name not in disk.folders and not name.endswith("-shm"):
                with self.subTest(name):
                    self.assertEqual(bytes(contents.get(inode, b"")), pathlib.Path(name).read_bytes())

    def parts(self, path):
        """An archive's files, the rotated ones first; not what a compression left that goes on later."""
        rotated = {part.name: part for part in path.parent.glob(path.name + ".0*")}
        kept = [
            part
            for name, part in sorted(rotated.items())
            if not name.endswith(".tmp") and (name.endswith(".gz") or name + ".gz" not in rotated)
        ]
        return kept + [path] * path.exists()

    def archived(self, path):
        text = b""
        for part in self.parts(path):
            if part.suffix == ".gz":
                text += gzip.decompress(part.read_bytes())
            else:
                text += part.read_bytes()
        return text

    def assert_archives(self, log):
        """Both hold each record once, in order and to the byte, and their seals verify."""
        for path in (self.out, self.rotated):
            found = self.archived(path)
            self.assertEqual(found.count(b"\n"), RECORDS, log)
            self.assertTrue(found == self.expected, log)
            self.verify(*self.parts(path), "--key", self.public, expect=GOOD)
