"""rsyslogd as a receiver: a process of its own, in the foreground, with one input, writing every
message to a file before it answers for it (a direct queue)."""

import collections
import os
import shutil
import signal
import socket
import subprocess

from harness import PATIENCE, wait_until

PROGRAM = shutil.which("rsyslogd", path="/usr/sbin:/sbin:/usr/bin")

FIELDS = "pri time host app procid msgid data msg"
Message = collections.namedtuple("Message", FIELDS)
TEMPLATE = "\\t".join(
    "%" + name + "%"
    for name in (
        "pri",
        "timereported:::date-rfc3339",
        "hostname",
        "app-name",
        "procid",
        "msgid",
        "structured-data",
        "msg",
    )
)

ON_PORT = 'address="127.0.0.1" port="%(port)s"'
KEYS = 'tls.caCert="%(ca)s" tls.myCert="%(cert)s" tls.myPrivKey="%(key)s"'
TLS = 'tls="on" tls.authMode="certvalid" ' + KEYS
OWN_TIME = 'ignoreTimestamp="off" useSysTimeStamp="off" useSpecialParser="off" parseHostname="on"'
MODULES = {
    "udp": 'load="imudp"',
    "tcp": 'load="imtcp"',
    "relp": 'load="imrelp"',
    "relps": 'load="imrelp"',
    "unix": 'load="imuxsock" SysSock.Use="off"',
    "ptcp": 'load="imptcp"',
    "tls": 'load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1"'
    ' StreamDriver.AuthMode="%(authmode)s"',
}
INPUTS = {
    "udp": 'type="imudp" rcvbufSize="8m" ' + ON_PORT,
    "tcp": 'type="imtcp" listenPortFileName="%(portfile)s" ' + ON_PORT,
    "relp": 'type="imrelp" maxDataSize="%(largest)s" ' + ON_PORT,
    "relps": 'type="imrelp" maxDataSize="%(largest)s" ' + ON_PORT + " " + TLS,
    "unix": 'type="imuxsock" socket="%(path)s" createPath="on" ratelimit.interval="0" ' + OWN_TIME,
    "ptcp": 'type="imptcp" path="%(path)s" unlink="on"',
}
INPUTS["tls"] = INPUTS["tcp"]
CONFIGURATION = """
global(workDirectory="%(folder)s" maxMessageSize="%(largest)s" parser.escapeControlCharactersOnReceive="off")
%(keys)s
main_queue(queue.type="direct")
module(%(module)s)
template(name="line" type="string" string="%(template)s\\n")
ruleset(name="all") { action(type="omfile" file="%(out)s" template="line") }
input(%(input)s ruleset="all")
"""
GLOBAL_KEYS = (
    'global(DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="%(ca)s"'
    ' DefaultNetstreamDriverCertFile="%(cert)s" DefaultNetstreamDriverKeyFile="%(key)s")'
)


def free_port(kind):
    """A port nobody listens on now, for inputs that cannot choose one themselves."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Receiver:
    def __init__(self, folder, kind, **settings):
        """KIND as in INPUTS; SETTINGS: largest message; for tls and relps: authmode, ca, cert, key."""
        self.folder = folder
        self.kind = kind
        self.settings = settings
        self.out = folder / "received"
        self.path = folder / "log.sock"
        self.port = 0
        if kind == "udp":
            self.port = free_port(socket.SOCK_DGRAM)
        elif kind.startswith("relp"):
            self.port = free_port(socket.SOCK_STREAM)
        self.process = None
        folder.mkdir()
        self.start()

    def address(self, host="127.0.0.1"):
        if self.kind in ("unix", "ptcp"):
            return "unix:%s" % self.path
        return "%s://%s:%d" % (self.kind, host, self.port)

    def configuration(self):
        values = {
            "authmode": "anon",
            "largest": "1m",
            **self.settings,
            "folder": self.folder,
            "port": self.port,
            "path": self.path,
            "portfile": self.folder / "port",
            "out": self.out,
            "template": TEMPLATE,
        }
        values["keys"] = GLOBAL_KEYS % values if self.kind == "tls" else ""
        values["module"] = MODULES[self.kind] % values
        values["input"] = INPUTS[self.kind] % values
        return CONFIGURATION % values

    def start(self):
        conf = self.folder / "rsyslog.conf"
        portfile = self.folder / "port"
        conf.write_text(self.configuration())
        portfile.unlink(missing_ok=True)
        self.errors = open(self.folder / "errors", "ab")
        self.process = subprocess.Popen(
            [PROGRAM, "-n", "-f", str(conf), "-i", str(self.folder / "pid")],
            stdin=subprocess.DEVNULL,
            stdout=self.errors,
            stderr=self.errors,
        )
        wait_until(self.is_ready, "rsyslogd to listen (%s)" % self.errors.name)
        if portfile.exists():
            self.port = int(portfile.read_text())

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError("rsyslogd ended:\n" + (self.folder / "errors").read_text())
        if self.kind in ("unix", "ptcp"):
            return self.path.exists()
        if self.port == 0:
            port = self.folder / "port"
            return port.exists() and port.read_text().strip().isdigit()
        table = "/proc/net/udp" if self.kind == "udp" else "/proc/net/tcp"
        wanted = "0100007F:%04X 00000000:0000" % self.port
        with open(table) as file:
            return any(wanted in line for line in file)

    def dropped(self):
        """Datagrams that the kernel had no room for (UDP)."""
        with open("/proc/net/udp") as file:
            for line in file:
                if " 0100007F:%04X " % self.port in line:
                    return int(line.split()[-1])
        raise AssertionError("rsyslogd does not listen")

    def _queues(self):
        """[(is it the receiver's own socket, bytes to send, bytes to read)] of its connections."""
        mark, table = " 0100007F:%04X " % self.port, "udp" if self.kind == "udp" else "tcp"
        with open("/proc/net/" + table) as file:
            rows = [line.split() for line in file if mark in line]
        for row in rows:
            if table == "udp" or row[3] != "0A":  # of a socket that listens it is something else
                sent, received = row[4].split(":")
                yield row[1] == mark.strip(), int(sent, 16), int(received, 16)

    def unread(self):
        """Bytes that wait in its sockets, as the kernel counts them."""
        return sum(received for own, _, received in self._queues() if own)

    def waiting(self):
        """Bytes sent to it that it has not read, wherever they are."""
        queues = list(self._queues())
        return sum(sent for own, sent, _ in queues if not own) + self.unread()

    def send_signal(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            if number != signal.SIGTERM:
                self.process.send_signal(number)
            else:
                self.process.terminate()
            try:
                self.process.wait(60 * PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.errors.close()

    def bytes(self):
        return self.out.read_bytes() if self.out.exists() else b""

    def count(self):
        return self.bytes().count(b"\n")

    def wait_count(self, count, seconds=60):
        wait_until(lambda: self.count() >= count, "%d messages at %s" % (count, self.kind), seconds)

    def messages(self):
        lines = self.bytes().split(b"\n")
        assert lines.pop() == b"", "the last line is not whole"
        return [Message(*line.decode(errors="replace").split("\t", 7)) for line in lines]


def certificates(folder, name="ca", hosts="DNS:localhost,IP:127.0.0.1"):
    """An authority and what it signed: {"ca", "cert", "key", "client_cert", "client_key"}."""
    folder.mkdir(exist_ok=True)

    def path(part):
        return str(folder / ("%s-%s.pem" % (name, part)))

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout")
    days = ("-days", "30")
    openssl("req", "-x509", *new, path("ca-key"), *days, "-subj", "/CN=CA", "-out", path("ca"))
    signer = ("-CA", path("ca"), "-CAkey", path("ca-key"), "-CAcreateserial")
    for kind, names, usage in (
        ("server", hosts, "serverAuth"),
        ("client", "DNS:client", "clientAuth"),
    ):
        extensions = folder / "extensions"
        request = path("request")
        extensions.write_text("subjectAltName=%s\nextendedKeyUsage=%s\n" % (names, usage))
        openssl("req", "-new", *new, path(kind + "-key"), "-subj", "/CN=" + kind, "-out", request)
        signed = ("-extfile", str(extensions), "-out", path(kind))
        openssl("x509", "-req", *days, "-in", request, *signer, *signed)
    return {
        "ca": path("ca"),
        "cert": path("server"),
        "key": path("server-key"),
        "client_cert": path("client"),
        "client_key": path("client-key"),
    }


def is_there():
    return PROGRAM is not None and os.access(PROGRAM, os.X_OK)
