#!/usr/bin/python3
"""The Debian package on a Debian of its own: built twice, examined, installed, configured, run with
every sink, reloaded, killed, frozen, rotated, upgraded, removed, purged, and put over a much older
one, as an administrator does it. Exit code 77 with the reason where such a Debian cannot be made."""

import concurrent.futures
import json
import os
import shutil
import sys
import unittest
import urllib.request

import harness
import machine
import rsyslog
from harness import TOKEN, wait_until
from package import PackageCase, flowing
from papers import blocks, replaced

import cloudscale

OTHER = "0ther-t0ken-of-example-55aa"
LOGS = "/var/log/trawld/"
ACK = """#!/bin/sh
while read -r hash id count; do
	while read -r line && [ -n "$line" ]; do printf '%s\\n' "$line"; done >>/var/log/trawld/exec
	echo "ok $id"
done
"""
# a program that keeps its own records elsewhere, in a language that comes with every Debian
KEEP = """#!/usr/bin/perl
$| = 1;
while (<STDIN>) {
	if (/^# (\\S+)/) { ($id, @lines) = ($1) }
	elsif ($_ ne "\\n") { push @lines, $_ }
	elsif (open(OUT, ">>", "/srv/audit/records")) { print OUT @lines; close(OUT); print "ok $id\\n" }
	else { print "retry $!\\n" }
}
"""
NETWORK = ("udp", "tcp", "tls", "relp")
FLOOD = 100000  # journald takes 10,000 from a unit in 30 s, and a few times as many on a large disk
DROP_IN = """[Service]
LoadCredentialEncrypted=other-token:/etc/trawld/other-token.cred
"""


class Package(PackageCase):
    def install(self, package, expect=0, options=("--force-confold",)):
        shutil.copy(package, self.box.path("/root/trawld.deb"))
        return self.box.run("dpkg", *options, "-i", "/root/trawld.deb", expect=expect).out

    def receive(self):
        """A rsyslogd for each transport, on this host's loopback."""
        keys = rsyslog.certificates(self.dir / "keys")
        self.syslogs = {}
        for kind in NETWORK:
            settings = {k: keys[k] for k in ("ca", "cert", "key")} if kind == "tls" else {}
            self.syslogs[kind] = rsyslog.Receiver(self.dir / kind, kind, **settings)
            self.addCleanup(self.syslogs[kind].stop)
        shutil.copy(keys["ca"], self.box.path("/etc/trawld/ca.pem"))

    def configuration(self):
        sinks = (
            "[sink archive]\ntype = file\npath = %s%%{source}.ndjson\n"
            "[sink out]\ntype = stdout\n"
            "[sink devlog]\ntype = syslog\naddress = unix:/dev/log\n"
            "[sink log]\ntype = journal\nretry_max = 1s\n"
            "[sink far]\ntype = http\nurl = %s/ndjson\nretry_max = 1s\nbatch_age = 100ms\n"
            "[sink run]\ntype = exec\ncommand = /usr/local/bin/ack\nretry_max = 1s\n"
        ) % (LOGS, self.receiver.url)
        for kind, receiver in self.syslogs.items():
            sinks += "[sink %s]\ntype = syslog\naddress = %s\nretry_max = 1s\n%s" % (
                kind, receiver.address(), "ca_file = /etc/trawld/ca.pem\n" if kind == "tls" else "")
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
        self.wait_size(path, len(expected), seconds=60)
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

    def packages(self):
        changes = self.build("build")
        package = self.package(changes)
        self.examined(changes)
        self.reproducible(changes)
        return package, self.higher(package), self.older(package)

    def test_life(self):
        self.box = machine.Machine(self.dir)
        self.addCleanup(self.box.stop)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            making = pool.submit(self.box.make)
            package, higher, older = self.packages()
            why = making.result()
        self.box.write("/etc/systemd/journald.conf.d/size.conf",
                       "[Journal]\nSystemMaxUse=4G\nRuntimeMaxUse=4G\n")
        why = why or self.box.boot()
        if why:
            self.skipTest(why)
        self.acme = self.simulator("--project", "%s=1:9000" % TOKEN, "--page-size", "50")
        self.other = self.simulator("--project", "%s=2:300" % OTHER)
        self.receiver = self.simulator(name="http_receiver")
        self.acme.control(visible=200)
        self.other.control(visible=300)
        for step, *arguments in (
            (self.installed, package), (self.as_readme_says,), (self.configured,), (self.asked,), (self.every_sink,),
            (self.relaxed,), (self.reloaded,), (self.killed,), (self.frozen,), (self.rotated,),
            (self.instance,), (self.flooded,), (self.powered_off,), (self.upgraded, higher), (self.purged,),
            (self.from_older, older, package),
        ):
            print("step:", step.__name__, flush=True)
            try:
                step(*arguments)
            except Exception:
                for command in ("systemctl status -n 0 trawld", "journalctl -n 80 -o short-precise"):
                    print(self.box.run(*command.split(), expect=None).out)
                raise

    def installed(self, package):
        """Enabled, not started, not failed: there is no source yet."""
        self.install(package)
        self.assertEqual(self.box.run("systemctl", "is-enabled", "trawld").out.strip(), "enabled")
        self.assertEqual(self.box.show("trawld", "ActiveState"), "inactive")
        self.box.run("systemctl", "start", "trawld")
        self.assertEqual(self.box.show("trawld", "ActiveState"), "inactive")
        self.assertEqual(self.box.show("trawld", "Result"), "exec-condition")
        self.assertEqual(self.box.show("trawld", "NRestarts"), "0")
        self.assertEqual(self.box.run("systemctl", "--failed", "--quiet").out, "")
        exposure = self.box.run("systemd-analyze", "security", "--threshold=15", "trawld").out
        print(exposure.splitlines()[-1])
        said = self.box.run("systemd-analyze", "verify", "--man=no", "trawld.service",
                            "trawld@two.service").out
        self.assertEqual(said, "")
        modes = self.box.run("stat", "-c", "%U %a", "/etc/trawld", "/etc/trawld/trawld.conf",
                             "/etc/trawld/conf.d", "/etc/trawld/secrets").out
        self.assertEqual(modes, "root 755\nroot 644\nroot 755\nroot 700\n")

    def as_readme_says(self):
        """Its first source and first sink, and what it shows then; nothing of them stays."""
        api = self.simulator("--project", "%s=6:60" % TOKEN, "--base", "now", "--step-ms", "1")
        api.control(visible=40)
        siem = rsyslog.Receiver(self.dir / "siem", "relp")
        self.addCleanup(siem.stop)
        first, second = blocks("README.md", "ini")
        first = replaced(first, [("provider = cloudscale\n", "provider = cloudscale\nendpoint = %s\n" % api.url)])
        second = replaced(second, [("relp://logs.example.net:2514", siem.address())])
        archive = self.box.path(LOGS + "acme-prod.ndjson")
        self.box.write("/etc/trawld/secrets/acme-token", TOKEN + "\n", 0o600)
        self.box.write("/etc/trawld/trawld.conf", first)
        (commands,) = blocks("README.md", "sh", "trawld --check")
        said = [self.box.run("sh", "-c", line).out for line in commands.splitlines()]
        self.assertIn("200", said[1])
        self.assertEqual(len(archive.read_text().splitlines()), 40)  # by --once
        self.box.write("/etc/trawld/trawld.conf", first + second)
        (commands,) = blocks("README.md", "sh", "trawlctl status")
        watch, reload, journal = commands.splitlines()
        self.box.run("sh", "-c", reload)
        api.control(visible=60)
        self.box.run("trawlctl", "poll", "acme-prod")
        siem.wait_count(20)
        self.assertEqual([m.msg for m in siem.messages()], archive.read_text().splitlines()[40:])
        # without an end: until it has shown the source
        self.assertIn("acme-prod", self.box.run("sh", "-c", "(%s\n) | sed /acme-prod/q" % watch).out)
        self.assertIn("source acme-prod", self.box.run("sh", "-c", journal).out)
        self.another(api)
        self.box.run("systemctl", "stop", "trawld")
        self.box.run("sh", "-c", "rm -r /var/lib/trawld/* /var/log/trawld/*")

    def another(self, api):
        """trawlctl setup: the service runs with the new secret, and can be reloaded."""
        line = "echo %s | trawlctl setup added --provider cloudscale --set endpoint=%s --set token=-" % (TOKEN, api.url)
        self.assertIn("restarting trawld", self.box.run("sh", "-c", line).out)
        self.assertIn("source added: ", self.box.run("trawlctl", "poll", "added").out)
        self.box.run("systemctl", "reload", "trawld")
        self.box.path("/etc/trawld/conf.d/added.conf").unlink()
        self.box.path("/etc/trawld/secrets/added-token").unlink()

    def configured(self):
        self.box.write("/etc/trawld/secrets/acme-token", TOKEN + "\n", 0o600)
        self.box.write("/etc/trawld/secrets/plain", OTHER + "\n", 0o600)
        self.box.run("systemd-creds", "encrypt", "--name=other-token",
                     "/etc/trawld/secrets/plain", "/etc/trawld/other-token.cred")
        self.box.path("/etc/trawld/secrets/plain").unlink()
        self.box.write("/etc/systemd/system/trawld.service.d/secrets.conf", DROP_IN)
        self.box.write("/usr/local/bin/ack", ACK, 0o755)
        self.receive()
        self.box.write("/etc/trawld/trawld.conf", self.configuration())
        self.box.run("systemctl", "daemon-reload")
        self.box.run("systemctl", "start", "trawld")
        self.wait_records("acme.ndjson", 1, 200)
        self.wait_records("other.ndjson", 2, 300)
        words = "2 sources, 10 sinks; newest records"
        wait_until(lambda: words in self.box.show("trawld", "StatusText"), "the status")
        self.assertIn(words, self.box.run("systemctl", "status", "trawld").out)
        entries = self.journal("_SYSTEMD_UNIT=trawld.service")
        first = [e for e in entries if e["MESSAGE"].startswith("trawld 0.")][0]
        self.assertEqual((first["PRIORITY"], first["_UID"] != "0"), ("6", True))
        self.assertFalse([e for e in entries if TOKEN in str(e) or OTHER in str(e)])
        self.assertEqual(self.box.run("stat", "-c", "%U %a", LOGS, "/var/lib/trawld").out,
                         "trawld 750\ntrawld 700\n")

    def asked(self):
        """trawlctl as root, as a member of the group, as nobody in particular."""
        self.box.run("useradd", "--groups", "trawld", "keeper")
        for user, code in (("root", 0), ("keeper", 0), ("nobody", 77)):
            for command in (("status",), ("status", "--json"), ("poll", "acme"), ("reload",)):
                done = self.box.run(
                    "setpriv", "--reuid", user, "--regid", "nogroup", "--init-groups", "--",
                    "trawlctl", *command, expect=code)
                self.assertEqual("permission denied" in done.out, code == 77, done.out)
                self.assertNotIn(TOKEN, done.out)

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
        for match in ("PROVIDER=cloudscale", "_TRANSPORT=stdout"):
            entries = self.journal("_SYSTEMD_UNIT=trawld.service", "_COMM=trawld", match)
            self.assertEqual([e["MESSAGE"] for e in entries], expected, match)
        for kind, receiver in self.syslogs.items():
            receiver.wait_count(200)
            self.assertEqual([m.msg for m in receiver.messages()], expected, kind)

    def relaxed(self):
        """A program that writes elsewhere: it cannot, that is said, and one line lets it."""
        folder = self.box.path("/srv/audit")
        folder.mkdir()
        self.box.run("chown", "trawld", "/srv/audit")
        self.box.write("/usr/local/bin/keep", KEEP, 0o755)
        self.box.write("/etc/trawld/conf.d/elsewhere.conf", (
            "[sink elsewhere]\ntype = exec\ncommand = /usr/local/bin/keep\nretry_max = 1s\n"))
        self.box.run("systemctl", "reload", "trawld")
        wait_until(lambda: self.box.show("trawld", "ActiveState") == "active", "the reload's end")
        self.acme.control(visible=260)
        wait_until(lambda: "(1 failing)" in self.box.show("trawld", "StatusText"), "the status")
        self.assertRegex(self.box.show("trawld", "StatusText"),
                         "sinks .1 failing.; .*sink elsewhere: .*Read-only file system")
        self.assertTrue(self.journal("_SYSTEMD_UNIT=trawld.service", "SINK=elsewhere", "PRIORITY=4"))
        self.assertFalse((folder / "records").exists())
        self.box.write("/etc/systemd/system/trawld.service.d/elsewhere.conf",
                       "[Service]\nReadWritePaths=/srv/audit\n")
        self.box.run("systemctl", "daemon-reload")
        self.box.run("systemctl", "restart", "trawld")
        expected = cloudscale.expected_lines(1, 200, 260)
        self.wait_size(folder / "records", len(expected))
        self.assert_output(expected, folder / "records")
        self.wait_records("acme.ndjson", 1, 260)

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
        self.box.run("systemctl", "reload", "trawld", expect=1)
        wait_until(
            lambda: [e for e in self.journal("_SYSTEMD_UNIT=trawld.service", "PRIORITY=3")
                     if "stays in use" in e["MESSAGE"]],
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
        heard = int(self.box.show("trawld", "WatchdogTimestampMonotonic"))
        wait_until(lambda: int(self.box.show("trawld", "WatchdogTimestampMonotonic")) > heard,
                   "a sign of life")
        self.assertEqual(self.main_pid(), pid)
        self.box.run("systemctl", "kill", "--kill-who=main", "-s", "STOP", "trawld")
        self.acme.control(visible=1200, delay=0)
        self.wait_restart(pid, "the watchdog")
        self.assertTrue([e for e in self.journal("UNIT=trawld.service")
                         if "Watchdog timeout" in e["MESSAGE"]])
        self.wait_records("acme.ndjson", 1, 1200)

    def open_files(self):
        return self.box.run("sh", "-c", "readlink /proc/%d/fd/*" % self.main_pid(),
                            expect=None).out

    def rotated(self):
        """The snippet's signal makes trawld let go of the old file before the next record comes."""
        self.assertIn(LOGS + "acme.ndjson\n", self.open_files())
        self.box.run("logrotate", "--force", "/etc/logrotate.d/trawld")
        wait_until(lambda: LOGS + "acme.ndjson.1\n" not in self.open_files(), "the old file's end")
        old = self.box.path(LOGS + "acme.ndjson.1").read_bytes()
        self.assertEqual(old, cloudscale.expected_lines(1, 0, 1200))
        self.acme.control(visible=1300)
        new = self.box.path(LOGS + "acme.ndjson")
        self.wait_size(new, len(cloudscale.expected_lines(1, 1200, 1300)))
        self.assert_output(cloudscale.expected_lines(1, 1200, 1300), new)
        self.assertEqual(self.box.run("stat", "-c", "%U", LOGS + "acme.ndjson").out, "trawld\n")

    def instance(self):
        self.box.write("/etc/trawld/instances/two/trawld.conf", (
            "[daemon]\nlisten = off\ncontrol = /run/trawld-two/control\n"
            + self.source(self.other.url, "mine", OTHER)
            + "[sink archive]\ntype = file\npath = ${env:LOGS_DIRECTORY}/%{source}.ndjson\n"
        ))
        pid = self.main_pid()
        self.box.run("systemctl", "enable", "--now", "trawld@two")
        self.wait_records("two/mine.ndjson", 2, 300)
        self.assertTrue(self.box.path("/var/lib/trawld/instances/two/trawld.db").exists())
        status = json.loads(self.box.run(
            "trawlctl", "-c", "/etc/trawld/instances/two/trawld.conf", "status", "--json").out)
        self.assertEqual([source["name"] for source in status["sources"]], ["mine"])
        exposure = self.box.run("systemd-analyze", "security", "--threshold=15", "trawld@two").out
        print(exposure.splitlines()[-1])
        self.assertEqual(self.main_pid(), pid)

    def status(self, unit):
        path = "/etc/trawld/" + ("trawld.conf" if unit == "trawld" else "instances/two/trawld.conf")
        return json.loads(self.box.run("trawlctl", "-c", path, "status", "--json").out)

    def delivered(self, unit, sink):
        """How many records trawld counts as delivered."""
        return sum(s["delivered"] for s in self.status(unit)["sinks"] if s["name"] == sink)

    def flooded(self):
        """The journal has every record of a flood, of the journal sink under one unit and of the
        stdout sink under the other: both units lift the rate limit of journald."""
        flood = self.simulator("--project", "%s=5:%d" % (TOKEN, FLOOD), "--page-size", "5000")
        more = "interval = 200ms\nsinks = %s\n"
        source = self.box.path("/etc/trawld/conf.d/flood.conf")
        two = self.box.path("/etc/trawld/instances/two/trawld.conf")
        quiet = two.read_text()
        units = (("trawld", "log", "SOURCE=flood"), ("trawld@two", "out", "_TRANSPORT=stdout"))
        goals = [self.delivered(unit, sink) + FLOOD for unit, sink, match in units]
        source.write_text(self.source(flood.url, "flood", "${credential:acme-token}", more % "log"))
        two.write_text(quiet + "[sink out]\ntype = stdout\n"
                       + self.source(flood.url, "flood", TOKEN, more % "out"))
        self.box.run("systemctl", "reload", "trawld", "trawld@two")
        expected = cloudscale.expected_lines(5, 0, FLOOD)
        for (unit, sink, match), goal in zip(units, goals):
            wait_until(lambda: self.delivered(unit, sink) >= goal, "the delivery by " + unit, 120)
            # the records; trawld's own lines about the source have the same fields
            taken = "journalctl --quiet --output=cat _SYSTEMD_UNIT=%s.service %s | grep '^{'" % (unit, match)
            # what journald has not read yet waits in its socket
            wait_until(lambda: int(self.box.run("sh", "-c", taken + " | wc -l").out) >= FLOOD,
                       "%d entries of %s" % (FLOOD, unit))
            self.box.run("sh", "-c", taken + " >/root/flood")
            self.assert_output(expected, self.box.path("/root/flood"))
        source.unlink()
        two.write_text(quiet)
        self.box.run("systemctl", "reload", "trawld", "trawld@two")
        for unit, sink, match in units:  # taken up before the power goes
            wait_until(lambda: "flood" not in [s["name"] for s in self.status(unit)["sources"]],
                       "the end of the flood's source in " + unit)

    def powered_off(self):
        """Without a warning; with the system both services start again, and go on."""
        self.box.stop()
        self.acme.control(visible=1400)
        self.assertIsNone(self.box.boot())
        new = self.box.path(LOGS + "acme.ndjson")
        self.wait_size(new, len(cloudscale.expected_lines(1, 1200, 1400)))
        self.assert_output(cloudscale.expected_lines(1, 1200, 1400), new)
        wait_until(lambda: self.box.show("trawld@two", "ActiveState") == "active", "the instance")
        self.wait_records("two/mine.ndjson", 2, 300)

    def upgraded(self, package):
        """While records flow. A conffile that was edited is asked about, and stays; one that was
        not is the new one. Both services run the new program, and go on where the old one was."""
        pids = self.main_pid(), self.box.show("trawld@two", "MainPID")
        new = self.box.path(LOGS + "acme.ndjson")
        with flowing(self.acme, 1400) as shown:
            self.wait_size(new, len(cloudscale.expected_lines(1, 1200, 1410)))
            said = self.install(package, expect=1, options=())
            self.assertIn("end of file on stdin at conffile prompt", said)
            # in the middle of it nothing is touched, and the old program goes on
            self.assertEqual((self.main_pid(), self.box.show("trawld@two", "MainPID")), pids)
            self.box.run("dpkg", "--force-confold", "--configure", "trawld")
            self.wait_restart(pids[0], "the new version")
            size = new.stat().st_size
            wait_until(lambda: new.stat().st_size > size, "records under the new version")
        self.assertNotIn(self.box.show("trawld@two", "MainPID"), ("0", pids[1]))
        expected = cloudscale.expected_lines(1, 1200, shown[-1])
        self.wait_size(new, len(expected))
        self.assert_output(expected, new)
        self.wait_records("two/mine.ndjson", 2, 300)
        self.assertEqual(self.box.path("/etc/trawld/trawld.conf").read_text(), self.configuration())
        line = "# a new line of the package's\n"
        self.assertIn(line, self.box.path("/etc/trawld/trawld.conf.dpkg-dist").read_text())
        self.assertIn(line, self.box.path("/etc/logrotate.d/trawld").read_text())
        self.assertEqual(self.box.run("trawld", "--check", expect=None).code, 0)  # as the service

    def purged(self):
        self.box.run("dpkg", "--remove", "trawld")
        for name in ("trawld", "trawld@two"):
            self.assertEqual(self.box.run("systemctl", "is-active", name, expect=None).code, 3)
        self.assertTrue(self.box.path("/var/lib/trawld/trawld.db").exists())
        self.assertTrue(self.box.path("/etc/trawld/trawld.conf").exists())
        archive = self.box.path(LOGS + "acme.ndjson").read_bytes()
        letter = self.box.path("/var/lib/trawld/dead-letters/kept.ndjson")
        letter.parent.mkdir(exist_ok=True)
        letter.write_text("{}\n")
        for name in ("conf.d/mine.conf", "secrets/mine", "instances/three/trawld.conf"):
            self.box.path("/etc/trawld/" + name).parent.mkdir(parents=True, exist_ok=True)
            self.box.path("/etc/trawld/" + name).write_text("# mine\n")
        self.box.run("dpkg", "--purge", "trawld")
        self.assertEqual(letter.read_text(), "{}\n")
        self.assertEqual(os.listdir(self.box.path("/var/lib/trawld")), ["dead-letters"])
        for name in ("/etc/trawld", "/etc/logrotate.d/trawld",
                     "/etc/systemd/system/multi-user.target.wants/trawld.service",
                     "/etc/systemd/system/multi-user.target.wants/trawld@two.service"):
            self.assertFalse(os.path.lexists(self.box.path(name)), name)
        self.assertEqual(self.box.path(LOGS + "acme.ndjson").read_bytes(), archive)

    def from_older(self, older, package):
        """The state, the configuration and the unit of an old program, taken over in full flow."""
        if not older:
            print("no upgrade from an old program: the history of this clone does not reach back")
            return
        acme = self.simulator("--project", "%s=4:9000" % TOKEN, "--page-size", "50")
        self.install(older)
        self.box.run("rm", "-r", "/etc/systemd/system/trawld.service.d")
        self.box.run("systemctl", "daemon-reload")
        self.box.write("/etc/trawld/trawld.conf", (
            "[daemon]\nlisten = off\n" + self.source(acme.url, "old", more="interval = 200ms")
            + "[sink archive]\ntype = file\npath = %s%%{source}.ndjson\n" % LOGS))
        path = self.box.path(LOGS + "old.ndjson")
        acme.control(visible=400)
        self.box.run("systemctl", "start", "trawld")
        self.wait_records("old.ndjson", 4, 400)
        pid = self.main_pid()
        with flowing(acme, 400) as shown:
            self.wait_size(path, len(cloudscale.expected_lines(4, 0, 420)))
            self.assertFalse(self.box.path("/usr/bin/trawlctl").exists())
            self.install(package)
            self.wait_restart(pid, "the new program")
            size = path.stat().st_size
            wait_until(lambda: path.stat().st_size > size, "records under the new program")
        self.wait_records("old.ndjson", 4, shown[-1])
        status = json.loads(self.box.run("trawlctl", "status", "--json").out)
        self.assertEqual([source["name"] for source in status["sources"]], ["old"])
        # it went on from the old place, and did not ask for all of them again
        self.assertLess(acme.stats()["served"][TOKEN], shown[-1] + 400)


if __name__ == "__main__":
    result = unittest.main(verbosity=2, exit=False).result
    if result.skipped:
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)
