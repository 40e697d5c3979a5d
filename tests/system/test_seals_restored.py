#!/usr/bin/python3
"""Seals after a state was restored that is older than they are."""

import shutil
import sqlite3

import harness
from sealed import GOOD, Sealed

import cloudscale


class Restored(Sealed):
    def test_later(self):
        """A state older than the file: the chain ends there and another begins; both hold."""
        simulator = self.cloudscale(900)
        simulator.control(visible=300)
        self.sealed(simulator.url)
        self.once()
        shutil.copytree(self.state, self.dir / "backup")
        simulator.control(visible=600)
        self.once()
        shutil.rmtree(self.state)
        shutil.copytree(self.dir / "backup", self.state)
        simulator.control(visible=900)
        result = self.once()
        self.assertTrue(result.lines("a new chain of seals begins"), result.err)
        found = self.verify_good()
        self.assertEqual(len(found["chains"]), 2)
        self.assertEqual(found["sealed"], found["records"])

    def test_before_the_first_seal(self):
        """The same where the state knows its chain and none of its seals: no number is there twice."""
        simulator = self.cloudscale(900, "--page-size", "20")
        simulator.control(visible=0)
        self.sealed(simulator.url, seal="1h")
        daemon = self.daemon()
        simulator.control(visible=300)
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 300)))
        self.wait_acknowledged()
        copy = self.dir / "copy.db"
        self.ctl("backup", str(copy))
        self.assertEqual(daemon.stop(), 0)  # seals
        for log in self.state.glob("trawld.db-*"):
            log.unlink()
        copy.rename(self.state / "trawld.db")
        simulator.control(visible=900)
        result = self.once()
        self.assertTrue(result.lines("a new chain of seals begins"), result.err)
        found = self.verify_good()
        self.assertEqual((found["sealed"], found["records"]), (900, 900))

    def test_of_an_earlier_period(self):
        """The period's files were put elsewhere and a later one is begun: no number of a chain is there twice."""
        simulator = self.cloudscale(900)
        simulator.control(visible=300)
        self.out = self.dir / "out-%C.ndjson"
        self.sealed(simulator.url)
        self.once()
        self.let_period_end()
        shutil.copytree(self.state, self.dir / "backup")
        simulator.control(visible=600)
        self.once()
        cold = self.dir / "cold"
        cold.mkdir()
        for path in self.dir.glob("out-ended.*"):
            path.rename(cold / path.name)
        shutil.rmtree(self.state)
        shutil.copytree(self.dir / "backup", self.state)
        simulator.control(visible=900)
        result = self.once()
        self.assertTrue(result.lines("a new chain of seals begins"), result.err)
        (now,) = self.dir.glob("out-??.ndjson")
        found = self.verify(cold / "out-ended.ndjson", now, "--key", self.public, expect=GOOD)
        self.assertEqual((found["problems"], len(found["chains"])), ([], 2))
        self.assertEqual(found["sealed"], found["records"])

    def let_period_end(self):
        """What was written so far is of a century that is over, as far as the state knows."""
        (path,) = self.dir.glob("out-??.ndjson")
        for name in (path.name, path.name + ".seals"):
            (self.dir / name).rename(self.dir / name.replace(path.name, "out-ended.ndjson"))
        database = sqlite3.connect(self.state / "trawld.db")
        change = "UPDATE sink_positions SET position = replace(position, ?, ?)"
        database.execute(change, (str(path), str(self.dir / "out-ended.ndjson")))
        database.commit()
        database.close()


if __name__ == "__main__":
    harness.main()
