#!/usr/bin/python3
"""The Debian package on a Debian of its own: built, examined, installed, configured, run, reloaded,
killed, frozen, rotated, upgraded, removed, purged, as an administrator does it. Exit code 77 with
the reason where such a Debian cannot be made."""

import json
import shutil
import subprocess
import sys
import unittest
import urllib.request

import harness
import machine
from harness import SOURCE_ROOT, TOKEN, wait_until

import cloudscale

OTHER = "0ther-t0ken-of-example-55aa"
LOGS = "/var/log/trawld/"
ACK = """#!/bin/sh
while read -r hash id count; do
	while read -r line && [ -n "$line" ]; do printf '%s\\n' "$line"; done >>/var/log/trawld/exec
	echo "ok $id"
done
"""
DROP_IN = """[Service]
LoadCredential=acme-token:/etc/trawld/secrets/acme-token
LoadCredentialEncrypted=other-token:/etc/trawld/secrets/other-token.cred
"""


class Package(harness.Case):
    def setUp(self):
        super().setUp()
        why = machine.missing()
        for tool in ("dpkg-buildpackage", "dh", "lintian"):
            why = why or (None if shutil.which(tool) else "no %s here" % tool)
        if why:
            self.skipTest(why)
        self.dir = self.dir.resolve()

    def command(self, *words, cwd=None, timeout=600):
        done = subprocess.run(
            words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout,
            env={**self.environment(), "DEB_BUILD_OPTIONS": "nocheck parallel=2"},
        )
        self.assertEqual(done.returncode, 0, done.stdout[-5000:])
        return done.stdout

    def build(self):
        """The .deb of a copy of the tree, which stays as it is."""
        tree = self.dir / "build" / "trawld"
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
            cwd=SOURCE_ROOT, capture_output=True, check=True,
        ).stdout.decode()
        for name in listed.split("\0"):
            if name and (SOURCE_ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(SOURCE_ROOT / name, tree / name)
        self.command("dpkg-buildpackage", "-us", "-uc", "-b", cwd=tree)
        (changes,) = tree.parent.glob("trawld_*.changes")
        print(self.command(
            "lintian", "--allow-root", "--fail-on", "error,warning", "--info", str(changes)
        ))
        (package,) = tree.parent.glob("trawld_*.deb")
        return package

    def higher(self, package):
        """The same with a higher version, and one more line in the example."""
        tree = self.dir / "higher"
        self.command("dpkg-deb", "-R", str(package), str(tree))
        control = tree / "DEBIAN" / "control"
        control.write_text(control.read_text().replace("Version: ", "Version: 9:", 1))
        with open(tree / "etc/trawld/trawld.conf", "a") as file:
            file.write("# a new line of the example\n")
        path = self.dir / "higher.deb"
        self.command("dpkg-deb", "--root-owner-group", "-b", str(tree), str(path))
        return path

    def install(self, package):
        shutil.copy(package, self.box.path("/root/trawld.deb"))
        self.box.run("dpkg", "--force-confold", "-i", "/root/trawld.deb")

    def configuration(self):
        sinks = (
            "[sink archive]\ntype = file\npath = %s%%{source}.ndjson\n"
            "[sink devlog]\ntype = syslog\naddress = unix:/dev/log\n"
            "[sink log]\ntype = journal\nretry_max = 1s\n"
            "[sink far]\ntype = http\nurl = %s/ndjson\nretry_max = 1s\nbatch_age = 100ms\n"
            "[sink run]\ntype = exec\ncommand = /usr/local/bin/ack\nretry_max = 1s\n"
        ) % (LOGS, self.receiver.url)
        source = "interval = 200ms\nretry_max = 1s\n"
        return (
            "[daemon]\nlisten = off\n"
            + self.source(self.acme.url, token="${credential:acme-token}", more=source)
            + self.source(self.other.url, "other", "${credential:other-token}",
                          source + "sinks = archive\n")
            + sinks
        )

    def wait_records(self, name, seed, n):
        path = self.box.path(LOGS + name)
        expected = cloudscale.expected_lines(seed, 0, n)
        try:
            self.wait_size(path, len(expected), seconds=60)
        except AssertionError:
            print(self.box.run("systemctl", "status", "trawld", expect=None).out)
            print(self.box.run("journalctl", "-u", "trawld", "-n", "40", expect=None).out)
            raise
        self.assert_output(expected, path)

    def journal(self, *matches):
        out = self.box.run("journalctl", "--quiet", "--all", "-o", "json", *matches).out
        return [json.loads(line) for line in out.splitlines()]

    def main_pid(self):
        return int(self.box.show("trawld", "MainPID"))

    def wait_restart(self, pid, what):
        wait_until(
            lambda: self.main_pid() not in (0, pid)
            and self.box.show("trawld", "ActiveState") == "active",
            what, seconds=60,
        )

    def test_life(self):
        package = self.build()
        self.box = machine.Machine(self.dir)
        self.addCleanup(self.box.stop)
        why = self.box.make() or self.box.boot()
        if why:
            self.skipTest(why)
        self.acme = self.simulator("--project", "%s=1:2000" % TOKEN, "--page-size", "50")
        self.other = self.simulator("--project", "%s=2:300" % OTHER)
        self.receiver = self.simulator(name="http_receiver")
        self.acme.control(visible=200)
        self.other.control(visible=300)
        for step in (
            self.installed, self.configured, self.every_sink, self.reloaded, self.killed,
            self.frozen, self.rotated, self.instance,
        ):
            print("step:", step.__name__, flush=True)
            step() if step != self.installed else step(package)
        print("step: upgraded, purged", flush=True)
        self.upgraded(self.higher(package))
        self.purged()

    def installed(self, package):
        """Enabled, not started, not failed: there is no source yet."""
        self.install(package)
        self.assertEqual(self.box.run("systemctl", "is-enabled", "trawld").out.strip(), "enabled")
        self.assertEqual(self.box.show("trawld", "ActiveState"), "inactive")
        self.box.run("systemctl", "start", "trawld")
        self.assertEqual(self.box.show("trawld", "ActiveState"), "inactive")
        self.assertEqual(self.box.show("trawld", "Result"), "exec-condition")
        exposure = self.box.run("systemd-analyze", "security", "--threshold=15", "trawld").out
        print(exposure.splitlines()[-1])

    def configured(self):
        self.box.write("/etc/trawld/secrets/acme-token", TOKEN + "\n", 0o600)
        self.box.write("/etc/trawld/secrets/plain", OTHER + "\n", 0o600)
        self.box.run("systemd-creds", "encrypt", "--name=other-token",
                     "/etc/trawld/secrets/plain", "/etc/trawld/secrets/other-token.cred")
        self.box.path("/etc/trawld/secrets/plain").unlink()
        self.box.write("/etc/systemd/system/trawld.service.d/secrets.conf", DROP_IN)
        self.box.write("/usr/local/bin/ack", ACK, 0o755)
        self.box.write("/etc/trawld/trawld.conf", self.configuration())
        self.box.run("systemctl", "daemon-reload")
        self.box.run("systemctl", "start", "trawld")
        self.wait_records("acme.ndjson", 1, 200)
        self.wait_records("other.ndjson", 2, 300)
        wait_until(lambda: "newest records" in self.box.show("trawld", "StatusText"), "the status")
        status = self.box.run("systemctl", "status", "trawld").out
        self.assertIn("2 sources, 5 sinks; newest records", status)
        entries = self.journal("_SYSTEMD_UNIT=trawld.service")
        first = [e for e in entries if e["MESSAGE"].startswith("trawld 0.")][0]
        self.assertEqual((first["PRIORITY"], first["_UID"] != "0"), ("6", True))
        self.assertFalse([e for e in entries if TOKEN in str(e) or OTHER in str(e)])
        self.box.run("useradd", "--groups", "trawld", "keeper")
        for user, code in (("root", 0), ("keeper", 0), ("nobody", None)):
            done = self.box.run(
                "setpriv", "--reuid", user, "--regid", "nogroup", "--init-groups", "--",
                "trawlctl", "status", "--json", expect=code)
            self.assertEqual(done.code == 0, code == 0, done.out)
        self.assertEqual(self.box.run("stat", "-c", "%U %a", LOGS, "/var/lib/trawld").out,
                         "trawld 750\ntrawld 700\n")

    def every_sink(self):
        """All of them have all records, from inside the sandbox."""
        expected = cloudscale.expected_lines(1, 0, 200).decode().splitlines()
        self.assertEqual(
            self.box.path(LOGS + "exec").read_text().splitlines(), expected
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def far():
            with opener.open(self.receiver.url + "/got/ndjson") as answer:
                return [text for one in json.load(answer) for text in one["records"]]

        wait_until(lambda: len(far()) >= 200, "the http sink")
        self.assertEqual(far(), expected)
        wait_until(
            lambda: len(self.journal("_SYSTEMD_UNIT=trawld.service", "_TRANSPORT=syslog")) >= 200,
            "the records behind /dev/log",
        )
        entries = self.journal("_SYSTEMD_UNIT=trawld.service", "PROVIDER=cloudscale")
        self.assertEqual([e["MESSAGE"] for e in entries], expected)

    def reloaded(self):
        pid = self.main_pid()
        third = self.simulator("--project", "%s=3:100" % TOKEN)
        third.control(visible=100)
        self.box.write("/etc/trawld/conf.d/third.conf", self.source(
            third.url, "third", "${credential:acme-token}",
            "interval = 200ms\nsinks = archive\n"))
        self.box.run("systemctl", "reload", "trawld")
        self.wait_records("third.ndjson", 3, 100)
        self.box.write("/etc/trawld/conf.d/third.conf", "[source third]\nprovider = none\n")
        self.box.run("systemctl", "reload", "trawld", expect=None)
        wait_until(
            lambda: [e for e in self.journal("_SYSTEMD_UNIT=trawld.service", "PRIORITY=3")
                     if "stays in force" in e["MESSAGE"]],
            "the refusal of the broken configuration",
        )
        self.box.path("/etc/trawld/conf.d/third.conf").unlink()
        self.box.run("systemctl", "reload", "trawld")
        self.assertEqual(self.main_pid(), pid)

    def killed(self):
        """In the middle of a chain of pages, again and again."""
        self.acme.control(visible=1000, delay=0.02)
        path = self.box.path(LOGS + "acme.ndjson")
        for n in (300, 500):
            self.wait_size(path, len(cloudscale.expected_lines(1, 0, n)))
            pid = self.main_pid()
            self.box.run("systemctl", "kill", "-s", "KILL", "trawld")
            self.wait_restart(pid, "the restart after SIGKILL")
        self.wait_records("acme.ndjson", 1, 1000)

    def frozen(self):
        self.box.write("/etc/systemd/system/trawld.service.d/fast.conf",
                       "[Service]\nWatchdogSec=3s\nRestartSec=100ms\n")
        self.box.run("systemctl", "daemon-reload")
        self.box.run("systemctl", "restart", "trawld")
        pid = self.main_pid()
        self.box.run("systemctl", "kill", "--kill-who=main", "-s", "STOP", "trawld")
        self.acme.control(visible=1200, delay=0)
        self.wait_restart(pid, "the watchdog")
        self.assertTrue([e for e in self.journal("UNIT=trawld.service")
                         if "Watchdog timeout" in e["MESSAGE"]])
        self.wait_records("acme.ndjson", 1, 1200)

    def rotated(self):
        self.box.run("logrotate", "--force", "/etc/logrotate.d/trawld")
        old = self.box.path(LOGS + "acme.ndjson.1").read_bytes()
        self.assertEqual(old, cloudscale.expected_lines(1, 0, 1200))
        self.acme.control(visible=1300)
        new = self.box.path(LOGS + "acme.ndjson")
        self.wait_size(new, len(cloudscale.expected_lines(1, 1200, 1300)))
        self.assert_output(cloudscale.expected_lines(1, 1200, 1300), new)
        self.assertEqual(self.box.run("stat", "-c", "%U", LOGS + "acme.ndjson").out, "trawld\n")

    def instance(self):
        self.box.write("/etc/trawld/instances/two/trawld.conf", (
            "[daemon]\nlisten = off\n" + self.source(self.other.url, "mine", OTHER)
            + "[sink archive]\ntype = file\npath = ${env:LOGS_DIRECTORY}/%{source}.ndjson\n"
        ))
        self.box.run("systemctl", "start", "trawld@two")
        self.wait_records("two/mine.ndjson", 2, 300)
        self.assertTrue(self.box.path("/var/lib/trawld/instances/two/trawld.db").exists())

    def upgraded(self, package):
        """A higher version goes on where the old one was; the edited configuration stays."""
        pids = self.main_pid(), self.box.show("trawld@two", "MainPID")
        self.acme.control(visible=1400)
        self.install(package)
        self.wait_restart(pids[0], "the new version")
        self.assertNotIn(self.box.show("trawld@two", "MainPID"), ("0", pids[1]))
        new = self.box.path(LOGS + "acme.ndjson")
        self.wait_size(new, len(cloudscale.expected_lines(1, 1200, 1400)))
        self.assert_output(cloudscale.expected_lines(1, 1200, 1400), new)
        self.assertEqual(self.box.path("/etc/trawld/trawld.conf").read_text(), self.configuration())
        self.assertEqual(self.box.run("trawld", "--check", expect=None).code, 78)  # no credentials

    def purged(self):
        self.box.run("dpkg", "--remove", "trawld")
        for name in ("trawld", "trawld@two"):
            self.assertEqual(self.box.run("systemctl", "is-active", name, expect=None).code, 3)
        self.assertTrue(self.box.path("/var/lib/trawld/trawld.db").exists())
        self.assertTrue(self.box.path("/etc/trawld/trawld.conf").exists())
        archive = self.box.path(LOGS + "acme.ndjson").read_bytes()
        self.box.run("dpkg", "--purge", "trawld")
        for name in ("/var/lib/trawld", "/etc/trawld/trawld.conf", "/etc/logrotate.d/trawld",
                     "/etc/systemd/system/multi-user.target.wants/trawld.service"):
            self.assertFalse(self.box.path(name).exists(), name)
        self.assertEqual(self.box.path(LOGS + "acme.ndjson").read_bytes(), archive)


if __name__ == "__main__":
    result = unittest.main(verbosity=2, exit=False).result
    if result.skipped:
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)
