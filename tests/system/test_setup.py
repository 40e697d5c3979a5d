#!/usr/bin/python3
"""trawlctl setup: a new source from answers or options, checked and tried before it counts."""

import os
import pathlib
import pty
import select
import signal
import socket
import stat
import subprocess

import harness
from harness import SOURCE_ROOT, TOKEN, TRAWLCTL, wait_until, whole_lines
from papers import blocks, replaced
from rsyslog import free_port

import cloudscale


class Setup(harness.Case):
    def setUp(self):
        super().setUp()
        self.api = self.cloudscale(50)
        self.added = self.dir / "conf.d" / "acme.conf"
        self.secret = self.dir / "secrets" / "acme-token"
        self.configure(daemon="log_level = info")

    def options(self, *more):
        return ("setup", "acme", "--provider", "cloudscale", "--set", "start=earliest",
            "--set", "endpoint=" + self.api.url, *more)

    def run_setup(self, *arguments, stdin=b"", expect=0):
        done = subprocess.run([TRAWLCTL, "-c", str(self.conf), *arguments], input=stdin,
            env=self.environment(), capture_output=True, timeout=60 * harness.PATIENCE)
        text = (done.stdout + done.stderr).decode()
        self.assertEqual(done.returncode, expect, text)
        self.assertNotIn(TOKEN, text)
        return text

    def assert_nothing_left(self):
        self.assertFalse(self.added.exists())
        self.assertFalse(self.secret.exists())

    def test_options(self):
        text = self.run_setup(*self.options("--set", "token=-", "--archive", str(self.out)),
            stdin=TOKEN.encode() + b"\n")
        self.assertIn("new records: 50 of 50", text)
        self.assertIn("wrote %s\n" % self.added, text)
        self.assertNotIn("Nothing was changed", text)
        self.assertIn("trawld -c %s" % self.conf, text)
        self.assertEqual(stat.S_IMODE(self.secret.stat().st_mode), 0o600)
        self.assertEqual(self.secret.read_text(), TOKEN + "\n")
        self.assertNotIn(TOKEN, self.added.read_text())
        self.once()
        self.assert_output(cloudscale.expected_lines(1, 0, 50))
        self.assertIn("there is a source `acme` already",
            self.run_setup(*self.options("--set", "token=-"), expect=64))
        self.assertTrue(self.added.exists())

    def test_as_readme_says(self):
        """Without an account: the simulator, and the command that adds it."""
        (simulator,) = blocks("README.md", "sh", "python3 tests/simulators/")
        (command,) = blocks("README.md", "sh", "echo demo-token")
        port = str(free_port(socket.SOCK_STREAM))
        simulator, command = (replaced(text, [("18080", port)]) for text in (simulator, command))
        started = subprocess.Popen(["/bin/sh", "-c", "exec " + simulator], cwd=SOURCE_ROOT, stdout=subprocess.PIPE)
        self.addCleanup(started.stdout.close)
        self.addCleanup(started.wait)
        self.addCleanup(started.kill)
        self.assertIn(port.encode(), started.stdout.readline())
        self.configure(self.file_sink())
        command = replaced(command, [("sudo trawlctl", '"%s" -c "%s"' % (TRAWLCTL, self.conf))])
        done = subprocess.run(["/bin/sh", "-c", command], env=self.environment(), capture_output=True, text=True, timeout=60 * harness.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.once()
        self.assertGreater(len(self.out.read_bytes().splitlines()), 0)

    def test_secrets_of_other_keys(self):
        """What is no parameter of the provider can be a secret, too."""
        self.run_setup(*self.options("--set", "token=-", "--archive", str(self.out), "--no-probe",
            "--set", "request.header.X-Api-Key=" + TOKEN), stdin=TOKEN.encode() + b"\n")
        text = self.added.read_text()
        self.assertNotIn(TOKEN, text)
        self.assertIn("request.header.X-Api-Key = ${file:%s/secrets/acme-request.header.X-Api-Key}"
            % self.dir, text)

    def test_a_running_daemon_gets_it(self):
        other = self.cloudscale(10, seed=2)
        self.configure(self.source(other.url, "other"), self.file_sink(),
            control=self.dir / "control")
        daemon = self.daemon()
        self.wait_size(self.out, len(cloudscale.expected_lines(2, 0, 10)))
        text = self.run_setup(*self.options("--set", "token=${file:%s}" % self.token_file()))
        self.assertIn("reloaded: 2 sources, 1 sink", text)
        self.assertFalse(self.secret.exists())
        wait_until(lambda: len(whole_lines(self.out)) == 60, "the new source's records")
        self.assertEqual(daemon.stop(), 0)

    def token_file(self):
        path = self.dir / "my-token"
        path.write_text(TOKEN)
        path.chmod(0o600)
        return path

    def test_refused(self):
        """What cannot work leaves nothing behind, and says what to do."""
        sink = ("--archive", str(self.out))
        token = TOKEN.encode() + b"\n"
        for arguments, stdin, code, says in (
            (("setup",), b"", 64, "use --provider NAME and --set"),
            (("setup", "--provider", "cloudscal"), b"", 64, "did you mean `cloudscale`?"),
            (("setup", "a b", "--provider", "cloudscale"), b"", 64, "`a b` is not a name"),
            (self.options(*sink), b"", 64, "provider cloudscale requires --set token=-"),
            (self.options(*sink, "--set", "token=-"), b"", 64, "no line for token"),
            (self.options(*sink, "--set", "token=-", "--set", "colour=red"), token, 78, "colour"),
            (self.options(*sink, "--set", "token=-", "--set", "nothing"), token, 64,
                "--set `nothing`: expected KEY=VALUE"),
            (self.options("--set", "token=-", "--archive", "relative"), token, 78, "absolute path"),
            (self.options(*sink, "--set", "token=-"), b"wrong-t0ken\n", 75, "401"),
        ):
            with self.subTest(arguments=arguments):
                text = self.run_setup(*arguments, stdin=stdin, expect=code)
                self.assertIn(says, text)
                self.assertNotIn("wrong-t0ken", text)
                self.assert_nothing_left()
                if code != 64:
                    self.assertIn("nothing was changed", text)

    def test_interrupted(self):
        """Before it is done, a signal leaves nothing behind, also of what was written."""
        self.api.faults({"kind": "hang"})
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asked = self.api.stats()["requests"]
            process = subprocess.Popen(
                [TRAWLCTL, "-c", str(self.conf), *self.options("--set", "token=-", "--archive", str(self.out))],
                stdin=subprocess.PIPE, env=self.environment())
            self.addCleanup(process.kill)
            process.stdin.write(TOKEN.encode() + b"\n")
            process.stdin.close()
            wait_until(lambda: self.api.stats()["requests"] > asked, "the probe")
            self.assertTrue(self.added.exists() and self.secret.exists())
            process.send_signal(number)
            self.assertEqual(process.wait(), -number)
            self.assert_nothing_left()

    def test_without_a_probe(self):
        url = self.api.url
        self.api.stop()
        self.run_setup(*self.options("--set", "token=-", "--archive", str(self.out)),
            stdin=TOKEN.encode() + b"\n", expect=75)
        self.assert_nothing_left()
        self.run_setup(*self.options("--set", "token=-", "--archive", str(self.out), "--no-probe"),
            stdin=TOKEN.encode() + b"\n")
        self.assertIn(url, self.added.read_text())

    def test_a_person(self):
        """At a terminal, which does not show the secret."""
        # the default address cannot be asked here
        block = self.dir / "providers"
        block.mkdir()
        text = pathlib.Path(harness.PROVIDERS, "cloudscale.conf").read_text()
        (block / "tiny.conf").write_text(text.replace("https://api.cloudscale.ch", self.api.url))
        self.configure(daemon="log_level = info", providers=block)
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(TRAWLCTL, [TRAWLCTL, "-c", str(self.conf), "setup"], self.environment())
        seen = b""

        def wait_for(text):
            """Takes what the terminal shows up to TEXT."""
            nonlocal seen, rest
            while text not in rest:
                ready, _, _ = select.select([fd], [], [], 60 * harness.PATIENCE)
                self.assertTrue(ready, "%r after %r" % (text, rest))
                rest += os.read(fd, 65536)
            end = rest.index(text) + len(text)
            seen, rest = seen + rest[:end], rest[end:]

        rest = b""
        for question, answer in (
            (b"provider (? lists them): ", "?"), (b"provider (? lists them): ", "none"),
            (b"provider (? lists them): ", "tiny"),
            (b"name of the source [tiny]: ", "acme"), (b"token (not shown): ", TOKEN),
            (b"archive file [/var/log/trawld/%{source}.ndjson]: ", str(self.out)),
        ):
            wait_for(question)
            os.write(fd, answer.encode() + b"\n")
        wait_for(b"Start trawld with:")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        os.close(fd)
        self.assertIn(b"\r\n  tiny\r\n", seen)
        self.assertNotIn(TOKEN.encode(), seen)
        self.assertEqual(self.secret.read_text(), TOKEN + "\n")


if __name__ == "__main__":
    harness.main()
