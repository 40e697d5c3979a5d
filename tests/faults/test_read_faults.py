#!/usr/bin/python3
"""A disk from which something cannot be read: one read of the state, the archives, the dead letters or the seals fails, or
all from then on, in a run with --once, in a daemon, and in commands of trawlctl.

Nothing is lost or repeated. A run that ends with 0 has done everything; one that does not says which file cannot be read,
and the next one does the rest. A daemon never ends: it retries, and once the disk can be read again, everything is
delivered. A command either prints what it would have printed, or says that it cannot; the seals of a file that cannot be
read are never called changed. Chance selects the reads; TRAWLD_FAULTS says how many of each run, or all, or which (1-500).
TRAWLD_TEST_SEED repeats a run.
"""

import gzip
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys

from on_disk import RECORDS, OnDisk, harness
from harness import wait_until
from listen_http import ask, parse
from sealed import GOOD

ONCE, DAEMON, COMMAND, RELOAD = 8, 2, 1, 8  # points of each in the short form
PROCESSES = 12  # of the long form, for daemons


class ReadFaults(OnDisk):
    """A state with a batch that was refused, records that wait, and 200 that are still to be read."""

    def setUp(self):
        super().setUp()
        self.log, self.kept, self.folder = self.dir / "reads", self.dir / "kept", self.root / "program"
        self.folder.mkdir()
        child = [sys.executable, harness.SOURCE_ROOT / "tests/system/exec_child.py", self.folder]
        seal = "seal = 1s\nseal_key = ${file:%s}\n" % self.key
        self.configure(
            self.source(self.simulator.url, more="interval = 50ms"),
            self.file_sink(more=seal),
            self.file_sink("rotated", self.rotated, "max_size = 64KiB\ncompress = gzip\n" + seal),
            "[sink program]\ntype = exec\ncommand = %s\nretry_max = 1s\n"
            % shlex.join(map(str, child)),
            daemon="keep = 1d",
        )
        self.prepare()

    def prepare(self):
        for visible, words, code in ((100, "refuse", 75), (200, "ok", 0), (400, "retry " * 100, 75)):
            self.simulator.control(visible=visible)
            (self.folder / "script").write_text(words)
            self.once(code)
        (self.folder / "script").unlink()
        self.simulator.control(visible=RECORDS)
        self.ctl("dead-letters", "resend", "program")
        shutil.copytree(self.root, self.kept)
        shutil.copytree(self.root, self.inodes, copy_function=os.link, dirs_exist_ok=True)

    def restore(self):
        """Every file is as it was, and the same file: positions and notes name inodes."""
        shutil.rmtree(self.root)
        for path in sorted(self.kept.rglob("*")):
            name = path.relative_to(self.kept)
            if not path.is_dir():
                (self.inodes / name).write_bytes(path.read_bytes())
        shutil.copytree(self.inodes, self.root, copy_function=os.link)
        for suffix in ("", ".failed", ".over", ".damaged"):
            self.log.with_name(self.log.name + suffix).unlink(missing_ok=True)

    def environment_of(self, fault=None, after=None):
        environment = {
            "LD_PRELOAD": os.environ["TRAWLD_PRELOAD"],
            "READ_FAIL_ROOT": str(self.root),
            "READ_FAIL_LOG": str(self.log),
        }
        if after:
            environment["READ_FAIL_AFTER"] = after
        return {**environment, "READ_FAIL": fault} if fault else environment

    def run_once(self, fault=None):
        return self.trawld("-c", str(self.conf), "--once", environment=self.environment_of(fault))

    def failed(self):
        """The files of which a read failed."""
        path = self.log.with_name(self.log.name + ".failed")
        return path.read_text().splitlines() if path.exists() else []

    def points(self, least):
        """Which reads of a run fail; each file of which something was read has some."""
        reads = self.log.read_text().splitlines()
        wanted = os.environ.get("TRAWLD_FAULTS")
        if wanted == "all":
            wanted = "1-%d" % len(reads)
        if wanted and "-" in wanted:
            first, last = map(int, wanted.split("-"))
            return range(first, min(last, len(reads)) + 1)
        least = int(wanted) if wanted else least
        by_file = {}
        for number, path in enumerate(reads, 1):
            by_file.setdefault(path, []).append(number)
        found = {self.dice.choice(numbers) for numbers in by_file.values()}
        found = set(self.dice.sample(sorted(found), min(least, len(found))))
        while len(found) < min(least, len(reads)):
            found.add(self.dice.randrange(len(reads)) + 1)
        return sorted(found)

    def assert_told(self, log):
        """The log names a file of those that could not be read."""
        names = {pathlib.Path(path).name.removesuffix("-wal").removesuffix("-journal") for path in self.failed()}
        self.assertTrue(any(name in log for name in names), "%s\n%s" % (names, log))

    def assert_complete(self, log):
        self.assert_archives(log)
        taken = (self.folder / "taken").read_bytes().splitlines()
        self.assertEqual(sorted(taken), sorted(self.expected.splitlines()), log)
        self.assertFalse((self.state / "dead-letters" / "program.ndjson").exists(), log)

    # --- trawld ---

    def test_once(self):
        self.restore()
        done = self.run_once()
        self.assertEqual(done.code, 0, done.err)
        self.assert_complete(done.err)
        codes = {}
        for point in self.points(ONCE):
            for how in ("once", "always"):
                with self.subTest(read=point, how=how):
                    code = self.run_case("%d %s" % (point, how))
                    codes[code] = codes.get(code, 0) + 1
        print("campaign: reads: --once: %d failures, exit statuses %s" % (sum(codes.values()), codes), flush=True)

    def run_case(self, fault):
        self.restore()
        done = self.run_once(fault)
        self.assertIn(done.code, (0, 75), done.err)
        if done.code == 0:
            self.assert_complete(done.err)
        else:
            self.assert_told(done.err)
        again = self.once()
        self.assert_complete(done.err + again.err)
        return done.code

    def test_daemon(self):
        self.restore()
        daemon = self.start()
        self.wait_complete(daemon)
        self.assertEqual(daemon.stop(), 0)
        if os.environ.get("TRAWLD_FAULTS") == "all":
            self.share("test_daemon")
            return
        n = 0
        for point in self.points(DAEMON):
            for how in ("once", "always"):
                with self.subTest(read=point, how=how):
                    n += self.run_daemon("%d %s" % (point, how))
        print("campaign: reads: daemon: %d failures" % n, flush=True)

    def share(self, test):
        """Each read of the last run in one of several processes: daemons wait most of the time."""
        last = len(self.log.read_text().splitlines())
        size = -(-last // PROCESSES)
        parts = ["%d-%d" % (first, min(first + size - 1, last)) for first in range(1, last + 1, size)]
        command = [sys.executable, __file__, "ReadFaults." + test]
        children = [
            subprocess.Popen(
                command, env={**os.environ, "TRAWLD_FAULTS": part}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            for part in parts
        ]
        for child in children:
            self.addCleanup(child.kill)
        for part, child in zip(parts, children):
            told = child.communicate()[0]
            with self.subTest(reads=part):
                self.assertEqual(child.returncode, 0, told)
            print("reads %s: %s" % (part, re.search("campaign.*|$", told)[0]), flush=True)
        print("campaign: reads: %d, each once and always, in %s" % (last, test), flush=True)

    def start(self, fault=None, after=None):
        daemon = harness.Daemon(["-c", str(self.conf)], {**self.environment(), **self.environment_of(fault, after)})
        self.addCleanup(daemon.kill)
        return daemon

    def is_complete(self, daemon):
        self.assertIsNone(daemon.process.poll(), daemon.text())
        taken = self.folder / "taken"
        try:
            archived = [self.archived(path).count(b"\n") for path in (self.out, self.rotated)]
        except (OSError, EOFError):  # just now it is rotated or compressed
            return False
        return (
            archived == [RECORDS, RECORDS]
            and taken.read_bytes().count(b"\n") == RECORDS
            and not (self.state / "dead-letters" / "program.ndjson").exists()
        )

    def wait_complete(self, daemon):
        try:
            wait_until(lambda: self.is_complete(daemon), "all records", 90)
        except AssertionError as error:
            raise AssertionError("%s\n%s" % (error, daemon.text())) from None

    def run_daemon(self, fault):
        self.restore()
        daemon = self.start(fault)
        try:
            return self.watch(daemon, fault)
        finally:
            daemon.kill()  # the next one has the same lock

    def watch(self, daemon, fault):
        if fault.endswith("always"):
            # until it has said so, or has everything that it may still read
            wait_until(lambda: self.failed() or self.is_complete(daemon), "a read that fails")
            if self.failed() and not self.is_complete(daemon):
                wait_until(lambda: daemon.process.poll() is not None or "Input/output" in daemon.text(), "a word of it", 10)
            self.note(".over")
        self.wait_complete(daemon)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_complete(daemon.text())
        return bool(self.failed())

    def calm_down(self):
        """A configuration with which nothing is read but at a reload."""
        kept = self.conf.read_text()
        self.addCleanup(self.conf.write_text, kept)
        self.calm = kept.replace("interval = 50ms", "interval = 1h").replace("seal = 1s", "seal = 1h")
        self.calm = self.calm.replace("listen = off", "listen = unix:%s" % (self.dir / "listen"))
        self.calm = self.calm.replace("control = off", "control = %s" % (self.dir / "control"))

    def test_reload(self):
        """What cannot be made of a new configuration because one read failed comes back by itself."""
        self.calm_down()
        missing = [self.reload_case(point) for point in range(1, RELOAD + 1)]
        self.assertTrue(any(missing), "no read of %d was one that a source or sink needs" % RELOAD)
        print("campaign: reads: reload: %d failures, %d missing for a while" % (len(missing), sum(missing)), flush=True)

    def reload(self, fault, note=None):
        """A daemon that reads a changed configuration. Reads count once the old source was stopped."""
        self.restore()
        self.conf.write_text(self.calm)
        daemon = self.start(fault, after="changed: restarting")
        self.wait_complete(daemon)
        if note:
            self.note(note)
        self.conf.write_text(self.calm.replace("interval = 1h", "interval = 2h").replace("retry_max = 1s", "retry_max = 2s"))
        daemon.signal(signal.SIGHUP)
        return daemon

    def note(self, suffix):
        self.log.with_name(self.log.name + suffix).touch()

    def reload_case(self, point):
        """Whether a source or a sink was missing, because one read failed."""
        daemon = self.reload("%d once" % point)
        try:
            wait_until(lambda: "reloaded: " in daemon.text(), "the reload", 60)
            missing = "retrying every 5 s" in daemon.text()
            if missing:
                wait_until(lambda: "it is there again" in daemon.text(), "what was missing", 60)
            self.assertEqual(daemon.stop(), 0, daemon.text())
            self.assert_complete(daemon.text())
            return missing
        finally:
            daemon.kill()

    def test_missing(self):
        """Every surface says what a reload could not make, for as long as it is so."""
        self.calm_down()
        daemon = self.reload("1 always")
        wait_until(lambda: "reloaded: " in daemon.text(), "the reload", 60)
        self.assertIn("retrying every 5 s", daemon.text())
        self.assert_ready(False)
        self.note(".over")
        daemon.wait_log("it is there again", seconds=60)
        self.assert_ready(True)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_complete(daemon.text())

    def assert_ready(self, ready):
        """Without the sink; or with it, and then with the source up to date."""
        told = "^$|^ready$" if ready else "(?m)^sink program: cannot read "
        if ready:
            wait_until(lambda: ask(self.dir / "listen", "/readyz").code == 200, "trawld to be ready")
        answer = ask(self.dir / "listen", "/readyz")
        self.assertEqual(answer.code, 200 if ready else 503, answer.text)
        self.assertRegex(answer.text, told)
        status = json.loads(self.ctl("status", "--json").text)
        self.assertRegex(status.get("not_ready") or "", told)
        self.assertEqual("program" in [sink["name"] for sink in status["sinks"]], ready)
        self.ctl("status", "--check", expect=0 if ready else 1)
        metrics = parse(ask(self.dir / "listen", "/metrics").text)
        self.assertEqual(metrics[("trawld_config_last_reload_successful",)], ready)

    def test_damage_at_reload(self):
        """A state that is found damaged at a reload is the end, as anywhere."""
        self.calm_down()
        daemon = self.reload("0 once", ".damaged")
        self.assert_ends(daemon)
        self.assertNotIn("retrying every 5 s", daemon.text())

    def test_damage_at_retry(self):
        """So it is if the first try met a read that failed."""
        self.calm_down()
        self.calm = self.calm.replace("control =", "log_level = debug\ncontrol =")
        for _ in range(9):
            daemon = self.reload("2 once")  # the first is of the folder of the dead letters
            wait_until(lambda: "reloaded: " in daemon.text(), "the reload", 60)
            self.assertIn("retrying every 5 s", daemon.text())
            # no commit is to find it
            done = "(?s)reloaded: .*up to date for the first time.*committed in"
            wait_until(lambda: re.search(done, daemon.text()), "the last commit", 60)
            self.note(".damaged")
            if "it is there again" not in daemon.text():
                break
            daemon.kill()
        self.assert_ends(daemon)

    def assert_ends(self, daemon):
        self.assertEqual(daemon.process.wait(60 * harness.PATIENCE), 73, daemon.text())
        self.assertIn("exiting, because continuing could lose or repeat records", daemon.text())
        self.restore()
        self.assert_complete(self.once().err)

    def test_damage(self):
        """A state of which a read failed is retried; if it is damaged, too, that is found."""
        for point in (1, 2, 3):
            with self.subTest(read=point):
                self.restore()
                for path in self.state.glob("trawld.db*"):
                    data = path.read_bytes()
                    path.write_bytes(data[:2048] + b"\xa5" * (len(data) - 2048))
                daemon = self.start("%d once" % point)
                self.assertEqual(daemon.process.wait(60), 73, daemon.text())
                self.assertEqual(len(self.failed()), 1, daemon.text())
                self.assertIn("damaged", daemon.text())

    # --- trawlctl ---

    def commands(self):
        archives = [self.out, *sorted(self.root.glob("rotated.ndjson.0*"))]
        letter = json.loads((self.kept / "state/dead-letters/program.ndjson").read_text().splitlines()[0])
        span = ("--from", "2020-01-01T00:00:00Z", "--to", "now")
        reading = (
            ("cursor",),
            ("coverage", "--json"),
            ("gaps", "--json"),
            ("events", "--json"),
            ("dead-letters", "list", "program"),
            ("dead-letters", "list", "program", "--json"),
            ("cat", "acme"),
            ("find", letter["record_id"] if "record_id" in letter else letter["id"]),
            ("report", *span, "--format", "json", "--seal-key", self.public, self.out),
            ("replay", "program", "--source", "acme", *span, "--dry-run"),
            ("replay", "program", "--file", *archives, "--source", "acme", "--key", self.public, "--dry-run"),
            ("prove", self.out, "--line", "7"),
            ("rewind", "acme", "--to", "earliest", "--dry-run"),
        )
        sealed = (
            ("verify", self.out, "--key", self.public),
            ("verify", self.rotated, "--key", self.public, "--anchor", str(self.rotated) + ".seals"),
        )
        writing = (
            ("backup", self.root / "copy.db"),
            ("dead-letters", "discard", "program"),
            ("pause", "program"),
        )
        return reading, sealed, writing

    def command(self, arguments, fault=None):
        done = self.trawld(
            "-c", str(self.conf), *map(str, arguments), program=harness.TRAWLCTL, environment=self.environment_of(fault)
        )
        done.text = done.out.decode()
        return done

    def text_of(self, done):
        """What a command prints, without the time at which it did."""
        try:
            value = json.loads(done.text)
        except ValueError:
            return done.text
        body = json.loads(value["body"]) if isinstance(value, dict) and "body" in value else value
        if isinstance(body, dict):
            body.pop("made", None)
        return body

    def test_commands(self):
        reading, sealed, writing = self.commands()
        n = 0
        for arguments in reading + sealed:
            self.restore()
            good = self.command(arguments)
            self.assertEqual(good.code, 0, (arguments, good.err))
            for point in self.points(COMMAND):
                for how in ("once", "always"):
                    with self.subTest(arguments=arguments, read=point, how=how):
                        self.restore()
                        self.assert_reads(arguments, self.command(arguments, "%d %s" % (point, how)), good)
                        n += 1
        self.restore()
        self.whole = ("cursor",), ("cat", "acme"), ("coverage", "--json")
        self.kept_whole = [self.command(read).text for read in self.whole]
        for arguments in writing:
            self.restore()
            good = self.command(arguments)
            self.assertEqual(good.code, 0, (arguments, good.err))
            for point in self.points(COMMAND):
                for how in ("once", "always"):
                    with self.subTest(arguments=arguments, read=point, how=how):
                        self.restore()
                        self.assert_writes(arguments, self.command(arguments, "%d %s" % (point, how)))
                        n += 1
        print("campaign: reads: commands: %d failures" % n, flush=True)

    def assert_reads(self, arguments, done, good):
        """Either all of it, or that something cannot be read."""
        if done.code == good.code and self.text_of(done) == self.text_of(good):
            return
        if arguments[0] != "find" or done.code != 0:  # which says what it cannot read, and prints the rest
            self.assertEqual(done.code, 75, done.err + done.text)
        self.assertNotIn("no longer kept", done.text)
        self.assert_told(done.err)

    def assert_writes(self, arguments, done):
        if done.code != 0:
            self.assertEqual(done.code, 75, done.err)
            self.assert_told(done.err)
        if arguments[0] == "backup" and done.code != 0:
            self.assertFalse(arguments[1].exists(), done.err)
            self.assertEqual(self.command(arguments).code, 0)
        if arguments[0] == "backup":
            state = self.root / "restored"
            state.mkdir()
            arguments[1].rename(state / "trawld.db")
            self.conf.write_text(self.conf.read_text().replace(str(self.state), str(state), 1))
            try:
                self.assertEqual([self.command(read).text for read in self.whole], self.kept_whole)
            finally:
                self.conf.write_text(self.conf.read_text().replace(str(state), str(self.state), 1))
        elif arguments[0] == "pause":
            self.command(("resume", "program"))
            self.assert_complete(done.err + self.once().err)


if __name__ == "__main__":
    harness.main()
