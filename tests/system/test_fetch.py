#!/usr/bin/python3
"""[fetch]: the rows of files that an API lists, through links: each row once, in order."""

import random
import sqlite3

import harness
from harness import wait_until

import files

DEFINITIONS = harness.SOURCE_ROOT / "tests" / "definitions"


class Fetch(harness.Case):
    def begin(self, n_files=40, large=500, more=""):
        self.sim = self.simulator(
            "--files", str(n_files), "--large", str(large), name="files"
        )
        self.n_files, self.large = n_files, large
        # what the simulator calls now is a minute after the last file
        now = files.BASE_S + n_files * files.STEP_S + 60
        self.sim.control(clock_offset=now - harness.time.time())
        self.configure(
            "[source files]\nprovider = files\ntoken = %s\nendpoint = %s\nrate = off\n"
            "start = %s\nallow_origins = http://localhost:%s\ninterval = 100ms\n%s\n"
            % (
                files.TOKEN,
                self.sim.url,
                files.simlib.iso(files.BASE_S * 10**6),
                self.sim.url.rpartition(":")[2],
                more,
            ),
            self.file_sink(),
            providers=DEFINITIONS,
        )

    def expected(self, without=()):
        return b"".join(
            files.row(n, i)[1].encode() + b"\n"
            for n in range(self.n_files)
            if n not in without
            for i in range(files.rows_of(n, self.large))
        ).replace(b"\\u00ef", "ï".encode())

    def test_rows(self):
        self.begin()
        self.once()
        self.assert_output(self.expected())
        before = self.sim.stats()["requests"]
        self.once()
        self.assert_output(self.expected())
        # known files are not asked for again; those without a row are
        links = [e for e in self.sim.log()[before:] if e["target"] == "/link"]
        self.assertEqual(len(links), 9)

    def test_no_credential_leaves(self):
        self.begin(4)
        self.once()
        objects = [e for e in self.sim.log() if e["target"].startswith("/object")]
        self.assertEqual(len(objects), 4)
        for entry in objects:
            self.assertNotIn("authorization", entry["headers"])
            self.assertIn("%2Fa?", entry["target"])
            self.assertTrue(entry["target"].endswith("%2B"))

    def test_list_alone(self):
        self.begin(5, more="content = off")
        self.once()
        lines = self.out.read_bytes().splitlines()
        self.assertEqual(lines[0], b'{"id":"file-0","at":%d}' % files.BASE_S)
        self.assertEqual(len(lines), 5)

    def test_links_refused_and_files_gone(self):
        self.begin(12)
        self.sim.control(refuse_links=2, gone=[3, 7])
        result = self.once()
        self.assert_output(self.expected(without=(3, 7)))
        self.assertEqual(len(result.lines("file-3 was listed but is no longer there")), 1)
        self.assertEqual(len(result.lines("gap:")), 2)
        self.assertNotIn("Signature", result.err)

    def test_gone_is_told_once(self):
        """However often it is listed, until the listing of it changes; a file that is there again
        comes."""
        self.begin(12)
        self.sim.control(gone=[9, 11])
        daemon = self.daemon()

        def asked():
            return sum(e["target"].startswith("/object/9%") for e in self.sim.log())

        def told(mark=0):
            lines = daemon.text(mark).splitlines()
            return [line for line in lines if "no longer there" in line or "gap:" in line]

        wait_until(lambda: asked() >= 4, "the file to be asked for again and again")
        self.assertEqual(len(told()), 4, daemon.text())
        mark = daemon.mark()
        self.sim.control(sizes={"9": 7})
        seen = asked()
        wait_until(lambda: asked() >= seen + 4, "the file to be asked for again and again")
        self.assertEqual(len(told(mark)), 2, daemon.text(mark))
        self.assertIn("file-9", told(mark)[0])
        self.sim.control(gone=[])
        self.wait_size(self.out, len(self.expected()))
        self.assertEqual(daemon.stop(), 0)
        lines = sorted(self.out.read_bytes().splitlines())
        self.assertEqual(lines, sorted(self.expected().splitlines()))

    def test_damaged_file(self):
        """Of a file that is cut short the whole rows come, once, also over a kill -9; then the
        rest."""
        self.begin(12, large=20_000)
        whole = len(files.document(6, self.large))
        self.sim.control(damaged={"6": whole // 2})
        daemon = self.daemon()
        line = daemon.wait_log("not a complete gzip file")
        self.assertIn("position unchanged", line)
        wait_until(lambda: b'"n":"2000"' in self.out.read_bytes(), "rows of the damaged file")
        daemon.kill()
        found = self.out.read_bytes()
        self.assertEqual(found, self.expected()[: len(found)])
        self.sim.control(damaged={})
        self.once()
        self.assert_output(self.expected())

    def test_foreign_link(self):
        self.begin(2)
        self.sim.control(foreign=True)
        result = self.trawld("-c", str(self.conf), "--once")
        self.assertEqual(result.code, 75)
        self.assertTrue(result.lines("leads to http://files.example.org"))
        self.assertFalse(self.out.exists() and self.out.read_bytes())
        self.sim.control(foreign=False)
        self.once()
        self.assert_output(self.expected())

    def test_known_records_damaged(self):
        """A state that does not tell what is known ends the daemon, before a poll, also where only the last row of
        several slices is damaged."""
        self.begin(400)
        self.once()
        before = self.sim.stats()["requests"]
        state = sqlite3.connect(self.state / "trawld.db")
        with state:
            n = state.execute("SELECT count(*) FROM batch_keys WHERE source > 0").fetchone()[0]
            self.assertGreaterEqual(n, 250)  # of which 200 are a slice
            state.execute(
                "UPDATE batch_keys SET keys = substr(keys, 1, length(keys) - 1)"
                " WHERE number = (SELECT number FROM batch_keys"
                " ORDER BY newest_time DESC, n_keys DESC, number DESC LIMIT 1)"
            )
        state.close()
        for result in (self.once(73), self.trawld("-c", str(self.conf))):
            self.assertEqual(result.code, 73, result.err)
            self.assertTrue(result.lines("trawld.db"), result.err)
        self.assertEqual(self.sim.stats()["requests"], before)
        self.assert_output(self.expected())

    def test_kill(self):
        """kill -9 inside and between files: no row is lost or repeated."""
        self.begin(30, large=10_000)
        expected = self.expected()
        dice = random.Random(7)
        for _ in range(12):
            size = self.out.stat().st_size if self.out.exists() else 0
            goal = size + dice.randrange(1, len(expected) // 10)
            daemon = self.daemon()
            wait_until(
                lambda: self.out.exists()
                and self.out.stat().st_size >= min(goal, len(expected)),
                "progress",
            )
            daemon.kill()
            found = self.out.read_bytes()
            self.assertEqual(found, expected[: len(found)])
        self.once()
        self.assert_output(expected)


if __name__ == "__main__":
    harness.main()
