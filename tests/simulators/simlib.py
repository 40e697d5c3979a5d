#!/usr/bin/python3
"""What all API simulators share: a small, fast HTTP/1.1 server with scripted faults.

A simulator is one file with one class and one last line:

    class Cloud(simlib.Simulator):
        def arguments(self, parser):        # optional: own command line options (argparse)
            parser.add_argument("--page-size", type=int, default=100)
        def start(self, options):           # optional: once, before the first request
            ...
        def answer(self, request):          # required: a Request in, an Answer out
            return simlib.answer_json({"records": []})
        def control(self, settings):        # optional: members of POST /_sim/control that
            self.size = settings.pop("size", self.size)     # simlib does not know; pop() them
        def stats(self):                    # optional: members added to GET /_sim/stats
            return {"records": 7}

    if __name__ == "__main__":
        simlib.main(Cloud)

answer(), control() and stats() are called under one lock (self.lock): no thread thoughts needed.
`raise simlib.Refuse(400, {"detail": "..."})` anywhere inside answer() is an answer, too.

Request:  number (1, 2, ... of API requests), method, target (as sent), path (decoded), raw_query,
          headers (dict, lower-case names), body (bytes);
          query(*allowed) -> dict of decoded values: '+' is a space, as in every web framework;
              an unknown, repeated or badly escaped parameter raises Refuse(400);
          json() -> the decoded body or Refuse(400); bearer() -> token or None; origin: own URL.
Answer:   Answer(status, body bytes, headers dict); answer_json(object, status, headers) and
          answer_text(text, status, content_type) make one.
Simulator: origin ("http://127.0.0.1:PORT"), now() (wall seconds + clock_offset), lock, options;
          listen() in start() -> the origin of one more port that is served the same way.
Helpers:  iso(us) / iso_parse(text): RFC 3339 <-> microseconds; mix(seed, n): a 64-bit hash, the
          same on every run; http_date(seconds).

On the command line of every simulator: --port N (0 = any free one), --gzip, --tls-cert FILE
--tls-key FILE, --delay SECONDS, --control JSON (as if posted before the first request),
--until-stdin-closes (ends with the process that started it). One line is printed when it listens:
{"port": N, "url": "http://127.0.0.1:N"}.

POST /_sim/control takes a JSON object and answers {} or 400:
    "faults": [FAULT, ...]   replaces the list; "faults": [] ends all faults
    "more_faults": [FAULT, ...]    appends to it
    "fault_seed": N          of the random numbers for "probability"
    "gzip": true|false       gzip where the request accepts it
    "delay": SECONDS         before every answer
    "clock_offset": SECONDS  shifts now() and the Date header
    "clock_step": SECONDS    shifts them further by this much at each API request: what happens
                             while a poll runs does not depend on the machine's speed
    "reset_numbers": true    request numbers and statistics begin at 1 again
  everything else goes to Simulator.control(); a member that nobody takes is answered with 400.

FAULT, an object. Which requests it meets (the first fault that fits is used):
    "at": [3, 4]  these request numbers | "from": 10  from this number on | "probability": 0.2
    (none of them: every request); "times": N  at most N times; "path": "glob" on the path;
    "target": "glob" on path and query as sent; "method": "POST".
  "kind", what it does:
    "status"    answers "status" (500) with "body"/"json", "headers", "retry_after": SECONDS or
                "retry_after_date": SECONDS from now, as an HTTP date
    "html"      200, text/html, a page of a proxy
    "body"      answers "body" (text) or "json" or "repeat": [before, text, count, after],
                with "status" (200), "content_type", "headers"; "gzip": true compresses it
    "truncate"  the true answer, its body cut to "bytes" bytes, lengths consistent
    "cut"       the true head, "bytes" bytes of the body, then the connection is closed
    "reset"     the same, ended by a reset
    "close"     no answer, connection closed
    "slow"      the true answer, "chunk" (100) bytes every "seconds" (0.1)
    "hang"      waits "seconds" (3600) before the true answer

GET /_sim/stats answers {"requests", "connections", "faults", "statuses": {"200": N}, "first_at",
    "last_at", "overlaps", ...}; "overlaps" are requests that came while another one with the same
    Authorization was being answered. GET /_sim/log answers the last 20,000 requests as a list of
    {"number", "method", "target", "headers", "body", "status", "at", "fault"}.
Requests to /_sim/ are not counted.
"""

import argparse
import collections
import datetime
import email.utils
import fnmatch
import gzip
import json
import os
import random
import re
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Refuse(Exception):
    """An error answer, raised from inside answer()."""

    def __init__(self, status, payload, headers=None):
        super().__init__(status, payload)
        self.answer = answer_json(payload, status, headers)


class Answer:
    def __init__(self, status=200, body=b"", headers=None):
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def answer_json(payload, status=200, headers=None):
    body = json.dumps(payload, ensure_ascii=False).encode()
    return Answer(status, body, {"Content-Type": "application/json", **(headers or {})})


def answer_text(text, status=200, content_type="text/plain"):
    return Answer(status, text.encode(), {"Content-Type": content_type})


def mix(seed, n):
    """splitmix64 of (seed, n): spreads well, costs little, never changes."""
    x = (seed * 0x9E3779B97F4A7C15 + n * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & (2**64 - 1)
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
    return x ^ (x >> 31)


def iso(us):
    seconds, fraction = divmod(us, 1_000_000)
    t = time.gmtime(seconds)
    return "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ" % (*t[:6], fraction)


def iso_parse(text):
    """Microseconds since 1970, or ValueError; an offset is a must, as in the real APIs."""
    if len(text) < 20 or text[10] not in "Tt":
        raise ValueError("not a date-time: " + repr(text))
    value = datetime.datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("no offset: " + repr(text))
    return (value - EPOCH) // datetime.timedelta(microseconds=1)


def http_date(seconds):
    return email.utils.formatdate(seconds, usegmt=True)


class Request:
    def __init__(self, method, target, headers, body, origin):
        self.number = 0
        self.method = method
        self.target = target
        path, _, self.raw_query = target.partition("?")
        self.path = urllib.parse.unquote(path)
        self.headers = headers
        self.body = body
        self.origin = origin

    def query(self, *allowed):
        values = {}
        for part in self.raw_query.split("&") if self.raw_query else []:
            try:
                name, value = (
                    urllib.parse.unquote(_escapes_checked(x).replace("+", " "), errors="strict")
                    for x in part.split("=", 1)
                )
            except (ValueError, UnicodeDecodeError):
                raise Refuse(400, {"detail": "Bad query: " + part}) from None
            if name not in allowed:
                raise Refuse(400, {"detail": "Unknown parameter: " + name})
            if name in values:
                raise Refuse(400, {"detail": "Repeated parameter: " + name})
            values[name] = value
        return values

    def json(self):
        try:
            return json.loads(self.body.decode())
        except ValueError:
            raise Refuse(400, {"detail": "The body is not JSON."}) from None

    def bearer(self):
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" and token else None


def _escapes_checked(text):
    """The text, or ValueError: every byte printable, every '%' followed by two hex digits."""
    if not re.fullmatch(r"(?:%[0-9A-Fa-f]{2}|[!-$&-~])*", text):
        raise ValueError(text)
    return text


class Simulator:
    """What a simulator derives from; the methods are told at the top of this file."""

    max_body = 16 << 20  # a longer request ends its connection

    def __init__(self):
        self.lock = threading.RLock()
        self.origin = ""
        self.options = None
        self.context = None
        self.clock_offset = 0.0
        self.clock_step = 0.0
        self.gzip = False
        self.delay = 0.0
        self.faults = []
        self.random = random.Random(1)
        self.in_work = collections.Counter()
        self._numbers_reset()

    def arguments(self, parser):
        pass

    def start(self, options):
        pass

    def answer(self, request):
        raise NotImplementedError

    def control(self, settings):
        pass

    def stats(self):
        return {}

    def now(self):
        return time.time() + self.clock_offset

    def listen(self, port=0):
        listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()
        scheme = "https" if self.context else "http"
        return "%s://127.0.0.1:%d" % (scheme, listener.getsockname()[1])

    # what follows is for simlib alone

    def _serve(self, listener):
        while True:
            sock, _ = listener.accept()
            with self.lock:
                self.n_connections += 1
            _Connection(self, sock, self.context).start()

    def _begins(self, credential):
        """A request is being answered. One that comes meanwhile with the same credential is another client's, as a rule."""
        with self.lock:
            self.n_overlaps += self.in_work[credential] > 0
            self.in_work[credential] += 1

    def _ends(self, credential):
        with self.lock:
            self.in_work[credential] -= 1

    def _numbers_reset(self):
        self.n_overlaps = 0
        self.n_requests = 0
        self.n_connections = 0
        self.n_faults = 0
        self.statuses = collections.Counter()
        self.log = collections.deque(maxlen=20000)

    def _control(self, settings):
        if "faults" in settings:
            self.faults = [_fault_checked(f) for f in settings.pop("faults")]
        if "more_faults" in settings:
            self.faults += [_fault_checked(f) for f in settings.pop("more_faults")]
        if "fault_seed" in settings:
            self.random = random.Random(settings.pop("fault_seed"))
        for name in ("gzip", "delay", "clock_offset", "clock_step"):
            if name in settings:
                setattr(self, name, settings.pop(name))
        if settings.pop("reset_numbers", False):
            self._numbers_reset()
        self.control(settings)
        if settings:
            raise Refuse(400, {"detail": "Unknown members: " + ", ".join(settings)})
        return answer_json({})

    def _stats(self):
        return answer_json(
            {
                "requests": self.n_requests,
                "connections": self.n_connections,
                "faults": self.n_faults,
                "overlaps": self.n_overlaps,
                "statuses": {str(k): v for k, v in self.statuses.items()},
                "first_at": self.log[0]["at"] if self.log else None,
                "last_at": self.log[-1]["at"] if self.log else None,
                **self.stats(),
            }
        )

    def _fault_for(self, request):
        for fault in self.faults:
            if fault.get("times") == 0:
                continue
            if "at" in fault and request.number not in fault["at"]:
                continue
            if request.number < fault.get("from", 0):
                continue
            if not fnmatch.fnmatchcase(request.path, fault.get("path", "*")):
                continue
            if not fnmatch.fnmatchcase(request.target, fault.get("target", "*")):
                continue
            if request.method != fault.get("method", request.method):
                continue
            if self.random.random() >= fault.get("probability", 1):
                continue
            if "times" in fault:
                fault["times"] -= 1
            self.n_faults += 1
            return fault
        return None

    def _handle(self, request):
        """(answer, fault or None) of one request; counts it."""
        with self.lock:
            try:
                if request.path == "/_sim/control" and request.method == "POST":
                    return self._control(request.json()), None
                if request.path == "/_sim/stats":
                    return self._stats(), None
                if request.path == "/_sim/log":
                    return answer_json(list(self.log)), None
            except Refuse as refuse:
                return refuse.answer, None
            self.n_requests += 1
            request.number = self.n_requests
            self.clock_offset += self.clock_step
            fault = self._fault_for(request)
            answer = _answer_of_fault(self, fault) if fault else None
            if answer is None:
                try:
                    answer = self.answer(request)
                except Refuse as refuse:
                    answer = refuse.answer
            self.statuses[answer.status] += 1
            self.log.append(
                {
                    "number": request.number,
                    "method": request.method,
                    "target": request.target,
                    "headers": request.headers,
                    "body": request.body[:4096].decode(errors="replace"),
                    "status": answer.status,
                    "at": time.time(),
                    "fault": fault["kind"] if fault else None,
                }
            )
            return answer, fault


FAULT_KINDS = ("status", "html", "body", "truncate", "cut", "reset", "close", "slow", "hang")


def _fault_checked(fault):
    if fault.get("kind") not in FAULT_KINDS:
        raise Refuse(400, {"detail": "Unknown fault: " + json.dumps(fault)})
    return dict(fault)


def _answer_of_fault(simulator, fault):
    """The answer of a fault that replaces the true one, or None."""
    headers = {"Content-Type": fault.get("content_type", "application/json")}
    headers.update(fault.get("headers", {}))
    if "json" in fault:
        body = json.dumps(fault["json"]).encode()
    elif "repeat" in fault:
        before, text, count, after = fault["repeat"]
        body = before.encode() + text.encode() * count + after.encode()
    else:
        body = fault.get("body", '{"detail": "Scripted fault."}').encode()
    if fault["kind"] == "status":
        if "retry_after" in fault:
            headers["Retry-After"] = str(fault["retry_after"])
        if "retry_after_date" in fault:
            headers["Retry-After"] = http_date(simulator.now() + fault["retry_after_date"])
        return Answer(fault.get("status", 500), body, headers)
    if fault["kind"] == "body":
        if fault.get("gzip"):
            body = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
        return Answer(fault.get("status", 200), body, headers)
    if fault["kind"] == "html":
        page = "<!DOCTYPE html>\n<html><title>Welcome</title><body>Sign in</body></html>\n"
        return answer_text(page, 200, "text/html; charset=utf-8")
    return None


class _Connection(threading.Thread):
    """One client, served until it goes away; never more than one request in work."""

    def __init__(self, simulator, sock, context):
        super().__init__(daemon=True)
        self.simulator = simulator
        self.sock = sock
        self.context = context
        self.buffer = b""

    def run(self):
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                self.sock = self.context.wrap_socket(self.sock, server_side=True)
            while self._serve_one():
                pass
        except (OSError, EOFError, ValueError):
            pass
        finally:
            self.sock.close()

    def _more(self):
        self.buffer += self._receive(65536)

    def _receive(self, size):
        data = self.sock.recv(size)
        if not data:
            raise EOFError
        return data

    def _read_request(self):
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > 65536:
                raise ValueError("head too long")
            self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "transfer-encoding" in headers:
            body = self._read_chunks()
        else:
            body = self._read_exactly(int(headers.get("content-length", "0")))
        return Request(method, target, headers, body, self.simulator.origin)

    def _read_exactly(self, size):
        if size > self.simulator.max_body:
            raise ValueError("body too long")
        data, self.buffer = bytearray(self.buffer[:size]), self.buffer[size:]
        while len(data) < size:
            data += self._receive(min(size - len(data), 1 << 20))
        return bytes(data)

    def _read_chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.buffer:
                self._more()
            line, _, self.buffer = self.buffer.partition(b"\r\n")
            size = int(line.split(b";")[0], 16)
            body += self._read_exactly(size)
            self._read_exactly(2)
            if size == 0:
                return body

    def _serve_one(self):
        request = self._read_request()
        control = request.path.startswith("/_sim/")
        credential = request.headers.get("authorization")
        if credential and not control:
            self.simulator._begins(credential)
        try:
            answer, fault = self.simulator._handle(request)
            if self.simulator.delay and not control:
                time.sleep(self.simulator.delay)
        finally:
            if credential and not control:
                self.simulator._ends(credential)
        kind = fault["kind"] if fault else None
        if kind == "close":
            return False
        body = answer.body
        headers = {"Date": http_date(self.simulator.now()), **answer.headers}
        if (
            self.simulator.gzip
            and not control
            and "Content-Encoding" not in headers
            and "gzip" in request.headers.get("accept-encoding", "")
        ):
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        if kind == "truncate":
            body = body[: fault["bytes"]]
        headers.setdefault("Content-Length", str(len(body)))
        if request.headers.get("connection", "").lower() == "close":
            headers["Connection"] = "close"
        lines = ["HTTP/1.1 %d %s" % (answer.status, _REASONS.get(answer.status, "Answer"))]
        lines += ["%s: %s" % item for item in headers.items()]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        if kind == "hang":
            time.sleep(fault.get("seconds", 3600))
        return self._send(request, head, body, kind, fault) and "Connection" not in headers

    def _send(self, request, head, body, kind, fault):
        if request.method == "HEAD":
            self.sock.sendall(head)
        elif kind in ("cut", "reset"):
            self.sock.sendall(head + body[: fault["bytes"]])
            if kind == "reset":
                # what was sent must have left before the reset overtakes it
                time.sleep(0.02)
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        elif kind == "slow":
            self.sock.sendall(head)
            chunk = fault.get("chunk", 100)
            for at in range(0, len(body), chunk):
                self.sock.sendall(body[at : at + chunk])
                time.sleep(fault.get("seconds", 0.1))
        else:
            self.sock.sendall(head + body)
        return True


_REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    301: "Moved Permanently",
    302: "Found",
    307: "Temporary Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    410: "Gone",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def _arguments_parse(simulator, arguments):
    parser = argparse.ArgumentParser(description=sys.modules[type(simulator).__module__].__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    parser.add_argument("--delay", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--control", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--until-stdin-closes", action="store_true")
    simulator.arguments(parser)
    return parser.parse_args(arguments)


def _end_with_stdin():
    while os.read(0, 4096):
        pass
    os._exit(0)


def main(kind, arguments=None):
    """Makes the simulator, listens on loopback, says so, serves until killed."""
    simulator = kind()
    options = _arguments_parse(simulator, arguments)
    simulator.options = options
    simulator.gzip = options.gzip
    simulator.delay = options.delay
    if options.tls_cert:
        simulator.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        simulator.context.load_cert_chain(options.tls_cert, options.tls_key)
    simulator.origin = simulator.listen(options.port)
    # no request is answered before all is ready
    with simulator.lock:
        simulator.start(options)
        try:
            simulator._control(dict(options.control))
        except Refuse as refuse:
            sys.exit(refuse.answer.body.decode())
    print(
        json.dumps({"port": int(simulator.origin.rpartition(":")[2]), "url": simulator.origin}),
        flush=True,
    )
    if options.until_stdin_closes:
        _end_with_stdin()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
