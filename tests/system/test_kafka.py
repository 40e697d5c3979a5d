#!/usr/bin/python3
"""The kafka sink of the real program, against the broker of librdkafka."""

import json
import os
import subprocess

import harness

import cloudscale

RECORDS = 300


class Kafka(harness.Case):
    def setUp(self):
        super().setUp()
        self.cloud = self.cloudscale(RECORDS)
        self.lines = cloudscale.expected_lines(1, 0, RECORDS).decode().splitlines()
        self.broker = subprocess.Popen(
            [os.environ["KAFKA_BROKER"]], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.broker.communicate)
        self.address = self.broker.stdout.readline().strip()

    def configured(self, more=""):
        self.configure(
            self.source(self.cloud.url),
            "[sink bus]\ntype = kafka\nbrokers = %s\ntopic = audit\nsecurity = plaintext\n%s\n" % (self.address, more))

    def messages(self):
        self.broker.stdin.write("audit\n")
        self.broker.stdin.flush()
        found = []
        while line := self.broker.stdout.readline().rstrip("\n"):
            found.append(line)
        return found

    def test_all(self):
        self.configured()
        self.once()
        self.assertEqual(self.messages(), self.lines)
        self.once()
        self.assertEqual(self.messages(), self.lines)

    def test_max_record(self):
        """Longer records become dead letters with the reason, and are never sent."""
        sizes = sorted(len(line.encode()) for line in self.lines)
        most = sizes[RECORDS // 2]
        self.configured("max_record = %d" % most)
        result = self.once(expect=75)
        short = [line for line in self.lines if len(line.encode()) <= most]
        long = [line for line in self.lines if len(line.encode()) > most]
        self.assertGreater(len(long), 10)
        self.assertTrue(result.lines("max_record"), result.err)
        self.assertEqual(self.messages(), short)
        text = (self.state / "dead-letters" / "bus.ndjson").read_text()
        letters = [json.loads(line) for line in text.splitlines()]
        self.assertEqual([letter["record"] for letter in letters], [json.loads(x) for x in long])
        for letter, line in zip(letters, long):
            self.assertEqual(letter["reason"], "the record has %d bytes, and max_record of this "
                             "sink is %d" % (len(line.encode()), most))


if __name__ == "__main__":
    harness.main()
