#!/usr/bin/python3
"""Tokens that end while a hundred requests are in flight, and a server of tokens that fails.

Every now and then the API revokes the token of a hundred sources, and every request in flight gets a 401. Some of the next
answers of the server of tokens are useless. A new token ends the older one, so the sources have to share it. Nothing is lost
or repeated, no source waits for long, and no token is requested without need. TRAWLD_FAULTS says how many are revoked; TRAWLD_TEST_SEED repeats the choices.
"""

import http.server
import json
import os
import random
import threading
import urllib.parse

from on_disk import harness
from harness import wait_until, whole_lines

SOURCES = 100
REVOKED = 6
PAGES = 5  # of each source between two that are revoked
SECRET = "cl1ent-secret-of-the-token-campaign"


class Server(http.server.ThreadingHTTPServer):
    """Once its tokens are revoked, it answers when every source has a request in flight."""

    daemon_threads, request_queue_size = True, 256

    def __init__(self, dice):
        super().__init__(("127.0.0.1", 0), Handler)
        self.dice, self.lock = dice, threading.Condition()
        self.tokens, self.n_tokens, self.asked, self.in_flight, self.most, self.refused = set(), 0, 0, 0, 0, 0
        self.visible, self.wrong, self.holds = PAGES, [], False
        self.url = "http://127.0.0.1:%d" % self.server_address[1]

    def handle_error(self, *arguments):
        pass

    def token_answer(self):
        with self.lock:
            self.asked += 1
            if self.wrong:
                return self.wrong.pop(0)
            self.n_tokens += 1
            token = "t0ken-%d" % self.n_tokens
            self.tokens = {"Bearer " + token}  # a client has one
            life = self.dice.choice((3600, "3600", 3600.5, None, 10**12))
            return 200, json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": life})

    def revoke(self, *wrong):
        """All tokens end; the next answers of the server of tokens are WRONG."""
        with self.lock:
            self.tokens, self.wrong, self.holds = set(), list(wrong), True
            self.visible += PAGES

    def page(self, query, token):
        with self.lock:
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
            self.lock.notify_all()
            self.lock.wait_for(lambda: not self.holds or self.in_flight >= SOURCES, 20 * harness.PATIENCE)
            self.holds = False
            self.in_flight -= 1
            if token not in self.tokens:
                self.refused += 1
                return 401, json.dumps({"message": "the token has expired"})
            at = int(query.get("after", 0))
            rows = [{"id": "%s-%d" % (query["who"], n)} for n in range(at, min(at + 1, self.visible))]
            return 200, json.dumps({"rows": rows, "next": str(at + len(rows)), "more": at + 1 < self.visible})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        query = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
        self.send(*self.server.page(query, self.headers.get("Authorization")))

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send(*self.server.token_answer())

    def send(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


WRONG = (
    (500, "{}"), (503, "<html>"), (200, "<html>"), (200, "{}"), (200, '{"access_token":7}'), (200, '{"access_token":""}'), (200, "["),
    (429, "{}"), (200, '{"access_token":"a\\r\\nX-Evil: 1","expires_in":1}'),
)  # fmt: skip


class Tokens(harness.Case):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice = random.Random(seed)
        self.server = Server(self.dice)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def source(self, name):
        return (
            "[source %s]\nprovider = custom\nrequest.url = %s/log\nrequest.query.who = %s\nrecords.at = /rows\nrecords.id = /id\n"
            "request.query.after = ${page.cursor|resume.cursor}\npage.cursor = /next\npage.end = /more = false\nresume.cursor = /next\n"
            "auth.type = oauth2_client\nauth.token_url = %s/token\nauth.client_id = me\nauth.client_secret = %s\n"
            "interval = 50ms\nretry_max = 100ms\nlimits.rate = off\nstart = -1h\nrequest.first.query.since = ${window.start}\n"
            % (name, self.server.url, name, self.server.url, SECRET)
        )

    def delivered(self):
        return [line.decode() for line in whole_lines(self.out)]

    def wait_all(self, daemon):
        expected = {'{"id":"s%03d-%d"}' % (who, n) for who in range(SOURCES) for n in range(self.server.visible)}
        try:
            wait_until(lambda: len(self.delivered()) >= len(expected), "all records", 120)
        except AssertionError:
            self.fail("%d of %d\n%s" % (len(self.delivered()), len(expected), daemon.text()[-5000:]))
        found = self.delivered()
        self.assertEqual((len(found), set(found)), (len(expected), expected))

    def test_tokens(self):
        self.configure(*(self.source("s%03d" % n) for n in range(SOURCES)), self.file_sink())
        daemon = self.daemon()
        self.wait_all(daemon)
        revoked = int(os.environ.get("TRAWLD_FAULTS", str(REVOKED)).replace("all", "200"))
        for n in range(revoked):
            wrong = self.dice.choices(WRONG, k=self.dice.randrange(4)) if n % 2 else []
            before = self.server.n_tokens
            self.server.revoke(*wrong)
            self.wait_all(daemon)
            self.assertEqual(self.server.n_tokens - before, 1, daemon.text()[-5000:])
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn(SECRET, daemon.text())
        self.assertNotIn("t0ken-", daemon.text())
        self.assertEqual(self.server.most, SOURCES)
        print(
            "campaign: %d times all tokens were revoked under at most %d requests in flight; %d requests were refused, %d tokens requested"
            % (revoked, self.server.most, self.server.refused, self.server.asked), flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    harness.main()
