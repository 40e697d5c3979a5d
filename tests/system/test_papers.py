#!/usr/bin/python3
"""The papers of docs/: every fenced command is run as it is written, every configuration passes the check, every
message that a table names is in the program, every link leads somewhere. /etc/trawld, /var/lib/trawld and the like are
folders of the test, and systemctl starts and stops its trawld."""

import os
import re
import subprocess

import harness
from harness import SOURCE_ROOT, TRAWLCTL, TRAWLD, wait_until

PAPERS = sorted((SOURCE_ROOT / "docs").glob("*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)
COUNT = 40
SHIMS = {
    "trawlctl": 'exec "%s" -c "$CONF" "$@"' % TRAWLCTL,
    "trawld": 'exec "%s" -c "$CONF" "$@"' % TRAWLD,
    "journalctl": 'exec cat "$CONF"',  # the log is the test's
    # without the user, whom a test host need not have
    "install": 'while [ "$1" = -o ] || [ "$1" = -g ] || [ "$1" = -d ]; do'
    ' if [ "$1" = -d ]; then d=-d; shift; else shift 2; fi; done; exec /usr/bin/install $d "$@"',
}


class Papers(harness.Case):
    def begin(self):
        self.sim = self.cloudscale(COUNT)
        self.etc, self.log = self.dir / "etc", self.dir / "log"
        for folder in (self.etc / "secrets", self.log, self.dir / "backups", self.dir / "bin"):
            folder.mkdir(parents=True)
        for name, body in SHIMS.items():
            (self.dir / "bin" / name).write_text("#!/bin/sh\n%s\n" % body)
            (self.dir / "bin" / name).chmod(0o755)
        self.conf = self.etc / "trawld.conf"
        self.configure(
            self.source(self.sim.url, more="interval = 1h"),
            self.file_sink(),
            self.file_sink("siem", self.log / "siem.ndjson"),
            control=self.dir / "control",
        )
        self.start()

    def start(self):
        self.running = self.daemon()
        wait_until((self.dir / "control").exists, "the control socket")
        wait_until(lambda: (self.log / "siem.ndjson").exists(), "records")

    def stop(self):
        self.running.stop()

    def local(self, text):
        for path, folder in (("/etc/trawld", self.etc), ("/var/lib/trawld", self.state), ("/var/log/trawld", self.log),
                             ("/var/backups", self.dir / "backups")):  # fmt: skip
            text = text.replace(path, str(folder))
        return text

    def service(self, verb):
        if verb in ("stop", "disable", "restart"):
            self.stop()
        if verb in ("start", "enable", "restart"):
            self.start()

    def run_line(self, line, where):
        found = re.fullmatch(r"systemctl (stop|start|restart|enable|disable)(?: --now)? trawld", line)
        if found:
            self.service(found[1])
            return
        done = subprocess.run(
            ["/bin/sh", "-c", self.local(line)],
            env={**self.environment(), "PATH": "%s:%s" % (self.dir / "bin", os.environ["PATH"]), "CONF": str(self.conf)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60 * harness.PATIENCE,
        )
        self.assertEqual(done.returncode, 0, "%s: %s\n%s%s" % (where, line, done.stdout, done.stderr))

    def test_commands(self):
        n = 0
        for paper in PAPERS:
            lines = [line for kind, text in FENCE.findall(paper.read_text()) if kind == "sh" for line in text.splitlines()]
            if not lines:
                continue
            with self.subTest(paper.name):
                self.setUp()
                self.begin()
                for line in lines:
                    self.run_line(line, paper.name)
                n += len(lines)
                wait_until(lambda: len(self.out.read_bytes().splitlines()) == COUNT, "each record once")
                self.stop()
        self.assertGreater(n, 40)

    def test_fences(self):
        """No fenced text escapes these tests."""
        for paper in PAPERS:
            for kind, text in FENCE.findall(paper.read_text()):
                self.assertIn(kind, ("sh", "ini"), "%s: %s" % (paper.name, text))

    def test_configurations(self):
        self.etc, self.log = self.dir / "etc", self.dir / "log"
        (self.etc / "secrets").mkdir(parents=True)
        for paper in PAPERS:
            for kind, text in FENCE.findall(paper.read_text()):
                if kind != "ini":
                    continue
                for name in re.findall(r"\$\{credential:(\w+)\}", text):
                    (self.etc / "secrets" / name).write_text("token-of-the-test-%s\n" % name)
                text = re.sub(r"\$\{credential:(\w+)\}", r"${file:/etc/trawld/secrets/\1}", text)
                self.configure(self.local(text))
                with self.subTest(paper.name):
                    self.check(0)

    def test_messages(self):
        literal = r'"((?:[^"\\\n]|\\.)*)"'
        joined = re.compile(literal + r"(?:\s*(?:PRI\w+\s*)?" + literal + ")*")
        texts = []
        for folder in ("lib", "daemon"):
            for path in sorted((SOURCE_ROOT / folder).rglob("*.c")):
                for found in joined.finditer(path.read_text()):
                    texts.append("".join(re.findall(literal, found[0])))
        program = "\n".join(texts)
        table = (SOURCE_ROOT / "docs/troubleshooting.md").read_text().partition("## By message")[2]
        messages = re.findall(r"^\| `([^`]+)` \|", table, re.M)
        self.assertGreater(len(messages), 10)
        for message in messages:
            for part in message.split("\u2026"):
                self.assertTrue(part in program, "no message says: " + part)

    def test_links(self):
        for paper in PAPERS:
            for target in re.findall(r"\]\(([^)#]+)\)", paper.read_text()):
                self.assertTrue((paper.parent / target).exists(), "%s: %s" % (paper.name, target))


if __name__ == "__main__":
    harness.main()
