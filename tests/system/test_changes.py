#!/usr/bin/python3
"""Random changes of the configuration: no record is lost, and none is dropped without a word.

A model beside trawld knows which records each sink was promised. After each step trawld has either
taken the change, or refused it with the numbers of the model and changed nothing, or dropped what a
command told it to drop, and said how many. At the end every sink is there: each has what it was
promised, once (twice where a backup was restored), in order.

TRAWLD_TEST_SEED repeats a run, TRAWLD_TEST_STEPS makes it longer.
"""

import collections
import copy
import os
import random
import re
import shutil
import socket

import harness
from harness import wait_until

import cloudscale

SEED = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(1 << 30)))
STEPS = int(os.environ.get("TRAWLD_TEST_STEPS", "60"))
DEAD = "http://127.0.0.1:9/"
MOST = 4000


class Sink:
    def __init__(self, name):
        self.name = name
        self.kind = "file"
        self.away = False
        self.paused = False
        self.waiting = {}  # simulator -> numbers of the records that wait
        self.promised = {}  # simulator -> numbers of all records, but for the dropped

    def unsent(self):
        return sum(len(numbers) for numbers in self.waiting.values())


class Source:
    def __init__(self, name, index, sinks):
        self.name = name
        self.index = index  # of the simulator
        self.sinks = sinks
        self.paused = False
        self.enabled = True


class Model(harness.Case):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.socket = self.dir / "control"
        self.sims = [self.cloudscale(MOST, "--page-size", "50", seed=n + 1) for n in range(3)]
        self.visible, self.read = [0] * 3, [0] * 3
        self.names = 0
        self.sinks = [Sink("sink-0"), Sink("sink-1")]
        self.sources = [Source("source-%d" % n, n, None) for n in range(3)]
        self.owner = [source.name for source in self.sources]
        for n in range(3):
            self.sims[n].control(visible=0)

    def note(self, text):
        self.story.append(text)

    def running(self):
        """A daemon that answers; a socket of one that was killed may be there before."""
        daemon = self.daemon()
        daemon.wait_log("state in")

        def answers():
            with socket.socket(socket.AF_UNIX) as client:
                return client.connect_ex(str(self.socket)) == 0

        wait_until(answers, "the control socket")
        return daemon

    # --- the configuration ---

    def write(self, sources, sinks):
        sections = []
        for source in sources:
            more = "interval = 1h\n"
            if source.sinks is not None:
                more += "sinks = %s\n" % ", ".join(source.sinks)
            if not source.enabled:
                more += "enabled = no\n"
            sections.append(self.source(self.sims[source.index].url, source.name, more=more))
        for sink in sinks:
            if sink.away:
                sections.append(
                    "[sink %s]\ntype = http\nurl = %s\nretry_max = 1s\n" % (sink.name, DEAD)
                )
            else:
                sections.append(self.file_sink(sink.name, self.dir / sink.file))
        self.configure(*sections, control=self.socket)

    def goes_to(self, source, sinks):
        return [s for s in sinks if source.sinks is None or s.name in source.sinks]

    def stranded(self, sources, sinks):
        """What the configuration would strand: sink -> number of records."""
        found = {}
        there = {sink.name for sink in sinks}
        by_index = {self.owner[s.index]: s for s in sources if self.owner[s.index] == s.name}
        for sink in self.sinks:
            n = 0
            for index, numbers in sink.waiting.items():
                source = by_index.get(self.owner[index])
                if sink.name not in there or (
                    source and sink.name not in [s.name for s in self.goes_to(source, sinks)]
                ):
                    n += len(numbers)
            if n:
                found[sink.name] = n
        return found

    def run_once(self):
        """Polls everything and drains what is there; the model follows."""
        for source in self.sources:
            if source.enabled and not source.paused:
                new = range(self.read[source.index], self.visible[source.index])
                self.read[source.index] = self.visible[source.index]
                for sink in self.goes_to(source, self.sinks):
                    sink.waiting.setdefault(source.index, []).extend(new)
                    sink.promised.setdefault(source.index, []).extend(new)
        waits = False
        for sink in self.sinks:
            if sink.away or sink.paused:
                waits |= sink.unsent() > 0
            else:
                sink.waiting = {}
        result = self.trawld("-c", str(self.conf), "--once")
        self.assertEqual(result.code, 75 if waits else 0, result.err)

    def reload(self, stranded):
        """The running daemon takes the configuration over, or refuses it in the words of a start."""
        result = self.ctl("reload", expect=78 if stranded else 0)
        said = dict(re.findall(r"sink (\S+): (\d+) records? waits? for it", result.err))
        self.assertEqual({k: int(v) for k, v in said.items()}, stranded, result.err)
        self.note("reloaded")

    def adopt(self, sources, sinks, command=()):
        """Start with a changed configuration, or reload it; what would be stranded refuses it, unchanged."""
        daemon = self.running() if self.conf.exists() and self.random.random() < 0.4 else None
        stranded = self.stranded(sources, sinks)
        self.write(sources, sinks)
        if command:
            result = self.ctl(*command)
            self.note("%s: %s" % (" ".join(command), result.text.strip()))
        elif daemon:
            self.reload(stranded)
        if daemon and self.random.random() < 0.5:
            self.assertEqual(daemon.stop(), 0, daemon.text())
        elif daemon:
            daemon.kill()
        if stranded:
            before = self.state_dump()
            result = self.trawld("-c", str(self.conf), "--once")
            self.assertEqual(result.code, 78, result.err)
            said = dict(re.findall(r"sink (\S+): (\d+) records? waits? for it", result.err))
            self.assertEqual({k: int(v) for k, v in said.items()}, stranded, result.err)
            self.assertEqual(self.state_dump(), before)
            self.note("refused: %s" % stranded)
            self.write(self.sources, self.sinks)
            return False
        self.sources, self.sinks = sources, sinks
        for source in sources:
            if self.owner[source.index] is None:
                self.owner[source.index] = source.name
        self.run_once()
        return True

    # --- steps ---

    def grow(self):
        index = self.random.randrange(3)
        self.visible[index] = min(MOST, self.visible[index] + self.random.randrange(1, 120))
        self.sims[index].control(visible=self.visible[index])
        self.run_once()

    def add_sink(self):
        if len(self.sinks) < 5:
            self.names += 1
            sink = self.new_sink("more-%d" % self.names)
            self.adopt(self.sources, self.sinks + [sink])

    def new_sink(self, name):
        sink = Sink(name)
        sink.file = name + ".out"
        return sink

    def remove_sink(self):
        sink = self.random.choice(self.sinks)
        rest = [s for s in self.sinks if s is not sink]
        sources = [s for s in self.sources if s.sinks is not None and sink.name in s.sinks]
        if rest and not sources and not self.adopt(self.sources, rest):
            if self.random.random() < 0.5:
                self.drop(sink, rest)

    def drop(self, sink, rest):
        n = sink.unsent()
        for index, numbers in sink.waiting.items():
            gone = set(numbers)
            sink.promised[index] = [k for k in sink.promised[index] if k not in gone]
        sink.waiting = {}
        self.gone.append(sink)
        self.write(self.sources, rest)
        self.assertIn("%d record" % n, self.ctl("drop-sink", sink.name).text)
        self.adopt(self.sources, rest)

    def unlist(self):
        source, sink = self.random.choice(self.sources), self.random.choice(self.sinks)
        before = source.sinks
        names = [s.name for s in self.goes_to(source, self.sinks) if s is not sink]
        if names:
            source.sinks = names
            if self.stranded(self.sources, self.sinks):
                source.sinks, after = before, source.sinks
                changed = [self.copy(s) for s in self.sources]
                next(s for s in changed if s.name == source.name).sinks = after
                self.adopt(changed, self.sinks)
            else:
                self.adopt(self.sources, self.sinks)

    def list_all(self):
        self.random.choice(self.sources).sinks = None
        self.adopt(self.sources, self.sinks)

    def copy(self, source):
        copy = Source(source.name, source.index, source.sinks)
        copy.paused, copy.enabled = source.paused, source.enabled
        return copy

    def away(self):
        """Another type under one name, as often as not with records that wait."""
        sink = self.random.choice(self.sinks)
        sink.away = not sink.away
        self.adopt(self.sources, self.sinks)

    def pause_sink(self):
        sink = self.random.choice(self.sinks)
        sink.paused = not sink.paused
        self.ctl("pause" if sink.paused else "resume", sink.name)
        self.run_once()

    def pause_source(self):
        source = self.random.choice(self.sources)
        source.paused = not source.paused
        self.ctl("pause" if source.paused else "resume", source.name)
        self.run_once()

    def disable(self):
        source = self.random.choice(self.sources)
        source.enabled = not source.enabled
        self.adopt(self.sources, self.sinks)

    def rename_sink(self):
        sink = self.random.choice(self.sinks)
        self.names += 1
        old, new = sink.name, "renamed-%d" % self.names
        for source in self.sources:
            if source.sinks is not None:
                source.sinks = [new if name == old else name for name in source.sinks]
        sink.name = new
        self.adopt(self.sources, self.sinks, ("rename-sink", old, new))

    def rename_source(self):
        source = self.random.choice(self.sources)
        self.names += 1
        old, source.name = source.name, "named-%d" % self.names
        self.owner[source.index] = source.name
        self.adopt(self.sources, self.sinks, ("rename", old, source.name))

    def remove_source(self):
        """What was read is delivered; it comes back under its name at its cursor."""
        if len(self.sources) > 1:
            source = self.random.choice(self.sources)
            if self.adopt([s for s in self.sources if s is not source], self.sinks):
                self.missing.append(source)

    def return_source(self):
        if self.missing:
            source = self.missing.pop()
            source.sinks = None
            if not self.adopt(self.sources + [source], self.sinks):
                self.missing.append(source)

    def kill(self):
        """The daemon dies at any moment; the next run leaves what an undisturbed one would."""
        index = self.random.randrange(3)
        self.visible[index] = min(MOST, self.visible[index] + self.random.randrange(1, 300))
        self.sims[index].control(visible=self.visible[index])
        daemon = self.running()
        if self.random.random() < 0.5:
            self.ctl("reload")
        daemon.kill()
        self.run_once()

    STEPS = [
        (grow, 6), (add_sink, 2), (remove_sink, 3), (unlist, 2), (list_all, 1), (away, 5),
        (pause_sink, 2), (pause_source, 1), (disable, 1), (rename_sink, 2), (rename_source, 1),
        (remove_source, 1), (return_source, 2), (kill, 2),
    ]

    def bring_all_back(self):
        """Everything is there and takes what waits."""
        for thing in self.sinks + self.sources:
            if thing.paused:
                thing.paused = False
                self.ctl("resume", thing.name)
        for sink in self.sinks:
            sink.away = False
        for source in self.sources:
            source.enabled = True
        self.adopt(self.sources, self.sinks)

    def check_all(self):
        self.bring_all_back()
        for sink in self.sinks + self.gone:
            self.assertEqual(sink.unsent(), 0)
            found = {}
            path = self.dir / sink.file
            lines = path.read_bytes().splitlines() if path.exists() else []
            for line in lines:
                found.setdefault(self.source_of[line], []).append(line)
            expected = {
                k: [self.lines[k][n] for n in v] for k, v in sink.promised.items() if v
            }
            self.assertEqual(found, expected, "%s (%s)" % (sink.name, sink.file))

    # --- a backup ---

    MODEL = ("sources", "sinks", "missing", "gone", "owner", "read")

    def size(self, sink):
        path = self.dir / sink.file
        return path.stat().st_size if path.exists() else 0

    def take_backup(self):
        """Of the state; what each archive held by then, and what trawld knew, is noted beside it."""
        daemon = self.running() if self.random.random() < 0.5 else None
        if daemon and self.random.random() < 0.5:
            # what is being read meanwhile may be in it or not: nothing is new here
            self.ctl("poll")
        if daemon:
            self.assertEqual(daemon.stop(), 0, daemon.text())
        if self.random.random() < 0.5:
            self.ctl("backup", str(self.dir / "backup.db"))
        else:
            shutil.copytree(self.state, self.dir / "backup")
        self.kept = copy.deepcopy({name: getattr(self, name) for name in self.MODEL})
        self.sizes = {sink.file: self.size(sink) for sink in self.kept["sinks"] + self.kept["gone"]}
        self.note("backup: %s" % self.sizes)

    def restore_backup(self):
        """As the manual says: the daemon is stopped, the file put in its place, the log removed."""
        self.archives = {
            path.name: path.read_bytes() for path in self.dir.iterdir() if path.name.endswith(".out")
        }
        if (self.dir / "backup").exists():
            shutil.rmtree(self.state)
            shutil.copytree(self.dir / "backup", self.state)
        else:
            for name in ("trawld.db", "trawld.db-wal", "trawld.db-shm"):
                (self.state / name).unlink(missing_ok=True)
            shutil.copy(self.dir / "backup.db", self.state / "trawld.db")
        now = {name: getattr(self, name) for name in self.MODEL}
        for name, value in self.kept.items():
            setattr(self, name, value)
        # what each sink had been given by then, and what it will have to get after it
        self.before = {
            sink.file: {
                k: len(numbers) - len(sink.waiting.get(k, ()))
                for k, numbers in sink.promised.items()
            }
            for sink in self.sinks + self.gone
        }
        # today's configuration on yesterday's state: refused where records would be stranded
        stranded = self.stranded(now["sources"], now["sinks"])
        if stranded:
            self.write(now["sources"], now["sinks"])
            result = self.trawld("-c", str(self.conf), "--once")
            self.assertEqual(result.code, 78, result.err)
            said = dict(re.findall(r"sink (\S+): (\d+) records? waits? for it", result.err))
            self.assertEqual({k: int(v) for k, v in said.items()}, stranded, result.err)
        self.write(self.sources, self.sinks)
        self.note("restored, %s would be stranded" % stranded)
        self.run_once()

    def check_archives(self):
        """Nothing that was in a file left it; what it had to get after the backup is there, in order; nothing
        is there that was not to be, and nothing more often than twice."""
        known = {sink.file for sink in self.sinks + self.gone + self.kept["sinks"]}
        for name, text in self.archives.items():
            now = (self.dir / name).read_bytes()
            self.assertEqual(now[: len(text)], text, name)
            self.assertTrue(name in known or now == text, name)
        for sink in self.sinks + self.gone:
            self.assertEqual(sink.unsent(), 0)
            path = self.dir / sink.file
            whole = path.read_bytes() if path.exists() else b""
            lines = whole[self.sizes.get(sink.file, 0) :].splitlines()
            tail = self.archives.get(sink.file, b"")[self.sizes.get(sink.file, 0) :].splitlines()
            promised = []
            for k, numbers in sink.promised.items():
                due = [self.lines[k][n] for n in numbers[self.before.get(sink.file, {}).get(k, 0) :]]
                rest = iter(lines)
                for line in due:
                    self.assertIn(line, rest, "%s: a record of source %d" % (sink.file, k))
                promised += due
            extra = collections.Counter(lines) - collections.Counter(tail) - collections.Counter(promised)
            self.assertEqual(list(extra.elements())[:3], [], sink.file)

    def begin(self):
        self.story, self.missing, self.gone = [], [], []
        for sink in self.sinks:
            sink.file = sink.name + ".out"
        self.lines = [cloudscale.expected_lines(n + 1, 0, MOST).splitlines() for n in range(3)]
        self.source_of = {line: n for n in range(3) for line in self.lines[n]}

    def steps(self, count):
        steps, weights = zip(*self.STEPS)
        for _ in range(count):
            step = self.random.choices(steps, weights)[0]
            self.note(step.__name__)
            step(self)

    def told(self, run):
        try:
            run()
        except BaseException:
            print("TRAWLD_TEST_SEED=%d\n%s" % (SEED, "\n".join(self.story)))
            raise

    def test_changes(self):
        def run():
            self.adopt(self.sources, self.sinks)
            self.steps(STEPS)
            self.check_all()

        self.begin()
        self.told(run)

    def test_random_restored_backups(self):
        """A backup of any moment is restored at any later one, between changes of all kinds."""

        def run():
            self.adopt(self.sources, self.sinks)
            self.steps(self.random.randrange(STEPS // 3))
            self.take_backup()
            self.steps(self.random.randrange(1, STEPS // 2))
            self.restore_backup()
            self.steps(self.random.randrange(STEPS // 3))
            self.bring_all_back()
            self.check_archives()

        self.begin()
        self.told(run)

    def test_restored_backup(self):
        """An older state: each promised record is there at least once, the waiting ones too."""
        self.begin()
        self.sinks[1].away = True
        self.adopt(self.sources, self.sinks)
        self.grow()
        shutil.copytree(self.state, self.dir / "backup")
        for _ in range(3):
            self.grow()
        shutil.rmtree(self.state)
        shutil.copytree(self.dir / "backup", self.state)
        self.write(self.sources, self.sinks[:1])
        result = self.trawld("-c", str(self.conf), "--once")
        self.assertEqual(result.code, 78, result.err)
        self.sinks[1].away = False
        self.write(self.sources, self.sinks)
        self.once()
        lines = [
            line
            for n in range(3)
            for line in cloudscale.expected_lines(n + 1, 0, self.visible[n]).splitlines()
        ]
        for sink in self.sinks:
            found = (self.dir / sink.file).read_bytes().splitlines()
            self.assertEqual(set(found), set(lines), sink.name)


if __name__ == "__main__":
    harness.main()
