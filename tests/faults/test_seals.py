#!/usr/bin/python3
"""A small sealed archive of which something was changed: each byte of the file (plain, gzip, zstd), its seals, the public
key and the anchor is changed, removed, or gets one before it; lines are removed, repeated and exchanged; and a change of
the file comes together with one of the seals.

`trawlctl verify` ends in time with a documented exit status. It counts no more records as sealed than are as they were,
and says that all is good only of records, seals and keys that mean what they meant. `trawlctl prove` proves no record
that was not there. Chance selects the changes; TRAWLD_FAULTS=all makes each, or says how many. TRAWLD_TEST_SEED repeats a
run.
"""

import gzip
import json
import os
import random
import subprocess
import zlib

from on_disk import harness
from sealed import Sealed

import cloudscale

RECORDS, SEALS = 24, 4
CHANGES = 90  # in the short form
GOOD_CODES = (0, 1, 2, 64, 75)


class Seals(Sealed):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        simulator = self.cloudscale(RECORDS)
        self.sealed(simulator.url)
        for visible in range(RECORDS // SEALS, RECORDS + 1, RECORDS // SEALS):
            simulator.control(visible=visible)
            self.once()
        self.lines = self.out.read_bytes().splitlines(keepends=True)
        self.assertEqual(self.lines, cloudscale.expected_lines(1, 0, RECORDS).splitlines(keepends=True))
        self.good = {path: path.read_bytes() for path in (self.out, self.seals, self.public, self.anchor)}
        self.assertEqual(len(self.bodies(self.good[self.seals])), SEALS)

    def pack(self, kind):
        """The archive in another form: {path: bytes}."""
        good = dict(self.good)
        if kind == "plain":
            return good, self.out
        text = good.pop(self.out)
        path = self.out.with_name(self.out.name + (".gz" if kind == "gzip" else ".zst"))
        if kind == "gzip":
            good[path] = gzip.compress(text)
        else:
            good[path] = subprocess.run(["zstd", "-q", "-c"], input=text, capture_output=True, check=True).stdout
        return good, path

    def unpack(self, data):
        """The lines of the archive; None: they cannot be read."""
        try:
            if data[:2] == b"\x1f\x8b":
                whole = b""
                while data[:2] == b"\x1f\x8b":  # members; what follows them is not read
                    one = zlib.decompressobj(31)
                    whole += one.decompress(data)
                    if not one.eof:
                        return None
                    data = one.unused_data
                data = whole
            elif data[:4] == b"\x28\xb5\x2f\xfd":
                done = subprocess.run(["zstd", "-q", "-d", "-c"], input=data, capture_output=True)
                if done.returncode != 0:
                    return None
                data = done.stdout
        except zlib.error:
            return None
        return data.splitlines(keepends=True) if b"\r" not in data else data.replace(b"\r", b"\0").splitlines(keepends=True)

    def bodies(self, data):
        """What seals say, whatever the JSON around it looks like."""
        found = []
        for line in data.splitlines():
            try:
                found.append(json.loads(line)["body"])
            except (ValueError, KeyError, TypeError):
                pass
        return sorted(map(str, found))

    def key_of(self, data):
        """The bytes of the key, or None."""
        done = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=data, capture_output=True)
        return done.stdout if done.returncode == 0 else None

    # --- changes ---

    def changed(self, data, kind, at):
        if kind == "flip":
            return data[:at] + bytes([data[at] ^ 1 << self.dice.randrange(8)]) + data[at + 1 :]
        if kind == "set":
            return data[:at] + bytes([self.dice.randrange(256)]) + data[at + 1 :]
        if kind == "digit":  # JSON stays JSON
            return data[:at] + bytes([self.dice.choice(b"0123456789".replace(data[at : at + 1], b""))]) + data[at + 1 :]
        if kind == "remove":
            return data[:at] + data[at + 1 :]
        if kind == "insert":
            return data[:at] + bytes([self.dice.choice((0, 10, 13, 32, 34, 92, 255, self.dice.randrange(256)))]) + data[at:]
        if kind == "cut":
            return data[:at]
        lines = data.splitlines(keepends=True)
        if kind == "line removed":
            del lines[at]
        elif kind == "line twice":
            lines.insert(at, lines[at])
        elif kind == "lines exchanged":
            lines[at], lines[at - 1] = lines[at - 1], lines[at]
        elif kind == "line first":
            lines.insert(0, lines.pop(at))
        return b"".join(lines)

    def changes(self, good):
        """(path, kind, place) of all of them."""
        found = []
        for path, data in good.items():
            for kind in ("flip", "set", "remove", "insert", "cut"):
                found += [(path, kind, at) for at in range(len(data))]
            found += [(path, "digit", at) for at in range(len(data)) if data[at : at + 1].isdigit()]
            for kind in ("line removed", "line twice", "lines exchanged", "line first"):
                found += [(path, kind, at) for at in range(len(data.splitlines()))]
        return found

    def selected(self, changes):
        wanted = os.environ.get("TRAWLD_FAULTS", str(CHANGES))
        if wanted == "all":
            return changes
        by_kind = {}
        for change in changes:
            by_kind.setdefault(change[:2], []).append(change)
        groups = list(by_kind.values())
        return [self.dice.choice(self.dice.choice(groups)) for _ in range(int(wanted) // 3)]

    def test_changes(self):
        codes = {}
        for form in ("plain", "gzip", "zstd"):
            good, archive = self.pack(form)
            for change in self.selected(self.changes(good)):
                changes = [change]
                if self.dice.random() < 0.3 and change[0] == archive:  # somebody without the key tries to hide it
                    changes.append(self.dice.choice([other for other in self.changes(good) if other[0] == self.seals]))
                with self.subTest(form=form, changes=[(path.name, kind, at) for path, kind, at in changes]):
                    code = self.try_changes(good, archive, changes)
                    codes[code] = codes.get(code, 0) + 1
        print("campaign: seals: %d changes, exit statuses %s" % (sum(codes.values()), codes), flush=True)

    def try_changes(self, good, archive, changes):
        for path in self.dir.glob("out.ndjson*"):
            path.unlink()
        now = dict(good)
        for path, kind, at in changes:
            now[path] = self.changed(now[path], kind, at)
        for path, data in now.items():
            path.write_bytes(data)
        code = self.verify_changed(good, now, archive, ("--anchor", self.anchor))
        self.verify_changed(good, now, archive, ())
        self.prove_changed(now, archive)
        return code

    def run_ctl(self, *arguments):
        done = self.trawld(*map(str, arguments), program=harness.TRAWLCTL, seconds=30)
        self.assertIn(done.code, GOOD_CODES, done.err)
        self.assertNotIn("Sanitizer", done.err)
        self.assertNotIn("runtime error", done.err)
        return done

    def verify_changed(self, good, now, archive, anchor):
        done = self.run_ctl("verify", archive, "--key", self.public, *anchor, "--json")
        if done.code not in (0, 1, 2):
            self.assertTrue(done.err)
            return done.code
        found = json.loads(done.out)
        self.assertEqual(done.code == 1, found["problems"] != [], found)
        lines = self.unpack(now[archive])
        if lines is None:
            self.assertEqual(done.code, 1, found)
            return done.code
        left = list(self.lines)
        same = sum(1 for line in lines if line in left and not left.remove(line))
        if lines and lines[-1] + b"\n" in left:  # a seal does not cover the last line feed
            same += 1
        self.assertLessEqual(found["sealed"], same, found)
        if done.code != 0:
            return done.code
        self.assertEqual(self.key_of(now[self.public]), self.key_of(good[self.public]))
        bodies, were = self.bodies(now[self.seals]), self.bodies(good[self.seals])
        self.assertTrue(set(bodies) <= set(were), found)
        if set(bodies) != set(were) or b"".join(lines[:RECORDS]).rstrip(b"\n") != b"".join(self.lines).rstrip(b"\n"):
            # the end, or the beginning, was cut off: that is told, and with the whole anchor it is no good
            self.assertTrue(found["not_proven"] or found["notes"], found)
            self.assertLess(found["sealed"], RECORDS, found)
            if anchor and now[self.anchor] == good[self.anchor]:
                self.assertEqual(bodies, were[-len(bodies) :], found)
        return done.code

    def prove_changed(self, now, archive):
        number = self.dice.randrange(RECORDS) + 1
        done = self.run_ctl("prove", archive, "--line", number)
        if done.code == 0:
            self.assertIn(json.loads(done.out)["record"].encode(), [line.rstrip(b"\n") for line in self.lines])


if __name__ == "__main__":
    harness.main()
