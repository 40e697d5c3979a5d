#!/usr/bin/python3
"""Records made to break what carries them, to real receivers: rsyslogd over every transport, set up
to take all and as it comes, a program, the systemd journal, standard output. Each record arrives
unchanged, or cut by what can only cut, or is a dead letter; nothing else arrives."""

import json
import re
import sys

import harness
import journald
import rsyslog
from harness import wait_until
from hostile_source import LARGE, Hostile

CHILD = harness.SOURCE_ROOT / "tests" / "system" / "exec_child.py"
KINDS = ("unix", "udp", "ptcp", "tcp", "tls", "relp", "relps")
STREAMS = ("ptcp", "tcp", "tls")  # a message that is too long would become several
DATAGRAMS = ("unix", "udp")
DATA = re.compile(r'\[trawld@32473((?: \w+="(?:[^"\\\]\x00-\x1f\x7f]|\\["\\\]])*")*)\]')
FIELDS = "MESSAGE PRIORITY SYSLOG_IDENTIFIER SOURCE PROVIDER RECORD_ID RECORD_TIME".split()


class Rsyslog(Hostile):
    def setUp(self):
        super().setUp()
        if not rsyslog.is_there():
            self.skipTest("rsyslogd is not installed")

    def receivers(self, largest, streams=""):
        """One of each kind that takes messages up to LARGEST; STREAMS: keys of the sinks without
        answers."""
        keys = rsyslog.certificates(self.dir / "keys")
        self.rsyslogds, sinks = [], []
        for kind in KINDS:
            secure = kind in ("tls", "relps")
            settings = keys if secure else {}
            receiver = rsyslog.Receiver(self.dir / kind, kind, largest=largest, **settings)
            self.addCleanup(receiver.stop)
            self.rsyslogds.append(receiver)
            more = streams if kind in STREAMS else ""
            if secure:
                more += "ca_file = %(ca)s\nclient_cert = %(client_cert)s\n" % keys
                more += "client_key = %(client_key)s\n" % keys
            sinks.append(
                "[sink %s]\ntype = syslog\naddress = %s\nretry_max = 1s\n%s"
                % (kind, receiver.address("localhost"), more)
            )
        self.begin(*sinks, size=LARGE)
        return self.once(expect=75)  # over streams some are too long

    def texts(self, receiver):
        """(text, was cut by trawld) of each line in its file: every one is a message of trawld."""
        texts = []
        for message in receiver.messages():
            near = repr(message)[:500]
            self.assertEqual(
                (message.pri, message.app, message.procid, message.msgid),
                ("134", "trawld", "-", "acme"), near,
            )
            data = DATA.fullmatch(message.data)
            self.assertTrue(data, near)
            texts.append((message.msg, ' truncated="true"' in data.group(1)))
        return texts

    def check_streams(self, limit):
        """The dead letters are those that make messages over LIMIT, the others are unchanged."""
        for receiver in [r for r in self.rsyslogds if r.kind in STREAMS]:
            with self.subTest(kind=receiver.kind):
                letters = [letter["record"] for letter in self.dead_letters(receiver.kind)]
                for letter in self.dead_letters(receiver.kind):
                    self.assertIn("over max_message (%d bytes)" % limit, letter["reason"])
                expected, refused = [], []
                for text in self.expected:
                    if receiver.kind == "ptcp":  # the one control character that JSON lets through
                        text = text.replace("\x7f", "\\u007f")
                    size = len(text.encode())
                    is_refused = json.loads(text) in letters
                    # the header has up to 1 KiB
                    self.assertTrue(size <= limit if not is_refused else size > limit - 1024, size)
                    (refused if is_refused else expected).append(text)
                self.assertEqual([json.loads(text) for text in refused], letters)
                self.assertGreater(len(letters), 0)
                wait_until(lambda: receiver.count() >= len(expected), "all messages")
                receiver.stop()
                self.assert_texts([text for text, _ in self.texts(receiver)], expected)

    def check_cut(self, kinds, limit):
        """All arrive in their order; what is not whole is a beginning, and marked where it was
        trawld that cut it."""
        for receiver in [r for r in self.rsyslogds if r.kind in kinds]:
            with self.subTest(kind=receiver.kind):
                lost = receiver.dropped() if receiver.kind == "udp" else 0
                wait_until(lambda: receiver.count() + lost >= len(self.expected), "all messages")
                receiver.stop()
                waiting = iter(self.expected)
                found = self.texts(receiver)
                for text, cut in found:
                    wanted = next((x for x in waiting if x.startswith(text[:40])), "nothing")
                    size = len(wanted.encode())
                    self.assertEqual(cut, receiver.kind in DATAGRAMS and size > 65_000, text[:40])
                    # the receiver may cut within a character
                    self.assertTrue(wanted.startswith(text.rstrip("\ufffd")), text[:40])
                    if size <= limit - 1024:
                        self.assertEqual(text, wanted)
                self.assertEqual(len(found), len(self.expected) - lost)
                self.assertEqual(self.dead_letters(receiver.kind), [])

    def test_takes_all(self):
        self.receivers("48m", "max_message = 150KiB\n")
        self.check_streams(150 << 10)
        self.check_cut(DATAGRAMS, 64 << 10)
        for receiver in self.rsyslogds[-2:]:
            with self.subTest(kind=receiver.kind):
                wait_until(lambda: receiver.count() >= len(self.expected), "all messages")
                receiver.stop()
                self.assert_texts([text for text, _ in self.texts(receiver)])

    def test_as_it_comes(self):
        """With rsyslogd's own limit of 8 KiB: it cuts, and makes no second message of the rest."""
        result = self.receivers("8k")
        self.check_streams(8192)
        self.check_cut([kind for kind in KINDS if kind not in STREAMS], 8192)
        self.assertTrue(result.lines("rejected for good"), result.err)


class Machine(Hostile):
    def entries(self, text):
        """Journal export format: [{field: bytes}]."""
        found, at, entry = [], 0, {}
        while at < len(text):
            end = text.index(b"\n", at)
            name, equals, value = text[at:end].partition(b"=")
            at = end + 1
            if not name:
                found.append(entry)
                entry = {}
                continue
            if not equals:
                size = int.from_bytes(text[at : at + 8], "little")
                value = text[at + 8 : at + 8 + size]
                at += 8 + size + 1
            self.assertNotIn(name, entry)
            entry[name] = value
        return found

    def test_stdout_and_program(self):
        self.begin(
            "[sink out]\ntype = stdout\n",
            "[sink run]\ntype = exec\ncommand = %s %s %s\n" % (sys.executable, CHILD, self.dir),
            size=LARGE,
        )
        result = self.once()
        self.assert_texts(result.out.decode().split("\n")[:-1])
        self.assert_texts((self.dir / "taken").read_bytes().decode().split("\n")[:-1])
        events = [json.loads(line) for line in (self.dir / "events").read_text().splitlines()]
        batches = [event for event in events if "id" in event]
        self.assertEqual(sum(event["count"] for event in batches), len(self.expected))
        self.assertEqual({event["lines"] == event["count"] for event in batches}, {True})

    def test_journal(self):
        receiver = journald.started(self)
        self.begin(
            "[sink log]\ntype = journal\nsocket = %s\nretry_max = 1s\n" % receiver.socket, size=LARGE
        )
        self.once()
        export = ("--all", "--output", "export", "SYSLOG_IDENTIFIER=trawld")
        wait_until(
            lambda: receiver.journalctl(*export).count(b"\nRECORD_TIME=") >= len(self.expected),
            "all entries",
        )
        entries = self.entries(receiver.journalctl(*export))
        self.assert_texts([entry[b"MESSAGE"].decode() for entry in entries])
        for entry in entries:
            own = {name.decode() for name in entry if not name.startswith(b"_")}
            self.assertEqual(own, set(FIELDS))
            self.assertEqual((entry[b"SOURCE"], entry[b"PROVIDER"]), (b"acme", b"custom"))
        # no entry that trawld did not mean to make
        everything = self.entries(receiver.journalctl("--all", "--output", "export"))
        forged = [e for e in everything if b"FORGED" in e.get(b"MESSAGE", b"") and e not in entries]
        self.assertEqual(forged, [])


if __name__ == "__main__":
    harness.main()
