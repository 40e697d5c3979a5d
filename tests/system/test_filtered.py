#!/usr/bin/python3
"""What the filters of a sink drop is counted."""

import harness
from test_listen import RECORDS, Listen


class Filtered(Listen):
    def test_filtered(self):
        """A filter that matches nothing is seen in the numbers, not in silence."""
        sim = self.cloudscale(RECORDS, "--page-size", "500")
        self.begin(
            self.source(sim.url, more="interval = 200ms"),
            self.file_sink(more="include = /action = nonsense"),
            self.file_sink("half", self.dir / "half", "exclude = /action = server_*"),
        )
        archive, half = ("sink", "archive"), ("sink", "half")
        self.wait_metric(RECORDS, "trawld_sink_filtered_records_total", archive)
        self.wait_metric(0, "trawld_sink_pending_records", half)
        found = self.metrics()
        self.assertEqual(found[("trawld_sink_delivered_records_total", archive)], 0)
        kept = (self.dir / "half").read_bytes().count(b"\n")
        self.assertGreater(kept, 0)
        self.assertEqual(found[("trawld_sink_delivered_records_total", half)], kept)
        self.assertEqual(found[("trawld_sink_filtered_records_total", half)], RECORDS - kept)
        sinks = {sink["name"]: sink for sink in self.ask("/status").json()["sinks"]}
        self.assertEqual((sinks["archive"]["filtered"], sinks["archive"]["delivered"]), (RECORDS, 0))

    def test_once_tells(self):
        """The last lines of a run with --once say why an archive is empty."""
        sim = self.cloudscale(RECORDS, "--page-size", "500")
        self.configure(self.source(sim.url), self.file_sink(more="include = /action = nonsense"))
        (line,) = self.once().lines("0 records delivered")
        self.assertTrue(line.endswith(": 0 records delivered, %d dropped by filter" % RECORDS), line)
        self.configure(self.source(sim.url, "other"), self.file_sink())
        self.assertEqual(len(self.once().lines("%d records delivered" % RECORDS)), 1)


if __name__ == "__main__":
    harness.main()
