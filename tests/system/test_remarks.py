#!/usr/bin/python3
"""What is allowed but probably not meant is logged at start and by --check, and stops nothing."""

import re
import subprocess

import harness

WRITTEN = "w4itten-in-the-file"


class Remarks(harness.Case):
    def setUp(self):
        super().setUp()
        self.secret = self.dir / "token"
        self.secret.write_text("secret-token-of-acme")
        self.acme = self.source("http://127.0.0.1:9", token="${file:%s}" % self.secret)

    def told(self, phrase):
        result = self.check(0)
        self.assertNotIn("secret-token-of-acme", result.err)
        return [line for line in result.err.splitlines() if phrase in line]

    def test_dead_letters(self):
        """Who did not see the log when records were rejected is told at the next start."""
        self.configure(self.acme, self.file_sink())
        letters = self.state / "dead-letters"
        phrase = "%s/" % letters
        self.assertEqual(self.told(phrase), [])
        letters.mkdir(parents=True)
        (letters / "archive.ndjson").touch()
        (letters / "gone.resend").write_text("1 2 3\n")
        self.assertEqual(self.told(phrase), [])
        for name in ("archive", "gone", "source:acme"):
            (letters / (name + ".ndjson")).write_text("{}\n")
        told = "\n".join(self.told(phrase))
        self.assertEqual(told.count("holds records that were rejected"), 2)
        self.assertIn("`trawlctl dead-letters list gone`", told)
        self.assertIn("source:acme.ndjson holds what an API sent instead of records", told)

    def test_open_files(self):
        self.configure(self.acme, self.file_sink())
        self.dir.chmod(0o755)
        for mode, wanted in ((0o600, 0), (0o640, 0), (0o644, 1), (0o604, 1)):
            self.secret.chmod(mode)
            self.assertEqual(len(self.told("can read the secret in %s" % self.secret)), wanted, oct(mode))
        for mode, wanted in ((0o644, 0), (0o664, 0), (0o666, 1)):
            self.conf.chmod(mode)
            self.assertEqual(len(self.told("can change %s" % self.conf)), wanted, oct(mode))
        token = "secret-token-of-acme"
        self.configure(self.source("http://127.0.0.1:9", token=token), self.file_sink())
        line = next(i for i, text in enumerate(self.conf.read_text().splitlines(), 1) if token in text)
        for mode, wanted in ((0o600, 0), (0o640, 0), (0o644, 1)):
            self.conf.chmod(mode)
            self.assertEqual(len(self.told("can read `token` in line %d of %s" % (line, self.conf))), wanted, oct(mode))
        self.state.mkdir()
        for mode, wanted in ((0o700, 0), (0o755, 0), (0o777, 1)):
            self.state.chmod(mode)
            self.assertEqual(len(self.told("can change the state in %s (`chmod 0700 " % self.state)), wanted, oct(mode))
        self.configure(self.acme, self.file_sink())
        # a folder that others cannot enter protects what is in it
        self.dir.chmod(0o750)
        self.assertEqual(self.told("every user"), [])

    def readable(self, more, sink="", extra="", secret=WRITTEN):
        """The key that every user can read, or None: with MORE in the source, SINK in a sink of its own."""
        source = self.source("http://127.0.0.1:9", token="${file:%s}" % self.secret, more=more)
        self.configure(source, self.file_sink(), sink, extra)
        result = self.check(0)
        self.assertNotIn(secret, result.err)
        found = re.findall(r"every user of this host can read `([\w.-]+)` in line (\d+) of %s " % self.conf, result.err)
        shown = self.ctl("config").text
        self.assertNotIn(secret, shown)
        if not found:
            return None
        ((key, line),) = found
        self.assertIn(key + " =", self.conf.read_text().splitlines()[int(line) - 1])
        return key

    def test_written_secrets(self):
        """Whatever kind of entry a secret is in; what is in a file of its own, or is none, is not told."""
        self.secret.chmod(0o600)
        self.dir.chmod(0o755)
        self.conf.touch()
        self.conf.chmod(0o644)
        http = "[sink far]\ntype = http\nurl = https://logs.example/x\n%s\n"
        for more, sink, key in (
            ("", "", None),
            ("proxy = http://proxy.example:3128", "", None),
            ("proxy = http://u:%s@proxy.example:3128" % WRITTEN, "", "proxy"),
            ("", http % "header.X-Team = sales", None),
            ("", http % ("header.X-Api-Key = " + WRITTEN), "header.X-Api-Key"),
            ("", http % ("header.Authorization = Bearer " + WRITTEN), "header.Authorization"),
            ("", http % ("auth.type = bearer\nauth.token = " + WRITTEN), "auth.token"),
            ("", http % ("auth.type = header\nauth.name = X-Who\nauth.value = " + WRITTEN), "auth.value"),
            ("", http % ("auth.type = basic\nauth.user = u\nauth.password = " + WRITTEN), "auth.password"),
            ("", http % ("auth.type = bearer\nauth.token = ${file:%s}" % self.secret), None),
            ("", http % ("auth.type = login\nlogin.url = https://logs.example/in\nlogin.token = /token\n"
                         'login.body = {"user": "u", "password": "%s"}' % WRITTEN), "login.body"),
            ("", http % ("auth.type = login\nlogin.url = https://logs.example/in\nlogin.token = /token\n"
                         'login.body = {"user": "u"}'), None),
            ("", "[sink run]\ntype = exec\ncommand = /bin/cat --token=%s\n" % WRITTEN, "command"),
            ("", "[sink run]\ntype = exec\ncommand = /bin/cat --limit=7\n", None),
        ):  # fmt: skip
            with self.subTest(more + sink):
                self.assertEqual(self.readable(more, sink), key)

    def test_written_in_a_definition(self):
        self.secret.chmod(0o600)
        self.dir.chmod(0o755)
        providers = self.dir / "providers"
        providers.mkdir()
        text = (harness.SOURCE_ROOT / harness.PROVIDERS / "cloudscale.conf").read_text()
        own = providers / "own.conf"
        own.write_text(text.replace("[request]\n", "[request]\nheader.X-Api-Key = %s\n" % WRITTEN, 1))
        own.chmod(0o644)
        self.configure(
            "".join(self.source("http://127.0.0.1:9", token="${file:%s}" % self.secret).replace("acme", name).replace("cloudscale", "own")
                    for name in ("one", "two")), self.file_sink(), providers=providers)  # fmt: skip
        (line,) = self.told("can read `header.X-Api-Key` in line")
        self.assertIn(str(own), line)
        self.assertNotIn(WRITTEN, line)
        own.chmod(0o640)
        self.assertEqual(self.told("can read"), [])

    def test_cut_values(self):
        """A comment ends a value; where it looks like a part of the value, that is told, but not shown."""
        self.secret.chmod(0o600)
        sink = "[sink run]\ntype = exec\ncommand = /bin/sh -c read-first ; hidden-part\n"
        self.configure(self.acme + "sinks = run # a comment\n", self.file_sink(), sink)
        number = self.conf.read_text().splitlines().index(sink.splitlines()[2]) + 1
        for said in (self.told("begins a comment"), self.ctl("check").lines("begins a comment")):
            (line,) = said
            self.assertIn("trawld.conf:%d: a `;` or `#`" % number, line)
            self.assertIn("not part of `command`", line)
            self.assertNotIn("hidden", line)
        daemon = self.daemon()
        daemon.wait_log("not part of `command`")
        text = self.conf.read_text()
        self.conf.write_text(text.replace("sinks = run # a", "sinks = run ; a"))
        daemon.signal(harness.signal.SIGHUP)
        daemon.wait_log("not part of `sinks`")

    def test_proxy_of_the_environment(self):
        self.secret.chmod(0o600)
        for more, environment, wanted in (
            ("", {}, 0),
            ("", {"https_proxy": "http://h:1"}, 1),
            ("", {"HTTP_PROXY": "http://h:1", "https_proxy": ""}, 0),
            ("proxy = http://h:2", {"https_proxy": "http://h:1"}, 0),
        ):
            self.configure(self.source("http://127.0.0.1:9", token="${file:%s}" % self.secret, more=more), self.file_sink())
            result = self.trawld("-c", str(self.conf), "--check", environment=environment)
            self.assertEqual(result.code, 0, result.err)
            self.assertEqual(len(result.lines("`https_proxy` of the environment is not used")), wanted, result.err)

    def test_unused_sink(self):
        self.secret.chmod(0o600)
        sinks = [self.file_sink(name, self.dir / name) for name in ("one", "two")]
        self.configure(self.source("http://127.0.0.1:9", more="sinks = one"), *sinks)
        (line,) = self.told("receives nothing")
        self.assertRegex(line, r"sink two \(trawld.conf:\d+\): no source lists it in its `sinks`")
        self.configure(self.source("http://127.0.0.1:9", more="sinks = one , two"), *sinks)
        self.assertEqual(self.told("receives nothing"), [])
        self.configure(self.source("http://127.0.0.1:9"), *sinks)
        self.assertEqual(self.told("receives nothing"), [])
        key = self.dir / "seal.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        seals = "seal = 1m\nseal_key = ${file:%s}\nseal_to = two" % key
        self.configure(self.source("http://127.0.0.1:9", more="sinks = one"),
            self.file_sink("one", self.dir / "one", seals), sinks[1])
        self.assertEqual(self.told("receives nothing"), [])


if __name__ == "__main__":
    harness.main()
