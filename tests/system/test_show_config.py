#!/usr/bin/python3
"""trawlctl config: what is in force, where it is set, and no secret."""

import re

import harness
from harness import TOKEN

SECRETS = ("s3cret-in-a-header", "s3cret-of-a-file", "s3cret-in-an-environment", "proxy-s3cret")


class ShowConfig(harness.Case):
    def setUp(self):
        super().setUp()
        secret = self.dir / "secret"
        secret.write_text(SECRETS[1])
        secret.chmod(0o600)
        (self.dir / "conf.d").mkdir()
        (self.dir / "conf.d" / "more.conf").write_text(
            "[source second]\nprovider = cloudscale\ntoken = ${file:%s}\n"
            "[source acme]\ninterval = 90s\n" % secret)
        self.configure(
            self.source("https://api.example", more="proxy = http://u:%s@proxy.example:3128" % SECRETS[3]),
            "[sink far]\ntype = http\nurl = https://logs.example/x\nheader.X-Key = %s\n"
            "include = /a = b\n  /c present\nmax_record = 1MiB\nauth.type = bearer\n"
            "auth.token = ${env:OUR_TOKEN}\n" % SECRETS[0],
            daemon="spool_limit = 2GiB")

    def environment(self):
        return {**super().environment(), "OUR_TOKEN": SECRETS[2]}

    def config(self, *options, path=None):
        result = self.trawld("-c", str(path or self.conf), "config", *options,
            program=harness.TRAWLCTL)
        self.assertEqual((result.code, result.err), (0, ""))
        text = result.out.decode()
        for secret in (*SECRETS, TOKEN):
            self.assertNotIn(secret, text)
        return text

    def test_what_is_set(self):
        text = self.config()
        for pattern in (
            r"spool_limit = 2GiB +# trawld.conf:6", r"token = \*\*\* +# trawld.conf:\d+",
            r"token = \*\*\* +# more.conf:3", r"interval = 90s +# more.conf:5",
            r"include = /a = b +# trawld.conf:\d+\n    /c present\n",
            r"header.X-Key = \*\*\* +#", r"auth.token = \*\*\* +#",
        ):
            self.assertRegex(text, pattern)
        self.assertNotIn("default", text)
        self.assertEqual(re.findall(r"^\[.*\]$", text, re.M),
            ["[daemon]", "[source acme]", "[source second]", "[sink far]"])

    def test_defaults_read_back(self):
        """What it prints is a configuration that means the same."""
        text = self.config("--defaults")
        self.assertRegex(text, r"#log_level = info +# default\n")
        self.assertRegex(text, r"#retry_max = 5m +# default\n")
        printed = self.dir / "printed" / "trawld.conf"
        printed.parent.mkdir()
        printed.write_text(text.replace("***", "a-secret"))
        again = self.config("--defaults", path=printed)
        bare = lambda found: re.sub(r" +# .*$", "", found.replace("a-secret", "***"), flags=re.M)
        self.assertEqual(bare(again), bare(text))

    def test_errors(self):
        self.configure(self.source("https://api.example", more="colour = red"), self.file_sink())
        result = self.trawld("-c", str(self.conf), "config", program=harness.TRAWLCTL)
        self.assertEqual((result.code, result.out), (78, b""))
        self.assertIn("colour", result.err)


if __name__ == "__main__":
    harness.main()
