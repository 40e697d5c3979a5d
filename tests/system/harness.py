"""What the system tests share: the real daemon against a simulator, in a folder of its own.

Nothing here sleeps for a guessed time: everything waits for an event (a log line, a file, an answer
of the simulator) until a deadline that only a broken program meets. Environment, set by meson:
TRAWLD, the program; TRAWLCTL (default: beside it); TRAWLD_PROVIDERS, the folder of provider
definitions; TRAWLD_PATIENCE, a factor for all deadlines (slow builds).
"""

import contextlib
import datetime
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

SOURCE_ROOT = pathlib.Path(__file__).resolve().parents[2]
SIMULATORS = SOURCE_ROOT / "tests" / "simulators"
sys.path.insert(0, str(SIMULATORS))

TRAWLD = os.environ["TRAWLD"]
TRAWLCTL = os.environ.get("TRAWLCTL", str(pathlib.Path(TRAWLD).with_name("trawlctl")))
PROVIDERS = os.environ.get("TRAWLD_PROVIDERS", str(SOURCE_ROOT / "conf" / "providers"))
PATIENCE = float(os.environ.get("TRAWLD_PATIENCE", "1"))
TOKEN = "s3cret-t0ken-of-acme-8d1f"

# a configuration without a mistake; the words in capitals are replaced
GOOD = """\
[daemon]
state_directory = STATE
listen = off
control = off
provider_directory = PROVIDERS

[source acme]
provider = cloudscale
token = TOKEN
endpoint = http://127.0.0.1:9
interval = 1m

[sink archive]
type = file
path = STATE/%{source}.ndjson
"""


def wait_until(question, what, seconds=30):
    """Asks until the answer is true and returns it; AssertionError after the deadline."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.005)


def whole_lines(path):
    """The lines of a file that somebody may be writing to; none while it does not exist."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


class Simulator:
    """A program of tests/simulators as a child."""

    def __init__(self, name, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, str(SIMULATORS / (name + ".py")), "--until-stdin-closes", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the simulator %s did not start" % name)
        self.url = json.loads(line)["url"]

    def _ask(self, path, data=None):
        # built without a proxy: the simulator is on loopback, whatever the environment says
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, data, timeout=30 * PATIENCE) as answer:
            return json.load(answer)

    def control(self, **settings):
        return self._ask("/_sim/control", json.dumps(settings).encode())

    def faults(self, *faults):
        return self.control(faults=list(faults))

    def stats(self):
        return self._ask("/_sim/stats")

    def log(self):
        return self._ask("/_sim/log")

    def stop(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Result:
    """How a program that ended did: code, out (bytes), err (text)."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    def lines(self, phrase):
        """The lines of the log that hold the phrase, whatever its case."""
        return [line for line in self.err.splitlines() if phrase.lower() in line.lower()]


def thread_states(pid):
    """Of the threads of a process, as proc(5) names them."""
    states = set()
    for path in pathlib.Path("/proc/%d/task" % pid).glob("*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one that has ended
            states.add(path.read_text().rpartition(")")[2].split()[0])
    return states


class Daemon:
    """A running trawld, its log kept line by line."""

    def __init__(self, arguments, environment, out=None):
        self.out = open(out, "ab") if out else subprocess.DEVNULL
        self.process = subprocess.Popen(
            [TRAWLD, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self.out,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self.log = []
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @property
    def pid(self):
        return self.process.pid

    def _read(self):
        for line in self.process.stderr:
            with self.changed:
                self.log.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def mark(self):
        """A place in the log to wait from."""
        with self.changed:
            return len(self.log)

    def text(self, mark=0):
        with self.changed:
            return "\n".join(self.log[mark:])

    def wait_log(self, phrase, mark=0, seconds=30):
        """The first line from MARK on that holds PHRASE (case ignored)."""
        deadline = time.monotonic() + seconds * PATIENCE
        with self.changed:
            while True:
                for line in self.log[mark:]:
                    if phrase.lower() in line.lower():
                        return line
                left = deadline - time.monotonic()
                if left <= 0 or not self.reader.is_alive():
                    raise AssertionError("no %r in the log:\n%s" % (phrase, "\n".join(self.log)))
                self.changed.wait(min(left, 1))

    def signal(self, number):
        self.process.send_signal(number)
        if number == signal.SIGSTOP:  # a busy machine lets it run for a moment
            wait_until(lambda: thread_states(self.pid) <= {"T", "Z"}, "the stop of the process")

    def wait(self, seconds=30):
        """The exit code."""
        try:
            code = self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError("trawld does not end:\n" + self.text()) from None
        self.reader.join()
        self._close()
        return code

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self._close()

    def _close(self):
        self.process.stderr.close()
        if self.out is not subprocess.DEVNULL:
            self.out.close()


class Case(unittest.TestCase):
    """A test with a folder (self.dir) and children that end with it."""

    maxDiff = 2000

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="trawld-test-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.addCleanup(self.assert_no_half_line)
        self.last_daemon = None
        self.state = self.dir / "state"
        self.out = self.dir / "out.ndjson"
        self.conf = self.dir / "trawld.conf"

    def simulator(self, *arguments, name="cloudscale"):
        simulator = Simulator(name, *arguments)
        self.addCleanup(simulator.stop)
        return simulator

    def cloudscale(self, count, *arguments, seed=1):
        """The simulator with one project of COUNT records behind TOKEN."""
        return self.simulator("--project", "%s=%d:%d" % (TOKEN, seed, count), *arguments)

    def source(self, url, name="acme", token=TOKEN, more=""):
        return (
            "[source %s]\nprovider = cloudscale\ntoken = %s\nendpoint = %s\n"
            "start = earliest\nrate = off\n%s\n" % (name, token, url, more)
        )

    def file_sink(self, name="archive", path=None, more=""):
        return "[sink %s]\ntype = file\npath = %s\n%s\n" % (name, path or self.out, more)

    def configure(
        self, *sections, daemon="", path=None, listen="off", control="off", providers=PROVIDERS
    ):
        """Writes trawld.conf: [daemon] with what every test needs, then SECTIONS."""
        text = (
            "[daemon]\nstate_directory = %s\nlisten = %s\ncontrol = %s\n"
            "provider_directory = %s\n%s\n" % (self.state, listen, control, providers, daemon)
        )
        (path or self.conf).write_text(text + "\n".join(sections))

    def environment(self):
        keep = ("PATH", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "LD_LIBRARY_PATH")
        kept = {name: os.environ[name] for name in keep if name in os.environ}
        return {**kept, "TZ": "UTC", "LC_ALL": "C.UTF-8"}

    def trawld(self, *arguments, environment=None, seconds=120, program=TRAWLD):
        """Runs trawld to its end."""
        done = subprocess.run(
            [program, *arguments],
            env={**self.environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds * PATIENCE,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    def once(self, expect=0, seconds=120):
        result = self.trawld("-c", str(self.conf), "--once", seconds=seconds)
        self.assertEqual(result.code, expect, result.err)
        self.assertNotIn(TOKEN, result.err)
        return result

    def ctl(self, *arguments, expect=0):
        """Runs trawlctl; nothing of what it prints may hold TOKEN."""
        result = self.trawld("-c", str(self.conf), *arguments, program=TRAWLCTL, seconds=60)
        result.text = result.out.decode()
        self.assertEqual(result.code, expect, result.err + result.text)
        self.assertNotIn(TOKEN, result.err + result.text)
        return result

    def check(self, expect, path=None):
        result = self.trawld("-c", str(path or self.conf), "--check")
        self.assertEqual(result.code, expect, result.err + result.out.decode(errors="replace"))
        return result

    def daemon(self, out=None):
        daemon = Daemon(["-c", str(self.conf)], self.environment(), out)
        self.addCleanup(daemon.kill)
        self.last_daemon = daemon
        return daemon

    def assert_no_half_line(self):
        """A daemon that has ended as it should leaves no half line (whole_lines would not show it)."""
        if self.last_daemon and self.last_daemon.process.returncode == 0 and self.out.is_file():
            self.assertIn(self.out.read_bytes()[-1:], (b"", b"\n"), "the end of %s" % self.out.name)

    def wait_size(self, path, size, seconds=60):
        """Waits until the file is SIZE bytes long."""
        wait_until(
            lambda: path.exists() and path.stat().st_size >= size,
            "%d bytes in %s" % (size, path.name),
            seconds,
        )

    def wait_acknowledged(self, seconds=60):
        """Waits until nothing waits for a sink: bytes in a file may not be acknowledged yet."""
        database = sqlite3.connect("file:%s?mode=ro" % (self.state / "trawld.db"), uri=True)
        wait_until(
            lambda: database.execute("SELECT count(*) FROM batches").fetchone() == (0,),
            "every sink's acknowledgement",
            seconds,
        )
        database.close()

    def assert_output(self, expected, path=None):
        """The file is EXPECTED to the byte; says where it first differs."""
        path = path or self.out
        found = path.read_bytes() if path.exists() else b""
        if found == expected:
            return
        lines, wanted = found.split(b"\n"), expected.split(b"\n")
        at = next(
            (i for i, pair in enumerate(zip(lines, wanted)) if pair[0] != pair[1]),
            min(len(lines), len(wanted)),
        )
        self.fail(
            "%s: %d lines, expected %d; first difference in line %d\n  found    %r\n  expected %r"
            % (
                path.name,
                len(lines) - 1,
                len(wanted) - 1,
                at + 1,
                lines[at : at + 1],
                wanted[at : at + 1],
            )
        )

    def age_cursor(self, days, *members):
        """The state of the one source is as if these times of its cursor were DAYS earlier."""
        database = sqlite3.connect(self.state / "trawld.db")
        (text,) = database.execute("SELECT cursor FROM sources").fetchone()
        cursor = json.loads(text)
        for name in members:
            then = datetime.datetime.fromisoformat(cursor[name][:19])
            cursor[name] = (then - datetime.timedelta(days=days)).isoformat() + "Z"
        database.execute("UPDATE sources SET cursor = ?", (json.dumps(cursor),))
        database.commit()
        database.close()

    def state_dump(self):
        """All rows of the state, but for times, its identity, the number of commits, events, and until when a quiet source is
        known to be read. Only while no daemon runs: it works on a copy, since reading in place would check point the log of
        a killed daemon."""
        with tempfile.TemporaryDirectory(dir=self.dir) as copy:
            for file in self.state.glob("trawld.db*"):
                shutil.copy(file, copy)
            database = sqlite3.connect(pathlib.Path(copy) / "trawld.db")
            database.row_factory = sqlite3.Row
            tables = database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('commits', 'identity', 'events')"
                " ORDER BY name"
            ).fetchall()
            dump = {}
            for (table,) in tables:
                rows = database.execute('SELECT * FROM "%s"' % table).fetchall()
                dump[table] = [
                    {k: row[k] for k in row.keys() if "updated" not in k} for row in rows
                ]
            for row in dump.get("coverage", ()):
                if row["state"] == "chain":
                    del row["end_time"], row["found_time"]
            database.close()
            return dump


def main():
    unittest.main(verbosity=2)
