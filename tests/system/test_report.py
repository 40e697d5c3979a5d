#!/usr/bin/python3
"""trawlctl report: what it says of a run with one of everything, in each form; signed, and checked as the manual says."""

import html.parser
import json
import os
import pwd
import re
import subprocess
import time

import harness
import small_api
from harness import wait_until
from papers import examples
from sealed import Sealed
from small_api import WINDOW, iso, seconds

FORMS = ("json", "md", "html")
EVIL = "<script>alert(1)</script> | `x` \u202e"
DROPPED, FILTERED, RECORDS = 4, 6, 20


class Page(html.parser.HTMLParser):
    """What is in an HTML report: elements, their classes, references to anything outside, text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.outside, self.text, self.open = [], [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes).get("class")))
        self.outside += [value for name, value in attributes if name in ("src", "href") or name.startswith("on")]
        if tag not in ("meta", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


class Report(Sealed):
    def setUp(self):
        super().setUp()
        self.events = []
        self.api = small_api.Api(lambda query, number: {"rows": small_api.within(query, self.events)})
        self.addCleanup(self.api.stop)
        self.configure(
            self.api.source(*WINDOW, "rate = off", "interval = 100ms", "start = -10m", "lag = 0s", "overlap = 5m",
                            "resume.retention = 1d", "records.exclude = /drop = yes"),
            self.file_sink(more="seal = 1s\nseal_key = ${file:%s}" % self.key),
            self.file_sink("half", self.dir / "half", "exclude = /kind = b"),
            control=self.dir / "control",
        )  # fmt: skip

    def report(self, *arguments, form="json", since="-3d", expect=0):
        """Of this moment; the time is given, so that what is reported does not move."""
        arguments = ("report", "--from", since, "--to", "now", "--format", form, *map(str, arguments))
        return self.ctl(*arguments, expect=expect).text

    def model(self, *arguments):
        return json.loads(self.report(*arguments))

    def gap(self):
        """Read, away for longer than the API keeps records, read again; acknowledged."""
        self.once()
        self.age_cursor(2, "watermark", "started")
        self.once()
        self.ctl("gaps", "--acknowledge")

    def n_sealed(self):
        lines = self.seals.read_text().split("\n")[:-1]  # the last one may be on its way
        return sum(json.loads(json.loads(line)["body"])["records"] for line in lines)

    def serve_records(self):
        """A running trawld that has read and delivered RECORDS."""
        begin = time.time() - 60
        self.events = [
            {"id": "r%d" % i, "at": iso(begin + i), "drop": "yes" if i < DROPPED else "no",
             "kind": "b" if i >= RECORDS - FILTERED else "a"}
            for i in range(RECORDS)
        ]  # fmt: skip
        daemon = self.daemon()
        wait_until((self.dir / "control").exists, "the control socket")
        wait_until(lambda: (self.dir / "half").exists() and self.seals.exists(), "files and seals")
        wait_until(lambda: self.n_sealed() == RECORDS - DROPPED, "seals")
        wait_until(lambda: (self.dir / "half").read_bytes().count(b"\n") == RECORDS - DROPPED - FILTERED, "the other sink")
        return daemon

    def test_everything(self):
        self.gap()
        daemon = self.serve_records()
        found = self.model("--seal-key", self.public, self.out)
        (source,), sinks = found["sources"], {sink["name"]: sink for sink in found["sinks"]}
        counters = source["counters"]
        self.assertEqual((counters["records"], counters["late"], counters["vanished"]), (RECORDS - DROPPED, 0, 0))
        self.assertGreaterEqual(counters["excluded"], DROPPED)
        self.assertEqual((source["exclude"], sinks["half"]["exclude"]), ("/drop = yes", "/kind = b"))
        self.assertEqual((source["configured"], source["provider"]), (True, "custom"))
        self.assertEqual(sinks["half"]["counters"]["filtered"], FILTERED)
        self.assertEqual(sinks["archive"]["counters"]["delivered"], RECORDS - DROPPED)
        self.assertEqual({sink["acknowledged"] for sink in found["sinks"]}, {found["last_batch"]})
        self.assertEqual((found["archives"]["result"], found["archives"]["sealed"]), ("good", RECORDS - DROPPED))
        (act,) = [event for event in found["events"] if "by" in event]
        self.assertEqual(act["kind"], "acknowledge-gaps")
        self.assertIn("start", [event["kind"] for event in found["events"]])
        (counted,) = [text for text in found["not_proven"] if found["counted_since"] in text]
        self.assertIn("numbers of records", counted)
        self.assertTrue(any(text.startswith("Of the archives: ") for text in found["not_proven"]))
        # without it: what it counts is not known
        daemon.stop()
        found = self.model("--source", "acme")
        self.assert_coverage(found, found["sources"][0]["coverage"])  # which no longer grows
        self.assertIsNone(found["sources"][0]["counters"])
        self.assertIsNone(found["counted_since"])
        self.assertTrue(any("no running trawld answered" in text for text in found["not_proven"]))
        self.assertIn("not known", self.report(form="md"))

    def assert_coverage(self, found, coverage):
        """Percent and gaps are what the ledger says, as trawlctl coverage tells it."""
        begin, end = seconds(found["from"]), seconds(found["to"])
        rows = [json.loads(line) for line in self.ctl("coverage", "--json", expect=1).text.splitlines()]
        inside = lambda row: max(0, min(end, seconds(row["end"])) - max(begin, seconds(row["start"])))
        read = sum(inside(row) for row in rows if row["state"] != "gap")
        self.assertAlmostEqual(coverage["read_seconds"], read, delta=0.01)
        self.assertAlmostEqual(coverage["percent"], 100 * read / (end - begin), delta=0.001)
        self.assertLess(coverage["percent"], 34)
        whole = coverage["read_seconds"] + coverage["gap_seconds"] + coverage["unknown_seconds"]
        self.assertAlmostEqual(whole, end - begin, delta=0.01)
        gaps = [row for row in rows if row["state"] == "gap"]
        self.assertEqual([(gap["start"], gap["end"], gap["reason"]) for gap in coverage["gaps"]],
                         [(gap["start"], gap["end"], gap["reason"]) for gap in gaps])  # fmt: skip
        user = pwd.getpwuid(os.getuid()).pw_name
        self.assertEqual({gap["acknowledged_by"] for gap in coverage["gaps"]}, {user} if not gaps[1:] else {user, None})

    def test_forms(self):
        """HTML that needs nothing else and Markdown say what the model says, and markup in a name is no markup."""
        self.gap()
        letters = self.state / "dead-letters"
        letters.mkdir(exist_ok=True)
        letter = {"time": iso(time.time() - 5), "sink": "half", "provider": "custom", "key": "00" * 16, "source": "acme",
                  "reason": EVIL, "record": {}}  # fmt: skip
        old = {**letter, "time": iso(time.time() - 9 * 86400)}
        (letters / "half.ndjson").write_text("".join(json.dumps(one) + "\n" for one in (letter, old, letter)))
        found = self.model()
        sinks = {sink["name"]: sink for sink in found["sinks"]}
        self.assertEqual(sinks["half"]["dead_letters"], {"records": 2, "reasons": {EVIL: 2}})
        page = Page(self.report(form="html"))
        self.assertEqual((page.open, page.outside), ([], []))
        self.assertNotIn("script", [tag for tag, _ in page.tags])
        self.assertIn(("i", "seen"), page.tags)
        self.assertIn(("i", "read"), page.tags)
        self.assertIn(EVIL, page.text)
        text = self.report(form="md")
        self.assertNotIn("<script>", text)
        for phrase in ("retention", "Not proven", "acknowledge", found["sources"][0]["coverage"]["gaps"][0]["start"]):
            self.assertIn(phrase, page.text)
            self.assertIn(phrase, text)

    def test_dead_letters_that_are_easily_missed(self):
        """Those of a sink that is no longer configured, and lines that cannot be read, are counted."""
        self.once()
        letters = self.state / "dead-letters"
        letters.mkdir(exist_ok=True)
        letter = {"time": iso(time.time() - 5), "sink": "gone", "source": "acme", "reason": "no", "record": {}}
        (letters / "gone.ndjson").write_text(json.dumps(letter) + "\n")
        (letters / "half.ndjson").write_text(json.dumps(letter) + "\n\n" + json.dumps(letter)[:-9] + "\n")
        sinks = {sink["name"]: sink for sink in self.model()["sinks"]}
        self.assertEqual({name: sink["configured"] for name, sink in sinks.items()},
                         {"archive": True, "half": True, "gone": False})  # fmt: skip
        self.assertEqual(sinks["gone"]["dead_letters"], {"records": 1, "reasons": {"no": 1}})
        self.assertEqual(sinks["half"]["dead_letters"], {
            "records": 2, "reasons": {"no": 1, "(a line that is not a dead letter)": 1}})  # fmt: skip
        self.assertIn("no longer", self.report(form="md"))

    def test_signed(self):
        """A signed report checks out with trawlctl and with openssl, and no longer once a byte is another one."""
        self.once()
        other, stranger = self.make_key("other")
        for form in FORMS:
            path = self.dir / ("report." + form)
            path.write_text(self.report("--key", self.key, form=form))
            check = ("report", "--check", "--key")
            text = self.ctl(*check, str(self.public), str(path)).text
            self.assertRegex(text, r"unchanged, signed with the key [0-9a-f]{64}\n$")
            self.assertIn("not signed with a given key", self.ctl(*check, str(stranger), str(path), expect=1).text)
            self.openssl(form, path)
            whole = path.read_bytes()
            at = whole.index(b"acme")
            for changed in (whole[:at] + b"b" + whole[at + 1 :], whole[:-9], whole + b"more\n", b"", whole[:40]):
                path.write_bytes(changed)
                self.ctl(*check, str(self.public), str(path), expect=1)
        signed = json.loads(self.model("--key", self.key)["body"])
        self.assertTrue(any("signature shows who made it" in text for text in signed["not_proven"]))
        self.assertIn("it is not signed (--key)", self.report(form="md"))

    def openssl(self, form, path):
        """As the manual says."""
        (command,) = examples("man/trawlctl.1", "head -n -1 report.html")
        (of_json,) = examples("man/trawlctl.1", "jq -j .body report.json")
        lines = command.replace("report.html", path.name).splitlines()
        if form == "json":
            lines[:2] = of_json.splitlines()
        done = subprocess.run(["sh", "-ec", "\n".join(lines)], cwd=self.dir, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_bad_arguments(self):
        self.once()
        for arguments in (
            ("--from", "-1d", "--format", "md"), ("--to", "now", "--format", "md"), ("--from", "-1d", "--to", "now"),
            ("--from", "-1d", "--to", "-2d", "--format", "md"), ("--from", "-1d", "--to", "now", "--format", "pdf"),
            ("--from", "earliest", "--to", "now", "--format", "md"), ("--check", str(self.out)),
            ("--from", "-1d", "--to", "now", "--format", "md", "--source", "nobody"),
            ("--from", "-1d", "--to", "now", "--format", "md", "--key", str(self.public)),
        ):  # fmt: skip
            self.ctl("report", *arguments, expect=64)
        none = str(self.dir / "none")
        self.ctl("report", "--check", "--key", str(self.public), none, expect=75)
        self.ctl("report", "--from", "-1d", "--to", "now", "--format", "md", "--key", none, expect=75)


if __name__ == "__main__":
    harness.main()
