"""An API that holds no records: all that matters is when it was asked, and when it was not there."""

import datetime
import http.server
import json
import threading
import time

import harness


class Log(http.server.BaseHTTPRequestHandler):
    """No records in any window; an error while server.down is set."""

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        body = b"{" if self.server.down else b'{"items":[]}'
        self.send_response(503 if self.server.down else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.n_requests += 1


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Log)
        self.server.handle_error = lambda *arguments: None  # trawld stops while it is answered
        self.server.down, self.server.n_requests = False, 0
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def serve(self, more="", **arguments):
        self.configure(
            "[source s]\nprovider = custom\nrequest.url = http://127.0.0.1:%d/log\nrate = off\n"
            "request.query.from = ${window.start:epoch_s}\nrequest.query.to = ${window.end:epoch_s}\n"
            "records.at = /items\nrecords.id = /id\nrecords.time = /time\nresume.window = yes\nretry_max = 1s\n"
            "start = -10m\ninterval = 100ms\n%s\n" % (self.server.server_port, more),
            self.file_sink(),
            **arguments,
        )

    def rows(self, *arguments, expect=0):
        return [json.loads(line) for line in self.ctl("coverage", "--json", *arguments, expect=expect).text.splitlines()]
