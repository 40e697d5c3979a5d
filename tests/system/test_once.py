#!/usr/bin/python3
"""--once delivers every record once and in order; a second run only what is new."""

import json
import time

import harness
from harness import TOKEN

import cloudscale


class Once(harness.Case):
    def two_runs(self, first, last, *arguments):
        """A run that sees FIRST records, one that sees LAST, one that finds nothing new."""
        simulator = self.cloudscale(last, *arguments)
        self.configure(self.source(simulator.url), self.file_sink())
        simulator.control(visible=first)
        self.once()
        self.assert_output(cloudscale.expected_lines(1, 0, first))
        simulator.control(visible=last)
        self.once()
        self.assert_output(cloudscale.expected_lines(1, 0, last))
        before = self.state_dump()
        self.once()
        self.assert_output(cloudscale.expected_lines(1, 0, last))
        self.assertEqual(self.state_dump(), before)
        self.assertEqual(set(simulator.stats()["statuses"]), {"200"})
        return simulator

    def test_half_a_line_on_standard_output(self):
        """What a kill left in the file stays a line of its own: the record after it can be read."""
        simulator = self.cloudscale(10)
        self.configure(self.source(simulator.url), "[sink out]\ntype = stdout\n")
        self.out.write_bytes(b'{"half')
        daemon = harness.Daemon(["-c", str(self.conf), "--once"], self.environment(), self.out)
        self.assertEqual(daemon.wait(), 0, daemon.text())
        self.assert_output(b'{"half\n' + cloudscale.expected_lines(1, 0, 10))

    def test_log_on_standard_output(self):
        """Lines of the log may land within records: said once, unless the two are apart."""
        simulator = self.cloudscale(10)
        self.configure(self.source(simulator.url), "[sink out]\ntype = stdout\n")
        both = self.trawld("-c", 'exec "$@" 2>&1', "sh", harness.TRAWLD, "-c", str(self.conf), "--once", program="/bin/sh")
        self.assertEqual(both.out.count(b"standard output and standard error are one"), 1, both.out)
        self.assertNotIn("are one", self.once().err)

    def test_pages_of_1000(self):
        self.two_runs(2500, 5321, "--page-size", "1000")

    def test_pages_of_1(self):
        self.two_runs(120, 700, "--page-size", "1")

    def test_pages_of_7(self):
        self.two_runs(7, 1200, "--page-size", "7")

    def test_full_last_page(self):
        self.two_runs(1000, 2000, "--page-size", "500")

    def test_gzip(self):
        self.two_runs(300, 900, "--gzip")

    def test_nothing_yet(self):
        self.two_runs(0, 3)

    def test_input_has_what_it_should_show(self):
        """The tests above mean little unless the log has equal and overtaking records."""
        lines = cloudscale.expected_lines(1, 0, 700).splitlines()
        at_edges = [n for n in range(500, 700, 500) if lines[n] == lines[n - 1]]
        adjacent = [n for n in range(1, 700) if lines[n] == lines[n - 1] and n % 7 and n % 500]
        apart = [n for n in range(3, 700) if lines[n] == lines[n - 3]]
        times = [cloudscale.timestamp_us(1, n) for n in range(700)]
        late = [n for n in range(120, 700) if times[n] < max(times[:120])]
        for what in (at_edges, adjacent, apart, late):
            self.assertTrue(what)

    def test_empty_pages_with_next(self):
        simulator = self.cloudscale(400, "--page-size", "50")
        simulator.control(empty_every=100)
        self.configure(self.source(simulator.url), self.file_sink())
        self.once()
        self.assert_output(cloudscale.expected_lines(1, 0, 400))
        # 8 pages with records, an empty one before 0, 100, 200, 300
        self.assertEqual(simulator.stats()["requests"], 12)

    def test_start_is_inclusive(self):
        """A first run from a time takes that microsecond and what follows, and asks in UTC."""
        simulator = self.cloudscale(900, "--page-size", "100")
        times = [cloudscale.timestamp_us(1, n) for n in range(900)]
        edge = sorted(times)[450]
        source = self.source(simulator.url).replace("earliest", cloudscale.simlib.iso(edge))
        self.configure(source, self.file_sink())
        self.once()
        wanted = [n for n in range(900) if times[n] >= edge]
        self.assert_output(b"".join(cloudscale.record_line(1, n) + b"\n" for n in wanted))
        self.assertEqual(set(simulator.stats()["statuses"]), {"200"})

    def test_start_by_the_servers_clock(self):
        """A start counts back from the server's now, which the first answer tells."""
        simulator = self.cloudscale(1000)
        end_s = (cloudscale.BASE_US + 1000 * cloudscale.STEP_US) / 1e6
        simulator.control(clock_offset=end_s - time.time())
        source = self.source(simulator.url).replace("start = earliest", "start = -200s")
        self.configure(source, self.file_sink())
        self.once()
        n_lines = self.out.read_bytes().count(b"\n")
        self.assertTrue(300 < n_lines < 700, n_lines)
        starts = [e["target"] for e in simulator.log() if "start=" in e["target"]]
        self.assertEqual(len(starts), 2)

    def test_two_projects(self):
        simulator = self.simulator("--project", "one=5:300", "--project", "two=6:40")
        simulator.control(page_size=64)
        self.configure(
            self.source(simulator.url, "first", "one"),
            self.source(simulator.url, "second", "two"),
            self.file_sink(path=self.dir / "%{source}.ndjson"),
        )
        self.once()
        self.assert_output(cloudscale.expected_lines(5, 0, 300), self.dir / "first.ndjson")
        self.assert_output(cloudscale.expected_lines(6, 0, 40), self.dir / "second.ndjson")

    def test_stdout_and_envelope(self):
        simulator = self.cloudscale(50)
        self.configure(
            self.source(simulator.url, more="sinks = plain"),
            self.source(simulator.url, "other", more="sinks = wrapped"),
            "[sink plain]\ntype = stdout\n",
            self.file_sink("wrapped", more="format = envelope"),
        )
        result = self.once()
        self.assertEqual(result.out, cloudscale.expected_lines(1, 0, 50))
        lines = self.out.read_bytes().splitlines()
        self.assertEqual(len(lines), 50)
        for n, line in enumerate(lines):
            self.assertTrue(line.endswith(b'"record":' + cloudscale.record_line(1, n) + b"}"), n)
            envelope = json.loads(line)
            self.assertEqual(list(envelope), ["source", "provider", "id", "time", "record"], n)
            self.assertEqual(envelope["source"], "other", n)
            self.assertEqual(envelope["provider"], "cloudscale", n)
            # as microseconds: how many zeros end a fraction is the writer's matter
            self.assertEqual(
                cloudscale.simlib.iso_parse(envelope["time"]), cloudscale.timestamp_us(1, n), n
            )

    def test_file(self):
        """Folders are made, the file is 0640, the path takes the source and the time."""
        simulator = self.cloudscale(10)
        path = self.dir / "log" / "%Y" / "%{source}.ndjson"
        self.configure(self.source(simulator.url), self.file_sink(path=path))
        self.once()
        found = list((self.dir / "log").glob("*/acme.ndjson"))
        self.assertEqual(len(found), 1)
        self.assert_output(cloudscale.expected_lines(1, 0, 10), found[0])
        self.assertEqual(found[0].stat().st_mode & 0o777, 0o640)
        self.assertEqual(self.state.stat().st_mode & 0o077, 0)

    def test_request(self):
        """What the API sees: who asks, that JSON is wanted, one connection, links unedited."""
        simulator = self.cloudscale(300, "--page-size", "50")
        self.configure(self.source(simulator.url), self.file_sink())
        self.once()
        log = simulator.log()
        self.assertEqual(len(log), 6)
        for entry in log:
            headers = entry["headers"]
            self.assertRegex(headers["user-agent"], r"^trawld/\d")
            self.assertEqual(headers["authorization"], "Bearer " + TOKEN)
            self.assertIn("json", headers["accept"])
            self.assertIn("gzip", headers["accept-encoding"])
        self.assertNotIn("?", log[0]["target"])
        for entry in log[1:]:
            self.assertRegex(entry["target"], r"^/v1/project-logs\?cursor=\d+$")
        # one for trawld, one for log(), one for stats()
        self.assertEqual(simulator.stats()["connections"], 3)


if __name__ == "__main__":
    harness.main()
