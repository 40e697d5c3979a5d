#!/usr/bin/python3
"""Each token of a record comes out as it was written; only white space between tokens goes."""

import harness

import cloudscale

RECORDS = (
    # (as the API writes it, as the sink must write it)
    (
        '{\n    "timestamp" : "2025-12-11T12:00:00.000001Z",\n\t"load": 20481.835938\r\n  }',
        '{"timestamp":"2025-12-11T12:00:00.000001Z","load":20481.835938}',
    ),
    ('{"n": 1e400, "m": -1E-400, "o": 0.10, "p": -0}', '{"n":1e400,"m":-1E-400,"o":0.10,"p":-0}'),
    (
        '{ "big" : 12345678901234567890 , "bigger": 123456789012345678901234567890 }',
        '{"big":12345678901234567890,"bigger":123456789012345678901234567890}',
    ),
    ('{"text": "\\u00e9\\/ \\t \\u2028"}', '{"text":"\\u00e9\\/ \\t \\u2028"}'),
    ('{"text": "é/ \u2028  two  spaces"}', '{"text":"é/ \u2028  two  spaces"}'),
    ('{"k": 1, "k": 2, "a": {"k": 3}, "k": 1}', '{"k":1,"k":2,"a":{"k":3},"k":1}'),
    ('{"emoji": "\U0001f468\u200d\U0001f680", "pair": "\\ud83d\\ude80"}',
        '{"emoji":"\U0001f468\u200d\U0001f680","pair":"\\ud83d\\ude80"}'),
    ('{"quote": "\\"a\\": [1, 2]", "back": "\\\\"}', '{"quote":"\\"a\\": [1, 2]","back":"\\\\"}'),
    ('{ }', '{}'),
    ('{"e": [ ], "o": { }, "l": [ true , false , null ]}', '{"e":[],"o":{},"l":[true,false,null]}'),
    ('{"timestamp": 17, "subject": null}', '{"timestamp":17,"subject":null}'),
    ('{"half": "\\ud800", "nul": "\\u0000"}', '{"half":"\\ud800","nul":"\\u0000"}'),
    ('{"z": 1, "a": 2, "": 3}', '{"z":1,"a":2,"":3}'),
)


class Fidelity(harness.Case):
    def run_page(self, separator, **fault):
        simulator = self.cloudscale(0)
        link = "%s/v1/project-logs?cursor=%d" % (simulator.url, 10000)
        body = (
            '%(white)s{ "next" : null,\n "poll_more":\t"%(link)s", '
            '"results" :%(white)s[ %(records)s ] , "more": {"x": [1]}}%(white)s'
        ) % {
            "white": separator,
            "link": link,
            "records": (separator + "," + separator).join(text for text, _ in RECORDS),
        }
        simulator.faults({"kind": "body", "body": body, "times": 1, **fault})
        self.configure(
            self.source(simulator.url),
            self.file_sink(),
            self.file_sink("wrapped", self.dir / "wrapped.ndjson", "format = envelope"),
        )
        self.once()
        self.assert_output("".join(line + "\n" for _, line in RECORDS).encode())
        wrapped = (self.dir / "wrapped.ndjson").read_text().split("\n")[:-1]
        self.assertEqual(len(wrapped), len(RECORDS))
        for n, (_, line) in enumerate(RECORDS):
            self.assertTrue(wrapped[n].endswith('"record":' + line + "}"), wrapped[n])

    def test_compact(self):
        self.run_page("")

    def test_pretty(self):
        self.run_page("\r\n\t    ")

    def test_compressed(self):
        self.run_page(" ", gzip=True)


if __name__ == "__main__":
    harness.main()
