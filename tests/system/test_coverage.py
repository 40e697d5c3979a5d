#!/usr/bin/python3
"""Of which time records were read, and of which not: one row for a healthy source, gaps with their reason, and when
unread records are lost."""

import json
import re
import shutil
import time

import harness
import quiet_api
from harness import wait_until
from listen_http import ask
from quiet_api import seconds


class Coverage(quiet_api.Case):
    def test_healthy(self):
        """Many polls, several runs: one row, from the start to the last poll."""
        self.serve()
        self.assertEqual(self.ctl("coverage").text, "source s: nothing is known to have been read\n")
        begun = time.time()
        self.once()
        daemon = self.daemon()
        wait_until(lambda: self.server.n_requests > 20, "polls")
        self.assertEqual(daemon.stop(), 0)
        ended = time.time()
        (row,) = self.rows()
        self.assertEqual((row["source"], row["state"]), ("s", "full"))
        self.assertAlmostEqual(seconds(row["start"]), begun - 600, delta=30)
        self.assertGreater(seconds(row["end"]), begun - 30)
        self.assertLessEqual(seconds(row["end"]), ended)
        self.assertRegex(self.ctl("coverage", "s").text, r"^source s: \S+Z to \S+Z, full\n$")
        (row,) = self.rows("s", "--since", "-5m")
        self.assertAlmostEqual(seconds(row["start"]), time.time() - 300, delta=30)
        self.ctl("coverage", "other", expect=64)
        self.ctl("coverage", "--since", "yesterday", expect=64)

    def test_nothing_is_known(self):
        """A source that was not read, or not since a time, is listed beside one that was."""
        self.serve()
        text = self.conf.read_text()
        self.once()
        other = text[text.index("[source s]") : text.index("[sink ")].replace("[source s]", "[source t]\nenabled = no")
        self.conf.write_text(text + other)
        said = self.ctl("coverage").text.splitlines()
        self.assertEqual([line.partition(":")[0] for line in said], ["source s", "source t"])
        self.assertEqual(said[1], "source t: nothing is known to have been read")
        said = self.ctl("coverage", "--since", "now").text.splitlines()
        self.assertEqual(said, ["source %s: nothing is known to have been read since then" % name for name in "st"])
        self.assertEqual(self.rows("--since", "now"), [])

    def test_rewound(self):
        """Read again: still one row. Too late for what the API keeps: a gap."""
        self.serve()
        self.once()
        self.ctl("rewind", "s", "--to", "-20m")
        self.once()
        (row,) = self.rows()
        self.assertAlmostEqual(seconds(row["start"]), time.time() - 1200, delta=30)
        self.age_cursor(2, "watermark", "started")
        self.serve("resume.retention = 1d\n")
        self.once()
        rows = self.rows(expect=1)
        self.assertEqual([row["state"] for row in rows], ["gap", "full"])
        self.assertEqual(rows[0]["reason"], "retention")
        (row,) = self.rows("--since", "-1h")
        self.assertEqual(row["state"], "full")

    def test_chain(self):
        """The first catch-up by a cursor counts from the start on, however many pages it has; records from
        before it are not requested, and not claimed."""
        for size in ("100", "7", "2"):
            with self.subTest(page_size=size):
                shutil.rmtree(self.state, ignore_errors=True)
                self.out.unlink(missing_ok=True)
                simulator = self.cloudscale(50, "--base", "now", "--step-ms", "20000", "--page-size", size)
                begun = time.time()
                text = self.source(simulator.url).replace("start = earliest", "start = -10m")
                self.configure(text, self.file_sink())
                self.once()
                n_lines = len(self.out.read_bytes().splitlines())
                self.assertTrue(20 <= n_lines <= 45, n_lines)
                (row,) = self.rows()
                self.assertEqual((row["source"], row["state"]), ("acme", "chain"))
                self.assertGreaterEqual(seconds(row["start"]), begun - 600 - 0.001)
                self.assertLessEqual(seconds(row["start"]), time.time() - 600)
                self.assertLessEqual(seconds(row["end"]), time.time())
                self.once()
                (again,) = self.rows()
                self.assertEqual(again["start"], row["start"])
                self.assertGreater(seconds(again["end"]), seconds(row["end"]))
                simulator.stop()

    def detailed(self, port):
        found = ask(port, "/status?name=s").json()["sources"]
        detail = found[0]["detail"]
        return found if detail["gaps"] and len(detail["coverage"]) == 1 else None

    def test_detail(self):
        """The page gets the last 30 days of it, of one source at a time."""
        self.serve()
        self.once()
        self.age_cursor(40, "watermark", "started")
        self.serve("resume.retention = 35d\n", listen="127.0.0.1:0")
        daemon = self.daemon()
        port = int(re.search(r":(\d+)/$", daemon.wait_log("status and metrics at"))[1])
        (source,) = wait_until(lambda: self.detailed(port), "the gap, and what follows it to be read")
        self.assertEqual({gap["reason"] for gap in source["detail"]["gaps"]}, {"retention"})
        (read,) = source["detail"]["coverage"]  # the gaps are older
        self.assertEqual(read["state"], "full")
        self.assertEqual(seconds(read["start"]) % 3600, 0)
        self.assertAlmostEqual(time.time() - seconds(read["start"]), 30 * 86400 + 1800, delta=2000)
        self.assertNotIn("reason", read)
        daemon.stop()

    def test_deadline(self):
        """What is unread is lost a retention after what was read."""
        self.serve("resume.retention = 1h\n", listen="127.0.0.1:0", control=self.dir / "control")
        self.server.down = True
        daemon = self.daemon()
        wait_until((self.dir / "control").exists, "the control socket")
        wait_until(lambda: self.server.n_requests > 1, "failed polls")
        source = json.loads(self.ctl("status", "--json").text)["sources"][0]
        begin = seconds(source["loss_deadline"]) - 3600 + 60
        self.assertAlmostEqual(begin, time.time() - 600, delta=60)
        self.assertIsNone(source["covered_until"])
        self.assertRegex(
            self.ctl("status", "s").text, r"if nothing is read until \S+Z \(\S+\), records are lost for good"
        )
        self.server.down = False
        mark = source["loss_deadline"]
        wait_until(
            lambda: json.loads(self.ctl("status", "--json").text)["sources"][0]["loss_deadline"] > mark,
            "a later deadline",
        )
        source = json.loads(self.ctl("status", "--json").text)["sources"][0]
        self.assertGreater(seconds(source["covered_until"]), time.time() - 60)
        self.assertNotIn("lost for good", self.ctl("status", "s").text)
        daemon.stop()


if __name__ == "__main__":
    harness.main()
