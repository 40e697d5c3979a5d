#!/usr/bin/python3
"""The ovhcloud definition at an endpoint that loses the cursor on the third page, again and again."""

import collections
import time

import harness
from test_ovhcloud import DAY, Case


class Lost(Case):
    def assert_paced(self, simulator, result, pause):
        """Only the first loss of a cursor in a window, which is told, is followed by a request at once."""
        log = simulator.log()
        self.assertEqual({entry["status"] for entry in log}, {200, 400})
        lost = [n for n, entry in enumerate(log[:-1]) if entry["status"] == 400]
        at_once = [n for n in lost if log[n + 1]["at"] - log[n]["at"] < pause]
        self.assertGreater(len(lost), 3)
        self.assertLessEqual(len(at_once), len(result.lines("the stored cursor is lost; ")))

    def test_lost_again_and_again(self):
        """The third page of every window is lost: windows become so small that two pages are enough."""
        now = time.time()
        simulator = self.ldp(3000, now - DAY, now - 120)
        simulator.control(lose_from=3)
        self.setup_source(simulator.url, "page_size = 20")
        result = self.once()
        self.assertTrue(result.lines("lost again before the last page; requesting smaller windows"))
        self.assert_paced(simulator, result, 0.049)
        self.assert_all()
        self.assertEqual(result.lines("gap: "), [])

    def test_lost_in_the_smallest_window(self):
        """600 records in 20 ms and 7 to a page: no window is small enough. A single run ends."""
        last = int(time.time()) - 3600
        simulator = self.ldp(600, last, last + 0.02)
        simulator.control(lose_from=3)
        self.setup_source(simulator.url, "page_size = 7", start="-2h")
        result = self.once(75)
        (end,) = result.lines(" gave up: ")
        self.assertRegex(end, "; the last error: HTTP 400 .*the cursor was lost again")
        self.assert_paced(simulator, result, 0.049)
        self.assertLess(simulator.stats()["requests"], 100)
        self.assertFalse(collections.Counter(self.found()) - self.lines())
        simulator.control(lose_from=0)
        self.once()
        self.assert_all()


if __name__ == "__main__":
    harness.main()
