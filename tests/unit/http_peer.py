#!/usr/bin/python3
"""A scripted HTTP peer for the unit tests of lib/net.

Started by http_peer.h. Prints its ports (plain, and if CERT and KEY are given: TLS, TLS that needs a
client certificate, HTTP/2) on one line and ends when its standard input closes. What it answers is said by the path, so that one peer serves
all cases; see the methods of Conversation. A request in absolute form (we are the proxy) is echoed.
"""
import gzip
import json
import socket
import ssl
import struct
import sys
import threading
import urllib.parse
import zlib

lock = threading.Lock()
counters = {}


def count(name):
    with lock:
        counters[name] = counters.get(name, 0) + 1
        return counters[name]


class Conversation:
    """One accepted connection."""

    def __init__(self, connection):
        self.connection = connection
        self.number = count("connections")
        self.file = connection.makefile("rb")

    def run(self):
        while self.read():
            if self.method == "CONNECT":
                self.send(status="407 Pay First")
                return
            parts = urllib.parse.urlsplit(self.target)
            self.query = dict(urllib.parse.parse_qsl(parts.query))
            words = parts.path.strip("/").split("/")
            name = "echo" if self.target.startswith("http://") else words[0]
            if not getattr(self, "do_" + name)(*words[1:] if name == words[0] else []):
                return

    def read(self):
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            line = self.file.readline()
            if not line:
                return False
            self.head += line
        self.method, self.target = self.head.decode("latin-1").split(" ")[:2]
        size = 0
        for line in self.head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
        self.body = self.file.read(size)
        return True

    def send(self, body=b"", status="200 OK", headers=(), chunked=False):
        lines = ["HTTP/1.1 " + status, "Date: Mon, 15 Sep 2025 08:15:00 GMT", *headers]
        if chunked:
            lines.append("Transfer-Encoding: chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        else:
            lines.append("Content-Length: %d" % len(body))
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self.connection.sendall(head + body)
        return True

    def do_echo(self, *_):
        return self.send(self.head + self.body, headers=["Content-Type: text/plain"])

    def do_connection(self):
        return self.send(str(self.number).encode())

    def do_tls(self, how=""):
        """Which connection it is, and whether its TLS session was resumed."""
        text = "%d %s" % (self.number, "resumed" if self.connection.session_reused else "new")
        self.send(text.encode(), headers=["Connection: close"] if how else [])
        return not how

    def do_count(self, name):
        return self.send(str(counters.get(name, 0)).encode())

    def do_status(self, status):
        return self.send(b"no\n", status + " Said So", ["Retry-After: 7"])

    def do_size(self, size, way=""):
        block = b"0123456789abcde\n" * (int(size) // 16 + 1)
        return self.send(block[: int(size)], chunked=way == "chunked")

    def do_gzip(self, size, way=""):
        text = (b'{"record": %d}\n' * 70000)[: int(size)] if way != "bomb" else bytes(int(size))
        return self.send(gzip.compress(text), headers=["Content-Encoding: gzip"],
                         chunked="chunked" in self.query)

    def do_members(self, size, how=""):
        """Several members in one body; with HOW cut, in single bytes, or followed by padding."""
        text = (b'{"record": %d}\n' * 70000)[: int(size)]
        body = b"".join(gzip.compress(text[at : at + 1000]) for at in range(0, int(size), 1000))
        if how == "cut":
            body = body[:-4]
        if how == "padded":
            body += bytes(512)
        if how != "slow":
            return self.send(body, headers=["Content-Encoding: gzip"])
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: x-gzip\r\nContent-Length: %d\r\n\r\n"
            % len(body)
        )
        for at in range(len(body)):
            self.connection.sendall(body[at : at + 1])
        return True

    def do_zstd(self, how=""):
        """6000 bytes a frame, as zstd(1) writes it; two of them."""
        frame = bytes.fromhex("28b52ffd04587500003068656c6c6f2001006797be14010603f5bb")
        body = frame + (frame[:-2] if how else frame)
        return self.send(body, headers=["Content-Encoding: zstd"])

    def do_brotli(self):
        return self.send(b"\x0b\x02\x80hello\x03", headers=["Content-Encoding: br"])

    def do_deflated(self, size):
        return self.send(zlib.compress(b"x" * int(size)), headers=["Content-Encoding: deflate"])

    def do_garbled(self):
        return self.send(b"\x1f\x8b\x08\x00garbage" * 20, headers=["Content-Encoding: gzip"])

    def do_cut(self, size, way=""):
        head = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" if way else b"Content-Length: %d\r\n\r\n"
        self.connection.sendall(b"HTTP/1.1 200 OK\r\n" + head % int(size))
        self.connection.sendall(b"x" * (int(size) // 2))
        return False

    def do_reset(self, size):
        self.do_cut(size)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def do_hang(self, size="0"):
        if int(size):
            self.do_cut(size)
        self.file.read(1)  # until the client goes
        return False

    def do_close(self):
        return False

    def do_redirect(self):
        return self.send(b"over there", self.query.get("status", "302") + " Found",
                         ["Location: " + self.query["to"]])

    def do_redirects(self, left):
        if left == "0":
            return self.do_echo()
        return self.send(status="307 Temporary Redirect",
                         headers=["Location: ../redirects/%d?k=v" % (int(left) - 1)])

    def do_headers(self, size, n="1"):
        value = "v" * int(size)
        return self.send(b"ok", headers=["X-Large: " + value] * int(n))

    def do_early(self):
        self.connection.sendall(b"HTTP/1.1 103 Early Hints\r\nX-Early: yes\r\n\r\n")
        return self.send(b"late", headers=["X-Late: yes"])

    def do_trailers(self):
        self.connection.sendall(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Link\r\n\r\n"
            b"2\r\nok\r\n0\r\nLink: <http://evil.example/>; rel=next\r\n\r\n")
        return True

    # Tokens: the n-th fetch of NAME answers token `NAME-n`.

    def do_oauth(self, name):
        number = count(name)
        if str(number) in self.query.get("fail", "").split(","):
            return self.send(b'{"error":"invalid_client","sent":"%s"}' % self.body,
                             self.query.get("status", "401") + " No")
        answer = {"access_token": "%s-%d" % (name, number), "token_type": "Bearer"}
        if "life" in self.query:
            answer["expires_in"] = int(self.query["life"])
        counters["body of " + name] = self.head + self.body
        return self.send(json.dumps(answer).encode(), headers=["Content-Type: application/json"])

    def do_sent(self, name):
        return self.send(counters.get("body of " + name, b""))

    def do_login(self, name):
        number = count(name)
        text = {"token": {"issued_at": "2025-09-15T08:15:00.123000Z",
                          "expires_at": self.query.get("expires", "2025-09-16T08:15:00.123Z")},
                "id": "%s-%d" % (name, number)}
        headers = [] if "headless" in self.query else ["X-Subject-Token: %s-%d" % (name, number)]
        return self.send(json.dumps(text).encode(), "201 Created", headers)

    def do_records(self, n):
        """N records, one a second, of the minutes before the Date of the answer."""
        text = {"list": [{"id": i, "time": "2025-09-15T08:08:%02dZ" % i} for i in range(int(n))]}
        return self.send(json.dumps(text).encode(), headers=["Content-Type: application/json"])

    def do_body(self, kind):
        return self.send({"empty": b"", "html": b"<html>", "list": b"[]", "object": b"{}",
                          "number": b'{"access_token": 7}',
                          "evil": b'{"access_token": "a\\r\\nX-Evil: 1"}'}[kind])


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Http2:
    """One connection of HTTP/2 on which one request is answered: with the number of the
    connection. At the next one it is ended, as by a server whose idle time is just over."""

    DATA, HEADERS, SETTINGS, GOAWAY = 0, 1, 4, 7
    ACK = END_STREAM = 1
    STATUS_200 = b"\x88"  # HPACK, RFC 7541 appendix A

    def __init__(self, connection):
        self.connection = connection
        self.number = count("connections of HTTP/2")
        self.file = connection.makefile("rb")

    def run(self):
        self.file.read(len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
        self.connection.sendall(frame(self.SETTINGS, 0, 0))
        n_requests = 0
        while head := self.file.read(9):
            kind, flags, stream = struct.unpack(">BBI", head[3:])
            self.file.read(struct.unpack(">I", b"\0" + head[:3])[0])
            if kind == self.SETTINGS and not flags:
                self.connection.sendall(frame(self.SETTINGS, self.ACK, 0))
            if kind != self.HEADERS:
                continue
            n_requests += 1
            if n_requests == 2:
                self.connection.sendall(frame(self.GOAWAY, 0, 0, struct.pack(">II", 1, 0)))
                return
            answer = frame(self.HEADERS, 4, stream, self.STATUS_200)
            text = str(self.number).encode()
            self.connection.sendall(answer + frame(self.DATA, self.END_STREAM, stream, text))


def converse(connection, context):
    try:
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        is_http2 = context and connection.selected_alpn_protocol() == "h2"
        conversation = (Http2 if is_http2 else Conversation)(connection)
        conversation.run()
        # Only the last reference closes a socket.
        conversation.file.close()
    except (OSError, ssl.SSLError):
        pass
    connection.close()


def serve(listener, context):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=converse, args=(connection, context), daemon=True).start()


def listen(context):
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    threading.Thread(target=serve, args=(listener, context), daemon=True).start()
    return str(listener.getsockname()[1])


def main():
    ports = [listen(None)]
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        ports.append(listen(context))
        strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        strict.load_cert_chain(sys.argv[1], sys.argv[2])
        strict.load_verify_locations(sys.argv[1])
        strict.verify_mode = ssl.CERT_REQUIRED
        ports.append(listen(strict))
        http2 = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        http2.load_cert_chain(sys.argv[1], sys.argv[2])
        http2.set_alpn_protocols(["h2"])
        ports.append(listen(http2))
    print(*ports, flush=True)
    sys.stdin.read()


main()
