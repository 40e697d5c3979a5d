#!/usr/bin/python3
"""The command line: help, version, usage faults."""

import pathlib
import unittest

import harness

import cloudscale


class CommandLine(harness.Case):
    def test_help(self):
        for option in ("--help", "-h"):
            result = self.trawld(option)
            self.assertEqual(result.code, 0, result.err)
            for word in ("--check", "--once", "--version", "--help", "-c", "/etc/trawld/"):
                self.assertIn(word, result.out.decode())
            self.assertEqual(result.err, "")

    def test_version(self):
        result = self.trawld("--version")
        self.assertEqual(result.code, 0)
        self.assertRegex(result.out.decode(), r"^trawld \d+\.\d+\.\d+\n")

    def test_usage(self):
        for arguments in (["--nonsense"], ["-c"], ["extra"], ["--once=yes"], ["-x"]):
            with self.subTest(arguments=arguments):
                result = self.trawld(*arguments)
                self.assertEqual(result.code, 64, result.err)
                self.assertEqual(result.out, b"")
                self.assertNotEqual(result.err, "")

    def test_no_such_file(self):
        for mode in ([], ["--check"], ["--once"]):
            result = self.trawld("-c", str(self.dir / "missing.conf"), *mode)
            self.assertEqual(result.code, 78, mode)
            self.assertIn("missing.conf", result.err + result.out.decode())

    def test_closed_descriptors(self):
        """Without standard output, no record counts as written to it; no file gets the log."""
        simulator = self.cloudscale(100)
        self.configure(self.source(simulator.url), "[sink s]\ntype = stdout\n")
        command = ("-c", 'exec "$@" >&-', "sh", harness.TRAWLD, "-c", str(self.conf), "--once")
        result = self.trawld(*command, program="/bin/sh")
        self.assertEqual(result.code, 75, result.err)
        self.assertIn("Bad file descriptor", result.err)
        self.configure(self.source(simulator.url), "[sink s]\ntype = stdout\n", self.file_sink())
        command = ("-c", 'exec "$@" 2>&-', "sh", harness.TRAWLD, "-c", str(self.conf), "--once")
        result = self.trawld(*command, program="/bin/sh")
        self.assertEqual(result.code, 0)
        self.assertEqual(result.out, cloudscale.expected_lines(1, 0, 100))
        for path in self.dir.rglob("*"):
            if path.is_file():
                self.assertNotIn(b"notice: ", path.read_bytes(), path)

    @unittest.skipIf(pathlib.Path("/etc/trawld").exists(), "trawld is installed here")
    def test_default_file(self):
        result = self.trawld("--check")
        self.assertEqual(result.code, 78)
        self.assertIn("/etc/trawld/trawld.conf", result.err + result.out.decode())


if __name__ == "__main__":
    harness.main()
