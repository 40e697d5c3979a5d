#!/usr/bin/python3
"""Records made to break what carries them, through every kind of sink and encoding: each arrives
unchanged or is a dead letter with a reason, and none of them is taken for two."""

import json

import harness
import syslog_peer
from harness import wait_until
from hostile_source import LARGE, Hostile
from http_sink import got

PATHS = {  # encoding: path, name at the receiver
    "ndjson": ("/ndjson", "ndjson"),
    "json_array": ("/array", "array"),
    "elasticsearch": ("/audit/_bulk", "bulk"),
    "loki": ("/loki/api/v1/push", "loki"),
    "splunk_hec": ("/services/collector/event", "splunk"),
    "otlp": ("/v1/logs", "otlp"),
}


class Sinks(Hostile):
    # --- files ---

    def test_files(self):
        wrapped = self.dir / "wrapped.ndjson"
        self.begin(
            self.file_sink(), self.file_sink("wrapped", wrapped, "format = envelope"), size=LARGE
        )
        self.once()
        self.assert_texts(self.out.read_bytes().decode().split("\n")[:-1])
        lines = wrapped.read_bytes().decode().split("\n")[:-1]
        mark = ',"record":'
        self.assert_texts([line[line.index(mark) + len(mark) : -1] for line in lines])
        for line in lines[:-1]:
            self.assertEqual(json.loads(line)["source"], "acme")

    # --- syslog ---

    def peer(self, kind):
        peer = syslog_peer.Peer(kind)
        self.addCleanup(peer.stop)
        return peer

    def syslog_sink(self, peer, more=""):
        framing = "framing = lines\n" if peer.kind == "lines" else ""
        whole = "" if peer.kind == "udp" else "max_message = 1GiB\n"
        return "[sink %s]\ntype = syslog\naddress = %s\n%s%s%s\n" % (
            peer.kind,
            peer.address(),
            framing,
            whole,
            more,
        )

    def parts(self, messages):
        """[(structured data, text)] of messages, each of the one form that trawld writes."""
        found = []
        for message in messages:
            match = syslog_peer.MESSAGE.fullmatch(message)
            self.assertTrue(match, message[:300])
            self.assertEqual(match.group(1, 4, 5, 6), (b"134", b"trawld", b"-", b"acme"))
            found.append((match.group(7).decode(), match.group(8).decode()))
        return found

    def test_syslog_streams(self):
        peers = [self.peer(kind) for kind in ("counted", "lines", "relp")]
        self.begin(*[self.syslog_sink(peer) for peer in peers], size=LARGE)
        self.once()
        for peer in peers:
            with self.subTest(kind=peer.kind):
                wait_until(lambda: len(peer.messages) >= len(self.expected), "all messages")
                self.assertEqual(peer.faults, [])
                expected = self.expected
                if peer.kind == "lines":  # the one control character that JSON lets through
                    expected = [text.replace("\x7f", "\\u007f") for text in expected]
                self.assert_texts([text for _, text in self.parts(peer.messages)], expected)
                self.assertEqual(self.dead_letters(peer.kind), [])

    def test_syslog_datagrams(self):
        """What is too long is cut and says so; nothing else is, and nothing is made of the cut."""
        peer = self.peer("udp")
        self.begin(self.syslog_sink(peer), size=1 << 20)
        result = self.once()
        count = len(self.expected)
        wait_until(lambda: len(peer.messages) + peer.dropped() >= count, "all datagrams")
        found = self.parts(peer.messages)
        waiting = iter(self.expected)
        for data, text in found:
            cut = ' truncated="true"' in data
            begin = text[:40]  # its own ID is in it
            wanted = next((x for x in waiting if x.startswith(begin)), "nothing")
            self.assertEqual(cut, len(wanted.encode()) > 65_000, begin)
            self.assertTrue(text == (wanted[: len(text)] if cut else wanted), begin)
            self.assertGreater(len(text.encode()), 60_000 if cut else 1)
        self.assertEqual(len(found), count - peer.dropped())
        self.assertEqual(len(result.lines("were cut")), 1, result.err)

    def test_syslog_of_old(self):
        peer = self.peer("lines")
        self.begin(self.syslog_sink(peer, "rfc = 3164\nformat = envelope"))
        self.once()
        wait_until(lambda: len(peer.messages) >= len(self.expected), "all lines")
        self.assertEqual(len(peer.messages), len(self.expected))
        for line, wanted in zip(peer.messages, self.expected):
            self.assertRegex(line[:60], rb"^<134>Dec 11 \d\d:\d\d:\d\d \S+ trawld\[acme\]: \{\"so")
            self.assertNotRegex(line, rb"[\x00-\x1f\x7f]")
            wanted = wanted.replace("\x7f", "\\u007f")
            self.assertTrue(line.decode().endswith(',"record":%s}' % wanted), line[:200])

    # --- HTTP ---

    def http_sinks(self, receiver, more=""):
        sinks = []
        for encoding, (path, _) in PATHS.items():
            keys = "labels = id=/id, text=/text\n" if encoding == "loki" else ""
            if encoding == "splunk_hec":
                keys = "header.Authorization = Splunk t0ken\n"
            sinks.append(
                "[sink %s]\ntype = http\nurl = %s%s\nencoding = %s\nretry_max = 1s\n%s%s\n"
                % (encoding, receiver.url, path, encoding, keys, more)
            )
        return sinks

    def received(self, receiver, encoding):
        records = [r for request in got(receiver, PATHS[encoding][1]) for r in request["records"]]
        if encoding == "loki":  # [stream, time, line]; by stream, no order among them
            return [line for _, _, line in sorted(records, key=lambda entry: entry[1])]
        if encoding == "otlp":
            return [text for text, _, _ in records]
        return records

    def test_http(self):
        """What is too large for the receiver is the only dead letter."""
        for compression in ("none", "zstd"):
            with self.subTest(compression=compression):
                self.setUp()
                receiver = self.simulator(name="http_receiver")
                receiver.control(max_body=8 << 20)
                sinks = self.http_sinks(receiver, "compression = %s\n" % compression)
                self.begin(*sinks, size=LARGE)
                self.once(expect=75)
                self.assertEqual(receiver.stats()["violations"], [])
                for encoding in PATHS:
                    with self.subTest(encoding=encoding):
                        self.assert_texts(self.received(receiver, encoding), self.expected[:-1])
                        (letter,) = self.dead_letters(encoding)
                        self.assertEqual(letter["record"], json.loads(self.expected[-1]))
                        self.assertIn("413", letter["reason"])

    def test_http_large(self):
        """A receiver that takes 30 MiB gets them."""
        receiver = self.simulator(name="http_receiver")
        self.begin(*self.http_sinks(receiver), size=LARGE)
        self.once()
        self.assertEqual(receiver.stats()["violations"], [])
        for encoding in PATHS:
            with self.subTest(encoding=encoding):
                self.assert_texts(self.received(receiver, encoding))


if __name__ == "__main__":
    harness.main()
