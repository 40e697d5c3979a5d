#!/usr/bin/python3
"""A gap is shown on every surface, across restarts, until a person acknowledges it."""

import http.server
import json
import threading

import harness
from harness import wait_until


class Capped(http.server.BaseHTTPRequestHandler):
    """Says that it holds nine records in any window, and gives two."""

    BODY = b'{"total":9,"items":[{"id":1,"time":"2026-01-01T00:00:00Z"},{"id":2}]}'

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.BODY)))
        self.end_headers()
        self.wfile.write(self.BODY)


class Gaps(harness.Case):
    def setUp(self):
        super().setUp()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Capped)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.configure(
            "[source s]\nprovider = custom\nrequest.url = http://127.0.0.1:%d/log\nrate = off\n"
            "request.query.from = ${window.start:epoch_s}\nrequest.query.to = ${window.end:epoch_s}\n"
            "records.at = /items\nrecords.id = /id\nresume.window = yes\npage.cap = 2\n"
            "page.total = /total\nstart = -2s\ninterval = 1h\n" % server.server_port,
            self.file_sink(),
            control=self.dir / "control",
        )

    def gaps(self, *arguments):
        return self.ctl("gaps", *arguments).text.splitlines()

    def test_while_stopped(self):
        self.assertEqual(self.gaps(), ["no open gaps"])
        result = self.once()
        self.assertTrue(result.lines("gap:"), result.err)
        found = self.gaps()
        self.assertTrue(found)
        for line in found:
            self.assertRegex(line, r"^source s: \S+Z to \S+Z, capped, found \S+Z$")
        listed = [json.loads(line) for line in self.gaps("s", "--json")]
        self.assertEqual({gap["reason"] for gap in listed}, {"capped"})
        self.assertIn("there is no source `other`", self.ctl("gaps", "other", expect=64).err)
        self.assertRegex(self.gaps("--acknowledge")[-1], r"^%d gaps? acknowledged$" % len(found))
        self.assertEqual(self.gaps(), ["no open gaps"])
        for line in self.gaps("--all"):
            self.assertRegex(line, r"capped, found \S+, acknowledged \S+Z by \S+$")

    def test_of_a_source_that_is_gone(self):
        """Its gaps are shown until they are acknowledged, although it is no longer configured."""
        self.once()
        n = len(self.gaps())
        self.conf.write_text(self.conf.read_text().replace("[source s]", "[source t]").replace("page.cap = 2\n", ""))
        daemon = self.daemon()
        wait_until((self.dir / "control").exists, "the control socket")
        status = lambda: json.loads(self.ctl("status", "--json").text)
        self.assertEqual(status()["former_sources"], [{"name": "s", "gaps": n}])
        self.assertIn("former source s: %d open gap" % n, self.ctl("status", "--check", expect=1).text)
        self.assertIn("%d open gap" % n, self.ctl("status").text)
        self.assertEqual(len(self.gaps("s", "--acknowledge")), n + 1)  # the other one may have its own
        self.assertEqual(status()["former_sources"], [])
        self.assertNotIn("former", self.trawld("-c", str(self.conf), "status", "--check", program=harness.TRAWLCTL).out.decode())
        self.assertEqual(daemon.stop(), 0)

    def test_while_running(self):
        """Found in one run, shown by the next one, acknowledged through it."""
        self.once()
        daemon = self.daemon()
        daemon.wait_log("up to date for the first time")

        def counted():
            """A gap that was found counts until the commit joins it with another one."""
            return json.loads(self.ctl("status", "--json").text)["sources"][0]["gaps"]

        wait_until(lambda: counted() == len(self.gaps("s")), "what was found is committed")
        status = self.ctl("status").text
        self.assertRegex(status, r"\d+ open gaps?, records may be missing: see `trawlctl gaps`")
        n = counted()
        self.assertGreater(n, 0)
        self.gaps("s", "--acknowledge")
        self.assertIn("not requested again from now on", daemon.wait_log(" of source s acknowledged by "))
        (event,) = [json.loads(line) for line in self.ctl("events", "--json").text.splitlines() if "acknowledge-gaps" in line]
        self.assertRegex(event["text"], r"^%d gaps? acknowledged; " % n)
        self.assertEqual(self.gaps("s", "--acknowledge"), ["0 gaps acknowledged"])
        self.assertNotIn("open gap", self.ctl("status").text)
        self.assertEqual(self.gaps(), ["no open gaps"])


if __name__ == "__main__":
    harness.main()
