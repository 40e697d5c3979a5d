#!/usr/bin/python3
"""Characters that steer a terminal, or turn the direction of text, in all that an API and a receiver can write: none is in the
log, and none reaches a terminal through trawlctl. Records keep them."""

import http.server
import json
import os
import re
import subprocess
import threading

import harness

BAD = "A\u009b31mB\u202eC\u2066D\u0085E\x7fF\u2028G\u061cH"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        rows = [{"id": BAD + str(n), "at": "2026-01-01T00:00:%02dZ" % n, "text": BAD} for n in range(4)]
        answers = {
            "/good": (200, {"rows": rows, "cursor": BAD}),
            "/error": (500, {"message": BAD}),
            "/link": (200, {"rows": [], "next": "http://elsewhere.test/" + BAD}),
            "/element": (200, {"rows": [BAD, 7]}),
            "/time": (200, {"rows": [{"id": BAD, "at": BAD}]}),
        }
        self.answer(*answers[self.path.partition("?")[0]])

    def do_POST(self):
        records = self.rfile.read(int(self.headers["Content-Length"])).count(b"\n")
        self.answer(400 if records == 1 and self.path != "/all" else 413, {"message": BAD})

    def answer(self, status, value):
        body = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Steering(harness.Case):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]

    def custom(self, name, *keys):
        return "[source %s]\nprovider = custom\nrequest.url = %s/%s\n%s\n" % (name, self.url, name, "\n".join((
            "records.at = /rows", "records.id = /id", "records.time = /at", "page.url = /next", "errors.message = /message",
            "retry_max = 10ms", "limits.rate = off", *keys)))  # fmt: skip

    def terminal(self, *arguments):
        """What trawlctl writes to a terminal."""
        own, its = os.openpty()
        child = subprocess.Popen([harness.TRAWLCTL, "-c", str(self.conf), *arguments], stdin=subprocess.DEVNULL, stdout=its, stderr=its,
                                 env={**self.environment(), "TERM": "dumb"})  # fmt: skip
        os.close(its)
        text = b""
        try:
            while part := os.read(own, 65536):
                text += part
        except OSError:  # the last one has closed it
            pass
        os.close(own)
        child.wait(60 * harness.PATIENCE)
        return text.decode().replace("\r\n", "\n")

    def assert_harmless(self, text, where):
        for line in text.split("\n"):
            self.assertIsNone(STEERING.search(line), "%s: %r" % (where, line))

    def test_all(self):
        program = self.dir / "program.py"
        program.write_text("import sys\nsys.stderr.write(%r + '\\n')\nsys.exit(1)\n" % BAD)
        window = ("request.query.from = ${window.start}", "resume.window = yes", "start = earliest")
        good = self.custom("good", "request.query.from = ${resume.cursor}", "resume.cursor = /cursor")
        siem = "[sink siem]\ntype = http\nurl = %s/siem\nretry_max = 1s\n" % self.url
        self.configure(
            good, *(self.custom(name, *window) for name in ("error", "link", "element", "time")), siem,
            "[sink program]\ntype = exec\ncommand = /usr/bin/python3 %s\nretry_max = 1s\n" % program, self.file_sink(),
            daemon="keep = 1d\nlog_level = debug",
        )  # fmt: skip
        done = self.trawld("-c", str(self.conf), "--once")
        self.assertEqual(done.code, 75, done.err)
        for name in ("error", "link", "element", "time"):
            self.assertIn("source %s " % name, done.err)
        self.assert_harmless(done.err, "log")
        self.assertIn(json.dumps(BAD, ensure_ascii=False), self.out.read_text())
        seen = ""
        for arguments in (
            ("cursor",), ("cursor", "--json"), ("cat", "good"), ("cat", "good", "--json"), ("find", "A" + BAD[1:] + "1"), ("gaps",),
            ("dead-letters", "list", "siem"), ("dead-letters", "list", "siem", "--json"), ("probe", "good"), ("probe", "good", "--json"),
            ("probe", "error"), ("probe", "element"), ("events",), ("test", "siem"),
        ):  # fmt: skip
            text = self.terminal(*arguments)
            self.assert_harmless(text, " ".join(arguments[:2]))
            seen += text
        self.assertIn("\\u009b31mB\\u202eC", seen)
        record = json.loads(self.ctl("cat", "good").text.split("\n")[0])
        self.assertEqual(record["text"], BAD)


if __name__ == "__main__":
    harness.main()
