"""What the tests of hostile records share: the source of them, and what must come of each."""

import json

import harness

import hostile

LARGE = 30 << 20


class Hostile(harness.Case):
    def begin(self, *sinks, size=0):
        self.expected = hostile.records()
        if size:
            self.expected.append(hostile.large(size))
        api = self.simulator("--large", str(size), name="hostile")
        source = (
            "[source acme]\nprovider = custom\nrequest.url = %s/records\nrate = off\n"
            "request.query.page = ${page.cursor}\npage.cursor = /next\nstart = -1h\n"
            "request.query.since = ${window.start}\nresume.window = yes\n"
            "records.at = /records\nrecords.id = /id\nrecords.time = /at\n" % api.url
        )
        self.configure(source, *sinks)

    def assert_texts(self, found, expected=None):
        expected = self.expected if expected is None else expected
        for number, (text, wanted) in enumerate(zip(found, expected)):
            if text != wanted:
                at = next((i for i, (a, b) in enumerate(zip(text, wanted)) if a != b), -1)
                at = min(len(text), len(wanted)) if at < 0 else at
                near = slice(max(at - 40, 0), at + 40)
                self.fail("record %d at %d: %r, not %r" % (number, at, text[near], wanted[near]))
        self.assertEqual(len(found), len(expected))

    def dead_letters(self, sink="far"):
        path = self.state / "dead-letters" / (sink + ".ndjson")
        text = path.read_bytes().decode() if path.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1]]
