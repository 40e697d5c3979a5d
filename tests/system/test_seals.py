#!/usr/bin/python3
"""Seals: files that were sealed verify, and whatever is done to them afterwards is told, with an anchor also what
cannot be seen without one.
"""

import base64
import gzip
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys

import harness
from harness import TOKEN, wait_until
from sealed import CHANGED, GOOD, WEAK, Sealed

import cloudscale

CHECKER = harness.SOURCE_ROOT / "conf" / "check-proof.py"


class Good(Sealed):
    def test_nothing_changed(self):
        simulator = self.cloudscale(3000)
        self.sealed(simulator.url, "max_size = 128KiB\ncompress = zstd")
        self.once()
        found = self.verify_good()
        self.assertEqual((found["records"], found["sealed"]), (3000, 3000))
        self.assertEqual(len(found["files"]), len(list(self.dir.glob("out.ndjson.0*"))) + 1)
        self.assertEqual(found["result"], "good")
        # also from another folder, under other names, without state and configuration
        other = self.dir / "court"
        other.mkdir()
        for path in self.dir.glob("out.ndjson*"):
            shutil.copy(path, other)
        again = self.verify(other / "out.ndjson", "--key", self.public, "--anchor", self.anchor, expect=GOOD)
        self.assertEqual(again["sealed"], 3000)
        self.assertEqual(again["not_proven"], [])

    def test_seals_alone(self):
        """No record was compared with them: that is not good, even with a key and an anchor."""
        self.sealed(self.cloudscale(100).url)
        self.once()
        found = self.verify(self.seals, "--key", self.public, "--anchor", self.anchor, expect=WEAK)
        self.assertEqual((found["records"], found["not_proven"]), (0, ["anything about records: only seals were given"]))

    def test_folder_that_cannot_be_listed(self):
        """It may have rotated files: nothing is good."""
        self.sealed(self.cloudscale(1000).url, "max_size = 64KiB")
        self.once()
        for path in (*self.dir.glob("out.ndjson*"), self.public):
            path.chmod(0o644)
        self.dir.chmod(0o311)
        self.addCleanup(self.dir.chmod, 0o700)
        other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
        result = subprocess.run([*other, harness.TRAWLCTL, "verify", self.out, "--key", self.public],
                                capture_output=True, text=True)  # fmt: skip
        self.assertEqual((result.returncode, result.stdout), (75, ""), result.stderr)
        self.assertIn("%s/: Permission denied" % self.dir, result.stderr)

    def test_original_that_stayed(self):
        """What was compressed and could not be removed is there twice, and has to be the same."""
        simulator = self.cloudscale(1000)
        self.sealed(simulator.url, "max_size = 64KiB\ncompress = gzip")
        self.once()
        packed = sorted(self.dir.glob("out.ndjson.0*.gz"))[0]
        original = packed.with_suffix("")
        text = gzip.decompress(packed.read_bytes())
        original.write_bytes(text)
        found = self.verify_good()
        self.assertEqual(found["records"], 1000)
        self.assertEqual(found["notes"], ["%s holds the same records as %s" % (packed, original)])
        for twin in (text.replace(b"a", b"b", 1), text[: text.index(b"\n") + 1]):
            packed.write_bytes(gzip.compress(twin))
            found = self.verify(self.out, "--key", self.public, expect=CHANGED)
            self.assertEqual(len(found["problems"]), 1, found)
            self.assertIn("%s does not hold the same records" % packed, found["problems"][0])

    def test_once_again_and_again(self):
        """Each run continues the chain; nothing is sealed twice."""
        simulator = self.cloudscale(3000)
        self.sealed(simulator.url)
        for visible in (500, 500, 1500, 3000):
            simulator.control(visible=visible)
            self.once()
            self.assertEqual(self.verify_good()["sealed"], visible)
        bodies = [json.loads(json.loads(line)["body"]) for line in self.seals.read_text().splitlines()]
        self.assertEqual([body["seal"] for body in bodies], list(range(1, len(bodies) + 1)))
        first = 1
        for body in bodies:
            self.assertEqual(body["first"], first)
            first += body["records"]
        self.assertEqual(self.anchor.read_bytes(), self.seals.read_bytes())

    def test_copied(self):
        """A copy in the place of the archive, as after a move to another disk, is the same file: no seal says that it ended."""
        simulator = self.cloudscale(600)
        self.sealed(simulator.url)
        for visible in (200, 400, 600):
            simulator.control(visible=visible)
            self.once()
            shutil.copy(self.out, self.dir / "copy")
            os.rename(self.dir / "copy", self.out)
        found = self.verify_good()
        self.assertEqual((found["records"], found["sealed"]), (600, 600))
        bodies = [json.loads(json.loads(line)["body"]) for line in self.seals.read_text().splitlines()]
        self.assertEqual([(body["records"], body["closed"]) for body in bodies], [(200, False)] * 3)

    def test_seals_that_cannot_be_written(self):
        """The run does not count as done; the next one seals what it left."""
        simulator = self.cloudscale(300)
        self.sealed(simulator.url)
        self.seals.mkdir()
        result = self.once(expect=75)
        self.assertEqual(self.out.read_bytes().count(b"\n"), 300)
        self.assertEqual(len(result.lines("the last records are not sealed")), 1, result.err)
        self.assertIn("run again", result.lines("the last records are not sealed")[0])
        self.seals.rmdir()
        self.once()
        self.assertEqual(self.verify_good()["sealed"], 300)

    def test_words(self):
        simulator = self.cloudscale(100)
        self.sealed(simulator.url)
        self.once()
        arguments = ("verify", str(self.out))
        result = self.trawld(*arguments, program=harness.TRAWLCTL)
        self.assertEqual(result.code, WEAK, result.err)
        text = result.out.decode()
        self.assertIn("proven: 100 of 100 records in 1 file are as sealed\n", text)
        self.assertIn("not proven: who made the seals", text)
        self.assertIn("not proven: that nothing was cut off at the end", text)
        self.assertIn("a proof is missing", text)
        result = self.trawld(
            *arguments, "--key", str(self.public), "--anchor", str(self.anchor), program=harness.TRAWLCTL
        )
        self.assertEqual(result.code, GOOD, result.err)
        self.assertNotIn("not proven", result.out.decode())

    def test_daemon_seals_in_time(self):
        """While it runs, and what came last when it stops."""
        simulator = self.cloudscale(1000)
        simulator.control(visible=400)
        self.sealed(simulator.url, seal="1s")
        daemon = self.daemon()
        wait_until(lambda: self.seals.exists() and self.seals.read_bytes().endswith(b"\n"), "a seal")
        simulator.control(visible=1000)
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 1000)))
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.verify_good()["sealed"], 1000)

    def test_of_each_source(self):
        """With %{source} each source's files verify without those of others."""
        simulator = self.simulator("--project", "%s=1:300" % TOKEN, "--project", "other-token-77=2:200")
        self.sealed(simulator.url)
        text = self.conf.read_text().replace("path = %s" % self.out, "path = %s/%%{source}.ndjson" % self.dir)
        self.conf.write_text(text + self.source(simulator.url, "beta", "other-token-77", "sinks = archive\n"))
        self.once()
        self.assertEqual(self.verify_good(self.dir / "acme.ndjson")["sealed"], 300)
        self.assertEqual(self.verify_good(self.dir / "beta.ndjson")["sealed"], 200)

    def test_configuration(self):
        simulator = self.cloudscale(1)
        cases = (
            ("seal = 1m", "needs seal_key"),
            ("seal = 1m\nseal_key = nonsense", "Ed25519 private key"),
            ("seal = 1m\nseal_key = ${file:%s}" % (self.dir / "none"), "1 error"),
            ("seal_to = anchor", "no effect without seal"),
            ("seal = 1m\nseal_key = ${file:%s}\nseal_to = archive" % self.key, "expected another sink"),
            ("seal = 1m\nseal_key = ${file:%s}\nseal_to = ankor" % self.key, "did you mean `anchor`?"),
        )
        for more, words in cases:
            self.configure(
                self.source(simulator.url), self.file_sink(more=more), self.file_sink("anchor", self.anchor)
            )
            self.assertIn(words, self.check(78).err)


class Tamper(Sealed):
    """The table of what a seal finds, with an anchor and without."""

    RECORDS = 3700

    def setUp(self):
        super().setUp()
        self.write_archive()
        self.kept = self.dir / "kept"
        self.kept.mkdir()
        for path in self.files():
            shutil.copy(path, self.kept)
        self.assertEqual(self.verify_good()["sealed"], self.RECORDS)

    def write_archive(self):
        simulator = self.cloudscale(self.RECORDS)
        self.sealed(simulator.url, "max_size = 128KiB\ncompress = gzip")
        for visible in (*range(500, 3501, 500), 3620, 3650, 3680, self.RECORDS):
            simulator.control(visible=visible)
            self.once()

    def files(self):
        return sorted(self.dir.glob("out.ndjson*"))

    def restore(self):
        for path in self.files():
            path.unlink()
        for path in self.kept.iterdir():
            shutil.copy(path, self.dir)

    def read(self, path):
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()

    def write(self, path, data):
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)

    def both(self, without, with_anchor, why):
        for expect, arguments in ((without, ()), (with_anchor, ("--anchor", self.anchor))):
            with self.subTest(why, anchor=bool(arguments)):
                found = self.verify(self.out, "--key", self.public, *arguments, expect=expect)
                self.assertEqual(bool(found["problems"]), expect == CHANGED, found)

    def test_table(self):
        for change in (
            self.change_bits,
            self.change_lines,
            self.change_files,
            self.change_seals,
            self.change_end,
            self.change_anchor,
        ):
            change()
            self.restore()

    def archives(self):
        return [path for path in self.files() if path.suffix == ".gz"] + [self.out]

    def change_bits(self):
        dice = random.Random(4711)
        for i in range(40):
            path = dice.choice(self.archives())
            data = bytearray(self.read(path))
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            self.write(path, bytes(data))
            self.both(CHANGED, CHANGED, "bit %d in %s" % (i, path.name))
            self.restore()

    def change_lines(self):
        dice = random.Random(4712)

        def deleted(lines):
            del lines[dice.randrange(len(lines))]

        def exchanged(lines):
            at = dice.randrange(len(lines) - 1)
            lines[at], lines[at + 1] = lines[at + 1], lines[at]

        def repeated(lines):
            at = dice.randrange(len(lines))
            lines.insert(at, lines[at])

        def all_deleted(lines):
            lines.clear()

        for change in (deleted, exchanged, repeated, all_deleted):
            for path in (self.archives()[0], self.archives()[2], self.out):
                lines = self.read(path).splitlines(keepends=True)
                change(lines)
                self.write(path, b"".join(lines))
                self.both(CHANGED, CHANGED, "%s in %s" % (change.__name__, path.name))
                self.restore()

    def change_files(self):
        archives = self.archives()
        archives[3].unlink()
        self.both(CHANGED, CHANGED, "a file of the middle is gone")
        self.restore()
        archives[0].unlink()
        found = self.verify(self.out, "--key", self.public, expect=GOOD)
        self.assertIn("oldest files", str(found["not_proven"]))
        self.restore()
        first, second = self.read(archives[1]), self.read(archives[2])
        self.write(archives[1], second)
        self.write(archives[2], first)
        found = self.verify(self.out, "--key", self.public, expect=GOOD)  # every record is there, in its file
        self.assertEqual(found["sealed"], self.RECORDS)
        self.restore()
        archives[1].write_bytes(archives[1].read_bytes()[:-20])
        self.both(CHANGED, CHANGED, "compressed data cut short")
        self.restore()
        self.seals.unlink()
        self.both(WEAK, CHANGED, "no seals")
        self.seals.touch()
        self.both(CHANGED, CHANGED, "no seals any more")
        self.restore()

    def seal_lines(self):
        return self.seals.read_bytes().splitlines(keepends=True)

    def change_seals(self):
        lines = self.seal_lines()
        self.seals.write_bytes(b"".join(lines[:3] + lines[4:]))
        self.both(CHANGED, CHANGED, "a seal of the middle is gone")
        self.seals.write_bytes(b"".join(lines[:3] + [lines[4], lines[3]] + lines[5:]))
        self.both(GOOD, GOOD, "order of lines does not matter, numbers do")
        # #7054 of aws-cli: two neighbours gone together, with the records between them
        self.seals.write_bytes(b"".join(lines[:3] + lines[5:]))
        self.archives()[1].unlink()
        self.both(CHANGED, CHANGED, "two seals and their file are gone")
        found = self.verify(self.out, "--key", self.public, expect=CHANGED)
        self.assertRegex(str(found["problems"]), r"2 seals of chain \w+ are missing: numbers 4 to 5")
        self.restore()
        seal = json.loads(lines[2])
        seal["body"] = seal["body"].replace('"records":', '"records":1')
        self.seals.write_bytes(b"".join(lines[:2] + [json.dumps(seal).encode() + b"\n"] + lines[3:]))
        self.both(CHANGED, CHANGED, "a number in a seal")
        seal = json.loads(lines[2])
        seal["body"] = re.sub('"time":"....', '"time":"2001', seal["body"])
        seal["signature"] = self.sign(seal["body"])
        self.seals.write_bytes(b"".join(lines[:2] + [json.dumps(seal).encode() + b"\n"] + lines[3:]))
        self.both(CHANGED, CHANGED, "a seal of the middle is made again with the key")
        self.seals.write_bytes(b"".join(lines)[:-30])
        found = self.verify(self.out, "--key", self.public, expect=GOOD)
        self.assertIn("incomplete", str(found["notes"]))
        self.both(GOOD, CHANGED, "a torn seal line is the end cut off")

    def sign(self, text):
        body = self.dir / "body"
        body.write_text(text)
        command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.key, "-in", body]
        return base64.b64encode(subprocess.run(command, check=True, capture_output=True).stdout).decode()

    def bytes_of(self, lines):
        return sum(json.loads(json.loads(line)["body"])["bytes"] for line in lines)

    def change_end(self):
        with self.out.open("ab") as file:
            file.write(b'{"one":"more"}\n')
        found = self.verify(self.out, "--key", self.public, expect=GOOD)
        self.assertIn("the last 1 record of", str(found["not_proven"]))
        self.both(GOOD, GOOD, "a record at the end")
        self.restore()
        archives = self.archives()
        self.write(archives[1], self.read(archives[1]) + b'{"one":"more"}\n')
        self.both(CHANGED, CHANGED, "a record at the end of a closed file")
        self.restore()
        lines = self.seal_lines()
        cut, size = self.bytes_of(lines[-2:]), self.out.stat().st_size
        self.assertGreaterEqual(size, cut)
        self.seals.write_bytes(b"".join(lines[:-2]))
        os.truncate(self.out, size - cut)
        self.both(GOOD, CHANGED, "the last two seals and their records are cut off")
        self.restore()
        for path in self.files():
            path.unlink()
        result = self.trawld("verify", str(self.out), "--key", str(self.public), program=harness.TRAWLCTL)
        self.assertEqual(result.code, 75, result.out)
        self.verify(self.out, "--key", self.public, "--anchor", self.anchor, expect=CHANGED)

    def rewrite(self, key):
        """Another history: the same source without one record, sealed with KEY."""
        for path in self.files():
            path.unlink()
        shutil.rmtree(self.state)
        text = self.conf.read_text().replace("${file:%s}" % self.key, "${file:%s}" % key)
        text = text.replace("path = %s" % self.anchor, "path = %s/elsewhere" % self.dir)
        simulator = self.cloudscale(self.RECORDS - 1)
        old = text[text.index("endpoint = ") :].split("\n", 1)[0]
        self.conf.write_text(text.replace(old, "endpoint = " + simulator.url))
        self.once()

    def test_rewritten_without_the_key(self):
        self.rewrite(self.make_key("forged")[0])
        self.both(CHANGED, CHANGED, "rewritten without the key")

    def test_rewritten_with_the_key(self):
        self.rewrite(self.key)
        self.both(GOOD, CHANGED, "rewritten with the key")

    def change_anchor(self):
        """What the anchor does not reach is said; a day later it is not enough."""
        anchor = self.dir / "part"
        anchor.write_bytes(b"".join(self.anchor.read_bytes().splitlines(keepends=True)[:2]))
        found = self.verify(self.out, "--key", self.public, "--anchor", anchor, expect=GOOD)
        self.assertIn("the anchor ends there", str(found["not_proven"]))


class Clock(Sealed):
    """Seals follow each other by number, so a clock that is set back changes nothing, and is told."""

    DAYS = (0, 3, 0)  # how far the clock is ahead when each seal is made

    def setUp(self):
        super().setUp()
        if any(name in pathlib.Path(harness.TRAWLD).read_bytes() for name in (b"__asan_init", b"__tsan_init")):
            self.skipTest("a preloaded library would come before the sanitizers'")
        source = harness.SOURCE_ROOT / "tests" / "cluster" / "skew.c"
        self.library, self.ahead = self.dir / "skew.so", self.dir / "ahead"
        subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", self.library, source], check=True)
        simulator = self.cloudscale(300)
        self.sealed(simulator.url)
        for i, days in enumerate(self.DAYS):
            self.ahead.write_bytes(struct.pack("@l", days * 86400))
            simulator.control(visible=100 * (i + 1))
            self.once()

    def environment(self):
        return {**super().environment(), "LD_PRELOAD": str(self.library), "TRAWLD_TEST_SKEW": str(self.ahead)}

    def test_set_back(self):
        for arguments in ((), ("--anchor", self.anchor)):
            found = self.verify(self.out, "--key", self.public, *arguments, expect=GOOD)
            self.assertEqual((found["problems"], found["sealed"]), ([], 300))
            (note,) = found["notes"]
            self.assertRegex(note, r"seal \d of chain \w+ has an earlier time than seal \d, by 25\d{4} seconds")
        # of the three days between the anchor's end and the last seal, the clock hides all
        self.anchor.write_bytes(self.anchor.read_bytes().splitlines(keepends=True)[0])
        found = self.verify(self.out, "--key", self.public, "--anchor", self.anchor, expect=WEAK)
        self.assertIn("the anchor ends there", str(found["not_proven"]))


class Folder(Sealed):
    """Two chains in one folder, and one anchor for both: what is done to one is told, and says nothing of the other."""

    def setUp(self):
        super().setUp()
        simulator = self.simulator("--project", "%s=1:300" % TOKEN, "--project", "other-token-77=2:300")
        self.sealed(simulator.url)
        seal = "seal = 1h\nseal_key = ${file:%s}\nseal_to = anchor\nretry_max = 1s\n" % self.key
        self.other = self.dir / "other.ndjson"
        text = self.conf.read_text() + self.file_sink("second", self.other, more=seal)
        self.conf.write_text(text + self.source(simulator.url, "beta", "other-token-77", "sinks = second\n"))
        for visible in (100, 200, 300):
            simulator.control(visible=visible)
            self.once()
        self.kept = {path: path.read_bytes() for path in sorted(self.dir.glob("o*.ndjson*"))}
        self.assertEqual(len(self.kept), 4)

    def both(self, change, without, with_anchor):
        """Each of the two by turns: CHANGE it, and verify it, both, and the other."""
        for path, other in ((self.out, self.other), (self.other, self.out)):
            change(path, other)
            for expect, arguments in ((without, ()), (with_anchor, ("--anchor", self.anchor))):
                arguments = ("--key", self.public, *arguments)
                with self.subTest(change.__name__, changed=path.name, anchor=len(arguments) > 2):
                    self.verify(path, *arguments, expect=expect)
                    self.verify(path, other, *arguments, expect=expect)
                    self.verify(other, *arguments, expect=GOOD)
            for kept, data in self.kept.items():
                kept.write_bytes(data)

    def seals_of(self, path):
        return path.with_name(path.name + ".seals")

    def test_nothing(self):
        found = self.verify(self.out, self.other, "--key", self.public, "--anchor", self.anchor, expect=GOOD)
        self.assertEqual((found["problems"], found["notes"], found["not_proven"]), ([], [], []))
        self.assertEqual((len(found["chains"]), found["records"], found["sealed"]), (2, 600, 600))

    def test_changed(self):
        def deleted(path, other):
            lines = path.read_bytes().splitlines(keepends=True)
            path.write_bytes(b"".join(lines[:50] + lines[51:]))

        def cut_off(path, other):
            lines = self.seals_of(path).read_bytes().splitlines(keepends=True)
            self.seals_of(path).write_bytes(b"".join(lines[:-1]))
            cut = json.loads(json.loads(lines[-1])["body"])["bytes"]
            os.truncate(path, path.stat().st_size - cut)

        def other_seals(path, other):
            shutil.copy(self.seals_of(other), self.seals_of(path))

        self.both(deleted, CHANGED, CHANGED)
        self.both(cut_off, GOOD, CHANGED)
        self.both(other_seals, CHANGED, CHANGED)

    def test_other_in_its_place(self):
        """A copy of the other chain fits its records: only the anchor knows which chain was there."""
        shutil.copy(self.other, self.out)
        shutil.copy(self.seals_of(self.other), self.seals)
        arguments = ("--key", self.public)
        self.verify(self.out, *arguments, expect=GOOD)
        self.verify(self.out, *arguments, "--anchor", self.anchor, expect=CHANGED)
        self.verify(self.out, self.other, *arguments, expect=CHANGED)  # each record is sealed once

    def test_removed(self):
        """A file that was named and is not there is not good because the other is."""
        self.out.unlink()
        self.seals.unlink()
        arguments = ("verify", str(self.out), str(self.other), "--key", str(self.public))
        result = self.trawld(*arguments, program=harness.TRAWLCTL)
        self.assertEqual(result.code, 75, result.out)
        self.assertIn(str(self.out), result.err)
        self.verify(self.out, self.other, *arguments[3:], "--anchor", self.anchor, expect=CHANGED)
        # nor are seals alone that name another file
        shutil.copy(self.seals_of(self.other), self.seals_of(self.dir / "copy.ndjson"))
        result = self.trawld("verify", str(self.dir / "copy.ndjson"), program=harness.TRAWLCTL)
        self.assertEqual(result.code, 75, result.out)


class Prove(Sealed):
    def prove(self, path, line, expect=0):
        result = self.trawld("prove", str(path), "--line", str(line), program=harness.TRAWLCTL)
        self.assertEqual(result.code, expect, result.err)
        return result.out

    def check_proof(self, proof, public=None):
        path = self.dir / "proof.json"
        path.write_bytes(proof)
        return subprocess.run([sys.executable, CHECKER, path, public or self.public], capture_output=True, text=True)

    def test_prove(self):
        simulator = self.cloudscale(1037)
        self.sealed(simulator.url)
        for visible in (1, 37, 137, 1037):
            simulator.control(visible=visible)
            self.once()
        lines = self.out.read_text().splitlines()
        for number in (1, 2, 3, 36, 37, 38, 137, 138, 139, 1000, 1037):
            proof = self.prove(self.out, number)
            self.assertEqual(json.loads(proof)["record"], lines[number - 1])
            result = self.check_proof(proof)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("TRUE", result.stdout)
        forged = json.loads(proof)
        forged["record"] = forged["record"].replace("a", "b", 1)
        self.assertNotEqual(self.check_proof(json.dumps(forged).encode()).returncode, 0)
        forged = json.loads(proof)
        forged["seal"]["body"] = forged["seal"]["body"].replace('"seal":', '"seal":9')
        self.assertIn("not signed", self.check_proof(json.dumps(forged).encode()).stderr)
        self.assertIn("not signed", self.check_proof(proof, self.make_key("other")[1]).stderr)
        forged = json.loads(self.prove(self.out, 1))
        for index in (-1, 1, 5):
            forged["index"] = index
            self.assertIn("FALSE", self.check_proof(json.dumps(forged).encode()).stderr)
        self.assertIn("cannot be read as a proof", self.check_proof(b"no proof").stderr)
        result = subprocess.run([sys.executable, CHECKER], capture_output=True, text=True)
        self.assertEqual((result.returncode, "usage:" in result.stderr), (1, True), result.stderr)
        self.prove(self.out, 1038, expect=75)
        self.prove(self.out, 0, expect=64)


if __name__ == "__main__":
    harness.main()
