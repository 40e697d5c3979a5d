#!/usr/bin/python3
"""trawlctl replay: kept records go to one sink once more. Other sinks and all cursors see nothing of it, and a kill in the
middle repeats at most one job."""

import json
import random
import signal
import sqlite3
import subprocess
import time

import harness
from harness import wait_until
from http_sink import Http, RECORDS

import cloudscale

HALF = 2000


class Replay(Http):
    def setUp(self):
        super().setUp()
        self.socket = self.dir / "control"

    def begin(self, more="", archive="", far="timeout = 2s", daemon="keep = 7d", code=0):
        """All records are delivered, the first HALF of them an hour ago; the daemon runs."""
        self.configure(
            self.source(self.cloud.url, more="interval = 1h\n" + more),
            self.sink("/array", "json_array", far),
            self.file_sink(more=archive),
            control=self.socket,
            daemon=daemon,
        )
        self.cloud.control(visible=HALF)
        self.once(code)
        database = sqlite3.connect(self.state / "trawld.db")
        with database:
            database.execute("UPDATE batches SET accepted_time = accepted_time - 3600 * 1000000000")
        database.close()
        self.cloud.control(visible=RECORDS)
        self.once(code)
        self.n_before = len(self.got("array"))
        return self.run_daemon()

    def run_daemon(self):
        self.daemon_ = daemon = self.daemon()
        wait_until(self.socket.exists, "the control socket")
        daemon.wait_log("up to date for the first time")
        return daemon

    def replay(self, *more, sink="far", expect=0):
        return self.ctl("replay", sink, "--source", "acme", *(more or ("--from", "-2h", "--to", "-30m")), expect=expect)

    def start_replay(self, sink="far"):
        """trawlctl that waits for the replay; the replay has begun."""
        process = subprocess.Popen(
            [harness.TRAWLCTL, "-c", str(self.conf), "replay", sink, "--source", "acme", "--from", "-2h", "--to", "-30m"],
            env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertIn("replay begins: %d records of source acme" % HALF, process.stdout.readline())
        return process

    def sink_status(self, name="far"):
        (sink,) = json.loads(self.ctl("status", name, "--json").text)["sinks"]
        return sink

    def wait_replay(self, state="done", name="far"):
        wait_until(lambda: self.sink_status(name)["replay"]["state"] == state, "the end of the replay")
        return self.sink_status(name)["replay"]

    def again(self):
        """The records of the requests since the first delivery, without those that came twice under one key."""
        return [record for r in self.got("array")[self.n_before :] if not r["repeat"] for record in r["records"]]

    def places(self):
        database = sqlite3.connect("file:%s?mode=ro" % (self.state / "trawld.db"), uri=True)
        rows = database.execute("SELECT name, acknowledged FROM sinks ORDER BY name").fetchall()
        rows += database.execute("SELECT name, cursor FROM sources ORDER BY name").fetchall()
        database.close()
        return rows

    def events(self):
        lines = [json.loads(line) for line in self.ctl("events", "--json").text.splitlines()]
        return [event for event in lines if event["kind"] == "replay"]

    def test_span(self):
        """The span, once, in order, byte for byte; nothing else moves; who did it is an event."""
        self.begin()
        before = self.places()
        text = self.replay("--from", "-2h", "--to", "-30m", "--dry-run").text
        self.assertIn("sink far: would be replayed: %d records of source acme, accepted from " % HALF, text)
        self.assertEqual(len(self.got("array")), self.n_before)
        text = self.replay().text
        self.assertIn("sink far: replay done: %d records delivered\n" % HALF, text)
        self.assert_records(self.again(), self.expected[:HALF])
        self.assertFalse(any(r["repeat"] for r in self.got("array")))
        self.assert_output(cloudscale.expected_lines(1, 0, RECORDS))
        self.assertEqual(self.places(), before)
        first, last = self.events()
        self.assertEqual((first["sink"], first["source"]), ("far", "acme"))
        self.assertTrue(first["by"])
        self.assertIn("%d records of source acme, accepted from " % HALF, first["text"])
        self.assertIn("replay done: %d records delivered" % HALF, last["text"])
        # once more is once more, under other keys
        self.replay()
        self.assert_records(self.again(), self.expected[:HALF] * 2)
        self.assertEqual(self.receiver.stats()["violations"], [])
        status = self.sink_status()
        self.assertEqual(status["pending_records"], 0)
        self.assertEqual((status["replay"]["state"], status["replay"]["delivered"]), ("done", HALF))

    def test_refused(self):
        self.begin()
        self.assertIn("there is no sink `fat`: did you mean `far`?", self.ctl("replay", "fat", "--stop", expect=64).err)
        self.assertIn("expected --source", self.ctl("replay", "far", expect=64).err)
        self.replay("--from", "-1h", "--to", "-2h", expect=64)
        self.assertIn("no record of source acme from that time", self.replay("--from", "-9h", "--to", "-8h", expect=1).err)
        self.assertIn("records are kept for 7d", self.replay("--from", "-9h", "--to", "-8h", expect=1).err)
        other = self.ctl("replay", "far", "--source", "acne", "--from", "-2h", "--to", "now", expect=64)
        self.assertIn("did you mean `acme`?", other.err)
        self.assertIn("no replay to sink `far` is running", self.ctl("replay", "far", "--stop", expect=64).err)
        self.assertIn("the oldest record of source acme that is still stored", self.replay("--from", "-5h", "--to", "-30m").err)
        self.assertEqual(len(self.events()), 2)

    def test_archive_lost(self):
        """A file that is gone comes back byte for byte; the other sink gets nothing."""
        daemon = self.begin()
        self.out.unlink()
        daemon.signal(signal.SIGUSR1)
        self.replay(sink="archive")
        self.assert_output(cloudscale.expected_lines(1, 0, HALF))
        self.assertEqual(len(self.got("array")), self.n_before)

    def test_envelopes(self):
        """They say that they are replayed; what was delivered the first time does not."""
        self.begin(archive="format = envelope")
        lines = self.out.read_text().splitlines()
        self.assertFalse(any("replayed" in json.loads(line) for line in lines))
        self.replay(sink="archive")
        more = self.out.read_text().splitlines()[len(lines) :]
        self.assertEqual(len(more), HALF)
        for line, first in zip(more, lines):
            self.assertEqual(line.replace(',"replayed":true,"record":', ',"record":'), first)
            self.assertIs(json.loads(line)["replayed"], True)
        # under the name that they had, although their source has another one
        self.conf.write_text(self.conf.read_text().replace("[source acme]", "[source acme-2]"))
        self.ctl("rename", "acme", "acme-2")
        self.ctl("replay", "archive", "--source", "acme-2", "--from", "-2h", "--to", "-30m")
        self.assertEqual(self.out.read_text().splitlines()[len(lines) + HALF :], more)

    def test_selection(self):
        """The sink gets what it would have got: its conditions hold."""
        self.begin(archive="include = /action = server_*")
        self.assertTrue(all(json.loads(line)["action"].startswith("server_") for line in self.out.read_text().splitlines()))
        whole = self.out.read_bytes()
        text = self.replay(sink="archive").text
        more = self.out.read_bytes()[len(whole) :]
        self.assertGreater(len(more), 0)
        self.assertTrue(whole.startswith(more))
        n = len(more.splitlines())
        self.assertIn("replay done: %d records delivered, %d dropped by filter\n" % (n, HALF - n), text)

    def test_what_waits(self):
        """What waits for the sink is not replayed: it comes anyway, before the rest of the replay."""
        daemon = self.begin()
        self.ctl("pause", "far")
        self.cloud.stop()
        self.cloud = self.cloudscale(RECORDS + 300, "--page-size", "100")
        self.conf.write_text(
            "".join(
                "endpoint = %s\n" % self.cloud.url if line.startswith("endpoint") else line
                for line in self.conf.read_text().splitlines(True)
            )
        )
        self.ctl("reload")
        self.ctl("poll", "acme")
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, RECORDS + 300)))
        text = self.ctl("replay", "far", "--source", "acme", "--from", "-2h", "--to", "now", "--dry-run").text
        self.assertIn("%d records" % RECORDS, text)
        span = ("replay", "archive", "--source", "acme", "--from", "-2h", "--to", "now", "--dry-run")
        wait_until(lambda: "%d records" % (RECORDS + 300) in self.ctl(*span).text, "the acknowledgement")
        process = self.start_replay()
        self.ctl("resume", "far")
        self.assertIn("replay done: %d records" % HALF, process.communicate(timeout=60 * harness.PATIENCE)[0])
        more = cloudscale.expected_lines(1, RECORDS, RECORDS + 300).decode().splitlines()
        self.assert_records(self.again(), more + self.expected[:HALF])
        self.assertEqual(daemon.stop(), 0)

    def hang(self, number):
        """The receiver takes the request NUMBER of those to come, and does not answer it."""
        number += self.receiver.stats()["requests"]
        self.receiver.faults({"kind": "hang", "from": number, "times": 1, "path": "/array"})
        return lambda: any(entry["fault"] == "hang" for entry in self.receiver.log())

    def test_killed(self):
        """trawlctl or trawld, kill -9: at most one job comes twice, under its key; nobody else gets anything."""
        for victim in ("trawlctl", "trawld"):
            with self.subTest(victim):
                self.setUp()
                daemon = self.begin()
                before = self.places()
                hangs = self.hang(3)
                process = self.start_replay()
                wait_until(hangs, "the request that hangs")
                self.assertEqual(len(self.again()), 3 * 300)  # the third job is taken, and not answered
                process.kill()
                if victim == "trawld":
                    daemon.kill()
                    daemon = self.run_daemon()
                    daemon.wait_log("continues its replay")
                else:
                    self.receiver.faults()
                self.wait_replay()
                self.assert_records(self.again(), self.expected[:HALF])
                repeats = [r for r in self.got("array")[self.n_before :] if r["repeat"]]
                self.assertLessEqual(len(repeats), 1)
                self.assert_output(cloudscale.expected_lines(1, 0, RECORDS))
                self.assertEqual(self.places(), before)
                self.assertEqual(self.receiver.stats()["violations"], [])
                self.assertEqual(daemon.stop(), 0)

    def test_killed_split(self):
        """A request that was too large comes in the same halves after a kill, though the receiver takes it whole by then."""
        self.begin()
        whole = len("\n".join(self.expected[:300]))
        self.receiver.control(max_body=whole * 2 // 3)
        hangs = self.hang(6)  # three are too large, their halves are not
        process = self.start_replay()
        wait_until(hangs, "the request that hangs")
        before = len(self.again())
        self.assertTrue(all(len(r["records"]) == 150 for r in self.got("array")[self.n_before :]))
        process.kill()
        self.daemon_.kill()
        self.receiver.faults()
        self.receiver.control(max_body=1 << 30)
        self.run_daemon().wait_log("continues its replay")
        self.wait_replay()
        self.assertGreater(before, 0)
        self.assert_records(self.again(), self.expected[:HALF])

    def test_killed_and_renamed(self):
        """What was taken and not answered comes again under the same key, whatever the sink is called by then."""
        self.begin()
        hangs = self.hang(3)
        process = self.start_replay()
        wait_until(hangs, "the request that hangs")
        process.kill()
        self.daemon_.kill()
        self.conf.write_text(self.conf.read_text().replace("[sink far]", "[sink near]"))
        self.ctl("rename-sink", "far", "near")
        self.run_daemon()
        self.wait_replay(name="near")
        self.assert_records(self.again(), self.expected[:HALF])
        self.assertEqual(sum(r["repeat"] for r in self.got("array")[self.n_before :]), 1)

    def test_killed_often(self):
        """A file has the span exactly once, wherever trawld is killed, also with something new in between."""
        expected = cloudscale.expected_lines(1, 0, RECORDS)
        daemon = self.begin()
        dice = random.Random(7)
        for _ in range(3):
            process = self.start_replay("archive")
            for _ in range(3):
                time.sleep(dice.random() / 50)
                daemon.kill()
                daemon = self.run_daemon()
            process.kill()
            self.wait_replay(name="archive")
            expected += cloudscale.expected_lines(1, 0, HALF)
            self.assert_output(expected)
        self.assertEqual(len(self.got("array")), self.n_before)

    def test_failing(self):
        """A request that fails is sent again, and nothing else is, though another sink still lacks all of it."""
        blocker = self.dir / "blocked"
        blocker.write_text("")
        self.out = blocker / "out"
        self.begin(archive="retry_max = 1s", code=75)
        before = self.places()
        hangs = self.hang(2)
        process = self.start_replay()
        self.assertIn("replay done: %d records" % HALF, process.communicate(timeout=60 * harness.PATIENCE)[0])
        self.assertTrue(hangs())
        self.assert_records(self.again(), self.expected[:HALF])
        self.assertEqual(self.places(), before)

    def test_interrupted(self):
        """An interrupt of trawlctl, or --stop, ends it; one at a time."""
        daemon = self.begin()
        for stop in (lambda process: process.send_signal(signal.SIGINT), lambda process: self.ctl("replay", "far", "--stop")):
            hangs = self.hang(2)
            process = self.start_replay()
            wait_until(hangs, "the request that hangs")
            self.assertIn("a replay to sink `far` is running", self.replay(expect=64).err)
            stop(process)
            out, _ = process.communicate(timeout=60 * harness.PATIENCE)
            self.assertEqual(process.returncode, 75)
            self.assertRegex(out, r"sink far: replay stopped: \d+ records? delivered; stopped by \S+\n")
            self.assertEqual(self.sink_status()["replay"]["state"], "stopped")
            self.receiver.faults()
        self.n_before = len(self.got("array"))
        self.replay()
        self.assert_records(self.again(), self.expected[:HALF])
        self.assertEqual(daemon.stop(), 0)

    def test_nothing_taken(self):
        """A receiver that takes no record of a job ends it: what is new must not stand behind it."""
        daemon = self.begin()
        self.receiver.control(poison=self.expected[:HALF])
        result = self.replay(expect=75)
        self.assertIn("replay stopped: 0 records delivered; the receiver rejects every record of a job", result.text)
        self.assertFalse(self.sink_status()["last_error"])
        self.assertEqual(daemon.stop(), 0)

    def test_some_rejected(self):
        """Single records become dead letters, as always."""
        self.begin()
        bad = self.expected[5]
        self.receiver.control(poison=[bad])
        result = self.replay(expect=75)
        self.assertIn("%d records delivered, 1 rejected (see `trawlctl dead-letters list far`)" % (HALF - 1), result.text)
        self.assert_records(self.again(), [line for line in self.expected[:HALF] if line != bad])
        self.assertEqual([letter["record"] for letter in self.dead_letters()], [json.loads(bad)])

    def test_over_time(self):
        """Records whose time is over stay while a replay still needs them."""
        self.begin()
        hangs = self.hang(2)
        process = self.start_replay()
        wait_until(hangs, "the request that hangs")
        self.conf.write_text(self.conf.read_text().replace("keep = 7d", "keep = 1m"))
        self.ctl("reload")
        self.receiver.faults()
        self.assertIn("replay done: %d records delivered\n" % HALF, process.communicate(timeout=60 * harness.PATIENCE)[0])
        self.assert_records(self.again(), self.expected[:HALF])
        database = sqlite3.connect("file:%s?mode=ro" % (self.state / "trawld.db"), uri=True)
        count = "SELECT sum(n_records) FROM batches"
        wait_until(lambda: database.execute(count).fetchone()[0] == RECORDS - HALF, "what is too old to go")
        database.close()


if __name__ == "__main__":
    harness.main()
