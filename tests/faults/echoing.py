"""A server that refuses everything and quotes what it was sent, wherever a response has room for it; its proxy does, too."""

import base64
import http.server
import json
import threading
import urllib.parse


def spellings(text):
    """What a peer may make of TEXT."""
    quoted = json.dumps(text)[1:-1]
    yield from (text, quoted, quoted.replace("/", "\\/"), urllib.parse.quote(text, safe=""), text.encode().hex())
    yield "".join("&#%d;" % ord(c) for c in text)
    yield "".join("\\u%04x" % ord(c) for c in text)
    for before in (b"", b"x", b"xy"):
        yield base64.b64encode(before + text.encode("utf-8", "surrogateescape")).decode()


def decoded(header):
    """A header's value; of basic credentials what they hold."""
    kind, _, rest = header.partition(" ")
    if kind.lower() != "basic":
        return rest or kind
    return base64.b64decode(rest).decode(errors="replace").partition(":")[2]


class Handler(http.server.BaseHTTPRequestHandler):
    """/token answers with a token, /good has records; the rest is refused, each time in another way."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def quotes(self, body):
        found = [self.path, body, *map(decoded, self.headers.values()), *self.headers.values()]
        for name, value in urllib.parse.parse_qsl(body) + urllib.parse.parse_qsl(self.path.partition("?")[2]):
            found.append(value)
        return found[:2] + [text for text in found[2:] if text]

    def answer(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size).decode(errors="replace")
        with self.server.lock:
            self.server.seen.append("%s %s\n%s\n%s" % (self.command, self.path, self.headers, body))
            self.server.turns += 1
            turn = self.server.turns
        quotes = self.quotes(body)
        if self.path.startswith("/token"):
            self.give(200, json.dumps({"access_token": self.server.token, "expires_in": 3600}))
        elif self.path.startswith("/good"):
            self.give(200, json.dumps({"rows": [{"id": str(n), "at": "2026-01-01T00:00:%02dZ" % n} for n in range(20)]}))
        else:
            WAYS[turn % len(WAYS)](self, quotes, turn // len(WAYS))

    do_GET = do_POST = do_PUT = answer

    def do_CONNECT(self):
        self.server.turns += 1
        with self.server.lock:
            self.server.seen.append("CONNECT %s\n%s" % (self.path, self.headers))
        texts = " ".join(self.quotes(""))
        self.close_connection = True
        self.wfile.write(("HTTP/1.1 %d %s\r\nX-Why: %s\r\n\r\n" % ((407, 502)[self.server.turns % 2], texts, texts)).encode())

    def give(self, status, text, headers=(), reason=None):
        body = text.encode(errors="replace")
        self.send_response(status, reason)
        for name, value in headers:
            self.send_header(name, value.replace("\r", " ").replace("\n", " "))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def spelled(turn, quotes):
    """Each quote in the spelling of this turn, but the first two, which are encoded already."""
    return " | ".join([*quotes[:2], *(list(spellings(text))[turn % 10] for text in quotes[2:])])


def header_safe(text):
    return text.encode("ascii", "replace").decode().replace("\r", " ").replace("\n", " ")[:4000]


def in_a_body(status):
    return lambda handler, quotes, turn: handler.give(status, json.dumps({"message": "no: " + spelled(turn, quotes)}))


def in_html(handler, quotes, turn):
    handler.give(502, "<html><h1>%s</h1></html>" % spelled(turn, quotes))


def in_a_reason(handler, quotes, turn):
    handler.give(503, "", reason=header_safe(spelled(turn, quotes)))


def in_headers(handler, quotes, turn):
    text = header_safe(spelled(turn, quotes))
    handler.give(401, text, [("WWW-Authenticate", "Bearer error=" + text), ("Retry-After", text), ("Date", text)])


def in_a_redirect(handler, quotes, turn):
    text = header_safe(spelled(turn, quotes)).replace(" ", "+")
    handler.give(302, "", [("Location", ("http://elsewhere.test/?x=" if turn % 2 else "/again?x=") + text)])


def in_a_page(handler, quotes, turn):
    text = spelled(turn, quotes)
    handler.give(200, json.dumps({"rows": [text, 7], "next": text, text: text}))


def in_a_link(handler, quotes, turn):
    handler.give(200, json.dumps({"rows": [], "next": "http://elsewhere.test/?" + spelled(turn, quotes)}))


def in_no_json(handler, quotes, turn):
    handler.give(200, '{"rows":[' + spelled(turn, quotes))


def in_no_http(handler, quotes, turn):
    handler.close_connection = True
    handler.wfile.write((spelled(turn, quotes) + "\r\n\r\n").encode(errors="replace"))


def in_an_encoding(handler, quotes, turn):
    handler.give(200, "{}", [("Content-Encoding", header_safe(spelled(turn, quotes))), ("Content-Type", header_safe(spelled(0, quotes)))])


WAYS = (
    in_a_body(500), in_a_body(400), in_html, in_a_reason, in_headers, in_a_redirect, in_a_page, in_a_link, in_no_json, in_no_http,
    in_an_encoding, in_a_body(429), in_a_body(403), in_a_body(413),
)  # fmt: skip


class Echoing(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128

    def __init__(self, token):
        super().__init__(("127.0.0.1", 0), Handler)
        self.token, self.seen, self.turns, self.lock = token, [], 0, threading.Lock()
        self.url = "http://127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *arguments):
        pass
