"""An API whose answers a function may spoil before they are sent, down to the bytes on the connection."""

import http.server
import json
import socket
import struct
import threading
import urllib.parse

from small_api import CURSOR, OFFSET, WINDOW, iso, within

PAGE = 20
STYLES = {
    "cursor": (*CURSOR, "page.size = %d" % PAGE),
    "offset": (*OFFSET, "page.size = %d" % PAGE),
    "link": ("request.query.since = ${window.start}", "page.url = /next", "resume.url = /more"),
    "header": (*WINDOW, "page.url = header:Link"),
}


class Answer:
    """page becomes the body unless there is one; parts: bytes, or several, that are sent after head() and body."""

    def __init__(self, page):
        self.status, self.page, self.headers = 200, page, {"Content-Type": "application/json"}
        self.body, self.parts, self.raw, self.ends, self.resets = None, (), None, False, False

    def text(self):
        return json.dumps(self.page).encode() if self.body is None else self.body

    def head(self):
        lines = ["HTTP/1.1 %d Whatever" % self.status]
        length = {"Content-Length": str(len(self.text()))}
        for name, value in {**length, **self.headers}.items():
            for each in value if isinstance(value, list) else [value]:
                lines += ["%s: %s" % (name, each)] * (each is not None)
        return "\r\n".join(lines).encode("latin-1", "surrogateescape") + b"\r\n\r\n"


class HostileApi:
    """COUNT records, one each second; SPOIL(answer, query, number) changes an answer. STYLE: how pages are chained."""

    def __init__(self, style, events):
        api = self
        self.style, self.events, self.spoil, self.number = style, events, None, 0
        self.lock, self.seen = threading.Lock(), []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                query = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
                with api.lock:
                    api.number += 1
                    api.seen.append((self.path, dict(self.headers)))
                    answer = api.good(query)
                    if api.spoil:
                        api.spoil(answer, query, api.number)
                self.close_connection = answer.ends
                for part in (answer.raw or [answer.head(), answer.text(), *answer.parts]):
                    self.wfile.write(part)
                if answer.resets:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *arguments: None
        self.port = self.server.server_address[1]
        self.url = "http://127.0.0.1:%d" % self.port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def good(self, query):
        found = within(query, self.events) if "from" in query else self.events
        try:
            at = int(query.get("cursor") or query.get("offset") or 0)
        except ValueError:
            answer = Answer({"message": "no such cursor"})
            answer.status = 400
            return answer
        answer = Answer({"rows": [dict(event) for event in found[at : at + PAGE]]})
        follows = at + PAGE < len(found)
        if self.style == "cursor" and follows:
            answer.page["next"] = str(at + PAGE)
        if self.style == "link":
            answer.page["next"] = self.link(query, at + PAGE) if follows else None
            answer.page["more"] = self.link(query, min(at + PAGE, len(found)))
        if self.style == "header" and follows:
            answer.headers["Link"] = '<%s>; rel="next"' % self.link(query, at + PAGE)
        return answer

    def link(self, query, at):
        return "%s/log?%s" % (self.url, urllib.parse.urlencode({**query, "cursor": at}))

    def source(self, *keys):
        return (
            "[source acme]\nprovider = custom\nrequest.url = %s/log\nrecords.at = /rows\nrecords.id = /id\n"
            "records.time = /at\nrequest.header.X-Secret = h3ader-that-nobody-else-may-see\nstart = -2d\nretry_max = 10ms\n"
            "limits.rate = off\ntimeout = 2s\n%s\n" % (self.url, "\n".join((*STYLES[self.style], *keys)))
        )


class Stranger:
    """A port that nobody may call: what was sent to it."""

    def __init__(self):
        self.called = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                peer, _ = self.listener.accept()
                self.called.append(peer.recv(65536))
                peer.close()
        except OSError:
            pass

    def stop(self):
        self.listener.close()


def events(count, until):
    return [{"id": "record-%d" % n, "at": iso(until - count + n), "text": "x" * (n % 41)} for n in range(count)]
