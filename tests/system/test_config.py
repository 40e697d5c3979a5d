#!/usr/bin/python3
"""Configuration faults: all in one run, each as file:line: message, exit 78, nothing made."""

import os
import pathlib
import re
import shutil
import subprocess

import harness
from harness import GOOD, PROVIDERS, TOKEN


class Config(harness.Case):
    def write(self, text, path=None):
        for name, value in (("STATE", self.state), ("PROVIDERS", PROVIDERS), ("TOKEN", TOKEN)):
            text = text.replace(name, str(value))
        (path or self.conf).write_bytes(text.encode())

    def said(self, result):
        return result.err + result.out.decode(errors="replace")

    def assert_faults(self, *wanted, path=None):
        """--check and a start both say the WANTED (line, word, ...) and end with 78."""
        for mode in (["--check"], ["--once"], []):
            result = self.trawld("-c", str(path or self.conf), *mode)
            said = self.said(result)
            self.assertEqual(result.code, 78, said)
            self.assertNotIn(TOKEN, said)
            for line, *words in wanted:
                place = re.escape("trawld.conf:%d: " % line)
                found = [x for x in said.splitlines() if re.search(place, x)]
                self.assertTrue(found, "nothing at line %d in:\n%s" % (line, said))
                for word in words:
                    self.assertTrue(
                        any(word.lower() in x.lower() for x in found),
                        "no %r in %s" % (word, found),
                    )
        self.assertFalse(self.state.exists(), "a fault, but the state directory was made")
        return said

    def test_good(self):
        for text in (GOOD, GOOD.replace("\n", "\r\n"), GOOD.rstrip("\n"), "\ufeff" + GOOD):
            self.write(text)
            self.assertNotIn(TOKEN, self.said(self.check(0)))
        self.assertFalse(self.state.exists(), "--check made the state directory")

    def test_empty(self):
        for text in ("", "\n", "# nothing\n", "[daemon]\n"):
            self.write(text)
            result = self.check(78)
            self.assertIn("trawld.conf", self.said(result))
            self.assertIn("source", self.said(result))

    def test_binary(self):
        self.conf.write_bytes(pathlib.Path(harness.TRAWLD).read_bytes()[:20000])
        result = self.check(78)
        self.assertRegex(self.said(result), r"trawld\.conf:\d+: ")
        self.assertLess(len(self.said(result)), 20000)
        self.conf.write_bytes(bytes(range(256)) * 50)
        self.check(78)

    def test_provider(self):
        self.write(GOOD.replace("= cloudscale", "= cloudscal"))
        self.assert_faults((8, "cloudscal", '"cloudscale"'.strip('"')))
        self.write(GOOD.replace("provider = cloudscale\n", ""))
        self.assert_faults((7, "provider"))

    def test_token(self):
        self.write(GOOD.replace("token = TOKEN\n", ""))
        self.assert_faults((7, "token"))
        self.write(GOOD.replace("token = TOKEN", "token ="))
        self.assert_faults((9, "token"))

    def test_sink_not_defined(self):
        self.write(GOOD + "[source other]\nprovider=cloudscale\ntoken=x\nsinks = archive, archiv\n")
        self.assert_faults((19, "archiv", "archive"))

    def test_no_sink(self):
        self.write(GOOD.partition("[sink")[0])
        result = self.check(78)
        self.assertIn("sink", self.said(result))

    def test_two_sinks_at_one_file(self):
        self.configure(
            self.source("http://127.0.0.1:1"), self.file_sink("one"), self.file_sink("two")
        )
        result = self.check(78)
        self.assertIn("[sink one] and [sink two] both write to %s" % self.out, result.err)

    def test_two_of_one_name(self):
        self.write(GOOD + "[source acme]\nprovider = cloudscale\ntoken = other\n")
        said = self.assert_faults((16, "acme"))
        self.assertIn("7", said)

    def test_nearest_names(self):
        cases = (
            ("interval = 1m", "intervall = 1m", 11, "interval"),
            ("listen = off", "lisen = off", 3, "listen"),
            ("path = ", "pathh = ", 15, "path"),
            ("type = file", "type = flie", 14, "file"),
            ("[sink archive]", "[snk archive]", 13, "sink"),
            ("[daemon]", "[deamon]", 1, "daemon"),
            ("token = ", "tokn = ", 9, "token"),
        )
        for good, bad, line, hint in cases:
            with self.subTest(bad=bad):
                self.write(GOOD.replace(good, bad))
                self.assert_faults((line, bad.split()[0].strip("[]"), hint))

    def test_values(self):
        cases = (
            ("interval = 1m", "interval = soon", 11, "soon"),
            ("interval = 1m", "interval = 5", 11, "5"),
            ("interval = 1m", "interval = -5s", 11, "-5s"),
            ("interval = 1m", "interval = 99999999999999d", 11, "interval"),
            ("interval = 1m", "start = yesterday", 11, "yesterday"),
            ("interval = 1m", "token_file\n", 11, "token_file"),
            ("listen = off", "spool_limit = 1 potato", 3, "potato"),
            ("listen = off", "log_level = loud", 3, "loud"),
            ("http://127.0.0.1:9", "ftp://127.0.0.1:9", 10, "endpoint"),
            ("http://127.0.0.1:9", "http://192.0.2.1:9", 10, "insecure_http"),
            ("http://127.0.0.1:9", "nonsense", 10, "endpoint"),
            ("token = TOKEN", "token = ${env:TRAWLD_TEST_NOT_SET}", 9, "TRAWLD_TEST_NOT_SET"),
            ("token = TOKEN", "token = ${file:/nonexistent/token}", 9, "/nonexistent/token"),
            ("token = TOKEN", "token = ${credential:acme}", 9, "credential"),
            ("token = TOKEN", "token = ${env:TRAWLD", 9, "token"),
            ("[source acme]", "[source a/b]", 7, "a/b"),
            ("[source acme]", "[source]", 7, "name"),
            ("[source acme]", "[source acme", 7, "[source`"),
            ("path = STATE/%{source}.ndjson", "path =", 15, "path"),
            ("path = STATE/%{source}.ndjson", "format = csv\npath = /dev/null", 15, "csv"),
        )
        for good, bad, line, word in cases:
            with self.subTest(bad=bad):
                self.write(GOOD.replace(good, bad))
                self.assert_faults((line, word))

    def test_token_in_clear(self):
        """The secret that a token costs does not go over the network in clear either."""
        text = (pathlib.Path(PROVIDERS) / "cloudscale.conf").read_text()
        for old, new in (
            ("token = required secret", "token = required secret\ntoken_url = required"),
            ("type = bearer", "type = oauth2_client\ntoken_url = ${token_url}\nclient_id = me"),
            ("\ntoken = ${token}", "\nclient_secret = ${token}"),
        ):
            self.assertIn(old, text)
            text = text.replace(old, new)
        folder = self.dir / "definitions"
        folder.mkdir()
        (folder / "clear.conf").write_text(text)
        good = GOOD.replace("PROVIDERS", str(folder)).replace("= cloudscale", "= clear")
        for url, more, bad in (
            ("https://login.example.net/token", "", False),
            ("http://127.0.0.1:9/token", "", False),
            ("http://login.example.net/token", "", True),
            ("http://login.example.net/token", "\ninsecure_http = yes", False),
        ):
            with self.subTest(url=url, more=more):
                more = "token_url = %s%s" % (url, more)
                self.write(good.replace("interval = 1m", more))
                if bad:
                    self.assert_faults((7, "token_url", "insecure_http"))
                else:
                    self.check(0)

    def test_all_in_one_run(self):
        """Every fault with its own line, past blank lines, comments and continuations."""
        text = GOOD.replace("listen = off", "\n# comment\nlisen = off").replace(
            "interval = 1m", "sinks =\n   archive\n\n; other\nstart = never"
        )
        self.write(text.replace("type = file", "type = file\nmode = rw").replace("\n", "\r\n"))
        self.assert_faults((5, "lisen"), (17, "start"), (21, "mode"))

    def test_values_from_elsewhere(self):
        """${env:}, ${file:} and ${credential:} work; the value is in no output."""
        (self.dir / "token").write_text(TOKEN + "\n")
        environment = {"TRAWLD_TEST": TOKEN, "CREDENTIALS_DIRECTORY": str(self.dir)}
        for value in ("${env:TRAWLD_TEST}", "${file:%s/token}" % self.dir, "${credential:token}"):
            self.write(GOOD.replace("TOKEN", value))
            result = self.trawld("-c", str(self.conf), "--check", environment=environment)
            self.assertEqual(result.code, 0, self.said(result))
            self.assertNotIn(TOKEN, self.said(result))

    def test_conf_d(self):
        """conf.d beside the file is read in order; a fault names that file."""
        folder = self.dir / "conf.d"
        folder.mkdir()
        self.write(GOOD)
        (folder / "20-b.conf").write_text("[source b]\nprovider = cloudscale\ntoken = x\n")
        self.check(0)
        (folder / "10-a.conf").write_text("\n\n[source a]\nprovider = cloudscale\ntokn = x\n")
        (folder / "ignored.txt").write_text("nonsense")
        said = self.said(self.check(78))
        self.assertRegex(said, r"10-a\.conf:5: ")
        self.assertNotIn("10-a.conf:3: ", said)  # follows from line 5
        self.assertNotIn("ignored", said)

    def test_definition_that_cannot_be_reached(self):
        """An own definition that is away is not replaced with the installed one of the same name."""
        self.write(GOOD)
        self.check(0)
        own = self.dir / "providers"
        own.mkdir()
        (own / "cloudscale.conf").symlink_to(self.dir / "not mounted")
        self.write(GOOD.replace("provider_directory = PROVIDERS\n", ""))
        self.assertIn("providers/cloudscale.conf: cannot be read: ", self.said(self.check(78)))
        self.write(GOOD.replace("provider_directory = PROVIDERS", "provider_directory = %s" % (self.dir / "gone")))
        (own / "cloudscale.conf").unlink()
        said = self.said(self.check(78))
        self.assertIn("provider_directory: %s: No such file" % (self.dir / "gone"), said)

    def test_state_is_no_directory(self):
        blocker = self.dir / "file"
        blocker.write_text("")
        for path in (blocker, blocker / "state"):
            self.write(GOOD.replace("STATE", str(path), 1).replace("STATE", str(self.dir)))
            for mode in ([], ["--once"]):
                result = self.trawld("-c", str(self.conf), *mode)
                self.assertEqual(result.code, 73, result.err)
                self.assertIn(str(path), result.err)
                self.assertNotIn(TOKEN, result.err)

    def test_state_not_allowed(self):
        """A state directory of somebody else. root may read all: there another user tries."""
        self.dir.chmod(0o755)
        program = self.dir / "trawld"
        shutil.copy(harness.TRAWLD, program)
        providers = self.dir / "providers"
        shutil.copytree(PROVIDERS, providers)
        self.state.mkdir(mode=0o000)
        self.addCleanup(self.state.chmod, 0o700)
        self.write(GOOD.replace("PROVIDERS", str(providers)))
        for file in (self.conf, program, providers, *providers.iterdir()):
            file.chmod(0o755)
        user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run(
            [program, "-c", self.conf, "--once"],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60 * harness.PATIENCE,
            **user,
        )
        self.assertEqual(done.returncode, 73, done.stderr)
        self.assertIn(str(self.state), done.stderr)
        self.assertIn("ermission denied", done.stderr)

    def test_state_corrupt(self):
        """Never a silent fresh start."""
        self.write(GOOD)
        self.state.mkdir(mode=0o700)
        garbage = b"this is no database" * 1000
        (self.state / "trawld.db").write_bytes(garbage)
        result = self.trawld("-c", str(self.conf), "--once")
        self.assertEqual(result.code, 73, result.err)
        self.assertIn("trawld.db", result.err)
        self.assertEqual((self.state / "trawld.db").read_bytes(), garbage)


if __name__ == "__main__":
    harness.main()
