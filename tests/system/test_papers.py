#!/usr/bin/python3
"""The papers of docs/: every fenced command is run as it is written, every configuration passes the check, every
message that a table names is in the program, every link leads somewhere. /etc/trawld, /var/lib/trawld and the like are
folders of the test, and systemctl starts and stops its trawld. Those of docs/providers are followed step by step against
the strict simulator of the API."""

import os
import pathlib
import re
import subprocess
import time

import harness
from harness import PROVIDERS, SOURCE_ROOT, TRAWLCTL, TRAWLD, wait_until, whole_lines
from papers import FENCE, blocks_by_page, fences

import vendors

COMMANDS = blocks_by_page("docs/*.md", "sh")
STEPS = blocks_by_page("docs/providers/[a-z]*.md", "sh")
SOURCES = {page: "".join(texts) for page, texts in blocks_by_page("docs/providers/[a-z]*.md", "ini").items()}
EVERYTHING = [*blocks_by_page("docs/*.md", ""), *blocks_by_page("docs/providers/*.md", "")]
KEY = SOURCE_ROOT / "tests/keys/rfc7515-a2.pem"
CREDENTIAL = re.compile(r"\$\{credential:([\w-]+)\}")
SIZING = "meson setup build && ninja -C build daemon/trawld\ntests/bench/sizing.py build/daemon/trawld\n"
COUNT = 40
SHIMS = {
    "trawlctl": 'exec "%s" -c "$CONF" "$@"' % TRAWLCTL,
    "trawld": 'exec "%s" -c "$CONF" "$@"' % TRAWLD,
    "journalctl": 'exec cat "$CONF"',  # the log is the test's
    # without the user, whom a test host need not have
    "install": 'while [ "$1" = -o ] || [ "$1" = -g ] || [ "$1" = -d ]; do'
    ' if [ "$1" = -d ]; then d=-d; shift; else shift 2; fi; done; exec /usr/bin/install $d "$@"',
}


def header(name):
    """The fields of a definition's header, each on one line, and the source of its example."""
    top = (SOURCE_ROOT / PROVIDERS / (name + ".conf")).read_text().partition("\n[provider]\n")[0]
    fields = re.sub(r"\n#   +", " ", top.partition("# Example:")[0])
    example = re.findall(r"^#   (.+)$", top.partition("# Example:\n")[2].partition("\n#\n")[0], re.M)
    return dict(re.findall(r"^# ([A-Z][a-z]+): (.*)$", fields, re.M)), example


class Papers(harness.Case):
    def environment(self):
        return {**super().environment(), "CREDENTIALS_DIRECTORY": str(self.dir / "etc/secrets")}

    def write_secrets(self, text):
        """A file for each credential of a configuration."""
        for key, name in re.findall(r"^(\w+) = \$\{credential:([\w-]+)\}", text, re.M):
            secret = KEY.read_text() if key == "private_key" else "token-of-the-test-%s\n" % name
            (self.dir / "etc/secrets" / name).write_text(secret)

    def folders(self):
        self.etc, self.log = self.dir / "etc", self.dir / "log"
        for folder in (self.etc / "secrets", self.log, self.dir / "backups", self.dir / "bin"):
            folder.mkdir(parents=True)
        for name, body in SHIMS.items():
            (self.dir / "bin" / name).write_text("#!/bin/sh\n%s\n" % body)
            (self.dir / "bin" / name).chmod(0o755)
        self.conf = self.etc / "trawld.conf"

    def begin(self):
        self.sim = self.cloudscale(COUNT)
        self.folders()
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
        for page, texts in COMMANDS.items():
            lines = "".join(text for text in texts if text != SIZING).splitlines()
            if not lines:
                continue
            with self.subTest(page):
                self.setUp()
                self.begin()
                for line in lines:
                    self.run_line(line, page)
                n += len(lines)
                wait_until(lambda: len(whole_lines(self.out)) == COUNT, "each record once")
                self.stop()
        self.assertGreater(n, 40)

    def test_sizing(self):
        """The program that measures, with fewer records, of the build that is tested."""
        self.assertIn(SIZING, COMMANDS["docs/sizing.md"])
        command = SIZING.splitlines()[1].replace("build/daemon/trawld", TRAWLD)
        done = subprocess.run(
            [*command.split(), "--records", "2000", "--sources", "1", "3"],
            cwd=SOURCE_ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120 * harness.PATIENCE,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def vendor_source(self, page, vendor):
        """The tutorial's source with what the simulator knows, and {secret's name: secret}."""
        values = vendor.source.format(url=self.sim.url, keys=SOURCE_ROOT / "tests/keys")
        values = dict(line.split(" = ", 1) for line in values.splitlines())
        lines, secrets = ["endpoint = " + self.sim.url], {}
        for line in SOURCES[page].splitlines():
            key, _, value = line.partition(" = ")
            credential = CREDENTIAL.fullmatch(value)
            if credential:
                secrets[credential[1]] = values.pop(key)
            elif key in values:
                line = "%s = %s" % (key, values.pop(key))
            elif key.startswith("each."):  # the simulator has the first one only
                line = line.partition(",")[0]
            lines.append(line)
        lines[:2] = lines[1::-1]  # the section's name first
        return "\n".join(lines + ["%s = %s" % item for item in values.items()]) + "\n", secrets

    def follow(self, page):
        """Does what the tutorial says, in its order."""
        name = pathlib.Path(page).stem
        vendor = vendors.apis()[name]
        self.sim = self.simulator(
            "--api", name, "--first", str(int(time.time()) - 3600 - vendor.span_us // 10**6), "--count", str(COUNT),
            name="vendors",
        )  # fmt: skip
        self.folders()
        source, secrets = self.vendor_source(page, vendor)
        self.configure(source, self.file_sink(), control=self.dir / "control")
        lines = "".join(STEPS[page]).splitlines()
        for line in lines:
            if line == "systemctl restart trawld":
                self.running = self.daemon()
                wait_until((self.dir / "control").exists, "the control socket")
                wait_until(lambda: self.out.exists() and self.out.stat().st_size > 0, "records")
                continue
            self.run_line(line, name)
            for secret in [secret for secret in secrets if line.endswith("/secrets/" + secret)]:
                path = re.fullmatch(r"\$\{file:(.*)\}", secrets[secret])
                text = pathlib.Path(path[1]).read_text() if path else secrets[secret] + "\n"
                (self.etc / "secrets" / secret).write_text(text)
        self.assertEqual({path.name for path in (self.etc / "secrets").iterdir()}, set(secrets))
        self.assertLessEqual(set(self.sim.stats()["statuses"]), {"200", "201", "204"})
        self.stop()
        return lines

    def test_tutorials(self):
        for page in STEPS:
            with self.subTest(page):
                self.setUp()
                lines = self.follow(page)
                for command in ("trawld --check", "trawlctl probe ", "systemctl restart trawld"):
                    self.assertTrue(any(line.startswith(command) for line in lines), command)
        self.assertEqual(len(STEPS), 12)

    def test_tutorials_and_definitions_agree(self):
        """The source is that of --example; retention, delay and rate are those of the header."""
        for page, source in SOURCES.items():
            fields, example = header(pathlib.Path(page).stem)
            with self.subTest(page):
                secret = re.compile(r"\$\{credential:[^}]*\}")
                self.assertEqual([secret.sub("SECRET", line) for line in source.splitlines()],
                                 [secret.sub("SECRET", line) for line in example])  # fmt: skip
                text = " ".join((SOURCE_ROOT / page).read_text().split())
                for field in ("Retention", "Delay", "Rate", "Confidence"):
                    self.assertIn("| %s | %s |" % (field.lower(), fields[field]), text)
                self.assertIn(fields["Documentation"], text)

    def test_settings_in_prose(self):
        """Each setting that a tutorial suggests beside its source passes the check with it."""
        (self.dir / "etc/secrets").mkdir(parents=True)
        n = 0
        for page, text in SOURCES.items():
            source = text.splitlines()
            self.write_secrets(text)
            prose = " ".join(FENCE.sub("", (SOURCE_ROOT / page).read_text()).split())
            for key, value in re.findall(r"`([a-z][a-z._]*) = ([^`]+)`", prose):
                n += 1
                with self.subTest(page, key=key, value=value):
                    if key == "provider":  # another definition, whose parameters differ
                        self.assertTrue((SOURCE_ROOT / PROVIDERS / (value + ".conf")).exists())
                        continue
                    replaced = (key, key.removeprefix("each."))
                    value = value.replace("/usr/bin/aws", "/bin/sh")  # which a test host has
                    kept = [line for line in source if line.partition(" = ")[0] not in replaced]
                    self.configure("\n".join([*kept, "%s = %s" % (key, value), ""]), self.file_sink())
                    self.check(0)
        self.assertGreater(n, 15)

    def test_fences(self):
        """No fenced text escapes these tests."""
        for page in EVERYTHING:
            for kind, text in fences(page):
                self.assertIn(kind, ("sh", "ini"), "%s: %s" % (page, text))

    def test_configurations(self):
        self.etc, self.log = self.dir / "etc", self.dir / "log"
        (self.etc / "secrets").mkdir(parents=True)
        for page in EVERYTHING:
            for kind, text in fences(page):
                if kind != "ini":
                    continue
                self.write_secrets(text)
                if "[sink" not in text:
                    text += self.file_sink()
                self.configure(self.local(text))
                with self.subTest(page):
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
        for paper in (SOURCE_ROOT / "docs/providers").glob("*.md"):
            table = paper.read_text().rpartition("| --- | --- |\n")[2]
            messages += re.findall(r"^\| `([^`]+)`", table, re.M)
        for message in messages:
            for part in message.split("\u2026"):
                self.assertTrue(part in program, "no message says: " + part)

    def test_links(self):
        for page in ["README.md", *EVERYTHING]:
            path = SOURCE_ROOT / page
            for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
                if target.startswith("https://"):
                    continue
                self.assertTrue((path.parent / target).exists(), "%s: %s" % (page, target))


if __name__ == "__main__":
    harness.main()
