#!/usr/bin/python3
"""Commands that change the state (rewind, refill, skip, pause, the acknowledgement of gaps) where the state is damaged or
cannot be read, while trawld runs and while it does not.

A command has done all of it; or it ends with 73 (the state is damaged, and a trawld that runs ends with 73, too) or 75 (it
cannot be read now), names the file, and has changed nothing. Each page of the database is noise once; each read of a
command fails, once or until the disk is repaired. TRAWLD_FAULTS says how many reads of each command, or all, which chance
selects; TRAWLD_TEST_SEED repeats a run.
"""

import json
import os
import random
import re
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))

import harness
from harness import wait_until, whole_lines

import small_api
from small_api import WINDOW, iso

NOISE = b"\xa5"
CAP = 5  # records in a response, at first
POINTS = 1  # reads of a command


class Damage(harness.Case):
    def setUp(self):
        """A source that was rewound and has a gap, of which the API has the records now; and one that fails."""
        super().setUp()
        self.root, self.kept, self.log = self.dir / "disk", self.dir / "kept", self.dir / "reads"
        self.state, self.out = self.root / "state", self.root / "out.ndjson"
        self.database = self.state / "trawld.db"
        self.root.mkdir()
        base = int(time.time()) - 7200
        self.events = [{"id": n, "at": iso(base + n // 9)} for n in range(90)]
        self.capped, self.stuck = True, False
        chance = random.SystemRandom().randrange(10**9) if "TRAWLD_FAULTS" in os.environ else 1
        seed = int(os.environ.get("TRAWLD_TEST_SEED", chance))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.api = small_api.Api(self.answer)
        self.addCleanup(self.api.stop)
        self.serve(base, "page.cap = %d" % CAP)
        self.once()
        self.ctl("rewind", "acme", "--to", iso(base))
        self.once()
        self.capped = False
        self.serve(base)
        shutil.copytree(self.root, self.kept)
        self.stopped = (
            ("rewind", "acme", "--to", iso(base + 5)),
            ("rewind", "acme", "--to", "previous"),
            ("gaps", "--acknowledge"),
        )
        self.running = (*self.stopped, ("pause", "acme"), ("refill", "acme"), ("skip", "stuck"))

    def serve(self, base, *more):
        keys = (*WINDOW, "lag = 0s", "rate = off", "interval = 1h", "start = %s" % iso(base - 60))
        self.configure(
            self.api.source(*keys, "overlap = 1s", "page.total = /total", *more),
            self.api.source(*keys, "request.query.stuck = yes", name="stuck").replace("50ms", "1h"),
            self.file_sink(),
            control=self.dir / "control",
        )

    def answer(self, query, number):
        rows = small_api.within(query, self.events)
        if "stuck" in query:
            return {"rows": ["no record"] if self.stuck else []}
        return {"rows": rows[:CAP] if self.capped else rows, "total": len(rows)}

    def restore(self):
        shutil.rmtree(self.root)
        shutil.copytree(self.kept, self.root)
        for path in self.dir.glob(self.log.name + "*"):
            path.unlink()

    def note(self, suffix):
        self.log.with_name(self.log.name + suffix).touch()

    def failed(self):
        return self.log.with_name(self.log.name + ".failed").exists()

    def points(self):
        """Which of the reads that were just made are to fail."""
        points = range(1, len(self.log.read_text().splitlines()) + 1 if self.log.exists() else 1)
        number = os.environ.get("TRAWLD_FAULTS", str(POINTS))
        return points if number == "all" else sorted(self.dice.sample(points, min(int(number), len(points))))

    def reads(self, fault=None, after=None):
        found = {
            "LD_PRELOAD": os.environ["TRAWLD_PRELOAD"],
            "READ_FAIL_ROOT": str(self.root),
            "READ_FAIL_LOG": str(self.log),
        }
        return {**found, **({"READ_FAIL": fault} if fault else {}), **({"READ_FAIL_AFTER": after} if after else {})}

    def command(self, arguments, environment=None):
        return self.trawld("-c", str(self.conf), *arguments, program=harness.TRAWLCTL, environment=environment)

    def facts(self):
        """What the commands change."""
        dump = self.state_dump()
        return (
            [(row["previous"], row["paused_time"]) for row in dump["sources"]],
            [(row["acknowledged_by"], row["refilled_time"]) for row in dump["coverage"] if row["state"] == "gap"],
        )

    def assert_told(self, done):
        """Who, what, and what to do."""
        self.assertIn(done.code, (73, 75), done.err)
        told = "trawld.db is damaged .*: bring back a copy" if done.code == 73 else "/trawld[.].*look at the disk"
        self.assertRegex(done.err, "(?m)^trawlctl: .*" + told)
        self.assertNotRegex(done.out.decode(), "acknowledged$|next poll starts|paused|will be requested|skipping")

    # --- while no trawld runs ---

    def test_stopped_damage(self):
        before, n = self.state_dump(), 0
        (size,) = harness.sqlite3.connect(self.database).execute("PRAGMA page_size").fetchone()
        whole = self.database.read_bytes()
        broken = [whole[:at] + NOISE * size + whole[at + size :] for at in range(0, len(whole), size)]
        broken += [whole[: size * 3], whole[: size + 100], NOISE * len(whole)]
        for arguments in self.stopped:
            for number, data in enumerate(broken):
                with self.subTest(arguments=arguments, number=number):
                    self.restore()
                    self.database.write_bytes(data)
                    done = self.command(arguments)
                    self.assertEqual(done.code, 73, done.err)
                    self.assert_told(done)
                    self.assertEqual(self.database.read_bytes(), data)
                    self.database.write_bytes(whole)
                    self.assertEqual(self.state_dump(), before)
                    n += 1
        print("campaign: damage: %d commands while no trawld ran" % n, flush=True)

    def test_stopped_unreadable(self):
        before, facts, n = self.state_dump(), self.facts(), 0
        for arguments in self.stopped:
            self.restore()
            self.assertEqual(self.command(arguments, self.reads()).code, 0)
            for point in self.points():
                for how in ("once", "always"):
                    with self.subTest(arguments=arguments, read=point, how=how):
                        self.restore()
                        done = self.command(arguments, self.reads("%d %s" % (point, how)))
                        if done.code != 0:
                            self.assertEqual(done.code, 75, done.err)
                            self.assert_told(done)
                            self.assertEqual(self.state_dump(), before)
                            self.assertEqual(self.command(arguments).code, 0)
                        self.assertNotEqual(self.facts(), facts)
                        n += 1
        print("campaign: damage: %d reads of commands while no trawld ran" % n, flush=True)

    # --- while trawld runs ---

    def start(self, fault=None):
        """A daemon at rest. Reads of it count from now on."""
        self.restore()
        self.stuck = True
        daemon = harness.Daemon(
            ["-c", str(self.conf)], {**self.environment(), **self.reads(fault, "reloaded: ")}
        )
        self.addCleanup(daemon.kill)
        daemon.wait_log("source acme (trawld.conf:7): up to date")
        daemon.wait_log("retrying in")
        self.ctl("dead-letters", "discard", "archive")  # commits what is collected
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("reloaded: ")
        return daemon

    def ids(self):
        return [json.loads(line)["id"] for line in whole_lines(self.out)]

    def assert_none_lost(self, arguments):
        """What a run without errors leaves; only a rewind sends records again."""
        before = [json.loads(line)["id"] for line in whole_lines(self.kept / "out.ndjson")]
        self.assertLessEqual(set(before), set(self.ids()))
        if arguments[0] != "rewind":
            self.assertEqual(len(self.ids()), len(set(self.ids())))

    def test_running_damage(self):
        facts = self.facts()
        for arguments in self.running:
            with self.subTest(arguments=arguments):
                daemon = self.start()
                try:
                    self.note(".damaged")
                    done = self.command(arguments)
                    self.assertEqual(daemon.wait(), 73, daemon.text())
                    self.assertRegex(daemon.text(), "trawld.db is damaged .*; exiting, because continuing could lose or repeat")
                finally:
                    daemon.kill()
                if done.code == 0:  # what a stop forgets, too
                    self.assertEqual(arguments[0], "skip", daemon.text())
                else:
                    self.assert_told(done)
                    self.assertEqual(done.code, 73, done.err)
                    self.assertIn("; trawld exits", done.err)
                self.assertEqual(self.facts(), facts)
                self.stuck = False
                self.once()
                self.assert_none_lost(arguments)

    def test_running_unreadable(self):
        n = told = 0
        for arguments in self.running:
            daemon = self.start()
            done = self.command(arguments)
            daemon.kill()
            self.assertEqual(done.code, 0, done.err)
            for point in self.points():
                for how in ("once", "always"):
                    with self.subTest(arguments=arguments, read=point, how=how):
                        told += self.running_case(arguments, "%d %s" % (point, how))
                        n += 1
        self.assertGreater(told, 0)
        print("campaign: damage: %d reads of trawld at commands, %d of them refused" % (n, told), flush=True)

    def running_case(self, arguments, fault):
        daemon = self.start(fault)
        try:
            done = self.command(arguments)
            self.note(".over")
            if done.code != 0:
                self.assertEqual(done.code, 75, done.err)
                self.assert_told(done)
                again = self.command(arguments)
                self.assertEqual(again.code, 0, again.err)
            if arguments[0] == "refill":
                told = lambda: re.search("the gap (is closed|stays open)", daemon.text())
                if wait_until(told, "the refill", 60)[1] == "stays open":
                    self.ctl("refill", "acme")
                    daemon.wait_log("the gap is closed", seconds=60)
            if arguments[0] not in ("pause", "skip"):
                wait_until(lambda: self.command(("poll", "acme")).code == 0, "the source", 60)
            self.assertEqual(daemon.stop(), 0, daemon.text())
        finally:
            daemon.kill()
        self.stuck = False
        self.once()
        self.assert_none_lost(arguments)
        return done.code != 0


if __name__ == "__main__":
    harness.main()
