#!/usr/bin/python3
"""trawld's http sink and a real VictoriaLogs, configured as docs/receivers/victorialogs.md says."""

import json
import re
import shlex
import time
import urllib.parse

from receivers import (  # first: it finds the next ones
    CACHE, Case, Child, OPENER, blocks, free_port, replaced)

import cloudscale
import harness
from harness import wait_until

PAGE = "docs/receivers/victorialogs.md"
ADDRESS = "127.0.0.1:9428"
RECORDS = 2000


class Logs(Child):
    def __init__(self):
        super().__init__("victorialogs")
        self.address = "127.0.0.1:%d" % free_port()
        self.url = "http://" + self.address

    def start(self):
        (command,) = blocks(PAGE, "sh")
        command = replaced(command, [
            (ADDRESS, self.address), ("/var/lib/victoria-logs", str(self.dir / "data"))])
        program, *arguments = shlex.split(command.replace("\\\n", " "))
        self.spawn([CACHE / "victorialogs" / program, *arguments])
        self.wait_ready(self.url + "/health")

    def query(self, text):
        """The entries that a query finds, with those that are not on disk yet."""
        data = urllib.parse.urlencode({"query": text}).encode()
        with OPENER.open(self.url + "/select/logsql/query", data) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]

    def messages(self):
        """The texts of all records; for polls, so it leaves the server time for other work."""
        time.sleep(0.1)
        return [entry["_msg"] for entry in self.query('{source="acme"}')]


class Flow(Case):
    def setUp(self):
        super().setUp()
        self.logs = Logs()
        self.addCleanup(self.logs.remove)
        self.logs.start()

    def records(self, count=RECORDS):
        # their times have to be within the retention and not in the future
        self.cloud = self.cloudscale(count, "--page-size", "50")
        self.expected = cloudscale.expected_lines(1, 0, count).decode().splitlines()

    def start(self, number=0):
        sink = blocks(PAGE, "ini")[number]
        sink = replaced(sink, [(ADDRESS, self.logs.address)])
        keys = "retry_max = 1s\nbatch_age = 100ms\nbatch_records = 100\n"
        self.configure(self.source(self.cloud.url, more="interval = 200ms"), sink + keys)

    def test_records(self):
        """Each once, byte for byte, with the record's time; members can be searched."""
        self.records()
        self.start()
        self.once()
        wait_until(lambda: len(self.logs.messages()) >= RECORDS, "all records")
        self.assert_once_each(self.logs.messages(), self.expected)
        for entry in self.logs.query('{source="acme"}'):
            then = json.loads(entry["_msg"])["timestamp"]
            self.assertEqual(entry["_time"].rstrip("Z").rstrip("0"), then.rstrip("Z").rstrip("0"))
        (query,) = blocks(PAGE, "logsql")
        found = self.logs.query(query)
        self.assertEqual(len(found), sum('"server_create"' in line for line in self.expected))
        self.assertEqual(self.dead_letters(), [])

    def test_opentelemetry(self):
        """The same by OTLP as protocol buffers, with the attributes as fields."""
        self.records()
        self.start(1)
        self.once()
        query = '"trawld.source":=acme'
        wait_until(lambda: len(self.logs.query(query)) >= RECORDS, "all records")
        found = self.logs.query(query)
        self.assert_once_each([entry["_msg"] for entry in found], self.expected)
        self.assertEqual({len(entry["trawld.record_id"]) for entry in found}, {32})
        self.assertEqual(self.dead_letters(), [])

    def test_long_record(self):
        """What it would drop with status 204 becomes a dead letter; the longest that fits arrives."""
        self.cloud = self.cloudscale(0)
        text = lambda size: '{"text":"%s"}' % ("x" * (size - 11))
        self.cloud.faults({"kind": "body", "times": 1, "body": (
            '{"next":null,"poll_more":"%s/v1/project-logs?cursor=10000","results":[%s]}'
            % (self.cloud.url, ",".join([text(250 * 1024 + 1), text(250 * 1024), '{"a":1}'])))})
        self.start()
        self.once(expect=75)
        wait_until(lambda: len(self.logs.messages()) >= 2, "two records")
        self.assert_once_each(self.logs.messages(), [text(250 * 1024), '{"a":1}'])
        self.assertEqual(len(self.dead_letters()), 1)

    def test_kills(self):
        """trawld is killed while records flow; VictoriaLogs, which loses the last seconds, when it has
        written them. Nothing is missing; what was in flight may be there twice."""
        self.records()
        self.start()
        for visible, ends in ((700, "trawld"), (1300, "logs"), (1900, "both")):
            self.cloud.control(visible=visible)
            daemon = self.daemon()
            wait_until(lambda: len(self.logs.messages()) > visible - 500, "a part", 60)
            if ends != "trawld":
                wait_until(lambda: len(set(self.logs.messages())) >= len(
                    set(self.expected[:visible])), "the rest", 60)
                wait_until(self.on_disk, "the disk")
                self.logs.kill()
            daemon.kill()
            if ends != "trawld":
                self.logs.start()
        self.cloud.control(visible=RECORDS)
        self.once()
        wait_until(lambda: set(self.logs.messages()) >= set(self.expected), "all records")
        found = self.logs.messages()
        self.assertEqual(set(found), set(self.expected))
        # a request, and one that was answered but not yet stored as such, at each of the three
        self.assertLessEqual(len(found) - len(self.expected), 3 * 200)
        self.assertEqual(self.dead_letters(), [])

    def on_disk(self):
        """No rows are in memory only."""
        with OPENER.open(self.logs.url + "/metrics") as answer:
            text = answer.read().decode()
        return re.findall(r'^vl_storage_rows\{type="storage/inmemory"\} (\d+)', text, re.M) == ["0"]

    def test_another_encoding(self):
        """OTLP as JSON, which it refuses: no record is blamed, all of them wait."""
        self.records(300)
        self.configure(
            self.source(self.cloud.url),
            "[sink far]\ntype = http\nencoding = otlp\nretry_max = 1s\n"
            "url = %s/insert/opentelemetry/v1/logs\n" % self.logs.url,
        )
        result = self.once(expect=75)
        self.assertTrue(result.lines("Use protobuf encoding"), result.err)
        self.assertEqual(self.dead_letters(), [])
        self.start()
        self.once()
        wait_until(lambda: len(self.logs.messages()) >= 300, "all records")
        self.assert_once_each(self.logs.messages(), self.expected)


if __name__ == "__main__":
    harness.main()
