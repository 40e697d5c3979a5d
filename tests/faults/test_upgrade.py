#!/usr/bin/python3
"""States of every earlier schema, of a trawld that was killed while records flowed and one sink was away: this trawld
converts them, and each sink gets every record once. A state of a newer one is refused, untouched.

An earlier state is made from one of today by undoing the steps of lib/store/schema.c. system_package upgrades from the
first program in the history.
"""

import shlex
import sqlite3
import sys

from on_disk import harness

import cloudscale

RECORDS = 600
OPEN = "CREATE INDEX coverage_open ON coverage(source) WHERE acknowledged_time IS NULL"
UNDO = {  # what makes a state of version N - 1 of one of version N
    17: "UPDATE sink_positions SET position = substr(position, 1, instr(position, ' =') - 1) WHERE instr(position, ' =')",
    16: "DROP TABLE batch_names",
    15: "ALTER TABLE reconciled DROP COLUMN late",
    14: "DROP TABLE moved",
    13: "DROP TABLE replays",
    12: "ALTER TABLE sinks ADD COLUMN position TEXT;"
    "UPDATE sinks SET position = (SELECT position FROM sink_positions WHERE sink = id); DROP TABLE sink_positions;"
    "ALTER TABLE commits RENAME TO new; CREATE TABLE commits(number INTEGER NOT NULL);"
    "INSERT INTO commits SELECT number FROM new; DROP TABLE new;"
    "ALTER TABLE identity RENAME TO new; CREATE TABLE identity(id TEXT NOT NULL);"
    "INSERT INTO identity SELECT id FROM new; DROP TABLE new",
    11: "ALTER TABLE sources DROP COLUMN released",
    10: "DROP TABLE reconciled; ALTER TABLE batch_keys DROP COLUMN times",
    9: "DROP INDEX coverage_open; ALTER TABLE coverage DROP COLUMN refilled_time; " + OPEN + " AND state = 'gap'",
    8: "DROP TABLE events",
    7: "DROP TABLE identity",
    6: "ALTER TABLE sources DROP COLUMN previous",
    5: "DROP INDEX coverage_open; DELETE FROM coverage WHERE state != 'gap'; " + OPEN,
    4: "DROP TABLE commits",
    3: "DROP TABLE coverage",
    2: "DROP TABLE routes; ALTER TABLE sources DROP COLUMN start; ALTER TABLE sources DROP COLUMN paused_time;"
    "CREATE TABLE old(name TEXT PRIMARY KEY, acknowledged INTEGER NOT NULL, position TEXT) WITHOUT ROWID;"
    "INSERT INTO old SELECT name, acknowledged, position FROM sinks; DROP TABLE sinks; ALTER TABLE old RENAME TO sinks",
}


class Upgrade(harness.Case):
    def setUp(self):
        super().setUp()
        self.expected = cloudscale.expected_lines(1, 0, RECORDS)
        self.simulator_ = self.cloudscale(RECORDS, "--page-size", "20")
        self.simulator_.control(visible=RECORDS // 2)
        self.folder = self.dir / "program"
        self.folder.mkdir()
        child = [sys.executable, harness.SOURCE_ROOT / "tests/system/exec_child.py", self.folder]
        self.configure(
            self.source(self.simulator_.url, more="interval = 50ms"),
            self.file_sink(),
            "[sink program]\ntype = exec\ncommand = %s\nretry_max = 1s\n" % shlex.join(map(str, child)),
        )

    def killed(self):
        """A state that was left in the middle: half of the records are in the archive, and wait for the program."""
        (self.folder / "script").write_text("retry " * 500)
        daemon = self.daemon()
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, RECORDS // 2)))
        daemon.wait_log("sink program")
        daemon.kill()
        (self.folder / "script").unlink()

    def make_version(self, version):
        database = sqlite3.connect(self.state / "trawld.db")
        (now,) = database.execute("PRAGMA user_version").fetchone()
        self.assertEqual(sorted(UNDO), list(range(2, now + 1)), "a step of the schema without its undoing here")
        waiting = database.execute("SELECT count(*) FROM batches").fetchone()
        for step in range(now, version, -1):
            database.executescript(UNDO[step])
        database.execute("PRAGMA user_version = %d" % version)
        database.commit()
        database.close()
        if version < 4:
            (self.state / "trawld.commits").unlink()  # it came with that step
        self.assertGreater(waiting[0], 0)
        return now

    def test_each_version(self):
        for version in range(1, max(UNDO)):
            with self.subTest(version=version):
                self.setUp()
                self.killed()
                now = self.make_version(version)
                self.simulator_.control(visible=RECORDS)
                log = self.once().err
                self.assert_output(self.expected)
                self.assert_output(self.expected, self.folder / "taken")
                database = sqlite3.connect(self.state / "trawld.db")
                self.assertEqual(database.execute("PRAGMA user_version").fetchone(), (now,), log)
                database.close()

    def test_newer(self):
        self.killed()
        database = sqlite3.connect(self.state / "trawld.db")
        database.execute("PRAGMA user_version = 1000")
        database.commit()
        database.close()
        before = (self.state / "trawld.db").read_bytes()
        result = self.once(expect=73)
        self.assertIn("a newer trawld (schema 1000", result.err)
        self.assertEqual((self.state / "trawld.db").read_bytes(), before)


if __name__ == "__main__":
    harness.main()
