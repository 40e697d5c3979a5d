#!/usr/bin/python3
"""trawlctl replay --file: records of archives go to one sink once more, after they were compared with their seals."""

import gzip
import json
import os
import subprocess

import harness
from harness import wait_until
from http_sink import Http, RECORDS

import cloudscale



class ReplayFile(Http):
    def begin(self, archive=""):
        """All records are delivered, nothing is kept; the daemon runs."""
        self.socket = self.dir / "control"
        self.configure(
            self.source(self.cloud.url, more="interval = 1h"),
            self.sink("/array", "json_array", "timeout = 2s"),
            self.file_sink(more=archive),
            control=self.socket,
        )
        self.once()
        self.n_before = len(self.got("array"))
        return self.run_daemon()

    def run_daemon(self):
        daemon = self.daemon()
        wait_until(self.socket.exists, "the control socket")
        daemon.wait_log("up to date for the first time")
        return daemon

    def replay(self, *files, expect=0):
        return self.ctl("replay", "far", "--file", *map(str, files), expect=expect)

    def begin_paused(self):
        """A replay to the sink, which is paused: trawlctl, which waits."""
        self.ctl("pause", "far")
        process = subprocess.Popen(
            [harness.TRAWLCTL, "-c", self.conf, "replay", "far", "--file", self.out, "--source", "acme"],
            env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        self.addCleanup(process.wait)
        self.assertIn("replay begins", process.stdout.readline())
        return process

    def again(self):
        return [record for r in self.got("array")[self.n_before :] if not r["repeat"] for record in r["records"]]

    def copies(self):
        return sorted(path.name for path in (self.state / "replays").glob("*"))

    def key(self):
        path = self.dir / "seal.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True, capture_output=True)
        return path

    def test_raw(self):
        """As it is, byte for byte, also from gzip; IDs are those of the source."""
        self.begin()
        whole = self.out.read_bytes()
        text = self.replay(self.out, "--source", "acme", "--dry-run").text
        self.assertIn("would be replayed: %d records of %s, not sealed" % (RECORDS, self.out), text)
        self.assertEqual(self.again(), [])
        text = self.replay(self.out, "--source", "acme").text
        self.assertIn("replay done: %d records delivered\n" % RECORDS, text)
        self.assert_records(self.again(), self.expected)
        self.assertEqual(self.out.read_bytes(), whole)
        lines = whole.splitlines(True)
        packed, rest = self.dir / "old.ndjson.gz", self.dir / "new.ndjson"
        packed.write_bytes(gzip.compress(b"".join(lines[:700])))
        rest.write_bytes(b"".join(lines[700:900]))
        self.n_before = len(self.got("array"))
        self.replay(packed, rest, "--source", "acme")
        self.assert_records(self.again(), self.expected[:900])
        self.assertEqual(self.copies(), [])
        events = [json.loads(line) for line in self.ctl("events", "--json").text.splitlines()]
        texts = [event["text"] for event in events if event["kind"] == "replay"]
        self.assertIn("900 records of %s and others, not sealed" % packed, texts)
        self.assertEqual(self.receiver.stats()["violations"], [])

    def test_envelopes(self):
        """Without a source the lines are envelopes, and give the records back as they were."""
        self.begin("format = envelope")
        self.replay(self.out)
        self.assert_records(self.again(), self.expected)
        result = self.ctl("replay", "archive", "--file", str(self.out))
        self.assertIn("replay done: %d records" % RECORDS, result.text)
        lines = self.out.read_text().splitlines()
        self.assertEqual(len(lines), 2 * RECORDS)
        for first, second in zip(lines[:RECORDS], lines[RECORDS:]):
            self.assertEqual(second.replace(',"replayed":true,', ",", 1), first)

    def test_refused(self):
        self.begin()
        lines = self.out.read_text().splitlines(True)
        torn = self.dir / "torn.ndjson"
        torn.write_text("".join(lines[:10]) + lines[10][:50])
        result = self.replay(torn, "--source", "acme", expect=64)
        self.assertIn("%s:11: not valid JSON; nothing is replayed" % torn, result.err)
        self.assertIn("%s:1: not an envelope" % torn, self.replay(torn, expect=64).err)
        self.assertIn("did you mean `acme`?", self.replay(torn, "--source", "acne", expect=64).err)
        self.replay(self.dir / "none", "--source", "acme", expect=75)
        packed = self.dir / "cut.ndjson.gz"
        packed.write_bytes(gzip.compress("".join(lines).encode())[:-100])
        self.replay(packed, "--source", "acme", expect=75)
        self.assertEqual((self.again(), self.copies()), ([], []))

    def test_dry_run(self):
        """It reads the files, and writes nothing."""
        self.begin()
        (self.state / "replays").write_text("no folder can be made here")
        text = self.replay(self.out, "--source", "acme", "--dry-run").text
        self.assertIn("would be replayed: %d records of %s, not sealed" % (RECORDS, self.out), text)
        torn = self.dir / "torn.ndjson"
        torn.write_text(self.out.read_text()[:-5])
        self.assertIn("not valid JSON", self.replay(torn, "--source", "acme", "--dry-run", expect=64).err)
        self.assertEqual(self.again(), [])

    def test_renamed(self):
        """The sink gets another name during it: the copy is found, read to its end, and deleted."""
        daemon = self.begin()
        process = self.begin_paused()
        text = self.ctl("status").text
        self.assertRegex(text, r"\nfar +paused \(replay\) ")
        self.assertIn("\n  replay           0 delivered of %d records\n" % RECORDS, self.ctl("status", "far").text)
        self.conf.write_text(self.conf.read_text().replace("[sink far]", "[sink away]"))
        self.ctl("rename-sink", "far", "away")
        self.ctl("resume", "away")
        daemon.wait_log("replay done: %d records delivered" % RECORDS)
        self.assert_records(self.again(), self.expected)
        self.assertEqual(self.copies(), [])
        process.communicate()
        self.assertEqual(daemon.stop(), 0)

    def test_seals(self):
        """A sealed archive says so; one that was changed is refused, unless told."""
        daemon = self.begin("seal = 1s\nseal_key = ${file:%s}\nmax_size = 200KiB\ncompress = zstd" % self.key())
        self.assertEqual(daemon.stop(), 0)
        self.run_daemon()
        files = sorted(self.dir.glob("out.ndjson.0*.zst")) + [self.out]
        self.assertGreater(len(files), 2)
        text = self.replay(*files, "--source", "acme").text
        self.assertRegex(text, r"%d records of \S+ and others, as sealed" % RECORDS)
        self.assert_records(self.again(), self.expected)
        changed = self.out.read_bytes()
        at = changed.index(b'"action":"') + 10
        self.out.write_bytes(changed[:at] + b"X" + changed[at + 1 :])
        self.n_before = len(self.got("array"))
        result = self.replay(self.out, "--source", "acme", expect=1)
        self.assertIn("CHANGED: %s: lines " % self.out, result.err)
        self.assertIn("nothing is replayed (--force", result.err)
        self.assertEqual((self.again(), self.copies()), ([], []))
        self.assertIn("changed since they were sealed", self.replay(self.out, "--source", "acme", "--force").text)
        self.assertEqual(len(self.again()), len(changed.splitlines()))

    def test_killed(self):
        """kill -9 of both in the middle: the rest comes after the restart, from the copy."""
        daemon = self.begin()
        number = self.receiver.stats()["requests"] + 4
        self.receiver.faults({"kind": "hang", "from": number, "times": 1, "path": "/array"})
        process = subprocess.Popen(
            [harness.TRAWLCTL, "-c", self.conf, "replay", "far", "--file", self.out, "--source", "acme"],
            env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self.addCleanup(process.wait)
        wait_until(lambda: any(entry["fault"] == "hang" for entry in self.receiver.log()), "the request that hangs")
        process.kill()
        daemon.kill()
        self.assertLess(len(self.again()), RECORDS)
        (copy,) = self.copies()
        self.assertRegex(copy, "^[0-9]+$")
        whole = self.out.read_bytes()
        self.out.rename(self.dir / "moved")
        daemon = self.run_daemon()
        daemon.wait_log("replay done: %d records delivered" % RECORDS)
        self.assert_records(self.again(), self.expected)
        repeated = sum(len(r["records"]) for r in self.got("array")[self.n_before :] if r["repeat"])
        self.assertLessEqual(repeated, 1000)  # one job, in requests of 300
        self.assertEqual(self.copies(), [])
        self.assertEqual((self.dir / "moved").read_bytes(), whole)

    def test_left_behind(self):
        """What a trawlctl that was killed has begun goes at the next start; what one still makes stays."""
        folder = self.state / "replays"
        folder.mkdir(parents=True)
        gone = subprocess.Popen(["true"])
        gone.wait()
        for pid in (gone.pid, os.getpid()):
            (folder / ("far.%d.new" % pid)).write_text("")
        (folder / "4711").write_text("")  # of a replay that no longer runs
        self.begin()
        self.assertEqual(self.copies(), ["far.%d.new" % os.getpid()])

    def test_damaged_copy(self):
        """A copy that was damaged meanwhile, or is that of another replay with the same number, ends the replay, not the
        sink; nothing of it is sent."""
        for name, change in (("cut", lambda whole: whole[:-1000]), ("other", lambda whole: whole * 2)):
            with self.subTest(name):
                self.setUp()
                daemon = self.begin()
                process = self.begin_paused()
                copy = self.state / "replays" / self.copies()[0]
                copy.write_bytes(change(copy.read_bytes()))
                self.ctl("resume", "far")
                out, _ = process.communicate(timeout=60 * harness.PATIENCE)
                self.assertEqual(process.returncode, 75)
                self.assertIn("replay stopped: 0 records delivered", out)
                self.assertIn("cannot read %s: it is damaged; replay the files again" % copy, out)
                self.assertEqual(daemon.stop(), 0)
                self.assertEqual(self.again(), [])


if __name__ == "__main__":
    harness.main()
