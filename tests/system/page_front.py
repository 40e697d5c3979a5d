"""A server that stands before trawld (test_page.py): it hands on what trawld answers, another
/status where one is given, nothing at all where nobody is behind it, and holds answers back."""

import contextlib
import http.client
import http.server
import json
import threading
import urllib.parse

from harness import PATIENCE


class Front(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = port  # trawld's; None: gone
        self.status = None  # in place of trawld's
        self.details = {}  # of a source, by its name, in place of trawld's
        self.go = threading.Event()
        self.go.set()
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()
        self.url = "http://127.0.0.1:%d/" % self.server_address[1]

    def stop(self):
        self.go.set()
        self.shutdown()
        self.thread.join()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        front = self.server
        path, _, query = self.path.partition("?")
        if path == "/status":
            front.go.wait(60 * PATIENCE)
        if front.port is None:
            self.close_connection = True
            return
        connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=30 * PATIENCE)
        connection.request("GET", self.path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if self.path == "/status" and front.status is not None:
            body = json.dumps(front.status).encode()
        name = urllib.parse.parse_qs(query).get("name", [""])[0]
        if name in front.details:
            source = {"name": name, "detail": front.details[name]}
            body = json.dumps({"sources": [source], "sinks": []}).encode()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "connection", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the browser has left
            self.wfile.write(body)
