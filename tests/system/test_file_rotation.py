#!/usr/bin/python3
"""Files that end: by size, by their period, by logrotate. Each record stays exactly once, whatever
is renamed, compressed or removed meanwhile, and whenever the daemon is killed.

TRAWLD_TEST_SEED repeats a run of the kills.
"""

import gzip
import json
import os
import random
import re
import subprocess
import time

import harness
from harness import TOKEN, wait_until

import cloudscale

OTHER_TOKEN = "0ther-t0ken-of-beta-55aa"
KIB = 1024


def unpack(path):
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dc", str(path)], capture_output=True, check=True).stdout
    return path.read_bytes()


class Rotated(harness.Case):
    """A sink into self.out that rotates."""

    def numbered(self):
        """{number: its paths} of the rotated files of self.out; temporary files left out."""
        found = {}
        for path in self.dir.glob(self.out.name + ".*"):
            match = re.fullmatch(r"\.(\d{6})(\.gz|\.zst)?", path.name[len(self.out.name) :])
            if match:
                found.setdefault(int(match[1]), []).append(path)
        return found

    def content(self):
        """All files in order. A crash may leave a file beside its compressed twin: the plain one
        counts, the other is made anew."""
        parts = []
        for _, paths in sorted(self.numbered().items()):
            parts.append(unpack(min(paths, key=lambda path: len(path.name))))
        if self.out.exists():
            parts.append(self.out.read_bytes())
        return b"".join(parts)

    def size(self):
        """Of self.out, which may be renamed at any moment."""
        try:
            return self.out.stat().st_size
        except FileNotFoundError:
            return 0

    def same(self, found, expected, why=""):
        """As assertEqual, without a diff of megabytes."""
        if found != expected:
            at = next(
                (i for i, pair in enumerate(zip(found, expected)) if pair[0] != pair[1]),
                min(len(found), len(expected)),
            )
            self.fail(
                "%s: %d, expected %d; they differ at %d: %r, expected %r"
                % (why, len(found), len(expected), at, found[at : at + 90], expected[at : at + 90])
            )

    def wait_moment(self, dice, daemon, total):
        """Waits for a random moment: progress of the files, a rotation, a compression."""
        kind = dice.choice(("size", "number", "temporary", "log"))
        numbers = len(self.numbered())
        files = lambda: [p for p in self.dir.glob(self.out.name + "*")]
        if kind == "size":
            goal = dice.randrange(1, 64 * KIB)
            before = self.size()
            question = lambda: abs(self.size() - before) >= goal
        elif kind == "number":
            goal = numbers + dice.randrange(1, 4)
            question = lambda: len(self.numbered()) >= goal
        elif kind == "temporary":
            seen = set()

            def question():
                seen.update(p.name for p in files() if p.name.endswith(".tmp"))
                return len(seen) > goal

            goal = dice.randrange(0, 2)
        else:
            wal = self.state / "trawld.db-wal"
            seen = set()
            goal = dice.randrange(1, 12)

            def question():
                if wal.exists():
                    seen.add(wal.stat().st_mtime_ns)
                return len(seen) > goal

        ended = lambda: daemon.process.poll() is not None
        finished = lambda: self.simulator_.stats()["served"].get(TOKEN, 0) >= total
        deadline = time.monotonic() + 2 * harness.PATIENCE
        # what the dice ask for need not come any more: then any moment is as good
        wait_until(
            lambda: question() or ended() or finished() or time.monotonic() > deadline, kind
        )
        return kind

    def kills(self, rounds, records, expected_now, more):
        """Kills the daemon ROUNDS times; expected_now() is checked against after each."""
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        dice = random.Random(seed)
        unfinished = 0
        for left in range(rounds - 1, -1, -1):
            # in the mean the rounds share evenly what is still to come
            self.simulator_.control(visible=max(1000, records * (rounds - left) // rounds))
            daemon = self.daemon()
            kind = self.wait_moment(dice, daemon, records)
            self.assertIsNone(daemon.process.poll(), "ended by itself:\n" + daemon.text())
            daemon.kill()
            unfinished += expected_now("after a kill by " + kind)
        self.simulator_.control(visible=records)
        print("%d of %d kills before the end" % (unfinished, rounds), flush=True)
        self.assertGreater(unfinished, rounds * 3 // 4)
        self.once()
        left = [p.name for p in self.dir.glob(self.out.name + "*") if p.name.endswith(".tmp")]
        self.assertEqual(left, [])


class Kill(Rotated):
    def test_kill_gzip(self):
        records = 50_000
        expected = cloudscale.expected_lines(1, 0, records)
        self.simulator_ = self.cloudscale(records, "--page-size", "100", "--delay", "0.002")
        self.configure(
            self.source(self.simulator_.url, more="interval = 100ms"),
            self.file_sink(more="max_size = 128KiB\ncompress = gzip\nretry_max = 1s"),
        )

        def expected_now(why):
            found = self.content()
            self.same(found, expected[: len(found)], why)
            return len(found) < len(expected)

        self.kills(50, records, expected_now, "")
        self.same(self.content(), expected, "at the end")
        numbers = self.numbered()
        self.assertGreater(len(numbers), 80)
        self.assertEqual(sorted(numbers), list(range(1, len(numbers) + 1)))
        for paths in numbers.values():
            self.assertEqual([path.suffix for path in paths], [".gz"])
            self.assertLessEqual(len(unpack(paths[0])), 128 * KIB)
            self.assertEqual(paths[0].stat().st_mode & 0o7777, 0o640)
        self.once()
        self.same(self.content(), expected, "after one more run")

    def test_kill_zstd_two_sources(self):
        """Two sources into one file, printed by trawld, so that size and text are not known before."""
        records = 15_000
        self.simulator_ = self.simulator(
            "--project", "%s=1:%d" % (TOKEN, records),
            "--project", "%s=2:%d" % (OTHER_TOKEN, records),
            "--page-size", "100", "--delay", "0.002",
        )
        self.configure(
            self.source(self.simulator_.url, more="interval = 100ms"),
            self.source(self.simulator_.url, "beta", OTHER_TOKEN, more="interval = 100ms"),
            self.file_sink(more="max_size = 200KiB\ncompress = zstd\nformat = envelope"),
        )
        expected = {
            name: [json.loads(cloudscale.record_line(seed, n)) for n in range(records)]
            for name, seed in (("acme", 1), ("beta", 2))
        }

        def expected_now(why):
            lines = self.content().split(b"\n")
            found = {"acme": [], "beta": []}
            for line in lines[:-1]:
                envelope = json.loads(line)
                found[envelope["source"]].append(envelope["record"])
            for name in found:
                self.same(found[name], expected[name][: len(found[name])], name + " " + why)
            return len(lines) - 1 < 2 * records

        self.kills(20, records, expected_now, "")
        self.assertFalse(expected_now("at the end"))
        for paths in self.numbered().values():
            self.assertEqual([path.suffix for path in paths], [".zst"])
            self.assertLessEqual(len(unpack(paths[0])), 200 * KIB)


class Rotation(Rotated):
    def test_keep(self):
        records = 5000
        expected = cloudscale.expected_lines(1, 0, records)
        simulator = self.cloudscale(records, "--page-size", "100")
        # what is not ours by its name is left alone
        others = [self.dir / (self.out.name + end) for end in (".1", ".old", ".000001.bak")]
        for path in others:
            path.write_text("mine\n")
        self.configure(
            self.source(simulator.url),
            self.file_sink(more="max_size = 100KiB\ncompress = zstd\nkeep = 3"),
        )
        self.once()
        numbers = sorted(self.numbered())
        self.assertEqual(len(numbers), 3)
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + 3)))
        self.assertGreater(numbers[0], 5)
        found = self.content()
        self.same(found, expected[-len(found) :])
        for path in others:
            self.assertEqual(path.read_text(), "mine\n")

    def test_plain(self):
        """Without compression; a file that was there counts; a second run goes on."""
        self.out.write_text("before\n" * 9000)
        simulator = self.cloudscale(3000, "--page-size", "100")
        simulator.control(visible=1500)
        self.configure(self.source(simulator.url), self.file_sink(more="max_size = 64KiB"))
        self.once()
        simulator.control(visible=3000)
        self.once()
        expected = b"before\n" * 9000 + cloudscale.expected_lines(1, 0, 3000)
        self.same(self.content(), expected)
        self.assertTrue(all(len(paths) == 1 for paths in self.numbered().values()))

    def test_period(self):
        """A new second is a new file: the old one is compressed, also after a restart."""
        simulator = self.cloudscale(900, "--page-size", "100")
        path = self.dir / "%{source}-%Y%m%d-%H%M%S.ndjson"
        self.configure(
            self.source(simulator.url), self.file_sink(path=path, more="compress = gzip")
        )
        for visible in (300, 600, 900):
            simulator.control(visible=visible)
            self.once()
            second = int(time.time())
            wait_until(lambda: int(time.time()) > second, "the next second")
        files = sorted(self.dir.glob("acme-*"))
        self.same(b"".join(map(unpack, files)), cloudscale.expected_lines(1, 0, 900))
        self.assertGreaterEqual(len(files), 3)
        self.assertTrue(all(file.suffix == ".gz" for file in files[:-1]), files)

    def test_obstacle(self):
        """What cannot be compressed stays as it is, holds nothing up, and is tried again."""
        simulator = self.cloudscale(2000, "--page-size", "100")
        self.configure(
            self.source(simulator.url),
            self.file_sink(more="max_size = 128KiB\ncompress = gzip"),
        )
        obstacle = self.dir / (self.out.name + ".000001.gz.tmp")
        obstacle.mkdir()
        result = self.once()
        self.assertEqual(len(result.lines("stays as it is")), 1, result.err)
        self.same(self.content(), cloudscale.expected_lines(1, 0, 2000))
        obstacle.rmdir()
        simulator.control(visible=2000)
        self.once()
        self.same(self.content(), cloudscale.expected_lines(1, 0, 2000))
        suffixes = {path.suffix for paths in self.numbered().values() for path in paths}
        self.assertEqual(suffixes, {".gz"})

    def test_faults(self):
        for more, phrase in (
            ("keep = 3", "max_size is not set"),
            ("compress = gzip", "no file is ever closed"),
            ("max_size = 1KiB", "max_size"),
            ("max_size = 1MiB\ncompress = xz", "compress"),
        ):
            self.configure(self.source("http://127.0.0.1:1"), self.file_sink(more=more))
            result = self.check(78)
            self.assertEqual(len(result.lines(phrase)), 1, result.err)


class Logrotate(harness.Case):
    """The program itself, while the daemon writes."""

    def logrotate(self, *directives):
        conf = self.dir / "logrotate.conf"
        conf.write_text("%s {\n%s\n}\n" % (self.out, "\n".join(directives)))
        conf.chmod(0o600)
        subprocess.run(
            ["/usr/sbin/logrotate", "-f", "-s", str(self.dir / "logrotate.state"), str(conf)],
            check=True, capture_output=True,
        )

    def rounds(self, *directives):
        """Two sources, six rounds: records, then logrotate, with no word to the daemon."""
        simulator = self.simulator(
            "--project", "%s=1:1" % TOKEN, "--project", "%s=2:1" % OTHER_TOKEN, "--page-size", "50"
        )
        self.configure(
            self.source(simulator.url, more="interval = 50ms"),
            self.source(simulator.url, "beta", OTHER_TOKEN, more="interval = 50ms"),
            self.file_sink(more="format = envelope"),
        )
        records, kept = 0, b""
        for round in range(6):
            daemon = self.daemon() if round % 2 == 0 else daemon
            records += 400
            simulator.control(visible=records)
            wait_until(
                lambda: self.out.exists() and self.out.read_bytes().count(b"\n") >= 800,
                "the records of round %d" % round,
            )
            if round % 2:
                daemon.stop()
            else:
                self.wait_acknowledged()  # what is cut before is written again
            before = self.out.read_bytes()
            self.logrotate(*directives)
            self.assertEqual((self.dir / "out.ndjson.1").read_bytes(), before)
            kept += before
        found = {"acme": [], "beta": []}
        for line in kept.splitlines():
            envelope = json.loads(line)
            found[envelope["source"]].append(envelope["record"])
        for name, seed in (("acme", 1), ("beta", 2)):
            expected = [json.loads(cloudscale.record_line(seed, n)) for n in range(records)]
            self.assertTrue(found[name] == expected, "%d records of %s" % (len(found[name]), name))

    def test_create(self):
        self.rounds("rotate 10", "create 0640")

    def test_nocreate(self):
        self.rounds("rotate 10", "nocreate")

    def test_copytruncate(self):
        self.rounds("rotate 10", "copytruncate")


if __name__ == "__main__":
    harness.main()
