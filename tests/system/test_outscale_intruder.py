#!/usr/bin/python3
"""Reading the log is itself logged: only what the source's own access key did is left out."""

import json

import harness
import outscale
import test_outscale


class Intruder(test_outscale.Case):
    def test_calls_with_another_key(self):
        self.recent(300, log_calls=True, intruder=True)
        self.configure(self.source(), self.file_sink())
        self.once()
        for minutes in (10, 20):
            self.control(clock_offset=minutes * 60)
            self.once()
        records = [json.loads(line) for line in self.lines()]
        calls = [r for r in records if r["QueryCallName"] == "ReadApiLogs"]
        self.assertEqual({r["QueryAccessKey"] for r in calls}, {outscale.KEYS[1]})
        self.assertEqual(len(records) - len(calls), 300)


if __name__ == "__main__":
    harness.main()
