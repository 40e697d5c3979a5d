#!/usr/bin/python3
"""trawlctl state move: into a cluster and back, also when it is killed."""

import contextlib
import errno
import pathlib
import shutil
import sqlite3
import subprocess
import sys

from postgres import Server  # first: it finds the next ones
from relay import ANSWERS, REQUESTS, Relay

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "faults"))

import nodes
from disk import read_log

import cloudscale
import harness
from harness import TRAWLCTL, wait_until

COUNT = 300
KILLS = 20
LAST = 16  # operations of a move: what follows the copy
WRITE_LOG = str(pathlib.Path(harness.TRAWLD).resolve().parents[1] / "tests" / "faults" / "write_log.so")
QUICK = "shutdown_timeout = 200ms"  # a sink is away
SKIPPED = ("moved", "sink_positions")  # the mark, and what belongs to a node


class Move(nodes.Case):
    def setUp(self):
        super().setUp()
        self.server = self.own(Server())
        self.relay = self.own(Relay(self.server.port))
        self.connect = self.server.address(self.relay)
        self.cloud = self.cloudscale(COUNT, "--page-size", "50")
        self.cloud.control(visible=100)
        # a sink that is away: records wait for it
        self.receiver = self.simulator(name="http_receiver")
        self.port = self.receiver.url.rpartition(":")[2]
        self.away = "[sink far]\ntype = http\nurl = http://127.0.0.1:9/ndjson\nretry_max = 1s\n"
        self.sections = [self.source(self.cloud.url, more="interval = 200ms"), self.file_sink(), self.away]
        self.daemon_keys = QUICK
        self.configure(*self.sections, daemon=QUICK)
        self.begin()

    def begin(self):
        """A state with a cursor, dedupe keys, positions, events, and records that wait."""
        daemon = self.daemon()
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 100)))
        daemon.wait_log("sink far")
        self.assertEqual(daemon.stop(), 0)

    def use_state_of(self, name):
        """The node NAME works in the state directory of this test."""
        (self.dir / (name + ".state")).symlink_to(self.state)

    def path(self, name):
        # a state belongs to one configuration
        return self.conf if name == "node-0" else super().path(name)

    def file_again(self):
        self.configure(*self.sections, daemon=QUICK)

    def move(self, to, expect=0):
        return self.ctl_of("node-0", "state", "move", "--to", to, expect=expect)

    def rows_of_file(self, path=None):
        with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % (path or self.state / "trawld.db"), uri=True)) as database:
            tables = [name for name, in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'"
                                                         " AND name NOT LIKE 'sqlite%'")]
            as_bytes = lambda value: value.encode() if isinstance(value, str) else value
            return {table: sorted(([as_bytes(value) for value in row] for row in database.execute("SELECT * FROM " + table)), key=repr)
                    for table in tables if table not in SKIPPED}

    def rows_of_cluster(self, cluster="prod"):
        def columns(table):
            return [name for name, in self.server.rows(
                "SELECT attname FROM pg_attribute WHERE attrelid = ('trawld.' || %s)::regclass AND attnum > 0 AND NOT attisdropped"
                " AND attname NOT IN ('cluster', 'shard') ORDER BY attnum", (table,))]
        as_bytes = lambda value: bytes(value) if isinstance(value, memoryview) else value
        found = {}
        for table in self.rows_of_file_tables:
            names = ", ".join('"%s"' % name for name in columns(table))
            rows = self.server.rows("SELECT %s FROM trawld.%s WHERE cluster = %%s" % (names, table), (cluster,))
            found[table] = sorted(([as_bytes(value) for value in row] for row in rows), key=repr)
        return found

    def sink_is_back(self):
        self.sections[2] = self.away.replace("127.0.0.1:9/", "127.0.0.1:%s/" % self.port)

    def finish(self, daemon):
        """The file has every record once, and so has the receiver."""
        self.cloud.control(visible=COUNT)
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, COUNT)))
        expected = cloudscale.expected_lines(1, 0, COUNT)
        self.assert_output(expected)
        wait_until(lambda: self.receiver.stats().get("records", COUNT) >= COUNT, "the receiver", 60)
        self.assertEqual(daemon.stop(), 0)
        self.assert_output(expected)

    def test_there_and_back(self):
        """Every row arrives; only the new place can be used; work goes on without a loss or a repeat."""
        before = self.rows_of_file()
        self.rows_of_file_tables = list(before)
        self.assertGreater(len(before["batches"]), 0)
        self.use_state_of("node-0")
        self.write("node-0")
        text = self.move("postgresql").text
        self.assertIn("100 records wait for sinks", text)
        self.assertEqual(self.rows_of_cluster(), before)
        self.assertIn("had been moved to the cluster prod already", self.move("postgresql").text)
        # the old place
        self.file_again()
        result = self.once(expect=73)
        self.assertIn("was moved to the cluster prod in PostgreSQL", result.err)
        self.assertIn("was moved to the cluster prod", self.ctl("cursor", expect=73).err)
        # the new one
        node = self.node("node-0")
        self.cloud.control(visible=200)
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 200)))
        self.assertIn("PID %d" % node.pid, self.move("sqlite", expect=75).err)
        self.assertEqual(node.stop(), 0)
        self.assert_output(cloudscale.expected_lines(1, 0, 200))
        # and back
        there = self.rows_of_cluster()
        text = self.move("sqlite").text
        self.assertIn("The old file is trawld.db.moved-", text)
        self.assertEqual(self.rows_of_file(), there)
        node = self.node("node-0")
        self.assertEqual(node.wait(60), 73)
        self.assertIn("was moved to", node.text())
        self.sink_is_back()
        self.configure(*self.sections, daemon=QUICK)
        self.finish(self.daemon())
        # once more into the cluster, whose old rows are not wanted any more
        self.write("node-0")
        self.move("postgresql")
        self.assertEqual(self.rows_of_cluster(), self.rows_of_file())

    def test_killed(self):
        """kill -9 at 20 points of its conversation, each before or after the server's answer: never two places that can be used,
        and the same command completes it."""
        before = self.rows_of_file()
        self.rows_of_file_tables = list(before)
        kept = self.dir / "kept"
        shutil.copytree(self.state, kept)
        self.use_state_of("node-0")
        self.write("node-0", name="first")
        at = self.relay.passed(REQUESTS)
        self.move("postgresql")  # also makes the tables
        shutil.rmtree(self.state)
        shutil.copytree(kept, self.state)
        self.write("node-0", name="second")
        at = self.relay.passed(REQUESTS)
        self.move("postgresql")
        total = self.relay.passed(REQUESTS) - at
        for n in range(KILLS):
            with self.subTest(n=n):
                shutil.rmtree(self.state)
                shutil.copytree(kept, self.state)
                cluster = "c%d" % n
                self.write("node-0", name=cluster)
                self.killed_after(total * n // (KILLS - 1) - (1 if n == KILLS - 1 else 0), n % 2)
                usable = self.usable(cluster)
                self.assertLessEqual(sum(usable), 1, usable)
                self.write("node-0", name=cluster)
                self.move("postgresql")
                self.assertEqual(self.rows_of_cluster(cluster), before)
                self.assertEqual(self.usable(cluster), [False, True])

    def killed_after(self, count, answers):
        """Kills trawlctl when it has sent COUNT bytes; ANSWERS: after the server has got them, with its answers lost."""
        if answers:
            self.relay.drop_after(ANSWERS, 10**9)
        self.relay.stop_after(REQUESTS, count)
        process = subprocess.Popen([TRAWLCTL, "-c", str(self.path("node-0")), "state", "move", "--to", "postgresql"],
                                   env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        wait_until(lambda: REQUESTS in self.relay.reached or process.poll() is not None, "the byte", 60)
        process.kill()
        process.communicate()
        self.relay.cut()
        self.relay.release()
        wait_until(lambda: self.server.rows("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'trawlctl'") == [(0,)],
                   "the end of its session", 60)

    def usable(self, cluster):
        """[the file, the cluster's rows]: which of them would a trawld work on?"""
        with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % (self.state / "trawld.db"), uri=True)) as database:
            mark = database.execute("SELECT moved_to FROM moved").fetchall()
        if self.server.rows("SELECT to_regclass('trawld.shards') IS NULL") == [(True,)]:
            return [not mark, False]
        (version,), = self.server.rows("SELECT coalesce(max(version), 0) FROM trawld.shards WHERE cluster = %s", (cluster,))
        moved = self.server.rows("SELECT count(*) FROM trawld.moved WHERE cluster = %s", (cluster,)) != [(0,)]
        return [not mark, version > 0 and not moved]

    def test_interrupted_and_taken_back(self):
        """A move that did not come about is undone by the other direction."""
        before = self.rows_of_file()
        self.rows_of_file_tables = list(before)
        self.use_state_of("node-0")
        self.write("node-0")
        kept = self.dir / "kept"
        shutil.copytree(self.state, kept)
        self.write("node-0", name="first")
        self.move("postgresql")  # makes the tables
        shutil.rmtree(self.state)
        shutil.copytree(kept, self.state)
        self.write("node-0")
        # past what comes before the copy
        marked = lambda: contextlib.closing(sqlite3.connect(self.state / "trawld.db"))
        for count in range(500, 20000, 500):
            self.killed_after(count, 0)
            with marked() as database:
                if database.execute("SELECT 1 FROM moved").fetchall():
                    break
        self.file_again()
        self.assertIn("is being moved to the cluster prod", self.once(expect=73).err)
        self.write("node-0")
        self.assertIn("Nothing had been moved yet", self.move("sqlite").text)
        self.assertEqual(self.rows_of_file(), before)
        self.sink_is_back()
        self.configure(*self.sections, daemon=QUICK)
        self.finish(self.daemon())

    def test_log_that_stays(self):
        """A file gets the name of the state, or gives it up, with all that is in its log, or not at all: another program has
        it open, or the disk fails once. Whatever trawlctl says, the same command completes it."""
        before = self.rows_of_file()
        self.rows_of_file_tables = list(before)
        kept = self.dir / "kept"
        shutil.copytree(self.state, kept)
        self.use_state_of("node-0")
        self.write("node-0")
        self.move("postgresql")
        with contextlib.closing(sqlite3.connect(self.state / "trawld.db")) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM moved").fetchall()
            self.assertIn("trawld.db-wal cannot be written into ", self.move("sqlite", expect=75).err)
        self.assertIn("The state was moved", self.move("sqlite").text)
        self.assertIn("had been moved to %s already" % (self.state / "trawld.db"), self.move("sqlite").text.replace("node-0.state", "state"))
        self.assertEqual(self.rows_of_file(), before)
        operations, n = 1, 0
        while n < operations:
            shutil.rmtree(self.state)
            shutil.copytree(kept, self.state)
            self.write("node-0", name="c%d" % n)
            self.move("postgresql")
            code, operations = self.move_on_failing_disk(n)
            self.assertIn(code, (0, 75))
            self.move("sqlite")
            self.assertEqual(self.rows_of_file(), before)
            n = max(n + 1, operations - LAST)

    def move_on_failing_disk(self, n):
        """The exit code of a move to SQLite whose operation N on the disk fails (0: none), and how many there were."""
        log, inodes = self.dir / "log", self.dir / "inodes"
        log.unlink(missing_ok=True)
        shutil.rmtree(inodes, ignore_errors=True)
        inodes.mkdir()
        fails = {"WRITE_LOG_FAIL": "%d %d once" % (n, errno.EIO)} if n else {}
        done = subprocess.run(
            [TRAWLCTL, "-c", str(self.path("node-0")), "state", "move", "--to", "sqlite"], capture_output=True,
            env={**self.environment(), **fails, "LD_PRELOAD": WRITE_LOG, "WRITE_LOG": str(log), "WRITE_LOG_ROOT": str(self.state),
                 "WRITE_LOG_INODES": str(inodes)})
        return done.returncode, len(read_log(log))

    def test_only_another_shard_has_worked(self):
        """A cluster of which shard 0 was never held has a state, too: nothing of it is replaced."""
        self.sink_is_back()
        self.file_again()
        self.once()
        self.shards = 2
        source = self.source(self.cloud.url, "other", more="interval = 200ms\nshard = 1")
        other = self.node("other", source, self.node_sink(), shard=1)
        other.wait_log("up to date for the first time")
        self.assertEqual(other.stop(), 0)
        count = "SELECT count(*), min(name::text) FROM trawld.sources"
        before = self.server.rows(count)
        self.use_state_of("node-0")
        self.write("node-0", self.sections[0], self.node_sink())
        self.assertIn("has another state already", self.move("postgresql", expect=75).err)
        self.assertEqual(self.server.rows(count), before)

    def test_damaged(self):
        """A state with a page of noise, or cut short, is not moved: the file is named, and neither place has changed."""
        before, path = self.rows_of_file(), self.state / "trawld.db"
        self.rows_of_file_tables = list(before)
        self.use_state_of("node-0")
        self.write("node-0")
        used = path.stat().st_size
        with contextlib.closing(sqlite3.connect(path)) as database:
            (size,) = database.execute("PRAGMA page_size").fetchone()
            # free pages make it larger than what is looked at whenever it is opened
            database.execute("INSERT INTO batch_names VALUES (1, zeroblob(17 << 20))")
            database.execute("DELETE FROM batch_names")
            database.commit()
        whole = path.read_bytes()
        self.assertGreater(len(whole), 16 << 20)
        broken = [whole[:at] + b"\xa5" * size + whole[at + size :] for at in range(0, used, size)]
        for data in (*broken, whole[: size * 3], b"\xa5" * len(whole)):
            path.write_bytes(data)
            self.assertRegex(self.move("postgresql", expect=73).err, "trawlctl: .*trawld.db is damaged .*: bring back a copy")
            self.assertEqual(path.read_bytes(), data)
            self.assertEqual(self.server.rows("SELECT to_regclass('trawld.shards') IS NULL"), [(True,)])
        path.write_bytes(whole)
        self.move("postgresql")
        self.assertEqual(self.rows_of_cluster(), before)

    def test_refused(self):
        """What is in the way is said, and nothing changes."""
        before = self.rows_of_file()
        self.write("node-0")
        self.assertIn("nothing to move", self.move("postgresql", expect=73).err)
        self.use_state_of("node-0")
        self.ctl_of("node-0", "state", "move", "--to", "mysql", expect=64)
        self.ctl_of("node-0", "state", "moved", "--to", "sqlite", expect=64)
        self.file_again()
        self.assertIn("the configuration has no `state = postgresql`",
                      self.ctl("state", "move", "--to", "postgresql", expect=78).err)
        daemon = self.daemon()
        daemon.wait_log("sink far")
        self.write("node-0")
        self.assertIn("PID %d" % daemon.pid, self.move("postgresql", expect=75).err)
        self.assertEqual(daemon.stop(), 0)
        self.shards = 2
        self.write("node-0", self.sections[0], self.file_sink(path=self.dir / "%{source}"), self.away)
        self.assertIn("records wait for sinks, and cannot be divided among 2 shards", self.move("postgresql", expect=75).err)
        self.file_again()
        self.once(expect=75)  # usable: only the sink is away
        # another cluster is there
        self.shards = 1
        self.write("other", self.sections[0], self.node_sink(), name="taken")
        other = self.node("other", self.sections[0], self.node_sink(), name="taken")
        other.wait_log("up to date for the first time")
        self.assertEqual(other.stop(), 0)
        self.write("node-0", name="taken")
        self.assertIn("has another state already", self.move("postgresql", expect=75).err)
        self.assertIn("which was not moved", self.move("sqlite", expect=75).err)
        self.assertEqual({t: rows for t, rows in self.rows_of_file().items() if t == "batches"}, {"batches": before["batches"]})


if __name__ == "__main__":
    harness.main()
