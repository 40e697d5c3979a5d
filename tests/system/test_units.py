#!/usr/bin/python3
"""The systemd units as files: how exposed systemd finds them, that it understands every line."""

import pathlib
import re
import shutil
import subprocess

import harness

UNITS = harness.SOURCE_ROOT / "systemd"


class Units(harness.Case):
    def analyze(self, *arguments):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze here")
        return subprocess.run(
            ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60,
            env={**self.environment(), "SYSTEMD_PAGER": "cat"},
        )

    def test_exposure(self):
        """1.5 or lower, of 10."""
        for name in ("trawld.service", "trawld@.service"):
            with self.subTest(unit=name):
                path = self.dir / name.replace("@.", "@one.")
                shutil.copy(UNITS / name, path)
                done = self.analyze("security", "--offline=true", "--threshold=15", str(path))
                print(done.stdout.splitlines()[-1])
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                # an unknown key is passed over: it would only be said
                self.assertEqual(done.stderr, "")

    def test_same_sandbox(self):
        """The instances' unit differs in what an instance has of its own, and in nothing else."""
        own = ("Description", "Condition", "ExecCondition", "ExecStart", "StateDirectory=",
               "LogsDirectory=", "RuntimeDirectory=", "#", "Documentation")

        def lines(name):
            text = (UNITS / name).read_text().splitlines()
            return [line for line in text if line and not line.startswith(own)]

        self.assertEqual(lines("trawld.service"), lines("trawld@.service"))
        self.assertGreater(len(lines("trawld.service")), 50)

    def test_condition(self):
        """Not started by the example as it is; started by a source."""
        text = (UNITS / "trawld.service").read_text()
        pattern = re.search(r'^ExecCondition=/bin/grep (-\S+) "([^"]+)" (\S+) (\S+)$', text, re.M)
        example = harness.SOURCE_ROOT / "conf" / "trawld.conf"
        own = self.dir / "own.conf"
        own.write_text("# mine\n[source acme]\nprovider = cloudscale\n")
        for path, code in ((example, 1), (own, 0)):
            command = ["grep", pattern[1], pattern[2], str(path)]
            self.assertEqual(subprocess.run(command).returncode, code, command)
        self.assertEqual(pathlib.PurePath(pattern[3]).name, "trawld.conf")
        self.assertEqual(pathlib.PurePath(pattern[4]).name, "conf.d")


class Completion(harness.Case):
    """What bash offers."""

    def offers(self, *words):
        done = subprocess.run(
            ["bash", "-c", 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _trawlctl;'
             ' printf "%s\\n" "${COMPREPLY[@]}"',
             "bash", str(harness.SOURCE_ROOT / "conf/completions/trawlctl.bash"), "trawlctl", *words],
            capture_output=True, text=True, timeout=30,
        )
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_bash(self):
        self.conf.write_text("[source acme-prod]\n[sink archive]\n")
        (self.dir / "conf.d").mkdir()
        (self.dir / "conf.d" / "more.conf").write_text("[source other]\n")
        self.assertEqual(self.offers("pr"), ["probe", "providers"])
        self.assertEqual(self.offers("status", "--w"), ["--watch"])
        self.assertEqual(self.offers("-c", str(self.conf), "probe", ""), ["acme-prod", "other"])
        self.assertEqual(self.offers("-c", str(self.conf), "rewind", "--"), ["--to"])
        self.assertIn("earliest", self.offers("rewind", "other", "--to", ""))


if __name__ == "__main__":
    harness.main()
