#!/usr/bin/python3
"""An API that turns hostile, in every way of misdeeds.py: at one request of a run, or at all of them.

Then it behaves again: no record is missing or there twice, the log says what happened, in lines that can be read, nobody but
the API was called, no name was looked up, and memory stayed within bounds. Chance selects the misdeeds of the short form:
TRAWLD_FAULTS says how many, or all. TRAWLD_TEST_SEED repeats a run.
"""

import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import time

from on_disk import harness
from harness import wait_until
from hostile_api import HostileApi, Stranger, events
from small_api import iso

import misdeeds

RECORDS = 70
SHORT = 20
MIXED = 40  # answers that are spoilt while a daemon runs
MEMORY_KIB = 256 << 10
LINE = 1200
BLOCKED_MS = 100


class Hostile(harness.Case):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.stranger = Stranger()
        self.addCleanup(self.stranger.stop)
        memory = pathlib.Path(tempfile.mkdtemp(prefix="trawld-test-", dir="/dev/shm"))  # no disk is waited for
        self.addCleanup(shutil.rmtree, memory, ignore_errors=True)
        self.state, self.out = memory / "state", memory / "out.ndjson"
        self.peers, self.blocked, self.peak = self.dir / "peers", self.dir / "blocked", self.dir / "peak"
        self.most, self.longest = 0, 0

    def run_once(self):
        """(exit status, log) of a run; its memory is measured."""
        environment = {
            "LD_PRELOAD": os.environ["TRAWLD_PRELOAD"], "LOOP_PEERS": str(self.peers),
            "LOOP_WATCH": str(self.blocked), "LOOP_MEMORY": str(self.peak),
        }
        done = self.trawld("-c", str(self.conf), "--once", environment=environment)
        self.most = max(self.most, int(self.peak.read_text()))
        self.longest = max(self.longest, int(self.blocked.read_text()) if self.blocked.exists() else 0)
        return done.code, done.err

    def ids(self):
        """What was delivered, as the numbers of records."""
        return [int(number) for number in re.findall(r'"id":"record-(\d+)"', self.out.read_text())] if self.out.exists() else []

    def begin(self, style):
        for path in (self.out, self.peers):
            path.unlink(missing_ok=True)
        subprocess.run(["rm", "-rf", self.state], check=True)
        api = HostileApi(style, events(RECORDS, int(time.time()) - 100))
        self.configure(api.source(), self.file_sink())
        return api

    def assert_told(self, says, log):
        lines = [line for line in log.splitlines() if re.match("(warning|error|notice): ", line)]
        if says:
            self.assertTrue([line for line in lines if "acme" in line and re.search(says, line)], log)
        self.assertEqual([line[:200] for line in log.splitlines() if len(line) > LINE], [])
        self.assertNotIn("h3ader", log)

    def try_misdeed(self, api, misdeed, at):
        """AT: the request at which it happens; 0: at each."""
        api.spoil = lambda answer, query, number: misdeed.spoil(answer, query, number) if at in (0, number) else None
        code, log = self.run_once()
        self.assertIn(code, (0, 75), log)
        found = self.ids()
        self.assertEqual(len(found), len(set(found)), log)
        self.assert_told(misdeed.says if at == 0 else "." if code else None, log)
        if not misdeed.says:
            self.assertEqual((code, sorted(found)), (0, list(range(RECORDS))), log)
        api.spoil = None
        code, again = self.run_once()
        self.assertEqual(code, 0, log + again)
        self.assertEqual(sorted(self.ids()), list(range(RECORDS)), log + again)
        self.assertEqual(self.stranger.called, [])
        self.assertEqual(set(self.peers.read_text().split("\n")) - {"", "127.0.0.1 %d" % api.port}, set(), log)

    def test_misdeeds(self):
        api = HostileApi("cursor", [])
        port = api.port
        api.stop()
        everything = misdeeds.every(port, self.stranger.port)
        number = os.environ.get("TRAWLD_FAULTS", str(SHORT))
        chosen = everything if number == "all" else self.dice.sample(everything, min(int(number), len(everything)))
        for misdeed in chosen:
            for at in (0, 2):
                style = self.dice.choice(misdeed.styles)
                with self.subTest(misdeed.name, style=style, at=at):
                    api = self.begin(style)
                    try:
                        self.try_misdeed(api, misdeed, at)
                    finally:
                        api.stop()
        self.assertLess(self.most, MEMORY_KIB)
        self.assertLess(self.longest, BLOCKED_MS)
        print(
            "campaign: %d of %d misdeeds; at most %d MiB of memory, the loop was blocked for at most %d ms"
            % (len(chosen), len(everything), self.most >> 10, self.longest), flush=True,
        )  # fmt: skip

    def test_doubled(self):
        """A page with each record twice, read by offset: the next one follows what the API counts."""
        twice = misdeeds.Misdeed("every record twice", misdeeds.doubled)
        for at in (0, 2):
            with self.subTest(at=at):
                api = self.begin("offset")
                self.addCleanup(api.stop)
                self.try_misdeed(api, twice, at)

    def test_mixture(self):
        """Misdeeds of every kind, one after the other, while new records come: a daemon gets over all of them."""
        api = self.begin(self.dice.choice(("cursor", "offset", "link", "header")))
        self.addCleanup(api.stop)
        api.events = []
        chosen = [m for m in misdeeds.passing(api.port, self.stranger.port) if api.style in m.styles]
        spoilt = int(os.environ.get("TRAWLD_FAULTS", str(MIXED)).replace("all", "1000"))
        names = []

        def spoil(answer, query, number):
            if number % 2 == 0 and len(names) < spoilt:
                misdeed = self.dice.choice(chosen)
                names.append(misdeed.name)
                misdeed.spoil(answer, query, number)
            elif len(api.events) < 2 * spoilt:
                number = len(api.events)
                api.events += [{"id": "record-%d" % (number + n), "at": iso(time.time())} for n in range(4)]

        api.spoil = spoil
        self.configure(api.source("interval = 10ms"), self.file_sink())
        daemon = self.daemon()
        try:
            wait_until(lambda: len(names) == spoilt and len(self.ids()) >= len(api.events), "all", 60 + 3 * spoilt)
        except AssertionError:
            self.fail("%s\n%d of %d\n%s" % (names, len(self.ids()), len(api.events), daemon.text()[-9000:]))
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(sorted(self.ids()), list(range(len(api.events))), "%s\n%s" % (names, daemon.text()))
        self.assertEqual(self.stranger.called, [])
        print("campaign: a daemon got over %d misdeeds one after the other" % len(names), flush=True)


if __name__ == "__main__":
    harness.main()
