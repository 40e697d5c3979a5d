#!/usr/bin/python3
"""TLS that fails between trawld and an API: certificates that have expired, are for another name or from an unknown
authority, old protocols, handshakes and conversations that are cut at every TLS record; and servers of HTTP/2 that
end connections with GOAWAY after a few requests, or restart.

Nothing is sent before the server has proved who it is, nothing is lost or repeated, the log says what is wrong, and the
loop is never blocked for 100 ms. TRAWLD_FAULTS says how many records of a conversation are tried (all: each).
"""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

from on_disk import harness
from harness import wait_until, whole_lines
from hostile_api import HostileApi, events
from nginx import Nginx, is_there
from small_api import iso

RECORDS = 70
CUTS = 8
BLOCKED_MS = 100
CA = """
[ca]
default_ca = own
[own]
database = {0}/index
serial = {0}/serial
new_certs_dir = {0}
default_md = sha256
policy = names
copy_extensions = copy
[names]
commonName = supplied
"""


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """Signs certificates for localhost in FOLDER."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder, self.conf = folder, folder / "ca.cnf"
        self.conf.write_text(CA.format(folder))
        (folder / "index").write_text("")
        (folder / "serial").write_text("01\n")
        self.key, self.pem = folder / "ca.key", folder / "ca.pem"
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl("req", "-x509", *new, "-keyout", self.key, "-out", self.pem, "-subj", "/CN=Authority", "-days", 30)

    def sign(self, name, host="localhost", start="20200101000000Z", end="20490101000000Z"):
        """(certificate, key)."""
        pem, key, request = (self.folder / (name + end) for end in (".pem", ".key", ".csr"))
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl("req", *new, "-keyout", key, "-out", request, "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + host)
        openssl("ca", "-batch", "-config", self.conf, "-in", request, "-cert", self.pem, "-keyfile", self.key,
            "-startdate", start, "-enddate", end, "-notext", "-out", pem)  # fmt: skip
        return pem, key


class Cutter:
    """A port that passes connections on to PORT. cut: (number, how) for the next one: it ends at that record of TLS (both
    directions count). How: close, reset, silence, or within, which passes on a half of that record."""

    def __init__(self, port):
        self.port, self.cut = port, None
        self.lock, self.silent, self.records = threading.Lock(), [], 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.own_port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                peer, _ = self.listener.accept()
                with self.lock:
                    cut, self.cut = self.cut, None
                    self.records = 0
                threading.Thread(target=self._serve, args=(peer, cut), daemon=True).start()
        except OSError:
            pass

    def _serve(self, peer, cut):
        server = socket.create_connection(("127.0.0.1", self.port))
        both = threading.Lock()
        state = {"records": 0, "over": False}
        back = threading.Thread(target=self._pass_on, args=(server, peer, cut, state, both), daemon=True)
        back.start()
        self._pass_on(peer, server, cut, state, both)
        back.join()
        if cut and cut[1] == "silence" and state["over"]:
            self.silent.append(peer)
        else:
            if cut and cut[1] == "reset":
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
        server.close()

    def _read(self, source, size):
        data = b""
        while len(data) < size and (part := source.recv(size - len(data))):
            data += part
        return data

    def _pass_on(self, source, target, cut, state, both):
        try:
            while not state["over"]:
                head = self._read(source, 5)
                body = self._read(source, int.from_bytes(head[3:5], "big")) if len(head) == 5 else b""
                with both:
                    if not head or state["over"]:
                        break
                    state["records"] += 1
                    self.records = max(self.records, state["records"])
                    over = cut is not None and state["records"] >= cut[0]
                    state["over"] = over
                    target.sendall((head + body)[: len(head + body) // 2] if over and cut[1] == "within" else b"" if over else head + body)
        except OSError:
            pass
        state["over"] = True
        if not (cut and cut[1] == "silence"):
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        else:
            try:
                source.shutdown(socket.SHUT_RD)
            except OSError:
                pass

    def stop(self):
        self.listener.close()
        for peer in self.silent:
            peer.close()


class Tls(harness.Case):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        memory = pathlib.Path(tempfile.mkdtemp(prefix="trawld-test-", dir="/dev/shm"))  # no disk is waited for
        self.addCleanup(shutil.rmtree, memory, ignore_errors=True)
        self.state, self.out, self.blocked = memory / "state", memory / "out.ndjson", self.dir / "blocked"
        self.authority = Authority(self.dir / "ca")
        self.api = HostileApi("cursor", events(RECORDS, int(time.time()) - 100))
        self.addCleanup(self.api.stop)

    def environment(self):
        return {**super().environment(), "LD_PRELOAD": os.environ["TRAWLD_PRELOAD"], "LOOP_WATCH": str(self.blocked)}

    def secured(self, certificate, prepare=lambda context: None):
        """The API behind TLS; the source is to call its port."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        prepare(context)
        server = self.api.server
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)

    def read_from(self, port, *keys):
        source = self.api.source("ca_file = %s" % self.authority.pem, "interval = 50ms", *keys)
        self.configure(source.replace(self.api.url, "https://localhost:%d" % port), self.file_sink())

    def ids(self):
        return [json.loads(line)["id"] for line in whole_lines(self.out)]

    def assert_all(self, log):
        self.assertEqual(self.ids(), [event["id"] for event in self.api.events], log)
        self.assertLess(int(self.blocked.read_text()), BLOCKED_MS, log)

    def test_certificates(self):
        """What a server shows that it must not be believed; then a good one."""
        other = Authority(self.dir / "other")
        # the reason is in the words of libcurl and OpenSSL, those of 3.0 or of 3.2 and later
        rejected, refused = r"the TLS certificate of \S+ is not accepted: ", r"TLS with \S+ failed: "
        unknown = r" \(a certificate of a private CA needs that CA's file: set ca_file\)"
        for name, certificate, prepare, says in (
            ("expired", self.authority.sign("expired", end="20210101000000Z"), None, rejected + "certificate has expired"),
            ("not yet", self.authority.sign("future", start="20480101000000Z"), None, rejected + "certificate is not yet valid"),
            ("name", self.authority.sign("name", "elsewhere.test"), None,
             rejected + "SSL: no alternative certificate subject name matches target host ?name 'localhost'"),
            ("unknown", other.sign("unknown"), None, rejected + "unable to get local issuer certificate" + unknown),
            ("self-signed", (other.pem, other.key), None, rejected + "self-signed certificate" + unknown),
            ("TLS 1.1", self.authority.sign("old"), self.old, refused + ".*(alert protocol version|unsupported protocol)"),
            ("no cipher", self.authority.sign("cipher"), self.weak, refused + ".*alert handshake failure"),
            ("good", self.authority.sign("good"), None, None),
        ):  # fmt: skip
            with self.subTest(name):
                api = HostileApi("cursor", self.api.events)
                self.api = api
                self.secured(certificate, prepare or (lambda context: None))
                self.read_from(api.port)
                done = self.trawld("-c", str(self.conf), "--once")
                api.stop()
                if says is None:
                    self.assertEqual(done.code, 0, done.err)
                    self.assert_all(done.err)
                    continue
                self.assertEqual(done.code, 75, done.err)
                self.assertRegex(done.err, r"(?m)^warning: source acme .*(%s)" % says)
                self.assertEqual((api.seen, self.ids()), ([], []))

    def old(self, context):
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    def weak(self, context):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0")

    def test_cut_at_each_record(self):
        """A connection that ends after, or within, each record of TLS, from the first hello to the last answer."""
        self.secured(self.authority.sign("good"))
        cutter = Cutter(self.api.port)
        self.addCleanup(cutter.stop)
        self.api.spoil = self.ends
        self.read_from(cutter.own_port)
        daemon = self.daemon()
        self.wait_all(daemon)
        every = [(n, how) for n in range(1, 18) for how in ("close", "reset", "silence", "within")]
        number = os.environ.get("TRAWLD_FAULTS", str(CUTS))
        chosen = every if number == "all" else self.dice.sample(every, min(int(number), len(every)))
        for cut in chosen:
            with self.subTest(cut=cut):
                cutter.cut = cut
                self.more()
                self.wait_all(daemon)
        self.assertEqual(daemon.stop(), 0)
        self.assert_all(daemon.text())
        print("campaign: a conversation was cut at %d records of TLS" % len(chosen), flush=True)

    def ends(self, answer, query, number):
        """Every request has a connection of its own."""
        answer.headers["Connection"], answer.ends = "close", True

    def more(self):
        n = len(self.api.events)
        with self.api.lock:
            at = iso(time.time())
            self.api.events += [{"id": "record-%d" % (n + m), "at": at, "text": ""} for m in range(2)]

    def wait_all(self, daemon):
        try:
            wait_until(lambda: len(self.ids()) >= len(self.api.events), "all records", 60)
        except AssertionError:
            self.fail(daemon.text()[-6000:])

    def test_goaway(self):
        """nginx ends every connection of HTTP/2 after three requests, and is restarted again and again."""
        if not is_there():
            self.skipTest("no nginx here")
        certificate, key = self.authority.sign("good")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = (
            "listen 127.0.0.1:%d ssl http2; keepalive_requests 3; ssl_certificate %s; ssl_certificate_key %s;"
            "location / { proxy_pass %s; proxy_http_version 1.1; }" % (port, certificate, key, self.api.url)
        )
        proxy = Nginx(self.dir / "nginx", server)
        self.addCleanup(proxy.stop)
        self.read_from(port)
        daemon = self.daemon()
        wait_until(lambda: self.api.number >= 20, "twenty requests", 60)
        self.assertEqual([line for line in daemon.log if "retrying" in line], [])
        restarts = int(os.environ.get("TRAWLD_FAULTS", "5").replace("all", "100"))
        for _ in range(restarts):
            self.more()
            # the old worker says GOAWAY and goes; a connection that it had just accepted may end without an answer
            proxy.process.send_signal(signal.SIGHUP)
            self.wait_all(daemon)
        self.assertEqual(daemon.stop(), 0)
        self.assert_all(daemon.text())
        self.assertIn("HTTP/2.0", (self.dir / "nginx" / "access.log").read_text())
        print("campaign: %d requests over HTTP/2, three for a connection, %d restarts" % (self.api.number, restarts), flush=True)


if __name__ == "__main__":
    harness.main()
