#!/usr/bin/python3
"""The syslog sink against rsyslogd: every transport, its restarts, its certificates."""

import re
import sqlite3
import sys
import unittest

import harness
import rsyslog
from harness import wait_until

import cloudscale
import simlib

RECORDS = 5000


class Syslog(harness.Case):
    def receiver(self, kind, name="receiver", **settings):
        receiver = rsyslog.Receiver(self.dir / name, kind, **settings)
        self.addCleanup(receiver.stop)
        return receiver

    enterprise = 32473

    def syslog_sink(self, address, more=""):
        return "[sink siem]\ntype = syslog\naddress = %s\nretry_max = 1s\n%s\n" % (address, more)

    def begin(self, address, more="", count=RECORDS):
        self.sim = self.cloudscale(count, "--page-size", "500")
        self.configure(
            self.source(self.sim.url, more="interval = 100ms"), self.syslog_sink(address, more)
        )

    def expected(self, count=RECORDS):
        return cloudscale.expected_lines(1, 0, count).decode().splitlines()

    def assert_order(self, found, expected, missing=0, repeated=0):
        """FOUND is EXPECTED in order; at most so many are missing, or come again as a run that
        was begun once more. Answers (missing, repeated)."""
        place = {}
        for at, text in enumerate(expected):
            place.setdefault(text, []).append(at)
        n_repeated, seen, last = 0, set(), -1
        for text in found:
            self.assertIn(text, place, "a message that was never a record")
            at = next((x for x in place[text] if x > last), None)
            if at is None:  # a run begins again
                n_repeated += 1
                continue
            seen.add(at)
            last = at
        self.assertLessEqual(len(expected) - len(seen), missing, "records are missing")
        self.assertLessEqual(n_repeated, repeated, "records come again")
        return len(expected) - len(seen), n_repeated

    def assert_messages(self, receiver, count=RECORDS):
        """All arrived, in order, unchanged, with what the header must say."""
        messages = receiver.messages()
        self.assertEqual([m.msg for m in messages], self.expected(count))
        for n, message in enumerate(messages):
            self.assertEqual(message.pri, "134")  # local0.info
            self.assertEqual(message.app, "trawld")
            self.assertEqual(message.msgid, "acme")
            us = cloudscale.timestamp_us(1, n)
            self.assertEqual(message.time, simlib.iso(us))
            self.assertRegex(
                message.data,
                r'^\[trawld@%d source="acme" provider="cloudscale" id="[0-9a-f]{32}"\]$'
                % self.enterprise,
            )

    def transport(self, kind, more="", host="127.0.0.1", **settings):
        receiver = self.receiver(kind, **settings)
        self.begin(receiver.address(host), more)
        self.once()
        receiver.wait_count(RECORDS)
        self.assert_messages(receiver)
        self.once()
        self.assertEqual(receiver.count(), RECORDS)
        return receiver

    # --- one transport each ---

    def test_tcp(self):
        self.transport("tcp")

    def test_unix(self):
        self.enterprise = 4294967295
        self.transport("unix", "enterprise_id = %d" % self.enterprise)

    def test_unix_stream(self):
        self.transport("ptcp")

    def test_tls(self):
        keys = rsyslog.certificates(self.dir / "keys")
        self.transport("tls", "ca_file = " + keys["ca"], "localhost", **keys)

    def test_relp(self):
        self.transport("relp")

    def test_relp_in_tls(self):
        keys = rsyslog.certificates(self.dir / "keys")
        more = "ca_file = %(ca)s\nclient_cert = %(client_cert)s\nclient_key = %(client_key)s" % keys
        self.transport("relps", more, "localhost", **keys)

    def test_udp(self):
        """Best effort: what the kernel had no room for is the only thing that may be missing."""
        receiver = self.receiver("udp")
        self.begin(receiver.address())
        self.once()
        wait_until(
            lambda: receiver.count() + receiver.dropped() >= RECORDS, "all datagrams", 60
        )
        found = [m.msg for m in receiver.messages()]
        dropped = receiver.dropped()
        missing, _ = self.assert_order(found, self.expected(), missing=dropped)
        print("udp: %d of %d datagrams dropped by the kernel" % (dropped, RECORDS))
        self.assertEqual(missing, dropped)

    # --- receivers that go away ---

    def test_a_receiver_that_is_away(self):
        """Stopped while nothing flows: over TCP nothing is lost, nothing comes again."""
        for kind in ("tcp", "relp", "unix"):
            with self.subTest(kind=kind):
                self.setUp()
                receiver = self.receiver(kind)
                self.begin(receiver.address())
                self.sim.control(visible=2000)
                daemon = self.daemon()
                receiver.wait_count(2000)
                wait_until(lambda: self.acknowledged_all(), "the acknowledgement")
                receiver.stop()
                mark = daemon.mark()
                self.sim.control(visible=4000)
                daemon.wait_log("nothing is lost, retrying", mark)
                receiver.start()
                daemon.wait_log("works again", mark)
                self.sim.control(visible=RECORDS)
                receiver.wait_count(RECORDS)
                self.assertEqual(daemon.stop(), 0, daemon.text())
                self.assert_messages(receiver)

    def acknowledged_all(self):
        """No batch is left in the spool of the running daemon."""
        database = sqlite3.connect("file:%s?mode=ro" % (self.state / "trawld.db"), uri=True)
        try:
            return database.execute("SELECT count(*) FROM batches").fetchone() == (0,)
        finally:
            database.close()

    # --- certificates ---

    def refused(self, phrase):
        result = self.once(expect=75)
        self.assertTrue(result.lines(phrase), result.err)
        self.assertTrue(result.lines("nothing is lost"), result.err)

    def test_wrong_server_name(self):
        keys = rsyslog.certificates(self.dir / "keys", hosts="DNS:elsewhere.example.net")
        receiver = self.receiver("tls", **keys)
        self.begin(receiver.address(), "ca_file = " + keys["ca"])
        self.refused("certificate")
        self.assertEqual(receiver.count(), 0)

    def test_wrong_authority(self):
        keys = rsyslog.certificates(self.dir / "keys")
        other = rsyslog.certificates(self.dir / "keys", "other")
        receiver = self.receiver("tls", **keys)
        self.begin(receiver.address(), "ca_file = " + other["ca"])
        self.refused("certificate")
        self.begin(receiver.address())  # the system's authorities
        self.refused("CA's file")
        self.assertEqual(receiver.count(), 0)

    def test_client_certificate(self):
        """A receiver that wants one and gets none, or a foreign one: nothing counts as delivered,
        though its kernel takes the bytes."""
        keys = rsyslog.certificates(self.dir / "keys")
        other = rsyslog.certificates(self.dir / "keys", "other")
        receiver = self.receiver("tls", authmode="x509/certvalid", **keys)
        trust = "ca_file = %s\n" % keys["ca"]
        foreign = "client_cert = %(client_cert)s\nclient_key = %(client_key)s" % other
        for more in ("", foreign):
            self.begin(receiver.address(), trust + more, 20)  # all of it fits its socket
            self.refused("127.0.0.1")
            self.assertEqual(receiver.count(), 0)
        own = "client_cert = %(client_cert)s\nclient_key = %(client_key)s" % keys
        self.begin(receiver.address(), trust + own)
        self.once()
        receiver.wait_count(RECORDS)
        self.assert_messages(receiver)

    # --- forms ---

    def test_rfc3164_in_lines(self):
        receiver = self.receiver("tcp")
        more = "rfc = 3164\nframing = lines\nfacility = auth\nseverity = notice\nhostname = log1"
        self.begin(receiver.address(), more)
        self.once()
        receiver.wait_count(RECORDS)
        messages = receiver.messages()
        self.assertEqual([m.msg.lstrip(" ") for m in messages], self.expected())
        self.assertEqual({(m.pri, m.host, m.app, m.procid) for m in messages},
                         {("37", "log1", "trawld", "acme")})
        self.assertTrue(all(re.match(r"....-12-1\dT", m.time) for m in messages))

    def test_severity_of_a_field(self):
        receiver = self.receiver("tcp")
        more = "severity_from = /action\nseverity_map = server_*=crit, volume_create=3"
        self.begin(receiver.address(), more, 1000)
        self.once()
        receiver.wait_count(1000)
        for n, message in enumerate(receiver.messages()):
            action = cloudscale.record(1, n)["action"]
            severity = 2 if action.startswith("server_") else 3 if action == "volume_create" else 6
            self.assertEqual(int(message.pri), 16 * 8 + severity)

    def test_envelope(self):
        receiver = self.receiver("relp")
        self.begin(receiver.address(), "format = envelope", 100)
        self.once()
        receiver.wait_count(100)
        for message, raw in zip(receiver.messages(), self.expected(100)):
            self.assertTrue(message.msg.startswith('{"source":"acme","provider":"cloudscale","id"'))
            self.assertTrue(message.msg.endswith(',"record":' + raw + "}"))

    def test_bad_options(self):
        for more, phrase in (
            ("facility = local9", "facility"),
            ("severity = loud", "severity"),
            ("severity_map = a=b", "severity_map"),
            ("severity_map = a=crit", "severity_from"),
            ("severity_from = x", "severity_from"),
            ("ca_file = /x", "tls://"),
            ("rfc = 5425", "5424"),
        ):
            with self.subTest(more=more):
                self.configure(
                    self.source("http://127.0.0.1:9"), self.syslog_sink("udp://127.0.0.1", more)
                )
                result = self.check(78)
                text = result.err + result.out.decode()
                self.assertRegex(text, r"trawld\.conf:\d+: .*" + re.escape(phrase))
        for address in ("http://x", "tcp://", "tcp://h:0", "tcp://h:65536", "tcp://a b", "unix:x"):
            with self.subTest(address=address):
                self.configure(self.source("http://127.0.0.1:9"), self.syslog_sink(address))
                self.check(78)


if __name__ == "__main__":
    if not rsyslog.is_there():
        print("rsyslogd is not installed")
        sys.exit(77)
    unittest.main(verbosity=2)
