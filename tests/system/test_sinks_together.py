#!/usr/bin/python3
"""Many sinks of one source: a dead one beside healthy ones."""

import re
import socket

import harness
import syslog_peer
from harness import wait_until
from http_sink import got

import cloudscale

RECORDS = 50_000


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

    def test_a_dead_one_beside_three(self):
        self.a_dead_one("relp", ("ndjson",))

    def test_a_dead_one_beside_five(self):
        self.a_dead_one("counted relp", ("ndjson", "bulk"))

    def a_dead_one(self, kinds, names):
        """The healthy ones get all, the dead one all once it is back. Prints the peak of memory."""
        source = self.cloudscale(RECORDS, "--page-size", "1000")
        receiver = self.simulator(name="http_receiver")
        peers = [syslog_peer.Peer(kind) for kind in kinds.split()]
        sinks = {
            "ndjson": self.http("near", receiver.url + "/ndjson"),
            "bulk": self.http("index", receiver.url + "/audit/_bulk", "elasticsearch"),
        }
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.configure(
            self.source(source.url, more="interval = 200ms"),
            self.file_sink(),
            *[self.syslog(peer) for peer in peers],
            *[sinks[name] for name in names],
            self.http("dead", "http://127.0.0.1:%d/ndjson" % port),
        )
        daemon = self.daemon()
        expected = cloudscale.expected_lines(1, 0, RECORDS)
        lines = expected.decode().splitlines()
        self.wait_size(self.out, len(expected), 60)
        taken = lambda name: receiver.stats()["taken"][name]
        wait_until(lambda: min(map(taken, names)) >= RECORDS, "http", 60)
        wait_until(lambda: min(len(p.messages) for p in peers) >= RECORDS, "syslog", 60)
        self.assert_output(expected)
        for name in names:
            self.assertTrue(self.texts(receiver, name) == lines, name)
        for peer in peers:
            self.assertEqual(peer.faults, [])
            found = [m.partition(b"] ")[2].decode() for m in peer.messages]
            self.assertTrue(found == lines, peer.kind)
        returned = self.simulator("--port", str(port), name="http_receiver")
        wait_until(lambda: returned.stats()["taken"]["ndjson"] >= RECORDS, "the dead one", 60)
        self.assertTrue(self.texts(returned, "ndjson") == lines)
        peak = self.peak(daemon)
        n_sinks = 2 + len(peers) + len(names)
        print("peak %.1f MiB; %d records at each of %d sinks" % (peak, RECORDS, n_sinks), flush=True)
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
