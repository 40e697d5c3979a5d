#!/usr/bin/python3
"""Root on a state of another user: what it leaves is that user's, so the service can go on."""

import os
import pathlib
import re
import subprocess

import harness

import cloudscale

OWNER = 65534  # nobody


@harness.unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
class Root(harness.Case):
    def setUp(self):
        super().setUp()
        self.api = self.cloudscale(400)
        self.receiver = self.simulator(name="http_receiver")
        self.receiver.control(poison=['"admin":{}'])
        self.archive = self.dir / "archive"
        self.archive.mkdir()
        self.state.mkdir(mode=0o700)
        for path in (self.archive, self.state):
            os.chown(path, OWNER, OWNER)
        self.dir.chmod(0o755)
        token = self.dir / "token"  # which only root can read
        token.write_text(harness.TOKEN)
        token.chmod(0o600)
        self.configure(
            self.source(self.api.url, token="${file:%s}" % token),
            self.file_sink(path=self.archive / "acme.ndjson"),
            "[sink far]\ntype = http\nurl = %s/ndjson\nretry_max = 1s\n" % self.receiver.url)

    def owners(self):
        """Who owns what there is, by name."""
        found = {}
        for folder in (self.state, self.archive):
            for path in folder.rglob("*"):
                found[str(path.relative_to(self.dir))] = path.stat().st_uid
        return found

    def test_once(self):
        result = self.once(expect=75)
        self.assertTrue(result.lines("started by root; continuing as nobody, who owns"), result.err)
        found = self.owners()
        self.assertIn("archive/acme.ndjson", found)
        self.assertIn("state/dead-letters/far.ndjson", found)
        self.assertEqual(set(found.values()), {OWNER}, found)
        self.assert_output(cloudscale.expected_lines(1, 0, 400), self.archive / "acme.ndjson")
        self.ctl("dead-letters", "resend", "far")
        self.ctl("rewind", "acme", "--to", "earliest")
        self.ctl("pause", "acme")
        found = self.owners()
        self.assertIn("state/dead-letters/far.resend", found)
        self.assertEqual(set(found.values()), {OWNER}, found)

    def test_sinks_are_tested_as_the_owner(self):
        self.ctl("test", "far")
        self.assertIn("file, as nobody", self.ctl("test", "archive").text)
        self.archive.chmod(0o500)
        said = self.ctl("test", "archive", expect=78)
        self.assertIn("cannot write to %s as uid %d" % (self.archive, OWNER), said.err)

    def test_privileges_are_gone(self):
        """All of them: real, effective and saved, groups, and it is not dumpable."""
        daemon = self.daemon()
        daemon.wait_log("started by root")
        self.wait_size(self.archive / "acme.ndjson", 1)
        lines = pathlib.Path("/proc/%d/status" % daemon.pid).read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        self.assertEqual(status["Uid"].split(), [str(OWNER)] * 4)
        self.assertEqual(status["Gid"].split(), [str(OWNER)] * 4)
        self.assertEqual(status["Groups"].split(), [str(OWNER)])
        self.assertEqual(int(status["CapEff"], 16), 0)
        self.assertEqual(os.stat("/proc/%d/environ" % daemon.pid).st_uid, 0)  # not dumpable
        self.assertEqual(daemon.stop(), 0)

    def test_file_of_another_user(self):
        """One that root left in the state is named, with the command that gives it back."""
        self.once(expect=75)
        letters = self.state / "dead-letters"
        for path, command, code in (
            (self.state / "trawld.db-wal", ("--once",), 73),
            (self.state / "trawld.commits", ("--once",), 73),
            (self.state / "trawld.db", ("--once",), 73),
            (letters / "far.ndjson", ("dead-letters", "resend", "far"), 75),
        ):
            with self.subTest(path=path.name):
                if not path.exists():
                    path.touch(0o600)
                os.chown(path, 0, 0)
                if command == ("--once",):
                    result = self.once(expect=code)
                else:
                    result = self.ctl(*command, expect=code)
                cure = re.search("%s belongs to root \\(mode 0600\\), and trawl(d|ctl) runs as nobody; "
                                 "as root, run `(chown -R nobody %s)`" % (path, self.state), result.err)
                self.assertTrue(cure, result.err)
                subprocess.run(cure.group(2).split(), check=True)
        self.once()

    def test_a_person(self):
        """What root owns is not given to a person who only asks trawlctl; the command has to be run by root."""
        os.chown(self.state, 0, 0)
        for secret in (self.conf, self.dir / "token"):
            secret.chmod(0o644)
        (self.state / "trawld.db").touch(0o600)
        done = subprocess.run(["runuser", "-u", "nobody", "--", harness.TRAWLCTL, "-c", self.conf, "gaps"],
                              env=self.environment(), capture_output=True, text=True)  # fmt: skip
        self.assertEqual(done.returncode, 73, done.stderr)
        self.assertIn("belongs to root (mode 0700), and trawlctl runs as nobody; as root, run `%s -c %s gaps`"
                      % (harness.TRAWLCTL, self.conf), done.stderr)  # fmt: skip


if __name__ == "__main__":
    harness.main()
