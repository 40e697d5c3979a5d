#!/usr/bin/python3
"""The HTML of trawlctl report in a real Chromium (browser.py): at each size and theme nothing is cut off, axe-core finds
nothing, a gap of seconds in a month can be seen, nothing is requested.

TRAWLD_SCREENSHOTS=FOLDER in the environment: pictures for a person to look at are put there.
Exit code 77 with the reason where there is no Chromium."""

import pathlib
import shutil
import sqlite3
import sys
import tempfile
import time
import unittest

import browser
import harness
from test_page import PHONE, DESK, THEMES, WIDTH

DAY = 86_400_000_000_000


class Looks(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="trawld-browser-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.browser = browser.Browser(cls.folder)
        cls.addClassCleanup(cls.browser.close)

    def ledger(self):
        """A month with gaps: a day, two seconds, one that was acknowledged, one moment."""
        sim = self.cloudscale(10)
        self.configure(self.source(sim.url, more="interval = 1h"), self.file_sink())
        self.once()
        now = time.time_ns()
        rows = [("full", "", 30, 0, None), ("gap", "retention", 20, 19, None), ("gap", "skipped", 12, 12 - 2 / 86400, None),
                ("gap", "capped", 8, 7.9, now), ("gap", "document", 1, 1, None)]  # fmt: skip
        database = sqlite3.connect(self.state / "trawld.db")
        database.execute("DELETE FROM coverage")
        for state, reason, start, end, seen in rows:
            database.execute(
                "INSERT INTO coverage(source, start_time, end_time, state, reason, found_time, acknowledged_time,"
                " acknowledged_by) VALUES('acme', ?, ?, ?, ?, ?, ?, ?)",
                (now - int(start * DAY), now - int(end * DAY), state, reason, now, seen, "alice" if seen else None),
            )
        database.commit()
        database.close()

    def test_sizes_and_themes(self):
        self.ledger()
        path = self.dir / "report.html"
        path.write_text(self.ctl("report", "--from", "-31d", "--to", "now", "--format", "html").text)
        for name, size in (("phone", PHONE), ("desk", DESK)):
            for theme in THEMES:
                self.browser.forget()
                self.browser.screen(*size, theme)
                self.browser.open(path.as_uri())
                what = "report-%s-%s" % (name, theme)
                self.assertLessEqual(self.browser.run(WIDTH), size[0], what)
                self.assertEqual(self.browser.axe(), [], what)
                self.assertEqual(self.browser.requests(), [path.as_uri()])
                self.assertEqual(self.browser.console(), [])
                self.strip()
                self.browser.picture(what)

    def strip(self):
        parts = self.browser.run("""
            const strip = document.querySelector(".strip"), box = strip.getBoundingClientRect();
            return [...strip.children].map((part) => {
                const at = part.getBoundingClientRect();
                return [part.className, at.left - box.left, at.width, at.height, strip.clientWidth, part.title];
            });
        """)
        gaps = [part for part in parts if part[0] != "read"]
        self.assertEqual([part[0] for part in gaps], ["gap", "gap", "seen", "gap"])
        for kind, left, width, height, whole, title in gaps:
            self.assertGreaterEqual(width, 3.99, title)
            self.assertLessEqual(left + width, whole + 1.5, title)
            self.assertGreater(height, 2 * parts[0][3] * 0.9, title)
        self.assertAlmostEqual(gaps[0][2], gaps[0][4] / 31, delta=0.5)


if __name__ == "__main__":
    why = browser.missing()
    if why:
        print("skipped:", why)
        sys.exit(77)
    unittest.main(verbosity=2)
