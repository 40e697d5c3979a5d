#!/usr/bin/python3
"""/status?name=: what the page shows of one source or sink, without what the API gave as a cursor."""

import json
import re

import harness
from harness import wait_until

from listen_http import ask
from small_api import Api

SECRETIVE = "eyJhIjoiY3Vyc29yIn0" * 4


class Detail(harness.Case):
    def begin(self):
        api = Api(lambda query, number: {"rows": [{"id": "1"}], "next": SECRETIVE})
        self.addCleanup(api.stop)
        self.configure(
            api.source(
                "request.query.cursor = ${resume.cursor}",
                "request.query.limit = ${page.size}",
                "resume.cursor = /next",
                "page.end = short",
                "page.size = 10",
                "rate = off",
                "interval = 1h",
            ),
            self.file_sink(),
            listen="127.0.0.1:0",
        )
        running = self.daemon()
        line = running.wait_log("status and metrics at")
        self.port = int(re.search(r":(\d+)/$", line)[1])
        self.wait_size(self.out, 1)

    def detail(self, kind, name):
        found = ask(self.port, "/status?name=" + name).json()
        self.assertEqual([len(found[k]) for k in ("sources", "sinks")], [kind == "sources", kind == "sinks"])
        return found[kind][0]["detail"]

    def test_source_and_sink(self):
        self.begin()
        wait_until(lambda: "resume" in (self.detail("sources", "acme")["cursor"] or ()), "the cursor")
        text = ask(self.port, "/status?name=acme").text
        self.assertNotIn(SECRETIVE, text)
        source = json.loads(text)["sources"][0]["detail"]
        self.assertIsInstance(source["cursor"]["resume"], int)
        self.assertEqual((source["gaps"], source["sinks"]), ([], ["archive"]))
        self.assertTrue(source["log"])
        self.assertEqual(self.detail("sinks", "archive")["sources"], ["acme"])
        for name in ("nobody", "", "%00", "a" * 4000):
            found = ask(self.port, "/status?name=" + name).json()
            self.assertEqual((found["sources"], found["sinks"]), ([], []), name)
        for source in ask(self.port, "/status").json()["sources"]:
            self.assertNotIn("detail", source)


if __name__ == "__main__":
    harness.main()
