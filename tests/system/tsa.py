"""A time-stamping authority (RFC 3161) for tests: `openssl ts -reply` behind HTTP, with a certificate of its own CA."""

import http.server
import subprocess
import threading

CONFIGURATION = """\
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[tsa]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[ts]
default_tsa = authority
[authority]
serial = FOLDER/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
"""


class Tsa:
    """MODE: good; down (503); swallow, a response is made and kept back; replay, the first response to every request;
    garbage."""

    def __init__(self, folder, days=30):
        self.folder, self.mode, self.n_requests, self.first = folder, "good", 0, None
        folder.mkdir()
        self.conf = folder / "openssl.cnf"
        self.conf.write_text(CONFIGURATION.replace("FOLDER", str(folder)))
        (folder / "serial").write_text("01\n")
        self.ca = folder / "ca.pem"
        self.make("ca", "-x509", "-days", str(days), "-extensions", "ca", "-out", self.ca)
        self.make("tsa", "-x509", "-days", str(days), "-extensions", "tsa", "-CA", self.ca, "-CAkey", folder / "ca.key",
                  "-out", folder / "tsa.pem")  # fmt: skip
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d/tsa" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def make(self, name, *arguments):
        self.openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", self.folder / (name + ".key"),
                     "-config", self.conf, "-subj", "/CN=test " + name, *arguments)  # fmt: skip

    @staticmethod
    def openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def reply(self, query):
        """The response to QUERY: status, body."""
        self.n_requests += 1
        if self.mode == "down":
            return 503, b"closed"
        if self.mode == "garbage":
            return 200, b"<html>captive portal</html>"
        if self.mode == "replay" and self.first:
            return 200, self.first
        asked, answered = self.folder / "query.tsq", self.folder / "reply.tsr"
        asked.write_bytes(query)
        self.openssl("ts", "-reply", "-config", self.conf, "-section", "authority", "-queryfile", asked, "-signer",
                     self.folder / "tsa.pem", "-inkey", self.folder / "tsa.key", "-out", answered)  # fmt: skip
        self.first = self.first or answered.read_bytes()
        return (503, b"closed") if self.mode == "swallow" else (200, answered.read_bytes())


def handler_of(tsa):
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_POST(self):
            query = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/timestamp-query"
            with lock:
                status, body = tsa.reply(query)
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
