#!/usr/bin/python3
"""Many sinks of one source: a dead one beside healthy ones."""

import re
import socket
import time

import harness
import syslog_peer
from harness import wait_until
from http_sink import got

import cloudscale

RECORDS = 50_000
SPOOL_LIMIT = 1 << 20
PEAK_MAX = 40  # MiB


class Together(harness.Case):
    def http(self, name, url, encoding="ndjson"):
        return (
            "[sink %s]\ntype = http\nurl = %s\nencoding = %s\nretry_max = 1s\n"
            "batch_age = 100ms\n" % (name, url, encoding)
        )

    def syslog(self, peer):
        self.addCleanup(peer.stop)
        return "[sink %s]\ntype = syslog\naddress = %s\n" % (peer.kind, peer.address())

    def peak(self, daemon):
        """MiB."""
        with open("/proc/%d/status" % daemon.pid) as file:
            return int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1)) / 1024

    def texts(self, receiver, name):
        return [r for q in got(receiver, name) if not q["repeat"] for r in q["records"]]

    def begin(self, kinds, names, daemon=""):
        """A source, healthy sinks (a file, syslog of KINDS, HTTP of NAMES) and a dead one."""
        self.source_sim = self.cloudscale(RECORDS, "--page-size", "1000")
        self.receiver = self.simulator(name="http_receiver")
        self.peers = [syslog_peer.Peer(kind) for kind in kinds.split()]
        self.names = names
        sinks = {
            "ndjson": self.http("near", self.receiver.url + "/ndjson"),
            "bulk": self.http("index", self.receiver.url + "/audit/_bulk", "elasticsearch"),
        }
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.configure(
            self.source(self.source_sim.url, more="interval = 200ms"),
            self.file_sink(),
            *[self.syslog(peer) for peer in self.peers],
            *[sinks[name] for name in names],
            self.http("dead", "http://127.0.0.1:%d/ndjson" % self.port),
            daemon=daemon,
        )
        self.expected = cloudscale.expected_lines(1, 0, RECORDS)
        self.lines = self.expected.decode().splitlines()
        return self.daemon()

    def healthy_have(self, n):
        taken = self.receiver.stats()["taken"]
        return min(
            *[taken[name] for name in self.names], *[len(peer.messages) for peer in self.peers]
        ) >= n and self.out.stat().st_size >= sum(len(line) + 1 for line in self.lines[:n])

    def check_healthy(self):
        self.assert_output(self.expected)
        for name in self.names:
            self.assertTrue(self.texts(self.receiver, name) == self.lines, name)
        for peer in self.peers:
            self.assertEqual(peer.faults, [])
            found = [m.partition(b"] ")[2].decode() for m in peer.messages]
            self.assertTrue(found == self.lines, peer.kind)

    def come_back(self):
        """The dead one returns and gets all, in order."""
        returned = self.simulator("--port", str(self.port), name="http_receiver")
        wait_until(lambda: returned.stats()["taken"]["ndjson"] >= RECORDS, "the dead one", 60)
        self.assertTrue(self.texts(returned, "ndjson") == self.lines)

    def end(self, daemon):
        peak = self.peak(daemon)
        n_sinks = 2 + len(self.peers) + len(self.names)
        print("peak %.1f MiB; %d records at each of %d sinks" % (peak, RECORDS, n_sinks), flush=True)
        if harness.PATIENCE == 1:  # sanitizers take memory of their own
            self.assertLess(peak, PEAK_MAX)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_dead_one_beside_three(self):
        self.a_dead_one("relp", ("ndjson",))

    def test_a_dead_one_beside_five(self):
        self.a_dead_one("counted relp", ("ndjson", "bulk"))

    def a_dead_one(self, kinds, names):
        """The healthy ones get all, the dead one all once it is back."""
        daemon = self.begin(kinds, names)
        self.wait_size(self.out, len(self.expected), 60)
        wait_until(lambda: self.healthy_have(RECORDS), "the healthy ones", 60)
        self.check_healthy()
        self.come_back()
        self.end(daemon)

    def test_a_full_spool(self):
        """The spool is full for the dead one: polling waits and says so; what was read by then is
        at the healthy ones. Once the dead one is back all get all."""
        daemon = self.begin("relp", ("ndjson",), daemon="spool_limit = %d" % SPOOL_LIMIT)
        line = daemon.wait_log("spool is full")
        self.assertIn("polling waits", line)
        served = self.served()
        wait_until(lambda: self.healthy_have(served), "the healthy ones", 60)
        self.assertEqual(self.served(), served)
        self.assertLess(served, RECORDS)
        self.assertEqual(self.out.read_bytes(), b"".join(self.expected.splitlines(True)[:served]))
        self.come_back()
        daemon.wait_log("polling resumes")
        wait_until(lambda: self.healthy_have(RECORDS), "the healthy ones", 60)
        self.check_healthy()
        self.end(daemon)

    def served(self):
        """Records that the source has given, once it has not been asked for a second."""
        wait_until(
            lambda: time.time() - (self.source_sim.stats()["last_at"] or time.time()) > 1,
            "polling to wait",
        )
        return self.source_sim.stats()["served"][harness.TOKEN]


if __name__ == "__main__":
    harness.main()
