#!/usr/bin/python3
"""Records that are kept after every sink has them: trawlctl cat and find, what leaves by age, size and a full disk, and that
nothing that waits is mixed up with it."""

import json
import re
import sqlite3
import subprocess
from unittest import mock

import harness
from harness import wait_until
from listen_http import ask, parse

import cloudscale

KEPT = " FROM batches b JOIN sources s ON s.id = b.source WHERE b.number <= s.released"
WAITING = " FROM batches b JOIN sources s ON s.id = b.source WHERE b.number > s.released"


class Kept(harness.Case):
    def begin(self, daemon="keep = 7d", count=1000, more="", control="off", listen="off"):
        if not hasattr(self, "sim"):
            self.sim = self.cloudscale(count, "--page-size", "100")
        self.configure(
            self.source(self.sim.url, more=more), self.file_sink(), daemon=daemon, control=control, listen=listen
        )

    def query(self, text):
        database = sqlite3.connect("file:%s?mode=ro" % (self.state / "trawld.db"), uri=True)
        row = database.execute(text).fetchone()
        database.close()
        return row

    def rows(self, which=KEPT):
        return self.query("SELECT coalesce(sum(b.n_records), 0)" + which)[0]

    def sql(self, text, *values):
        database = sqlite3.connect(self.state / "trawld.db")
        with database:
            database.execute(text, values)
        database.close()

    def make_older(self, seconds):
        self.sql("UPDATE batches SET accepted_time = accepted_time - ? * 1000000000", seconds)

    def test_cat(self):
        """All of it, byte for byte, in order; spans are by when trawld accepted records."""
        self.begin()
        self.sim.control(visible=400)
        self.once()
        self.make_older(3600)
        self.sim.control(visible=1000)
        self.once()
        all_lines = cloudscale.expected_lines(1, 0, 1000)
        self.assert_output(all_lines)
        self.assertEqual((self.rows(), self.rows(WAITING)), (1000, 0))
        self.assertEqual(self.ctl("cat", "acme").out, all_lines)
        self.assertEqual(self.ctl("cat", "acme", "--from", "-30m").out, cloudscale.expected_lines(1, 400, 1000))
        self.assertEqual(self.ctl("cat", "acme", "--to", "-30m").out, cloudscale.expected_lines(1, 0, 400))
        nothing = self.ctl("cat", "acme", "--from", "-3h", "--to", "-2h")
        self.assertEqual(nothing.out, b"")
        self.assertIn("records are kept for 7d", nothing.err)
        lines = [json.loads(line) for line in self.ctl("cat", "acme", "--json").text.splitlines()]
        self.assertEqual({line["source"] for line in lines}, {"acme"})
        self.assertEqual([line["record"] for line in lines], [json.loads(line) for line in all_lines.splitlines()])
        self.ctl("cat", "other", expect=64)
        self.ctl("cat", "acme", "--from", "-1h", "--to", "-2h", expect=64)
        self.ctl("cat", "acme", "--from", "yesterday", expect=64)

    def test_what_waits(self):
        """Beside what is kept, what a sink does not have yet; and without keep only that."""
        self.begin("", 300)
        blocker = self.dir / "blocked"
        blocker.write_text("")
        self.configure(self.source(self.sim.url), self.file_sink(path=blocker / "out", more="retry_max = 1s"))
        self.once(75)
        self.assertEqual(self.ctl("cat", "acme").out, cloudscale.expected_lines(1, 0, 300))
        blocker.unlink()
        self.once()
        result = self.ctl("cat", "acme")
        self.assertEqual(result.out, b"")
        self.assertIn("not kept once all sinks have them", result.err)
        self.assertEqual(self.query("SELECT count(*) FROM batches"), (0,))

    def test_one_sink_lacks_them(self):
        """What one of two sinks does not have waits; when it has it, it is kept, too: nothing twice, nothing lost."""
        self.begin()
        blocker = self.dir / "blocked"
        blocker.write_text("")
        late = blocker / "out"
        self.configure(
            self.source(self.sim.url), self.file_sink(), self.file_sink("late", late, "retry_max = 1s"), daemon="keep = 1d"
        )
        self.sim.control(visible=500)
        self.once(75)
        self.assertEqual((self.rows(), self.rows(WAITING)), (0, 500))
        blocker.unlink()
        self.once()
        self.assertEqual((self.rows(), self.rows(WAITING)), (500, 0))
        self.sim.control(visible=1000)
        self.once()
        self.assertEqual((self.rows(), self.rows(WAITING)), (1000, 0))
        for path in (self.out, late):
            self.assert_output(cloudscale.expected_lines(1, 0, 1000), path)

    def found(self, record_id, expect=0):
        return [json.loads(line) for line in self.ctl("find", record_id, "--json", expect=expect).text.splitlines()]

    def test_find(self):
        """By its key: while it waits, is kept, is gone; and as a dead letter."""
        self.begin("", 300)
        blocker = self.dir / "blocked"
        blocker.write_text("")
        record = json.loads(cloudscale.expected_lines(1, 7, 8))
        sinks = (self.file_sink(), self.file_sink("late", blocker / "out", "retry_max = 1s"))
        self.configure(self.source(self.sim.url), *sinks, daemon="keep = 1d")
        self.once(75)
        (wanted,) = [
            row for row in map(json.loads, self.ctl("cat", "acme", "--json").text.splitlines()) if row["record"] == record
        ]
        (place,) = self.found(wanted["id"])
        self.assertEqual((place["state"], place["sinks"], place["record"]), ("waiting", "late", record))
        self.assertRegex(self.ctl("find", wanted["id"]).text, r"^\S+Z  source acme  batch \d+  waiting for late\n    \{")
        blocker.unlink()
        self.once()
        (place,) = self.found(wanted["id"])
        self.assertEqual((place["source"], place["state"], place["record"]), ("acme", "kept", record))
        self.configure(self.source(self.sim.url), *sinks)
        self.once()
        (place,) = self.found(wanted["id"])
        self.assertEqual((place["source"], place["state"]), ("acme", "delivered"))
        self.assertIn("delivered; its text is no longer kept\n", self.ctl("find", wanted["id"]).text)
        self.assertEqual(self.found("nothing", expect=1), [])
        self.assertIn("no record with the ID `nothing`", self.ctl("find", "nothing", expect=1).err)
        folder = self.state / "dead-letters"
        folder.mkdir(exist_ok=True)
        letter = {
            "time": "2026-11-29T13:00:00Z", "sink": "siem", "provider": "cloudscale", "key": "0" * 32,
            "record_time": None, "source": "acme", "id": "odd", "reason": "too odd\u001b[31m", "record": {"a": 1},
        }
        (folder / "siem.ndjson").write_text(json.dumps(letter) + "\n")
        (place,) = self.found("0" * 32)
        self.assertEqual((place["state"], place["sinks"], place["record"]), ("dead letter", "siem", {"a": 1}))
        self.assertNotIn("\u001b", self.ctl("find", "0" * 32).text)
        # what cannot be read is said; it matters where nothing is found elsewhere
        (folder / "damaged.ndjson").mkdir()
        result = self.ctl("find", "0" * 32)
        self.assertIn("cannot read %s: Is a directory" % (folder / "damaged.ndjson"), result.err)
        self.assertIn("may be among what cannot be read", self.ctl("find", "nothing", expect=73).err)

    def test_keys_go_with_bodies(self):
        """Keys that serve dedupe no longer stay as long as the kept body, and no longer."""
        self.begin("keep = 1h", 200)
        self.once()
        keys = self.query("SELECT count(*) FROM batch_keys")[0]
        self.assertGreater(keys, 0)
        self.sql("UPDATE batch_keys SET newest_time = newest_time - 365 * 86400 * 1000000000")
        self.once()
        self.assertEqual(self.query("SELECT count(*) FROM batch_keys WHERE source < 0")[0], keys)
        self.assertEqual(self.ctl("cat", "acme").out, cloudscale.expected_lines(1, 0, 200))
        self.make_older(3601)
        self.once()
        self.assertEqual(self.query("SELECT count(*) FROM batches"), (0,))

    def test_age(self):
        """What is older leaves, and everything when keep is taken out."""
        self.begin("keep = 1h", 300)
        self.sim.control(visible=200)
        self.once()
        self.assertEqual(self.rows(), 200)
        self.make_older(3601)
        self.sim.control(visible=300)
        self.once()
        self.assertEqual((self.rows(), self.rows(WAITING)), (100, 0))
        self.begin("", control=self.dir / "control")
        daemon = self.daemon()
        wait_until(lambda: self.query("SELECT count(*) FROM batches") == (0,), "the end of what was kept")
        self.assertEqual(daemon.stop(), 0)
        self.assert_output(cloudscale.expected_lines(1, 0, 300))

    def test_limit(self):
        """The oldest leave above keep_limit, the spool is never full of them, and both are told."""
        control = self.dir / "control"
        self.begin("keep = 1d\nkeep_limit = 16KiB", 6000, "interval = 100ms", control, "127.0.0.1:0")
        daemon = self.daemon()
        expected = cloudscale.expected_lines(1, 0, 6000)
        self.wait_size(self.out, len(expected))
        size = "SELECT coalesce(sum(b.size), 0)" + KEPT
        wait_until(lambda: self.rows(WAITING) == 0 and 0 < self.query(size)[0] <= 16 << 10, "room")
        daemon.wait_log("kept records have reached keep_limit (16384 bytes): the oldest are dropped")
        kept = json.loads(self.ctl("status", "--json").text)["kept"]
        self.assertEqual((kept["limit"], kept["keep_seconds"], kept["limited"]), (16384, 86400, True))
        self.assertEqual((kept["bytes"], kept["records"]), (self.query(size)[0], self.rows()))
        self.assertRegex(self.ctl("status").text, r", kept \d+\.\d KiB of 16\.0 KiB")
        port = int(re.search(r":(\d+)/$", daemon.wait_log("status and metrics at"))[1])
        metrics = parse(ask(port, "/metrics").text)
        self.assertEqual(metrics[("trawld_kept_bytes",)], self.query(size)[0])
        self.assertEqual(metrics[("trawld_kept_records",)], self.rows())
        self.assertEqual(metrics[("trawld_kept_limit_bytes",)], 16384)
        lines = self.ctl("cat", "acme").out
        self.assertGreater(len(lines), 0)
        self.assertTrue(expected.endswith(lines))
        self.assertEqual(daemon.stop(), 0)
        self.assert_output(expected)

    def test_spool_is_not_full(self):
        """What is kept does not count as what waits: also not after a restart."""
        control = self.dir / "control"
        self.begin("keep = 1d\nspool_limit = 4KiB", 3000, "interval = 100ms", control)
        self.sim.control(visible=1500)
        for n in (1500, 3000):
            self.sim.control(visible=n)
            daemon = self.daemon()
            expected = cloudscale.expected_lines(1, 0, n)
            self.wait_size(self.out, len(expected))
            wait_until(lambda: (self.rows(), self.rows(WAITING)) == (n, 0), "release")
            self.assertGreater(self.query("SELECT sum(size) FROM batches")[0], 4096)
            wait_until(lambda: json.loads(self.ctl("status", "--json").text)["spool"]["bytes"] == 0, "an empty spool")
            self.assertEqual(daemon.stop(), 0)
        self.assert_output(expected)

    def test_disk_nearly_full(self):
        """Kept records make room before the disk is full: then nothing could be deleted either."""
        if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
            self.skipTest("no file system of its own here")
        self.begin("keep = 1d", 20000, control=self.dir / "control")
        self.state.mkdir()
        script = self.dir / "trawld"
        script.write_text(
            "#!/bin/sh\nexec unshare -rm sh -c 'mount -t tmpfs -o size=17m tmpfs \"$0\" && exec \"$@\"' %s %s \"$@\"\n"
            % (self.state, harness.TRAWLD)
        )
        script.chmod(0o755)
        with mock.patch.object(harness, "TRAWLD", str(script)):
            daemon = self.daemon()
        daemon.wait_log("the disk is nearly full: kept records are dropped to make room, the oldest first")
        expected = cloudscale.expected_lines(1, 0, 20000)
        self.wait_size(self.out, len(expected))
        kept = lambda: json.loads(self.ctl("status", "--json").text)["kept"]
        wait_until(lambda: kept()["records"] == 0, "room")
        self.assertTrue(kept()["limited"])
        self.assertEqual(daemon.stop(), 0)
        self.assert_output(expected)

    def test_renamed(self):
        """What is kept of a source is the new name's, also when that has read records of its own."""
        self.begin(count=100)
        self.once()
        text = self.conf.read_text()
        self.conf.write_text(text.replace("[source acme]", "[source acme-2]"))
        self.ctl("rename", "acme", "acme-2")
        self.assertEqual(self.ctl("cat", "acme-2").out, cloudscale.expected_lines(1, 0, 100))
        self.conf.write_text(text.replace("[source acme]", "[source acme-3]"))
        self.once()
        self.ctl("rename", "acme-2", "acme-3")
        self.assertEqual((self.rows(), self.rows(WAITING)), (200, 0))
        self.once()
        self.assertEqual(self.ctl("cat", "acme-3").out, 2 * cloudscale.expected_lines(1, 0, 100))


if __name__ == "__main__":
    harness.main()
