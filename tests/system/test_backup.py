#!/usr/bin/python3
"""Copies of the state: made beside a running trawld, put back with the commands of trawld(8), and states that lost
their log."""

import os
import shutil
import sqlite3
import subprocess
import threading

import harness
from harness import wait_until
from papers import examples

import cloudscale

class Backup(harness.Case):
    def setUp(self):
        super().setUp()
        self.copy = self.dir / "copy.db"
        self.api = self.cloudscale(400, "--page-size", "10")
        self.api.control(visible=100)
        self.socket = self.dir / "control"
        self.configure(self.source(self.api.url, more="interval = 200ms"), self.file_sink(), control=self.socket)

    def lines(self, n):
        return cloudscale.expected_lines(1, 0, n)

    def expect(self, n):
        self.wait_size(self.out, len(self.lines(n)))
        self.assert_output(self.lines(n))

    def check(self):
        """The copy is a whole database in one file that only its owner can read."""
        self.assertEqual(self.copy.stat().st_mode & 0o777, 0o600)
        database = sqlite3.connect("file:%s?mode=ro&immutable=1" % self.copy, uri=True)
        self.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        found = database.execute("SELECT (SELECT acknowledged FROM sinks), (SELECT number FROM commits)").fetchone()
        database.close()
        return found

    def run_manual(self, displays, places):
        (text,) = displays
        for command in text.splitlines():
            if command.startswith("systemctl"):
                continue
            command = command.replace("-o trawld -g trawld ", "").replace("trawlctl ", "%s -c %s " % (
                os.environ["TRAWLCTL"], self.conf))
            for path, place in places.items():
                command = command.replace(path, str(place))
            subprocess.run(["sh", "-ec", command], check=True)

    def test_refused(self):
        self.assertIn("there is no state", self.ctl("backup", str(self.copy), expect=73).err)
        self.once()
        self.copy.write_text("mine")
        self.assertIn("File exists", self.ctl("backup", str(self.copy), expect=73).err)
        self.assertEqual(self.copy.read_text(), "mine")
        self.assertIn("No such file", self.ctl("backup", str(self.dir / "x" / "y"), expect=73).err)
        self.assertIn("missing argument `FILE`", self.ctl("backup", expect=64).err)

    def test_without_a_daemon(self):
        self.once()
        other = self.dir / "copy.db.part"
        other.write_text("somebody else's")
        self.ctl("backup", str(self.copy))
        self.check()
        self.assertEqual(sorted(p.name for p in self.dir.glob("copy*")), ["copy.db", "copy.db.part"])
        self.assertEqual(other.read_text(), "somebody else's")

    def test_beside_a_daemon(self):
        """While it commits; each copy is a state that was."""
        daemon = self.daemon()
        self.expect(100)
        stop = threading.Event()

        def more():
            n = 100
            while not stop.is_set() and n < 400:
                n += 3
                self.api.control(visible=n)
                self.ctl("poll", "acme")

        thread = threading.Thread(target=more)
        thread.start()
        before = (0, 0)
        for _ in range(10):
            self.ctl("backup", str(self.copy))
            now = self.check()
            self.assertGreaterEqual(now, before)
            before = now
            self.copy.unlink()
        stop.set()
        thread.join()
        self.assertEqual(daemon.stop(), 0)

    def test_dead_letters_are_not_in_it(self):
        self.once()
        self.assertNotIn("dead letters", self.ctl("backup", str(self.copy)).text)
        letters = self.state / "dead-letters"
        letters.mkdir(exist_ok=True)
        (letters / "archive.ndjson").write_text("{}\n")
        said = self.ctl("backup", str(self.dir / "other.db")).text
        self.assertIn("does not contain the dead letters: they stay in %s" % letters, said)

    def test_restore(self):
        """The commands of the manual; what came after the copy is not repeated, and it is said."""
        self.once()
        backup = self.dir / "backup.db"
        self.run_manual(examples("man/trawld.8", "trawlctl backup"), {"/var/backups/trawld.db": backup})
        self.api.control(visible=200)
        self.once()
        self.expect(200)
        self.run_manual(examples("man/trawld.8", "systemctl stop trawld"), {
            "/var/backups/trawld.db": backup, "/var/lib/trawld": self.state})
        result = self.once()
        self.assertEqual(len(result.lines("is older than the one last used there, by ")), 1, result.err)
        self.assert_output(self.lines(200))
        result = self.once()
        self.assertEqual(result.lines("is older than"), [])
        self.api.control(visible=300)
        self.once()
        self.assert_output(self.lines(300))

    def test_move(self):
        self.once()
        backup = self.dir / "backup.db"
        self.run_manual(examples("man/trawld.8", "systemctl disable --now trawld"), {
            "/var/backups/trawld.db": backup, "/var/lib/trawld": self.dir / "new"})
        shutil.rmtree(self.state)
        (self.dir / "new").rename(self.state)
        self.api.control(visible=200)
        result = self.once()
        self.assertEqual(result.lines("is older than"), [])
        self.assertEqual(result.lines("no state was found"), [])
        self.assert_output(self.lines(200))

    def test_without_its_log(self):
        """trawld.db alone, as a copy of a running state would have it."""
        daemon = self.daemon()
        self.expect(100)
        shutil.copy(self.state / "trawld.db", self.copy)
        self.api.control(visible=150)
        self.expect(150)
        daemon.kill()
        for name in ("trawld.db-wal", "trawld.db-shm"):
            (self.state / name).unlink()
        shutil.copy(self.copy, self.state / "trawld.db")
        self.api.control(visible=200)
        result = self.once()
        self.assertEqual(len(result.lines("is older than the one last used there, by ")), 1, result.err)
        self.assertEqual(result.lines("no state was found"), [])
        found = self.out.read_bytes()  # none is lost; how many come twice depends on when it was copied
        self.assertTrue(found.startswith(self.lines(150)))
        self.assertEqual(set(found.splitlines()), set(self.lines(200).splitlines()))

    def test_emptied(self):
        """A file with nothing in it is not a new state."""
        self.once()
        (self.state / "trawld.db").write_bytes(b"")
        result = self.once(73)
        self.assertIn("its log trawld.db-wal is missing", result.err)
        # deleted on purpose it is: one notice
        (self.state / "trawld.db").unlink()
        result = self.once()
        self.assertEqual(len(result.lines("no state was found")), 1, result.err)
        self.assertEqual(result.lines("is older than"), [])

    def test_rests(self):
        """When nothing happens, trawld.db alone has all."""
        self.api = self.cloudscale(100, "--page-size", "100")
        self.configure(self.source(self.api.url, more="interval = 1h"), self.file_sink())
        daemon = self.daemon()
        self.expect(100)
        self.wait_acknowledged()
        names = ("SELECT acknowledged FROM sinks",)
        whole = sqlite3.connect("file:%s?mode=ro" % (self.state / "trawld.db"), uri=True)
        expected = [whole.execute(text).fetchall() for text in names]
        whole.close()

        def alone():
            shutil.copy(self.state / "trawld.db", self.copy)
            bare = sqlite3.connect("file:%s?mode=ro&immutable=1" % self.copy, uri=True)
            try:
                return [bare.execute(text).fetchall() for text in names] == expected
            except sqlite3.Error:
                return False
            finally:
                bare.close()

        wait_until(alone, "the log to be copied")
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    harness.main()
