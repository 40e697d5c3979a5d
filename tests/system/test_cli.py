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

    def test_what_is_wrong(self):
        """Names what was not understood, never a value, and what was probably meant."""
        for arguments, words in (
            (["--chekc"], "trawld: there is no option `--chekc`: did you mean `--check`?"),
            (["--once=s3cret"], "trawld: option `--once` takes no value"),
            (["-c"], "trawld: option `-c` needs a value"),
            (["-x"], "trawld: there is no option `-x`"),
            (["extra"], "trawld: unexpected argument `extra`"),
        ):
            with self.subTest(arguments=arguments):
                err = self.trawld(*arguments).err
                self.assertEqual(err.splitlines()[0], words)
                self.assertNotIn("s3cret", err)
        self.configure(self.source("http://127.0.0.1:9"), self.file_sink(), control=self.dir / "control")
        for line, words in (
            ("satus", "there is no command `satus`: did you mean `status`?"),
            ("help satus", "there is no command `satus`: did you mean `status`?"),
            ("status --jsno", "status: there is no option `--jsno`: did you mean `--json`?"),
            ("status --limt", "status: there is no option `--limt`"),
            ("tail --limt", "tail: there is no option `--limt`: did you mean `--limit`?"),
            ("setup --sett=s3cret", "setup: there is no option `--sett`: did you mean `--set`?"),
            ("status --json=s3cret", "status: option `--json` takes no value"),
            ("rewind acme --to", "rewind: option `--to` needs a value"),
            ("status -x", "status: there is no option `-x`"),
            ("poll --json", "poll: unexpected option `--json`"),
            ("poll acme other", "poll: unexpected argument `other`"),
            ("poll --verison", "poll: there is no option `--verison`: did you mean `--version`?"),
            ("rewind acme", "rewind: missing option `--to`"),
            ("definition", "definition: missing argument `new|lint|record|test`"),
            ("cluster", "cluster: missing argument `status|reshard`"),
            ("cluster stauts", "there is no `cluster stauts`; expected status or reshard"),
            ("state mov --to sqlite", "there is no `state mov`; expected move"),
            ("state move --to sqlit", "state move: --to: expected postgresql or sqlite, not `sqlit`"),
            ("gaps acm", "there is no source `acm`: did you mean `acme`?"),
            ("gaps acm --acknowledge", "there is no source `acm`: did you mean `acme`?"),
            ("coverage acm", "there is no source `acm`: did you mean `acme`?"),
            ("test archiv", "there is no sink `archiv`: did you mean `archive`?"),
        ):
            with self.subTest(line=line):
                err = self.ctl(*line.split(), expect=64).err
                self.assertEqual(err.splitlines()[0], "trawlctl: " + words)
                self.assertNotIn("s3cret", err)

    def test_help_of_a_command(self):
        whole = self.ctl("help").text
        self.assertEqual(whole, self.ctl("--help").text)
        self.assertEqual([line for line in whole.splitlines() if len(line) > 88], [])
        names = [line.split()[0] for line in whole.splitlines() if line.startswith("  ") and line[2].isalpha()]
        self.assertGreater(len(names), 30)
        for name in names:
            text = self.ctl("help", name).text
            self.assertEqual(text, self.ctl(name, "--help").text)
            self.assertTrue(text.startswith("usage: trawlctl [-c FILE] %s" % name), text)
            self.assertGreater(len(text.splitlines()), 3, text)
        text = self.ctl("help", "cluster").text
        self.assertIn("usage: trawlctl [-c FILE] cluster status [--json]\n       trawlctl [-c FILE] cluster reshard N\n", text)

    def test_another_configuration(self):
        """A file that is named and missing is said: the default socket is another trawld's."""
        for command, code in (("status", 78), ("poll", 78), ("reload", 78), ("gaps", 78)):
            result = self.trawld("-c", str(self.dir / "none.conf"), command, program=harness.TRAWLCTL)
            self.assertEqual(result.code, code, result.err)
            self.assertIn("none.conf", result.err)
            result = self.trawld("-c", str(self.dir), command, program=harness.TRAWLCTL)
            self.assertEqual((result.code, "Is a directory" in result.err), (code, True), result.err)

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
