#!/usr/bin/python3
"""trawlctl probe against the simulator: it shows what trawld would do next, and changes nothing."""

import json
import re
import time
import urllib.parse

import harness

import cloudscale
import files
import small_api

PATH = "/v1/project-logs"
QUIET = "interval = 1h\n"


class Ctl(harness.Case):
    """Helpers of the tests that ask."""

    def files(self):
        """The state as it lies on the disk. SQLite's shared memory and an empty log, which a
        reader makes where there is none, say nothing."""
        found = {path.name: path.read_bytes() for path in self.state.iterdir() if path.is_file()}
        found.pop("trawld.db-shm", None)
        return {name: content for name, content in found.items() if content}

    def targets(self, simulator):
        return [entry["target"] for entry in simulator.log()]

    def records(self, text, title="new records"):
        """The records under the line that begins with TITLE."""
        part = text.split("\n" + title, 1)[1].split("\n\n", 1)[0]
        return [line[2:] for line in part.split("\n") if line.startswith("  {")]

    def lines(self, first, last):
        return cloudscale.expected_lines(1, first, last).decode().splitlines()


class Probe(Ctl):
    def test_without_state(self):
        simulator = self.cloudscale(120, "--page-size", "50")
        self.configure(self.source(simulator.url), self.file_sink())
        text = self.ctl("probe", "acme").text
        self.assertFalse(self.state.exists())
        self.assertFalse(self.out.exists())
        self.assertIn("starting from start = earliest", text)
        self.assertIn("GET %s%s\n" % (simulator.url, PATH), text)
        self.assertIn("Authorization: ***", text)
        self.assertRegex(text, r"response: status 200, \d+ bytes, after ")
        self.assertRegex(text, r"\n  Date: .* GMT\n")
        self.assertIn("new records: 50 of 50 in the response", text)
        self.assertEqual(self.records(text), self.lines(0, 10))
        self.assertIn("... and 40 more", text)
        link = r"next page +the API's link %s%s\?cursor=\d+\n"
        self.assertRegex(text, link % (simulator.url, PATH))
        self.assertIn("More pages follow", text)
        self.assertEqual(self.records(self.ctl("probe", "acme", "--all").text), self.lines(0, 50))
        self.assertEqual(simulator.stats()["requests"], 2)
        self.once()
        self.assert_output(cloudscale.expected_lines(1, 0, 120))

    def test_from_the_state(self):
        """It asks what trawld asks next, and leaves the state as it is."""
        simulator = self.cloudscale(120)
        self.configure(self.source(simulator.url), self.file_sink())
        self.once()
        simulator.control(visible=130, reset_numbers=True)
        before, files = self.state_dump(), self.files()
        text = self.ctl("probe", "acme").text
        self.assertEqual(self.state_dump(), before)
        self.assertTrue(self.files() == files, "the files changed")
        self.assertEqual(self.records(text), self.lines(120, 130))
        self.assertIn("Continuing from the saved cursor", text)
        self.assertIn("No more pages", text)
        self.once()
        asked = self.targets(simulator)
        self.assertEqual(asked[0], asked[1])
        self.assert_output(cloudscale.expected_lines(1, 0, 130))
        # and what it says would be kept is what trawld then keeps
        kept = re.search(r"would be stored with these records:\n  next request +(.*)\n", text)[1]
        self.assertIn(kept, self.ctl("cursor", "acme").text)

    def test_state_of_a_killed_daemon(self):
        simulator = self.cloudscale(120)
        self.configure(self.source(simulator.url, more=QUIET), self.file_sink())
        daemon = self.daemon()
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 120)))
        daemon.kill()
        before = self.files()
        self.assertIn("trawld.db-wal", before)
        self.ctl("probe", "acme")
        self.ctl("cursor")
        self.assertTrue(self.files() == before, "the files changed")

    def test_beside_a_daemon(self):
        simulator = self.cloudscale(120)
        self.configure(self.source(simulator.url, more=QUIET), self.file_sink())
        daemon = self.daemon()
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 120)))
        before = self.ctl("cursor", "acme", "--json").text
        simulator.control(visible=150)
        text = self.ctl("probe", "acme", "--all").text
        self.assertEqual(self.records(text), self.lines(120, 150))
        self.assertEqual(self.ctl("cursor", "acme", "--json").text, before)
        daemon.signal(harness.signal.SIGUSR2)
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 150)))
        self.assertEqual(daemon.stop(), 0)
        self.assert_output(cloudscale.expected_lines(1, 0, 150))

    def test_excluded_known_and_selected(self):
        simulator = self.cloudscale(60)
        simulator.control(visible=20)
        pauses = "include = /action = server_pause\n"
        self.configure(
            self.source(simulator.url, more="records.exclude = /action = server_create\n"),
            self.file_sink(),
            self.file_sink("pauses", self.dir / "pauses.ndjson", pauses),
        )
        self.once()
        self.ctl("rewind", "acme", "--to", "earliest")
        simulator.control(visible=60)
        text = self.ctl("probe", "acme", "--all").text
        created = [line for line in self.lines(0, 60) if '"server_create"' in line]
        known = [line for line in self.lines(0, 20) if line not in created]
        new = [line for line in self.lines(20, 60) if line not in created]
        paused = [line for line in new if '"server_pause"' in line]
        self.assertTrue(created and paused)
        self.assertIn(
            "new records: %d of 60 in the response (%d excluded, %d duplicates)"
            % (len(new), len(created), len(known)),
            text,
        )
        self.assertEqual(self.records(text), new)
        self.assertEqual(self.records(text, "excluded by"), created[:10])
        self.assertIn(
            "sinks: archive would get %d, pauses would get %d\n" % (len(new), len(paused)), text
        )

    def test_failures(self):
        simulator = self.cloudscale(60)
        self.configure(self.source(simulator.url), self.file_sink())
        echo = {"detail": 'no such token: %s, in JSON "%s"' % (harness.TOKEN, harness.TOKEN)}
        for code, fault, says in (
            (75, {"kind": "status", "status": 401, "json": echo}, "401 Unauthorized: no such token"),
            (75, {"kind": "status", "status": 503, "retry_after": 7}, "503"),
            (78, {"kind": "status", "status": 422, "json": echo}, "422"),
            (75, {"kind": "html"}, "the response is rejected"),
            (75, {"kind": "close"}, ""),
        ):
            with self.subTest(fault=fault):
                simulator.faults(fault)
                result = self.ctl("probe", "acme", expect=code)
                self.assertIn("GET " + simulator.url, result.text)
                self.assertRegex(result.err, r"source acme \(trawld\.conf:\d+\): .*%s" % says)
                self.assertNotIn("would be stored", result.text)
                if "retry_after" in fault:
                    self.assertIn("Retry-After: 7", result.text)
        self.assertFalse(self.state.exists())
        simulator.stop()
        self.assertIn("no response after", self.ctl("probe", "acme", expect=75).text)

    def test_lost_place(self):
        simulator = self.cloudscale(60)
        self.configure(self.source(simulator.url), self.file_sink())
        self.once()
        simulator.control(expired_before=1000)
        before = self.state_dump()
        self.assertIn("resume by time", self.ctl("probe", "acme", expect=75).err)
        self.assertEqual(self.state_dump(), before)

    def test_limit_and_json(self):
        simulator = self.cloudscale(120, "--page-size", "50")
        self.configure(self.source(simulator.url), self.file_sink())
        text = self.ctl("probe", "acme", "--limit", "3").text
        self.assertEqual(self.records(text), self.lines(0, 3))
        self.assertIn("... and 47 more", text)
        self.assertIn("`many` is not a number", self.ctl("probe", "acme", "--limit", "many", expect=64).err)
        found = json.loads(self.ctl("probe", "acme", "--json", "--limit", "3").text)
        self.assertEqual(found["records"], [json.loads(line) for line in self.lines(0, 3)])
        self.assertEqual(
            [found[name] for name in ("source", "status", "error", "new_records", "elements", "more")],
            ["acme", 200, None, 50, 50, True],
        )
        self.assertEqual(found["sinks"], {"archive": 50})
        self.assertEqual(found["cursor"]["version"], 1)
        self.assertEqual(found["url"], simulator.url + PATH)
        simulator.faults({"kind": "status", "status": 503})
        found = json.loads(self.ctl("probe", "acme", "--json", expect=75).text)
        self.assertIn("503", found["error"])
        self.assertEqual((found["error_class"], found["status"]), ("server", 503))

    def test_document(self):
        """Of a source that fetches documents, one is fetched, through its link."""
        sim = self.simulator("--files", "9", "--large", "500", name="files")
        now = files.BASE_S + 9 * files.STEP_S + 60
        sim.control(clock_offset=now - time.time())
        self.configure(
            "[source files]\nprovider = files\ntoken = %s\nendpoint = %s\nstart = %s\n"
            "allow_origins = http://localhost:%s\n"
            % (
                files.TOKEN,
                sim.url,
                files.simlib.iso(files.BASE_S * 10**6),
                sim.url.rpartition(":")[2],
            ),
            self.file_sink(),
            providers=harness.SOURCE_ROOT / "tests" / "definitions",
        )
        text = self.ctl("probe", "files").text
        self.assertIn("new documents: 9 of 9 in the response", text)
        rows = [files.row(0, i)[1] for i in range(files.rows_of(0, 500))]
        title = "document file-0: %d record" % len(rows)
        self.assertIn(title, text)
        self.assertEqual(text.count("request for a document\n"), 2)
        self.assertNotIn("Signature", text)
        self.assertNotIn(files.TOKEN, text)
        found = json.loads(self.ctl("probe", "files", "--json", "--all").text)
        self.assertEqual(found["document"], "file-0")
        self.assertEqual(found["records"], [json.loads(row) for row in rows])
        self.assertEqual(found["new_documents"], 9)
        sim.control(gone=[0])
        self.assertIn("its records would be a gap", self.ctl("probe", "files").text)
        self.assertFalse(self.state.exists())

    def test_control_characters(self):
        """What steers a terminal is shown as the escape that means the same."""
        rows = [{"id": "1", "at": "2026-01-01T00:00:00Z", "x": "\u009b31m\u202eabc\x7f"}]
        api = small_api.Api(lambda query, number: {"rows": rows})
        self.addCleanup(api.stop)
        self.configure(api.source("start = earliest", *small_api.WINDOW), self.file_sink())
        text = self.ctl("probe", "acme").text
        self.assertIn(r'"x":"\u009b31m\u202eabc\u007f"', text)
        self.assertFalse(set(text) & set("\u009b\u202e\x7f"))

    def test_unknown_source(self):
        self.configure(self.source("http://127.0.0.1:1"), self.file_sink())
        for arguments in (["probe", "acne"], ["cursor", "acne"], ["rewind", "acne", "--to", "now"]):
            result = self.ctl(*arguments, expect=64)
            self.assertIn("there is no source `acne`: did you mean `acme`?", result.err)

    def test_configuration_with_a_fault(self):
        simulator = self.cloudscale(60)
        self.configure(self.source(simulator.url, more="intervall = 1s"), self.file_sink())
        self.assertIn("intervall", self.ctl("probe", "acme", expect=78).err)
        self.assertEqual(simulator.stats()["requests"], 0)


class Windows(Ctl):
    SOURCE = (
        "[source other]\nprovider = custom\nrequest.url = %s/log\nrecords.at = /list\n"
        "request.query.from = ${window.start}\nrequest.query.to = ${window.end}\n"
        "request.query.page = ${page.cursor}\npage.cursor = /next\nresume.window = yes\n"
    )

    def test_gathered(self):
        """Records of an API without order come sorted; the place moves with the last page only."""
        simulator = self.cloudscale(1)
        self.configure(
            self.SOURCE % simulator.url
            + "records.order = unordered\nrecords.id = /id\nrecords.time = /at\n"
            + "start = -1h\nrecords.exclude = /id = x\n",
            self.file_sink(),
        )
        rows = [
            {"id": "%s" % name, "at": "2025-12-11T12:00:0%dZ" % second}
            for name, second in (("c", 3), ("x", 2), ("b", 2), ("b", 2), ("a", 1))
        ]
        sorted_rows = ['{"id":"%s","at":"2025-12-11T12:00:0%dZ"}' % row for row in
                       (("a", 1), ("b", 2), ("c", 3))]
        simulator.faults({"kind": "body", "json": {"list": rows, "next": "p2"}})
        text = self.ctl("probe", "other").text
        self.assertIn("new records: 3 of 5 in the response (1 excluded, 1 duplicate)", text)
        self.assertEqual(self.records(text), sorted_rows)
        self.assertEqual(
            self.records(text, "excluded by"), ['{"id":"x","at":"2025-12-11T12:00:02Z"}']
        )
        self.assertIn("The cursor would not change until the last page", text)
        simulator.faults({"kind": "body", "json": {"list": rows}})
        text = self.ctl("probe", "other").text
        self.assertEqual(self.records(text), sorted_rows)
        self.assertRegex(text, r"would be stored with these records:\n  read up to ")

    def test_nothing_to_ask_yet(self):
        """Just begun, with a lag: the minute before shows what there is to see."""
        simulator = self.cloudscale(1)
        simulator.faults({"kind": "body", "json": {"list": [{"a": 1}]}})
        self.configure(
            self.SOURCE % simulator.url + "start = now\nlag = 1h\n", self.file_sink()
        )
        text = self.ctl("probe", "other").text
        self.assertIn("the most recent minute", text)
        self.assertIn('\n  {"a":1}\n', text)
        self.assertIn("The cursor would not change: ", text)


class Secrets(Ctl):
    PASSWORD = 'pass"w\\ord/&x'
    FETCHED = "fetched-t0ken-5a5a"
    DEFINITION = """[provider]
title = Everything that can hold a secret
[parameters]
password = required secret
pin = required secret
[auth]
type = login
header = X-Pass
[login]
method = POST
url = URL/login
body = {"user": "me", "password": "${password}", "undeclared_secret": "sesame-open"}
token = /value
[request]
method = POST
url = URL/log
query.k = ${password}
query.p = ${pin}
query.signature = abcdef
header.X-Pin = ${pin}
header.X-Deep = a ${password} b
body = {"note": "with ${password} inside", "session": "abcdef"}
[records]
at = /list
[page]
url = /next
[resume]
url = /more
"""

    def test_masked_everywhere(self):
        simulator = self.cloudscale(1)
        (self.dir / "providers").mkdir()
        (self.dir / "providers" / "other.conf").write_text(
            self.DEFINITION.replace("URL", simulator.url)
        )
        self.configure(
            "[source other]\nprovider = other\nstart = earliest\npassword = %s\npin = 907\n"
            % self.PASSWORD,
            self.file_sink(),
        )
        password = urllib.parse.quote(self.PASSWORD, safe="")
        link = simulator.url + "/log?at=5&access_token=abcdef&who=" + password
        simulator.faults(
            {"path": "/login", "kind": "body", "json": {"value": self.FETCHED}},
            {
                "path": "/log",
                "kind": "body",
                "headers": {"Set-Cookie": "id=abcdef", "X-Request-Id": "r-17"},
                "json": {
                    "list": [{"echo": self.PASSWORD}, {"token": self.FETCHED, "n": 2}],
                    "more": link,
                },
            },
        )
        text = self.ctl("probe", "other").text
        for secret in (self.PASSWORD, json.dumps(self.PASSWORD)[1:-1], self.FETCHED, "abcdef",
                       "907", "sesame-open", "pass%22"):
            self.assertNotIn(secret, text)
        for shown in (
            "request for a token\n  POST %s/login\n" % simulator.url,
            '{"user":"me","password":"***","undeclared_secret":"***"}',
            "POST %s/log?k=***&p=***&signature=***\n" % simulator.url,
            "X-Pin: ***",
            "X-Deep: ***",
            "X-Pass: ***",
            '{"note":"with *** inside","session":"***"}',
            "X-Request-Id: r-17",
            '{"echo":"***"}',
            '{"token":"***","n":2}',
            "log?at=5&access_token=***&who=***\n",
        ):
            self.assertIn(shown, text)
        self.once()
        for arguments in (["cursor"], ["cursor", "other", "--json"]):
            text = self.ctl(*arguments).text
            self.assertIn("access_token=***&who=***", text)
            self.assertNotIn("abcdef", text)
            self.assertNotIn(password, text)

    def test_whatever_proves_is_masked(self):
        """Also what is too short to be known as a secret."""
        simulator = self.cloudscale(1)
        simulator.faults({"kind": "body", "json": {"list": []}})
        self.configure(
            "[source other]\nprovider = custom\nrequest.url = %s/log\nrecords.at = /list\n"
            "request.query.from = ${window.start}\nrequest.query.to = ${window.end}\n"
            "resume.window = yes\nauth.type = header\nauth.name = X-Key\nauth.value = 907\n"
            % simulator.url,
            self.file_sink(),
        )
        text = self.ctl("probe", "other").text
        self.assertEqual(simulator.log()[0]["headers"]["x-key"], "907")
        self.assertIn("X-Key: ***\n", text)
        self.assertRegex(text, r"(?m)^  window +\S+Z to \S+Z$")
        self.assertRegex(text, r"(?m)^  read up to +\S+Z$")

    def test_login_fails(self):
        simulator = self.cloudscale(1)
        (self.dir / "providers").mkdir()
        (self.dir / "providers" / "other.conf").write_text(
            self.DEFINITION.replace("URL", simulator.url)
        )
        self.configure(
            "[source other]\nprovider = other\npassword = %s\npin = 907\n" % self.PASSWORD,
            self.file_sink(),
        )
        echo = {"kind": "status", "status": 401, "json": {"wrong": self.PASSWORD}}
        simulator.faults({"path": "/login", **echo})
        result = self.ctl("probe", "other", expect=75)
        self.assertIn("response: status 401", result.text)
        self.assertNotIn("/log?", result.text)
        self.assertIn("401", result.err)
        self.assertNotIn("ord/&x", result.text + result.err)
        self.assertEqual(self.targets(simulator), ["/login"])


if __name__ == "__main__":
    harness.main()
