"""An API of a few lines for one test: a function from the query of a request to its answer, served
on loopback, and a source of provider = custom that reads it."""

import datetime
import email.utils
import http.server
import json
import threading
import time
import urllib.parse


def iso(seconds):
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Api:
    """ANSWER(query, number) -> object, (status, object) or (status, object, headers); number counts
    the requests from 1 on. The Date header is off by what ahead(number) says."""

    def __init__(self, answer, ahead=lambda number: 0):
        api = self
        self.answer, self.ahead = answer, ahead
        self.queries, self.times = [], []
        self.lock = threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                query = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
                with api.lock:
                    api.queries.append(query)
                    api.times.append(time.monotonic())
                    number = len(api.queries)
                    found = api.answer(query, number)
                found = found if isinstance(found, tuple) else (200, found)
                status, content, headers = (*found, {})[:3]
                body = json.dumps(content).encode()
                self.send_response_only(status)
                date = email.utils.formatdate(time.time() + api.ahead(number), usegmt=True)
                for name, value in {"Date": date, **headers}.items():
                    if value is not None:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def source(self, *keys, name="acme"):
        """A source with a window whose records have an id and a time."""
        return (
            "[source %s]\nprovider = custom\nrequest.url = %s/log\nrecords.at = /rows\n"
            "records.id = /id\nrecords.time = /at\nretry_max = 50ms\n%s\n"
            % (name, self.url, "\n".join(keys))
        )


WINDOW = (
    "request.query.from = ${window.start}",
    "request.query.to = ${window.end}",
    "resume.window = yes",
)
OFFSET = (
    *WINDOW,
    "request.query.offset = ${page.offset}",
    "request.query.limit = ${page.size}",
    "page.offset = yes",
)
NUMBER = (
    *WINDOW,
    "request.query.page = ${page.number}",
    "request.query.limit = ${page.size}",
    "page.number = yes",
)
CURSOR = (
    *WINDOW,
    "request.query.cursor = ${page.cursor}",
    "request.query.limit = ${page.size}",
    "page.cursor = /next",
)


def within(query, events):
    """The EVENTS, each with "at", of the window that QUERY asks for."""
    start, end = seconds(query["from"]), seconds(query["to"])
    return [event for event in events if start <= seconds(event["at"]) < end]
