#!/usr/bin/python3
"""trawlctl against the simulator: all but rewind change nothing (probe: test_probe.py)."""

import json
import re
import subprocess

import harness

import cloudscale

PATH = "/v1/project-logs"
QUIET = "interval = 1h\n"


class CommandLine(harness.Case):
    def test_help_and_version(self):
        result = self.ctl("--help")
        for word in ("check", "providers", "probe", "cursor", "rewind", "--to", "--json"):
            self.assertIn(word, result.text)
        self.assertEqual(self.ctl("help").text, result.text)
        bare = subprocess.run([harness.TRAWLCTL], stdout=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual((bare.returncode, bare.stdout), (0, result.text))
        self.assertRegex(self.ctl("--version").text, r"^trawlctl \d+\.\d+\.\d+\n$")

    def test_usage(self):
        for arguments in (
            ["--nonsense"],
            ["nonsense"],
            ["check", "extra"],
            ["probe"],
            ["probe", "a", "b"],
            ["probe", "a", "--watch"],
            ["rewind", "a"],
            ["rewind", "--to", "now"],
            ["cursor", "a", "--to", "now"],
            ["cursor", "--all"],
            ["cursor", "--watch"],
            ["status", "a", "b"],
            ["status", "--all"],
            ["reload", "a"],
            ["poll", "a", "b"],
        ):
            with self.subTest(arguments=arguments):
                result = self.ctl(*arguments, expect=64)
                self.assertEqual(result.text, "")
                self.assertIn("usage: trawlctl", result.err)
        self.assertIn("did you mean `probe`?", self.ctl("prob", "x", expect=64).err)

    def test_full_output(self):
        """An answer that cannot be written whole is no success."""
        self.configure(self.source("http://127.0.0.1:1"), self.file_sink())
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [harness.TRAWLCTL, "-c", str(self.conf), "check"],
                stdout=full,
                stderr=subprocess.PIPE,
                timeout=60 * harness.PATIENCE,
            )
        self.assertEqual(done.returncode, 75)
        self.assertIn(b"cannot write", done.stderr)

    def test_check(self):
        self.configure(self.source("http://127.0.0.1:1"), self.file_sink())
        self.assertIn("fine, 1 source, 1 sink", self.ctl("check").text)
        self.configure(self.source("http://127.0.0.1:1", more="intervall = 5s"), self.file_sink())
        result = self.ctl("check", expect=78)
        self.assertRegex(result.err, r"trawld\.conf:\d+: .*`intervall`.*`interval`")
        self.assertFalse(self.state.exists())


class Providers(harness.Case):
    DEFINITION = """[provider]
title = The other log
[parameters]
region = default west
key = required secret
user = optional
[auth]
type = header
name = X-Key
value = ${key}
[request]
method = POST
url = https://${region}.example/log
body = {"from": "${window.start}", "to": "${window.end}", "page": "${page.number}",
  "size": "${page.size}"}
[records]
at = /list
id = /a, /b
time = /at
exclude = /kind = read
[page]
number = yes
size = 50
[resume]
window = yes
overlap = 20m
lag = 90s
retention = 30d
[limits]
rate = 5/s
"""

    def setUp(self):
        super().setUp()
        self.folder = self.dir / "providers"
        self.folder.mkdir()
        self.configure(self.source("http://127.0.0.1:1"), self.file_sink())

    def test_list(self):
        (self.folder / "other.conf").write_text(self.DEFINITION)
        text = self.ctl("providers").text
        self.assertRegex(
            text,
            r"(?m)^cloudscale +cloudscale\.ch project audit log  \(confidence: high\)\n"
            r" +token +required, secret$",
        )
        self.assertRegex(
            text,
            r"(?m)^other +The other log\n +region +optional, default west\n"
            r" +key +required, secret\n +user +optional$",
        )
        self.assertRegex(text, r"(?m)^custom ")

    def test_one(self):
        (self.folder / "other.conf").write_text(self.DEFINITION)
        text = self.ctl("providers", "other").text
        for line in (
            r"title +The other log",
            r"definition +%s" % re.escape(str(self.folder / "other.conf")),
            r"request +POST https://\$\{region\}\.example/log",
            r"credential +header",
            r"records +the array at /list",
            r"record ID +/a, /b",
            r"record time +/at",
            r"exclude +/kind = read",
            r"next page +by number",
            r"page size +50",
            r"next poll +by time window up to 1m30s ago, in slices of at most 30d",
            r"overlap +20m",
            r"retention +30d",
            r"rate limit +5 requests per 1s",
            r" +region +optional, default west",
        ):
            self.assertRegex(text, "(?m)^%s$" % line)
        self.assertIn("custom", self.ctl("providers", "custom").text)

    def test_without_configuration(self):
        """Before there is a configuration people look what they can configure."""
        result = self.trawld("providers", program=harness.TRAWLCTL)
        self.assertEqual(result.code, 0, result.err)
        self.assertIn(b"custom", result.out)
        # in a build tree, those of its source tree
        self.assertIn(b"cloudscale.ch", result.out)
        self.assertRegex(result.out, rb"looked for in [^)]*/conf/providers,")
        result = self.trawld("-c", "/nonexistent", "providers", program=harness.TRAWLCTL)
        self.assertEqual(result.code, 78)
        self.assertIn("/nonexistent", result.err)

    def test_faults(self):
        path = self.folder / "other.conf"
        path.write_text(self.DEFINITION.replace("overlap = 20m", "overlapp = 20m"))
        line = self.DEFINITION.split("\n").index("overlap = 20m") + 1
        for arguments in (["providers"], ["providers", "other"]):
            text = self.ctl(*arguments, expect=78).text
            self.assertIn("The other log", text)
            self.assertRegex(text, r"(?m)^ +key +required, secret$")
            self.assertRegex(text, "(?m)^%s:%d: .*`overlapp`" % (re.escape(str(path)), line))
        self.assertIn("cloudscale.ch", self.ctl("providers", expect=78).text)
        self.ctl("providers", "cloudscale")

    def test_unknown(self):
        result = self.ctl("providers", "cloudscal", expect=64)
        self.assertIn("did you mean `cloudscale`?", result.err)


class Cursor(harness.Case):
    def test_readable_and_json(self):
        simulator = self.cloudscale(60)
        self.configure(
            self.source(simulator.url),
            self.source(simulator.url, "later"),
            self.file_sink(),
        )
        self.assertIn("starts from start = earliest", self.ctl("cursor", "acme").text)
        none = json.loads(self.ctl("cursor", "acme", "--json").text)
        self.assertEqual(
            none, {"source": "acme", "updated": None, "cursor": None, "start": "earliest"}
        )
        self.assertFalse(self.state.exists())
        self.once()
        text = self.ctl("cursor", "acme").text
        link = r"%s%s\?cursor=\d+" % (re.escape(simulator.url), PATH)
        self.assertRegex(text, r"(?m)^  next request +the API's link %s$" % link)
        self.assertRegex(text, r"(?m)^  newest record +2025-12-11T12:00:\d\d\.\d+Z$")
        self.assertRegex(text, r"(?m)^  saved at +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        row = json.loads(self.ctl("cursor", "acme", "--json").text)
        self.assertEqual(row["source"], "acme")
        self.assertRegex(row["updated"], r"^\d{4}-\d\d-\d\dT")
        self.assertRegex(row["cursor"]["resume"], "^%s$" % link)
        self.assertTrue(row["cursor"]["exact"])
        rows = [json.loads(line) for line in self.ctl("cursor", "--json").text.splitlines()]
        self.assertEqual([row["source"] for row in rows], ["acme", "later"])

    def test_source_that_is_gone(self):
        simulator = self.cloudscale(60)
        self.configure(self.source(simulator.url), self.file_sink())
        self.once()
        self.configure(self.source(simulator.url, "other"), self.file_sink())
        self.assertIn("source acme (no longer configured)", self.ctl("cursor").text)
        self.ctl("cursor", "acme")
        self.assertIn("`acme`", self.ctl("cursor", "acne", expect=64).err)

    def test_credential_of_the_daemon_alone(self):
        """Whoever may read the state may look, though only the service has the credentials."""
        simulator = self.cloudscale(60)
        self.configure(self.source(simulator.url), self.file_sink())
        self.once()
        self.configure(self.source(simulator.url, token="${credential:acme}"), self.file_sink())
        self.assertIn("next request", self.ctl("cursor", "acme").text)
        self.ctl("probe", "acme", expect=78)

    def test_damaged_place(self):
        simulator = self.cloudscale(60)
        self.configure(self.source(simulator.url), self.file_sink())
        self.once()
        database = harness.sqlite3.connect(self.state / "trawld.db")
        database.execute("UPDATE sources SET cursor = '{\"version\":99}'")
        database.commit()
        database.close()
        for arguments in (["cursor"], ["probe", "acme"], ["rewind", "acme", "--to", "now"]):
            self.assertIn("cannot be read", self.ctl(*arguments, expect=73).err)


class Rewind(harness.Case):
    def test_known_records_are_not_repeated(self):
        simulator = self.cloudscale(300)
        self.configure(self.source(simulator.url), self.file_sink())
        self.once()
        result = self.ctl("rewind", "acme", "--to", "earliest")
        self.assertIn("the next poll starts at the earliest record", result.text)
        self.assertIn("starts from", self.ctl("cursor", "acme").text)
        self.assertIn("100 duplicates", self.ctl("probe", "acme").text)
        simulator.control(reset_numbers=True)
        self.once()
        self.assertEqual(simulator.log()[0]["target"], PATH)
        self.assert_output(cloudscale.expected_lines(1, 0, 300))

    def test_to_a_time(self):
        """What was missed is read, what is known is not repeated, and no more is asked."""
        simulator = self.cloudscale(300)
        simulator.control(visible=100)
        self.configure(self.source(simulator.url), self.file_sink())
        self.once()
        simulator.control(visible=300)
        self.ctl("rewind", "acme", "--to", "now")
        self.once()
        self.assert_output(cloudscale.expected_lines(1, 0, 100))
        simulator.control(reset_numbers=True)
        self.ctl("rewind", "acme", "--to", "2025-12-11T12:00:30+00:00")
        self.once()
        self.assertRegex(simulator.log()[0]["target"], r"\?start=2025-12-11T12%3A00%3A30")
        since = cloudscale.simlib.iso_parse("2025-12-11T12:00:30Z")
        late = [n for n in range(300) if cloudscale.timestamp_us(1, n) >= since]
        self.assertTrue(late[0] < 100 and len(late) < 299)
        expected = [cloudscale.record_line(1, n) + b"\n" for n in late if n >= 100]
        self.assert_output(cloudscale.expected_lines(1, 0, 100) + b"".join(expected))

    def test_forward_says_what_is_left_out(self):
        simulator = self.cloudscale(60)
        self.configure(self.source(simulator.url), self.file_sink())
        self.once()
        for to in ("-1h", "-1m", "now"):
            self.assertIn("are skipped", self.ctl("rewind", "acme", "--to", to).text)

    def test_previous(self):
        """The old cursor is printed, and restored by another rewind."""
        simulator = self.cloudscale(60)
        self.configure(self.source(simulator.url), self.file_sink())
        self.once()
        before = json.loads(self.ctl("cursor", "acme", "--json").text)["cursor"]
        self.assertIn("not rewound yet", self.ctl("rewind", "acme", "--to", "previous", expect=64).err)
        text = self.ctl("rewind", "acme", "--to", "earliest").text
        self.assertIn("The old cursor was:", text)
        self.assertIn("next request", text.split("The old cursor was:")[1])
        self.assertIn("`trawlctl rewind acme --to previous` restores it", text)
        rewound = json.loads(self.ctl("cursor", "acme", "--json").text)["cursor"]
        self.assertNotEqual(rewound, before)
        self.assertIn("would be restored", self.ctl("rewind", "acme", "--to", "previous", "--dry-run").text)
        self.ctl("rewind", "acme", "--to", "previous")
        self.assertEqual(json.loads(self.ctl("cursor", "acme", "--json").text)["cursor"], before)
        self.ctl("rewind", "acme", "--to", "previous")
        self.assertEqual(json.loads(self.ctl("cursor", "acme", "--json").text)["cursor"], rewound)

    def test_dry_run(self):
        """It says how many records are duplicates, changes nothing, and may run beside trawld."""
        simulator = self.cloudscale(60)
        self.configure(self.source(simulator.url, more=QUIET), self.file_sink())
        daemon = self.daemon()
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 60)))
        before = self.ctl("cursor", "acme", "--json").text
        text = self.ctl("rewind", "acme", "--to", "earliest", "--dry-run").text
        self.assertIn("would start at the earliest record", text)
        self.assertIn("60 records read since then are in the dedupe window", text)
        self.assertIn("Nothing was changed", text)
        self.assertEqual(self.ctl("cursor", "acme", "--json").text, before)
        self.assertEqual(daemon.stop(), 0)

    def test_beside_a_daemon(self):
        """A running trawld does it: records that it has no keys of are read, the others are not repeated, the old cursor
        comes back."""
        simulator = self.cloudscale(300)
        simulator.control(visible=100)
        self.configure(self.source(simulator.url, more=QUIET), self.file_sink(), control=self.dir / "control")
        daemon = self.daemon()
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 100)))
        self.wait_acknowledged()
        before = json.loads(self.ctl("cursor", "acme", "--json").text)["cursor"]
        self.assertIn("would start", self.ctl("rewind", "acme", "--to", "earliest", "--dry-run").text)
        self.assertEqual(json.loads(self.ctl("cursor", "acme", "--json").text)["cursor"], before)
        self.assertIn("not rewound yet", self.ctl("rewind", "acme", "--to", "previous", expect=64).err)
        self.assertIn("is not a time", self.ctl("rewind", "acme", "--to", "yesterday", expect=64).err)
        self.assertIn("no source `acne`", self.ctl("rewind", "acne", "--to", "now", expect=64).err)
        simulator.control(visible=300)
        mark = daemon.mark()
        text = self.ctl("rewind", "acme", "--to", "earliest").text
        self.assertIn("the next poll starts at the earliest record", text)
        self.assertIn("100 records read since then are in the dedupe window", text)
        daemon.wait_log("rewound to earliest by", mark)
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 300)))
        self.assert_output(cloudscale.expected_lines(1, 0, 300))
        self.wait_acknowledged()
        after = json.loads(self.ctl("cursor", "acme", "--json").text)["cursor"]
        self.ctl("pause", "acme")
        self.ctl("rewind", "acme", "--to", "previous")
        self.assertEqual(json.loads(self.ctl("cursor", "acme", "--json").text)["cursor"], before)
        self.ctl("rewind", "acme", "--to", "previous")
        self.assertEqual(json.loads(self.ctl("cursor", "acme", "--json").text)["cursor"], after)
        self.assertEqual(json.loads(self.ctl("status", "acme", "--json").text)["sources"][0]["state"], "paused")
        self.assertEqual(daemon.stop(), 0)
        events = [line for line in self.ctl("events").text.splitlines() if " rewind " in line]
        self.assertEqual(len(events), 3)
        self.assert_output(cloudscale.expected_lines(1, 0, 300))

    def test_refused_while_a_daemon_runs(self):
        simulator = self.cloudscale(60)
        self.configure(self.source(simulator.url, more=QUIET), self.file_sink())
        daemon = self.daemon()
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 60)))
        before = self.ctl("cursor", "acme", "--json").text
        result = self.ctl("rewind", "acme", "--to", "earliest", expect=75)
        self.assertIn("PID %d" % daemon.pid, result.err)
        self.assertIn("nothing was changed", result.err)
        self.assertEqual(self.ctl("cursor", "acme", "--json").text, before)
        self.assertEqual(daemon.stop(), 0)
        self.ctl("rewind", "acme", "--to", "earliest")

    def test_without_state(self):
        """A state is the daemon's to make: root's would be of no use to it."""
        self.configure(self.source("http://127.0.0.1:1"), self.file_sink())
        result = self.ctl("rewind", "acme", "--to", "-1h", expect=73)
        self.assertIn("start = earliest", result.err)
        self.assertFalse(self.state.exists())

    def test_source_without_a_place(self):
        simulator = self.cloudscale(60)
        self.configure(self.source(simulator.url), self.file_sink())
        self.once()
        self.configure(
            self.source(simulator.url), self.source(simulator.url, "new"), self.file_sink()
        )
        self.ctl("rewind", "new", "--to", "2026-01-01T00:00:00Z")
        self.assertIn("2026-01-01T00:00:00Z", self.ctl("cursor", "new").text)

    def test_times(self):
        self.configure(self.source("http://127.0.0.1:1"), self.file_sink())
        for to, says in (
            ("yesterday", "is not a time"),
            ("", "is not a time"),
            ("2200-01-01T00:00:00Z", "future"),
        ):
            self.assertIn(says, self.ctl("rewind", "acme", "--to", to, expect=64).err)


if __name__ == "__main__":
    harness.main()
