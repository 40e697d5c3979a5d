#!/usr/bin/python3
"""The syslog sink against syslog-ng: TCP, TLS, a socket of the file system. script/test makes it
available beside rsyslog (script/syslog-ng) and names it in SYSLOG_NG."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import unittest

import harness
import rsyslog
from harness import wait_until

import cloudscale
import simlib

PROGRAM = os.environ.get("SYSLOG_NG") or shutil.which("syslog-ng", path="/usr/sbin:/sbin")
RECORDS = 5000
FIELDS = "${PRI}\\t${ISODATE}\\t${PROGRAM}\\t${MSGID}\\t${SDATA}\\t${MESSAGE}\\n"
TLS = ' tls(key-file("%(key)s") cert-file("%(cert)s") ca-file("%(ca)s") peer-verify(yes))'
SOURCES = {
    "tcp": 'syslog(ip(127.0.0.1) port(%(port)d) transport("tcp"))',
    "tls": 'syslog(ip(127.0.0.1) port(%(port)d) transport("tls")' + TLS + ")",
    "unix": 'unix-dgram("%(path)s" flags(syslog-protocol) so-rcvbuf(1048576))',
}
# what is behind the sink's own is syslog-ng's
DATA = (
    r'^\[trawld@32473 source="acme" provider="cloudscale" id="[0-9a-f]{32}"\]'
    r'(\[meta sequenceId="\d+"\])?$'
)
CONFIGURATION = """@version: 3.35
options { keep-timestamp(yes); keep-hostname(yes); frac-digits(6); use-dns(no); };
source in { %(source)s; };
destination out { file("%(out)s" template("%(fields)s") flush-lines(1)); };
log { source(in); destination(out); flags(flow-control); };
"""


class Receiver:
    def __init__(self, folder, kind, keys):
        folder.mkdir()
        self.folder, self.kind, self.keys = folder, kind, keys
        self.out, self.path = folder / "received", folder / "log.sock"
        self.port = rsyslog.free_port(socket.SOCK_STREAM)
        self.start()

    def address(self):
        if self.kind == "unix":
            return "unix:%s" % self.path
        return "%s://localhost:%d" % (self.kind, self.port)

    def start(self):
        values = {"port": self.port, "path": self.path, **self.keys}
        values = {"out": self.out, "fields": FIELDS, "source": SOURCES[self.kind] % values}
        (self.folder / "conf").write_text(CONFIGURATION % values)
        names = ("cfgfile", "persist-file", "control", "pidfile")
        files = ["--%s=%s" % (n, self.folder / ("conf" if n == "cfgfile" else n)) for n in names]
        with open(self.folder / "errors", "ab") as errors:
            self.process = subprocess.Popen(
                [PROGRAM, "--foreground", "--no-caps", "--stderr", *files],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
            )
        wait_until(self.is_ready, "syslog-ng to listen")

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError((self.folder / "errors").read_text())
        if self.kind == "unix":
            return self.path.exists()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait()

    def lines(self):
        return self.out.read_text().split("\n")[:-1] if self.out.exists() else []


class SyslogNg(harness.Case):
    def begin(self, kind):
        keys = rsyslog.certificates(self.dir / "keys")
        receiver = Receiver(self.dir / "receiver", kind, keys)
        self.addCleanup(receiver.stop)
        more = ""
        if kind == "tls":
            more = "ca_file = %(ca)s\nclient_cert = %(client_cert)s\nclient_key = %(client_key)s"
        self.cloud = self.cloudscale(RECORDS, "--page-size", "500")
        self.configure(
            self.source(self.cloud.url, more="interval = 100ms"),
            "[sink siem]\ntype = syslog\naddress = %s\nretry_max = 1s\n%s\n"
            % (receiver.address(), more % keys),
        )
        return receiver

    def check_lines(self, receiver, count=RECORDS):
        wait_until(lambda: len(receiver.lines()) >= count, "all messages")
        self.assertEqual(len(receiver.lines()), count)
        for n, line in enumerate(receiver.lines()):
            pri, time, program, msgid, data, text = line.split("\t", 5)
            self.assertEqual((pri, program, msgid), ("134", "trawld", "acme"))
            self.assertEqual(text, cloudscale.record_line(1, n).decode())
            us = cloudscale.timestamp_us(1, n)
            self.assertEqual(simlib.iso_parse(time.replace("+00:00", "Z")), us)
            self.assertRegex(data, DATA)

    def test_transports(self):
        for kind in SOURCES:
            with self.subTest(kind=kind):
                self.setUp()
                receiver = self.begin(kind)
                self.once()
                self.check_lines(receiver)

    def test_away(self):
        """Stopped while nothing flows: nothing is lost, nothing comes again."""
        for kind in ("tcp", "tls"):
            with self.subTest(kind=kind):
                self.setUp()
                receiver = self.begin(kind)
                self.cloud.control(visible=2000)
                daemon = self.daemon()
                wait_until(lambda: len(receiver.lines()) >= 2000, "messages")
                self.wait_acknowledged()
                mark = daemon.mark()
                receiver.stop()
                self.cloud.control(visible=RECORDS)
                daemon.wait_log("nothing is lost", mark)
                receiver.start()
                self.check_lines(receiver)
                self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    if PROGRAM is None or not os.access(PROGRAM, os.X_OK):
        print("no syslog-ng: SYSLOG_NG names it (script/syslog-ng)")
        sys.exit(77)
    unittest.main(verbosity=2)
