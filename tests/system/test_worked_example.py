#!/usr/bin/python3
"""The worked example of trawld-provider(5): what the page says of it is so."""

import harness

import fjordcloud

DEFINITIONS = harness.SOURCE_ROOT / "tests" / "definitions"
ENTRIES = 3000


class WorkedExample(harness.Case):
    def begin(self, more=""):
        # the newest entry is 5 minutes old
        span = ENTRIES * fjordcloud.STEP_MS + 300_000
        self.base = int(harness.time.time() * 1000) - span
        self.sim = self.simulator(
            "--entries", str(ENTRIES), "--base", str(self.base), name="fjordcloud"
        )
        self.configure(
            "[source fjord]\nprovider = fjordcloud\nclient = %s\nsecret = %s\nlogin_url = %s\n"
            "endpoint = %s\nrate = off\nstart = %s\n%s\n"
            % (
                fjordcloud.CLIENT,
                fjordcloud.SECRET,
                self.sim.url,
                self.sim.url,
                fjordcloud.simlib.iso(self.base * 1000),
                more,
            ),
            self.file_sink(),
            providers=DEFINITIONS,
        )

    def expected(self, high, *wanted):
        return fjordcloud.expected_lines(self.base, 0, high, *wanted)

    def searches(self):
        return [e for e in self.sim.log() if e["target"] == "/audit/v3/search"]

    def test_once_over_a_restart(self):
        self.begin()
        self.once()
        self.assert_output(self.expected(ENTRIES))
        # the empty pages are there, and none of them ended the chain
        self.assertGreaterEqual(len(self.searches()), 9)
        n = len(self.searches())
        self.once()
        self.assert_output(self.expected(ENTRIES))
        self.assertGreater(len(self.searches()), n)

    def test_late_entries(self):
        """Entries that appear minutes after their time, when their window was read already."""
        self.begin()
        self.sim.control(visible=ENTRIES - 100)
        self.once()
        self.assert_output(self.expected(ENTRIES - 100))
        self.sim.control(visible=ENTRIES)
        self.once()
        self.assert_output(self.expected(ENTRIES))

    def test_kill(self):
        self.begin(more="interval = 50ms\npage_size = 40")
        daemon = self.daemon()
        harness.wait_until(lambda: len(self.searches()) > 20, "searches")
        daemon.kill()
        daemon = self.daemon()
        self.wait_size(self.out, len(self.expected(ENTRIES)))
        self.assertEqual(daemon.stop(), 0)
        self.assert_output(self.expected(ENTRIES))

    def test_actions(self):
        self.begin(more="actions = vm.start, audit.search\nignore =")
        self.once()
        wanted = ("vm.start", "audit.search")
        self.assert_output(self.expected(ENTRIES, lambda e: e["action"] in wanted))

    def test_session_ends(self):
        self.begin()
        self.sim.faults({"kind": "status", "status": 419, "at": [4]})
        self.once()
        self.assert_output(self.expected(ENTRIES))
        self.assertEqual(self.sim.stats()["sessions"], 2)

    def test_cursor_is_lost(self):
        self.begin()
        self.sim.faults({"kind": "status", "status": 410, "at": [4]})
        self.once()
        self.assert_output(self.expected(ENTRIES))

    def test_partial(self):
        self.begin()
        self.sim.control(partial=1)
        result = self.once()
        self.assert_output(self.expected(ENTRIES))
        self.assertTrue(result.lines("not whole"), result.err)

    def test_probe(self):
        self.begin()
        text = self.ctl("probe", "fjord").text
        self.assertNotIn(fjordcloud.SECRET, text)
        self.assertNotIn("session-", text)
        wanted = ("POST", "/audit/v3/search", '"limit":500', "363 of 500", "fa-002502")
        for part in (*wanted, "137 excluded"):
            self.assertIn(part, text)
        self.assertFalse(self.out.exists())
        self.assertFalse(self.state.exists())

    def test_wrong_secret(self):
        self.begin()
        self.conf.write_text(self.conf.read_text().replace(fjordcloud.SECRET, "wr0ng-s3cret"))
        result = self.trawld("-c", str(self.conf), "--once")
        self.assertEqual(result.code, 75, result.err)
        self.assertNotIn("wr0ng-s3cret", result.err)


if __name__ == "__main__":
    harness.main()
