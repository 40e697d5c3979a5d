#!/usr/bin/python3
"""A replay through every kind of sink, and trawld killed in the middle of it: the sink gets the records once more, in
order and byte for byte, at most those of one job twice. Envelopes say that they are replayed; no other sink gets
anything."""

import os
import signal
import subprocess
import sys
import threading
import time

import harness
import journald
from harness import wait_until
from http_sink import Http
from syslog_peer import Peer

import cloudscale

RECORDS = 2000
PAGE = 20
JOB = 64 * PAGE  # JOB_MAX_BATCHES
REPLAYED = ',"replayed":true,"record":'


def rests(pid):
    """No thread of the process runs, or could, for a moment."""
    for _ in range(10):
        if harness.thread_states(pid) != {"S"}:
            return False
        time.sleep(0.02)
    return True


class SlowPeer(Peer):
    """RELP; does not read on after STOP messages until it may."""

    def __init__(self):
        self.stop_at, self.may = None, threading.Event()
        super().__init__("relp")

    def _take_relp(self, stream, connection):
        if self.stop_at is not None and len(self.messages) >= self.stop_at:
            self.may.wait(60)
        return super()._take_relp(stream, connection)


class Kinds(Http):
    def setUp(self):
        super().setUp()
        self.socket = self.dir / "control"
        self.read_pages_of(PAGE)

    def read_pages_of(self, size):
        self.cloud = self.cloudscale(RECORDS, "--page-size", str(size))
        self.lines = cloudscale.expected_lines(1, 0, RECORDS)

    def begin(self, sink, once=True):
        """The daemon runs, and all records have been delivered before it began (ONCE), or will be."""
        self.configure(
            self.source(self.cloud.url, more="interval = 1h"), sink, self.file_sink(), control=self.socket, daemon="keep = 7d"
        )
        if once:
            self.once()
        return self.run_daemon()

    def run_daemon(self):
        daemon = self.daemon()
        wait_until(self.socket.exists, "the control socket")
        daemon.wait_log("up to date for the first time")
        return daemon

    def replay_and_kill(self, daemon, middle):
        """trawld is killed when MIDDLE() is true, and the replay ends with the next process."""
        process = subprocess.Popen(
            [harness.TRAWLCTL, "-c", self.conf, "replay", "far", "--source", "acme", "--from", "-1d", "--to", "now"],
            env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        self.addCleanup(process.communicate)
        self.assertIn("replay begins: %d records of source acme" % RECORDS, process.stdout.readline())
        wait_until(middle, "the middle of the replay")
        daemon.kill()
        return lambda: self.end(self.run_daemon())

    def end(self, daemon):
        daemon.wait_log("replay done: %d records delivered" % RECORDS)
        self.assertEqual(daemon.stop(), 0)
        self.assert_output(self.lines)  # of the other sink

    def assert_again(self, first, again, most):
        """AGAIN is FIRST, but for up to MOST records in a row that came twice; all are marked as replayed."""
        self.assertEqual(first, [line for line in first if REPLAYED not in line])
        self.assertEqual([line for line in again if REPLAYED not in line], [])
        again = [line.replace(REPLAYED, ',"record":') for line in again]
        n = len(again) - len(first)
        self.assertIn(n, range(most + 1))
        cut = next((i for i, pair in enumerate(zip(again, first)) if pair[0] != pair[1]), len(first))
        self.assertEqual(again[:cut] + again[cut + n :] if n else again, first)
        print("%s: %d records came twice" % (self.id(), n), flush=True)

    def test_exec(self):
        folder = self.dir / "program"
        folder.mkdir()
        child = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "exec_child.py"), str(folder)]
        daemon = self.begin("[sink far]\ntype = exec\ncommand = %s\nformat = envelope\nretry_max = 1s\n" % " ".join(child))
        taken = lambda: (folder / "taken").read_text().splitlines()
        first = taken()
        (folder / "script").write_text("ok unanswered hang")
        finish = self.replay_and_kill(daemon, lambda: '"word": "hang"' in (folder / "events").read_text())
        self.assertIn(len(taken()) - RECORDS, range(1, RECORDS + 1))
        finish()
        self.assert_again(first, taken()[RECORDS:], 0)  # it remembers the last batch

    def test_relp(self):
        peer = SlowPeer()
        self.addCleanup(peer.stop)
        self.addCleanup(peer.may.set)
        daemon = self.begin("[sink far]\ntype = syslog\naddress = %s\nformat = envelope\nretry_max = 1s\n" % peer.address())
        texts = lambda: [m.decode().split("] ", 1)[1].removeprefix("\ufeff") for m in peer.messages]
        first = texts()
        peer.stop_at = RECORDS + JOB + 100
        finish = self.replay_and_kill(daemon, lambda: len(peer.messages) >= peer.stop_at)
        peer.may.set()
        finish()
        self.assert_again(first, texts()[RECORDS:], JOB)
        self.assertLess(len(peer.faults), 2)  # the connection of the process that was killed

    def test_journal(self):
        receiver = journald.started(self)
        daemon = self.begin(
            "[sink far]\ntype = journal\nsocket = %s\nformat = envelope\nretry_max = 1s\n" % receiver.socket
        )
        texts = lambda: [entry["MESSAGE"] for entry in receiver.entries()]
        first = texts()
        self.assertEqual(len(first), RECORDS)
        receiver.hold()
        finish = self.replay_and_kill(daemon, lambda: True)
        receiver.go_on()
        finish()
        self.assert_again(first, texts()[RECORDS:], JOB)

    def test_kafka(self):
        """At a broker that does not keep what was aborted apart; a real one shows readers none twice."""
        if "KAFKA_BROKER" not in os.environ:
            self.skipTest("system_replay_kafka runs it")
        broker = subprocess.Popen(
            [os.environ["KAFKA_BROKER"]], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(broker.communicate)
        address = broker.stdout.readline().strip()

        def messages():
            broker.stdin.write("audit\n")
            broker.stdin.flush()
            return list(iter(lambda: broker.stdout.readline().rstrip("\n"), ""))

        self.read_pages_of(2)  # many jobs, so that the replay is not over at once
        daemon = self.begin(
            "[sink far]\ntype = kafka\nbrokers = %s\ntopic = audit\nsecurity = plaintext\nformat = envelope\n" % address,
            once=False)  # the first transaction of a process sends the position before it knows where the records go
        wait_until(lambda: len(messages()) == RECORDS, "all at the broker")
        first = messages()

        def hold():
            """trawld has sent all that it can, and the broker has taken it. Else this one would have the position of a
            transaction without its records, where a real one shows neither."""
            broker.send_signal(signal.SIGSTOP)
            wait_until(lambda: rests(daemon.pid), "trawld's rest")
            daemon.signal(signal.SIGSTOP)
            broker.send_signal(signal.SIGCONT)
            wait_until(lambda: rests(broker.pid), "the broker's rest")
            return True

        finish = self.replay_and_kill(daemon, hold)
        finish()
        self.assert_again(first, messages()[RECORDS:], 128)

    def http(self, path, encoding, name, text, more=""):
        with self.subTest(encoding, more=more):
            Kinds.setUp(self)
            daemon = self.begin(self.sink(path, encoding, "timeout = 2s\nheader.Authorization = Splunk 0b1c2d3e\n" + more))
            self.receiver.control(tokens={"splunk": "Splunk 0b1c2d3e"})
            before = self.got(name)
            number = self.receiver.stats()["requests"] + 3
            self.receiver.faults({"kind": "hang", "from": number, "times": 1, "path": path})
            finish = self.replay_and_kill(daemon, lambda: any(entry["fault"] == "hang" for entry in self.receiver.log()))
            finish()
            more = self.got(name)[len(before) :]
            self.assertLessEqual(sum(r["repeat"] for r in more), 1)
            self.assertTrue(any(r["repeat"] for r in more))  # the request that hung was taken
            expected = self.lines.decode().splitlines()
            self.assert_records([text(x) for r in more if not r["repeat"] for x in r["records"]], expected)
            self.assertEqual(self.receiver.stats()["violations"], [])

    def test_http(self):
        """One request twice, under its key; without an envelope nothing marks a record."""
        whole = lambda x: x
        for row in (
            ("/ndjson", "ndjson", "ndjson", whole),
            ("/audit/_bulk", "elasticsearch", "bulk", whole),
            ("/loki/api/v1/push", "loki", "loki", lambda x: x[2]),
            ("/services/collector/event", "splunk_hec", "splunk", whole),
            ("/v1/logs", "otlp", "otlp", lambda x: x[0]),
            ("/v1/logs", "otlp", "otlp", lambda x: x[0], "otlp_format = protobuf"),
        ):
            self.http(*row)


if __name__ == "__main__":
    harness.main()
