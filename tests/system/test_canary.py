#!/usr/bin/python3
"""A secret of 24 awkward characters, in every position where a secret can be, is in no output,
however an API or a receiver writes it when it echoes it."""

import base64
import html
import http.server
import json
import os
import socket
import sqlite3
import threading
import urllib.parse

import harness

CANARY = "a%2/b\\\"c+d<e>&f='g;h`i~j"
ROWS = [{"id": str(n), "at": "2026-01-01T00:00:%02dZ" % n} for n in range(30)]
PARTS = 6  # bytes of a piece that would give it away


def spellings(text):
    """What peers make of TEXT."""
    quoted = json.dumps(text)[1:-1]
    yield text
    yield quoted
    yield quoted.replace("/", "\\/")
    yield quoted.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    yield "".join("\\u%04x" % ord(c) for c in text)
    yield urllib.parse.quote(text, safe="")
    yield "".join("%%%02x" % ord(c) for c in text)
    yield html.escape(text)
    yield "".join("&#%d;" % ord(c) for c in text)
    yield urllib.parse.quote(quoted, safe="")
    for before in (b"", b"x", b"xy"):
        yield base64.b64encode(before + text.encode()).decode()
        yield base64.urlsafe_b64encode(before + text.encode()).decode()
    yield text.encode().hex()


class Echo:
    """Refuses requests with the secret in the spelling of its turn. As a receiver it refuses every
    other one; /good has records for it."""

    def __init__(self):
        echo = self
        self.all = list(spellings(CANARY))
        self.turns = self.posts = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def answer(self):
                size = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(size)
                if self.path.startswith("/good"):
                    self.send(200, json.dumps({"rows": ROWS}))
                    return
                spelling = echo.all[echo.turns % len(echo.all)]
                echo.turns += 1
                body = '{"error":"no: %s"}' % spelling
                if self.path.startswith("/sink"):
                    echo.posts += 1
                    self.send(400 if echo.posts % 2 else 200, body)
                else:
                    self.send(500, body)

            def send(self, status, text):
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *arguments: None  # a stop breaks connections
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Canary(harness.Case):
    def setUp(self):
        super().setUp()
        self.echo = Echo()
        self.addCleanup(self.echo.stop)
        (self.dir / "secret").write_text(CANARY + "\n")

    def environment(self):
        return {**super().environment(), "CANARY": CANARY, "CREDENTIALS_DIRECTORY": str(self.dir)}

    def custom(self, name, *keys, path="log"):
        return "[source %s]\nprovider = custom\nrequest.url = %s/%s\nrecords.at = /rows\n%s\n" % (
            name,
            self.echo.url,
            path,
            "\n".join(
                (
                    "records.id = /id",
                    "records.time = /at",
                    "request.query.from = ${window.start}",
                    "resume.window = yes",
                    "retry_max = 20ms",
                    "limits.rate = off",
                    *keys,
                )
            ),
        )

    def sources(self):
        """One source for each position of a secret, and each way to write it."""
        ways = (CANARY.replace("${", "$${"), "${env:CANARY}", "${file:%s/secret}" % self.dir,
                "${credential:secret}")
        for n, way in enumerate(ways):
            yield self.custom("bearer%d" % n, "auth.type = bearer", "auth.token = " + way)
            yield self.custom("header%d" % n, "request.header.X-Api-Key = " + way)
            yield self.custom("query%d" % n, "request.query.api_key = " + way)
            yield self.custom(
                "basic%d" % n, "auth.type = basic", "auth.user = me", "auth.password = " + way
            )
        yield self.custom("body", "request.method = POST", "request.body = %s" % json.dumps(
            {"login": {"password": CANARY}}))

    def assert_clean(self, text, where):
        for spelling in spellings(CANARY):
            self.assertNotIn(spelling, text, where)
        core = base64.b64encode(CANARY.encode()).decode()[:20]
        self.assertNotIn(core, text, where)
        # half of it would do: any six characters in a row
        for at in range(len(CANARY) - PARTS):
            self.assertNotIn(CANARY[at : at + PARTS], text, where)

    def test_daemon(self):
        control = self.dir / "control"
        sink = (
            "[sink siem]\ntype = http\nurl = %s/sink\nheader.X-Token = ${env:CANARY}\n"
            "batch_records = 1\nbatch_age = 0\n" % self.echo.url
        )
        self.configure(
            *self.sources(),
            self.custom("good", "start = earliest", "interval = 1h", path="good"),
            sink, self.file_sink(), daemon="log_level = debug",
            control=str(control), listen="unix:%s/web" % self.dir,
        )
        result = self.trawld("-c", str(self.conf), "--check", environment=self.environment())
        self.assertEqual(result.code, 0, result.err)
        self.assert_clean(result.err + result.out.decode(), "--check")
        daemon = self.daemon()
        letters = self.state / "dead-letters" / "siem.ndjson"
        harness.wait_until(
            lambda: letters.exists() and letters.read_text().count("\n") >= 10, "dead letters", 60
        )
        turns = 40 * len(self.echo.all)
        harness.wait_until(lambda: self.echo.turns >= turns, "%d echoes" % turns, 60)
        for arguments in (("status",), ("status", "--json"), ("cursor",)):
            done = self.trawld("-c", str(self.conf), *arguments, program=harness.TRAWLCTL)
            self.assert_clean(done.err + done.out.decode(), arguments)
        for path in ("/status", "/metrics", "/"):
            self.assert_clean(self.get_unix(path), path)
        with open("/proc/%d/cmdline" % daemon.pid) as file:
            self.assert_clean(file.read(), "process list")
        daemon.stop()
        self.assert_clean(letters.read_text(), "dead letters")
        self.assertIn("***", letters.read_text())
        self.assert_clean(daemon.text(), "log")
        self.assertIn("***", daemon.text())
        database = sqlite3.connect(self.state / "trawld.db")
        self.assert_clean("\n".join(database.iterdump()), "state")
        database.close()

    def get_unix(self, path):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self.dir / "web"))
            peer.sendall(("GET %s HTTP/1.0\r\nHost: x\r\n\r\n" % path).encode())
            text = b""
            while True:
                part = peer.recv(65536)
                if not part:
                    return text.decode(errors="replace")
                text += part

    def test_probe(self):
        self.configure(*self.sources(), self.file_sink())
        for name in ("bearer0", "header1", "query2", "basic3", "body"):
            done = self.trawld("-c", str(self.conf), "probe", name, program=harness.TRAWLCTL)
            self.assert_clean(done.err + done.out.decode(), name)

    def test_lines_that_cannot_be_read(self):
        for line in (CANARY, "token " + CANARY, "  " + CANARY, "[source " + CANARY, CANARY + " = x"):
            self.configure(self.custom("acme", line), self.file_sink())
            for program, arguments in ((harness.TRAWLD, ("--check",)), (harness.TRAWLCTL, ("check",))):
                done = self.trawld("-c", str(self.conf), *arguments, program=program)
                self.assertEqual(done.code, 78, done.err)
                self.assert_clean(done.err + done.out.decode(), line)

    def test_in_the_wrong_place(self):
        """A password where none belongs, or written as it cannot be read: said without it."""
        cluster = "[cluster]\nname = prod\nconnect = %s\n"
        sink = "[sink siem]\ntype = %s\n%s\n"
        good, error = 0, 78
        for code, daemon, section, key in (
            (error, "state = postgresql", cluster % "postgresql://trawld:NotToBeShown@127.0.0.1/db", ""),
            (error, "state = postgresql", cluster % "postgresql://trawld:Not%zzToBeShown@127.0.0.1/db", ""),
            (error, "state = postgresql", cluster % "postgresql://trawld:Not[ToBeShown@[::1/db", ""),
            (error, "state = postgresql", cluster % "host=127.0.0.1 password=x NotToBeShown dbname=db", ""),
            (error, "state = postgresql", cluster % "host=127.0.0.1 password='NotToBeShown", ""),
            (good, "state = postgresql", cluster % "host=127.0.0.1 dbname=db sslpassword='NotToBeShown'", ""),
            (good, "state = postgresql", cluster % "postgresql://trawld@127.0.0.1/db?sslpassword=NotToBeShown", ""),
            (error, "", "", "request.url = https://me:NotToBeShown@api.example/${window.start}"),
            (error, "", "", "request.url = https://me:Not/To?Be@Shown@api.example/${window.start}"),
            (error, "", "", "endpoint = https://me:NotToBeShown@api.example"),
            (error, "", "", "allow_origins = https://me:NotToBeShown@api.example"),
            (error, "", "", "proxy = http://me:Not/ToBeShown@proxy.example:80"),
            (error, "", "", "proxy = http://me:12/NotToBeShown@proxy.example:80"),
            (error, "", "", "proxy = me:NotToBeShown@proxy.example:80"),
            (good, "", "", "proxy = http://me:NotToBeShown@proxy.example:80"),
            (error, "", "", "auth.type = oauth2_client\nauth.token_url = https://me:NotToBeShown@api.example\n"
                            "auth.client_id = a\nauth.client_secret = NotToBeShown"),
            (error, "", sink % ("http", "url = https://me:NotToBeShown@siem.example/"), ""),
            (good, "", sink % ("http", "url = https://siem.example/?token=NotToBeShown"), ""),
            (error, "", sink % ("http", "url = https://siem.example/\nproxy = http://me:Not#ToBeShown@proxy.example"), ""),
            (error, "", sink % ("syslog", "address = tls://me:NotToBeShown@siem.example:6514"), ""),
            (good, "", sink % ("exec", "command = /bin/true --token=NotToBeShown"), ""),
            (good, "", sink % ("exec", "command = /bin/true --to=https://siem.example/ --token=NotToBeShown"), ""),
            (good, "", sink % ("exec", "command = /bin/true https://siem.example/ 'password=x NotToBeShown'"), ""),
            (error, "", sink % ("kafka", "topic = t\nbrokers = me:NotToBeShown@bus.example:9092"), ""),
        ):  # fmt: skip
            if "kafka" in section and os.environ.get("TRAWLD_KAFKA") == "no":
                continue
            source = self.custom("acme", key).replace("request.url = %s/log\n" % self.echo.url, "" if "request.url" in key else
                                                      "request.url = https://api.example/log\n")  # fmt: skip
            self.configure(section, source, self.file_sink(path="%s/%%{source}.ndjson" % self.dir), daemon=daemon)
            for program, arguments in ((harness.TRAWLD, ("--check",)), (harness.TRAWLCTL, ("check",)), (harness.TRAWLCTL, ("config",))):
                done = self.trawld("-c", str(self.conf), *arguments, program=program)
                self.assertEqual(done.code, code, done.err)
                for part in ("NotToBeShown", "ToBeShown", "BeShown", "Shown"):
                    self.assertNotIn(part, done.err + done.out.decode(), (arguments, key or section))


if __name__ == "__main__":
    harness.main()
