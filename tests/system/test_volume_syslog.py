#!/usr/bin/python3
"""50,000 records to rsyslogd over every transport at once, each receiver stopped, killed, held and
gone in turn. What may come twice or be missing is what trawld.conf(5) says of the transport."""

import signal
import sys
import unittest

import rsyslog
from harness import wait_until
from volume import JOB, PAGE, RECORDS, Kind, Lines, Volume

WINDOW = 128  # messages of RELP that are not answered
READ = 128 << 10  # bytes that rsyslogd may have read and not written when it is killed
QUEUE = "/proc/sys/net/unix/max_dgram_qlen"


class Syslog(Kind):
    def __init__(self, case, transport, keys):
        super().__init__(case, transport)
        settings = keys if transport in ("tls", "relps") else {}
        self.receiver = rsyslog.Receiver(case.dir / transport, transport, **settings)
        case.addCleanup(self.receiver.stop)
        self.lines = Lines(self.receiver.out)
        self.trust = "ca_file = %(ca)s\n" % keys if settings else ""
        if transport == "relps":
            self.trust += "client_cert = %(client_cert)s\nclient_key = %(client_key)s\n" % keys
        self.longest = max(len(text.encode()) for text in case.expected)
        self.acknowledged = transport.startswith("relp")
        if transport in ("tcp", "tls", "udp", "ptcp"):
            self.missing_bytes_allowed = 0
        self.plan = [
            self.restart_in_flow,
            self.kill_unread,
            self.hold,
            self.kill_held,
            self.kill_in_flow,
            self.leave,
        ]

    def section(self):
        return "[sink %s]\ntype = syslog\naddress = %s\nretry_max = 1s\n%s" % (
            self.name, self.receiver.address("localhost" if self.trust else "127.0.0.1"), self.trust
        )

    def arrived(self):
        # where messages may be missing they cannot be waited for
        return self.lines.count() if self.acknowledged else self.case.delivered(self.name)

    def is_done(self):
        if self.case.delivered(self.name) < RECORDS:
            return False
        if self.acknowledged:
            return True
        if self.name == "udp":
            return self.receiver.unread() == 0
        # nothing disturbs the last records
        return self.receiver.bytes().endswith(self.case.expected[-1].encode() + b"\n")

    def found(self):
        if self.name == "udp":
            self.missing_bytes_allowed += self.receiver.dropped() * self.longest
        self.receiver.stop()
        return [message.msg for message in self.receiver.messages()]

    # --- what happens to the receiver ---

    def on_its_way(self):
        """What can come again, at most."""
        if self.name in ("tcp", "tls"):  # several jobs
            return self.case.visible - self.case.delivered(self.name)
        return WINDOW if self.acknowledged else JOB

    def lose(self, repeats):
        """The receiver, which is held, is about to end: what of it can be lost, what comes again."""
        self.jumps_allowed += 1
        self.repeats_allowed += repeats
        if self.name == "unix":
            with open(QUEUE) as file:
                self.missing_allowed += int(file.read()) + 2  # one above, one in its hands
        elif self.missing_bytes_allowed is not None:
            self.missing_bytes_allowed += READ
            if self.receiver.port:
                self.missing_bytes_allowed += self.receiver.waiting()
            if self.name == "udp":
                self.missing_bytes_allowed += self.receiver.dropped() * self.longest

    def end_with(self, number):
        # trawld is held, too: what is in the sockets is all that can be lost
        self.receiver.send_signal(signal.SIGSTOP)
        repeats = self.on_its_way()
        self.case.freeze()
        self.lose(repeats)
        self.receiver.send_signal(number)
        self.receiver.send_signal(signal.SIGCONT)
        self.receiver.stop(number)
        self.case.thaw()
        self.restarts += 1

    def restart_in_flow(self):
        self.end_with(signal.SIGTERM)
        self.receiver.start()

    def kill_in_flow(self):
        self.end_with(signal.SIGKILL)
        self.receiver.start()

    def hold(self):
        self.receiver.send_signal(signal.SIGSTOP)
        self.case.pile_up(self)
        self.receiver.send_signal(signal.SIGCONT)

    def kill_held(self):
        self.receiver.send_signal(signal.SIGSTOP)
        self.case.pile_up(self)
        self.end_with(signal.SIGKILL)
        self.receiver.start()

    def kill_unread(self):
        """Killed with a few messages in its socket, all that there are."""
        wait_until(lambda: self.case.delivered(self.name) == self.case.visible, "all before")
        self.receiver.send_signal(signal.SIGSTOP)
        before = self.case.visible
        self.case.show(before + PAGE)
        self.case.assertEqual(self.case.visible, before + PAGE)
        if self.name in ("tcp", "tls", "udp"):  # here they count as delivered, and are lost
            wait_until(lambda: self.case.delivered(self.name) == self.case.visible, "delivery")
        elif self.receiver.port:
            wait_until(self.receiver.unread, "messages in the socket")
        self.end_with(signal.SIGKILL)
        self.receiver.start()

    def leave(self):
        """Away until trawld has noticed."""
        mark = self.case.mark(self.name)
        self.end_with(signal.SIGTERM)
        self.case.pile_up(self)
        self.case.running.wait_log("sink %s" % self.name, mark)
        self.receiver.start()


class Transports(Volume):
    def test_every_transport(self):
        keys = rsyslog.certificates(self.dir / "keys")
        names = ("unix", "ptcp", "udp", "tcp", "tls", "relp", "relps")
        kinds = [Syslog(self, name, keys) for name in names]
        self.start(kinds)
        self.drive()
        self.end()


if __name__ == "__main__":
    if not rsyslog.is_there():
        print("rsyslogd is not installed")
        sys.exit(77)
    unittest.main(verbosity=2)
