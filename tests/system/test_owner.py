#!/usr/bin/python3
"""A state and a running trawld know whose configuration they belong to, and refuse another."""

import os
import shutil

import harness

import cloudscale


class Owner(harness.Case):
    def setUp(self):
        super().setUp()
        self.api = self.cloudscale(300, "--page-size", "50")
        self.api.control(visible=100)
        self.socket = self.dir / "control"
        self.write()
        self.other = self.dir / "instances" / "two" / "trawld.conf"
        self.other.parent.mkdir(parents=True)
        self.write(path=self.other)

    def write(self, path=None):
        source = self.source(self.api.url, more="interval = 1h")
        self.configure(source, self.file_sink(), control=self.socket, path=path)

    def lines(self, n):
        return cloudscale.expected_lines(1, 0, n)

    def with_other(self, *arguments, program=harness.TRAWLCTL):
        return self.trawld("-c", str(self.other), *arguments, program=program)

    def assert_refused(self, result):
        self.assertEqual(result.code, 73, result.err)
        for phrase in (
            "the state in %s belongs to the configuration %s, not to %s" % (self.state, self.conf, self.other),
            "nothing was changed",
            "delete %s" % (self.state / "trawld.configuration"),
        ):
            self.assertIn(phrase, result.err)

    def test_state(self):
        """No command works on the state of another configuration."""
        self.once()
        before = self.state_dump()
        self.api.control(visible=200)
        self.assert_refused(self.with_other("--once", program=harness.TRAWLD))
        for command in (
            ("rewind", "acme", "--to", "earliest"),
            ("cursor",),
            ("gaps",),
            ("pause", "acme"),
            ("drop-sink", "gone"),
            ("backup", str(self.dir / "copy.db")),
            ("probe", "acme"),
        ):
            with self.subTest(command=command):
                self.assert_refused(self.with_other(*command))
        self.assertEqual(self.state_dump(), before)
        self.assert_output(self.lines(100))
        self.once()
        self.assert_output(self.lines(200))

    def test_taken_over(self):
        """What the message says is what helps."""
        self.once()
        (self.state / "trawld.configuration").unlink()
        self.assertEqual(self.with_other("--once", program=harness.TRAWLD).code, 0)
        self.assertEqual((self.state / "trawld.configuration").read_text(), "%s\n" % self.other)
        result = self.once(73)
        self.assertIn("belongs to the configuration %s, not to %s" % (self.other, self.conf), result.err)
        self.assert_output(self.lines(100))

    def test_moved_configuration(self):
        """A configuration that was moved keeps its state, and it is said once."""
        self.once()
        self.conf.rename(self.other)
        result = self.with_other("--once", program=harness.TRAWLD)
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(len(result.lines("belonged to the configuration %s" % self.conf)), 1, result.err)
        result = self.with_other("--once", program=harness.TRAWLD)
        self.assertEqual(result.lines("belonged to"), [])

    def test_same_configuration(self):
        """Other spellings of the path, a link for the file and for its folder."""
        self.once()
        versions = self.dir / "..data"
        versions.mkdir()
        self.conf.rename(versions / "one.conf")
        for name in ("one.conf", "two.conf"):
            if name != "one.conf":
                shutil.copy(versions / "one.conf", versions / name)
            self.conf.unlink(missing_ok=True)
            self.conf.symlink_to(versions / name)
            self.once()
        link = self.dir.with_name(self.dir.name + "-link")
        link.symlink_to(self.dir)
        self.addCleanup(link.unlink)
        for path in (link / "trawld.conf", self.dir / "instances" / ".." / "trawld.conf",
                     os.path.relpath(self.conf)):
            result = self.trawld("-c", str(path), "--once")
            self.assertEqual(result.code, 0, result.err)
            self.assertEqual(result.lines("belonged to"), [])

    def test_control(self):
        """A socket that two configurations share by mistake."""
        daemon = self.daemon()
        daemon.wait_log("trawld ")
        self.wait_size(self.out, len(self.lines(100)))
        for command in (("status",), ("reload",), ("poll", "acme"), ("pause", "acme"), ("tail",)):
            with self.subTest(command=command):
                result = self.with_other(*command)
                self.assertEqual(result.code, 78, result.err)
                self.assertIn("(PID %d) at this control socket uses the configuration %s, not %s"
                              % (daemon.pid, self.conf, self.other), result.err)
        self.assertEqual(daemon.text().count("reloaded"), 0)
        self.ctl("poll", "acme")
        self.assertEqual(daemon.stop(), 0)

    def test_restored(self):
        """A copy belongs to whoever uses it first, also in another directory."""
        self.once()
        copy = self.dir / "copy.db"
        self.ctl("backup", str(copy))
        shutil.rmtree(self.state)
        self.state.mkdir()
        copy.rename(self.state / "trawld.db")
        self.assertEqual(self.with_other("--once", program=harness.TRAWLD).code, 0)
        self.assert_output(self.lines(100))


if __name__ == "__main__":
    harness.main()
