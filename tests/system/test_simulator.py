#!/usr/bin/python3
"""The simulator is as strict as the other tests rely on, and does the faults it promises."""

import email.utils
import gzip
import http.client
import json
import time

import harness
from harness import TOKEN

import cloudscale

PATH = "/v1/project-logs"


class Simulator(harness.Case):
    def begin(self, *arguments):
        self.sim = self.cloudscale(2000, "--page-size", "300", *arguments)

    def get(self, target, token=TOKEN, method="GET", body=None, **headers):
        """(status, headers, body); the connection's end before the body's raises."""
        port = int(self.sim.url.rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.addCleanup(connection.close)
        if token:
            headers["Authorization"] = "Bearer " + token
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def test_strictness(self):
        self.begin()
        good = self.get(PATH)
        self.assertEqual(good[0], 200)
        link = json.loads(good[2])["next"][len(self.sim.url) :]
        start = PATH + "?start=2025-12-11T12:00:00"
        cases = (
            (200, link, {}),
            (200, start + "Z", {}),
            (200, start + ".000001%2B02%3A00", {}),
            (400, start + "+02:00", {}),
            (400, start, {}),
            (400, PATH + "?start=", {}),
            (400, PATH + "?cursor=10004", {}),
            (400, PATH + "?cursor=x", {}),
            (400, link + "&start=2025-12-11T12:00:00Z", {}),
            (400, link + link[len(PATH) :].replace("?", "&"), {}),
            (400, PATH + "?limit=10", {}),
            (400, PATH + "?start", {}),
            (400, PATH + "?start=%zz", {}),
            (400, PATH, {"body": b"{}"}),
            (401, PATH, {"token": None}),
            (401, PATH, {"token": TOKEN + "x"}),
            (404, PATH + "/", {}),
            (405, PATH, {"method": "POST", "body": b""}),
            (406, PATH, {"Accept": "text/html"}),
        )
        for at, (status, target, how) in enumerate(cases):
            found = self.get(target, **how)
            self.assertEqual(found[0], status, "case %d: %s: %r" % (at, target, found[2]))

    def test_chain(self):
        """All pages together are the records that can be computed, for any first time."""
        self.begin()
        times = [cloudscale.timestamp_us(1, n) for n in range(2000)]
        for edge in (None, sorted(times)[1200]):
            target, found = PATH, []
            if edge:
                target += "?start=" + cloudscale.simlib.iso(edge)
            while target:
                page = json.loads(self.get(target)[2])
                found += page["results"]
                self.assertIn(page["next"], (None, page["poll_more"]))
                target = page["next"] and page["next"][len(self.sim.url) :]
            wanted = [n for n in range(2000) if not edge or times[n] >= edge]
            self.assertEqual(found, [cloudscale.record(1, n) for n in wanted])

    def test_faults(self):
        self.begin()
        whole = self.get(PATH)[2]
        self.sim.faults({"kind": "truncate", "bytes": 10})
        self.assertEqual(self.get(PATH)[2], whole[:10])
        self.sim.faults({"kind": "cut", "bytes": 10})
        with self.assertRaises(http.client.IncompleteRead):
            self.get(PATH)
        self.sim.faults({"kind": "reset", "bytes": 10})
        with self.assertRaises((ConnectionResetError, http.client.IncompleteRead)):
            self.get(PATH)
        self.sim.faults({"kind": "close"})
        with self.assertRaises(http.client.RemoteDisconnected):
            self.get(PATH)
        self.sim.faults({"kind": "slow", "chunk": 30000, "seconds": 0.01})
        self.assertEqual(self.get(PATH)[2], whole)
        self.sim.faults({"kind": "html"})
        self.assertEqual(self.get(PATH)[1]["Content-Type"], "text/html; charset=utf-8")
        self.sim.faults({"kind": "status", "status": 429, "retry_after": 7})
        self.assertEqual(self.get(PATH)[1]["Retry-After"], "7")
        self.sim.faults({"kind": "status", "status": 503, "retry_after_date": 60})
        status, headers, _ = self.get(PATH)
        date = email.utils.parsedate_to_datetime(headers["Retry-After"]).timestamp()
        self.assertEqual(status, 503)
        self.assertLess(abs(date - time.time() - 60), 30)
        self.sim.faults({"kind": "body", "repeat": ["[", "1,", 3, "1]"]})
        self.assertEqual(self.get(PATH)[2], b"[1,1,1,1]")
        self.sim.faults()
        self.assertEqual(self.get(PATH)[2], whole)

    def test_which_requests(self):
        self.begin()
        self.sim.faults(
            {"kind": "status", "at": [2, 3]},
            {"kind": "status", "status": 502, "times": 1},
            {"kind": "status", "status": 504, "target": "*cursor*"},
        )
        found = [self.get(PATH)[0] for _ in range(4)]
        self.assertEqual(found, [502, 500, 500, 200])
        self.assertEqual(self.get(PATH + "?cursor=1")[0], 504)
        self.assertEqual(self.sim.stats()["faults"], 4)
        self.assertEqual([entry["status"] for entry in self.sim.log()], [502, 500, 500, 200, 504])

    def test_gzip_and_clock(self):
        self.begin("--gzip")
        self.sim.control(clock_offset=-86400)
        _, headers, body = self.get(PATH, **{"Accept-Encoding": "gzip, br"})
        self.assertEqual(headers["Content-Encoding"], "gzip")
        self.assertEqual(len(json.loads(gzip.decompress(body))["results"]), 300)
        date = email.utils.parsedate_to_datetime(headers["Date"]).timestamp()
        self.assertLess(abs(date - time.time() + 86400), 30)
        self.assertIsNone(self.get(PATH)[1]["Content-Encoding"])


if __name__ == "__main__":
    harness.main()
