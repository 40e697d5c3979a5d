#!/usr/bin/python3
"""The exec sink with real children: what they answer, how they end, what they leave behind.

TRAWLD_TEST_SEED repeats a run of the kills.
"""

import json
import os
import random
import shutil
import socket
import sys

import harness
from harness import TOKEN, wait_until

import cloudscale

CHILD = harness.SOURCE_ROOT / "tests" / "system" / "exec_child.py"

SHELL = """#!/bin/sh
# appends each batch whole
batch=
while IFS= read -r line; do
	case $line in
	'#'*) batch=${line#\\# } batch=${batch%% *}; : >"$1.new" ;;
	'') cat "$1.new" >>"$1" && echo "ok $batch" || echo "retry cannot write" ;;
	*) printf '%s\\n' "$line" >>"$1.new" ;;
	esac
done
"""


def alive(pid):
    """Is there such a process, and is it more than a zombie?"""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Exec(harness.Case):
    def sink(self, command=None, more=""):
        command = command or "%s '%s' \"%s\"" % (sys.executable, CHILD, self.dir)
        return "[sink run]\ntype = exec\ncommand = %s\nretry_max = 1s\n%s\n" % (command, more)

    def script(self, *words):
        (self.dir / "script").write_text(" ".join(words))

    def events(self, member=None):
        path = self.dir / "events"
        text = path.read_text() if path.exists() else ""
        # the last line may be being written
        events = [json.loads(line) for line in text.split("\n")[:-1]]
        return [event for event in events if member is None or member in event]

    def run_script(self, *words, records=300, expect=0, more=""):
        """--once with WORDS as the child's script; what the daemon logged."""
        self.script(*words)
        simulator = self.cloudscale(records, "--page-size", "100")
        self.configure(self.source(simulator.url), self.sink(more=more))
        return self.once(expect)

    def assert_taken(self, records):
        self.assert_output(cloudscale.expected_lines(1, 0, records), self.dir / "taken")

    def test_shell(self):
        program = self.dir / "sink.sh"
        program.write_text(SHELL)
        program.chmod(0o755)
        simulator = self.cloudscale(2000, "--page-size", "100")
        self.configure(self.source(simulator.url), self.sink("%s %s" % (program, self.out)))
        self.once()
        self.assert_output(cloudscale.expected_lines(1, 0, 2000))

    def test_plain(self):
        result = self.run_script()
        self.assert_taken(300)
        self.assertEqual(len(self.events("start")), 1)
        self.assertEqual(len(self.events("end")), 1)  # it saw the end of its input
        for event in self.events("id"):
            self.assertEqual(event["count"], event["lines"])
            self.assertRegex(event["id"], "^[0-9a-f]{32}$")
        self.assertEqual(sum(event["count"] for event in self.events("id")), 300)
        start = self.events("start")[0]
        self.assertEqual(start["group"], start["start"])
        self.assertIn("TRAWLD_SINK", start["environment"])
        self.assertFalse([name for name in start["environment"] if "CREDENTIAL" in name])
        self.assertEqual(result.lines("warning"), [])

    def test_descriptors(self):
        """Neither the first nor the second program inherits connections, or anything else."""
        simulator = self.cloudscale(30)
        syslog = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(syslog.close)
        address = "[sink plain]\ntype = syslog\naddress = tcp://127.0.0.1:%d\n"
        self.configure(
            self.source(simulator.url, more="interval = 50ms"),
            self.sink(),
            address % syslog.getsockname()[1],
            listen="127.0.0.1:0",
            control=self.dir / "control",
        )
        simulator.control(visible=10)
        daemon = self.daemon()
        connection, _ = syslog.accept()
        self.addCleanup(connection.close)
        self.wait_size(self.dir / "taken", len(cloudscale.expected_lines(1, 0, 10)))
        mark = daemon.mark()
        os.kill(self.events("start")[0]["start"], 9)
        daemon.wait_log("the command was ended by signal 9", mark)
        simulator.control(visible=30)
        self.wait_size(self.dir / "taken", len(cloudscale.expected_lines(1, 0, 30)))
        daemon.stop()
        self.assertEqual([event["descriptors"] for event in self.events("start")], [[], []])

    def test_credentials(self):
        """The program is told of those that it names, and of no others."""
        simulator = self.cloudscale(10)
        given = {"CREDENTIALS_DIRECTORY": str(self.dir), "TRAWLD_SECRET": "x"}
        sink = self.sink(more="credentials = siem-key, other.key")
        self.configure(self.source(simulator.url), sink)
        result = self.trawld("-c", str(self.conf), "--once", environment=given)
        self.assertEqual(result.code, 0, result.err)
        found = [n for n in self.events("start")[0]["environment"] if n.startswith("TRAWLD_")]
        names = ["TRAWLD_CREDENTIAL_other_key", "TRAWLD_CREDENTIAL_siem_key", "TRAWLD_SINK"]
        self.assertEqual(found, names)
        self.assertNotIn("CREDENTIALS_DIRECTORY", self.events("start")[0]["environment"])
        self.configure(self.source(simulator.url), self.sink(more="credentials = a/b"))
        self.assertIn("`a/b` is not the name of a credential", self.check(78).err)

    def test_envelope(self):
        self.run_script(records=5, more="format = envelope\nexclude = /action = none")
        lines = (self.dir / "taken").read_bytes().splitlines()
        for n, line in enumerate(lines):
            self.assertEqual(
                json.loads(line)["record"], json.loads(cloudscale.record_line(1, n))
            )
        self.assertEqual(len(lines), 5)

    def run_through(self, *words, records=300, more=""):
        """The daemon until every record is taken: each fault is followed by a try."""
        self.script(*words)
        simulator = self.cloudscale(records, "--page-size", "100")
        self.configure(self.source(simulator.url), self.sink(more=more))
        daemon = self.daemon()
        self.wait_size(
            self.dir / "taken", len(cloudscale.expected_lines(1, 0, records))
        )
        daemon.stop()
        self.assert_taken(records)
        return daemon.text()

    def test_retry(self):
        text = self.run_through("retry", "retry")
        self.assertIn("the command says: later: the disk?is full", text)
        self.assertEqual(len(self.events("start")), 1)
        first = self.events("id")[:3]
        self.assertEqual(len({event["id"] for event in first}), 1)
        self.assertEqual([event["word"] for event in first], ["retry", "retry", "ok"])

    def test_restored_state(self):
        """A number that a restored state uses again names other records: so does the ID."""
        simulator = self.cloudscale(200)
        simulator.control(visible=100)
        self.configure(self.source(simulator.url), self.sink())
        self.once()
        shutil.copytree(self.state, self.dir / "backup")
        simulator.control(visible=150)
        self.once()
        shutil.rmtree(self.state)
        shutil.copytree(self.dir / "backup", self.state)
        simulator.control(visible=200)
        self.once()
        lines = cloudscale.expected_lines(1, 0, 200)
        taken = (self.dir / "taken").read_bytes()
        self.assertEqual(set(taken.splitlines()), set(lines.splitlines()))

    def test_ends(self):
        for word, phrase in (
            ("exit", "the command ended with code 3 before it answered"),
            ("die", "the command was ended by signal 9 before it answered"),
        ):
            with self.subTest(word):
                for file in self.dir.iterdir():
                    if file.is_file():
                        file.unlink()
                for file in self.state.glob("*"):
                    if file.is_file():
                        file.unlink()
                text = self.run_through(word)
                self.assertIn(phrase, text)
                self.assertEqual(len(self.events("start")), 2)
                first, second = self.events("id")[:2]
                self.assertEqual(first["id"], second["id"])
                self.assertEqual(first["text"], second["text"])

    def test_answers_that_are_none(self):
        for word, phrase in (
            ("other", "acknowledges another batch"),
            ("nonsense", "none of ok, retry and refuse"),
        ):
            with self.subTest(word):
                for folder in (self.dir, self.state):
                    for file in folder.glob("*"):
                        if file.is_file():
                            file.unlink()
                text = self.run_through(word)
                self.assertIn(phrase, text)
                self.assertNotIn("\x1b", text)
                self.assertEqual(len(self.events("start")), 2)

    def test_said_twice(self):
        """A second answer acknowledges nothing: the child is killed."""
        self.script("twice")
        simulator = self.cloudscale(100, "--page-size", "100")
        self.configure(self.source(simulator.url, more="interval = 50ms"), self.sink())
        daemon = self.daemon()
        daemon.wait_log("out of turn; it was killed and is started again")
        # the size of the first answer is on the disk before the second is said
        self.assert_taken(100)
        simulator.control(visible=200)
        self.wait_size(self.dir / "taken", len(cloudscale.expected_lines(1, 0, 200)))
        daemon.stop()
        self.assert_taken(200)
        self.assertEqual(len(self.events("start")), 2)

    def test_said_early(self):
        """An answer before the batch has ended acknowledges nothing."""
        for count in (2000, 20):  # more than a pipe holds, and less
            with self.subTest(count):
                self.setUp()
                self.script("early")
                simulator = self.cloudscale(count, "--page-size", "1000")
                self.configure(self.source(simulator.url), self.sink())
                daemon = self.daemon()
                self.wait_size(self.dir / "taken", len(cloudscale.expected_lines(1, 0, count)))
                daemon.stop()
                self.assertIn("out of turn", daemon.text())
                self.assert_taken(count)

    def test_counts(self):
        """A child that goes by the number of records leaves the empty line for later."""
        program = self.dir / "counts"
        program.write_text("""#!/bin/sh
while read -r mark batch count; do
	[ "$mark" ] || continue
	for i in $(seq "$count"); do IFS= read -r line && printf '%s\\n' "$line" >>"$1"; done
	echo "ok $batch"
done
""")
        program.chmod(0o755)
        simulator = self.cloudscale(60, "--page-size", "20")
        self.configure(self.source(simulator.url), self.sink("%s %s/taken" % (program, self.dir)))
        result = self.once()
        self.assertNotIn("out of turn", result.err)
        self.assert_taken(60)

    def test_one_batch_a_run(self):
        """A child that ends right after its answer has answered."""
        self.script(*["last"] * 10)
        simulator = self.cloudscale(400, "--page-size", "100")
        simulator.control(visible=0)
        self.configure(self.source(simulator.url, more="interval = 50ms"), self.sink())
        daemon = self.daemon()
        for visible in (100, 200, 300, 400):
            mark = daemon.mark()
            simulator.control(visible=visible)
            daemon.wait_log("it is started again for the next batch", mark)
        daemon.stop()
        self.assert_taken(400)
        self.assertNotIn("before it answered", daemon.text())
        self.assertEqual(len(self.events("start")), 4)

    def test_refuse(self):
        result = self.run_script("refuse", expect=75)
        self.assertEqual(len(result.lines("rejected for good: the command refuses them: not")), 1)
        first = self.events("id")[0]
        letters = (self.state / "dead-letters" / "run.ndjson").read_bytes().splitlines()
        self.assertEqual(len(letters), first["count"])
        taken = self.dir / "taken"
        rest = cloudscale.expected_lines(1, first["count"], 300)
        self.assertEqual(taken.read_bytes() if taken.exists() else b"", rest)

    def test_max_record(self):
        """Longer records are dead letters; the program gets the others, in order."""
        lines = cloudscale.expected_lines(1, 0, 300).splitlines(keepends=True)
        most = sorted(len(line) - 1 for line in lines)[200]
        self.run_script(expect=75, more="max_record = %d" % most)
        short = [line for line in lines if len(line) - 1 <= most]
        self.assertEqual((self.dir / "taken").read_bytes(), b"".join(short))
        letters = (self.state / "dead-letters" / "run.ndjson").read_bytes().splitlines()
        self.assertEqual(len(letters), 300 - len(short))
        self.assertIn("max_record of this sink is %d" % most, json.loads(letters[0])["reason"])

    def test_timeout(self):
        """A child that hangs is killed with its own children."""
        text = self.run_through("hang", more="timeout = 3s")  # the second child has to start in it
        self.assertIn("neither read nor answered within timeout", text)
        starts = self.events("start")
        self.assertEqual(len(starts), 2)
        for start in starts:
            wait_until(lambda: not alive(start["start"]), "the end of the child")
            wait_until(lambda: self.group(start["group"]) == [], "the end of its group")

    def group(self, number):
        """The living processes of a group."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % name) as file:
                    words = file.read().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(words[2]) == number and words[0] != "Z":
                found.append(name)
        return found

    def test_complaints(self):
        """Its standard error in the log: bounded, cleaned, masked, with the sink's name."""
        result = self.run_script("complain")
        lines = result.lines("the command: line")
        self.assertEqual(len(lines), 60, result.err)
        self.assertIn("sink run", lines[0])
        self.assertNotIn("\x1b", result.err)
        self.assertNotIn(TOKEN, result.err)
        self.assert_taken(300)

    def test_stop(self):
        """The end of trawld is the end of the child, also of one that hangs."""
        self.script("hang")
        simulator = self.cloudscale(100)
        self.configure(
            self.source(simulator.url), self.sink(), daemon="shutdown_timeout = 100ms"
        )
        daemon = self.daemon()
        wait_until(lambda: self.events("id"), "a batch")
        group = self.events("start")[0]["group"]
        wait_until(lambda: len(self.group(group)) >= 2, "the child's own child")
        daemon.stop()
        wait_until(lambda: self.group(group) == [], "the end of the group")

    def test_hangs_when_trawld_is_killed(self):
        """A child that no longer reads does not write beside the next trawld's."""
        pid = self.dir / "pid"
        program = self.dir / "hang"
        program.write_text("#!/bin/sh\ntrap '' TERM HUP PIPE\necho $$ >%s\nexec sleep 1000\n" % pid)
        program.chmod(0o755)
        sim = self.cloudscale(50)
        self.configure(self.source(sim.url), self.sink(str(program)))
        daemon = self.daemon()
        wait_until(lambda: pid.exists() and pid.read_text().endswith("\n"), "the child")
        number = int(pid.read_text())
        self.assertTrue(alive(number))
        daemon.kill()
        wait_until(lambda: not alive(number), "its end")

    def test_slow_child(self):
        """One that does not read holds up nobody else."""
        reader = self.dir / "reader.sh"
        go = self.dir / "go"
        os.mkfifo(go)
        # it reads nothing until somebody opens the FIFO
        reader.write_text("#!/bin/sh\nread -r word <%s\nexec %s %s %s\n"
                          % (go, sys.executable, CHILD, self.dir))
        reader.chmod(0o755)
        simulator = self.cloudscale(5000, "--page-size", "500")
        self.configure(
            self.source(simulator.url), self.sink(reader), self.file_sink()
        )
        daemon = self.daemon()
        expected = cloudscale.expected_lines(1, 0, 5000)
        self.wait_size(self.out, len(expected))
        go.write_text("go\n")
        self.wait_size(self.dir / "taken", len(expected))
        daemon.stop()
        self.assert_taken(5000)

    def test_kill(self):
        """kill -9 of trawld and of the child: the same batch comes again under the same id."""
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        dice = random.Random(seed)
        records, rounds, unfinished = 20_000, 30, 0
        expected = cloudscale.expected_lines(1, 0, records)
        simulator = self.cloudscale(records, "--page-size", "100", "--delay", "0.002")
        simulator.control(visible=100)
        self.configure(self.source(simulator.url, more="interval = 50ms"), self.sink())
        taken = self.dir / "taken"
        size = lambda: taken.stat().st_size if taken.exists() else 0
        for left in range(rounds, 0, -1):
            # the rounds share evenly what is still to come
            visible = records * (rounds - left + 1) // rounds
            simulator.control(visible=visible)
            goal = dice.uniform(size(), len(cloudscale.expected_lines(1, 0, visible)))
            before = len(self.events("start"))
            daemon = self.daemon()
            wait_until(
                lambda: size() >= goal and len(self.events("start")) > before
                or size() >= len(expected), "progress"
            )
            child = self.events("start")[-1]["start"]
            if dice.random() < 0.3 and alive(child):
                os.kill(child, 9)
            daemon.kill()
            # a child that outlives trawld sees the end of its input
            wait_until(lambda: not alive(child), "the end of the child")
            unfinished += size() < len(expected)
            self.assertEqual(taken.read_bytes(), expected[: size()])
        print("%d of %d kills before the end" % (unfinished, rounds), flush=True)
        self.assertGreater(unfinished, rounds * 3 // 4)
        self.once()
        self.assert_taken(records)

    def test_faults(self):
        for command, phrase in (
            ("sink.sh x", "absolute path"),
            ("/bin/cat 'x", "a quote does not end"),
        ):
            self.configure(self.source("http://127.0.0.1:1"), self.sink(command))
            self.assertEqual(len(self.check(78).lines(phrase)), 1)
        simulator = self.cloudscale(10)
        self.configure(self.source(simulator.url), self.sink("/nowhere/sink x"))
        result = self.once(75)
        self.assertEqual(len(result.lines("retrying")), 1, result.err)
        self.assertEqual(len(result.lines("cannot run /nowhere/sink: No such file")), 2)


if __name__ == "__main__":
    harness.main()
